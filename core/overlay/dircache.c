/*
 * Descriptors of directories in use. Nodes have none of their own: a tree of millions is reached through the few hundred
 * directories that are busy. A miss climbs to the nearest ancestor that is open and comes down again, one openat() a
 * level: no path is ever built, so depth does not matter, and nothing outside the layer can be reached.
 */

#include "overlay/dircache.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "overlay/moving.h"

#define MAX_TRIES 1000 /* see spot.c */

static struct dirfd_shard *shard_of(struct overlay *ov, const struct node *n)
{
	return &ov->dircache.shards[(n->id ^ n->id >> 8) % N_DIRFD_SHARDS];
}

static struct dirfd **bucket_of(struct dirfd_shard *s, const struct node *n, uint16_t layer)
{
	return &s->buckets[((n->id / N_DIRFD_SHARDS) * 31 + layer) % ARRAY_SIZE(s->buckets)];
}

static void lru_remove(struct dirfd_shard *s, struct dirfd *d)
{
	*(d->newer ? &d->newer->older : &s->newest) = d->older;
	*(d->older ? &d->older->newer : &s->oldest) = d->newer;
	d->newer = d->older = NULL;
}

static void lru_add(struct dirfd_shard *s, struct dirfd *d)
{
	d->older = s->newest;
	d->newer = NULL;
	*(s->newest ? &s->newest->newer : &s->oldest) = d;
	s->newest = d;
}

/* Takes it out of the tables. True: nobody uses it, the caller closes it once the lock is gone. */
static bool detach(struct dirfd_shard *s, struct dirfd *d)
{
	struct dirfd **p = bucket_of(s, d->node, d->layer);

	while (*p != d)
		p = &(*p)->hash_next;
	*p = d->hash_next;
	lru_remove(s, d);
	s->n--;
	d->cached = false;
	return d->users == 0;
}

static struct dirfd *dirfd_free(struct dirfd *d)
{
	(void) fd_close(d->fd);
	free(d);
	return NULL;
}

static struct dirfd *find(struct overlay *ov, const struct node *n, uint16_t layer)
{
	struct dirfd_shard *s = shard_of(ov, n);

	SCOPE_LOCK(&s->lock);
	for (struct dirfd *d = *bucket_of(s, n, layer); d; d = d->hash_next) {
		if (d->node != n || d->layer != layer)
			continue;
		if (s->newest != d) {
			lru_remove(s, d);
			lru_add(s, d);
		}
		d->users++;
		return d;
	}
	return NULL;
}

/* Puts a new descriptor in, or gives the one that another thread has put in since. Takes fd. */
static struct dirfd *insert(struct overlay *ov, struct node *n, uint16_t layer, int fd)
{
	struct dirfd_shard *s = shard_of(ov, n);
	struct dirfd *d = malloc(sizeof(*d)), *old = NULL, *there;

	if (!d) {
		(void) fd_close(fd);
		return NULL;
	}
	*d = (struct dirfd) { .node = n, .layer = layer, .fd = fd, .users = 1, .cached = true };
	{
		SCOPE_LOCK(&s->lock);
		for (there = *bucket_of(s, n, layer); there; there = there->hash_next)
			if (there->node == n && there->layer == layer)
				break;
		if (there) {
			there->users++;
		} else {
			struct dirfd **b = bucket_of(s, n, layer);

			d->hash_next = *b;
			*b = d;
			lru_add(s, d);
			if (++s->n > ov->dircache.max_per_shard) {
				for (old = s->oldest; old && old->users > 0; )
					old = old->newer;
				if (old)
					(void) detach(s, old);
			}
		}
	}
	if (old)
		(void) dirfd_free(old);
	if (there) {
		(void) dirfd_free(d);
		return there;
	}
	return d;
}

void dirfd_put(struct overlay *ov, struct dirfd *d)
{
	struct dirfd_shard *s = shard_of(ov, d->node);
	bool last;

	{
		SCOPE_LOCK(&s->lock);
		last = --d->users == 0 && !d->cached;
	}
	if (last)
		(void) dirfd_free(d);
}

