/*
 * Open directories.
 */

#include <string.h>

#include "base/macro.h"
#include "fuse/ops.h"

/* A reply that is being filled with entries. */
struct listing {
	struct request *rq;
	bool plus;
	size_t size; /* of which the kernel has room */
	size_t used;
};

int op_opendir(struct request *rq)
{
	struct overlay_dir *dir;
	uint64_t fh;
	int r;

	r = overlay_opendir(rq->session->ov, &rq->actor, rq->node, &dir);
	if (r < 0)
		return r;
	r = handles_add(rq->session->handles, HANDLE_DIR, dir, &fh);
	if (r == 0) {
		r = reply_open(rq, fh, 0);
		if (r == 0)
			return 0;
		(void) handles_remove(rq->session->handles, HANDLE_DIR, fh); /* the directory is released below */
	}
	overlay_releasedir(dir);
	return r;
}

static bool listing_add(void *arg, const struct overlay_dirent *d, const struct entry *plus)
{
	struct listing *l = arg;
	char *p = (char *) l->rq->buf + l->used;
	size_t room = l->size - l->used, n;

	n = l->plus ? wire_direntplus(p, room, l->rq->session, d, plus) : wire_dirent(p, room, d);
	l->used += n;
	return n > 0;
}

/* The kernel did not take the listing: the counts in it go back. */
static void listing_undo(struct listing *l)
{
	const char *p = l->rq->buf, *end = p + l->used;
	struct fuse_direntplus d;

	for (; l->plus && p < end; p += FUSE_DIRENTPLUS_SIZE(&d)) {
		struct node *node;

		memcpy(&d, p, sizeof(d));
		node = d.entry_out.nodeid ? overlay_node(l->rq->session->ov, d.entry_out.nodeid) : NULL;
		if (node)
			overlay_forget(l->rq->session->ov, node, 1);
	}
}

static int list(struct request *rq, bool plus)
{
	const struct fuse_read_in *in = wire_take(&rq->args, sizeof(*in));
	struct overlay_dir *dir = in ? handles_get(rq->session->handles, HANDLE_DIR, in->fh) : NULL;
	struct listing l = { .rq = rq, .plus = plus };
	int r;

	if (!dir)
		return in ? -EBADF : -EINVAL;
	l.size = MIN(rq->buf_size, (size_t) in->size);
	r = overlay_readdir(dir, &rq->actor, in->offset, plus, listing_add, &l);
	if (r < 0 && l.used == 0)
		return r;
	/* An error behind the first entries comes again, when the kernel asks for what follows them. */
	r = reply_data(rq, rq->buf, l.used);
	if (r < 0)
		listing_undo(&l);
	return r;
}

int op_readdir(struct request *rq)
{
	return list(rq, false);
}

int op_readdirplus(struct request *rq)
{
	return list(rq, true);
}

int op_releasedir(struct request *rq)
{
	const struct fuse_release_in *in = wire_take(&rq->args, sizeof(*in));
	struct overlay_dir *dir;

	if (!in)
		return -EINVAL;
	dir = handles_remove(rq->session->handles, HANDLE_DIR, in->fh);
	if (!dir)
		return -EBADF;
	overlay_releasedir(dir);
	return 0;
}

int op_fsyncdir(struct request *rq)
{
	const struct fuse_fsync_in *in = wire_take(&rq->args, sizeof(*in));
	struct overlay_dir *dir = in ? handles_get(rq->session->handles, HANDLE_DIR, in->fh) : NULL;

	if (!dir)
		return in ? -EBADF : -EINVAL;
	return overlay_fsyncdir(dir, in->fsync_flags & FUSE_FSYNC_FDATASYNC);
}
