/*
 * Reading a merged directory.
 *
 * The names of all its layers are gathered once, topmost first, into a table; a name that an upper layer has, or hides, does not
 * count again. What the reader gets is a position in that snapshot: it stays valid whatever happens to the directory, shows
 * nothing twice and misses nothing that stays. Rewinding takes a new one.
 *
 * Inode numbers are those of stat(): for objects that were copied up the record tells them, and is read only in directories that
 * say they hold such objects (impure).
 */

#include "overlay/listing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "overlay/attr.h"
#include "overlay/dircache.h"
#include "overlay/gate.h"
#include "overlay/look.h"
#include "overlay/mask.h"
#include "overlay/unlock.h"

#define DENTS_SIZE (64u << 10)
#define WH_PREFIX ".wh."
#define WH_PREFIX_LEN 4

struct linux_dirent64 {
	uint64_t d_ino;
	int64_t d_off;
	uint16_t d_reclen;
	uint8_t d_type;
	char d_name[];
};

struct item {
	uint64_t ino;
	uint32_t text; /* offset in names */
	uint8_t len;
	uint8_t type;
	bool hidden;	  /* a whiteout: only hides */
	bool maybe_below; /* a directory of the upper without a record: its number may be the one it had below */
};

struct listing {
	struct item *items;
	size_t n, size;
	char *names;
	size_t names_len, names_size;
	uint32_t *table; /* item + 1, or 0; open addressing */
	size_t table_size;
	bool holds_hidden; /* where changes of this directory go, there are names that the policy hides */
};

struct overlay_dir {
	struct overlay *ov;
	struct node *node; /* referenced */
	struct listing list;
	bool filled;
	uint32_t stamp; /* of the rules by which it was filled */
};

static void listing_done(struct listing *l)
{
	free(l->items);
	free(l->names);
	free(l->table);
	*l = (struct listing) { 0 };
}

static uint64_t hash(const char *name, size_t len)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char) name[i]) * UINT64_C(0x100000001b3);
	return h ^ h >> 32;
}

/* The slot that has the name, or the free one where it belongs. */
static uint32_t *slot(const struct listing *l, const char *name, size_t len)
{
	size_t i = hash(name, len) & (l->table_size - 1);

	while (l->table[i]) {
		const struct item *it = &l->items[l->table[i] - 1];

		if (it->len == len && memcmp(l->names + it->text, name, len) == 0)
			break;
		i = (i + 1) & (l->table_size - 1);
	}
	return &l->table[i];
}

static int grow_table(struct listing *l)
{
	size_t size = MAX(l->table_size * 2, (size_t) 64);
	uint32_t *table = calloc(size, sizeof(*table));

	if (!table)
		return -ENOMEM;
	free(l->table);
	l->table = table;
	l->table_size = size;
	for (size_t i = 0; i < l->n; i++)
		*slot(l, l->names + l->items[i].text, l->items[i].len) = (uint32_t) i + 1;
	return 0;
}

static int reserve(struct listing *l, size_t len)
{
	if (l->n == l->size) {
		size_t size = MAX(l->size * 2, (size_t) 32);
		struct item *v = reallocarray(l->items, size, sizeof(*v));

		if (!v)
			return -ENOMEM;
		l->items = v;
		l->size = size;
	}
	if (l->names_len + len + 1 > l->names_size) {
		size_t size = MAX(l->names_size * 2, l->names_len + 4096);
		char *v = size <= UINT32_MAX ? realloc(l->names, size) : NULL;

		if (!v)
			return -ENOMEM;
		l->names = v;
		l->names_size = size;
	}
	return (l->n + 1) * 2 > l->table_size ? grow_table(l) : 0;
}

/* Adds a name unless a layer above has it; *ret: the item that was there. */
static int add(struct listing *l, const char *name, size_t len, const struct item *what, struct item **ret)
{
	struct item *it;
	uint32_t *s;
	int r = reserve(l, len);

	*ret = NULL;
	if (r < 0)
		return r;
	s = slot(l, name, len);
	if (*s) {
		*ret = &l->items[*s - 1];
		return 0;
	}
	it = &l->items[l->n++];
	*it = *what;
	it->len = (uint8_t) len;
	it->text = (uint32_t) l->names_len;
	memcpy(l->names + l->names_len, name, len);
	l->names[l->names_len + len] = '\0';
	l->names_len += len + 1;
	*s = (uint32_t) l->n;
	return 0;
}

