/*
 * The engine of plain system calls: the one that always works, and the oracle for every other.
 *
 * Two things are less plain than they look.
 *
 * Ownership. New objects must belong to the caller, inherit the group of a set-group-id directory and its default ACL,
 * and never be seen half-made. So they are created in one call by a thread that has taken the caller's file system
 * ids. SECBIT_NO_SETUID_FIXUP keeps the thread's capabilities over that, see capabilities(7).
 *
 * Descriptors opened with O_PATH. Most calls refuse them; the way round is the descriptor's name in /proc/self/fd, which
 * leads to the object itself without another walk.
 */

#include "io/io.h"

#include <errno.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <linux/securebits.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

/* Numbers are the same on every architecture from 5.4 on; the headers of older distributions lack them. */
#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif
#ifndef SYS_setxattrat
#define SYS_setxattrat 463
#define SYS_getxattrat 464
#define SYS_listxattrat 465
#define SYS_removexattrat 466
#endif

#ifndef FS_IOC_GETFSUUID
struct fsuuid2 {
	uint8_t len;
	uint8_t uuid[16];
};
#define FS_IOC_GETFSUUID _IOR(0x15, 0, struct fsuuid2)
#endif

#define PROC_PATH_MAX (sizeof("/proc/self/fd/") + 12 + NAME_MAX_BYTES)
#define NAME_MAX_BYTES 256

/* include/uapi/linux/xattr.h, 6.13 */
struct xattr_args_v0 {
	uint64_t value;
	uint32_t size;
	uint32_t flags;
};

struct sync_engine {
	struct io_engine engine;
	bool has_xattrat;   /* getxattrat and its family: 6.13 */
	bool has_fchmodat2; /* 6.6 */
	uid_t uid;
	gid_t gid;
};

static int64_t result(int64_t r)
{
	return r < 0 ? -errno : r;
}

/* "/proc/self/fd/N" or "/proc/self/fd/N/NAME" */
static const char *proc_path(char buf[static PROC_PATH_MAX], int fd, const char *name)
{
	(void) snprintf(buf, PROC_PATH_MAX, name ? "/proc/self/fd/%d/%s" : "/proc/self/fd/%d", fd, name);
	return buf;
}

/* Per thread, since credentials are: 0 not tried, 1 capabilities survive a change of ids, -1 we have none to keep. */
static _Thread_local int keeps_caps;

static int become(const struct sync_engine *e, const struct io_cred *as)
{
	if (!as || (as->uid == e->uid && as->gid == e->gid))
		return 0;
	if (keeps_caps == 0) {
		int bits = prctl(PR_GET_SECUREBITS);

		keeps_caps = bits >= 0 && prctl(PR_SET_SECUREBITS, bits | SECBIT_NO_SETUID_FIXUP) == 0 ? 1 : -1;
	}
	/* A group that we may not take is the caller's own matter; a wrong owner would give the file away. */
	(void) setfsgid(as->gid);
	if (as->uid != e->uid) {
		(void) setfsuid(as->uid);
		if ((uid_t) setfsuid((uid_t) -1) != as->uid) {
			(void) setfsgid(e->gid);
			return -EPERM;
		}
	}
	return 1;
}

static void unbecome(const struct sync_engine *e, int changed)
{
	if (changed <= 0)
		return;
	(void) setfsuid(e->uid);
	(void) setfsgid(e->gid);
}

static int64_t do_open(const struct io_op *op)
{
	int flags = (int) op->flags | O_CLOEXEC | O_NOCTTY;
	char path[PROC_PATH_MAX];
	int64_t r;

	if (op->name)
		return result(openat(op->fd, op->name, flags | O_NOFOLLOW, op->mode));
	/* Not by ".": that needs the right to search the directory, and a user may have taken it from himself. */
	r = result(open(proc_path(path, op->fd, NULL), flags & ~O_NOFOLLOW, op->mode));
	return r == -ENOENT && flags & O_DIRECTORY ? result(openat(op->fd, ".", flags, op->mode)) : r; /* no /proc here */
}

static int64_t do_open_beneath(const struct io_op *op)
{
	struct open_how how = {
		.flags = op->flags | O_CLOEXEC | O_NOFOLLOW,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};

	return result(syscall(SYS_openat2, op->fd, op->name, &how, sizeof(how)));
}

static int64_t do_statx(const struct io_op *op)
{
	int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC | (op->name ? 0 : AT_EMPTY_PATH);

	return result(statx(op->fd, op->name ? op->name : "", flags, op->mask, op->buf));
}

static int64_t do_read(const struct io_op *op)
{
	ssize_t n;

	do
		n = pread(op->fd, op->buf, op->len, (off_t) op->off);
	while (n < 0 && errno == EINTR);
	return result(n);
}

static int64_t do_write(const struct io_op *op)
{
	struct iovec iov = { (void *) (uintptr_t) op->cbuf, op->len };
	ssize_t n;

	do
		n = op->flags ? pwritev2(op->fd, &iov, 1, (off_t) op->off, (int) op->flags)
			      : pwrite(op->fd, op->cbuf, op->len, (off_t) op->off);
	while (n < 0 && errno == EINTR);
	return result(n);
}