/* Detaches what matches (NULL: all that is unused) and closes it. */
static void drop_matching(struct dirfd_shard *s, const struct node *n)
{
	struct dirfd *dead = NULL;

	{
		SCOPE_LOCK(&s->lock);
		for (struct dirfd *d = s->oldest, *next; d; d = next) {
			next = d->newer;
			if ((n ? d->node != n : d->users > 0) || !detach(s, d))
				continue;
			d->hash_next = dead;
			dead = d;
		}
	}
	for (struct dirfd *next; dead; dead = next) {
		next = dead->hash_next;
		(void) dirfd_free(dead);
	}
}

void dirfd_drop(struct overlay *ov, struct node *dir)
{
	drop_matching(shard_of(ov, dir), dir);
}

void dircache_shrink(struct overlay *ov)
{
	for (size_t i = 0; i < N_DIRFD_SHARDS; i++)
		drop_matching(&ov->dircache.shards[i], NULL);
}

/* One step of the way down: how a directory is reached in a layer. */
struct step {
	struct node *node; /* referenced */
	char name[NAME_BYTES];
};

struct climb {
	struct overlay *ov;
	struct step *v;
	size_t n, size;
};

static void climb_done(struct climb *c)
{
	for (size_t i = 0; i < c->n; i++)
		(void) node_unref(c->ov, c->v[i].node);
	free(c->v);
}

static struct step *climb_add(struct climb *c, struct node *n)
{
	if (c->n == c->size) {
		size_t size = MAX(c->size * 2, (size_t) 8);
		struct step *v = reallocarray(c->v, size, sizeof(*v));

		if (!v)
			return NULL;
		c->v = v;
		c->size = size;
	}
	c->v[c->n].node = n;
	node_ref(n);
	return &c->v[c->n++];
}

struct origin {
	struct node *parent; /* referenced; NULL: path is from the layer's root, or fd is it */
	char *path;
	int fd;
	dev_t dev;
	uint64_t ino;
};

/* Where a directory is in a layer, copied out. */
static int where(struct overlay *ov, struct node *n, uint16_t layer, char name[static NAME_BYTES], struct origin *ret)
{
	SCOPE_LOCK(&node_shard(ov, n)->lock);
	*ret = (struct origin) { .fd = -EBADF };
	for (uint16_t i = 0; i < n->places->n; i++) {
		const struct place *p = &n->places->v[i];

		if (p->layer != layer)
			continue;
		ret->dev = p->dev;
		ret->ino = p->ino;
		if (p->path && p->path[0] == '/') {
			ret->path = strdup(p->path);
			return ret->path ? 0 : -ENOMEM;
		}
		if (n == ov->root) {
			ret->fd = ov->layers[layer].fd;
			return 0;
		}
		if (!n->names) {
			ret->fd = n->fd; /* removed, but a program is still in it */
			return n->fd >= 0 && layer == n->layer ? 0 : -ESTALE;
		}
		if (strlen(p->path ? p->path : n->names->text) >= NAME_BYTES)
			return -ESTALE; /* a name below a directory is none that long */
		memcpy(name, p->path ? p->path : n->names->text, strlen(p->path ? p->path : n->names->text) + 1);
		ret->parent = n->names->dir;
		node_ref(ret->parent);
		return 0;
	}
	return -ESTALE;
}

static int verify(struct overlay *ov, int fd, const struct origin *o)
{
	struct statx stx;
	int r = io_statx(ov->io, fd, NULL, STATX_TYPE | STATX_INO, &stx);

	if (r < 0)
		return r;
	return statx_dev(&stx) == o->dev && stx.stx_ino == o->ino ? 0 : -ESTALE;
}

static int open_dir(struct overlay *ov, int fd, const char *name, bool path)
{
	enum io_kind kind = path ? IO_OPEN_BENEATH : IO_OPEN;
	int r = (int) io_one(ov->io, (struct io_op) { .kind = kind, .fd = fd, .name = name, .flags = O_PATH | O_DIRECTORY });

	if (r == -EMFILE || r == -ENFILE) {
		dircache_shrink(ov);
		r = (int) io_one(ov->io, (struct io_op) { .kind = kind, .fd = fd, .name = name, .flags = O_PATH | O_DIRECTORY });
	}
	return r == -ENOENT || r == -ENOTDIR || r == -ELOOP ? -ESTALE : r;
}