/* Reading one layer's directory. */
struct scan {
	struct overlay *ov;
	struct node *dir;
	struct listing *list;
	struct listing hidden_below; /* names that ".wh." names of this layer hide in the layers below */
	const struct policy_state *state; /* of the directory; NULL: no policy */
	bool direct;	   /* the directory itself is changed in the lower */
	int fd;
	uint16_t layer;
	bool xwhiteouts, impure, wh_names;
	enum filter filter;
	dev_t dev;
};

static int look_at_entry(struct scan *s, const char *name, struct item *it)
{
	struct statx stx;
	char byte;
	int r;

	if (it->type == DT_CHR || it->type == DT_UNKNOWN) {
		r = io_statx(s->ov->io, s->fd, name, STATX_BASIC_STATS, &stx);
		if (r == -EACCES && it->type == DT_CHR && s->layer == LAYER_UPPER) {
			it->hidden = true; /* ours, and not to be searched: what we could make there is a whiteout */
			return 0;
		}
		if (r < 0)
			return r == -ENOENT || r == -EACCES ? 0 : r; /* just removed, or its own look-up will say */
		it->type = (uint8_t) IFTODT(stx.stx_mode);
		it->hidden = statx_is_whiteout(&stx);
	} else if (it->type == DT_REG && s->xwhiteouts) {
		r = meta_get(&s->ov->layers[s->layer].meta, s->fd, name, META_WHITEOUT, &byte, 1, NULL);
		if (r < 0 && r != -ERANGE && r != -ENOENT)
			return r;
		it->hidden = r == 1 || r == -ERANGE;
	}
	return 0;
}

static int number_entry(struct scan *s, const char *name, struct item *it)
{
	struct meta_record rec;
	int r;

	if (s->impure && !it->hidden) {
		r = meta_get_record(&s->ov->layers[s->layer].meta, s->fd, name, &rec);
		if (r < 0 && r != -ENOENT)
			return r;
		if (r == 1 && rec.has & META_RECORD_INO) {
			it->ino = inomap_show(&s->ov->inomap, rec.fsid, rec.ino);
			it->maybe_below = false;
			return 0;
		}
	}
	it->ino = inomap_number(&s->ov->inomap, s->ov->io, s->dev, it->ino, s->fd, NULL);
	return 0;
}

/*
 * Only a look-up knows whether the two merge. See number() in look.c. What is wrong with the entry is for its own look-up to say: it
 * is no reason not to list the others.
 */
static void ask_number(struct scan *s, const char *name, struct item *it)
{
	FOUND(f);
	int r = look(s->ov, s->dir, name, &f);

	if (r == 0 && f.exists)
		it->ino = f.ino;
	it->maybe_below = false;
}

/* In a denied directory that is a way to something, only that shows. */
static bool shows_in(const struct policy_state *dir, const struct ruling *r)
{
	if (!ruling_shows(r))
		return false;
	return r->access != POLICY_DENY || r->passage || policy_state_verdict(dir)->access != POLICY_DENY;
}

static void note_hidden(struct scan *s, const struct item *it)
{
	/* A device in the upper is a whiteout, as good as always. */
	s->list->holds_hidden |= s->direct ? s->layer == LAYER_LOWER : s->layer == LAYER_UPPER && it->type != DT_CHR;
}

/* Does a name of this layer take part, as far as the policy is concerned? 1 yes. */
static int admit(struct scan *s, const char *name, size_t len, const struct item *it, bool *ret_direct)
{
	struct ruling as_dir, as_file;
	bool any, all;
	int r;

	*ret_direct = false;
	if (!s->state)
		return 1;
	r = judge_listed(s->state, name, len, &as_dir, &as_file);
	if (r < 0)
		return r;
	any = shows_in(s->state, &as_dir) || shows_in(s->state, &as_file);
	all = shows_in(s->state, &as_dir) && shows_in(s->state, &as_file);
	if (it->type == DT_UNKNOWN ? !any : !all && !shows_in(s->state, it->type == DT_DIR ? &as_dir : &as_file)) {
		note_hidden(s, it);
		return 0;
	}
	*ret_direct = ruling_is_direct(it->type == DT_DIR ? &as_dir : &as_file);
	return s->layer != LAYER_UPPER || !*ret_direct;
}

