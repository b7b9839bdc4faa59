/* See boxes.h. */

#include "fuse/boxes.h"

#include <errno.h>
#include <string.h>

#include "fuse/mount.h"
#include "fuse/problem.h"
#include "io/io.h"
#include "store/store.h"

static int problem_none(struct problem *p, const char *what)
{
	(void) problem_set(p, -ENOENT, what, strchr(what, '/') ? "no sandbox is mounted there" : "there is no sandbox of that name");
	return problem_hint(p, -ENOENT, "osfuse list");
}

static int open_store(struct box *b, const char *what, struct problem *p)
{
	_cleanup_free_ char *path = NULL;
	int r;

	r = io_engine_sync_new(&b->io);
	if (r < 0)
		return problem_errno(p, r, what);
	r = store_default_path(&path);
	if (r < 0)
		return problem_store(p, r, NULL);
	r = store_open(b->io, path, false, &b->store);
	if (r == -ENOENT)
		return problem_none(p, what);
	return r < 0 ? problem_store(p, r, path) : 0;
}

static int open_named(struct box *b, const char *name, struct problem *p)
{
	struct sandbox_fault fault = { 0 };
	int r = sandbox_open(b->store, name, &b->sandbox, &fault);

	switch (r) {
	case -EINVAL: /* no name for any */
	case -ENOENT:
		return problem_none(p, name);
	case -EBADMSG:
		return problem_set(p, r, name, "sandbox.json: %s", fault.text);
	}
	return r < 0 ? problem_errno(p, r, name) : 0;
}

/* Among those that say they are, or were, mounted there: the one that is. Damaged ones say nothing. */
static const char *find_mounted(struct store *store, char *const *names, const char *mount_point)
{
	const char *last = NULL;

	for (; *names; names++) {
		_cleanup_(sandbox_freep) struct sandbox *sb = NULL;
		const char *at = sandbox_open(store, *names, &sb, NULL) == 0 ? sandbox_settings(sb)->mount_point : NULL;

		if (!at || strcmp(at, mount_point) != 0)
			continue;
		last = *names;
		if (sandbox_in_use(sb) == 1)
			break;
	}
	return last;
}

static int find_beginning(char *const *names, const char *what, const char **ret, struct problem *p)
{
	for (; *names; names++) {
		if (!what[0] || strncmp(*names, what, strlen(what)) != 0)
			continue;
		if (*ret) {
			(void) problem_set(p, -ENOTUNIQ, what, "several sandboxes begin so: %s, %s ...", *ret, *names);
			return problem_hint(p, -ENOTUNIQ, "write more of the name, or the mount point");
		}
		*ret = *names;
	}
	return 0;
}

static int find(struct box *b, const char *what, struct problem *p)
{
	_cleanup_(store_names_freep) char **names = NULL;
	_cleanup_free_ char *mount_point = NULL;
	const char *name = NULL;
	size_t n;
	int r = store_list(b->store, &names, &n);

	if (r < 0)
		return problem_errno(p, r, what);
	if (mount_point_resolve(what, &mount_point) == 0)
		name = find_mounted(b->store, names, mount_point);
	if (!name)
		r = find_beginning(names, what, &name, p);
	if (r < 0)
		return r;
	return name ? open_named(b, name, p) : problem_none(p, what);
}

int box_open(struct box *b, const char *what, struct problem *p)
{
	int r = open_store(b, what, p);

	if (r < 0)
		return r;
	r = open_named(b, what, p);
	return r == -ENOENT ? find(b, what, p) : r;
}

void box_done(struct box *b)
{
	b->sandbox = sandbox_free(b->sandbox);
	b->store = store_free(b->store);
	b->io = io_engine_free(b->io);
}
