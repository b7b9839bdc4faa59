#pragma once

/* Open files, as the rest of the overlay sees them. */

#include "overlay/tree.h"

/* Attributes as the layer has them; through the descriptor, wherever the name has gone. */
int file_statx(struct overlay_file *file, struct statx *ret);
/* The same through any file that is open on the node. -ESTALE when none is. */
int file_statx_any(struct overlay *ov, struct node *n, struct statx *ret);
/* No fewer blocks than there are bytes, while what was written through a mapping may not have come to the layer: see overlay_seek(). */
void file_fix_blocks(struct overlay *ov, struct node *n, struct statx *stx);
/* The object's data is in the upper now, behind this descriptor: files that were opened before go on there. */
void file_follow(struct overlay *ov, struct node *n, int fd);
bool file_is_writable(const struct overlay_file *file);
int file_truncate(struct overlay_file *file, uint64_t size);
/* A file on a descriptor that is already there, taken when it succeeds. who: has opened it. */
int file_new(struct overlay *ov, const struct actor *who, struct node *n, int fd, int flags, struct overlay_file **ret);
