/* See there.h. */

#include "fuse/there.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/fold.h"
#include "fuse/problem.h"
#include "fuse/ways.h"
#include "io/io.h"
#include "overlay/overlay.h"
#include "store/store.h"

struct layer_fds {
	struct io_engine *io;
	int *v;
	size_t n;
	bool has_upper; /* v[0] */
};

static void layer_fds_done(struct layer_fds *l)
{
	for (size_t i = 0; i < l->n; i++)
		(void) fd_close(l->v[i]);
	free(l->v);
	l->io = io_engine_free(l->io);
}

static int add_layer(struct layer_fds *l, const char *path, struct problem *p)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return problem_errno(p, -errno, path);
	l->v[l->n++] = fd;
	return 0;
}

static int open_layers(struct layer_fds *l, const struct sandbox *sb, bool direct, struct problem *p)
{
	static char root[] = "/";
	static char *const only_root[] = { root };
	const struct sandbox_settings *s = sb ? sandbox_settings((struct sandbox *) (uintptr_t) sb) : NULL;
	char *const *lowers = s && s->n_lowers > 0 ? s->lowers : only_root;
	size_t n = s && s->n_lowers > 0 ? s->n_lowers : 1;
	_cleanup_free_ char *own = NULL;
	int r = io_engine_sync_new(&l->io);

	l->v = calloc(n + 1, sizeof(*l->v));
	if (r < 0 || !l->v)
		return problem_errno(p, -ENOMEM, "layers");
	if (sb && !s->upper)
		r = sandbox_path(sb, "upper", &own);
	if (r < 0)
		return problem_errno(p, r, "layers");
	l->has_upper = sb && !direct;
	if (l->has_upper)
		r = add_layer(l, s->upper ? s->upper : own, p);
	for (size_t i = 0; i < n && r == 0; i++)
		r = add_layer(l, lowers[i], p);
	return r;
}

struct spelling {
	const char *name;
	char *ret;
};

static bool find_spelling(void *arg, const struct overlay_dirent *d, const struct entry *plus)
{
	const struct spelling *s = arg;
	char a[NAME_MAX * 4], b[NAME_MAX * 4];
	size_t n = fold_name(s->name, strlen(s->name), a, sizeof(a)), m = fold_name(d->name, d->name_len, b, sizeof(b));

	if (n == 0 || n != m || memcmp(a, b, n) != 0)
		return true;
	memcpy(s->ret, d->name, d->name_len);
	s->ret[d->name_len] = '\0';
	return false;
}

/* Is there one whose name differs by case only? */
static void look_for_spelling(struct overlay *ov, const struct actor *who, struct node *dir, const char *name, struct there *ret)
{
	struct spelling s = { .name = name, .ret = ret->other };
	struct overlay_dir *d;

	if (strlen(name) > NAME_MAX || overlay_opendir(ov, who, dir, &d) < 0)
		return;
	(void) overlay_readdir(d, who, 0, false, find_spelling, &s); /* what cannot be read has no advice to give */
	overlay_releasedir(d);
}

/* Goes down the path as far as there is one. Links are not followed: they are judged where they lead. */
static int walk(struct overlay *ov, const char *path, struct there *ret)
{
	const struct actor who = { .uid = geteuid(), .gid = getegid() };
	struct node *dir = overlay_root(ov);
	_cleanup_free_ char *copy = strdup(path);
	char *save = NULL;
	struct entry e = { .node = NULL };
	int r = copy ? overlay_getattr(ov, &who, dir, NULL, &ret->stx) : -ENOMEM;

	ret->exists = r == 0;
	for (char *c = copy ? strtok_r(copy, "/", &save) : NULL; c && r == 0; c = strtok_r(NULL, "/", &save)) {
		r = overlay_lookup(ov, &who, dir, c, &e); /* the counts go with the overlay */
		ret->exists = r == 1;
		if (r < 1) {
			(void) snprintf(ret->missing, sizeof(ret->missing), "%.*s", (int) (c - copy + (ptrdiff_t) strlen(c)), path);
			if (r == 0)
				look_for_spelling(ov, &who, dir, c, ret);
			return r == -ENOTDIR ? 0 : r;
		}
		if (e.other_case)
			look_for_spelling(ov, &who, dir, c, ret);
		r = 0;
		ret->stx = e.stx;
		dir = e.node;
	}
	if (r == 0 && S_ISLNK(ret->stx.stx_mode)) {
		ssize_t n = overlay_readlink(ov, &who, dir, ret->target, sizeof(ret->target) - 1);

		ret->target[MAX(n, (ssize_t) 0)] = '\0';
	}
	return r;
}

