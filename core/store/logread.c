/*
 * Reading the log of a sandbox while it is written and rotated.
 *
 *      log.1 ──> log ──> (becomes log.1) ──> log ──> …
 *
 * When a file has been read to its end, the names tell what comes next: if it is "log", nothing yet; if it is "log.1", the file called
 * "log"; if it is neither, two rotations went by, and the file called "log.1" comes next, unless that was read before: then "log" has
 * been removed by its owner. Before going on it is read to its end once more, since something may have been added after the last look.
 * The file that is read and the one before stay open: so their inode numbers are not used again, and tell them from others.
 *
 * Only whole lines are taken. What follows the last of them is read again the next time: the writer may take it back.
 */

#include "store/logread.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "store/json.h"
#include "store/log.h"
#include "store/logitem.h"

#define LINE_LIMIT (256u << 10) /* longer than any of ours */
#define BUF_BYTES (2 * LINE_LIMIT)
#define BLIND_MS 250 /* how often to look where inotify cannot be had */

enum string {
	STRING_EXE,
	STRING_COMM,
	STRING_OP,
	STRING_PATH,
	STRING_PATH2,
	STRING_VERDICT,
	STRING_ERROR,
	STRING_SOURCE,
	STRING_TEXT,
	N_STRINGS
};

/* Zeroed: of no file. */
struct file_id {
	dev_t dev;
	ino_t ino;
};

struct log_reader {
	int dir_fd, watch_fd;
	int fd, before_fd; /* being read; read before that */
	struct file_id id, before;
	uint64_t off; /* of what is in buf */
	char *buf;
	size_t len, at; /* bytes in it, and those that were taken */
	bool last_look; /* the file has another name by now: what there is to read at this end is all */
	bool oversized; /* within a line that is too long */
	uint64_t n_damaged;
	struct log_record record;
	char *strings[N_STRINGS];
};

int log_reader_new(int dirfd, struct log_reader **ret)
{
	_cleanup_(log_reader_freep) struct log_reader *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->dir_fd = r->fd = r->before_fd = r->watch_fd = -EBADF;
	r->buf = malloc(BUF_BYTES);
	if (!r->buf)
		return -ENOMEM;
	r->dir_fd = fcntl(dirfd, F_DUPFD_CLOEXEC, 0);
	if (r->dir_fd < 0)
		return -errno;
	*ret = steal_ptr(r);
	return 0;
}

static void forget_record(struct log_reader *r)
{
	for (unsigned int i = 0; i < N_STRINGS; i++) {
		free(r->strings[i]);
		r->strings[i] = NULL;
	}
}

struct log_reader *log_reader_free(struct log_reader *r)
{
	if (!r)
		return NULL;
	forget_record(r);
	(void) fd_close(r->fd);
	(void) fd_close(r->before_fd);
	(void) fd_close(r->dir_fd);
	(void) fd_close(r->watch_fd);
	free(r->buf);
	free(r);
	return NULL;
}

uint64_t log_reader_n_damaged(const struct log_reader *r)
{
	return r->n_damaged;
}

/* Records */

static bool parse_time(const json_t *j, struct timespec *ret)
{
	const char *text = json_string_value(j);

	return text && log_time_parse(text, ret);
}

static int error_number(const char *name)
{
	for (int error = 1; error < 200; error++) {
		const char *other = strerrorname_np(error);

		if (other && strcmp(name, other) == 0)
			return error;
	}
	return 0;
}

static int parse_error(struct log_reader *r, const json_t *j)
{
	char **name = &r->strings[STRING_ERROR];

	if (json_is_integer(j)) {
		r->record.error = (int) json_integer_value(j);
		return asprintf(name, "%d", r->record.error) < 0 ? -ENOMEM : 0;
	}
	if (!json_is_string(j))
		return 0;
	*name = strdup(json_string_value(j));
	if (!*name)
		return -ENOMEM;
	r->record.error = error_number(*name);
	return 0;
}

/* A number, or what stands for none. */
static uint64_t parse_number(const json_t *j, uint64_t none)
{
	return json_is_integer(j) && json_integer_value(j) >= 0 ? (uint64_t) json_integer_value(j) : none;
}

