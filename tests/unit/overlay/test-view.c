/* A view from its layers: what is refused, what is claimed, what is masked, what a crash leaves. */

#include "fixture.h"

#include "layer/layer.h"
#include "overlay/mask.h"
#include "overlay/tree.h"

static void test_refusals(void **state)
{
	struct fixture *f = *state;
	int lowers[MAX_LAYERS];
	int file;

	layer_file(f, "file", "");
	fixture_configure(f, 1, true);
	f->config.n_lowers = 0;
	assert_int_equal(fixture_try_open(f), -EINVAL);
	for (size_t i = 0; i < ARRAY_SIZE(lowers); i++)
		lowers[i] = f->lower_fds[0];
	f->config.lower_fds = lowers;
	f->config.n_lowers = MAX_LAYERS;
	assert_int_equal(fixture_try_open(f), -EINVAL);
	f->config.n_lowers = 1;
	file = openat(f->fd, "file", O_PATH | O_CLOEXEC);
	lowers[0] = file;
	assert_int_equal(fixture_try_open(f), -ENOTDIR);
	lowers[0] = -EBADF;
	assert_int_equal(fixture_try_open(f), -EBADF);
	lowers[0] = f->lower_fds[0];
	(void) fd_close(f->config.upper_fd);
	f->config.upper_fd = file;
	assert_int_equal(fixture_try_open(f), -ENOTDIR);
	assert_null(f->ov);
}

static void test_other_file_system(void **state)
{
	struct fixture *f = *state;

	fixture_configure(f, 1, true);
	(void) fd_close(f->config.work_fd);
	f->config.work_fd = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(fixture_try_open(f), -EXDEV);
	(void) fd_close(f->config.upper_fd);
	f->config.upper_fd = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(fixture_try_open(f) < 0); /* takes no attributes */
}

static void test_most_layers(void **state)
{
	struct fixture *f = *state;
	int lowers[MAX_LAYERS - 1];

	layer_file(f, "l1/file", "text");
	fixture_configure(f, 1, false);
	for (size_t i = 0; i < ARRAY_SIZE(lowers); i++)
		lowers[i] = f->lower_fds[0];
	f->config.lower_fds = lowers;
	f->config.n_lowers = ARRAY_SIZE(lowers);
	assert_int_equal(fixture_try_open(f), 0);
	assert_content(f, "file", "text");
	assert_names(f, "", "file");
}

/* An upper that we begin is marked, one that holds something by others is not. */
static void test_claim(void **state)
{
	struct fixture *f = *state;
	struct meta_record rec;
	struct meta m;

	meta_init(&m, f->sync, f->userxattr);
	fixture_open(f, 1);
	assert_int_equal(meta_get_record(&m, f->fd, "upper", &rec), 1);
	assert_true(rec.has & META_RECORD_LAYER);
	assert_int_equal(view_write(f, ".wh.x", ""), 0);
	fixture_reopen(f);
	assert_int_equal(meta_get_record(&m, f->fd, "upper", &rec), 1);
	assert_true(rec.has & META_RECORD_LAYER);
	fixture_close(f);

	assert_int_equal(renameat(f->fd, "upper", f->fd, "old"), 0);
	layer_file(f, "upper/.wh.x", "");
	fixture_configure(f, 1, true);
	assert_int_equal(fixture_try_open(f), -ESTALE); /* the work directory is the old one's */
	assert_int_equal(renameat(f->fd, "work", f->fd, "old-work"), 0);
	layer_dir(f, "work");
	fixture_open(f, 1);
	assert_int_equal(meta_get_record(&m, f->fd, "upper", &rec), 1);
	assert_false(rec.has & META_RECORD_LAYER);
	assert_false(view_exists(f, ".wh.x"));
}

/* What a crash leaves in the work directory is cleared, whatever it is; the index stays. */
static void test_work_is_cleared(void **state)
{
	struct fixture *f = *state;
	char *dump;

	layer_file(f, "l1/a", "x");
	layer_link(f, "l1/a", "l1/b");
	fixture_open(f, 1);
	assert_int_equal(view_append(f, "a", "!"), 0);
	fixture_close(f);
	layer_file(f, "work/work/#1/sub/file", "x");
	layer_whiteout(f, "work/work/#2");
	layer_symlink(f, "../../upper", "work/work/#3");
	layer_dir(f, "work/work/#4/locked");
	layer_mode(f, "work/work/#4", 0);
	assert_int_equal(fixture_try_open(f), 0);
	dump = layer_dump(f, "work/work");
	assert_null(strchr(dump, '#'));
	free(dump);
	assert_content(f, "b", "x!");
	assert_true(layer_exists(f, "upper/a"));
}

