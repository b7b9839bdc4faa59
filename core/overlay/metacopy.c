/*
 * Files without data, "metacopy" in overlayfs: copied up for the sake of their attributes, with the data left in the lower.
 *
 *      UNKNOWN ── first open, rename ──> WHOLE    data and attributes are in one layer
 *         │                                ^ │
 *         │          metacopy_complete() ──┘ └── copy-up of attributes, from a lower
 *         └─────────────> METACOPY <─────────────┘
 *
 * WHOLE and METACOPY are flags of the node. UNKNOWN is what a look-up could not tell without asking for an attribute: a file in a layer
 * that is not the lowest and has no record of ours. NODE_METACOPY without a place (node_ext.data) is what is said, in a
 * record, but may have been changed by kernel overlayfs since. examine() settles both.
 *
 * What we write always has an absolute redirect, so that it can be renamed and linked without another thought. Files that kernel
 * overlayfs made may be without, which metacopy_pin() sees to. No file is too small: what makes a copy-up slow is not the
 * bytes but the fsync() that they need.
 *
 * Data that is not where it should be, or is another file by now, is an error to whoever opens it, never zeros. Who wants none
 * of it, to write the file anew, gets an empty file.
 */

#include "overlay/metacopy.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <time.h>

#include "overlay/attr.h"
#include "overlay/copyup.h"
#include "overlay/dircache.h"
#include "overlay/look.h"
#include "overlay/place.h"
#include "overlay/spot.h"

#define MAX_TRIES 16
#define LEASE_PAUSE_NS 10000000
#define LEASE_PAUSES 100
#define CAPABILITY "security.capability"

static void place_free(struct place *p)
{
	if (p)
		free(p->path);
	free(p);
}

static struct place *place_new(const struct place *from, const char *path)
{
	struct place *p = malloc(sizeof(*p));

	if (!p)
		return NULL;
	*p = *from;
	p->path = strdup(path);
	if (!p->path) {
		free(p);
		return NULL;
	}
	return p;
}

bool metacopy_data_is_upper(struct overlay *ov, struct node *n)
{
	SCOPE_LOCK(&node_shard(ov, n)->lock);
	return n->layer == LAYER_UPPER && n->flags & NODE_WHOLE;
}

/* With the shard locked. */
static void set_whole(struct node *n)
{
	n->flags = (uint16_t) ((n->flags | NODE_WHOLE) & ~NODE_METACOPY);
	if (!n->ext)
		return;
	place_free(n->ext->data);
	n->ext->data = NULL;
	n->ext->data_blocks = 0;
	n->ext->record.has &= ~(uint32_t) META_RECORD_METACOPY;
}

/* With the shard locked: is the answer known? 0 whole, 1 elsewhere, -EAGAIN unknown. */
static int known(const struct node *n)
{
	if (n->flags & NODE_WHOLE)
		return 0;
	return n->flags & NODE_METACOPY && n->ext && n->ext->data ? 1 : -EAGAIN;
}

static int ask_node(struct overlay *ov, struct node *n)
{
	SCOPE_LOCK(&node_shard(ov, n)->lock);
	return known(n);
}

/* where the data is */

/* Is it the file that was copied up? A record tells its number, as long as it is from the file system that we have before us. */
static bool is_origin(const struct meta_record *rec, const struct found *f)
{
	if (!(rec->has & META_RECORD_METACOPY) || !(rec->has & META_RECORD_INO) || rec->fsid != f->record.fsid)
		return true;
	if (rec->ino != f->record.ino)
		return false;
	return !(rec->has & f->record.has & META_RECORD_BTIME) ||
	       (rec->btime_sec == f->record.btime_sec && rec->btime_nsec == f->record.btime_nsec);
}

