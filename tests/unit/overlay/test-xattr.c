/* Extended attributes: plain ones, and those of the format, which programs see and set only escaped. */

#include "fixture.h"

#include <sys/xattr.h>

#include "layer/meta.h"

static ssize_t get(struct fixture *f, const char *path, const char *attr, char *buf, size_t size)
{
	return overlay_getxattr(f->ov, &f->who, view_node(f, path), attr, buf, size);
}

static int set(struct fixture *f, const char *path, const char *attr, const char *value, int flags)
{
	return overlay_setxattr(f->ov, &f->who, view_node(f, path), attr, value, strlen(value), flags, false);
}

static int drop(struct fixture *f, const char *path, const char *attr)
{
	return overlay_removexattr(f->ov, &f->who, view_node(f, path), attr);
}

static bool listed(struct fixture *f, const char *path, const char *attr)
{
	char list[4096];
	ssize_t n = overlay_listxattr(f->ov, &f->who, view_node(f, path), list, sizeof(list));

	assert_true(n >= 0);
	assert_int_equal(overlay_listxattr(f->ov, &f->who, view_node(f, path), NULL, 0), n);
	if (n > 0)
		assert_int_equal(overlay_listxattr(f->ov, &f->who, view_node(f, path), list, (size_t) n - 1), -ERANGE);
	for (const char *p = list; p < list + n; p += strlen(p) + 1)
		if (strcmp(p, attr) == 0)
			return true;
	return false;
}

static void test_plain(void **state)
{
	struct fixture *f = *state;
	char buf[64];

	layer_file(f, "l1/a", "x");
	layer_xattr(f, "l1/a", "user.low", "value", 5);
	layer_dir(f, "l1/dir");
	fixture_open(f, 1);
	assert_int_equal(get(f, "a", "user.low", NULL, 0), 5);
	assert_int_equal(get(f, "a", "user.low", buf, 4), -ERANGE);
	assert_int_equal(get(f, "a", "user.low", buf, sizeof(buf)), 5);
	assert_int_equal(get(f, "a", "user.absent", buf, sizeof(buf)), -ENODATA);
	assert_true(listed(f, "a", "user.low"));
	assert_int_equal(set(f, "a", "user.new", "1", XATTR_REPLACE), -ENODATA);
	assert_int_equal(set(f, "a", "user.low", "1", XATTR_CREATE), -EEXIST);
	assert_int_equal(drop(f, "a", "user.new"), -ENODATA);
	assert_false(layer_exists(f, "upper/a")); /* what fails copies nothing up */
	assert_int_equal(set(f, "a", "user.new", "1", XATTR_CREATE), 0);
	assert_int_equal(set(f, "a", "user.new", "22", XATTR_REPLACE), 0);
	assert_int_equal(set(f, "a", "user.new", "", 0), 0);
	assert_int_equal(get(f, "a", "user.new", buf, sizeof(buf)), 0);
	assert_int_equal(drop(f, "a", "user.low"), 0);
	assert_int_equal(set(f, "dir", "user.d", "x", 0), 0);
	fixture_reopen(f);
	assert_false(listed(f, "a", "user.low"));
	assert_true(listed(f, "a", "user.new"));
	assert_true(listed(f, "dir", "user.d"));
}

/* Nothing of what we store shows. */
static void test_hidden(void **state)
{
	struct fixture *f = *state;
	char list[1024];

	layer_file(f, "l1/a", "x");
	layer_file(f, "l1/d/x", "x");
	fixture_open(f, 1);
	assert_int_equal(view_append(f, "a", "x"), 0);
	assert_int_equal(view_rename(f, "d", "e", 0), 0);
	assert_true(layer_has_attr(f, "upper/e", META_REDIRECT, "d"));
	for (const char *const *p = (const char *const[]) { "a", "e", "", NULL }; *p; p++) {
		ssize_t n = overlay_listxattr(f->ov, &f->who, view_node(f, *p), list, sizeof(list));

		for (const char *q = list; q < list + n; q += strlen(q) + 1)
			assert_null(strstr(q, "overlay"));
	}
}

static void test_escaped(void **state)
{
	struct fixture *f = *state;
	char attr[64], twice[64], buf[64];

	(void) snprintf(attr, sizeof(attr), "%s.overlay.opaque", f->userxattr ? "user" : "trusted");
	(void) snprintf(twice, sizeof(twice), "%s.overlay.overlay.opaque", f->userxattr ? "user" : "trusted");
	layer_dir(f, "l1/d");
	layer_file(f, "l1/d/x", "");
	fixture_open(f, 1);
	assert_int_equal(set(f, "d", attr, "y", 0), 0);
	assert_int_equal(set(f, "d", twice, "z", 0), 0);
	assert_true(layer_has_attr(f, "upper/d", "overlay.opaque", "y"));
	assert_true(layer_has_attr(f, "upper/d", "overlay.overlay.opaque", "z"));
	assert_false(layer_has_attr(f, "upper/d", "opaque", NULL));
	assert_names(f, "d", "x");
	fixture_reopen(f);
	assert_names(f, "d", "x");
	assert_true(listed(f, "d", attr));
	assert_true(listed(f, "d", twice));
	assert_int_equal(get(f, "d", attr, buf, sizeof(buf)), 1);
	assert_int_equal(buf[0], 'y');
	assert_int_equal(drop(f, "d", attr), 0);
	assert_int_equal(get(f, "d", attr, buf, sizeof(buf)), -ENODATA);
	assert_false(listed(f, "d", attr));
	assert_true(listed(f, "d", twice));
}

