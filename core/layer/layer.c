/*
 * What a name means in one layer.
 *
 * The cost is one statx() for absent names and for files, plus one listxattr() for directories, which nearly always says
 * that there is nothing to read. Layers that somebody else made may use ".wh." names instead of
 * whiteout devices (AUFS, OCI, fuse-overlayfs): there absence costs a second statx().
 */

#include "layer/layer.h"

#include <errno.h>
#include <string.h>

#include "base/fd.h"
#include "io/io.h"

#define WH_PREFIX ".wh."
#define WH_OPAQUE ".wh..wh..opq"

int layer_init(struct layer *l, struct io_engine *io, int fd, bool userxattr, bool lowest)
{
	struct meta_record rec;
	struct statx stx;
	int r = io_statx(io, fd, NULL, STATX_TYPE | STATX_INO, &stx);

	if (r < 0)
		return r;
	if (!S_ISDIR(stx.stx_mode))
		return -ENOTDIR;
	meta_init(&l->meta, io, userxattr);
	l->dev = statx_dev(&stx);
	r = meta_get_record(&l->meta, fd, NULL, &rec);
	if (r < 0)
		return r;
	l->ours = r == 1 && (rec.has & META_RECORD_LAYER);
	l->redirects = l->ours || !userxattr;
	l->wh_names = !lowest && !l->ours;
	l->fd = fd;
	return 0;
}

void layer_done(struct layer *l)
{
	l->fd = fd_close(l->fd);
}

bool layer_hides_name(const struct layer *l, const char *name)
{
	return l->wh_names && strncmp(name, WH_PREFIX, strlen(WH_PREFIX)) == 0;
}

bool layer_reserves_name(const struct layer *l, const char *name)
{
	return l->wh_names && strncasecmp(name, WH_PREFIX, strlen(WH_PREFIX)) == 0;
}

/* Absent as such; or because the file system cannot even hold such a name, or ends here. */
static bool means_absent(int r)
{
	return r == -ENOENT || r == -ENAMETOOLONG || r == -ELOOP || r == -EINVAL;
}

/* 1 when there is a ".wh.NAME" */
static int has_wh_name(const struct layer *l, int dirfd, const char *name)
{
	char wh[sizeof(WH_PREFIX) + 255];
	size_t len = strlen(name);
	struct statx stx;
	int r;

	if (len > 255 - strlen(WH_PREFIX))
		return 0; /* a name that long cannot have one */
	memcpy(wh, WH_PREFIX, strlen(WH_PREFIX));
	memcpy(wh + strlen(WH_PREFIX), name, len + 1);
	r = io_statx(l->meta.io, dirfd, wh, STATX_TYPE, &stx);
	return r == 0 ? 1 : means_absent(r) ? 0 : r;
}

/* Finds name in a list of NUL-terminated ones. */
static bool listed(const char *list, size_t len, const char *name)
{
	for (const char *p = list; p < list + len; p += strlen(p) + 1)
		if (strcmp(p, name) == 0)
			return true;
	return false;
}

static int look_opaque(const struct layer *l, int fd, const char *name, const char *list, size_t len, struct lentry *ret)
{
	char full[META_NAME_MAX], value;
	size_t n;
	int r;

	if (listed(list, len, "user.fuseoverlayfs.opaque"))
		ret->opaque = true;
	if (!listed(list, len, meta_name(&l->meta, META_OPAQUE, full)))
		return 0;
	r = meta_get(&l->meta, fd, name, META_OPAQUE, &value, 1, &n);
	if (r == -ERANGE)
		return 0;
	if (r == 1 && n == 1) {
		ret->opaque |= value == 'y';
		ret->xwhiteouts = value == 'x';
	}
	return r < 0 ? r : 0;
}

