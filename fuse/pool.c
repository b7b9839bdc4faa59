/*
 * A queue, and up to max_threads threads that empty it. The queue has no limit of its own: every request in it has a
 * caller waiting in the kernel, so there are never more than there are callers.
 *
 * Nothing in the pool waits for another request of the same mount, so a full pool is slow but never stuck.
 *
 *   thread slot:  FREE -> RUNNING -> ENDED -> FREE    (FREE again when somebody has joined it)
 */

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "base/lock.h"
#include "fuse/ops.h"
#include "fuse/pool.h"

#define IDLE_SECONDS 5

struct task {
	struct task *next, **prev; /* guarded by pool->lock: in pool->tasks */
	struct task *next_queued;  /* guarded by pool->lock */
	atomic_bool cancelled;	   /* set by pool_cancel(), looked at by the overlay: a flag alone, nothing to pair with */
	struct request rq;
	uint64_t message[]; /* aligned as a message has to be */
};

enum thread_state {
	THREAD_FREE,	/* to RUNNING by pool_submit() */
	THREAD_RUNNING, /* to ENDED by the thread itself */
	THREAD_ENDED,	/* to RUNNING by pool_submit(), which joins first; or joined by pool_free() */
};

struct pool_thread {
	struct pool *pool;
	pthread_t id;
	enum thread_state state; /* guarded by pool->lock */
};

struct pool {
	pthread_mutex_t lock; /* held for a few instructions, and to make a thread; never while a request runs */
	pthread_cond_t work;
	cpu_set_t affinity;
	struct task *tasks;			/* guarded by lock: queued and running ones */
	struct task *first_queued, **end_queued; /* guarded by lock */
	unsigned int n_queued, n_idle;		/* guarded by lock */
	bool ending;				/* guarded by lock */
	unsigned int n_threads;
	struct pool_thread threads[];
};

int pool_new(unsigned int max_threads, const cpu_set_t *affinity, struct pool **ret)
{
	struct pool *p = calloc(1, sizeof(*p) + max_threads * sizeof(p->threads[0]));
	pthread_condattr_t attr;

	if (!p)
		return -ENOMEM;
	/* None of these can fail with these arguments. */
	(void) pthread_mutex_init(&p->lock, NULL);
	(void) pthread_condattr_init(&attr);
	(void) pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void) pthread_cond_init(&p->work, &attr);
	(void) pthread_condattr_destroy(&attr);

	p->affinity = *affinity;
	p->end_queued = &p->first_queued;
	p->n_threads = max_threads;
	for (unsigned int i = 0; i < max_threads; i++)
		p->threads[i].pool = p;
	*ret = p;
	return 0;
}

static bool was_started(struct pool *p, unsigned int i)
{
	SCOPE_LOCK(&p->lock);

	return p->threads[i].state != THREAD_FREE;
}

struct pool *pool_free(struct pool *p)
{
	if (!p)
		return NULL;

	(void) pthread_mutex_lock(&p->lock);
	p->ending = true;
	(void) pthread_cond_broadcast(&p->work);
	(void) pthread_mutex_unlock(&p->lock);

	/* Nobody submits any more, so a slot that is FREE stays it, and the others wait to be joined. */
	for (unsigned int i = 0; i < p->n_threads; i++)
		if (was_started(p, i))
			(void) pthread_join(p->threads[i].id, NULL);
	assert(!p->tasks);

	(void) pthread_cond_destroy(&p->work);
	(void) pthread_mutex_destroy(&p->lock);
	free(p);
	return NULL;
}

/* Under lock. The next task, NULL when there has been none for so long that the thread should end. */
static struct task *next_task(struct pool *p)
{
	struct timespec until;
	struct task *t;
	int r = 0;

	(void) clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += IDLE_SECONDS;
	while (!p->first_queued && !p->ending && r != ETIMEDOUT) {
		p->n_idle++;
		r = pthread_cond_timedwait(&p->work, &p->lock, &until);
		p->n_idle--;
	}

	t = p->first_queued;
	if (t) {
		p->first_queued = t->next_queued;
		if (!p->first_queued)
			p->end_queued = &p->first_queued;
		p->n_queued--;
	}
	return t;
}

static void run_task(struct task *t)
{
	/* Its caller is being killed: no reason to begin, and nobody sees the error. */
	if (atomic_load_explicit(&t->cancelled, memory_order_relaxed))
		(void) reply_error(&t->rq, -EINTR);
	else
		request_run(&t->rq);
}

