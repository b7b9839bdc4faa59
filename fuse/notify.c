/*
 * A notification has the form of a reply to nothing: unique 0, and its code in place of the error.
 */

#include "fuse/notify.h"

#include <string.h>

#include "fuse/wire.h"

static int inval_inode(struct transport *t, uint64_t nodeid, int64_t off)
{
	struct fuse_notify_inval_inode_out inval = { .ino = nodeid, .off = off };
	struct fuse_out_header out = { .len = sizeof(out) + sizeof(inval), .error = FUSE_NOTIFY_INVAL_INODE };
	struct iovec iov[] = { { &out, sizeof(out) }, { &inval, sizeof(inval) } };

	return t->ops->send(t, iov, 2);
}

int notify_attr(struct transport *t, uint64_t nodeid)
{
	return inval_inode(t, nodeid, -1); /* a negative offset leaves the pages alone */
}

int notify_content(struct transport *t, uint64_t nodeid)
{
	return inval_inode(t, nodeid, 0); /* and no length means all */
}

int notify_name(struct transport *t, uint64_t dir, const char *name)
{
	uint32_t len = (uint32_t) strlen(name);
	struct fuse_notify_inval_entry_out inval = { .parent = dir, .namelen = len };
	struct fuse_out_header out = { .len = (uint32_t) (sizeof(out) + sizeof(inval)) + len + 1, .error = FUSE_NOTIFY_INVAL_ENTRY };
	struct iovec iov[] = { { &out, sizeof(out) }, { &inval, sizeof(inval) }, { (void *) (uintptr_t) name, len + 1 } };

	return t->ops->send(t, iov, 3);
}
