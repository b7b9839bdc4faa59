/* open_tree() and mount_setattr() by number: glibc has them from 2.36 on only. */

#include "fuse/newmount.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#ifndef MOUNT_ATTR_NODIRATIME
#define MOUNT_ATTR_NODIRATIME 0x80
#endif
/* umount2(2)'s MNT_DETACH and UMOUNT_NOFOLLOW, from the header that we cannot have */
#define UMOUNT_DETACH 2
#define UMOUNT_DONT_FOLLOW 8

int newmount_clone(int fd)
{
	struct mount_attr attr = { .propagation = MS_PRIVATE };
	_cleanup_close_ int tree = -EBADF;

	tree = (int) syscall(SYS_open_tree, fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
	if (tree < 0)
		return -errno;
	/* Otherwise mounts would go on coming in from the shared originals. */
	if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0)
		return -errno;
	return steal_fd(&tree);
}

int newmount_private_namespace(void)
{
	struct mount_attr attr = { .propagation = MS_PRIVATE };

	if (syscall(SYS_unshare, CLONE_NEWNS) < 0)
		return -errno;
	return syscall(SYS_mount_setattr, AT_FDCWD, "/", AT_RECURSIVE, &attr, sizeof(attr)) < 0 ? -errno : 0;
}

int newmount_forget(const char *path)
{
	return syscall(SYS_umount2, path, UMOUNT_DETACH | UMOUNT_DONT_FOLLOW) < 0 ? -errno : 0;
}

static void pick(struct mount_attr *attr, bool on, uint64_t bit)
{
	if (on)
		attr->attr_set |= bit;
	else
		attr->attr_clr |= bit;
}

int newmount_set_flags(const char *path, const struct newmount_flags *flags)
{
	struct mount_attr attr = { .attr_clr = MOUNT_ATTR__ATIME };

	pick(&attr, flags->ro, MOUNT_ATTR_RDONLY);
	pick(&attr, flags->nosuid, MOUNT_ATTR_NOSUID);
	pick(&attr, flags->nodev, MOUNT_ATTR_NODEV);
	pick(&attr, flags->noexec, MOUNT_ATTR_NOEXEC);
	pick(&attr, flags->nodiratime, MOUNT_ATTR_NODIRATIME);
	attr.attr_set |= flags->atime == NEWMOUNT_NOATIME ? MOUNT_ATTR_NOATIME :
			 flags->atime == NEWMOUNT_STRICTATIME ? MOUNT_ATTR_STRICTATIME : MOUNT_ATTR_RELATIME;
	return syscall(SYS_mount_setattr, AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, &attr, sizeof(attr)) < 0 ? -errno : 0;
}
