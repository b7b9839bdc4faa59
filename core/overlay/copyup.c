/*
 * Copy-up.
 *
 *      LOWER ── lease taken, ancestors are upper ──> COPYING ── renamed into place ──> UPPER
 *        ^                                              │
 *        └────────── any failure: temporary removed ────┘
 *
 * The copy is made in the work directory, complete in all it has, and appears under its name by one rename: whatever fails
 * before, nothing is visible. commit() is the only place where a node changes its layer.
 *
 * Order in the making: data, owner, extended attributes, mode, times. chown() takes capabilities and set-id bits away, so
 * it comes before both; writing an ACL changes the mode; everything changes times.
 *
 * Directories are copied without content. An object with several links goes into the index directory, from where all its
 * names in the lower find it, and is linked to the name it was asked for by.
 */

#include "overlay/copyup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#include "overlay/attr.h"
#include "overlay/create.h"
#include "overlay/dircache.h"
#include "overlay/file.h"
#include "overlay/gate.h"
#include "overlay/index.h"
#include "overlay/judge.h"
#include "overlay/lease.h"
#include "overlay/look.h"
#include "overlay/metacopy.h"
#include "overlay/moving.h"
#include "overlay/spot.h"
#include "overlay/unlock.h"

#define COPY_CHUNK (8u << 20)
#define BUFFER_SIZE (1u << 20)
#define LIST_MAX (64u << 10) /* XATTR_LIST_MAX, and XATTR_SIZE_MAX */
#define FIRST_VALUE 512u

void temp_name(struct overlay *ov, char buf[static TEMP_BYTES])
{
	(void) snprintf(buf, TEMP_BYTES, "#%llx", (unsigned long long) atomic_fetch_add(&ov->temp_counter, 1));
}

/* One copy-up under way. */
struct copy {
	struct overlay *ov;
	const struct actor *who;
	struct node *node;
	struct node *dir; /* referenced */
	char name[NAME_BYTES];
	char temp[TEMP_BYTES];
	bool made;	    /* temp exists */
	struct spot from;
	struct statx stx;   /* of the lower object */
	uint64_t limit;
	int src, dst;	    /* regular files */
	bool container;	    /* a directory that stays what it is, and is in the upper for the sake of what is in it */
	bool metacopy;	    /* the data stays in the lower */
	struct metacopy_plan plan;
	struct meta_record record;
	char index_name[META_INDEX_NAME_MAX];
};

static bool given_up(const struct copy *c)
{
	return c->who && c->who->cancelled && atomic_load_explicit(c->who->cancelled, memory_order_relaxed);
}

/* data */

static int copy_by_hand(struct copy *c, uint64_t off, uint64_t len)
{
	_cleanup_free_ char *buf = malloc(BUFFER_SIZE);

	if (!buf)
		return -ENOMEM;
	while (len > 0) {
		ssize_t n = io_read(c->ov->io, c->src, buf, MIN(len, (uint64_t) BUFFER_SIZE), off);

		if (n <= 0)
			return (int) n; /* shorter than it was: whoever truncated it meanwhile wanted that */
		for (ssize_t done = 0; done < n; ) {
			ssize_t w = io_write(c->ov->io, c->dst, buf + done, (size_t) (n - done), off + (uint64_t) done);

			if (w < 0)
				return (int) w;
			done += w;
		}
		off += (uint64_t) n;
		len -= (uint64_t) n;
		if (given_up(c))
			return -EINTR;
	}
	return 0;
}

static int copy_extent(struct copy *c, uint64_t off, uint64_t len)
{
	while (len > 0) {
		int64_t n = io_one(c->ov->io, (struct io_op) {
			.kind = IO_COPY_RANGE, .fd = c->src, .fd2 = c->dst, .off = off, .off2 = off,
			.len = (size_t) MIN(len, (uint64_t) COPY_CHUNK),
		});

		if (n == -EXDEV || n == -EINVAL || n == -EOPNOTSUPP || n == -ENOSYS || n == 0)
			return copy_by_hand(c, off, len);
		if (n < 0)
			return (int) n;
		off += (uint64_t) n;
		len -= (uint64_t) n;
		if (given_up(c))
			return -EINTR;
	}
	return 0;
}

