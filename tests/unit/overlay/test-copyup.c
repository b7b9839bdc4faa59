/* Copy-up: the copy is the object in all it has, the lower stays as it was, and nobody can tell by number or time. */

#include "fixture.h"

#include <sys/xattr.h>

#include "layer/meta.h"
#include "overlay/copyup.h"

static void copy_up(struct fixture *f, const char *path)
{
	assert_int_equal(copyup(f->ov, &f->who, view_node(f, path), COPYUP_ALL), 0);
}

static void test_file(void **state)
{
	struct fixture *f = *state;
	struct statx before, after;
	char *lower, *now, value[16];

	layer_file(f, "l1/d/sub/file", "some text");
	layer_mode(f, "l1/d/sub/file", 06751);
	layer_xattr(f, "l1/d/sub/file", "user.a", "1", 1);
	layer_xattr(f, "l1/d/sub/file", "user.b", "", 0);
	layer_mode(f, "l1/d", 0711);
	fixture_open(f, 1);
	lower = layer_dump(f, "l1");
	before = view_stat(f, "d/sub/file");
	copy_up(f, "d/sub/file");
	after = view_stat(f, "d/sub/file");
	assert_int_equal(after.stx_ino, before.stx_ino);
	assert_int_equal(after.stx_mode, before.stx_mode);
	assert_int_equal(after.stx_mtime.tv_sec, FIXTURE_OLD);
	assert_int_equal(after.stx_atime.tv_sec, before.stx_atime.tv_sec);
	assert_int_equal(after.stx_uid, before.stx_uid);
	assert_memory_equal(&after.stx_btime, &before.stx_btime, sizeof(after.stx_btime));
	assert_content(f, "d/sub/file", "some text");
	assert_int_equal(overlay_getxattr(f->ov, &f->who, view_node(f, "d/sub/file"), "user.a", value, sizeof(value)), 1);
	assert_int_equal(overlay_getxattr(f->ov, &f->who, view_node(f, "d/sub/file"), "user.b", value, sizeof(value)), 0);
	assert_int_equal(layer_stat(f, "upper/d").stx_mode & 07777, 0711);
	now = layer_dump(f, "l1");
	assert_string_equal(lower, now);
	free(lower);
	free(now);
	fixture_reopen(f);
	after = view_stat(f, "d/sub/file");
	assert_int_equal(after.stx_ino, before.stx_ino);
	assert_memory_equal(&after.stx_btime, &before.stx_btime, sizeof(after.stx_btime));
	assert_true(layer_has_attr(f, "upper/d/sub", META_IMPURE, "y"));
	copy_up(f, "d/sub/file"); /* again: nothing to do */
}

/* To the directories above nothing has happened. */
static void test_times_of_parents(void **state)
{
	struct fixture *f = *state;

	layer_file(f, "l1/d/sub/file", "x");
	fixture_open(f, 1);
	copy_up(f, "d/sub/file");
	assert_int_equal(view_stat(f, "d/sub").stx_mtime.tv_sec, FIXTURE_OLD);
	assert_int_equal(view_stat(f, "d").stx_mtime.tv_sec, FIXTURE_OLD);
	layer_make_old(f, "upper");
	fixture_reopen(f);
	layer_file(f, "l1/other", "x");
	copy_up(f, "other");
	assert_int_equal(view_stat(f, "").stx_mtime.tv_sec, FIXTURE_OLD);
}

