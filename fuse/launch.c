/*
 * Starting and ending a daemon.
 *
 *     caller            osfuse mount             daemon
 *        |--------------- fork ------------------>|
 *        |                                        | setsid
 *        |                                        | sandbox and layers: opened, checked, locked
 *        |                                        | overlay
 *        |                                        | mount
 *        |                                        | serve: INIT answered
 *        |<-------------- "ready" ----------------|
 *      exit 0                                     | requests
 *
 * The fork comes first since locks and threads do not survive one. Until it is ready the daemon has the caller's
 * stderr, so it says itself what went wrong; the caller only learns the exit status, over a pipe.
 *
 * Everything that names a directory is opened before the mount exists: afterwards a path might lead into it.
 *
 * Signals are waited for by a thread of their own, which unmounts while the others go on serving: the kernel may have
 * data to write back before it lets go.
 */

#include "fuse/launch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fd.h"
#include "fuse/holder.h"
#include "fuse/layers.h"
#include "fuse/mounted.h"
#include "fuse/mountinfo.h"
#include "fuse/problem.h"
#include "fuse/serve.h"
#include "fuse/warden.h"
#include "io/io.h"
#include "overlay/overlay.h"
#include "store/store.h"

/* The lower may change under the view: within a second that shows. Our own changes the kernel knows of at once. */
#define CACHE_TIMEOUT_MS 1000
#define INITIAL_USER_NAMESPACE 0xEFFFFFFDU /* PROC_USER_INIT_INO, the same everywhere */

struct view {
	const struct launch_config *config;
	struct problem *problem;
	struct io_engine *io;
	char *mount_point; /* absolute */
	struct store *store;
	struct sandbox *sandbox;
	bool fresh; /* the sandbox was made for this */
	struct layers layers;
	struct warden *warden;
	struct overlay *overlay;
	struct mount *mount;
	struct serve *serve;
	int beacon_fd;
	int ready_fd; /* of the pipe to the caller; -EBADF in the foreground */
	bool served;
	bool unmounted; /* nothing of ours is on the mount point any more; somebody else's mount may be */
	/* The signal thread. */
	pthread_t signal_thread;
	bool has_signal_thread;
	sigset_t signals;
	atomic_bool ended; /* set before the thread is woken for the last time */
};

void launch_config_done(struct launch_config *c)
{
	for (size_t i = 0; i < c->n_lowers; i++)
		free(c->lowers[i]);
	free(c->lowers);
	free(c->mount_point);
	free(c->source);
	free(c->subtype);
	free(c->upper);
	free(c->work);
	free(c->name);
	free(c->text);
	for (size_t i = 0; i < c->n_policy; i++) {
		free(c->policy[i].verb);
		free(c->policy[i].text);
	}
	free(c->policy);
	free(c->uids.ranges);
	free(c->gids.ranges);
	*c = (struct launch_config) { 0 };
}

int launch_config_add_policy(struct launch_config *c, const char *verb, const char *text)
{
	struct sandbox_rule *v = reallocarray(c->policy, c->n_policy + 1, sizeof(*v));

	if (!v)
		return -ENOMEM;
	if (verb && strcmp(verb, "log") == 0 && strcmp(text, "all") == 0)
		text = "/"; /* the word that it is in a file; as a pattern it would be a name */
	c->policy = v;
	v[c->n_policy] = (struct sandbox_rule) { .verb = verb ? strdup(verb) : NULL, .text = strdup(text) };
	c->n_policy++;
	return v[c->n_policy - 1].text && !v[c->n_policy - 1].verb == !verb ? 0 : -ENOMEM;
}

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

