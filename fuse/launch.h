#pragma once

/*
 * From a description of a view to a daemon that serves it, in this process or another.
 */

#include <stdbool.h>
#include <stddef.h>

#include "fuse/mount.h"
#include "overlay/overlay.h"

struct problem;
struct sandbox_rule;

/* What the user asked for. Strings are owned; launch_config_done() frees them. */
struct launch_config {
	char *mount_point;
	char *source;	/* NULL: "osfuse" */
	char *subtype;	/* NULL: "osfuse" */
	char **lowers;	/* topmost first; none: those of the sandbox, else "/" */
	size_t n_lowers;
	char *upper, *work, *name;
	char *text;	/* the options as given, for the record */
	struct sandbox_rule *policy; /* in order; none: that of the sandbox, else the default one for a view of the whole machine */
	size_t n_policy;
	bool helper;	/* called as mount(8) calls: with layers and no name, there is no sandbox, and no upper means read-only */
	bool remount;	/* change the flags of the mount that is there */
	bool fake;	/* do everything but mount: nothing */
	bool ephemeral;
	bool foreground, debug;
	bool nonempty;
	unsigned int n_threads; /* 0: as many as suit the machine */
	struct mount_flags flags; /* source and subtype are taken from above */
	bool allow_root;
	const char *from_kernel; /* an option that only a remount may carry; static */
	bool userxattr, volatile_, no_redirect, no_index;
	enum choice fold; /* names are found in any case; unset: as the sandbox has it, else not */
	enum choice metacopy;
	struct overlay_ids uids, gids; /* ranges are owned */
	bool squash_to_root; /* where an id to squash to is not given: 0; in uids and gids once the options are read */
	uint32_t time_gran_ns; /* 0: 1 */
};

void launch_config_done(struct launch_config *c);
/* verb NULL: text is the path of a file. -ENOMEM. */
int launch_config_add_policy(struct launch_config *c, const char *verb, const char *text);

/*
 * Mounts the view. In the background: returns when it answers, 0, and the daemon goes on in another process. In the
 * foreground: returns when it was unmounted. On failure p says why.
 */
int launch(const struct launch_config *c, struct problem *p);