static void *pool_thread_main(void *arg)
{
	struct pool_thread *self = arg;
	struct pool *p = self->pool;
	struct task *t;

	/* A thread starts with the mask and the CPU of the one that made it, which is pinned. Failure costs speed only. */
	(void) pthread_setaffinity_np(pthread_self(), sizeof(p->affinity), &p->affinity);
	(void) pthread_setname_np(pthread_self(), "osfuse/pool");

	(void) pthread_mutex_lock(&p->lock);
	while ((t = next_task(p))) {
		(void) pthread_mutex_unlock(&p->lock);
		run_task(t);
		(void) pthread_mutex_lock(&p->lock);

		*t->prev = t->next;
		if (t->next)
			t->next->prev = t->prev;
		free(t);
	}
	self->state = THREAD_ENDED;
	(void) pthread_mutex_unlock(&p->lock);
	return NULL;
}

/* Under lock. */
static int start_thread(struct pool *p)
{
	sigset_t all, saved;
	unsigned int i;
	int r;

	for (i = 0; i < p->n_threads && p->threads[i].state == THREAD_RUNNING;)
		i++;
	if (i == p->n_threads)
		return -EAGAIN;

	/* One that has ended needs the lock no more, so this does not wait for anybody who waits for us. */
	if (p->threads[i].state == THREAD_ENDED)
		(void) pthread_join(p->threads[i].id, NULL);
	p->threads[i].state = THREAD_FREE;

	/* Signals are for the threads that know what to do with them. */
	(void) sigfillset(&all);
	(void) pthread_sigmask(SIG_SETMASK, &all, &saved);
	r = pthread_create(&p->threads[i].id, NULL, pool_thread_main, &p->threads[i]);
	(void) pthread_sigmask(SIG_SETMASK, &saved, NULL);
	if (r != 0)
		return -r;
	p->threads[i].state = THREAD_RUNNING;
	return 0;
}

static bool has_threads(const struct pool *p)
{
	for (unsigned int i = 0; i < p->n_threads; i++)
		if (p->threads[i].state == THREAD_RUNNING)
			return true;
	return false;
}

static struct task *task_new(const struct request *rq)
{
	struct task *t = malloc(sizeof(*t) + rq->in->len);

	if (!t)
		return NULL;
	memcpy(t->message, rq->in, rq->in->len);
	atomic_init(&t->cancelled, false);
	t->next_queued = NULL;

	t->rq = *rq;
	t->rq.in = (const struct fuse_in_header *) t->message;
	t->rq.args.p = (const char *) t->message + (rq->args.p - (const char *) rq->in);
	t->rq.buf = NULL;
	t->rq.buf_size = 0;
	t->rq.actor.cancelled = &t->cancelled;
	return t;
}

int pool_submit(struct pool *p, const struct request *rq)
{
	struct task *t = task_new(rq);

	if (!t)
		return -ENOMEM;

	SCOPE_LOCK(&p->lock);
	if (p->n_queued >= p->n_idle) {
		int r = start_thread(p);

		/* No more threads than there are: they will come to it. */
		if (r < 0 && !has_threads(p)) {
			free(t);
			return r;
		}
	}

	t->prev = &p->tasks;
	t->next = p->tasks;
	if (t->next)
		t->next->prev = &t->next;
	p->tasks = t;

	*p->end_queued = t;
	p->end_queued = &t->next_queued;
	p->n_queued++;
	(void) pthread_cond_signal(&p->work);
	return 0;
}

/* Under lock. */
static struct task *find_task(struct pool *p, uint64_t unique)
{
	struct task *t = p->tasks;

	while (t && t->rq.in->unique != unique)
		t = t->next;
	return t;
}

bool pool_find(struct pool *p, uint64_t unique, pid_t *ret_pid)
{
	SCOPE_LOCK(&p->lock);
	struct task *t = find_task(p, unique);

	if (t)
		*ret_pid = t->rq.actor.pid;
	return t;
}

void pool_cancel(struct pool *p, uint64_t unique)
{
	SCOPE_LOCK(&p->lock);
	struct task *t = find_task(p, unique);

	if (t)
		atomic_store_explicit(&t->cancelled, true, memory_order_relaxed);
}
