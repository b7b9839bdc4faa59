/*
 * New names.
 *
 * Where nothing of that name is in the upper, the object is made in its directory by one system call: complete, the
 * caller's, with the group and ACL it inherits. Where a whiteout is, it is made in the work directory, given what it would
 * have inherited, and takes the whiteout's place by one rename. A directory in such a place is made opaque: what
 * the whiteout hid stays hidden.
 */

#include "overlay/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "overlay/acl.h"
#include "overlay/attr.h"
#include "overlay/copyup.h"
#include "overlay/create.h"
#include "overlay/dircache.h"
#include "overlay/file.h"
#include "overlay/gate.h"
#include "overlay/ids.h"
#include "overlay/lease.h"
#include "overlay/look.h"
#include "overlay/metacopy.h"
#include "overlay/spot.h"
#include "overlay/unlock.h"

/* What is to be made. */
struct make {
	const struct actor *who;
	mode_t mode; /* with type */
	dev_t dev;
	const char *target; /* symlinks */
	int flags;	    /* regular files: to open with */
	int fd;		    /* of a regular file that was made */
	struct io_cred as;  /* whom it is to belong to; filled in by make() */
};

static int make_at(struct overlay *ov, struct make *m, int dirfd, const char *name, mode_t umask, const struct io_cred *as)
{
	switch (m->mode & S_IFMT) {
	case S_IFREG:
		m->fd = io_open(ov->io, dirfd, name, (m->flags & O_ACCMODE) | O_CREAT | O_EXCL, m->mode & 07777 & ~umask, as);
		return MIN(m->fd, 0);
	case S_IFDIR:
		return io_mkdir(ov->io, dirfd, name, m->mode & 07777 & ~umask, as);
	case S_IFLNK:
		return io_symlink(ov->io, m->target, dirfd, name, as);
	default:
		return io_mknod(ov->io, dirfd, name, m->mode & ~umask, m->dev, as);
	}
}

/* For an object made elsewhere: the group that it would get in the directory, and the bit a directory gets with it. */
static int inherit_group(struct overlay *ov, int dirfd, struct make *m, struct io_cred *as)
{
	struct statx stx;
	int r = io_statx(ov->io, dirfd, NULL, STATX_MODE | STATX_GID, &stx);

	if (r < 0 || !(stx.stx_mode & S_ISGID))
		return r;
	as->gid = stx.stx_gid;
	if (S_ISDIR(m->mode))
		m->mode |= S_ISGID;
	return 0;
}

int create_drop_temp(struct overlay *ov, const char *temp, mode_t mode)
{
	return io_unlink(ov->io, ov->work_fd, temp, S_ISDIR(mode) ? AT_REMOVEDIR : 0);
}

int create_replace_whiteout(struct overlay *ov, const char *temp, mode_t mode, int dirfd, const char *name)
{
	int r;

	if (!S_ISDIR(mode))
		return io_rename(ov->io, ov->work_fd, temp, dirfd, name, 0);
	/* A directory cannot replace a device: they change places, and the whiteout goes. */
	r = unlock_meta_set(ov, ov->work_fd, temp, META_OPAQUE, "y", 1);
	if (r == 0)
		r = unlock_rename(ov, ov->work_fd, temp, dirfd, name, RENAME_EXCHANGE);
	if (r == 0)
		(void) create_drop_temp(ov, temp, S_IFCHR); /* the next mount clears what is left */
	return r;
}

static int make_over_whiteout(struct overlay *ov, struct make *m, int dirfd, const char *name, mode_t umask, struct io_cred *as)
{
	char temp[TEMP_BYTES];
	int r = inherit_group(ov, dirfd, m, as);

	if (r < 0)
		return r;
	temp_name(ov, temp);
	r = make_at(ov, m, ov->work_fd, temp, umask, as);
	if (r < 0)
		return r;
	if (S_ISDIR(m->mode) && m->mode & S_ISGID) /* mkdir() has no such bit */
		r = io_chmod(ov->io, ov->work_fd, temp, m->mode & 07777 & ~umask);
	if (r == 0)
		r = acl_inherit(ov, dirfd, ov->work_fd, temp, m->mode & ~umask);
	if (r == 0)
		r = create_replace_whiteout(ov, temp, m->mode, dirfd, name);
	if (r < 0)
		(void) create_drop_temp(ov, temp, m->mode);
	return r;
}