/* What a mount point holds is out of sight while it is mounted on: surely a mistake, but for the layers themselves. */
static int check_mount_point(struct view *v)
{
	_cleanup_close_ int fd = -EBADF;
	struct mount_table mounts;
	const struct mount_entry *e;
	bool ours;
	int r;

	fd = open(v->mount_point, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return problem_errno(v->problem, -errno, v->mount_point);
	if (is_layer(&v->layers, fd))
		return 0;
	if (v->config->nonempty)
		return mask_mount_point(v, fd);
	r = mount_table_read(0, &mounts);
	if (r < 0)
		return problem_errno(v->problem, r, v->mount_point);
	e = mount_table_at(&mounts, v->mount_point);
	ours = e && holder_is_view(e);
	mount_table_done(&mounts);
	if (ours) {
		(void) problem_set(v->problem, -EBUSY, v->mount_point, "an osfuse mount is there already");
		return problem_hint(v->problem, -EBUSY, "osfuse umount %s", v->mount_point);
	}

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
		(void) problem_set(v->problem, r, "store", "there is no home directory to keep sandboxes in");
		return problem_hint(v->problem, r, "set HOME or XDG_STATE_HOME, or say where with --upper");
	}
	r = store_open(v->io, path, create, &v->store);
	if (r == -ENOENT && !create)
		return 0;
	if (r == -EPERM) {
		(void) problem_set(v->problem, r, path, "belongs to another user");
		return problem_hint(v->problem, r, "set HOME or XDG_STATE_HOME to a directory of your own");
	}
	return r < 0 ? problem_errno(v->problem, r, path) : 0;
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

static bool folds(const struct view *v)
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
		.none = !v->layers.has_root,
		.whole = v->layers.has_root,
		.fold = folds(v),
		.debug = c->debug,
	};

	return warden_new(&config, &v->warden, v->problem);
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
		.fold = folds(v),
		.devices = harmless_devices(v) ? OVERLAY_DEVICES_HARMLESS : OVERLAY_DEVICES_ALL,
		.is_view = holder_is_view_dev,
		.masks = l->masks,
		.n_masks = l->n_masks,
		.uids = c->uids,
		.gids = c->gids,
		.time_gran_ns = c->time_gran_ns,
		.policy = warden_policy(v->warden),
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
	r = beacon_light(&(struct beacon) {
		.dev = mount_dev(v->mount), .writable = v->layers.upper != NULL, .mount_point = v->mount_point,
	}, &v->beacon_fd);
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
	s->fold = folds(v);
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
	return r < 0 ? problem_sandbox(v, r, sandbox_name(v->sandbox), NULL) : 0;
}

/* Serving */

static void tell_terminal(const struct view *v)
{
	if (!isatty(STDERR_FILENO))
		return;
	if (v->config->flags.read_only || !v->layers.upper)
		(void) fprintf(stderr, "osfuse: %s: mounted (read-only)\n", v->mount_point);
	else if (v->sandbox && sandbox_settings(v->sandbox)->ephemeral)
		(void) fprintf(stderr, "osfuse: %s: mounted (changes go away with the mount)\n", v->mount_point);
	else if (v->sandbox)
		(void) fprintf(stderr, "osfuse: %s: mounted (sandbox \"%s\", changes in %s)\n", v->mount_point,
			       sandbox_name(v->sandbox), v->layers.upper);
	else
		(void) fprintf(stderr, "osfuse: %s: mounted (changes in %s)\n", v->mount_point, v->layers.upper);
}

/* The caller may wait for the end of our output as well as for our word. */
static void release_stdio(void)
{
	_cleanup_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (null < 0 || dup2(null, fd) < 0)
			(void) close(fd); /* then without */
}

static void on_ready(void *arg)
{
	struct view *v = arg;
	char status = 0;

	v->served = true;
	tell_terminal(v);
	if (v->ready_fd < 0)
		return;
	release_stdio();
	/* Nobody there to hear it: whoever wanted the mount was interrupted. */
	if (write(v->ready_fd, &status, 1) != 1)
		(void) kill(getpid(), SIGTERM);
	v->ready_fd = fd_close(v->ready_fd);
}

