/* See explain.h. */

#include "fuse/explain.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuse/boxes.h"
#include "fuse/escape.h"
#include "fuse/policies.h"
#include "fuse/problem.h"
#include "fuse/there.h"
#include "fuse/ways.h"
#include "overlay/overlay.h"
#include "policy/policy.h"
#include "store/store.h"

/* paths */

/* Absolute, without "." and "..": as text, since what is there may be hidden. */
static int normalise(const char *path, char ret[static PATH_MAX])
{
	_cleanup_free_ char *full = NULL, *cwd = path[0] == '/' ? NULL : getcwd(NULL, 0);
	char *save = NULL;
	size_t len = 0;

	if (asprintf(&full, "%s/%s", cwd ? cwd : "", path) < 0) {
		full = NULL;
		return -ENOMEM;
	}
	for (char *c = strtok_r(full, "/", &save); c; c = strtok_r(NULL, "/", &save)) {
		size_t n = strlen(c);

		if (strcmp(c, ".") == 0)
			continue;
		if (strcmp(c, "..") == 0) {
			while (len > 0 && ret[--len] != '/')
				;
			continue;
		}
		if (len + 1 + n >= PATH_MAX)
			return -ENAMETOOLONG;
		ret[len++] = '/';
		memcpy(ret + len, c, n);
		len += n;
	}
	if (len == 0)
		ret[len++] = '/';
	ret[len] = '\0';
	return 0;
}

/* saying it */

static const char *const access_names[] = {
	[POLICY_HIDE] = "hide", [POLICY_DENY] = "deny", [POLICY_RO] = "ro", [POLICY_COW] = "cow", [POLICY_RW] = "rw",
};

/* Also what is said to be there was named by somebody who need not be trusted. */
static void print_name(FILE *f, const char *before, const char *name, const char *after)
{
	(void) fputs(before, f);
	(void) escape_put(f, name, "\\\"");
	(void) fputs(after, f);
}

static void print_rule(FILE *f, const struct policy *policy, int rule)
{
	const struct policy_rule *r = policy_rule(policy, rule);

	print_name(f, "", r->source, "");
	(void) fprintf(f, ":%u:%u: %s ", r->line, r->column, policy_verb_name(r->verb));
	(void) escape_put(f, r->pattern, ""); /* its backslashes mean something */
}

static void print_verdict(FILE *f, const struct policy *policy, const struct policy_verdict *v)
{
	enum policy_access access = v->file != POLICY_NO_RULE && v->access == POLICY_RW ? POLICY_COW : v->access; /* see overlay.h */

	(void) fprintf(f, "  verdict: %s%s%s%s", access_names[access], v->passage ? ", a passage to what a later rule names" : "",
		       v->noexec ? ", noexec" : "", v->log ? ", log" : "");
	if (v->rule == POLICY_NO_RULE)
		(void) fputs(" (no rule: what holds without one)\n", f);
	else
		(void) fputc('\n', f);
}

struct matches {
	FILE *f;
	const struct policy *policy;
	const struct policy_verdict *verdict;
	unsigned int n;
};

static int print_match(void *arg, int rule)
{
	struct matches *m = arg;
	const struct policy_verdict *v = m->verdict;
	bool decides = rule == v->rule || rule == v->exec_rule || rule == v->log_rule ||
		       (v->file != POLICY_NO_RULE && rule == policy_file(m->policy, v->file)->rule);

	if (m->n++ == 0)
		(void) fputs("  rules that match, the last of its kind decides (*):\n", m->f);
	(void) fputs(decides ? "  * " : "    ", m->f);
	print_rule(m->f, m->policy, rule);
	(void) fputc('\n', m->f);
	return 0;
}

static const char *error_text(int r)
{
	return r == 0 ? "allowed" : strerrorname_np(-r);
}

/* A name in a denied directory, and denied like it, is content of that directory: it is not even found. */
static int judge_denied_above(const struct policy *policy, const char *path, const struct policy_verdict *v, bool *ret)
{
	_cleanup_free_ char *above = strndup(path, MAX((size_t) (strrchr(path, '/') - path), (size_t) 1));
	struct policy_verdict dir;
	int r = above ? policy_judge(policy, above, true, &dir) : -ENOMEM;

	if (r == 0)
		*ret = strcmp(path, "/") != 0 && dir.access == POLICY_DENY && v->access == POLICY_DENY && !v->passage;
	return r;
}