/* What a look-up would find of an object that has just been made. f->j is there already. */
static int found_made(struct overlay *ov, uint16_t layer, int dirfd, const char *name, struct found *f)
{
	int r = io_statx(ov->io, dirfd, name, LAYER_STATX_MASK, &f->stx);

	if (r < 0)
		return r;
	f->exists = true;
	f->hidden = f->upper_whiteout = f->masked = f->alone = f->metacopy = false;
	f->whole = true;
	f->layer = layer;
	f->dev = statx_dev(&f->stx);
	f->real_ino = f->stx.stx_ino;
	f->ino = inomap_number(&ov->inomap, ov->io, f->dev, f->real_ino, dirfd, name);
	f->record = (struct meta_record) { 0 };
	f->index_name[0] = f->redirect[0] = '\0';
	f->n_places = 0;
	if (S_ISDIR(f->stx.stx_mode)) {
		f->n_places = 1;
		f->places[0] = (struct place) { .layer = layer, .dev = f->dev, .ino = f->real_ino };
	}
	return attr_fix(ov, &(struct attr_facts) {
		.ino = f->ino, .direct = layer == LAYER_LOWER, .n_places = f->n_places, .secretive = look_is_secretive(f),
	}, &f->stx);
}

int create_check_name(struct overlay *ov, const char *name)
{
	int r = look_check_name(name);

	return r == 0 && layer_reserves_name(&ov->layers[LAYER_UPPER], name) ? -EINVAL : r;
}

static bool is_in_lower(struct overlay *ov, struct node *dir)
{
	SCOPE_LOCK(&node_shard(ov, dir)->lock);
	for (uint16_t i = 0; i < dir->places->n; i++)
		if (dir->places->v[i].layer == LAYER_LOWER)
			return !(dir->flags & NODE_FIXED) && dir->places->v[i].filter == FILTER_ALL;
	return false;
}

int create_check_dir(struct overlay *ov, const struct actor *who, struct node *dir, bool direct)
{
	if (!S_ISDIR(dir->type))
		return -ENOTDIR;
	if (node_has_flag(ov, dir, NODE_DEAD))
		return -ENOENT;
	if (direct)
		return ov->writable && is_in_lower(ov, dir) ? 0 : -EROFS;
	return copyup(ov, who, dir, COPYUP_ALL);
}

int create_check_place(struct overlay *ov, const struct actor *who, enum gate_op op, struct node *dir, const char *name,
		       const struct judgement *j, mode_t type)
{
	bool direct = ruling_is_direct(judged(j, type));
	int r = create_check_dir(ov, who, dir, direct);

	if (r == 0 && direct && name && layer_reserves_name(&ov->layers[LAYER_LOWER], name))
		return gate_report_name(ov, who, op, dir, name, type, -EINVAL);
	return r == -EROFS && direct && ov->writable ? gate_report_name(ov, who, op, dir, name, type, r) : r;
}

static int make_named(struct overlay *ov, struct node *dir, const char *name, struct make *m, struct found *f, struct node **ret)
{
	struct io_cred as = m->as;
	bool direct = false;
	LEASE(names);
	DIRFD(d, ov);
	mode_t umask;
	int r;

	lease_take(ov, dir, LEASE_NAMES, &names);
	r = look(ov, dir, name, f);
	if (r == 0 && f->exists)
		r = -EEXIST;
	if (r == 0) {
		const struct ruling *ruling = judged(&f->j, m->mode);

		direct = ruling_is_direct(ruling);
		r = gate_decide(S_ISDIR(m->mode) ? GATE_MKDIR : GATE_CREATE, ruling); /* other rules than at the gate, since */
	}
	if (r == 0 && look_in_the_way(f, layer_for_change(direct)))
		r = gate_report_name(ov, m->who, GATE_CREATE, dir, name, S_IFDIR, -EACCES);
	if (r == 0)
		r = dirfd_get(ov, dir, layer_for_change(direct), &d.d);
	if (r == 0)
		r = acl_umask(ov, m->who, dir, d.d->fd, &umask);
	if (r < 0)
		return r;
	r = f->upper_whiteout && !direct ? make_over_whiteout(ov, m, d.d->fd, name, umask, &as)
					 : make_at(ov, m, d.d->fd, name, umask, &as);
	if (r == 0)
		r = found_made(ov, layer_for_change(direct), d.d->fd, name, f);
	if (r == 0)
		r = node_get(ov, f, dir, name, ret);
	if (r != -EAGAIN)
		return MIN(r, 0);
	/* A number that was just freed, and its node is not gone yet. Or other rules look for the name in another layer by now. */
	r = look_node(ov, dir, name, f, ret);
	return r == 0 ? -ESTALE : MIN(r, 0);
}

