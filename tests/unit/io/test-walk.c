/* Names, size and removal of a tree that somebody else filled: deeper than a path can say, without permissions, mounted on. */

#include "fixture.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "io/walk.h"

#define DEPTH 3000

static int opened(struct fixture *f, const char *name)
{
	int fd = openat(f->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void test_names(void **state)
{
	struct fixture *f = *state;
	char **names;
	int fd, n = 0;

	layer_dir(f, "d/sub");
	layer_file(f, "d/.hidden", "");
	fd = opened(f, "d");
	for (int again = 0; again < 2; again++) {
		assert_int_equal(walk_names(f->fault, fd, &names), 0);
		for (n = 0; names[n]; n++)
			assert_true(strcmp(names[n], "sub") == 0 || strcmp(names[n], ".hidden") == 0);
		assert_int_equal(n, 2);
		names = walk_names_free(names);
	}
	io_engine_fault_set(f->fault, IO_GETDENTS, 0, EIO);
	assert_int_equal(walk_names(f->fault, fd, &names), -EIO);
	(void) close(fd);
}

/* d/n/n/n/…, with a file and an unreadable directory at the bottom. */
static void make_deep(struct fixture *f)
{
	int fd;

	layer_dir(f, "d");
	fd = opened(f, "d");
	for (int i = 0; i < DEPTH; i++) {
		int sub;

		assert_int_equal(mkdirat(fd, "n", 0700), 0);
		sub = openat(fd, "n", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(sub >= 0);
		(void) close(fd);
		fd = sub;
	}
	assert_int_equal(mkdirat(fd, "shut", 0000), 0);
	assert_int_equal(mknodat(fd, "file", S_IFREG | 0600, 0), 0);
	(void) close(fd);
}

/* Descriptors do not grow with the depth. */
static void test_deep(void **state)
{
	struct fixture *f = *state;
	struct rlimit was, few;
	uint64_t bytes;
	int fd;

	make_deep(f);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	fd = opened(f, "d");
	few = (struct rlimit) { .rlim_cur = (rlim_t) fd + 8, .rlim_max = was.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	assert_int_equal(walk_usage(f->fault, fd, &bytes), 0);
	assert_int_equal(walk_remove(f->fault, f->fd, "d"), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	assert_false(layer_exists(f, "d"));
	(void) close(fd);
}

static void test_empty(void **state)
{
	struct fixture *f = *state;
	int fd;

	layer_file(f, "d/a/b", "x");
	layer_symlink(f, "../l1", "d/to-lower");
	layer_file(f, "l1/kept", "x");
	fd = opened(f, "d");
	assert_int_equal(walk_empty(f->fault, fd), 0);
	assert_int_equal(walk_empty(f->fault, fd), 0);
	assert_true(layer_exists(f, "d"));
	assert_false(layer_exists(f, "d/a"));
	assert_false(layer_exists(f, "d/to-lower"));
	assert_true(layer_exists(f, "l1/kept"));
	(void) close(fd);
}

static void test_refused(void **state)
{
	struct fixture *f = *state;

	layer_file(f, "file", "x");
	layer_symlink(f, "l1", "link");
	assert_int_equal(walk_remove(f->fault, f->fd, "absent"), -ENOENT);
	assert_int_equal(walk_remove(f->fault, f->fd, "file"), -ENOTDIR);
	assert_int_equal(walk_remove(f->fault, f->fd, "link"), -ENOTDIR);
	layer_file(f, "d/a/b", "x");
	io_engine_fault_set(f->fault, IO_UNLINK, 1, EIO);
	assert_int_equal(walk_remove(f->fault, f->fd, "d"), -EIO);
	assert_int_equal(walk_remove(f->fault, f->fd, "d"), 0);
}

/* What is mounted in there is somebody else's. */
static void test_mounted(void **state)
{
	struct fixture *f = *state;
	char path[256];

	if (unshare(CLONE_NEWNS) < 0)
		skip(); /* only root may mount */
	assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	layer_file(f, "d/gone", "x");
	layer_dir(f, "d/a/mnt");
	(void) snprintf(path, sizeof(path), "%s/d/a/mnt", f->dir);
	assert_int_equal(mount("none", path, "tmpfs", 0, NULL), 0);
	layer_file(f, "d/a/mnt/kept", "x");
	assert_int_equal(walk_remove(f->fault, f->fd, "d"), -EBUSY);
	assert_true(layer_exists(f, "d/a/mnt/kept"));
	assert_int_equal(umount(path), 0);
	assert_int_equal(walk_remove(f->fault, f->fd, "d"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_names),   FIXTURE_TEST(test_deep),    FIXTURE_TEST(test_empty),
		FIXTURE_TEST(test_refused), FIXTURE_TEST(test_mounted),
	};

	return FIXTURE_RUN(tests);
}
