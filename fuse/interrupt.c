/*
 * An INTERRUPT for request U can reach us in four situations:
 *
 *   U is with the pool, its thread has a fatal signal     cancel it, done
 *   U is with the pool, the signal was another one        the next signal may be SIGKILL, and will not be told
 *   U was read by another thread, but is not there yet    too early
 *   U runs where it was read, or has been answered        nothing to cancel, or too late
 *
 * From here, the last two look the same, and the second has to be watched. One answer fits all: reply EAGAIN to the
 * INTERRUPT after a pause. The kernel then sends it again if, and only if, U is still waiting. So nothing is kept here
 * about requests, and requests that no thread can cancel are not registered anywhere.
 */

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/lock.h"
#include "fuse/interrupt.h"
#include "fuse/pool.h"

struct interrupts {
	struct pool *pool;
	int proc_fd; /* /proc, opened before serving: later, a path could lead into our own mount; -EBADF: none */
	pthread_mutex_t lock;
	uint64_t *uniques; /* guarded by lock; each is an interrupted request that the kernel waits for, so there are few */
	size_t n, n_room;  /* guarded by lock */
};

int interrupts_new(struct pool *pool, struct interrupts **ret)
{
	struct interrupts *i = calloc(1, sizeof(*i));

	if (!i)
		return -ENOMEM;
	i->pool = pool;
	i->proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	(void) pthread_mutex_init(&i->lock, NULL);
	*ret = i;
	return 0;
}

struct interrupts *interrupts_free(struct interrupts *i)
{
	if (!i)
		return NULL;
	(void) fd_close(i->proc_fd);
	(void) pthread_mutex_destroy(&i->lock);
	free(i->uniques);
	free(i);
	return NULL;
}

/* A line of /proc/PID/status: "SigPnd:\t0000000000000100". */
static bool has_sigkill(const char *status, const char *key)
{
	const char *p = strstr(status, key);

	return p && (strtoull(p + strlen(key), NULL, 16) & (UINT64_C(1) << (SIGKILL - 1)));
}

/*
 * The kernel turns every signal that ends a process into SIGKILL for each of its threads, so this tells them all. The thread
 * waits for us and cannot be gone: if it is not found it is hidden from us, which says nothing.
 */
static bool is_being_killed(const struct interrupts *i, pid_t pid)
{
	_cleanup_close_ int fd = -EBADF;
	char name[32], status[4096];
	ssize_t n;

	if (pid <= 0)
		return false;
	(void) snprintf(name, sizeof(name), "%d/status", (int) pid);
	fd = openat(i->proc_fd, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, status, sizeof(status) - 1);
	if (n <= 0)
		return false;
	status[n] = '\0';
	return has_sigkill(status, "\nSigPnd:") || has_sigkill(status, "\nShdPnd:");
}

/* Under lock. Without memory the repetition is lost: the request then runs to its end, as on any other file system. */
static bool push(struct interrupts *i, uint64_t unique)
{
	if (i->n == i->n_room) {
		size_t room = i->n_room ? i->n_room * 2 : 16;
		uint64_t *p = reallocarray(i->uniques, room, sizeof(*p));

		if (!p)
			return false;
		i->uniques = p;
		i->n_room = room;
	}
	i->uniques[i->n++] = unique;
	return true;
}

bool interrupts_add(struct interrupts *i, uint64_t unique)
{
	pid_t pid;

	/* Not under the pool's lock. Should the request end meanwhile, its number is not given to another. */
	if (pool_find(i->pool, unique, &pid) && is_being_killed(i, pid)) {
		pool_cancel(i->pool, unique);
		return false;
	}

	SCOPE_LOCK(&i->lock);
	return push(i, unique);
}

bool interrupts_pending(struct interrupts *i)
{
	SCOPE_LOCK(&i->lock);

	return i->n > 0;
}

void interrupts_repeat(struct interrupts *i, void (*fn)(void *arg, uint64_t unique), void *arg)
{
	_cleanup_free_ uint64_t *uniques = NULL;
	size_t n;

	(void) pthread_mutex_lock(&i->lock);
	uniques = steal_ptr(i->uniques);
	n = i->n;
	i->n = i->n_room = 0;
	(void) pthread_mutex_unlock(&i->lock);

	for (size_t k = 0; k < n; k++)
		fn(arg, uniques[k]);
}