/* Data only: holes stay holes. */
static int copy_extents(struct copy *c, uint64_t size)
{
	uint64_t at = 0;
	int r;

	while (at < size) {
		int64_t data = io_seek(c->ov->io, c->src, at, SEEK_DATA), hole;

		if (data == -ENXIO)
			break;
		if (data < 0) /* a file system that does not know: all of it is data */
			return copy_extent(c, at, size - at);
		if ((uint64_t) data >= size)
			break;
		hole = io_seek(c->ov->io, c->src, (uint64_t) data, SEEK_HOLE);
		if (hole < 0 || (uint64_t) hole > size)
			hole = (int64_t) size;
		r = copy_extent(c, (uint64_t) data, (uint64_t) (hole - data));
		if (r < 0)
			return r;
		at = (uint64_t) hole;
	}
	return 0;
}

static int copy_data(struct copy *c, uint64_t size)
{
	struct statx src;
	int r;

	if (size == 0)
		return 0;
	r = io_statx(c->ov->io, c->src, NULL, STATX_SIZE, &src);
	if (r < 0)
		return r;
	if (size == src.stx_size) {
		r = (int) io_one(c->ov->io, (struct io_op) { .kind = IO_CLONE, .fd = c->src, .fd2 = c->dst });
		if (r == 0)
			return 0;
	}
	r = copy_extents(c, size);
	return r < 0 ? r : io_truncate(c->ov->io, c->dst, size);
}

int copyup_data(struct overlay *ov, const struct actor *who, int src, int dst, uint64_t size)
{
	struct copy c = { .ov = ov, .who = who, .src = src, .dst = dst };

	return copy_data(&c, size);
}

/* the object and what it has */

static int make_temp(struct copy *c)
{
	struct io_engine *io = c->ov->io;
	int work = c->ov->work_fd, r;

	temp_name(c->ov, c->temp);
	switch (c->stx.stx_mode & S_IFMT) {
	case S_IFREG:
		r = c->dst = io_open(io, work, c->temp, O_RDWR | O_CREAT | O_EXCL, 0600, NULL);
		break;
	case S_IFDIR:
		r = io_mkdir(io, work, c->temp, 0700, NULL);
		break;
	case S_IFLNK: {
		char target[META_PATH_MAX];
		ssize_t n = io_readlink(io, c->from.fd, c->from.name, target, sizeof(target) - 1);

		if (n < 0)
			return (int) n;
		target[n] = '\0';
		r = io_symlink(io, target, work, c->temp, NULL);
		break;
	}
	default:
		r = io_mknod(io, work, c->temp, (c->stx.stx_mode & S_IFMT) | 0600,
			     (dev_t) makedev(c->stx.stx_rdev_major, c->stx.stx_rdev_minor), NULL);
	}
	c->made = r >= 0;
	return MIN(r, 0);
}

static int copy_owner(struct copy *c)
{
	int r = io_chown(c->ov->io, c->ov->work_fd, c->temp, c->stx.stx_uid, c->stx.stx_gid);

	if (r != -EPERM && r != -EINVAL)
		return r;
	/* We may not give files away, or the owner is none that this user namespace knows: the record shows whose it is. */
	c->record.has |= META_RECORD_OWNER;
	c->record.uid = c->stx.stx_uid;
	c->record.gid = c->stx.stx_gid;
	return 0;
}

static bool may_be_lost(const char *attr, int error)
{
	if (error == -ENODATA)
		return true; /* gone since it was listed */
	if (strncmp(attr, "system.posix_acl_", 17) == 0)
		return false; /* would open the file to others */
	return error == -EOPNOTSUPP || ((error == -EPERM || error == -EACCES) && strncmp(attr, "user.", 5) != 0);
}