static void *signal_main(void *arg)
{
	struct view *v = arg;
	int sig;

	(void) prctl(PR_SET_NAME, "signals"); /* for people who look */
	for (unsigned int n = 0; sigwait(&v->signals, &sig) == 0 && !v->ended; n++) {
		if (n > 0) {
			serve_stop(v->serve); /* asked twice: no more waiting */
			continue;
		}
		if (mount_detach(v->mount, false) == 0)
			continue; /* the device says so, and serving ends */
		mount_sync(v->mount);
		(void) mount_detach(v->mount, true); /* in use: out of sight at least */
		serve_stop(v->serve);
	}
	return NULL;
}

static int start_signal_thread(struct view *v)
{
	int r = pthread_create(&v->signal_thread, NULL, signal_main, v);

	if (r != 0)
		return problem_errno(v->problem, -r, v->mount_point);
	v->has_signal_thread = true;
	return 0;
}

static void end_signal_thread(struct view *v)
{
	if (!v->has_signal_thread)
		return;
	v->ended = true;
	(void) pthread_kill(v->signal_thread, SIGTERM); /* it is there until joined */
	(void) pthread_join(v->signal_thread, NULL);
	v->has_signal_thread = false;
}

static int serve(struct view *v)
{
	const struct serve_config config = {
		.fuse_fd = mount_fd(v->mount),
		.ov = v->overlay,
		.n_workers = v->config->n_threads,
		.debug = v->config->debug,
		.attr_timeout_ms = CACHE_TIMEOUT_MS,
		/* What the kernel knows of one spelling of a name, a change under another would leave as it was. */
		.entry_timeout_ms = folds(v) ? 0 : CACHE_TIMEOUT_MS,
		.negative_timeout_ms = folds(v) ? 0 : CACHE_TIMEOUT_MS,
		.ready = on_ready,
		.ready_arg = v,
	};
	int r;

	r = serve_new(&config, &v->serve);
	if (r < 0)
		return problem_errno(v->problem, r, v->mount_point);
	r = warden_attach(v->warden, v->sandbox, v->overlay, v->serve, v->problem);
	if (r == 0)
		r = start_signal_thread(v);
	if (r < 0)
		return r;
	r = serve_run(v->serve);
	v->unmounted = r == 0;
	if (r == -EPROTO)
		return problem_set(v->problem, r, v->mount_point, "this kernel's FUSE is too old");
	if (r == -ECONNABORTED)
		return problem_set(v->problem, r, v->mount_point, "the connection to the kernel was aborted");
	return r < 0 ? problem_errno(v->problem, r, v->mount_point) : 0;
}

/* From the inside out; copes with a view that never got this far. */
static void view_done(struct view *v, bool failed)
{
	bool drop = v->sandbox && (sandbox_settings(v->sandbox)->ephemeral || (failed && v->fresh && !v->served));

	end_signal_thread(v);
	if (v->warden)
		warden_detach(v->warden);
	/* Still mounted after serving, as after an abort: it would answer nothing any more. */
	if (v->mount && !v->unmounted)
		(void) mount_detach(v->mount, true);
	v->serve = serve_free(v->serve);
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
	v->store = store_free(v->store);
	v->io = io_engine_free(v->io);
	(void) fd_close(v->beacon_fd);
	(void) fd_close(v->ready_fd);
	free(v->mount_point);
}

static void set_up_process(struct view *v)
{
	struct rlimit limit;

	(void) prctl(PR_SET_NAME, "osfuse"); /* also when called as mount.fuse.osfuse */
	(void) umask(0);
	(void) signal(SIGPIPE, SIG_IGN);
	(void) signal(SIGCHLD, SIG_DFL); /* helpers are waited for */
	/* Waited for by a thread; the threads to come inherit this. */
	(void) sigemptyset(&v->signals);
	(void) sigaddset(&v->signals, SIGTERM);
	(void) sigaddset(&v->signals, SIGINT);
	(void) sigaddset(&v->signals, SIGHUP);
	(void) pthread_sigmask(SIG_BLOCK, &v->signals, NULL);
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void) setrlimit(RLIMIT_NOFILE, &limit); /* fewer are enough, too */
	}
}

