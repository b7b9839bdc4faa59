#pragma once

/*
 * The moment between a change of names on the disk and the nodes' knowing of it. Whoever reaches for a node then finds nothing, or
 * another object, though the node says that it is there. Such a finding is only final if nobody was moving anything.
 *
 * Those who change names wrap the change and its bookkeeping in MOVING, and reach for no node in between.
 */

#include "overlay/tree.h"

static inline void moving_begin(struct overlay *ov)
{
	(void) atomic_fetch_add(&ov->n_moving, 1);
}

static inline void moving_endp(struct overlay **ov)
{
	/* Counted before it ends: who sees nobody moving sees the count. Pairs with moving_wait(). */
	(void) atomic_fetch_add(&(*ov)->n_moved, 1);
	(void) atomic_fetch_sub(&(*ov)->n_moving, 1);
}

#define MOVING(ov_) _cleanup_(moving_endp) _unused_ struct overlay *moving_scope = (moving_begin(ov_), (ov_))

/* Where things stand. To be asked before a node's place is read. */
static inline uint64_t moving_now(struct overlay *ov)
{
	return atomic_load(&ov->n_moved);
}

/* After something was not where it should be: waits while somebody is moving. False: nobody was since, it is final. */
bool moving_wait(struct overlay *ov, uint64_t since);
