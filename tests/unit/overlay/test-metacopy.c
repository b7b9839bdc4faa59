/* Files without data: what others made is read, ours are made, and the data follows when it is to change. */

#include "fixture.h"

#include <sys/xattr.h>

#include "layer/meta.h"
#include "overlay/metacopy.h"

#define TEXT "the data, in the lowest layer"

/* A file as kernel overlayfs leaves it: as long as it should be, and a hole. */
static void layer_hole(struct fixture *f, const char *path, size_t size, const char *redirect)
{
	char full[PATH_MAX];

	layer_file(f, path, "");
	(void) snprintf(full, sizeof(full), "%s/%s", f->dir, path);
	assert_int_equal(truncate(full, (off_t) size), 0);
	layer_attr(f, path, META_METACOPY, "");
	if (redirect)
		layer_attr(f, path, META_REDIRECT, redirect);
}

static void value_is(struct fixture *f, const char *path, const void *value, size_t len)
{
	layer_xattr(f, path, f->userxattr ? "user.overlay.metacopy" : "trusted.overlay.metacopy", value, len);
}

static int open_result(struct fixture *f, const char *path)
{
	struct overlay_file *file;
	int r = view_open(f, path, O_RDONLY, &file);

	if (r == 0)
		overlay_release(file);
	return r;
}

/* Only root may be shown such files. */
static bool refused(struct fixture *f, size_t n_lowers, const char *path)
{
	if (!f->userxattr)
		return false;
	fixture_open(f, n_lowers);
	assert_int_equal(open_result(f, path), -EPERM);
	return true;
}

static void open_with_metacopy(struct fixture *f, size_t n_lowers)
{
	fixture_configure(f, n_lowers, true);
	f->config.metacopy = true;
	assert_int_equal(fixture_try_open(f), 0);
}

/* The lower file grew since: what is beyond the length that was copied up is not shown. */
static void test_grown_lower(void **state)
{
	struct fixture *f = *state;
	struct overlay_file *file;
	char buf[64];

	layer_file(f, "l2/file", TEXT " and more");
	layer_hole(f, "l1/file", strlen(TEXT), NULL);
	if (refused(f, 2, "file"))
		return;
	fixture_open(f, 2);
	assert_content(f, "file", TEXT);
	assert_int_equal(view_open(f, "file", O_RDONLY, &file), 0);
	assert_int_equal(overlay_read(file, buf, sizeof(buf), strlen(TEXT)), 0);
	assert_int_equal(overlay_seek(file, 0, SEEK_DATA), 0);
	assert_int_equal(overlay_seek(file, 0, SEEK_HOLE), strlen(TEXT));
	assert_int_equal(overlay_seek(file, strlen(TEXT), SEEK_DATA), -ENXIO);
	overlay_release(file);
	assert_int_equal(view_append(f, "file", "!"), 0);
	assert_content(f, "file", TEXT "!");
}

/* reading */

static void test_same_name(void **state)
{
	struct fixture *f = *state;

	layer_file(f, "l2/d/file", TEXT);
	layer_hole(f, "l1/d/file", strlen(TEXT), NULL);
	layer_mode(f, "l1/d/file", 0600);
	if (refused(f, 2, "d/file"))
		return;
	fixture_open(f, 2);
	assert_content(f, "d/file", TEXT);
	assert_int_equal(view_stat(f, "d/file").stx_mode & 07777, 0600);
	assert_true(view_stat(f, "d/file").stx_blocks > 0); /* programs may take a file without for a hole */
	assert_int_equal(view_append(f, "d/file", "!"), 0);
	assert_content(f, "d/file", TEXT "!");
	assert_false(layer_has_attr(f, "upper/d/file", META_METACOPY, NULL));
	assert_int_equal(view_stat(f, "d/file").stx_mode & 07777, 0600);
}

static void test_redirects(void **state)
{
	struct fixture *f = *state;

	layer_file(f, "l3/data/one", TEXT);
	layer_hole(f, "l1/a/absolute", strlen(TEXT), "/data/one");
	layer_hole(f, "l1/data/relative", strlen(TEXT), "one");
	layer_hole(f, "l1/chain", strlen(TEXT), "/b/next");
	layer_hole(f, "l2/b/next", strlen(TEXT), "/data/one");
	layer_hole(f, "l1/b/opaque/file", strlen(TEXT), "/data/one");
	layer_attr(f, "l1/b/opaque", META_OPAQUE, "y");
	/* The path leads through a directory that was renamed in the layer between. */
	layer_dir(f, "l2/new");
	layer_attr(f, "l2/new", META_REDIRECT, "/data");
	layer_hole(f, "l1/through", strlen(TEXT), "/new/one");
	if (refused(f, 3, "a/absolute"))
		return;
	fixture_open(f, 3);
	assert_content(f, "a/absolute", TEXT);
	assert_content(f, "data/relative", TEXT);
	assert_content(f, "chain", TEXT);
	assert_content(f, "b/next", TEXT);
	assert_content(f, "b/opaque/file", TEXT);
	assert_content(f, "through", TEXT);
	fixture_close(f);
	fixture_open_read_only(f, 3);
	assert_content(f, "chain", TEXT);
}