/* A value of any length, in a buffer that grows and is used again for the next. */
static ssize_t read_xattr(struct copy *c, const char *attr, char **value, size_t *size)
{
	for (;;) {
		ssize_t n = *size ? io_getxattr(c->ov->io, c->from.fd, c->from.name, attr, *value, *size) : -ERANGE;
		char *bigger;

		if (n != -ERANGE || *size >= LIST_MAX)
			return n;
		bigger = realloc(*value, *size ? LIST_MAX : FIRST_VALUE);
		if (!bigger)
			return -ENOMEM;
		*value = bigger;
		*size = *size ? LIST_MAX : FIRST_VALUE;
	}
}

static int copy_xattr(struct copy *c, const char *attr, char **value, size_t *size)
{
	ssize_t n = read_xattr(c, attr, value, size);
	int r = n < 0 ? (int) n : io_setxattr(c->ov->io, c->ov->work_fd, c->temp, attr, *value, (size_t) n, 0);

	return r < 0 && may_be_lost(attr, r) ? 0 : r;
}

static int copy_xattrs(struct copy *c)
{
	_cleanup_free_ char *list = NULL, *value = NULL;
	char small[256];
	size_t size = 0;
	ssize_t n = io_listxattr(c->ov->io, c->from.fd, c->from.name, small, sizeof(small));

	if (n == 0 || n == -EOPNOTSUPP)
		return 0;
	if (n > 0) {
		list = malloc((size_t) n);
		if (!list)
			return -ENOMEM;
		memcpy(list, small, (size_t) n);
	} else if (n == -ERANGE) {
		list = malloc(LIST_MAX);
		if (!list)
			return -ENOMEM;
		n = io_listxattr(c->ov->io, c->from.fd, c->from.name, list, LIST_MAX);
	}
	if (n < 0)
		return (int) n;
	for (const char *p = list; p < list + n; p += strlen(p) + 1) {
		int r = 0;

		/* What the format says of the lower object is not so of the copy; escaped names are the program's. */
		if (!meta_is_private(&c->ov->meta, p) || meta_is_escaped(&c->ov->meta, p))
			r = copy_xattr(c, p, &value, &size);
		if (r < 0)
			return r;
	}
	return 0;
}

static int copy_mode_and_times(struct copy *c)
{
	struct io_engine *io = c->ov->io;
	struct timespec times[2] = {
		{ c->stx.stx_atime.tv_sec, c->stx.stx_atime.tv_nsec },
		{ c->stx.stx_mtime.tv_sec, c->stx.stx_mtime.tv_nsec },
	};
	int r = 0;

	if (!S_ISLNK(c->stx.stx_mode))
		r = io_chmod(io, c->ov->work_fd, c->temp, c->stx.stx_mode & 07777);
	return r < 0 ? r : io_utimens(io, c->ov->work_fd, c->temp, times);
}

/* A lower that was an upper of ours has records: what they claim is so for the copy too. */
static int inherit_record(struct copy *c)
{
	const struct layer *l = c->from.layer == LAYER_MADE ? NULL : &c->ov->layers[c->from.layer];
	struct meta_record rec;
	int r = l && l->ours ? meta_get_record(&l->meta, c->from.fd, c->from.name, &rec) : 0;

	if (r <= 0)
		return r;
	c->record.has = rec.has & META_RECORD_INO;
	c->record.ino = rec.ino;
	c->record.fsid = rec.fsid;
	if (rec.has & META_RECORD_OWNER) {
		c->stx.stx_uid = rec.uid;
		c->stx.stx_gid = rec.gid;
	}
	if (rec.has & META_RECORD_BTIME) {
		c->stx.stx_mask |= STATX_BTIME;
		c->stx.stx_btime.tv_sec = rec.btime_sec;
		c->stx.stx_btime.tv_nsec = rec.btime_nsec;
	}
	return 0;
}

