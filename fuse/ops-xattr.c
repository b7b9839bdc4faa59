/*
 * Extended attributes, POSIX ACLs among them.
 */

#include "base/macro.h"
#include "fuse/ops.h"

/* size 0 asks how long it is: another form of reply. */
static int reply_attribute(struct request *rq, uint32_t size, ssize_t n)
{
	if (n < 0)
		return (int) n;
	return size == 0 ? reply_size(rq, (uint32_t) n) : reply_data(rq, rq->buf, (size_t) n);
}

int op_getxattr(struct request *rq)
{
	const struct fuse_getxattr_in *in = wire_take(&rq->args, sizeof(*in));
	const char *attr = wire_take_name(&rq->args);

	if (!in || !attr)
		return -EINVAL;
	return reply_attribute(rq, in->size,
			       overlay_getxattr(rq->session->ov, &rq->actor, rq->node, attr, rq->buf,
						MIN(rq->buf_size, (size_t) in->size)));
}

int op_listxattr(struct request *rq)
{
	const struct fuse_getxattr_in *in = wire_take(&rq->args, sizeof(*in));

	if (!in)
		return -EINVAL;
	return reply_attribute(rq, in->size,
			       overlay_listxattr(rq->session->ov, &rq->actor, rq->node, rq->buf,
						 MIN(rq->buf_size, (size_t) in->size)));
}

int op_setxattr(struct request *rq)
{
	bool ext = rq->session->setxattr_ext;
	const struct fuse_setxattr_in *in = wire_take(&rq->args, ext ? sizeof(*in) : FUSE_COMPAT_SETXATTR_IN_SIZE);
	const char *attr = wire_take_name(&rq->args);
	const void *value = in ? wire_take(&rq->args, in->size) : NULL;
	int r;

	if (!in || !attr || !value)
		return -EINVAL;
	r = overlay_setxattr(rq->session->ov, &rq->actor, rq->node, attr, value, in->size, (int) in->flags,
			     ext && (in->setxattr_flags & FUSE_SETXATTR_ACL_KILL_SGID));
	tell_parted(rq);
	return r;
}

int op_removexattr(struct request *rq)
{
	const char *attr = wire_take_name(&rq->args);
	int r = attr ? overlay_removexattr(rq->session->ov, &rq->actor, rq->node, attr) : -EINVAL;

	tell_parted(rq);
	return r;
}
