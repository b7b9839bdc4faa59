/*
 * Nodes: who is alive, under which number and which names.
 *
 * Three ways lead to a node: its id (the kernel's requests), its inode number (a look-up that found the same object
 * again, perhaps under another name), and its names (from which it is reached, see spot.c). A node lives while the
 * kernel counts look-ups on it or anything refers to it: a child's name, an open file, a running verb.
 *
 * The id table never shrinks below its slots (16 bytes each), but nodes and names go back to the allocator, and from
 * there to the system once half of them are gone.
 */

#include "overlay/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <string.h>
#include <time.h>

#include "overlay/dircache.h"
#include "overlay/judge.h"
#include "overlay/look.h"
#include "overlay/moving.h"

#define CHUNK_SLOTS 4096
#define N_CHUNKS (1u << 16)
#define TRIM_FROM 20000 /* fewer nodes are not worth giving back */

/* ids */

static struct id_slot *id_slot(struct overlay *ov, uint32_t index)
{
	struct id_slot *chunk;

	if (index / CHUNK_SLOTS >= N_CHUNKS)
		return NULL;
	/* Pairs with the release in id_new(): a chunk is zeroed before it shows. */
	chunk = atomic_load_explicit(&ov->ids.chunks[index / CHUNK_SLOTS], memory_order_acquire);
	return chunk ? &chunk[index % CHUNK_SLOTS] : NULL;
}

static int id_reserve(struct id_table *t, uint32_t *ret)
{
	struct id_slot *chunk;

	if (t->n_free > 0) {
		*ret = t->free[--t->n_free];
		return 0;
	}
	if (t->n_used == CHUNK_SLOTS * (uint64_t) N_CHUNKS)
		return -ENFILE;
	if (t->n_used % CHUNK_SLOTS == 0) {
		chunk = calloc(CHUNK_SLOTS, sizeof(*chunk));
		if (!chunk)
			return -ENOMEM;
		atomic_store_explicit(&t->chunks[t->n_used / CHUNK_SLOTS], chunk, memory_order_release);
	}
	*ret = t->n_used++;
	return 0;
}

static int id_new(struct overlay *ov, struct node *n)
{
	struct id_table *t = &ov->ids;
	struct id_slot *slot;
	uint32_t index;
	int r;

	SCOPE_LOCK(&t->lock);
	r = id_reserve(t, &index);
	if (r < 0)
		return r;
	slot = id_slot(ov, index);
	n->id = index == 1 ? 1 : (uint64_t) ++t->generation << 32 | index; /* the root is FUSE_ROOT_ID */
	atomic_store_explicit(&slot->generation, (uint32_t) (n->id >> 32), memory_order_relaxed);
	/* Pairs with the acquire in overlay_node(). */
	atomic_store_explicit(&slot->node, n, memory_order_release);
	t->n_nodes++;
	t->peak = MAX(t->peak, t->n_nodes);
	return 0;
}

/* Returns true when so many nodes have gone that memory should go back to the system. */
static bool id_free(struct overlay *ov, uint64_t id)
{
	struct id_table *t = &ov->ids;

	SCOPE_LOCK(&t->lock);
	atomic_store_explicit(&id_slot(ov, (uint32_t) id)->node, NULL, memory_order_relaxed);
	if (t->n_free == t->free_size) {
		size_t size = MAX(t->free_size * 2, (size_t) 1024);
		uint32_t *v = reallocarray(t->free, size, sizeof(*v));

		if (v) {
			t->free = v;
			t->free_size = size;
		}
	}
	if (t->n_free < t->free_size) /* else the number is lost, not more */
		t->free[t->n_free++] = (uint32_t) id;
	t->n_nodes--;
	if (t->peak < TRIM_FROM || t->n_nodes > t->peak / 2)
		return false;
	t->peak = t->n_nodes;
	return true;
}

struct node *overlay_node(struct overlay *ov, uint64_t id)
{
	struct id_slot *slot = id_slot(ov, (uint32_t) id);
	struct node *n;

