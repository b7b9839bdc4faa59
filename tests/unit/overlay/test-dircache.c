/* Descriptors of directories: bounded, shared, checked, given up when they run out. */

#include "fixture.h"

#include <sys/resource.h>

#include "overlay/dircache.h"
#include "overlay/tree.h"

static unsigned int n_cached(struct fixture *f)
{
	struct overlay_counters c;

	overlay_count(f->ov, &c);
	return (unsigned int) c.n_dir_fds;
}

static void test_bounded(void **state)
{
	enum { MAX_FDS = 48 };
	struct fixture *f = *state;
	unsigned int before;
	char path[32];

	for (int i = 0; i < 300; i++) {
		(void) snprintf(path, sizeof(path), "l1/d%d/sub/file", i);
		layer_file(f, path, "");
	}
	fixture_configure(f, 1, true);
	f->config.max_dir_fds = MAX_FDS;
	assert_int_equal(fixture_try_open(f), 0);
	before = count_fds();
	for (int i = 0; i < 300; i++) {
		(void) snprintf(path, sizeof(path), "d%d/sub/file", i);
		(void) view_node(f, path);
		assert_in_range(n_cached(f), 0, MAX_FDS);
	}
	assert_in_range(count_fds() - before, 1, MAX_FDS);
	/* Whatever was closed is opened again. */
	for (int i = 0; i < 300; i += 7) {
		(void) snprintf(path, sizeof(path), "d%d/sub/file", i);
		assert_int_equal(view_chmod(f, path, 0600), 0);
	}
	dircache_shrink(f->ov);
	assert_int_equal(n_cached(f), 0);
	assert_int_equal(count_fds(), before);
	assert_true(view_exists(f, "d5/sub/file"));
}

static void test_shared(void **state)
{
	struct fixture *f = *state;
	struct dirfd *a, *b;
	struct node *dir;

	layer_file(f, "l1/d/file", "");
	fixture_open(f, 1);
	dir = view_node(f, "d");
	assert_int_equal(dirfd_get(f->ov, dir, 1, &a), 0);
	assert_int_equal(dirfd_get(f->ov, dir, 1, &b), 0);
	assert_ptr_equal(a, b);
	dircache_shrink(f->ov); /* not what is used */
	assert_true(fcntl(a->fd, F_GETFD) >= 0);
	dirfd_drop(f->ov, dir); /* out of the table, but open until the last user is done */
	assert_true(fcntl(a->fd, F_GETFD) >= 0);
	dirfd_put(f->ov, a);
	dirfd_put(f->ov, b);
	assert_int_equal(dirfd_get(f->ov, dir, LAYER_UPPER, &a), -ESTALE); /* has no part there */
}

/* A directory that a layer has replaced behind our back is not taken for the one that was meant. */
static void test_replaced(void **state)
{
	struct fixture *f = *state;
	struct node *dir;
	struct dirfd *d;
	struct entry e;

	layer_file(f, "l1/d/file", "");
	fixture_open(f, 1);
	dir = view_node(f, "d");
	assert_int_equal(renameat(f->fd, "l1/d", f->fd, "l1/old"), 0);
	layer_file(f, "l1/d/file", "forged");
	dircache_shrink(f->ov);
	assert_int_equal(dirfd_get(f->ov, dir, 1, &d), -ESTALE);
	assert_int_equal(overlay_lookup(f->ov, &f->who, dir, "file", &e), -ESTALE);
	assert_int_equal(renameat(f->fd, "l1/d", f->fd, "l1/forged"), 0);
	layer_symlink(f, "old", "l1/d");
	assert_int_equal(dirfd_get(f->ov, dir, 1, &d), -ESTALE);
}

/* Descriptors run out: what nobody uses is closed, and the call made again. */
static void test_out_of_descriptors(void **state)
{
	struct fixture *f = *state;
	struct overlay_file *file;
	char path[32];

	for (int i = 0; i < 20; i++) {
		(void) snprintf(path, sizeof(path), "l1/d%d/file", i);
		layer_file(f, path, "text");
	}
	fixture_open(f, 1);
	for (int i = 0; i < 20; i++) {
		(void) snprintf(path, sizeof(path), "d%d/file", i);
		(void) view_node(f, path);
	}
	assert_true(n_cached(f) > 2);
	for (unsigned int n = 0; n < 2; n++) {
		io_engine_fault_set(f->fault, IO_OPEN, n, EMFILE);
		assert_int_equal(view_open(f, "d3/file", O_RDONLY, &file), 0);
		overlay_release(file);
	}
	io_engine_fault_set(f->fault, IO_OPEN, 0, ENFILE);
	assert_names(f, "d4", "file");
}

/* The same with a true limit. */
static void test_low_limit(void **state)
{
	struct fixture *f = *state;
	struct rlimit old, low;
	char path[64];

	for (int i = 0; i < 100; i++) {
		(void) snprintf(path, sizeof(path), "l1/d%d/e%d/file", i, i);
		layer_file(f, path, "text");
	}
	fixture_configure(f, 1, true);
	f->config.max_dir_fds = 1000;
	assert_int_equal(fixture_try_open(f), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = (struct rlimit) { .rlim_cur = count_fds() + 20, .rlim_max = old.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	for (int i = 0; i < 100; i++) {
		(void) snprintf(path, sizeof(path), "d%d/e%d/file", i, i);
		(void) view_node(f, path);
		assert_int_equal(view_append(f, path, "!"), 0);
	}
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_content(f, "d99/e99/file", "text!");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_bounded),	       FIXTURE_TEST(test_shared),    FIXTURE_TEST(test_replaced),
		FIXTURE_TEST(test_out_of_descriptors), FIXTURE_TEST(test_low_limit),
	};

	return FIXTURE_RUN(tests);
}
