/*
 * Open files and their data.
 *
 * An open file has one descriptor. One that was opened for reading before its object was copied up has it on the lower, where
 * later writes do not show: so the copy-up hands its own descriptor to all files that are open, and one that was opened
 * meanwhile notices on its next use that the node has changed its layer. Every reader of an object sees every write, which
 * kernel overlayfs does not promise; and it goes on reading, though its owner may have taken the right to from himself.
 */

#include "overlay/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "overlay/copyup.h"
#include "overlay/gate.h"
#include "overlay/guard.h"
#include "overlay/metacopy.h"
#include "overlay/spot.h"

#define CAPABILITY "security.capability"

struct overlay_file {
	struct overlay *ov;
	struct node *node; /* referenced */
	struct overlay_file *next, *prev; /* of the node; guarded by its shard */
	int flags;
	atomic_uint stamp; /* of the rules by which it may still be used */
	atomic_uint told_read, told_write; /* of those by which it may not, and that has been reported */
	/* Who has opened it, and is told of in reports: requests for data may come from whoever has it now, or from nobody. */
	pid_t pid;
	uid_t uid;
	pthread_mutex_t lock; /* guards the switch to the upper */
	atomic_int fd;
	atomic_uint_fast64_t size; /* of a file whose data is in a lower and whose attributes are not: no more is read */
	int old_fd; /* the lower's, after the switch: another thread may be reading from it */
	uint16_t layer; /* guarded by lock */
};

/* May it be mapped to be written to? A mapping that may takes both rights. */
static bool is_mappable(const struct overlay_file *f)
{
	return (f->flags & O_ACCMODE) == O_RDWR;
}

static void list_add(struct overlay *ov, struct node *n, struct overlay_file *f)
{
	SCOPE_LOCK(&node_shard(ov, n)->lock);
	n->n_mappable += is_mappable(f);
	f->next = n->files;
	if (f->next)
		f->next->prev = f;
	n->files = f;
}

static void list_remove(struct overlay *ov, struct node *n, struct overlay_file *f)
{
	SCOPE_LOCK(&node_shard(ov, n)->lock);
	n->n_mappable -= is_mappable(f);
	*(f->prev ? &f->prev->next : &n->files) = f->next;
	if (f->next)
		f->next->prev = f->prev;
}

static int file_new_on(struct overlay *ov, const struct actor *who, struct node *n, const struct data_file *data, int flags,
		       struct overlay_file **ret)
{
	struct overlay_file *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->ov = ov;
	f->node = n;
	node_ref(n);
	f->pid = who->pid;
	f->uid = who->uid;
	f->flags = flags & (O_ACCMODE | O_APPEND);
	f->layer = data->layer;
	f->old_fd = -EBADF;
	atomic_init(&f->stamp, 0); /* other rules may be in force since it was asked whether it may be opened */
	atomic_init(&f->told_read, 0);
	atomic_init(&f->told_write, 0);
	atomic_init(&f->fd, data->fd);
	atomic_init(&f->size, data->size);
	(void) pthread_mutex_init(&f->lock, NULL);
	list_add(ov, n, f);
	(void) atomic_fetch_add(&ov->n_files, 1);
	*ret = f;
	return 0;
}

int file_new(struct overlay *ov, const struct actor *who, struct node *n, int fd, int flags, struct overlay_file **ret)
{
	struct data_file data = { .fd = fd, .size = UINT64_MAX };

	{
		SCOPE_LOCK(&node_shard(ov, n)->lock);
		data.layer = n->layer;
	}
	return file_new_on(ov, who, n, &data, flags, ret);
}

void overlay_release(struct overlay_file *f)
{
	struct overlay *ov = f->ov;

	list_remove(ov, f->node, f);
	(void) fd_close(atomic_load(&f->fd));
	(void) fd_close(f->old_fd);
	(void) pthread_mutex_destroy(&f->lock);
	(void) node_unref(ov, f->node);
	(void) atomic_fetch_sub(&ov->n_files, 1);
	free(f);
}