/* The place of data found below its directory, from the layer's root: it outlives the names of the file. */
static int place_from_root(struct overlay *ov, struct node *dir, const char *name, const struct place *p, struct place **ret)
{
	char buf[META_PATH_MAX], *path = buf;
	_cleanup_free_ char *full = NULL;
	int r = 0;

	if (p->path && p->path[0] == '/') {
		buf[0] = '\0';
		name = p->path + 1;
	} else {
		r = place_path(ov, dir, p->layer, buf, &path);
		name = p->path ? p->path : name;
	}
	if (r == 0 && asprintf(&full, "%s/%s", path, name) < 0) {
		full = NULL;
		return -ENOMEM;
	}
	/* Too deep for a path: below the directory, as it was found. */
	*ret = place_new(p, r == 0 && strlen(full) < META_PATH_MAX ? full : name);
	return *ret ? 0 : -ENOMEM;
}

static int find_data(struct overlay *ov, struct node *n, uint16_t layer, const char *redirect, struct place **ret)
{
	struct meta_record rec = { 0 };
	struct node *dir = NULL;
	char name[NAME_BYTES] = "";
	FOUND(f);
	int r;

	if (redirect[0] != '/') {
		dir = node_parent(ov, n, name);
		if (!dir)
			return -EIO; /* it was found by a name that is gone */
	}
	{
		SCOPE_LOCK(&node_shard(ov, n)->lock);
		if (n->ext)
			rec = n->ext->record;
	}
	r = look_data(ov, dir, name, layer, redirect, &f);
	if (r == 0 && (f.n_places == 0 || !is_origin(&rec, &f)))
		r = -EIO;
	if (r == 0)
		r = place_from_root(ov, dir, redirect[0] ? redirect : name, &f.places[0], ret);
	if (dir)
		(void) node_unref(ov, dir);
	return r;
}

/* Asks the layer, if that has not happened yet. 0 whole, 1 the data is elsewhere, -EAGAIN the node has moved meanwhile. */
static int examine_once(struct overlay *ov, struct node *n)
{
	char redirect[META_REDIRECT_MAX + 1];
	struct place *data = NULL;
	struct statx stx;
	SPOT(s);
	int r = ask_node(ov, n);

	if (r >= 0)
		return r;
	r = spot_pin(ov, n, &s, &stx);
	if (r == 0)
		r = layer_look_metacopy(&ov->layers[s.layer], s.fd, s.name, redirect);
	if (r == 1 && ov->userxattr)
		r = -EPERM; /* anybody may set these on their own files, and would be shown those of others */
	if (r == 1) {
		r = find_data(ov, n, s.layer, redirect, &data);
		r = r < 0 ? r : 1;
	}
	SCOPE_LOCK(&node_shard(ov, n)->lock);
	if (n->seq != s.seq)
		r = -EAGAIN;
	if (r == -ENOENT)
		r = -ESTALE;
	if (r >= 0 && known(n) != -EAGAIN)
		r = known(n); /* another thread was first */
	else if (r == 0)
		set_whole(n);
	else if (r == 1 && !node_ext_get(n))
		r = -ENOMEM;
	else if (r == 1) {
		n->flags |= NODE_METACOPY;
		n->ext->data = steal_ptr(data);
		n->ext->data_pinned = redirect[0] == '/';
	}
	place_free(data);
	return r;
}

static int examine(struct overlay *ov, struct node *n)
{
	int r = -EAGAIN;

	for (int tries = 0; r == -EAGAIN && tries < MAX_TRIES; tries++)
		r = examine_once(ov, n);
	return r == -EAGAIN ? -ESTALE : r;
}

/* opening */

/* Another thread has moved the data. Not -EAGAIN, which is the answer of a layer's file that somebody holds a lease on. */
#define MOVED 1

/* Where the data is, copied out. */
static int data_place(struct overlay *ov, struct node *n, struct place *ret)
{
	SCOPE_LOCK(&node_shard(ov, n)->lock);
	if (known(n) != 1)
		return MOVED;
	*ret = *n->ext->data;
	ret->path = strdup(ret->path);
	return ret->path ? 0 : -ENOMEM;
}

