/* What a name means over several layers: whiteouts, opaque directories, redirects, and layers that lie. */

#include "fixture.h"

#include <sys/sysmacros.h>

#include "layer/meta.h"

static void test_one_lower(void **state)
{
	struct fixture *f = *state;
	struct entry e;

	layer_file(f, "l1/d/file", "text");
	layer_symlink(f, "d/file", "l1/link");
	fixture_open(f, 1);
	assert_content(f, "d/file", "text");
	assert_false(view_exists(f, "d/absent"));
	assert_int_equal(overlay_lookup(f->ov, &f->who, overlay_root(f->ov), "absent", &e), 0);
	assert_null(e.node);
	assert_int_equal(overlay_node_type(view_node(f, "link")), S_IFLNK);
	assert_int_equal(view_lookup(f, "d/file/x", &e), -ENOTDIR);
	assert_int_equal(view_stat(f, "").stx_ino, layer_stat(f, "l1").stx_ino);
	assert_int_equal(view_ino(f, "d/file"), layer_stat(f, "l1/d/file").stx_ino);
	assert_int_equal(view_stat(f, "d/file").stx_mtime.tv_sec, FIXTURE_OLD);
}

static void test_names(void **state)
{
	static const char *const bad[] = { "", ".", "..", "a/b", "/" };
	struct fixture *f = *state;
	char name[300];
	struct entry e;

	fixture_open(f, 1);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(overlay_lookup(f->ov, &f->who, overlay_root(f->ov), bad[i], &e), -EINVAL);
	(void) memset(name, 'n', sizeof(name));
	name[256] = '\0';
	assert_int_equal(overlay_lookup(f->ov, &f->who, overlay_root(f->ov), name, &e), -ENAMETOOLONG);
	name[255] = '\0';
	assert_int_equal(overlay_lookup(f->ov, &f->who, overlay_root(f->ov), name, &e), 0);
}

static void test_two_lowers(void **state)
{
	struct fixture *f = *state;

	layer_file(f, "l1/both", "above");
	layer_file(f, "l2/both", "below");
	layer_file(f, "l1/m/a", "a");
	layer_file(f, "l2/m/b", "b");
	layer_file(f, "l2/only", "below");
	layer_file(f, "l1/file-over-dir", "file");
	layer_file(f, "l2/file-over-dir/x", "x");
	layer_dir(f, "l1/dir-over-file");
	layer_file(f, "l2/dir-over-file", "x");
	fixture_open(f, 2);
	assert_content(f, "both", "above");
	assert_content(f, "only", "below");
	assert_names(f, "m", "a b");
	assert_content(f, "file-over-dir", "file");
	assert_names(f, "dir-over-file", "");
	assert_names(f, "", "both dir-over-file file-over-dir m only");
}

/* A file between two directories ends the merge: what is below it is not seen. */
static void test_file_between(void **state)
{
	struct fixture *f = *state;

	layer_file(f, "l1/d/a", "");
	layer_file(f, "l2/d", "");
	layer_file(f, "l3/d/c", "");
	fixture_open(f, 3);
	assert_names(f, "d", "a");
}

static void test_64_lowers(void **state)
{
	struct fixture *f = *state;
	char path[64], text[16];

	for (int i = 1; i <= 64; i++) {
		(void) snprintf(path, sizeof(path), "l%d/d/file%02d", i, i);
		(void) snprintf(text, sizeof(text), "%d", i);
		layer_file(f, path, text);
		(void) snprintf(path, sizeof(path), "l%d/all", i);
		layer_file(f, path, text);
		(void) snprintf(path, sizeof(path), "l%d/d/sub/s%d", i, i % 7);
		layer_file(f, path, text);
	}
	layer_whiteout(f, "l63/d/file64");
	fixture_open(f, 64);
	assert_content(f, "all", "1");
	assert_content(f, "d/file01", "1");
	assert_content(f, "d/file63", "63");
	assert_false(view_exists(f, "d/file64"));
	assert_names(f, "d/sub", "s0 s1 s2 s3 s4 s5 s6");
	assert_content(f, "d/sub/s0", "7");
	assert_int_equal(view_append(f, "d/file63", "!"), 0);
	assert_content(f, "d/file63", "63!");
	assert_true(layer_exists(f, "upper/d/file63"));
}

