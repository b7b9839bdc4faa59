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
 */

#include "store/log.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/lock.h"
#include "store/json.h"

#define RETRY_MS 5000
#define REPEAT_MS 1000
#define OUT_BYTES (256u << 10) /* of one write; a record needs less than half of it */
#define BUCKETS 1024u
#define PENDING_MAX 4096u
#define PENDING_BYTES (2u << 20)
#define NO_TEXT UINT16_MAX
#define CUT_MARK "\xe2\x80\xa6" /* … */
#define CUT_MARK_LEN (sizeof(CUT_MARK) - 1)

enum text {
	TEXT_EXE,
	TEXT_OP,
	TEXT_PATH,
	TEXT_PATH2,
	TEXT_VERDICT,
	TEXT_RULE_SOURCE,
	TEXT_RULE,
	N_TEXTS
};

/* An event on its way to the writer; the texts follow, each with a NUL. From pid on, equal events are equal byte for byte. */
struct record {
	struct timespec when;
	uint64_t size; /* of this and the texts; a multiple of eight */
	pid_t pid;
	uid_t uid;
	int32_t error;
	uint32_t rule_line;
	uint16_t len[N_TEXTS]; /* without the NUL; or NO_TEXT */
	uint16_t cut;	       /* bit (1 << enum text) */
};

#define RECORD_MAX ((sizeof(struct record) + N_TEXTS + 2 * LOG_PATH_MAX + (N_TEXTS - 2) * LOG_TEXT_MAX + 7) / 8 * 8)

/* A number of events. */
struct span {
	uint64_t n;
	struct timespec from, to;
};

struct pending {
	struct pending *next, *next_in_bucket;
	struct span events; /* not yet written */
	int64_t due_ms;
	uint32_t hash;
	const struct record *record; /* behind this */
};

struct pending_list {
	struct pending *first, **end;
};

/* The writer's own; nobody else looks at it between log_open() and the end of the thread. */
struct writer {
	int dir_fd, fd;
	size_t max_bytes;
	uint64_t size;	 /* of the file */
	bool torn;	 /* the file ends within a line */
	struct pending *buckets[BUCKETS];
	struct pending_list fresh, repeating; /* not yet written; written, in the order in which they are due */
	size_t n_pending, pending_bytes;
	char *out;
	size_t out_len;
	struct span in_out; /* the events that the lines in out stand for */
	struct span lost, dropped;
	int stopped; /* negative errno */
	int64_t retry_ms;
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
	struct span lost;
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

static struct timespec now(void)
{
	struct timespec ts;

