#pragma once

/* The names in a merged directory. */

#include "overlay/tree.h"

/* 1 no name shows in the directory, 0 some do. */
int listing_is_empty(struct overlay *ov, struct node *dir);
/* Calls fn for each name in a plain directory, but "." and "..", until it returns other than 0. For small own directories. */
int listing_each(struct io_engine *io, int dirfd, int (*fn)(void *arg, const char *name, unsigned char type), void *arg);
