/*
 * Mounting and unmounting.
 *
 * libfuse writes its reasons to stderr, and so does fusermount3, which it runs. Here both are caught and become one message
 * that begins with the mount point and says what to do.
 *
 * Whether the mount is still ours, and still there, is asked of /proc/self/mountinfo by device number: another mount may be
 * on the same path by now, and any question to the path itself would come to our own daemon.
 */

#define FUSE_USE_VERSION 312

#include "fuse/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse3/fuse_lowlevel.h>
#include <linux/capability.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "fuse/holder.h"
#include "fuse/mountinfo.h"
#include "fuse/newmount.h"
#include "fuse/problem.h"

#define DEVICE "/dev/fuse"
#define HELPER "fusermount3"
#define ANSWER_PATIENCE_MS 5000

struct mount {
	char *mount_point;
	int fd; /* the FUSE device */
	dev_t dev;
};

/*
 * libfuse's session of the one mount that a process makes. Ending it would have libfuse unmount whatever is on the mount
 * point by then; so its descriptor is taken away, and the rest stays.
 */
static struct fuse_session *volatile spent_session; /* volatile: nobody reads it, a leak checker has to find it */

bool mount_privileged(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	return syscall(SYS_capget, &header, data) == 0 && (data[0].effective & (1U << CAP_SYS_ADMIN));
}

/* Where a shell would find it. */
static bool find_helper(char path[static PATH_MAX])
{
	const char *search = getenv("PATH");
	_cleanup_free_ char *dirs = NULL;
	char *save = NULL;

	dirs = strdup(search ? search : "/usr/local/bin:/usr/bin:/bin");
	if (!dirs)
		return false;
	for (char *d = strtok_r(dirs, ":", &save); d; d = strtok_r(NULL, ":", &save)) {
		(void) snprintf(path, PATH_MAX, "%s/" HELPER, d);
		if (access(path, X_OK) == 0)
			return true;
	}
	return false;
}

static bool kernel_knows_fuse(void)
{
	FILE *f = fopen("/proc/filesystems", "re");
	char line[128];
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f))
		found = strstr(line, "\tfuse\n") != NULL;
	if (f)
		(void) fclose(f); /* only read from */
	return found;
}

static int problem_device(struct problem *p, int error)
{
	(void) problem_errno(p, error, DEVICE);
	switch (error) {
	case -ENOENT:
		return problem_hint(p, error, "%s", kernel_knows_fuse() ?
				    "the kernel has FUSE, the device node is missing: mknod " DEVICE
				    " c 10 229, or for a container: --device " DEVICE :
				    "as root: modprobe fuse; for a container: --device " DEVICE);
	case -ENODEV:
	case -ENXIO:
		return problem_hint(p, error, "the kernel has no FUSE: as root: modprobe fuse");
	case -EPERM:
		return problem_hint(p, error, "the device is not allowed in this container or control group: --device " DEVICE);
	case -EACCES:
		return problem_hint(p, error, "as root: chmod 666 " DEVICE);
	}
	return error;
}

int mount_check(struct problem *p)
{
	_cleanup_close_ int fd = -EBADF;
	char path[PATH_MAX];
	struct stat st;

	if (stat(DEVICE, &st) < 0)
		return problem_device(p, -errno);
	if (!S_ISCHR(st.st_mode)) {
		(void) problem_set(p, -ENXIO, DEVICE, "not a device");
		return problem_hint(p, -ENXIO, "something was put in its place: remove it, and mknod " DEVICE " c 10 229");
	}
	if (!mount_privileged()) {
		if (find_helper(path))
			return 0;
		(void) problem_set(p, -ENOENT, HELPER, "not found, and only root can mount without it");
		return problem_hint(p, -ENOENT, "install the package fuse3, or run in a user namespace: unshare -Urm");
	}
	fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	return fd < 0 ? problem_device(p, -errno) : 0;
}

/* What libfuse and its helper say while they are at it. One mount at a time, by the main thread, before there are others. */
static char caught[512];

static void catch_log(enum fuse_log_level level, const char *format, va_list ap)
{
	char line[512];

	(void) vsnprintf(line, sizeof(line), format, ap);
	if (!caught[0])
		(void) snprintf(caught, sizeof(caught), "%s", line);
}

