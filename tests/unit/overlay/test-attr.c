/* Attributes: what setattr changes, and what it leaves. */

#include "fixture.h"

#include "overlay/attr.h"

static void test_mode(void **state)
{
	struct fixture *f = *state;

	layer_file(f, "l1/file", "x");
	layer_dir(f, "l1/dir");
	fixture_open(f, 1);
	assert_int_equal(view_chmod(f, "file", 07654), 0);
	assert_int_equal(view_stat(f, "file").stx_mode, S_IFREG | 07654);
	assert_int_equal(view_chmod(f, "dir", 01777), 0);
	assert_int_equal(view_chmod(f, "", 0711), 0);
	fixture_reopen(f);
	assert_int_equal(view_stat(f, "file").stx_mode, S_IFREG | 07654);
	assert_int_equal(view_stat(f, "dir").stx_mode, S_IFDIR | 01777);
	assert_int_equal(view_stat(f, "").stx_mode, S_IFDIR | 0711);
	assert_int_equal(layer_stat(f, "l1/file").stx_mode & 07777, 0644);
}

static void test_times(void **state)
{
	struct fixture *f = *state;
	struct attr_change ch = {
		.valid = ATTR_ATIME | ATTR_MTIME, .atime = { 5, 123456789 }, .mtime = { -7, 999999999 },
	};
	struct statx stx;

	layer_file(f, "l1/file", "x");
	layer_symlink(f, "file", "l1/link");
	layer_fifo(f, "l1/fifo");
	fixture_open(f, 1);
	for (const char *const *p = (const char *const[]) { "file", "link", "fifo", NULL }; *p; p++) {
		assert_int_equal(view_setattr(f, *p, &ch), 0);
		stx = view_stat(f, *p);
		assert_int_equal(stx.stx_atime.tv_sec, 5);
		assert_int_equal(stx.stx_atime.tv_nsec, 123456789);
		assert_true(stx.stx_mtime.tv_sec == -7);
		assert_int_equal(stx.stx_mtime.tv_nsec, 999999999);
	}
	ch = (struct attr_change) { .valid = ATTR_MTIME, .mtime.tv_nsec = UTIME_NOW };
	assert_int_equal(view_setattr(f, "file", &ch), 0);
	stx = view_stat(f, "file");
	assert_int_equal(stx.stx_atime.tv_sec, 5);
	assert_true(stx.stx_mtime.tv_sec > FIXTURE_OLD);
}

static void test_size(void **state)
{
	const struct attr_change ch = { .valid = ATTR_SIZE, .size = 3 };
	struct fixture *f = *state;
	struct overlay_file *file;
	struct statx stx;

	layer_file(f, "l1/file", "0123456789");
	layer_file(f, "l1/held", "0123456789");
	layer_dir(f, "l1/dir");
	layer_fifo(f, "l1/fifo");
	fixture_open(f, 1);
	assert_int_equal(view_setattr(f, "file", &ch), 0);
	assert_content(f, "file", "012");
	assert_int_equal(view_open(f, "held", O_RDWR, &file), 0);
	assert_int_equal(overlay_setattr(f->ov, &f->who, view_node(f, "held"), file, &ch, &stx), 0);
	assert_int_equal(stx.stx_size, 3);
	overlay_release(file);
	assert_int_equal(view_setattr(f, "dir", &ch), -EISDIR);
	assert_int_equal(view_setattr(f, "fifo", &ch), -EINVAL);
}

static void test_owner(void **state)
{
	const struct attr_change uid = { .valid = ATTR_UID, .uid = 1234 }, gid = { .valid = ATTR_GID, .gid = 2345 };
	struct fixture *f = *state;
	struct statx stx;

	if (geteuid() != 0) {
		print_message("skipped: only root gives files away\n");
		skip();
	}
	layer_file(f, "l1/file", "x");
	layer_symlink(f, "x", "l1/link");
	fixture_open(f, 1);
	for (const char *const *p = (const char *const[]) { "file", "link", NULL }; *p; p++) {
		assert_int_equal(view_setattr(f, *p, &uid), 0);
		assert_int_equal(view_setattr(f, *p, &gid), 0);
		stx = view_stat(f, *p);
		assert_int_equal(stx.stx_uid, 1234);
		assert_int_equal(stx.stx_gid, 2345);
	}
}

static void test_kill_priv(void **state)
{
	const struct attr_change ch = { .valid = ATTR_KILL_PRIV }, size = { .valid = ATTR_KILL_PRIV | ATTR_SIZE, .size = 0 };
	struct fixture *f = *state;

	layer_file(f, "l1/file", "x");
	layer_mode(f, "l1/file", 06755);
	layer_file(f, "l1/other", "x");
	layer_mode(f, "l1/other", 06655);
	layer_dir(f, "l1/dir");
	layer_mode(f, "l1/dir", 02755);
	fixture_open(f, 1);
	assert_int_equal(view_setattr(f, "file", &ch), 0);
	assert_int_equal(view_stat(f, "file").stx_mode & 07777, 0755);
	assert_int_equal(view_setattr(f, "other", &size), 0);
	assert_int_equal(view_stat(f, "other").stx_mode & 07777, 0655);
	assert_int_equal(view_setattr(f, "dir", &ch), 0);
	assert_int_equal(view_stat(f, "dir").stx_mode & 07777, 02755);
}

