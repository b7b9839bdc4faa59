/*
 * Writing the log of a sandbox.
 *
 *    any thread: log_add()              the writer
 *        │ under the lock: a memcpy        │ swaps the two buffers under the lock, then works alone
 *        v                                 v
 *     filling ─────────────────────> emptying ──> pending ──> out ──> one write(2)
 *
 * Two buffers, not a ring: each is filled from its beginning, so nothing wraps, and taking over all that has come costs the adders an
 * exchange of pointers. An adder wakes the writer only if that sleeps with nothing to do, or when a buffer gets half full; else the
 * writer looks by itself every LOG_DELAY_MS. So what a busy view pays for the writer's being another thread is a signal now and then.
 *
 * Pending holds what was written within the last second. An event that is there already is counted; its record, with the count, is
 * written when the second is over, and a new second begins. What was not repeated for a second is forgotten. The first of a series is
 * thus seen at once, and the others once a second. Under a flood of different ones the oldest are forgotten early: they then have two
 * records in a second, but none is lost.
 *
 * A write that fails takes back what it has left in the file, so that lines stay whole, and stops the log: what comes is counted, and
 * every few seconds a record of that is tried. If it can be written the log goes on.
 *
 * A file that is full becomes log.1, and what was there is counted once more and told of: see logfile.c.
 */

#include "store/log.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/lock.h"
#include "store/logfile.h"
#include "store/logitem.h"

#define RETRY_MS 5000
#define REPEAT_MS 1000
#define OUT_BYTES (256u << 10) /* of one write; a record needs less than half of it */
#define BUCKETS 1024u
#define PENDING_MAX 4096u
#define PENDING_BYTES (2u << 20)

struct pending {
	struct pending *next, *next_in_bucket;
	struct log_span events; /* not yet written */
	int64_t due_ms;
	uint32_t hash;
	const struct log_item *item; /* behind this */
};

struct pending_list {
	struct pending *first, **end;
};

/* The writer's own; nobody else looks at it between log_open() and the end of the thread. */
struct writer {
	struct log_file file;
	struct pending *buckets[BUCKETS];
	struct pending_list fresh, repeating; /* not yet written; written, in the order in which they are due */
	size_t n_pending, pending_bytes;
	char *out;
	size_t out_len;	    /* whole lines */
	struct log_span in_out; /* the events that the lines in out stand for */
	struct log_span lost, dropped;
	int stopped; /* negative errno */
	int64_t retry_ms;
	struct log_clock clock;
	uint64_t n_written, n_dropped; /* since they were last added to the status */
};

struct log {
	pthread_mutex_t lock;
	pthread_cond_t wake, flushed;
	pthread_t thread;
	size_t capacity; /* of a buffer */
	/* guarded by lock */
	char *filling;
	size_t used;
	struct log_span lost;
	struct log_status status;
	bool idle, closing;
	uint64_t flush_wanted, flush_done;
	/* the writer's */
	char *emptying;
	struct writer w;
};

