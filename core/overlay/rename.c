/*
 * Renaming.
 *
 * Everything is copied up first: what moves, and both directories. Then, with the names of both held, one rename() of the upper
 * does it, in the form that leaves the right thing behind:
 *
 *      the old name is in a layer below    RENAME_WHITEOUT leaves a whiteout in the same step
 *      a directory goes onto a whiteout    they change places; the whiteout serves at the old name, or is removed
 *      onto an empty directory             one that holds whiteouts is replaced by one that is really empty first
 *
 * A directory that has parts in layers below is not copied: it gets a redirect, the path where those parts are. And one
 * that has none, but goes to a name that a layer below has, is made opaque.
 */

#include "overlay/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "io/walk.h"
#include "overlay/copyup.h"
#include "overlay/create.h"
#include "overlay/dircache.h"
#include "overlay/attr.h"
#include "overlay/gate.h"
#include "overlay/lease.h"
#include "overlay/listing.h"
#include "overlay/look.h"
#include "overlay/metacopy.h"
#include "overlay/moving.h"
#include "overlay/place.h"
#include "overlay/remove.h"
#include "overlay/spell.h"
#include "overlay/spot.h"
#include "overlay/unlock.h"

#define MAX_TRIES 1000 /* see spot.c */

/* One of the two names. */
struct end {
	struct node *dir;
	const char *name;
	struct node *node; /* referenced; NULL: absent */
	bool exact; /* the name as it is given, not one that differs by case */
	uint32_t n_links;
	char index_name[META_INDEX_NAME_MAX];
	bool upper_whiteout;
	bool in_the_way; /* what the policy hides is where this name would be made: see look_in_the_way() */
	struct judgement j;
	struct dirfd_scope upper; /* the directory in the upper; in the lower, for what is changed there */
	bool in_upper, below;
};

struct rename {
	struct overlay *ov;
	const struct actor *who;
	struct end from, to;
	unsigned int flags;
	bool direct; /* in the lower itself */
	bool enters; /* a directory comes under other rules: it is empty, and has to stay so until that is known */
	int kept_fd; /* of what is replaced */
	struct node *looked[2]; /* referenced: what the names meant before they were held */
};

static void end_done(struct overlay *ov, struct end *e)
{
	e->node = node_unref(ov, e->node);
	judgement_done(&e->j);
	dirfd_scope_done(&e->upper);
	e->upper.d = NULL;
}

static void rename_done(struct rename *rn)
{
	end_done(rn->ov, &rn->from);
	end_done(rn->ov, &rn->to);
	rn->kept_fd = fd_close(rn->kept_fd);
	for (size_t i = 0; i < ARRAY_SIZE(rn->looked); i++)
		(void) node_unref(rn->ov, rn->looked[i]);
}

static int look_end(struct overlay *ov, struct end *e, bool direct)
{
	FOUND(f);
	int r;

	e->node = node_unref(ov, e->node);
	judgement_done(&e->j);
	r = (e->exact ? look_node_exact : look_node)(ov, e->dir, e->name, &f, &e->node);
	if (r < 0)
		return r;
	e->j = f.j;
	f.j.state = NULL; /* ours now */
	e->upper_whiteout = f.upper_whiteout;
	e->in_the_way = look_in_the_way(&f, layer_for_change(direct));
	e->n_links = !f.exists ? 0 : f.alone ? 1 : f.stx.stx_nlink;
	(void) strcpy(e->index_name, f.index_name);
	return 0;
}

/* The same in the lower itself, where nothing of that name may be in a layer below. */
static int examine_direct(struct overlay *ov, struct end *e)
{
	bool below;
	int r = look_end(ov, e, true);

	if (r == 0)
		r = look_below_layer(ov, e->dir, e->name, LAYER_LOWER, &below);
	if (r == 0 && below)
		r = -EROFS;
	return r < 0 ? r : dirfd_get(ov, e->dir, LAYER_LOWER, &e->upper.d);
}