static void test_links_of_directories(void **state)
{
	struct fixture *f = *state;

	layer_dir(f, "l1/low/a");
	layer_dir(f, "l1/m/a");
	layer_dir(f, "l2/m/b");
	fixture_open(f, 2);
	assert_int_equal(view_stat(f, "low").stx_nlink, 3);
	assert_int_equal(view_stat(f, "m").stx_nlink, 1); /* unknown, says that to find(1) */
	assert_int_equal(view_mkdir(f, "up"), 0);
	assert_int_equal(view_mkdir(f, "up/a"), 0);
	assert_int_equal(view_stat(f, "up").stx_nlink, 3);
	assert_int_equal(view_rmdir(f, "up/a"), 0);
	assert_int_equal(view_stat(f, "up").stx_nlink, 2);
}

static void test_readlink(void **state)
{
	struct fixture *f = *state;
	char target[4096], buf[4096];

	(void) memset(target, 't', sizeof(target));
	target[4095] = '\0';
	layer_symlink(f, "short", "l1/low");
	fixture_open(f, 1);
	assert_int_equal(overlay_readlink(f->ov, &f->who, view_node(f, "low"), buf, sizeof(buf)), 5);
	assert_int_equal(overlay_readlink(f->ov, &f->who, view_node(f, "low"), buf, 3), 3);
	if (view_symlink(f, target, "long") == 0) { /* file systems differ in what they take */
		assert_int_equal(overlay_readlink(f->ov, &f->who, view_node(f, "long"), buf, sizeof(buf)), 4095);
		assert_int_equal(view_rename(f, "long", "long2", 0), 0);
		assert_int_equal(overlay_readlink(f->ov, &f->who, view_node(f, "long2"), buf, sizeof(buf)), 4095);
	}
	assert_int_equal(overlay_readlink(f->ov, &f->who, overlay_root(f->ov), buf, sizeof(buf)), -EINVAL);
}

/* A layer that changes behind our back: the node is stale, and says so. */
static void test_stale(void **state)
{
	struct fixture *f = *state;
	struct overlay_file *file;
	struct statx stx;
	struct node *n, *open_one;

	layer_file(f, "l1/a", "x");
	layer_file(f, "l1/b", "x");
	fixture_open(f, 1);
	n = view_node(f, "a");
	open_one = view_node(f, "b");
	assert_int_equal(view_open(f, "b", O_RDONLY, &file), 0);
	assert_int_equal(unlinkat(f->fd, "l1/a", 0), 0);
	assert_int_equal(unlinkat(f->fd, "l1/b", 0), 0);
	assert_int_equal(overlay_getattr(f->ov, &f->who, n, NULL, &stx), -ESTALE);
	assert_int_equal(overlay_getattr(f->ov, &f->who, open_one, NULL, &stx), 0);
	assert_false(view_exists(f, "a"));
	overlay_release(file);
}

static void test_statfs(void **state)
{
	struct fixture *f = *state;
	struct statfs sf;

	fixture_open(f, 1);
	assert_int_equal(overlay_statfs(f->ov, &f->who, &sf), 0);
	assert_true(sf.f_bsize > 0 && sf.f_namelen > 0);
	io_engine_fault_set(f->fault, IO_STATFS, 0, EIO);
	assert_int_equal(overlay_statfs(f->ov, &f->who, &sf), -EIO);
	fixture_close(f);
	fixture_open_read_only(f, 1);
	assert_int_equal(overlay_statfs(f->ov, &f->who, &sf), 0);
}

/* Nothing that grows with hidden names: on many file systems so do a directory's size and blocks. */
static void test_size_tells_nothing(void **state)
{
	struct fixture *f = *state;
	struct statx with, without, free;
	char path[64];

	layer_dir(f, "l1/without");
	for (int i = 0; i < 500; i++) {
		(void) snprintf(path, sizeof(path), "l1/with/secret-with-a-long-name-%d", i);
		layer_file(f, path, "");
		(void) snprintf(path, sizeof(path), "l1/free/name-with-a-long-name-%d", i);
		layer_file(f, path, "");
	}
	fixture_set_policy(f, "hide /with/secret* /without/secret*\n");
	fixture_open(f, 1);
	with = view_stat(f, "with");
	without = view_stat(f, "without");
	free = view_stat(f, "free");
	assert_int_equal(with.stx_nlink, without.stx_nlink);
	assert_int_equal(with.stx_size, without.stx_size);
	assert_int_equal(with.stx_blocks, without.stx_blocks);
	assert_int_equal(free.stx_size, layer_stat(f, "l1/free").stx_size); /* as it is, where nothing can be hidden */
	assert_int_equal(overlay_getattr(f->ov, &f->who, view_node(f, "with"), NULL, &with), 0);
	assert_int_equal(with.stx_size, without.stx_size);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_mode),  FIXTURE_TEST(test_times),		FIXTURE_TEST(test_size),
		FIXTURE_TEST(test_owner), FIXTURE_TEST(test_kill_priv),		FIXTURE_TEST(test_links_of_directories),
		FIXTURE_TEST(test_readlink), FIXTURE_TEST(test_stale),		FIXTURE_TEST(test_statfs),
		FIXTURE_TEST(test_size_tells_nothing),
	};

	return FIXTURE_RUN(tests);
}
