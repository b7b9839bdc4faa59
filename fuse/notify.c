/*
 * A notification has the form of a reply to nothing: unique 0, and its code in place of the error.
 */

#include "fuse/notify.h"
#include "fuse/wire.h"

int notify_attr(struct transport *t, uint64_t nodeid)
{
	/* A negative offset leaves the pages alone. */
	struct fuse_notify_inval_inode_out inval = { .ino = nodeid, .off = -1 };
	struct fuse_out_header out = { .len = sizeof(out) + sizeof(inval), .error = FUSE_NOTIFY_INVAL_INODE };
	struct iovec iov[] = { { &out, sizeof(out) }, { &inval, sizeof(inval) } };

	return t->ops->send(t, iov, 2);
}
