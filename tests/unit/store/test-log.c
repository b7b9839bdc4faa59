/*
 * Logs written and read in a private directory: what becomes of events, what of files that are full, removed or damaged, and that
 * every event is accounted for whatever happens. log_flush() and log_close() are what is waited for; no test depends on how fast anything is.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "io/io.h"
#include "io/walk.h"
#include "store/log.h"
#include "store/logread.h"

struct fixture {
	char dir[64];
	int fd;
	unsigned int n_fds;
};

static unsigned int count_fds(void)
{
	unsigned int n = 0;

	for (int fd = 0; fd < 1024; fd++) {
		int flags = fcntl(fd, F_GETFD);

		if (flags < 0)
			continue;
		n++;
		if (fd > 2 && !(flags & FD_CLOEXEC))
			fail_msg("descriptor %d would be inherited", fd);
	}
	return n;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	for (int fd = 3; fd < 1024; fd++) /* the test runner's */
		(void) fcntl(fd, F_SETFD, FD_CLOEXEC);
	f->n_fds = count_fds();
	strcpy(f->dir, "/tmp/test-log.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->fd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(f->fd >= 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	_cleanup_(io_engine_freep) struct io_engine *io = NULL;
	_cleanup_close_ int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(io_engine_sync_new(&io), 0);
	(void) walk_remove(io, tmp, strrchr(f->dir, '/') + 1); /* one test does it itself */
	tmp = fd_close(tmp);
	f->fd = fd_close(f->fd);
	assert_int_equal(count_fds(), f->n_fds);
	free(f);
	return 0;
}

static const struct log_event refusal = {
	.when = { .tv_sec = 1714565021, .tv_nsec = 250000999 },
	.pid = 4711, .uid = 1000, .exe = "/usr/bin/python3.11", .op = "read", .path = "/home/u/.ssh/id_rsa", .verdict = "hide",
	.error = ENOENT, .rule_source = "<defaults>", .rule_line = 12, .rule_text = "~/.ssh",
};

static struct log *open_log(struct fixture *f, size_t max_bytes, unsigned int ring_bytes)
{
	const struct log_config config = { .max_bytes = max_bytes, .ring_bytes = ring_bytes };
	struct log *l;

	assert_int_equal(log_open(f->fd, &config, &l), 0);
	return l;
}

static void add_path(struct log *l, const char *path)
{
	struct log_event e = refusal;

	e.path = path;
	log_add(l, &e);
}

static void add_number(struct log *l, unsigned int n)
{
	char path[32];

	(void) snprintf(path, sizeof(path), "/%u", n);
	add_path(l, path);
}

static struct log_reader *open_reader(struct fixture *f)
{
	struct log_reader *r;

	assert_int_equal(log_reader_new(f->fd, &r), 0);
	return r;
}

static const struct log_record *next(struct log_reader *r)
{
	const struct log_record *rec;

	assert_int_equal(log_reader_next(r, &rec), 1);
	return rec;
}

static void assert_end(struct log_reader *r)
{
	const struct log_record *rec;

	assert_int_equal(log_reader_next(r, &rec), 0);
}

/* How many events the records account for. */
struct sums {
	uint64_t n_records, events, lost, stopped, rotated, damaged;
};

static struct sums sum_up(struct fixture *f)
{
	_cleanup_(log_reader_freep) struct log_reader *r = open_reader(f);
	const struct log_record *rec;
	struct sums s = { 0 };

	while (log_reader_next(r, &rec) == 1) {
		s.n_records++;
		if (rec->kind == LOG_ACCESS)
			s.events += rec->count;
		else if (rec->kind == LOG_LOST)
			s.lost += rec->count;
		else if (rec->kind == LOG_ROTATED)
			s.rotated += rec->count;
		else
			s.stopped += rec->count;
	}
	s.damaged = log_reader_n_damaged(r);
	return s;
}

static void write_file(struct fixture *f, const char *name, const void *text, size_t len)
{
	_cleanup_close_ int fd = openat(f->fd, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), (ssize_t) len);
}