static void test_whiteouts(void **state)
{
	struct fixture *f = *state;

	layer_file(f, "l3/device", "");
	layer_file(f, "l3/named", "");
	layer_file(f, "l3/x/attribute", "");
	layer_file(f, "l3/dir/x", "");
	layer_file(f, "l3/back", "below");
	layer_whiteout(f, "l2/device");
	layer_file(f, "l2/.wh.named", "");
	layer_file(f, "l2/x/attribute", "");
	layer_attr(f, "l2/x/attribute", META_WHITEOUT, "");
	layer_attr(f, "l2/x", META_OPAQUE, "x");
	layer_whiteout(f, "l2/dir");
	layer_whiteout(f, "l2/back");
	layer_file(f, "l1/back", "above");
	layer_dir(f, "l1/dir");
	layer_whiteout(f, "l3/of-nothing");
	fixture_open(f, 3);
	assert_false(view_exists(f, "device"));
	assert_false(view_exists(f, "named"));
	assert_false(view_exists(f, ".wh.named"));
	assert_false(view_exists(f, "x/attribute"));
	assert_false(view_exists(f, "of-nothing"));
	assert_content(f, "back", "above");
	assert_names(f, "dir", "");
	assert_names(f, "x", "");
	assert_names(f, "", "back dir x");
}

static void test_whiteout_names_in_the_lowest(void **state)
{
	struct fixture *f = *state;

	layer_file(f, "l2/.wh.plain", "a file");
	layer_file(f, "l2/plain", "x");
	fixture_open(f, 2);
	assert_content(f, "plain", "x");
	assert_content(f, ".wh.plain", "a file");
}

/* Whiteout names in an upper that we began are plain names too. */
static void test_whiteout_names_in_our_upper(void **state)
{
	struct fixture *f = *state;

	layer_file(f, "l1/plain", "x");
	fixture_open(f, 1);
	assert_int_equal(view_write(f, ".wh.plain", "mine"), 0);
	assert_content(f, "plain", "x");
	assert_content(f, ".wh.plain", "mine");
	fixture_reopen(f);
	assert_content(f, "plain", "x");
	assert_content(f, ".wh.plain", "mine");
	assert_names(f, "", ".wh.plain plain");
}

static void test_opaque(void **state)
{
	struct fixture *f = *state;

	for (const char *const *p = (const char *const[]) { "y", "wh", "fuse", "x", "plain", NULL }; *p; p++) {
		char path[32];

		(void) snprintf(path, sizeof(path), "l2/%s/below", *p);
		layer_file(f, path, "");
		(void) snprintf(path, sizeof(path), "l1/%s/above", *p);
		layer_file(f, path, "");
	}
	layer_attr(f, "l1/y", META_OPAQUE, "y");
	layer_file(f, "l1/wh/.wh..wh..opq", "");
	layer_xattr(f, "l1/fuse", "user.fuseoverlayfs.opaque", "y", 1);
	layer_attr(f, "l1/x", META_OPAQUE, "x");
	fixture_open(f, 2);
	assert_names(f, "y", "above");
	assert_names(f, "wh", "above");
	assert_names(f, "fuse", "above");
	assert_names(f, "x", "above below");
	assert_names(f, "plain", "above below");
	assert_false(view_exists(f, "y/below"));
	assert_false(view_exists(f, "wh/.wh..wh..opq"));
}

