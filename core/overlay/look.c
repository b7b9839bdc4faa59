/*
 * Look-up in the merged tree, by the rules of overlayfs: the topmost layer that has the name decides. A whiteout
 * ends the search, so does anything but a directory; directories of the same name merge until one is opaque. A
 * redirect sends the search in the layers below to another path.
 *
 * Two more things are settled here. A lower file with several links may have been copied up under another name: the index
 * tells. And a mount point or a masked directory is noticed before anything but its attributes is asked of it.
 */

#include "overlay/look.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "overlay/alias.h"
#include "overlay/attr.h"
#include "overlay/dircache.h"
#include "overlay/file.h"
#include "overlay/gate.h"
#include "overlay/ids.h"
#include "overlay/index.h"
#include "overlay/mask.h"
#include "overlay/metacopy.h"
#include "overlay/moving.h"
#include "overlay/spell.h"

#define MAX_TRIES 16
#define MAX_MOVES 1000 /* by others, one after the other, may get in the way often */

void found_done(struct found *f)
{
	judgement_done(&f->j);
	for (size_t i = 0; i < f->n_places; i++)
		free(f->places[i].path);
	f->n_places = 0;
}

int look_check_name(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strchr(name, '/'))
		return -EINVAL;
	return len < NAME_BYTES ? 0 : -ENAMETOOLONG;
}

/* The part of a directory's places that a search needs, copied out from under the lock. */
struct search_place {
	uint16_t layer;
	bool xwhiteouts;
	uint8_t filter;
	dev_t dev;
};

struct search {
	struct overlay *ov;
	struct found *f;
	size_t n;
	struct search_place v[MAX_LAYERS];
	char name[NAME_BYTES];	  /* in the layers that are left */
	char path[META_PATH_MAX]; /* absolute, instead of a name below the directory; "": none */
	bool stop;
	bool for_data; /* of a file: goes on through files that have none */
};

static void begin(struct search *s, struct overlay *ov, struct found *f, const char *name)
{
	s->ov = ov;
	s->f = f;
	s->n = 0;
	(void) strcpy(s->name, name);
	s->path[0] = '\0';
	s->stop = s->for_data = false;
	found_done(f);
	f->exists = f->hidden = f->upper_whiteout = f->masked = f->alone = f->metacopy = false;
	f->whole = true;
	f->layer = LAYER_UPPER;
	f->index_name[0] = f->redirect[0] = f->spelled[0] = '\0';
	f->record = (struct meta_record) { 0 };
}

static void copy_places(struct overlay *ov, struct node *dir, struct search *s)
{
	SCOPE_LOCK(&node_shard(ov, dir)->lock);
	s->n = dir->flags & NODE_DEAD ? 0 : dir->places->n; /* nothing is in a removed directory */
	for (size_t i = 0; i < s->n; i++) {
		const struct place *p = &dir->places->v[i];

		s->v[i] = (struct search_place) { p->layer, p->xwhiteouts, (uint8_t) p->filter, p->dev };
	}
}

static int add_place(struct search *s, uint16_t layer, const struct lentry *le, enum filter filter, const char *path)
{
	struct found *f = s->f;
	char *copy = NULL;

	if (path) {
		copy = strdup(path);
		if (!copy)
			return -ENOMEM;
	}
	f->places[f->n_places++] = (struct place) {
		.layer = layer,
		.xwhiteouts = le->xwhiteouts,
		.filter = filter,
		.dev = statx_dev(&le->stx),
		.ino = le->stx.stx_ino,
		.path = copy,
	};
	return 0;
}

/* The topmost object: it gives the attributes. */
static void take_top(struct search *s, uint16_t layer, const struct lentry *le)
{
	struct found *f = s->f;

	f->exists = true;
	f->layer = layer;
	f->stx = le->stx;
	f->dev = statx_dev(&le->stx);
	f->real_ino = le->stx.stx_ino;
	f->record = le->record;
}

/* One number for what has none: a masked directory, whose real one may be anybody's, and a file that is made up. */
uint64_t look_name_ino(const struct node *dir, const char *name)
{
	uint64_t h = dir->ino ^ UINT64_C(0xcbf29ce484222325);

	for (const char *p = name; *p; p++)
		h = (h ^ (unsigned char) *p) * UINT64_C(0x100000001b3);
	return h | UINT64_C(1) << 63; /* no tag of inomap.c has that bit */
}

