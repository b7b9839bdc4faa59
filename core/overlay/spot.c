/* See spot.h. Kinds of spots: the descriptor of a nameless object, a root, the index directory, a name in a directory. */

#include "overlay/spot.h"

#include "overlay/moving.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define MAX_TRIES 1000 /* renames by others, one after the other, may get in the way often */
#define ASK_TRIES 4

void spot_done(struct spot *s)
{
	if (s->dir)
		dirfd_put(s->ov, s->dir);
	s->dir = NULL;
	s->own_fd = fd_close(s->own_fd);
}

bool spot_moved(struct node *n, const struct spot *s)
{
	{
		SCOPE_LOCK(&node_shard(s->ov, n)->lock);
		if (n->seq != s->seq)
			return true;
	}
	return moving_wait(s->ov, s->moved);
}

bool spot_matches(const struct spot *s, const struct statx *stx)
{
	return stx->stx_ino == s->ino && statx_dev(stx) == s->dev;
}

enum way { WAY_READY, WAY_DIRECTORY, WAY_BELOW };

/* Copies out what the spot needs, with the shard locked. */
static int choose(struct overlay *ov, struct node *n, struct spot *s, struct node **ret_parent)
{
	const struct place *p = n->places && n->places->n > 0 ? &n->places->v[0] : NULL;

	s->layer = n->layer;
	s->seq = n->seq;
	s->dev = n->dev;
	s->ino = n->real_ino;
	s->name = NULL;
	if (n == ov->root) {
		s->fd = ov->layers[n->layer].fd;
		return WAY_READY;
	}
	if (n->ext && n->ext->index_name && n->layer == LAYER_UPPER) {
		s->fd = ov->index_fd;
		(void) strcpy(s->text, n->ext->index_name); /* as long as the array: see meta_index_name() */
		s->name = s->text;
		return WAY_READY;
	}
	if (!n->names || n->layer == LAYER_MADE) {
		if (n->fd < 0)
			return -ESTALE;
		/* Our own descriptor: the node's may be closed when it gets a name again. */
		s->own_fd = fcntl(n->fd, F_DUPFD_CLOEXEC, 0);
		s->fd = s->own_fd;
		return s->own_fd < 0 ? -errno : WAY_READY;
	}
	if (p && p->path && p->layer == n->layer)
		return WAY_DIRECTORY;
	memcpy(s->text, n->names->text, strlen(n->names->text) + 1);
	s->name = s->text;
	*ret_parent = n->names->dir;
	node_ref(*ret_parent);
	return WAY_BELOW;
}

int spot_find(struct overlay *ov, struct node *n, struct spot *s)
{
	struct node *parent = NULL;
	int way, r = 0;

	spot_done(s);
	s->ov = ov;
	s->moved = moving_now(ov);
	{
		SCOPE_LOCK(&node_shard(ov, n)->lock);
		way = choose(ov, n, s, &parent);
	}
	if (way < 0)
		return way;
	if (way == WAY_READY)
		return 0;
	r = dirfd_get(ov, way == WAY_DIRECTORY ? n : parent, s->layer, &s->dir);
	if (parent)
		(void) node_unref(ov, parent);
	if (r == 0)
		s->fd = s->dir->fd;
	return r;
}

/* Puts a descriptor of what has the name in the place of the directory's. */
static int hold(struct overlay *ov, struct spot *s)
{
	int fd = io_open(ov->io, s->fd, s->name, O_PATH, 0, NULL);

	if (fd == -EMFILE || fd == -ENFILE) {
		dircache_shrink(ov);
		fd = io_open(ov->io, s->fd, s->name, O_PATH, 0, NULL);
	}
	if (fd < 0)
		return fd;
	spot_done(s);
	s->fd = s->own_fd = fd;
	s->name = NULL;
	return 0;
}

/*
 * The error when nothing was moved meanwhile, so that the name did lead to what it was found to lead to. Before that no error counts:
 * what took the object's place may be a whiteout, which only root may open, or a directory, which nobody may write to.
 */
static int settled(int r)
{
	return r == 0 || r == -ENOENT || r == -ENOTDIR || r == -ELOOP || r == -ENXIO ? -ESTALE : r;
}

static int find_and_stat(struct overlay *ov, struct node *n, bool pin, struct spot *s, struct statx *ret_stx)
{
	for (int tries = 0;; tries++) {
		int r = spot_find(ov, n, s);

		if (r == 0 && pin && s->name)
			r = hold(ov, s);
		if (r == 0)
			r = io_statx(ov->io, s->fd, s->name, LAYER_STATX_MASK, ret_stx);
		if (r == 0 && spot_matches(s, ret_stx))
			return 0;
		if (tries == MAX_TRIES || !spot_moved(n, s))
			return settled(r);
	}
}

int spot_stat(struct overlay *ov, struct node *n, struct spot *s, struct statx *ret_stx)
{
	return find_and_stat(ov, n, false, s, ret_stx);
}

int spot_pin(struct overlay *ov, struct node *n, struct spot *s, struct statx *ret_stx)
{
	return find_and_stat(ov, n, true, s, ret_stx);
}

/*
 * Asked by name, which is a third of the calls that pinning takes, and nearly always enough. That the name meant the object before
 * and after would not do: two that change places back and forth pass each such test.
 */
int64_t spot_ask(struct overlay *ov, struct node *n, struct io_op op)
{
	struct statx stx;
	int64_t r;
	SPOT(s);

	for (int tries = 0; tries < ASK_TRIES; tries++) {
		r = spot_stat(ov, n, &s, &stx);
		if (r < 0)
			return r;
		op.fd = s.fd;
		op.name = s.name;
		r = io_one(ov->io, op);
		if (!s.name || !spot_moved(n, &s))
			return r == -ENOENT ? -ESTALE : r;
	}
	r = spot_pin(ov, n, &s, &stx); /* somebody is always moving something */
	if (r < 0)
		return r;
	op.fd = s.fd;
	op.name = NULL;
	return io_one(ov->io, op);
}

/* Is the descriptor on the object that was meant? A layer may change under us; a FIFO must not be waited for. */
static int check_fd(struct overlay *ov, const struct spot *s, int fd)
{
	struct statx stx;
	int r = io_statx(ov->io, fd, NULL, STATX_TYPE | STATX_INO, &stx);

	if (r < 0)
		return r;
	return spot_matches(s, &stx) ? 0 : -ESTALE;
}

int spot_open(struct overlay *ov, struct node *n, int flags, struct spot *s, int *ret_fd)
{
	for (int tries = 0;; tries++) {
		int fd = -EBADF, r = spot_find(ov, n, s);

		if (r == 0) {
			fd = io_open(ov->io, s->fd, s->name, flags | O_NONBLOCK, 0, NULL);
			if (fd == -EMFILE || fd == -ENFILE) {
				dircache_shrink(ov);
				fd = io_open(ov->io, s->fd, s->name, flags | O_NONBLOCK, 0, NULL);
			}
			r = fd < 0 ? fd : check_fd(ov, s, fd);
		}
		if (r == 0) {
			*ret_fd = fd;
			return 0;
		}
		(void) fd_close(fd);
		if (tries == MAX_TRIES || !spot_moved(n, s))
			return settled(r);
	}
}