static void test_attribute_forms(void **state)
{
	struct fixture *f = *state;
	unsigned char digest[36] = { 0, 36, 0, 1 };
	const struct {
		const char *value;
		size_t len;
		int result;
	} forms[] = {
		{ "", 0, 0 }, { "\0\4\0\0", 4, 0 }, { (const char *) digest, sizeof(digest), 0 },
		{ "\0", 1, -EIO }, { "\1\4\0\0", 4, -EIO }, { "\0\5\0\0", 4, -EIO },
	};

	layer_file(f, "l2/file", TEXT);
	layer_hole(f, "l1/file", strlen(TEXT), NULL);
	if (refused(f, 2, "file"))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		value_is(f, "l1/file", forms[i].value, forms[i].len);
		fixture_open(f, 2);
		assert_int_equal(open_result(f, "file"), forms[i].result);
		fixture_close(f);
	}
	value_is(f, "l1/file", (char[100]) { 0 }, 100);
	fixture_open(f, 2);
	assert_int_equal(open_result(f, "file"), -EIO);
}

/* What cannot be found is an error, never zeros. */
static void test_missing_data(void **state)
{
	static const char *const names[] = { "alone", "hidden", "dir", "link", "fifo", "short", "opaque/file", "bad", "out", "end" };
	struct fixture *f = *state;

	layer_file(f, "l3/hidden", TEXT);
	layer_whiteout(f, "l2/hidden");
	layer_dir(f, "l3/dir");
	layer_symlink(f, "hidden", "l3/link");
	layer_fifo(f, "l3/fifo");
	layer_file(f, "l3/short", "short");
	layer_file(f, "l3/opaque/file", TEXT);
	layer_dir(f, "l1/opaque");
	layer_attr(f, "l1/opaque", META_OPAQUE, "y");
	layer_file(f, "l3/end", TEXT);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char path[64];

		(void) snprintf(path, sizeof(path), "l1/%s", names[i]);
		layer_hole(f, path, strlen(TEXT), NULL);
	}
	layer_attr(f, "l1/bad", META_REDIRECT, "/a/../hidden");
	layer_attr(f, "l1/out", META_REDIRECT, "/link/x");
	layer_hole(f, "l2/end", strlen(TEXT), "/nowhere");
	if (f->userxattr)
		return;
	fixture_open(f, 3);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_int_equal(view_stat(f, names[i]).stx_size, strlen(TEXT));
		assert_int_equal(open_result(f, names[i]), -EIO);
		assert_int_equal(view_append(f, names[i], "x"), -EIO);
	}
	assert_int_equal(view_unlink(f, "alone"), 0);
	assert_false(view_exists(f, "alone"));
}

static unsigned int n_asked(struct fixture *f, struct node *n)
{
	struct overlay_file *file;

	io_engine_fault_set(f->fault, IO_GETXATTR, 0, 0);
	assert_int_equal(overlay_open(f->ov, &f->who, n, O_RDONLY, &file), 0);
	overlay_release(file);
	return io_engine_fault_hits(f->fault);
}

/* A file of the lowest layer, and one that was copied up, is opened without asking for attributes; another asks once. */
static void test_costs_nothing(void **state)
{
	struct fixture *f = *state;
	struct node *n;

	layer_file(f, "l1/lowest", "1");
	layer_file(f, "l1/copied", "2");
	fixture_open(f, 1);
	assert_int_equal(view_append(f, "copied", "3"), 0);
	assert_int_equal(view_write(f, "new", "4"), 0);
	fixture_reopen(f);
	assert_int_equal(n_asked(f, view_node(f, "lowest")), 0);
	assert_int_equal(n_asked(f, view_node(f, "copied")), 0);
	n = view_node(f, "new");
	assert_int_equal(n_asked(f, n), 1);
	assert_int_equal(n_asked(f, n), 0);
}

/* making */

