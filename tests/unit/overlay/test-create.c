/* New names: over nothing, over whiteouts, in lower directories; what they inherit; links and unnamed files. */

#include "fixture.h"

#include <sys/sysmacros.h>

#include "layer/meta.h"

static void test_mkdir(void **state)
{
	struct fixture *f = *state;

	layer_file(f, "l1/d/below", "");
	fixture_open(f, 1);
	assert_int_equal(view_mkdir(f, "new"), 0);
	assert_int_equal(view_stat(f, "new").stx_mode, S_IFDIR | 0755);
	assert_int_equal(view_mkdir(f, "new"), -EEXIST);
	assert_int_equal(view_mkdir(f, "d"), -EEXIST);
	assert_int_equal(view_mkdir(f, "d/below"), -EEXIST);
	assert_false(layer_exists(f, "upper/d")); /* a failure copies nothing up */
	assert_int_equal(view_mkdir(f, "d/sub"), 0);
	assert_int_equal(view_mkdir(f, "d/sub/sub"), 0);
	assert_names(f, "d", "below sub");
	assert_true(layer_exists(f, "upper/d/sub/sub"));
	assert_false(layer_exists(f, "l1/d/sub"));
	assert_int_equal(view_stat(f, "new").stx_nlink, 2);
	assert_int_equal(view_mkdir(f, "absent/x"), -ENOENT);
	assert_int_equal(view_mkdir(f, "d/below/x"), -ENOTDIR);
}

/* What fails changes nothing, not even the directory's times. */
static void test_failure_leaves_times(void **state)
{
	struct fixture *f = *state;
	struct statx before, after;

	layer_file(f, "l1/d/below", "");
	fixture_open(f, 1);
	assert_int_equal(view_mkdir(f, "d/sub"), 0);
	before = view_stat(f, "d");
	assert_int_equal(view_mkdir(f, "d/below"), -EEXIST);
	assert_int_equal(view_mkdir(f, "d/sub"), -EEXIST);
	assert_int_equal(view_link(f, "d/below", "d/sub"), -EEXIST);
	assert_int_equal(view_rmdir(f, "d/below"), -ENOTDIR);
	assert_int_equal(view_unlink(f, "d/sub"), -EISDIR);
	assert_int_equal(view_unlink(f, "d/absent"), -ENOENT);
	assert_int_equal(view_rename(f, "d/sub", "d/below", RENAME_NOREPLACE), -EEXIST);
	after = view_stat(f, "d");
	assert_memory_equal(&before.stx_ctime, &after.stx_ctime, sizeof(before.stx_ctime));
	assert_memory_equal(&before.stx_mtime, &after.stx_mtime, sizeof(before.stx_mtime));
}

static void test_kinds(void **state)
{
	struct fixture *f = *state;
	char target[16];

	fixture_open(f, 1);
	f->who.umask = 027;
	assert_int_equal(view_mknod(f, "fifo", S_IFIFO | 0666, 0), 0);
	assert_int_equal(view_stat(f, "fifo").stx_mode, S_IFIFO | 0640);
	assert_int_equal(view_mknod(f, "socket", S_IFSOCK | 0777, 0), 0);
	assert_int_equal(view_stat(f, "socket").stx_mode, S_IFSOCK | 0750);
	assert_int_equal(view_mknod(f, "file", S_IFREG | 0666, 0), 0);
	assert_int_equal(view_mknod(f, "file0", 0666, 0), 0); /* no type means a file */
	assert_int_equal(view_stat(f, "file0").stx_mode, S_IFREG | 0640);
	assert_int_equal(view_mknod(f, "whiteout", S_IFCHR, 0), -EPERM);
	assert_int_equal(view_mknod(f, "dir", S_IFDIR | 0755, 0), -EINVAL);
	assert_int_equal(view_mknod(f, "link", S_IFLNK | 0755, 0), -EINVAL);
	assert_int_equal(view_symlink(f, "target", "symlink"), 0);
	assert_int_equal(overlay_readlink(f->ov, &f->who, view_node(f, "symlink"), target, sizeof(target)), 6);
	assert_int_equal(overlay_readlink(f->ov, &f->who, view_node(f, "file"), target, sizeof(target)), -EINVAL);
	if (geteuid() == 0) {
		assert_int_equal(view_mknod(f, "null", S_IFCHR | 0666, makedev(1, 3)), 0);
		assert_int_equal(view_stat(f, "null").stx_rdev_minor, 3);
	}
	assert_int_equal(view_mkdir(f, ""), -EINVAL);
}

