/*
 * Open files.
 */

#include "base/macro.h"
#include "fuse/notify.h"
#include "fuse/ops.h"

/*
 * KEEP_CACHE: pages stay from one open to the next; AUTO_INVAL_DATA drops them when size or time have changed. NOFLUSH: we
 * keep nothing back that close() would have to bring out, so it needs no request.
 */
#define OPEN_FLAGS (FOPEN_KEEP_CACHE | FOPEN_NOFLUSH)

/* One piece of a copy: short enough to see within moments that the caller is being killed. */
#define COPY_PIECE (UINT64_C(64) << 20)

static struct overlay_file *get_file(const struct request *rq, uint64_t fh)
{
	return handles_get(rq->session->handles, HANDLE_FILE, fh);
}

/*
 * O_TRUNC by somebody who may not keep set-id bits: truncating comes with the open, and so must the end of the bits. The
 * kernel says this of every such open, whether the file has bits or not.
 */
static bool kills_priv(uint32_t flags, uint32_t open_flags)
{
	return (flags & O_TRUNC) && (open_flags & FUSE_OPEN_KILL_SUIDGID);
}

static bool has_priv(const struct statx *stx)
{
	return stx->stx_mode & (S_ISUID | S_ISGID);
}

static int kill_priv(struct request *rq, struct node *node, struct overlay_file *file, struct statx *ret)
{
	struct attr_change change = { .valid = ATTR_KILL_PRIV };

	return overlay_setattr(rq->session->ov, &rq->actor, node, file, &change, ret);
}

bool open_may_block(const struct request *rq)
{
	struct wire_args args = rq->args;
	const struct fuse_open_in *in = wire_take(&args, sizeof(*in));

	return in && ((in->flags & O_ACCMODE) != O_RDONLY || (in->flags & O_TRUNC)) &&
	       overlay_would_copy(rq->session->ov, rq->node, (int) in->flags);
}

void tell_parted(struct request *rq)
{
	if (overlay_has_parted(rq->session->ov, rq->node))
		(void) notify_attr(rq->transport, rq->in->nodeid);
}

int op_open(struct request *rq)
{
	const struct fuse_open_in *in = wire_take(&rq->args, sizeof(*in));
	struct overlay_file *file;
	struct statx stx;
	bool kill = false;
	uint64_t fh;
	int r;

	if (!in)
		return -EINVAL;
	/* Before the open: truncating may be enough to clear them, and the kernel has to hear of it all the same. */
	if (kills_priv(in->flags, in->open_flags))
		kill = overlay_getattr(rq->session->ov, &rq->actor, rq->node, NULL, &stx) == 0 && has_priv(&stx);
	r = overlay_open(rq->session->ov, &rq->actor, rq->node, (int) in->flags, &file);
	if (r < 0)
		return r;

	tell_parted(rq);
	if (overlay_covers_holes(file)) /* the kernel may remember "no blocks", which tar(1) takes for zeros */
		(void) notify_attr(rq->transport, rq->in->nodeid);
	if (kill) {
		r = kill_priv(rq, rq->node, file, &stx);
		/* The reply has no attributes, and the kernel would run the file with the mode that it remembers. */
		(void) notify_attr(rq->transport, rq->in->nodeid); /* unknown to the kernel is fine too */
	}
	if (r == 0)
		r = handles_add(rq->session->handles, HANDLE_FILE, file, &fh);
	if (r == 0) {
		r = reply_open(rq, fh, OPEN_FLAGS);
		if (r == 0)
			return 0;
		(void) handles_remove(rq->session->handles, HANDLE_FILE, fh); /* the file is released below */
	}
	overlay_release(file);
	return r;
}

/* Takes over file and the count in e. */
static int give_created(struct request *rq, const struct entry *e, struct overlay_file *file)
{
	uint64_t fh;
	int r = handles_add(rq->session->handles, HANDLE_FILE, file, &fh);

	if (r == 0) {
		r = reply_create(rq, e, fh, OPEN_FLAGS);
		if (r == 0)
			return 0;
		(void) handles_remove(rq->session->handles, HANDLE_FILE, fh); /* the file is released below */
	}
	overlay_release(file);
	overlay_forget(rq->session->ov, e->node, 1);
	return r;
}

int op_create(struct request *rq)
{
	const struct fuse_create_in *in = wire_take(&rq->args, sizeof(*in));
	const char *name = wire_take_name(&rq->args);
	struct overlay_file *file;
	struct entry e;
	int r;

	if (!in || !name)
		return -EINVAL;
	rq->actor.umask = in->umask;
	r = overlay_create(rq->session->ov, &rq->actor, rq->node, name, in->mode, (int) in->flags, &e, &file);
	if (r < 0)
		return r;
	return give_created(rq, &e, file);
}

/* A name follows in->, but it is only what the kernel calls the nameless file. */
int op_tmpfile(struct request *rq)
{
	const struct fuse_create_in *in = wire_take(&rq->args, sizeof(*in));
	struct overlay_file *file;
	struct entry e;
	int r;

	if (!in)
		return -EINVAL;
	rq->actor.umask = in->umask;
	r = overlay_tmpfile(rq->session->ov, &rq->actor, rq->node, in->mode, (int) in->flags, &e, &file);
	return r < 0 ? r : give_created(rq, &e, file);
}