/* Not by its blocks: attributes may take some. */
static bool has_data(struct fixture *f, const char *path)
{
	int fd = openat(f->fd, path, O_RDONLY | O_CLOEXEC);
	bool has = lseek(fd, 0, SEEK_DATA) >= 0;

	assert_true(fd >= 0);
	(void) close(fd);
	return has;
}

static void test_attributes_only(void **state)
{
	struct fixture *f = *state;
	uint64_t ino;

	layer_file(f, "l1/d/file", TEXT);
	open_with_metacopy(f, 1);
	ino = view_ino(f, "d/file");
	assert_int_equal(view_chmod(f, "d/file", 0600), 0);
	assert_int_equal(layer_has_attr(f, "upper/d/file", META_METACOPY, ""), !f->userxattr);
	assert_int_equal(layer_has_attr(f, "upper/d/file", META_REDIRECT, "/d/file"), !f->userxattr);
	assert_int_equal(has_data(f, "upper/d/file"), f->userxattr);
	assert_content(f, "d/file", TEXT);
	assert_true(view_stat(f, "d/file").stx_blocks > 0);
	fixture_reopen(f);
	assert_content(f, "d/file", TEXT);
	assert_true(view_stat(f, "d/file").stx_blocks > 0);
	assert_int_equal(view_stat(f, "d/file").stx_mode & 07777, 0600);
	assert_int_equal(view_stat(f, "d/file").stx_mtime.tv_sec, FIXTURE_OLD);
	assert_int_equal(view_ino(f, "d/file"), ino);
	fixture_close(f);
	fixture_open(f, 1); /* without the option: what is there is understood */
	assert_content(f, "d/file", TEXT);
}

static void test_names(void **state)
{
	struct fixture *f = *state;

	layer_file(f, "l1/d/file", TEXT);
	layer_file(f, "l1/d/other", "other");
	layer_file(f, "l1/linked", "linked");
	layer_link(f, "l1/linked", "l1/d/linked");
	open_with_metacopy(f, 1);
	assert_int_equal(view_rename(f, "d/file", "moved", 0), 0);
	assert_int_equal(view_rename(f, "d", "e", 0), 0);
	assert_int_equal(view_chmod(f, "e/other", 0600), 0);
	assert_int_equal(view_link(f, "e/other", "hard"), 0);
	assert_int_equal(view_unlink(f, "e/other"), 0);
	assert_int_equal(view_chmod(f, "linked", 0640), 0);
	for (int i = 0; i < 2; i++) {
		assert_content(f, "moved", TEXT);
		assert_content(f, "hard", "other");
		assert_content(f, "linked", "linked");
		assert_content(f, "e/linked", "linked");
		assert_int_equal(view_stat(f, "e/linked").stx_nlink, 2);
		assert_int_equal(view_stat(f, "e/linked").stx_mode & 07777, 0640);
		fixture_reopen(f);
	}
	assert_int_equal(view_append(f, "e/linked", "!"), 0);
	assert_content(f, "linked", "linked!");
	fixture_reopen(f);
	assert_content(f, "linked", "linked!");
	assert_content(f, "e/linked", "linked!");
}

/* Where a redirect would not fit, or would lead elsewhere, the data is copied. */
static void test_falls_back(void **state)
{
	struct fixture *f = *state;
	char dir[300] = "l1/";

	memset(dir + 3, 'n', 200);
	strcpy(dir + 203, "/");
	memset(dir + 204, 'm', 60);
	layer_file(f, dir, TEXT);
	/* "/old" of the lowest is "/new" one above, and gone there under its old name. */
	layer_file(f, "l2/old/d/file", TEXT);
	layer_dir(f, "l1/new");
	layer_attr(f, "l1/new", META_REDIRECT, "/old");
	layer_whiteout(f, "l1/old");
	layer_ours(f, "l1");
	open_with_metacopy(f, 2);
	assert_int_equal(view_chmod(f, dir + 3, 0600), 0);
	assert_int_equal(view_rename(f, "new/d", "d", 0), 0);
	assert_int_equal(view_chmod(f, "d/file", 0600), 0);
	for (int i = 0; i < 2; i++) {
		assert_content(f, dir + 3, TEXT);
		assert_content(f, "d/file", TEXT);
		fixture_reopen(f);
	}
}

/* writing */

