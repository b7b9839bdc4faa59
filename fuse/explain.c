/*
 * See explain.h.
 *
 * What is there is asked of an overlay on the same layers, without a policy and without a mount; the upper is its topmost lower. So it
 * can be asked of a view that is in use, and sees what the view would show if nothing were forbidden.
 */

#include "fuse/explain.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/fold.h"
#include "fuse/boxes.h"
#include "fuse/escape.h"
#include "fuse/policies.h"
#include "fuse/problem.h"
#include "fuse/ways.h"
#include "io/io.h"
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

/* what is there */

struct there {
	bool exists;
	bool removed; /* by a whiteout in the upper */
	bool upper;   /* the upper has it */
	bool guarded; /* the policy is read from it, or by way of it */
	struct statx stx;
	char target[PATH_MAX]; /* of a link; "" */
	char missing[PATH_MAX]; /* the first component that is not there, as a path */
	char other[NAME_MAX + 1]; /* one that differs from it by case only; "" */
};

struct layer_fds {
	struct io_engine *io;
	int *v;
	size_t n;
	bool has_upper; /* v[0] */
};

static void layer_fds_done(struct layer_fds *l)
{
	for (size_t i = 0; i < l->n; i++)
		(void) fd_close(l->v[i]);
	free(l->v);
	l->io = io_engine_free(l->io);
}

static int add_layer(struct layer_fds *l, const char *path, struct problem *p)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return problem_errno(p, -errno, path);
	l->v[l->n++] = fd;
	return 0;
}

static int open_layers(struct layer_fds *l, const struct sandbox *sb, struct problem *p)
{
	static char root[] = "/";
	static char *const only_root[] = { root };
	const struct sandbox_settings *s = sb ? sandbox_settings((struct sandbox *) (uintptr_t) sb) : NULL;
	char *const *lowers = s && s->n_lowers > 0 ? s->lowers : only_root;
	size_t n = s && s->n_lowers > 0 ? s->n_lowers : 1;
	_cleanup_free_ char *own = NULL;
	int r = io_engine_sync_new(&l->io);

	l->v = calloc(n + 1, sizeof(*l->v));
	if (r < 0 || !l->v)
		return problem_errno(p, -ENOMEM, "layers");
	if (sb && !s->upper)
		r = sandbox_path(sb, "upper", &own);
	if (r < 0)
		return problem_errno(p, r, "layers");
	l->has_upper = sb;
	if (sb)
		r = add_layer(l, s->upper ? s->upper : own, p);
	for (size_t i = 0; i < n && r == 0; i++)
		r = add_layer(l, lowers[i], p);
	return r;
}

struct spelling {
	const char *name;
	char *ret;
};

static bool find_spelling(void *arg, const struct overlay_dirent *d, const struct entry *plus)
{
	const struct spelling *s = arg;
	char a[NAME_MAX * 4], b[NAME_MAX * 4];
	size_t n = fold_name(s->name, strlen(s->name), a, sizeof(a)), m = fold_name(d->name, d->name_len, b, sizeof(b));

	if (n == 0 || n != m || memcmp(a, b, n) != 0)
		return true;
	memcpy(s->ret, d->name, d->name_len);
	s->ret[d->name_len] = '\0';
	return false;
}

/* Is there one whose name differs by case only? */
static void look_for_spelling(struct overlay *ov, const struct actor *who, struct node *dir, const char *name, struct there *ret)
{
	struct spelling s = { .name = name, .ret = ret->other };
	struct overlay_dir *d;

	if (strlen(name) > NAME_MAX || overlay_opendir(ov, who, dir, &d) < 0)
		return;
	(void) overlay_readdir(d, who, 0, false, find_spelling, &s); /* what cannot be read has no advice to give */
	overlay_releasedir(d);
}

/* Goes down the path as far as there is one. Links are not followed: they are judged where they lead. */
static int walk(struct overlay *ov, const char *path, struct there *ret)
{
	const struct actor who = { .uid = geteuid(), .gid = getegid() };
	struct node *dir = overlay_root(ov);
	_cleanup_free_ char *copy = strdup(path);
	char *save = NULL;
	struct entry e = { .node = NULL };
	int r = copy ? overlay_getattr(ov, &who, dir, NULL, &ret->stx) : -ENOMEM;

	ret->exists = r == 0;
	for (char *c = copy ? strtok_r(copy, "/", &save) : NULL; c && r == 0; c = strtok_r(NULL, "/", &save)) {
		r = overlay_lookup(ov, &who, dir, c, &e); /* the counts go with the overlay */
		ret->exists = r == 1;
		if (r < 1) {
			(void) snprintf(ret->missing, sizeof(ret->missing), "%.*s", (int) (c - copy + (ptrdiff_t) strlen(c)), path);
			if (r == 0)
				look_for_spelling(ov, &who, dir, c, ret);
			return r == -ENOTDIR ? 0 : r;
		}
		r = 0;
		ret->stx = e.stx;
		dir = e.node;
	}
	if (r == 0 && S_ISLNK(ret->stx.stx_mode)) {
		ssize_t n = overlay_readlink(ov, &who, dir, ret->target, sizeof(ret->target) - 1);

		ret->target[MAX(n, (ssize_t) 0)] = '\0';
	}
	return r;
}

