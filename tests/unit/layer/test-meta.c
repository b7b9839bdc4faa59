/* The attributes of the on-disk format: what is written is read back, what is forged is as good as nothing. */

#include "fixture.h"

#include <endian.h>

#include "layer/meta.h"

static struct meta meta_of(struct fixture *f)
{
	struct meta m;

	meta_init(&m, f->fault, f->userxattr);
	return m;
}

static void test_names(void **state)
{
	struct fixture *f = *state;
	char name[META_NAME_MAX];
	struct meta m;

	meta_init(&m, f->sync, true);
	assert_string_equal(meta_name(&m, META_OPAQUE, name), "user.overlay.opaque");
	assert_true(meta_is_private(&m, "user.overlay.x"));
	assert_false(meta_is_private(&m, "trusted.overlay.x"));
	meta_init(&m, f->sync, false);
	assert_string_equal(meta_name(&m, META_REDIRECT, name), "trusted.overlay.redirect");
	assert_true(meta_is_private(&m, "trusted.overlay."));
	assert_false(meta_is_private(&m, "trusted.overlay"));
	assert_false(meta_is_private(&m, "user.overlay.x"));
}

static void test_get_set_remove(void **state)
{
	struct fixture *f = *state;
	struct meta m = meta_of(f);
	char buf[8];
	size_t len;

	layer_file(f, "a", "");
	assert_int_equal(meta_get(&m, f->fd, "a", META_OPAQUE, buf, sizeof(buf), &len), 0);
	assert_int_equal(meta_set(&m, f->fd, "a", META_OPAQUE, "y", 1), 0);
	assert_int_equal(meta_get(&m, f->fd, "a", META_OPAQUE, buf, sizeof(buf), &len), 1);
	assert_int_equal(len, 1);
	assert_int_equal(meta_get(&m, f->fd, "a", META_OPAQUE, buf, sizeof(buf), NULL), 1);
	assert_int_equal(meta_set(&m, f->fd, "a", META_OPAQUE, "longer than that", 16), 0);
	assert_int_equal(meta_get(&m, f->fd, "a", META_OPAQUE, buf, sizeof(buf), &len), -ERANGE);
	assert_int_equal(meta_remove(&m, f->fd, "a", META_OPAQUE), 0);
	assert_int_equal(meta_remove(&m, f->fd, "a", META_OPAQUE), 0); /* what is not there need not go */
	assert_int_equal(meta_get(&m, f->fd, "absent", META_OPAQUE, buf, sizeof(buf), &len), -ENOENT);
}

/* A file system without attributes has none of ours; one that refuses shows none. Other failures are failures. */
static void test_get_failures(void **state)
{
	static const struct {
		int error, result;
	} cases[] = {
		{ EOPNOTSUPP, 0 }, { EPERM, 0 }, { EACCES, 0 }, { ENODATA, 0 }, { EIO, -EIO }, { ENOENT, -ENOENT }, { ERANGE, -ERANGE },
	};
	struct fixture *f = *state;
	struct meta m = meta_of(f);
	char buf[8];

	layer_file(f, "a", "");
	layer_attr(f, "a", META_OPAQUE, "y");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		io_engine_fault_set(f->fault, IO_GETXATTR, 0, cases[i].error);
		assert_int_equal(meta_get(&m, f->fd, "a", META_OPAQUE, buf, sizeof(buf), NULL), cases[i].result);
	}
	io_engine_fault_set(f->fault, IO_REMOVEXATTR, 0, EIO);
	assert_int_equal(meta_remove(&m, f->fd, "a", META_OPAQUE), -EIO);
	io_engine_fault_set(f->fault, IO_SETXATTR, 0, ENOSPC);
	assert_int_equal(meta_set(&m, f->fd, "a", META_OPAQUE, "y", 1), -ENOSPC);
}

