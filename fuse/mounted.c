/*
 * Mounts that are there: of this view or another, alive, dead or hanging. None is asked for anything before it is known to answer:
 * the kernel's list and the daemons' beacons tell what they are.
 */

#include "fuse/mounted.h"

#include <errno.h>
#include <string.h>

#include "base/fd.h"
#include "fuse/boxes.h"
#include "fuse/holder.h"
#include "fuse/mount.h"
#include "fuse/mountinfo.h"
#include "fuse/problem.h"
#include "io/io.h"
#include "store/store.h"

#define UMOUNT_PATIENCE_MS 10000

static int problem_hung(struct problem *p, const char *mount_point, pid_t pid)
{
	if (pid > 0)
		(void) problem_set(p, -ETIMEDOUT, mount_point, "its daemon, process %d, does not answer", (int) pid);
	else
		(void) problem_set(p, -ETIMEDOUT, mount_point, "the daemon of the view that is there does not answer");
	return problem_hint(p, -ETIMEDOUT, "'osfuse umount --lazy %s' detaches the mount all the same", mount_point);
}

/* A mount on top of a dead one would work, but what is below would stay for ever. */
int mounted_repair(const char *mount_point, struct problem *p)
{
	int r;

	while ((r = mount_is_stale(mount_point)) == 1) {
		r = mount_detach_path(mount_point, true, p);
		if (r < 0)
			return r;
	}
	return r == -ETIMEDOUT ? problem_hung(p, mount_point, 0) : r < 0 ? problem_errno(p, r, mount_point) : 0;
}

/* A view without an upper has no place for changes, whatever the kernel would let through. */
static bool can_be_writable(const char *mount_point)
{
	struct mount_table mounts;
	const struct mount_entry *e;
	bool writable = true;

	if (mount_table_read(0, &mounts) < 0)
		return true;
	e = mount_table_at(&mounts, mount_point);
	if (e)
		(void) beacon_find(e, &writable); /* a daemon out of sight refuses the changes itself */
	mount_table_done(&mounts);
	return writable;
}

int mounted_remount(const char *path, const struct mount_flags *flags, struct problem *p)
{
	_cleanup_free_ char *mount_point = NULL;
	int r = mount_point_resolve(path, &mount_point);

	if (r < 0)
		return problem_errno(p, r, path);
	if (!flags->read_only && !can_be_writable(mount_point)) {
		(void) problem_set(p, -EROFS, mount_point, "the view has no upper: changes would have no place to go");
		return problem_hint(p, -EROFS, "unmount it, and mount it with an upper, or without --read-only");
	}
	return mount_remount(mount_point, flags, p);
}

/* Ephemeral sandboxes of daemons that were killed. */
static void sweep(void)
{
	_cleanup_(io_engine_freep) struct io_engine *io = NULL;
	_cleanup_(store_freep) struct store *store = NULL;
	_cleanup_free_ char *path = NULL;

	if (io_engine_sync_new(&io) == 0 && store_default_path(&path) == 0 && store_open(io, path, false, &store) == 0)
		store_sweep(store);
}

static bool mounted_at(const char *mount_point)
{
	struct mount_table mounts;
	bool there;

	if (mount_table_read(0, &mounts) < 0)
		return false;
	there = mount_table_at(&mounts, mount_point) != NULL;
	mount_table_done(&mounts);
	return there;
}

/* Where the sandbox of that name is mounted. 1 found; 0: there is no such sandbox. */
static int find_by_name(const char *name, char **ret_mount_point, struct problem *p)
{
	_cleanup_(box_done) struct box box = { .io = NULL };
	struct sandbox_settings *s;
	int r = box_open(&box, name, p);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	s = sandbox_settings(box.sandbox);
	if (!s->mount_point || s->pid == 0 || !mounted_at(s->mount_point))
		return problem_set(p, -EINVAL, name, "the sandbox is not mounted");
	*ret_mount_point = steal_ptr(s->mount_point);
	return 1;
}

int mounted_find(const char *what, char **ret_mount_point, struct problem *p)
{
	_cleanup_free_ char *path = NULL;
	int r = mount_point_resolve(what, &path), r2;

	if (!what[0])
		return problem_usage(p, "MOUNTPOINT|NAME", "is empty");
	/* "sandbox" is a name first, "./sandbox" a directory, and so is what is mounted on. */
	if (!strchr(what, '/') && !(r == 0 && mounted_at(path))) {
		r2 = find_by_name(what, ret_mount_point, p);
		if (r2 != 0)
			return r2 < 0 ? r2 : 0;
		if (r == -ENOENT)
			return problem_set(p, r, what, "no sandbox and no directory of that name");
	}
	if (r < 0)
		return problem_errno(p, r, what);
	*ret_mount_point = steal_ptr(path);
	return 0;
}

int mounted_end(const char *mount_point, bool lazy, struct problem *p)
{
	struct mount_table mounts;
	const struct mount_entry *e;
	pid_t pid;
	int r, stale;

	r = mount_table_read(0, &mounts);
	if (r < 0)
		return problem_errno(p, r, mount_point);
	e = mount_table_at(&mounts, mount_point);
	if (!e)
		r = problem_set(p, -EINVAL, mount_point, "not mounted");
	else if (!holder_is_view(e))
		r = problem_set(p, -EINVAL, mount_point, "not an osfuse mount, but %s", e->type);
	pid = r == 0 ? beacon_find(e, NULL) : 0;
	mount_table_done(&mounts);
	if (r < 0)
		return r;

	stale = lazy ? 0 : mount_is_stale(mount_point); /* lazily the mount is asked for nothing: it may be all that hangs */
	if (stale == -ETIMEDOUT)
		return problem_hung(p, mount_point, pid);
	r = mount_detach_path(mount_point, lazy || stale == 1, p);
	if (r < 0)
		return r;
	if (pid > 0 && holder_wait_exit(pid, lazy ? 500 : UMOUNT_PATIENCE_MS) == -ETIMEDOUT && !lazy) {
		(void) problem_set(p, -ETIMEDOUT, mount_point, "unmounted, but process %d has not ended yet", (int) pid);
		return problem_hint(p, -ETIMEDOUT, "another mount namespace may still hold the view");
	}
	if (lazy || stale == 1)
		sweep();
	return 0;
}