static int scan_entry(struct scan *s, const struct linux_dirent64 *d)
{
	struct item it = { .ino = d->d_ino, .type = d->d_type }, *there;
	size_t len = strlen(d->d_name);
	bool direct;
	int r;

	if (len == 0 || len >= NAME_BYTES || strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
		return 0;
	if (s->filter == FILTER_DEVICES && !mask_admits_entry(d->d_name, d->d_type))
		return 0;
	if (s->wh_names && strncmp(d->d_name, WH_PREFIX, WH_PREFIX_LEN) == 0) {
		it.hidden = true;
		return add(&s->hidden_below, d->d_name + WH_PREFIX_LEN, len - WH_PREFIX_LEN, &it, &there);
	}
	r = admit(s, d->d_name, len, &it, &direct); /* before anything is asked about it */
	if (r <= 0)
		return r;
	r = look_at_entry(s, d->d_name, &it);
	if (r == 0 && d->d_type == DT_UNKNOWN) {
		r = admit(s, d->d_name, len, &it, &direct);
		if (r <= 0)
			return r;
		r = 0;
	}
	it.maybe_below = s->layer == LAYER_UPPER && it.type == DT_DIR;
	if (r == 0)
		r = number_entry(s, d->d_name, &it);
	if (direct && it.type != DT_DIR)
		it.ino = attr_direct_ino(it.ino);
	if (r == 0)
		r = add(s->list, d->d_name, len, &it, &there);
	if (r == 0 && there && there->maybe_below && it.type == DT_DIR)
		ask_number(s, d->d_name, there);
	return r;
}

static int scan_fd(struct scan *s)
{
	_cleanup_free_ char *buf = malloc(DENTS_SIZE);

	if (!buf)
		return -ENOMEM;
	for (;;) {
		int64_t n = io_one(s->ov->io, (struct io_op) { .kind = IO_GETDENTS, .fd = s->fd, .buf = buf, .len = DENTS_SIZE });

		if (n <= 0)
			return (int) n;
		for (int64_t at = 0; at < n; ) {
			const struct linux_dirent64 *d = (const void *) (buf + at);
			int r = scan_entry(s, d);

			if (r < 0)
				return r;
			at += d->d_reclen;
		}
	}
}

/* What ".wh." names hide in the layers that come now. */
static int take_hidden(struct scan *s)
{
	const struct listing *h = &s->hidden_below;
	struct item *there;
	int r = 0;

	for (size_t i = 0; i < h->n && r == 0; i++)
		r = add(s->list, h->names + h->items[i].text, h->items[i].len, &h->items[i], &there);
	return r;
}

static int scan_place(struct overlay *ov, struct node *dir, const struct place *p, const struct policy_state *state,
		      struct listing *list)
{
	struct scan s = {
		.ov = ov, .dir = dir, .list = list, .state = state, .layer = p->layer, .xwhiteouts = p->xwhiteouts, .filter = p->filter, .dev = p->dev,
		.wh_names = ov->layers[p->layer].wh_names,
	};
	_cleanup_close_ int fd = -EBADF;
	char byte;
	DIRFD(d, ov);
	int r;

	if (filter_shows_nothing(p->filter))
		return 0;
	s.direct = state && policy_state_verdict(state)->access == POLICY_RW;
	r = dirfd_get(ov, dir, p->layer, &d.d);
	if (r < 0)
		return r;
	fd = io_open(ov->io, d.d->fd, NULL, O_RDONLY | O_DIRECTORY, 0, NULL);
	if (fd == -EMFILE || fd == -ENFILE) {
		dircache_shrink(ov);
		fd = io_open(ov->io, d.d->fd, NULL, O_RDONLY | O_DIRECTORY, 0, NULL);
	}
	if (fd == -EACCES && p->layer == LAYER_UPPER) {
		/* A directory of our own that its owner, who we are, has closed: the kernel has checked who may read it. */
		struct unlocked u;

		if (unlock(ov, d.d->fd, NULL, &u) == 0)
			fd = io_open(ov->io, d.d->fd, NULL, O_RDONLY | O_DIRECTORY, 0, NULL);
		lock_again(&u);
	}
	if (fd < 0)
		return fd;
	s.fd = fd;
	if (p->layer == LAYER_UPPER) {
		r = meta_get(&ov->meta, fd, NULL, META_IMPURE, &byte, 1, NULL);
		s.impure = r == 1;
	}
	r = scan_fd(&s);
	if (r == 0)
		r = take_hidden(&s);
	listing_done(&s.hidden_below);
	return r;
}

static size_t copy_places(struct overlay *ov, struct node *dir, struct place places[static MAX_LAYERS])
{
	SCOPE_LOCK(&node_shard(ov, dir)->lock);
	if (dir->flags & NODE_DEAD)
		return 0;
	for (uint16_t i = 0; i < dir->places->n; i++) {
		places[i] = dir->places->v[i];
		places[i].path = NULL; /* may go at any time, and is not needed */
	}
	return dir->places->n;
}

/* Names of files that the policy makes up. */
struct making {
	struct overlay *ov;
	struct listing *list;
	const struct policy_state *state;
	struct node *dir;
};

static int add_made(void *arg, const char *name, int file)
{
	const struct making *m = arg;
	struct item it = { .ino = look_made_ino(m->ov, m->dir, name), .type = DT_REG }, *there;
	struct ruling as_dir, as_file;
	size_t len = strlen(name);
	int r = judge_listed(m->state, name, len, &as_dir, &as_file);

	return r == 0 && shows_in(m->state, &as_file) ? add(m->list, name, len, &it, &there) : r;
}

/* The upper may have changed what is made up, or removed it; the lowers are behind it. */
static int fill_by(struct overlay *ov, struct node *dir, const struct policy_state *state, struct listing *list)
{
	struct making making = { .ov = ov, .list = list, .state = state, .dir = dir };
	struct place places[MAX_LAYERS];
	size_t n = copy_places(ov, dir, places), i = 0;
	int r = 0;

	if (n > 0 && places[0].layer == LAYER_UPPER)
		r = scan_place(ov, dir, &places[i++], state, list);
	if (r == 0 && n > 0 && state)
		r = policy_state_files(state, add_made, &making);
	for (; i < n && r == 0; i++)
		r = scan_place(ov, dir, &places[i], state, list);
	return r;
}

static int fill(struct overlay *ov, struct node *dir, struct listing *list)
{
	_cleanup_(policy_state_unrefp) struct policy_state *state = NULL;
	int r = judge_dir(ov, dir, &state);

	listing_done(list);
	return r < 0 ? r : fill_by(ov, dir, state, list);
}

int listing_check_empty(struct overlay *ov, struct node *dir)
{
	struct listing list = { 0 };
	int r = fill(ov, dir, &list);

	if (r == 0 && list.holds_hidden)
		r = -EACCES;
	for (size_t i = 0; i < list.n && r != -ENOTEMPTY; i++)
		if (!list.items[i].hidden)
			r = -ENOTEMPTY;
	listing_done(&list);
	return r;
}

int listing_is_bare(struct overlay *ov, struct node *dir)
{
	struct listing list = { 0 };
	bool bare = true;
	int r = fill_by(ov, dir, NULL, &list);

	for (size_t i = 0; i < list.n; i++)
		bare &= list.items[i].hidden;
	listing_done(&list);
	return r < 0 ? r : bare;
}

int listing_each(struct overlay *ov, struct node *dir, int (*fn)(void *arg, const char *name, size_t len), void *arg)
{
	struct listing list = { 0 };
	int r = fill(ov, dir, &list);

	for (size_t i = 0; i < list.n && r == 0; i++)
		if (!list.items[i].hidden)
			r = fn(arg, list.names + list.items[i].text, list.items[i].len);
	listing_done(&list);
	return r;
}

/* the door */

int overlay_opendir(struct overlay *ov, const struct actor *who, struct node *n, struct overlay_dir **ret)
{
	struct overlay_dir *d;
	uint32_t stamp;
	int r;

	if (!S_ISDIR(n->type))
		return -ENOTDIR;
	stamp = rules_now(ov)->stamp; /* of before the gate: others may be in force after it */
	r = gate_node(ov, who, GATE_LIST, n);
	if (r < 0)
		return r;
	d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	d->ov = ov;
	d->stamp = stamp;
	d->node = n;
	node_ref(n);
	*ret = d;
	return 0;
}

void overlay_releasedir(struct overlay_dir *d)
{
	listing_done(&d->list);
	(void) node_unref(d->ov, d->node);
	free(d);
}

static uint64_t parent_ino(struct overlay *ov, struct node *n)
{
	char name[NAME_BYTES];
	struct node *parent = node_parent(ov, n, name);
	uint64_t ino = parent ? parent->ino : n->ino;

	(void) node_unref(ov, parent);
	return ino;
}

/* Positions: 0 ".", 1 "..", then the items. */
#define N_DOTS 2

static bool emit_dot(struct overlay_dir *d, uint64_t at, overlay_dirent_fn fn, void *arg)
{
	struct overlay_dirent e = {
		.name = at == 0 ? "." : "..", .name_len = at == 0 ? 1 : 2, .type = DT_DIR, .next_off = at + 1,
		.ino = at == 0 ? d->node->ino : parent_ino(d->ov, d->node),
	};

	return fn(arg, &e, NULL);
}

/* By other rules than those it was gathered by, may a name still be seen? */
static bool still_shows(struct overlay_dir *d, const struct policy_state *state, const struct item *it)
{
	struct ruling as_dir, as_file;

	if (it->hidden || !state || d->stamp == rules_now(d->ov)->stamp)
		return !it->hidden;
	return judge_listed(state, d->list.names + it->text, it->len, &as_dir, &as_file) == 0 &&
	       shows_in(state, it->type == DT_DIR ? &as_dir : &as_file);
}

static bool emit_item(struct overlay_dir *d, size_t i, bool plus, overlay_dirent_fn fn, void *arg)
{
	const struct item *it = &d->list.items[i];
	struct overlay_dirent e = {
		.name = d->list.names + it->text, .name_len = it->len, .ino = it->ino, .type = it->type, .next_off = N_DOTS + i + 1,
	};
	struct entry entry = { .node = NULL };
	bool taken;

	/* Whatever is wrong with the entry, its own look-up will say. */
	if (plus && look_entry(d->ov, d->node, e.name, &entry) == 1) {
		e.ino = entry.stx.stx_ino;
		e.type = (unsigned char) IFTODT(entry.stx.stx_mode);
	}
	taken = fn(arg, &e, entry.node ? &entry : NULL);
	if (!taken && entry.node)
		overlay_forget(d->ov, entry.node, 1);
	return taken;
}

int overlay_readdir(struct overlay_dir *d, const struct actor *who, uint64_t off, bool plus, overlay_dirent_fn fn, void *arg)
{
	_cleanup_(policy_state_unrefp) struct policy_state *state = NULL;
	uint32_t stamp = rules_now(d->ov)->stamp;
	int r = d->stamp != stamp ? gate_node(d->ov, who, GATE_LIST, d->node) : 0;

	if (r == -ENOENT)
		r = -EACCES; /* as to a descriptor, what is hidden is forbidden; and the C library takes ENOENT for the end */
	if (r == 0)
		r = judge_dir(d->ov, d->node, &state);
	if (r < 0)
		return r;
	if (!d->filled || off == 0) {
		d->stamp = stamp;
		r = fill(d->ov, d->node, &d->list);
		if (r < 0)
			return r;
		d->filled = true;
	}
	if (node_has_flag(d->ov, d->node, NODE_DEAD))
		return 0; /* a removed directory has not even dots */
	for (; off < N_DOTS; off++)
		if (!emit_dot(d, off, fn, arg))
			return 0;
	for (uint64_t i = off - N_DOTS; i < d->list.n; i++)
		if (still_shows(d, state, &d->list.items[i]) && !emit_item(d, i, plus, fn, arg))
			break;
	return 0;
}

int overlay_fsyncdir(struct overlay_dir *d, bool data_only)
{
	_cleanup_close_ int fd = -EBADF;
	DIRFD(s, d->ov);
	int r;

	if (!node_is_upper(d->ov, d->node) || d->ov->volatile_ || node_has_flag(d->ov, d->node, NODE_DEAD))
		return 0;
	r = dirfd_get(d->ov, d->node, LAYER_UPPER, &s.d);
	if (r < 0)
		return r;
	fd = io_open(d->ov->io, s.d->fd, NULL, O_RDONLY | O_DIRECTORY, 0, NULL);
	return fd < 0 ? fd : io_fsync(d->ov->io, fd, data_only);
}