	(void) clock_gettime(CLOCK_REALTIME, &ts);
	return ts;
}

static void span_add(struct span *to, const struct span *s)
{
	if (s->n == 0)
		return;
	if (to->n == 0)
		to->from = s->from;
	to->n += s->n;
	to->to = s->to;
}


/* The adders' side */

static const size_t text_max[N_TEXTS] = {
	[TEXT_EXE] = LOG_TEXT_MAX,     [TEXT_OP] = LOG_TEXT_MAX,	  [TEXT_PATH] = LOG_PATH_MAX, [TEXT_PATH2] = LOG_PATH_MAX,
	[TEXT_VERDICT] = LOG_TEXT_MAX, [TEXT_RULE_SOURCE] = LOG_TEXT_MAX, [TEXT_RULE] = LOG_TEXT_MAX,
};

/* How much of a text is copied: all, or so much that the mark fits, and no character is cut in two. */
static size_t length(const char *s, size_t max, bool *ret_cut)
{
	size_t n = strnlen(s, max + 1);

	*ret_cut = n > max;
	if (n <= max)
		return n;
	n = max - CUT_MARK_LEN;
	for (unsigned int i = 0; i < 3 && ((unsigned char) s[n] & 0xc0) == 0x80; i++)
		n--;
	return n;
}

/* Fills in all but the time. n: how much of each text is to be copied. */
static void measure(struct record *rec, const char *const texts[N_TEXTS], size_t n[N_TEXTS])
{
	size_t size = sizeof(*rec);

	for (unsigned int i = 0; i < N_TEXTS; i++) {
		bool cut = false;

		rec->len[i] = NO_TEXT;
		if (!texts[i])
			continue;
		n[i] = length(texts[i], text_max[i], &cut);
		rec->len[i] = (uint16_t) (n[i] + (cut ? CUT_MARK_LEN : 0));
		rec->cut |= (uint16_t) (cut << i);
		size += rec->len[i] + 1u;
	}
	rec->size = (size + 7) / 8 * 8;
}

static void copy(char *to, const struct record *rec, const char *const texts[N_TEXTS], const size_t n[N_TEXTS])
{
	char *end = to + rec->size;

	memset(end - 8, 0, 8); /* what rounding adds is compared, too */
	memcpy(to, rec, sizeof(*rec));
	to += sizeof(*rec);
	for (unsigned int i = 0; i < N_TEXTS; i++) {
		if (rec->len[i] == NO_TEXT)
			continue;
		memcpy(to, texts[i], n[i]);
		memcpy(to + n[i], CUT_MARK, rec->len[i] - n[i]);
		to += rec->len[i];
		*to++ = '\0';
	}
}

void log_add(struct log *l, const struct log_event *e)
{
	const char *const texts[N_TEXTS] = {
		[TEXT_EXE] = e->exe,	     [TEXT_OP] = e->op,			  [TEXT_PATH] = e->path,      [TEXT_PATH2] = e->path2,
		[TEXT_VERDICT] = e->verdict, [TEXT_RULE_SOURCE] = e->rule_source, [TEXT_RULE] = e->rule_text,
	};
	struct record rec = {
		.when = e->when, .pid = e->pid, .uid = e->uid, .error = e->error, .rule_line = e->rule_line,
	};
	size_t n[N_TEXTS], was;

	if (!l)
		return;
	measure(&rec, texts, n);
	if (rec.when.tv_sec == 0 && rec.when.tv_nsec == 0)
		rec.when = now();

	SCOPE_LOCK(&l->lock);
	l->status.added++;
	was = l->used;
	if (was + rec.size > l->capacity) {
		l->status.lost++;
		span_add(&l->lost, &(struct span) { .n = 1, .from = rec.when, .to = rec.when });
		return;
	}
	copy(l->filling + was, &rec, texts, n);
	l->used += rec.size;
	if (l->idle || (was < l->capacity / 2 && l->used >= l->capacity / 2)) {
		l->idle = false;
		(void) pthread_cond_signal(&l->wake);
	}
}

/* The file */

static int open_file(struct writer *w, int flags)
{
	_cleanup_close_ int fd = -EBADF;
	struct stat st;
	char last;

	/* O_NONBLOCK is for what is no file: opening that must not wait. */
	fd = openat(w->dir_fd, LOG_NAME, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | flags, 0600);
	if (fd < 0)
		return errno == EISDIR || errno == ENXIO ? -EBADMSG : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EBADMSG;
	if ((st.st_mode & 077) && fchmod(fd, 0600) < 0)
		return -errno;
	/* What a crash left is half a line: the next one does not belong to it. */
	w->torn = st.st_size > 0 && (pread(fd, &last, 1, st.st_size - 1) != 1 || last != '\n');
	w->size = (uint64_t) st.st_size;
	w->fd = fd_close(w->fd);
	w->fd = steal_fd(&fd);
	return 0;
}

static int rotate(struct writer *w)
{
	if (renameat(w->dir_fd, LOG_NAME, w->dir_fd, LOG_OLD_NAME) < 0 && errno != ENOENT)
		return -errno;
	w->fd = fd_close(w->fd);
	return open_file(w, O_EXCL);
}

/* The file may have been removed or emptied by the user. */
static int check_file(struct writer *w)
{
	struct stat st;

	if (w->fd < 0)
		return open_file(w, 0);
	if (fstat(w->fd, &st) < 0)
		return -errno;
	if (st.st_nlink == 0)
		return open_file(w, 0);
	w->size = (uint64_t) st.st_size;
	return 0;
}

static int write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			return -EIO;
		if (n > 0) { /* short: there is a reason, which the next one tells */
			data += n;
			len -= (size_t) n;
		}
	}
	return 0;
}

/* All of it or, as far as readers can tell, nothing. */
static int append(struct writer *w, const char *data, size_t len)
{
	int r = check_file(w);

	if (r < 0)
		return r;
	if (w->torn) {
		r = write_all(w->fd, "\n", 1);
		if (r < 0)
			return r;
		w->torn = false;
		w->size++;
	}
	r = write_all(w->fd, data, len);
	if (r < 0) {
		w->torn = ftruncate(w->fd, (off_t) w->size) < 0;
		return r;
	}
	w->size += len;
	return 0;
}

/* Records */

static void stop(struct writer *w, int error)
{
	w->stopped = error;
	w->retry_ms = now_ms() + RETRY_MS;
}

