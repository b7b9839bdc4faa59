/*
 * Making a view: its mount point, its sandbox, its layers, the overlay of them, the mount, and a record of it all. Each step opens and
 * checks what the next ones need; everything that names a directory is opened before the mount exists: afterwards a path might lead
 * into it.
 */

#include "fuse/view.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "fuse/holder.h"
#include "fuse/launch.h"
#include "fuse/mount.h"
#include "fuse/mounted.h"
#include "fuse/mountinfo.h"
#include "fuse/place.h"
#include "fuse/problem.h"
#include "fuse/warden.h"
#include "io/io.h"
#include "overlay/overlay.h"
#include "store/store.h"

#define INITIAL_USER_NAMESPACE 0xEFFFFFFDU /* PROC_USER_INIT_INO, the same everywhere */

/* The mount point */

static int is_empty_dir(int fd)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
	struct dirent *de;
	int r = 1;

	if (!d) {
		r = -errno;
		(void) fd_close(copy);
		return r;
	}
	while (r == 1 && (de = readdir(d)))
		r = strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0;
	(void) closedir(d); /* only read from */
	return r;
}

static int find_mount_point(struct view *v)
{
	const char *path = v->config->mount_point;
	struct stat st;
	int r;

	r = mount_point_resolve(path, &v->mount_point);
	if (r == -ENOENT) {
		(void) problem_set(v->problem, r, path, "mount point does not exist");
		return problem_hint(v->problem, r, "mkdir -p %s", path);
	}
	if (r < 0)
		return problem_errno(v->problem, r, path);
	r = mounted_repair(v->mount_point, v->problem);
	if (r < 0)
		return r;
	if (stat(v->mount_point, &st) < 0)
		return problem_errno(v->problem, -errno, path);
	if (!S_ISDIR(st.st_mode))
		return problem_set(v->problem, -ENOTDIR, path, "mount point is not a directory");
	return 0;
}

static bool is_layer(const struct layers *l, int fd)
{
	if (l->upper_fd >= 0 && layers_same(fd, l->upper_fd) == 1)
		return true;
	for (size_t i = 0; i < l->n_lowers; i++)
		if (layers_same(fd, l->lower_fds[i]) == 1)
			return true;
	return false;
}

/* In its own view the mount point is an empty directory, whatever is below the mount. */
static int mask_mount_point(struct view *v, int fd)
{
	int r = layers_mask(&v->layers, fd);

	return r < 0 ? problem_errno(v->problem, r, v->mount_point) : 0;
}

static int problem_mounted(struct view *v, const struct mount_entry *e)
{
	pid_t pid = beacon_find(e, NULL);

	if (pid > 0)
		(void) problem_set(v->problem, -EBUSY, v->mount_point, "in use by process %d: an osfuse mount is there already", (int) pid);
	else
		(void) problem_set(v->problem, -EBUSY, v->mount_point, "an osfuse mount is there already");
	return problem_hint(v->problem, -EBUSY, "osfuse umount %s", v->mount_point);
}

/* Is a view mounted there? -EBUSY, and why, if one is. */
static int check_not_mounted(struct view *v)
{
	struct mount_table mounts;
	const struct mount_entry *e;
	int r = mount_table_read(0, &mounts);

	if (r < 0)
		return problem_errno(v->problem, r, v->mount_point);
	e = mount_table_at(&mounts, v->mount_point);
	if (e && holder_is_view(e))
		r = problem_mounted(v, e);
	mount_table_done(&mounts);
	return r;
}

/*
 * What two find free, both would mount on, and the later mount would hide the other. So from the look at it until the mount is there the
 * mount point is locked; and what was opened before it was has to be what is there still.
 */