static int parse_access(struct log_reader *r, const json_t *j)
{
	static const char *const keys[] = {
		[STRING_EXE] = "exe",	  [STRING_COMM] = "comm",   [STRING_OP] = "op",
		[STRING_PATH] = "path",	  [STRING_PATH2] = "path2", [STRING_VERDICT] = "verdict",
	};
	struct log_record *rec = &r->record;
	const json_t *rule = json_object_get(j, "rule");
	int e = 0;

	rec->kind = LOG_ACCESS;
	rec->pid = (pid_t) parse_number(json_object_get(j, "pid"), 0);
	rec->uid = (uid_t) parse_number(json_object_get(j, "uid"), 0);
	rec->count = parse_number(json_object_get(j, "count"), 1);
	rec->is_dir = json_is_true(json_object_get(j, "dir"));
	rec->cut = json_is_true(json_object_get(j, "cut"));
	rec->rule_line = (unsigned int) parse_number(json_object_get(rule, "line"), 0);
	for (unsigned int i = 0; e == 0 && i < ARRAY_SIZE(keys); i++)
		e = json_to_bytes(json_object_get(j, keys[i]), &r->strings[i]);
	if (e == 0)
		e = json_to_bytes(json_object_get(rule, "source"), &r->strings[STRING_SOURCE]);
	if (e == 0)
		e = json_to_bytes(json_object_get(rule, "text"), &r->strings[STRING_TEXT]);
	if (e < 0)
		return e;
	rec->exe = r->strings[STRING_EXE];
	rec->comm = r->strings[STRING_COMM];
	rec->op = r->strings[STRING_OP];
	rec->path = r->strings[STRING_PATH];
	rec->path2 = r->strings[STRING_PATH2];
	rec->verdict = r->strings[STRING_VERDICT];
	rec->rule_source = r->strings[STRING_SOURCE];
	rec->rule_text = r->strings[STRING_TEXT];
	return rec->op && rec->path && rec->verdict ? 0 : -EBADMSG;
}

/* -EBADMSG: that is no record of ours. */
static int parse_record(struct log_reader *r, const json_t *j)
{
	static const char *const gaps[] = { [LOG_LOST] = "lost", [LOG_STOPPED] = "stopped", [LOG_ROTATED] = "rotated" };
	struct log_record *rec = &r->record;
	const json_t *gap = NULL;
	int e;

	if (!parse_time(json_object_get(j, "time"), &rec->when))
		return -EBADMSG;
	if (!parse_time(json_object_get(j, "until"), &rec->until))
		rec->until = rec->when;
	e = parse_error(r, json_object_get(j, "error"));
	if (e < 0)
		return e;
	rec->error_name = r->strings[STRING_ERROR];
	for (unsigned int i = LOG_LOST; i < ARRAY_SIZE(gaps) && !gap; i++) {
		gap = json_object_get(j, gaps[i]);
		rec->kind = i;
	}
	if (!gap)
		return parse_access(r, j);
	rec->count = parse_number(gap, 0);
	if (parse_time(json_object_get(j, "to"), &rec->until))
		(void) parse_time(json_object_get(j, "from"), &rec->when); /* written together */
	return 0;
}

/* 1: it is in r->record; 0: it was none. */
static int take_line(struct log_reader *r, const char *line, size_t len)
{
	_cleanup_json_ json_t *j = NULL;
	int e;

	if (len == 0)
		return 0; /* after half a line */
	forget_record(r);
	r->record = (struct log_record) { .line = line, .len = len };
	j = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	e = j ? parse_record(r, j) : -EBADMSG;
	if (e == -ENOMEM)
		return e;
	r->n_damaged += e < 0;
	return e == 0;
}

/* Files */