uint64_t look_made_ino(struct overlay *ov, const struct node *dir, const char *name)
{
	return inomap_show(&ov->inomap, LOOK_MADE_FSID, look_name_ino(dir, name));
}

/*
 * The first file that a search for data comes upon: whoever searches knows which one it should be. A layer that was an upper of ours
 * says itself what its objects were before, and their copies say the same: see inherit_record() in copyup.c.
 */
static int identify(struct search *s, uint16_t layer, int dirfd, const char *name, const struct lentry *le)
{
	const struct layer *l = &s->ov->layers[layer];
	struct meta_record *rec = &s->f->record;
	int r = l->ours ? meta_get_record(&l->meta, dirfd, name, rec) : 0;

	if (r < 0)
		return r;
	if (!(rec->has & META_RECORD_BTIME) && le->stx.stx_mask & STATX_BTIME) {
		rec->has |= META_RECORD_BTIME;
		rec->btime_sec = le->stx.stx_btime.tv_sec;
		rec->btime_nsec = le->stx.stx_btime.tv_nsec;
	}
	if (rec->has & META_RECORD_INO)
		return 0;
	rec->ino = le->stx.stx_ino;
	return inomap_fsid(&s->ov->inomap, s->ov->io, statx_dev(&le->stx), dirfd, name, &rec->fsid);
}

/*
 * What a layer has under a name, masks considered. *filter is set for directories. A directory that is masked is not asked
 * for its attributes.
 */
static int look_in(struct search *s, uint16_t layer, int dirfd, const char *name, const struct search_place *p, struct lentry *le,
		   enum filter *filter)
{
	const struct layer *l = &s->ov->layers[layer];
	unsigned int flags = (p->xwhiteouts ? LOOK_XWHITEOUTS : 0) | LOOK_STAT_ONLY;
	int r;

	if (s->for_data)
		flags |= layer + 1u < s->ov->n_layers ? LOOK_METACOPY : 0;
	else if (l->ours || layer == LAYER_UPPER)
		flags |= LOOK_RECORD;
	*filter = FILTER_ALL;
	r = layer_look(l, dirfd, name, flags, le);
	if (r < 0 || le->kind != LENTRY_PRESENT)
		return r;
	if (p->filter == FILTER_DEVICES && !mask_admits(name, &le->stx)) {
		le->kind = LENTRY_ABSENT;
		return 0;
	}
	if (!S_ISDIR(le->stx.stx_mode))
		return s->for_data && !s->f->exists ? identify(s, layer, dirfd, name, le) : 0;
	*filter = p->filter == FILTER_DEVICES ? FILTER_EMPTY : mask_filter(s->ov, &le->stx, p->dev);
	return filter_shows_nothing(*filter) ? 0 : layer_look_attrs(l, dirfd, name, flags, le);
}

/* Anything but a file ends the search for one's data, and so does the file that has it. */
static int merge_data(struct search *s, uint16_t layer, const struct lentry *le, const char *path)
{
	struct found *f = s->f;

	if (le->kind == LENTRY_WHITEOUT || !S_ISREG(le->stx.stx_mode)) {
		s->stop = true;
		return 0;
	}
	if (!f->exists) {
		struct meta_record first = f->record;

		take_top(s, layer, le);
		f->record = first;
	}
	if (le->metacopy) { /* a path from the roots leads out of an opaque directory too */
		s->stop &= le->redirect[0] != '/';
		return 0;
	}
	s->stop = true;
	return add_place(s, layer, le, FILTER_ALL, path);
}

