#pragma once

/*
 * INTERRUPT: the kernel says that a signal has come for a thread that waits for a request.
 *
 * The kernel says it once per request, for any signal, and not which one. A plain file system is never interrupted by a
 * signal that the program survives, so neither are we: only a thread that is being killed gets its request cancelled.
 *
 * Thread rule: interrupts_add() and interrupts_pending() from any thread, the rest from the one that owns the object.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/macro.h"

struct interrupts;
struct pool;

/* pool: borrowed; holds the requests that can be cancelled. */
int interrupts_new(struct pool *pool, struct interrupts **ret);
struct interrupts *interrupts_free(struct interrupts *i);
DEFINE_CLEANUP(struct interrupts *, interrupts_free)

/*
 * A request was interrupted: cancels it if that is what the caller's death asks for. True when the owner has to ask the
 * kernel for a repetition, a little later: see interrupts_repeat().
 */
bool interrupts_add(struct interrupts *i, uint64_t unique);

bool interrupts_pending(struct interrupts *i);

/* Calls fn for each one that is to be asked for again, and forgets it. */
void interrupts_repeat(struct interrupts *i, void (*fn)(void *arg, uint64_t unique), void *arg);
