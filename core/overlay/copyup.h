#pragma once

/* Bringing an object into the upper layer, so that it can be changed. */

#include "overlay/tree.h"

#define COPYUP_ALL UINT64_MAX
#define COPYUP_META (UINT64_MAX - 1) /* the attributes are to change: the data may stay where it is */

/*
 * After it the node, and every directory above it, is in the upper. limit: only so many bytes of data are wanted
 * (O_TRUNC: 0); the file may have become as short. -EROFS in a view without upper and for masked directories; -EINTR when
 * who has given up.
 */
int copyup(struct overlay *ov, const struct actor *who, struct node *n, uint64_t limit);

/*
 * Before a change of an object: brings it into the upper, unless it is one that the policy lets be changed in the lower. -EROFS also when
 * that is not the topmost lower's. -ESTALE: by the rules of now, it would be another one that its name leads to.
 */
int copyup_for_change(struct overlay *ov, const struct actor *who, struct node *n, uint64_t limit);

/* size bytes of data from one file to another, which is then as long if size is not 0. */
int copyup_data(struct overlay *ov, const struct actor *who, int src, int dst, uint64_t size);

/* A name for an object in the making, in the work directory. */
#define TEMP_BYTES 24
void temp_name(struct overlay *ov, char buf[static TEMP_BYTES]);
/* Says that the upper directory holds objects with an origin. Does nothing when it says so already. */
int mark_impure(struct overlay *ov, struct node *dir, int dirfd);