/* Is the disk not full? Then it is an object that has no room for more attributes. */
static bool has_room(struct overlay *ov)
{
	struct statfs st;

	return io_one(ov->io, (struct io_op) { .kind = IO_STATFS, .fd = ov->work_fd, .buf = &st }) == 0 && st.f_bavail > 0;
}

/*
 * Extended attributes are kept in the inode and a block, in ext4 and others, and what the object has itself may need all of that. It can do
 * without ours if that is not what tells where its data is, whose it is, or which links it has.
 */
static bool can_go_without(const struct copy *c)
{
	return !c->metacopy && !c->index_name[0] && !(c->record.has & META_RECORD_OWNER) && has_room(c->ov);
}

/* Where it comes from: the origin for kernel overlayfs, the record for us. */
static int note_origin(struct copy *c)
{
	struct overlay *ov = c->ov;
	struct meta_origin origin;
	bool links = !S_ISDIR(c->stx.stx_mode) && c->stx.stx_nlink > 1;
	int has_origin, r;

	if (c->from.layer == LAYER_MADE) {
		if (!c->dir)
			return 0;
		c->record = (struct meta_record) {
			.has = META_RECORD_INO, .fsid = LOOK_MADE_FSID, .ino = look_name_ino(c->dir, c->name),
		};
		return meta_set_record(&ov->meta, ov->work_fd, c->temp, &c->record);
	}
	has_origin = index_origin(ov, c->from.fd, c->from.name, &origin);
	if (has_origin < 0)
		return has_origin;
	if (links && !(has_origin && index_name(ov, &origin, statx_dev(&c->stx), c->index_name)))
		c->record.has &= ~(uint32_t) META_RECORD_INO; /* the other links keep the number */
	if (!(c->record.has & META_RECORD_INO) && (!links || c->index_name[0])) {
		c->record.has |= META_RECORD_INO;
		c->record.ino = c->stx.stx_ino;
		r = inomap_fsid(&ov->inomap, ov->io, statx_dev(&c->stx), c->from.fd, c->from.name, &c->record.fsid);
		if (r < 0)
			return r;
	}
	if (c->stx.stx_mask & STATX_BTIME) {
		c->record.has |= META_RECORD_BTIME;
		c->record.btime_sec = c->stx.stx_btime.tv_sec;
		c->record.btime_nsec = c->stx.stx_btime.tv_nsec;
	}
	/* Symlinks and special files take no user attributes: there the number changes, and the owner must fit. */
	r = meta_set_record(&ov->meta, ov->work_fd, c->temp, &c->record);
	if (r == -EPERM && !S_ISREG(c->stx.stx_mode) && !S_ISDIR(c->stx.stx_mode)) {
		c->record.has = 0;
		return 0;
	}
	if (r == 0 && has_origin)
		r = meta_set(&ov->meta, ov->work_fd, c->temp, META_ORIGIN, origin.data, origin.len);
	else if (r == -ENOSPC && can_go_without(c))
		c->record.has = 0;
	return r == -ENOSPC && can_go_without(c) ? 0 : r;
}

/* A file as long as the other, without data: where that is, it says itself. */
static int mark_metacopy(struct copy *c)
{
	struct overlay *ov = c->ov;
	const char *to = c->plan.redirect;
	int r = meta_set(&ov->meta, ov->work_fd, c->temp, META_REDIRECT, to, strlen(to));

	if (r == 0)
		r = meta_set(&ov->meta, ov->work_fd, c->temp, META_METACOPY, "", 0);
	c->record.has |= META_RECORD_METACOPY;
	return r < 0 ? r : io_truncate(ov->io, c->dst, c->stx.stx_size);
}

