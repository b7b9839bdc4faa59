#pragma once

/*
 * Inode numbers over several file systems. The file system of the topmost lower keeps its numbers; those of others get a
 * tag in the upper 16 bits, made from what identifies the file system over mounts (f_fsid). So numbers are unique
 * over all layers, the same after a remount, and usually what the host shows.
 *
 * Thread rule: any thread; the table only grows.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

struct io_engine;

#define INOMAP_MAX 512

struct inomap {
	pthread_mutex_t lock; /* guards growth */
	atomic_uint n;	      /* release: entries below n are complete; pairs with the acquire in find() */
	struct inomap_entry {
		dev_t dev;
		uint64_t fsid;
		uint16_t tag; /* 0: the base */
	} entries[INOMAP_MAX];
};

/* base: a descriptor on the file system whose numbers stay as they are. */
int inomap_init(struct inomap *m, struct io_engine *io, int base_fd, dev_t base_dev);
void inomap_done(struct inomap *m);

/* The stable identity of the file system with this device number; (dirfd, name) is any object on it. */
int inomap_fsid(struct inomap *m, struct io_engine *io, dev_t dev, int dirfd, const char *name, uint64_t *ret_fsid);
/* The number shown for inode ino of that file system. */
uint64_t inomap_show(struct inomap *m, uint64_t fsid, uint64_t ino);
/* Both at once for an object just looked at. Falls back to the plain number when the file system cannot be asked. */
uint64_t inomap_number(struct inomap *m, struct io_engine *io, dev_t dev, uint64_t ino, int dirfd, const char *name);
