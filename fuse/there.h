#pragma once

/*
 * What is at a path, whatever rules say of it. Asked of an overlay on the layers of a sandbox, without a policy and without a mount; the
 * upper is its topmost lower. So it can be asked of a view that is in use.
 */

#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>

struct problem;
struct sandbox;
struct ways;

struct there {
	bool exists;
	bool removed; /* what is missing: by a whiteout in the upper */
	bool unseen;  /* a lower has what is missing */
	bool upper;   /* the upper has it */
	unsigned int guarded; /* OVERLAY_GUARDED_*: one of the ways leads to it, or by way of it */
	struct statx stx;
	char target[PATH_MAX]; /* of a link; "" */
	char missing[PATH_MAX]; /* the first component that is not there, as a path */
	char other[NAME_MAX + 1]; /* a name that differs from one in the path by case only; "" */
};

/* sb NULL: on this machine, without a sandbox. direct: rules let it be changed in the lower itself, so the upper is not asked. */
int there_find(const struct sandbox *sb, const char *path, bool direct, const struct ways *ways, struct there *ret, struct problem *p);
