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
 * Signals are waited for by a thread of their own, which unmounts while the others go on serving: the kernel may have
 * data to write back before it lets go.
 */

#include "fuse/launch.h"

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
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "fuse/mount.h"
#include "fuse/mounted.h"
#include "fuse/problem.h"
#include "fuse/serve.h"
#include "fuse/view.h"
#include "fuse/warden.h"
#include "store/store.h"

/* The lower may change under the view: within a second that shows. Our own changes the kernel knows of at once. */
#define CACHE_TIMEOUT_MS 1000
/* Each open file of the view takes one. More than that, and what goes through all of them would take its time. */
#define MAX_DESCRIPTORS 1048576UL

/* A mount that is off its mount point is done at once, unless it has users still: files that were open when it was detached. */
#define USERS_PATIENCE_SECONDS 1

struct daemon {
	struct view view;
	struct serve *serve;
	int ready_fd; /* of the pipe to the caller; -EBADF in the foreground */
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

static void tell_terminal(const struct view *v)
{
	if (!isatty(STDERR_FILENO))
		return;
	if (v->config->flags.read_only || !v->layers.upper)
		(void) fprintf(stderr, "osfuse: %s: mounted (read-only)\n", v->mount_point);
	else if (v->sandbox && sandbox_settings(v->sandbox)->ephemeral && !v->place.store)
		(void) fprintf(stderr, "osfuse: %s: mounted (changes go away with the mount)\n", v->mount_point);
	else if (v->sandbox && !v->place.store)
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
	struct daemon *d = arg;
	char status = 0;

	d->view.served = true;
	tell_terminal(&d->view);
	if (d->ready_fd < 0)
		return;
	release_stdio();
	/* Nobody there to hear it: whoever wanted the mount was interrupted. */
	if (write(d->ready_fd, &status, 1) != 1)
		(void) kill(getpid(), SIGTERM);
	d->ready_fd = fd_close(d->ready_fd);
}

static void *signal_main(void *arg)
{
	const struct timespec patience = { .tv_sec = USERS_PATIENCE_SECONDS };
	struct daemon *d = arg;
	struct mount *mount = d->view.mount;
	int sig;

	(void) prctl(PR_SET_NAME, "signals"); /* for people who look */
	(void) sigwait(&d->signals, &sig);    /* fails for no reason that could be here */
	if (!d->ended && mount_detach(mount, false) < 0) {
		mount_sync(mount);
		(void) mount_detach(mount, true); /* in use: out of sight at least */
	} else if (!d->ended) {
		/* The device tells that it is done with, serving ends, and we are woken for that. Asked twice: no more waiting. */
		while (sigtimedwait(&d->signals, NULL, &patience) < 0 && errno == EINTR)
			;
	}
	serve_stop(d->serve);
	return NULL;
}

static int start_signal_thread(struct daemon *d)
{
	int r = pthread_create(&d->signal_thread, NULL, signal_main, d);

	if (r != 0)
		return problem_errno(d->view.problem, -r, d->view.mount_point);
	d->has_signal_thread = true;
	return 0;
}

static void end_signal_thread(struct daemon *d)
{
	if (!d->has_signal_thread)
		return;
	d->ended = true;
	(void) pthread_kill(d->signal_thread, SIGTERM); /* it is there until joined */
	(void) pthread_join(d->signal_thread, NULL);
	d->has_signal_thread = false;
}

static int serve(struct daemon *d)
{
	struct view *v = &d->view;
	const struct serve_config config = {
		.fuse_fd = mount_fd(v->mount),
		.ov = v->overlay,
		.n_workers = v->config->n_threads,
		.debug = v->config->debug,
		.attr_timeout_ms = CACHE_TIMEOUT_MS,
		/* What the kernel knows of one spelling of a name, a change under another would leave as it was. */
		.entry_timeout_ms = view_folds(v) ? 0 : CACHE_TIMEOUT_MS,
		.negative_timeout_ms = view_folds(v) ? 0 : CACHE_TIMEOUT_MS,
		/* Whoever reads one once more is recorded, too. */
		.ask_for_links = warden_logs(v->warden),
		.ready = on_ready,
		.ready_arg = d,
	};
	int r;

	r = serve_new(&config, &d->serve);
	if (r < 0)
		return problem_errno(v->problem, r, v->mount_point);
	r = warden_attach(v->warden, v->sandbox, v->overlay, d->serve, v->problem);
	if (r == 0)
		r = start_signal_thread(d);
	if (r < 0)
		return r;
	r = serve_run(d->serve);
	d->unmounted = r == 0;
	if (r == -EPROTO)
		return problem_set(v->problem, r, v->mount_point, "this kernel's FUSE is too old");
	if (r == -ECONNABORTED)
		return problem_set(v->problem, r, v->mount_point, "the connection to the kernel was aborted");
	return r < 0 ? problem_errno(v->problem, r, v->mount_point) : 0;
}

/* From the inside out; copes with a daemon that never got this far. */
static void daemon_done(struct daemon *d, bool failed)
{
	struct view *v = &d->view;

	end_signal_thread(d);
	if (v->warden)
		warden_detach(v->warden);
	/* Still mounted after serving, as after an abort: it would answer nothing any more. */
	if (v->mount && !d->unmounted)
		(void) mount_detach(v->mount, true);
	d->serve = serve_free(d->serve);
	view_done(v, failed);
	(void) fd_close(d->ready_fd);
}

/* As far as the hard limit goes, and beyond where we may. */
static void raise_limit(__rlimit_resource_t what, rlim_t wanted)
{
	struct rlimit limit, more;

	if (getrlimit(what, &limit) < 0)
		return;
	more.rlim_cur = more.rlim_max = MAX(limit.rlim_max, wanted);
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(what, &more) < 0)
		(void) setrlimit(what, &limit); /* what there is has to be enough */
}

