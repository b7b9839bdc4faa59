#pragma once

/* Regular files whose attributes are in one layer and whose data is in a layer below. */

#include "overlay/lease.h"
#include "overlay/tree.h"

/* Where data was opened. */
struct data_file {
	int fd;
	uint16_t layer;
	uint64_t size; /* what is beyond is not the view's: the attributes, where they are elsewhere, say how long the file is */
};
/* Opens the data, which for anything but reading has to be in the upper: see copyup(). -EAGAIN: somebody holds a lease on it, and did for a second. */
int metacopy_open(struct overlay *ov, struct node *n, int flags, struct data_file *ret);
/* Are all bytes in the upper? */
bool metacopy_data_is_upper(struct overlay *ov, struct node *n);

/* The blocks that the data takes, of a file that is said to have none; 0: not known. Asked of the layer once. */
uint64_t metacopy_blocks(struct overlay *ov, struct node *n);

/* What a copy-up of the attributes alone needs to know. */
struct metacopy_plan {
	char redirect[META_REDIRECT_MAX + 1]; /* absolute: to be stored */
	struct place *data;		      /* owned; NULL: where it is now */
};
/* Can the data of a file stay in the lower? 1 yes; 0 it has to be copied. */
int metacopy_plan(struct overlay *ov, struct node *n, struct node *dir, const char *name, struct metacopy_plan *ret);
void metacopy_plan_done(struct metacopy_plan *p);
/* With the shard locked, and n->ext there: the attributes are in the upper from here on. NULL: the data too. */
void metacopy_commit(struct node *n, struct metacopy_plan *p);

/* Brings the data, or as much of it as is wanted, into the upper, where the attributes are. 0 too when it is there. */
int metacopy_complete(struct overlay *ov, const struct actor *who, struct node *n, uint64_t limit);
/*
 * A file in the upper is about to get another name. One whose data is found by its name would lose it: it gets a redirect, or
 * where that cannot be, its data.
 */
int metacopy_pin(struct overlay *ov, const struct actor *who, struct node *n);
/* It is about to lose a name, perhaps the last: whoever holds it finds its data all the same. */
void metacopy_before_removal(struct overlay *ov, struct node *n);
/* Before a change of attributes: waits until nobody is about to put them back as they were, see metacopy_complete(). */
void metacopy_hold(struct overlay *ov, struct node *n, struct lease *ret);
