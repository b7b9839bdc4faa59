#pragma once

/*
 * The directories of a view: opened before anything is mounted, checked against each other, locked. Everything that can be
 * wrong with what the user named is found, and said, here.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/macro.h"
#include "overlay/overlay.h"

struct problem;

struct layers {
	int *lower_fds; /* topmost first */
	char **lowers;	/* absolute paths, for the record */
	size_t n_lowers;
	char *upper, *work; /* absolute; NULL in a read-only view */
	int upper_fd, work_fd;
	bool has_root; /* one of the lowers is "/" */
	struct overlay_mask *masks;
	size_t n_masks;
};

#define LAYERS_INIT { .upper_fd = -EBADF, .work_fd = -EBADF }

/*
 * upper NULL: a read-only view. work NULL: "UPPER.osfuse-work" beside the upper, made if missing. Locks the upper for as
 * long as the layers are open.
 */
int layers_open(struct layers *l, char *const *lowers, size_t n_lowers, const char *upper, const char *work, struct problem *p);
/* One more directory whose content the view must not show. */
int layers_mask(struct layers *l, int fd);
/*
 * Where we have the privilege, replaces the lowers by private copies of the mounts below them: what is mounted later, our own
 * view first of all, never shows in the lower, and other views are not in it. Otherwise they stay as they are.
 */
void layers_seclude(struct layers *l);
void layers_done(struct layers *l);

/* 1: the two descriptors are of the same object. */
int layers_same(int fd, int other);