static bool wants_change(int flags)
{
	return (flags & O_ACCMODE) != O_RDONLY || flags & O_TRUNC;
}

bool overlay_would_copy(struct overlay *ov, struct node *n, int flags)
{
	if (!wants_change(flags))
		return false;
	SCOPE_LOCK(&node_shard(ov, n)->lock);
	/* Of a file from an earlier mount nothing may be known yet: hardly ever has it no data. */
	return (n->layer != LAYER_UPPER && !ruling_is_direct(&n->ruling)) || n->flags & NODE_METACOPY;
}

/* The kernel marks the open that is to run a program: __FMODE_EXEC in include/linux/fs.h, which no header gives to programs. */
#define OPEN_TO_EXEC 0x20

static int gate_open(struct overlay *ov, const struct actor *who, struct node *n, int flags)
{
	int r = 0;

	if ((flags & O_ACCMODE) != O_WRONLY)
		r = gate_node(ov, who, flags & OPEN_TO_EXEC ? GATE_EXEC : GATE_READ, n);
	if (r == 0 && wants_change(flags))
		r = gate_node(ov, who, GATE_WRITE, n);
	return r;
}

/* Once for each set of rules: it is asked again for every piece of a file. */
static int tell_refusal(struct overlay_file *f, enum gate_op op, uint32_t stamp, int error)
{
	const struct actor opener = { .pid = f->pid, .uid = f->uid };

	if (atomic_exchange(op == GATE_WRITE ? &f->told_write : &f->told_read, stamp) == stamp)
		return error;
	return gate_report_node(f->ov, &opener, op, f->node, error);
}

/*
 * Is it open in the one layer, and would be changed in the other by the rules of now? What is written to it would be seen by nobody, or
 * by somebody who is not to see it.
 */
static bool is_elsewhere(struct overlay_file *f, const struct ruling *ruling)
{
	if (!file_is_writable(f))
		return false;
	SCOPE_LOCK(&f->lock);
	return (f->layer == LAYER_UPPER) == ruling_is_direct(ruling);
}

/* What the rules let be opened, other rules may stop from being used. */
static int check_use(struct overlay_file *f, enum gate_op op)
{
	const struct rules *rules = rules_now(f->ov);
	uint32_t stamp = rules->stamp;
	struct ruling ruling;
	bool lasts, elsewhere;
	int r;

	if (atomic_load_explicit(&f->stamp, memory_order_relaxed) == stamp)
		return 0;
	r = op == GATE_WRITE ? judge_node_to_change(f->ov, f->node, &ruling) : judge_node(f->ov, f->node, &ruling);
	if (r < 0)
		return r;
	/* As to a descriptor, what is hidden is forbidden. */
	r = gate_decide(op, &ruling) == 0 ? 0 : op == GATE_WRITE && ruling.access >= POLICY_RO ? -EROFS : -EACCES;
	elsewhere = is_elsewhere(f, &ruling);
	if (r == 0 && op == GATE_WRITE && elsewhere)
		r = -ESTALE;
	/* What may become a file of the policy is asked each time. */
	lasts = gate_decide(GATE_WRITE, &ruling) == 0 && !elsewhere && (!ruling_is_direct(&ruling) || !guards_watch(rules->guards));
	if (r == 0 && (!file_is_writable(f) || lasts))
		atomic_store_explicit(&f->stamp, stamp, memory_order_relaxed);
	return r < 0 ? tell_refusal(f, op, stamp, r) : 0;
}

/*
 * How the layer's file is opened. Not with O_APPEND: what a mapping writes has its place, see place_of_write() for the rest. Nor with
 * O_TRUNC: what is found under the name may turn out to be another file, so it is cut off once it is known to be the right one, which
 * takes a descriptor to write with.
 */
static int layer_flags(int flags)
{
	int mode = flags & O_ACCMODE;

	return mode == O_RDONLY && flags & O_TRUNC ? O_RDWR : mode;
}