static void test_record(void **state)
{
	const struct meta_record rec = {
		.has = META_RECORD_INO | META_RECORD_OWNER | META_RECORD_BTIME, .uid = 1, .gid = 0xfffffffe, .ino = UINT64_MAX - 1,
		.fsid = UINT64_C(0x0123456789abcdef), .btime_sec = -5, .btime_nsec = 999999999,
	};
	struct fixture *f = *state;
	struct meta m = meta_of(f);
	struct meta_record got = { .has = 77 };

	layer_file(f, "a", "");
	assert_int_equal(meta_get_record(&m, f->fd, "a", &got), 0);
	assert_int_equal(got.has, 0);
	assert_int_equal(meta_set_record(&m, f->fd, "a", &rec), 0);
	assert_int_equal(meta_get_record(&m, f->fd, "a", &got), 1);
	assert_int_equal(got.has, rec.has);
	assert_int_equal(got.uid, rec.uid);
	assert_int_equal(got.gid, rec.gid);
	assert_true(got.ino == rec.ino && got.fsid == rec.fsid && got.btime_sec == rec.btime_sec);
	assert_int_equal(got.btime_nsec, rec.btime_nsec);
}

static void test_forged_record(void **state)
{
	struct fixture *f = *state;
	struct meta m = meta_of(f);
	char value[128] = { 1 };
	struct meta_record got;

	layer_file(f, "a", "");
	for (size_t len = 0; len <= sizeof(value); len++) {
		assert_int_equal(meta_set(&m, f->fd, "a", META_OURS, value, len), 0);
		assert_int_equal(meta_get_record(&m, f->fd, "a", &got), len == 48);
		assert_int_equal(got.has, 0);
	}
	value[0] = 2; /* of a later version */
	assert_int_equal(meta_set(&m, f->fd, "a", META_OURS, value, 48), 0);
	assert_int_equal(meta_get_record(&m, f->fd, "a", &got), 0);
	io_engine_fault_set(f->fault, IO_GETXATTR, 0, EIO);
	assert_int_equal(meta_get_record(&m, f->fd, "a", &got), -EIO);
}

static void test_origin(void **state)
{
	struct fixture *f = *state;
	struct meta m = meta_of(f);
	struct meta_origin a, again, b;
	char name[META_INDEX_NAME_MAX], name2[META_INDEX_NAME_MAX];
	int r;

	layer_file(f, "a", "");
	layer_link(f, "a", "a2");
	layer_file(f, "b", "");
	r = meta_make_origin(&m, f->fd, "a", &a);
	if (r == 0) {
		print_message("skipped: the file system gives no handles\n");
		skip();
	}
	assert_int_equal(r, 1);
	assert_int_equal(meta_make_origin(&m, f->fd, "a2", &again), 1);
	assert_int_equal(meta_make_origin(&m, f->fd, "b", &b), 1);
	assert_int_equal(a.len, a.data[2]);
	assert_int_equal(a.data[0], 0);
	assert_int_equal(a.data[1], 0xfb);
	assert_int_equal(a.len, again.len);
	assert_memory_equal(a.data, again.data, a.len);
	assert_true(a.len != b.len || memcmp(a.data, b.data, a.len) != 0);
	meta_index_name(&a, name);
	meta_index_name(&b, name2);
	assert_int_equal(strlen(name), 2 * a.len);
	assert_int_equal(strspn(name, "0123456789abcdef"), 2 * a.len);
	assert_memory_equal(name, "00fb", 4);
	assert_string_not_equal(name, name2);
	assert_int_equal(meta_make_origin(&m, f->fd, "absent", &a), -ENOENT);
}