/* Where an object physically is in the upper, and what is below. With the names held. */
static int examine_end(struct overlay *ov, struct end *e)
{
	struct statx stx;
	int r = look_end(ov, e, false);

	if (r == 0)
		r = dirfd_get(ov, e->dir, LAYER_UPPER, &e->upper.d);
	if (r == 0)
		r = look_below(ov, e->dir, e->name, &e->below);
	if (r < 0)
		return r;
	r = io_statx(ov->io, e->upper.d->fd, e->name, STATX_TYPE, &stx);
	e->in_upper = r == 0 && !e->upper_whiteout;
	return r == -ENOENT ? 0 : r;
}

/* Is a directory the other, or somewhere in it? */
static bool is_within(struct overlay *ov, struct node *dir, const struct node *other)
{
	char name[NAME_BYTES];
	bool within = dir == other;

	node_ref(dir);
	while (dir && !within) {
		struct node *up = node_parent(ov, dir, name);

		(void) node_unref(ov, dir);
		dir = up;
		within = dir == other;
	}
	(void) node_unref(ov, dir);
	return within;
}

static bool has_lower_parts(struct overlay *ov, struct node *n)
{
	SCOPE_LOCK(&node_shard(ov, n)->lock);
	return n->places && n->places->v[n->places->n - 1].layer != LAYER_UPPER;
}

static bool is_in_lower_only(struct overlay *ov, struct node *n)
{
	SCOPE_LOCK(&node_shard(ov, n)->lock);
	return n->layer == LAYER_LOWER && !(n->places && n->places->n > 1);
}

static int report_two(const struct rename *rn, const struct end *a, const struct end *b, int error)
{
	return gate_report_two(rn->ov, rn->who, GATE_RENAME, a->dir, a->name, b->dir, b->name, a->node->type, error);
}

/* May a directory come under other rules? Nothing is in it, and nothing will be but what is made in it: a part in a lower may get more. */
static int may_enter(const struct rename *rn, struct node *dir, const struct end *to)
{
	bool whole = node_is_upper(rn->ov, dir) ? !has_lower_parts(rn->ov, dir) : is_in_lower_only(rn->ov, dir);
	int r = whole ? judge_makes_up(&to->j) : 1;

	return r == 0 ? listing_is_bare(rn->ov, dir) : r == 1 ? 0 : r;
}

/*
 * What moves must be under the same rules afterwards, and so must all that is in it: else, as between file systems, it can only be
 * copied, which takes the right to read it. Under rules that are not the same but stricter too: a look-up that is under way
 * may have gone by the old ones. But for directories in which nothing is: package managers make them under one name and put
 * them in place before they fill them.
 */
static int check_move(struct rename *rn, const struct end *from, const struct end *to)
{
	mode_t type = from->node->type;
	int r = ruling_same_rights(judged(&from->j, type), judged(&to->j, type));

	if (r == 1 && S_ISDIR(type)) {
		r = judge_same_below(&from->j, &to->j);
		if (r == 0) {
			r = may_enter(rn, from->node, to);
			rn->enters |= r == 1;
		}
	}
	return r < 0 ? r : r == 1 ? 0 : report_two(rn, from, to, -EXDEV);
}

static int check_moves(struct rename *rn)
{
	int r = check_move(rn, &rn->from, &rn->to);

	return r == 0 && rn->flags & RENAME_EXCHANGE ? check_move(rn, &rn->to, &rn->from) : r;
}

static int gate_end(const struct rename *rn, const struct end *e, enum gate_op op, mode_t type, bool *log)
{
	return gate_half_name(rn->ov, rn->who, op, e->dir, e->name, type, log);
}

