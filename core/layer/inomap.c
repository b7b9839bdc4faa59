/* See inomap.h. A view seldom has more than a handful of file systems: a linear search beats anything else. */

#include "layer/inomap.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statfs.h>

#include "base/fd.h"
#include "base/lock.h"
#include "io/io.h"

#define TAG_SHIFT 48
#define PLAIN_MAX ((UINT64_C(1) << TAG_SHIFT) - 1)

static const struct inomap_entry *find(struct inomap *m, dev_t dev)
{
	unsigned int n = atomic_load_explicit(&m->n, memory_order_acquire);

	for (unsigned int i = 0; i < n; i++)
		if (m->entries[i].dev == dev)
			return &m->entries[i];
	return NULL;
}

static const struct inomap_entry *find_fsid(struct inomap *m, uint64_t fsid)
{
	unsigned int n = atomic_load_explicit(&m->n, memory_order_acquire);

	for (unsigned int i = 0; i < n; i++)
		if (m->entries[i].fsid == fsid)
			return &m->entries[i];
	return NULL;
}

/* The finaliser of splitmix64: every bit of the result depends on every bit of x. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

static uint16_t first_tag(uint64_t fsid)
{
	return (uint16_t) (mix(fsid) % 0x7fff + 1);
}

static bool tag_is_used(const struct inomap *m, uint16_t tag)
{
	for (unsigned int i = 0; i < m->n; i++)
		if (m->entries[i].tag == tag)
			return true;
	return false;
}

/* Called with the lock held. */
static const struct inomap_entry *add(struct inomap *m, dev_t dev, uint64_t fsid, bool base)
{
	unsigned int n = m->n;
	struct inomap_entry *e = &m->entries[n];
	uint16_t tag = 0;

	if (n == INOMAP_MAX)
		return NULL;
	if (!base) {
		tag = first_tag(fsid);
		while (tag_is_used(m, tag))
			tag = tag % 0x7fff + 1;
	}
	*e = (struct inomap_entry) { .dev = dev, .fsid = fsid, .tag = tag };
	atomic_store_explicit(&m->n, n + 1, memory_order_release);
	return e;
}

static int ask_fsid(struct io_engine *io, int dirfd, const char *name, dev_t dev, uint64_t *ret)
{
	_cleanup_close_ int fd = -EBADF;
	struct statfs sf = { 0 };
	int r;

	if (name) {
		fd = io_open(io, dirfd, name, O_PATH, 0, NULL);
		if (fd < 0)
			return fd;
	}
	r = (int) io_one(io, (struct io_op) { .kind = IO_STATFS, .fd = name ? fd : dirfd, .buf = &sf });
	if (r < 0 && r != -ENOSYS) /* of a FUSE file system that has no such call */
		return r;
	memcpy(ret, &sf.f_fsid, sizeof(*ret));
	if (*ret == 0) /* some have none: the device number is the best that is left */
		*ret = mix(dev) ^ (uint64_t) sf.f_type;
	return 0;
}

int inomap_init(struct inomap *m, struct io_engine *io, int base_fd, dev_t base_dev)
{
	uint64_t fsid;
	int r = ask_fsid(io, base_fd, NULL, base_dev, &fsid);

	if (r < 0)
		return r;
	atomic_init(&m->n, 0);
	(void) pthread_mutex_init(&m->lock, NULL);
	(void) add(m, base_dev, fsid, true);
	return 0;
}

void inomap_done(struct inomap *m)
{
	(void) pthread_mutex_destroy(&m->lock);
}

int inomap_fsid(struct inomap *m, struct io_engine *io, dev_t dev, int dirfd, const char *name, uint64_t *ret_fsid)
{
	const struct inomap_entry *e = find(m, dev);
	uint64_t fsid;
	int r;

	if (e) {
		*ret_fsid = e->fsid;
		return 0;
	}
	r = ask_fsid(io, dirfd, name, dev, &fsid);
	if (r < 0)
		return r;

	SCOPE_LOCK(&m->lock);
	e = find(m, dev);
	if (!e) {
		/* Two devices with one identity, as nested overlays show them: told apart by device number. */
		if (find_fsid(m, fsid))
			fsid ^= mix(dev);
		(void) add(m, dev, fsid, false);
	} else {
		fsid = e->fsid;
	}
	*ret_fsid = fsid;
	return 0;
}

uint64_t inomap_show(struct inomap *m, uint64_t fsid, uint64_t ino)
{
	const struct inomap_entry *e = find_fsid(m, fsid);
	/* In a record may be any file system: one that no layer has shown takes no place in the table, which is finite. */
	uint16_t tag = e ? e->tag : first_tag(fsid);

	if (tag == 0)
		return ino;
	if (ino > PLAIN_MAX)
		ino = mix(ino) & PLAIN_MAX;
	return ino | (uint64_t) tag << TAG_SHIFT;
}

uint64_t inomap_number(struct inomap *m, struct io_engine *io, dev_t dev, uint64_t ino, int dirfd, const char *name)
{
	const struct inomap_entry *e = find(m, dev);
	uint64_t fsid;

	if (e && e->tag == 0)
		return ino;
	if (!e && inomap_fsid(m, io, dev, dirfd, name, &fsid) < 0)
		return ino;
	return inomap_show(m, e ? e->fsid : fsid, ino);
}
