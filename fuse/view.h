#pragma once

/*
 * A view, from what the user asked for to a mount that is ready to be served, and all of it taken down again in order.
 */

#include <stdbool.h>

#include "fuse/boxes.h"
#include "fuse/layers.h"

struct io_engine;
struct launch_config;
struct mount;
struct overlay;
struct problem;
struct sandbox;
struct store;
struct warden;

struct view {
	const struct launch_config *config;
	struct problem *problem;
	struct io_engine *io;
	char *mount_point; /* absolute */
	int mount_point_fd; /* what is below the mount, locked until that is there */
	struct store *store;
	struct sandbox *sandbox;
	struct box place; /* what it is from if the view keeps none */
	bool fresh;  /* the sandbox was made for this */
	bool served; /* set by whoever serves it: somebody may have used it */
	struct layers layers;
	struct warden *warden;
	struct overlay *overlay;
	struct mount *mount;
	int beacon_fd;
};

/* Both are kept. On failure p says why, and what was made waits for view_done() all the same. */
int view_init(struct view *v, const struct launch_config *c, struct problem *p);
/* failed: a sandbox that was made for this, and never used, goes away. */
void view_done(struct view *v, bool failed);

/* Are names found in any case? As asked for, else as the sandbox has it. */
bool view_folds(const struct view *v);
