/*
 * Usage and removal of trees of unknown depth, with few descriptors.
 *
 * Usage goes down by path, and opens a new anchor whenever the path below the last one gets long; so a descriptor serves a
 * thousand levels and more.
 *
 * Removal does without depth at all. A directory that is not empty gives its sub-directories to the top of the tree,
 * under names made up for them, until there are only files in it. They are at most one level deep when their turn comes.
 */

#include "io/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "io/io.h"

#define ANCHOR_PATH_MAX 2048 /* and 255 more for the last name is well below PATH_MAX */
#define MOVED_PREFIX ".osfuse-removing-"

struct dirent_head { /* struct linux_dirent64 */
	uint64_t ino;
	int64_t off;
	unsigned short len;
	unsigned char type;
	char name[];
};

static int append_name(char ***names, size_t *n, size_t *size, const char *name)
{
	if (*n + 2 > *size) {
		size_t want = *size ? *size * 2 : 16;
		char **v = reallocarray(*names, want, sizeof(*v));

		if (!v)
			return -ENOMEM;
		*names = v;
		*size = want;
	}
	(*names)[*n] = name ? strdup(name) : NULL;
	if (name && !(*names)[*n])
		return -ENOMEM;
	if (name)
		(*names)[++*n] = NULL;
	return 0;
}

int walk_names(struct io_engine *io, int fd, char ***ret)
{
	_cleanup_(walk_names_freep) char **names = NULL;
	_cleanup_free_ char *buf = malloc(32768);
	size_t n_names = 0, size = 0;
	int64_t n;
	int r;

	if (!buf)
		return -ENOMEM;
	n = io_seek(io, fd, 0, SEEK_SET);
	if (n < 0)
		return (int) n;
	r = append_name(&names, &n_names, &size, NULL);
	while (r == 0) {
		n = io_one(io, (struct io_op) { .kind = IO_GETDENTS, .fd = fd, .buf = buf, .len = 32768 });
		if (n <= 0) {
			r = (int) n;
			break;
		}
		for (const char *p = buf; r == 0 && p < buf + n; ) {
			const struct dirent_head *d = (const void *) p;

			if (strcmp(d->name, ".") != 0 && strcmp(d->name, "..") != 0)
				r = append_name(&names, &n_names, &size, d->name);
			p += d->len;
		}
	}
	if (r < 0)
		return r;
	*ret = steal_ptr(names);
	return 0;
}

char **walk_names_free(char **names)
{
	for (char **n = names; n && *n; n++)
		free(*n);
	free(names);
	return NULL;
}

/* A directory from which others are reached by path; counted by those that wait for their turn. */
struct anchor {
	unsigned int n_users;
	int fd;
};

struct pending {
	struct pending *next;
	struct anchor *anchor;
	char path[]; /* below the anchor; "" is the anchor itself */
};

struct walk {
	struct io_engine *io;
	struct pending *todo;
	uint64_t bytes;
};

static struct anchor *anchor_unref(struct anchor *a)
{
	if (a && --a->n_users == 0) {
		(void) fd_close(a->fd);
		free(a);
	}
	return NULL;
}
DEFINE_CLEANUP(struct anchor *, anchor_unref)

/* fd is taken, whatever the outcome. */
static int anchor_new(int fd, struct anchor **ret)
{
	struct anchor *a = malloc(sizeof(*a));

	if (!a) {
		(void) fd_close(fd);
		return -ENOMEM;
	}
	*a = (struct anchor) { .n_users = 1, .fd = fd };
	*ret = a;
	return 0;
}

static int walk_push(struct walk *w, struct anchor *a, const char *dir, const char *name)
{
	size_t dir_len = strlen(dir), name_len = strlen(name);
	struct pending *p = malloc(sizeof(*p) + dir_len + name_len + 2);

	if (!p)
		return -ENOMEM;
	memcpy(p->path, dir, dir_len);
	if (dir_len > 0)
		p->path[dir_len++] = '/';
	memcpy(p->path + dir_len, name, name_len + 1);
	a->n_users++;
	p->anchor = a;
	p->next = w->todo;
	w->todo = p;
	return 0;
}

static struct pending *pending_free(struct pending *p)
{
	if (p)
		(void) anchor_unref(p->anchor);
	free(p);
	return NULL;
}
DEFINE_CLEANUP(struct pending *, pending_free)

