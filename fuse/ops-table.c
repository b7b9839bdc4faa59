/*
 * From opcode to function, and what is common to all of them. Every opcode that Linux knows has a row: those that a
 * view has no use for are answered ENOSYS, after which the kernel does without and does not ask again.
 */

#include <stdio.h>

#include "base/macro.h"
#include "fuse/ops.h"

static bool always_may_block(const struct request *rq)
{
	return true;
}

static int op_nothing(struct request *rq)
{
	return 0;
}

static int op_unsupported(struct request *rq)
{
	return -ENOSYS;
}

/* Not ENOSYS: that is an answer for one file of a file system that has ioctls. Also FS_IOC_GETFLAGS comes here. */
static int op_ioctl(struct request *rq)
{
	return -ENOTTY;
}

static const struct op ops[OPCODE_MAX + 1] = {
	[FUSE_LOOKUP] = { "LOOKUP", op_lookup, NULL, OP_NODE },
	[FUSE_FORGET] = { "FORGET", op_forget, NULL, OP_NO_REPLY },
	[FUSE_GETATTR] = { "GETATTR", op_getattr, NULL, OP_NODE },
	[FUSE_SETATTR] = { "SETATTR", op_setattr, setattr_may_block, OP_NODE },
	[FUSE_READLINK] = { "READLINK", op_readlink, NULL, OP_NODE },
	[FUSE_SYMLINK] = { "SYMLINK", op_symlink, NULL, OP_NODE },
	[FUSE_MKNOD] = { "MKNOD", op_mknod, NULL, OP_NODE },
	[FUSE_MKDIR] = { "MKDIR", op_mkdir, NULL, OP_NODE },
	[FUSE_UNLINK] = { "UNLINK", op_unlink, unlink_may_block, OP_NODE },
	[FUSE_RMDIR] = { "RMDIR", op_rmdir, NULL, OP_NODE },
	[FUSE_RENAME] = { "RENAME", op_rename, always_may_block, OP_NODE },
	[FUSE_LINK] = { "LINK", op_link, link_may_block, OP_NODE },
	[FUSE_OPEN] = { "OPEN", op_open, open_may_block, OP_NODE },
	[FUSE_READ] = { "READ", op_read, NULL, 0 },
	[FUSE_WRITE] = { "WRITE", op_write, NULL, 0 },
	[FUSE_STATFS] = { "STATFS", op_statfs, NULL, 0 },
	[FUSE_RELEASE] = { "RELEASE", op_release, NULL, 0 },
	[FUSE_FSYNC] = { "FSYNC", op_fsync, always_may_block, 0 },
	[FUSE_SETXATTR] = { "SETXATTR", op_setxattr, change_may_block, OP_NODE },
	[FUSE_GETXATTR] = { "GETXATTR", op_getxattr, NULL, OP_NODE },
	[FUSE_LISTXATTR] = { "LISTXATTR", op_listxattr, NULL, OP_NODE },
	[FUSE_REMOVEXATTR] = { "REMOVEXATTR", op_removexattr, change_may_block, OP_NODE },
	[FUSE_FLUSH] = { "FLUSH", op_nothing, NULL, 0 }, /* nothing is held back in the daemon */
	[FUSE_INIT] = { "INIT", op_init, NULL, OP_BEFORE_INIT },
	[FUSE_OPENDIR] = { "OPENDIR", op_opendir, NULL, OP_NODE },
	[FUSE_READDIR] = { "READDIR", op_readdir, NULL, 0 },
	[FUSE_RELEASEDIR] = { "RELEASEDIR", op_releasedir, NULL, 0 },
	[FUSE_FSYNCDIR] = { "FSYNCDIR", op_fsyncdir, always_may_block, 0 },
	[FUSE_GETLK] = { "GETLK", op_unsupported, NULL, 0 }, /* locks are the kernel's: we do not ask for them in INIT */
	[FUSE_SETLK] = { "SETLK", op_unsupported, NULL, 0 },
	[FUSE_SETLKW] = { "SETLKW", op_unsupported, NULL, 0 },
	[FUSE_ACCESS] = { "ACCESS", op_unsupported, NULL, 0 }, /* the kernel checks: default_permissions */
	[FUSE_CREATE] = { "CREATE", op_create, NULL, OP_NODE },
	[FUSE_INTERRUPT] = { "INTERRUPT", op_nothing, NULL, OP_NO_REPLY }, /* the transport's: it knows what is under way */
	[FUSE_BMAP] = { "BMAP", op_unsupported, NULL, 0 },
	[FUSE_DESTROY] = { "DESTROY", op_nothing, NULL, 0 }, /* the end of reading tells the same, always */
	[FUSE_IOCTL] = { "IOCTL", op_ioctl, NULL, 0 },
	[FUSE_POLL] = { "POLL", op_unsupported, NULL, 0 },
	[FUSE_NOTIFY_REPLY] = { "NOTIFY_REPLY", op_nothing, NULL, OP_NO_REPLY },
	[FUSE_BATCH_FORGET] = { "BATCH_FORGET", op_batch_forget, NULL, OP_NO_REPLY },
	[FUSE_FALLOCATE] = { "FALLOCATE", op_fallocate, always_may_block, 0 },
	[FUSE_READDIRPLUS] = { "READDIRPLUS", op_readdirplus, NULL, 0 },
	[FUSE_RENAME2] = { "RENAME2", op_rename2, always_may_block, OP_NODE },
	[FUSE_LSEEK] = { "LSEEK", op_lseek, NULL, 0 },
	[FUSE_COPY_FILE_RANGE] = { "COPY_FILE_RANGE", op_copy_file_range, always_may_block, 0 },
	[FUSE_SETUPMAPPING] = { "SETUPMAPPING", op_unsupported, NULL, 0 },
	[FUSE_REMOVEMAPPING] = { "REMOVEMAPPING", op_unsupported, NULL, 0 },
	[FUSE_SYNCFS] = { "SYNCFS", op_syncfs, always_may_block, 0 },
	[FUSE_TMPFILE] = { "TMPFILE", op_tmpfile, NULL, OP_NODE },
	[OPCODE_STATX] = { "STATX", op_statx, NULL, OP_NODE },
	[OPCODE_COPY_FILE_RANGE_64] = { "COPY_FILE_RANGE_64", op_copy_file_range_64, always_may_block, 0 },
};

