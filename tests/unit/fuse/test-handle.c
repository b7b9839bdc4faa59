/* Handles: numbers that find their object, once given back find nothing, and are looked up while others come and go. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>

#include "fuse/handle.h"

static void test_add_get_remove(void **state)
{
	_cleanup_(handles_freep) struct handles *h = NULL;
	int a, b;
	uint64_t id_a, id_b, id_c;

	assert_int_equal(handles_new(&h), 0);
	assert_int_equal(handles_add(h, HANDLE_FILE, &a, &id_a), 0);
	assert_int_equal(handles_add(h, HANDLE_DIR, &b, &id_b), 0);
	assert_true(id_a != id_b);

	assert_ptr_equal(handles_get(h, HANDLE_FILE, id_a), &a);
	assert_ptr_equal(handles_get(h, HANDLE_DIR, id_b), &b);
	assert_null(handles_get(h, HANDLE_DIR, id_a));
	assert_null(handles_remove(h, HANDLE_FILE, id_b));

	assert_ptr_equal(handles_remove(h, HANDLE_FILE, id_a), &a);
	assert_null(handles_get(h, HANDLE_FILE, id_a));
	assert_null(handles_remove(h, HANDLE_FILE, id_a));

	/* The slot is used again, the number is not. */
	assert_int_equal(handles_add(h, HANDLE_FILE, &b, &id_c), 0);
	assert_int_equal((uint32_t) id_c, (uint32_t) id_a);
	assert_true(id_c != id_a);
	assert_null(handles_get(h, HANDLE_FILE, id_a));
	assert_ptr_equal(handles_get(h, HANDLE_FILE, id_c), &b);
}

static void test_numbers_never_given(void **state)
{
	static const uint64_t ids[] = { 0, 1, UINT32_MAX, UINT64_MAX, UINT64_C(1) << 32, UINT64_C(2) << 32, UINT64_C(1) << 63 };
	_cleanup_(handles_freep) struct handles *h = NULL;
	uint64_t id;
	int a;

	assert_int_equal(handles_new(&h), 0);
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		assert_null(handles_get(h, HANDLE_FILE, ids[i]));
		assert_null(handles_remove(h, HANDLE_FILE, ids[i]));
		assert_null(handles_get(h, HANDLE_NONE, ids[i]));
	}
	assert_int_equal(handles_add(h, HANDLE_FILE, &a, &id), 0);
	assert_ptr_equal(handles_remove(h, HANDLE_FILE, id), &a);
	/* The generation of a free slot is not one either. */
	assert_null(handles_get(h, HANDLE_NONE, id + (UINT64_C(1) << 32)));
}

static void test_many_and_take(void **state)
{
	_cleanup_(handles_freep) struct handles *h = NULL;
	enum { N = 10000 };
	static int objects[N];
	static uint64_t ids[N];
	enum handle_kind kind;
	unsigned int n = 0;
	int *p;

	assert_int_equal(handles_new(&h), 0);
	for (int i = 0; i < N; i++)
		assert_int_equal(handles_add(h, i % 2 ? HANDLE_FILE : HANDLE_DIR, &objects[i], &ids[i]), 0);
	for (int i = 0; i < N; i++)
		assert_ptr_equal(handles_get(h, i % 2 ? HANDLE_FILE : HANDLE_DIR, ids[i]), &objects[i]);
	for (int i = 0; i < N; i += 3)
		assert_ptr_equal(handles_remove(h, i % 2 ? HANDLE_FILE : HANDLE_DIR, ids[i]), &objects[i]);

	while ((p = handles_take(h, &kind))) {
		assert_int_equal(kind, (p - objects) % 2 ? HANDLE_FILE : HANDLE_DIR);
		assert_int_equal((*p)++, 0);
		n++;
	}
	assert_int_equal(n, N - (N + 2) / 3);

	/* What comes later is found as well. */
	assert_int_equal(handles_add(h, HANDLE_FILE, &objects[0], &ids[0]), 0);
	assert_ptr_equal(handles_take(h, &kind), &objects[0]);
	assert_null(handles_take(h, &kind));
}

static struct handles *shared;
static atomic_int wrong;

static void *churn(void *arg)
{
	int objects[64];
	uint64_t ids[64];

	for (int round = 0; round < 500; round++) {
		for (int i = 0; i < 64; i++)
			if (handles_add(shared, HANDLE_FILE, &objects[i], &ids[i]) < 0)
				wrong++;
		for (int i = 0; i < 64; i++) {
			if (handles_get(shared, HANDLE_FILE, ids[i]) != &objects[i])
				wrong++;
			if (handles_get(shared, HANDLE_FILE, ids[i] - (UINT64_C(2) << 32)))
				wrong++;
		}
		for (int i = 0; i < 64; i++)
			if (handles_remove(shared, HANDLE_FILE, ids[i]) != &objects[i])
				wrong++;
	}
	return NULL;
}

static void test_threads(void **state)
{
	pthread_t threads[4];
	enum handle_kind kind;

	assert_int_equal(handles_new(&shared), 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, churn, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(wrong, 0);
	assert_null(handles_take(shared, &kind));
	shared = handles_free(shared);
	assert_null(shared);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_add_get_remove),
		cmocka_unit_test(test_numbers_never_given),
		cmocka_unit_test(test_many_and_take),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