static void test_completion(void **state)
{
	static const unsigned char caps[20] = { 1, 0, 0, 2, 0, 4 };
	struct fixture *f = *state;
	struct overlay_file *reader, *writer;
	char buf[64] = "";
	struct statx before, after;

	if (f->userxattr)
		return;
	layer_file(f, "l1/file", TEXT);
	layer_xattr(f, "l1/file", "security.capability", caps, sizeof(caps));
	open_with_metacopy(f, 1);
	assert_int_equal(view_open(f, "file", O_RDONLY, &reader), 0); /* on the lower */
	assert_int_equal(view_chmod(f, "file", 0640), 0);
	assert_int_equal(overlay_read(reader, buf, sizeof(buf), 0), strlen(TEXT));
	assert_int_equal(overlay_fsync(reader, true), 0);
	assert_int_equal(overlay_getattr(f->ov, &f->who, view_node(f, "file"), reader, &before), 0);
	assert_int_equal(before.stx_mode & 07777, 0640);
	assert_false(has_data(f, "upper/file"));
	assert_true(overlay_would_copy(f->ov, view_node(f, "file"), O_WRONLY));
	assert_int_equal(view_open(f, "file", O_RDWR, &writer), 0);
	assert_true(has_data(f, "upper/file"));
	assert_false(layer_has_attr(f, "upper/file", META_METACOPY, NULL));
	after = view_stat(f, "file"); /* opened, but not changed */
	assert_int_equal(after.stx_mtime.tv_sec, FIXTURE_OLD);
	assert_memory_equal(&after.stx_ctime, &before.stx_ctime, sizeof(after.stx_ctime));
	assert_int_equal(overlay_getxattr(f->ov, &f->who, view_node(f, "file"), "security.capability", buf, sizeof(buf)), sizeof(caps));
	assert_int_equal(overlay_write(writer, "THE", 3, 0, 0), 3);
	assert_int_equal(overlay_fsync(writer, true), 0);
	assert_int_equal(overlay_read(reader, buf, sizeof(buf), 0), strlen(TEXT));
	assert_memory_equal(buf, "THE data", 8);
	overlay_release(reader);
	overlay_release(writer);
	fixture_reopen(f);
	assert_content(f, "file", "THE" " data, in the lowest layer");
}

/* A file takes the blocks that its data takes: a sparse one few, wherever that is known to be. */
static void test_blocks(void **state)
{
	struct fixture *f = *state;
	struct statx below, shown;
	struct overlay_file *file;
	char full[PATH_MAX];

	layer_file(f, "l1/sparse", TEXT);
	layer_file(f, "l1/full", TEXT);
	(void) snprintf(full, sizeof(full), "%s/l1/sparse", f->dir);
	assert_int_equal(truncate(full, 100 << 20), 0);
	open_with_metacopy(f, 1);
	assert_int_equal(view_chmod(f, "sparse", 0600), 0);
	assert_int_equal(view_chmod(f, "full", 0600), 0);
	for (int remounted = 0; remounted < 2; remounted++) {
		for (const char *const *p = (const char *const[]) { "sparse", "full", NULL }; *p; p++) {
			(void) snprintf(full, sizeof(full), "l1/%s", *p);
			below = layer_stat(f, full);
			shown = view_stat(f, *p);
			if (!f->userxattr)
				assert_int_equal(shown.stx_blocks, below.stx_blocks);
			assert_int_equal(overlay_getattr(f->ov, &f->who, view_node(f, *p), NULL, &shown), 0);
			if (!f->userxattr)
				assert_int_equal(shown.stx_blocks, below.stx_blocks);
		}
		fixture_reopen(f);
	}
	assert_int_equal(view_open(f, "full", O_RDWR, &file), 0);
	overlay_release(file);
	assert_int_equal(view_stat(f, "full").stx_blocks, layer_stat(f, "upper/full").stx_blocks);
}

static void test_truncation(void **state)
{
	struct fixture *f = *state;
	struct overlay_file *file;

	layer_file(f, "l1/emptied", TEXT);
	layer_file(f, "l1/cut", TEXT);
	layer_file(f, "l1/grown", "1");
	open_with_metacopy(f, 1);
	assert_int_equal(view_chmod(f, "emptied", 0600), 0);
	assert_int_equal(view_chmod(f, "cut", 0600), 0);
	assert_int_equal(view_chmod(f, "grown", 0600), 0);
	assert_int_equal(view_open(f, "emptied", O_WRONLY | O_TRUNC, &file), 0);
	overlay_release(file);
	assert_int_equal(view_setattr(f, "cut", &(struct attr_change) { .valid = ATTR_SIZE, .size = 8 }), 0);
	assert_int_equal(view_setattr(f, "grown", &(struct attr_change) { .valid = ATTR_SIZE, .size = 3 }), 0);
	for (int i = 0; i < 2; i++) {
		assert_content(f, "emptied", "");
		assert_content(f, "cut", "the data");
		assert_int_equal(view_stat(f, "grown").stx_size, 3);
		assert_content(f, "grown", "1");
		assert_false(layer_has_attr(f, "upper/cut", META_METACOPY, NULL));
		fixture_reopen(f);
	}
}

