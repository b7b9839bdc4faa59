#pragma once

/*
 * What one thread may do to a node at a time, while system calls run: sleeping ownership, as the kernel's inode locks are.
 * Under a kernel mount nobody waits for names: the kernel holds the same lock outside.
 *
 * Order: LEASE_COPY of a node, then of its ancestors upwards, then LEASE_NAMES, of two directories by id. Who holds names
 * never waits for a copy: verbs copy up first, then take the names, then look whether it is still so.
 */

#include "overlay/tree.h"

enum {
	LEASE_COPY = 1 << 0,  /* copy-up of the node */
	LEASE_NAMES = 1 << 1, /* changing names in the directory */
};

struct lease {
	struct overlay *ov;
	struct node *node; /* referenced; NULL: none */
	unsigned int what;
};

void lease_take(struct overlay *ov, struct node *n, unsigned int what, struct lease *ret);
void lease_done(struct lease *l);
#define LEASE(var) _cleanup_(lease_done) struct lease var = { .node = NULL }

/* Names of up to four directories, the same one any number of times; NULL: none. */
#define LEASE_SET_SIZE 4
struct lease_set {
	struct lease v[LEASE_SET_SIZE];
};
void lease_take_names(struct overlay *ov, struct node *const dirs[static LEASE_SET_SIZE], struct lease_set *ret);
void lease_set_done(struct lease_set *s);
#define LEASE_SET(var) _cleanup_(lease_set_done) struct lease_set var = { { { .node = NULL } } }