int op_release(struct request *rq)
{
	const struct fuse_release_in *in = wire_take(&rq->args, sizeof(*in));
	struct overlay_file *file;

	if (!in)
		return -EINVAL;
	file = handles_remove(rq->session->handles, HANDLE_FILE, in->fh);
	if (!file)
		return -EBADF;
	overlay_release(file);
	return 0;
}

int op_read(struct request *rq)
{
	const struct fuse_read_in *in = wire_take(&rq->args, sizeof(*in));
	struct overlay_file *file = in ? get_file(rq, in->fh) : NULL;
	ssize_t n;

	if (!file)
		return in ? -EBADF : -EINVAL;
	n = overlay_read(file, rq->buf, MIN(rq->buf_size, (size_t) in->size), in->offset);
	return n < 0 ? (int) n : reply_data(rq, rq->buf, (size_t) n);
}

int op_write(struct request *rq)
{
	const struct fuse_write_in *in = wire_take(&rq->args, sizeof(*in));
	const void *data = in ? wire_take(&rq->args, in->size) : NULL;
	struct overlay_file *file;
	ssize_t n;

	if (!data)
		return -EINVAL;
	file = get_file(rq, in->fh);
	if (!file)
		return -EBADF;
	n = overlay_write(file, data, in->size, in->offset,
			  (in->write_flags & FUSE_WRITE_KILL_SUIDGID ? OVERLAY_WRITE_KILL_PRIV : 0) |
			  (in->write_flags & FUSE_WRITE_CACHE ? OVERLAY_WRITE_MAPPED : 0) |
			  (in->flags & O_APPEND ? OVERLAY_WRITE_APPEND : 0)); /* as it is now: F_SETFL may have changed it */
	return n < 0 ? (int) n : reply_size(rq, (uint32_t) n);
}

int op_fsync(struct request *rq)
{
	const struct fuse_fsync_in *in = wire_take(&rq->args, sizeof(*in));
	struct overlay_file *file = in ? get_file(rq, in->fh) : NULL;

	if (!file)
		return in ? -EBADF : -EINVAL;
	return overlay_fsync(file, in->fsync_flags & FUSE_FSYNC_FDATASYNC);
}

int op_fallocate(struct request *rq)
{
	const struct fuse_fallocate_in *in = wire_take(&rq->args, sizeof(*in));
	struct overlay_file *file = in ? get_file(rq, in->fh) : NULL;

	if (!file)
		return in ? -EBADF : -EINVAL;
	return overlay_fallocate(file, (int) in->mode, in->offset, in->length);
}

int op_lseek(struct request *rq)
{
	const struct fuse_lseek_in *in = wire_take(&rq->args, sizeof(*in));
	struct overlay_file *file = in ? get_file(rq, in->fh) : NULL;
	struct fuse_lseek_out out = { 0 };
	int64_t off;

	if (!file)
		return in ? -EBADF : -EINVAL;
	if (in->whence != SEEK_DATA && in->whence != SEEK_HOLE)
		return -EINVAL;
	off = overlay_seek(file, in->offset, (int) in->whence);
	if (off < 0)
		return (int) off;
	out.offset = (uint64_t) off;
	return reply_data(rq, &out, sizeof(out));
}

static bool is_cancelled(const struct request *rq)
{
	return rq->actor.cancelled && atomic_load_explicit(rq->actor.cancelled, memory_order_relaxed);
}

/* How much was copied, up to limit; an error only when it was nothing. */
static int64_t copy_range(struct request *rq, uint64_t limit)
{
	const struct fuse_copy_file_range_in *in = wire_take(&rq->args, sizeof(*in));
	struct overlay_file *from = in ? get_file(rq, in->fh_in) : NULL;
	struct overlay_file *to = in ? get_file(rq, in->fh_out) : NULL;
	uint64_t len, done = 0;
	ssize_t n;

	if (!from || !to)
		return in ? -EBADF : -EINVAL;
	if (in->flags != 0)
		return -EINVAL;
	for (len = MIN(in->len, limit); done < len; done += (uint64_t) n) {
		n = is_cancelled(rq) ? -EINTR
				     : overlay_copy_range(from, in->off_in + done, to, in->off_out + done,
							  (size_t) MIN(len - done, COPY_PIECE));
		if (n < 0)
			return done > 0 ? (int64_t) done : n;
		if (n == 0)
			break;
	}
	return (int64_t) done;
}

int op_copy_file_range(struct request *rq)
{
	/* The answer has 32 bits, and the kernel wants it below 2 GiB. */
	int64_t n = copy_range(rq, INT32_MAX & ~UINT64_C(4095));

	return n < 0 ? (int) n : reply_size(rq, (uint32_t) n);
}

int op_copy_file_range_64(struct request *rq)
{
	int64_t n = copy_range(rq, INT64_MAX);
	struct protocol_copy_out out = { .bytes_copied = (uint64_t) n };

	return n < 0 ? (int) n : reply_data(rq, &out, sizeof(out));
}
