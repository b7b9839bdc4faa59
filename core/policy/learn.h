#pragma once

/*
 * Learning a policy: from what was accessed, the smallest readable one that would have allowed it. Pure, like all of the room: nothing is
 * looked at but the events.
 *
 * What comes out begins with hiding everything and admits, in the order of paths:
 *   - a file or directory by its name, "ro" if it was read, "cow" if it was written, made, removed or renamed; a file that was
 *     only looked at, "deny"
 *   - a directory with all that is in it, if three or more things in it were used; or, if those are files that have a beginning
 *     or an ending in common, that glob
 * Places that hold things of many owners, as homes, ~/.config and /etc, are never admitted as a whole. What was refused, and was not
 * allowed at another time, stays refused, also inside of what is admitted. The rules that hid or denied something in there at the time
 * follow, and behind all that the shipped policy "defaults" is included, so that no rule leads to a secret; a secret that was used is named
 * after it, alone.
 *
 * Equal events, in whatever order, make equal text.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/macro.h"

struct learner;
struct policy;
struct policy_world;

struct learn_event {
	const char *path; /* absolute, without "." and ".."; borrowed for the call. Others are passed over */
	/*
	 * "look" or "stat": it is enough that it shows. "list", "readlink", "read", "exec", "getxattr" or "listxattr": to have it
	 * read-only. Anything else needs copy-on-write.
	 */
	const char *op;
	bool refused;
	int is_dir; /* 1: a directory; 0: something else; negative: not known */
};

/*
 * world is borrowed: its home is written as "~", its homes are places not to be admitted as a whole. own is the policy under which it all
 * happened: what it hides or denies is kept away; a reference is taken. NULL: not known.
 */
int learner_new(const struct policy_world *world, struct policy *own, struct learner **ret);
struct learner *learner_free(struct learner *l);
DEFINE_CLEANUP(struct learner *, learner_free)

int learner_add(struct learner *l, const struct learn_event *e);
/* So many events there were besides, and nobody knows what: the policy says so. */
void learner_set_missing(struct learner *l, uint64_t n);
/*
 * Writes the policy. source is what is said of where the events come from, as in "the log of sandbox box". -EINVAL: the shipped policy
 * cannot be compiled in this world. Errors in writing are f's.
 */
int learner_write(struct learner *l, const char *source, FILE *f);