static void test_given_up(void **state)
{
	struct fixture *f = *state;
	atomic_bool cancelled = true;
	struct overlay_file *file;
	char *big = malloc((9u << 20) + 1);

	assert_non_null(big);
	memset(big, 'x', 9u << 20);
	big[9u << 20] = '\0';
	layer_file(f, "l1/file", big);
	open_with_metacopy(f, 1);
	assert_int_equal(view_chmod(f, "file", 0600), 0);
	f->who.cancelled = &cancelled;
	assert_int_equal(view_open(f, "file", O_WRONLY, &file), f->userxattr ? 0 : -EINTR);
	if (f->userxattr)
		overlay_release(file);
	f->who.cancelled = NULL;
	assert_content(f, "file", big);
	assert_int_equal(view_stat(f, "file").stx_mtime.tv_sec, FIXTURE_OLD);
	assert_int_equal(view_append(f, "file", "y"), 0);
	assert_int_equal(view_stat(f, "file").stx_size, (9u << 20) + 1);
	free(big);
}

/* Data can only be copied by reading and writing. */
struct by_hand {
	struct io_engine engine;
	struct io_engine *inner;
};

static void by_hand_run(struct io_engine *e, struct io_op *ops, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (ops[i].kind == IO_CLONE || ops[i].kind == IO_COPY_RANGE)
			ops[i].res = -EOPNOTSUPP;
		else
			io_run(container_of(e, struct by_hand, engine)->inner, &ops[i], 1);
	}
}

static struct io_engine *by_hand_free(struct io_engine *e)
{
	return NULL;
}

static const struct io_engine_ops by_hand_ops = { .name = "by hand", .run = by_hand_run, .free = by_hand_free };

/* What has failed keeps no space, and has changed nothing. */
static void test_failed_completion(void **state)
{
	static const struct {
		enum io_kind kind;
		int error;
	} faults[] = { { IO_WRITE, ENOSPC }, { IO_FSYNC, EIO }, { IO_REMOVEXATTR, EIO } };
	struct fixture *f = *state;
	struct by_hand by_hand = { .engine.ops = &by_hand_ops, .inner = f->fault };
	char *big = malloc((3u << 20) + 1);
	struct statx before, after;
	uint64_t n_blocks;

	assert_non_null(big);
	memset(big, 'x', 3u << 20);
	big[3u << 20] = '\0';
	layer_file(f, "l1/file", big);
	f->engine = &by_hand.engine;
	open_with_metacopy(f, 1);
	if (f->userxattr) {
		free(big);
		return;
	}
	assert_int_equal(view_chmod(f, "file", 0640), 0);
	before = view_stat(f, "file");
	n_blocks = layer_stat(f, "upper/file").stx_blocks;
	(void) view_node(f, "file"); /* held: its ctime is known in memory only */
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		const struct attr_change cut = { .valid = ATTR_SIZE, .size = 2u << 20 };
		for (int by_truncation = 0; by_truncation < 2; by_truncation++) {
			f->fault_kind = faults[i].kind;
			f->fault_error = faults[i].error;
			f->fault_count = faults[i].kind == IO_WRITE; /* the second */
			fixture_arm(f);
			assert_int_equal(by_truncation ? view_setattr(f, "file", &cut) : view_append(f, "file", "y"), -faults[i].error);
			fixture_disarm(f);
			assert_true(fixture_was_hit(f));
			assert_int_equal(layer_stat(f, "upper/file").stx_blocks, n_blocks); /* attributes may have one */
			after = view_stat(f, "file");
			assert_memory_equal(&after, &before, sizeof(after));
			assert_content(f, "file", big);
		}
	}
	assert_int_equal(view_append(f, "file", "y"), 0);
	assert_int_equal(view_stat(f, "file").stx_size, (3u << 20) + 1);
	free(big);
	fixture_close(f);
}

/* Whoever changes attributes waits for a completion, also of a file of which nothing is known yet. */
static void test_hold(void **state)
{
	struct fixture *f = *state;
	struct node *n;

	layer_file(f, "upper/file", "x");
	layer_dir(f, "upper/dir");
	layer_dir(f, "l1");
	open_with_metacopy(f, 1);
	n = view_node(f, "file");
	for (int known = 0; known < 2; known++) {
		LEASE(held);

		metacopy_hold(f->ov, n, &held);
		assert_ptr_equal(held.node, known ? NULL : n);
		lease_done(&held);
		held.node = NULL;
		assert_int_equal(open_result(f, "file"), 0);
	}
}