/* 1: open now; 0: there is none of that name. */
static int open_named(struct log_reader *r, const char *name)
{
	_cleanup_close_ int fd = openat(r->dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EBADMSG;
	(void) fd_close(r->before_fd);
	r->before_fd = r->fd;
	r->before = r->id;
	r->fd = steal_fd(&fd);
	r->id = (struct file_id) { .dev = st.st_dev, .ino = st.st_ino };
	r->off = 0;
	r->len = r->at = 0;
	r->last_look = r->oversized = false;
	return 1;
}

static struct file_id id_of(const struct log_reader *r, const char *name)
{
	struct stat st;

	if (fstatat(r->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return (struct file_id) { 0 };
	return (struct file_id) { .dev = st.st_dev, .ino = st.st_ino };
}

static bool same_file(const struct file_id *a, const struct file_id *b)
{
	return a->dev == b->dev && a->ino == b->ino;
}

/* At the end of the open file. 1: there is more to look at, in it or in another one. */
static int go_on(struct log_reader *r)
{
	/* In this order: what is not "log" any more will never be it again, so the second look can be trusted. */
	const struct file_id none = { 0 }, log_id = id_of(r, LOG_NAME), old = id_of(r, LOG_OLD_NAME);
	struct file_id now;
	bool read_old;
	int e;

	if (r->fd >= 0 && same_file(&log_id, &r->id))
		return 0;
	read_old = !same_file(&old, &none) && !same_file(&old, &r->id) && !same_file(&old, &r->before);
	if (!read_old && same_file(&log_id, &none))
		return 0; /* it is yet to be made */
	if (r->fd >= 0 && !r->last_look) {
		r->last_look = true;
		return 1;
	}
	r->n_damaged += r->at < r->len || r->oversized; /* half a line, which nobody will complete */
	if (read_old)
		return open_named(r, LOG_OLD_NAME);
	e = open_named(r, LOG_NAME);
	now = id_of(r, LOG_OLD_NAME);
	if (e == 1 && !same_file(&now, &old))
		return open_named(r, LOG_OLD_NAME); /* rotated this moment: that one comes before */
	return e;
}

/* More of the open file behind what is in buf and was not taken. 1: there is; 0: it is at its end. */
static int fill(struct log_reader *r)
{
	struct stat st;
	ssize_t n;

	r->off += r->at;
	r->len -= r->at;
	memmove(r->buf, r->buf + r->at, r->len);
	r->at = 0;
	n = pread(r->fd, r->buf + r->len, BUF_BYTES - r->len, (off_t) (r->off + r->len));
	if (n < 0)
		return -errno;
	r->len += (size_t) n;
	if (n > 0)
		return 1;
	/* Emptied by its owner: what is written from now on begins at the beginning. */
	if (fstat(r->fd, &st) == 0 && (uint64_t) st.st_size < r->off) {
		r->off = 0;
		r->oversized = false;
	}
	return 0;
}

/* The next whole line of what is in buf. NULL: there is none. */
static const char *whole_line(struct log_reader *r, size_t *ret_len)
{
	const char *line = r->buf + r->at;
	const char *end = memchr(line, '\n', r->len - r->at);

	if (!end) {
		if (r->len - r->at < LINE_LIMIT)
			return NULL;
		r->at = r->len;
		r->oversized = true;
		return NULL;
	}
	r->at += (size_t) (end - line) + 1;
	*ret_len = (size_t) (end - line);
	return line;
}

int log_reader_next(struct log_reader *r, const struct log_record **ret)
{
	int e;

	for (;;) {
		size_t len;
		const char *line = whole_line(r, &len);

		if (line && r->oversized) {
			r->oversized = false;
			r->n_damaged++;
			continue;
		}
		if (line) {
			e = take_line(r, line, len);
			if (e < 0)
				return e;
			if (e == 0)
				continue;
			*ret = &r->record;
			return 1;
		}
		e = r->fd >= 0 ? fill(r) : 0;
		if (e == 0)
			e = go_on(r);
		if (e <= 0) {
			r->len = r->at;
			return e;
		}
	}
}

/* Waiting */

static void watch(struct log_reader *r)
{
	char path[64];

	r->watch_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	(void) snprintf(path, sizeof(path), "/proc/self/fd/%d", r->dir_fd);
	if (r->watch_fd >= 0 && inotify_add_watch(r->watch_fd, path, IN_MODIFY | IN_CREATE | IN_MOVE | IN_ATTRIB | IN_DELETE_SELF) < 0)
		r->watch_fd = fd_close(r->watch_fd);
}

static bool is_gone(const struct log_reader *r)
{
	struct stat st;

	return fstat(r->dir_fd, &st) == 0 && st.st_nlink == 0;
}

int log_reader_wait(struct log_reader *r, int timeout_ms)
{
	char events[4096];
	struct pollfd p;
	int n;

	if (is_gone(r))
		return -ESTALE;
	if (r->watch_fd < 0) {
		watch(r);
		if (r->watch_fd >= 0)
			return 1; /* something may have come before */
		(void) poll(NULL, 0, timeout_ms < 0 ? BLIND_MS : MIN(timeout_ms, BLIND_MS));
		return 1;
	}
	p = (struct pollfd) { .fd = r->watch_fd, .events = POLLIN };
	n = poll(&p, 1, timeout_ms);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	while (read(r->watch_fd, events, sizeof(events)) > 0)
		; /* that something happened is all there is to know */
	return n > 0;
}