const struct op *op_find(uint32_t opcode)
{
	return opcode < ARRAY_SIZE(ops) && ops[opcode].run ? &ops[opcode] : NULL;
}

/* Finds op and node, once. 0, or the error that the request deserves. */
static int request_resolve(struct request *rq)
{
	if (!rq->op)
		rq->op = op_find(rq->in->opcode);
	if (!rq->op)
		return -ENOSYS;
	if (!rq->session->initialised && !(rq->op->flags & OP_BEFORE_INIT))
		return -EIO;
	if ((rq->op->flags & OP_NODE) && !rq->node) {
		rq->node = overlay_node(rq->session->ov, rq->in->nodeid);
		if (!rq->node)
			return -ESTALE;
	}
	return 0;
}

bool request_may_block(struct request *rq)
{
	/* What cannot be resolved is refused where it was read. */
	return request_resolve(rq) == 0 && rq->op->may_block && rq->op->may_block(rq);
}

/* dprintf() makes one write of a line: those of several threads stay whole. */
static void request_trace(const struct request *rq)
{
	(void) dprintf(STDERR_FILENO, "osfuse: %llu %s(%u) node %llu pid %u: %lld\n", (unsigned long long) rq->in->unique,
		       rq->op ? rq->op->name : "UNKNOWN", rq->in->opcode, (unsigned long long) rq->in->nodeid, rq->in->pid,
		       (long long) rq->result);
}

/* Up to the reply, so that a change of policy waits until the kernel has it: see overlay_set_policy(). */
static void run_and_reply(struct request *rq)
{
	struct wire_args args = rq->args;
	int r = request_resolve(rq);

	if (r == 0)
		r = rq->op->run(rq);
	if ((r == -ENOSPC || r == -EDQUOT) && !rq->replied) {
		/* What was just removed may not have been let go yet. On a plain file system it would be gone. */
		overlay_reclaim(rq->session->ov);
		rq->args = args;
		r = rq->op->run(rq);
	}

	/* After ENOSYS the kernel does without, for all files. A verb has it from one layer, whose file system cannot do it. */
	if (r == -ENOSYS && rq->op && rq->op->run != op_unsupported)
		r = -EOPNOTSUPP;
	if (rq->op && (rq->op->flags & OP_NO_REPLY))
		rq->result = r;
	else if (!rq->replied)
		(void) reply_error(rq, r); /* nothing is left that could be told to anybody */
}

void request_run(struct request *rq)
{
	unsigned int token = overlay_enter(rq->session->ov);

	run_and_reply(rq);
	overlay_leave(rq->session->ov, token);
	if (rq->session->debug)
		request_trace(rq);
}
