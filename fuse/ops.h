#pragma once

/*
 * What the opcodes do: unpack, one verb of the overlay, reply. A transport makes a request with request_init(), asks
 * request_may_block() whether the thread that reads should keep it, and calls request_run(), which always answers.
 */

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>

#include "fuse/handle.h"
#include "fuse/wire.h"

struct overlay;

struct wire_timeout {
	uint64_t sec;
	uint32_t nsec;
};

/* What all requests of a mount share. Written by INIT, before any other request is read; constant from then on. */
struct session {
	struct overlay *ov;	 /* borrowed */
	struct handles *handles; /* owned */
	struct wire_timeout attr_valid, entry_valid, negative_valid;
	uint32_t max_write; /* bytes in a WRITE or READ, at most */
	bool debug;
	bool ask_for_links;
	bool setxattr_ext; /* SETXATTR has the long structure */
	bool initialised;
	int init_error; /* why INIT was refused */
};

int session_init(struct session *s, struct overlay *ov, uint32_t max_write);
/* Releases what the kernel has left open. */
void session_done(struct session *s);

enum {
	OP_NODE = 1 << 0,     /* works on in->nodeid: request->node is set before run() */
	OP_NO_REPLY = 1 << 1, /* the kernel expects none */
	OP_BEFORE_INIT = 1 << 2,
};

struct op {
	const char *name;
	/*
	 * 0, or a negative errno, which is answered unless run() has replied; 0 without a reply is answered with an
	 * empty one.
	 */
	int (*run)(struct request *rq);
	bool (*may_block)(const struct request *rq); /* NULL: no */
	unsigned int flags;
};

const struct op *op_find(uint32_t opcode); /* NULL: unknown */

/* True when the request may take long enough to be worth another thread. Says nothing about how long disks take. */
bool request_may_block(struct request *rq);
void request_run(struct request *rq);

/* Names: ops-name.c */
int op_lookup(struct request *rq);
int op_forget(struct request *rq);
int op_batch_forget(struct request *rq);
int op_mknod(struct request *rq);
int op_mkdir(struct request *rq);
int op_symlink(struct request *rq);
int op_link(struct request *rq);
int op_unlink(struct request *rq);
int op_rmdir(struct request *rq);
int op_rename(struct request *rq);
int op_rename2(struct request *rq);
bool unlink_may_block(const struct request *rq);
bool link_may_block(const struct request *rq);

/* Attributes: ops-attr.c */
int op_getattr(struct request *rq);
int op_statx(struct request *rq);
int op_setattr(struct request *rq);
int op_readlink(struct request *rq);
int op_statfs(struct request *rq);
bool setattr_may_block(const struct request *rq);

/* Files: ops-file.c */
int op_open(struct request *rq);
int op_create(struct request *rq);
int op_tmpfile(struct request *rq);
int op_release(struct request *rq);
int op_read(struct request *rq);
int op_write(struct request *rq);
int op_fsync(struct request *rq);
int op_fallocate(struct request *rq);
int op_lseek(struct request *rq);
int op_copy_file_range(struct request *rq);
int op_copy_file_range_64(struct request *rq);
bool open_may_block(const struct request *rq);

/* Directories: ops-dir.c */
int op_opendir(struct request *rq);
int op_readdir(struct request *rq);
int op_readdirplus(struct request *rq);
int op_releasedir(struct request *rq);
int op_fsyncdir(struct request *rq);

/* Extended attributes: ops-xattr.c */
int op_getxattr(struct request *rq);
int op_listxattr(struct request *rq);
int op_setxattr(struct request *rq);
int op_removexattr(struct request *rq);

/* The connection: ops-session.c */
int op_init(struct request *rq);
int op_syncfs(struct request *rq);

/* Replies with an entry; if the kernel does not take it, its count goes back to the overlay. */
int give_entry(struct request *rq, const struct entry *e);
/* After a change whose reply has no attributes: the kernel remembers the number and links of one that has just parted from its other names. */
void tell_parted(struct request *rq);

static inline bool change_may_block(const struct request *rq)
{
	return overlay_would_copy(rq->session->ov, rq->node, O_WRONLY);
}