/* An opaque root hides the layers below it. */
static void test_opaque_root(void **state)
{
	struct fixture *f = *state;

	layer_file(f, "l1/above", "");
	layer_attr(f, "l1", META_OPAQUE, "y");
	layer_file(f, "l2/below", "");
	fixture_open(f, 2);
	assert_names(f, "", "above");
	assert_false(view_exists(f, "below"));
}

static void test_relative_redirect(void **state)
{
	struct fixture *f = *state;

	layer_file(f, "l2/p/old/below", "below");
	layer_file(f, "l1/p/new/above", "above");
	layer_attr(f, "l1/p/new", META_REDIRECT, "old");
	layer_whiteout(f, "l1/p/old");
	layer_ours(f, "l1");
	fixture_open(f, 2);
	assert_names(f, "p", "new");
	assert_names(f, "p/new", "above below");
	assert_content(f, "p/new/below", "below");
	assert_int_equal(view_append(f, "p/new/below", "!"), 0);
	fixture_reopen(f);
	assert_content(f, "p/new/below", "below!");
}

static void test_absolute_redirect(void **state)
{
	struct fixture *f = *state;

	layer_file(f, "l3/a/b/c/below", "below");
	layer_file(f, "l2/a/b/c/middle", "middle");
	layer_file(f, "l1/new/above", "above");
	layer_attr(f, "l1/new", META_REDIRECT, "/a/b/c");
	layer_ours(f, "l1");
	fixture_open(f, 3);
	assert_names(f, "new", "above below middle");
	assert_content(f, "new/below", "below");
	assert_names(f, "", "a new");
}

/* The directory that the redirect of the top layer leads to was itself renamed in the middle one. */
static void test_redirect_through_renamed(void **state)
{
	struct fixture *f = *state;

	layer_file(f, "l3/first/sub/below", "below");
	layer_dir(f, "l2/second/sub");
	layer_attr(f, "l2/second", META_REDIRECT, "first");
	layer_whiteout(f, "l2/first");
	layer_file(f, "l1/third/above", "above");
	layer_attr(f, "l1/third", META_REDIRECT, "/second/sub");
	layer_whiteout(f, "l1/second");
	layer_ours(f, "l1");
	layer_ours(f, "l2");
	fixture_open(f, 3);
	assert_names(f, "", "third");
	assert_names(f, "third", "above below");
	assert_content(f, "third/below", "below");
}

/* A renamed directory within a renamed one, with the redirect of the inner one relative. */
static void test_redirect_within_redirect(void **state)
{
	struct fixture *f = *state;

	layer_file(f, "l2/a/b/below", "below");
	layer_dir(f, "l1/x/y");
	layer_attr(f, "l1/x", META_REDIRECT, "a");
	layer_attr(f, "l1/x/y", META_REDIRECT, "b");
	layer_whiteout(f, "l1/x/b");
	layer_whiteout(f, "l1/a");
	layer_ours(f, "l1");
	fixture_open(f, 2);
	assert_names(f, "", "x");
	assert_names(f, "x", "y");
	assert_content(f, "x/y/below", "below");
}

static void test_redirect_to_nothing(void **state)
{
	struct fixture *f = *state;

	layer_file(f, "l1/a/above", "");
	layer_attr(f, "l1/a", META_REDIRECT, "/not/there");
	layer_file(f, "l1/b/above", "");
	layer_attr(f, "l1/b", META_REDIRECT, "/file");
	layer_file(f, "l1/c/above", "");
	layer_attr(f, "l1/c", META_REDIRECT, "/link/d");
	layer_file(f, "l2/file", "");
	layer_file(f, "l2/d/below", "");
	layer_symlink(f, ".", "l2/link");
	layer_file(f, "l2/a/below", "");
	layer_ours(f, "l1");
	fixture_open(f, 2);
	assert_names(f, "a", "above");
	assert_names(f, "b", "above");
	assert_names(f, "c", "above"); /* a link in the way is not followed */
}

