#pragma once

/*
 * The ways to the files that a policy is read from: whoever can write to such a file, or put another one, a directory or a link in the place
 * of what is on the way, decides what is read the next time. The same goes for where a view keeps its changes, and says which policy it has.
 */

#include <stdbool.h>
#include <stddef.h>

#include "overlay/overlay.h"

struct ways {
	struct overlay_guard *v; /* every name on the way, in its directory, and the files */
	size_t n, size;
};

/* Goes along the path, links included. Negative errno: some of it may have been added. */
int ways_add(struct ways *w, const char *path);
/* The names on the way only: what they lead to is not looked at, and may be changed. */
int ways_add_names(struct ways *w, const char *path);
int ways_add_all(struct ways *w, const struct ways *more);
/* Does one lead through the directory? */
bool ways_enter(const struct ways *w, int dirfd);
/* Does one lead into this file system, to more than its root? */
bool ways_enter_dev(const struct ways *w, dev_t dev);
struct overlay_guards ways_guards(const struct ways *w); /* borrowed */
void ways_done(struct ways *w);
