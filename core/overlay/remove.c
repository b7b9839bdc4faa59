/*
 * Removing names. What only the upper has goes; what a layer below has is hidden by a whiteout, which takes the name's place in one
 * step, so that at no moment the lower object shows again. Directories are moved to the work directory first and taken
 * apart there.
 */

#include "overlay/remove.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "io/walk.h"
#include "overlay/attr.h"
#include "overlay/copyup.h"
#include "overlay/create.h"
#include "overlay/dircache.h"
#include "overlay/gate.h"
#include "overlay/lease.h"
#include "overlay/listing.h"
#include "overlay/look.h"
#include "overlay/metacopy.h"
#include "overlay/moving.h"
#include "overlay/spell.h"
#include "overlay/spot.h"
#include "overlay/unlock.h"

#define WHITEOUT_MODE (S_IFCHR | 0000)

int whiteout_make(struct overlay *ov, char temp[static TEMP_BYTES])
{
	temp_name(ov, temp);
	return io_mknod(ov->io, ov->work_fd, temp, WHITEOUT_MODE, 0, NULL);
}

/* One name that goes. */
struct removal {
	struct overlay *ov;
	struct node *dir;
	const char *name;
	struct found f;
	struct node *node; /* referenced */
	struct dirfd_scope upper;
	bool direct;   /* from the lower itself */
	bool in_upper; /* the name is in the upper itself: an indexed object may be seen without */
	bool below;
	int fd; /* by which the node is reached when it has no name */
};

static void removal_done(struct removal *rm)
{
	found_done(&rm->f);
	dirfd_scope_done(&rm->upper);
	(void) node_unref(rm->ov, rm->node);
	rm->fd = fd_close(rm->fd);
}

/* From the topmost lower, if nothing comes to light from those below. */
static int examine_direct(struct removal *rm)
{
	bool below;
	int r = rm->f.layer == LAYER_LOWER ? look_below_layer(rm->ov, rm->dir, rm->name, LAYER_LOWER, &below) : -EROFS;

	if (r == 0 && below)
		r = -EROFS;
	return r < 0 ? r : dirfd_get(rm->ov, rm->dir, LAYER_LOWER, &rm->upper.d);
}

/* With the names held: what is to go, and what hides or holds it. */
static int examine(struct removal *rm)
{
	struct overlay *ov = rm->ov;
	struct statx stx;
	int r = look_node(ov, rm->dir, rm->name, &rm->f, &rm->node);

	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	if (node_has_flag(ov, rm->node, NODE_FIXED))
		return -EBUSY;
	if (rm->f.stx.stx_attributes & (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND))
		return -EPERM;
	r = gate_decide(GATE_REMOVE, judged(&rm->f.j, rm->f.stx.stx_mode)); /* other rules than at the gate, since */
	if (r < 0)
		return r;
	rm->direct = ruling_is_direct(judged(&rm->f.j, rm->f.stx.stx_mode));
	if (rm->direct)
		return examine_direct(rm);
	r = dirfd_get(ov, rm->dir, LAYER_UPPER, &rm->upper.d);
	if (r == 0)
		r = look_below(ov, rm->dir, rm->name, &rm->below);
	if (r < 0)
		return r;
	r = io_statx(ov->io, rm->upper.d->fd, rm->name, STATX_TYPE, &stx);
	rm->in_upper = r == 0;
	return r == -ENOENT ? 0 : r;
}

/* A descriptor that outlives the name. Without one the node is lost to whoever holds it without having it open: no harm else. */
static void keep(struct removal *rm)
{
	SPOT(s);
	int fd;

	metacopy_before_removal(rm->ov, rm->node);
	if (spot_open(rm->ov, rm->node, O_PATH, &s, &fd) == 0)
		rm->fd = fd;
}

/*
 * The index loses a name that was in a lower only: the count of links tells it. After the removal, since a count that is too high
 * harms nobody; with one too low the last but one name would take the object away.
 */
static void count_down(struct removal *rm)
{
	if (rm->f.index_name[0] && !rm->in_upper)
		(void) attr_set_links_now(rm->ov, rm->f.index_name, rm->f.stx.stx_nlink - 1);
}