static void test_other_kinds(void **state)
{
	struct fixture *f = *state;
	char target[16] = "";
	uint64_t link, fifo;

	layer_symlink(f, "the target", "l1/link");
	layer_fifo(f, "l1/fifo");
	layer_dir(f, "l1/dir/sub");
	layer_mode(f, "l1/dir", 03770);
	fixture_open(f, 1);
	link = view_ino(f, "link");
	fifo = view_ino(f, "fifo");
	for (const char *const *p = (const char *const[]) { "link", "fifo", "dir", NULL }; *p; p++) {
		copy_up(f, *p);
		assert_int_equal(view_stat(f, *p).stx_mtime.tv_sec, FIXTURE_OLD);
	}
	assert_int_equal(overlay_readlink(f->ov, &f->who, view_node(f, "link"), target, sizeof(target)), 10);
	assert_string_equal(target, "the target");
	assert_int_equal(view_stat(f, "fifo").stx_mode, S_IFIFO | 0640);
	assert_int_equal(view_stat(f, "dir").stx_mode, S_IFDIR | 03770);
	assert_names(f, "dir", "sub");
	assert_false(layer_exists(f, "upper/dir/sub")); /* without content */
	if (f->userxattr)
		return; /* such objects take no user attributes: their number changes */
	assert_int_equal(view_ino(f, "link"), link);
	assert_int_equal(view_ino(f, "fifo"), fifo);
	fixture_reopen(f);
	assert_int_equal(view_ino(f, "link"), link);
	assert_int_equal(view_ino(f, "fifo"), fifo);
}

static void write_sparse(struct fixture *f, const char *path)
{
	int fd;

	layer_file(f, path, "");
	fd = openat(f->fd, path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "begin", 5, 0), 5);
	assert_int_equal(pwrite(fd, "middle", 6, 5 << 20), 6);
	assert_int_equal(ftruncate(fd, 20 << 20), 0);
	(void) close(fd);
}

static void test_holes(void **state)
{
	struct fixture *f = *state;
	struct overlay_file *file;
	char buf[8] = "";

	write_sparse(f, "l1/sparse");
	fixture_open(f, 1);
	copy_up(f, "sparse");
	assert_int_equal(layer_stat(f, "upper/sparse").stx_size, 20 << 20);
	assert_in_range(layer_stat(f, "upper/sparse").stx_blocks, 1, 256);
	assert_int_equal(view_open(f, "sparse", O_RDONLY, &file), 0);
	assert_int_equal(overlay_read(file, buf, 6, 5 << 20), 6);
	assert_string_equal(buf, "middle");
	assert_int_equal(overlay_read(file, buf, 5, 0), 5);
	assert_memory_equal(buf, "begin", 5);
	overlay_release(file);
}

/* Where the file system can neither clone, nor copy, nor tell holes, it is done by hand. */
static void test_ways_to_copy(void **state)
{
	static const struct {
		enum io_kind kind;
		int error;
	} cases[] = {
		{ IO_COPY_RANGE, EXDEV }, { IO_COPY_RANGE, EOPNOTSUPP }, { IO_COPY_RANGE, EINVAL }, { IO_SEEK, EINVAL }, { IO_CLONE, EXDEV },
	};
	struct fixture *f = *state;
	char path[32];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		(void) snprintf(path, sizeof(path), "l1/file%zu", i);
		write_sparse(f, path);
	}
	fixture_open(f, 1);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct overlay_file *file;
		char buf[8] = "";

		(void) snprintf(path, sizeof(path), "file%zu", i);
		io_engine_fault_set(f->fault, cases[i].kind, 0, cases[i].error);
		copy_up(f, path);
		io_engine_fault_set(f->fault, IO_N_KINDS, 0, 0);
		assert_int_equal(view_open(f, path, O_RDONLY, &file), 0);
		assert_int_equal(overlay_read(file, buf, 6, 5 << 20), 6);
		assert_string_equal(buf, "middle");
		assert_int_equal(overlay_read(file, buf, 5, 0), 5);
		assert_memory_equal(buf, "begin", 5);
		overlay_release(file);
		assert_int_equal(view_stat(f, path).stx_size, 20 << 20);
	}
}

