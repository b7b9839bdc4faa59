/* See guard.h. There are a few for each file that a policy is read from, and only where a rule says rw are they looked through. */

#include "overlay/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/fold.h"

int guards_copy(const struct overlay_guards *guards, bool watch, struct overlay_guards **ret)
{
	size_t n = guards ? guards->n : 0, size = sizeof(**ret) + n * sizeof(guards->v[0]);
	_cleanup_(guards_freep) struct overlay_guards *copy = NULL;
	struct overlay_guard *v;
	char *text;

	for (size_t i = 0; i < n; i++)
		size += guards->v[i].name ? strlen(guards->v[i].name) + 1 : 0;
	copy = malloc(size);
	if (!copy)
		return -ENOMEM;
	v = (struct overlay_guard *) (copy + 1);
	text = (char *) (v + n);
	*copy = (struct overlay_guards) { .v = v };
	for (size_t i = 0; i < n; i++) {
		const struct overlay_guard *g = &guards->v[i];

		v[i] = *g;
		v[i].fd = watch && g->fd >= 0 ? fcntl(g->fd, F_DUPFD_CLOEXEC, 0) : -EBADF;
		if (v[i].fd == -1)
			return -errno;
		copy->n++;
		if (!g->name)
			continue;
		v[i].name = strcpy(text, g->name);
		text += strlen(text) + 1;
	}
	*ret = steal_ptr(copy);
	return 0;
}

struct overlay_guards *guards_free(struct overlay_guards *guards)
{
	for (size_t i = 0; guards && i < guards->n; i++)
		(void) fd_close(guards->v[i].fd);
	free(guards);
	return NULL;
}

static bool is_same_name(const char *a, const char *b)
{
	char x[FOLD_SIZE(NAME_BYTES)], y[FOLD_SIZE(NAME_BYTES)];
	size_t n = fold_name(a, strlen(a), x, sizeof(x));

	return strcmp(a, b) == 0 || (n > 0 && fold_name(b, strlen(b), y, sizeof(y)) == n && memcmp(x, y, n) == 0);
}

bool guards_have(const struct overlay_guards *guards, dev_t dev, uint64_t ino)
{
	for (size_t i = 0; i < guards->n; i++)
		if (guards->v[i].ino == ino && guards->v[i].dev == dev)
			return true;
	return false;
}

bool guards_have_name(const struct overlay_guards *guards, dev_t dev, uint64_t ino, const char *name)
{
	for (size_t i = 0; i < guards->n; i++) {
		const struct overlay_guard *g = &guards->v[i];

		if (g->ino == ino && g->dev == dev && g->name && is_same_name(g->name, name))
			return true;
	}
	return false;
}

unsigned int overlay_how_guarded(const struct overlay_guards *guards, const struct statx *object, const struct statx *dir, const char *name)
{
	bool by_name = dir && guards_have_name(guards, statx_dev(dir), dir->stx_ino, name);

	return (by_name ? OVERLAY_GUARDED_NAME : 0) |
	       (object && guards_have(guards, statx_dev(object), object->stx_ino) ? OVERLAY_GUARDED_OBJECT : 0);
}

bool guards_watch(const struct overlay_guards *guards)
{
	for (size_t i = 0; i < guards->n; i++)
		if (guards->v[i].fd >= 0)
			return true;
	return false;
}

bool guards_lead_to(struct overlay *ov, const struct overlay_guards *guards, dev_t dev, uint64_t ino)
{
	dev_t own = atomic_load_explicit(&ov->own_dev, memory_order_relaxed);
	struct statx stx;

	for (size_t i = 0; i < guards->n; i++) {
		const struct overlay_guard *g = &guards->v[i];

		if (g->fd < 0 || g->dev == own) /* we would wait for ourselves */
			continue;
		if (io_statx(ov->io, g->fd, g->name, STATX_INO, &stx) == 0 && stx.stx_ino == ino && statx_dev(&stx) == dev)
			return true;
	}
	return false;
}
