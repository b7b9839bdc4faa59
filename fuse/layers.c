/*
 * Opening and checking layers.
 *
 * Two directories are compared by device and inode, and "inside" is found out by walking up: names can be links or just
 * relative. Who walks up out of a bind mount comes to where that is mounted, not to what is above the directory on its own file
 * system: so all places are looked for where mounts show it.
 */

#include "fuse/layers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fd.h"
#include "fuse/holder.h"
#include "fuse/mount.h"
#include "fuse/mountinfo.h"
#include "fuse/newmount.h"
#include "fuse/problem.h"

#define WORK_SUFFIX ".osfuse-work"
#define PROBE "#ffffffffffffffff" /* in WORK/work, where it is taken for a thing in the making if we are killed */
#define HANDLE_NAME_MIN 48 /* two digits a byte, and no handle is shorter than its header */

int layers_same(int fd, int other)
{
	struct stat a, b;

	if (fstat(fd, &a) < 0 || fstat(other, &b) < 0)
		return -errno;
	return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static int is_below(int fd, int outer)
{
	_cleanup_close_ int at = openat(fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (at < 0)
		return -errno;
	for (;;) {
		_cleanup_close_ int up = -EBADF;
		int r = layers_same(at, outer);

		if (r != 0)
			return r;
		up = openat(at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (up < 0) /* above is nothing that we may see, so nothing that we have opened */
			return errno == EACCES ? 0 : -errno;
		r = layers_same(at, up);
		if (r != 0)
			return r < 0 ? r : 0; /* the root is its own parent */
		(void) fd_close(at);
		at = steal_fd(&up);
	}
}

/* What follows dir in a path at or below it; NULL: that is elsewhere. */
static const char *after(const char *path, const char *dir)
{
	size_t n = strcmp(dir, "/") == 0 ? 0 : strlen(dir);

	return strncmp(path, dir, n) == 0 && (path[n] == '/' || !path[n]) ? path + n : NULL;
}

/* dir and what follows it */
static char *join(const char *dir, const char *rest)
{
	char *path;

	return asprintf(&path, "%s%s", strcmp(dir, "/") == 0 && rest[0] ? "" : dir, rest) < 0 ? NULL : path;
}

/* As the kernel has it, which asks no file system. */
static char *path_of(int fd)
{
	char link[64], path[PATH_MAX];
	ssize_t n;

	(void) snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path));
	return n > 0 && n < (ssize_t) sizeof(path) ? strndup(path, (size_t) n) : NULL;
}

/* 1: at this path below outer is fd. Looked at, not only compared: another mount may cover it, and a name be all that is alike. */
static int is_shown_at(const char *path, int fd, int outer, const char *outer_path)
{
	const char *name = after(path, outer_path);
	_cleanup_close_ int at = -EBADF;

	if (!name)
		return 0;
	name += strspn(name, "/");
	at = openat(outer, name[0] ? name : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return at >= 0 && layers_same(at, fd) == 1;
}

/* By any mount of the file system that it is on. */
static int is_shown_below(int fd, int outer, const struct mount_table *mounts)
{
	const struct mount_entry *own = mount_table_of(mounts, fd);
	_cleanup_free_ char *path = path_of(fd), *outer_path = path_of(outer), *within = NULL;
	const char *rest = own && path ? after(path, own->mount_point) : NULL;
	int r = 0;

	if (!rest || !outer_path) /* they are above our root directory: no name leads from one to the other */
		return 0;
	within = join(own->root, rest);
	if (!within)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < mounts->n; i++) {
		_cleanup_free_ char *shown = NULL;

		rest = mounts->v[i].dev == own->dev ? after(within, mounts->v[i].root) : NULL;
		shown = rest ? join(mounts->v[i].mount_point, rest) : NULL;
		r = shown ? is_shown_at(shown, fd, outer, outer_path) : 0;
	}
	return r;
}

/*
 * 1: the directory fd, or one above it, is the directory outer, or a bind mount shows fd somewhere below outer, or was the way to fd; 0
 * not. Goes by ".." and by the kernel's list of mounts, so that no name can deceive it.
 */
static int is_inside(int fd, int outer, const struct mount_table *mounts)
{
	int r = is_below(fd, outer);

	return r == 0 ? is_shown_below(fd, outer, mounts) : r;
}

static int open_lower(struct layers *l, const char *path, struct problem *p)
{
	_cleanup_close_ int fd = -EBADF;
	int r;

	if (!path[0])
		return problem_set(p, -EINVAL, "lower", "an empty name in the list of directories");
	/* Opened for reading once, to know that it can be read; what stays needs no such right. */
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		r = -errno;
		(void) problem_set(p, r, path, "lower: %s", strerror(-r));
		if (r == -ENOENT && strchr(path, ':'))
			return problem_hint(p, r, "a colon in a directory's name is written \\:");
		return r;
	}
	(void) fd_close(fd);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || faccessat(fd, ".", X_OK, AT_EACCESS) < 0) {
		r = -errno;
		return problem_set(p, r, path, "lower: %s", strerror(-r));
	}
	l->lowers[l->n_lowers] = realpath(path, NULL);
	if (!l->lowers[l->n_lowers])
		return problem_errno(p, -errno, path);
	l->lower_fds[l->n_lowers++] = steal_fd(&fd);
	return 0;
}