static int open_at_place(struct overlay *ov, struct node *n, const struct place *p, int flags)
{
	char name[NAME_BYTES];
	struct node *dir;
	DIRFD(d, ov);
	int r;

	if (p->path[0] == '/')
		return (int) io_one(ov->io, (struct io_op) {
			.kind = IO_OPEN_BENEATH, .fd = ov->layers[p->layer].fd, .name = p->path + 1, .flags = (uint32_t) flags,
		});
	dir = node_parent(ov, n, name);
	if (!dir)
		return -ESTALE;
	r = dirfd_get(ov, dir, p->layer, &d.d);
	(void) node_unref(ov, dir);
	return r < 0 ? r : io_open(ov->io, d.d->fd, p->path, flags, 0, NULL);
}

/* Is it the file that was found, and does it hold what the attributes promise? */
static int check_data(struct overlay *ov, struct node *n, const struct place *p, int fd, uint64_t *ret_size)
{
	struct statx attrs, stx;
	SPOT(s);
	int r = spot_stat(ov, n, &s, &attrs);

	if (r == 0)
		r = io_statx(ov->io, fd, NULL, STATX_TYPE | STATX_INO | STATX_SIZE, &stx);
	if (r < 0)
		return r;
	*ret_size = attrs.stx_size;
	return stx.stx_ino == p->ino && statx_dev(&stx) == p->dev && stx.stx_size >= attrs.stx_size ? 0 : -EIO;
}

static int open_data(struct overlay *ov, struct node *n, struct data_file *ret)
{
	_cleanup_free_ char *path = NULL;
	struct place p;
	int fd, r = data_place(ov, n, &p);

	if (r != 0)
		return r;
	path = p.path;
	fd = open_at_place(ov, n, &p, O_RDONLY | O_NONBLOCK); /* should it be a FIFO by now */
	if (fd == -EMFILE || fd == -ENFILE) {
		dircache_shrink(ov);
		fd = open_at_place(ov, n, &p, O_RDONLY | O_NONBLOCK);
	}
	if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP || fd == -ESTALE || fd == -EXDEV)
		return -EIO; /* the layer was changed behind our back */
	r = fd < 0 ? fd : check_data(ov, n, &p, fd, &ret->size);
	if (r < 0) {
		(void) fd_close(fd);
		return ask_node(ov, n) == 0 ? MOVED : r;
	}
	ret->layer = p.layer;
	ret->fd = fd;
	return 0;
}

/* The object itself. A copy-up of its attributes may come in between: then there is no data in what was opened. */
static int open_whole(struct overlay *ov, struct node *n, int flags, struct data_file *ret)
{
	SPOT(s);
	int fd, r = spot_open(ov, n, flags, &s, &fd);

	if (r < 0)
		return r;
	if (s.layer == LAYER_UPPER && !metacopy_data_is_upper(ov, n)) {
		(void) fd_close(fd);
		return MOVED;
	}
	*ret = (struct data_file) { .fd = fd, .layer = s.layer, .size = UINT64_MAX };
	return 0;
}

static int open_now(struct overlay *ov, struct node *n, int flags, struct data_file *ret)
{
	int r = MOVED;

	for (int tries = 0; r == MOVED && tries < MAX_TRIES; tries++) {
		r = examine(ov, n);
		if (r == 0) {
			r = open_whole(ov, n, flags, ret);
		} else if (r == 1) {
			assert((flags & (O_ACCMODE | O_TRUNC)) == O_RDONLY);
			r = open_data(ov, n, ret);
		}
	}
	return r == MOVED ? -ESTALE : r;
}

/*
 * Who holds a lease on a layer's file (F_SETLEASE of fcntl(2)), as file servers do, is told by the first try to give it up. Mostly that is
 * done at once. Others wait for this thread too, so it does not wait for as long as the kernel would let the holder take.
 */
int metacopy_open(struct overlay *ov, struct node *n, int flags, struct data_file *ret)
{
	const struct timespec moment = { .tv_nsec = LEASE_PAUSE_NS };
	int r = open_now(ov, n, flags, ret);

	for (int pauses = 0; r == -EAGAIN && pauses < LEASE_PAUSES; pauses++) {
		(void) nanosleep(&moment, NULL);
		r = open_now(ov, n, flags, ret);
	}
	return r;
}