static int claim_mount_point(struct view *v)
{
	_cleanup_close_ int now = -EBADF;
	int fd = open(v->mount_point, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;

	if (fd < 0) /* unreadable to us: the mount will tell */
		fd = open(v->mount_point, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return problem_errno(v->problem, -errno, v->mount_point);
	v->mount_point_fd = fd;
	if (v->layers.upper_fd < 0 || layers_same(fd, v->layers.upper_fd) != 1) /* that is locked as upper */
		r = holder_lock_mount_point(fd, v->mount_point, v->problem);
	if (r < 0)
		return r;
	now = open(v->mount_point, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (now < 0)
		return problem_errno(v->problem, -errno, v->mount_point);
	if (layers_same(now, fd) == 1)
		return 0;
	r = check_not_mounted(v);
	return r < 0 ? r : problem_set(v->problem, -EBUSY, v->mount_point, "mount point was mounted on this moment; try again");
}

/* What a mount point holds is out of sight while it is mounted on: surely a mistake, but for the layers themselves. */
static int check_mount_point(struct view *v)
{
	int r = claim_mount_point(v), fd = v->mount_point_fd;

	if (r < 0)
		return r;
	if (is_layer(&v->layers, fd))
		return 0;
	if (v->config->nonempty)
		return mask_mount_point(v, fd);
	r = check_not_mounted(v);
	if (r < 0)
		return r;

	r = is_empty_dir(fd);
	if (r == 1 || r == -EACCES) /* unreadable to us: the mount will tell */
		return mask_mount_point(v, fd);
	if (r < 0)
		return problem_errno(v->problem, r, v->mount_point);
	(void) problem_set(v->problem, -ENOTEMPTY, v->mount_point, "mount point is not empty");
	return problem_hint(v->problem, -ENOTEMPTY, "-o nonempty mounts over what is there");
}

/* The sandbox */

static int problem_sandbox(struct view *v, int error, const char *name, const struct sandbox_fault *f)
{
	_cleanup_free_ char *path = NULL;
	char where[64] = "";

	if (error == -EINVAL) {
		(void) problem_set(v->problem, error, name, "not a name for a sandbox");
		return problem_hint(v->problem, error, "1 to %d bytes, no '/', not beginning with '.' or '-'", STORE_NAME_MAX);
	}
	if (asprintf(&path, "%s/%s", store_path(v->store), name) < 0) {
		path = NULL;
		return problem_errno(v->problem, -ENOMEM, name);
	}
	if (error != -EBADMSG)
		return problem_errno(v->problem, error, path);
	if (f->line > 0)
		(void) snprintf(where, sizeof(where), ":%u:%u", f->line, f->column);
	(void) problem_set(v->problem, error, path, "sandbox.json%s: %s", where, f->text);
	return problem_hint(v->problem, error, "the changes are unharmed in %s/upper: without that file the sandbox starts with them", path);
}

static int open_store(struct view *v, bool create)
{
	_cleanup_free_ char *path = NULL;
	int r;

	r = store_default_path(&path);
	if (r < 0) {
		(void) problem_store(v->problem, r, NULL);
		return problem_hint(v->problem, r, "set HOME or XDG_STATE_HOME, or say where with --upper");
	}
	r = store_open(v->io, path, create, &v->store);
	if (r == -ENOENT && !create)
		return 0;
	return r < 0 ? problem_store(v->problem, r, path) : 0;
}

static int open_named_sandbox(struct view *v, const char *name)
{
	struct sandbox_fault fault = { 0 };
	int r;

	/* A read-only view shows the changes that are there, and keeps none. */
	if (v->config->flags.read_only && !v->config->upper) {
		r = v->store ? sandbox_open(v->store, name, &v->sandbox, &fault) : -ENOENT;
		if (r == -ENOENT)
			return 0;
	} else if (v->config->ephemeral) {
		r = sandbox_create_ephemeral(v->store, name, &v->sandbox);
		v->fresh = true;
	} else {
		r = sandbox_create(v->store, name, &v->sandbox, &fault);
		v->fresh = r == 1;
	}
	if (r < 0)
		return problem_sandbox(v, r, name, &fault);
	if (sandbox_settings(v->sandbox)->ephemeral && !v->config->ephemeral)
		return problem_set(v->problem, -EINVAL, name, "is an ephemeral sandbox, which goes away with its mount");
	return 0;
}

static int lock_sandbox(struct view *v)
{
	_cleanup_free_ char *what = NULL;
	int r;

	if (asprintf(&what, "sandbox %s", sandbox_name(v->sandbox)) < 0) {
		what = NULL;
		return problem_errno(v->problem, -ENOMEM, "sandbox");
	}
	r = holder_lock(sandbox_lock_fd(v->sandbox), what, v->problem);
	if (r < 0)
		return r;
	r = sandbox_lock(v->sandbox); /* taken a moment ago: this sees whether the sandbox is still there */
	return r < 0 ? problem_set(v->problem, r, what, "was removed this moment; try again") : 0;
}

/* Commands look for the sandbox by way of the store's path, which must not lead into the view. From "/" that is nobody's way. */
static int check_store(struct view *v, const struct store *store)
{
	const char *path = store_path(store);
	size_t n = strlen(v->mount_point);

	if (n == 1 || strncmp(path, v->mount_point, n) != 0 || (path[n] && path[n] != '/'))
		return 0;
	(void) problem_set(v->problem, -EBUSY, v->mount_point, "the view would hide %s, where its sandbox is, from all commands", path);
	return problem_hint(v->problem, -EBUSY, "set XDG_STATE_HOME to a directory elsewhere, for this and for what comes later");
}

/* Needed unless layers are given that say it all. */
static bool wants_sandbox(const struct launch_config *c)
{
	return c->name || c->ephemeral || (!c->upper && !(c->helper && c->n_lowers > 0));
}

static int open_sandbox(struct view *v)
{
	const struct launch_config *c = v->config;
	_cleanup_free_ char *name = NULL;
	int r;

	if (!wants_sandbox(c)) {
		(void) open_store(v, false); /* only to be masked: a store that is not ours is in nobody's way */
		return 0;
	}
	r = open_store(v, !(c->flags.read_only && !c->upper));
	if (r < 0)
		return r;
	if (v->store)
		store_sweep(v->store);
	r = c->name ? 0 : store_name_from_path(v->mount_point, &name);
	if (r < 0)
		return problem_errno(v->problem, r, v->mount_point);
	r = open_named_sandbox(v, c->name ? c->name : name);
	if (r == 0 && v->sandbox)
		r = check_store(v, v->store);
	return r == 0 && v->sandbox ? lock_sandbox(v) : r;
}

/* Layers */

/* The view's root has the attributes of the upper: a new one takes them from the lower. */
static void dress_upper(const struct view *v)
{
	struct timespec times[2];
	struct stat st;

	if (fstat(v->layers.lower_fds[0], &st) < 0)
		return;
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	/* As far as we may: to a user, the root of the view is the user's own. */
	if (fchown(v->layers.upper_fd, st.st_uid, st.st_gid) < 0)
		st.st_mode &= ~(mode_t) (S_ISUID | S_ISGID);
	(void) fchmod(v->layers.upper_fd, st.st_mode & 07777);
	(void) futimens(v->layers.upper_fd, times);
}

/* Who mounts a sandbox on something else is believed to know why; else files appear in their old state, and removals remove nothing. */
static void warn_of_other_lowers(const struct view *v, const struct sandbox_settings *s)
{
	const struct layers *l = &v->layers;
	struct problem warning = { 0 };
	bool same = s->n_lowers == l->n_lowers;

	for (size_t i = 0; same && i < l->n_lowers; i++)
		same = strcmp(s->lowers[i], l->lowers[i]) == 0;
	if (same || s->n_lowers == 0)
		return;
	(void) problem_set(&warning, -EINVAL, sandbox_name(v->sandbox),
			   "warning: its changes were made on %s%s, not on what --lower says", s->lowers[0],
			   s->n_lowers > 1 ? " and others" : "");
	problem_print(&warning);
}

static int open_layers(struct view *v)
{
	static char root[] = "/";
	static char *const only_root[] = { root };
	const struct launch_config *c = v->config;
	const struct sandbox_settings *s = v->sandbox ? sandbox_settings(v->sandbox) : NULL;
	_cleanup_free_ char *own_upper = NULL, *own_work = NULL;
	const char *upper = c->upper, *work = c->work;
	char *const *lowers = c->lowers;
	size_t n = c->n_lowers;
	int r;

	/* A sandbox's changes make sense on what they were made on. */
	if (n == 0 && s && s->n_lowers > 0) {
		lowers = s->lowers;
		n = s->n_lowers;
	} else if (n == 0) {
		lowers = only_root;
		n = 1;
	}
	if (!upper && s && s->upper) {
		upper = s->upper;
		work = s->work;
	} else if (!upper && s) {
		r = sandbox_path(v->sandbox, "upper", &own_upper);
		if (r == 0)
			r = sandbox_path(v->sandbox, "work", &own_work);
		if (r < 0)
			return problem_errno(v->problem, r, v->mount_point);
		upper = own_upper;
		work = own_work;
	}
	r = layers_open(&v->layers, lowers, n, upper, work, v->problem);
	if (r == 0 && v->store && layers_mask(&v->layers, store_fd(v->store)) < 0)
		r = problem_errno(v->problem, -ENOMEM, v->mount_point);
	if (r == 0 && own_upper && s->n_lowers == 0) /* never mounted */
		dress_upper(v);
	if (r == 0 && s)
		warn_of_other_lowers(v, s);
	return r;
}

/* Attributes in "trusted." take the privilege over the whole machine, not over a user namespace. */
static bool can_use_trusted(void)
{
	struct stat st;

	return mount_privileged() && stat("/proc/self/ns/user", &st) == 0 && st.st_ino == INITIAL_USER_NAMESPACE;
}

/*
 * A view of the whole machine shows the device nodes that do no harm, unless the user asks for all. mount(8) asks for them
 * always, so from there it means nothing.
 */
static bool harmless_devices(const struct view *v)
{
	return v->layers.has_root && mount_privileged() && (v->config->flags.dev != CHOICE_ON || v->config->helper);
}

/* What was relative is from here on the same from everywhere, and for the next mount. */
static int resolve_policy(struct view *v)
{
	const struct launch_config *c = v->config;

	for (size_t i = 0; i < c->n_policy; i++) {
		char *path = c->policy[i].verb ? NULL : realpath(c->policy[i].text, NULL);

		if (!path && !c->policy[i].verb)
			return problem_errno(v->problem, -errno, c->policy[i].text);
		if (path) {
			free(c->policy[i].text);
			c->policy[i].text = path;
		}
	}
	return 0;
}

bool view_folds(const struct view *v)
{
	if (v->config->fold != CHOICE_UNSET)
		return v->config->fold == CHOICE_ON;
	return v->sandbox && sandbox_settings(v->sandbox)->fold;
}

/* A sandbox keeps its policy: who forgets the option does not lose the protection. */
static int make_warden(struct view *v)
{
	const struct launch_config *c = v->config;
	const struct sandbox_settings *s = v->sandbox ? sandbox_settings(v->sandbox) : NULL;
	bool kept = c->n_policy == 0 && s;
	const struct warden_config config = {
		.sources = kept ? s->policy : c->policy,
		.n_sources = kept ? s->n_policy : c->n_policy,
		.lowers = (const char *const *) v->layers.lowers,
		.none = !v->layers.has_root,
		.upper_fd = v->layers.upper_fd,
		.fold = view_folds(v),
		.debug = c->debug,
	};

	return warden_new(&config, &v->warden, v->problem);
}

/*
 * A program that an rw rule lets move these away in the lower, or what is above them, and put its own in their place, decides what the next
 * mount has for changes, and by the sandbox's settings for a policy.
 */
static int keep_places(struct view *v)
{
	_cleanup_free_ char *store = NULL;
	const char *const paths[] = { v->layers.upper, v->layers.work, v->mount_point };
	int r = 0;

	/* As the next mount looks for it, by way of links perhaps. */
	if ((v->store || v->place.store) && store_default_path(&store) == 0)
		r = warden_keep(v->warden, store, v->problem);
	for (size_t i = 0; i < ARRAY_SIZE(paths) && r == 0; i++)
		if (paths[i])
			r = warden_keep(v->warden, paths[i], v->problem);
	return r;
}

static int make_overlay(struct view *v)
{
	const struct launch_config *c = v->config;
	struct layers *l = &v->layers;
	const struct overlay_config config = {
		.lower_fds = l->lower_fds,
		.n_lowers = l->n_lowers,
		.upper_fd = l->upper_fd,
		.work_fd = l->work_fd,
		.userxattr = c->userxattr || !can_use_trusted(),
		.no_redirect = c->no_redirect,
		.no_index = c->no_index,
		.metacopy = c->metacopy == CHOICE_ON,
		.volatile_ = c->volatile_,
		.fold = view_folds(v),
		.devices = harmless_devices(v) ? OVERLAY_DEVICES_HARMLESS : OVERLAY_DEVICES_ALL,
		.is_view = holder_is_view_dev,
		.masks = l->masks,
		.n_masks = l->n_masks,
		.uids = c->uids,
		.gids = c->gids,
		.time_gran_ns = c->time_gran_ns,
		.policy = warden_policy(v->warden),
		.guards = warden_guards(v->warden),
		.report = warden_report,
		.report_arg = v->warden,
	};
	const char *what = l->upper ? l->upper : v->mount_point;
	int r = overlay_new(v->io, &config, &v->overlay);

	switch (r) {
	case -EOPNOTSUPP:
		(void) problem_set(v->problem, r, what, "upper: the file system has not the extended attributes that are needed");
		return problem_hint(v->problem, r, "put the upper on ext4, xfs, btrfs or tmpfs");
	case -ESTALE:
		(void) problem_set(v->problem, r, v->layers.work, "work directory: belongs to another upper than %s", what);
		return problem_hint(v->problem, r, "an upper keeps its work directory: it has what is known of hard links");
	case -EROFS:
	case -EXDEV:
		return problem_errno(v->problem, r, what);
	}
	return r < 0 ? problem_errno(v->problem, r, what) : 0;
}

/* The mount */

static int make_mount(struct view *v)
{
	const struct launch_config *c = v->config;
	struct mount_flags flags = c->flags;
	int r;

	flags.source = c->source ? c->source : "osfuse";
	flags.subtype = c->subtype;
	if (!v->layers.upper)
		flags.read_only = true;
	if (flags.dev == CHOICE_UNSET && harmless_devices(v))
		flags.dev = CHOICE_ON;
	if (mount_privileged() && !c->allow_root)
		flags.allow_other = true;
	r = mount_attach(v->mount_point, &flags, &v->mount, v->problem);
	if (r < 0)
		return r;
	overlay_set_own_dev(v->overlay, mount_dev(v->mount));
	warden_set_own_dev(v->warden, mount_dev(v->mount));
	r = beacon_light(&(struct beacon) {
		.dev = mount_dev(v->mount), .writable = v->layers.upper != NULL, .mount_point = v->mount_point,
	}, &v->beacon_fd);
	v->mount_point_fd = fd_close(v->mount_point_fd); /* for the next to see what is there, and by whom */
	return r < 0 ? problem_errno(v->problem, r, v->mount_point) : 0;
}

static int set_string(char **to, const char *from)
{
	char *copy = from ? strdup(from) : NULL;

	if (from && !copy)
		return -ENOMEM;
	free(*to);
	*to = copy;
	return 0;
}

static int record(struct view *v)
{
	struct sandbox_settings *s;
	int r;

	if (!v->sandbox)
		return 0;
	s = sandbox_settings(v->sandbox);
	s->pid = getpid();
	s->fold = view_folds(v);
	r = sandbox_set_lowers(v->sandbox, v->layers.lowers, v->layers.n_lowers);
	if (r == 0 && v->config->upper)
		r = set_string(&s->upper, v->layers.upper);
	if (r == 0 && v->config->upper)
		r = set_string(&s->work, v->layers.work);
	if (r == 0)
		r = set_string(&s->mount_point, v->mount_point);
	if (r == 0)
		r = set_string(&s->options, v->config->text);
	if (r == 0 && v->config->n_policy > 0)
		r = sandbox_set_policy(v->sandbox, v->config->policy, v->config->n_policy);
	if (r == 0)
		r = sandbox_save(v->sandbox);
	return r < 0 && !v->place.store ? problem_sandbox(v, r, sandbox_name(v->sandbox), NULL) : 0;
}

int view_init(struct view *v, const struct launch_config *c, struct problem *p)
{
	int r;

	*v = (struct view) { .config = c, .problem = p, .mount_point_fd = -EBADF, .layers = LAYERS_INIT, .beacon_fd = -EBADF };
	if (c->allow_root && !mount_privileged())
		return problem_set(p, -EPERM, "allow_root", "only root can mount with it; allow_other may do");
	r = mount_check(p);
	if (r < 0)
		return r;
	r = io_engine_sync_new(&v->io);
	if (r < 0)
		return problem_errno(p, r, c->mount_point);
	r = find_mount_point(v);
	if (r == 0)
		r = open_sandbox(v);
	if (r == 0)
		r = open_layers(v);
	if (r == 0)
		r = check_mount_point(v);
	if (r == 0)
		r = resolve_policy(v);
	if (r == 0)
		r = make_warden(v);
	if (r < 0)
		return r;
	if (!v->sandbox && warden_policy(v->warden))
		v->sandbox = place_open(&v->place, v->mount_point, &v->layers);
	if (v->place.store)
		r = check_store(v, v->place.store);
	if (r == 0 && warden_policy(v->warden))
		r = keep_places(v);
	if (r < 0)
		return r;
	layers_seclude(&v->layers);
	(void) chdir("/"); /* all that was relative has been opened; what we stand in could not be unmounted */
	r = make_overlay(v);
	if (r == 0)
		r = make_mount(v);
	if (r == 0)
		r = record(v);
	return r;
}

/* What reaches into the layers goes before them, and all of it before the sandbox's lock. */
void view_done(struct view *v, bool failed)
{
	bool drop = v->sandbox && (sandbox_settings(v->sandbox)->ephemeral || (failed && v->fresh && !v->served));

	v->mount = mount_free(v->mount);
	v->overlay = overlay_free(v->overlay);
	v->warden = warden_free(v->warden);
	layers_done(&v->layers);
	if (drop) {
		(void) sandbox_remove(v->sandbox); /* what stays goes with the next sweep */
	} else if (v->sandbox && v->served) {
		sandbox_settings(v->sandbox)->pid = 0;
		(void) sandbox_save(v->sandbox); /* the lock tells, too */
	}
	v->sandbox = sandbox_free(v->sandbox);
	box_done(&v->place);
	v->store = store_free(v->store);
	v->io = io_engine_free(v->io);
	(void) fd_close(v->mount_point_fd);
	(void) fd_close(v->beacon_fd);
	free(v->mount_point);
}