static int catch_begin(int *ret_memory)
{
	int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);

	caught[0] = '\0';
	fuse_set_log_func(catch_log);
	*ret_memory = memfd_create("osfuse-stderr", MFD_CLOEXEC);
	if (saved >= 0 && *ret_memory >= 0)
		(void) dup2(*ret_memory, STDERR_FILENO); /* if not, messages come out as they are */
	return saved;
}

static void catch_end(int saved, int memory)
{
	ssize_t n;

	fuse_set_log_func(NULL);
	if (saved >= 0) {
		(void) dup2(saved, STDERR_FILENO); /* it was open a moment ago */
		(void) fd_close(saved);
	}
	if (memory >= 0) {
		char said[sizeof(caught)];

		n = pread(memory, said, sizeof(said) - 1, 0);
		if (n > 0) { /* the helper knows better than libfuse, which only sees that it failed */
			said[n] = '\0';
			memcpy(caught, said, (size_t) n + 1);
		}
		(void) fd_close(memory);
	}
	caught[strcspn(caught, "\n")] = '\0';
}

/* Without the name of whoever said it. */
static const char *caught_reason(void)
{
	static const char *const prefixes[] = { HELPER ": ", "fuse: " };
	const char *s = caught;

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (strncmp(s, prefixes[i], strlen(prefixes[i])) == 0)
			s += strlen(prefixes[i]);
	return s[0] ? s : "mounting failed";
}

static int problem_mount(struct problem *p, int error, const char *mount_point)
{
	if (error != -EPERM) /* ours, not what libfuse or the helper met with */
		return problem_errno(p, error, mount_point);
	if (strstr(caught, strerror(EMFILE)))
		return problem_errno(p, -EMFILE, DEVICE);
	(void) problem_set(p, -EPERM, mount_point, "%s", caught_reason());
	if (strstr(caught, "user_allow_other"))
		return problem_hint(p, -EPERM, "as root, add the line user_allow_other to /etc/fuse.conf, or mount without allow_other");
	if (strstr(caught, "no write access") || strstr(caught, "not owned by"))
		return problem_hint(p, -EPERM, "without root, the mount point has to be a directory of your own");
	if (strstr(caught, "mount failed: Operation not permitted"))
		return problem_hint(p, -EPERM, "is " HELPER " installed set-user-id root? Without that: unshare -Urm");
	if (strstr(caught, "too many FUSE filesystems"))
		return problem_hint(p, -EPERM, "mount_max in /etc/fuse.conf limits the mounts of users");
	if (strstr(caught, DEVICE) && strstr(caught, strerror(EACCES)))
		return problem_hint(p, -EPERM, "as root: chmod 666 " DEVICE);
	if (strstr(caught, DEVICE))
		return problem_hint(p, -EPERM, "'ls -l " DEVICE "' shows who may use it; 'modprobe fuse' loads the module");
	return -EPERM;
}

/* libfuse splits options at commas and takes backslashes away. */
static int append_escaped(FILE *f, const char *s)
{
	for (; *s; s++) {
		if (*s == ',' || *s == '\\')
			(void) fputc('\\', f);
		(void) fputc(*s, f); /* an error sticks, and shows in fclose() */
	}
	return 0;
}

static int build_options(const struct mount_flags *flags, char **ret)
{
	size_t size;
	FILE *f = open_memstream(ret, &size);

	if (!f)
		return -ENOMEM;
	(void) fprintf(f, "default_permissions,%s,%s,%s%s%s%s%s%s", /* errors show in fclose() */
		       flags->read_only ? "ro" : "rw", flags->dev == CHOICE_ON ? "dev" : "nodev",
		       flags->suid == CHOICE_ON ? "suid" : "nosuid", flags->noexec ? ",noexec" : "", flags->sync ? ",sync" : "",
		       flags->dirsync ? ",dirsync" : "", flags->atime == ATIME_NONE ? ",noatime" : "",
		       flags->allow_other ? ",allow_other" : "");
	(void) fputs(",subtype=", f);
	(void) append_escaped(f, flags->subtype ? flags->subtype : "osfuse");
	(void) fputs(",fsname=", f);
	(void) append_escaped(f, flags->source);
	if (fclose(f) != 0) {
		free(*ret);
		*ret = NULL;
		return -ENOMEM;
	}
	return 0;
}