static int open_lowers(struct layers *l, char *const *lowers, size_t n, struct problem *p)
{
	_cleanup_close_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	l->lowers = calloc(n + 1, sizeof(char *));
	l->lower_fds = calloc(n + 1, sizeof(int));
	if (!l->lowers || !l->lower_fds || root < 0)
		return problem_errno(p, root < 0 ? -errno : -ENOMEM, "/");
	for (size_t i = 0; i < n; i++) {
		int r = open_lower(l, lowers[i], p);

		if (r < 0)
			return r;
		if (layers_same(l->lower_fds[i], root) == 1)
			l->has_root = true;
	}
	return 0;
}

/* An upper or work directory: has to be writable. */
static int open_writable(const char *path, const char *what, int *ret_fd, char **ret_path, struct problem *p)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct statvfs vfs;
	int r;

	if (fd < 0) {
		r = -errno;
		(void) problem_set(p, r, path, "%s: %s", what, strerror(-r));
		return r == -ENOENT ? problem_hint(p, r, "mkdir -p %s", path) : r;
	}
	if (fstatvfs(fd, &vfs) == 0 && (vfs.f_flag & ST_RDONLY)) {
		(void) problem_set(p, -EROFS, path, "%s: %s", what, strerror(EROFS));
		return problem_hint(p, -EROFS, "a directory on a read-only file system can be a lower: without --upper the view is read-only");
	}
	if (faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) < 0) {
		r = -errno;
		return problem_set(p, r, path, "%s: %s", what, strerror(-r));
	}
	*ret_path = realpath(path, NULL);
	if (!*ret_path)
		return problem_errno(p, -errno, path);
	*ret_fd = steal_fd(&fd);
	return 0;
}

/* Beside the upper, since it has to be on the same file system. */
static int default_work(const char *upper, char **ret, bool *ret_made, struct problem *p)
{
	_cleanup_free_ char *path = NULL;

	if (asprintf(&path, "%s" WORK_SUFFIX, upper) < 0) {
		path = NULL;
		return problem_errno(p, -ENOMEM, upper);
	}
	*ret_made = mkdir(path, 0700) == 0;
	if (!*ret_made && errno != EEXIST) {
		int r = -errno;

		(void) problem_set(p, r, path, "work directory: %s", strerror(-r));
		return problem_hint(p, r, "name another one on the upper's file system with --work");
	}
	*ret = steal_ptr(path);
	return 0;
}

/* Renames go from one to the other: the same file system, through the same mount. */
static int check_same_mount(const struct layers *l, struct problem *p)
{
	struct statx a, b;

	if (statx(l->upper_fd, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &a) < 0 ||
	    statx(l->work_fd, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &b) < 0)
		return problem_errno(p, -errno, l->work);
	if (a.stx_dev_major == b.stx_dev_major && a.stx_dev_minor == b.stx_dev_minor &&
	    (!(a.stx_mask & b.stx_mask & STATX_MNT_ID) || a.stx_mnt_id == b.stx_mnt_id))
		return 0;
	(void) problem_set(p, -EXDEV, l->work, "work directory is not on the file system of the upper %s", l->upper);
	return problem_hint(p, -EXDEV, "--work names a directory beside the upper, through the same mount");
}

