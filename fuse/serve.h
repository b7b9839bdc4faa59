#pragma once

/*
 * Serves a mounted view: reads requests from the FUSE device, runs them on the overlay, answers.
 */

#include <stdbool.h>

#include "base/macro.h"

struct overlay;
struct serve;

/* Zero means default. */
struct serve_config {
	int fuse_fd;	    /* of a mounted file system; borrowed until serve_free() */
	struct overlay *ov; /* borrowed until serve_free() */
	unsigned int n_workers; /* threads that read requests; 0: one per CPU that we may use */
	bool debug;		/* a line per request on stderr */
	/* How long the kernel may answer from its cache. 0: not at all. */
	unsigned int attr_timeout_ms, entry_timeout_ms, negative_timeout_ms;
	bool ask_for_links; /* the kernel does not remember where symbolic links lead, as it does without a limit of time */
	void (*ready)(void *arg); /* called once, from serve_run(), when the file system answers; may be NULL */
	void *ready_arg;
};

int serve_new(const struct serve_config *config, struct serve **ret);

/*
 * Serves until the file system is unmounted or serve_stop() is called, then ends its threads, finishes what they had
 * begun and releases all open files. 0, or -EPROTO when the kernel is too old, -ECONNABORTED when the connection was cut while
 * the mount stays, or what reading or a thread gave. Once per object.
 */
int serve_run(struct serve *s);

/*
 * Tells the kernel that an answer of before is no longer so; 0 also when it did not remember it. From any thread but those that serve.
 */
struct overlay_stale;
int serve_tell_stale(struct serve *s, const struct overlay_stale *stale);

/* Makes serve_run() return. From any thread, and from a signal handler. */
void serve_stop(struct serve *s);

struct serve *serve_free(struct serve *s);
DEFINE_CLEANUP(struct serve *, serve_free)