int overlay_open(struct overlay *ov, const struct actor *who, struct node *n, int flags, struct overlay_file **ret)
{
	struct data_file data = { .fd = -EBADF };
	int r = 0;

	if (!S_ISREG(n->type))
		return S_ISDIR(n->type) ? -EISDIR : -ENXIO;
	r = gate_open(ov, who, n, flags);
	if (r == 0 && wants_change(flags))
		r = copyup_for_change(ov, who, n, flags & O_TRUNC ? 0 : COPYUP_ALL);
	if (r == 0)
		r = metacopy_open(ov, n, layer_flags(flags), &data);
	if (r == 0 && flags & O_TRUNC)
		r = io_truncate(ov->io, data.fd, 0);
	if (r == 0)
		r = file_new_on(ov, who, n, &data, flags, ret);
	if (r < 0)
		(void) fd_close(data.fd);
	return r;
}

/* Turns a file on the lower into one on the upper. */
static int switch_up(struct overlay_file *f)
{
	SPOT(s);
	int fd, r = spot_open(f->ov, f->node, f->flags & O_ACCMODE, &s, &fd);

	if (r < 0)
		return r;
	{
		SCOPE_LOCK(&f->lock);
		if (f->layer != LAYER_UPPER) {
			f->old_fd = atomic_exchange(&f->fd, fd);
			f->layer = LAYER_UPPER;
			atomic_store(&f->size, UINT64_MAX);
			return 0;
		}
	}
	(void) fd_close(fd); /* another thread was first */
	return 0;
}

void file_follow(struct overlay *ov, struct node *n, int fd)
{
	SCOPE_LOCK(&node_shard(ov, n)->lock);
	for (struct overlay_file *f = n->files; f; f = f->next) {
		SCOPE_LOCK(&f->lock);
		int copy = f->layer != LAYER_UPPER ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;

		if (copy < 0)
			continue; /* out of descriptors: its next use will open the upper */
		f->old_fd = atomic_exchange(&f->fd, copy);
		f->layer = LAYER_UPPER;
		atomic_store(&f->size, UINT64_MAX);
	}
}

/* The descriptor to use now. */
static int current_fd(struct overlay_file *f)
{
	uint16_t layer;

	{
		SCOPE_LOCK(&f->lock);
		layer = f->layer;
	}
	if (layer != LAYER_UPPER && metacopy_data_is_upper(f->ov, f->node)) {
		int r = switch_up(f);

		if (r < 0)
			return r;
	}
	return atomic_load(&f->fd);
}

/* How much of len bytes there is to read, given that current_fd() was asked before. */
static uint64_t readable(struct overlay_file *f, uint64_t off, uint64_t len)
{
	uint64_t size = atomic_load(&f->size);

	return off >= size ? 0 : MIN(len, size - off);
}

int file_statx(struct overlay_file *f, struct statx *ret)
{
	int fd = current_fd(f);

	return fd < 0 ? fd : io_statx(f->ov->io, fd, NULL, LAYER_STATX_MASK, ret);
}

int file_statx_any(struct overlay *ov, struct node *n, struct statx *ret)
{
	_cleanup_close_ int fd = -EBADF;

	{
		SCOPE_LOCK(&node_shard(ov, n)->lock);
		if (!n->files || n->flags & NODE_METACOPY)
			return -ESTALE;
		fd = fcntl(atomic_load(&n->files->fd), F_DUPFD_CLOEXEC, 0); /* may be closed once unlocked */
	}
	return fd < 0 ? -ESTALE : io_statx(ov->io, fd, NULL, LAYER_STATX_MASK, ret);
}

/* What a file of this size takes when it has no holes. */
static uint64_t full_blocks(const struct statx *stx)
{
	return (stx->stx_size + 4095) / 4096 * 8;
}

static bool may_be_mapped(struct overlay *ov, struct node *n)
{
	SCOPE_LOCK(&node_shard(ov, n)->lock);
	return n->n_mappable > 0;
}

