#pragma once

/* Bringing an object into the upper layer, so that it can be changed. */

#include "overlay/tree.h"

#define COPYUP_ALL UINT64_MAX

/*
 * After it the node, and every directory above it, is in the upper. limit: only so many bytes of data are wanted
 * (O_TRUNC: 0). -EROFS in a view without upper and for masked directories; -EINTR when who has given up.
 */
int copyup(struct overlay *ov, const struct actor *who, struct node *n, uint64_t limit);

/* A name for an object in the making, in the work directory. */
#define TEMP_BYTES 24
void temp_name(struct overlay *ov, char buf[static TEMP_BYTES]);
/* Says that the upper directory holds objects with an origin. Does nothing when it says so already. */
int mark_impure(struct overlay *ov, struct node *dir, int dirfd);
