/*
 * Look-up and forgetting, and everything that makes, moves or removes a name.
 */

#include "fuse/caller.h"
#include "fuse/ops.h"

int give_entry(struct request *rq, const struct entry *e)
{
	int r = reply_entry(rq, e);

	if (r < 0)
		overlay_forget(rq->session->ov, e->node, 1);
	return r;
}

int op_lookup(struct request *rq)
{
	const char *name = wire_take_name(&rq->args);
	struct entry e;
	int r;

	if (!name)
		return -EINVAL;
	r = overlay_lookup(rq->session->ov, &rq->actor, rq->node, name, &e);
	if (r < 0)
		return r;
	if (r == 0)
		return e.hidden ? -ENOENT : reply_absent(rq); /* as an error the kernel does not remember it */
	if (e.other_case && caller_changes_case((pid_t) rq->in->pid, name)) {
		overlay_forget(rq->session->ov, e.node, 1);
		return -ENOENT;
	}
	return give_entry(rq, &e);
}

static void forget(struct request *rq, uint64_t id, uint64_t n)
{
	struct node *node = id != FUSE_ROOT_ID ? overlay_node(rq->session->ov, id) : NULL;

	/* The root's count is not the kernel's to give back: no look-up gave it. */
	if (node)
		overlay_forget(rq->session->ov, node, n);
}

int op_forget(struct request *rq)
{
	const struct fuse_forget_in *in = wire_take(&rq->args, sizeof(*in));

	if (!in)
		return -EINVAL;
	forget(rq, rq->in->nodeid, in->nlookup);
	return 0;
}

int op_batch_forget(struct request *rq)
{
	const struct fuse_batch_forget_in *in = wire_take(&rq->args, sizeof(*in));
	const struct fuse_forget_one *one;

	if (!in)
		return -EINVAL;
	for (uint32_t i = 0; i < in->count; i++) {
		one = wire_take(&rq->args, sizeof(*one));
		if (!one)
			return -EINVAL;
		forget(rq, one->nodeid, one->nlookup);
	}
	return 0;
}

int op_mknod(struct request *rq)
{
	const struct fuse_mknod_in *in = wire_take(&rq->args, sizeof(*in));
	const char *name = wire_take_name(&rq->args);
	struct entry e;
	int r;

	if (!in || !name)
		return -EINVAL;
	rq->actor.umask = in->umask;
	r = overlay_mknod(rq->session->ov, &rq->actor, rq->node, name, in->mode, wire_dev_decode(in->rdev), &e);
	return r < 0 ? r : give_entry(rq, &e);
}

int op_mkdir(struct request *rq)
{
	const struct fuse_mkdir_in *in = wire_take(&rq->args, sizeof(*in));
	const char *name = wire_take_name(&rq->args);
	struct entry e;
	int r;

	if (!in || !name)
		return -EINVAL;
	rq->actor.umask = in->umask;
	r = overlay_mkdir(rq->session->ov, &rq->actor, rq->node, name, in->mode, &e);
	return r < 0 ? r : give_entry(rq, &e);
}

int op_symlink(struct request *rq)
{
	const char *name = wire_take_name(&rq->args);
	const char *target = wire_take_name(&rq->args);
	struct entry e;
	int r;

	if (!name || !target)
		return -EINVAL;
	r = overlay_symlink(rq->session->ov, &rq->actor, rq->node, name, target, &e);
	return r < 0 ? r : give_entry(rq, &e);
}

bool unlink_may_block(const struct request *rq)
{
	struct wire_args args = rq->args;
	const char *name = wire_take_name(&args);

	return name && overlay_unlink_would_copy(rq->session->ov, rq->node, name);
}

bool link_may_block(const struct request *rq)
{
	struct wire_args args = rq->args;
	const struct fuse_link_in *in = wire_take(&args, sizeof(*in));
	struct node *node = in ? overlay_node(rq->session->ov, in->oldnodeid) : NULL;

	return node && overlay_would_copy(rq->session->ov, node, O_WRONLY);
}

int op_link(struct request *rq)
{
	const struct fuse_link_in *in = wire_take(&rq->args, sizeof(*in));
	const char *name = wire_take_name(&rq->args);
	struct node *node;
	struct entry e;
	int r;

	if (!in || !name)
		return -EINVAL;
	node = overlay_node(rq->session->ov, in->oldnodeid);
	if (!node)
		return -ESTALE;
	r = overlay_link(rq->session->ov, &rq->actor, node, rq->node, name, &e);
	return r < 0 ? r : give_entry(rq, &e);
}

int op_unlink(struct request *rq)
{
	const char *name = wire_take_name(&rq->args);

	return name ? overlay_unlink(rq->session->ov, &rq->actor, rq->node, name) : -EINVAL;
}

int op_rmdir(struct request *rq)
{
	const char *name = wire_take_name(&rq->args);

	return name ? overlay_rmdir(rq->session->ov, &rq->actor, rq->node, name) : -EINVAL;
}

static int rename_to(struct request *rq, uint64_t new_dir_id, unsigned int flags)
{
	const char *name = wire_take_name(&rq->args);
	const char *new_name = wire_take_name(&rq->args);
	struct node *new_dir;

	if (!name || !new_name)
		return -EINVAL;
	new_dir = overlay_node(rq->session->ov, new_dir_id);
	if (!new_dir)
		return -ESTALE;
	return overlay_rename(rq->session->ov, &rq->actor, rq->node, name, new_dir, new_name, flags);
}

int op_rename(struct request *rq)
{
	const struct fuse_rename_in *in = wire_take(&rq->args, sizeof(*in));

	return in ? rename_to(rq, in->newdir, 0) : -EINVAL;
}

int op_rename2(struct request *rq)
{
	const struct fuse_rename2_in *in = wire_take(&rq->args, sizeof(*in));

	return in ? rename_to(rq, in->newdir, in->flags) : -EINVAL;
}