/* What is asked about: a name is judged as what it is, and where it is to be made a directory as one. */
struct question {
	struct policy_verdict v, as_dir;
	bool in_denied;
};

static int result_of(const struct question *q, const struct there *t, const char *op)
{
	const struct policy_verdict *v = strcmp(op, "mkdir") == 0 ? &q->as_dir : &q->v;

	if (q->in_denied && strcmp(op, "look") == 0)
		return -v->error;
	return overlay_op_result(v, t->exists ? t->stx.stx_mode & S_IFMT : 0, t->guarded, op);
}

static int print_ops(FILE *f, const struct question *q, const struct there *t, const char *op)
{
	if (t->guarded && q->v.access == POLICY_RW)
		(void) fputs("  policy: it is read from here, or the view lives here, or either by way of this: whatever the rules say, it stays as it is\n", f);
	if (op) {
		int r = result_of(q, t, op);

		(void) fprintf(f, "  %s: %s\n", op, error_text(r));
		return r < 0;
	}
	(void) fputs("  ops:", f);
	for (size_t i = 0; overlay_op_name(i); i++)
		(void) fprintf(f, " %s=%s", overlay_op_name(i), error_text(result_of(q, t, overlay_op_name(i))));
	(void) fputc('\n', f);
	return 0;
}

static const char *type_name(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return "file";
	case S_IFDIR:
		return "directory";
	case S_IFLNK:
		return "symbolic link";
	case S_IFIFO:
		return "FIFO";
	case S_IFSOCK:
		return "socket";
	}
	return "device";
}

static bool in_group(gid_t gid)
{
	gid_t groups[1024];
	int n = getgroups(ARRAY_SIZE(groups), groups);

	for (int i = 0; i < n; i++)
		if (groups[i] == gid)
			return true;
	return gid == getegid();
}

/* The permission bits that the caller has, as rwx; ACLs and the directories above are not looked at. */
static unsigned int own_bits(const struct statx *stx)
{
	if (geteuid() == 0)
		return 6 | (stx->stx_mode & 0111 || S_ISDIR(stx->stx_mode) ? 1 : 0);
	if (stx->stx_uid == geteuid())
		return stx->stx_mode >> 6 & 7;
	return in_group(stx->stx_gid) ? stx->stx_mode >> 3 & 7 : stx->stx_mode & 7;
}

/* need: what the bits are to let one do. */
static void print_there(FILE *f, const struct there *t, const struct sandbox *sb, unsigned int need)
{
	const struct passwd *pw;
	const struct group *gr;
	unsigned int bits;

	if (!t->exists && t->removed)
		print_name(f, "  there: absent: ", t->missing, " was removed in this view: a whiteout is in the upper\n");
	else if (!t->exists && t->unseen)
		print_name(f, "  there: absent: ", t->missing, " is in a lower and does not show: its directory was made anew, or is one that views leave empty\n");
	else if (!t->exists)
		print_name(f, "  there: absent: ", t->missing, " is in no layer\n");
	if (t->other[0])
		print_name(f, "  there: it is spelled \"", t->other, "\"\n");
	if (!t->exists)
		return;
	pw = getpwuid(t->stx.stx_uid);
	gr = getgrgid(t->stx.stx_gid);
	(void) fprintf(f, "  there: a %s%s, mode %04o, of %s:%s\n", type_name(t->stx.stx_mode),
		       !sb ? "" : t->upper ? ", changed or made in this view" : ", as in the lower", t->stx.stx_mode & 07777,
		       pw ? pw->pw_name : "?", gr ? gr->gr_name : "?");
	bits = own_bits(&t->stx);
	if (t->target[0])
		print_name(f, "  there: it leads to ", t->target, ", and is judged there when it is followed\n");
	else if ((bits & need) != need)
		(void) fprintf(f, "  mode: whatever the policy says, its bits do not let you%s%s%s\n", need & ~bits & 4 ? " read" : "",
			       need & ~bits & 2 ? " write" : "",
			       need & ~bits & 1 ? S_ISDIR(t->stx.stx_mode) ? " enter" : " execute" : "");
}

