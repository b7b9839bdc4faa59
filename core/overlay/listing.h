#pragma once

/* The names in a merged directory. */

#include "overlay/tree.h"

/* 1 no name shows in the directory, 0 some do. */
int listing_is_empty(struct overlay *ov, struct node *dir);
