/*
 * The file of a log. Only the holder of the sandbox's lock writes it, but anybody may read it at any time, and its owner may remove,
 * move or empty it: so before each write it is looked at again. What a failed write has left is taken back; if that fails too, or there
 * was a crash, the file ends within a line, and what follows begins on a new one. Readers skip the half.
 *
 *      log: a b ─┬─> log.1: a b ─┬──> gone: 2
 *                └─> log:   c d ─┴─> log.1: c d rotated:2 ──> gone: 4
 *                                    log:   e f ────────────> log.1: e f rotated:4
 *
 * What goes with the old file is not lost silently: before the file takes the old one's place, a record of how many events that holds is
 * put at its end. The records that stand for many count as many, those of former rotations too, so the one in log.1 says how many are gone
 * altogether. If the record cannot be written there is no rotation. A crash may come between the two: who opens a file that ends
 * so does the rest.
 */

#include "store/logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "store/log.h"
#include "store/logitem.h"

#define PIECE_BYTES (128u << 10) /* longer than any line of ours */

static int open_again(struct log_file *f, int flags)
{
	_cleanup_close_ int fd = -EBADF;
	struct stat st;
	char last;

	/* O_NONBLOCK is for what is no file: opening that must not wait. */
	fd = openat(f->dir_fd, LOG_NAME, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | flags, 0600);
	if (fd < 0)
		return errno == EISDIR || errno == ENXIO ? -EBADMSG : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EBADMSG;
	if ((st.st_mode & 077) && fchmod(fd, 0600) < 0)
		return -errno;
	/* What a crash left is half a line: the next one does not belong to it. */
	f->torn = st.st_size > 0 && (pread(fd, &last, 1, st.st_size - 1) != 1 || last != '\n');
	f->size = (uint64_t) st.st_size;
	f->fd = fd_close(f->fd);
	f->fd = steal_fd(&fd);
	return 0;
}

static int take_old_place(struct log_file *f)
{
	if (renameat(f->dir_fd, LOG_NAME, f->dir_fd, LOG_OLD_NAME) < 0 && errno != ENOENT)
		return -errno;
	f->fd = fd_close(f->fd);
	return open_again(f, O_EXCL);
}

/* Is it told already what goes when this takes its place? */
static bool ends_rotated(const struct log_file *f)
{
	char tail[LOG_SPAN_MAX + 1];
	size_t len = MIN(f->size, sizeof(tail) - 1);
	const char *line;

	if (f->torn || len == 0 || pread(f->fd, tail, len, (off_t) (f->size - len)) != (ssize_t) len)
		return false;
	tail[len - 1] = '\0';
	line = strrchr(tail, '\n');
	return strstr(line ? line : tail, "Z\",\"rotated\":");
}

int log_file_open(struct log_file *f, int dirfd, size_t max_bytes)
{
	int r;

	f->max_bytes = max_bytes;
	f->dir_fd = fcntl(dirfd, F_DUPFD_CLOEXEC, 0);
	if (f->dir_fd < 0)
		return -errno;
	r = open_again(f, 0);
	return r == 0 && ends_rotated(f) ? take_old_place(f) : r;
}

void log_file_done(struct log_file *f)
{
	f->fd = fd_close(f->fd);
	f->dir_fd = fd_close(f->dir_fd);
}