static void test_origin_failures(void **state)
{
	static const struct {
		enum io_kind kind;
		int error, result;
	} cases[] = {
		{ IO_HANDLE, EOPNOTSUPP, 0 }, { IO_HANDLE, EOVERFLOW, 0 }, { IO_HANDLE, EIO, -EIO },
		{ IO_UUID, EOPNOTSUPP, 1 }, { IO_UUID, EACCES, 1 }, { IO_UUID, EIO, -EIO },
	};
	struct fixture *f = *state;
	struct meta m = meta_of(f);
	struct meta_origin o;

	layer_file(f, "a", "");
	if (meta_make_origin(&m, f->fd, "a", &o) == 0) {
		print_message("skipped: the file system gives no handles\n");
		skip();
	}
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		io_engine_fault_set(f->fault, cases[i].kind, 0, cases[i].error);
		assert_int_equal(meta_make_origin(&m, f->fd, "a", &o), cases[i].result);
	}
}

static void test_longest_index_name(void **state)
{
	struct meta_origin o = { .len = sizeof(o.data) };
	char name[META_INDEX_NAME_MAX];

	(void) memset(o.data, 0xff, sizeof(o.data));
	meta_index_name(&o, name);
	assert_int_equal(strlen(name), sizeof(name) - 1);
	o.len = 0;
	meta_index_name(&o, name);
	assert_string_equal(name, "");
}

static void test_escape(void **state)
{
	struct meta m;
	char buf[300], name[300], *shown;

	meta_init(&m, NULL, false);
	assert_int_equal(meta_escape(&m, "trusted.overlay.opaque", buf, sizeof(buf)), 0);
	assert_string_equal(buf, "trusted.overlay.overlay.opaque");
	shown = meta_unescape(&m, buf);
	assert_string_equal(shown, "trusted.overlay.opaque");
	assert_int_equal(meta_escape(&m, "trusted.overlay.overlay.opaque", buf, sizeof(buf)), 0); /* a view in a view in a view */
	assert_string_equal(buf, "trusted.overlay.overlay.overlay.opaque");
	assert_string_equal(meta_unescape(&m, buf), "trusted.overlay.overlay.opaque");
	assert_int_equal(meta_escape(&m, "user.overlay.opaque", buf, sizeof(buf)), 0);
	assert_string_equal(buf, "user.overlay.opaque");
	assert_string_equal(meta_unescape(&m, buf), "user.overlay.opaque");
	(void) strcpy(buf, "trusted.overlay.opaque");
	assert_null(meta_unescape(&m, buf));

	assert_int_equal(meta_escape(&m, "user.fuseoverlayfs.opaque", buf, sizeof(buf)), 0);
	assert_string_equal(buf, "user.fuseoverlayfs.overlay.opaque");
	assert_true(meta_is_escaped(&m, buf));
	assert_false(meta_is_mark(buf));
	assert_string_equal(meta_unescape(&m, buf), "user.fuseoverlayfs.opaque");
	assert_null(meta_unescape(&m, buf));
	assert_true(meta_is_mark(buf));
	assert_int_equal(meta_escape(&m, "user.fuseoverlayfs.origin", buf, sizeof(buf)), 0); /* means nothing to us */
	assert_string_equal(buf, "user.fuseoverlayfs.origin");
	assert_true(meta_is_mark("user.overlay.opaque"));
	assert_false(meta_is_mark("user.overlay.overlay.opaque"));

	(void) snprintf(name, sizeof(name), "trusted.overlay.%0239d", 0); /* XATTR_NAME_MAX */
	assert_int_equal(strlen(name), 255);
	assert_int_equal(meta_escape(&m, name, buf, sizeof(buf)), 0);
	assert_int_equal(meta_escape(&m, name, buf, 263), -ERANGE);
	assert_int_equal(meta_escape(&m, name, buf, 264), 0);
	assert_string_equal(meta_unescape(&m, buf), name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_names),	  FIXTURE_TEST(test_get_set_remove),  FIXTURE_TEST(test_get_failures),
		FIXTURE_TEST(test_record),	  FIXTURE_TEST(test_forged_record),   FIXTURE_TEST(test_origin),
		FIXTURE_TEST(test_origin_failures), cmocka_unit_test(test_longest_index_name), cmocka_unit_test(test_escape),
	};

	return FIXTURE_RUN(tests);
}
