/* Who holds a lock: /proc/locks and the beacons of daemons. */

#include "fuse/holder.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "fuse/mountinfo.h"
#include "fuse/problem.h"

#define HOLDER_PATIENCE_MS 5000
#define HOLDER_DOUBT_MS 400
#define BEACON_NAME "osfuse-mount"
#define BEACON_LINK "/memfd:" BEACON_NAME " (deleted)"
/* Lit with the lowest number that is free, when two descriptors a layer are open. A process may have a million, at some µs each. */
#define MAX_DESCRIPTORS 2048

static inline void closedirp(DIR **d)
{
	if (*d)
		(void) closedir(*d);
}

static void sleep_ms(long ms)
{
	(void) nanosleep(&(struct timespec) { .tv_nsec = ms * 1000000 }, NULL); /* a shorter nap does no harm */
}

static int64_t now_ms(void)
{
	struct timespec ts;

	(void) clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail */
	return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int beacon_light(const struct beacon *b, int *ret_fd)
{
	_cleanup_close_ int fd = memfd_create(BEACON_NAME, MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (dprintf(fd, "%u:%u %s %s", major(b->dev), minor(b->dev), b->writable ? "rw" : "ro", b->mount_point) < 0)
		return -EIO;
	*ret_fd = steal_fd(&fd);
	return 0;
}

void beacon_done(struct beacon *b)
{
	free(b->mount_point);
	b->mount_point = NULL;
}

/* All memory files are on one file system of the kernel's. */
static bool is_on_memory(const struct statx *stx)
{
	_cleanup_close_ int fd = memfd_create(BEACON_NAME "-probe", MFD_CLOEXEC);
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && st.st_dev == makedev(stx->stx_dev_major, stx->stx_dev_minor);
}

/*
 * A file of any file system can have the name of a beacon, once its mount is detached: to open one, or to ask for its attributes, may
 * mean to wait for its owner for ever. So nothing is asked of it before it is known to be a memory file. Whose it is, it says
 * itself: /proc shows a process that is not dumpable as root's.
 */
static int open_beacon(int dir, const char *name, uid_t *ret_owner)
{
	_cleanup_close_ int at = openat(dir, name, O_PATH | O_CLOEXEC);
	struct statx stx;
	char path[64];
	int fd;

	if (at < 0 || statx(at, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_UID, &stx) < 0 ||
	    !S_ISREG(stx.stx_mode) || !is_on_memory(&stx))
		return -EBADF;
	(void) snprintf(path, sizeof(path), "/proc/self/fd/%d", at);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		*ret_owner = stx.stx_uid;
	return fd;
}

/* "8:1 rw /mnt/a" */
static int read_beacon_file(int dir, const char *name, struct beacon *ret)
{
	char buf[PATH_MAX + 64];
	_cleanup_close_ int fd = -EBADF;
	unsigned int maj, min;
	uid_t owner;
	char mode[3];
	int at = 0;
	ssize_t n;

	fd = open_beacon(dir, name, &owner);
	if (fd < 0)
		return 0;
	n = pread(fd, buf, sizeof(buf) - 1, 0);
	if (n <= 0)
		return 0;
	buf[n] = '\0';
	if (sscanf(buf, "%u:%u %2s %n", &maj, &min, mode, &at) != 3 || buf[at] != '/')
		return 0;
	ret->mount_point = strdup(buf + at);
	if (!ret->mount_point)
		return -ENOMEM;
	ret->owner = owner;
	ret->dev = makedev(maj, min);
	ret->writable = strcmp(mode, "rw") == 0;
	return 1;
}

int beacon_read(pid_t pid, struct beacon *ret)
{
	_cleanup_(closedirp) DIR *d = NULL;
	char path[64], target[sizeof(BEACON_LINK) + 1];
	struct dirent *de;

	(void) snprintf(path, sizeof(path), "/proc/%d/fd", (int) pid); /* in the order of numbers */
	d = opendir(path);
	if (!d)
		return 0; /* it ended, or is somebody else's */
	for (unsigned int i = 0; i < MAX_DESCRIPTORS && (de = readdir(d)); i++) {
		ssize_t n = readlinkat(dirfd(d), de->d_name, target, sizeof(target));

		if (n == (ssize_t) strlen(BEACON_LINK) && memcmp(target, BEACON_LINK, (size_t) n) == 0)
			return read_beacon_file(dirfd(d), de->d_name, ret);
	}
	return 0;
}

/*
 * Everybody can light a beacon with any number in it. What root says is believed, what we say ourselves, and what he says whom the mount
 * belongs to: the kernel shows him, and fusermount3 lets nobody choose. In a user namespace he may show by another number than
 * the file has; there it is oneself.
 */
static bool may_speak_for(uid_t who, const struct mount_entry *e)
{
	_cleanup_free_ char *owner = NULL;

	if (who == 0 || who == geteuid())
		return true;
	owner = mount_entry_option(e, "user_id");
	return owner && strtoul(owner, NULL, 10) == who;
}

/* To spare us the descriptors of all others. The beacon itself has to say so too: what a process holds it can have been given. */
static bool process_may_speak_for(pid_t pid, const struct mount_entry *e)
{
	char path[64], line[256];
	unsigned int effective;
	bool may = false;
	FILE *f;

	(void) snprintf(path, sizeof(path), "/proc/%d/status", (int) pid);
	f = fopen(path, "re");
	while (f && !may && fgets(line, sizeof(line), f))
		may = sscanf(line, "Uid: %*u %u", &effective) == 1 && may_speak_for((uid_t) effective, e);
	if (f)
		(void) fclose(f); /* only read from */
	return may;
}

pid_t beacon_find(const struct mount_entry *e, bool *ret_writable)
{
	_cleanup_(closedirp) DIR *d = opendir("/proc");
	struct dirent *de;

	while (d && (de = readdir(d))) {
		_cleanup_(beacon_done) struct beacon b = { 0 };
		pid_t pid;

		if (!isdigit((unsigned char) de->d_name[0]))
			continue;
		pid = (pid_t) strtol(de->d_name, NULL, 10);
		if (!process_may_speak_for(pid, e) || beacon_read(pid, &b) != 1 || b.dev != e->dev || !may_speak_for(b.owner, e))
			continue;
		if (ret_writable)
			*ret_writable = b.writable;
		return pid;
	}
	return 0;
}

bool holder_is_view(const struct mount_entry *e)
{
	if (strcmp(e->type, OSFUSE_FS_TYPE) == 0)
		return true;
	return strncmp(e->type, "fuse", 4) == 0 && beacon_find(e, NULL) > 0;
}

bool holder_is_view_dev(dev_t dev)
{
	const struct mount_entry *e;
	struct mount_table mounts;
	bool is;

	if (mount_table_read(0, &mounts) < 0)
		return false;
	e = mount_table_dev(&mounts, dev);
	is = e && holder_is_view(e);
	mount_table_done(&mounts);
	return is;
}

/* "1: FLOCK  ADVISORY  WRITE 4711 08:01:131075 0 EOF" */
pid_t holder_find(int fd)
{
	FILE *f = fopen("/proc/locks", "re");
	pid_t found = 0;
	char line[256];
	struct stat st;

	if (!f)
		return 0;
	if (fstat(fd, &st) < 0)
		st.st_ino = 0;
	while (found <= 0 && fgets(line, sizeof(line), f)) {
		unsigned int maj, min;
		unsigned long ino;
		int pid;

		if (sscanf(line, "%*d: FLOCK %*s %*s %d %x:%x:%lu", &pid, &maj, &min, &ino) != 4 || ino != st.st_ino)
			continue;
		/* btrfs shows its files another device number than it takes locks on: there the inode has to do. */
		if (makedev(maj, min) == st.st_dev || major(st.st_dev) == 0)
			found = pid;
	}
	(void) fclose(f); /* only read from */
	return found > 0 ? found : 0;
}

enum state {
	STATE_SERVING,
	STATE_LEAVING, /* its mount is gone: about to end */
	STATE_UNKNOWN, /* no beacon: about to mount, just looking (sandbox_in_use()), just ended, or of another user */
};

static enum state holder_state(pid_t pid, struct beacon *ret)
{
	struct mount_table table;
	bool there;

	if (pid == 0 || beacon_read(pid, ret) != 1)
		return STATE_UNKNOWN;
	if (mount_table_read(pid, &table) < 0)
		return STATE_LEAVING;
	there = mount_table_dev(&table, ret->dev) != NULL;
	mount_table_done(&table);
	return there ? STATE_SERVING : STATE_LEAVING;
}

static int in_use(const char *what, pid_t pid, enum state state, const char *mount_point, struct problem *p)
{
	if (pid == 0)
		return problem_set(p, -EBUSY, what, "in use by another process");
	if (!mount_point)
		return problem_set(p, -EBUSY, what, "in use by process %d", (int) pid);
	if (state == STATE_LEAVING) {
		(void) problem_set(p, -EBUSY, what,
				   "in use by process %d (osfuse mount detached from %s, but not done)", (int) pid,
				   mount_point);
		return problem_hint(p, -EBUSY,
				    "it ends with the last file that is open there, or with 'kill %d'",
				    (int) pid);
	}
	(void) problem_set(p, -EBUSY, what, "in use by process %d (osfuse mount on %s)", (int) pid, mount_point);
	return problem_hint(p, -EBUSY, "osfuse umount %s", mount_point);
}

/* By its name, that of its main thread: it may not have a beacon yet. */
static bool is_daemon(pid_t pid)
{
	char path[64], name[32] = "";
	FILE *f;

	(void) snprintf(path, sizeof(path), "/proc/%d/comm", (int) pid);
	f = fopen(path, "re");
	if (f && !fgets(name, sizeof(name), f))
		name[0] = '\0';
	if (f)
		(void) fclose(f); /* only read from */
	return strcmp(name, "osfuse\n") == 0;
}

/* mount_point: only who mounts there, or is about to, is in the way; else NULL. */
static int lock(int fd, const char *what, const char *mount_point, struct problem *p)
{
	const int64_t start = now_ms();

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		_cleanup_(beacon_done) struct beacon b = { 0 };
		int64_t waited = now_ms() - start;
		enum state state;
		pid_t pid;

		if (errno == EINTR)
			continue;
		if (errno != EWOULDBLOCK)
			return mount_point ? 0 : problem_errno(p, -errno, what);
		pid = holder_find(fd);
		state = holder_state(pid, &b);
		if (mount_point && (!is_daemon(pid) || (b.mount_point && strcmp(b.mount_point, mount_point) != 0)))
			return 0;
		if (state == STATE_SERVING || waited >= HOLDER_PATIENCE_MS ||
		    (state == STATE_UNKNOWN && waited >= HOLDER_DOUBT_MS))
			return in_use(what, pid, state, b.mount_point, p);
		sleep_ms(10);
	}
	return 0;
}

int holder_lock(int fd, const char *what, struct problem *p)
{
	return lock(fd, what, NULL, p);
}

int holder_lock_mount_point(int fd, const char *mount_point, struct problem *p)
{
	return lock(fd, mount_point, mount_point, p);
}

int holder_wait_exit(pid_t pid, int timeout_ms)
{
	_cleanup_close_ int fd = (int) syscall(SYS_pidfd_open, pid, 0);
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	int r;

	if (fd < 0)
		return errno == ESRCH ? 0 : -errno;
	r = poll(&pfd, 1, timeout_ms);
	return r < 0 ? -errno : r == 0 ? -ETIMEDOUT : 0;
}