/* What the view lives on, as far as it is there: see keep_places() in view.c. */
static int add_places(struct sandbox *sb, struct ways *ways)
{
	const struct sandbox_settings *s = sandbox_settings(sb);
	_cleanup_free_ char *store = NULL, *upper = NULL, *work = NULL;
	int r = store_default_path(&store);

	if (r == 0 && !s->upper)
		r = sandbox_path(sb, "upper", &upper);
	if (r == 0 && !s->upper)
		r = sandbox_path(sb, "work", &work);
	for (size_t i = 0; i < 4 && r != -ENOMEM; i++) {
		const char *path = (const char *[]) { store, upper ? upper : s->upper, work ? work : s->work, s->mount_point }[i];

		r = path ? ways_add_names(ways, path) : 0;
	}
	return r == -ENOMEM ? r : 0;
}

int explain(const struct explain_config *c, FILE *f, struct problem *p)
{
	_cleanup_(box_done) struct box box = { .io = NULL };
	_cleanup_(policy_unrefp) struct policy *policy = NULL;
	_cleanup_(ways_done) struct ways ways = { .size = 0 };
	_cleanup_free_ char *report = NULL;
	struct there there = { .exists = false };
	const struct sandbox_rule *sources = c->sources;
	const char *const *lowers = NULL;
	struct matches m = { .f = f };
	struct question q = { .in_denied = false };
	struct policy_verdict v;
	size_t n = c->n_sources;
	char path[PATH_MAX];
	bool is_dir, fold = false, made;
	int r = normalise(c->path, path);

	if (r < 0)
		return problem_errno(p, r, c->path);
	if (c->name) {
		r = box_open(&box, c->name, p);
		if (r < 0)
			return r;
		if (n == 0) {
			sources = sandbox_settings(box.sandbox)->policy;
			n = sandbox_settings(box.sandbox)->n_policy;
		}
		fold = sandbox_settings(box.sandbox)->fold;
		lowers = (const char *const *) sandbox_settings(box.sandbox)->lowers;
	}
	r = policies_load(sources, n, lowers, fold, &ways, &policy, &report, p);
	if (report)
		(void) fputs(report, stderr);
	if (r == 0 && box.sandbox && add_places(box.sandbox, &ways) < 0)
		r = problem_errno(p, -ENOMEM, path);
	if (r == 0)
		r = there_find(box.sandbox, path, false, &ways, &there, p);
	if (r < 0)
		return r;
	is_dir = there.exists ? S_ISDIR(there.stx.stx_mode) : c->path[strlen(c->path) - 1] == '/';
	r = policy_judge(policy, path, is_dir, &v);
	if (r == 0)
		r = judge_denied_above(policy, path, &v, &q.in_denied);
	if (r == 0)
		r = policy_judge(policy, path, true, &q.as_dir);
	if (r < 0)
		return problem_errno(p, r, path);
	made = v.file != POLICY_NO_RULE && !there.upper && !there.removed;
	if (v.access == POLICY_RW && !made)
		r = there_find(box.sandbox, path, true, &ways, &there, p);
	if (r < 0)
		return r;
	if (c->op && overlay_op_result(&v, 0, 0, c->op) == 1)
		return problem_usage(p, c->op, "no such operation; there are look list read write exec create mkdir remove rename link attr getxattr setxattr");
	m.policy = policy;
	m.verdict = &v;
	print_name(f, "", path, "\n");
	print_verdict(f, policy, &v);
	(void) policy_matches(policy, path, is_dir, print_match, &m); /* it was judged a moment ago: only memory can run out */
	q.v = v;
	r = print_ops(f, &q, &there, c->op);
	if (made)
		(void) fputs("  there: a file that the policy makes up\n", f);
	else
		print_there(f, &there, box.sandbox, 6 | (is_dir || (c->op && strcmp(c->op, "exec") == 0) ? 1 : 0));
	return r;
}