static void test_over_whiteouts(void **state)
{
	static const char *const names[] = { "mkdir", "mknod", "symlink", "create", "link" };
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char path[32];

		(void) snprintf(path, sizeof(path), "l1/%s", names[i]);
		layer_file(f, path, "below");
	}
	fixture_open(f, 1);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_int_equal(view_unlink(f, names[i]), 0);
	assert_names(f, "", "");
	assert_int_equal(view_mkdir(f, "mkdir"), 0);
	assert_int_equal(view_mknod(f, "mknod", S_IFIFO | 0600, 0), 0);
	assert_int_equal(view_symlink(f, "x", "symlink"), 0);
	assert_int_equal(view_write(f, "create", "new"), 0);
	assert_int_equal(view_link(f, "create", "link"), 0);
	fixture_reopen(f);
	assert_names(f, "", "create link mkdir mknod symlink");
	assert_content(f, "link", "new");
	assert_int_equal(view_stat(f, "create").stx_nlink, 2);
	assert_int_equal(view_stat(f, "mkdir").stx_mode, S_IFDIR | 0755);
	assert_int_equal(view_stat(f, "mknod").stx_mode, S_IFIFO | 0600);
	/* Whiteouts on which they stood come back. */
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_int_equal(strcmp(names[i], "mkdir") ? view_unlink(f, names[i]) : view_rmdir(f, names[i]), 0);
	assert_names(f, "", "");
	fixture_reopen(f);
	assert_names(f, "", "");
}

static void test_recreated_directory_is_empty(void **state)
{
	struct fixture *f = *state;

	layer_file(f, "l1/d/below", "below");
	layer_file(f, "l2/d/deeper", "");
	fixture_open(f, 2);
	assert_int_equal(view_unlink(f, "d/below"), 0);
	assert_int_equal(view_unlink(f, "d/deeper"), 0);
	assert_int_equal(view_rmdir(f, "d"), 0);
	assert_int_equal(view_mkdir(f, "d"), 0);
	assert_names(f, "d", "");
	assert_false(view_exists(f, "d/below"));
	assert_int_equal(view_write(f, "d/below", "new"), 0);
	fixture_reopen(f);
	assert_names(f, "d", "below");
	assert_content(f, "d/below", "new");
	assert_true(layer_has_attr(f, "upper/d", META_OPAQUE, "y"));
	assert_int_equal(view_unlink(f, "d/below"), 0);
	assert_int_equal(view_rmdir(f, "d"), 0);
	fixture_reopen(f);
	assert_false(view_exists(f, "d"));
}

static void test_create_file(void **state)
{
	struct fixture *f = *state;
	struct overlay_file *file;
	struct entry e;

	layer_file(f, "l1/lower", "lower");
	layer_dir(f, "l1/d");
	layer_symlink(f, "lower", "l1/link");
	fixture_open(f, 1);
	assert_int_equal(overlay_create(f->ov, &f->who, overlay_root(f->ov), "new", 0666, O_RDWR | O_EXCL, &e, &file), 0);
	assert_int_equal(e.stx.stx_mode, S_IFREG | 0644);
	assert_int_equal(overlay_write(file, "hello", 5, 0, false), 5);
	overlay_release(file);
	overlay_forget(f->ov, e.node, 1);
	assert_content(f, "new", "hello");
	assert_int_equal(overlay_create(f->ov, &f->who, overlay_root(f->ov), "new", 0666, O_RDWR | O_EXCL, &e, &file), -EEXIST);
	assert_null(e.node);
	assert_int_equal(overlay_create(f->ov, &f->who, overlay_root(f->ov), "lower", 0666, O_RDONLY, &e, &file), 0);
	overlay_release(file);
	overlay_forget(f->ov, e.node, 1);
	assert_false(layer_exists(f, "upper/lower"));
	assert_int_equal(overlay_create(f->ov, &f->who, overlay_root(f->ov), "lower", 0666, O_WRONLY | O_TRUNC, &e, &file), 0);
	assert_int_equal(e.stx.stx_size, 0);
	overlay_release(file);
	overlay_forget(f->ov, e.node, 1);
	assert_content(f, "lower", "");
	assert_int_equal(overlay_create(f->ov, &f->who, overlay_root(f->ov), "d", 0666, O_RDWR, &e, &file), -EISDIR);
	assert_int_equal(overlay_create(f->ov, &f->who, overlay_root(f->ov), "link", 0666, O_RDWR, &e, &file), -ELOOP);
}