static int make_copy(struct copy *c)
{
	bool data = S_ISREG(c->stx.stx_mode) && c->stx.stx_size > 0 && !c->metacopy;
	int r = make_temp(c);

	if (r == 0 && c->metacopy)
		r = mark_metacopy(c);
	if (r == 0 && data)
		r = copy_data(c, MIN(c->stx.stx_size, c->limit));
	if (r == 0)
		r = copy_owner(c);
	if (r == 0)
		r = copy_xattrs(c);
	if (r == 0)
		r = note_origin(c);
	if (r == 0)
		r = copy_mode_and_times(c);
	if (r == 0 && data && !c->ov->volatile_)
		r = io_fsync(c->ov->io, c->dst, false);
	return r;
}

static void drop_temp(struct copy *c)
{
	if (c->made) /* fails only where nothing can be done; the next mount clears the directory */
		(void) io_unlink(c->ov->io, c->ov->work_fd, c->temp, S_ISDIR(c->stx.stx_mode) ? AT_REMOVEDIR : 0);
	c->made = false;
	c->dst = fd_close(c->dst);
}

/* into place */

static int commit_places(struct node *n, const struct statx *stx)
{
	struct places *p = malloc(sizeof(*p) + (n->places->n + 1u) * sizeof(p->v[0]));

	if (!p)
		return -ENOMEM;
	p->n = (uint16_t) (n->places->n + 1);
	p->v[0] = (struct place) { .layer = LAYER_UPPER, .dev = statx_dev(stx), .ino = stx->stx_ino };
	memcpy(p->v + 1, n->places->v, n->places->n * sizeof(p->v[0]));
	free(n->places);
	n->places = p;
	return 0;
}

/* A directory that is changed in the lower has got a place in the upper for what is in it: no more. */
static int commit_container(struct copy *c, const struct statx *stx)
{
	int r;

	SCOPE_LOCK(&node_shard(c->ov, c->node)->lock);
	r = commit_places(c->node, stx);
	c->node->seq++;
	return r;
}

/* From here on the node is in the upper. fd: for a node without names, taken. */
static int commit(struct copy *c, const struct statx *stx, int fd)
{
	struct node *n = c->node;
	int r = 0, old = -EBADF;

	if (c->container)
		return commit_container(c, stx);
	{
		SCOPE_LOCK(&node_shard(c->ov, n)->lock);
		if (c->record.has || c->index_name[0]) {
			struct node_ext *ext = node_ext_get(n);

			if (!ext)
				return -ENOMEM;
			ext->record = c->record;
			if (c->index_name[0] && !ext->index_name) {
				ext->index_name = strdup(c->index_name);
				if (!ext->index_name)
					return -ENOMEM;
			}
		}
		if (n->places)
			r = commit_places(n, stx);
		if (r < 0)
			return r;
		/* Nothing tells the number that it had, here or at its other names: it has the one that its next look-up gives it. */
		if (c->dir && !S_ISDIR(n->type) && !(c->record.has & META_RECORD_INO))
			n->flags |= NODE_ALONE;
		metacopy_commit(n, c->metacopy ? &c->plan : NULL);
		if (fd >= 0 || n->layer == LAYER_MADE) {
			old = n->fd;
			n->fd = fd;
		}
		n->layer = LAYER_UPPER;
		n->dev = statx_dev(stx);
		n->real_ino = stx->stx_ino;
		n->seq++;
	}
	(void) fd_close(old);
	return 0;
}

int mark_impure(struct overlay *ov, struct node *dir, int dirfd)
{
	int r;

	if (node_has_flag(ov, dir, NODE_IMPURE))
		return 0;
	r = meta_set(&ov->meta, dirfd, NULL, META_IMPURE, "y", 1);
	if (r == -ENOSPC && has_room(ov)) /* without it only listings tell other numbers than stat() */
		return 0;
	if (r == 0)
		node_set_flag(ov, dir, NODE_IMPURE, true);
	return r;
}