/* O_TRUNC copies nothing; a truncation no more than stays. */
static void test_truncation(void **state)
{
	const struct attr_change half = { .valid = ATTR_SIZE, .size = 5 }, more = { .valid = ATTR_SIZE, .size = 100 };
	struct fixture *f = *state;
	struct overlay_file *file;

	layer_file(f, "l1/a", "0123456789");
	layer_file(f, "l1/b", "0123456789");
	layer_file(f, "l1/c", "0123456789");
	fixture_open(f, 1);
	io_engine_fault_set(f->fault, IO_COPY_RANGE, 0, EIO);
	assert_int_equal(view_open(f, "a", O_WRONLY | O_TRUNC, &file), 0);
	assert_int_equal(io_engine_fault_hits(f->fault), 0);
	overlay_release(file);
	io_engine_fault_set(f->fault, IO_N_KINDS, 0, 0);
	assert_content(f, "a", "");
	assert_int_equal(view_setattr(f, "b", &half), 0);
	assert_content(f, "b", "01234");
	assert_int_equal(view_setattr(f, "c", &more), 0);
	assert_int_equal(view_stat(f, "c").stx_size, 100);
	assert_true(view_stat(f, "b").stx_mtime.tv_sec > FIXTURE_OLD);
}

/* user::rw-, user:4321:rw-, group::r--, mask::rw-, other::--- */
static const unsigned char acl[] = {
	2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 6, 0, 0xe1, 0x10, 0, 0, 4, 0, 4, 0, 255, 255, 255, 255,
	16, 0, 6, 0, 255, 255, 255, 255, 32, 0, 0, 0, 255, 255, 255, 255,
};

static void test_acl(void **state)
{
	struct fixture *f = *state;
	unsigned char buf[256];
	char path[PATH_MAX];
	ssize_t n;

	layer_file(f, "l1/file", "x");
	layer_dir(f, "l1/dir");
	(void) snprintf(path, sizeof(path), "%s/l1/file", f->dir);
	if (setxattr(path, "system.posix_acl_access", acl, sizeof(acl), 0) < 0) {
		print_message("skipped: the file system has no ACLs\n");
		skip();
	}
	layer_xattr(f, "l1/dir", "system.posix_acl_default", acl, sizeof(acl));
	fixture_open(f, 1);
	copy_up(f, "file");
	copy_up(f, "dir");
	n = overlay_getxattr(f->ov, &f->who, view_node(f, "file"), "system.posix_acl_access", buf, sizeof(buf));
	assert_int_equal(n, sizeof(acl));
	assert_memory_equal(buf, acl, sizeof(acl));
	n = overlay_getxattr(f->ov, &f->who, view_node(f, "dir"), "system.posix_acl_default", buf, sizeof(buf));
	assert_int_equal(n, sizeof(acl));
	assert_memory_equal(buf, acl, sizeof(acl));
	assert_int_equal(view_stat(f, "file").stx_mode & 07777, 0660);
}

/* An ACL that cannot be copied would open the file to others; of other attributes some may be lost. */
static void test_attributes_that_do_not_fit(void **state)
{
	struct fixture *f = *state;

	layer_file(f, "l1/a", "x");
	layer_xattr(f, "l1/a", "user.a", "1", 1);
	layer_file(f, "l1/b", "x");
	layer_xattr(f, "l1/b", "user.b", "1", 1);
	fixture_open(f, 1);
	io_engine_fault_set(f->fault, IO_SETXATTR, 0, EOPNOTSUPP);
	copy_up(f, "a");
	io_engine_fault_set(f->fault, IO_SETXATTR, 0, ENOSPC);
	assert_int_equal(copyup(f->ov, &f->who, view_node(f, "b"), COPYUP_ALL), -ENOSPC);
	io_engine_fault_set(f->fault, IO_N_KINDS, 0, 0);
	assert_false(layer_exists(f, "upper/b"));
}