/* The caller's, with the group and the bit of a set-group-id directory: also where a whiteout was. */
static void test_owner(void **state)
{
	struct fixture *f = *state;
	char path[PATH_MAX];

	if (geteuid() != 0) {
		print_message("skipped: only root gives files away\n");
		skip();
	}
	layer_file(f, "l1/d/file", "");
	layer_file(f, "l1/d/sub", "");
	layer_file(f, "l1/d/link", "");
	(void) snprintf(path, sizeof(path), "%s/l1/d", f->dir);
	assert_int_equal(chown(path, 0, 77), 0);
	layer_mode(f, "l1/d", 02777);
	fixture_open(f, 1);
	for (const char *const *p = (const char *const[]) { "d/file", "d/sub", "d/link", NULL }; *p; p++)
		assert_int_equal(view_unlink(f, *p), 0);
	f->who.uid = 1234;
	f->who.gid = 2345;
	assert_int_equal(view_write(f, "d/file", ""), 0);
	assert_int_equal(view_write(f, "d/file2", ""), 0);
	assert_int_equal(view_mkdir(f, "d/sub"), 0);
	assert_int_equal(view_mkdir(f, "d/sub2"), 0);
	assert_int_equal(view_symlink(f, "x", "d/link"), 0);
	assert_int_equal(view_symlink(f, "x", "d/link2"), 0);
	for (const char *const *p = (const char *const[]) { "file", "file2", "sub", "sub2", "link", "link2", NULL }; *p; p++) {
		struct statx stx;

		(void) snprintf(path, sizeof(path), "d/%s", *p);
		stx = view_stat(f, path);
		assert_int_equal(stx.stx_uid, 1234);
		assert_int_equal(stx.stx_gid, 77);
		assert_int_equal(stx.stx_mode & 07777, S_ISDIR(stx.stx_mode) ? 02755 : S_ISLNK(stx.stx_mode) ? 0777 : 0644);
	}
	assert_int_equal(view_mkdir(f, "plain"), 0);
	assert_int_equal(view_stat(f, "plain").stx_gid, 2345);
}

/* user::rwx, user:4321:rwx, group::r-x, mask::rwx, other::--- */
static const unsigned char acl[] = {
	2, 0, 0, 0, 1, 0, 7, 0, 255, 255, 255, 255, 2, 0, 7, 0, 0xe1, 0x10, 0, 0, 4, 0, 5, 0, 255, 255, 255, 255,
	16, 0, 7, 0, 255, 255, 255, 255, 32, 0, 0, 0, 255, 255, 255, 255,
};

static void test_default_acl(void **state)
{
	struct fixture *f = *state;
	unsigned char a[256], b[256];
	ssize_t n, m;

	layer_file(f, "l1/d/file", "");
	layer_file(f, "l1/d/sub", "");
	layer_file(f, "l1/d/fifo", "");
	fixture_open(f, 1);
	n = overlay_setxattr(f->ov, &f->who, view_node(f, "d"), "system.posix_acl_default", acl, sizeof(acl), 0, false);
	if (n == -EOPNOTSUPP) {
		print_message("skipped: the file system has no ACLs\n");
		skip();
	}
	assert_int_equal(n, 0);
	for (const char *const *p = (const char *const[]) { "d/file", "d/sub", "d/fifo", NULL }; *p; p++)
		assert_int_equal(view_unlink(f, *p), 0);
	f->who.umask = 077; /* the ACL takes its place */
	assert_int_equal(view_write(f, "d/file", ""), 0);
	assert_int_equal(view_write(f, "d/file2", ""), 0);
	assert_int_equal(view_mkdir(f, "d/sub"), 0);
	assert_int_equal(view_mkdir(f, "d/sub2"), 0);
	assert_int_equal(view_mknod(f, "d/fifo", S_IFIFO | 0620, 0), 0);
	assert_int_equal(view_mknod(f, "d/fifo2", S_IFIFO | 0620, 0), 0);
	for (const char *const *p = (const char *const[]) { "file", "sub", "fifo", NULL }; *p; p++) {
		char over[32], plain[32];

		(void) snprintf(over, sizeof(over), "d/%s", *p);
		(void) snprintf(plain, sizeof(plain), "d/%s2", *p);
		assert_int_equal(view_stat(f, over).stx_mode, view_stat(f, plain).stx_mode);
		for (const char *const *x = (const char *const[]) { "system.posix_acl_access", "system.posix_acl_default", NULL }; *x; x++) {
			n = overlay_getxattr(f->ov, &f->who, view_node(f, over), *x, a, sizeof(a));
			m = overlay_getxattr(f->ov, &f->who, view_node(f, plain), *x, b, sizeof(b));
			assert_int_equal(n, m);
			if (n > 0)
				assert_memory_equal(a, b, (size_t) n);
		}
	}
	assert_int_equal(view_stat(f, "d/file").stx_mode & 0777, 0660);
	/* Taken away again, the umask counts. */
	assert_int_equal(overlay_removexattr(f->ov, &f->who, view_node(f, "d"), "system.posix_acl_default"), 0);
	assert_int_equal(view_mkdir(f, "d/sub3"), 0);
	assert_int_equal(view_stat(f, "d/sub3").stx_mode & 0777, 0700);
}