/* Takes what a layer has into what is found so far. path: how a directory is reached here, NULL by its own name. */
static int merge(struct search *s, uint16_t layer, const struct lentry *le, enum filter filter, const char *path)
{
	struct found *f = s->f;
	int r;

	if (le->kind == LENTRY_ABSENT)
		return 0;
	if (s->for_data)
		return merge_data(s, layer, le, path);
	if (le->kind == LENTRY_WHITEOUT) {
		f->upper_whiteout |= layer == LAYER_UPPER && le->stx.stx_mode != 0;
		s->stop = true;
		return 0;
	}
	if (!S_ISDIR(le->stx.stx_mode)) {
		if (!f->exists)
			take_top(s, layer, le);
		s->stop = true;
		return 0;
	}
	if (filter_shows_nothing(filter)) {
		s->stop = true;
		if (f->exists)
			return 0;
		f->masked = filter == FILTER_NOTHING;
	}
	if (!f->exists)
		take_top(s, layer, le);
	if (layer == LAYER_UPPER)
		(void) strcpy(f->redirect, le->redirect);
	r = add_place(s, layer, le, filter, path);
	s->stop |= le->opaque;
	return r;
}

/* Below this layer the name is another. */
static void follow_redirect(struct search *s, const struct lentry *le)
{
	if (le->kind != LENTRY_PRESENT || !le->redirect[0])
		return;
	if (le->redirect[0] == '/')
		(void) strcpy(s->path, le->redirect); /* both are checked: META_REDIRECT_MAX */
	else
		(void) strcpy(s->name, le->redirect);
}

static int look_below_dir(struct search *s, struct node *dir, size_t i, bool renamed)
{
	const struct search_place *p = &s->v[i];
	DIRFD(d, s->ov);
	enum filter filter;
	struct lentry le;
	int r;

	if (filter_shows_nothing((enum filter) p->filter))
		return 0;
	r = dirfd_get(s->ov, dir, p->layer, &d.d);
	if (r == 0)
		r = look_in(s, p->layer, d.d->fd, s->name, p, &le, &filter);
	if (r == 0 && le.kind == LENTRY_PRESENT) {
		r = alias_is_own_name(s->ov, dir, p->layer, d.d->fd, s->name, &le.stx);
		if (r == 0)
			le.kind = LENTRY_ABSENT;
		r = MIN(r, 0);
	}
	if (r == 0)
		r = merge(s, p->layer, &le, filter, renamed ? s->name : NULL);
	if (r == 0 && !s->stop)
		follow_redirect(s, &le);
	return r;
}

static bool append(char path[static META_PATH_MAX], const char *component, size_t len)
{
	size_t at = strlen(path);

	if (at + 1 + len + 1 > META_PATH_MAX)
		return false;
	path[at] = '/';
	memcpy(path + at + 1, component, len);
	path[at + 1 + len] = '\0';
	return true;
}

/*
 * Follows s->path from the root of one layer. A directory on the way may have been renamed in this very layer: then the
 * path has another beginning in the layers below, and is rewritten for them.
 */
static int look_by_path(struct search *s, uint16_t layer)
{
	const struct layer *l = &s->ov->layers[layer];
	struct search_place at = { .layer = layer, .dev = l->dev };
	_cleanup_close_ int own = -EBADF;
	char below[META_PATH_MAX] = "", here[META_PATH_MAX], name[NAME_BYTES];
	const char *p = s->path;
	int fd = l->fd, r;

	(void) strcpy(here, s->path);
	for (;;) {
		enum filter filter;
		struct lentry le;
		size_t len = strcspn(++p, "/");
		bool last = p[len] == '\0';

		memcpy(name, p, len);
		name[len] = '\0';
		r = look_in(s, layer, fd, name, &at, &le, &filter);
		if (r < 0)
			return r;
		if (le.kind == LENTRY_PRESENT && le.redirect[0] == '/')
			(void) strcpy(below, le.redirect);
		else if (!append(below, le.kind == LENTRY_PRESENT && le.redirect[0] ? le.redirect : name,
				 le.kind == LENTRY_PRESENT && le.redirect[0] ? strlen(le.redirect) : len))
			return -ENAMETOOLONG;
		if (last) {
			r = merge(s, layer, &le, filter, here);
			(void) strcpy(s->path, below);
			return r;
		}
		if (le.kind != LENTRY_PRESENT || !S_ISDIR(le.stx.stx_mode) || filter_shows_nothing(filter)) {
			s->stop |= le.kind != LENTRY_ABSENT;
			if (strlen(below) + strlen(p + len) >= META_PATH_MAX)
				return -ENAMETOOLONG;
			(void) strcpy(s->path, strcat(below, p + len));
			return 0;
		}
		s->stop |= le.opaque;
		at.dev = statx_dev(&le.stx);
		at.xwhiteouts = le.xwhiteouts;
		p += len;
		r = io_open(s->ov->io, fd, name, O_PATH | O_DIRECTORY, 0, NULL);
		if (r < 0)
			return r;
		(void) fd_close(own);
		own = fd = r;
	}
}