	if (!slot)
		return NULL;
	n = atomic_load_explicit(&slot->node, memory_order_acquire);
	return n && atomic_load_explicit(&slot->generation, memory_order_relaxed) == (uint32_t) (id >> 32) ? n : NULL;
}

/* hash table by inode number */

static uint64_t spread(uint64_t x)
{
	return (x ^ (x >> 29)) * UINT64_C(0x9e3779b97f4a7c15);
}

struct shard *node_shard(struct overlay *ov, const struct node *n)
{
	return &ov->shards[spread(n->ino) % N_SHARDS];
}

static struct node **bucket(struct shard *s, uint64_t ino)
{
	return &s->buckets[(spread(ino) >> 20) % s->n_buckets];
}

static void hash_grow(struct shard *s)
{
	struct shard bigger = { .n_buckets = s->n_buckets * 2 };

	bigger.buckets = calloc(bigger.n_buckets, sizeof(*bigger.buckets));
	if (!bigger.buckets)
		return; /* longer chains, that is all */
	for (size_t i = 0; i < s->n_buckets; i++) {
		for (struct node *n = s->buckets[i], *next; n; n = next) {
			struct node **b = bucket(&bigger, n->ino);

			next = n->hash_next;
			n->hash_next = *b;
			*b = n;
		}
	}
	free(s->buckets);
	s->buckets = bigger.buckets;
	s->n_buckets = bigger.n_buckets;
}

static void hash_add(struct shard *s, struct node *n)
{
	struct node **b;

	if (s->n_nodes >= s->n_buckets)
		hash_grow(s);
	b = bucket(s, n->ino);
	n->hash_next = *b;
	*b = n;
	n->flags |= NODE_HASHED;
	s->n_nodes++;
}

static void hash_remove(struct shard *s, struct node *n)
{
	struct node **p = bucket(s, n->ino);

	if (!(n->flags & NODE_HASHED))
		return;
	while (*p != n)
		p = &(*p)->hash_next;
	*p = n->hash_next;
	n->flags &= (uint16_t) ~NODE_HASHED;
	s->n_nodes--;
}

/* Removed objects are in no hash chain: the same link has them in a list of their own. */
static void removed_add(struct shard *s, struct node *n)
{
	if (n->flags & NODE_REMOVED)
		return;
	n->hash_next = s->removed;
	s->removed = n;
	n->flags |= NODE_REMOVED;
}

static void removed_remove(struct shard *s, struct node *n)
{
	struct node **p = &s->removed;

	if (!(n->flags & NODE_REMOVED))
		return;
	while (*p != n)
		p = &(*p)->hash_next;
	*p = n->hash_next;
	n->flags &= (uint16_t) ~NODE_REMOVED;
}

/* references */

void places_free(struct places *p)
{
	if (!p)
		return;
	for (uint16_t i = 0; i < p->n; i++)
		free(p->v[i].path);
	free(p);
}

static void ext_free(struct node_ext *e)
{
	if (!e)
		return;
	free(e->index_name);
	free(e->redirect);
	if (e->data)
		free(e->data->path);
	free(e->data);
	free(e);
}

/* Drops references, from refs or from look-ups. True: the last one, and the node is out of the tables. */
static bool drop(struct overlay *ov, struct node *n, uint32_t refs, uint64_t lookups)
{
	struct shard *s = node_shard(ov, n);

	SCOPE_LOCK(&s->lock);
	n->n_lookups -= MIN(lookups, n->n_lookups);
	if (atomic_fetch_sub(&n->refs, refs) != refs || n->n_lookups > 0)
		return false;
	(void) atomic_fetch_add(&ov->n_leaving, 1); /* before it is out of sight: see overlay_reclaim() */
	hash_remove(s, n);
	removed_remove(s, n);
	return true;
}