static void test_link(void **state)
{
	struct fixture *f = *state;
	uint64_t ino;

	layer_file(f, "l1/a", "text");
	layer_dir(f, "l1/d");
	layer_symlink(f, "a", "l1/s");
	fixture_open(f, 1);
	ino = view_ino(f, "a");
	assert_int_equal(view_link(f, "d", "e"), -EPERM);
	assert_int_equal(view_link(f, "a", "d"), -EEXIST);
	assert_int_equal(view_link(f, "a", "d/b"), 0);
	assert_int_equal(view_link(f, "s", "d/s"), 0);
	assert_int_equal(view_stat(f, "a").stx_nlink, 2);
	assert_int_equal(view_ino(f, "d/b"), ino);
	assert_ptr_equal(view_node(f, "a"), view_node(f, "d/b"));
	assert_int_equal(overlay_node_type(view_node(f, "d/s")), S_IFLNK);
	assert_int_equal(view_append(f, "d/b", "!"), 0);
	assert_content(f, "a", "text!");
	fixture_reopen(f);
	assert_content(f, "a", "text!");
	assert_int_equal(view_ino(f, "d/b"), ino);
	assert_int_equal(view_ino(f, "a"), ino);
	assert_int_equal(view_stat(f, "a").stx_nlink, 2);
	assert_int_equal(view_unlink(f, "a"), 0);
	assert_int_equal(view_stat(f, "d/b").stx_nlink, 1);
}

static void test_tmpfile(void **state)
{
	struct fixture *f = *state;
	struct overlay_file *file;
	struct entry e, linked;
	char buf[8];

	layer_file(f, "l1/d/taken", "");
	layer_file(f, "l1/d/gone", "");
	fixture_open(f, 1);
	assert_int_equal(view_unlink(f, "d/gone"), 0);
	assert_int_equal(overlay_tmpfile(f->ov, &f->who, view_node(f, "d"), 0666, O_RDWR, &e, &file), 0);
	assert_int_equal(e.stx.stx_nlink, 0);
	assert_int_equal(e.stx.stx_mode, S_IFREG | 0644);
	assert_int_equal(overlay_write(file, "text", 4, 0, false), 4);
	assert_names(f, "d", "taken");
	assert_int_equal(overlay_link(f->ov, &f->who, e.node, view_node(f, "d"), "taken", &linked), -EEXIST);
	assert_int_equal(overlay_link(f->ov, &f->who, e.node, view_node(f, "d"), "gone", &linked), 0);
	assert_ptr_equal(linked.node, e.node);
	assert_int_equal(linked.stx.stx_nlink, 1);
	overlay_forget(f->ov, linked.node, 1);
	assert_ptr_equal(view_node(f, "d/gone"), e.node);
	assert_int_equal(view_link(f, "d/gone", "d/another"), 0);
	assert_int_equal(view_stat(f, "d/gone").stx_nlink, 2);
	assert_int_equal(overlay_read(file, buf, sizeof(buf), 0), 4);
	overlay_release(file);
	overlay_forget(f->ov, e.node, 1);
	assert_content(f, "d/another", "text");
	fixture_reopen(f);
	assert_names(f, "d", "another gone taken");

	/* One that is never linked is gone with its last user. */
	assert_int_equal(overlay_tmpfile(f->ov, &f->who, overlay_root(f->ov), 0600, O_RDWR, &e, &file), 0);
	assert_int_equal(overlay_getattr(f->ov, &f->who, e.node, file, &e.stx), 0);
	overlay_release(file);
	overlay_forget(f->ov, e.node, 1);
	assert_int_equal(overlay_tmpfile(f->ov, &f->who, view_node(f, "d/gone"), 0600, O_RDWR, &e, &file), -ENOTDIR);
}