static int take_device(struct fuse_session *se, int *ret)
{
	_cleanup_close_ int fd = fcntl(fuse_session_fd(se), F_DUPFD_CLOEXEC, 3);
	_cleanup_close_ int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || null < 0 || dup3(null, fuse_session_fd(se), O_CLOEXEC) < 0)
		return -errno;
	*ret = steal_fd(&fd);
	return 0;
}

static int mount_with_libfuse(const char *mount_point, char *options, int *ret_fd)
{
	static const struct fuse_lowlevel_ops no_ops;
	char name[] = "osfuse", dash_o[] = "-o";
	char *argv[] = { name, dash_o, options, NULL };
	struct fuse_args args = FUSE_ARGS_INIT(3, argv);
	struct fuse_session *se = fuse_session_new(&args, &no_ops, sizeof(no_ops), NULL);
	int r;

	fuse_opt_free_args(&args);
	if (!se)
		return -EINVAL;
	if (fuse_session_mount(se, mount_point) != 0) {
		fuse_session_destroy(se);
		return -EPERM;
	}
	r = take_device(se, ret_fd);
	if (r < 0) { /* out of descriptors: nothing else is on the mount point yet */
		fuse_session_unmount(se);
		return r;
	}
	spent_session = se;
	return 0;
}

/* What libfuse's options cannot say. A user's mount keeps what fusermount3 gave it. */
static void refine_flags(const char *mount_point, const struct mount_flags *flags)
{
	struct newmount_flags f = {
		.ro = flags->read_only,
		.nosuid = flags->suid != CHOICE_ON,
		.nodev = flags->dev != CHOICE_ON,
		.noexec = flags->noexec,
		.nodiratime = flags->nodiratime,
		.atime = flags->atime == ATIME_NONE ? NEWMOUNT_NOATIME :
			 flags->atime == ATIME_STRICT ? NEWMOUNT_STRICTATIME : NEWMOUNT_RELATIME,
	};

	if (!mount_privileged())
		return;
	if (flags->atime == ATIME_STRICT || flags->nodiratime || flags->atime == ATIME_RELATIME)
		(void) newmount_set_flags(mount_point, &f); /* access times are the lower's business anyway */
	if (flags->lazytime) {
		unsigned long ms = MS_REMOUNT | MS_LAZYTIME | (flags->read_only ? MS_RDONLY : 0) |
				   (flags->suid == CHOICE_ON ? 0 : MS_NOSUID) | (flags->dev == CHOICE_ON ? 0 : MS_NODEV) |
				   (flags->noexec ? MS_NOEXEC : 0) | (flags->sync ? MS_SYNCHRONOUS : 0) |
				   (flags->dirsync ? MS_DIRSYNC : 0);

		(void) mount("osfuse", mount_point, NULL, ms, NULL); /* a hint to the kernel, no more */
	}
}

static int find_dev(const char *mount_point, dev_t *ret)
{
	struct mount_table table;
	const struct mount_entry *e;
	int r = mount_table_read(0, &table);

	if (r < 0)
		return r;
	e = mount_table_at(&table, mount_point);
	if (e)
		*ret = e->dev;
	mount_table_done(&table);
	return e ? 0 : -ENOENT;
}

int mount_attach(const char *mount_point, const struct mount_flags *flags, struct mount **ret, struct problem *p)
{
	struct mount *m = calloc(1, sizeof(*m));
	_cleanup_free_ char *options = NULL;
	int memory, saved, r;

	if (!m)
		return problem_errno(p, -ENOMEM, mount_point);
	m->fd = -EBADF;
	m->mount_point = strdup(mount_point);
	r = m->mount_point ? build_options(flags, &options) : -ENOMEM;
	if (r < 0) {
		(void) problem_errno(p, r, mount_point);
		goto fail;
	}
	saved = catch_begin(&memory);
	r = mount_with_libfuse(mount_point, options, &m->fd);
	catch_end(saved, memory);
	if (r < 0) {
		(void) problem_mount(p, r, mount_point);
		goto fail;
	}
	r = find_dev(mount_point, &m->dev);
	if (r < 0) {
		(void) problem_set(p, r, mount_point, "mounted, but not to be found in /proc/self/mountinfo");
		(void) umount2(mount_point, MNT_DETACH); /* whoever took it away may have come first */
		goto fail;
	}
	refine_flags(mount_point, flags);
	*ret = m;
	return 0;
fail:
	(void) mount_free(m);
	return r;
}

