/*
 * Decoding and encoding, and nothing about what a request means.
 *
 *   in:   | fuse_in_header (40) | argument structs | names, each with NUL | data | extensions |
 *   out:  | fuse_out_header (16)| result struct, or data, or both |
 *
 * Argument structures come first in every message, so they are aligned when the message is.
 */

#include <assert.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/macro.h"
#include "fuse/ops.h"
#include "fuse/wire.h"

int request_init(struct request *rq, struct session *s, struct transport *t, const void *message, size_t len, void *buf,
		 size_t buf_size)
{
	const struct fuse_in_header *in = message;
	size_t extensions;

	assert((uintptr_t) message % sizeof(uint64_t) == 0);

	*rq = (struct request) { .session = s, .transport = t, .buf = buf, .buf_size = buf_size };
	if (len < sizeof(*in))
		return -EBADMSG;
	rq->in = in;

	/* Nothing that we negotiate makes the kernel append extensions; if it does, they are no arguments. */
	extensions = (size_t) in->total_extlen * 8;
	if (in->len != len || extensions > len - sizeof(*in))
		return -EBADMSG;

	rq->args = (struct wire_args) { .p = (const char *) (in + 1), .left = len - sizeof(*in) - extensions };
	rq->actor = (struct actor) { .uid = in->uid, .gid = in->gid, .pid = (pid_t) in->pid };
	return 0;
}

const void *wire_take(struct wire_args *a, size_t size)
{
	const char *p = a->p;

	if (size > a->left)
		return NULL;
	a->p += size;
	a->left -= size;
	return p;
}

const char *wire_take_name(struct wire_args *a)
{
	const char *end = a->left > 0 ? memchr(a->p, '\0', a->left) : NULL;

	return end ? wire_take(a, (size_t) (end - a->p) + 1) : NULL;
}

static int send_reply(struct request *rq, int error, struct iovec *iov, size_t n_iov)
{
	struct fuse_out_header out = { .error = error, .unique = rq->in->unique };
	size_t len = sizeof(out);
	int r;

	assert(!rq->replied);

	iov[0] = (struct iovec) { .iov_base = &out, .iov_len = sizeof(out) };
	for (size_t i = 1; i < n_iov; i++)
		len += iov[i].iov_len;
	out.len = (uint32_t) len;

	rq->replied = true;
	rq->result = error < 0 ? error : (int64_t) (len - sizeof(out));
	r = rq->transport->ops->reply(rq->transport, rq, iov, n_iov);
	if (r < 0 && r != -ENOENT && r != -ENODEV && n_iov > 1) {
		/* The kernel would not have this one, and somebody still waits for an answer. */
		out.len = sizeof(out);
		out.error = -EIO;
		rq->result = r;
		(void) rq->transport->ops->reply(rq->transport, rq, iov, 1);
	}
	return r;
}

int reply_error(struct request *rq, int error)
{
	struct iovec iov[1];

	/* The kernel takes no other numbers, and would leave the caller waiting for ever. */
	if (error > 0 || error <= -512)
		error = -EIO;
	return send_reply(rq, error, iov, 1);
}

static int reply_two(struct request *rq, const void *a, size_t a_size, const void *b, size_t b_size)
{
	struct iovec iov[3];

	iov[1] = (struct iovec) { .iov_base = (void *) (uintptr_t) a, .iov_len = a_size };
	iov[2] = (struct iovec) { .iov_base = (void *) (uintptr_t) b, .iov_len = b_size };
	return send_reply(rq, 0, iov, b_size > 0 ? 3 : 2);
}

int reply_data(struct request *rq, const void *data, size_t size)
{
	return size > 0 ? reply_two(rq, data, size, NULL, 0) : reply_error(rq, 0);
}

uint32_t wire_dev(uint32_t major, uint32_t minor)
{
	return (minor & 0xff) | (major << 8) | ((minor & ~UINT32_C(0xff)) << 12);
}

dev_t wire_dev_decode(uint32_t rdev)
{
	return makedev((rdev & 0xfff00) >> 8, (rdev & 0xff) | ((rdev >> 12) & 0xfff00));
}

void wire_attr(struct fuse_attr *ret, const struct statx *stx)
{
	*ret = (struct fuse_attr) {
		.ino = stx->stx_ino,
		.size = stx->stx_size,
		.blocks = stx->stx_blocks,
		.atime = (uint64_t) stx->stx_atime.tv_sec,
		.mtime = (uint64_t) stx->stx_mtime.tv_sec,
		.ctime = (uint64_t) stx->stx_ctime.tv_sec,
		.atimensec = stx->stx_atime.tv_nsec,
		.mtimensec = stx->stx_mtime.tv_nsec,
		.ctimensec = stx->stx_ctime.tv_nsec,
		.mode = stx->stx_mode,
		.nlink = stx->stx_nlink,
		.uid = stx->stx_uid,
		.gid = stx->stx_gid,
		.rdev = wire_dev(stx->stx_rdev_major, stx->stx_rdev_minor),
		.blksize = stx->stx_blksize,
	};
}

void wire_entry(struct fuse_entry_out *ret, const struct session *s, const struct entry *e)
{
	*ret = (struct fuse_entry_out) {
		.nodeid = e->id,
		.generation = e->generation,
		.entry_valid = s->entry_valid.sec,
		.entry_valid_nsec = s->entry_valid.nsec,
		.attr_valid = s->attr_valid.sec,
		.attr_valid_nsec = s->attr_valid.nsec,
	};
	wire_attr(&ret->attr, &e->stx);
}