/* made by others */

/* The kernel's files have no redirect until they are renamed, and no record. */
static void layer_kernel_upper(struct fixture *f)
{
	layer_file(f, "l1/d/file", TEXT);
	layer_file(f, "l1/d/two", "two");
	layer_hole(f, "upper/d/file", strlen(TEXT), NULL);
	layer_hole(f, "upper/d/renamed", strlen("two"), "two");
	layer_whiteout(f, "upper/d/two");
}

static void test_names_of_others(void **state)
{
	struct fixture *f = *state;

	if (f->userxattr)
		return;
	layer_kernel_upper(f);
	fixture_open(f, 1);
	assert_content(f, "d/file", TEXT);
	assert_content(f, "d/renamed", "two");
	fixture_reopen(f);
	assert_int_equal(view_link(f, "d/file", "link"), 0); /* not looked at before */
	assert_int_equal(view_rename(f, "d/file", "file", 0), 0);
	assert_int_equal(view_rename(f, "d/renamed", "again", 0), 0);
	for (int i = 0; i < 2; i++) {
		assert_content(f, "file", TEXT);
		assert_content(f, "link", TEXT);
		assert_content(f, "again", "two");
		fixture_reopen(f);
	}
	assert_true(layer_has_attr(f, "upper/again", META_REDIRECT, "/d/two"));
	assert_int_equal(view_append(f, "link", "!"), 0);
	assert_content(f, "file", TEXT "!");
}

/* Held by somebody, without being open, when the name goes or becomes another's: the data was found by that name. */
static void test_removed_names_of_others(void **state)
{
	struct fixture *f = *state;
	struct node *removed, *replaced;
	struct overlay_file *file;
	char buf[64];

	if (f->userxattr)
		return;
	layer_kernel_upper(f);
	fixture_open(f, 1);
	removed = view_node(f, "d/file");
	replaced = view_node(f, "d/renamed");
	assert_int_equal(view_unlink(f, "d/file"), 0);
	assert_int_equal(view_write(f, "d/new", "new"), 0);
	assert_int_equal(view_rename(f, "d/new", "d/renamed", 0), 0);
	assert_int_equal(overlay_open(f->ov, &f->who, removed, O_RDONLY, &file), 0);
	assert_int_equal(overlay_read(file, buf, sizeof(buf), 0), strlen(TEXT));
	overlay_release(file);
	assert_int_equal(overlay_open(f->ov, &f->who, replaced, O_RDWR, &file), 0);
	assert_int_equal(overlay_read(file, buf, sizeof(buf), 0), strlen("two"));
	overlay_release(file);
	assert_content(f, "d/renamed", "new");
}

static void test_names_without_redirects(void **state)
{
	struct fixture *f = *state;

	if (f->userxattr)
		return;
	layer_kernel_upper(f);
	fixture_configure(f, 1, true);
	f->config.no_redirect = true;
	assert_int_equal(fixture_try_open(f), 0);
	assert_int_equal(view_rename(f, "d/file", "file", 0), 0);
	assert_false(layer_has_attr(f, "upper/file", META_METACOPY, NULL));
	assert_content(f, "file", TEXT);
	fixture_reopen(f);
	assert_content(f, "file", TEXT);
}

/* A record that says so is not believed blindly: the kernel may have brought the data up since. */
static void test_completed_by_others(void **state)
{
	struct fixture *f = *state;
	int fd;

	if (f->userxattr)
		return;
	layer_file(f, "l1/file", TEXT);
	open_with_metacopy(f, 1);
	assert_int_equal(view_chmod(f, "file", 0600), 0);
	fixture_close(f);
	layer_file(f, "upper/file", "written elsewhere");
	layer_make_old(f, "upper/file");
	fd = openat(f->fd, "upper/file", O_RDONLY | O_CLOEXEC);
	assert_int_equal(fremovexattr(fd, "trusted.overlay.metacopy"), 0);
	(void) close(fd);
	assert_int_equal(fixture_try_open(f), 0);
	assert_content(f, "file", "written elsewhere");
	assert_int_equal(view_append(f, "file", "!"), 0);
	assert_content(f, "file", "written elsewhere!");
}