uint64_t metacopy_blocks(struct overlay *ov, struct node *n)
{
	_cleanup_close_ int fd = -EBADF;
	_cleanup_free_ char *path = NULL;
	struct statx stx;
	struct place p;

	{
		SCOPE_LOCK(&node_shard(ov, n)->lock);
		if (n->ext && n->ext->data_blocks > 0)
			return n->ext->data_blocks;
	}
	if (examine(ov, n) != 1 || data_place(ov, n, &p) < 0)
		return 0;
	path = p.path;
	fd = open_at_place(ov, n, &p, O_PATH);
	if (fd < 0 || io_statx(ov->io, fd, NULL, STATX_TYPE | STATX_INO | STATX_BLOCKS, &stx) < 0 || stx.stx_ino != p.ino ||
	    statx_dev(&stx) != p.dev)
		return 0;
	SCOPE_LOCK(&node_shard(ov, n)->lock);
	if (known(n) == 1)
		n->ext->data_blocks = stx.stx_blocks; /* of a lower: they stay */
	return stx.stx_blocks;
}

/* copying attributes alone */

/* dir's path in the layers below, and the name. -EXDEV: longer than kernel overlayfs reads. */
static int make_redirect(struct overlay *ov, struct node *dir, const char *name, char redirect[static META_REDIRECT_MAX + 1])
{
	char buf[META_PATH_MAX], *path;
	int r = place_path(ov, dir, LAYER_UPPER, buf, &path), len;

	if (r < 0)
		return r;
	len = snprintf(redirect, META_REDIRECT_MAX + 1, "%s/%s", path, name);
	return len > META_REDIRECT_MAX ? -EXDEV : 0;
}

/*
 * Does a redirect lead to the file from which it was copied up? With one lower it does. With several, directories that were renamed
 * in one of them may have another path in the next.
 */
static int leads_to(struct overlay *ov, const char *redirect, dev_t dev, uint64_t ino)
{
	FOUND(f);
	int r;

	if (ov->n_layers == 2)
		return 1;
	r = look_data(ov, NULL, NULL, LAYER_UPPER, redirect, &f);
	return r < 0 ? r : f.exists && f.dev == dev && f.real_ino == ino;
}

int metacopy_plan(struct overlay *ov, struct node *n, struct node *dir, const char *name, struct metacopy_plan *ret)
{
	struct place here = { .filter = FILTER_ALL };
	int r, elsewhere;

	if (!ov->metacopy)
		return 0;
	elsewhere = examine(ov, n);
	if (elsewhere < 0)
		return elsewhere;
	{
		SCOPE_LOCK(&node_shard(ov, n)->lock);
		here.layer = n->layer;
		here.dev = n->dev;
		here.ino = n->real_ino;
	}
	r = make_redirect(ov, dir, name, ret->redirect);
	if (r == 0)
		r = leads_to(ov, ret->redirect, here.dev, here.ino);
	if (r <= 0)
		return r == -EXDEV ? 0 : r;
	if (!elsewhere) {
		r = place_from_root(ov, dir, name, &here, &ret->data);
		if (r < 0)
			return r;
		/* By a name below the directory it could not be reached once that is another. */
		return ret->data->path[0] == '/';
	}
	return 1;
}

void metacopy_plan_done(struct metacopy_plan *p)
{
	place_free(p->data);
	p->data = NULL;
}

void metacopy_commit(struct node *n, struct metacopy_plan *p)
{
	if (!p) {
		set_whole(n);
		return;
	}
	n->flags = (uint16_t) ((n->flags | NODE_METACOPY) & ~NODE_WHOLE);
	if (p->data) {
		place_free(n->ext->data);
		n->ext->data = steal_ptr(p->data);
	}
	n->ext->data_pinned = true;
}

/* the data follows */

struct completion {
	struct overlay *ov;
	struct node *node;
	int src, dst;
	uint64_t size; /* wanted */
	struct statx before;
	struct statx_timestamp ctime;
	char caps[64]; /* struct vfs_ns_cap_data has 24 bytes */
	ssize_t n_caps;
};