/* The file's own come first. Without ours it has another number, and is all that it was. */
static void test_own_attributes_that_do_not_fit(void **state)
{
	struct fixture *f = *state;

	for (unsigned int i = 0; i < 2; i++) { /* the record, the origin */
		const char *name = i == 0 ? "a" : "b";
		char path[16], value[2];
		struct statx stx;
		struct node *n;
		uint64_t ino;

		(void) snprintf(path, sizeof(path), "l1/%s", name);
		layer_file(f, path, "x");
		layer_xattr(f, path, "user.a", "1", 1);
		if (i == 0) {
			layer_file(f, "l1/linked", "x");
			layer_link(f, "l1/linked", "l1/linked2");
			fixture_open(f, 1);
		}
		n = view_node(f, name);
		ino = view_stat(f, name).stx_ino;
		io_engine_fault_set(f->fault, IO_SETXATTR, 1 + i, ENOSPC);
		copy_up(f, name);
		assert_int_equal(io_engine_fault_hits(f->fault) > 1 + i, true);
		io_engine_fault_set(f->fault, IO_N_KINDS, 0, 0);
		assert_int_equal(overlay_getxattr(f->ov, &f->who, n, "user.a", value, sizeof(value)), 1);
		assert_content(f, name, "x");
		assert_int_equal(overlay_getattr(f->ov, &f->who, n, NULL, &stx), 0);
		assert_int_equal(stx.stx_ino, view_stat(f, name).stx_ino);
		assert_int_equal(stx.stx_ino == ino, i == 1);
	}
	/* Links are kept together by it. */
	io_engine_fault_set(f->fault, IO_SETXATTR, 0, ENOSPC);
	assert_int_equal(copyup(f->ov, &f->who, view_node(f, "linked"), COPYUP_ALL), -ENOSPC);
	io_engine_fault_set(f->fault, IO_N_KINDS, 0, 0);
	assert_false(layer_exists(f, "upper/linked"));
}

static void test_large_attributes(void **state)
{
	struct fixture *f = *state;
	char value[1500], name[256], *lists[2];
	ssize_t n[2];

	(void) memset(value, 'v', sizeof(value));
	layer_file(f, "l1/a", "x");
	for (int i = 0; i < 6; i++) {
		(void) snprintf(name, sizeof(name), "user.%d%0200d", i, 0);
		layer_xattr(f, "l1/a", name, value, i == 3 ? sizeof(value) : 1);
	}
	fixture_open(f, 1);
	for (int i = 0; i < 2; i++) {
		lists[i] = calloc(1, 65536);
		n[i] = overlay_listxattr(f->ov, &f->who, view_node(f, "a"), lists[i], 65536);
		assert_true(n[i] > 1200);
		copy_up(f, "a");
	}
	assert_int_equal(n[0], n[1]);
	assert_memory_equal(lists[0], lists[1], (size_t) n[0]);
	(void) snprintf(name, sizeof(name), "user.%d%0200d", 3, 0);
	assert_int_equal(overlay_getxattr(f->ov, &f->who, view_node(f, "a"), name, NULL, 0), sizeof(value));
	free(lists[0]);
	free(lists[1]);
}

static void test_owner(void **state)
{
	struct fixture *f = *state;
	char path[PATH_MAX];
	struct statx stx;

	if (geteuid() != 0) {
		print_message("skipped: only root gives files away\n");
		skip();
	}
	layer_file(f, "l1/file", "x");
	layer_symlink(f, "x", "l1/link");
	(void) snprintf(path, sizeof(path), "%s/l1/file", f->dir);
	assert_int_equal(chown(path, 1234, 2345), 0);
	layer_mode(f, "l1/file", 06755);
	(void) snprintf(path, sizeof(path), "%s/l1/link", f->dir);
	assert_int_equal(lchown(path, 1234, 2345), 0);
	fixture_open(f, 1);
	copy_up(f, "file");
	copy_up(f, "link");
	stx = view_stat(f, "file");
	assert_int_equal(stx.stx_uid, 1234);
	assert_int_equal(stx.stx_gid, 2345);
	assert_int_equal(stx.stx_mode & 07777, 06755);
	assert_int_equal(view_stat(f, "link").stx_uid, 1234);
	assert_int_equal(layer_stat(f, "upper/file").stx_uid, 1234);
}