/* What the policy forbids. What goes away from a name, and what comes to it. */
static int check_policy(struct rename *rn)
{
	struct node *from = rn->from.node, *to = rn->to.node;
	bool exchange = rn->flags & RENAME_EXCHANGE;
	bool log = false, log_removal = false;
	int r = gate_end(rn, &rn->from, GATE_RENAME, from->type, &log);

	if (r == 0)
		r = gate_end(rn, &rn->to, S_ISDIR(from->type) ? GATE_MKDIR : GATE_CREATE, from->type, &log);
	if (r == 0 && to)
		r = gate_end(rn, &rn->to, exchange ? GATE_RENAME : GATE_REMOVE, to->type, exchange ? &log : &log_removal);
	if (r == 0 && exchange)
		r = gate_end(rn, &rn->from, S_ISDIR(to->type) ? GATE_MKDIR : GATE_CREATE, to->type, &log);
	if (r == 0)
		r = check_moves(rn);
	if (r == 0)
		rn->direct = ruling_is_direct(judged(&rn->from.j, from->type));
	if (r == 0 && log)
		(void) report_two(rn, &rn->from, &rn->to, 0);
	if (r == 0 && log_removal)
		(void) gate_report_name(rn->ov, rn->who, GATE_REMOVE, rn->to.dir, rn->to.name, to->type, 0);
	return r;
}

/* What rename(2) forbids. 1: there is nothing to do. */
static int check(struct rename *rn)
{
	struct overlay *ov = rn->ov;
	struct node *from = rn->from.node, *to = rn->to.node;

	if (!from || (!to && rn->flags & RENAME_EXCHANGE))
		return -ENOENT;
	if (to && rn->flags & RENAME_NOREPLACE)
		return -EEXIST;
	if (to == from)
		return 1; /* two names of one object, or one name: both stay */
	if (node_has_flag(ov, from, NODE_FIXED) || (to && node_has_flag(ov, to, NODE_FIXED)))
		return -EBUSY;
	if (S_ISDIR(from->type) && is_within(ov, rn->to.dir, from))
		return -EINVAL;
	if (rn->flags & RENAME_EXCHANGE)
		return S_ISDIR(to->type) && is_within(ov, rn->from.dir, to) ? -EINVAL : 0;
	if (to && S_ISDIR(to->type)) {
		int r;

		if (!S_ISDIR(from->type))
			return -EISDIR;
		if (is_within(ov, rn->from.dir, to))
			return -ENOTEMPTY;
		r = listing_check_empty(ov, to);
		return r == -EACCES ? gate_report_name(ov, rn->who, GATE_REMOVE, rn->to.dir, rn->to.name, S_IFDIR, r) : r;
	}
	return to && S_ISDIR(from->type) ? -ENOTDIR : 0;
}

/* In the topmost lower, both names and what they mean; and a directory with no part elsewhere that it would lose. */
static int prepare_direct(struct rename *rn)
{
	struct overlay *ov = rn->ov;
	struct node *const nodes[] = { rn->from.node, rn->to.node };
	mode_t type = rn->from.node->type;
	int r = create_check_place(ov, rn->who, GATE_RENAME, rn->from.dir, rn->from.name, &rn->from.j, type);

	if (r == 0)
		r = create_check_place(ov, rn->who, GATE_RENAME, rn->to.dir, rn->to.name, &rn->to.j, type);
	for (size_t i = 0; i < ARRAY_SIZE(nodes) && r == 0; i++) {
		if (!nodes[i])
			continue;
		r = copyup_for_change(ov, rn->who, nodes[i], COPYUP_META);
		if (r == 0 && !is_in_lower_only(ov, nodes[i]))
			r = report_two(rn, &rn->from, &rn->to, -EXDEV);
	}
	return r;
}

static int copy_up_all(struct rename *rn)
{
	struct overlay *ov = rn->ov;
	struct node *to = rn->to.node;
	bool counted = to && !S_ISDIR(to->type) && rn->to.n_links > 1 && ov->index_fd >= 0;
	int r;

	if (rn->direct)
		return prepare_direct(rn);
	if (ov->no_redirect && (has_lower_parts(ov, rn->from.node) || (rn->flags & RENAME_EXCHANGE && has_lower_parts(ov, to))))
		return -EXDEV;
	r = create_check_dir(ov, rn->who, rn->from.dir, false);
	if (r == 0)
		r = create_check_dir(ov, rn->who, rn->to.dir, false);
	if (r == 0)
		r = copyup(ov, rn->who, rn->from.node, COPYUP_META);
	if (r == 0)
		r = metacopy_pin(ov, rn->who, rn->from.node);
	/* What changes places moves too; what is replaced but has other names is counted from now on. */
	if (r == 0 && (rn->flags & RENAME_EXCHANGE || counted))
		r = copyup(ov, rn->who, to, COPYUP_META);
	if (r == 0 && rn->flags & RENAME_EXCHANGE)
		r = metacopy_pin(ov, rn->who, to);
	return r;
}

