#pragma once

/*
 * Which objects may have a name in the index directory. That name is a file handle and the identity of its file system, and it
 * outlives the mount: where another file system could claim the same, a change to one file would show in another.
 */

#include "overlay/tree.h"

/*
 * The name in the index of a lower object with several links, whose origin and device are given. False: it can have none, and
 * its links part when one of them is copied up. The origin gets its file system's identity where a directory kept it from us.
 */
bool index_name(struct overlay *ov, struct meta_origin *origin, dev_t dev, char buf[static META_INDEX_NAME_MAX]);
/* meta_make_origin(), with the descriptors that directories hold given up for it where there are none. */
int index_origin(struct overlay *ov, int dirfd, const char *name, struct meta_origin *ret);
/* Has the roots of all layers known. */
int index_init(struct overlay *ov);
