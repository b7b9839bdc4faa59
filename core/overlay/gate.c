/* See gate.h. The table of what is refused is decide(); the rest finds out whom to tell what. */

#include "overlay/gate.h"

#include <errno.h>
#include <string.h>

#define REPORT_PATH_BYTES 4096

static bool is_change(enum gate_op op)
{
	switch (op) {
	case GATE_WRITE:
	case GATE_CREATE:
	case GATE_MKDIR:
	case GATE_REMOVE:
	case GATE_RENAME:
	case GATE_ATTR:
	case GATE_XATTR_SET:
		return true;
	default:
		return false;
	}
}

static bool is_making(enum gate_op op)
{
	return op == GATE_CREATE || op == GATE_MKDIR;
}

/* Of what is guarded. A link would be a name for it that is not. */
static bool is_fixed_change(enum gate_op op)
{
	return is_change(op) || op == GATE_LINK;
}

int gate_decide(enum gate_op op, const struct ruling *r)
{
	/* A way to what is below: may be gone along, and made. */
	bool passes = r->passage && (op == GATE_STAT || op == GATE_LOOK || op == GATE_LIST || op == GATE_MKDIR);

	switch ((enum policy_access) r->access) {
	case POLICY_HIDE:
		if (passes)
			return 0;
		return r->passage || is_making(op) ? -EACCES : -ENOENT;
	case POLICY_DENY:
		return passes || op == GATE_STAT || op == GATE_LOOK ? 0 : -r->error;
	case POLICY_RO:
		if (is_change(op))
			return -EROFS;
		break;
	case POLICY_RW:
		if (r->fixed && is_fixed_change(op))
			return -EROFS;
		break;
	case POLICY_COW:
		break;
	}
	return op == GATE_EXEC && r->noexec ? -EACCES : 0;
}

bool gate_shuts(const struct ruling *r, mode_t type)
{
	bool opened_by_kernel = S_ISCHR(type) || S_ISBLK(type) || S_ISFIFO(type) || S_ISSOCK(type);

	return r->access == POLICY_DENY && opened_by_kernel;
}

/* reports */

static const char *op_name(enum gate_op op)
{
	static const char *const names[] = {
		[GATE_STAT] = "look",	  [GATE_LOOK] = "look",	    [GATE_LIST] = "list",	[GATE_READ] = "read",
		[GATE_WRITE] = "write",	  [GATE_EXEC] = "exec",	    [GATE_CREATE] = "create",	[GATE_MKDIR] = "create",
		[GATE_REMOVE] = "remove", [GATE_RENAME] = "rename", [GATE_LINK] = "link",	[GATE_ATTR] = "attr",
		[GATE_XATTR_GET] = "getxattr", [GATE_XATTR_SET] = "setxattr",
	};

	return names[op];
}

/* Reports have one name for all that is made; a passage can be made as a directory only. */
static const char *asked_name(enum gate_op op)
{
	return op == GATE_MKDIR ? "mkdir" : op_name(op);
}

const char *overlay_op_name(size_t i)
{
	static const enum gate_op ops[] = {
		GATE_LOOK, GATE_LIST, GATE_READ, GATE_WRITE, GATE_EXEC, GATE_CREATE, GATE_MKDIR, GATE_REMOVE, GATE_RENAME, GATE_LINK, GATE_ATTR,
		GATE_XATTR_GET, GATE_XATTR_SET,
	};

	return i < ARRAY_SIZE(ops) ? asked_name(ops[i]) : NULL;
}

/* Asked of the name alone: another name of something guarded can be taken away. */
static bool is_of_name(enum gate_op op)
{
	return is_making(op) || op == GATE_REMOVE || op == GATE_RENAME;
}

int overlay_op_result(const struct policy_verdict *v, mode_t type, unsigned int guarded, const char *op)
{
	struct ruling ruling = ruling_of(v);

	for (enum gate_op i = GATE_LOOK; i <= GATE_XATTR_SET; i++) {
		if (strcmp(asked_name(i), op) != 0)
			continue;
		ruling.fixed = is_of_name(i) ? guarded & OVERLAY_GUARDED_NAME : guarded;
		if (i == GATE_LINK && ruling.access == POLICY_RO)
			return -EXDEV; /* wherever something can be made, the verdict is another one: see check_class() */
		return gate_shuts(&ruling, type) ? -ruling.error : gate_decide(i, &ruling);
	}
	return 1;
}

#define CUT_MARK "\xe2\x80\xa6" /* … */