/* redirects */

/* The new paths of a directory's places, by which its parts below stay reachable under another name. */
struct paths {
	size_t n;
	char *v[MAX_LAYERS];
	uint16_t layers[MAX_LAYERS];
};

static int new_paths(struct overlay *ov, const struct end *e, bool same_dir, struct paths *ret)
{
	int r = 0;

	{
		SCOPE_LOCK(&node_shard(ov, e->node)->lock);
		for (uint16_t i = 0; i < e->node->places->n; i++) {
			const struct place *p = &e->node->places->v[i];

			if (p->layer == LAYER_UPPER)
				continue;
			ret->layers[ret->n] = p->layer;
			ret->v[ret->n++] = p->path ? strdup(p->path) : NULL;
		}
	}
	for (size_t i = 0; i < ret->n && r == 0; i++) {
		_cleanup_free_ char *own = NULL;
		char buf[META_PATH_MAX], *path;

		if (ret->v[i] && (ret->v[i][0] == '/' || same_dir))
			continue;
		own = steal_ptr(ret->v[i]);
		if (same_dir) {
			ret->v[i] = strdup(e->name);
		} else {
			r = place_path(ov, e->dir, ret->layers[i], buf, &path);
			if (r == 0 && asprintf(&ret->v[i], "%s/%s", path, own ? own : e->name) < 0)
				ret->v[i] = NULL;
		}
		if (r == 0 && !ret->v[i])
			r = -ENOMEM;
		if (r == 0 && strlen(ret->v[i]) >= META_PATH_MAX)
			r = -EXDEV; /* what is stored fits the buffers of all who read it */
	}
	return r;
}

/* What a directory that moves is to be told, and where its parts are afterwards. */
struct plan {
	const char *attr; /* META_REDIRECT, META_OPAQUE; NULL: nothing */
	char value[META_REDIRECT_MAX + 1];
	struct paths paths;
	char *redirect; /* value again, for the node */
};

/* The path, or name, by which the layers below know a directory: what its redirect is to say. */
static int redirect_text(struct overlay *ov, const struct end *e, bool same_dir, char value[static META_REDIRECT_MAX + 1])
{
	char buf[META_PATH_MAX], *path = buf, own[META_REDIRECT_MAX + 1] = "";
	int n, r;

	{
		SCOPE_LOCK(&node_shard(ov, e->node)->lock);
		if (e->node->ext && e->node->ext->redirect)
			(void) strcpy(own, e->node->ext->redirect);
	}
	buf[0] = '\0';
	if (own[0] != '/' && !same_dir) {
		r = place_path(ov, e->dir, LAYER_UPPER, buf, &path);
		if (r < 0)
			return r;
	}
	n = snprintf(value, META_REDIRECT_MAX + 1, "%s%s%s", path, own[0] == '/' || same_dir ? "" : "/", own[0] ? own : e->name);
	return n < 0 || n > META_REDIRECT_MAX ? -EXDEV : 0;
}

static void plan_done(struct plan *plan)
{
	for (size_t i = 0; i < plan->paths.n; i++)
		free(plan->paths.v[i]);
	free(plan->redirect);
}