/* Where files cannot be given away the record keeps whose they are, until somebody says otherwise. */
static void test_owner_by_record(void **state)
{
	const struct attr_change own = { .valid = ATTR_UID, .uid = geteuid() };
	struct fixture *f = *state;
	struct statx stx;
	char path[PATH_MAX];

	if (geteuid() != 0) {
		print_message("skipped: the lower object must have another owner\n");
		skip();
	}
	layer_file(f, "l1/file", "x");
	(void) snprintf(path, sizeof(path), "%s/l1/file", f->dir);
	assert_int_equal(chown(path, 1234, 2345), 0);
	fixture_open(f, 1);
	io_engine_fault_set(f->fault, IO_CHOWN, 0, EPERM);
	copy_up(f, "file");
	io_engine_fault_set(f->fault, IO_N_KINDS, 0, 0);
	assert_int_equal(layer_stat(f, "upper/file").stx_uid, 0);
	for (int i = 0; i < 2; i++) {
		stx = view_stat(f, "file");
		assert_int_equal(stx.stx_uid, 1234);
		assert_int_equal(stx.stx_gid, 2345);
		fixture_reopen(f);
	}
	assert_int_equal(view_setattr(f, "file", &own), 0);
	fixture_reopen(f);
	stx = view_stat(f, "file");
	assert_int_equal(stx.stx_uid, 0);
	assert_int_equal(stx.stx_gid, 2345);
}

/* links */

static void check_links(struct fixture *f, uint64_t ino, uint32_t n_links, const char *text)
{
	char *dump;

	for (int i = 0; i < 2; i++) {
		for (const char *const *p = (const char *const[]) { "a", "b", "d/c", NULL }; *p; p++) {
			if (!view_exists(f, *p))
				continue;
			assert_int_equal(view_ino(f, *p), ino);
			assert_int_equal(view_stat(f, *p).stx_nlink, n_links);
			assert_content(f, *p, text);
		}
		dump = view_dump(f); /* finds names and counts that differ */
		assert_null(strstr(dump, "COUNT OF LINKS"));
		assert_null(strstr(dump, "DIFFER"));
		free(dump);
		fixture_reopen(f);
	}
}

static void build_links(struct fixture *f)
{
	layer_file(f, "l1/a", "text");
	layer_link(f, "l1/a", "l1/b");
	layer_link(f, "l1/a", "l1/d/c");
	fixture_open(f, 1);
}

static void test_links(void **state)
{
	struct fixture *f = *state;
	uint64_t ino;

	build_links(f);
	ino = view_ino(f, "a");
	check_links(f, ino, 3, "text");
	assert_int_equal(view_append(f, "b", "!"), 0);
	check_links(f, ino, 3, "text!");
	assert_int_equal(view_append(f, "d/c", "!"), 0);
	check_links(f, ino, 3, "text!!");
	assert_int_equal(view_link(f, "a", "new"), 0);
	check_links(f, ino, 4, "text!!");
	assert_int_equal(view_unlink(f, "b"), 0);
	check_links(f, ino, 3, "text!!");
	assert_int_equal(view_rename(f, "d/c", "b", 0), 0);
	check_links(f, ino, 3, "text!!");
	assert_int_equal(view_unlink(f, "a"), 0);
	check_links(f, ino, 2, "text!!");
	assert_int_equal(view_unlink(f, "new"), 0);
	check_links(f, ino, 1, "text!!");
	assert_int_equal(view_unlink(f, "b"), 0);
	check_links(f, ino, 0, "");
	assert_names(f, "", "d");
	assert_names(f, "d", "");
}

static void test_links_renamed(void **state)
{
	struct fixture *f = *state;
	uint64_t ino;

	build_links(f);
	ino = view_ino(f, "a");
	assert_int_equal(view_rename(f, "a", "moved", 0), 0);
	check_links(f, ino, 3, "text");
	assert_int_equal(view_ino(f, "moved"), ino);
	assert_int_equal(view_rename(f, "b", "moved", 0), 0); /* two names of one object: nothing happens */
	assert_true(view_exists(f, "b"));
	check_links(f, ino, 3, "text");
	assert_int_equal(view_write(f, "other", "x"), 0);
	assert_int_equal(view_rename(f, "other", "d/c", 0), 0);
	assert_content(f, "d/c", "x");
	assert_int_equal(view_unlink(f, "d/c"), 0);
	check_links(f, ino, 2, "text");
	assert_int_equal(view_write(f, "other", "x"), 0);
	assert_int_equal(view_rename(f, "other", "moved", RENAME_EXCHANGE), 0);
	assert_int_equal(view_ino(f, "other"), ino);
	check_links(f, ino, 2, "text");
	assert_content(f, "moved", "x");
}