/* Frees dead nodes, linked by hash_next, and the ancestors that die with them: a loop, since trees are deep. */
static void reap(struct overlay *ov, struct node *dead)
{
	bool trim = false;

	while (dead) {
		struct node *n = dead;

		dead = n->hash_next;
		for (struct name *a = n->names, *next; a; a = next) {
			next = a->next;
			if (drop(ov, a->dir, 1, 0)) {
				a->dir->hash_next = dead;
				dead = a->dir;
			}
			free(a);
		}
		ext_free(n->ext);
		if (n->places)
			dirfd_drop(ov, n);
		places_free(n->places);
		(void) policy_state_unref(n->state);
		(void) fd_close(n->fd);
		trim |= id_free(ov, n->id);
		free(n);
		(void) atomic_fetch_sub(&ov->n_leaving, 1);
	}
	if (trim)
		(void) malloc_trim(0);
}

void node_ref(struct node *n)
{
	(void) atomic_fetch_add_explicit(&n->refs, 1, memory_order_relaxed);
}

static void leave(struct overlay *ov, struct node *n, uint32_t refs, uint64_t lookups)
{
	if (drop(ov, n, refs, lookups)) {
		n->hash_next = NULL;
		reap(ov, n);
	}
}

struct node *node_unref(struct overlay *ov, struct node *n)
{
	if (n)
		leave(ov, n, 1, 0);
	return NULL;
}

void overlay_forget(struct overlay *ov, struct node *n, uint64_t count)
{
	leave(ov, n, 0, count);
}

void node_give(struct overlay *ov, struct node *n, struct entry *ret)
{
	SCOPE_LOCK(&node_shard(ov, n)->lock);
	n->n_lookups++;
	n->refs--;
	ret->node = n;
	ret->id = n->id;
	ret->generation = n->id >> 32;
}

/* names */

static struct name *find_name(const struct node *n, const struct node *dir, const char *name)
{
	for (struct name *a = n->names; a; a = a->next)
		if (a->dir == dir && strcmp(a->text, name) == 0)
			return a;
	return NULL;
}

static struct name *name_new(struct overlay *ov, struct node *dir, const char *text)
{
	size_t len = strlen(text) + 1;
	struct name *a = malloc(sizeof(*a) + len);

	if (!a)
		return NULL;
	memcpy(a->text, text, len);
	a->dir = dir;
	a->next = NULL;
	node_ref(dir);
	return a;
}

/* Not with a shard locked: the directory may die with it. */
static void name_free(struct overlay *ov, struct name *a)
{
	if (!a)
		return;
	(void) node_unref(ov, a->dir);
	free(a);
}

struct node *node_parent(struct overlay *ov, struct node *n, char name[static NAME_BYTES])
{
	SCOPE_LOCK(&node_shard(ov, n)->lock);
	if (!n->names)
		return NULL;
	memcpy(name, n->names->text, strlen(n->names->text) + 1);
	node_ref(n->names->dir);
	return n->names->dir;
}

/* The rights are the same by all names that a node has; a directory is in one state with all that is in it. */
static void names_changed(struct node *n)
{
	n->seq++;
	if (!S_ISDIR(n->type))
		n->flags |= NODE_RENAMED;
}

static void put_name(struct node *n, struct name *a)
{
	a->next = n->names;
	n->names = a;
	names_changed(n);
}

int node_add_name(struct overlay *ov, struct node *n, struct node *dir, const char *text)
{
	struct name *a = name_new(ov, dir, text);
	int fd = -EBADF;

	if (!a)
		return -ENOMEM;
	{
		SCOPE_LOCK(&node_shard(ov, n)->lock);
		if (!find_name(n, dir, text)) {
			put_name(n, a);
			a = NULL;
			fd = n->fd; /* it was reached by that alone */
			n->fd = -EBADF;
			n->flags &= (uint16_t) ~NODE_DEAD;
			removed_remove(node_shard(ov, n), n);
			if (!(n->flags & NODE_HASHED))
				hash_add(node_shard(ov, n), n);
		}
	}
	name_free(ov, a);
	(void) fd_close(fd);
	return 0;
}

