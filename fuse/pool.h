#pragma once

/*
 * Threads for requests that may block. They are made when there is work and end when there has been none for a while.
 *
 * Also the one place that knows which requests can be cancelled: those given to a pool, from pool_submit() to the reply.
 *
 * Thread rule: all from any thread, except pool_free(), which comes last.
 */

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/macro.h"

struct pool;
struct request;

/*
 * Threads run on the CPUs of affinity, whichever thread made them. Spares are more of them, for when no thread has come to the queue
 * for 100 ms.
 */
int pool_new(unsigned int max_threads, unsigned int max_spares, const cpu_set_t *affinity, struct pool **ret);
/* Finishes all that was submitted, then ends the threads. */
struct pool *pool_free(struct pool *p);
DEFINE_CLEANUP(struct pool *, pool_free)

/*
 * Runs a request later: it, and its message, are copied. The room for the reply's data is not taken along: it is the
 * submitting thread's. -ENOMEM, -EAGAIN: the caller has to run it.
 */
int pool_submit(struct pool *p, const struct request *rq);

/* Who waits for the request with this number. False: it is not (any more, or not yet) with this pool. */
bool pool_find(struct pool *p, uint64_t unique, pid_t *ret_pid);
void pool_cancel(struct pool *p, uint64_t unique);
