#pragma once

/* The names in a merged directory. */

#include "overlay/tree.h"

/*
 * May the directory be removed? -ENOTEMPTY: names show in it. -EACCES: none does, but where the removal would take place it holds
 * some that the policy hides, and they would be lost. Hidden names in a lower are no hindrance: there they stay.
 */
int listing_check_empty(struct overlay *ov, struct node *dir);
/* Has the directory no name at all, shown or not, in any layer? 1 yes. Whiteouts are none. */
int listing_is_bare(struct overlay *ov, struct node *dir);
/* Calls fn for each name that shows, but "." and "..", until it returns other than 0. */
int listing_each(struct overlay *ov, struct node *dir, int (*fn)(void *arg, const char *name, size_t len), void *arg);