/* A path that is built from its end. */
struct report_path {
	char *at; /* where it begins, in buf */
	bool cut; /* what is above does not fit */
	char buf[REPORT_PATH_BYTES];
};

/* Once something is left out, so is all that is above it: a path with a hole would be that of something else. */
static void prepend(struct report_path *p, const char *component)
{
	size_t len = strlen(component);

	p->cut |= (size_t) (p->at - p->buf) < len + 1 + strlen(CUT_MARK);
	if (p->cut)
		return;
	p->at -= len;
	memcpy(p->at, component, len);
	*--p->at = '/';
}

struct place_of_deed {
	struct node *dir; /* with a name; or the node itself */
	const char *name; /* NULL */
	mode_t type;
	bool nameless; /* a file that has no name, in dir */
	bool guarded; /* and so refused, whatever the rules say */
};

static void path_of(struct overlay *ov, const struct place_of_deed *place, struct report_path *ret)
{
	char text[NAME_BYTES];
	struct node *n = place->dir;

	ret->cut = false;
	ret->at = ret->buf + sizeof(ret->buf) - 1;
	*ret->at = '\0';
	if (place->name)
		prepend(ret, place->name);
	node_ref(n);
	while (n && n != ov->root && !ret->cut) {
		struct node *up = node_parent(ov, n, text);

		if (up)
			prepend(ret, text);
		(void) node_unref(ov, n);
		n = up;
	}
	(void) node_unref(ov, n);
	if (ret->cut) {
		ret->at -= strlen(CUT_MARK);
		memcpy(ret->at, CUT_MARK, strlen(CUT_MARK));
	} else if (!*ret->at) {
		*--ret->at = '/';
	}
}

/*
 * By the name in its directory: the way to it is too long to be judged as a path. -EAGAIN: other rules are in force now. -ENOENT: it is in
 * a directory that was removed.
 */
static int judge_place(struct overlay *ov, const struct rules *rules, const struct place_of_deed *place, struct policy_verdict *ret)
{
	char text[NAME_BYTES];
	bool in_dir = place->name || place->nameless;
	struct node *dir = in_dir ? place->dir : node_parent(ov, place->dir, text);
	JUDGEMENT(j);
	int r = dir ? judge_name(ov, dir, in_dir ? place->name : text, &j) : -ENOENT;

	if (!in_dir)
		(void) node_unref(ov, dir);
	if (r == 0 && j.stamp != rules->stamp)
		return -EAGAIN;
	if (r == 0 && !j.state)
		return -ENOENT;
	if (r == 0)
		*ret = S_ISDIR(place->type) ? j.step.as_dir : j.step.as_file;
	return r;
}

/* Reports are rare: the verdict is asked for again, for the sake of the rule. */
static int verdict_of(struct overlay *ov, const struct rules *rules, const struct place_of_deed *place, const struct report_path *p,
		      struct policy_verdict *ret)
{
	int r = p->cut || place->nameless ? judge_place(ov, rules, place, ret) : -ENOENT;

	return r != -ENOENT ? r : policy_judge(rules->policy, p->at + (p->cut ? strlen(CUT_MARK) : 0), S_ISDIR(place->type), ret);
}

/* Of two directories, is it what is in them that is not the same? */
static bool differ_inside(const struct place_of_deed *place, const struct policy_verdict *v, const struct policy_verdict *other)
{
	const struct ruling a = ruling_of(v), b = ruling_of(other);

	return S_ISDIR(place->type) && ruling_same_rights(&a, &b);
}

/* Who decided: of what is not the same for two paths, the rule for the one, or if there is none for the other. */
static int rule_of(enum gate_op op, const struct policy_verdict *v, const struct policy_verdict *other, int error)
{
	bool may_run = v->access > POLICY_DENY;

	if (error == 0)
		return v->log_rule == POLICY_NO_RULE && other ? other->log_rule : v->log_rule;
	if (other && v->access == other->access && v->noexec != other->noexec)
		return v->exec_rule != POLICY_NO_RULE ? v->exec_rule : other->exec_rule;
	if (op == GATE_EXEC && v->noexec && may_run)
		return v->exec_rule;
	return v->rule == POLICY_NO_RULE && other ? other->rule : v->rule;
}