static bool is_mount(const struct statx *stx)
{
	return (stx->stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) && (stx->stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

static int walk_dir(struct walk *w, const struct pending *p)
{
	_cleanup_(anchor_unrefp) struct anchor *fresh = NULL;
	_cleanup_(walk_names_freep) char **names = NULL;
	_cleanup_close_ int fd = -EBADF;
	struct anchor *anchor = p->anchor;
	const char *path = p->path;
	int r;

	fd = (int) io_one(w->io, (struct io_op) { .kind = IO_OPEN_BENEATH, .fd = anchor->fd, .name = path[0] ? path : ".",
						  .flags = O_RDONLY | O_DIRECTORY });
	if (fd < 0)
		return fd == -ENOMEM ? fd : 0; /* gone, or not ours to read */
	r = walk_names(w->io, fd, &names);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	if (strlen(path) > ANCHOR_PATH_MAX) {
		int dup = io_open(w->io, fd, NULL, O_PATH | O_DIRECTORY, 0, NULL);

		if (dup < 0)
			return dup;
		r = anchor_new(dup, &fresh);
		if (r < 0)
			return r;
		anchor = fresh;
		path = "";
	}
	for (char **n = names; *n; n++) {
		struct statx stx;

		if (io_statx(w->io, fd, *n, STATX_TYPE | STATX_BLOCKS | STATX_NLINK, &stx) < 0)
			continue;
		if (!S_ISDIR(stx.stx_mode)) {
			/* each of a file's names carries its part */
			w->bytes += stx.stx_blocks * 512 / MAX(stx.stx_nlink, 1U);
			continue;
		}
		if (is_mount(&stx))
			continue;
		w->bytes += stx.stx_blocks * 512;
		r = walk_push(w, anchor, path, *n);
		if (r < 0)
			return r;
	}
	return 0;
}

int walk_usage(struct io_engine *io, int fd, uint64_t *ret_bytes)
{
	_cleanup_(anchor_unrefp) struct anchor *top = NULL;
	struct walk w = { .io = io };
	int r;

	r = io_open(io, fd, NULL, O_PATH | O_DIRECTORY, 0, NULL);
	if (r < 0)
		return r;
	r = anchor_new(r, &top);
	if (r < 0)
		return r;
	r = walk_push(&w, top, "", "");
	while (w.todo) {
		_cleanup_(pending_freep) struct pending *p = w.todo;

		w.todo = p->next;
		if (r == 0)
			r = walk_dir(&w, p);
	}
	if (r < 0)
		return r;
	*ret_bytes = w.bytes;
	return 0;
}

struct removal {
	struct io_engine *io;
	int top;
	uint64_t n_moved; /* names made up so far */
};

/* Opens a directory to empty it, whatever its mode says: overlayfs keeps its work directory at 000. */
static int open_to_empty(struct io_engine *io, int fd, const char *name)
{
	struct statx stx;
	int r;

	r = io_statx(io, fd, name, STATX_TYPE | STATX_MODE, &stx);
	if (r < 0)
		return r;
	if (!S_ISDIR(stx.stx_mode))
		return -ENOTDIR;
	if (is_mount(&stx))
		return -EBUSY;
	if ((stx.stx_mode & 0700) != 0700)
		(void) io_chmod(io, fd, name, 0700); /* the open tells whether that mattered */
	return io_open(io, fd, name, O_RDONLY | O_DIRECTORY, 0, NULL);
}

/* unlink() of a directory is refused with either. */
static int remove_one(struct io_engine *io, int fd, const char *name)
{
	int r = io_unlink(io, fd, name, 0);

	if (r == -EISDIR || r == -EPERM) {
		int r2 = io_unlink(io, fd, name, AT_REMOVEDIR);

		return r2 == -ENOTDIR ? r : r2;
	}
	return r;
}

/* Moves a directory to the top, there to be emptied when its turn comes. */
static int move_up(struct removal *rm, int fd, const char *name)
{
	char moved[sizeof(MOVED_PREFIX) + 24];
	struct statx stx;
	int r;

	r = io_statx(rm->io, fd, name, STATX_TYPE | STATX_MODE, &stx);
	if (r < 0)
		return r;
	if (is_mount(&stx))
		return -EBUSY;
	/* Its ".." changes, which takes the right to write in it. */
	if ((stx.stx_mode & 0700) != 0700)
		(void) io_chmod(rm->io, fd, name, 0700); /* the rename tells whether that mattered */
	do {
		(void) snprintf(moved, sizeof(moved), MOVED_PREFIX "%llu", (unsigned long long) rm->n_moved++);
		r = io_rename(rm->io, fd, name, rm->top, moved, RENAME_NOREPLACE);
	} while (r == -EEXIST);
	return r;
}

/* Takes everything out of a directory at the top, but does not remove it. */
static int empty_dir(struct removal *rm, const char *name)
{
	_cleanup_(walk_names_freep) char **names = NULL;
	_cleanup_close_ int fd = -EBADF;
	int first = 0, r;

	fd = open_to_empty(rm->io, rm->top, name);
	if (fd < 0)
		return fd;
	r = walk_names(rm->io, fd, &names);
	if (r < 0)
		return r;
	for (char **n = names; *n; n++) {
		r = remove_one(rm->io, fd, *n);
		if (r == -ENOTEMPTY || r == -EEXIST)
			r = move_up(rm, fd, *n);
		if (r < 0 && first == 0)
			first = r;
	}
	return first;
}

/* One round over the top. Returns how much went away, or the first error when nothing did. */
static int empty_top(struct removal *rm, unsigned int *ret_left)
{
	_cleanup_(walk_names_freep) char **names = NULL;
	int first = 0, n_gone = 0, r;

	*ret_left = 0;
	r = walk_names(rm->io, rm->top, &names);
	if (r < 0)
		return r;
	for (char **n = names; *n; n++) {
		r = remove_one(rm->io, rm->top, *n);
		if (r == -ENOTEMPTY || r == -EEXIST) {
			r = empty_dir(rm, *n);
			if (r == 0)
				r = io_unlink(rm->io, rm->top, *n, AT_REMOVEDIR);
		}
		++*ret_left; /* sub-directories may have come up meanwhile: look again */
		if (r == 0)
			n_gone++;
		else if (first == 0)
			first = r;
	}
	return n_gone > 0 || first == 0 ? n_gone : first;
}

int walk_empty(struct io_engine *io, int fd)
{
	struct removal rm = { .io = io, .top = fd };
	unsigned int left;
	int r;

	do
		r = empty_top(&rm, &left);
	while (r >= 0 && left > 0);
	return MIN(r, 0);
}

int walk_remove(struct io_engine *io, int fd, const char *name)
{
	_cleanup_close_ int top = open_to_empty(io, fd, name);
	int r;

	if (top < 0)
		return top;
	r = walk_empty(io, top);
	return r < 0 ? r : io_unlink(io, fd, name, AT_REMOVEDIR);
}