static int search_paths(struct search *s, size_t first)
{
	int r = 0;

	for (size_t l = first; l < s->ov->n_layers && !s->stop && r == 0; l++)
		r = look_by_path(s, (uint16_t) l);
	return r;
}

/* In the layers from first on. */
static int search_layers(struct search *s, struct node *dir, const char *name, size_t first)
{
	int r = 0;

	for (size_t i = 0; i < s->n && !s->stop && r == 0; i++) {
		if (s->v[i].layer < first)
			continue;
		r = look_below_dir(s, dir, i, strcmp(s->name, name) != 0);
		if (s->path[0])
			return r < 0 ? r : search_paths(s, s->v[i].layer + 1u);
	}
	return r;
}

/* A lower file with several links: was it copied up, under whatever name? */
static int look_index(struct overlay *ov, struct node *dir, const char *name, struct found *f)
{
	struct meta_origin origin;
	struct statx stx;
	DIRFD(d, ov);
	int r;

	r = dirfd_get(ov, dir, f->layer, &d.d);
	if (r == 0)
		r = index_origin(ov, d.d->fd, name, &origin);
	if (r < 0)
		return r;
	f->alone = r == 0 || !index_name(ov, &origin, f->dev, f->index_name);
	if (f->alone)
		return 0;
	r = io_statx(ov->io, ov->index_fd, f->index_name, LAYER_STATX_MASK, &stx);
	if (r == -ENOENT || (r == 0 && (stx.stx_mode & S_IFMT) != (f->stx.stx_mode & S_IFMT))) {
		f->index_name[0] = '\0';
		return 0;
	}
	if (r < 0)
		return r;
	f->layer = LAYER_UPPER;
	f->stx = stx;
	f->dev = statx_dev(&stx);
	f->real_ino = stx.stx_ino;
	r = meta_get_record(&ov->meta, ov->index_fd, f->index_name, &f->record);
	return r < 0 ? r : 0;
}

/* An upper file with several links that was copied up: under which name is it in the index? */
static int look_own_index(struct overlay *ov, struct node *dir, const char *name, struct found *f)
{
	struct meta_origin origin;
	struct statx stx;
	DIRFD(d, ov);
	int r;

	r = dirfd_get(ov, dir, LAYER_UPPER, &d.d);
	if (r == 0)
		r = meta_get(&ov->meta, d.d->fd, name, META_ORIGIN, origin.data, sizeof(origin.data), &origin.len);
	if (r <= 0)
		return r == -ERANGE ? 0 : r;
	meta_index_name(&origin, f->index_name);
	r = io_statx(ov->io, ov->index_fd, f->index_name, STATX_TYPE | STATX_INO, &stx);
	if (r < 0 || stx.stx_ino != f->real_ino || statx_dev(&stx) != f->dev)
		f->index_name[0] = '\0';
	return 0;
}

static int number(struct overlay *ov, struct node *dir, const char *name, struct found *f)
{
	if (f->masked) {
		f->ino = look_name_ino(dir, name);
		return 0;
	}
	if (f->record.has & META_RECORD_INO) {
		f->ino = inomap_show(&ov->inomap, f->record.fsid, f->record.ino);
	} else if (S_ISDIR(f->stx.stx_mode) && f->layer == LAYER_UPPER && f->n_places > 1 && !f->places[1].path) {
		/* Copied up by somebody else: the number it had below, as kernel overlayfs has it. */
		DIRFD(d, ov);
		int r = dirfd_get(ov, dir, f->places[1].layer, &d.d);

		if (r < 0)
			return r;
		f->ino = inomap_number(&ov->inomap, ov->io, f->places[1].dev, f->places[1].ino, d.d->fd, name);
	} else {
		DIRFD(d, ov);
		int r = 0;

		/* A directory descriptor is needed once for a file system; then the number is known without. */
		if (f->dev != ov->layers[1].dev)
			r = dirfd_get(ov, dir, f->layer, &d.d);
		if (r < 0)
			return r;
		f->ino = inomap_number(&ov->inomap, ov->io, f->dev, f->real_ino,
				       d.d ? d.d->fd : ov->layers[1].fd, d.d ? name : NULL);
	}
	return 0;
}