static int64_t now_ms(void)
{
	struct timespec ts;

	(void) clock_gettime(CLOCK_MONOTONIC, &ts); /* it exists */
	return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* The adders' side */

void log_add(struct log *l, const struct log_event *e)
{
	struct log_texts texts;
	struct log_item item;
	size_t was;

	if (!l)
		return;
	log_item_init(&item, &texts, e);

	SCOPE_LOCK(&l->lock);
	l->status.added++;
	was = l->used;
	if (was + item.size > l->capacity) {
		l->status.lost++;
		log_span_add(&l->lost, &(struct log_span) { .n = 1, .from = item.when, .to = item.when });
		return;
	}
	log_item_copy(l->filling + was, &item, &texts);
	l->used += item.size;
	if (l->idle || (was < l->capacity / 2 && l->used >= l->capacity / 2)) {
		l->idle = false;
		(void) pthread_cond_signal(&l->wake);
	}
}

/* Lines */

static void stop(struct writer *w, int error)
{
	w->stopped = error;
	w->retry_ms = now_ms() + RETRY_MS;
}

static void drop(struct writer *w, const struct log_span *s)
{
	log_span_add(&w->dropped, s);
	w->n_dropped += s->n;
}

/* Writes what is in out. */
static void write_out(struct writer *w)
{
	int r;

	if (w->out_len == 0)
		return;
	r = log_file_append(&w->file, w->out, w->out_len);
	if (r < 0) {
		drop(w, &w->in_out);
		stop(w, r);
	} else {
		w->n_written += w->in_out.n;
	}
	w->out_len = 0;
	w->in_out = (struct log_span) { 0 };
}

/* The line that was put behind the others goes where it fits. */
static void keep_to_size(struct writer *w, size_t len)
{
	int r;

	if (w->file.size + w->out_len + len + LOG_SPAN_MAX <= w->file.max_bytes || w->file.size + w->out_len == 0)
		return;
	char *line = w->out + w->out_len;
	write_out(w);
	memmove(w->out, line, len);
	if (w->stopped)
		return;
	r = log_file_rotate(&w->file, &w->clock);
	if (r < 0)
		stop(w, r);
}

/* The end of out, with room for a line. */
static char *begin_line(struct writer *w)
{
	if (OUT_BYTES - w->out_len < LOG_LINE_MAX)
		write_out(w);
	return w->out + w->out_len;
}

/* false: it does not count, since the log has stopped. */
static bool end_line(struct writer *w, char *end)
{
	size_t len = (size_t) (end - (w->out + w->out_len));

	keep_to_size(w, len);
	if (w->stopped)
		return false;
	w->out_len += len;
	return true;
}

static void write_pending(struct writer *w, struct pending *p)
{
	if (p->events.n > 0 && !w->stopped && end_line(w, log_item_put(begin_line(w), p->item, &p->events, &w->clock)))
		log_span_add(&w->in_out, &p->events);
	else
		drop(w, &p->events);
	p->events.n = 0;
}

/* What was lost on the way from the adders. */
static void write_lost(struct writer *w)
{
	if (w->lost.n == 0 || w->stopped)
		return;
	/* By itself, so that it is known whether it was written. */
	write_out(w);
	if (w->stopped || !end_line(w, log_span_put(begin_line(w), "lost", &w->lost, 0, &w->clock)))
		return;
	write_out(w);
	if (!w->stopped)
		w->lost = (struct log_span) { 0 };
}

/* Also when there was no stop: what there was no memory for is told in the same way. */
static void write_dropped(struct writer *w)
{
	int error = w->stopped ? w->stopped : -ENOMEM;

	w->stopped = 0;
	if (!end_line(w, log_span_put(begin_line(w), "stopped", &w->dropped, -error, &w->clock)))
		return;
	write_out(w);
	if (!w->stopped)
		w->dropped = (struct log_span) { 0 };
}

/* Pending */

static void list_append(struct pending_list *list, struct pending *p)
{
	if (!list->first)
		list->end = &list->first;
	p->next = NULL;
	*list->end = p;
	list->end = &p->next;
}

static struct pending *list_take(struct pending_list *list)
{
	struct pending *p = list->first;

	if (p)
		list->first = p->next;
	return p;
}

static struct pending *pending_find(struct writer *w, const struct log_item *item, uint32_t hash)
{
	struct pending *p = w->buckets[hash % BUCKETS];

	while (p && (p->hash != hash || !log_item_same(p->item, item)))
		p = p->next_in_bucket;
	return p;
}

/* It is in no list. */
static void pending_free(struct writer *w, struct pending *p)
{
	struct pending **at = &w->buckets[p->hash % BUCKETS];

	while (*at != p)
		at = &(*at)->next_in_bucket;
	*at = p->next_in_bucket;
	w->n_pending--;
	w->pending_bytes -= p->item->size;
	free(p);
}

static void write_fresh(struct writer *w)
{
	struct pending *p;

	while ((p = list_take(&w->fresh))) {
		write_pending(w, p);
		p->due_ms = now_ms() + REPEAT_MS;
		list_append(&w->repeating, p);
	}
}

static void make_room(struct writer *w, const struct log_item *item)
{
	if (w->n_pending < PENDING_MAX && w->pending_bytes + item->size <= PENDING_BYTES)
		return;
	if (!w->repeating.first)
		write_fresh(w);
	while (w->repeating.first && (w->n_pending >= PENDING_MAX || w->pending_bytes + item->size > PENDING_BYTES)) {
		struct pending *p = list_take(&w->repeating);

		write_pending(w, p);
		pending_free(w, p);
	}
}

static void take_event(struct writer *w, const struct log_item *item)
{
	const struct log_span event = { .n = 1, .from = item->when, .to = item->when };
	uint32_t hash = log_item_hash(item);
	struct pending *p = pending_find(w, item, hash);

	if (!p) {
		make_room(w, item);
		p = malloc(sizeof(*p) + item->size);
		if (!p) {
			drop(w, &event);
			return;
		}
		*p = (struct pending) { .hash = hash, .item = (const struct log_item *) (p + 1) };
		memcpy(p + 1, item, item->size);
		p->next_in_bucket = w->buckets[hash % BUCKETS];
		w->buckets[hash % BUCKETS] = p;
		w->n_pending++;
		w->pending_bytes += item->size;
		list_append(&w->fresh, p);
	}
	log_span_add(&p->events, &event);
}

/* Writes the counts of those whose second is over. all: of all. */
static void write_due(struct writer *w, bool all)
{
	int64_t ms = now_ms();
	struct pending_list still = { 0 };
	struct pending *p;

	while (w->repeating.first && (all || w->repeating.first->due_ms <= ms)) {
		p = list_take(&w->repeating);
		if (p->events.n == 0 && p->due_ms <= ms) {
			pending_free(w, p);
			continue;
		}
		write_pending(w, p);
		p->due_ms = ms + REPEAT_MS;
		list_append(&still, p);
	}
	while ((p = list_take(&still)))
		list_append(&w->repeating, p);
}

/* The writer */

static void sleep_until(struct log *l, int64_t ms)
{
	const struct timespec ts = { .tv_sec = (time_t) (ms / 1000), .tv_nsec = (long) (ms % 1000) * 1000000 };

	(void) pthread_cond_timedwait(&l->wake, &l->lock, &ts); /* why it returns shows in the state */
}

static bool in_a_hurry(const struct log *l)
{
	return l->closing || l->flush_wanted != l->flush_done || l->used >= l->capacity / 2;
}

/* When there is something to do even if nobody adds anything; negative: never. */
static int64_t next_due(const struct writer *w)
{
	int64_t ms = w->repeating.first ? w->repeating.first->due_ms : -1;

	if (w->stopped && (ms < 0 || w->retry_ms < ms))
		ms = w->retry_ms;
	return ms;
}

/* With the lock. First for something to do, then for more of it. */
static void wait_for_work(struct log *l)
{
	int64_t due = next_due(&l->w), until;

	while (l->used == 0 && !in_a_hurry(l) && (due < 0 || now_ms() < due)) {
		l->idle = true;
		if (due < 0)
			(void) pthread_cond_wait(&l->wake, &l->lock);
		else
			sleep_until(l, due);
	}
	l->idle = false;
	until = now_ms() + LOG_DELAY_MS;
	while (l->used > 0 && !in_a_hurry(l) && now_ms() < until)
		sleep_until(l, until);
}

static void work(struct log *l, size_t len, bool all)
{
	struct writer *w = &l->w;

	if (w->dropped.n > 0 || w->stopped)
		if (all || !w->stopped || now_ms() >= w->retry_ms)
			write_dropped(w);
	for (size_t at = 0; at < len; ) {
		const struct log_item *item = (const void *) (l->emptying + at);

		take_event(w, item);
		at += item->size;
	}
	write_due(w, all);
	write_fresh(w);
	write_lost(w);
	write_out(w);
}

static void *writer_main(void *arg)
{
	struct log *l = arg;
	struct writer *w = &l->w;
	bool closing;

	(void) prctl(PR_SET_NAME, "log"); /* for people who look */
	do {
		uint64_t flush;
		size_t len;
		char *full;

		(void) pthread_mutex_lock(&l->lock);
		wait_for_work(l);
		full = l->filling;
		l->filling = l->emptying;
		l->emptying = full;
		len = l->used;
		l->used = 0;
		flush = l->flush_wanted;
		closing = l->closing;
		log_span_add(&w->lost, &l->lost);
		l->lost = (struct log_span) { 0 };
		(void) pthread_mutex_unlock(&l->lock);

		work(l, len, closing || flush != l->flush_done); /* flush_done changes here only */

		SCOPE_LOCK(&l->lock);
		l->status.written += w->n_written;
		l->status.dropped += w->n_dropped;
		l->status.stopped = w->stopped;
		w->n_written = w->n_dropped = 0;
		if (l->flush_done != flush) {
			l->flush_done = flush;
			(void) pthread_cond_broadcast(&l->flushed);
		}
	} while (!closing);
	if (w->dropped.n > 0)
		write_dropped(w); /* that much there may be room for */
	return NULL;
}

/* From the beginning to the end */

static struct log *log_free(struct log *l)
{
	struct writer *w = &l->w;
	struct pending *p;

	while ((p = list_take(&w->fresh)) || (p = list_take(&w->repeating)))
		pending_free(w, p);
	free(w->out);
	log_file_done(&w->file);
	free(l->filling);
	free(l->emptying);
	(void) pthread_mutex_destroy(&l->lock);
	(void) pthread_cond_destroy(&l->wake);
	(void) pthread_cond_destroy(&l->flushed);
	free(l);
	return NULL;
}
DEFINE_CLEANUP(struct log *, log_free)

static int log_new(const struct log_config *config, struct log **ret)
{
	struct log *l = calloc(1, sizeof(*l));
	pthread_condattr_t attr;

	if (!l)
		return -ENOMEM;
	l->w.file = (struct log_file) LOG_FILE_INIT;
	(void) pthread_mutex_init(&l->lock, NULL); /* none of these fails on Linux */
	(void) pthread_condattr_init(&attr);
	(void) pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void) pthread_cond_init(&l->wake, &attr);
	(void) pthread_cond_init(&l->flushed, &attr);
	(void) pthread_condattr_destroy(&attr);
	l->capacity = config && config->ring_bytes ? MAX(config->ring_bytes, LOG_ITEM_MAX) : LOG_RING_BYTES;
	l->filling = malloc(l->capacity);
	l->emptying = malloc(l->capacity);
	l->w.out = malloc(OUT_BYTES);
	if (!l->filling || !l->emptying || !l->w.out) {
		(void) log_free(l);
		return -ENOMEM;
	}
	*ret = l;
	return 0;
}