/* To the directory the copy of an entry is no change: its times stay. */
static void restore_times(struct overlay *ov, struct node *dir, int dirfd, const struct statx *before)
{
	struct statx_timestamp ctime = attr_ctime(ov, dir, before);
	struct statx after;
	struct timespec times[2] = {
		{ before->stx_atime.tv_sec, before->stx_atime.tv_nsec },
		{ before->stx_mtime.tv_sec, before->stx_mtime.tv_nsec },
	};

	/* The copy is made: nothing of this may fail it. */
	if (io_utimens(ov->io, dirfd, NULL, times) == 0 && io_statx(ov->io, dirfd, NULL, STATX_BASIC_STATS, &after) == 0)
		(void) attr_hide_ctime(ov, dir, &after, ctime);
}

/*
 * Several links: the object goes to the index, where every name below finds it, and gets its one name above. The
 * count that the view shows stays what it was.
 */
static int move_into_index(struct copy *c)
{
	struct overlay *ov = c->ov;
	int r = attr_set_links(ov, ov->work_fd, c->temp, c->stx.stx_nlink, 2);

	if (r == 0)
		r = io_rename(ov->io, ov->work_fd, c->temp, ov->index_fd, c->index_name, RENAME_NOREPLACE);
	if (r == 0)
		c->made = false;
	return r;
}

/*
 * The directory is changed in the lower, whatever the upper says of its name. That it was removed is still so where other rules look at
 * the upper; anything else would be lost.
 */
static int replace_unseen(struct copy *c, int dirfd)
{
	struct lentry le;
	int r = layer_look(&c->ov->layers[LAYER_UPPER], dirfd, c->name, LOOK_STAT_ONLY | LOOK_XWHITEOUTS, &le);

	if (r == 0 && le.kind != LENTRY_WHITEOUT)
		r = gate_report_node(c->ov, c->who, GATE_WRITE, c->node, -EROFS);
	return r < 0 ? r : create_replace_whiteout(c->ov, c->temp, S_IFDIR, dirfd, c->name);
}

static int move_into_place(struct copy *c, int dirfd)
{
	struct overlay *ov = c->ov;
	int r;

	if (!c->index_name[0]) {
		r = unlock_rename(ov, ov->work_fd, c->temp, dirfd, c->name, RENAME_NOREPLACE);
		if (r == -EEXIST && c->container)
			r = replace_unseen(c, dirfd);
		if (r == 0)
			c->made = false;
		return r;
	}
	r = move_into_index(c);
	if (r < 0)
		return r;
	r = io_link(ov->io, ov->index_fd, c->index_name, dirfd, c->name);
	if (r < 0)
		(void) io_unlink(ov->io, ov->index_fd, c->index_name, 0); /* else every name below would lead to it */
	return r;
}

static int enter_dir(struct copy *c, int dirfd)
{
	int r = c->record.has & META_RECORD_INO ? mark_impure(c->ov, c->dir, dirfd) : 0;

	return r < 0 ? r : move_into_place(c, dirfd);
}

/* The directory may be one that its owner, who we are, has made read-only: what is in it may be changed all the same. */
static int enter_any_dir(struct copy *c, int dirfd)
{
	struct unlocked u;
	int r = enter_dir(c, dirfd);

	if (r != -EACCES)
		return r;
	r = unlock(c->ov, dirfd, NULL, &u);
	if (r == 0)
		r = enter_dir(c, dirfd);
	lock_again(&u);
	return r;
}

/* Is the node still called what it was when the copy began? */
static bool still_named(struct copy *c)
{
	SCOPE_LOCK(&node_shard(c->ov, c->node)->lock);
	for (const struct name *a = c->node->names; a; a = a->next)
		if (a->dir == c->dir && strcmp(a->text, c->name) == 0)
			return true;
	return false;
}