/*
 * Has a file its data beside its attributes? Nearly always this can be told without asking. Else it is asked when the file is
 * opened, see metacopy.c; but now if it has fewer blocks than bytes, for programs may take it for a hole and not even read it.
 */
static int look_for_metacopy(struct overlay *ov, struct node *dir, const char *name, struct found *f)
{
	char redirect[META_REDIRECT_MAX + 1];
	bool indexed = f->layer == LAYER_UPPER && f->index_name[0];
	DIRFD(d, ov);
	int r;

	f->whole = !S_ISREG(f->stx.stx_mode) || f->layer + 1u == ov->n_layers ||
		   (f->record.has && !(f->record.has & META_RECORD_METACOPY));
	f->metacopy = S_ISREG(f->stx.stx_mode) && f->record.has & META_RECORD_METACOPY;
	if (f->whole || f->metacopy || f->stx.stx_blocks * 512 >= f->stx.stx_size)
		return 0;
	r = indexed ? 0 : dirfd_get(ov, dir, f->layer, &d.d);
	if (r < 0)
		return r;
	r = layer_look_metacopy(&ov->layers[f->layer], indexed ? ov->index_fd : d.d->fd, indexed ? f->index_name : name, redirect);
	f->whole = r == 0;
	f->metacopy = r != 0; /* what is wrong with it is told to whoever opens it */
	return 0;
}

/* Given once: names do not share a made-up file. Who may not give files away keeps it, and one for which no mode with x is allowed has none. */
static int dress(struct overlay *ov, int made, uid_t uid, gid_t gid, mode_t mode)
{
	struct statx stx;
	int r = io_statx(ov->io, made, NULL, LAYER_STATX_MASK, &stx);

	if (r == 0 && (stx.stx_uid != uid || stx.stx_gid != gid))
		r = io_chown(ov->io, made, NULL, uid, gid);
	if (r == -EPERM || r == -EINVAL)
		r = 0;
	if (r == 0 && (stx.stx_mode & 07777) != mode)
		r = io_chmod(ov->io, made, NULL, mode);
	if (r == -EPERM) /* vm.memfd_noexec */
		r = io_chmod(ov->io, made, NULL, mode & ~(mode_t) 0111);
	return r;
}

/* A made-up file is as private as the one that it stands in front of: what is written to it may be no less of a secret. */
static int dress_as_covered(struct overlay *ov, struct node *dir, const char *name, int made)
{
	struct search s;
	FOUND(f);
	int r;

	begin(&s, ov, &f, name);
	copy_places(ov, dir, &s);
	r = search_layers(&s, dir, name, LAYER_LOWER);
	if (r < 0 || !f.exists || !S_ISREG(f.stx.stx_mode))
		return r;
	if (f.record.has & META_RECORD_OWNER)
		return dress(ov, made, f.record.uid, f.record.gid, f.stx.stx_mode & 0777);
	return dress(ov, made, f.stx.stx_uid, f.stx.stx_gid, f.stx.stx_mode & 0777);
}

/* A file that the policy makes up: as if a lower had it. */
static int take_made(struct overlay *ov, struct node *dir, const char *name, int made, struct found *f)
{
	const struct rules *rules = rules_now(ov);
	int r = rules->stamp == f->j.stamp ? dress_as_covered(ov, dir, name, rules->made[made]) : -EAGAIN;

	if (r == 0)
		r = io_statx(ov->io, rules->made[made], NULL, LAYER_STATX_MASK, &f->stx);
	if (r < 0)
		return r;
	f->exists = true;
	f->layer = LAYER_MADE;
	f->dev = statx_dev(&f->stx);
	f->real_ino = f->stx.stx_ino;
	f->stx.stx_nlink = 1; /* it has no name at all */
	f->ino = f->stx.stx_ino = look_made_ino(ov, dir, name);
	ids_fix(ov, &f->stx);
	return 0;
}

