/*
 * Attributes of a node, link targets, and the numbers of the whole file system.
 */

#include <limits.h>

#include "base/macro.h"
#include "fuse/ops.h"

/* NULL without FATTR_FH or FUSE_GETATTR_FH; an error when the handle is none. */
static int optional_file(struct request *rq, bool given, uint64_t fh, struct overlay_file **ret)
{
	*ret = given ? handles_get(rq->session->handles, HANDLE_FILE, fh) : NULL;
	return given && !*ret ? -EBADF : 0;
}

static int getattr(struct request *rq, bool has_fh, uint64_t fh, struct statx *ret)
{
	struct overlay_file *file;
	int r = optional_file(rq, has_fh, fh, &file);

	return r < 0 ? r : overlay_getattr(rq->session->ov, &rq->actor, rq->node, file, ret);
}

/* A directory's handle may come with these: it adds nothing to the node. */
static bool is_file_handle(const struct request *rq, uint32_t getattr_flags)
{
	return (getattr_flags & FUSE_GETATTR_FH) && !S_ISDIR(overlay_node_type(rq->node));
}

int op_getattr(struct request *rq)
{
	const struct fuse_getattr_in *in = wire_take(&rq->args, sizeof(*in));
	struct statx stx;
	int r;

	if (!in)
		return -EINVAL;
	r = getattr(rq, is_file_handle(rq, in->getattr_flags), in->fh, &stx);
	return r < 0 ? r : reply_attr(rq, &stx);
}

int op_statx(struct request *rq)
{
	const struct protocol_statx_in *in = wire_take(&rq->args, sizeof(*in));
	struct statx stx;
	int r;

	if (!in)
		return -EINVAL;
	r = getattr(rq, is_file_handle(rq, in->getattr_flags), in->fh, &stx);
	return r < 0 ? r : reply_statx(rq, &stx);
}

/* FATTR_CTIME comes with a write-back cache only, and a change sets the change time anyway. */
static struct attr_change decode_change(const struct fuse_setattr_in *in)
{
	static const struct {
		uint32_t from;
		unsigned int to;
	} map[] = {
		{ FATTR_MODE, ATTR_MODE }, { FATTR_UID, ATTR_UID },	{ FATTR_GID, ATTR_GID },
		{ FATTR_SIZE, ATTR_SIZE }, { FATTR_ATIME, ATTR_ATIME }, { FATTR_MTIME, ATTR_MTIME },
		{ FATTR_KILL_SUIDGID, ATTR_KILL_PRIV },
	};
	struct attr_change c = {
		.mode = in->mode & 07777,
		.uid = in->uid,
		.gid = in->gid,
		.size = in->size,
		.atime = { .tv_sec = (time_t) in->atime, .tv_nsec = in->valid & FATTR_ATIME_NOW ? UTIME_NOW : in->atimensec },
		.mtime = { .tv_sec = (time_t) in->mtime, .tv_nsec = in->valid & FATTR_MTIME_NOW ? UTIME_NOW : in->mtimensec },
	};

	for (size_t i = 0; i < ARRAY_SIZE(map); i++)
		c.valid |= in->valid & map[i].from ? map[i].to : 0;
	return c;
}

bool setattr_may_block(const struct request *rq)
{
	struct wire_args args = rq->args;
	const struct fuse_setattr_in *in = wire_take(&args, sizeof(*in));
	bool empties = in && (in->valid & FATTR_SIZE) && in->size == 0;

	return in && overlay_would_copy(rq->session->ov, rq->node, O_WRONLY | (empties ? O_TRUNC : 0));
}

int op_setattr(struct request *rq)
{
	const struct fuse_setattr_in *in = wire_take(&rq->args, sizeof(*in));
	struct overlay_file *file;
	struct attr_change change;
	struct statx stx;
	int r;

	if (!in)
		return -EINVAL;
	r = optional_file(rq, in->valid & FATTR_FH, in->fh, &file);
	if (r < 0)
		return r;
	change = decode_change(in);
	r = overlay_setattr(rq->session->ov, &rq->actor, rq->node, file, &change, &stx);
	return r < 0 ? r : reply_attr(rq, &stx);
}

int op_readlink(struct request *rq)
{
	/* The kernel takes a page at most, and adds the NUL itself. */
	ssize_t n = overlay_readlink(rq->session->ov, &rq->actor, rq->node, rq->buf, MIN(rq->buf_size, (size_t) PATH_MAX - 1));

	return n < 0 ? (int) n : reply_data(rq, rq->buf, (size_t) n);
}

int op_statfs(struct request *rq)
{
	struct statfs st;
	int r = overlay_statfs(rq->session->ov, &rq->actor, &st);

	return r < 0 ? r : reply_statfs(rq, &st);
}
