#pragma once

/*
 * Door 2: every system call on a user's tree is a struct io_op, run in batches by an engine.
 *
 * An op names its object as (fd, name). name NULL means the object behind fd itself (which may be an O_PATH
 * descriptor). A name is one component; no op follows a symbolic link in it. The caller fills an array, calls
 * io_run() and reads op->res: 0 or a count or a descriptor, or a negative errno. Ops of one batch may run in
 * any order and at the same time.
 *
 * Thread rule: an engine may be used by any number of threads at once.
 */

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

#include "base/macro.h"

struct statfs;

enum io_kind {
	IO_OPEN,	/* fd, name (NULL: reopen fd), flags, mode, as; res: descriptor */
	IO_OPEN_BENEATH,/* fd, name: a path of several components, resolved below fd without symlinks */
	IO_CLOSE,	/* fd */
	IO_STATX,	/* fd, name, mask, buf: struct statx. Answers from what the kernel has, never asks a server */
	IO_STATFS,	/* fd, buf: struct statfs */
	IO_READ,	/* fd, buf, len, off; res: bytes */
	IO_WRITE,	/* fd, cbuf, len, off, flags: RWF_*; with RWF_APPEND off does not count; res: bytes */
	IO_READLINK,	/* fd, name, buf, len; res: bytes, no NUL */
	IO_GETDENTS,	/* fd, buf, len; res: bytes of struct linux_dirent64 */
	IO_SEEK,	/* fd, off, flags: SEEK_*; res: offset */
	IO_FSYNC,	/* fd; flags: 1 for data only */
	IO_SYNCFS,	/* fd */
	IO_TRUNCATE,	/* fd (writable), off */
	IO_FALLOCATE,	/* fd, flags, off, len */
	IO_COPY_RANGE,	/* fd, off -> fd2, off2, len; res: bytes */
	IO_CLONE,	/* fd -> fd2, whole file (FICLONE) */
	IO_MKDIR,	/* fd, name, mode, as */
	IO_MKNOD,	/* fd, name, mode, dev, as */
	IO_SYMLINK,	/* fd, name, name2: target, as */
	IO_LINK,	/* fd, name (NULL: fd itself) -> fd2, name2 */
	IO_UNLINK,	/* fd, name, flags: 0 or AT_REMOVEDIR */
	IO_RENAME,	/* fd, name -> fd2, name2, flags: RENAME_* */
	IO_CHMOD,	/* fd, name, mode */
	IO_CHOWN,	/* fd, name, uid, gid; -1 leaves */
	IO_UTIMENS,	/* fd, name, cbuf: struct timespec[2] */
	IO_GETXATTR,	/* fd, name, name2: attribute, buf, len; res: bytes */
	IO_SETXATTR,	/* fd, name, name2: attribute, cbuf, len, flags */
	IO_LISTXATTR,	/* fd, name, buf, len; res: bytes */
	IO_REMOVEXATTR, /* fd, name, name2: attribute */
	IO_HANDLE,	/* fd, name, buf: struct file_handle with handle_bytes set */
	IO_UUID,	/* fd, buf: 16 bytes; -EOPNOTSUPP where the file system has none */
	IO_N_KINDS
};

/* Whom a new object belongs to. NULL in an op: the process itself. */
struct io_cred {
	uid_t uid;
	gid_t gid;
};

struct io_op {
	enum io_kind kind;
	int fd, fd2;
	uint32_t flags;
	mode_t mode;
	const char *name, *name2;
	const struct io_cred *as;
	void *buf;
	const void *cbuf;
	size_t len;
	uint64_t off, off2;
	uint32_t mask;
	dev_t dev;
	uid_t uid;
	gid_t gid;
	int64_t res;
};

struct io_engine;

struct io_engine_ops {
	const char *name;
	void (*run)(struct io_engine *e, struct io_op *ops, size_t n);
	struct io_engine *(*free)(struct io_engine *e);
};

/* The head of every engine. */
struct io_engine {
	const struct io_engine_ops *ops;
};

/* Plain system calls. */
int io_engine_sync_new(struct io_engine **ret);

/*
 * For tests: passes everything to inner (borrowed), but the first op for which count matching ones have passed
 * fails with error. kind IO_N_KINDS matches all. error 0 switches it off. io_engine_fault_hits() tells how many
 * ops matched since it was set, so a test can walk over all of them.
 */
int io_engine_fault_new(struct io_engine *inner, struct io_engine **ret);
void io_engine_fault_set(struct io_engine *e, enum io_kind kind, unsigned int count, int error);
unsigned int io_engine_fault_hits(const struct io_engine *e);

struct io_engine *io_engine_free(struct io_engine *e);
DEFINE_CLEANUP(struct io_engine *, io_engine_free)

static inline void io_run(struct io_engine *e, struct io_op *ops, size_t n)
{
	e->ops->run(e, ops, n);
}

/* One op, now. */
static inline int64_t io_one(struct io_engine *e, struct io_op op)
{
	io_run(e, &op, 1);
	return op.res;
}

/* The common ops as calls; results as above. */
static inline int io_open(struct io_engine *e, int fd, const char *name, int flags, mode_t mode, const struct io_cred *as)
{
	return (int) io_one(e, (struct io_op) { .kind = IO_OPEN, .fd = fd, .name = name, .flags = (uint32_t) flags,
						.mode = mode, .as = as });
}