/* The directory that is led to may be whited out, or opaque, in the middle. */
static void test_redirect_and_whiteouts(void **state)
{
	struct fixture *f = *state;

	layer_file(f, "l3/gone/below", "");
	layer_whiteout(f, "l2/gone");
	layer_file(f, "l1/a/above", "");
	layer_attr(f, "l1/a", META_REDIRECT, "/gone");
	layer_file(f, "l3/o/sub/below", "");
	layer_file(f, "l2/o/sub/middle", "");
	layer_attr(f, "l2/o", META_OPAQUE, "y");
	layer_file(f, "l1/b/above", "");
	layer_attr(f, "l1/b", META_REDIRECT, "/o/sub");
	layer_ours(f, "l1");
	fixture_open(f, 3);
	assert_names(f, "a", "above");
	assert_names(f, "b", "above middle");
}

static void test_forged_redirects(void **state)
{
	static const char *const forged[] = { "..", ".", "a/b", "/../etc", "/a/../b", "//", "/a/", "" };
	struct fixture *f = *state;
	struct entry e;

	layer_dir(f, "l1/d");
	layer_dir(f, "l2/d");
	layer_ours(f, "l1");
	fixture_open(f, 2);
	for (size_t i = 0; i < ARRAY_SIZE(forged); i++) {
		layer_attr(f, "l1/d", META_REDIRECT, forged[i]);
		assert_int_equal(view_lookup(f, "d", &e), -EIO);
	}
}

/* Attributes that anybody may set on what is his own: who made the layer decides whether they are believed. */
static void test_redirects_of_users(void **state)
{
	struct fixture *f = *state;

	layer_file(f, "l3/secret/key", "x");
	layer_dir(f, "l2/ours");
	layer_dir(f, "l1/forged");
	layer_dir(f, "l1/senseless");
	layer_dir(f, "upper/above");
	layer_xattr(f, "l2/ours", "user.overlay.redirect", "/secret", 7);
	layer_xattr(f, "l1/forged", "user.overlay.redirect", "/secret", 7);
	layer_xattr(f, "l1/senseless", "user.overlay.redirect", "a/b", 3);
	layer_xattr(f, "upper/above", "user.overlay.redirect", "/secret", 7);
	f->userxattr = true; /* for root too */
	layer_ours(f, "l2");
	f->config.userxattr = true;
	fixture_open(f, 3);
	assert_names(f, "forged", "");
	assert_names(f, "senseless", "");
	assert_names(f, "ours", "key");
	assert_names(f, "above", "key");
	assert_int_equal(view_rename(f, "forged", "renamed", 0), 0);
	fixture_reopen(f);
	assert_names(f, "renamed", "");
}

/* Nothing that a layer holds leads out of it. */
static void test_contained(void **state)
{
	struct fixture *f = *state;
	struct entry e;

	layer_file(f, "secret/file", "secret");
	layer_symlink(f, "../secret", "l1/link");
	layer_dir(f, "l1/d");
	layer_attr(f, "l1/d", META_REDIRECT, "/link");
	layer_symlink(f, "../secret", "l2/link");
	layer_ours(f, "l1");
	fixture_open(f, 2);
	assert_int_equal(view_lookup(f, "link/file", &e), -ENOTDIR);
	assert_names(f, "d", "");
}

static void test_numbers_of_merged(void **state)
{
	struct fixture *f = *state;
	uint64_t ino;

	layer_file(f, "l1/m/a", "a");
	layer_file(f, "l2/m/b", "b");
	fixture_open(f, 2);
	ino = view_ino(f, "m");
	assert_int_equal(view_mkdir(f, "m/new"), 0);
	assert_int_equal(view_ino(f, "m"), ino);
	fixture_reopen(f);
	assert_int_equal(view_ino(f, "m"), ino);
}