/* Makes sure that fd is what has the name. */
static int check(struct log_file *f)
{
	struct stat st, named;

	if (f->fd < 0 || fstatat(f->dir_fd, LOG_NAME, &named, AT_SYMLINK_NOFOLLOW) < 0)
		return open_again(f, 0);
	if (fstat(f->fd, &st) < 0)
		return -errno;
	if (st.st_ino != named.st_ino || st.st_dev != named.st_dev)
		return open_again(f, 0);
	f->size = (uint64_t) st.st_size;
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

int log_file_append(struct log_file *f, const char *lines, size_t len)
{
	int r = check(f);

	if (r < 0)
		return r;
	if (f->torn) {
		r = write_all(f->fd, "\n", 1);
		if (r < 0)
			return r;
		f->torn = false;
		f->size++;
	}
	r = write_all(f->fd, lines, len);
	if (r < 0) {
		f->torn = ftruncate(f->fd, (off_t) f->size) < 0;
		return r;
	}
	f->size += len;
	return 0;
}

/* Rotation */

/* What stands behind a key; it is in none of the strings: a quote there has a backslash before it. */
static const char *value(const char *line, const char *key)
{
	const char *at = strstr(line, key);

	return at ? at + strlen(key) : NULL;
}

static bool read_time(const char *line, const char *key, struct timespec *ret)
{
	const char *at = value(line, key);
	char text[LOG_TIME_BYTES];

	if (!at)
		return false;
	(void) snprintf(text, sizeof(text), "%s", at);
	return log_time_parse(text, ret);
}

static bool is_before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

/*
 * Not as JSON, nor all of it: that takes so long that new events could get lost. What tells how many it stands for is at the end, and what is
 * no record has no time.
 */
static void count_line(const char *line, size_t len, struct log_span *to)
{
	static const char *const keys[] = { ",\"count\":", ",\"lost\":", ",\"stopped\":", ",\"rotated\":" };
	const char *end = line + len - MIN(len, (size_t) LOG_SPAN_MAX);
	struct log_span s = { .n = 1 };

	if (strncmp(line, "{\"time\":", 8) != 0 || !read_time(line, "{\"time\":\"", &s.from))
		return;
	s.to = s.from;
	for (unsigned int i = 0; i < ARRAY_SIZE(keys); i++) {
		const char *number = value(end, keys[i]);

		if (number)
			s.n = strtoull(number, NULL, 10);
	}
	if (read_time(end, ",\"to\":\"", &s.to))
		(void) read_time(end, ",\"from\":\"", &s.from); /* written together */
	else
		(void) read_time(end, ",\"until\":\"", &s.to); /* else it was one event */
	if (to->n > 0 && is_before(&to->from, &s.from))
		s.from = to->from;
	if (to->n > 0 && is_before(&s.to, &to->to))
		s.to = to->to;
	*to = (struct log_span) { .n = to->n + s.n, .from = s.from, .to = s.to };
}

/* How much goes with the old file. Only what was put there as a file: nothing is waited for, and no link is followed. */
static int count_old(const struct log_file *f, struct log_span *ret)
{
	_cleanup_close_ int fd = openat(f->dir_fd, LOG_OLD_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	_cleanup_free_ char *piece = NULL;
	struct stat st;
	FILE *old;
	int r = 0;

	*ret = (struct log_span) { 0 };
	if (fd < 0)
		return errno == ENOENT || errno == ELOOP || errno == ENXIO ? 0 : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return 0;
	piece = malloc(PIECE_BYTES);
	old = piece ? fdopen(fd, "r") : NULL;
	if (!old)
		return -ENOMEM;
	(void) steal_fd(&fd);
	while (fgets(piece, PIECE_BYTES, old)) {
		size_t len = strlen(piece);

		if (len > 0 && piece[len - 1] == '\n') /* else it was damaged, or has been written by somebody else */
			count_line(piece, len, ret);
	}
	if (ferror(old))
		r = -EIO;
	(void) fclose(old); /* was only read */
	return r;
}

static int tell_gone(struct log_file *f, struct log_clock *c)
{
	struct log_span gone;
	char line[LOG_SPAN_MAX];
	int r = count_old(f, &gone);

	if (r < 0 || gone.n == 0)
		return r;
	return log_file_append(f, line, (size_t) (log_span_put(line, "rotated", &gone, 0, c) - line));
}

int log_file_rotate(struct log_file *f, struct log_clock *c)
{
	uint64_t size;
	int r = check(f);

	size = f->size;
	if (r < 0 || size == 0) /* its owner has taken it away meanwhile */
		return r;
	r = tell_gone(f, c);
	if (r < 0)
		return r;
	r = take_old_place(f);
	if (r < 0 && f->fd >= 0 && f->size > size && ftruncate(f->fd, (off_t) size) == 0) /* else it will be told twice */
		f->size = size;
	return r;
}