/* A directory with one of the names in it moves. */
static void test_links_in_renamed_directory(void **state)
{
	struct fixture *f = *state;
	uint64_t ino;

	build_links(f);
	ino = view_ino(f, "a");
	assert_int_equal(view_append(f, "a", "!"), 0);
	assert_int_equal(view_rename(f, "d", "e", 0), 0);
	assert_int_equal(view_ino(f, "e/c"), ino);
	check_links(f, ino, 3, "text!");
	assert_content(f, "e/c", "text!");
}

static void test_no_index(void **state)
{
	struct fixture *f = *state;
	struct overlay_file *file;
	struct statx stx;
	struct node *b;
	char buf[16];

	layer_file(f, "l1/a", "text");
	layer_link(f, "l1/a", "l1/b");
	layer_link(f, "l1/a", "l1/c");
	fixture_configure(f, 1, true);
	f->config.no_index = true;
	assert_int_equal(fixture_try_open(f), 0);
	assert_int_equal(view_ino(f, "b"), view_ino(f, "a"));
	b = view_node(f, "b");
	assert_ptr_equal(view_node(f, "b"), b);
	assert_ptr_not_equal(view_node(f, "a"), b);
	assert_int_equal(view_open(f, "b", O_RDONLY, &file), 0);
	assert_int_equal(view_append(f, "a", "!"), 0); /* they part */
	assert_content(f, "a", "text!");
	assert_int_equal(overlay_read(file, buf, sizeof(buf), 0), 4);
	overlay_release(file);
	assert_int_equal(view_chmod(f, "b", 0600), 0);
	assert_int_equal(overlay_getattr(f->ov, &f->who, b, NULL, &stx), 0);
	assert_int_equal(stx.stx_ino, view_ino(f, "b"));
	assert_true(stx.stx_ino != view_ino(f, "a") && stx.stx_ino != view_ino(f, "c"));
	assert_int_equal(view_rename(f, "c", "d", 0), 0);
	assert_int_equal(view_append(f, "d", "?"), 0);
	fixture_reopen(f);
	assert_content(f, "b", "text");
	assert_content(f, "a", "text!");
	assert_content(f, "d", "text?");
	assert_false(layer_exists(f, "work/index"));
}

/* An engine on whose file systems handles are as long as on NFS, or file systems have no UUID. */
struct odd_engine {
	struct io_engine engine;
	struct io_engine *inner;
	bool long_handles, no_uuid;
};

static void odd_run(struct io_engine *e, struct io_op *ops, size_t n)
{
	const struct odd_engine *odd = container_of(e, struct odd_engine, engine);

	for (size_t i = 0; i < n; i++) {
		if (ops[i].kind == IO_UUID && odd->no_uuid) {
			ops[i].res = -EOPNOTSUPP;
			continue;
		}
		io_run(odd->inner, &ops[i], 1);
		if (ops[i].kind == IO_HANDLE && ops[i].res == 0 && odd->long_handles) {
			struct file_handle *h = ops[i].buf;

			memset(h->f_handle + h->handle_bytes, 0, 120 - h->handle_bytes);
			h->handle_bytes = 120;
		}
	}
}

static struct io_engine *odd_free(struct io_engine *e)
{
	return NULL;
}

static const struct io_engine_ops odd_ops = { .name = "odd", .run = odd_run, .free = odd_free };

/* The handle in hex is longer than a name may be: the links part, and nothing fails. */
static void test_long_handles(void **state)
{
	struct fixture *f = *state;
	struct odd_engine odd = { .engine.ops = &odd_ops, .inner = f->sync, .long_handles = true };

	layer_file(f, "l1/a", "text");
	layer_link(f, "l1/a", "l1/b");
	f->engine = &odd.engine;
	fixture_open(f, 1);
	assert_content(f, "a", "text");
	assert_int_equal(view_append(f, "a", "!"), 0);
	assert_content(f, "b", "text");
	assert_int_equal(view_unlink(f, "b"), 0);
	fixture_reopen(f);
	assert_content(f, "a", "text!");
	fixture_close(f);
}

