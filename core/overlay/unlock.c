/* See unlock.h. */

#include "overlay/unlock.h"

#include <errno.h>
#include <stdio.h>

int unlock(struct overlay *ov, int fd, const char *name, struct unlocked *ret)
{
	struct statx stx;
	int r = io_statx(ov->io, fd, name, STATX_TYPE | STATX_MODE, &stx);

	*ret = (struct unlocked) { .ov = ov, .fd = fd, .name = name };
	if (r < 0)
		return r;
	if ((stx.stx_mode & S_IRWXU) == S_IRWXU || S_ISLNK(stx.stx_mode))
		return -EACCES;
	ret->mode = stx.stx_mode & 07777;
	r = io_chmod(ov->io, fd, name, ret->mode | S_IRWXU);
	ret->changed = r == 0;
	return r == -EPERM ? -EACCES : r;
}

void lock_again(struct unlocked *u)
{
	if (u->changed) /* the object is there, and ours: only a failing disk could refuse */
		(void) io_chmod(u->ov->io, u->fd, u->name, u->mode);
	u->changed = false;
}

/* Where an object is after a rename. */
static void follow(struct unlocked *u, int fd, const char *name)
{
	u->fd = fd;
	u->name = name;
}

int unlock_rename(struct overlay *ov, int fd, const char *name, int fd2, const char *name2, unsigned int flags)
{
	int r = io_rename(ov->io, fd, name, fd2, name2, flags);
	struct unlocked from, to;

	if (r != -EACCES)
		return r;
	(void) unlock(ov, fd, name, &from); /* either may be what is in the way; the rename will tell */
	(void) unlock(ov, fd2, name2, &to);
	r = from.changed || to.changed ? io_rename(ov->io, fd, name, fd2, name2, flags) : -EACCES;
	if (r == 0) {
		follow(&from, fd2, name2);
		if (flags & RENAME_EXCHANGE)
			follow(&to, fd, name);
		else
			to.changed = false; /* replaced */
	}
	lock_again(&from);
	lock_again(&to);
	return r;
}

int unlock_meta_set(struct overlay *ov, int fd, const char *name, const char *attr, const void *value, size_t len)
{
	int r = meta_set(&ov->meta, fd, name, attr, value, len);
	struct unlocked u;

	if (r != -EACCES)
		return r;
	r = unlock(ov, fd, name, &u);
	if (r == 0)
		r = meta_set(&ov->meta, fd, name, attr, value, len);
	lock_again(&u);
	return r;
}