static int make(struct overlay *ov, struct node *dir, const char *name, struct make *m, struct entry *ret, struct node **ret_node)
{
	struct node *n;
	FOUND(f);
	int r = create_check_name(ov, name);

	ret->node = NULL;
	m->fd = -EBADF;
	if (r == 0) { /* before the directory is copied up for nothing */
		r = look(ov, dir, name, &f);
		if (r == 0 && f.exists)
			r = -EEXIST;
	}
	if (r == 0)
		r = ids_maker(ov, m->who, &m->as);
	if (r == 0)
		r = gate_name(ov, m->who, S_ISDIR(m->mode) ? GATE_MKDIR : GATE_CREATE, dir, name, m->mode);
	if (r == 0)
		r = create_check_place(ov, m->who, GATE_CREATE, dir, name, &f.j, m->mode);
	if (r == 0)
		r = make_named(ov, dir, name, m, &f, &n);
	if (r < 0) {
		m->fd = fd_close(m->fd);
		return r;
	}
	ret->stx = f.stx;
	attr_round(ov, &ret->stx);
	if (ret_node) {
		node_ref(n);
		*ret_node = n;
	}
	node_give(ov, n, ret);
	return 0;
}

int overlay_mkdir(struct overlay *ov, const struct actor *who, struct node *dir, const char *name, mode_t mode, struct entry *ret)
{
	struct make m = { .who = who, .mode = S_IFDIR | (mode & 07777) };

	return make(ov, dir, name, &m, ret, NULL);
}

int overlay_mknod(struct overlay *ov, const struct actor *who, struct node *dir, const char *name, mode_t mode, dev_t dev,
		  struct entry *ret)
{
	struct make m = { .who = who, .mode = mode, .dev = dev, .flags = O_WRONLY };
	int r;

	if ((mode & S_IFMT) == 0)
		m.mode |= S_IFREG;
	if (S_ISDIR(m.mode) || S_ISLNK(m.mode))
		return -EINVAL;
	if (S_ISCHR(mode) && dev == 0)
		return -EPERM; /* would be a whiteout; kernel overlayfs answers the same */
	r = make(ov, dir, name, &m, ret, NULL);
	(void) fd_close(m.fd);
	return r;
}

int overlay_symlink(struct overlay *ov, const struct actor *who, struct node *dir, const char *name, const char *target,
		    struct entry *ret)
{
	struct make m = { .who = who, .mode = S_IFLNK | 0777, .target = target };

	return make(ov, dir, name, &m, ret, NULL);
}

static int open_existing(struct overlay *ov, const struct actor *who, struct node *dir, const char *name, int flags,
			 struct entry *ret, struct overlay_file **ret_file)
{
	int r = overlay_lookup(ov, who, dir, name, ret);

	*ret_file = NULL;
	if (r <= 0)
		return r < 0 ? r : -EAGAIN;
	r = S_ISLNK(ret->node->type) ? -ELOOP : overlay_open(ov, who, ret->node, flags, ret_file);
	if (r == 0 && flags & O_TRUNC && who->uid != 0) /* as any other write by somebody unprivileged */
		r = overlay_setattr(ov, who, ret->node, NULL, &(struct attr_change) { .valid = ATTR_KILL_PRIV }, &ret->stx);
	if (r == 0)
		r = attr_get(ov, ret->node, &ret->stx);
	if (r < 0) {
		if (*ret_file)
			overlay_release(*ret_file);
		overlay_forget(ov, ret->node, 1);
	}
	return r;
}