/* Opens a directory below a descriptor, checks that it is the one meant, and caches it. */
static int open_step(struct overlay *ov, struct node *n, uint16_t layer, int fd, const char *name, const struct origin *o,
		     struct dirfd **ret)
{
	int dir = open_dir(ov, fd, name, o->path != NULL), r;

	if (dir < 0)
		return dir;
	r = verify(ov, dir, o);
	if (r < 0) {
		(void) fd_close(dir);
		return r;
	}
	*ret = insert(ov, n, layer, dir);
	return *ret ? 0 : -ENOMEM;
}

/* From n upwards until something is open. */
static int climb(struct climb *c, struct node *n, uint16_t layer, struct dirfd **ret)
{
	struct overlay *ov = c->ov;
	struct origin o = { .parent = NULL };
	struct node *at = n;
	int r = 0;

	node_ref(at);
	for (;;) {
		struct step *s = climb_add(c, at);

		(void) node_unref(ov, at);
		if (!s)
			return -ENOMEM;
		r = where(ov, s->node, layer, s->name, &o);
		if (r < 0)
			return r;
		if (!o.parent)
			break;
		*ret = find(ov, o.parent, layer);
		if (*ret) {
			(void) node_unref(ov, o.parent);
			return 0;
		}
		at = o.parent;
	}
	/* The top one: a path from the layer's root, or a descriptor that is there already. */
	if (o.path) {
		r = open_step(ov, c->v[c->n - 1].node, layer, ov->layers[layer].fd, o.path + 1, &o, ret);
		free(o.path);
	} else {
		int fd = open_dir(ov, o.fd, NULL, false);

		if (fd < 0)
			return fd;
		*ret = insert(ov, c->v[c->n - 1].node, layer, fd);
		r = *ret ? 0 : -ENOMEM;
	}
	if (r == 0)
		(void) node_unref(ov, c->v[--c->n].node);
	return r;
}

static int reach(struct overlay *ov, struct node *n, uint16_t layer, struct dirfd **ret)
{
	_cleanup_(climb_done) struct climb c = { .ov = ov };
	struct dirfd *at = NULL;
	int r = climb(&c, n, layer, &at);

	while (r == 0 && c.n > 0) {
		struct step *s = &c.v[c.n - 1];
		struct dirfd *next = NULL;
		struct origin o;
		char name[NAME_BYTES];

		/* Asked again: what it is to be may have changed since the climb. */
		r = where(ov, s->node, layer, name, &o);
		if (r == 0) {
			free(o.path);
			if (o.parent)
				(void) node_unref(ov, o.parent);
			o.path = NULL;
			r = open_step(ov, s->node, layer, at->fd, s->name, &o, &next);
		}
		dirfd_put(ov, at);
		at = next;
		(void) node_unref(ov, s->node);
		c.n--;
	}
	if (r < 0)
		return r;
	*ret = at;
	return 0;
}

int dirfd_get(struct overlay *ov, struct node *dir, uint16_t layer, struct dirfd **ret)
{
	*ret = find(ov, dir, layer);
	for (int tries = 0; !*ret; tries++) {
		uint64_t moved = moving_now(ov);
		int r = reach(ov, dir, layer, ret);

		/* A rename above may have pulled the path away under the climb; else it is truly gone. */
		if (r == -ESTALE && tries < MAX_TRIES && moving_wait(ov, moved))
			continue;
		if (r < 0)
			return r;
	}
	return 0;
}

unsigned int dircache_count(struct overlay *ov)
{
	unsigned int n = 0;

	for (size_t i = 0; i < N_DIRFD_SHARDS; i++) {
		SCOPE_LOCK(&ov->dircache.shards[i].lock);
		n += ov->dircache.shards[i].n;
	}
	return n;
}

int dircache_init(struct overlay *ov, unsigned int max)
{
	ov->dircache.max_per_shard = MAX(max / N_DIRFD_SHARDS, 2u);
	for (size_t i = 0; i < N_DIRFD_SHARDS; i++) {
		int r = pthread_mutex_init(&ov->dircache.shards[i].lock, NULL);

		if (r != 0)
			return -r;
	}
	return 0;
}

void dircache_done(struct overlay *ov)
{
	dircache_shrink(ov);
}