/* Has the upper something under the path, or a whiteout? */
static void look_in_upper(const struct layer_fds *l, const char *path, struct there *ret)
{
	struct statx stx;
	_cleanup_close_ int fd = (int) io_one(l->io, (struct io_op) {
		.kind = IO_OPEN_BENEATH, .fd = l->v[0], .name = path[1] ? path + 1 : ".", .flags = O_PATH | O_NOFOLLOW,
	});

	if (fd < 0 || io_statx(l->io, fd, NULL, STATX_BASIC_STATS, &stx) < 0)
		return;
	ret->removed = S_ISCHR(stx.stx_mode) && stx.stx_rdev_major == 0 && stx.stx_rdev_minor == 0;
	ret->upper = !ret->removed;
}

/* In the lower that rules can let be changed. */
static bool is_guarded(const struct layer_fds *l, const char *path, const struct ways *ways)
{
	const char *slash = strrchr(path, '/');
	_cleanup_free_ char *dir = slash > path ? strndup(path + 1, (size_t) (slash - path) - 1) : strdup(".");
	const char *const names[] = { path[1] ? path + 1 : ".", dir };
	bool guarded = false;

	for (size_t i = 0; dir && i < ARRAY_SIZE(names) && !guarded; i++) {
		_cleanup_close_ int fd = (int) io_one(l->io, (struct io_op) {
			.kind = IO_OPEN_BENEATH, .fd = l->v[l->has_upper], .name = names[i], .flags = O_PATH | O_NOFOLLOW,
		});

		guarded = fd >= 0 && ways_have(ways, fd, i == 0 ? NULL : slash + 1);
	}
	return guarded;
}

static int find_out(const struct sandbox *sb, const char *path, const struct ways *ways, struct there *ret, struct problem *p)
{
	_cleanup_(layer_fds_done) struct layer_fds l = { .io = NULL };
	_cleanup_(overlay_freep) struct overlay *ov = NULL;
	int r = open_layers(&l, sb, p);

	if (r < 0)
		return r;
	r = overlay_new(l.io, &(struct overlay_config) {
		.lower_fds = l.v, .n_lowers = l.n, .upper_fd = -EBADF, .work_fd = -EBADF, .userxattr = geteuid() != 0,
	}, &ov);
	if (r == 0)
		r = walk(ov, path, ret);
	if (r < 0 && r != -EACCES)
		return problem_errno(p, r, path);
	if (l.has_upper)
		look_in_upper(&l, path, ret);
	ret->guarded = is_guarded(&l, path, ways);
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
	(void) fprintf(f, "  verdict: %s%s%s%s", access_names[v->access], v->passage ? ", a passage to what a later rule names" : "",
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

/* What the policy is read from no rule lets be changed: see overlay.h. */
static int result_of(const struct policy_verdict *v, const struct there *t, const char *op)
{
	static const char *const fixed[] = { "write", "create", "remove", "rename" };

	for (size_t i = 0; i < ARRAY_SIZE(fixed) && t->guarded && v->access == POLICY_RW; i++)
		if (strcmp(op, fixed[i]) == 0)
			return -EROFS;
	return overlay_op_result(v, t->exists ? t->stx.stx_mode & S_IFMT : 0, op);
}

static int print_ops(FILE *f, const struct policy_verdict *v, const struct there *t, const char *op)
{
	if (t->guarded && v->access == POLICY_RW)
		(void) fputs("  policy: it is read from here, or by way of this: whatever the rules say, it stays as it is\n", f);
	if (op) {
		int r = result_of(v, t, op);

		(void) fprintf(f, "  %s: %s\n", op, error_text(r));
		return r < 0;
	}
	(void) fputs("  ops:", f);
	for (size_t i = 0; overlay_op_name(i); i++)
		(void) fprintf(f, " %s=%s", overlay_op_name(i), error_text(result_of(v, t, overlay_op_name(i))));
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

	if (t->removed)
		(void) fputs("  there: removed in this view: a whiteout is in the upper\n", f);
	if (!t->exists && !t->removed)
		print_name(f, "  there: absent: ", t->missing, " is in no layer\n");
	if (!t->exists && t->other[0])
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

int explain(const struct explain_config *c, FILE *f, struct problem *p)
{
	_cleanup_(box_done) struct box box = { .io = NULL };
	_cleanup_(policy_unrefp) struct policy *policy = NULL;
	_cleanup_(ways_done) struct ways ways = { .size = 0 };
	_cleanup_free_ char *report = NULL;
	struct there there = { .exists = false };
	const struct sandbox_rule *sources = c->sources;
	struct matches m = { .f = f };
	struct policy_verdict v;
	size_t n = c->n_sources;
	char path[PATH_MAX];
	bool is_dir, fold = false;
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
	}
	r = policies_load(sources, n, fold, &ways, &policy, &report, p);
	if (report)
		(void) fputs(report, stderr);
	if (r == 0)
		r = find_out(box.sandbox, path, &ways, &there, p);
	if (r < 0)
		return r;
	is_dir = there.exists ? S_ISDIR(there.stx.stx_mode) : c->path[strlen(c->path) - 1] == '/';
	r = policy_judge(policy, path, is_dir, &v);
	if (r < 0)
		return problem_errno(p, r, path);
	if (c->op && overlay_op_result(&v, 0, c->op) == 1)
		return problem_usage(p, c->op, "no such operation; there are look list read write exec create remove rename link attr getxattr setxattr");
	m.policy = policy;
	m.verdict = &v;
	print_name(f, "", path, "\n");
	print_verdict(f, policy, &v);
	(void) policy_matches(policy, path, is_dir, print_match, &m); /* it was judged a moment ago: only memory can run out */
	r = print_ops(f, &v, &there, c->op);
	print_there(f, &there, box.sandbox, 6 | (is_dir || (c->op && strcmp(c->op, "exec") == 0) ? 1 : 0));
	return r;
}