static int not_ours(const struct layers *l, int error, const char *name, const char *why, struct problem *p)
{
	(void) problem_set(p, error, l->work, "work directory: what is called %s in it %s", name, why);
	return problem_hint(p, error, "--work names an empty directory, or one that was a work directory before");
}

/* As overlays call what they have there: "#" and a number; in the index the handle of a file, which begins with version and magic. */
static bool is_made_name(const char *name)
{
	static const char hex[] = "0123456789abcdef";

	if (name[0] == '#')
		return name[1] && !name[1 + strspn(name + 1, hex)];
	if (strcmp(name, "incompat") == 0) /* of overlayfs with option volatile */
		return true;
	return strncmp(name, "00fb", 4) == 0 && strlen(name) >= HANDLE_NAME_MIN && !name[strspn(name, hex)];
}

/*
 * What we or overlayfs made there are directories, closed to others. Anything else was put in their place, or was there before: that is
 * neither followed nor cleared.
 */
static int check_own_dir(const struct layers *l, int dir, const char *name, struct problem *p)
{
	struct dirent *de;
	struct stat st;
	int fd, r = 0;
	DIR *d;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
		return not_ours(l, -ENOTDIR, name, "is not a directory", p);
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	d = fd >= 0 ? fdopendir(fd) : NULL;
	if (!d) {
		r = problem_errno(p, -errno, l->work);
		(void) fd_close(fd);
		return r;
	}
	while (r == 0 && (de = readdir(d))) {
		if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0)
			continue;
		if (st.st_mode & (S_IRWXG | S_IRWXO) || !is_made_name(de->d_name))
			r = not_ours(l, -ENOTEMPTY, name, "holds something else", p);
	}
	(void) closedir(d); /* only read from */
	return r;
}

/* A work directory is cleared without asking: so it must never be one that is used for anything else. */
static int check_work_content(const struct layers *l, struct problem *p)
{
	int fd = openat(l->work_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *de;
	int r = 0;

	if (!d) {
		(void) fd_close(fd);
		return problem_errno(p, -errno, l->work);
	}
	while (r == 0 && (de = readdir(d))) {
		if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0)
			continue;
		if (strcmp(de->d_name, "work") == 0 || strcmp(de->d_name, "index") == 0) {
			r = check_own_dir(l, dirfd(d), de->d_name, p);
			continue;
		}
		r = problem_set(p, -ENOTEMPTY, l->work, "work directory holds something else: %s", de->d_name);
		(void) problem_hint(p, r, "--work names an empty directory, or one that was a work directory before");
	}
	(void) closedir(d); /* only read from */
	return r;
}

static int check_xattrs(const struct layers *l, struct problem *p)
{
	char value;

	if (fgetxattr(l->upper_fd, "user.overlay.opaque", &value, 1) >= 0 || errno != EOPNOTSUPP)
		return 0;
	/* Older tmpfs has only the other kind, which root can use. */
	if (fgetxattr(l->upper_fd, "trusted.overlay.opaque", &value, 1) >= 0 || errno != EOPNOTSUPP)
		return 0;
	(void) problem_set(p, -EOPNOTSUPP, l->upper, "upper: the file system has no extended attributes");
	return problem_hint(p, -EOPNOTSUPP, "put the upper on ext4, xfs, btrfs or tmpfs");
}

static bool is_not_offered(int error)
{
	return error == EPERM || error == EINVAL || error == EOPNOTSUPP || error == ENOSYS;
}