static int plan_dir(struct overlay *ov, const struct end *e, const struct end *goal, struct plan *plan)
{
	bool same_dir = e->dir == goal->dir;
	int r;

	if (!S_ISDIR(e->node->type))
		return 0;
	if (!has_lower_parts(ov, e->node)) {
		plan->attr = goal->below || goal->in_upper || goal->upper_whiteout ? META_OPAQUE : NULL;
		(void) strcpy(plan->value, "y");
		return 0;
	}
	plan->attr = META_REDIRECT;
	r = new_paths(ov, e, same_dir, &plan->paths);
	if (r == 0)
		r = redirect_text(ov, e, same_dir, plan->value);
	if (r < 0)
		return r;
	plan->redirect = strdup(plan->value);
	SCOPE_LOCK(&node_shard(ov, e->node)->lock);
	return plan->redirect && node_ext_get(e->node) ? 0 : -ENOMEM;
}

static int tell_dir(struct overlay *ov, const struct end *e, const struct plan *plan)
{
	return plan->attr ? unlock_meta_set(ov, e->upper.d->fd, e->name, plan->attr, plan->value, strlen(plan->value)) : 0;
}

/* Nothing here can fail: the directory has moved. */
static void install_plan(struct overlay *ov, struct node *n, struct plan *plan)
{
	const struct paths *paths = &plan->paths;

	if (!plan->redirect)
		return;
	SCOPE_LOCK(&node_shard(ov, n)->lock);
	for (size_t i = 0; i < paths->n; i++) {
		for (uint16_t j = 0; j < n->places->n; j++) {
			struct place *p = &n->places->v[j];

			if (p->layer != paths->layers[i])
				continue;
			free(p->path);
			p->path = paths->v[i];
			plan->paths.v[i] = NULL;
		}
	}
	free(n->ext->redirect); /* ext is there since the plan was made */
	n->ext->redirect = steal_ptr(plan->redirect);
	n->seq++;
}

/* the rename itself */

/* An indexed object may be seen under a name that only a lower has: give it that name in the upper, to be moved. */
static int link_from_index(struct overlay *ov, struct end *e)
{
	int r;

	if (!e->node || e->in_upper || !e->index_name[0])
		return 0;
	r = io_link(ov->io, ov->index_fd, e->index_name, e->upper.d->fd, e->name);
	if (r < 0)
		return r;
	e->in_upper = true;
	return attr_set_links_now(ov, e->index_name, e->n_links); /* too high until then: see count_down() in remove.c */
}

static int copy_dir_attrs(struct overlay *ov, const struct end *e, const char *temp)
{
	struct statx stx;
	int r = io_statx(ov->io, e->upper.d->fd, e->name, STATX_BASIC_STATS, &stx);

	if (r == 0)
		r = io_chown(ov->io, ov->work_fd, temp, stx.stx_uid, stx.stx_gid);
	return r < 0 ? r : io_chmod(ov->io, ov->work_fd, temp, stx.stx_mode & 07777);
}

/* The directory that will be replaced holds whiteouts: an opaque one without takes its place, which shows the same. */
static int empty_target(struct overlay *ov, struct end *e)
{
	char temp[TEMP_BYTES];
	int r;

	temp_name(ov, temp);
	r = io_mkdir(ov->io, ov->work_fd, temp, 0700, NULL);
	if (r < 0)
		return r;
	r = copy_dir_attrs(ov, e, temp);
	if (r == 0)
		r = meta_set(&ov->meta, ov->work_fd, temp, META_OPAQUE, "y", 1);
	if (r == 0)
		r = unlock_rename(ov, ov->work_fd, temp, e->upper.d->fd, e->name, RENAME_EXCHANGE);
	if (r == 0)
		(void) walk_remove(ov->io, ov->work_fd, temp);
	else
		(void) io_unlink(ov->io, ov->work_fd, temp, AT_REMOVEDIR);
	return r;
}