static void drop(struct writer *w, const struct span *s)
{
	span_add(&w->dropped, s);
	w->n_dropped += s->n;
}

/* Writes what is in out. */
static void write_out(struct writer *w)
{
	int r;

	if (w->out_len == 0)
		return;
	r = append(w, w->out, w->out_len);
	if (r < 0) {
		drop(w, &w->in_out);
		stop(w, r);
	} else {
		w->n_written += w->in_out.n;
	}
	w->out_len = 0;
	w->in_out = (struct span) { 0 };
}

/* The line that was put behind the others goes where it fits. */
static void keep_to_size(struct writer *w, size_t len)
{
	int r;

	if (w->size + w->out_len + len <= w->max_bytes || w->size + w->out_len == 0)
		return;
	char *line = w->out + w->out_len;
	write_out(w);
	memmove(w->out, line, len);
	if (w->stopped)
		return;
	r = rotate(w);
	if (r < 0)
		stop(w, r);
}

/* Puts a line into out. false: it is not there, for want of memory or since the log has stopped. */
static bool put_line(struct writer *w, json_t *line)
{
	_cleanup_json_ json_t *owned = line;
	size_t len;

	for (;;) {
		size_t room = OUT_BYTES - w->out_len - 1;

		len = owned ? json_dumpb(owned, w->out + w->out_len, room, JSON_COMPACT) : 0;
		if (len <= room)
			break;
		if (w->out_len == 0)
			return false;
		write_out(w);
	}
	if (len == 0)
		return false;
	w->out[w->out_len + len++] = '\n';
	keep_to_size(w, len);
	if (w->stopped)
		return false;
	w->out_len += len;
	return true;
}

static json_t *time_to_json(const struct timespec *ts)
{
	char text[64];
	struct tm tm;

	if (!gmtime_r(&ts->tv_sec, &tm))
		return NULL;
	(void) snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%06ldZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
			tm.tm_hour, tm.tm_min, tm.tm_sec, ts->tv_nsec / 1000);
	return json_string_nocheck(text);
}

static json_t *error_to_json(int error)
{
	const char *name = strerrorname_np(error);

	return name ? json_string_nocheck(name) : json_integer(error);
}

static void set(json_t *object, const char *key, json_t *value, bool *failed)
{
	*failed |= json_object_set_new_nocheck(object, key, value) < 0;
}

static json_t *pending_to_json(const struct pending *p)
{
	static const char *const keys[N_TEXTS] = {
		[TEXT_EXE] = "exe",	    [TEXT_OP] = "op",		   [TEXT_PATH] = "path", [TEXT_PATH2] = "path2",
		[TEXT_VERDICT] = "verdict", [TEXT_RULE_SOURCE] = "source", [TEXT_RULE] = "text",
	};
	const struct record *rec = p->record;
	_cleanup_json_ json_t *line = json_object(), *rule = json_object();
	const char *text = (const char *) (rec + 1);
	bool failed = false;

	set(line, "time", time_to_json(&p->events.from), &failed);
	set(line, "pid", json_integer(rec->pid), &failed);
	set(line, "uid", json_integer(rec->uid), &failed);
	for (unsigned int i = 0; i < N_TEXTS; i++) {
		if (rec->len[i] == NO_TEXT)
			continue;
		set(i < TEXT_RULE_SOURCE ? line : rule, keys[i], json_from_bytes(text), &failed);
		text += rec->len[i] + 1;
	}
	if (rec->error)
		set(line, "error", error_to_json(rec->error), &failed);
	if (rec->rule_line)
		set(rule, "line", json_integer(rec->rule_line), &failed);
	if (json_object_size(rule) > 0)
		set(line, "rule", json_incref(rule), &failed);
	if (p->events.n > 1) {
		set(line, "count", json_integer((json_int_t) p->events.n), &failed);
		set(line, "until", time_to_json(&p->events.to), &failed);
	}
	if (rec->cut)
		set(line, "cut", json_true(), &failed);
	return failed ? NULL : steal_ptr(line);
}

static json_t *span_to_json(const struct span *s, const char *key, int error)
{
	_cleanup_json_ json_t *line = json_object();
	struct timespec ts = now();
	bool failed = false;

	set(line, "time", time_to_json(&ts), &failed);
	set(line, key, json_integer((json_int_t) s->n), &failed);
	if (error)
		set(line, "error", error_to_json(error), &failed);
	if (s->n > 0) {
		set(line, "from", time_to_json(&s->from), &failed);
		set(line, "to", time_to_json(&s->to), &failed);
	}
	return failed ? NULL : steal_ptr(line);
}

