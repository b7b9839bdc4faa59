/* Renaming, in all combinations of what is moved and what is there; each result is looked at again after a re-opening. */

#include "fixture.h"

#include "layer/meta.h"

static void check(struct fixture *f, const char *path, const char *names)
{
	assert_names(f, path, names);
	fixture_reopen(f);
	assert_names(f, path, names);
}

static void test_files(void **state)
{
	/* From the lower or the upper, to a name that nothing, the lower, the upper, or a whiteout has. */
	static const char *const from[] = { "lower1", "lower2", "lower3", "lower4", "upper1", "upper2", "upper3", "upper4" };
	static const char *const to[] = { "new1", "low1", "up1", "gone1", "new2", "low2", "up2", "gone2" };
	struct fixture *f = *state;
	char path[32];

	for (int i = 1; i <= 4; i++) {
		(void) snprintf(path, sizeof(path), "l1/lower%d", i);
		layer_file(f, path, "moved");
	}
	for (const char *const *p = (const char *const[]) { "l1/low1", "l1/low2", "l1/gone1", "l1/gone2", NULL }; *p; p++)
		layer_file(f, *p, "old");
	fixture_open(f, 1);
	for (int i = 1; i <= 4; i++) {
		(void) snprintf(path, sizeof(path), "upper%d", i);
		assert_int_equal(view_write(f, path, "moved"), 0);
	}
	for (const char *const *p = (const char *const[]) { "up1", "up2", NULL }; *p; p++)
		assert_int_equal(view_write(f, *p, "old"), 0);
	assert_int_equal(view_unlink(f, "gone1"), 0);
	assert_int_equal(view_unlink(f, "gone2"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(from); i++) {
		uint64_t ino = view_ino(f, from[i]);

		assert_int_equal(view_rename(f, from[i], to[i], 0), 0);
		assert_int_equal(view_ino(f, to[i]), ino);
		assert_false(view_exists(f, from[i]));
		assert_content(f, to[i], "moved");
	}
	check(f, "", "gone1 gone2 low1 low2 new1 new2 up1 up2");
	for (size_t i = 0; i < ARRAY_SIZE(to); i++)
		assert_content(f, to[i], "moved");
	/* And away again: nothing from below comes to light. */
	for (size_t i = 0; i < ARRAY_SIZE(to); i++)
		assert_int_equal(view_unlink(f, to[i]), 0);
	check(f, "", "");
}

static void test_numbers_stay(void **state)
{
	struct fixture *f = *state;
	uint64_t file, dir;

	layer_file(f, "l1/file", "x");
	layer_file(f, "l1/dir/x", "x");
	layer_dir(f, "l1/sub");
	fixture_open(f, 1);
	file = view_ino(f, "file");
	dir = view_ino(f, "dir");
	assert_int_equal(view_rename(f, "file", "sub/file", 0), 0);
	assert_int_equal(view_rename(f, "dir", "sub/dir", 0), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(view_ino(f, "sub/file"), file);
		assert_int_equal(view_ino(f, "sub/dir"), dir);
		fixture_reopen(f);
	}
}

static void test_lower_directory(void **state)
{
	struct fixture *f = *state;

	layer_file(f, "l1/d/above", "1");
	layer_file(f, "l2/d/below", "2");
	layer_file(f, "l2/d/sub/deep", "3");
	layer_dir(f, "l2/e");
	fixture_open(f, 2);
	assert_int_equal(view_rename(f, "d", "same", 0), 0);
	check(f, "", "e same");
	check(f, "same", "above below sub");
	assert_true(layer_has_attr(f, "upper/same", META_REDIRECT, "d"));
	assert_int_equal(view_rename(f, "same", "e/far", 0), 0);
	check(f, "e", "far");
	check(f, "e/far", "above below sub");
	assert_content(f, "e/far/sub/deep", "3");
	assert_true(layer_has_attr(f, "upper/e/far", META_REDIRECT, "/d"));
	assert_int_equal(view_rename(f, "e/far/sub", "out", 0), 0);
	check(f, "out", "deep");
	assert_true(layer_has_attr(f, "upper/out", META_REDIRECT, "/d/sub"));
	assert_int_equal(view_append(f, "out/deep", "!"), 0);
	assert_int_equal(view_rename(f, "e", "d", 0), 0);
	check(f, "d", "far");
	check(f, "d/far", "above below");
	assert_content(f, "out/deep", "3!");
	assert_int_equal(view_rename(f, "d/far", "e", 0), 0);
	check(f, "", "d e out");
	check(f, "e", "above below");
	check(f, "d", "");
}

/* A directory below a renamed one keeps being reached, also while it is known from before. */
static void test_known_children(void **state)
{
	struct fixture *f = *state;
	struct node *deep;
	struct statx stx;

	layer_file(f, "l1/a/b/c/file", "text");
	layer_dir(f, "l1/z");
	fixture_open(f, 1);
	deep = view_node(f, "a/b/c/file");
	assert_int_equal(view_rename(f, "a", "z/a2", 0), 0);
	assert_int_equal(view_rename(f, "z/a2/b", "b2", 0), 0);
	assert_int_equal(overlay_getattr(f->ov, &f->who, deep, NULL, &stx), 0);
	assert_int_equal(stx.stx_size, 4);
	assert_ptr_equal(view_node(f, "b2/c/file"), deep);
	assert_int_equal(view_append(f, "b2/c/file", "!"), 0);
	check(f, "b2/c", "file");
	assert_content(f, "b2/c/file", "text!");
}

static void test_upper_directory(void **state)
{
	struct fixture *f = *state;

	layer_file(f, "l1/d/below", "");
	layer_file(f, "l1/gone/below", "");
	fixture_open(f, 1);
	assert_int_equal(view_mkdir(f, "u"), 0);
	assert_int_equal(view_write(f, "u/file", "x"), 0);
	assert_int_equal(view_unlink(f, "gone/below"), 0);
	assert_int_equal(view_rmdir(f, "gone"), 0);
	assert_int_equal(view_rename(f, "u", "gone", 0), 0); /* onto a whiteout: opaque */
	check(f, "gone", "file");
	assert_int_equal(view_rename(f, "gone", "d", 0), -ENOTEMPTY);
	assert_int_equal(view_unlink(f, "d/below"), 0);
	assert_int_equal(view_rename(f, "gone", "d", 0), 0); /* onto an empty one that holds a whiteout */
	check(f, "d", "file");
	check(f, "", "d");
	assert_int_equal(view_mkdir(f, "gone"), 0);
	check(f, "gone", "");
}

static void test_onto_empty_directories(void **state)
{
	struct fixture *f = *state;

	layer_file(f, "l1/d1/x", "");
	layer_file(f, "l1/d2/x", "");
	layer_file(f, "l1/d3/x", "");
	layer_dir(f, "l1/empty");
	layer_file(f, "l1/white/y", "");
	fixture_open(f, 1);
	assert_int_equal(view_mkdir(f, "upper"), 0);
	assert_int_equal(view_unlink(f, "white/y"), 0);
	assert_int_equal(view_rename(f, "d1", "empty", 0), 0);
	assert_int_equal(view_rename(f, "d2", "upper", 0), 0);
	assert_int_equal(view_rename(f, "d3", "white", 0), 0);
	check(f, "", "empty upper white");
	check(f, "empty", "x");
	check(f, "upper", "x");
	check(f, "white", "x");
}

static void test_refusals(void **state)
{
	struct fixture *f = *state;

	layer_file(f, "l1/d/sub/x", "");
	layer_file(f, "l1/file", "");
	layer_dir(f, "l1/empty");
	fixture_open(f, 1);
	assert_int_equal(view_rename(f, "d", "d/sub/inside", 0), -EINVAL);
	assert_int_equal(view_rename(f, "d", "d/inside", 0), -EINVAL);
	assert_int_equal(view_rename(f, "d/sub", "d", 0), -ENOTEMPTY);
	assert_int_equal(view_rename(f, "d", "d/sub", RENAME_EXCHANGE), -EINVAL);
	assert_int_equal(view_rename(f, "d/sub", "d", RENAME_EXCHANGE), -EINVAL);
	assert_int_equal(view_rename(f, "file", "empty", 0), -EISDIR);
	assert_int_equal(view_rename(f, "d", "file", 0), -ENOTDIR);
	assert_int_equal(view_rename(f, "empty", "d", 0), -ENOTEMPTY);
	assert_int_equal(view_rename(f, "absent", "x", 0), -ENOENT);
	assert_int_equal(view_rename(f, "file", "absent", RENAME_EXCHANGE), -ENOENT);
	assert_int_equal(view_rename(f, "file", "empty", RENAME_NOREPLACE), -EEXIST);
	assert_int_equal(view_rename(f, "file", "file", RENAME_NOREPLACE), -EEXIST);
	assert_int_equal(view_rename(f, "file", "x", RENAME_NOREPLACE | RENAME_EXCHANGE), -EINVAL);
	assert_int_equal(view_rename(f, "file", "x", RENAME_WHITEOUT), -EINVAL);
	assert_int_equal(view_rename(f, "file", "d/..", 0), -EINVAL);
	assert_int_equal(view_rename(f, "file", "file/x", 0), -ENOTDIR);
	assert_int_equal(view_rename(f, "file", "file", 0), 0);
	assert_int_equal(view_rename(f, "file", "file", RENAME_EXCHANGE), 0);
	assert_names(f, "", "d empty file");
	assert_false(layer_exists(f, "upper/file")); /* what fails copies nothing up */
}

static void test_noreplace(void **state)
{
	struct fixture *f = *state;

	layer_file(f, "l1/a", "a");
	layer_file(f, "l1/b", "b");
	fixture_open(f, 1);
	assert_int_equal(view_rename(f, "a", "b", RENAME_NOREPLACE), -EEXIST);
	assert_int_equal(view_unlink(f, "b"), 0);
	assert_int_equal(view_rename(f, "a", "b", RENAME_NOREPLACE), 0); /* a whiteout is nothing */
	check(f, "", "b");
	assert_content(f, "b", "a");
	assert_int_equal(view_rename(f, "b", "a", RENAME_NOREPLACE), 0);
	check(f, "", "a");
}

static void test_exchange(void **state)
{
	struct fixture *f = *state;
	uint64_t a, b;

	layer_file(f, "l1/a", "a");
	layer_file(f, "l1/b", "b");
	layer_file(f, "l1/d/x", "x");
	layer_file(f, "l2/d/y", "y");
	layer_file(f, "l1/e/z", "z");
	fixture_open(f, 2);
	a = view_ino(f, "a");
	b = view_ino(f, "b");
	assert_int_equal(view_rename(f, "a", "b", RENAME_EXCHANGE), 0);
	assert_int_equal(view_ino(f, "a"), b);
	assert_int_equal(view_ino(f, "b"), a);
	assert_content(f, "a", "b");
	assert_int_equal(view_rename(f, "d", "e", RENAME_EXCHANGE), 0);
	check(f, "d", "z");
	check(f, "e", "x y");
	assert_int_equal(view_rename(f, "e", "a", RENAME_EXCHANGE), 0);
	check(f, "a", "x y");
	assert_content(f, "e", "b");
	assert_int_equal(view_mkdir(f, "u"), 0);
	assert_int_equal(view_write(f, "u/file", ""), 0);
	assert_int_equal(view_rename(f, "u", "a", RENAME_EXCHANGE), 0);
	check(f, "a", "file");
	check(f, "u", "x y");
	assert_int_equal(view_rename(f, "a", "d/a", 0), 0);
	assert_int_equal(view_rename(f, "u", "d/a", RENAME_EXCHANGE), 0);
	check(f, "d", "a z");
	check(f, "d/a", "x y");
	check(f, "u", "file");
	assert_int_equal(view_ino(f, "e"), b);
}

static void test_no_redirect(void **state)
{
	struct fixture *f = *state;

	layer_file(f, "l1/d/x", "");
	layer_file(f, "l1/file", "x");
	fixture_configure(f, 1, true);
	f->config.no_redirect = true;
	assert_int_equal(fixture_try_open(f), 0);
	assert_int_equal(view_rename(f, "d", "e", 0), -EXDEV);
	assert_int_equal(view_rename(f, "file", "d", RENAME_EXCHANGE), -EXDEV);
	assert_int_equal(view_rename(f, "file", "file2", 0), 0);
	assert_int_equal(view_mkdir(f, "u"), 0);
	assert_int_equal(view_rename(f, "u", "v", 0), 0);
	check(f, "", "d file2 v");
}

/* A redirect has room for 256 bytes: beyond that the directory stays where it is, and tools copy. */
static void test_redirect_too_long(void **state)
{
	struct fixture *f = *state;
	char path[600];

	(void) snprintf(path, sizeof(path), "l1/%0200d/%0200d/x", 0, 0);
	layer_file(f, path, "x");
	fixture_open(f, 1);
	(void) snprintf(path, sizeof(path), "%0200d/%0200d", 0, 0);
	assert_int_equal(view_rename(f, path, "short", 0), -EXDEV);
	assert_names(f, path, "x");
	(void) snprintf(path, sizeof(path), "%0200d", 0);
	assert_int_equal(view_rename(f, path, "short", 0), 0);
	(void) snprintf(path, sizeof(path), "short/%0200d", 0);
	check(f, path, "x");
}

/* What was replaced lives on for whoever has it open. */
static void test_replaced_but_open(void **state)
{
	struct fixture *f = *state;
	struct overlay_file *file;
	struct statx stx;
	struct node *n;
	char buf[8];

	layer_file(f, "l1/a", "a");
	layer_file(f, "l1/b", "bb");
	fixture_open(f, 1);
	n = view_node(f, "b");
	assert_int_equal(view_open(f, "b", O_RDWR, &file), 0);
	assert_int_equal(view_rename(f, "a", "b", 0), 0);
	assert_int_equal(overlay_read(file, buf, sizeof(buf), 0), 2);
	assert_memory_equal(buf, "bb", 2);
	assert_int_equal(overlay_getattr(f->ov, &f->who, n, file, &stx), 0);
	assert_int_equal(stx.stx_nlink, 0);
	overlay_release(file);
	assert_content(f, "b", "a");
}

static void test_symlinks_and_fifos(void **state)
{
	struct fixture *f = *state;

	layer_symlink(f, "target", "l1/link");
	layer_fifo(f, "l1/fifo");
	layer_file(f, "l1/file", "");
	fixture_open(f, 1);
	assert_int_equal(view_rename(f, "link", "link2", 0), 0);
	assert_int_equal(view_rename(f, "fifo", "file", 0), 0);
	check(f, "", "file link2");
	assert_int_equal(view_stat(f, "file").stx_mode & S_IFMT, S_IFIFO);
	assert_int_equal(view_stat(f, "link2").stx_mode & S_IFMT, S_IFLNK);
}

/* An upper that was written by renames serves as a lower: the redirects mean the same. */
/* What a redirect says is the path in all layers below together, not the one in the lowest. */
static void test_again_over_renamed(void **state)
{
	struct fixture *f = *state;

	layer_file(f, "l2/old/d/file", "x");
	layer_dir(f, "l2/e");
	layer_dir(f, "l1/new");
	layer_xattr(f, "l1/new", f->userxattr ? "user.overlay.redirect" : "trusted.overlay.redirect", "/old", 4);
	layer_whiteout(f, "l1/old");
	layer_ours(f, "l1");
	fixture_open(f, 2);
	assert_int_equal(view_rename(f, "new/d", "e/d", 0), 0);
	assert_int_equal(view_rename(f, "e/d", "d2", 0), 0);
	check(f, "d2", "file");
	fixture_reopen(f);
	check(f, "d2", "file");
	assert_int_equal(view_rename(f, "d2", "d3", 0), 0);
	assert_int_equal(view_rename(f, "d3", "e/d4", 0), 0);
	check(f, "e/d4", "file");
	fixture_reopen(f);
	check(f, "e/d4", "file");
	assert_content(f, "e/d4/file", "x");
}

static void test_as_lower(void **state)
{
	struct fixture *f = *state;

	layer_file(f, "l2/d/sub/x", "x");
	layer_dir(f, "l2/e");
	layer_dir(f, "l1");
	fixture_open(f, 2);
	assert_int_equal(view_rename(f, "d", "e/d2", 0), 0);
	assert_int_equal(view_rename(f, "e/d2/sub", "sub2", 0), 0);
	fixture_close(f);
	assert_int_equal(renameat(f->fd, "upper", f->fd, "middle"), 0);
	assert_int_equal(renameat(f->fd, "l1", f->fd, "upper"), 0);
	assert_int_equal(renameat(f->fd, "middle", f->fd, "l1"), 0);
	assert_int_equal(renameat(f->fd, "work", f->fd, "old-work"), 0);
	layer_dir(f, "work");
	fixture_open(f, 2);
	assert_names(f, "", "e sub2");
	assert_names(f, "sub2", "x");
	assert_int_equal(view_rename(f, "sub2", "e/d2/again", 0), 0);
	check(f, "e/d2/again", "x");
	assert_int_equal(view_rename(f, "e/d2", "top", 0), 0);
	check(f, "top", "again");
	check(f, "top/again", "x");
}

/* A chain of directories, made one by one: it may be longer than a path. The descriptor of the last one. */
static int make_chain(int fd, size_t n, const char *name, size_t last_len)
{
	char text[256];

	for (size_t i = 0; i < n; i++) {
		int next;

		(void) snprintf(text, sizeof(text), "%.*s", (int) (i + 1 < n ? strlen(name) : last_len), name);
		assert_int_equal(mkdirat(fd, text, 0755), 0);
		next = openat(fd, text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		(void) close(fd);
		fd = next;
	}
	return fd;
}

/*
 * Short names in one lower that are redirected to long ones in the next, so that the place of a directory is as long as a path can
 * be. It is refused to move it where it would be longer.
 */
static void move_below_long_path(size_t last_len)
{
	struct fixture *f = fixture_new();
	char shorter[128] = "l1", path[160], name[256];
	int fd;

	memset(name, 'N', 255);
	name[255] = '\0';
	layer_dir(f, "l2");
	fd = make_chain(openat(f->fd, "l2", O_RDONLY | O_DIRECTORY | O_CLOEXEC), 16, name, last_len);
	for (int i = 0; i < 16; i++) {
		(void) snprintf(shorter + strlen(shorter), sizeof(shorter) - strlen(shorter), "/%d", i);
		layer_dir(f, shorter);
		layer_attr(f, shorter, META_REDIRECT, i < 15 ? name : name + 255 - last_len);
	}
	memset(name, 'X', 255);
	fd = make_chain(fd, 1, name, 255);
	fd = make_chain(make_chain(fd, 1, "sub", 3), 1, "subsub", 6);
	(void) close(fd);
	(void) snprintf(path, sizeof(path), "%s/x", shorter);
	layer_dir(f, path);
	layer_attr(f, path, META_REDIRECT, name);
	(void) snprintf(path, sizeof(path), "%s/x/sub", shorter);
	layer_dir(f, path);

	layer_ours(f, "l1");
	fixture_open(f, 2);
	(void) snprintf(path, sizeof(path), "%s/x", shorter + 3);
	assert_names(f, path, "sub");
	assert_int_equal(view_rename(f, path, "y", 0), -EXDEV);
	assert_names(f, path, "sub");
	(void) snprintf(path, sizeof(path), "%s/x/sub", shorter + 3);
	assert_names(f, path, "subsub");
	assert_int_equal(view_rename(f, path, "y", 0), -EXDEV);
	assert_names(f, path, "subsub");
	assert_false(view_exists(f, "y"));
	fixture_free(f);
}

static void test_long_paths(void **state)
{
	move_below_long_path(254);
	move_below_long_path(255);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_files),
		FIXTURE_TEST(test_again_over_renamed),
		FIXTURE_TEST(test_numbers_stay),
		FIXTURE_TEST(test_lower_directory),
		FIXTURE_TEST(test_known_children),
		FIXTURE_TEST(test_upper_directory),
		FIXTURE_TEST(test_onto_empty_directories),
		FIXTURE_TEST(test_refusals),
		FIXTURE_TEST(test_noreplace),
		FIXTURE_TEST(test_exchange),
		FIXTURE_TEST(test_no_redirect),
		FIXTURE_TEST(test_redirect_too_long),
		FIXTURE_TEST(test_replaced_but_open),
		FIXTURE_TEST(test_symlinks_and_fifos),
		FIXTURE_TEST(test_as_lower),
		cmocka_unit_test(test_long_paths),
	};

	return FIXTURE_RUN(tests);
}