/* Makes a whiteout, and lets it and a directory change places. Other errors, as of a full disk, do not say that it cannot be done. */
static int try_whiteout(int dir, const char **ret_what)
{
	int r;

	*ret_what = "whiteouts";
	if (mknodat(dir, PROBE "1", S_IFCHR, 0) < 0)
		return is_not_offered(errno) ? -errno : 0;
	*ret_what = "exchanges of two names";
	if (mkdirat(dir, PROBE "2", 0700) < 0)
		return 0;
	r = renameat2(dir, PROBE "1", dir, PROBE "2", RENAME_EXCHANGE) < 0 ? -errno : 0;
	return is_not_offered(-r) ? r : 0;
}

/* Not everywhere: overlayfs and our own views keep them to themselves. There nothing of the lower could be removed. */
static int check_whiteouts(const struct layers *l, struct problem *p)
{
	static const char *const probes[] = { PROBE "1", PROBE "2" };
	bool made = mkdirat(l->work_fd, "work", 0700) == 0;
	_cleanup_close_ int dir = openat(l->work_fd, "work", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	const char *what;
	int r;

	if (dir < 0)
		return 0; /* the overlay will say why */
	r = try_whiteout(dir, &what);
	for (size_t i = 0; i < ARRAY_SIZE(probes); i++) /* either may be either */
		if (unlinkat(dir, probes[i], 0) < 0)
			(void) unlinkat(dir, probes[i], AT_REMOVEDIR);
	if (made)
		(void) unlinkat(l->work_fd, "work", AT_REMOVEDIR);
	if (r == 0)
		return 0;
	(void) problem_set(p, r, l->upper, "upper: the file system allows no %s: %s", what, strerror(-r));
	return problem_hint(p, r, "put the upper on ext4, xfs, btrfs or tmpfs, not into an overlay or another view");
}

struct overlap {
	int inner, outer;
	const char *inner_path;
	const char *message; /* with the outer's path for %s */
	const char *outer_path;
};

static int check_overlap(const struct overlap *o, bool same_too, const struct mount_table *mounts, struct problem *p)
{
	int r = is_inside(o->inner, o->outer, mounts);

	if (r == 1 && !same_too && layers_same(o->inner, o->outer) == 1)
		return 0;
	if (r < 0)
		return problem_errno(p, r, o->inner_path);
	if (r == 0)
		return 0;
	return problem_set(p, -EINVAL, o->inner_path, "%s %s", o->message, o->outer_path);
}

static int check_against_lower(const struct layers *l, size_t i, int root, const struct mount_table *mounts, struct problem *p)
{
	int low = l->lower_fds[i];
	const char *path = l->lowers[i];
	bool is_root = layers_same(low, root) == 1;
	const struct overlap checks[] = {
		{ low, l->upper_fd, path, "lower is inside the upper", l->upper },
		{ low, l->work_fd, path, "lower is inside the work directory", l->work },
		{ l->upper_fd, low, l->upper, "upper is inside the lower", path },
		{ l->work_fd, low, l->work, "work directory is inside the lower", path },
	};

	if (layers_same(l->upper_fd, low) == 1)
		return problem_set(p, -EINVAL, path, "the same directory as lower and as upper");
	for (size_t n = 0; n < ARRAY_SIZE(checks); n++) {
		int r;

		if (n >= 2 && is_root)
			break; /* everything is inside "/": there they are masked */
		r = check_overlap(&checks[n], true, mounts, p);
		if (r < 0) {
			if (n >= 2)
				(void) problem_hint(p, r, "a view that shows its own changes as lower would never end; only / may hold them");
			return r;
		}
	}
	return 0;
}

static int check_overlaps(const struct layers *l, const struct mount_table *mounts, struct problem *p)
{
	_cleanup_close_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	const struct overlap work_in_upper = { l->work_fd, l->upper_fd, l->work, "work directory is inside the upper", l->upper };
	const struct overlap upper_in_work = { l->upper_fd, l->work_fd, l->upper, "upper is inside the work directory", l->work };
	int r;

	if (root < 0)
		return problem_errno(p, -errno, "/");
	r = check_overlap(&work_in_upper, true, mounts, p);
	if (r == 0)
		r = check_overlap(&upper_in_work, true, mounts, p);
	for (size_t i = 0; r == 0 && i < l->n_lowers; i++)
		r = check_against_lower(l, i, root, mounts, p);
	return r;
}

static int check_upper(const struct layers *l, struct problem *p)
{
	struct mount_table mounts;
	int r = mount_table_read(0, &mounts);

	if (r < 0)
		return problem_errno(p, r, l->upper);
	r = check_overlaps(l, &mounts, p);
	mount_table_done(&mounts);
	if (r == 0)
		r = check_same_mount(l, p);
	if (r == 0)
		r = check_xattrs(l, p);
	if (r == 0)
		r = check_work_content(l, p);
	if (r == 0)
		r = check_whiteouts(l, p);
	return r;
}

int layers_mask(struct layers *l, int fd)
{
	struct overlay_mask *v = reallocarray(l->masks, l->n_masks + 1, sizeof(*v));
	struct stat st;

	if (!v)
		return -ENOMEM;
	l->masks = v;
	if (fstat(fd, &st) < 0)
		return -errno;
	v[l->n_masks++] = (struct overlay_mask) { .dev = st.st_dev, .ino = st.st_ino };
	return 0;
}

static bool is_at(const char *path, int dir)
{
	_cleanup_close_ int fd = path[0] == '/' ? open(path, O_PATH | O_DIRECTORY | O_CLOEXEC) : -EBADF;

	return fd >= 0 && layers_same(fd, dir) == 1;
}

/* Overlayfs shows a directory as it was given, which may be with backslashes before commas, colons and backslashes. */
static void drop_backslashes(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (s[0] == '\\' && s[1])
			s++;
		*to++ = *s;
	}
	*to = '\0';
}

