#pragma once

/* Directories of a layer that the view must not enter, or only in part. */

#include "overlay/tree.h"

/* What of this directory takes part. parent_dev: device of the directory it was found in. */
enum filter mask_filter(struct overlay *ov, const struct statx *stx, dev_t parent_dev);
/* FILTER_DEVICES: does this name take part? By what it is; and of what a directory says it is (DT_…). */
bool mask_admits(const char *name, const struct statx *stx);
bool mask_admits_entry(const char *name, unsigned char type);
/* Is it a harmless device? name NULL: under whatever name. */
bool mask_admits_device(const char *name, const struct statx *stx);