static bool redirect_is_sound(const char *s, size_t len)
{
	if (len == 0 || memchr(s, '\0', len))
		return false;
	if (s[0] != '/')
		return len <= 255 && !memchr(s, '/', len) && strcmp(s, ".") != 0 && strcmp(s, "..") != 0;
	for (const char *p = s; *p; ) { /* no empty, "." or ".." component */
		size_t n;

		p++;
		n = strcspn(p, "/");
		if (n == 0 || n > 255 || (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
			return false;
		p += n;
	}
	return true;
}

static int look_redirect(const struct layer *l, int fd, const char *name, char redirect[static META_REDIRECT_MAX + 1])
{
	size_t n;
	int r = meta_get(&l->meta, fd, name, META_REDIRECT, redirect, META_REDIRECT_MAX, &n);

	if (r == 1) {
		redirect[n] = '\0';
		if (!redirect_is_sound(redirect, n))
			r = -EIO; /* as kernel overlayfs: the layer is damaged or forged */
	}
	if (r != 1)
		redirect[0] = '\0';
	return r < 0 ? r == -ERANGE ? -EIO : r : 0;
}

int layer_look_metacopy(const struct layer *l, int fd, const char *name, char redirect[static META_REDIRECT_MAX + 1])
{
	unsigned char value[META_METACOPY_MAX];
	size_t n;
	int r = meta_get(&l->meta, fd, name, META_METACOPY, value, sizeof(value), &n);

	redirect[0] = '\0';
	if (r <= 0)
		return r == -ERANGE ? -EIO : r;
	if (n > 0 && (n < META_METACOPY_MIN || value[0] != 0 || value[1] != n)) /* version, length */
		return -EIO;
	r = look_redirect(l, fd, name, redirect);
	return r < 0 ? r : 1;
}

static int look_wh_opaque(const struct layer *l, int fd, const char *name, struct lentry *ret)
{
	_cleanup_close_ int dir = -EBADF;
	struct statx stx;
	int r;

	if (!l->wh_names)
		return 0;
	if (name) {
		dir = io_open(l->meta.io, fd, name, O_PATH | O_DIRECTORY, 0, NULL);
		if (dir < 0)
			return dir;
	}
	r = io_statx(l->meta.io, name ? dir : fd, WH_OPAQUE, STATX_TYPE, &stx);
	ret->opaque |= r == 0;
	return r < 0 && !means_absent(r) ? r : 0;
}

int layer_look_attrs(const struct layer *l, int fd, const char *name, unsigned int flags, struct lentry *ret)
{
	char list[1024], full[META_NAME_MAX];
	ssize_t n = io_listxattr(l->meta.io, fd, name, list, sizeof(list));
	int r;

	if (n == -ERANGE) {
		/* More attributes than anybody has: ask for each of ours. */
		n = 0;
		for (const char *const *a = (const char *const[]) { META_OPAQUE, META_REDIRECT, META_OURS, NULL }; *a; a++) {
			(void) meta_name(&l->meta, *a, list + n);
			n += (ssize_t) strlen(list + n) + 1;
		}
	}
	if (n < 0 && n != -EOPNOTSUPP && n != -EACCES && n != -EPERM)
		return (int) n;
	if (n > 0) {
		r = look_opaque(l, fd, name, list, (size_t) n, ret);
		if (r == 0 && l->redirects && listed(list, (size_t) n, meta_name(&l->meta, META_REDIRECT, full)))
			r = look_redirect(l, fd, name, ret->redirect);
		if (r == 0 && (flags & LOOK_RECORD) && listed(list, (size_t) n, meta_name(&l->meta, META_OURS, full)))
			r = meta_get_record(&l->meta, fd, name, &ret->record);
		if (r < 0)
			return r;
	}
	return ret->opaque ? 0 : look_wh_opaque(l, fd, name, ret);
}

static void clear(struct lentry *ret)
{
	ret->kind = LENTRY_ABSENT;
	ret->opaque = ret->xwhiteouts = ret->metacopy = false;
	ret->redirect[0] = '\0';
	ret->record = (struct meta_record) { 0 };
}

int layer_look_dir(const struct layer *l, int fd, unsigned int flags, struct lentry *ret)
{
	int r;

	clear(ret);
	r = io_statx(l->meta.io, fd, NULL, LAYER_STATX_MASK, &ret->stx);
	if (r < 0)
		return r;
	ret->kind = LENTRY_PRESENT;
	return layer_look_attrs(l, fd, NULL, flags, ret);
}

int layer_look(const struct layer *l, int dirfd, const char *name, unsigned int flags, struct lentry *ret)
{
	int r;

	clear(ret);
	r = layer_hides_name(l, name) ? -ENOENT : io_statx(l->meta.io, dirfd, name, LAYER_STATX_MASK, &ret->stx);
	if (means_absent(r)) {
		ret->stx.stx_mode = 0;
		r = l->wh_names ? has_wh_name(l, dirfd, name) : 0;
		if (r == 1)
			ret->kind = LENTRY_WHITEOUT;
		return r < 0 ? r : 0;
	}
	if (r < 0)
		return r;

	ret->kind = LENTRY_PRESENT;
	if (S_ISDIR(ret->stx.stx_mode))
		return flags & LOOK_STAT_ONLY ? 0 : layer_look_attrs(l, dirfd, name, flags, ret);
	if (statx_is_whiteout(&ret->stx)) {
		ret->kind = LENTRY_WHITEOUT;
	} else if ((flags & LOOK_XWHITEOUTS) && S_ISREG(ret->stx.stx_mode) && ret->stx.stx_size == 0) {
		char byte;

		r = meta_get(&l->meta, dirfd, name, META_WHITEOUT, &byte, 1, NULL);
		if (r == 1 || r == -ERANGE)
			ret->kind = LENTRY_WHITEOUT;
		return r < 0 && r != -ERANGE ? r : 0;
	} else if ((flags & LOOK_METACOPY) && S_ISREG(ret->stx.stx_mode)) {
		r = layer_look_metacopy(l, dirfd, name, ret->redirect);
		ret->metacopy = r == 1;
		return MIN(r, 0);
	} else if (flags & LOOK_RECORD) {
		r = meta_get_record(&l->meta, dirfd, name, &ret->record);
		return r < 0 ? r : 0;
	}
	return 0;
}
