#pragma once

/*
 * The few macros every file uses: cleanup at end of scope, ownership hand-over, arithmetic that needs types.
 * GNU expressions live here and nowhere else.
 */

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(fn) __attribute__((cleanup(fn)))
#define _printf_(fmt, args) __attribute__((format(printf, fmt, args)))
#define _unused_ __attribute__((unused))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define MIN(a, b) __extension__({ __typeof__(a) a_ = (a); __typeof__(b) b_ = (b); a_ < b_ ? a_ : b_; })
#define MAX(a, b) __extension__({ __typeof__(a) a_ = (a); __typeof__(b) b_ = (b); a_ > b_ ? a_ : b_; })

#define container_of(ptr, type, member) \
	__extension__({ __typeof__(((type *) 0)->member) *m_ = (ptr); (type *) (void *) ((char *) m_ - offsetof(type, member)); })

/* Takes the pointer out of a variable with scope cleanup: the caller of the function owns it from here. */
#define steal_ptr(p) __extension__({ __typeof__(p) *p_ = &(p); __typeof__(p) v_ = *p_; *p_ = NULL; v_; })

/* Defines the function that _cleanup_() wants from one that frees a pointer and returns NULL. */
#define DEFINE_CLEANUP(type, fn) \
	static inline _unused_ void fn##p(type *p) \
	{ \
		if (*p) \
			(void) fn(*p); \
	}

static inline void freep(void *p)
{
	int saved = errno;

	free(*(void **) p);
	errno = saved;
}
#define _cleanup_free_ _cleanup_(freep)
