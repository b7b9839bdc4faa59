/* Sandboxes in a private directory: made, saved, damaged, locked, measured, removed, and every error on the way. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "io/io.h"
#include "io/walk.h"
#include "store/settings.h"
#include "store/store.h"

#define DEPTH 1500 /* with these names three times PATH_MAX */

struct fixture {
	char dir[64];
	char *path;
	struct io_engine *sync, *fault;
	struct store *store;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	strcpy(f->dir, "/tmp/test-store.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	assert_true(asprintf(&f->path, "%s/a/b/osfuse", f->dir) > 0);
	assert_int_equal(io_engine_sync_new(&f->sync), 0);
	assert_int_equal(io_engine_fault_new(f->sync, &f->fault), 0);
	assert_int_equal(store_open(f->fault, f->path, true, &f->store), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	const char *name = strrchr(f->dir, '/') + 1;
	int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	f->store = store_free(f->store);
	assert_int_equal(walk_remove(f->sync, tmp, name), 0);
	close(tmp);
	f->fault = io_engine_free(f->fault);
	f->sync = io_engine_free(f->sync);
	free(f->path);
	free(f);
	return 0;
}

static void write_file(const struct fixture *f, const char *name, const char *text)
{
	char path[512];
	FILE *file;

	(void) snprintf(path, sizeof(path), "%s/%s", f->path, name);
	file = fopen(path, "we");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static void make(struct fixture *f, const char *name)
{
	_cleanup_(sandbox_freep) struct sandbox *sb = NULL;
	char root[] = "/";
	char *lowers[] = { root };

	assert_int_equal(sandbox_create(f->store, name, &sb, NULL), 1);
	assert_int_equal(sandbox_set_lowers(sb, lowers, 1), 0);
	assert_int_equal(sandbox_save(sb), 0);
}

static mode_t mode_of(const struct fixture *f, const char *name)
{
	struct stat st;
	char path[512];

	(void) snprintf(path, sizeof(path), "%s/%s", f->path, name);
	assert_int_equal(lstat(path, &st), 0);
	return st.st_mode & 07777;
}

static void test_default_path(void **state)
{
	char *path;

	setenv("XDG_STATE_HOME", "/x/state", 1);
	assert_int_equal(store_default_path(&path), 0);
	assert_string_equal(path, "/x/state/osfuse");
	free(path);
	setenv("XDG_STATE_HOME", "relative", 1);
	setenv("HOME", "/home/me", 1);
	assert_int_equal(store_default_path(&path), 0);
	assert_string_equal(path, "/home/me/.local/state/osfuse");
	free(path);
	unsetenv("XDG_STATE_HOME");
}

static void test_names(void **state)
{
	static const char *const bad[] = { "", ".", "..", ".x", "-x", "a/b", "/", "a\nb", "a\x7f" };
	static const char *const paths[][2] = {
		{ "/sandbox", "sandbox" }, { "/mnt/a", "mnt-a" }, { "//mnt//a/", "mnt-a" }, { "/", "root" }, { "/.x", "_x" },
		{ "/-x", "_x" }, { "/a\nb", "a_b" },
	};
	char longest[STORE_NAME_MAX + 2], path[1024], *name, *other;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(store_name_valid(bad[i]));
	memset(longest, 'n', sizeof(longest));
	longest[STORE_NAME_MAX + 1] = '\0';
	assert_false(store_name_valid(longest));
	longest[STORE_NAME_MAX] = '\0';
	assert_true(store_name_valid(longest));
	assert_true(store_name_valid("gr\xc3\xbc\xc3\x9f" "e 1"));

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		assert_int_equal(store_name_from_path(paths[i][0], &name), 0);
		assert_string_equal(name, paths[i][1]);
		assert_true(store_name_valid(name));
		free(name);
	}
	/* Long paths that differ only at the beginning keep different names. */
	memset(path, 'p', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(store_name_from_path(path, &name), 0);
	path[1] = 'q';
	assert_int_equal(store_name_from_path(path, &other), 0);
	assert_true(store_name_valid(name));
	assert_true(store_name_valid(other));
	assert_string_not_equal(name, other);
	free(name);
	free(other);
}

static void test_open_store(void **state)
{
	struct fixture *f = *state;
	struct store *store;
	char path[128];

	assert_int_equal(mode_of(f, "."), 0700);
	(void) snprintf(path, sizeof(path), "%s/none", f->dir);
	assert_int_equal(store_open(f->sync, path, false, &store), -ENOENT);
	(void) snprintf(path, sizeof(path), "%s/file", f->dir);
	close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	assert_int_equal(store_open(f->sync, path, true, &store), -ENOTDIR);
}

static void test_create_and_reopen(void **state)
{
	struct fixture *f = *state;
	_cleanup_(sandbox_freep) struct sandbox *sb = NULL, *again = NULL, *third = NULL;
	char first[] = "/usr", second[] = "/mnt/\xff\x01 odd";
	char *lowers[] = { first, second };
	struct sandbox_settings *s;

	assert_int_equal(sandbox_open(f->store, "box", &sb, NULL), -ENOENT);
	assert_int_equal(sandbox_open(f->store, "../box", &sb, NULL), -EINVAL);
	assert_int_equal(sandbox_create(f->store, ".box", &sb, NULL), -EINVAL);
	assert_int_equal(sandbox_create(f->store, "box", &sb, NULL), 1);
	assert_int_equal(mode_of(f, "box"), 0700);
	assert_int_equal(mode_of(f, "box/upper"), 0700);
	assert_int_equal(mode_of(f, "box/work"), 0700);
	s = sandbox_settings(sb);
	s->pid = 4711;
	s->mount_point = strdup("/mnt/\xff");
	s->upper = strdup("/some/where");
	s->options = strdup("-o ro");
	assert_int_equal(sandbox_set_lowers(sb, lowers, 2), 0);
	assert_int_equal(sandbox_save(sb), 0);
	assert_int_equal(mode_of(f, "box/sandbox.json"), 0600);

	assert_int_equal(sandbox_open(f->store, "box", &again, NULL), 0);
	s = sandbox_settings(again);
	assert_int_equal(s->pid, 4711);
	assert_int_equal(s->n_lowers, 2);
	assert_string_equal(s->lowers[0], first);
	assert_string_equal(s->lowers[1], second);
	assert_string_equal(s->mount_point, "/mnt/\xff");
	assert_string_equal(s->upper, "/some/where");
	assert_string_equal(s->options, "-o ro");
	assert_null(s->work);
	assert_false(s->ephemeral);
	assert_int_equal(s->created_s, sandbox_settings(sb)->created_s);
	assert_int_equal(sandbox_create(f->store, "box", &third, NULL), 0);
}

static void test_list(void **state)
{
	struct fixture *f = *state;
	char **names;
	size_t n;

	make(f, "b");
	make(f, "a");
	make(f, "c d");
	write_file(f, "file", "");
	assert_int_equal(mkdirat(store_fd(f->store), ".hidden", 0700), 0);
	assert_int_equal(store_list(f->store, &names, &n), 0);
	assert_int_equal(n, 3);
	assert_string_equal(names[0], "a");
	assert_string_equal(names[1], "b");
	assert_string_equal(names[2], "c d");
	assert_null(names[3]);
	store_names_free(names);
}

static void test_damaged(void **state)
{
	struct fixture *f = *state;
	_cleanup_(sandbox_freep) struct sandbox *sb = NULL;
	static const struct {
		const char *text, *says;
		unsigned int line;
	} cases[] = {
		{ "", "", 1 },
		{ "{\n \"version\": 1,\n oops\n}\n", "oops", 3 },
		{ "[]", "object", 0 },
		{ "{\"version\": 3}", "newer", 0 },
		{ "{\"pid\": 0}", "version", 0 },
		{ "{\"version\": 1, \"pid\": -1}", "pid", 0 },
		{ "{\"version\": 1, \"pid\": 0, \"created\": \"yesterday\"}", "created", 0 },
		{ "{\"version\": 1, \"pid\": 0, \"created\": \"2024-05-01T12:00:00Z\", \"lowers\": 3}", "lowers", 0 },
		{ "{\"version\": 1, \"pid\": 0, \"created\": \"2024-05-01T12:00:00Z\", \"lowers\": [\"a\"]}", "absolute", 0 },
		{ "{\"version\": 1, \"pid\": 0, \"created\": \"2024-05-01T12:00:00Z\", \"lowers\": [null]}", "absolute", 0 },
		{ "{\"version\": 1, \"pid\": 0, \"created\": \"2024-05-01T12:00:00Z\", \"lowers\": [{\"bytes\": \"2\"}]}", "lowers", 0 },
		{ "{\"version\": 1, \"pid\": 0, \"created\": \"2024-05-01T12:00:00Z\", \"lowers\": [{\"bytes\": \"2f00\"}]}", "lowers",
		  0 },
		{ "{\"version\": 1, \"pid\": 0, \"created\": \"2024-05-01T12:00:00Z\", \"lowers\": [], \"upper\": \"x\"}", "upper", 0 },
		{ "{\"version\": 1, \"version\": 1}", "duplicate", 1 },
	};

	make(f, "box");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sandbox_fault fault;

		write_file(f, "box/sandbox.json", cases[i].text);
		assert_int_equal(sandbox_open(f->store, "box", &sb, &fault), -EBADMSG);
		assert_non_null(strstr(fault.text, cases[i].says));
		assert_int_equal(fault.line, cases[i].line);
		assert_int_equal(sandbox_open(f->store, "box", &sb, NULL), -EBADMSG);
	}
	/* A link is not followed, and a directory is no file. */
	assert_int_equal(unlinkat(store_fd(f->store), "box/sandbox.json", 0), 0);
	assert_int_equal(symlinkat("/etc/passwd", store_fd(f->store), "box/sandbox.json"), 0);
	assert_int_equal(sandbox_open(f->store, "box", &sb, NULL), -ELOOP);
	assert_int_equal(unlinkat(store_fd(f->store), "box/sandbox.json", 0), 0);
	assert_int_equal(mkdirat(store_fd(f->store), "box/sandbox.json", 0700), 0);
	assert_int_equal(sandbox_open(f->store, "box", &sb, NULL), -EBADMSG);
}

static void test_lock(void **state)
{
	struct fixture *f = *state;
	_cleanup_(sandbox_freep) struct sandbox *one = NULL, *two = NULL;

	make(f, "box");
	assert_int_equal(sandbox_open(f->store, "box", &one, NULL), 0);
	assert_int_equal(sandbox_open(f->store, "box", &two, NULL), 0);
	assert_int_equal(sandbox_in_use(two), 0);
	assert_int_equal(sandbox_lock(one), 1);
	assert_int_equal(sandbox_lock(one), 1);
	assert_int_equal(sandbox_in_use(one), 1);
	assert_int_equal(sandbox_lock(two), 0);
	assert_int_equal(sandbox_in_use(two), 1);
	assert_int_equal(sandbox_remove(two), -EBUSY);
	assert_int_equal(sandbox_remove(one), 0);
	one = sandbox_free(one);
	assert_int_equal(sandbox_lock(two), -ESTALE);
	assert_int_equal(sandbox_open(f->store, "box", &one, NULL), -ENOENT);
}

/* What programs may leave: depth, modes, links, many names. */
static void fill(const struct fixture *f, const char *name)
{
	char path[512];
	int fd, up;

	(void) snprintf(path, sizeof(path), "%s/%s/upper", f->path, name);
	up = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(up >= 0);
	assert_int_equal(symlinkat(f->dir, up, "out"), 0);
	assert_int_equal(mkfifoat(up, "fifo", 0), 0);
	for (int i = 0; i < 300; i++) {
		(void) snprintf(path, sizeof(path), "file%d", i);
		close(openat(up, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0));
	}
	assert_int_equal(mkdirat(up, "shut", 0700), 0);
	assert_int_equal(mkdirat(up, "shut/in", 0700), 0);
	assert_int_equal(mkdirat(up, "shut/in/side", 0700), 0);
	assert_int_equal(fchmodat(up, "shut/in", 0, 0), 0);
	assert_int_equal(fchmodat(up, "shut", 0, 0), 0);
	for (int i = 0; i < DEPTH; i++) {
		assert_int_equal(mkdirat(up, "directory", 0700), 0);
		close(openat(up, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
		fd = openat(up, "directory", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(fd >= 0);
		close(up);
		up = fd;
	}
	fd = openat(up, "deepest", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(posix_fallocate(fd, 0, 1 << 20), 0);
	assert_int_equal(linkat(up, "deepest", up, "second name", 0), 0);
	close(fd);
	close(up);
}

static void test_usage_and_remove(void **state)
{
	struct fixture *f = *state;
	_cleanup_(sandbox_freep) struct sandbox *sb = NULL;
	char **names;
	uint64_t bytes;
	size_t n;

	make(f, "box");
	assert_int_equal(sandbox_open(f->store, "box", &sb, NULL), 0);
	assert_int_equal(sandbox_usage(sb, &bytes), 0);
	assert_int_equal(bytes, 0);
	fill(f, "box");
	assert_int_equal(sandbox_usage(sb, &bytes), 0);
	assert_true(bytes >= 1 << 20);
	assert_true(bytes < (1 << 20) + (uint64_t) DEPTH * 16384 + (1 << 20) - 4096); /* two names count once */
	assert_int_equal(sandbox_remove(sb), 0);
	assert_int_equal(store_list(f->store, &names, &n), 0);
	assert_int_equal(n, 0);
	store_names_free(names);
	assert_int_equal(walk_names(f->sync, store_fd(f->store), &names), 0);
	assert_null(names[0]);
	walk_names_free(names);
	assert_int_equal(access(f->dir, F_OK), 0); /* where the link led */
}

static void test_ephemeral_and_sweep(void **state)
{
	struct fixture *f = *state;
	_cleanup_(sandbox_freep) struct sandbox *one = NULL, *two = NULL;
	char **names;
	size_t n;

	make(f, "kept");
	assert_int_equal(sandbox_create_ephemeral(f->store, "e", &one), 0);
	assert_int_equal(sandbox_create_ephemeral(f->store, "e", &two), 0);
	assert_string_not_equal(sandbox_name(one), sandbox_name(two));
	assert_int_equal(sandbox_save(one), 0);
	assert_int_equal(sandbox_save(two), 0);
	assert_int_equal(sandbox_lock(one), 1);
	assert_int_equal(mkdirat(store_fd(f->store), ".removing-0-x", 0700), 0);
	assert_int_equal(mkdirat(store_fd(f->store), ".removing-0-x/upper", 0), 0);
	store_sweep(f->store);
	assert_int_equal(faccessat(store_fd(f->store), ".removing-0-x", F_OK, 0), -1);
	assert_int_equal(store_list(f->store, &names, &n), 0);
	assert_int_equal(n, 2);
	assert_string_equal(names[0], sandbox_name(one));
	assert_string_equal(names[1], "kept");
	store_names_free(names);
}

/* Made, and killed before it was saved; as long ago as that. */
static void abandon(const struct fixture *f, const char *name, time_t seconds)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_NOW }, { .tv_sec = time(NULL) - seconds } };
	_cleanup_(sandbox_freep) struct sandbox *sb = NULL;

	assert_int_equal(sandbox_create(f->store, name, &sb, NULL), 1);
	assert_int_equal(utimensat(store_fd(f->store), name, times, 0), 0);
}

static void test_sweep_of_unsaved(void **state)
{
	static const char *const left[] = { "a-changed", "b-logged", "c-locked", "d-young", "e-saved", NULL };
	const struct timespec old[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };
	struct fixture *f = *state;
	_cleanup_(sandbox_freep) struct sandbox *locked = NULL, *saved = NULL;
	char **names;
	size_t n;

	abandon(f, "empty", 3600);
	abandon(f, "half", 3600);
	assert_int_equal(unlinkat(store_fd(f->store), "half/upper", AT_REMOVEDIR), 0);
	assert_int_equal(unlinkat(store_fd(f->store), "half/lock", 0), 0);
	assert_int_equal(utimensat(store_fd(f->store), "half", old, 0), 0);
	abandon(f, "a-changed", 3600);
	write_file(f, "a-changed/upper/thesis", "x");
	abandon(f, "b-logged", 3600);
	write_file(f, "b-logged/log", "x");
	assert_int_equal(utimensat(store_fd(f->store), "b-logged", old, 0), 0);
	abandon(f, "c-locked", 3600);
	assert_int_equal(sandbox_open(f->store, "c-locked", &locked, NULL), 0);
	assert_int_equal(sandbox_lock(locked), 1);
	abandon(f, "d-young", 10);
	abandon(f, "e-saved", 3600);
	assert_int_equal(sandbox_open(f->store, "e-saved", &saved, NULL), 0);
	assert_int_equal(sandbox_save(saved), 0);
	assert_int_equal(utimensat(store_fd(f->store), "e-saved", old, 0), 0);

	store_sweep(f->store);
	assert_int_equal(store_list(f->store, &names, &n), 0);
	for (size_t i = 0; i < n || left[i]; i++) {
		assert_true(i < n && left[i]);
		assert_string_equal(names[i], left[i]);
	}
	store_names_free(names);
}

/* Runs it with each operation failing in turn; it must fail, or do without, and free all it had. */
static void with_faults(struct fixture *f, int (*fn)(struct fixture *f), void (*check)(struct fixture *f))
{
	static const int errors[] = { EIO, ENOMEM, ENOSPC };

	for (size_t e = 0; e < ARRAY_SIZE(errors); e++)
		for (unsigned int count = 0;; count++) {
			unsigned int hits;

			io_engine_fault_set(f->fault, IO_N_KINDS, count, errors[e]);
			(void) fn(f);
			hits = io_engine_fault_hits(f->fault);
			io_engine_fault_set(f->fault, IO_N_KINDS, 0, 0);
			check(f);
			if (hits <= count)
				break;
		}
}

static int save_once(struct fixture *f)
{
	_cleanup_(sandbox_freep) struct sandbox *sb = NULL;
	int r = sandbox_open(f->store, "box", &sb, NULL);

	if (r < 0)
		return r;
	sandbox_settings(sb)->pid++;
	return sandbox_save(sb);
}

static void check_whole(struct fixture *f)
{
	_cleanup_(sandbox_freep) struct sandbox *sb = NULL;

	assert_int_equal(sandbox_open(f->store, "box", &sb, NULL), 0);
	assert_int_equal(sandbox_settings(sb)->n_lowers, 1);
}

static int make_and_remove(struct fixture *f)
{
	_cleanup_(sandbox_freep) struct sandbox *sb = NULL;
	uint64_t bytes;
	int r = sandbox_create(f->store, "brief", &sb, NULL);

	if (r >= 0)
		r = sandbox_save(sb);
	if (r >= 0)
		r = mkdirat(store_fd(f->store), "brief/upper/d", 0700);
	if (r >= 0)
		r = mkdirat(store_fd(f->store), "brief/upper/d/d", 0700);
	if (r >= 0)
		r = sandbox_usage(sb, &bytes);
	return r >= 0 ? sandbox_remove(sb) : r;
}

static void check_removable(struct fixture *f)
{
	_cleanup_(sandbox_freep) struct sandbox *sb = NULL;
	char **names;

	if (sandbox_open(f->store, "brief", &sb, NULL) == 0)
		assert_int_equal(sandbox_remove(sb), 0);
	store_sweep(f->store);
	assert_int_equal(walk_names(f->sync, store_fd(f->store), &names), 0);
	assert_null(names[0]);
	walk_names_free(names);
}

static int list_all(struct fixture *f)
{
	char **names;
	size_t n;
	int r = store_list(f->store, &names, &n);

	if (r == 0)
		store_names_free(names);
	return r;
}

static void test_faults(void **state)
{
	struct fixture *f = *state;

	with_faults(f, make_and_remove, check_removable);
	make(f, "box");
	with_faults(f, save_once, check_whole);
	with_faults(f, list_all, check_whole);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_default_path),
		cmocka_unit_test(test_names),
		cmocka_unit_test_setup_teardown(test_open_store, setup, teardown),
		cmocka_unit_test_setup_teardown(test_create_and_reopen, setup, teardown),
		cmocka_unit_test_setup_teardown(test_list, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lock, setup, teardown),
		cmocka_unit_test_setup_teardown(test_usage_and_remove, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ephemeral_and_sweep, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sweep_of_unsaved, setup, teardown),
		cmocka_unit_test_setup_teardown(test_faults, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