/*
 * A directory that is changed in the lower may hold names whose changes go to the upper. It has its attributes from the lower,
 * and those names in a directory of the upper.
 */
static int add_upper_part(struct search *s, struct node *dir, const char *name)
{
	struct found *f = s->f;
	enum filter filter;
	struct lentry le;
	DIRFD(d, s->ov);
	int r;

	if (s->n == 0 || s->v[0].layer != LAYER_UPPER)
		return 0;
	r = dirfd_get(s->ov, dir, LAYER_UPPER, &d.d);
	if (r == 0)
		r = look_in(s, LAYER_UPPER, d.d->fd, name, &s->v[0], &le, &filter);
	if (r < 0 || le.kind != LENTRY_PRESENT || !S_ISDIR(le.stx.stx_mode) || filter != FILTER_ALL || le.redirect[0])
		return r;
	r = add_place(s, LAYER_UPPER, &le, filter, NULL);
	if (r == 0) {
		struct place upper = f->places[f->n_places - 1];

		memmove(f->places + 1, f->places, (f->n_places - 1) * sizeof(upper));
		f->places[0] = upper;
	}
	return r;
}

/* In the layers that the policy lets this name be seen in: what is changed in the lower itself is not looked for in the upper. */
static int search_ruled(struct search *s, struct node *dir, const char *name)
{
	struct found *f = s->f;
	bool direct = ruling_is_direct(&f->j.as_dir) && ruling_is_direct(&f->j.as_file);
	int r;

	if (f->j.as_file.made != POLICY_NO_RULE)
		s->n = s->n > 0 && s->v[0].layer == LAYER_UPPER ? 1 : 0;
	r = search_layers(s, dir, name, direct ? LAYER_LOWER : LAYER_UPPER);
	if (r == 0 && f->exists && !direct && ruling_is_direct(judged(&f->j, f->stx.stx_mode))) {
		/* A rule for directories only: now that it is known to be one, once more. */
		const size_t n = s->n;
		const struct judgement j = f->j;

		f->j.state = NULL; /* kept */
		begin(s, s->ov, f, name);
		s->n = n;
		f->j = j;
		r = search_layers(s, dir, name, LAYER_LOWER);
		f->exists &= ruling_is_direct(judged(&f->j, f->stx.stx_mode));
	}
	if (r == 0 && f->exists && S_ISDIR(f->stx.stx_mode) && !f->masked && ruling_is_direct(&f->j.as_dir))
		r = add_upper_part(s, dir, name);
	return r;
}

/* Would the count of links tell of directories that do not show? */
bool look_is_secretive(const struct found *f)
{
	_cleanup_(policy_state_unrefp) struct policy_state *state = NULL;

	return judge_enter(&f->j, f->stx.stx_mode, &state) == 0 && state && policy_state_may_hide(state);
}

static int look_once(struct overlay *ov, struct node *dir, const char *name, struct found *f)
{
	struct search s;
	int r;

	begin(&s, ov, f, name);
	if (!S_ISDIR(dir->type))
		return -ENOTDIR;
	r = judge_name(ov, dir, name, &f->j);
	if (r < 0)
		return r;
	f->hidden = !ruling_shows(&f->j.as_dir) && !ruling_shows(&f->j.as_file);
	if (f->hidden) /* before anything is asked whose answer, or time to answer, could tell */
		return 0;
	copy_places(ov, dir, &s);
	r = search_ruled(&s, dir, name);
	if (r == 0 && !f->exists && !f->upper_whiteout && f->j.as_file.made != POLICY_NO_RULE)
		return take_made(ov, dir, name, f->j.as_file.made, f);
	if (r < 0 || !f->exists)
		return r;
	if (!ruling_shows(judged(&f->j, f->stx.stx_mode))) {
		f->exists = false;
		f->hidden = true;
		return 0;
	}

	if (!S_ISDIR(f->stx.stx_mode) && f->stx.stx_nlink > 1 && ov->writable && !ruling_is_direct(&f->j.as_file)) {
		if (ov->index_fd < 0)
			f->alone = f->layer != LAYER_UPPER;
		else if (f->layer != LAYER_UPPER)
			r = look_index(ov, dir, name, f);
		else if (f->record.has & META_RECORD_INO || !ov->layers[LAYER_UPPER].ours)
			r = look_own_index(ov, dir, name, f);
	}
	if (r == 0)
		r = number(ov, dir, name, f);
	if (r == 0)
		r = look_for_metacopy(ov, dir, name, f);
	if (r < 0)
		return r;
	return attr_fix(ov, &(struct attr_facts) {
		.ino = f->ino, .direct = ruling_is_direct(judged(&f->j, f->stx.stx_mode)), .n_places = f->n_places,
		.masked = f->masked, .metacopy = f->metacopy, .record = &f->record,
		.index_name = f->index_name, .secretive = look_is_secretive(f),
	}, &f->stx);
}

