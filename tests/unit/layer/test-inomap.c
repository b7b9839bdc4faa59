/* Inode numbers over several file systems. The file systems are an engine that answers what the test says. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <sys/statfs.h>

#include "io/io.h"
#include "layer/inomap.h"

static struct {
	struct io_engine engine;
	uint64_t fsid;
	int error;
	unsigned int n_asked;
} fake;

static void fake_run(struct io_engine *e, struct io_op *ops, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(ops[i].kind, IO_STATFS);
		fake.n_asked++;
		ops[i].res = -fake.error;
		(void) memset(ops[i].buf, 0, sizeof(struct statfs));
		(void) memcpy(&((struct statfs *) ops[i].buf)->f_fsid, &fake.fsid, sizeof(fake.fsid));
	}
}

static const struct io_engine_ops fake_ops = { .name = "fake", .run = fake_run };

#define BASE_DEV 100
#define BASE_FSID 1000

static struct inomap map;

static int set_up(void **state)
{
	fake.engine.ops = &fake_ops;
	fake.fsid = BASE_FSID;
	fake.error = 0;
	fake.n_asked = 0;
	return inomap_init(&map, &fake.engine, 3, BASE_DEV);
}

static int tear_down(void **state)
{
	inomap_done(&map);
	return 0;
}

static uint64_t number(dev_t dev, uint64_t fsid, uint64_t ino)
{
	fake.fsid = fsid;
	return inomap_number(&map, &fake.engine, dev, ino, 3, NULL);
}

static void test_base_stays(void **state)
{
	fake.n_asked = 0;
	assert_int_equal(number(BASE_DEV, BASE_FSID, 7), 7);
	assert_true(number(BASE_DEV, BASE_FSID, UINT64_MAX) == UINT64_MAX);
	assert_int_equal(inomap_show(&map, BASE_FSID, 9), 9);
	assert_int_equal(fake.n_asked, 0);
}

static void test_others_are_told_apart(void **state)
{
	uint64_t a = number(101, 1001, 7), b = number(102, 1002, 7);

	assert_true(a != 7 && b != 7 && a != b);
	assert_int_equal(a & ((UINT64_C(1) << 48) - 1), 7); /* the number is still to be seen */
	assert_true(a >> 63 == 0 && b >> 63 == 0);
	fake.n_asked = 0;
	assert_true(number(101, 1001, 7) == a); /* known by now */
	assert_int_equal(fake.n_asked, 0);
	assert_true(inomap_show(&map, 1001, 7) == a);
}

/* The tag is made from the identity, so another mount, with other device numbers, shows the same. */
static void test_stable(void **state)
{
	uint64_t a = number(101, 1001, 7);

	assert_int_equal(tear_down(state) + set_up(state), 0);
	(void) number(150, 5555, 1);
	assert_true(number(201, 1001, 7) == a);
}

/* A record may name a file system before any object of it has been seen. */
static void test_record_first(void **state)
{
	uint64_t a = inomap_show(&map, 1001, 7);

	assert_true(a != 7);
	assert_true(number(101, 1001, 7) == a);
	assert_true(inomap_show(&map, 1001, 7) == a);
}

/* A FUSE file system need not have the call: then it is known by its device number, until the next mount. */
static void test_without_statfs(void **state)
{
	uint64_t a, b;

	fake.fsid = 0;
	fake.error = EIO;
	assert_int_equal(inomap_fsid(&map, &fake.engine, 101, 3, NULL, &a), -EIO);
	fake.error = ENOSYS;
	assert_int_equal(inomap_fsid(&map, &fake.engine, 101, 3, NULL, &a), 0);
	assert_int_equal(inomap_fsid(&map, &fake.engine, 102, 3, NULL, &b), 0);
	assert_true(a != 0 && a != b);
}

static void test_large_numbers(void **state)
{
	uint64_t a = number(101, 1001, UINT64_MAX), b = number(101, 1001, UINT64_MAX - 1);

	assert_true(a != b);
	assert_true(a >> 48 == b >> 48);
}

/* Nested overlays: another device, the same identity. */
static void test_twins(void **state)
{
	uint64_t a = number(101, 1001, 7), b = number(102, 1001, 7), fsid;

	assert_true(a != b);
	assert_true(number(101, 1001, 7) == a);
	assert_true(number(102, 1001, 7) == b);
	assert_true(number(103, BASE_FSID, 7) != 7); /* a twin of the base */
	assert_int_equal(inomap_fsid(&map, &fake.engine, 101, 3, NULL, &fsid), 0);
	assert_int_equal(fsid, 1001);
}

/* File systems that have no identity go by their device. */
static void test_no_identity(void **state)
{
	uint64_t a = number(101, 0, 7), b = number(102, 0, 7);

	assert_true(a != 7 && b != 7 && a != b);
}

static void test_failure(void **state)
{
	struct inomap m;
	uint64_t fsid;

	fake.error = EIO;
	assert_int_equal(number(101, 1001, 7), 7);
	assert_int_equal(inomap_fsid(&map, &fake.engine, 101, 3, NULL, &fsid), -EIO);
	assert_int_equal(inomap_init(&m, &fake.engine, 3, BASE_DEV), -EIO);
	fake.error = 0;
	assert_true(number(101, 1001, 7) != 7);
}

/*
 * More file systems than there is room for: the last ones get a tag that may be another's. All others are told apart, however many
 * file systems records have claimed before.
 */
static void test_full(void **state)
{
	uint64_t seen[INOMAP_MAX];

	for (unsigned int i = 0; i < 2 * INOMAP_MAX; i++)
		(void) inomap_show(&map, 500000 + i, 7);
	for (unsigned int i = 1; i < INOMAP_MAX; i++) {
		seen[i] = number(1000 + i, 10000 + i, 7);
		assert_true(seen[i] != 7);
		for (unsigned int j = 1; j < i; j++)
			assert_true(seen[i] != seen[j]);
	}
	assert_true(number(9999, 99999, 7) != 7);
	assert_true(number(9999, 99999, 7) == number(9999, 99999, 7));
	assert_true(number(1001, 10001, 7) == seen[1]);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_base_stays), TEST(test_others_are_told_apart), TEST(test_stable), TEST(test_record_first),
		TEST(test_without_statfs), TEST(test_large_numbers),
		TEST(test_twins),      TEST(test_no_identity),		 TEST(test_failure), TEST(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