static rlim_t most_descriptors(void)
{
	FILE *f = fopen("/proc/sys/fs/nr_open", "re");
	unsigned long n;

	if (!f || fscanf(f, "%lu", &n) != 1)
		n = 0;
	if (f)
		(void) fclose(f); /* only read from */
	return MIN(n, MAX_DESCRIPTORS);
}

/* The shell that mounts has limits for what it does itself; here they would hold for everybody who uses the view. */
static void lift_limits(void)
{
	(void) signal(SIGXFSZ, SIG_IGN); /* a limit that stays is an error for the writer, not our end */
	raise_limit(RLIMIT_FSIZE, RLIM_INFINITY);
	raise_limit(RLIMIT_NOFILE, most_descriptors());
}

static void set_up_process(struct daemon *d)
{
	(void) prctl(PR_SET_NAME, "osfuse"); /* also when called as mount.fuse.osfuse */
	(void) umask(0);
	(void) signal(SIGPIPE, SIG_IGN);
	(void) signal(SIGCHLD, SIG_DFL); /* helpers are waited for */
	/* Waited for by a thread; the threads to come inherit this. */
	(void) sigemptyset(&d->signals);
	(void) sigaddset(&d->signals, SIGTERM);
	(void) sigaddset(&d->signals, SIGINT);
	(void) sigaddset(&d->signals, SIGHUP);
	(void) pthread_sigmask(SIG_BLOCK, &d->signals, NULL);
	lift_limits();
}

static int daemon_run(const struct launch_config *c, int ready_fd, struct problem *p)
{
	struct daemon d = { .ready_fd = ready_fd };
	int r;

	set_up_process(&d);
	r = view_init(&d.view, c, p);
	if (r == 0)
		r = serve(&d);
	/* Said before everything is taken down: the caller waits for that. */
	if (r < 0 && d.ready_fd >= 0)
		problem_print(p);
	daemon_done(&d, r < 0);
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
	_exit(daemon_run(c, ready_fd, &p) < 0 ? problem_exit_status(&p) : 0);
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
		return daemon_run(c, -EBADF, p);
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