int look_exact(struct overlay *ov, struct node *dir, const char *name, struct found *f)
{
	int r;

	f->moved = moving_now(ov);
	do
		r = look_once(ov, dir, name, f);
	while (r == -EAGAIN); /* the rules were replaced in between */
	return r;
}

int look(struct overlay *ov, struct node *dir, const char *name, struct found *f)
{
	char other[NAME_BYTES];
	int r = look_exact(ov, dir, name, f);

	if (!ov->fold || r < 0 || f->exists || f->hidden)
		return r;
	r = spell_other(ov, dir, name, other);
	if (r <= 0)
		return r;
	r = look_exact(ov, dir, other, f);
	(void) strcpy(f->spelled, other);
	return r;
}

typedef int (*look_fn)(struct overlay *ov, struct node *dir, const char *name, struct found *f);

/* By where the object is. */
static uint64_t second_number(const struct found *f)
{
	uint64_t h = (f->real_ino ^ (uint64_t) f->dev << 40) * UINT64_C(0x9e3779b97f4a7c15);

	return UINT64_C(3) << 61 | (h ^ h >> 32) >> 3;
}

static int look_node_by(look_fn look_by, struct overlay *ov, struct node *dir, const char *name, struct found *f, struct node **ret)
{
	int r, moves = 0;

	for (int tries = 0; tries < MAX_TRIES; moving_wait(ov, f->moved) && moves < MAX_MOVES ? moves++ : tries++) {
		r = look_by(ov, dir, name, f);
		if (r < 0)
			return r;
		if (!f->exists)
			return 0;
		r = node_get(ov, f, dir, f->spelled[0] ? f->spelled : name, ret);
		if (r != -EAGAIN)
			return r < 0 ? r : 1;
	}
	/*
	 * Two objects claim one number for longer than a move takes: other rules show both a copy and what it was made of, which was
	 * moved since; or a layer was changed behind our back, or its records are forged. The newcomer gets a number of its own, the same
	 * each time; or if somebody has that already, another one.
	 */
	f->ino = f->stx.stx_ino = second_number(f);
	r = node_get(ov, f, dir, f->spelled[0] ? f->spelled : name, ret);
	if (r == -EAGAIN) {
		f->ino = f->stx.stx_ino = UINT64_C(1) << 62 | (atomic_fetch_add(&ov->temp_counter, 1) & UINT32_MAX);
		r = node_get(ov, f, dir, f->spelled[0] ? f->spelled : name, ret);
	}
	return r < 0 ? r : 1;
}

int look_node(struct overlay *ov, struct node *dir, const char *name, struct found *f, struct node **ret)
{
	return look_node_by(look, ov, dir, name, f, ret);
}

int look_node_exact(struct overlay *ov, struct node *dir, const char *name, struct found *f, struct node **ret)
{
	return look_node_by(look_exact, ov, dir, name, f, ret);
}

int look_below_layer(struct overlay *ov, struct node *dir, const char *name, uint16_t layer, bool *ret)
{
	struct search s;
	FOUND(f);
	int r = 0;

	begin(&s, ov, &f, name);
	copy_places(ov, dir, &s);
	for (size_t i = 0; i < s.n && !s.stop && r == 0; i++)
		if (s.v[i].layer > layer)
			r = look_below_dir(&s, dir, i, false);
	*ret = f.exists;
	return r;
}

int look_below(struct overlay *ov, struct node *dir, const char *name, bool *ret)
{
	JUDGEMENT(j);
	int r = judge_name(ov, dir, name, &j);

	*ret = false;
	if (r == 0)
		r = look_below_layer(ov, dir, name, LAYER_UPPER, ret);
	*ret |= j.as_file.made != POLICY_NO_RULE;
	return r;
}