int overlay_create(struct overlay *ov, const struct actor *who, struct node *dir, const char *name, mode_t mode, int flags,
		   struct entry *ret, struct overlay_file **ret_file)
{
	struct make m = { .who = who, .mode = S_IFREG | (mode & 07777), .flags = flags };
	struct node *n;
	int r;

	for (int tries = 0; tries < 8; tries++) {
		r = make(ov, dir, name, &m, ret, &n);
		if (r == -EEXIST && !(flags & O_EXCL)) {
			r = open_existing(ov, who, dir, name, flags, ret, ret_file);
			if (r == -EAGAIN) /* removed in between */
				continue;
			return r;
		}
		break;
	}
	if (r < 0)
		return r;
	r = file_new(ov, who, n, m.fd, flags, ret_file);
	(void) node_unref(ov, n);
	if (r < 0) {
		(void) fd_close(m.fd);
		overlay_forget(ov, ret->node, 1);
	}
	return r;
}

int overlay_tmpfile(struct overlay *ov, const struct actor *who, struct node *dir, mode_t mode, int flags, struct entry *ret,
		    struct overlay_file **ret_file)
{
	struct io_cred as;
	_cleanup_close_ int fd = -EBADF, path_fd = -EBADF;
	struct node *n = NULL;
	FOUND(f);
	DIRFD(d, ov);
	uint16_t layer = LAYER_UPPER;
	mode_t umask;
	int r = S_ISDIR(dir->type) ? gate_name(ov, who, GATE_CREATE, dir, NULL, S_IFREG) : -ENOTDIR;

	if (r == 0)
		r = ids_maker(ov, who, &as);
	if (r == 0)
		r = judge_name(ov, dir, NULL, &f.j);
	if (r == 0) {
		layer = layer_for_change(ruling_is_direct(&f.j.as_file));
		r = create_check_place(ov, who, GATE_CREATE, dir, NULL, &f.j, S_IFREG);
	}
	if (r == 0)
		r = dirfd_get(ov, dir, layer, &d.d);
	if (r == 0)
		r = acl_umask(ov, who, dir, d.d->fd, &umask);
	if (r < 0)
		return r;
	fd = io_open(ov->io, d.d->fd, ".", O_TMPFILE | (flags & (O_ACCMODE | O_EXCL)), mode & 07777 & ~umask, &as);
	if (fd < 0)
		return fd;
	path_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (path_fd < 0)
		return -errno;
	r = found_made(ov, layer, fd, NULL, &f);
	if (r == 0)
		r = node_get_nameless(ov, &f, path_fd, &n);
	if (r < 0)
		return r;
	(void) steal_fd(&path_fd);
	r = file_new(ov, who, n, fd, flags, ret_file);
	if (r < 0) {
		(void) node_unref(ov, n);
		return r;
	}
	(void) steal_fd(&fd);
	ret->stx = f.stx;
	attr_round(ov, &ret->stx);
	node_give(ov, n, ret);
	return 0;
}

/* link */

static int link_source(struct overlay *ov, struct node *n, const struct spot *s, int dirfd, const char *name, bool whiteout)
{
	char temp[TEMP_BYTES];
	int r;

	if (!whiteout)
		return io_link(ov->io, s->fd, s->name, dirfd, name);
	temp_name(ov, temp);
	r = io_link(ov->io, s->fd, s->name, ov->work_fd, temp);
	if (r == 0) {
		r = io_rename(ov->io, ov->work_fd, temp, dirfd, name, 0);
		if (r < 0)
			(void) create_drop_temp(ov, temp, 0);
	}
	return r;
}

static int report_link(struct overlay *ov, const struct actor *who, struct node *n, struct node *dir, const char *name, int error)
{
	char old_name[NAME_BYTES];
	struct node *old_dir = node_parent(ov, n, old_name);

	if (!old_dir)
		return gate_report_name(ov, who, GATE_LINK, dir, name, n->type, error);
	(void) gate_report_two(ov, who, GATE_LINK, old_dir, old_name, dir, name, n->type, error);
	(void) node_unref(ov, old_dir);
	return error;
}

