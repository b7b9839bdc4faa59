/*
 * A queue, and up to max_threads threads that empty it. The queue has no limit of its own: every request in it has a
 * caller waiting in the kernel, so there are never more than there are callers.
 *
 * Nothing in the pool waits for another request of the same mount, but all threads may wait for one file system below that does not
 * answer. So where they are all busy a spare waits beside the queue. When nobody has come to it for a while it runs what is first there,
 * and another takes its place. It ends when it comes back to an empty queue, or to another spare.
 *
 *   thread slot:  FREE -> RUNNING -> ENDED -> FREE    (FREE again when somebody has joined it)
 */

#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "base/lock.h"
#include "fuse/ops.h"
#include "fuse/pool.h"

#define IDLE_SECONDS 5
#define HELD_UP_MS 100 /* without anybody coming to the queue: how long until a spare does */

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
	unsigned int n_taken;			/* guarded by lock: from the queue, by anybody; it may wrap */
	bool has_spare;				/* guarded by lock: that waits beside the queue */
	bool ending;				/* guarded by lock */
	unsigned int n_threads, n_spares;
	struct pool_thread threads[]; /* then the spares */
};

int pool_new(unsigned int max_threads, unsigned int max_spares, const cpu_set_t *affinity, struct pool **ret)
{
	struct pool *p = calloc(1, sizeof(*p) + (max_threads + max_spares) * sizeof(p->threads[0]));
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
	p->n_spares = max_spares;
	for (unsigned int i = 0; i < max_threads + max_spares; i++)
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

	/* Nobody submits any more, nor starts a spare, so a slot that is FREE stays it, and the others wait to be joined. */
	for (unsigned int i = 0; i < p->n_threads + p->n_spares; i++)
		if (was_started(p, i))
			(void) pthread_join(p->threads[i].id, NULL);
	assert(!p->tasks);

	(void) pthread_cond_destroy(&p->work);
	(void) pthread_mutex_destroy(&p->lock);
	free(p);
	return NULL;
}

/* Under lock. NULL: there is none. */
static struct task *take_task(struct pool *p)
{
	struct task *t = p->first_queued;

	if (!t)
		return NULL;
	p->first_queued = t->next_queued;
	if (!p->first_queued)
		p->end_queued = &p->first_queued;
	p->n_queued--;
	p->n_taken++;
	return t;
}

/* Under lock. The next task, NULL when there has been none for so long that the thread should end. */
static struct task *next_task(struct pool *p)
{
	struct timespec until;
	int r = 0;

	(void) clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += IDLE_SECONDS;
	while (!p->first_queued && !p->ending && r != ETIMEDOUT) {
		p->n_idle++;
		r = pthread_cond_timedwait(&p->work, &p->lock, &until);
		p->n_idle--;
	}

	return take_task(p);
}

/* Under lock, which is let go meanwhile. */
static void run_task(struct pool *p, struct task *t)
{
	(void) pthread_mutex_unlock(&p->lock);
	/* Its caller is being killed: no reason to begin, and nobody sees the error. */
	if (atomic_load_explicit(&t->cancelled, memory_order_relaxed))
		(void) reply_error(&t->rq, -EINTR);
	else
		request_run(&t->rq);
	(void) pthread_mutex_lock(&p->lock);

	*t->prev = t->next;
	if (t->next)
		t->next->prev = t->prev;
	free(t);
}

static void thread_begin(const struct pool *p, const char *name)
{
	/* A thread starts with the mask and the CPU of the one that made it, which is pinned. Failure costs speed only. */
	(void) pthread_setaffinity_np(pthread_self(), sizeof(p->affinity), &p->affinity);
	(void) pthread_setname_np(pthread_self(), name);
}

static void *pool_thread_main(void *arg)
{
	struct pool_thread *self = arg;
	struct pool *p = self->pool;
	struct task *t;

	thread_begin(p, "osfuse/pool");
	(void) pthread_mutex_lock(&p->lock);
	while ((t = next_task(p)))
		run_task(p, t);
	self->state = THREAD_ENDED;
	(void) pthread_mutex_unlock(&p->lock);
	return NULL;
}

/* Under lock. In the first slot of those from begin to before end that is not in use. */
static int start_thread(struct pool *p, unsigned int begin, unsigned int end, void *(*thread_main)(void *))
{
	sigset_t all, saved;
	unsigned int i;
	int r;

	for (i = begin; i < end && p->threads[i].state == THREAD_RUNNING;)
		i++;
	if (i == end)
		return -EAGAIN;

	/* One that has ended needs the lock no more, so this does not wait for anybody who waits for us. */
	if (p->threads[i].state == THREAD_ENDED)
		(void) pthread_join(p->threads[i].id, NULL);
	p->threads[i].state = THREAD_FREE;

	/* Signals are for the threads that know what to do with them. */
	(void) sigfillset(&all);
	(void) pthread_sigmask(SIG_SETMASK, &all, &saved);
	r = pthread_create(&p->threads[i].id, NULL, thread_main, &p->threads[i]);
	(void) pthread_sigmask(SIG_SETMASK, &saved, NULL);
	if (r != 0)
		return -r;
	p->threads[i].state = THREAD_RUNNING;
	return 0;
}

static void *spare_main(void *arg);

/* Under lock. To be called when something is queued that no thread was found for. */
static void need_spare(struct pool *p)
{
	if (!p->has_spare && !p->ending && p->first_queued)
		p->has_spare = start_thread(p, p->n_threads, p->n_threads + p->n_spares, spare_main) == 0;
}

/* Under lock, which is let go meanwhile. NULL: others have emptied the queue. */
static struct task *wait_until_held_up(struct pool *p)
{
	unsigned int n_taken = p->n_taken - 1;

	while (p->first_queued && p->n_taken != n_taken) {
		n_taken = p->n_taken;
		(void) pthread_mutex_unlock(&p->lock);
		(void) poll(NULL, 0, HELD_UP_MS);
		(void) pthread_mutex_lock(&p->lock);
	}
	return take_task(p);
}

/* Under lock. Nobody may be there when all spares were busy. */
static bool take_post(struct pool *p)
{
	if (p->has_spare)
		return false;
	p->has_spare = true;
	return true;
}

static void *spare_main(void *arg)
{
	struct pool_thread *self = arg;
	struct pool *p = self->pool;
	struct task *t;

	thread_begin(p, "osfuse/spare");
	(void) pthread_mutex_lock(&p->lock);
	do {
		t = wait_until_held_up(p);
		p->has_spare = false;
		if (!t)
			break;
		need_spare(p);
		run_task(p, t);
	} while (take_post(p));
	self->state = THREAD_ENDED;
	(void) pthread_mutex_unlock(&p->lock);
	return NULL;
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
	int r = 0;

	if (!t)
		return -ENOMEM;

	SCOPE_LOCK(&p->lock);
	if (p->n_queued >= p->n_idle) {
		r = start_thread(p, 0, p->n_threads, pool_thread_main);

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
	if (r < 0)
		need_spare(p);
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