static inline int io_statx(struct io_engine *e, int fd, const char *name, uint32_t mask, struct statx *ret)
{
	return (int) io_one(e, (struct io_op) { .kind = IO_STATX, .fd = fd, .name = name, .mask = mask, .buf = ret });
}

static inline ssize_t io_read(struct io_engine *e, int fd, void *buf, size_t len, uint64_t off)
{
	return (ssize_t) io_one(e, (struct io_op) { .kind = IO_READ, .fd = fd, .buf = buf, .len = len, .off = off });
}

static inline ssize_t io_write(struct io_engine *e, int fd, const void *buf, size_t len, uint64_t off)
{
	return (ssize_t) io_one(e, (struct io_op) { .kind = IO_WRITE, .fd = fd, .cbuf = buf, .len = len, .off = off });
}

static inline ssize_t io_readlink(struct io_engine *e, int fd, const char *name, char *buf, size_t len)
{
	return (ssize_t) io_one(e, (struct io_op) { .kind = IO_READLINK, .fd = fd, .name = name, .buf = buf, .len = len });
}

static inline int64_t io_seek(struct io_engine *e, int fd, uint64_t off, int whence)
{
	return io_one(e, (struct io_op) { .kind = IO_SEEK, .fd = fd, .off = off, .flags = (uint32_t) whence });
}

static inline int io_fsync(struct io_engine *e, int fd, bool data_only)
{
	return (int) io_one(e, (struct io_op) { .kind = IO_FSYNC, .fd = fd, .flags = data_only });
}

static inline int io_truncate(struct io_engine *e, int fd, uint64_t size)
{
	return (int) io_one(e, (struct io_op) { .kind = IO_TRUNCATE, .fd = fd, .off = size });
}

static inline int io_mkdir(struct io_engine *e, int fd, const char *name, mode_t mode, const struct io_cred *as)
{
	return (int) io_one(e, (struct io_op) { .kind = IO_MKDIR, .fd = fd, .name = name, .mode = mode, .as = as });
}

static inline int io_mknod(struct io_engine *e, int fd, const char *name, mode_t mode, dev_t dev, const struct io_cred *as)
{
	return (int) io_one(e, (struct io_op) { .kind = IO_MKNOD, .fd = fd, .name = name, .mode = mode, .dev = dev, .as = as });
}

static inline int io_symlink(struct io_engine *e, const char *target, int fd, const char *name, const struct io_cred *as)
{
	return (int) io_one(e, (struct io_op) { .kind = IO_SYMLINK, .fd = fd, .name = name, .name2 = target, .as = as });
}

static inline int io_link(struct io_engine *e, int fd, const char *name, int fd2, const char *name2)
{
	return (int) io_one(e, (struct io_op) { .kind = IO_LINK, .fd = fd, .name = name, .fd2 = fd2, .name2 = name2 });
}

static inline int io_unlink(struct io_engine *e, int fd, const char *name, int flags)
{
	return (int) io_one(e, (struct io_op) { .kind = IO_UNLINK, .fd = fd, .name = name, .flags = (uint32_t) flags });
}

static inline int io_rename(struct io_engine *e, int fd, const char *name, int fd2, const char *name2, unsigned int flags)
{
	return (int) io_one(e, (struct io_op) { .kind = IO_RENAME, .fd = fd, .name = name, .fd2 = fd2, .name2 = name2,
						.flags = flags });
}

static inline int io_chmod(struct io_engine *e, int fd, const char *name, mode_t mode)
{
	return (int) io_one(e, (struct io_op) { .kind = IO_CHMOD, .fd = fd, .name = name, .mode = mode });
}

static inline int io_chown(struct io_engine *e, int fd, const char *name, uid_t uid, gid_t gid)
{
	return (int) io_one(e, (struct io_op) { .kind = IO_CHOWN, .fd = fd, .name = name, .uid = uid, .gid = gid });
}

static inline int io_utimens(struct io_engine *e, int fd, const char *name, const struct timespec times[2])
{
	return (int) io_one(e, (struct io_op) { .kind = IO_UTIMENS, .fd = fd, .name = name, .cbuf = times });
}

static inline ssize_t io_getxattr(struct io_engine *e, int fd, const char *name, const char *attr, void *buf, size_t len)
{
	return (ssize_t) io_one(e, (struct io_op) { .kind = IO_GETXATTR, .fd = fd, .name = name, .name2 = attr, .buf = buf,
						    .len = len });
}

static inline int io_setxattr(struct io_engine *e, int fd, const char *name, const char *attr, const void *value, size_t len,
			      int flags)
{
	return (int) io_one(e, (struct io_op) { .kind = IO_SETXATTR, .fd = fd, .name = name, .name2 = attr, .cbuf = value,
						.len = len, .flags = (uint32_t) flags });
}

static inline ssize_t io_listxattr(struct io_engine *e, int fd, const char *name, char *buf, size_t len)
{
	return (ssize_t) io_one(e, (struct io_op) { .kind = IO_LISTXATTR, .fd = fd, .name = name, .buf = buf, .len = len });
}

static inline int io_removexattr(struct io_engine *e, int fd, const char *name, const char *attr)
{
	return (int) io_one(e, (struct io_op) { .kind = IO_REMOVEXATTR, .fd = fd, .name = name, .name2 = attr });
}