/* A link that would let more, or something else, be done with the object than its names do: as between file systems. */
static int check_class(struct overlay *ov, const struct actor *who, struct node *n, struct node *dir, const char *name)
{
	struct ruling ruling;
	JUDGEMENT(j);
	int r = judge_node(ov, n, &ruling);

	if (r == 0)
		r = judge_name(ov, dir, name, &j);
	if (r < 0 || ruling_same_rights(&ruling, judged(&j, n->type)))
		return r;
	return report_link(ov, who, n, dir, name, -EXDEV);
}

static int link_named(struct overlay *ov, const struct actor *who, struct node *n, struct node *dir, const char *name,
		      const struct judgement *judged_by)
{
	bool direct = ruling_is_direct(judged(judged_by, n->type));
	LEASE(names);
	FOUND(f);
	DIRFD(d, ov);
	SPOT(s);
	struct statx stx;
	bool origin;
	int r;

	lease_take(ov, dir, LEASE_NAMES, &names);
	r = look(ov, dir, name, &f);
	if (r == 0 && f.exists)
		r = -EEXIST;
	if (r == 0 && f.j.n_entered != judged_by->n_entered) /* under other rules by now, perhaps: the kernel asks again */
		r = -ESTALE;
	if (r == 0 && look_in_the_way(&f, layer_for_change(direct)))
		r = gate_report_name(ov, who, GATE_CREATE, dir, name, S_IFDIR, -EACCES);
	if (r == 0)
		r = dirfd_get(ov, dir, layer_for_change(direct), &d.d);
	if (r == 0)
		r = spot_pin(ov, n, &s, &stx); /* its own directory's names are not held */
	if (r < 0)
		return r;
	{
		SCOPE_LOCK(&node_shard(ov, n)->lock);
		origin = n->ext && n->ext->record.has & META_RECORD_INO;
	}
	if (origin && !direct)
		r = mark_impure(ov, dir, d.d->fd);
	if (r == 0)
		r = link_source(ov, n, &s, d.d->fd, name, f.upper_whiteout && !direct);
	attr_own_ctime(ov, n);
	return r < 0 ? r : node_add_name(ov, n, dir, name);
}

int overlay_link(struct overlay *ov, const struct actor *who, struct node *n, struct node *dir, const char *name,
		 struct entry *ret)
{
	bool direct = false, log = false;
	FOUND(f);
	int r = create_check_name(ov, name);

	ret->node = NULL;
	if (S_ISDIR(n->type))
		return -EPERM;
	if (r == 0) { /* before anything is copied up for nothing */
		r = look(ov, dir, name, &f);
		if (r == 0 && f.exists)
			r = -EEXIST;
	}
	if (r == 0)
		r = gate_half_node(ov, who, GATE_LINK, n, &log);
	if (r == 0)
		r = gate_half_name(ov, who, GATE_CREATE, dir, name, n->type, &log);
	if (r == 0)
		r = check_class(ov, who, n, dir, name);
	if (r == 0 && log)
		(void) report_link(ov, who, n, dir, name, 0);
	if (r == 0) {
		direct = ruling_is_direct(judged(&f.j, n->type));
		r = create_check_place(ov, who, GATE_LINK, dir, name, &f.j, n->type);
	}
	if (r == 0)
		r = copyup_for_change(ov, who, n, COPYUP_META);
	if (r == 0 && direct == node_is_upper(ov, n))
		/* Changed in the upper before the policy let it be changed in the lower. */
		r = gate_report_name(ov, who, GATE_LINK, dir, name, n->type, -EXDEV);
	if (r == 0 && !direct)
		r = metacopy_pin(ov, who, n);
	if (r == 0)
		r = link_named(ov, who, n, dir, name, &f.j);
	if (r == 0)
		r = attr_get(ov, n, &ret->stx);
	if (r < 0)
		return r;
	node_ref(n);
	node_give(ov, n, ret);
	return 0;
}
