#pragma once

/* A mutex held until the end of the scope. Never across io_run(): see core/overlay/README.md for the order. */

#include <pthread.h>

#include "base/macro.h"

static inline pthread_mutex_t *lock_take(pthread_mutex_t *m)
{
	(void) pthread_mutex_lock(m); /* fails only for error-checking or robust mutexes */
	return m;
}

static inline void lock_dropp(pthread_mutex_t **m)
{
	if (*m)
		(void) pthread_mutex_unlock(*m);
}

#define LOCK_NAME2_(line) scope_lock_##line
#define LOCK_NAME_(line) LOCK_NAME2_(line)
#define SCOPE_LOCK(m) _cleanup_(lock_dropp) _unused_ pthread_mutex_t *LOCK_NAME_(__LINE__) = lock_take(m)