/* 0 done, 1 the node has lost its name meanwhile. */
static int publish(struct copy *c)
{
	struct overlay *ov = c->ov;
	struct statx before, stx;
	LEASE(names);
	DIRFD(d, ov);
	int r;

	lease_take(ov, c->dir, LEASE_NAMES, &names);
	if (!still_named(c))
		return 1;
	r = dirfd_get(ov, c->dir, LAYER_UPPER, &d.d);
	if (r == 0)
		r = io_statx(ov->io, d.d->fd, NULL, STATX_BASIC_STATS, &before);
	if (r == 0)
		r = io_statx(ov->io, ov->work_fd, c->temp, LAYER_STATX_MASK, &stx);
	if (r < 0)
		return r;
	{
		MOVING(ov);
		r = enter_any_dir(c, d.d->fd);
		if (r == 0)
			r = commit(c, &stx, -EBADF);
	}
	if (r < 0)
		return r == -EEXIST ? -ESTALE : r;
	restore_times(ov, c->dir, d.d->fd, &before);
	if (c->dst >= 0 && !c->metacopy)
		file_follow(ov, c->node, c->dst);
	if (r == 0 && io_statx(ov->io, d.d->fd, c->name, STATX_BASIC_STATS, &stx) == 0)
		(void) attr_hide_ctime(ov, c->node, &stx, c->stx.stx_ctime);
	return r;
}

/* A node without a name: the copy has none either, and lives by its descriptor. */
static int publish_nameless(struct copy *c)
{
	struct overlay *ov = c->ov;
	struct statx stx;
	int fd, r = io_statx(ov->io, ov->work_fd, c->temp, LAYER_STATX_MASK, &stx);

	if (r < 0)
		return r;
	fd = io_open(ov->io, ov->work_fd, c->temp, O_PATH, 0, NULL);
	if (fd < 0)
		return fd;
	c->index_name[0] = '\0';
	r = commit(c, &stx, fd);
	if (r == 0 && c->dst >= 0 && !c->metacopy)
		file_follow(ov, c->node, c->dst);
	if (r < 0)
		(void) fd_close(fd);
	return r;
}

static void copy_done(struct copy *c)
{
	drop_temp(c);
	metacopy_plan_done(&c->plan);
	spot_done(&c->from);
	c->src = fd_close(c->src);
	if (c->dir)
		(void) node_unref(c->ov, c->dir);
}

/* The data comes up with the rest, unless only attributes are wanted and it can stay. */
static int choose_data(struct copy *c)
{
	struct data_file data;
	int r = 0;

	if (c->limit == 0) /* nor is it looked for: where it has gone, the file can still be overwritten */
		return 0;
	if (c->limit == COPYUP_META && c->dir && c->stx.stx_size > 0 && c->from.layer != LAYER_MADE) /* there is no other copy */
		r = metacopy_plan(c->ov, c->node, c->dir, c->name, &c->plan);
	c->metacopy = r == 1;
	if (r != 0)
		return MIN(r, 0);
	r = metacopy_open(c->ov, c->node, O_RDONLY, &data);
	if (r == 0)
		c->src = data.fd;
	return r;
}

/* What says where the data stays may have no room beside the file's own attributes: then the data comes along. */
static int make_any_copy(struct copy *c)
{
	int r = make_copy(c);

	if (r != -ENOSPC || !c->metacopy)
		return r;
	drop_temp(c);
	c->record.has &= ~(uint32_t) META_RECORD_METACOPY;
	c->limit = COPYUP_ALL;
	r = choose_data(c);
	return r < 0 ? r : make_copy(c);
}

