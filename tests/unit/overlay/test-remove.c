/* Removing: what the upper alone has goes, what a lower has is hidden; both over a re-opening. */

#include "fixture.h"

#include "layer/meta.h"

static void test_unlink(void **state)
{
	struct fixture *f = *state;

	layer_file(f, "l1/lower", "x");
	layer_file(f, "l1/both", "x");
	layer_file(f, "l2/under", "x");
	layer_whiteout(f, "l1/under");
	fixture_open(f, 2);
	assert_int_equal(view_write(f, "upper", "x"), 0);
	assert_int_equal(view_append(f, "both", "y"), 0);
	assert_int_equal(view_write(f, "under", "again"), 0);
	assert_int_equal(view_unlink(f, "lower"), 0);
	assert_int_equal(view_unlink(f, "both"), 0);
	assert_int_equal(view_unlink(f, "upper"), 0);
	assert_int_equal(view_unlink(f, "under"), 0);
	assert_int_equal(view_unlink(f, "upper"), -ENOENT);
	assert_int_equal(view_unlink(f, "lower"), -ENOENT);
	assert_names(f, "", "");
	assert_true(layer_is_whiteout(f, "upper/lower"));
	assert_true(layer_is_whiteout(f, "upper/both"));
	assert_false(layer_exists(f, "upper/upper"));
	assert_true(layer_exists(f, "l1/lower"));
	fixture_reopen(f);
	assert_names(f, "", "");
}

static void test_unlink_refusals(void **state)
{
	struct fixture *f = *state;

	layer_file(f, "l1/d/x", "x");
	layer_file(f, "l1/file", "x");
	fixture_open(f, 1);
	assert_int_equal(view_unlink(f, "d"), -EISDIR);
	assert_int_equal(view_rmdir(f, "file"), -ENOTDIR);
	assert_int_equal(view_rmdir(f, "d"), -ENOTEMPTY);
	assert_int_equal(view_rmdir(f, "absent"), -ENOENT);
	assert_int_equal(view_unlink(f, "d/."), -EINVAL);
	assert_int_equal(view_rmdir(f, "d/.."), -EINVAL);
	assert_int_equal(view_rmdir(f, "d/."), -EINVAL);
}

static void test_rmdir(void **state)
{
	struct fixture *f = *state;

	layer_dir(f, "l1/lower");
	layer_file(f, "l1/merged/below", "");
	layer_file(f, "l2/merged/deeper", "");
	layer_dir(f, "l1/copied");
	fixture_open(f, 2);
	assert_int_equal(view_mkdir(f, "upper"), 0);
	assert_int_equal(view_chmod(f, "copied", 0700), 0);
	assert_int_equal(view_write(f, "merged/above", ""), 0);
	assert_int_equal(view_rmdir(f, "merged"), -ENOTEMPTY);
	assert_int_equal(view_unlink(f, "merged/above"), 0);
	assert_int_equal(view_rmdir(f, "merged"), -ENOTEMPTY);
	assert_int_equal(view_unlink(f, "merged/below"), 0);
	assert_int_equal(view_unlink(f, "merged/deeper"), 0);
	assert_int_equal(view_rmdir(f, "merged"), 0);
	assert_int_equal(view_rmdir(f, "lower"), 0);
	assert_int_equal(view_rmdir(f, "copied"), 0);
	assert_int_equal(view_rmdir(f, "upper"), 0);
	assert_names(f, "", "");
	assert_false(layer_exists(f, "upper/upper"));
	assert_true(layer_is_whiteout(f, "upper/merged"));
	fixture_reopen(f);
	assert_names(f, "", "");
}

/* A directory of the upper alone may hold whiteouts: it was renamed, or what they hid is gone. */
static void test_rmdir_with_whiteouts(void **state)
{
	struct fixture *f = *state;

	layer_file(f, "l1/d/a", "");
	layer_file(f, "l1/d/sub/b", "");
	fixture_open(f, 1);
	assert_int_equal(view_unlink(f, "d/sub/b"), 0);
	assert_int_equal(view_rename(f, "d", "moved", 0), 0);
	assert_int_equal(view_unlink(f, "moved/a"), 0);
	assert_int_equal(view_rmdir(f, "moved/sub"), 0);
	assert_names(f, "moved", "");
	assert_int_equal(view_rmdir(f, "moved"), 0);
	assert_names(f, "", "");
	fixture_reopen(f);
	assert_names(f, "", "");
	assert_false(layer_exists(f, "upper/moved"));
}