/* The lower was changed: another file of that name has other data. */
static void test_replaced_lower(void **state)
{
	struct fixture *f = *state;

	if (f->userxattr)
		return;
	layer_file(f, "l1/file", TEXT);
	open_with_metacopy(f, 1);
	assert_int_equal(view_chmod(f, "file", 0600), 0);
	fixture_close(f);
	layer_file(f, "l1/other", TEXT TEXT);
	assert_int_equal(renameat(f->fd, "l1/other", f->fd, "l1/file"), 0);
	assert_int_equal(fixture_try_open(f), 0);
	assert_int_equal(open_result(f, "file"), -EIO);
	assert_int_equal(view_stat(f, "file").stx_mode & 07777, 0600);
	assert_int_equal(view_unlink(f, "file"), 0);
}

/* Whatever has become of the data, a file can be written anew: in the upper, and above. */
static void test_overwriting(void **state)
{
	struct fixture *f = *state;
	const char *const names[] = { "gone", "replaced", "forged" };

	layer_hole(f, "upper/gone", 100, "/nowhere");
	layer_hole(f, "upper/replaced", 100, "/dir");
	layer_hole(f, "upper/forged", 100, "/../x");
	layer_hole(f, "l1/gone", 100, "/nowhere");
	layer_hole(f, "l1/replaced", 100, "/dir");
	layer_hole(f, "l1/forged", 100, "/../x");
	layer_dir(f, "l2/dir");
	for (int in_lower = 0; in_lower < 2; in_lower++) {
		fixture_open(f, 2);
		for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
			bool not_asked = f->userxattr && strcmp(names[i], "forged") != 0;

			assert_int_equal(open_result(f, names[i]), not_asked ? -EPERM : -EIO);
			assert_int_equal(view_append(f, names[i], "x"), not_asked ? -EPERM : -EIO);
			if (i % 2)
				assert_int_equal(view_setattr(f, names[i], &(struct attr_change) { .valid = ATTR_SIZE }), 0);
			assert_int_equal(view_write(f, names[i], "new"), 0);
			assert_content(f, names[i], "new");
		}
		fixture_reopen(f);
		for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
			char path[64];

			assert_content(f, names[i], "new");
			(void) snprintf(path, sizeof(path), "upper/%s", names[i]);
			assert_int_equal(unlinkat(f->fd, path, 0), 0); /* the next time the lower's is copied up */
		}
		fixture_close(f);
	}
}

/* The upper becomes the topmost of n lowers, and there is a new one. */
static void push_upper(struct fixture *f, unsigned int n)
{
	char from[32], to[32];

	for (unsigned int i = n; i > 1; i--) {
		(void) snprintf(from, sizeof(from), "l%u", i - 1);
		(void) snprintf(to, sizeof(to), "l%u", i);
		assert_int_equal(renameat(f->fd, from, f->fd, to), 0);
	}
	assert_int_equal(renameat(f->fd, "upper", f->fd, "l1"), 0);
	(void) snprintf(to, sizeof(to), "work%u", n);
	assert_int_equal(renameat(f->fd, "work", f->fd, to), 0);
	layer_dir(f, "upper");
	layer_dir(f, "work");
}

/* An upper of ours becomes a lower: what it says its objects were is so for their copies too, however often. */
static void test_uppers_as_lowers(void **state)
{
	struct fixture *f = *state;
	const char *const names[] = { "attributes", "data", "whole", "new" };

	if (f->userxattr)
		return;
	layer_file(f, "l1/attributes", TEXT);
	layer_file(f, "l1/data", TEXT);
	layer_file(f, "l1/whole", TEXT);
	open_with_metacopy(f, 1);
	assert_int_equal(view_chmod(f, "attributes", 0600), 0);
	assert_int_equal(view_append(f, "data", "!"), 0);
	assert_int_equal(view_write(f, "new", "new"), 0);
	fixture_close(f);
	for (unsigned int n = 2; n <= 4; n++) {
		push_upper(f, n);
		open_with_metacopy(f, n);
		for (size_t i = 0; i < ARRAY_SIZE(names); i++)
			assert_int_equal(view_chmod(f, names[i], 0640 + n), 0);
		for (int remounted = 0; remounted < 2; remounted++) {
			assert_content(f, "attributes", TEXT);
			assert_content(f, "data", TEXT "!");
			assert_content(f, "whole", TEXT);
			assert_content(f, "new", "new");
			fixture_reopen(f);
		}
		fixture_close(f);
	}
}

/* faults */

struct shown {
	char *content;
	mode_t mode;
	ssize_t n_caps;
};

static struct shown show(struct fixture *f)
{
	char buf[64];