static bool stat_in(const struct layer_fds *l, size_t layer, const char *path, struct statx *ret)
{
	_cleanup_close_ int fd = (int) io_one(l->io, (struct io_op) {
		.kind = IO_OPEN_BENEATH, .fd = l->v[layer], .name = path[1] ? path + 1 : ".", .flags = O_PATH | O_NOFOLLOW,
	});

	return fd >= 0 && io_statx(l->io, fd, NULL, STATX_BASIC_STATS, ret) == 0;
}

/* Which layer has it; or why it is missing, though one does. */
static void look_in_layers(const struct layer_fds *l, const char *path, struct there *ret)
{
	const char *what = ret->exists ? path : ret->missing;
	struct statx stx;

	if (l->has_upper && stat_in(l, 0, what, &stx)) {
		ret->upper = ret->exists;
		ret->removed = !ret->exists && S_ISCHR(stx.stx_mode) && stx.stx_rdev_major == 0 && stx.stx_rdev_minor == 0;
	}
	for (size_t i = l->has_upper; i < l->n && !ret->exists && !ret->unseen; i++)
		ret->unseen = stat_in(l, i, what, &stx);
}

/* In the lower that rules can let be changed. */
static unsigned int how_guarded(const struct layer_fds *l, const char *path, const struct ways *ways)
{
	const struct overlay_guards guards = ways_guards(ways);
	const char *slash = strrchr(path, '/');
	_cleanup_free_ char *dir = slash > path ? strndup(path, (size_t) (slash - path)) : strdup("/");
	struct statx object, above;
	bool exists = stat_in(l, l->has_upper, path, &object);

	return overlay_how_guarded(&guards, exists ? &object : NULL, dir && stat_in(l, l->has_upper, dir, &above) ? &above : NULL, slash + 1);
}

static bool has_root(const struct sandbox *sb)
{
	const struct sandbox_settings *s = sb ? sandbox_settings((struct sandbox *) (uintptr_t) sb) : NULL;
	bool found = !s || s->n_lowers == 0;

	for (size_t i = 0; s && i < s->n_lowers; i++)
		found |= strcmp(s->lowers[i], "/") == 0;
	return found;
}

int there_find(const struct sandbox *sb, const char *path, bool direct, const struct ways *ways, struct there *ret, struct problem *p)
{
	_cleanup_(layer_fds_done) struct layer_fds l = { .io = NULL };
	_cleanup_(overlay_freep) struct overlay *ov = NULL;
	int r = open_layers(&l, sb, direct, p);

	*ret = (struct there) { .exists = false };
	if (r < 0)
		return r;
	r = overlay_new(l.io, &(struct overlay_config) {
		.lower_fds = l.v, .n_lowers = l.n, .upper_fd = -EBADF, .work_fd = -EBADF, .userxattr = geteuid() != 0,
		.fold = sb && sandbox_settings((struct sandbox *) (uintptr_t) sb)->fold,
		.devices = has_root(sb) && geteuid() == 0 ? OVERLAY_DEVICES_HARMLESS : OVERLAY_DEVICES_ALL,
	}, &ov);
	if (r == 0)
		r = walk(ov, path, ret);
	if (r < 0 && r != -EACCES)
		return problem_errno(p, r, path);
	look_in_layers(&l, path, ret);
	ret->guarded = how_guarded(&l, path, ways);
	return 0;
}
