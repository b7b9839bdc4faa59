/* See warden.h. */

#include "fuse/warden.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "fuse/caller.h"
#include "fuse/control.h"
#include "fuse/policies.h"
#include "fuse/problem.h"
#include "fuse/serve.h"
#include "fuse/ways.h"
#include "overlay/overlay.h"
#include "policy/policy.h"
#include "store/log.h"
#include "store/store.h"

#define OTHER_DESCRIPTORS 64 /* what a view needs at least, and some */

struct warden {
	struct warden_config config;
	struct policy *policy; /* of the beginning */
	struct ways ways; /* to its files, and to the places, until the overlay knows them */
	char **places; /* where the view has what it lives on */
	size_t n_places;
	struct ways ways_before; /* to the places, as they were before there was the mount: it may hide them */
	struct overlay_guards guards; /* the same, as the overlay wants them */
	dev_t own_dev; /* of the mount; -1: there is none yet */
	struct log *log;
	struct control *control;
	struct overlay *ov;
	struct serve *serve;
};

/*
 * Whoever can change the policy has none. In the lower its files are guarded, whatever the rules say; but what is in the upper can be
 * changed without an rw rule.
 */
static int check_ways(const struct warden_config *c, const struct ways *ways, struct problem *p)
{
	if (!ways_enter(ways, c->upper_fd))
		return 0;
	(void) problem_set(p, -EPERM, "policy", "is read from a file in the upper: programs in the view could change it");
	return problem_hint(p, -EPERM, "keep it, and what it includes, elsewhere");
}

/* Made-up files are open as long as the rules hold, and those of two policies while the one replaces the other. */
static int check_descriptors(const struct policy *policy, struct problem *p)
{
	size_t n = policy_n_files(policy), wanted = 2 * n + OTHER_DESCRIPTORS;
	struct rlimit limit;

	if (n == 0 || getrlimit(RLIMIT_NOFILE, &limit) < 0 || wanted <= limit.rlim_max)
		return 0;
	(void) problem_set(p, -EMFILE, "policy", "its %zu made-up files need more descriptors than the %llu that a process may have", n,
			   (unsigned long long) limit.rlim_max);
	return problem_hint(p, -EMFILE, "ulimit -Hn %zu", wanted);
}

/*
 * Where the view is mounted over its policy, the path leads to what the view makes of it: that has changes from the upper in it, and guards
 * on it would guard nothing in the lower.
 */
static int refuse_own(char **report, struct problem *p)
{
	free(*report); /* it is of a text that anybody may have written */
	*report = NULL;
	(void) problem_set(p, -EPERM, "policy", "would be read from inside the view: programs in it could change it");
	return problem_hint(p, -EPERM, "the next mount reads it; keep it, and what it includes, where the view is not mounted over it");
}

/* ways may be set also on failure. */
static int load(const struct warden *w, struct policy **ret, struct ways *ways, char **ret_report, struct problem *p)
{
	_cleanup_(policy_unrefp) struct policy *policy = NULL;
	const struct warden_config *c = &w->config;
	int r;

	*ret_report = NULL;
	*ret = NULL;
	if (c->none && c->n_sources == 0)
		return 0;
	r = policies_load(c->sources, c->n_sources, c->lowers, c->fold, ways, &policy, ret_report, p);
	if (ways_enter_dev(ways, w->own_dev))
		return refuse_own(ret_report, p);
	if (r == 0)
		r = check_ways(c, ways, p);
	if (r == 0)
		r = check_descriptors(policy, p);
	if (r < 0)
		return r;
	*ret = steal_ptr(policy);
	return 0;
}

int warden_new(const struct warden_config *config, struct warden **ret, struct problem *p)
{
	_cleanup_free_ char *report = NULL;
	struct warden *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return problem_errno(p, -ENOMEM, "policy");
	w->config = *config;
	w->own_dev = (dev_t) -1;
	r = load(w, &w->policy, &w->ways, &report, p);
	if (report)
		(void) fputs(report, stderr); /* more than a problem has room for, and said before it */
	if (r < 0) {
		(void) warden_free(w);
		return r;
	}
	policies_warn(w->policy, config->lowers);
	*ret = w;
	return 0;
}

struct warden *warden_free(struct warden *w)
{
	if (!w)
		return NULL;
	warden_detach(w);
	w->log = log_close(w->log);
	(void) policy_unref(w->policy);
	ways_done(&w->ways);
	ways_done(&w->ways_before);
	for (size_t i = 0; i < w->n_places; i++)
		free(w->places[i]);
	free(w->places);
	free(w);
	return NULL;
}

struct policy *warden_policy(const struct warden *w)
{
	return w->policy;
}

bool warden_logs(const struct warden *w)
{
	size_t n = w->policy ? policy_n_rules(w->policy) : 0, i = 0;

	while (i < n && policy_rule(w->policy, (int) i)->verb != POLICY_VERB_LOG)
		i++;
	return i < n;
}

const struct overlay_guards *warden_guards(struct warden *w)
{
	w->guards = ways_guards(&w->ways);
	return &w->guards;
}

void warden_set_own_dev(struct warden *w, dev_t dev)
{
	w->own_dev = dev;
}

/* places */

static int add_place(struct warden *w, const char *path)
{
	char **v = reallocarray(w->places, w->n_places + 1, sizeof(*v));

	if (!v)
		return -ENOMEM;
	w->places = v;
	v[w->n_places] = strdup(path);
	if (!v[w->n_places])
		return -ENOMEM;
	w->n_places++;
	return 0;
}