/* Names of 255 bytes have no room for anything before or behind them. */
static void test_longest_names(void **state)
{
	struct fixture *f = *state;
	char a[256], b[256], path[300];

	(void) memset(a, 'a', 255);
	(void) memset(b, 'b', 255);
	a[255] = b[255] = '\0';
	(void) snprintf(path, sizeof(path), "l1/%s", a);
	layer_file(f, path, "below");
	(void) snprintf(path, sizeof(path), "l1/%s", b);
	layer_dir(f, path);
	fixture_open(f, 1);
	assert_int_equal(view_append(f, a, "!"), 0);
	assert_content(f, a, "below!");
	assert_int_equal(view_unlink(f, a), 0);
	assert_int_equal(view_mkdir(f, a), 0);
	assert_int_equal(view_rmdir(f, a), 0);
	assert_int_equal(view_write(f, a, "new"), 0);
	assert_int_equal(view_rename(f, a, "short", 0), 0);
	assert_int_equal(view_rename(f, b, a, 0), 0);
	assert_int_equal(view_rename(f, "short", b, 0), 0);
	assert_int_equal(view_rename(f, a, b, RENAME_EXCHANGE), 0);
	assert_int_equal(view_symlink(f, a, "s"), 0);
	fixture_reopen(f);
	assert_content(f, a, "new");
	assert_names(f, b, "");
	(void) snprintf(path, sizeof(path), "%sx", a);
	assert_int_equal(view_mkdir(f, path), -ENAMETOOLONG);
	assert_int_equal(view_unlink(f, path), -ENAMETOOLONG);
	assert_int_equal(view_rename(f, a, path, 0), -ENAMETOOLONG);
}

static void test_removed_directory(void **state)
{
	struct fixture *f = *state;
	struct overlay_file *file;
	struct node *dir;
	struct entry e;

	layer_dir(f, "l1/d");
	fixture_open(f, 1);
	dir = view_node(f, "d");
	assert_int_equal(view_rmdir(f, "d"), 0);
	assert_int_equal(overlay_mkdir(f->ov, &f->who, dir, "x", 0755, &e), -ENOENT);
	assert_int_equal(overlay_create(f->ov, &f->who, dir, "x", 0644, O_RDWR, &e, &file), -ENOENT);
	assert_int_equal(overlay_tmpfile(f->ov, &f->who, dir, 0644, O_RDWR, &e, &file), -ENOENT);
	assert_int_equal(overlay_lookup(f->ov, &f->who, dir, "x", &e), 0);
}

static void test_read_only(void **state)
{
	struct fixture *f = *state;
	struct overlay_file *file;
	struct entry e;

	layer_file(f, "l1/file", "text");
	layer_dir(f, "l1/d");
	fixture_open_read_only(f, 1);
	assert_int_equal(view_mkdir(f, "x"), -EROFS);
	assert_int_equal(view_mkdir(f, "d"), -EEXIST);
	assert_int_equal(view_mknod(f, "x", S_IFIFO | 0600, 0), -EROFS);
	assert_int_equal(view_symlink(f, "x", "y"), -EROFS);
	assert_int_equal(view_link(f, "file", "x"), -EROFS);
	assert_int_equal(view_write(f, "x", ""), -EROFS);
	assert_int_equal(view_write(f, "file", ""), -EROFS);
	assert_int_equal(overlay_tmpfile(f->ov, &f->who, overlay_root(f->ov), 0600, O_RDWR, &e, &file), -EROFS);
	assert_int_equal(view_unlink(f, "file"), -EROFS);
	assert_int_equal(view_rmdir(f, "d"), -EROFS);
	assert_int_equal(view_rename(f, "file", "x", 0), -EROFS);
	assert_int_equal(view_chmod(f, "file", 0600), -EROFS);
	assert_int_equal(overlay_setxattr(f->ov, &f->who, view_node(f, "file"), "user.x", "x", 1, 0, false), -EROFS);
	assert_int_equal(overlay_removexattr(f->ov, &f->who, view_node(f, "file"), "user.x"), -EROFS);
	assert_int_equal(view_open(f, "file", O_RDWR, &file), -EROFS);
	assert_int_equal(view_open(f, "file", O_RDONLY | O_TRUNC, &file), -EROFS);
	assert_content(f, "file", "text");
	assert_int_equal(overlay_syncfs(f->ov, &f->who), 0);
}