int look_data(struct overlay *ov, struct node *dir, const char *name, uint16_t above, const char *redirect, struct found *f)
{
	bool path = redirect[0] == '/';
	struct search s;

	begin(&s, ov, f, redirect[0] && !path ? redirect : path ? "" : name);
	s.for_data = true;
	if (path) {
		(void) strcpy(s.path, redirect);
		return search_paths(&s, above + 1u);
	}
	copy_places(ov, dir, &s);
	return search_layers(&s, dir, name, above + 1u);
}

static void give(struct overlay *ov, struct node *n, const struct found *f, struct entry *ret)
{
	ret->stx = f->stx;
	ret->stx.stx_ctime = attr_ctime(ov, n, &f->stx);
	if (f->metacopy) {
		uint64_t n_blocks = metacopy_blocks(ov, n);

		ret->stx.stx_blocks = n_blocks > 0 ? n_blocks : f->stx.stx_blocks;
	}
	attr_round(ov, &ret->stx);
	file_fix_blocks(ov, n, &ret->stx);
	ret->hidden = false;
	ret->other_case = f->spelled[0];
	node_give(ov, n, ret);
}

static bool is_shut(const struct found *f)
{
	return gate_shuts(judged(&f->j, f->stx.stx_mode), f->stx.stx_mode);
}

int look_entry(struct overlay *ov, struct node *dir, const char *name, struct entry *ret)
{
	struct node *n;
	FOUND(f);
	int r = look_node(ov, dir, name, &f, &n);

	if (r > 0 && (is_shut(&f) || judged(&f.j, f.stx.stx_mode)->log)) {
		(void) node_unref(ov, n);
		return 0;
	}
	if (r > 0)
		give(ov, n, &f, ret);
	return r;
}

/* What is in a denied directory, and denied like it, is content of that directory. */
static int check_denied(struct overlay *ov, const struct actor *who, struct node *dir, const char *name)
{
	struct ruling above;
	JUDGEMENT(j);
	int r = judge_node(ov, dir, &above);

	if (r < 0 || above.access != POLICY_DENY)
		return r;
	r = judge_name(ov, dir, name, &j);
	if (r < 0 || j.as_file.access != POLICY_DENY || j.as_dir.access != POLICY_DENY || j.as_dir.passage)
		return r;
	return gate_report_name(ov, who, GATE_LOOK, dir, name, 0, -j.as_file.error);
}

/*
 * Is it absent since the policy says in which layers to look? In the lower alone, where the upper may have it; or in the upper,
 * which has removed what the lower has.
 */
static bool absent_by_rule(const struct found *f)
{
	return f->j.state && (f->upper_whiteout || ruling_is_direct(&f->j.as_dir) || ruling_is_direct(&f->j.as_file));
}

int overlay_lookup(struct overlay *ov, const struct actor *who, struct node *dir, const char *name, struct entry *ret)
{
	struct node *n = NULL;
	FOUND(f);
	int r = look_check_name(name);

	ret->node = NULL;
	ret->id = 0;
	ret->hidden = ret->other_case = false;
	if (r == 0)
		r = check_denied(ov, who, dir, name);
	if (r == 0)
		r = look_node(ov, dir, name, &f, &n);
	if (r <= 0) {
		ret->hidden = r == 0 && (f.hidden || absent_by_rule(&f));
		if (r == 0 && f.hidden)
			(void) gate_report_name(ov, who, GATE_LOOK, dir, name, ruling_shows(&f.j.as_file) ? S_IFDIR : 0,
						-ENOENT); /* to be recorded: it is answered as absent */
		return r;
	}
	if (is_shut(&f)) {
		(void) node_unref(ov, n);
		return gate_report_name(ov, who, GATE_LOOK, dir, name, f.stx.stx_mode, -judged(&f.j, f.stx.stx_mode)->error);
	}
	if (judged(&f.j, f.stx.stx_mode)->log)
		(void) gate_report_name(ov, who, GATE_LOOK, dir, name, f.stx.stx_mode, 0);
	give(ov, n, &f, ret);
	return 1;
}