void file_fix_blocks(struct overlay *ov, struct node *n, struct statx *stx)
{
	if (stx->stx_blocks < full_blocks(stx) && may_be_mapped(ov, n))
		stx->stx_blocks = full_blocks(stx);
}

bool overlay_covers_holes(struct overlay_file *f)
{
	struct statx stx;

	return is_mappable(f) && file_statx(f, &stx) == 0 && stx.stx_blocks < full_blocks(&stx);
}

bool file_is_writable(const struct overlay_file *f)
{
	return (f->flags & O_ACCMODE) != O_RDONLY;
}

int file_truncate(struct overlay_file *f, uint64_t size)
{
	return io_truncate(f->ov->io, atomic_load(&f->fd), size);
}

ssize_t overlay_read(struct overlay_file *f, void *buf, size_t size, uint64_t off)
{
	int r = check_use(f, GATE_READ), fd = r < 0 ? r : current_fd(f);
	size_t done = 0;

	if (fd < 0)
		return fd;
	size = (size_t) readable(f, off, size);
	while (done < size) {
		ssize_t n = io_read(f->ov->io, fd, (char *) buf + done, size - done, off + done);

		if (n < 0 && done == 0)
			return n;
		if (n <= 0)
			break;
		done += (size_t) n;
	}
	return (ssize_t) done;
}

/* As a write by somebody without privilege does; ours would leave the bits. */
static int drop_set_id(struct overlay_file *f, int fd)
{
	struct statx stx;
	mode_t mode;
	int r = io_statx(f->ov->io, fd, NULL, STATX_MODE, &stx);

	if (r < 0)
		return r;
	mode = stx.stx_mode & 07777 & ~(mode_t) (S_ISUID | (stx.stx_mode & S_IXGRP ? S_ISGID : 0));
	return mode != (stx.stx_mode & 07777) ? io_chmod(f->ov->io, fd, NULL, mode) : 0;
}

/*
 * Appending: the kernel says where, by the size that it remembers, which in the upper is the size. Others write to the lower too, and
 * have nothing overwritten; the kernel asks for the size before it reads, as it does after any write.
 */
static uint32_t place_of_write(struct overlay_file *f, unsigned int flags)
{
	if (!(flags & OVERLAY_WRITE_APPEND))
		return 0;
	SCOPE_LOCK(&f->lock);
	return f->layer != LAYER_UPPER ? RWF_APPEND : 0;
}

static ssize_t write_all(struct overlay_file *f, int fd, const char *buf, size_t size, uint64_t off, uint32_t rwf)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = (ssize_t) io_one(f->ov->io, (struct io_op) {
			.kind = IO_WRITE, .fd = fd, .cbuf = buf + done, .len = size - done, .off = off + done, .flags = rwf,
		});

		if (n < 0 && done == 0)
			return n;
		if (n <= 0)
			break; /* short: the program sees how far it got, and the reason on the next try */
		done += (size_t) n;
	}
	return (ssize_t) done;
}

/* The layer's file system takes capabilities from a file that is written to. A mapping's pages must not do that. */
static ssize_t write_mapped(struct overlay_file *f, int fd, const void *buf, size_t size, uint64_t off)
{
	char caps[64]; /* struct vfs_ns_cap_data has 24 bytes */
	ssize_t n_caps = io_getxattr(f->ov->io, fd, NULL, CAPABILITY, caps, sizeof(caps)), n;

	n = write_all(f, fd, buf, size, off, 0);
	if (n_caps > 0)
		(void) io_setxattr(f->ov->io, fd, NULL, CAPABILITY, caps, (size_t) n_caps, 0); /* without it, safe */
	return n;
}

