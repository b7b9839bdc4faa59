/* See ways.h. */

#include "fuse/ways.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

#define MAX_LINKS 40 /* as the kernel */

static bool has(const struct ways *w, dev_t dev, uint64_t ino, const char *name)
{
	for (size_t i = 0; i < w->n; i++) {
		const struct overlay_guard *g = &w->v[i];

		if (g->ino == ino && g->dev == dev && !g->name == !name && (!name || strcmp(g->name, name) == 0))
			return true;
	}
	return false;
}

/* watch: what is to be held: the directory, if the name is that of something that can be replaced by another file; or the file. */
static int add_guard(struct ways *w, dev_t dev, uint64_t ino, const char *name, int watch)
{
	_cleanup_free_ char *copy = name ? strdup(name) : NULL;
	_cleanup_close_ int fd = -EBADF;

	if (name && !copy)
		return -ENOMEM;
	if (has(w, dev, ino, name))
		return 0;
	if (w->n == w->size) {
		struct overlay_guard *v = reallocarray(w->v, w->size * 2 + 16, sizeof(*v));

		if (!v)
			return -ENOMEM;
		w->size = w->size * 2 + 16;
		w->v = v;
	}
	if (watch >= 0) {
		fd = fcntl(watch, F_DUPFD_CLOEXEC, 0);
		if (fd < 0)
			return -errno;
	}
	w->v[w->n++] = (struct overlay_guard) { .dev = dev, .ino = ino, .name = steal_ptr(copy), .fd = steal_fd(&fd) };
	return 0;
}

/* name NULL: the file itself. */
static int add(struct ways *w, int fd, const char *name, bool watch)
{
	struct stat st;

	return fstat(fd, &st) < 0 ? -errno : add_guard(w, st.st_dev, st.st_ino, name, watch ? fd : -EBADF);
}

static bool is_dir(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
}

/* The link's target comes before what is left of the path: 1. It is no link: 0. To ask this way asks nothing of what is mounted there. */
static int take_link(int fd, char **rest)
{
	char target[PATH_MAX], *longer;
	ssize_t n = readlinkat(fd, "", target, sizeof(target) - 1);

	if (n < 0)
		return errno == ENOENT || errno == EINVAL ? 0 : -errno; /* of no link, it depends on the kernel */
	target[n] = '\0';
	if (asprintf(&longer, "%s/%s", target, *rest) < 0)
		return -ENOMEM;
	free(*rest);
	*rest = longer;
	return 1;
}

/* Takes the first component off, into name; false: there is none. An empty one is the root. */
static bool next_name(char *rest, char name[static NAME_MAX + 1])
{
	size_t len = strcspn(rest, "/"), skip = len + strspn(rest + len, "/");

	if (!*rest || len > NAME_MAX)
		return false;
	memcpy(name, rest, len);
	name[len] = '\0';
	memmove(rest, rest + skip, strlen(rest + skip) + 1);
	return true;
}

static int go(struct ways *w, const char *path, bool names_only)
{
	_cleanup_close_ int at = open(path[0] == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC); /* where we are may be closed to us */
	_cleanup_free_ char *rest = strdup(path);
	unsigned int n_links = 0;
	char name[NAME_MAX + 1];
	int r = at < 0 ? -errno : rest ? 0 : -ENOMEM;

	while (r == 0 && next_name(rest, name)) {
		_cleanup_close_ int fd = name[0] ? openat(at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC) : open("/", O_PATH | O_CLOEXEC);

		if (fd < 0)
			r = -errno;
		if (r == 0 && name[0] && strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
			r = add(w, at, name, !names_only && !is_dir(fd));
		if (r == 0)
			r = take_link(fd, &rest);
		if (r == 1) {
			r = ++n_links > MAX_LINKS ? -ELOOP : 0;
		} else if (r == 0) {
			(void) fd_close(at);
			at = steal_fd(&fd);
		}
	}
	if (r == 0 && *rest)
		r = -ENAMETOOLONG;
	return r < 0 || names_only ? r : add(w, at, NULL, true);
}

int ways_add(struct ways *w, const char *path)
{
	return go(w, path, false);
}

int ways_add_names(struct ways *w, const char *path)
{
	return go(w, path, true);
}

int ways_add_all(struct ways *w, const struct ways *more)
{
	int r = 0;

	for (size_t i = 0; i < more->n && r == 0; i++)
		r = add_guard(w, more->v[i].dev, more->v[i].ino, more->v[i].name, more->v[i].fd);
	return r;
}

bool ways_enter(const struct ways *w, int dirfd)
{
	struct stat st;

	if (dirfd < 0 || fstat(dirfd, &st) < 0)
		return false;
	for (size_t i = 0; i < w->n; i++)
		if (w->v[i].name && w->v[i].ino == st.st_ino && w->v[i].dev == st.st_dev)
			return true;
	return false;
}

bool ways_enter_dev(const struct ways *w, dev_t dev)
{
	for (size_t i = 0; i < w->n; i++)
		if (w->v[i].dev == dev)
			return true;
	return false;
}

struct overlay_guards ways_guards(const struct ways *w)
{
	return (struct overlay_guards) { .v = w->v, .n = w->n };
}

void ways_done(struct ways *w)
{
	for (size_t i = 0; i < w->n; i++) {
		free((char *) (uintptr_t) w->v[i].name);
		(void) fd_close(w->v[i].fd);
	}
	free(w->v);
	*w = (struct ways) { .size = 0 };
}