int warden_keep(struct warden *w, const char *path, struct problem *p)
{
	int r = ways_add_names(&w->ways_before, path);

	if (r == 0)
		r = ways_add_all(&w->ways, &w->ways_before);
	if (r == 0)
		r = add_place(w, path);
	return r < 0 ? problem_errno(p, r, path) : 0;
}

/* As they are now, too: what somebody has put there meanwhile is what the next mount finds. */
static int renew_places(const struct warden *w, struct ways *ways)
{
	int r = ways_add_all(ways, &w->ways_before);

	for (size_t i = 0; i < w->n_places && r != -ENOMEM; i++)
		r = ways_add_names(ways, w->places[i]); /* as far as it goes: from outside it can have been taken away */
	return r == -ENOMEM ? r : 0;
}

/* reports */

static const char *verdict_name(const struct overlay_report *r)
{
	static const char *const names[] = {
		[POLICY_HIDE] = "hide", [POLICY_DENY] = "deny", [POLICY_RO] = "ro", [POLICY_COW] = "cow", [POLICY_RW] = "rw",
	};
	const struct policy_verdict *v = r->verdict;

	if (r->guarded)
		return "policy";
	return r->error == EACCES && r->rule == v->exec_rule && v->noexec && v->access > POLICY_DENY ? "noexec" : names[v->access];
}

/*
 * The program that waits for us: it is there, and reading a link of /proc asks no file system. That takes the rights of a debugger, and
 * so a program that is not dumpable can be seen by root only.
 */
static const char *exe_of(pid_t pid, char buf[static PATH_MAX])
{
	char link[32];
	ssize_t n;

	(void) snprintf(link, sizeof(link), "/proc/%d/exe", (int) pid);
	n = pid > 0 ? readlink(link, buf, PATH_MAX - 1) : -1;
	if (n < 0)
		return NULL;
	buf[n] = '\0';
	return buf;
}

void warden_report(void *warden, const struct overlay_report *r)
{
	struct warden *w = warden;
	const struct policy_rule *rule = r->rule != POLICY_NO_RULE ? policy_rule(r->policy, r->rule) : NULL;
	char exe[PATH_MAX], comm[CALLER_COMM_BYTES];
	struct log_event e = {
		.pid = r->who->pid, .uid = r->who->uid, .op = r->op, .path = r->path, .path2 = r->path2, .is_dir = r->is_dir, .cut = r->cut,
		.verdict = verdict_name(r), .error = r->error,
		.rule_source = rule ? rule->source : NULL, .rule_line = rule ? rule->line : 0, .rule_text = rule ? rule->pattern : NULL,
	};

	if (w->config.debug)
		(void) dprintf(STDERR_FILENO, "osfuse: policy: %s %s: %s (%s %s:%u)\n", e.op, e.path, strerror(e.error), e.verdict,
			       rule ? rule->source : "no rule", e.rule_line);
	if (!w->log)
		return;
	e.exe = exe_of(e.pid, exe);
	e.pid = caller_process(e.pid);
	if (!e.exe && caller_comm(e.pid, comm))
		e.comm = comm;
	log_add(w->log, &e);
}

/* reloading */

static void tell_stale(void *arg, const struct overlay_stale *stale)
{
	struct warden *w = arg;

	(void) serve_tell_stale(w->serve, stale); /* fails when the mount is going: then nobody remembers */
}

static int reload(struct warden *w, char **ret_text)
{
	_cleanup_(policy_unrefp) struct policy *policy = NULL;
	_cleanup_(ways_done) struct ways ways = { .size = 0 };
	_cleanup_free_ char *report = NULL;
	struct overlay_guards guards;
	struct problem p = { 0 };
	size_t n;
	int r = load(w, &policy, &ways, &report, &p);

	if (r == 0 && renew_places(w, &ways) < 0)
		r = problem_errno(&p, -ENOMEM, "policy");
	if (r < 0) {
		if (asprintf(ret_text, "%s%s%s%s", report ? report : "", p.text, p.hint[0] ? "\nhint: " : "", p.hint) < 0)
			*ret_text = NULL;
		return r;
	}
	guards = ways_guards(&ways);
	n = policy ? policy_n_rules(policy) : 0;
	r = overlay_set_policy(w->ov, policy, &guards, tell_stale, w);
	if (r == 0 && asprintf(ret_text, "%zu rule%s", n, n == 1 ? "" : "s") < 0)
		*ret_text = NULL;
	return r;
}

static int on_request(void *arg, const char *request, char **ret_text)
{
	if (strcmp(request, "reload") == 0)
		return reload(arg, ret_text);
	*ret_text = strdup("unknown request");
	return -EINVAL;
}

int warden_attach(struct warden *w, struct sandbox *sandbox, struct overlay *ov, struct serve *serve, struct problem *p)
{
	int r;

	w->ov = ov;
	w->serve = serve;
	w->guards = (struct overlay_guards) { .n = 0 };
	ways_done(&w->ways);
	if (!sandbox)
		return 0;
	r = log_open(sandbox_fd(sandbox), NULL, &w->log);
	if (r < 0) /* as with a disk that is full later: it stops the log, not the view */
		(void) fprintf(stderr, "osfuse: %s: log: %s; refusals will not be recorded\n", sandbox_name(sandbox), strerror(-r));
	r = control_new(sandbox_fd(sandbox), on_request, w, &w->control);
	return r < 0 ? problem_errno(p, r, "control socket") : 0;
}

void warden_detach(struct warden *w)
{
	w->control = control_free(w->control);
}