	return (struct shown) {
		.content = view_read(f, "d/file"),
		.mode = (mode_t) view_stat(f, "d/file").stx_mode,
		.n_caps = overlay_getxattr(f->ov, &f->who, view_node(f, "d/file"), "user.kept", buf, sizeof(buf)),
	};
}

static void assert_shown(struct fixture *f, const char *content)
{
	struct shown s = show(f);

	assert_string_equal(s.content, content);
	assert_int_equal(s.mode & 07777, 0640);
	assert_int_equal(s.n_caps, 1);
	free(s.content);
}

static int verb_open(struct fixture *f)
{
	struct overlay_file *file;
	int r = view_open(f, "d/file", O_WRONLY, &file);

	if (r == 0)
		overlay_release(file);
	return r;
}

static int verb_cut(struct fixture *f)
{
	return view_setattr(f, "d/file", &(struct attr_change) { .valid = ATTR_SIZE, .size = 8 });
}

static int verb_rename(struct fixture *f)
{
	int r = view_rename(f, "d/file", "d/file2", 0);

	return r < 0 ? r : view_rename(f, "d/file2", "d/file", 0);
}

static const struct verb {
	int (*run)(struct fixture *f);
	const char *after;
} verbs[] = {
	{ verb_open, TEXT },
	{ verb_cut, "the data" },
	{ verb_rename, TEXT },
};

/* A fresh tree, and one verb with its nth op failing: true when that was reached. */
static bool strike(const struct verb *v, bool by_kernel, unsigned int n)
{
	struct fixture *f = fixture_new();
	bool hit, before;
	char *now;
	int r;

	layer_file(f, "l1/d/file", TEXT);
	layer_xattr(f, "l1/d/file", "user.kept", "1", 1);
	layer_mode(f, "l1/d/file", 0640);
	if (by_kernel) {
		layer_hole(f, "upper/d/file", strlen(TEXT), NULL);
		layer_xattr(f, "upper/d/file", "user.kept", "1", 1);
		layer_mode(f, "upper/d/file", 0640);
	}
	open_with_metacopy(f, 1);
	assert_int_equal(view_setattr(f, "d/file", &(struct attr_change) { .valid = ATTR_GID, .gid = f->who.gid }), 0);
	fixture_reopen(f);
	f->fault_kind = IO_N_KINDS;
	f->fault_count = n;
	f->fault_error = EIO;
	fixture_arm(f);
	r = v->run(f);
	fixture_disarm(f);
	hit = fixture_was_hit(f);
	if (v->run == verb_rename && !view_exists(f, "d/file"))
		assert_int_equal(view_rename(f, "d/file2", "d/file", 0), 0);
	now = view_read(f, "d/file");
	before = strcmp(now, TEXT) == 0;
	free(now);
	if (r == 0 || !before)
		assert_shown(f, v->after);
	else
		assert_shown(f, TEXT);
	fixture_reopen(f);
	assert_shown(f, before && r < 0 ? TEXT : v->after);
	assert_int_equal(v->run(f), 0);
	assert_shown(f, v->after);
	assert_int_equal(view_append(f, "d/file", "!"), 0);
	fixture_free(f);
	return hit;
}

static void test_faults(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		for (int by_kernel = 0; by_kernel < 2; by_kernel++)
			for (unsigned int n = 0; strike(&verbs[i], by_kernel && geteuid() == 0, n); n++)
				assert_true(n < 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_same_name),
		FIXTURE_TEST(test_redirects),
		FIXTURE_TEST(test_grown_lower),
		FIXTURE_TEST(test_attribute_forms),
		FIXTURE_TEST(test_missing_data),
		FIXTURE_TEST(test_costs_nothing),
		FIXTURE_TEST(test_attributes_only),
		FIXTURE_TEST(test_names),
		FIXTURE_TEST(test_falls_back),
		FIXTURE_TEST(test_completion),
		FIXTURE_TEST(test_blocks),
		FIXTURE_TEST(test_truncation),
		FIXTURE_TEST(test_given_up),
		FIXTURE_TEST(test_failed_completion),
		FIXTURE_TEST(test_hold),
		FIXTURE_TEST(test_names_of_others),
		FIXTURE_TEST(test_removed_names_of_others),
		FIXTURE_TEST(test_names_without_redirects),
		FIXTURE_TEST(test_completed_by_others),
		FIXTURE_TEST(test_replaced_lower),
		FIXTURE_TEST(test_overwriting),
		FIXTURE_TEST(test_uppers_as_lowers),
		cmocka_unit_test(test_faults),
	};

	return FIXTURE_RUN(tests);
}