static int move(struct rename *rn)
{
	struct overlay *ov = rn->ov;
	int from = rn->from.upper.d->fd, to = rn->to.upper.d->fd, r;
	unsigned int whiteout = rn->from.below ? RENAME_WHITEOUT : 0;

	if (rn->direct || rn->flags & RENAME_EXCHANGE)
		return io_rename(ov->io, from, rn->from.name, to, rn->to.name, rn->flags);
	if (S_ISDIR(rn->from.node->type) && rn->to.upper_whiteout) {
		r = io_rename(ov->io, from, rn->from.name, to, rn->to.name, RENAME_EXCHANGE);
		if (r == 0 && !whiteout)
			(void) io_unlink(ov->io, from, rn->from.name, 0); /* a whiteout of nothing is harmless */
		return r;
	}
	r = io_rename(ov->io, from, rn->from.name, to, rn->to.name, whiteout);
	if ((r == -ENOTEMPTY || r == -EEXIST) && rn->to.node && S_ISDIR(rn->to.node->type)) {
		r = empty_target(ov, &rn->to);
		if (r == 0)
			r = io_rename(ov->io, from, rn->from.name, to, rn->to.name, whiteout);
	}
	return r == -EINVAL && whiteout ? -EXDEV : r; /* a file system without RENAME_WHITEOUT */
}

/* What was replaced has one name less. See count_down() in remove.c. */
static void count_down_target(struct rename *rn)
{
	const struct end *to = &rn->to;

	if (to->node && !(rn->flags & RENAME_EXCHANGE) && to->index_name[0] && !to->in_upper)
		(void) attr_set_links_now(rn->ov, to->index_name, to->n_links - 1);
}

static int settle(struct rename *rn, struct plan *from_plan, struct plan *to_plan)
{
	struct overlay *ov = rn->ov;
	struct end *from = &rn->from, *to = &rn->to;
	int r;

	attr_own_ctime(ov, from->node);
	if (to->node)
		attr_own_ctime(ov, to->node);
	install_plan(ov, from->node, from_plan);
	install_plan(ov, to->node, to_plan);
	if (rn->flags & RENAME_EXCHANGE) {
		r = node_move_name(ov, to->node, to->dir, to->name, from->dir, from->name);
		if (r < 0)
			return r;
	} else if (to->node) {
		bool dead = S_ISDIR(to->node->type) || to->n_links <= 1;

		node_drop_name(ov, to->node, to->dir, to->name, steal_fd(&rn->kept_fd), dead);
	}
	r = node_move_name(ov, from->node, from->dir, from->name, to->dir, to->name);
	if (rn->enters)
		judge_moved(ov, from->node);
	if (rn->enters && rn->flags & RENAME_EXCHANGE)
		judge_moved(ov, to->node);
	return r;
}

static int note_impure(struct overlay *ov, struct node *n, const struct end *goal)
{
	{
		SCOPE_LOCK(&node_shard(ov, n)->lock);
		if (!(n->ext && n->ext->record.has & META_RECORD_INO) && !(n->places && n->places->n > 1))
			return 0;
	}
	return mark_impure(ov, goal->dir, goal->upper.d->fd);
}

/* First what may be refused, so that a refusal has changed nothing. */
static int prepare_ends(struct rename *rn, struct plan *from, struct plan *to)
{
	struct overlay *ov = rn->ov;
	bool exchange = rn->flags & RENAME_EXCHANGE;
	int r = plan_dir(ov, &rn->from, &rn->to, from);

	if (r == 0 && exchange)
		r = plan_dir(ov, &rn->to, &rn->from, to);
	if (r == 0)
		r = tell_dir(ov, &rn->from, from);
	if (r == 0 && exchange)
		r = tell_dir(ov, &rn->to, to);
	if (r == 0)
		r = link_from_index(ov, &rn->from);
	if (r == 0 && exchange)
		r = link_from_index(ov, &rn->to);
	if (r == 0)
		r = note_impure(ov, rn->from.node, &rn->to);
	if (r == 0 && exchange)
		r = note_impure(ov, rn->to.node, &rn->from);
	return r;
}

/* With everything copied up and the names held. */
static int rename_held(struct rename *rn)
{
	struct overlay *ov = rn->ov;
	_cleanup_(plan_done) struct plan from = { .attr = NULL }, to = { .attr = NULL };
	bool exchange = rn->flags & RENAME_EXCHANGE;
	int r;

	if (rn->to.node && !exchange) {
		SPOT(s);

		metacopy_before_removal(ov, rn->to.node);
		(void) spot_open(ov, rn->to.node, O_PATH, &s, &rn->kept_fd); /* see keep() in remove.c */
	}
	r = rn->direct ? 0 : prepare_ends(rn, &from, &to);
	if (r < 0)
		return r;
	MOVING(ov);
	r = move(rn);
	if (r < 0)
		return r;
	count_down_target(rn);
	return settle(rn, &from, &to);
}

