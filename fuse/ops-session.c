/*
 * The connection itself: what is agreed on in INIT, and what lives as long as the mount.
 */

#include <string.h>

#include "fuse/ops.h"

/*
 * Asked for when the kernel offers it. What is missing here, and why:
 * POSIX_LOCKS, FLOCK_LOCKS: the kernel then keeps locks itself, complete and without a request. They do not meet those that others
 *   hold on a file which is changed in the lower, see osfuse-policy(5).
 * EXPORT_SUPPORT: would have to find "." and ".." of a bare inode number after a restart.
 * WRITEBACK_CACHE: sizes and times would be the kernel's and not the layer's.
 * ABORT_ERROR, which is there, tells an aborted connection from an unmounted one.
 * HANDLE_KILLPRIV: the second version leaves set-id bits alone when the writer may keep them.
 */
#define WANTED_FLAGS \
	(FUSE_ASYNC_READ | FUSE_ATOMIC_O_TRUNC | FUSE_BIG_WRITES | FUSE_DONT_MASK | FUSE_AUTO_INVAL_DATA | \
	 FUSE_DO_READDIRPLUS | FUSE_READDIRPLUS_AUTO | FUSE_PARALLEL_DIROPS | FUSE_POSIX_ACL | FUSE_MAX_PAGES | \
	 FUSE_CACHE_SYMLINKS | FUSE_HANDLE_KILLPRIV_V2 | FUSE_SETXATTR_EXT | FUSE_INIT_EXT | \
	 FUSE_ABORT_ERROR)

/* Requests that nobody waits for (read-ahead, above all) which the kernel may have under way. */
#define MAX_BACKGROUND 64
#define CONGESTION_THRESHOLD (MAX_BACKGROUND * 3 / 4)

int session_init(struct session *s, struct overlay *ov, uint32_t max_write)
{
	*s = (struct session) { .ov = ov, .max_write = max_write };
	return handles_new(&s->handles);
}

void session_done(struct session *s)
{
	enum handle_kind kind;
	void *object;

	if (!s->handles)
		return;
	while ((object = handles_take(s->handles, &kind))) {
		if (kind == HANDLE_DIR)
			overlay_releasedir(object);
		else
			overlay_release(object);
	}
	s->handles = handles_free(s->handles);
}

int op_init(struct request *rq)
{
	struct session *s = rq->session;
	struct fuse_init_out out = { .major = PROTOCOL_MAJOR, .minor = PROTOCOL_MINOR };
	const struct fuse_init_in *in = wire_take(&rq->args, PROTOCOL_INIT_IN_MIN);
	int r;

	if (s->initialised || !in)
		return -EINVAL;
	if (in->major > PROTOCOL_MAJOR) /* it will ask again in our version */
		return reply_data(rq, &out, sizeof(out));
	if (in->major < PROTOCOL_MAJOR || in->minor < PROTOCOL_MINOR_MIN) {
		s->init_error = -EPROTO;
		return -EPROTO;
	}

	out.flags = in->flags & WANTED_FLAGS & ~(s->ask_for_links ? FUSE_CACHE_SYMLINKS : 0);
	out.max_readahead = in->max_readahead;
	out.max_background = MAX_BACKGROUND;
	out.congestion_threshold = CONGESTION_THRESHOLD;
	out.max_write = s->max_write;
	out.max_pages = (uint16_t) (s->max_write / (uint32_t) sysconf(_SC_PAGESIZE));
	out.time_gran = overlay_time_gran(s->ov);

	s->setxattr_ext = out.flags & FUSE_SETXATTR_EXT;
	s->initialised = true;
	r = reply_data(rq, &out, sizeof(out));
	if (r < 0)
		s->init_error = r;
	return r;
}

int op_syncfs(struct request *rq)
{
	return overlay_syncfs(rq->session->ov, &rq->actor);
}
