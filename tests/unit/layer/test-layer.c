/* What a name means in one layer, in all the forms that the format has, and the forged ones. */

#include "fixture.h"

#include "layer/layer.h"

static struct layer layer_at(struct fixture *f, const char *path, bool lowest)
{
	struct layer l;
	int fd = openat(f->fd, path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(layer_init(&l, f->fault, fd, f->userxattr, lowest), 0);
	return l;
}

static enum lentry_kind kind_of(const struct layer *l, const char *name, unsigned int flags)
{
	struct lentry le;

	assert_int_equal(layer_look(l, l->fd, name, flags, &le), 0);
	return le.kind;
}

static void test_init(void **state)
{
	struct fixture *f = *state;
	struct meta_record rec = { .has = META_RECORD_LAYER };
	struct layer l;
	struct meta m;
	int fd;

	layer_dir(f, "l1");
	layer_file(f, "file", "");
	l = layer_at(f, "l1", true);
	assert_false(l.ours);
	assert_false(l.wh_names);
	layer_done(&l);
	assert_int_equal(l.fd, -EBADF);
	l = layer_at(f, "l1", false);
	assert_true(l.wh_names);
	layer_done(&l);

	meta_init(&m, f->sync, f->userxattr);
	assert_int_equal(meta_set_record(&m, f->fd, "l1", &rec), 0);
	l = layer_at(f, "l1", false);
	assert_true(l.ours);
	assert_false(l.wh_names);
	layer_done(&l);

	fd = openat(f->fd, "file", O_PATH | O_CLOEXEC);
	assert_int_equal(layer_init(&l, f->sync, fd, f->userxattr, true), -ENOTDIR); /* and the descriptor stays ours */
	(void) close(fd);
	fd = openat(f->fd, "l1", O_PATH | O_CLOEXEC);
	for (unsigned int i = 0; i < 2; i++) {
		io_engine_fault_set(f->fault, IO_N_KINDS, i, EIO);
		assert_int_equal(layer_init(&l, f->fault, fd, f->userxattr, true), -EIO);
	}
	(void) close(fd);
}

static void test_look(void **state)
{
	struct fixture *f = *state;
	struct lentry le;
	struct layer l;
	char name[300];

	layer_file(f, "l1/file", "x");
	layer_dir(f, "l1/dir");
	layer_symlink(f, "absent", "l1/link");
	layer_fifo(f, "l1/fifo");
	l = layer_at(f, "l1", true);
	assert_int_equal(kind_of(&l, "absent", 0), LENTRY_ABSENT);
	assert_int_equal(layer_look(&l, l.fd, "absent", 0, &le), 0);
	assert_int_equal(le.stx.stx_mode, 0);
	for (const char *const *p = (const char *const[]) { "file", "dir", "link", "fifo", NULL }; *p; p++)
		assert_int_equal(kind_of(&l, *p, LOOK_RECORD), LENTRY_PRESENT);
	(void) memset(name, 'n', 299);
	name[299] = '\0';
	assert_int_equal(kind_of(&l, name, 0), LENTRY_ABSENT); /* cannot be there */
	name[255] = '\0';
	assert_int_equal(kind_of(&l, name, 0), LENTRY_ABSENT);
	layer_done(&l);
}

static void test_whiteouts(void **state)
{
	struct fixture *f = *state;
	struct lentry le;
	struct layer l;

	layer_whiteout(f, "l1/device");
	layer_file(f, "l1/.wh.name", "");
	layer_file(f, "l1/empty", "");
	layer_attr(f, "l1/empty", META_WHITEOUT, "");
	layer_file(f, "l1/full", "x");
	layer_attr(f, "l1/full", META_WHITEOUT, "y");
	l = layer_at(f, "l1", false);
	assert_int_equal(kind_of(&l, "device", 0), LENTRY_WHITEOUT);
	assert_int_equal(layer_look(&l, l.fd, "name", 0, &le), 0);
	assert_int_equal(le.kind, LENTRY_WHITEOUT);
	assert_int_equal(le.stx.stx_mode, 0); /* nothing of the name itself is there */
	assert_int_equal(kind_of(&l, "empty", 0), LENTRY_PRESENT);
	assert_int_equal(kind_of(&l, "empty", LOOK_XWHITEOUTS), LENTRY_WHITEOUT);
	assert_int_equal(kind_of(&l, "full", LOOK_XWHITEOUTS), LENTRY_PRESENT);
	layer_attr(f, "l1/empty", META_WHITEOUT, "long value");
	assert_int_equal(kind_of(&l, "empty", LOOK_XWHITEOUTS), LENTRY_WHITEOUT);
	io_engine_fault_set(f->fault, IO_GETXATTR, 0, EIO);
	assert_int_equal(layer_look(&l, l.fd, "empty", LOOK_XWHITEOUTS, &le), -EIO);
	io_engine_fault_set(f->fault, IO_STATX, 1, EIO);
	assert_int_equal(layer_look(&l, l.fd, "name", 0, &le), -EIO);
	layer_done(&l);

	io_engine_fault_set(f->fault, IO_N_KINDS, 0, 0);
	l = layer_at(f, "l1", true); /* nothing is below: the names are only names */
	assert_int_equal(kind_of(&l, "name", 0), LENTRY_ABSENT);
	assert_int_equal(kind_of(&l, ".wh.name", 0), LENTRY_PRESENT);
	layer_done(&l);
}

/* A name too long for a ".wh." before it cannot have one. */
static void test_long_names(void **state)
{
	struct fixture *f = *state;
	struct layer l;
	char name[256], path[300];

	layer_dir(f, "l1");
	l = layer_at(f, "l1", false);
	(void) memset(name, 'n', 255);
	name[255] = '\0';
	assert_int_equal(kind_of(&l, name, 0), LENTRY_ABSENT);
	name[251] = '\0';
	(void) snprintf(path, sizeof(path), "l1/.wh.%s", name);
	layer_file(f, path, "");
	assert_int_equal(kind_of(&l, name, 0), LENTRY_WHITEOUT);
	layer_done(&l);
}

static void look_dir(const struct layer *l, const char *name, struct lentry *le)
{
	assert_int_equal(layer_look(l, l->fd, name, 0, le), 0);
	assert_int_equal(le->kind, LENTRY_PRESENT);
}

static void test_opaque(void **state)
{
	struct fixture *f = *state;
	struct lentry le;
	struct layer l;

	layer_dir(f, "l1/plain");
	layer_dir(f, "l1/y");
	layer_attr(f, "l1/y", META_OPAQUE, "y");
	layer_dir(f, "l1/x");
	layer_attr(f, "l1/x", META_OPAQUE, "x");
	layer_dir(f, "l1/other");
	layer_attr(f, "l1/other", META_OPAQUE, "n");
	layer_dir(f, "l1/long");
	layer_attr(f, "l1/long", META_OPAQUE, "yyy");
	layer_file(f, "l1/wh/.wh..wh..opq", "");
	layer_dir(f, "l1/fuse");
	layer_xattr(f, "l1/fuse", "user.fuseoverlayfs.opaque", "y", 1);
	l = layer_at(f, "l1", false);
	look_dir(&l, "plain", &le);
	assert_false(le.opaque || le.xwhiteouts);
	look_dir(&l, "y", &le);
	assert_true(le.opaque && !le.xwhiteouts);
	look_dir(&l, "x", &le);
	assert_true(!le.opaque && le.xwhiteouts);
	look_dir(&l, "other", &le);
	assert_false(le.opaque || le.xwhiteouts);
	look_dir(&l, "long", &le);
	assert_false(le.opaque || le.xwhiteouts);
	look_dir(&l, "wh", &le);
	assert_true(le.opaque);
	look_dir(&l, "fuse", &le);
	assert_true(le.opaque);
	assert_int_equal(layer_look(&l, l.fd, "y", LOOK_STAT_ONLY, &le), 0);
	assert_false(le.opaque);
	assert_int_equal(layer_look_attrs(&l, l.fd, "y", 0, &le), 0);
	assert_true(le.opaque);
	for (unsigned int i = 0;; i++) { /* listing, opening and asking for ".wh..wh..opq" may fail each */
		io_engine_fault_set(f->fault, IO_N_KINDS, i, EIO);
		if (layer_look(&l, l.fd, "wh", 0, &le) == 0)
			break;
		assert_true(i < 4);
	}
	layer_done(&l);

	io_engine_fault_set(f->fault, IO_N_KINDS, 0, 0);
	l = layer_at(f, "l1", true);
	look_dir(&l, "wh", &le);
	assert_false(le.opaque);
	layer_done(&l);
}

static void test_redirect(void **state)
{
	static const char *const sound[] = { "name", "..name", "/a", "/a/b.c/..d", "\xff\xfe" };
	static const char *const forged[] = {
		"", ".", "..", "a/b", "/", "//", "/a/", "/a//b", "/../a", "/a/..", "/a/.", "/./a", "a/", "../a",
	};
	struct fixture *f = *state;
	char longest[META_REDIRECT_MAX + 2];
	struct lentry le;
	struct layer l;

	layer_dir(f, "l1/d");
	layer_ours(f, "l1");
	l = layer_at(f, "l1", true);
	for (size_t i = 0; i < ARRAY_SIZE(sound); i++) {
		layer_attr(f, "l1/d", META_REDIRECT, sound[i]);
		look_dir(&l, "d", &le);
		assert_string_equal(le.redirect, sound[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(forged); i++) {
		layer_attr(f, "l1/d", META_REDIRECT, forged[i]);
		assert_int_equal(layer_look(&l, l.fd, "d", 0, &le), -EIO);
		assert_string_equal(le.redirect, "");
	}
	layer_xattr(f, "l1/d", f->userxattr ? "user.overlay.redirect" : "trusted.overlay.redirect", "a\0b", 3);
	assert_int_equal(layer_look(&l, l.fd, "d", 0, &le), -EIO);

	(void) memset(longest, 'n', sizeof(longest));
	longest[0] = '/';
	longest[128] = '/';
	longest[META_REDIRECT_MAX] = '\0';
	layer_attr(f, "l1/d", META_REDIRECT, longest);
	look_dir(&l, "d", &le);
	assert_string_equal(le.redirect, longest);
	longest[META_REDIRECT_MAX] = 'n';
	longest[META_REDIRECT_MAX + 1] = '\0';
	layer_attr(f, "l1/d", META_REDIRECT, longest);
	assert_int_equal(layer_look(&l, l.fd, "d", 0, &le), -EIO);
	layer_done(&l);
}

/* With more attributes than fit in a list of usual size ours are still seen. */
static void test_many_attributes(void **state)
{
	struct fixture *f = *state;
	struct lentry le;
	struct layer l;
	char name[256];

	layer_dir(f, "l1/d");
	for (int i = 0; i < 8; i++) {
		(void) snprintf(name, sizeof(name), "user.%d.%0200d", i, 0);
		layer_xattr(f, "l1/d", name, "x", 1);
	}
	layer_ours(f, "l1");
	l = layer_at(f, "l1", true);
	look_dir(&l, "d", &le);
	assert_false(le.opaque || le.xwhiteouts || le.redirect[0]);
	layer_attr(f, "l1/d", META_OPAQUE, "y");
	layer_attr(f, "l1/d", META_REDIRECT, "/else");
	look_dir(&l, "d", &le);
	assert_true(le.opaque);
	assert_string_equal(le.redirect, "/else");
	layer_done(&l);
}

static void test_record(void **state)
{
	struct fixture *f = *state;
	const struct meta_record rec = { .has = META_RECORD_INO, .ino = 42 };
	struct lentry le;
	struct layer l;
	struct meta m;

	layer_file(f, "l1/file", "");
	layer_dir(f, "l1/dir");
	meta_init(&m, f->sync, f->userxattr);
	l = layer_at(f, "l1", true);
	for (const char *const *p = (const char *const[]) { "file", "dir", NULL }; *p; p++) {
		assert_int_equal(layer_look(&l, l.fd, *p, LOOK_RECORD, &le), 0);
		assert_int_equal(le.record.has, 0);
		assert_int_equal(meta_set_record(&m, l.fd, *p, &rec), 0);
		assert_int_equal(layer_look(&l, l.fd, *p, LOOK_RECORD, &le), 0);
		assert_int_equal(le.record.ino, 42);
		assert_int_equal(layer_look(&l, l.fd, *p, 0, &le), 0);
		assert_int_equal(le.record.has, 0);
	}
	layer_done(&l);
}

static void test_look_dir(void **state)
{
	struct fixture *f = *state;
	struct lentry le;
	struct layer l;

	layer_dir(f, "l1");
	layer_attr(f, "l1", META_OPAQUE, "x");
	l = layer_at(f, "l1", false);
	assert_int_equal(layer_look_dir(&l, l.fd, 0, &le), 0);
	assert_int_equal(le.kind, LENTRY_PRESENT);
	assert_true(le.xwhiteouts);
	for (unsigned int i = 0; i < 3; i++) {
		io_engine_fault_set(f->fault, IO_N_KINDS, i, EIO);
		assert_int_equal(layer_look_dir(&l, l.fd, 0, &le), -EIO);
	}
	layer_done(&l);
}

static void test_failures(void **state)
{
	/* Absent is what a name is where it cannot be; a layer that takes no questions about attributes has none. */
	static const struct {
		enum io_kind kind;
		int error, result;
	} cases[] = {
		{ IO_STATX, ENOENT, 0 }, { IO_STATX, ENAMETOOLONG, 0 }, { IO_STATX, EACCES, -EACCES }, { IO_STATX, EIO, -EIO },
		{ IO_LISTXATTR, EOPNOTSUPP, 0 }, { IO_LISTXATTR, EACCES, 0 }, { IO_LISTXATTR, EIO, -EIO },
	};
	struct fixture *f = *state;
	struct lentry le;
	struct layer l;

	layer_dir(f, "l1/d");
	l = layer_at(f, "l1", true);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		io_engine_fault_set(f->fault, cases[i].kind, 0, cases[i].error);
		assert_int_equal(layer_look(&l, l.fd, "d", 0, &le), cases[i].result);
	}
	layer_done(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_init),	    FIXTURE_TEST(test_look),	 FIXTURE_TEST(test_whiteouts),
		FIXTURE_TEST(test_long_names),	    FIXTURE_TEST(test_opaque),	 FIXTURE_TEST(test_redirect),
		FIXTURE_TEST(test_many_attributes), FIXTURE_TEST(test_record),	 FIXTURE_TEST(test_look_dir),
		FIXTURE_TEST(test_failures),
	};

	return FIXTURE_RUN(tests);
}