/* Node id 0 lets the kernel remember that the name does not exist; without a time to remember it, say so plainly. */
int reply_absent(struct request *rq)
{
	const struct session *s = rq->session;
	struct fuse_entry_out out = { .entry_valid = s->negative_valid.sec, .entry_valid_nsec = s->negative_valid.nsec };

	if (s->negative_valid.sec == 0 && s->negative_valid.nsec == 0)
		return reply_error(rq, -ENOENT);
	return reply_data(rq, &out, sizeof(out));
}

int reply_entry(struct request *rq, const struct entry *e)
{
	struct fuse_entry_out out;

	wire_entry(&out, rq->session, e);
	return reply_data(rq, &out, sizeof(out));
}

int reply_create(struct request *rq, const struct entry *e, uint64_t fh, uint32_t open_flags)
{
	struct fuse_open_out open_out = { .fh = fh, .open_flags = open_flags };
	struct fuse_entry_out out;

	wire_entry(&out, rq->session, e);
	return reply_two(rq, &out, sizeof(out), &open_out, sizeof(open_out));
}

int reply_open(struct request *rq, uint64_t fh, uint32_t open_flags)
{
	struct fuse_open_out out = { .fh = fh, .open_flags = open_flags };

	return reply_data(rq, &out, sizeof(out));
}

int reply_attr(struct request *rq, const struct statx *stx)
{
	const struct session *s = rq->session;
	struct fuse_attr_out out = { .attr_valid = s->attr_valid.sec, .attr_valid_nsec = s->attr_valid.nsec };

	wire_attr(&out.attr, stx);
	return reply_data(rq, &out, sizeof(out));
}

static struct protocol_time wire_time(const struct statx_timestamp *t)
{
	return (struct protocol_time) { .tv_sec = t->tv_sec, .tv_nsec = t->tv_nsec };
}

int reply_statx(struct request *rq, const struct statx *stx)
{
	const struct session *s = rq->session;
	struct protocol_statx_out out = {
		.attr_valid = s->attr_valid.sec,
		.attr_valid_nsec = s->attr_valid.nsec,
		.stat = {
			.mask = stx->stx_mask & (STATX_BASIC_STATS | STATX_BTIME),
			.blksize = stx->stx_blksize,
			.nlink = stx->stx_nlink,
			.uid = stx->stx_uid,
			.gid = stx->stx_gid,
			.mode = stx->stx_mode,
			.ino = stx->stx_ino,
			.size = stx->stx_size,
			.blocks = stx->stx_blocks,
			.atime = wire_time(&stx->stx_atime),
			.btime = wire_time(&stx->stx_btime),
			.ctime = wire_time(&stx->stx_ctime),
			.mtime = wire_time(&stx->stx_mtime),
			.rdev_major = stx->stx_rdev_major,
			.rdev_minor = stx->stx_rdev_minor,
		},
	};

	return reply_data(rq, &out, sizeof(out));
}

int reply_statfs(struct request *rq, const struct statfs *st)
{
	struct fuse_statfs_out out = { .st = {
		.blocks = st->f_blocks,
		.bfree = st->f_bfree,
		.bavail = st->f_bavail,
		.files = st->f_files,
		.ffree = st->f_ffree,
		.bsize = (uint32_t) st->f_bsize,
		.namelen = (uint32_t) st->f_namelen,
		.frsize = (uint32_t) (st->f_frsize ? st->f_frsize : st->f_bsize),
	} };

	return reply_data(rq, &out, sizeof(out));
}

int reply_size(struct request *rq, uint32_t size)
{
	struct fuse_write_out out = { .size = size };

	_Static_assert(sizeof(struct fuse_write_out) == sizeof(struct fuse_getxattr_out), "both are a size and padding");
	return reply_data(rq, &out, sizeof(out));
}

/* The tail of the record is padding that the kernel copies to nobody, but it must not carry our memory. */
static void put_dirent(char *p, size_t record, const struct overlay_dirent *d)
{
	struct fuse_dirent head = { .ino = d->ino, .off = d->next_off, .namelen = (uint32_t) d->name_len, .type = d->type };

	memcpy(p, &head, FUSE_NAME_OFFSET);
	memcpy(p + FUSE_NAME_OFFSET, d->name, d->name_len);
	memset(p + FUSE_NAME_OFFSET + d->name_len, 0, record - FUSE_NAME_OFFSET - d->name_len);
}

size_t wire_dirent(void *buf, size_t room, const struct overlay_dirent *d)
{
	size_t record = FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + d->name_len);

	if (record > room)
		return 0;
	put_dirent(buf, record, d);
	return record;
}

size_t wire_direntplus(void *buf, size_t room, const struct session *s, const struct overlay_dirent *d, const struct entry *entry)
{
	struct fuse_entry_out out = { .nodeid = 0 }; /* no node: the kernel takes the name and type only */
	size_t record = FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET_DIRENTPLUS + d->name_len);

	if (record > room)
		return 0;
	if (entry && entry->node)
		wire_entry(&out, s, entry);
	memcpy(buf, &out, sizeof(out));
	put_dirent((char *) buf + sizeof(out), record - sizeof(out), d);
	return record;
}
