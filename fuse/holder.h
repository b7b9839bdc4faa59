#pragma once

/*
 * Locks between daemons, and who holds them.
 *
 * A daemon holds flock()s on its sandbox and its upper directory, and on the mount point until it has mounted. That a lock is taken is certain; by whom is looked up in
 * /proc, for the message and for a decision: a daemon whose mount is already gone is about to exit, so it is worth
 * waiting for.
 *
 * For this a daemon shows a beacon: an unlinked memory file that holds its mount's device number, what it can do, and mount point. It leaves
 * nothing behind on disk, and cannot outlive its daemon.
 */

#include <stdbool.h>
#include <sys/types.h>

#include "base/macro.h"

struct mount_entry;
struct problem;

struct beacon {
	uid_t owner; /* who lit it; of one's own it is not asked */
	dev_t dev;
	bool writable; /* the view has an upper: whatever the mount's flags say, without one it takes no changes */
	char *mount_point;
};

/* Lights this process's beacon. The descriptor keeps it burning. */
int beacon_light(const struct beacon *b, int *ret_fd);
/* The beacon of another process: 1 read, to be given to beacon_done(); 0 there is none that we can see. */
int beacon_read(pid_t pid, struct beacon *ret);
void beacon_done(struct beacon *b);
/*
 * The process that serves a mount, by the beacon of somebody who may say so: root, ourselves, or whom the mount belongs to. 0: none to be
 * seen. ret_writable may be NULL.
 */
pid_t beacon_find(const struct mount_entry *e, bool *ret_writable);

/*
 * Is this a mount of ours? By its type, or, where that was changed with subtype=, by its daemon's beacon: one whose daemon has
 * ended cannot be known by that.
 */
bool holder_is_view(const struct mount_entry *e);
/* The same of a FUSE file system that is known by its device number alone. Asks no file system but /proc. */
bool holder_is_view_dev(dev_t dev);

/* Who holds a flock() on the object behind fd; 0: unknown. */
pid_t holder_find(int fd);

/*
 * Takes the lock on fd for as long as the descriptor is open, waiting only for daemons on their way out. -EBUSY: in use; p
 * then says by whom, what being the name of the thing.
 */
int holder_lock(int fd, const char *what, struct problem *p);

/*
 * The same, on a mount point, for those who are about to mount there. Other locks on it are not in the way: those of other programs, and
 * of a view that has it as its upper. Neither is it when it cannot be locked.
 */
int holder_lock_mount_point(int fd, const char *mount_point, struct problem *p);

/* Waits until the process has ended: 0, or -ETIMEDOUT. */
int holder_wait_exit(pid_t pid, int timeout_ms);