static void test_symlinks(void **state)
{
	struct fixture *f = *state;
	char buf[8];

	layer_file(f, "l1/target", "x");
	layer_xattr(f, "l1/target", "user.a", "x", 1);
	layer_symlink(f, "target", "l1/link");
	fixture_open(f, 1);
	assert_int_equal(get(f, "link", "user.a", buf, sizeof(buf)) < 0, 1); /* not the target's */
	assert_int_equal(set(f, "link", "user.a", "y", 0), -EPERM);
	assert_int_equal(get(f, "target", "user.a", buf, sizeof(buf)), 1);
	assert_int_equal(buf[0], 'x');
}

/* user::rwx, group::r-x, other::--- */
static const unsigned char acl[] = {
	2, 0, 0, 0, 1, 0, 7, 0, 255, 255, 255, 255, 4, 0, 5, 0, 255, 255, 255, 255, 32, 0, 0, 0, 255, 255, 255, 255,
};

static void test_acl_kills_sgid(void **state)
{
	struct fixture *f = *state;
	int r;

	layer_file(f, "l1/a", "x");
	layer_mode(f, "l1/a", 02775);
	layer_file(f, "l1/b", "x");
	layer_mode(f, "l1/b", 02775);
	fixture_open(f, 1);
	r = overlay_setxattr(f->ov, &f->who, view_node(f, "a"), "system.posix_acl_access", acl, sizeof(acl), 0, true);
	if (r == -EOPNOTSUPP) {
		print_message("skipped: the file system has no ACLs\n");
		skip();
	}
	assert_int_equal(r, 0);
	assert_int_equal(view_stat(f, "a").stx_mode & 07777, 0750);
	assert_int_equal(overlay_setxattr(f->ov, &f->who, view_node(f, "b"), "system.posix_acl_access", acl, sizeof(acl), 0, false), 0);
	assert_int_equal(view_stat(f, "b").stx_mode & 07777, 02750);
}

/* As on other file systems: an ordinary user is not shown the names that only root may read. */
static void test_trusted_is_roots(void **state)
{
	struct fixture *f = *state;

	if (geteuid() != 0)
		skip(); /* nobody else can set one */
	layer_file(f, "l1/a", "x");
	layer_xattr(f, "l1/a", "trusted.secret", "1", 1);
	layer_xattr(f, "l1/a", "user.open", "1", 1);
	fixture_open(f, 1);
	assert_true(listed(f, "a", "trusted.secret"));
	f->who.uid = 1000;
	assert_false(listed(f, "a", "trusted.secret"));
	assert_true(listed(f, "a", "user.open"));
}

static void test_names(void **state)
{
	struct fixture *f = *state;
	char name[400];

	layer_file(f, "l1/a", "x");
	fixture_open(f, 1);
	(void) snprintf(name, sizeof(name), "user.%0250d", 0);
	assert_int_equal(set(f, "a", name, "x", 0), 0);
	(void) snprintf(name, sizeof(name), "user.%0251d", 0);
	assert_int_equal(set(f, "a", name, "x", 0), -ERANGE);
	(void) snprintf(name, sizeof(name), "user.%0350d", 0);
	assert_int_equal(set(f, "a", name, "x", 0), -ERANGE);
	assert_int_equal(get(f, "a", name, NULL, 0), -ERANGE);
	assert_int_equal(drop(f, "a", name), -ERANGE);
}

/* The mark of others is read in all layers, so it is as far away as our own; and what a lower says of itself is not so of a copy. */
static void test_mark_of_others(void **state)
{
	static const char opaque[] = "user.fuseoverlayfs.opaque";
	struct fixture *f = *state;
	char buf[8];

	layer_dir(f, "l1/d");
	layer_file(f, "l1/marked/x", "");
	layer_xattr(f, "l1/marked", opaque, "y", 1);
	layer_file(f, "l2/d/x", "");
	layer_file(f, "l2/marked/hidden", "");
	fixture_open(f, 2);
	assert_int_equal(set(f, "d", opaque, "y", 0), 0);
	assert_int_equal(view_chmod(f, "marked", 0700), 0);
	fixture_reopen(f);
	assert_names(f, "d", "x");
	assert_int_equal(get(f, "d", opaque, buf, sizeof(buf)), 1);
	assert_true(listed(f, "d", opaque));
	assert_names(f, "marked", "x");
	assert_false(listed(f, "marked", opaque));
}

/* In a lower that others are below, nothing is marked that a view with another prefix would go by. */
static void test_direct_marks(void **state)
{
	struct fixture *f = *state;
	const char *theirs = f->userxattr ? "trusted.overlay.opaque" : "user.overlay.opaque";

	layer_dir(f, "l1/d");
	layer_file(f, "l2/d/keep", "");
	fixture_set_policy(f, "rw /d");
	fixture_open(f, 2);
	assert_int_equal(set(f, "d", theirs, "y", 0), -EPERM);
	assert_int_equal(drop(f, "d", theirs), -EPERM);
	assert_int_equal(set(f, "d", "user.fuseoverlayfs.opaque", "y", 0), 0); /* escaped */
	fixture_reopen(f);
	assert_names(f, "d", "keep");
	fixture_close(f);
	if (f->userxattr)
		return; /* who may not set trusted attributes gets this from the kernel, too */
	fixture_open(f, 1);
	assert_int_equal(set(f, "d", theirs, "y", 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_plain),    FIXTURE_TEST(test_hidden),	       FIXTURE_TEST(test_escaped),
		FIXTURE_TEST(test_symlinks), FIXTURE_TEST(test_acl_kills_sgid), FIXTURE_TEST(test_names),
		FIXTURE_TEST(test_trusted_is_roots),
		FIXTURE_TEST(test_mark_of_others), FIXTURE_TEST(test_direct_marks),
	};

	return FIXTURE_RUN(tests);
}