static void completion_done(struct completion *c)
{
	c->src = fd_close(c->src);
	c->dst = fd_close(c->dst);
}

static int completion_open(struct completion *c, uint64_t limit)
{
	struct overlay *ov = c->ov;
	struct data_file data;
	SPOT(s);
	int r = limit > 0 ? open_data(ov, c->node, &data) : 0;

	if (r < 0)
		return r;
	if (limit > 0)
		c->src = data.fd;
	r = spot_open(ov, c->node, O_WRONLY, &s, &c->dst);
	if (r == 0)
		r = io_statx(ov->io, c->dst, NULL, STATX_BASIC_STATS, &c->before);
	if (r < 0)
		return r;
	c->ctime = attr_ctime(ov, c->node, &c->before);
	c->size = MIN(limit, (uint64_t) c->before.stx_size);
	c->n_caps = io_getxattr(ov->io, c->dst, NULL, CAPABILITY, c->caps, sizeof(c->caps));
	return 0;
}

/* Writing the data has changed what it must not: times, and capabilities are gone. */
static int put_attributes_back(struct completion *c)
{
	struct timespec times[2] = {
		{ c->before.stx_atime.tv_sec, c->before.stx_atime.tv_nsec },
		{ c->before.stx_mtime.tv_sec, c->before.stx_mtime.tv_nsec },
	};

	if (c->n_caps > 0) /* without them, safe; and who has set others since is right */
		(void) io_setxattr(c->ov->io, c->dst, NULL, CAPABILITY, c->caps, (size_t) c->n_caps, XATTR_CREATE);
	return io_utimens(c->ov->io, c->dst, NULL, times);
}

/*
 * A crash at any point leaves the data that was there before, in full; but the time of change may be that of the crash, for no file
 * system writes without setting it. Less data than the file is long is wanted by who is about to truncate it: then it becomes
 * shorter while the lower still counts, or a crash would show zeros.
 */
static int fill(struct completion *c, const struct actor *who)
{
	struct overlay *ov = c->ov;
	int r = copyup_data(ov, who, c->src, c->dst, c->size), restored = 0;

	if (r == 0 && c->size < c->before.stx_size)
		r = io_truncate(ov->io, c->dst, c->size);
	else
		restored = put_attributes_back(c);
	if (r == 0)
		r = restored;
	return r == 0 && c->size > 0 && !ov->volatile_ ? io_fsync(ov->io, c->dst, false) : r;
}

/* It has failed, and nothing has happened: the space goes back, which may be what was lacking. Not by way of length 0: see above. */
static void undo(struct completion *c)
{
	struct overlay *ov = c->ov;
	struct statx stx;

	(void) io_one(ov->io, (struct io_op) {
		.kind = IO_FALLOCATE, .fd = c->dst, .flags = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, .len = c->before.stx_size,
	}); /* where that is not known, the space stays for the next try */
	(void) io_truncate(ov->io, c->dst, c->before.stx_size);
	if (put_attributes_back(c) == 0 && io_statx(ov->io, c->dst, NULL, STATX_BASIC_STATS, &stx) == 0)
		(void) attr_hide_ctime(ov, c->node, &stx, c->ctime);
}

/* The data is there: says so. Only the first step counts, the others tidy up. */
static int declare_whole(struct completion *c)
{
	struct overlay *ov = c->ov;
	struct meta_record rec;
	struct statx stx;
	int r = meta_remove(&ov->meta, c->dst, NULL, META_METACOPY);

	if (r < 0)
		return r;
	(void) meta_remove(&ov->meta, c->dst, NULL, META_REDIRECT);
	if (meta_get_record(&ov->meta, c->dst, NULL, &rec) == 1) {
		rec.has &= ~(uint32_t) META_RECORD_METACOPY;
		(void) meta_set_record(&ov->meta, c->dst, NULL, &rec);
	}
	{
		SCOPE_LOCK(&node_shard(ov, c->node)->lock);
		set_whole(c->node);
		c->node->flags |= NODE_UNSYNCED;
	}
	if (c->size == c->before.stx_size && io_statx(ov->io, c->dst, NULL, STATX_BASIC_STATS, &stx) == 0)
		(void) attr_hide_ctime(ov, c->node, &stx, c->ctime);
	return 0;
}

