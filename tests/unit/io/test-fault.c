/* The engine that fails on purpose: it fails the one op that it was told to, and counts right. */

#include "fixture.h"

static int stat_one(struct fixture *f)
{
	struct statx stx;

	return io_statx(f->fault, f->fd, "upper", STATX_TYPE, &stx);
}

static void test_passes_on(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 10; i++)
		assert_int_equal(stat_one(f), 0);
	assert_int_equal(io_engine_fault_hits(f->fault), 10);
}

static void test_fails_the_nth(void **state)
{
	struct fixture *f = *state;

	io_engine_fault_set(f->fault, IO_N_KINDS, 2, ENOSPC);
	assert_int_equal(io_engine_fault_hits(f->fault), 0);
	assert_int_equal(stat_one(f), 0);
	assert_int_equal(stat_one(f), 0);
	assert_int_equal(stat_one(f), -ENOSPC);
	assert_int_equal(stat_one(f), 0); /* once */
	assert_int_equal(io_engine_fault_hits(f->fault), 4);
	io_engine_fault_set(f->fault, IO_N_KINDS, 0, EIO);
	assert_int_equal(stat_one(f), -EIO);
}

static void test_counts_a_kind(void **state)
{
	struct fixture *f = *state;

	io_engine_fault_set(f->fault, IO_MKDIR, 1, EIO);
	assert_int_equal(stat_one(f), 0);
	assert_int_equal(io_mkdir(f->fault, f->fd, "a", 0755, NULL), 0);
	assert_int_equal(stat_one(f), 0);
	assert_int_equal(io_mkdir(f->fault, f->fd, "b", 0755, NULL), -EIO);
	assert_false(layer_exists(f, "b")); /* it was not even tried */
	assert_int_equal(io_engine_fault_hits(f->fault), 2);
}

static void test_batch(void **state)
{
	struct fixture *f = *state;
	struct io_op ops[3];

	for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
		ops[i] = (struct io_op) { .kind = IO_MKDIR, .fd = f->fd, .name = (const char *const[]) { "a", "b", "c" }[i] };
	io_engine_fault_set(f->fault, IO_N_KINDS, 1, EIO);
	io_run(f->fault, ops, ARRAY_SIZE(ops));
	assert_int_equal(ops[0].res, 0);
	assert_int_equal(ops[1].res, -EIO);
	assert_int_equal(ops[2].res, 0);
}

static void test_never_fails_close(void **state)
{
	struct fixture *f = *state;
	int fd = dup(f->fd);

	io_engine_fault_set(f->fault, IO_N_KINDS, 0, EIO);
	assert_int_equal(io_one(f->fault, (struct io_op) { .kind = IO_CLOSE, .fd = fd }), 0);
	assert_int_equal(stat_one(f), -EIO);
}

static void test_switched_off(void **state)
{
	struct fixture *f = *state;

	io_engine_fault_set(f->fault, IO_N_KINDS, 0, 0);
	assert_int_equal(stat_one(f), 0);
	assert_int_equal(stat_one(f), 0);
	assert_int_equal(io_engine_fault_hits(f->fault), 2);
	assert_null(io_engine_free(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_passes_on),	  FIXTURE_TEST(test_fails_the_nth),	FIXTURE_TEST(test_counts_a_kind),
		FIXTURE_TEST(test_batch),	  FIXTURE_TEST(test_never_fails_close), FIXTURE_TEST(test_switched_off),
	};

	return FIXTURE_RUN(tests);
}