ssize_t overlay_write(struct overlay_file *f, const void *buf, size_t size, uint64_t off, unsigned int flags)
{
	int fd = atomic_load(&f->fd), r;

	if (!file_is_writable(f))
		return -EBADF;
	r = check_use(f, GATE_WRITE);
	if (r == 0 && flags & OVERLAY_WRITE_KILL_PRIV)
		r = drop_set_id(f, fd);
	if (r < 0)
		return r;
	if (flags & OVERLAY_WRITE_MAPPED)
		return write_mapped(f, fd, buf, size, off);
	return write_all(f, fd, buf, size, off, place_of_write(f, flags));
}

/* The data is safe in the lower; what may have changed is the object with the attributes. */
static int sync_attributes(struct overlay_file *f)
{
	_cleanup_close_ int fd = -EBADF;
	SPOT(s);
	int r = spot_open(f->ov, f->node, O_RDONLY, &s, &fd);

	return r < 0 ? r : io_fsync(f->ov->io, fd, false);
}

int overlay_fsync(struct overlay_file *f, bool data_only)
{
	struct overlay *ov = f->ov;
	int fd = current_fd(f), r;
	bool unsynced;

	if (fd < 0)
		return fd;
	if (ov->volatile_)
		return 0;
	if (node_has_flag(ov, f->node, NODE_METACOPY))
		return sync_attributes(f);
	/* That the data is here now has to be on disk as well, or it would not be looked for here. */
	unsynced = node_has_flag(ov, f->node, NODE_UNSYNCED);
	r = io_fsync(ov->io, fd, data_only && !unsynced);
	if (r == 0 && unsynced)
		node_set_flag(ov, f->node, NODE_UNSYNCED, false);
	return r;
}

int overlay_fallocate(struct overlay_file *f, int mode, uint64_t off, uint64_t len)
{
	int r = file_is_writable(f) ? check_use(f, GATE_WRITE) : -EBADF;

	if (r < 0)
		return r;
	return (int) io_one(f->ov->io, (struct io_op) {
		.kind = IO_FALLOCATE, .fd = atomic_load(&f->fd), .flags = (uint32_t) mode, .off = off, .len = len,
	});
}

/* Everything is data, up to the end. */
static int64_t seek_in_data(struct overlay_file *f, int fd, uint64_t off, int whence)
{
	struct statx stx;
	int r = io_statx(f->ov->io, fd, NULL, STATX_SIZE, &stx);

	if (r < 0)
		return r;
	if (off >= stx.stx_size)
		return -ENXIO;
	return whence == SEEK_DATA ? (int64_t) off : (int64_t) stx.stx_size;
}

/*
 * What is written through a mapping is in the kernel's pages first: where the layer has a hole there may be data by now. The kernel
 * does not write pages back before it asks for holes, and does not say what is mapped, so any file that may be counts.
 */
int64_t overlay_seek(struct overlay_file *f, uint64_t off, int whence)
{
	int r = check_use(f, GATE_READ), fd = r < 0 ? r : current_fd(f);
	int64_t at;

	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		return -EINVAL;
	if (fd < 0)
		return fd;
	if (may_be_mapped(f->ov, f->node))
		return seek_in_data(f, fd, off, whence);
	at = readable(f, off, 1) > 0 ? io_seek(f->ov->io, fd, off, whence) : -ENXIO;
	if (at > 0 && readable(f, (uint64_t) at, 1) == 0) /* beyond the end, where there is a hole */
		return whence == SEEK_HOLE ? (int64_t) atomic_load(&f->size) : -ENXIO;
	return at;
}

ssize_t overlay_copy_range(struct overlay_file *in, uint64_t off_in, struct overlay_file *out, uint64_t off_out, size_t len)
{
	int r = check_use(in, GATE_READ), fd = r < 0 ? r : current_fd(in);

	if (fd < 0)
		return fd;
	r = file_is_writable(out) ? check_use(out, GATE_WRITE) : -EBADF;
	if (r < 0)
		return r;
	return (ssize_t) io_one(in->ov->io, (struct io_op) {
		.kind = IO_COPY_RANGE, .fd = fd, .fd2 = atomic_load(&out->fd), .off = off_in, .off2 = off_out,
		.len = (size_t) readable(in, off_in, len),
	});
}