int mount_fd(const struct mount *m)
{
	return m->fd;
}

dev_t mount_dev(const struct mount *m)
{
	return m->dev;
}

struct mount *mount_free(struct mount *m)
{
	if (!m)
		return NULL;
	(void) fd_close(m->fd);
	free(m->mount_point);
	free(m);
	return NULL;
}

/* Is our mount what is on top of its mount point? */
static bool still_there(const struct mount *m)
{
	struct mount_table table;
	const struct mount_entry *e;
	bool there;

	if (mount_table_read(0, &table) < 0)
		return true;
	e = mount_table_at(&table, m->mount_point);
	there = e && e->dev == m->dev;
	mount_table_done(&table);
	return there;
}

/* Runs fusermount3 -u; what it says goes to *said. */
static int run_helper(const char *mount_point, bool lazy, char *said, size_t size)
{
	_cleanup_close_ int memory = -EBADF;
	posix_spawn_file_actions_t actions;
	extern char **environ;
	char path[PATH_MAX], u[] = "-u", z[] = "-z", dashes[] = "--", name[] = HELPER;
	char *target = strdup(mount_point);
	char *argv[] = { name, u, dashes, target, NULL, NULL };
	int status, r;
	ssize_t n;
	pid_t pid;

	if (lazy) {
		argv[2] = z;
		argv[3] = dashes;
		argv[4] = target;
	}
	said[0] = '\0';
	memory = memfd_create("osfuse-stderr", MFD_CLOEXEC);
	if (!target || memory < 0 || !find_helper(path) || posix_spawn_file_actions_init(&actions) != 0) {
		free(target);
		return -ENOENT;
	}
	r = posix_spawn_file_actions_adddup2(&actions, memory, STDERR_FILENO);
	if (r == 0)
		r = posix_spawn(&pid, path, &actions, NULL, argv, environ);
	(void) posix_spawn_file_actions_destroy(&actions); /* cannot fail */
	free(target);
	if (r != 0)
		return -r;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	n = pread(memory, said, size - 1, 0);
	said[n > 0 ? n : 0] = '\0';
	said[strcspn(said, "\n")] = '\0';
	return strstr(said, "busy") ? -EBUSY : strstr(said, "not found") || strstr(said, "not mounted") ? -EINVAL : -EPERM;
}

static int detach(const char *mount_point, bool lazy, char *said, size_t size)
{
	said[0] = '\0';
	if (umount2(mount_point, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) == 0)
		return 0;
	if (errno != EPERM)
		return -errno;
	return run_helper(mount_point, lazy, said, size);
}

int mount_detach(struct mount *m, bool lazy)
{
	char said[256];

	return still_there(m) ? detach(m->mount_point, lazy, said, sizeof(said)) : 0;
}

int mount_detach_path(const char *mount_point, bool lazy, struct problem *p)
{
	char said[256];
	int r = detach(mount_point, lazy, said, sizeof(said));

	if (r == 0)
		return 0;
	if (r == -EBUSY) {
		(void) problem_set(p, r, mount_point, "in use: a process has a file open there, or its working directory");
		return problem_hint(p, r, "'fuser -vm %s' names it; 'osfuse umount --lazy' does not wait for it", mount_point);
	}
	if (said[0])
		return problem_set(p, r, mount_point, "%s", strncmp(said, HELPER ": ", strlen(HELPER) + 2) == 0 ?
				   said + strlen(HELPER) + 2 : said);
	return problem_errno(p, r, mount_point);
}

void mount_sync(const struct mount *m)
{
	_cleanup_close_ int fd = open(m->mount_point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	/* What is beyond repair at this point is not worth more than trying. */
	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_dev == m->dev)
		(void) syncfs(fd);
}

