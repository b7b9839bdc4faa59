#pragma once

/*
 * The FUSE protocol as <linux/fuse.h> has it, plus what headers older than 7.45 lack of what we speak. The names here
 * are our own, so that a newer header does not clash. The reference is include/uapi/linux/fuse.h of the kernel.
 */

#include <linux/fuse.h>
#include <stdint.h>

/* What we tell the kernel that we speak, and the oldest that we serve: Linux 5.4, which has all that matters to us. */
#define PROTOCOL_MAJOR 7
#define PROTOCOL_MINOR 45
#define PROTOCOL_MINOR_MIN 31

/* Set in the unique of an INTERRUPT and of the reply to it; ordinary requests have even numbers. */
#define PROTOCOL_INTERRUPT_BIT UINT64_C(1)

/* fuse_init_in up to 7.35, and without FUSE_INIT_EXT. */
#define PROTOCOL_INIT_IN_MIN 16

enum {
	OPCODE_STATX = 52,		/* 7.39 */
	OPCODE_COPY_FILE_RANGE_64 = 53, /* 7.45: as 47, but answers with 64 bits */
	OPCODE_MAX = OPCODE_COPY_FILE_RANGE_64,
};

struct protocol_time {
	int64_t tv_sec;
	uint32_t tv_nsec;
	int32_t reserved;
};

struct protocol_statx {
	uint32_t mask;
	uint32_t blksize;
	uint64_t attributes;
	uint32_t nlink;
	uint32_t uid;
	uint32_t gid;
	uint16_t mode;
	uint16_t reserved;
	uint64_t ino;
	uint64_t size;
	uint64_t blocks;
	uint64_t attributes_mask;
	struct protocol_time atime;
	struct protocol_time btime;
	struct protocol_time ctime;
	struct protocol_time mtime;
	uint32_t rdev_major;
	uint32_t rdev_minor;
	uint32_t dev_major;
	uint32_t dev_minor;
	uint64_t reserved2[14];
};

struct protocol_statx_in {
	uint32_t getattr_flags;
	uint32_t reserved;
	uint64_t fh;
	uint32_t sx_flags;
	uint32_t sx_mask;
};

struct protocol_statx_out {
	uint64_t attr_valid;
	uint32_t attr_valid_nsec;
	uint32_t flags;
	uint64_t reserved[2];
	struct protocol_statx stat;
};

struct protocol_copy_out {
	uint64_t bytes_copied;
};

_Static_assert(sizeof(struct protocol_statx) == 256, "the kernel's struct statx");
_Static_assert(sizeof(struct protocol_statx_out) == 288, "the kernel's struct fuse_statx_out");
_Static_assert(sizeof(struct protocol_statx_in) == 24, "the kernel's struct fuse_statx_in");