static int view_set_up(struct view *v)
{
	int r;

	if (v->config->allow_root && !mount_privileged())
		return problem_set(v->problem, -EPERM, "allow_root", "only root can mount with it; allow_other may do");
	r = mount_check(v->problem);
	if (r < 0)
		return r;
	r = io_engine_sync_new(&v->io);
	if (r < 0)
		return problem_errno(v->problem, r, v->config->mount_point);
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
	layers_seclude(&v->layers);
	(void) chdir("/"); /* all that was relative has been opened; what we stand in could not be unmounted */
	r = make_overlay(v);
	if (r == 0)
		r = make_mount(v);
	if (r == 0)
		r = record(v);
	return r;
}

static int view_run(const struct launch_config *c, int ready_fd, struct problem *p)
{
	struct view v = { .config = c, .problem = p, .layers = LAYERS_INIT, .beacon_fd = -EBADF, .ready_fd = ready_fd };
	int r;

	set_up_process(&v);
	r = view_set_up(&v);
	if (r == 0)
		r = serve(&v);
	/* Said before everything is taken down: the caller waits for that. */
	if (r < 0 && v.ready_fd >= 0)
		problem_print(p);
	view_done(&v, r < 0);
	return r;
}

/* What the caller had open would stay open for as long as the mount: locks, ends of pipes that somebody reads. */
static int keep_only(int fd)
{
	const int to = STDERR_FILENO + 1;

	if (fd != to) {
		if (dup3(fd, to, O_CLOEXEC) < 0)
			return fd;
		(void) fd_close(fd);
	}
	(void) syscall(SYS_close_range, to + 1, ~0U, 0); /* before 5.9 they stay */
	return to;
}

static _Noreturn void daemon_main(const struct launch_config *c, int ready_fd)
{
	struct problem p = { 0 };

	ready_fd = keep_only(ready_fd);
	(void) setsid(); /* a process that was just forked leads no group */
	_exit(view_run(c, ready_fd, &p) < 0 ? problem_exit_status(&p) : 0);
}

/* The daemon says why it failed; this is for one that could not. */
static int daemon_result(pid_t pid, const struct launch_config *c, struct problem *p)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return problem_errno(p, -errno, c->mount_point);
	p->usage = WIFEXITED(status) && WEXITSTATUS(status) == 2;
	p->text[0] = '\0'; /* was printed */
	if (WIFSIGNALED(status))
		return problem_set(p, -EIO, c->mount_point, "the daemon was killed by signal %d (%s)", WTERMSIG(status),
				   strsignal(WTERMSIG(status)));
	return -EIO;
}

int launch(const struct launch_config *c, struct problem *p)
{
	int pipe_fds[2], saved;
	char status;
	ssize_t n;
	pid_t pid;

	if (c->fake)
		return 0;
	if (c->remount)
		return mounted_remount(c->mount_point, &c->flags, p);
	if (c->foreground)
		return view_run(c, -EBADF, p);
	/* Missing standard descriptors would be given to the pipe, and closed by the daemon. */
	while ((saved = open("/dev/null", O_RDWR | O_CLOEXEC)) >= 0 && saved <= STDERR_FILENO)
		;
	(void) fd_close(saved);
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return problem_errno(p, -errno, c->mount_point);
	pid = fork();
	if (pid < 0)
		return problem_errno(p, -errno, c->mount_point);
	if (pid == 0) {
		(void) fd_close(pipe_fds[0]);
		daemon_main(c, pipe_fds[1]);
	}
	(void) fd_close(pipe_fds[1]);
	do
		n = read(pipe_fds[0], &status, 1);
	while (n < 0 && errno == EINTR);
	(void) fd_close(pipe_fds[0]);
	return n == 1 ? 0 : daemon_result(pid, c, p);
}