static void write_text(struct fixture *f, const char *name, const char *text)
{
	write_file(f, name, text, strlen(text));
}

static uint64_t size_of(struct fixture *f, const char *name)
{
	struct stat st;

	assert_int_equal(fstatat(f->fd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	return (uint64_t) st.st_size;
}

static void test_fields(void **state)
{
	struct fixture *f = *state;
	_cleanup_(log_reader_freep) struct log_reader *r = open_reader(f);
	struct log_event bare = { .comm = "a b", .op = "rename", .path = "/a", .path2 = "/b", .verdict = "cow" };
	struct log *l = open_log(f, 0, 0);
	const struct log_record *rec;
	struct stat st;

	log_add(l, &refusal);
	log_add(l, &bare);
	bare.error = 4095; /* has no name */
	log_add(l, &bare);
	assert_int_equal(log_flush(l), 0);
	assert_int_equal(fstatat(f->fd, "log", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);

	rec = next(r);
	assert_int_equal(rec->kind, LOG_ACCESS);
	assert_int_equal(rec->when.tv_sec, refusal.when.tv_sec);
	assert_int_equal(rec->when.tv_nsec, 250000000);
	assert_int_equal(rec->pid, 4711);
	assert_int_equal(rec->uid, 1000);
	assert_int_equal(rec->count, 1);
	assert_string_equal(rec->exe, refusal.exe);
	assert_null(rec->comm);
	assert_string_equal(rec->op, "read");
	assert_string_equal(rec->path, refusal.path);
	assert_null(rec->path2);
	assert_string_equal(rec->verdict, "hide");
	assert_int_equal(rec->error, ENOENT);
	assert_string_equal(rec->error_name, "ENOENT");
	assert_string_equal(rec->rule_source, "<defaults>");
	assert_string_equal(rec->rule_text, "~/.ssh");
	assert_int_equal(rec->rule_line, 12);
	assert_false(rec->cut);
	assert_int_equal(rec->line[rec->len], '\n');

	rec = next(r);
	assert_null(rec->exe);
	assert_string_equal(rec->comm, "a b");
	assert_string_equal(rec->path2, "/b");
	assert_int_equal(rec->error, 0);
	assert_null(rec->error_name);
	assert_null(rec->rule_source);
	assert_true(rec->when.tv_sec > 1714565021); /* now */
	rec = next(r);
	assert_int_equal(rec->error, 4095);
	assert_string_equal(rec->error_name, "4095");
	assert_end(r);
	log_close(l);
	assert_end(r);
}

static void test_order(void **state)
{
	struct fixture *f = *state;
	struct log *l = open_log(f, 0, 0);
	char path[32];

	for (unsigned int i = 0; i < 1000; i++)
		add_number(l, i);
	log_close(l);

	_cleanup_(log_reader_freep) struct log_reader *r = open_reader(f);
	for (unsigned int i = 0; i < 1000; i++) {
		(void) snprintf(path, sizeof(path), "/%u", i);
		assert_string_equal(next(r)->path, path);
	}
	assert_end(r);
}

/* Equal ones are counted together, those that differ in anything but the time are not. */
static void test_counts(void **state)
{
	struct fixture *f = *state;
	struct log *l = open_log(f, 0, 0);
	struct log_event variants[8];
	uint64_t counts[ARRAY_SIZE(variants)] = { 0 };
	const struct log_record *rec;
	size_t n_records = 0;

	for (size_t i = 0; i < ARRAY_SIZE(variants); i++)
		variants[i] = refusal;
	variants[1].pid++;
	variants[2].error = EACCES;
	variants[3].op = "write";
	variants[4].path = "/home/u/.ssh/id_rsb";
	variants[5].exe = NULL;
	variants[6].verdict = "deny";
	variants[7].path2 = "/x";
	for (unsigned int n = 0; n < 100; n++)
		for (size_t i = 0; i < ARRAY_SIZE(variants); i++) {
			variants[i].when.tv_nsec = (long) n * 1000;
			log_add(l, &variants[i]);
		}
	log_close(l);

	_cleanup_(log_reader_freep) struct log_reader *r = open_reader(f);
	while (log_reader_next(r, &rec) == 1) {
		size_t i = 0;

		n_records++;
		while (rec->pid != variants[i].pid || rec->error != variants[i].error || strcmp(rec->op, variants[i].op) != 0 ||
		       strcmp(rec->path, variants[i].path) != 0 || !rec->exe != !variants[i].exe || !rec->path2 != !variants[i].path2 ||
		       strcmp(rec->verdict, variants[i].verdict) != 0) {
			i++;
			assert_true(i < ARRAY_SIZE(variants));
		}
		assert_int_equal(rec->when.tv_nsec, counts[i] * 1000);
		counts[i] += rec->count;
		assert_int_equal(rec->until.tv_nsec, (counts[i] - 1) * 1000);
	}
	for (size_t i = 0; i < ARRAY_SIZE(variants); i++)
		assert_int_equal(counts[i], 100);
	assert_true(n_records < 400);
}

/* More different events within a second than are remembered. */
static void test_many_different(void **state)
{
	struct fixture *f = *state;
	struct log *l = open_log(f, 0, 64u << 20);

	for (unsigned int i = 0; i < 20000; i++)
		add_number(l, i % 10000);
	log_close(l);
	assert_int_equal(sum_up(f).events, 20000);
}

static void test_odd_strings(void **state)
{
	static const char *const paths[] = { "/a\nb\t\x01\x7f", "/quo\"te\\", "/\xff\xfe", "/gr\xc3\xbc", "/\xc2\x9b[31m", "" };
	struct fixture *f = *state;
	struct log *l = open_log(f, 0, 0);

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		add_path(l, paths[i]);
	log_close(l);

	_cleanup_(log_reader_freep) struct log_reader *r = open_reader(f);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		const struct log_record *rec = next(r);

		assert_string_equal(rec->path, paths[i]);
		assert_null(memchr(rec->line, '\n', rec->len));
	}
	assert_end(r);
}

static void test_long_strings(void **state)
{
	struct fixture *f = *state;
	struct log *l = open_log(f, 0, 0);
	static char fits[LOG_PATH_MAX + 1], plain[10 * LOG_PATH_MAX], wide[10 * LOG_PATH_MAX], worst[10 * LOG_PATH_MAX];
	struct log_event e = refusal;
	const struct log_record *rec;

	memset(fits, 'x', sizeof(fits) - 1);
	memset(plain, 'x', sizeof(plain) - 1);
	for (size_t i = 0; i + 2 < sizeof(wide); i += 2)
		memcpy(wide + i, "\xc3\xbc", 2);
	memset(worst, 1, sizeof(worst) - 1);
	add_path(l, fits);
	add_path(l, plain);
	add_path(l, wide);
	e.exe = e.op = e.path = e.path2 = e.verdict = e.rule_source = e.rule_text = worst;
	log_add(l, &e);
	e = refusal;
	e.cut = true; /* it came so */
	log_add(l, &e);
	log_close(l);

	_cleanup_(log_reader_freep) struct log_reader *r = open_reader(f);
	rec = next(r);
	assert_false(rec->cut);
	assert_string_equal(rec->path, fits);
	rec = next(r);
	assert_true(rec->cut);
	assert_int_equal(strlen(rec->path), LOG_PATH_MAX);
	assert_string_equal(rec->path + LOG_PATH_MAX - 4, "x\xe2\x80\xa6");
	rec = next(r);
	assert_true(rec->cut);
	assert_string_equal(rec->path + LOG_PATH_MAX - 1 - 5, "\xc3\xbc\xe2\x80\xa6"); /* no half of a character */
	rec = next(r);
	assert_int_equal(strlen(rec->path2), LOG_PATH_MAX);
	assert_int_equal(strlen(rec->rule_text), LOG_TEXT_MAX);
	rec = next(r);
	assert_true(rec->cut);
	assert_string_equal(rec->path, refusal.path);
	assert_end(r);
}

static void test_rotation(void **state)
{
	struct fixture *f = *state;
	const unsigned int n = 5000;
	struct log *l = open_log(f, 16384, 64u << 20);
	const struct log_record *rec;
	unsigned int last = 0, first = 0;

	for (unsigned int i = 1; i <= n; i++)
		add_number(l, i);
	assert_int_equal(log_flush(l), 0);
	assert_true(size_of(f, "log") <= 16384);
	assert_true(size_of(f, "log.1") <= 16384);
	assert_true(size_of(f, "log.1") > 16384 - 1024); /* none is given up before it is full */

	/* A log that is full is rotated also after a restart, and the old one may be anything but a directory that is not empty. */
	log_close(l);
	assert_int_equal(unlinkat(f->fd, "log.1", 0), 0);
	assert_int_equal(symlinkat("/etc/passwd", f->fd, "log.1"), 0);
	l = open_log(f, 100, 0);
	add_number(l, n + 1);
	log_close(l);

	_cleanup_(log_reader_freep) struct log_reader *r = open_reader(f);
	while (log_reader_next(r, &rec) == 1) {
		if (rec->kind != LOG_ACCESS)
			continue;
		unsigned int i = (unsigned int) atoi(rec->path + 1);

		if (first == 0)
			first = i;
		assert_true(last == 0 || i == last + 1);
		last = i;
	}
	assert_true(first > 1);
	assert_int_equal(last, n + 1);
	assert_int_equal(log_reader_n_damaged(r), 0);
}

static uint64_t accounted_for(struct fixture *f)
{
	struct sums s = sum_up(f);

	assert_int_equal(s.damaged, 0);
	return s.events + s.lost + s.stopped + s.rotated;
}

static struct log_record find_rotated(struct log_reader *r)
{
	const struct log_record *rec;

	do
		rec = next(r);
	while (rec->kind != LOG_ROTATED);
	return *rec;
}

/* What the second rotation takes away is told, and what the others do is added to it, also after restarts. */
static void test_rotated_away(void **state)
{
	struct fixture *f = *state;
	struct log_event many = refusal;
	struct log_record rec;
	uint64_t n = 3, before;

	many.path = "/,\"count\":9,\"lost\":9";
	write_text(f, "log.1", "{\"time\":\"2024-05-01T11:00:00.000000Z\",\"pid\":1,\"uid\":0,\"op\":\"read\",\"path\":\"/a\",\"verdict\":\"cow\"}\n"
			       "{\"time\":\"2024-05-01T11:59:00.000000Z\",\"lost\":2,\"from\":\"2024-05-01T11:59:01.000000Z\","
			       "\"to\":\"2024-05-01T11:59:02.000000Z\"}\n");
	for (unsigned int i = 0; i < 20; i++) {
		struct log *l = open_log(f, 8192, 0);

		for (unsigned int j = 0; j < 10; j++, n += 4) {
			add_number(l, 1000 * i + j);
			for (unsigned int k = 0; k < 3; k++)
				log_add(l, &many);
			assert_int_equal(log_flush(l), 0);
		}
		log_close(l);
		assert_int_equal(accounted_for(f), n);
	}
	assert_true(size_of(f, "log.1") <= 8192);

	_cleanup_(log_reader_freep) struct log_reader *r = open_reader(f);
	rec = find_rotated(r);
	assert_true(rec.count > 3);
	assert_int_equal(rec.when.tv_sec, 1714561200);
	assert_int_equal(rec.until.tv_sec, refusal.when.tv_sec);

	/* A crash before the one could take the place of the other. */
	before = accounted_for(f);
	assert_int_equal(unlinkat(f->fd, "log", 0), 0);
	n = accounted_for(f);
	assert_int_equal(renameat(f->fd, "log.1", f->fd, "log"), 0);
	assert_int_equal(accounted_for(f), n);
	log_close(open_log(f, 8192, 0));
	assert_int_equal(size_of(f, "log"), 0);
	assert_int_equal(accounted_for(f), n);
	assert_true(n < before);
}

/* A reader that has read all is not disturbed by rotations, and misses nothing of what is still there. */
static void test_read_across_rotation(void **state)
{
	struct fixture *f = *state;
	_cleanup_(log_reader_freep) struct log_reader *r = open_reader(f);
	struct log *l = open_log(f, 4096, 0);
	const struct log_record *rec;
	unsigned int seen = 0;

	for (unsigned int i = 1; i <= 400; i++) {
		add_number(l, i);
		assert_int_equal(log_flush(l), 0);
		/* Sometimes at once, sometimes when a rotation or two have gone by. */
		if (i % 40 == 0 || i % 7 == 0)
			while (log_reader_next(r, &rec) == 1)
				if (rec->kind == LOG_ACCESS)
					assert_int_equal(atoi(rec->path + 1), ++seen);
	}
	while (log_reader_next(r, &rec) == 1)
		if (rec->kind == LOG_ACCESS)
			assert_int_equal(atoi(rec->path + 1), ++seen);
	assert_int_equal(seen, 400);
	log_close(l);
	assert_end(r);
	assert_int_equal(log_reader_n_damaged(r), 0);
}

static void test_overflow(void **state)
{
	struct fixture *f = *state;
	struct log *l = open_log(f, 0, 1); /* the least */
	struct log_status st;
	struct sums s;

	do {
		for (unsigned int i = 0; i < 1000; i++)
			add_number(l, i);
		log_get_status(l, &st);
	} while (st.lost == 0);
	assert_int_equal(log_flush(l), 0);
	log_get_status(l, &st);
	assert_int_equal(st.added, st.written + st.lost);
	log_close(l);
	s = sum_up(f);
	assert_int_equal(s.events, st.written);
	assert_int_equal(s.lost, st.lost);
}

static struct rlimit set_file_limit(rlim_t bytes)
{
	struct rlimit was, now;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	now = was;
	now.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &now), 0);
	return was;
}