/* An upper by another program, without records: a directory keeps the number that it has below. */
static void test_foreign_upper(void **state)
{
	struct fixture *f = *state;
	uint64_t ino;

	layer_file(f, "l1/d/below", "");
	layer_file(f, "l1/gone", "");
	layer_file(f, "upper/d/above", "");
	layer_file(f, "upper/.wh.gone", "");
	fixture_open(f, 1);
	ino = layer_stat(f, "l1/d").stx_ino;
	assert_int_equal(view_ino(f, "d"), ino);
	assert_names(f, "d", "above below");
	assert_false(view_exists(f, "gone"));
	assert_int_equal(view_write(f, "gone", "new"), 0);
	assert_content(f, "gone", "new");
	fixture_reopen(f);
	assert_content(f, "gone", "new");
	assert_names(f, "", "d gone");
}

/* Two names of one object are one node; a look-up twice gives the same. */
static void test_one_node(void **state)
{
	struct fixture *f = *state;

	layer_file(f, "l1/a", "x");
	layer_link(f, "l1/a", "l1/d/b");
	fixture_open(f, 1);
	assert_ptr_equal(view_node(f, "a"), view_node(f, "d/b"));
	assert_ptr_equal(view_node(f, "d"), view_node(f, "d"));
	assert_int_equal(view_stat(f, "a").stx_nlink, 2);
}

static void test_devices(void **state)
{
	struct fixture *f = *state;
	struct statx stx;
	char path[PATH_MAX];

	if (geteuid() != 0) {
		print_message("skipped: only root makes devices\n");
		skip();
	}
	layer_dir(f, "l1");
	(void) snprintf(path, sizeof(path), "%s/l1/null", f->dir);
	assert_int_equal(mknod(path, S_IFCHR | 0666, makedev(1, 3)), 0);
	(void) snprintf(path, sizeof(path), "%s/l1/mem", f->dir);
	assert_int_equal(mknod(path, S_IFCHR | 0600, makedev(1, 1)), 0);
	(void) snprintf(path, sizeof(path), "%s/l1/disk", f->dir);
	assert_int_equal(mknod(path, S_IFBLK | 0600, makedev(8, 0)), 0);
	fixture_open(f, 1);
	assert_int_equal(view_stat(f, "mem").stx_rdev_minor, 1);
	fixture_close(f);
	f->config.devices = OVERLAY_DEVICES_HARMLESS;
	assert_int_equal(fixture_try_open(f), 0);
	stx = view_stat(f, "null");
	assert_int_equal(stx.stx_rdev_major, 1);
	stx = view_stat(f, "mem");
	assert_true(S_ISCHR(stx.stx_mode) && stx.stx_rdev_major == 0 && stx.stx_rdev_minor == 0);
	stx = view_stat(f, "disk");
	assert_int_equal(stx.stx_rdev_major, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_one_lower),
		FIXTURE_TEST(test_names),
		FIXTURE_TEST(test_two_lowers),
		FIXTURE_TEST(test_file_between),
		FIXTURE_TEST(test_64_lowers),
		FIXTURE_TEST(test_whiteouts),
		FIXTURE_TEST(test_whiteout_names_in_the_lowest),
		FIXTURE_TEST(test_whiteout_names_in_our_upper),
		FIXTURE_TEST(test_opaque),
		FIXTURE_TEST(test_opaque_root),
		FIXTURE_TEST(test_relative_redirect),
		FIXTURE_TEST(test_absolute_redirect),
		FIXTURE_TEST(test_redirect_through_renamed),
		FIXTURE_TEST(test_redirect_within_redirect),
		FIXTURE_TEST(test_redirect_to_nothing),
		FIXTURE_TEST(test_redirect_and_whiteouts),
		FIXTURE_TEST(test_forged_redirects),
		FIXTURE_TEST(test_redirects_of_users),
		FIXTURE_TEST(test_contained),
		FIXTURE_TEST(test_numbers_of_merged),
		FIXTURE_TEST(test_foreign_upper),
		FIXTURE_TEST(test_one_node),
		FIXTURE_TEST(test_devices),
	};

	return FIXTURE_RUN(tests);
}