static int copyup_one(struct overlay *ov, const struct actor *who, struct node *n, uint64_t limit)
{
	_cleanup_(copy_done) struct copy c = {
		.ov = ov, .who = who, .node = n, .limit = limit, .from.own_fd = -EBADF, .src = -EBADF, .dst = -EBADF,
	};
	struct ruling ruling;
	LEASE(copying);
	int r;

	lease_take(ov, n, LEASE_COPY, &copying);
	if (node_has_upper(ov, n))
		return 0;
	if (node_has_flag(ov, n, NODE_FIXED))
		return -EROFS;
	r = judge_node(ov, n, &ruling);
	if (r < 0)
		return r;
	c.container = S_ISDIR(n->type) && ruling_is_direct(&ruling);
	c.dir = node_parent(ov, n, c.name);
	r = spot_stat(ov, n, &c.from, &c.stx);
	if (r == 0 && c.stx.stx_attributes & (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND))
		r = -EPERM; /* chattr(1): not even root changes it */
	if (r == 0)
		r = inherit_record(&c);
	if (r == 0 && S_ISREG(c.stx.stx_mode))
		r = choose_data(&c);
	if (r == 0)
		r = make_any_copy(&c);
	if (r == 0)
		r = c.dir ? publish(&c) : 1;
	return r == 1 ? publish_nameless(&c) : r;
}

struct chain {
	struct overlay *ov;
	struct node **v; /* referenced */
	size_t n, size;
};

static void chain_done(struct chain *c)
{
	while (c->n > 0)
		(void) node_unref(c->ov, c->v[--c->n]);
	free(c->v);
}

/* n, and the directories above it that are not in the upper yet. Takes the reference. */
static int chain_add(struct chain *c, struct node *n)
{
	if (c->n == c->size) {
		size_t size = MAX(c->size * 2, (size_t) 16);
		struct node **v = reallocarray(c->v, size, sizeof(*v));

		if (!v) {
			(void) node_unref(c->ov, n);
			return -ENOMEM;
		}
		c->v = v;
		c->size = size;
	}
	c->v[c->n++] = n;
	return 0;
}

int copyup(struct overlay *ov, const struct actor *who, struct node *n, uint64_t limit)
{
	_cleanup_(chain_done) struct chain c = { .ov = ov };
	char name[NAME_BYTES];
	struct node *at;
	int r = 0;

	if (!ov->writable)
		return -EROFS;
	node_ref(n);
	for (at = n; at && !node_has_upper(ov, at) && r == 0; at = node_parent(ov, at, name))
		r = chain_add(&c, at);
	if (at && r == 0)
		(void) node_unref(ov, at);
	while (c.n > 0 && r == 0) {
		at = c.v[c.n - 1];
		r = copyup_one(ov, who, at, at == n ? limit : COPYUP_ALL);
		(void) node_unref(ov, at);
		c.n--;
	}
	if (r == 0 && limit != COPYUP_META)
		r = metacopy_complete(ov, who, n, limit);
	return r;
}

/* In the topmost lower, with all its data? What is not known yet is found out. */
static int check_direct(struct overlay *ov, struct node *n)
{
	struct data_file data;
	int r;

	{
		SCOPE_LOCK(&node_shard(ov, n)->lock);
		if (n->layer != LAYER_LOWER || n->flags & (NODE_FIXED | NODE_METACOPY))
			return -EROFS;
		if (!S_ISREG(n->type) || n->flags & NODE_WHOLE)
			return 0;
	}
	r = metacopy_open(ov, n, O_RDONLY, &data);
	if (r < 0)
		return r;
	(void) fd_close(data.fd);
	return data.layer == LAYER_LOWER ? 0 : -EROFS;
}

int copyup_for_change(struct overlay *ov, const struct actor *who, struct node *n, uint64_t limit)
{
	struct ruling ruling;
	int r = judge_node(ov, n, &ruling);

	if (r < 0)
		return r;
	if (!ov->writable)
		return -EROFS;
	if (!ruling_is_direct(&ruling) || n == ov->root)
		return copyup(ov, who, n, limit);
	/* What was changed in the upper under another policy, and is still known, is not what the name leads to. */
	r = node_is_upper(ov, n) ? -ESTALE : check_direct(ov, n);
	return r == -EROFS || r == -ESTALE ? gate_report_node(ov, who, GATE_WRITE, n, r) : r;
}