/* Has the overlay mount this directory as upper or work directory? */
static bool is_used_by(const struct mount_entry *e, int dir)
{
	static const char *const names[] = { "upperdir", "workdir" };
	bool used = false;

	for (size_t i = 0; !used && i < ARRAY_SIZE(names); i++) {
		_cleanup_free_ char *path = mount_entry_option(e, names[i]);

		if (!path)
			continue;
		used = is_at(path, dir);
		drop_backslashes(path);
		used |= is_at(path, dir);
	}
	return used;
}

/* Kernel overlayfs takes no lock that we could see. What two change at a time, neither can rely on. */
static int check_kernel_overlays(const struct layers *l, struct problem *p)
{
	struct mount_table mounts;
	int r = mount_table_read(0, &mounts);

	if (r < 0)
		return problem_errno(p, r, l->upper);
	for (size_t i = 0; r == 0 && i < mounts.n; i++) {
		const struct mount_entry *e = &mounts.v[i];
		bool upper, work;

		if (strcmp(e->type, "overlay") != 0)
			continue;
		upper = is_used_by(e, l->upper_fd);
		work = is_used_by(e, l->work_fd);
		if (!upper && !work)
			continue;
		r = problem_set(p, -EBUSY, upper ? l->upper : l->work, "in use by overlayfs, mounted on %s", e->mount_point);
		(void) problem_hint(p, r, "umount %s", e->mount_point);
	}
	mount_table_done(&mounts);
	return r;
}

static int open_upper(struct layers *l, const char *upper, const char *work, struct problem *p)
{
	_cleanup_free_ char *beside = NULL;
	bool made = false;
	int r;

	r = open_writable(upper, "upper", &l->upper_fd, &l->upper, p);
	/* Before anything is made or looked at: another daemon may be changing it. */
	if (r == 0)
		r = holder_lock(l->upper_fd, upper, p);
	if (r == 0 && !work)
		r = default_work(l->upper, &beside, &made, p);
	if (r == 0)
		r = open_writable(work ? work : beside, "work directory", &l->work_fd, &l->work, p);
	/* Before it is locked: we would be in our own way. */
	if (r == 0 && layers_same(l->work_fd, l->upper_fd) == 1)
		r = problem_set(p, -EINVAL, l->work, "the same directory as upper and as work directory");
	if (r == 0)
		r = holder_lock(l->work_fd, l->work, p);
	if (r == 0)
		r = check_kernel_overlays(l, p);
	if (r == 0)
		r = check_upper(l, p);
	if (r < 0 && made)
		(void) rmdir(beside); /* leave no trace of what did not come about */
	if (r < 0)
		return r;
	r = layers_mask(l, l->upper_fd);
	if (r == 0)
		r = layers_mask(l, l->work_fd);
	return r < 0 ? problem_errno(p, r, upper) : 0;
}