int log_open(int dirfd, const struct log_config *config, struct log **ret)
{
	_cleanup_(log_freep) struct log *l = NULL;
	sigset_t all, was;
	int r;

	r = log_new(config, &l);
	if (r < 0)
		return r;
	r = log_file_open(&l->w.file, dirfd, config && config->max_bytes ? config->max_bytes : LOG_MAX_BYTES);
	if (r < 0)
		return r;
	/* A limit on the size of files shall be an error of write(2), not the end of the process: SIGXFSZ stays blocked. */
	(void) sigfillset(&all);
	(void) pthread_sigmask(SIG_SETMASK, &all, &was);
	r = pthread_create(&l->thread, NULL, writer_main, l);
	(void) pthread_sigmask(SIG_SETMASK, &was, NULL);
	if (r != 0)
		return -r;
	*ret = steal_ptr(l);
	return 0;
}

struct log *log_close(struct log *l)
{
	if (!l)
		return NULL;
	(void) pthread_mutex_lock(&l->lock);
	l->closing = true;
	(void) pthread_cond_signal(&l->wake);
	(void) pthread_mutex_unlock(&l->lock);
	(void) pthread_join(l->thread, NULL); /* joinable, and joined once */
	return log_free(l);
}

int log_flush(struct log *l)
{
	uint64_t ticket;

	SCOPE_LOCK(&l->lock);
	ticket = ++l->flush_wanted;
	(void) pthread_cond_signal(&l->wake);
	while (l->flush_done < ticket)
		(void) pthread_cond_wait(&l->flushed, &l->lock);
	return l->status.stopped;
}

void log_get_status(struct log *l, struct log_status *ret)
{
	SCOPE_LOCK(&l->lock);
	*ret = l->status;
}