/* Also a whiteout that hides nothing, in a directory that we began ourselves. */
static void test_rmdir_with_stray_whiteouts(void **state)
{
	struct fixture *f = *state;

	layer_dir(f, "l1");
	layer_whiteout(f, "upper/d/stray");
	layer_dir(f, "upper/d");
	fixture_open(f, 1);
	assert_names(f, "d", "");
	assert_int_equal(view_rmdir(f, "d"), 0);
	assert_false(layer_exists(f, "upper/d"));
	assert_int_equal(view_mkdir(f, "d"), 0);
	assert_names(f, "d", "");
}

/* A name that goes and comes: the layers below never show through. */
static void test_again_and_again(void **state)
{
	struct fixture *f = *state;

	layer_file(f, "l1/n/x", "below");
	fixture_open(f, 1);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(view_unlink(f, i ? "n" : "n/x"), 0);
		if (i == 0)
			assert_int_equal(view_rmdir(f, "n"), 0);
		assert_false(view_exists(f, "n"));
		assert_int_equal(view_mkdir(f, "n"), 0);
		assert_names(f, "n", "");
		assert_int_equal(view_rmdir(f, "n"), 0);
		assert_int_equal(view_write(f, "n", "file"), 0);
		fixture_reopen(f);
		assert_content(f, "n", "file");
	}
}

/* The upper's object lies over several: one whiteout hides them all. */
static void test_three_layers(void **state)
{
	struct fixture *f = *state;

	layer_file(f, "l3/a", "3");
	layer_file(f, "l2/a", "2");
	layer_file(f, "l1/a", "1");
	fixture_open(f, 3);
	assert_int_equal(view_append(f, "a", "!"), 0);
	assert_int_equal(view_unlink(f, "a"), 0);
	assert_false(view_exists(f, "a"));
	fixture_reopen(f);
	assert_false(view_exists(f, "a"));
}

static void test_deleted_but_open(void **state)
{
	struct fixture *f = *state;
	struct overlay_file *lower, *upper;
	struct statx stx;
	struct node *n;
	char buf[16];

	layer_file(f, "l1/lower", "lower");
	fixture_open(f, 1);
	assert_int_equal(view_write(f, "upper", "upper"), 0);
	assert_int_equal(view_open(f, "lower", O_RDONLY, &lower), 0);
	assert_int_equal(view_open(f, "upper", O_RDWR, &upper), 0);
	n = view_node(f, "upper");
	assert_int_equal(view_unlink(f, "lower"), 0);
	assert_int_equal(view_unlink(f, "upper"), 0);
	assert_int_equal(view_write(f, "upper", "another"), 0);
	assert_int_equal(overlay_read(lower, buf, sizeof(buf), 0), 5);
	assert_memory_equal(buf, "lower", 5);
	assert_int_equal(overlay_write(upper, "!", 1, 5, false), 1);
	assert_int_equal(overlay_read(upper, buf, sizeof(buf), 0), 6);
	assert_int_equal(overlay_getattr(f->ov, &f->who, n, NULL, &stx), 0);
	assert_int_equal(stx.stx_nlink, 0);
	assert_int_equal(stx.stx_size, 6);
	assert_int_equal(overlay_setattr(f->ov, &f->who, n, upper, &(struct attr_change) { .valid = ATTR_SIZE, .size = 2 }, &stx), 0);
	assert_int_equal(stx.stx_size, 2);
	assert_int_equal(overlay_setattr(f->ov, &f->who, n, NULL, &(struct attr_change) { .valid = ATTR_MODE, .mode = 0600 }, &stx), 0);
	assert_int_equal(stx.stx_mode & 07777, 0600);
	overlay_release(lower);
	overlay_release(upper);
	assert_content(f, "upper", "another");
}

/* One that was deleted while it was open for reading, below: it can still be changed by whoever holds it. */
static void test_deleted_lower_is_changed(void **state)
{
	const struct attr_change mode = { .valid = ATTR_MODE, .mode = 0640 };
	struct fixture *f = *state;
	struct overlay_file *file;
	struct statx stx;
	struct node *n;
	char buf[16];

	layer_file(f, "l1/lower", "lower");
	fixture_open(f, 1);
	n = view_node(f, "lower");
	assert_int_equal(view_open(f, "lower", O_RDONLY, &file), 0);
	assert_int_equal(view_unlink(f, "lower"), 0);
	assert_int_equal(overlay_setattr(f->ov, &f->who, n, file, &mode, &stx), 0);
	assert_int_equal(stx.stx_mode & 07777, 0640);
	assert_int_equal(stx.stx_nlink, 0);
	assert_int_equal(overlay_read(file, buf, sizeof(buf), 0), 5);
	overlay_release(file);
	assert_int_equal(layer_stat(f, "l1/lower").stx_mode & 07777, 0644);
	assert_false(view_exists(f, "lower"));
}

