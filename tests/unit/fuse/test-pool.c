/* The pool: everything submitted is answered once, also at the end; what is cancelled while it waits is not begun. */

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>

#include "fake-overlay.h"
#include "fuse/interrupt.h"
#include "fuse/pool.h"

static struct session session;
static cpu_set_t cpus;

static int set_up(void **state)
{
	fake_reset();
	answers_reset();
	CPU_ZERO(&cpus);
	(void) sched_getaffinity(0, sizeof(cpus), &cpus);
	assert_int_equal(session_init(&session, NULL, 4096), 0);
	session.initialised = true;
	return 0;
}

static int tear_down(void **state)
{
	session_done(&session);
	return 0;
}

static void submit_op(struct pool *p, uint32_t opcode, uint64_t unique)
{
	struct fuse_in_header in = { .len = sizeof(in), .opcode = opcode, .unique = unique, .nodeid = 1,
				     .pid = (uint32_t) getpid() };
	struct request rq;

	assert_int_equal(request_init(&rq, &session, &answers.transport, &in, sizeof(in), NULL, 0), 0);
	assert_int_equal(pool_submit(p, &rq), 0);
	memset(&in, 0xff, sizeof(in)); /* the pool has its own copy */
}

static void submit(struct pool *p, uint64_t unique)
{
	submit_op(p, FUSE_STATFS, unique);
}

/* One thread, so that answers come one after the other. */
static void test_all_are_answered(void **state)
{
	struct pool *p;

	assert_int_equal(pool_new(1, 0, &cpus, &p), 0);
	for (uint64_t i = 1; i <= 200; i++)
		submit(p, 2 * i);
	p = pool_free(p);
	assert_null(p);
	assert_int_equal(answers.n, 200);
	assert_int_equal(answers.out.unique, 400);
	assert_int_equal(answers.out.error, 0);
}

static void test_no_threads(void **state)
{
	struct fuse_in_header in = { .len = sizeof(in), .opcode = FUSE_STATFS, .unique = 2 };
	_cleanup_(pool_freep) struct pool *p = NULL;
	struct request rq;

	assert_int_equal(pool_new(0, 0, &cpus, &p), 0);
	assert_int_equal(request_init(&rq, &session, &answers.transport, &in, sizeof(in), NULL, 0), 0);
	assert_int_equal(pool_submit(p, &rq), -EAGAIN);
	assert_false(pool_find(p, 2, &(pid_t) { 0 }));
}

/* A transport that lets nobody answer before it may: the pool's only thread stands still in it. */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static int errors[3];

static int gated_reply(struct transport *t, const struct request *rq, const struct iovec *iov, size_t n_iov)
{
	const struct fuse_out_header *out = iov[0].iov_base;

	(void) pthread_mutex_lock(&gate);
	errors[rq->in->unique / 2] = out->error;
	(void) pthread_mutex_unlock(&gate);
	return 0;
}

static void test_cancel(void **state)
{
	static const struct transport_ops ops = { .reply = gated_reply };
	struct pool *p;
	pid_t pid = 0;

	answers.transport.ops = &ops;
	assert_int_equal(pool_new(1, 0, &cpus, &p), 0);
	(void) pthread_mutex_lock(&gate);
	submit(p, 2);
	submit(p, 4);
	assert_true(pool_find(p, 4, &pid));
	assert_int_equal(pid, getpid());
	assert_false(pool_find(p, 6, &pid));
	pool_cancel(p, 4);
	pool_cancel(p, 6);
	(void) pthread_mutex_unlock(&gate);
	(void) pool_free(p);
	assert_int_equal(errors[1], 0);
	assert_int_equal(errors[2], -EINTR);
}

/* As a lower's file system that does not answer: holds up all but the last. */
#define N_HELD_UP 3
static sem_t last_came, go_on;

static int held_up_reply(struct transport *t, const struct request *rq, const struct iovec *iov, size_t n_iov)
{
	if (rq->in->unique == 2 * (N_HELD_UP + 1))
		(void) sem_post(&last_came);
	else
		while (sem_wait(&go_on) < 0)
			;
	return 0;
}

static void test_held_up(void **state)
{
	static const struct transport_ops ops = { .reply = held_up_reply };
	struct pool *p;

	answers.transport.ops = &ops;
	assert_int_equal(sem_init(&last_came, 0, 0), 0);
	assert_int_equal(sem_init(&go_on, 0, 0), 0);
	assert_int_equal(pool_new(1, N_HELD_UP, &cpus, &p), 0);
	for (uint64_t i = 1; i <= N_HELD_UP + 1; i++)
		submit_op(p, FUSE_ACCESS, 2 * i); /* several at a time: one that the fake does not see */
	while (sem_wait(&last_came) < 0)
		;
	for (unsigned int i = 0; i < N_HELD_UP; i++)
		(void) sem_post(&go_on);
	(void) pool_free(p);
}

/* With no spare left, the ones that there are come back to what waits. */
static void test_held_up_for_a_time(void **state)
{
	static const struct transport_ops ops = { .reply = held_up_reply };
	struct pool *p;

	answers.transport.ops = &ops;
	assert_int_equal(sem_init(&last_came, 0, 0), 0);
	assert_int_equal(sem_init(&go_on, 0, 1), 0);
	assert_int_equal(pool_new(1, 1, &cpus, &p), 0);
	for (uint64_t i = 1; i <= N_HELD_UP + 1; i++)
		submit_op(p, FUSE_ACCESS, 2 * i);
	(void) sem_post(&go_on);
	while (sem_wait(&last_came) < 0)
		;
	(void) sem_post(&go_on);
	(void) pool_free(p);
}

static void count_repeat(void *arg, uint64_t unique)
{
	*(uint64_t *) arg += unique;
}

/* Neither an unknown request nor one whose thread lives on is cancelled: the kernel is asked to say it again. */
static void test_interrupts(void **state)
{
	static const struct transport_ops ops = { .reply = gated_reply };
	_cleanup_(interrupts_freep) struct interrupts *i = NULL;
	struct pool *p;
	uint64_t sum = 0;

	answers.transport.ops = &ops;
	assert_int_equal(pool_new(1, 0, &cpus, &p), 0);
	assert_int_equal(interrupts_new(p, &i), 0);
	(void) pthread_mutex_lock(&gate);
	submit(p, 2);
	submit(p, 4);
	assert_false(interrupts_pending(i));
	assert_true(interrupts_add(i, 4));
	for (unsigned int k = 0; k < 40; k++)
		assert_true(interrupts_add(i, 100));
	assert_true(interrupts_pending(i));
	interrupts_repeat(i, count_repeat, &sum);
	assert_int_equal(sum, 4004);
	assert_false(interrupts_pending(i));
	(void) pthread_mutex_unlock(&gate);
	(void) pool_free(p);
	assert_int_equal(errors[2], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_all_are_answered, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_threads, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_cancel, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_held_up, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_held_up_for_a_time, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_interrupts, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