static int64_t do_seek(const struct io_op *op)
{
	return result(lseek(op->fd, (off_t) op->off, (int) op->flags));
}

static int64_t do_copy_range(const struct io_op *op)
{
	off_t in = (off_t) op->off, out = (off_t) op->off2;

	return result(copy_file_range(op->fd, &in, op->fd2, &out, op->len, 0));
}

static int64_t do_link(const struct io_op *op)
{
	char path[PROC_PATH_MAX];

	if (op->name)
		return result(linkat(op->fd, op->name, op->fd2, op->name2, 0));
	return result(linkat(AT_FDCWD, proc_path(path, op->fd, NULL), op->fd2, op->name2, AT_SYMLINK_FOLLOW));
}

static int64_t do_chmod(const struct sync_engine *e, const struct io_op *op)
{
	char path[PROC_PATH_MAX];
	struct statx stx;
	int64_t r;

	if (e->has_fchmodat2)
		return result(syscall(SYS_fchmodat2, op->fd, op->name ? op->name : "", op->mode,
				      AT_SYMLINK_NOFOLLOW | (op->name ? 0 : AT_EMPTY_PATH)));
	if (!op->name) {
		if (fchmod(op->fd, op->mode) == 0)
			return 0;
		return errno == EBADF ? result(chmod(proc_path(path, op->fd, NULL), op->mode)) : -errno;
	}

	/* Before 6.6 only a descriptor keeps chmod from following a link that appears in between. */
	int fd = openat(op->fd, op->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = result(statx(fd, "", AT_EMPTY_PATH, STATX_TYPE, &stx));
	if (r == 0)
		r = S_ISLNK(stx.stx_mode) ? -EOPNOTSUPP : result(chmod(proc_path(path, fd, NULL), op->mode));
	(void) close(fd);
	return r;
}

static int64_t do_utimens(const struct io_op *op)
{
	return result(utimensat(op->fd, op->name ? op->name : "", op->cbuf,
				AT_SYMLINK_NOFOLLOW | (op->name ? 0 : AT_EMPTY_PATH)));
}

/* Attributes of (fd, name) through the calls of 6.13. */
static int64_t xattrat(const struct io_op *op)
{
	struct xattr_args_v0 args = {
		.value = (uint64_t) (uintptr_t) (op->kind == IO_SETXATTR ? op->cbuf : op->buf),
		.size = (uint32_t) op->len,
		.flags = op->kind == IO_SETXATTR ? op->flags : 0,
	};

	switch (op->kind) {
	case IO_GETXATTR:
		return result(syscall(SYS_getxattrat, op->fd, op->name, AT_SYMLINK_NOFOLLOW, op->name2, &args, sizeof(args)));
	case IO_SETXATTR:
		return result(syscall(SYS_setxattrat, op->fd, op->name, AT_SYMLINK_NOFOLLOW, op->name2, &args, sizeof(args)));
	case IO_LISTXATTR:
		return result(syscall(SYS_listxattrat, op->fd, op->name, AT_SYMLINK_NOFOLLOW, op->buf, op->len));
	default:
		return result(syscall(SYS_removexattrat, op->fd, op->name, AT_SYMLINK_NOFOLLOW, op->name2));
	}
}

/*
 * The same through /proc: with a name the last component is not followed (l* calls); without one the magic link has to
 * be, and ends at the object itself.
 */
static int64_t xattr_by_path(const struct io_op *op, const char *path)
{
	bool follow = !op->name;

	switch (op->kind) {
	case IO_GETXATTR:
		return result((follow ? getxattr : lgetxattr)(path, op->name2, op->buf, op->len));
	case IO_SETXATTR:
		return result((follow ? setxattr : lsetxattr)(path, op->name2, op->cbuf, op->len, (int) op->flags));
	case IO_LISTXATTR:
		return result((follow ? listxattr : llistxattr)(path, op->buf, op->len));
	default:
		return result((follow ? removexattr : lremovexattr)(path, op->name2));
	}
}

static int64_t xattr_by_fd(const struct io_op *op)
{
	switch (op->kind) {
	case IO_GETXATTR:
		return result(fgetxattr(op->fd, op->name2, op->buf, op->len));
	case IO_SETXATTR:
		return result(fsetxattr(op->fd, op->name2, op->cbuf, op->len, (int) op->flags));
	case IO_LISTXATTR:
		return result(flistxattr(op->fd, op->buf, op->len));
	default:
		return result(fremovexattr(op->fd, op->name2));
	}
}

static int64_t do_xattr(const struct sync_engine *e, const struct io_op *op)
{
	char path[PROC_PATH_MAX];
	int64_t r;

	if (op->name && e->has_xattrat)
		return xattrat(op);
	if (!op->name) {
		r = xattr_by_fd(op);
		if (r != -EBADF)
			return r;
	}
	return xattr_by_path(op, proc_path(path, op->fd, op->name));
}

static int64_t do_handle(const struct io_op *op)
{
	int mount_id;

	return result(name_to_handle_at(op->fd, op->name ? op->name : "", op->buf, &mount_id, op->name ? 0 : AT_EMPTY_PATH));
}

static int64_t do_uuid(const struct io_op *op)
{
	struct fsuuid2 u = { 0 };
	int fd = openat(op->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int64_t r;

	if (fd < 0)
		return -errno;
	r = result(ioctl(fd, FS_IOC_GETFSUUID, &u));
	(void) close(fd);
	if (r < 0)
		return r == -ENOTTY ? -EOPNOTSUPP : r;
	if (u.len != sizeof(u.uuid))
		return -EOPNOTSUPP;
	memcpy(op->buf, u.uuid, sizeof(u.uuid));
	return 0;
}

static int64_t do_create(const struct io_op *op)
{
	switch (op->kind) {
	case IO_OPEN:
		return do_open(op);
	case IO_MKDIR:
		return result(mkdirat(op->fd, op->name, op->mode));
	case IO_MKNOD:
		return result(mknodat(op->fd, op->name, op->mode, op->dev));
	default:
		return result(symlinkat(op->name2, op->fd, op->name));
	}
}

static int64_t create_as(const struct sync_engine *e, const struct io_op *op)
{
	int changed = become(e, op->as);
	int64_t r = changed < 0 ? changed : do_create(op);

	unbecome(e, changed);
	return r;
}

static int64_t run_one(const struct sync_engine *e, const struct io_op *op)
{
	switch (op->kind) {
	case IO_OPEN:
	case IO_MKDIR:
	case IO_MKNOD:
	case IO_SYMLINK:
		return create_as(e, op);
	case IO_OPEN_BENEATH:
		return do_open_beneath(op);
	case IO_CLOSE:
		return result(close(op->fd));
	case IO_STATX:
		return do_statx(op);
	case IO_STATFS:
		return result(fstatfs(op->fd, op->buf));
	case IO_READ:
		return do_read(op);
	case IO_WRITE:
		return do_write(op);
	case IO_READLINK:
		return result(readlinkat(op->fd, op->name ? op->name : "", op->buf, op->len));
	case IO_GETDENTS:
		return result(syscall(SYS_getdents64, op->fd, op->buf, op->len));
	case IO_SEEK:
		return do_seek(op);
	case IO_FSYNC:
		return result(op->flags ? fdatasync(op->fd) : fsync(op->fd));
	case IO_SYNCFS:
		return result(syncfs(op->fd));
	case IO_TRUNCATE:
		return result(ftruncate(op->fd, (off_t) op->off));
	case IO_FALLOCATE:
		return result(fallocate(op->fd, (int) op->flags, (off_t) op->off, (off_t) op->len));
	case IO_COPY_RANGE:
		return do_copy_range(op);
	case IO_CLONE:
		return result(ioctl(op->fd2, FICLONE, op->fd));
	case IO_LINK:
		return do_link(op);
	case IO_UNLINK:
		return result(unlinkat(op->fd, op->name, (int) op->flags));
	case IO_RENAME:
		return result(renameat2(op->fd, op->name, op->fd2, op->name2, op->flags));
	case IO_CHMOD:
		return do_chmod(e, op);
	case IO_CHOWN:
		return result(fchownat(op->fd, op->name ? op->name : "", op->uid, op->gid,
				       AT_SYMLINK_NOFOLLOW | (op->name ? 0 : AT_EMPTY_PATH)));
	case IO_UTIMENS:
		return do_utimens(op);
	case IO_GETXATTR:
	case IO_SETXATTR:
	case IO_LISTXATTR:
	case IO_REMOVEXATTR:
		return do_xattr(e, op);
	case IO_HANDLE:
		return do_handle(op);
	case IO_UUID:
		return do_uuid(op);
	case IO_N_KINDS:
		break;
	}
	return -ENOSYS;
}

static void sync_run(struct io_engine *engine, struct io_op *ops, size_t n)
{
	const struct sync_engine *e = container_of(engine, struct sync_engine, engine);

	for (size_t i = 0; i < n; i++)
		ops[i].res = run_one(e, &ops[i]);
}

static struct io_engine *sync_free(struct io_engine *engine)
{
	free(container_of(engine, struct sync_engine, engine));
	return NULL;
}

static const struct io_engine_ops sync_ops = {
	.name = "sync",
	.run = sync_run,
	.free = sync_free,
};

int io_engine_sync_new(struct io_engine **ret)
{
	struct sync_engine *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	e->engine.ops = &sync_ops;
	e->uid = geteuid();
	e->gid = getegid();
	/* Descriptor -1 is refused by a kernel that has the call; one that has not says ENOSYS. */
	e->has_xattrat = syscall(SYS_removexattrat, -1, "x", 0, "user.x") < 0 && errno != ENOSYS;
	e->has_fchmodat2 = syscall(SYS_fchmodat2, -1, "x", 0, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOSYS;
	*ret = &e->engine;
	return 0;
}

struct io_engine *io_engine_free(struct io_engine *e)
{
	return e ? e->ops->free(e) : NULL;
}
