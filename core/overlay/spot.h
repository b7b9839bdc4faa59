#pragma once

/*
 * How a node is reached: a descriptor and a name, as io ops want it. No descriptor is kept for a node; its directory's is
 * cached, and the name is below that. Meanwhile another thread may rename or copy it up, so whoever finds something
 * else, or nothing, at the spot asks spot_moved(): true means that the node is elsewhere by now, or something else was
 * moved in between, and it is worth another try.
 *
 * To have looked first is no protection: what the name means may be another object by the time of the next call. So who
 * changes an object does it at a pinned spot, a descriptor that was found to be on the right one; who asks uses spot_ask(),
 * which asks by the name, and again if anything was moved meanwhile.
 */

#include "overlay/dircache.h"
#include "overlay/tree.h"

struct spot {
	struct overlay *ov;
	struct dirfd *dir; /* pinned */
	int own_fd;	   /* closed with the spot */
	int fd;
	const char *name; /* NULL: fd itself */
	uint16_t layer;
	uint32_t seq;
	uint64_t moved; /* moving_now() of before */
	dev_t dev;
	uint64_t ino;
	char text[META_INDEX_NAME_MAX];
};

int spot_find(struct overlay *ov, struct node *n, struct spot *ret);
void spot_done(struct spot *s);
bool spot_moved(struct node *n, const struct spot *s);
/* Is this the object that the spot was to lead to? */
bool spot_matches(const struct spot *s, const struct statx *stx);

#define SPOT(var) _cleanup_(spot_done) struct spot var = { .own_fd = -EBADF }

/* Finds the spot, and what is there: attributes as the layer has them. Repeats while the node moves. */
int spot_stat(struct overlay *ov, struct node *n, struct spot *ret, struct statx *ret_stx);
/* The same, and the spot is the object itself from then on, whatever happens to its names: name is NULL. */
int spot_pin(struct overlay *ov, struct node *n, struct spot *ret, struct statx *ret_stx);
/* One op that only asks something of the node: fd and name are filled in. Its result, which is the node's own. */
int64_t spot_ask(struct overlay *ov, struct node *n, struct io_op op);
/* Opens the object behind the node. flags as for IO_OPEN; special files only with O_PATH. */
int spot_open(struct overlay *ov, struct node *n, int flags, struct spot *ret, int *ret_fd);