/* -EAGAIN: things changed between looking and holding. */
static int try_rename(struct rename *rn)
{
	struct overlay *ov = rn->ov;
	struct node *from, *to;
	LEASE_SET(names);
	unsigned int n_entered;
	uint32_t stamp;
	int r;

	r = look_end(ov, &rn->from, false);
	if (r == 0)
		r = look_end(ov, &rn->to, false);
	if (r == 0)
		r = check(rn);
	if (r == 0)
		r = check_policy(rn);
	if (r != 0)
		return r;
	r = copy_up_all(rn);
	if (r < 0)
		return r;
	stamp = rn->from.j.stamp;
	n_entered = rn->from.j.n_entered;
	from = rn->looked[0] = steal_ptr(rn->from.node);
	to = rn->looked[1] = steal_ptr(rn->to.node);
	lease_take_names(ov, (struct node *[LEASE_SET_SIZE]) {
		rn->from.dir, rn->to.dir, to && S_ISDIR(to->type) ? to : NULL, rn->enters ? from : NULL,
	}, &names);
	r = (rn->direct ? examine_direct : examine_end)(ov, &rn->from);
	if (r == 0)
		r = (rn->direct ? examine_direct : examine_end)(ov, &rn->to);
	if (r == -EROFS) /* of the names, something is below the topmost lower */
		return gate_report_two(ov, rn->who, GATE_RENAME, rn->from.dir, rn->from.name, rn->to.dir, rn->to.name, from->type, r);
	if (r < 0)
		return r;
	if (rn->from.node != from || rn->to.node != to || rn->direct == node_is_upper(ov, from) || rn->from.j.stamp != stamp ||
	    rn->to.j.n_entered != n_entered)
		return -EAGAIN;
	r = check(rn);
	if (r == 0 && rn->enters)
		r = check_moves(rn); /* is it empty still? */
	if (r == 0 && rn->to.in_the_way)
		r = gate_report_name(ov, rn->who, GATE_CREATE, rn->to.dir, rn->to.name, S_IFDIR, -EACCES);
	return r != 0 ? r : rename_held(rn);
}

int overlay_rename(struct overlay *ov, const struct actor *who, struct node *dir, const char *name, struct node *new_dir,
		   const char *new_name, unsigned int flags)
{
	char buf[NAME_BYTES], new_buf[NAME_BYTES];
	bool exact = false;
	int r;

	if (flags & ~(unsigned int) (RENAME_NOREPLACE | RENAME_EXCHANGE) || flags == (RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	r = look_check_name(name);
	if (r == 0)
		r = create_check_name(ov, new_name);
	if (r == 0 && !(S_ISDIR(dir->type) && S_ISDIR(new_dir->type)))
		r = -ENOTDIR;
	if (r == 0 && !ov->writable)
		r = -EROFS;
	if (r == 0) {
		name = spell_real(ov, dir, name, buf);
		/* A name that changes its case only is another one; else the one that is there is taken. */
		exact = ov->fold && dir == new_dir && spell_case_only(name, new_name);
		new_name = exact ? new_name : spell_real(ov, new_dir, new_name, new_buf);
	}
	for (int tries = 0; r == 0 && tries < MAX_TRIES; tries++) {
		_cleanup_(rename_done) struct rename rn = {
			.ov = ov, .who = who, .flags = flags, .kept_fd = -EBADF,
			.from = { .dir = dir, .name = name, .upper.ov = ov },
			.to = { .dir = new_dir, .name = new_name, .exact = exact, .upper.ov = ov },
		};

		r = try_rename(&rn);
		if (r == -EAGAIN) {
			r = 0;
			continue;
		}
		return r < 0 ? r : 0;
	}
	return r < 0 ? r : -EBUSY;
}