static int report(struct overlay *ov, const struct actor *who, enum gate_op op, const struct place_of_deed *place,
		  const struct place_of_deed *place2, int error)
{
	const struct rules *rules = rules_now(ov);
	struct report_path p, p2 = { .cut = false };
	struct policy_verdict v, first;
	struct overlay_report r = { .who = who, .op = op_name(op), .policy = rules->policy, .verdict = &v, .error = -error };
	int failed;

	if (!ov->report || !rules->policy)
		return error;
	path_of(ov, place, &p);
	if (place2)
		path_of(ov, place2, &p2);
	failed = verdict_of(ov, rules, place2 ? place2 : place, place2 ? &p2 : &p, &v);
	if (failed == 0 && place2)
		failed = verdict_of(ov, rules, place, &p, &first);
	if (failed == -EAGAIN)
		return report(ov, who, op, place, place2, error); /* once: the next change of rules waits for us */
	if (failed < 0)
		return error;
	r.is_dir = S_ISDIR(place->type) || place->nameless;
	r.cut = p.cut || p2.cut;
	r.path = p.at;
	r.path2 = place2 ? p2.at : NULL;
	r.rule = POLICY_NO_RULE;
	if (place2 && error < 0 && !r.cut && differ_inside(place, &v, &first))
		r.rule = policy_rule_between(rules->policy, r.path, r.path2);
	r.guarded = place->guarded;
	if (r.rule == POLICY_NO_RULE && !r.guarded)
		r.rule = rule_of(op, &v, place2 ? &first : NULL, error);
	ov->report(ov->report_arg, &r);
	return error;
}

/* What the gate refuses where the rules would not. */
static bool is_guarded(const struct ruling *ruling, int refused)
{
	return refused == -EROFS && ruling_is_direct(ruling) && ruling->fixed;
}

int gate_half_node(struct overlay *ov, const struct actor *who, enum gate_op op, struct node *n, bool *log)
{
	struct ruling ruling;
	int r = is_fixed_change(op) ? judge_node_to_change(ov, n, &ruling) : judge_node(ov, n, &ruling);

	if (r < 0)
		return r;
	r = gate_shuts(&ruling, n->type) ? -ruling.error : gate_decide(op, &ruling);
	if (r < 0)
		(void) report(ov, who, op, &(struct place_of_deed) { n, NULL, n->type, false, is_guarded(&ruling, r) }, NULL, r);
	*log |= ruling.log;
	return r;
}

int gate_node(struct overlay *ov, const struct actor *who, enum gate_op op, struct node *n)
{
	bool log = false;
	int r = gate_half_node(ov, who, op, n, &log);

	return r == 0 && log && op != GATE_STAT ? gate_report_node(ov, who, op, n, 0) : r;
}

int gate_half_name(struct overlay *ov, const struct actor *who, enum gate_op op, struct node *dir, const char *name, mode_t type,
		   bool *log)
{
	const struct ruling *ruling;
	JUDGEMENT(j);
	int r = judge_name(ov, dir, name, &j);

	if (r < 0)
		return r;
	ruling = judged(&j, type);
	r = gate_decide(op, ruling);
	if (r < 0)
		(void) report(ov, who, op, &(struct place_of_deed) { dir, name, type, !name, is_guarded(ruling, r) }, NULL, r);
	*log |= ruling->log;
	return r;
}

int gate_name(struct overlay *ov, const struct actor *who, enum gate_op op, struct node *dir, const char *name, mode_t type)
{
	bool log = false;
	int r = gate_half_name(ov, who, op, dir, name, type, &log);

	return r == 0 && log && op != GATE_STAT ? gate_report_name(ov, who, op, dir, name, type, 0) : r;
}

int gate_report_node(struct overlay *ov, const struct actor *who, enum gate_op op, struct node *n, int error)
{
	struct ruling ruling;
	bool guarded = judge_node_to_change(ov, n, &ruling) == 0 && is_guarded(&ruling, error);

	return report(ov, who, op, &(struct place_of_deed) { n, NULL, n->type, false, guarded }, NULL, error);
}

int gate_report_name(struct overlay *ov, const struct actor *who, enum gate_op op, struct node *dir, const char *name, mode_t type,
		     int error)
{
	return report(ov, who, op, &(struct place_of_deed) { dir, name, type, !name }, NULL, error);
}

int gate_report_two(struct overlay *ov, const struct actor *who, enum gate_op op, struct node *dir, const char *name,
		    struct node *dir2, const char *name2, mode_t type, int error)
{
	return report(ov, who, op, &(struct place_of_deed) { dir, name, type }, &(struct place_of_deed) { dir2, name2, type }, error);
}