static struct name *unlink_name(struct node *n, const struct node *dir, const char *text)
{
	for (struct name **p = &n->names, *a; (a = *p); p = &a->next) {
		if (a->dir == dir && strcmp(a->text, text) == 0) {
			*p = a->next;
			names_changed(n);
			return a;
		}
	}
	return NULL;
}

void node_drop_name(struct overlay *ov, struct node *n, struct node *dir, const char *text, int fd, bool dead)
{
	struct name *a;

	{
		struct shard *s = node_shard(ov, n);
		SCOPE_LOCK(&s->lock);
		a = unlink_name(n, dir, text);
		if (dead) {
			n->flags |= NODE_DEAD;
			hash_remove(s, n); /* its number may be given to another object now */
			removed_add(s, n);
		}
		if (!n->names && n->fd < 0) {
			n->fd = steal_fd(&fd);
			n->seq++;
		}
	}
	name_free(ov, a);
	(void) fd_close(fd);
}

int node_move_name(struct overlay *ov, struct node *n, struct node *dir, const char *text, struct node *new_dir,
		   const char *new_text)
{
	struct name *a = name_new(ov, new_dir, new_text), *old;

	if (!a)
		return -ENOMEM;
	{
		SCOPE_LOCK(&node_shard(ov, n)->lock);
		old = unlink_name(n, dir, text);
		if (!find_name(n, new_dir, new_text)) /* a look-up may have been faster */
			put_name(n, steal_ptr(a));
	}
	name_free(ov, old);
	name_free(ov, a);
	return 0;
}

/* Takes descriptors of removed files that nobody has open, as many as there is room for. */
static size_t take_from_removed(struct shard *s, int *fds, size_t room)
{
	size_t n_fds = 0;

	SCOPE_LOCK(&s->lock);
	for (struct node *n = s->removed; n && n_fds < room; n = n->hash_next)
		if (S_ISREG(n->type) && !n->files && !n->names && n->fd >= 0)
			fds[n_fds++] = steal_fd(&n->fd);
	return n_fds;
}

void overlay_reclaim(struct overlay *ov)
{
	const struct timespec moment = { .tv_nsec = 20000 };
	int fds[64];
	size_t n;

	for (size_t i = 0; i < N_SHARDS; i++) {
		do {
			n = take_from_removed(&ov->shards[i], fds, ARRAY_SIZE(fds));
			for (size_t j = 0; j < n; j++)
				(void) fd_close(fds[j]);
		} while (n == ARRAY_SIZE(fds));
	}
	/* Others may be about to close some: a few milliseconds, where a large file goes. */
	for (int i = 0; i < 500 && atomic_load(&ov->n_leaving) > 0; i++)
		(void) nanosleep(&moment, NULL);
}

/* flags */

void node_set_flag(struct overlay *ov, struct node *n, unsigned int flag, bool on)
{
	SCOPE_LOCK(&node_shard(ov, n)->lock);
	n->flags = (uint16_t) (on ? n->flags | flag : n->flags & ~flag);
}

bool node_has_flag(struct overlay *ov, struct node *n, unsigned int flag)
{
	SCOPE_LOCK(&node_shard(ov, n)->lock);
	return n->flags & flag;
}

bool node_is_upper(struct overlay *ov, struct node *n)
{
	SCOPE_LOCK(&node_shard(ov, n)->lock);
	return n->layer == LAYER_UPPER;
}

bool node_has_upper(struct overlay *ov, struct node *n)
{
	SCOPE_LOCK(&node_shard(ov, n)->lock);
	return n->places && n->places->n > 0 ? n->places->v[0].layer == LAYER_UPPER : n->layer == LAYER_UPPER;
}

struct node_ext *node_ext_get(struct node *n)
{
	if (!n->ext)
		n->ext = calloc(1, sizeof(*n->ext));
	return n->ext;
}

/* from look-up to node */