/* Links: the last name decides. */
static void test_links(void **state)
{
	struct fixture *f = *state;
	struct node *n;
	struct statx stx;

	layer_dir(f, "l1");
	fixture_open(f, 1);
	assert_int_equal(view_write(f, "a", "text"), 0);
	assert_int_equal(view_link(f, "a", "b"), 0);
	n = view_node(f, "a");
	assert_int_equal(view_unlink(f, "a"), 0);
	assert_int_equal(overlay_getattr(f->ov, &f->who, n, NULL, &stx), 0);
	assert_int_equal(stx.stx_nlink, 1);
	assert_ptr_equal(view_node(f, "b"), n);
	assert_int_equal(view_unlink(f, "b"), 0);
	assert_int_equal(overlay_getattr(f->ov, &f->who, n, NULL, &stx), 0);
	assert_int_equal(stx.stx_nlink, 0);
}

/* Of links in a lower one name goes: the others keep count. */
static void test_lower_links(void **state)
{
	struct fixture *f = *state;
	uint64_t ino;

	layer_file(f, "l1/a", "text");
	layer_link(f, "l1/a", "l1/b");
	layer_link(f, "l1/a", "l1/d/c");
	fixture_open(f, 1);
	ino = view_ino(f, "b");
	assert_int_equal(view_unlink(f, "a"), 0);
	assert_int_equal(view_stat(f, "b").stx_nlink, 2);
	assert_int_equal(view_ino(f, "b"), ino);
	fixture_reopen(f);
	assert_int_equal(view_stat(f, "d/c").stx_nlink, 2);
	assert_int_equal(view_ino(f, "d/c"), ino);
	assert_int_equal(view_append(f, "b", "!"), 0);
	assert_content(f, "d/c", "text!");
	assert_int_equal(view_unlink(f, "b"), 0);
	assert_int_equal(view_stat(f, "d/c").stx_nlink, 1);
	fixture_reopen(f);
	assert_int_equal(view_stat(f, "d/c").stx_nlink, 1);
	assert_content(f, "d/c", "text!");
	assert_int_equal(view_unlink(f, "d/c"), 0);
	fixture_reopen(f);
	assert_names(f, "", "d");
	assert_names(f, "d", "");
}

/* The last name of an object in the index goes: so does its place there. */
static void test_index_is_cleared(void **state)
{
	struct fixture *f = *state;
	char *dump;

	layer_file(f, "l1/a", "text");
	layer_link(f, "l1/a", "l1/b");
	fixture_open(f, 1);
	assert_int_equal(view_append(f, "a", "!"), 0);
	assert_int_equal(view_unlink(f, "a"), 0);
	assert_int_equal(view_unlink(f, "b"), 0);
	dump = layer_dump(f, "work/index");
	assert_null(strstr(dump, "\n 0")); /* no entry below the directory's own line */
	free(dump);
}

static void test_nothing_stays_in_work(void **state)
{
	struct fixture *f = *state;
	char *dump;

	layer_file(f, "l1/d/a", "");
	layer_file(f, "l1/e", "");
	fixture_open(f, 1);
	assert_int_equal(view_unlink(f, "d/a"), 0);
	assert_int_equal(view_rmdir(f, "d"), 0);
	assert_int_equal(view_append(f, "e", "x"), 0);
	assert_int_equal(view_unlink(f, "e"), 0);
	assert_int_equal(view_mkdir(f, "e"), 0);
	assert_int_equal(view_rmdir(f, "e"), 0);
	dump = layer_dump(f, "work/work");
	assert_null(strchr(dump, '#'));
	free(dump);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_unlink),
		FIXTURE_TEST(test_unlink_refusals),
		FIXTURE_TEST(test_rmdir),
		FIXTURE_TEST(test_rmdir_with_whiteouts),
		FIXTURE_TEST(test_rmdir_with_stray_whiteouts),
		FIXTURE_TEST(test_again_and_again),
		FIXTURE_TEST(test_three_layers),
		FIXTURE_TEST(test_deleted_but_open),
		FIXTURE_TEST(test_deleted_lower_is_changed),
		FIXTURE_TEST(test_links),
		FIXTURE_TEST(test_lower_links),
		FIXTURE_TEST(test_index_is_cleared),
		FIXTURE_TEST(test_nothing_stays_in_work),
	};

	return FIXTURE_RUN(tests);
}
