#pragma once

/*
 * The form of requests and replies. A struct request is one message of the kernel on its way through an op: where
 * it came from is known to its transport only, and ends here.
 *
 * Messages are input: every length is checked before it is used, and names are taken only when their NUL lies
 * inside the message.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "fuse/kernel.h"
#include "overlay/overlay.h"

struct op;
struct request;
struct session;
struct transport;

struct transport_ops {
	/*
	 * Sends a whole reply, out header first. 0, or -ENOENT when the kernel no longer waits for it, -ENODEV when
	 * the file system is unmounted, or what writing gave.
	 */
	int (*reply)(struct transport *t, const struct request *rq, const struct iovec *iov, size_t n_iov);
	/* Sends a notification: the same, without a request. */
	int (*send)(struct transport *t, const struct iovec *iov, size_t n_iov);
};

/* The head of every transport's own structure. */
struct transport {
	const struct transport_ops *ops;
};

/* The part of a message that has not been read yet. */
struct wire_args {
	const char *p;
	size_t left;
};

struct request {
	const struct fuse_in_header *in; /* the message; borrowed, as are args */
	const struct op *op;		 /* NULL: an opcode that we do not know */
	struct session *session;
	struct transport *transport;
	struct wire_args args;
	struct actor actor;
	struct node *node; /* in->nodeid, for the ops that ask for it; the kernel's look-up count keeps it */
	void *buf;	   /* page-aligned room for the data of the reply; borrowed */
	size_t buf_size;
	bool replied;
	int64_t result; /* what was answered: an error, or how many bytes followed the header */
};

/* -EBADMSG: not a message. in and unique are usable whenever a whole header is there, so that it can be refused. */
int request_init(struct request *rq, struct session *s, struct transport *t, const void *message, size_t len, void *buf,
		 size_t buf_size);

/* The arguments, in order; NULL when the message does not hold them. */
const void *wire_take(struct wire_args *a, size_t size);
const char *wire_take_name(struct wire_args *a);

/*
 * Exactly one of these answers a request. They return 0, or the transport's error when the kernel did not take the
 * reply: what it would have owned, counts and handles, is then still the caller's.
 */
int reply_error(struct request *rq, int error); /* error: 0 or negative errno */
int reply_data(struct request *rq, const void *data, size_t size);
int reply_absent(struct request *rq);
int reply_entry(struct request *rq, const struct entry *e);
int reply_create(struct request *rq, const struct entry *e, uint64_t fh, uint32_t open_flags);
int reply_open(struct request *rq, uint64_t fh, uint32_t open_flags);
int reply_attr(struct request *rq, const struct statx *stx);
int reply_statx(struct request *rq, const struct statx *stx);
int reply_statfs(struct request *rq, const struct statfs *st);
int reply_size(struct request *rq, uint32_t size); /* WRITE, and the length of attributes */

/* Encoding. The timeouts are the session's. */
uint32_t wire_dev(uint32_t major, uint32_t minor);
dev_t wire_dev_decode(uint32_t rdev);
void wire_attr(struct fuse_attr *ret, const struct statx *stx);
void wire_entry(struct fuse_entry_out *ret, const struct session *s, const struct entry *e);

/* Adds a directory entry at buf. Returns the bytes used, 0 when room is too little. entry NULL: not looked up. */
size_t wire_dirent(void *buf, size_t room, const struct overlay_dirent *d);
size_t wire_direntplus(void *buf, size_t room, const struct session *s, const struct overlay_dirent *d, const struct entry *entry);