static struct places *places_from(const struct found *f)
{
	struct places *p;

	p = malloc(sizeof(*p) + f->n_places * sizeof(p->v[0]));
	if (!p)
		return NULL;
	p->n = (uint16_t) f->n_places;
	memcpy(p->v, f->places, f->n_places * sizeof(p->v[0]));
	return p;
}

static bool same_places(const struct places *p, const struct found *f)
{
	if (p->n != f->n_places)
		return false;
	for (size_t i = 0; i < p->n; i++)
		if (p->v[i].layer != f->places[i].layer || p->v[i].ino != f->places[i].ino || p->v[i].dev != f->places[i].dev)
			return false;
	return true;
}

static int node_new(struct overlay *ov, const struct found *f, struct node **ret)
{
	struct node *n = calloc(1, sizeof(*n));

	if (!n)
		return -ENOMEM;
	n->ino = f->ino;
	n->type = f->stx.stx_mode & S_IFMT;
	n->layer = f->layer;
	n->dev = f->dev;
	n->real_ino = f->real_ino;
	n->fd = -EBADF;
	n->stamp = f->j.stamp;
	n->ruling = n->before = *judged(&f->j, f->stx.stx_mode);
	n->flags = (uint16_t) ((f->masked ? NODE_FIXED : 0) | (f->whole ? NODE_WHOLE : 0) | (f->metacopy ? NODE_METACOPY : 0) |
			       (f->alone ? NODE_ALONE : 0));
	if (f->record.has || f->index_name[0] || f->redirect[0]) {
		if (!node_ext_get(n))
			goto fail;
		if (f->redirect[0]) {
			n->ext->redirect = strdup(f->redirect);
			if (!n->ext->redirect)
				goto fail;
		}
		n->ext->record = f->record;
		if (f->index_name[0]) {
			n->ext->index_name = strdup(f->index_name);
			if (!n->ext->index_name)
				goto fail;
		}
	}
	if (S_ISDIR(n->type)) {
		n->places = places_from(f);
		if (!n->places || judge_enter(&f->j, f->stx.stx_mode, &n->state) < 0)
			goto fail;
	}
	if (n->layer == LAYER_MADE) {
		const struct rules *rules = rules_now(ov);

		n->fd = rules->stamp == n->stamp ? fcntl(rules->made[n->ruling.made], F_DUPFD_CLOEXEC, 0) : -1;
		if (n->fd < 0)
			goto fail;
	}
	*ret = n;
	return 0;
fail:
	free(n->places);
	ext_free(n->ext);
	free(n);
	return -ENOMEM;
}

/* Is the node that has the number the object that was found? With the shard locked. */
static bool agrees(const struct node *n, const struct found *f)
{
	if (n->type != (f->stx.stx_mode & S_IFMT) || n->flags & NODE_DEAD)
		return false;
	if (S_ISDIR(n->type))
		return n->layer == f->layer && n->real_ino == f->real_ino && n->dev == f->dev && same_places(n->places, f);
	return n->layer == f->layer && n->real_ino == f->real_ino && n->dev == f->dev;
}

/* By other rules a directory has its attributes from another one of the same places. */
static bool follow_rules(struct overlay *ov, struct node *n, const struct found *f)
{
	struct node_ext *ext;

	if (!S_ISDIR(n->type) || !S_ISDIR(f->stx.stx_mode) || n->flags & NODE_DEAD || !same_places(n->places, f) ||
	    f->j.stamp != rules_now(ov)->stamp)
		return false;
	ext = f->record.has ? node_ext_get(n) : n->ext;
	if (f->record.has && !ext)
		return false;
	if (ext)
		ext->record = f->record;
	n->layer = f->layer;
	n->dev = f->dev;
	n->real_ino = f->real_ino;
	n->flags &= (uint16_t) ~(NODE_ACL_KNOWN | NODE_ACL_DEFAULT);
	n->seq++;
	return true;
}