static int hide_or_remove_file(struct removal *rm)
{
	struct overlay *ov = rm->ov;
	int dirfd = rm->upper.d->fd, r;
	char temp[TEMP_BYTES];

	if (rm->direct || !rm->below)
		return io_unlink(ov->io, dirfd, rm->name, 0);
	if (!rm->in_upper)
		return io_mknod(ov->io, dirfd, rm->name, WHITEOUT_MODE, 0, NULL);
	r = whiteout_make(ov, temp);
	if (r == 0) {
		r = io_rename(ov->io, ov->work_fd, temp, dirfd, rm->name, 0);
		if (r < 0)
			(void) io_unlink(ov->io, ov->work_fd, temp, 0);
	}
	return r;
}

/*
 * From the lower itself. Names in it that are changed in the upper may be gone from the view and not from the lower, where they stay. The
 * upper's directory for such names goes too, unless something is in it that was changed under other rules.
 */
static int remove_direct_dir(struct removal *rm)
{
	struct overlay *ov = rm->ov;
	DIRFD(d, ov);
	int r = io_unlink(ov->io, rm->upper.d->fd, rm->name, AT_REMOVEDIR);

	if (r == -ENOTEMPTY || r == -EEXIST)
		return listing_check_empty(ov, rm->node) == 0 ? -EROFS : -ENOTEMPTY;
	if (r == 0 && node_has_upper(ov, rm->node) && dirfd_get(ov, rm->dir, LAYER_UPPER, &d.d) == 0)
		(void) io_unlink(ov->io, d.d->fd, rm->name, AT_REMOVEDIR);
	return r;
}

static int hide_or_remove_dir(struct removal *rm)
{
	struct overlay *ov = rm->ov;
	int dirfd = rm->upper.d->fd, r;
	char temp[TEMP_BYTES];

	if (rm->direct)
		return remove_direct_dir(rm);
	if (!rm->in_upper)
		return io_mknod(ov->io, dirfd, rm->name, WHITEOUT_MODE, 0, NULL);
	if (!rm->below) {
		r = io_unlink(ov->io, dirfd, rm->name, AT_REMOVEDIR);
		if (r != -ENOTEMPTY && r != -EEXIST)
			return r;
		/* Whiteouts are in it. */
		temp_name(ov, temp);
		r = unlock_rename(ov, dirfd, rm->name, ov->work_fd, temp, 0);
	} else {
		r = whiteout_make(ov, temp);
		if (r < 0)
			return r;
		r = unlock_rename(ov, ov->work_fd, temp, dirfd, rm->name, RENAME_EXCHANGE);
		if (r < 0)
			(void) io_unlink(ov->io, ov->work_fd, temp, 0);
	}
	if (r == 0)
		(void) walk_remove(ov->io, ov->work_fd, temp); /* what stays is cleared by the next mount */
	return r;
}

static void forget_name(struct removal *rm)
{
	bool dead = S_ISDIR(rm->node->type) || rm->f.stx.stx_nlink <= 1 || rm->f.alone;

	attr_own_ctime(rm->ov, rm->node);
	if (dead && rm->f.index_name[0]) {
		{
			/* From here on it is reached by the descriptor. */
			SCOPE_LOCK(&node_shard(rm->ov, rm->node)->lock);
			free(rm->node->ext->index_name);
			rm->node->ext->index_name = NULL;
		}
		(void) io_unlink(rm->ov->io, rm->ov->index_fd, rm->f.index_name, 0); /* an entry without names is harmless */
	}
	node_drop_name(rm->ov, rm->node, rm->dir, rm->name, steal_fd(&rm->fd), dead);
}

/* The change on the disk, and what is known of it. */
static int take_away(struct removal *rm, int (*change)(struct removal *rm))
{
	int r;

	keep(rm);
	MOVING(rm->ov);
	r = change(rm);
	if (r < 0)
		return r;
	count_down(rm);
	forget_name(rm);
	return 0;
}

/* A lower object with links that other names will keep: its count has to be kept in the upper from now on. */
static bool wants_index(const struct overlay *ov, const struct found *f)
{
	return !S_ISDIR(f->stx.stx_mode) && f->layer != LAYER_UPPER && f->stx.stx_nlink > 1 && ov->index_fd >= 0 &&
	       !ruling_is_direct(&f->j.as_file) && !f->alone;
}