static void test_masks(void **state)
{
	struct fixture *f = *state;
	struct overlay_mask masks[2];
	struct overlay_file *file;
	struct entry e;
	char buf[16];

	layer_file(f, "l1/masked/secret", "x");
	layer_file(f, "l1/d/deep/secret", "x");
	layer_file(f, "l2/masked/below", "x");
	layer_file(f, "l1/plain", "x");
	for (int i = 0; i < 2; i++) {
		struct statx stx;

		assert_int_equal(io_statx(f->sync, f->fd, i ? "l1/d" : "l1", STATX_INO, &stx), 0);
		assert_int_equal(statx(f->fd, i ? "l1/d/deep" : "l1/masked", 0, STATX_BASIC_STATS, &stx), 0);
		masks[i] = (struct overlay_mask) { .dev = statx_dev(&stx), .ino = stx.stx_ino };
	}
	fixture_configure(f, 2, true);
	f->config.masks = masks;
	f->config.n_masks = 2;
	assert_int_equal(fixture_try_open(f), 0);
	assert_names(f, "", "d masked plain");
	for (const char *const *p = (const char *const[]) { "masked", "d/deep", NULL }; *p; p++) {
		char path[64];

		assert_names(f, *p, "");
		(void) snprintf(path, sizeof(path), "%s/secret", *p);
		assert_false(view_exists(f, path));
		assert_int_equal(view_mkdir(f, path), -EROFS);
		assert_int_equal(view_chmod(f, *p, 0700), -EROFS);
		assert_int_equal(view_rmdir(f, *p), -EBUSY);
		assert_int_equal(view_rename(f, *p, "else", 0), -EBUSY);
		assert_int_equal(view_rename(f, "plain", *p, RENAME_EXCHANGE), -EBUSY);
		assert_int_equal(overlay_getxattr(f->ov, &f->who, view_node(f, *p), "user.x", buf, sizeof(buf)), -ENODATA);
		assert_int_equal(overlay_listxattr(f->ov, &f->who, view_node(f, *p), buf, sizeof(buf)), 0);
		assert_true(overlay_setxattr(f->ov, &f->who, view_node(f, *p), "user.x", "x", 1, 0, false) < 0);
		assert_int_equal(overlay_tmpfile(f->ov, &f->who, view_node(f, *p), 0600, O_RDWR, &e, &file), -EROFS);
		assert_int_equal(view_stat(f, *p).stx_nlink, 2);
	}
	assert_false(view_exists(f, "masked/below"));
	assert_int_equal(view_write(f, "d/other", "x"), 0); /* beside it all is well */
	assert_names(f, "d", "deep other");
	assert_int_equal(view_rename(f, "d", "d2", 0), 0);
	assert_names(f, "d2/deep", "");
}

/* What a kernel file system shows of its own is not part of a view: neither listed nor entered. */
static void test_pseudo_file_systems(void **state)
{
	struct fixture *f = *state;
	struct statx stx;
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(statx(AT_FDCWD, "/proc", 0, STATX_BASIC_STATS | STATX_MNT_ID, &stx), 0);
	if (root < 0 || !S_ISDIR(stx.stx_mode) || access("/proc/self/mountinfo", R_OK) < 0) {
		print_message("skipped: no /proc\n");
		(void) fd_close(root);
		skip();
	}
	fixture_configure(f, 1, false);
	f->config.lower_fds = &root;
	assert_int_equal(fixture_try_open(f), 0);
	assert_names(f, "proc", "");
	assert_false(view_exists(f, "proc/self"));
	(void) close(root);
}

static void test_own_mount(void **state)
{
	struct fixture *f = *state;
	struct statx stx;

	layer_dir(f, "l1/d");
	fixture_open(f, 1);
	stx = layer_stat(f, "l1/d");
	assert_int_equal(mask_filter(f->ov, &stx, statx_dev(&stx)), FILTER_ALL);
	stx.stx_dev_minor ^= 0x5a5a;
	overlay_set_own_dev(f->ov, statx_dev(&stx));
	assert_int_equal(mask_filter(f->ov, &stx, 0), FILTER_NOTHING);
}

static void test_read_only(void **state)
{
	struct fixture *f = *state;

	layer_file(f, "l1/a/x", "1");
	layer_file(f, "l2/a/y", "2");
	fixture_open_read_only(f, 2);
	assert_names(f, "a", "x y");
	assert_content(f, "a/y", "2");
	assert_int_equal(view_chmod(f, "a", 0700), -EROFS);
	assert_false(layer_exists(f, "work/work"));
}

/* One upper after the other on the same lower: each shows its own. */
static void test_same_layers_again(void **state)
{
	struct fixture *f = *state;
	char *first, *second;

	layer_file(f, "l1/a", "1");
	fixture_open(f, 1);
	assert_int_equal(view_write(f, "b", "2"), 0);
	assert_int_equal(view_unlink(f, "a"), 0);
	first = view_dump(f);
	fixture_reopen(f);
	second = view_dump(f);
	assert_string_equal(first, second);
	free(first);
	free(second);
	fixture_close(f);
	fixture_open_read_only(f, 1);
	assert_names(f, "", "a");
	assert_null(overlay_free(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_refusals),	   FIXTURE_TEST(test_other_file_system), FIXTURE_TEST(test_most_layers),
		FIXTURE_TEST(test_claim),	   FIXTURE_TEST(test_work_is_cleared),	 FIXTURE_TEST(test_masks),
		FIXTURE_TEST(test_pseudo_file_systems), FIXTURE_TEST(test_own_mount),	 FIXTURE_TEST(test_read_only),
		FIXTURE_TEST(test_same_layers_again),
	};

	return FIXTURE_RUN(tests);
}
