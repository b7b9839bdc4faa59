#pragma once

/*
 * The mount itself: attached through libfuse, which goes through fusermount3 where we lack the privilege, and detached.
 * libfuse serves no request of it.
 */

#include <stdbool.h>
#include <sys/types.h>

#include "base/macro.h"

struct mount;
struct problem;

/* An option that was given, or not. */
enum choice {
	CHOICE_UNSET,
	CHOICE_OFF,
	CHOICE_ON,
};

enum atime_mode {
	ATIME_DEFAULT, /* as relatime */
	ATIME_RELATIME,
	ATIME_NONE,
	ATIME_STRICT,
};

struct mount_flags {
	bool read_only;
	enum choice dev, suid; /* unset: off */
	bool noexec, sync, dirsync, nodiratime, lazytime;
	enum atime_mode atime;
	bool allow_other;
	const char *source;  /* shown in /proc/mounts, byte for byte */
	const char *subtype; /* NULL: "osfuse" */
};

/* Can we mount without fusermount3? True for root, also for root of a user namespace. */
bool mount_privileged(void);

/* What has to be there before anything can be mounted: /dev/fuse, and fusermount3 for users. */
int mount_check(struct problem *p);

/* mount_point is absolute and without links. The mount answers nothing before its descriptor is served. */
int mount_attach(const char *mount_point, const struct mount_flags *flags, struct mount **ret, struct problem *p);
int mount_fd(const struct mount *m);
dev_t mount_dev(const struct mount *m);

/*
 * Ends the mount if it is still there: 0 when it is gone. -EBUSY: in use. lazy: out of sight now, and gone when the last user
 * is. Not from a thread that serves it.
 */
int mount_detach(struct mount *m, bool lazy);
/* Writes back what the kernel holds of its files. Asks the mount itself. */
void mount_sync(const struct mount *m);
/* Closes the descriptor; a mount still there is stale from now on. */
struct mount *mount_free(struct mount *m);
DEFINE_CLEANUP(struct mount *, mount_free)

/* The same for any mount point, by umount2() or fusermount3. */
int mount_detach_path(const char *mount_point, bool lazy, struct problem *p);

/* Flags of an existing mount, as "mount -o remount". */
int mount_remount(const char *mount_point, const struct mount_flags *flags, struct problem *p);

/*
 * The absolute path of a mount point: links resolved but in the last component if that is mounted on, so that nothing is
 * asked of a file system that may be dead. -ENOENT and so on as for stat().
 */
int mount_point_resolve(const char *path, char **ret);
/*
 * 1: on this path is a mount of ours whose daemon is gone; 0 not. -ETIMEDOUT: its daemon is there, but does not answer within a few
 * seconds. Before there are threads: a child asks, which may have to be left behind.
 */
int mount_is_stale(const char *mount_point);