/* With the node's LEASE_COPY. */
static int complete_held(struct overlay *ov, const struct actor *who, struct node *n, uint64_t limit)
{
	_cleanup_(completion_done) struct completion c = { .ov = ov, .node = n, .src = -EBADF, .dst = -EBADF };
	int r = examine(ov, n);

	if (limit == 0 && (r == -EIO || r == -EPERM))
		r = 1; /* data that is missing, or may not be read, is not needed */
	if (r <= 0)
		return r;
	r = completion_open(&c, limit);
	if (r < 0)
		return r;
	r = fill(&c, who);
	if (r == 0)
		r = declare_whole(&c);
	if (r < 0)
		undo(&c);
	return r;
}

int metacopy_complete(struct overlay *ov, const struct actor *who, struct node *n, uint64_t limit)
{
	LEASE(copying);

	if (!S_ISREG(n->type) || node_has_flag(ov, n, NODE_WHOLE))
		return 0;
	lease_take(ov, n, LEASE_COPY, &copying);
	return complete_held(ov, who, n, limit);
}

void metacopy_hold(struct overlay *ov, struct node *n, struct lease *ret)
{
	if (S_ISREG(n->type) && !node_has_flag(ov, n, NODE_WHOLE)) /* unknown is as good as without data: nobody waits long */
		lease_take(ov, n, LEASE_COPY, ret);
}

/* names */

static bool is_pinned(struct overlay *ov, struct node *n)
{
	SCOPE_LOCK(&node_shard(ov, n)->lock);
	return n->ext && n->ext->data_pinned;
}

/* 1 it has an absolute redirect now; 0 it cannot. */
static int pin(struct overlay *ov, struct node *n)
{
	char name[NAME_BYTES], redirect[META_REDIRECT_MAX + 1], old[META_REDIRECT_MAX + 1];
	struct node *dir = ov->no_redirect ? NULL : node_parent(ov, n, name);
	struct statx stx;
	FOUND(f);
	SPOT(s);
	int r;

	if (!dir)
		return 0;
	r = spot_pin(ov, n, &s, &stx);
	if (r == 0)
		r = layer_look_metacopy(&ov->layers[s.layer], s.fd, s.name, old);
	if (r == 1)
		r = look_data(ov, dir, name, LAYER_UPPER, old, &f);
	if (r == 0)
		r = f.exists ? make_redirect(ov, dir, old[0] ? old : name, redirect) : -EIO;
	(void) node_unref(ov, dir);
	if (r == 0)
		r = leads_to(ov, redirect, f.dev, f.real_ino);
	if (r <= 0)
		return r == -EXDEV ? 0 : r;
	r = meta_set(&ov->meta, s.fd, s.name, META_REDIRECT, redirect, strlen(redirect));
	if (r == 0) {
		SCOPE_LOCK(&node_shard(ov, n)->lock);
		n->ext->data_pinned = true;
	}
	return r < 0 ? r : 1;
}

void metacopy_before_removal(struct overlay *ov, struct node *n)
{
	if (node_has_flag(ov, n, NODE_METACOPY))
		(void) examine(ov, n); /* missing data is no reason to keep the file */
}

int metacopy_pin(struct overlay *ov, const struct actor *who, struct node *n)
{
	LEASE(copying);
	int r;

	if (!S_ISREG(n->type) || node_has_flag(ov, n, NODE_WHOLE))
		return 0;
	lease_take(ov, n, LEASE_COPY, &copying);
	r = examine(ov, n);
	if (r <= 0 || is_pinned(ov, n))
		return MIN(r, 0);
	r = pin(ov, n);
	return r == 0 ? complete_held(ov, who, n, COPYUP_ALL) : MIN(r, 0);
}