static void assert_last_byte(struct fixture *f, char c)
{
	_cleanup_close_ int fd = openat(f->fd, "log", O_RDONLY | O_CLOEXEC);
	char last;

	assert_int_equal(pread(fd, &last, 1, (off_t) size_of(f, "log") - 1), 1);
	assert_int_equal(last, c);
}

/* The limit on the size of a file stands for a full disk. */
static void test_full(void **state)
{
	struct fixture *f = *state;
	struct log *l = open_log(f, 0, 0);
	struct log_status st;
	struct rlimit was;
	struct sums s;

	for (unsigned int i = 0; i < 10; i++)
		add_number(l, i);
	assert_int_equal(log_flush(l), 0);
	was = set_file_limit((rlim_t) size_of(f, "log") + 100); /* ends within a line */
	for (unsigned int i = 10; i < 30; i++)
		add_number(l, i);
	assert_int_equal(log_flush(l), -EFBIG);
	log_get_status(l, &st);
	assert_int_equal(st.stopped, -EFBIG);
	assert_int_equal(st.written, 10);
	assert_int_equal(st.dropped, 20);
	assert_last_byte(f, '\n');
	for (unsigned int i = 30; i < 50; i++)
		add_number(l, i);
	assert_int_equal(log_flush(l), -EFBIG);

	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	add_number(l, 50);
	assert_int_equal(log_flush(l), 0);
	log_get_status(l, &st);
	assert_int_equal(st.stopped, 0);
	assert_int_equal(st.written, 11);
	assert_int_equal(st.dropped, 40);
	log_close(l);
	s = sum_up(f);
	assert_int_equal(s.events, 11);
	assert_int_equal(s.stopped, 40);
	assert_int_equal(s.n_records, 12);
	assert_int_equal(s.damaged, 0);
}

