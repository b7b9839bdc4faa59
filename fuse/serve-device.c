/*
 * The device transport: requests by read(), replies by writev() on the FUSE descriptor. Runs on every kernel.
 *
 *   serve_run()     answers INIT, then starts the workers and looks after the rest: interrupts, stopping, ending
 *   worker          one per CPU and pinned to it: a request costs two context switches, dearer ones from another CPU.
 *                   Each has its own clone of the descriptor, hence its own queue of unanswered requests in the kernel.
 *                   Reads, and runs at once what does not take long
 *   pool            the rest: what may copy a file up or wait for a disk; with spares of its own
 *   spares          what does not take long does all the same where a file system below a lower does not answer. When all workers are held
 *                   up, spares read in their place, so that the rest of the view, and interrupts, go on
 *
 * A reply must go to the clone that its request was read from: a request's transport is its worker.
 *
 * Messages are read to where the data of a WRITE begins on a page, since a file may be open for direct I/O:
 *
 *   | unused … fuse_in_header, fuse_write_in | data …
 *   ^ page                                   ^ page
 */

#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "fuse/interrupt.h"
#include "fuse/notify.h"
#include "fuse/ops.h"
#include "fuse/pool.h"
#include "fuse/serve.h"

#define MAX_WRITE (UINT32_C(1) << 20) /* 256 pages, the kernel's own limit */
#define MAX_POOL_THREADS 16
#define MAX_POOL_SPARES 240
#define REPEAT_INTERRUPT_MS 20
#define STOP_RETRY_MS 10
#define MAX_SPARES 64
#define HELD_UP_MS 100 /* in one request, all of them: how long until a spare is there */
#define WATCH_TICKS 20 /* without that, until nobody looks any more */

struct worker {
	struct transport transport;
	struct serve *serve;
	int fd; /* ours, a clone; or the shared one when it cannot be cloned */
	int cpu;
	char *memory; /* page for the heads, MAX_WRITE for what comes in, as much for what goes out */
	pthread_t thread;
	bool started;
	atomic_uint n_read;  /* messages: who is still in the same one is held up. A hint */
	atomic_bool reading; /* about to read or reading: a signal cannot hurt. Set by the worker, a hint for stop_workers() */
	atomic_bool ended;   /* release by the worker, acquire in stop_workers() */
};

struct serve {
	struct serve_config config;
	struct session session;
	struct pool *pool;
	struct interrupts *interrupts;
	cpu_set_t affinity; /* before anything is pinned */
	int wake_fd;	    /* eventfd: serve_run() has to look at something */
	atomic_bool stopping; /* set by anybody; a flag alone, with wake_fd behind it */
	atomic_int error;     /* why a worker ended, if not because of unmounting; the first counts */
	atomic_bool watched;  /* serve_run() looks from time to time whether workers are held up */
	unsigned int n_workers, n_spares; /* those that were ever started */
	struct worker workers[]; /* the pinned ones, then MAX_SPARES */
};

static size_t page_size(void)
{
	return (size_t) sysconf(_SC_PAGESIZE);
}

/*
 * A blocked read() of the device can be ended by a signal only: polling a second descriptor before every read would cost
 * every request. The signal does nothing but that.
 */
static int stop_signal(void)
{
	return SIGRTMIN;
}

static void on_stop_signal(int signo)
{
}

static void wake(struct serve *s)
{
	uint64_t one = 1;

	(void) !write(s->wake_fd, &one, sizeof(one)); /* fails only when it is awake 2^64 times already */
}

/* Replies */

static int device_send(struct transport *t, const struct iovec *iov, size_t n_iov)
{
	struct worker *w = container_of(t, struct worker, transport);

	return writev(w->fd, iov, (int) n_iov) < 0 ? -errno : 0;
}

static int device_reply(struct transport *t, const struct request *rq, const struct iovec *iov, size_t n_iov)
{
	return device_send(t, iov, n_iov);
}

static const struct transport_ops device_ops = { .reply = device_reply, .send = device_send };

/* Workers */

static void worker_init(struct worker *w, struct serve *s)
{
	*w = (struct worker) { .transport.ops = &device_ops, .serve = s, .fd = -EBADF, .cpu = -1 };
}

static size_t worker_memory_size(void)
{
	return page_size() + 2 * (size_t) MAX_WRITE;
}