int mount_remount(const char *mount_point, const struct mount_flags *flags, struct problem *p)
{
	struct mount_table table;
	const struct mount_entry *e;
	unsigned long ms = MS_REMOUNT;
	bool ours, mounted;
	int r;

	r = mount_table_read(0, &table);
	if (r < 0)
		return problem_errno(p, r, mount_point);
	e = mount_table_at(&table, mount_point);
	mounted = e != NULL;
	ours = e && holder_is_view(e);
	mount_table_done(&table);
	if (!ours)
		return problem_set(p, -EINVAL, mount_point, mounted ? "not an osfuse mount" : "not mounted");
	if (!mount_privileged()) {
		(void) problem_set(p, -EPERM, mount_point, "only root can change the flags of a mount");
		return problem_hint(p, -EPERM, "unmount it, and mount it with the new flags");
	}

	ms |= flags->read_only ? MS_RDONLY : 0;
	ms |= flags->suid == CHOICE_ON ? 0 : MS_NOSUID;
	ms |= flags->dev == CHOICE_ON ? 0 : MS_NODEV;
	ms |= flags->noexec ? MS_NOEXEC : 0;
	ms |= flags->sync ? MS_SYNCHRONOUS : 0;
	ms |= flags->dirsync ? MS_DIRSYNC : 0;
	ms |= flags->nodiratime ? MS_NODIRATIME : 0;
	ms |= flags->lazytime ? MS_LAZYTIME : 0;
	ms |= flags->atime == ATIME_NONE ? MS_NOATIME : flags->atime == ATIME_STRICT ? MS_STRICTATIME : MS_RELATIME;
	if (mount("osfuse", mount_point, NULL, ms, NULL) < 0)
		return problem_errno(p, -errno, mount_point);
	return 0;
}

/* 1: mounted on as a whole */
static int is_mounted_on(const char *path)
{
	dev_t dev;
	int r = find_dev(path, &dev);

	return r == 0 ? 1 : r == -ENOENT ? 0 : r;
}

int mount_point_resolve(const char *path, char **ret)
{
	_cleanup_free_ char *copy = strdup(path), *parent = NULL, *full = NULL;
	char *base;
	size_t len;
	int r;

	if (!copy)
		return -ENOMEM;
	if (!copy[0])
		return -ENOENT;
	for (len = strlen(copy); len > 1 && copy[len - 1] == '/'; len--)
		copy[len - 1] = '\0';
	base = strrchr(copy, '/');
	base = base ? base + 1 : copy;
	if (!base[0] || strcmp(base, ".") == 0 || strcmp(base, "..") == 0) {
		*ret = realpath(copy, NULL);
		return *ret ? 0 : -errno;
	}
	if (base == copy) {
		parent = realpath(".", NULL);
	} else {
		char was = base[0];

		base[0] = '\0';
		parent = realpath(copy, NULL);
		base[0] = was;
	}
	if (!parent)
		return -errno;
	if (asprintf(&full, "%s/%s", strcmp(parent, "/") == 0 ? "" : parent, base) < 0) {
		full = NULL;
		return -ENOMEM;
	}
	r = is_mounted_on(full);
	if (r < 0)
		return r;
	*ret = r == 1 ? steal_ptr(full) : realpath(full, NULL);
	return *ret ? 0 : -errno;
}

/* Not stat(): the kernel goes on answering that from its cache. */
static int ask_mount(const char *mount_point)
{
	struct statfs sfs;

	return statfs(mount_point, &sfs) < 0 && (errno == ENOTCONN || errno == ECONNABORTED) ? 1 : 0;
}

int mount_is_stale(const char *mount_point)
{
	struct mount_table table;
	const struct mount_entry *e;
	int r, status;
	bool ours;
	pid_t pid;

	r = mount_table_read(0, &table);
	if (r < 0)
		return r;
	e = mount_table_at(&table, mount_point);
	ours = e && strcmp(e->type, OSFUSE_FS_TYPE) == 0;
	mount_table_done(&table);
	if (!ours)
		return 0;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		_exit(ask_mount(mount_point));
	r = holder_wait_exit(pid, ANSWER_PATIENCE_MS);
	if (r < 0) {
		(void) kill(pid, SIGKILL); /* it goes when it can: when the daemon goes, if that has taken the question */
		(void) waitpid(pid, NULL, WNOHANG);
		return r;
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 1 ? 1 : 0;
}