/* A real one, for those who may mount. */
static void test_full_disk(void **state)
{
	struct fixture *f = *state;
	struct log_status st;
	_cleanup_close_ int fd = -EBADF;
	char block[4096] = { 0 };
	struct sums s;
	struct log *l;

	if (mount("none", f->dir, "tmpfs", 0, "size=64k") < 0)
		skip();
	f->fd = fd_close(f->fd);
	f->fd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	l = open_log(f, 0, 0);
	add_number(l, 0);
	assert_int_equal(log_flush(l), 0);
	fd = openat(f->fd, "ballast", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	while (write(fd, block, sizeof(block)) > 0)
		;
	for (unsigned int i = 1; i <= 100; i++)
		add_number(l, i);
	assert_int_equal(log_flush(l), -ENOSPC);
	assert_int_equal(unlinkat(f->fd, "ballast", 0), 0);
	fd = fd_close(fd);
	add_number(l, 101);
	assert_int_equal(log_flush(l), 0);
	log_get_status(l, &st);
	log_close(l);
	s = sum_up(f);
	assert_int_equal(s.damaged, 0);
	assert_int_equal(s.stopped, 100);
	assert_int_equal(s.events, 2);
	assert_int_equal(umount2(f->dir, MNT_DETACH), 0);
}

/* What is lost on the way while the log is stopped is told afterwards as well. */
static void test_overflow_while_full(void **state)
{
	struct fixture *f = *state;
	struct log *l = open_log(f, 0, 1);
	struct rlimit was = set_file_limit(0);
	struct log_status st;
	struct sums s;

	do {
		for (unsigned int i = 0; i < 1000; i++)
			add_number(l, i);
		log_get_status(l, &st);
	} while (st.lost == 0);
	assert_int_equal(log_flush(l), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	assert_int_equal(log_flush(l), 0);
	log_get_status(l, &st);
	assert_int_equal(st.added, st.lost + st.dropped);
	log_close(l);
	s = sum_up(f);
	assert_int_equal(s.events, 0);
	assert_int_equal(s.lost, st.lost);
	assert_int_equal(s.stopped, st.dropped);
}

static void test_restart(void **state)
{
	struct fixture *f = *state;
	struct log *l = open_log(f, 0, 0);

	add_number(l, 1);
	log_close(l);
	/* A crash within a line. */
	write_text(f, "log", "{\"time\":\"2024-05-01T12:00:00.0000");
	assert_int_equal(sum_up(f).events, 1);
	assert_int_equal(sum_up(f).damaged, 0); /* it might be completed this moment */
	l = open_log(f, 0, 0);
	add_number(l, 2);
	log_close(l);
	l = open_log(f, 0, 0);
	add_number(l, 3);
	log_close(l);

	_cleanup_(log_reader_freep) struct log_reader *r = open_reader(f);
	assert_string_equal(next(r)->path, "/1");
	assert_string_equal(next(r)->path, "/2");
	assert_string_equal(next(r)->path, "/3");
	assert_end(r);
	assert_int_equal(log_reader_n_damaged(r), 1);
}

static void test_close_writes(void **state)
{
	struct fixture *f = *state;
	struct log *l = open_log(f, 0, 0);

	for (unsigned int i = 0; i < 500; i++)
		add_number(l, i / 5);
	log_close(l);
	assert_int_equal(sum_up(f).events, 500);
	assert_null(log_close(NULL));
	log_add(NULL, &refusal);
}

#define N_THREADS 4
#define N_EVENTS 10000

static void *add_many(void *arg)
{
	struct log *l = arg;

	for (unsigned int i = 0; i < N_EVENTS; i++)
		add_number(l, i % 100 ? i : 0);
	return NULL;
}

static void test_threads(void **state)
{
	struct fixture *f = *state;
	struct log *l = open_log(f, 100u << 20, 65536);
	pthread_t threads[N_THREADS];
	struct log_status st;
	struct sums s;

	for (unsigned int i = 0; i < N_THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, add_many, l), 0);
	for (unsigned int i = 0; i < 20; i++)
		assert_int_equal(log_flush(l), 0);
	for (unsigned int i = 0; i < N_THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(log_flush(l), 0);
	log_get_status(l, &st);
	log_close(l);
	assert_int_equal(st.added, N_THREADS * N_EVENTS);
	assert_int_equal(st.written + st.lost, N_THREADS * N_EVENTS);
	s = sum_up(f);
	assert_int_equal(s.events, st.written);
	assert_int_equal(s.lost, st.lost);
	assert_int_equal(s.damaged, 0);
}

/* What the directory's owner may have put there. */
static void test_no_file(void **state)
{
	struct fixture *f = *state;
	struct log_reader *r = open_reader(f);
	const struct log_record *rec;
	struct log *l;

	assert_end(r);
	assert_int_equal(symlinkat("target", f->fd, "log"), 0);
	assert_int_equal(log_open(f->fd, NULL, &l), -ELOOP);
	assert_int_equal(log_reader_next(r, &rec), -ELOOP);
	assert_int_equal(faccessat(f->fd, "target", F_OK, 0), -1);
	assert_int_equal(unlinkat(f->fd, "log", 0), 0);
	assert_int_equal(mkfifoat(f->fd, "log", 0600), 0);
	assert_int_equal(log_open(f->fd, NULL, &l), -EBADMSG);
	assert_int_equal(log_reader_next(r, &rec), -EBADMSG);
	assert_int_equal(unlinkat(f->fd, "log", 0), 0);
	assert_int_equal(mkdirat(f->fd, "log", 0700), 0);
	assert_int_equal(log_open(f->fd, NULL, &l), -EBADMSG);
	assert_int_equal(log_reader_next(r, &rec), -EBADMSG);
	log_reader_free(r);
}

/* The owner removes, moves and empties it while it is written. */
static void test_removed_while_open(void **state)
{
	struct fixture *f = *state;
	_cleanup_(log_reader_freep) struct log_reader *r = open_reader(f);
	struct log *l = open_log(f, 0, 0);

	add_number(l, 1);
	assert_int_equal(log_flush(l), 0);
	assert_string_equal(next(r)->path, "/1");
	assert_int_equal(unlinkat(f->fd, "log", 0), 0);
	add_number(l, 2);
	assert_int_equal(log_flush(l), 0);
	assert_string_equal(next(r)->path, "/2");
	assert_int_equal(renameat(f->fd, "log", f->fd, "mine"), 0);
	add_number(l, 3);
	assert_int_equal(log_flush(l), 0);
	assert_string_equal(next(r)->path, "/3");
	assert_end(r);
	{
		_cleanup_close_ int fd = openat(f->fd, "log", O_WRONLY | O_TRUNC | O_CLOEXEC);

		assert_true(fd >= 0);
	}
	assert_end(r);
	add_number(l, 4);
	assert_int_equal(log_flush(l), 0);
	assert_string_equal(next(r)->path, "/4");
	assert_end(r);
	log_close(l);
}

/* It was removed when there was an old one: that was read before, and is not read again. */
static void test_removed_beside_old(void **state)
{
	struct fixture *f = *state;
	_cleanup_(log_reader_freep) struct log_reader *r = open_reader(f);
	struct log *l = open_log(f, 100, 0);

	add_number(l, 1);
	add_number(l, 2);
	assert_int_equal(log_flush(l), 0);
	assert_string_equal(next(r)->path, "/1");
	assert_string_equal(next(r)->path, "/2");
	assert_end(r);
	assert_int_equal(unlinkat(f->fd, "log", 0), 0);
	add_number(l, 3);
	assert_int_equal(log_flush(l), 0);
	assert_string_equal(next(r)->path, "/3");
	assert_end(r);
	log_close(l);
}

static void test_damaged_lines(void **state)
{
	static const char good[] =
		"{\"time\":\"2024-05-01T12:00:00.000001Z\",\"op\":\"read\",\"path\":\"/good\",\"verdict\":\"cow\",\"of\":[\"a newer osfuse\"]}\n";
	static const char *const bad[] = {
		"oops\n", "{}\n", "[]\n", "3\n", "{\"time\":\"yesterday\",\"op\":\"read\",\"path\":\"/x\",\"verdict\":\"cow\"}\n",
		"{\"time\":\"2024-05-01T12:00:00.000001Z\",\"op\":\"read\",\"verdict\":\"cow\"}\n",
		"{\"time\":\"2024-05-01T12:00:00.000001Z\",\"op\":3,\"path\":\"/x\",\"verdict\":\"cow\"}\n",
		"{\"time\":\"2024-05-01T12:00:00.000001Z\",\"op\":\"a\",\"path\":{\"bytes\":\"2f00\"},\"verdict\":\"cow\"}\n",
		"{\"time\":\"2024-05-01T12:00:00.000001Z\",\"time\":\"2024-05-01T12:00:00.000001Z\"}\n",
		"{\"time\":\"2024-05-01T12:00:00.0Z\",\"op\":\"a\",\"path\":\"/x\",\"verdict\":\"cow\"}\n",
	};
	struct fixture *f = *state;
	_cleanup_free_ char *filler = malloc(1u << 20);
	char zeros[100] = { 0 };

	memset(filler, '[', 1u << 20);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		write_text(f, "log", good);
		write_text(f, "log", bad[i]);
	}
	write_text(f, "log", "\n\n"); /* nothing is no damage */
	write_file(f, "log", filler, 1u << 20);
	write_text(f, "log", "\n");
	write_text(f, "log", good);
	zeros[99] = '\n';
	write_file(f, "log", zeros, sizeof(zeros)); /* as file systems leave it after a power cut */
	write_text(f, "log", good);
	write_text(f, "log", "{\"half");

	_cleanup_(log_reader_freep) struct log_reader *r = open_reader(f);
	for (size_t i = 0; i < ARRAY_SIZE(bad) + 2; i++)
		assert_string_equal(next(r)->path, "/good");
	assert_end(r);
	assert_int_equal(log_reader_n_damaged(r), ARRAY_SIZE(bad) + 2);
	write_text(f, "log", " way\"\n");
	assert_end(r);
	assert_int_equal(log_reader_n_damaged(r), ARRAY_SIZE(bad) + 3);
}

static void *add_one(void *arg)
{
	struct log *l = arg;

	add_number(l, 7);
	return NULL;
}

static void test_wait(void **state)
{
	struct fixture *f = *state;
	_cleanup_(log_reader_freep) struct log_reader *r = open_reader(f);
	struct log *l = open_log(f, 0, 0);
	const struct log_record *rec;
	pthread_t thread;
	int n;

	assert_end(r);
	assert_int_equal(log_reader_wait(r, 0), 1); /* watches from now on */
	assert_end(r);
	assert_int_equal(log_reader_wait(r, 0), 0);
	assert_int_equal(pthread_create(&thread, NULL, add_one, l), 0);
	while ((n = log_reader_next(r, &rec)) == 0)
		assert_int_equal(log_reader_wait(r, -1), 1);
	assert_int_equal(n, 1);
	assert_string_equal(rec->path, "/7");
	assert_int_equal(pthread_join(thread, NULL), 0);
	log_close(l);
	assert_int_equal(unlinkat(f->fd, "log", 0), 0);
	assert_int_equal(rmdir(f->dir), 0);
	assert_int_equal(log_reader_wait(r, -1), -ESTALE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_fields, setup, teardown),
		cmocka_unit_test_setup_teardown(test_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_counts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_different, setup, teardown),
		cmocka_unit_test_setup_teardown(test_odd_strings, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_strings, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rotation, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rotated_away, setup, teardown),
		cmocka_unit_test_setup_teardown(test_read_across_rotation, setup, teardown),
		cmocka_unit_test_setup_teardown(test_overflow, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full_disk, setup, teardown),
		cmocka_unit_test_setup_teardown(test_overflow_while_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_restart, setup, teardown),
		cmocka_unit_test_setup_teardown(test_close_writes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_threads, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_removed_while_open, setup, teardown),
		cmocka_unit_test_setup_teardown(test_removed_beside_old, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wait, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