bool node_is_found(struct overlay *ov, struct node *n, const struct found *f)
{
	SCOPE_LOCK(&node_shard(ov, n)->lock);
	return agrees(n, f) || follow_rules(ov, n, f);
}

/* A single name is the rule; the others go, unless the object has links. */
static struct name *trim_names(struct node *n, const struct found *f)
{
	struct name *rest = NULL;

	if (S_ISDIR(n->type) || f->stx.stx_nlink <= 1) {
		rest = n->names->next;
		n->names->next = NULL;
	}
	return rest;
}

static void free_names(struct overlay *ov, struct name *list)
{
	for (struct name *next; list; list = next) {
		next = list->next;
		name_free(ov, list);
	}
}

/*
 * A file with names in places of different rules is a node in each of them. One of these was copied up: the index has led the look-up
 * to it, and so the others know.
 */
static bool follow_up(struct node *n, const struct found *f)
{
	struct node_ext *ext;

	if (S_ISDIR(n->type) || n->flags & NODE_DEAD || !f->index_name[0] || f->layer != LAYER_UPPER || n->layer == LAYER_UPPER)
		return false;
	ext = node_ext_get(n);
	if (!ext || ext->index_name)
		return false;
	ext->index_name = strdup(f->index_name);
	if (!ext->index_name)
		return false;
	ext->record = f->record;
	n->layer = f->layer;
	n->dev = f->dev;
	n->real_ino = f->real_ino;
	n->flags = (uint16_t) ((n->flags & ~(NODE_WHOLE | NODE_METACOPY)) | (f->whole ? NODE_WHOLE : 0) |
			       (f->metacopy ? NODE_METACOPY : 0));
	n->seq++;
	return true;
}

/* What finding an object means for the nodes that there are. */
struct getting {
	struct found *f;
	struct node *dir;
	const char *text;
	struct policy_state *state; /* of the directory that was found; in the end, one that nobody needs any more */
	struct name *name;	    /* the name, to be used up if it is new */
	struct name *rest;	    /* names that a node has lost */
	struct node *stale;	    /* referenced: has to be asked what the rules are, before it can be told which node it is */
	int fd;			    /* by which a node was reached that has a name now */
};

static bool is_only_name(const struct node *n, const struct node *dir, const char *text)
{
	return n->names && !n->names->next && n->names->dir == dir && strcmp(n->names->text, text) == 0;
}

/*
 * Has a node the name, which leads to another object of its number by now? A copy in the upper, and the file in the lower that it was made
 * of, are two once other rules say which of them is changed. Whoever has the one open keeps it; who looks the name up gets the other.
 */
static bool is_left(const struct node *n, const struct getting *g)
{
	const struct found *f = g->f;
	bool follows = S_ISDIR(n->type) ? n->places && same_places(n->places, f) : f->index_name[0] && n->layer != LAYER_UPPER;

	return !follows && !agrees(n, f) && find_name(n, g->dir, g->text);
}

/* Is what was found no longer so, perhaps? */
static bool is_moving(struct overlay *ov, const struct found *f)
{
	return atomic_load(&ov->n_moving) > 0 || moving_now(ov) != f->moved;
}

/*
 * Which node is the object, under this name? The one that has it as its only name, whatever the rules say now; or one
 * of which they say the same. An object whose links will part at the first change has a node for each name, lest what is written to
 * one is lost to whoever knows it by another. With the shard locked.
 */
static struct node *find_existing(struct overlay *ov, struct shard *s, struct getting *g)
{
	const struct found *f = g->f;
	const struct ruling *ruling = judged(&f->j, f->stx.stx_mode);
	struct node *left = NULL;