int layers_open(struct layers *l, char *const *lowers, size_t n_lowers, const char *upper, const char *work, struct problem *p)
{
	int r = open_lowers(l, lowers, n_lowers, p);

	return r == 0 && upper ? open_upper(l, upper, work, p) : r;
}

void layers_done(struct layers *l)
{
	for (size_t i = 0; i < l->n_lowers; i++) {
		(void) fd_close(l->lower_fds[i]);
		free(l->lowers[i]);
	}
	free(l->lower_fds);
	free(l->lowers);
	(void) fd_close(l->upper_fd);
	(void) fd_close(l->work_fd);
	free(l->upper);
	free(l->work);
	free(l->masks);
	*l = (struct layers) LAYERS_INIT;
}

/* One descriptor over a socket; -1 sends none. */
static int send_fd(int sock, int fd)
{
	char byte = 0;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd >= 0) {
		struct cmsghdr *c;

		msg.msg_control = control.buf;
		msg.msg_controllen = sizeof(control.buf);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	return sendmsg(sock, &msg, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int receive_fd(int sock)
{
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf, .msg_controllen = sizeof(control.buf) };
	const struct cmsghdr *c;
	int fd;

	if (recvmsg(sock, &msg, MSG_CMSG_CLOEXEC) <= 0)
		return -EBADF;
	c = CMSG_FIRSTHDR(&msg);
	if (!c || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof(int)))
		return -EBADF;
	memcpy(&fd, CMSG_DATA(c), sizeof(int));
	return fd;
}

/* Takes a copy for the lower if it shows the same directory. */
static void replace_lower(struct layers *l, size_t i, int clone)
{
	if (clone < 0)
		return;
	if (layers_same(clone, l->lower_fds[i]) != 1) {
		(void) fd_close(clone);
		return;
	}
	(void) fd_close(l->lower_fds[i]);
	l->lower_fds[i] = clone;
}

/* In a process of its own, whose mount namespace ends with it: there other views are taken away before the copies are made. */
static void seclude_child(const struct layers *l, const struct mount_table *mounts, int sock)
{
	if (newmount_private_namespace() < 0)
		return;
	for (size_t i = mounts->n; i > 0; i--)
		if (holder_is_view(&mounts->v[i - 1]))
			(void) newmount_forget(mounts->v[i - 1].mount_point); /* what stays, the overlay does not enter */
	for (size_t i = 0; i < l->n_lowers; i++) {
		_cleanup_close_ int fd = open(l->lowers[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
		_cleanup_close_ int clone = fd >= 0 ? newmount_clone(fd) : -EBADF;

		if (send_fd(sock, clone) < 0)
			return;
	}
}

static void seclude_without_views(struct layers *l, const struct mount_table *mounts)
{
	int socks[2], status;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, socks) < 0)
		return;
	pid = fork();
	if (pid == 0) {
		(void) fd_close(socks[0]);
		seclude_child(l, mounts, socks[1]);
		_exit(0);
	}
	(void) fd_close(socks[1]);
	for (size_t i = 0; pid > 0 && i < l->n_lowers; i++)
		replace_lower(l, i, receive_fd(socks[0]));
	(void) fd_close(socks[0]);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
}

void layers_seclude(struct layers *l)
{
	struct mount_table mounts;
	bool views = false;

	if (!mount_privileged() || mount_table_read(0, &mounts) < 0)
		return;
	for (size_t i = 0; i < mounts.n; i++)
		views |= holder_is_view(&mounts.v[i]);
	/* A copy keeps what it holds alive: another view in it could not end while ours lasts. */
	if (views)
		seclude_without_views(l, &mounts);
	else
		for (size_t i = 0; i < l->n_lowers; i++)
			replace_lower(l, i, newmount_clone(l->lower_fds[i]));
	mount_table_done(&mounts);
}
