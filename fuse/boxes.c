/* See boxes.h. */

#include "fuse/boxes.h"

#include <errno.h>

#include "fuse/problem.h"
#include "io/io.h"
#include "store/store.h"

static int problem_no_sandbox(struct problem *p, int error, const char *name)
{
	(void) problem_set(p, error, name, "there is no sandbox of that name");
	return problem_hint(p, error, "osfuse list");
}

static int problem_open(struct problem *p, int error, const char *name, const struct sandbox_fault *f)
{
	switch (error) {
	case -EINVAL: /* no name for any */
	case -ENOENT:
		return problem_no_sandbox(p, error, name);
	case -EBADMSG:
		return problem_set(p, error, name, "sandbox.json: %s", f->text);
	}
	return problem_errno(p, error, name);
}

static int open_store(struct box *b, const char *name, struct problem *p)
{
	_cleanup_free_ char *path = NULL;
	int r;

	r = io_engine_sync_new(&b->io);
	if (r == 0)
		r = store_default_path(&path);
	if (r < 0)
		return problem_errno(p, r, "store");
	r = store_open(b->io, path, false, &b->store);
	if (r == -ENOENT)
		return problem_no_sandbox(p, r, name);
	return r < 0 ? problem_errno(p, r, path) : 0;
}

int box_open(struct box *b, const char *name, struct problem *p)
{
	struct sandbox_fault fault = { 0 };
	int r = open_store(b, name, p);

	if (r < 0)
		return r;
	r = sandbox_open(b->store, name, &b->sandbox, &fault);
	return r < 0 ? problem_open(p, r, name, &fault) : 0;
}

void box_done(struct box *b)
{
	b->sandbox = sandbox_free(b->sandbox);
	b->store = store_free(b->store);
	b->io = io_engine_free(b->io);
}