	for (struct node *n = *bucket(s, f->ino); n; n = n->hash_next) {
		if (n->ino != f->ino)
			continue;
		if (is_left(n, g)) {
			left = n;
			continue;
		}
		if (is_only_name(n, g->dir, g->text))
			return n;
		if (f->alone || n->flags & NODE_ALONE)
			continue;
		if (n->stamp != f->j.stamp) {
			node_ref(n);
			g->stale = n;
			return NULL;
		}
		if (ruling_same_class(&n->ruling, ruling) && (!g->state || (n->state && policy_state_equal(n->state, g->state))))
			return n;
	}
	return left && is_moving(ov, f) ? left : NULL; /* it may just be on its way into the upper */
}

/*
 * Takes the node that is there, if it agrees. A name that it has not got by now, and that was found before something was moved, may be
 * one that it has lost.
 */
static int take_existing(struct overlay *ov, struct node *n, struct getting *g)
{
	const struct found *f = g->f;
	struct policy_state *old = n->state;
	bool is_new = !find_name(n, g->dir, g->text);

	if ((!agrees(n, f) && !follow_rules(ov, n, f) && !follow_up(n, f)) || (is_new && moving_now(ov) != f->moved))
		return -EAGAIN;
	n->refs++;
	node_rule(n, f->j.stamp, judged(&f->j, f->stx.stx_mode));
	n->state = g->state;
	g->state = old;
	if (is_new) {
		put_name(n, steal_ptr(g->name));
		g->rest = trim_names(n, f);
		g->fd = steal_fd(&n->fd);
	}
	if (n->names->next && !S_ISDIR(n->type)) /* it is ruled by one of them now */
		n->flags |= NODE_RENAMED;
	return 0;
}

/* The name leads to this node now: none of the object's other nodes has it any more. With the shard locked. */
static void take_name_from_others(struct shard *s, struct node *n, struct getting *g)
{
	for (struct node *other = *bucket(s, n->ino); other; other = other->hash_next) {
		struct name *a;

		if (other == n || other->ino != n->ino || !other->names || !other->names->next)
			continue;
		a = unlink_name(other, g->dir, g->text);
		if (a) {
			a->next = g->rest;
			g->rest = a;
		}
	}
}

/* A node that is in no table yet. */
static void discard(struct overlay *ov, struct node *n)
{
	if (n->id)
		(void) id_free(ov, n->id);
	ext_free(n->ext);
	free(n->places); /* the paths are still found's */
	(void) policy_state_unref(n->state);
	(void) fd_close(n->fd);
	free(n);
}

static int node_new_with_id(struct overlay *ov, const struct found *f, struct node **ret)
{
	int r = node_new(ov, f, ret);

	if (r < 0)
		return r;
	r = id_new(ov, *ret);
	if (r < 0) {
		discard(ov, *ret);
		*ret = NULL;
	}
	return r;
}

/* Into the tables, with the shard locked. The reference is the caller's. */
static void publish(struct shard *s, struct node *n, struct found *f)
{
	n->refs = 1;
	hash_add(s, n);
	for (size_t i = 0; i < f->n_places; i++)
		f->places[i].path = NULL; /* the node's now */
}

static void getting_done(struct overlay *ov, struct getting *g)
{
	free_names(ov, g->rest);
	name_free(ov, g->name);
	(void) node_unref(ov, g->stale);
	(void) policy_state_unref(g->state);
	(void) fd_close(g->fd);
}

/* -EAGAIN as node_get(); 1: the caller is to try again with *fresh, a node that is in no table yet. */
static int get_once(struct overlay *ov, struct shard *s, struct getting *g, struct node **fresh, struct node **ret)
{
	SCOPE_LOCK(&s->lock);
	struct node *n = find_existing(ov, s, g);
	int r = 0;

	if (g->stale)
		return 1;
	if (judgement_is_old(ov, &g->f->j))
		return -EAGAIN;
	if (n)
		r = take_existing(ov, n, g);
	else if (!*fresh)
		return 1;
	else {
		n = steal_ptr(*fresh);
		n->names = steal_ptr(g->name);
		publish(s, n, g->f);
	}
	if (r == 0)
		take_name_from_others(s, n, g);
	*ret = n;
	return r;
}