static void write_pending(struct writer *w, struct pending *p)
{
	if (p->events.n > 0 && !w->stopped && put_line(w, pending_to_json(p)))
		span_add(&w->in_out, &p->events);
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
	if (w->stopped || !put_line(w, span_to_json(&w->lost, "lost", 0)))
		return;
	write_out(w);
	if (!w->stopped)
		w->lost = (struct span) { 0 };
}

/* Events that were dropped without a stop, for want of memory, get the same record. */
static void write_dropped(struct writer *w)
{
	int error = w->stopped ? w->stopped : -ENOMEM;

	w->stopped = 0;
	w->out_len = 0;
	if (!put_line(w, span_to_json(&w->dropped, "stopped", -error))) {
		if (!w->stopped)
			stop(w, -ENOMEM);
		return;
	}
	write_out(w);
	if (!w->stopped)
		w->dropped = (struct span) { 0 };
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

static const void *same_part(const struct record *rec, size_t *ret_len)
{
	*ret_len = rec->size - offsetof(struct record, pid);
	return &rec->pid;
}

/* FNV-1a, eight bytes at a time. */
static uint32_t hash_of(const struct record *rec)
{
	uint64_t h = 0xcbf29ce484222325u, v;
	size_t len;
	const char *data = same_part(rec, &len);

	for (size_t i = 0; i + 8 <= len; i += 8) {
		memcpy(&v, data + i, 8);
		h = (h ^ v) * 0x100000001b3u;
		h ^= h >> 32;
	}
	return (uint32_t) h;
}

static bool same(const struct record *a, const struct record *b)
{
	size_t len;
	const void *part = same_part(a, &len), *other = same_part(b, &len);

	return a->size == b->size && memcmp(part, other, len) == 0;
}

static struct pending *pending_find(struct writer *w, const struct record *rec, uint32_t hash)
{
	struct pending *p = w->buckets[hash % BUCKETS];

	while (p && (p->hash != hash || !same(p->record, rec)))
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
	w->pending_bytes -= p->record->size;
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

static void make_room(struct writer *w, const struct record *rec)
{
	if (w->n_pending < PENDING_MAX && w->pending_bytes + rec->size <= PENDING_BYTES)
		return;
	if (!w->repeating.first)
		write_fresh(w);
	while (w->repeating.first && (w->n_pending >= PENDING_MAX || w->pending_bytes + rec->size > PENDING_BYTES)) {
		struct pending *p = list_take(&w->repeating);

		write_pending(w, p);
		pending_free(w, p);
	}
}

static void take_event(struct writer *w, const struct record *rec)
{
	const struct span event = { .n = 1, .from = rec->when, .to = rec->when };
	uint32_t hash = hash_of(rec);
	struct pending *p = pending_find(w, rec, hash);

	if (!p) {
		make_room(w, rec);
		p = malloc(sizeof(*p) + rec->size);
		if (!p) {
			drop(w, &event);
			return;
		}
		*p = (struct pending) { .hash = hash, .record = (const struct record *) (p + 1) };
		memcpy(p + 1, rec, rec->size);
		p->next_in_bucket = w->buckets[hash % BUCKETS];
		w->buckets[hash % BUCKETS] = p;
		w->n_pending++;
		w->pending_bytes += rec->size;
		list_append(&w->fresh, p);
	}
	span_add(&p->events, &event);
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
		const struct record *rec = (const void *) (l->emptying + at);

		take_event(w, rec);
		at += rec->size;
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
		span_add(&w->lost, &l->lost);
		l->lost = (struct span) { 0 };
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
	(void) fd_close(w->fd);
	(void) fd_close(w->dir_fd);
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
	l->w.dir_fd = l->w.fd = -EBADF;
	(void) pthread_mutex_init(&l->lock, NULL); /* none of these fails on Linux */
	(void) pthread_condattr_init(&attr);
	(void) pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void) pthread_cond_init(&l->wake, &attr);
	(void) pthread_cond_init(&l->flushed, &attr);
	(void) pthread_condattr_destroy(&attr);
	l->capacity = config && config->ring_bytes ? MAX(config->ring_bytes, RECORD_MAX) : LOG_RING_BYTES;
	l->w.max_bytes = config && config->max_bytes ? config->max_bytes : LOG_MAX_BYTES;
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
	l->w.dir_fd = fcntl(dirfd, F_DUPFD_CLOEXEC, 0);
	if (l->w.dir_fd < 0)
		return -errno;
	r = open_file(&l->w, 0);
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
