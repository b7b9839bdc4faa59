#pragma once

/*
 * Layers whose file systems find one object under names that are not its own: in another case (vfat, casefolded directories of ext4, f2fs
 * and tmpfs, network file systems), without a dot or blank at the end, in another normal form of Unicode. A policy goes by names, so
 * where there is one, an object has only the name that its directory lists.
 */

#include "overlay/tree.h"

/* Is name, under which a layer has found an object in the directory, its own? 1, or 0; without a policy always 1. */
int alias_is_own_name(struct overlay *ov, struct node *dir, uint16_t layer, int dirfd, const char *name, const struct statx *stx);