/* Without the lock: what the tables wait for. */
static int prepare(struct overlay *ov, struct getting *g, struct node **fresh)
{
	struct node *n = steal_ptr(g->stale);
	int r;

	if (!n)
		return node_new_with_id(ov, g->f, fresh);
	r = judge_refresh(ov, n);
	(void) node_unref(ov, n);
	/* By other rules than those that the look-up went by: it has to begin anew. */
	return r == 0 && rules_now(ov)->stamp != g->f->j.stamp ? -EAGAIN : r;
}

int node_get(struct overlay *ov, struct found *f, struct node *dir, const char *text, struct node **ret)
{
	struct getting g = { .f = f, .dir = dir, .text = text, .fd = -EBADF };
	struct node key = { .ino = f->ino }, *fresh = NULL;
	struct shard *s = node_shard(ov, &key);
	int r = judge_enter(&f->j, f->stx.stx_mode, &g.state);

	if (r < 0)
		return r;
	g.name = name_new(ov, dir, text);
	r = g.name ? 1 : -ENOMEM;
	while (r == 1) {
		r = get_once(ov, s, &g, &fresh, ret);
		if (r == 1) {
			r = prepare(ov, &g, &fresh);
			r = r == 0 ? 1 : r;
		}
	}
	getting_done(ov, &g);
	if (fresh)
		discard(ov, fresh);
	return r;
}

int node_get_nameless(struct overlay *ov, struct found *f, int fd, struct node **ret)
{
	struct node *n;
	int r = node_new_with_id(ov, f, &n);

	if (r < 0)
		return r;
	n->fd = fd;
	SCOPE_LOCK(&node_shard(ov, n)->lock);
	publish(node_shard(ov, n), n, f);
	*ret = n;
	return 0;
}

/* all of them */

int nodes_init(struct overlay *ov)
{
	ov->ids.chunks = calloc(N_CHUNKS, sizeof(*ov->ids.chunks));
	if (!ov->ids.chunks)
		return -ENOMEM;
	(void) pthread_mutex_init(&ov->ids.lock, NULL);
	if (id_reserve(&ov->ids, &(uint32_t) { 0 }) < 0) /* 0 is nobody's number */
		return -ENOMEM;
	for (size_t i = 0; i < N_SHARDS; i++) {
		struct shard *s = &ov->shards[i];

		(void) pthread_mutex_init(&s->lock, NULL);
		s->n_buckets = 16;
		s->buckets = calloc(s->n_buckets, sizeof(*s->buckets));
		if (!s->buckets)
			return -ENOMEM;
	}
	return 0;
}

static void node_destroy(struct node *n)
{
	for (struct name *a = n->names, *next; a; a = next) {
		next = a->next;
		free(a);
	}
	ext_free(n->ext);
	places_free(n->places);
	(void) policy_state_unref(n->state);
	(void) fd_close(n->fd);
	free(n);
}

void nodes_done(struct overlay *ov)
{
	struct id_table *t = &ov->ids;

	if (!t->chunks)
		return;
	for (uint32_t i = 0; i < t->n_used; i++) {
		struct node *n = atomic_load(&id_slot(ov, i)->node);

		if (n)
			node_destroy(n);
	}
	for (size_t i = 0; i < N_CHUNKS && atomic_load(&t->chunks[i]); i++)
		free(atomic_load(&t->chunks[i]));
	free(t->chunks);
	free(t->free);
	for (size_t i = 0; i < N_SHARDS; i++)
		free(ov->shards[i].buckets);
}

int node_add_root(struct overlay *ov, struct node *n)
{
	int r = id_new(ov, n);

	if (r < 0) {
		places_free(n->places);
		free(n);
		return r;
	}
	n->refs = 1; /* for ever */
	hash_add(node_shard(ov, n), n);
	ov->root = n;
	return 0;
}

struct node *overlay_root(struct overlay *ov)
{
	return ov->root;
}

mode_t overlay_node_type(const struct node *n)
{
	return n->type;
}