/* Without an identity it is known for sure only where the index itself is. */
static void test_no_uuid(void **state)
{
	struct fixture *f = *state;
	struct odd_engine odd = { .engine.ops = &odd_ops, .inner = f->sync, .no_uuid = true };
	struct stat st, upper;
	char other[64];
	int lower;

	layer_file(f, "l1/a", "text");
	layer_link(f, "l1/a", "l1/b");
	f->engine = &odd.engine;
	fixture_open(f, 1);
	assert_int_equal(view_append(f, "a", "!"), 0);
	assert_content(f, "b", "text!");
	fixture_close(f);

	(void) snprintf(other, sizeof(other), "%s/osfuse-unit-XXXXXX",
			strncmp(f->dir, "/dev/shm/", 9) == 0 ? "/var/tmp" : "/dev/shm");
	if (!mkdtemp(other))
		return;
	fixture_configure(f, 1, true);
	f->lower_fds[0] = fd_close(f->lower_fds[0]);
	lower = f->lower_fds[0] = open(other, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(lower >= 0);
	assert_int_equal(symlinkat("target", lower, "c"), 0);
	assert_int_equal(linkat(lower, "c", lower, "d", 0), 0);
	assert_int_equal(fixture_try_open(f), 0);
	if (fstatat(lower, "c", &st, AT_SYMLINK_NOFOLLOW) == 0 && fstat(f->fd, &upper) == 0 && st.st_dev != upper.st_dev)
		assert_ptr_not_equal(view_node(f, "c"), view_node(f, "d"));
	fixture_close(f);
	(void) unlinkat(lower, "c", 0);
	(void) unlinkat(lower, "d", 0);
	(void) rmdir(other);
}

/* A removed name takes no other with it, and what is put in its place is another object. */
static void test_no_index_removal(void **state)
{
	struct fixture *f = *state;

	layer_file(f, "l1/a", "text");
	layer_link(f, "l1/a", "l1/b");
	layer_link(f, "l1/a", "l1/c");
	fixture_configure(f, 1, true);
	f->config.no_index = true;
	assert_int_equal(fixture_try_open(f), 0);
	(void) view_node(f, "a");
	(void) view_node(f, "b");
	assert_int_equal(view_unlink(f, "a"), 0);
	assert_false(layer_exists(f, "upper/b")); /* nothing is counted */
	assert_int_equal(view_write(f, "a", "new"), 0);
	assert_int_equal(view_rename(f, "a", "b", 0), 0);
	assert_content(f, "b", "new");
	assert_content(f, "c", "text");
	fixture_reopen(f);
	assert_names(f, "", "b c");
	assert_content(f, "b", "new");
	assert_content(f, "c", "text");
}

/* refusals */

static void test_given_up(void **state)
{
	struct fixture *f = *state;
	atomic_bool cancelled = true;

	layer_file(f, "l1/a", "text");
	fixture_open(f, 1);
	f->who.cancelled = &cancelled;
	io_engine_fault_set(f->fault, IO_CLONE, 0, EOPNOTSUPP);
	assert_int_equal(copyup(f->ov, &f->who, view_node(f, "a"), COPYUP_ALL), -EINTR);
	io_engine_fault_set(f->fault, IO_COPY_RANGE, 0, EXDEV);
	f->fault_error = 0;
	assert_int_equal(copyup(f->ov, &f->who, view_node(f, "a"), COPYUP_ALL), -EINTR);
	io_engine_fault_set(f->fault, IO_N_KINDS, 0, 0);
	assert_false(layer_exists(f, "upper/a"));
	cancelled = false;
	copy_up(f, "a");
	assert_content(f, "a", "text");
	f->who.cancelled = NULL;
}

static void test_read_only_view(void **state)
{
	struct fixture *f = *state;

	layer_file(f, "l1/a", "text");
	fixture_open_read_only(f, 1);
	assert_int_equal(copyup(f->ov, &f->who, view_node(f, "a"), COPYUP_ALL), -EROFS);
	assert_true(overlay_would_copy(f->ov, view_node(f, "a"), O_RDWR));
}

static void test_would_copy(void **state)
{
	struct fixture *f = *state;

	layer_file(f, "l1/a", "text");
	fixture_open(f, 1);
	assert_false(overlay_would_copy(f->ov, view_node(f, "a"), O_RDONLY));
	assert_true(overlay_would_copy(f->ov, view_node(f, "a"), O_RDONLY | O_TRUNC));
	assert_true(overlay_would_copy(f->ov, view_node(f, "a"), O_WRONLY));
	copy_up(f, "a");
	assert_false(overlay_would_copy(f->ov, view_node(f, "a"), O_RDWR));
}

/* A lower object's escaped attributes are the program's; those of the format are not copied. */
static void test_private_attributes(void **state)
{
	struct fixture *f = *state;

	layer_file(f, "l1/a", "text");
	layer_attr(f, "l1/a", "overlay.mine", "value");
	layer_attr(f, "l1/a", META_WHITEOUT, "y");
	layer_attr(f, "l1/a", META_NLINK, "U+5");
	fixture_open(f, 1);
	copy_up(f, "a");
	assert_true(layer_has_attr(f, "upper/a", "overlay.mine", "value"));
	assert_false(layer_has_attr(f, "upper/a", META_WHITEOUT, NULL));
	assert_false(layer_has_attr(f, "upper/a", META_NLINK, NULL));
}

/* A file may be large: more than a chunk of copying, and more than the buffer that copies by hand. */
static void test_large_file(void **state)
{
	struct fixture *f = *state;
	const size_t size = (9 << 20) + 4321;
	char *data = malloc(size), *got = malloc(size);
	struct overlay_file *file;
	int fd;

	assert_true(data && got);
	for (size_t i = 0; i < size; i++)
		data[i] = (char) (i * 31 + i / 4096);
	for (int i = 0; i < 2; i++) {
		layer_file(f, i ? "l1/b" : "l1/a", "");
		fd = openat(f->fd, i ? "l1/b" : "l1/a", O_WRONLY | O_CLOEXEC);
		assert_int_equal(write(fd, data, size), size);
		(void) close(fd);
	}
	fixture_open(f, 1);
	copy_up(f, "a");
	io_engine_fault_set(f->fault, IO_COPY_RANGE, 0, EXDEV);
	copy_up(f, "b");
	for (int i = 0; i < 2; i++) {
		assert_int_equal(view_open(f, i ? "b" : "a", O_RDONLY, &file), 0);
		assert_int_equal(overlay_read(file, got, size, 0), size);
		assert_memory_equal(data, got, size);
		overlay_release(file);
	}
	free(data);
	free(got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_file),
		FIXTURE_TEST(test_times_of_parents),
		FIXTURE_TEST(test_other_kinds),
		FIXTURE_TEST(test_holes),
		FIXTURE_TEST(test_ways_to_copy),
		FIXTURE_TEST(test_truncation),
		FIXTURE_TEST(test_acl),
		FIXTURE_TEST(test_attributes_that_do_not_fit),
		FIXTURE_TEST(test_own_attributes_that_do_not_fit),
		FIXTURE_TEST(test_large_attributes),
		FIXTURE_TEST(test_owner),
		FIXTURE_TEST(test_owner_by_record),
		FIXTURE_TEST(test_links),
		FIXTURE_TEST(test_links_renamed),
		FIXTURE_TEST(test_links_in_renamed_directory),
		FIXTURE_TEST(test_no_index),
		FIXTURE_TEST(test_long_handles),
		FIXTURE_TEST(test_no_uuid),
		FIXTURE_TEST(test_no_index_removal),
		FIXTURE_TEST(test_given_up),
		FIXTURE_TEST(test_read_only_view),
		FIXTURE_TEST(test_would_copy),
		FIXTURE_TEST(test_private_attributes),
		FIXTURE_TEST(test_large_file),
	};

	return FIXTURE_RUN(tests);
}