/* Without a clone, workers share the descriptor and its queue: slower, not wrong. */
static int open_clone(int fuse_fd)
{
	_cleanup_close_ int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	uint32_t master = (uint32_t) fuse_fd;

	if (fd < 0 || ioctl(fd, FUSE_DEV_IOC_CLONE, &master) < 0)
		return -errno;
	return steal_fd(&fd);
}

static int worker_open(struct worker *w, bool first)
{
	int fuse_fd = w->serve->config.fuse_fd;
	void *memory;

	w->fd = first ? -EBADF : open_clone(fuse_fd);
	if (w->fd < 0)
		w->fd = fcntl(fuse_fd, F_DUPFD_CLOEXEC, 3);
	if (w->fd < 0)
		return -errno;

	/* Only the pages that a request touches become memory. */
	memory = mmap(NULL, worker_memory_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return -errno;
	w->memory = memory;
	return 0;
}

static void worker_done(struct worker *w)
{
	w->fd = fd_close(w->fd);
	if (w->memory)
		(void) munmap(w->memory, worker_memory_size());
	w->memory = NULL;
}

static char *worker_message(const struct worker *w, size_t *ret_size)
{
	size_t head = sizeof(struct fuse_in_header) + sizeof(struct fuse_write_in);

	*ret_size = head + MAX_WRITE;
	return w->memory + page_size() - head;
}

/* 1: a message; 0: none, try again; or why there will be no more: -ENODEV is unmounting. */
static int worker_read(struct worker *w, size_t *ret_len)
{
	size_t size;
	char *message = worker_message(w, &size);
	ssize_t n;

	n = read(w->fd, message, size);
	if (n >= 0) {
		*ret_len = (size_t) n;
		return 1;
	}
	switch (errno) {
	case EINTR:  /* the stop signal, or a debugger */
	case ENOENT: /* the request was withdrawn while it was being read */
		return 0;
	case EAGAIN: { /* whoever mounted left the descriptor non-blocking */
		struct pollfd p = { .fd = w->fd, .events = POLLIN };

		(void) poll(&p, 1, -1);
		return 0;
	}
	default:
		return -errno;
	}
}

static void worker_interrupt(struct worker *w, struct request *rq)
{
	const struct fuse_interrupt_in *in = wire_take(&rq->args, sizeof(*in));

	if (in && interrupts_add(w->serve->interrupts, in->unique))
		wake(w->serve);
}

static void worker_handle(struct worker *w, size_t len)
{
	size_t size;
	char *message = worker_message(w, &size);
	struct request rq;
	int r;

	r = request_init(&rq, &w->serve->session, &w->transport, message, len, message + size, MAX_WRITE);
	if (r < 0) {
		if (rq.in)
			(void) reply_error(&rq, -EIO);
		return;
	}
	if (rq.in->opcode == FUSE_INTERRUPT)
		worker_interrupt(w, &rq);
	if (!request_may_block(&rq) || pool_submit(w->serve->pool, &rq) < 0)
		request_run(&rq);
}

static bool is_reading(const struct worker *w)
{
	return atomic_load_explicit(&w->reading, memory_order_relaxed);
}

/* Is there one of the pinned workers for whoever comes now? */
static bool worker_is_free(const struct serve *s)
{
	for (unsigned int i = 0; i < s->n_workers; i++)
		if (is_reading(&s->workers[i]))
			return true;
	return false;
}

/* The last one that was free has something to do: somebody has to see to it that this does not last. */
static void have_watched(struct serve *s)
{
	if (!atomic_load_explicit(&s->watched, memory_order_relaxed) && !worker_is_free(s) && !atomic_exchange(&s->watched, true))
		wake(s);
}

static int worker_loop(struct worker *w)
{
	size_t len;
	int r;

	for (;;) {
		atomic_store(&w->reading, true); /* before the look at stopping: pairs with stop_workers() */
		if (atomic_load(&w->serve->stopping))
			return 0;
		r = worker_read(w, &len);
		atomic_store_explicit(&w->reading, false, memory_order_relaxed);
		if (r < 0)
			return r;
		if (r == 0)
			continue;
		atomic_store_explicit(&w->n_read, atomic_load_explicit(&w->n_read, memory_order_relaxed) + 1, memory_order_relaxed);
		have_watched(w->serve);
		worker_handle(w, len);
	}
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((unsigned int) cpu, &set);
	(void) pthread_setaffinity_np(pthread_self(), sizeof(set), &set); /* failing costs speed only */
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	struct serve *s = w->serve;
	sigset_t stop;
	int none = 0, r;

	(void) pthread_setname_np(pthread_self(), "osfuse/worker");
	if (w->cpu >= 0)
		pin(w->cpu);
	(void) sigemptyset(&stop);
	(void) sigaddset(&stop, stop_signal());
	(void) pthread_sigmask(SIG_UNBLOCK, &stop, NULL);

	r = worker_loop(w);
	if (r < 0 && r != -ENODEV)
		(void) atomic_compare_exchange_strong(&s->error, &none, r);

	/* One that ends means that all have to. */
	atomic_store(&s->stopping, true);
	atomic_store_explicit(&w->ended, true, memory_order_release);
	wake(s);
	return NULL;
}

/* Spares */

/* Until a worker is free again. Polls, so as not to be a reader in the way of the pinned ones when there are any. */
static void *spare_main(void *arg)
{
	struct worker *w = arg;
	struct pollfd p = { .fd = w->fd, .events = POLLIN };
	size_t len;

	(void) pthread_setname_np(pthread_self(), "osfuse/spare");
	while (!atomic_load(&w->serve->stopping) && !worker_is_free(w->serve)) {
		int r;

		if (poll(&p, 1, HELD_UP_MS) <= 0)
			continue;
		atomic_store_explicit(&w->reading, false, memory_order_relaxed);
		r = worker_read(w, &len);
		if (r < 0)
			break; /* the workers find out as well */
		if (r > 0)
			worker_handle(w, len);
		atomic_store_explicit(&w->n_read, atomic_load_explicit(&w->n_read, memory_order_relaxed) + 1, memory_order_relaxed);
		atomic_store_explicit(&w->reading, true, memory_order_relaxed);
	}
	atomic_store_explicit(&w->ended, true, memory_order_release);
	return NULL;
}

static int thread_start(struct worker *w, void *(*thread_main)(void *))
{
	sigset_t all, saved;
	int r;

	(void) sigfillset(&all);
	(void) pthread_sigmask(SIG_SETMASK, &all, &saved);
	r = pthread_create(&w->thread, NULL, thread_main, w);
	(void) pthread_sigmask(SIG_SETMASK, &saved, NULL);
	w->started = r == 0;
	return -r;
}

static void thread_join(struct worker *w)
{
	if (w->started)
		(void) pthread_join(w->thread, NULL);
	w->started = false;
}

/* One more that reads. Its descriptor is its own, and stays open: requests that the pool has are answered by it. */
static void start_spare(struct serve *s)
{
	struct worker *w = NULL;

	for (unsigned int i = 0; i < s->n_spares && !w; i++)
		if (atomic_load_explicit(&s->workers[s->n_workers + i].ended, memory_order_acquire))
			w = &s->workers[s->n_workers + i];
	if (!w && s->n_spares == MAX_SPARES)
		return;
	if (!w) {
		w = &s->workers[s->n_workers + s->n_spares];
		if (worker_open(w, false) < 0 || fcntl(w->fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0) {
			worker_done(w);
			return; /* for want of descriptors or memory: perhaps there are some at the next tick */
		}
		s->n_spares++;
	}
	thread_join(w);
	atomic_store(&w->ended, false);
	atomic_store(&w->reading, true);
	if (thread_start(w, spare_main) < 0)
		atomic_store(&w->ended, true);
}

/* Are all who could read in the very message that they were in at the last tick? */
static bool all_held_up(struct serve *s, unsigned int n_read[])
{
	bool all = true;

	for (unsigned int i = 0; i < s->n_workers + s->n_spares; i++) {
		struct worker *w = &s->workers[i];
		unsigned int n = atomic_load_explicit(&w->n_read, memory_order_relaxed);

		if (w->started && !atomic_load_explicit(&w->ended, memory_order_acquire))
			all &= !is_reading(w) && n == n_read[i];
		n_read[i] = n;
	}
	return all;
}

/* At least one has to start. */
static int start_workers(struct serve *s)
{
	int r = 0;

	for (unsigned int i = 0; i < s->n_workers && r == 0; i++)
		r = thread_start(&s->workers[i], worker_main);
	return s->workers[0].started ? 0 : r;
}

/* A signal may come just before read(), and be lost: so again, until all have ended. */
static void stop_workers(struct serve *s)
{
	bool all_ended;

	atomic_store(&s->stopping, true);
	for (;;) {
		all_ended = true;
		for (unsigned int i = 0; i < s->n_workers + s->n_spares; i++) {
			struct worker *w = &s->workers[i];

			if (!w->started || atomic_load_explicit(&w->ended, memory_order_acquire))
				continue;
			all_ended = false;
			if (atomic_load(&w->reading) && i < s->n_workers)
				(void) pthread_kill(w->thread, stop_signal());
		}
		if (all_ended)
			break;
		(void) poll(NULL, 0, STOP_RETRY_MS);
	}
	for (unsigned int i = 0; i < s->n_workers + s->n_spares; i++)
		thread_join(&s->workers[i]);
}

/* Running */

struct watch {
	int64_t next_ms;
	unsigned int quiet; /* ticks */
	bool leaving;	    /* nobody looks any more, but for once */
	unsigned int *n_read; /* at the last tick; of each worker and spare */
};

static int64_t now_ms(void)
{
	struct timespec ts;

	(void) clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail */
	return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/*
 * Only the clone through which a request was read knows it, and nobody here knows which that is: the others refuse. All
 * of them do if it has been answered.
 */
static void repeat_interrupt(void *arg, uint64_t unique)
{
	struct serve *s = arg;
	struct fuse_out_header out = { .len = sizeof(out), .error = -EAGAIN, .unique = unique | PROTOCOL_INTERRUPT_BIT };

	for (unsigned int i = 0; i < s->n_workers + s->n_spares; i++)
		if (write(s->workers[i].fd, &out, sizeof(out)) == sizeof(out))
			break;
}

/* Every HELD_UP_MS from when all workers had something to do until for some time they had not. */
static void watch(struct serve *s, struct watch *at)
{
	if ((!atomic_load(&s->watched) && !at->leaving) || now_ms() < at->next_ms)
		return;
	if (at->leaving) { /* who was the last to get something to do may have believed himself watched */
		at->leaving = false;
		if (!worker_is_free(s))
			atomic_store(&s->watched, true);
	} else if (all_held_up(s, at->n_read)) {
		start_spare(s);
		at->quiet = 0;
	} else if (at->quiet++ == WATCH_TICKS) {
		at->quiet = 0;
		at->leaving = true;
		atomic_store(&s->watched, false);
	}
	at->next_ms = now_ms() + HELD_UP_MS;
}

static void look_after(struct serve *s, struct watch *at)
{
	struct pollfd p = { .fd = s->wake_fd, .events = POLLIN };
	uint64_t n;

	while (!atomic_load(&s->stopping)) {
		watch(s, at);
		if (interrupts_pending(s->interrupts)) {
			(void) poll(NULL, 0, REPEAT_INTERRUPT_MS);
			interrupts_repeat(s->interrupts, repeat_interrupt, s);
		} else if (poll(&p, 1, atomic_load(&s->watched) || at->leaving ? HELD_UP_MS : -1) > 0) {
			(void) !read(s->wake_fd, &n, sizeof(n)); /* it counts for nothing: the reasons are looked at */
		}
	}
}

/* Nothing else comes before INIT is answered. Polls, since serve_stop() has no worker to wake yet. */
static int serve_init(struct serve *s)
{
	struct worker *w = &s->workers[0];
	struct pollfd p[] = { { .fd = w->fd, .events = POLLIN }, { .fd = s->wake_fd, .events = POLLIN } };
	size_t len;
	int r;

	while (!s->session.initialised && !atomic_load(&s->stopping)) {
		if (poll(p, ARRAY_SIZE(p), -1) < 0 || p[0].revents == 0)
			continue;
		r = worker_read(w, &len);
		if (r < 0)
			return r;
		if (r > 0)
			worker_handle(w, len);
		if (s->session.init_error < 0)
			return s->session.init_error;
	}
	return 0;
}

int serve_run(struct serve *s)
{
	struct sigaction action = { .sa_handler = on_stop_signal }; /* no SA_RESTART: it is to end read() */
	_cleanup_free_ unsigned int *n_read = calloc(s->n_workers + MAX_SPARES, sizeof(*n_read));
	struct watch at = { .n_read = n_read };
	int r;

	if (!n_read)
		return -ENOMEM;

	(void) sigemptyset(&action.sa_mask);
	if (sigaction(stop_signal(), &action, NULL) < 0)
		return -errno;

	r = serve_init(s);
	if (r == 0 && s->session.initialised)
		r = start_workers(s);
	if (r == 0 && s->session.initialised) {
		if (s->config.ready)
			s->config.ready(s->config.ready_arg);
		look_after(s, &at);
	}

	stop_workers(s);
	s->pool = pool_free(s->pool); /* what it holds is answered first, through the workers' descriptors */
	session_done(&s->session);
	return r < 0 && r != -ENODEV ? r : atomic_load(&s->error);
}

void serve_stop(struct serve *s)
{
	int saved = errno;

	atomic_store(&s->stopping, true);
	wake(s);
	errno = saved;
}

int serve_tell_stale(struct serve *s, const struct overlay_stale *stale)
{
	struct transport *t = &s->workers[0].transport;
	int r = 0;

	if (stale->name)
		r = notify_name(t, stale->dir_id, stale->name);
	else if (stale->id != 0)
		r = stale->content ? notify_content(t, stale->id) : notify_attr(t, stale->id);
	return r == -ENOENT ? 0 : r;
}

/* Making and freeing */

static struct wire_timeout timeout_from_ms(unsigned int ms)
{
	return (struct wire_timeout) { .sec = ms / 1000, .nsec = ms % 1000 * 1000000 };
}

/* The CPU numbers that we may use, over and over. */
static int nth_cpu(const cpu_set_t *set, unsigned int n)
{
	unsigned int count = (unsigned int) CPU_COUNT(set);

	if (count == 0)
		return -1;
	n %= count;
	for (unsigned int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, set) && n-- == 0)
			return (int) cpu;
	return -1;
}

static int serve_set_up(struct serve *s)
{
	int r;

	s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->wake_fd < 0)
		return -errno;
	r = session_init(&s->session, s->config.ov, MAX_WRITE);
	if (r < 0)
		return r;
	s->session.debug = s->config.debug;
	s->session.ask_for_links = s->config.ask_for_links;
	s->session.attr_valid = timeout_from_ms(s->config.attr_timeout_ms);
	s->session.entry_valid = timeout_from_ms(s->config.entry_timeout_ms);
	s->session.negative_valid = timeout_from_ms(s->config.negative_timeout_ms);

	r = pool_new(MAX_POOL_THREADS, MAX_POOL_SPARES, &s->affinity, &s->pool);
	if (r < 0)
		return r;
	r = interrupts_new(s->pool, &s->interrupts);
	if (r < 0)
		return r;
	for (unsigned int i = 0; i < s->n_workers; i++) {
		s->workers[i].cpu = nth_cpu(&s->affinity, i);
		r = worker_open(&s->workers[i], i == 0);
		if (r < 0)
			return r;
	}
	return 0;
}

int serve_new(const struct serve_config *config, struct serve **ret)
{
	_cleanup_(serve_freep) struct serve *s = NULL;
	unsigned int n_workers = config->n_workers;
	cpu_set_t affinity;
	int r;

	/* More CPUs than a cpu_set_t holds: then nothing is pinned. */
	CPU_ZERO(&affinity);
	if (sched_getaffinity(0, sizeof(affinity), &affinity) < 0)
		CPU_ZERO(&affinity);
	if (n_workers == 0)
		n_workers = MAX((unsigned int) CPU_COUNT(&affinity), 1u);

	s = calloc(1, sizeof(*s) + (n_workers + MAX_SPARES) * sizeof(s->workers[0]));
	if (!s)
		return -ENOMEM;
	s->config = *config;
	s->affinity = affinity;
	s->wake_fd = -EBADF;
	s->n_workers = n_workers;
	for (unsigned int i = 0; i < n_workers + MAX_SPARES; i++)
		worker_init(&s->workers[i], s);

	r = serve_set_up(s);
	if (r < 0)
		return r;
	*ret = steal_ptr(s);
	return 0;
}

struct serve *serve_free(struct serve *s)
{
	if (!s)
		return NULL;
	s->pool = pool_free(s->pool);
	s->interrupts = interrupts_free(s->interrupts);
	session_done(&s->session);
	for (unsigned int i = 0; i < s->n_workers + s->n_spares; i++)
		worker_done(&s->workers[i]);
	s->wake_fd = fd_close(s->wake_fd);
	free(s);
	return NULL;
}