bool overlay_unlink_would_copy(struct overlay *ov, struct node *dir, const char *name)
{
	FOUND(f);

	return ov->writable && look_check_name(name) == 0 && look(ov, dir, name, &f) == 0 && f.exists && wants_index(ov, &f);
}

/* What has to be in order before the names are held. */
static int prepare_removal(struct overlay *ov, const struct actor *who, struct node *dir, const char *name)
{
	struct node *n;
	FOUND(f);
	int r = look_node(ov, dir, name, &f, &n);

	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	r = gate_name(ov, who, GATE_REMOVE, dir, name, n->type);
	if (r == 0 && wants_index(ov, &f))
		r = copyup(ov, who, n, COPYUP_META);
	if (r == 0)
		r = create_check_place(ov, who, GATE_REMOVE, dir, name, &f.j, n->type);
	(void) node_unref(ov, n);
	return r;
}

int overlay_unlink(struct overlay *ov, const struct actor *who, struct node *dir, const char *name)
{
	char buf[NAME_BYTES];
	_cleanup_(removal_done) struct removal rm = {
		.ov = ov, .dir = dir, .name = name = spell_real(ov, dir, name, buf), .upper.ov = ov, .fd = -EBADF, .f.n_places = 0,
	};
	LEASE(names);
	int r = look_check_name(name);

	if (r == 0 && !ov->writable)
		r = -EROFS;
	if (r == 0)
		r = prepare_removal(ov, who, dir, name);
	if (r < 0)
		return r;
	lease_take(ov, dir, LEASE_NAMES, &names);
	r = examine(&rm);
	if (r == 0 && S_ISDIR(rm.node->type))
		r = -EISDIR;
	if (r == 0)
		r = take_away(&rm, hide_or_remove_file);
	if (r == -EROFS && rm.direct)
		r = gate_report_name(ov, who, GATE_REMOVE, dir, name, rm.f.stx.stx_mode, r);
	return r;
}

static int check_empty(struct overlay *ov, const struct actor *who, struct node *dir, const char *name, struct node *victim)
{
	int r = listing_check_empty(ov, victim);

	return r == -EACCES ? gate_report_name(ov, who, GATE_REMOVE, dir, name, S_IFDIR, r) : r;
}

int overlay_rmdir(struct overlay *ov, const struct actor *who, struct node *dir, const char *name)
{
	char buf[NAME_BYTES];
	_cleanup_(removal_done) struct removal rm = {
		.ov = ov, .dir = dir, .name = name = spell_real(ov, dir, name, buf), .upper.ov = ov, .fd = -EBADF, .f.n_places = 0,
	};
	struct node *victim = NULL;
	FOUND(f);
	int r = look_check_name(name);

	if (r == 0 && !ov->writable)
		r = -EROFS;
	if (r < 0)
		return r;
	r = look_node(ov, dir, name, &f, &victim);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	r = S_ISDIR(victim->type) ? gate_name(ov, who, GATE_REMOVE, dir, name, S_IFDIR) : -ENOTDIR;
	if (r == 0)
		r = check_empty(ov, who, dir, name, victim);
	if (node_has_flag(ov, victim, NODE_FIXED))
		r = -EBUSY;
	if (r == 0)
		r = create_check_place(ov, who, GATE_REMOVE, dir, name, &f.j, S_IFDIR);
	if (r == 0) {
		LEASE_SET(names);

		/* The names in the victim too: nothing may be made in it any more. */
		lease_take_names(ov, (struct node *[LEASE_SET_SIZE]) { dir, victim }, &names);
		r = examine(&rm);
		if (r == 0 && rm.node != victim)
			r = -ENOENT; /* another has taken its place since */
		if (r == 0)
			r = check_empty(ov, who, dir, name, victim);
		if (r == 0)
			r = take_away(&rm, hide_or_remove_dir);
		if (r == -EROFS && rm.direct)
			r = gate_report_name(ov, who, GATE_REMOVE, dir, name, S_IFDIR, r);
	}
	(void) node_unref(ov, victim);
	return r;
}