static void count_refused(void *arg, const struct overlay_report *r)
{
	assert_int_equal(r->error, EINVAL);
	(*(unsigned int *) arg)++;
}

static void open_direct(struct fixture *f, size_t n_lowers, unsigned int *n_refused)
{
	*n_refused = 0;
	fixture_set_policy(f, "rw /d");
	fixture_configure(f, n_lowers, true);
	f->config.report = count_refused;
	f->config.report_arg = n_refused;
	assert_int_equal(fixture_try_open(f), 0);
}

static int link_nameless(struct fixture *f, const char *name)
{
	struct overlay_file *file;
	struct entry tmp, named;
	int r = overlay_tmpfile(f->ov, &f->who, view_node(f, "d"), 0644, O_RDWR, &tmp, &file);

	assert_int_equal(r, 0);
	r = overlay_link(f->ov, &f->who, tmp.node, view_node(f, "d"), name, &named);
	if (r == 0)
		overlay_forget(f->ov, named.node, 1);
	overlay_release(file);
	overlay_forget(f->ov, tmp.node, 1);
	return r;
}

/* What would hide names of the layers below from this view and others: those are read-only, also under rw. */
static void test_direct_whiteouts(void **state)
{
	struct fixture *f = *state;
	unsigned int n_refused;

	layer_file(f, "l1/d/file", "f");
	layer_dir(f, "l1/d/dir");
	layer_file(f, "l2/d/keep", "k");
	open_direct(f, 2, &n_refused);
	assert_int_equal(view_write(f, "d/.wh.keep", ""), -EINVAL);
	assert_int_equal(view_mkdir(f, "d/.wh.keep"), -EINVAL);
	assert_int_equal(view_symlink(f, "x", "d/.wh.keep"), -EINVAL);
	assert_int_equal(view_mknod(f, "d/.WH.keep", S_IFIFO | 0600, 0), -EINVAL); /* a name as good as that on some file systems */
	assert_int_equal(view_link(f, "d/file", "d/.wh.keep"), -EINVAL);
	assert_int_equal(view_rename(f, "d/file", "d/.wh.keep", 0), -EINVAL);
	assert_int_equal(view_rename(f, "d/dir", "d/.wh..wh..opq", 0), -EINVAL);
	assert_int_equal(link_nameless(f, ".wh..wh..opq"), -EINVAL);
	assert_int_equal(n_refused, 8);
	assert_int_equal(view_mknod(f, "d/keep2", S_IFCHR, 0), -EPERM);
	assert_int_equal(view_write(f, "d/wh.keep", ""), 0);
	assert_int_equal(view_write(f, "d/.whale", ""), 0);
	assert_int_equal(view_write(f, ".wh.d", ""), 0); /* in the upper it is a name as any other */
	fixture_reopen(f);
	assert_names(f, "d", ".whale dir file keep wh.keep");
	fixture_close(f);

	open_direct(f, 1, &n_refused); /* nothing is below that could be hidden */
	assert_int_equal(view_write(f, "d/.wh.keep", "x"), 0);
	assert_content(f, "d/.wh.keep", "x");
	assert_int_equal(n_refused, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_mkdir),
		FIXTURE_TEST(test_failure_leaves_times),
		FIXTURE_TEST(test_kinds),
		FIXTURE_TEST(test_over_whiteouts),
		FIXTURE_TEST(test_recreated_directory_is_empty),
		FIXTURE_TEST(test_create_file),
		FIXTURE_TEST(test_owner),
		FIXTURE_TEST(test_default_acl),
		FIXTURE_TEST(test_link),
		FIXTURE_TEST(test_tmpfile),
		FIXTURE_TEST(test_longest_names),
		FIXTURE_TEST(test_removed_directory),
		FIXTURE_TEST(test_read_only),
		FIXTURE_TEST(test_direct_whiteouts),
	};

	return FIXTURE_RUN(tests);
}
