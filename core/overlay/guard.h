#pragma once

/*
 * What no rule lets be changed in a lower, see struct overlay_guards: the policy would be in the hands of those it is for. Names are known
 * by their directory, and objects by number: so it does not matter by which way, under which mount, or by which other name they are reached.
 */

#include "overlay/tree.h"

/* watch: with the descriptors. To keep them holds the file systems in place that they are on. */
int guards_copy(const struct overlay_guards *guards, bool watch, struct overlay_guards **ret);
struct overlay_guards *guards_free(struct overlay_guards *guards);
DEFINE_CLEANUP(struct overlay_guards *, guards_free)

/* Is the object itself guarded: a file that the policy is read from, or a directory that one of its names is in? */
bool guards_have(const struct overlay_guards *guards, dev_t dev, uint64_t ino);
/* Is this name in the directory? Also if it differs by case only: file systems there are that find it then. */
bool guards_have_name(const struct overlay_guards *guards, dev_t dev, uint64_t ino, const char *name);
/* Is anything watched, so that an answer is good for one change only? */
bool guards_watch(const struct overlay_guards *guards);
/* Is the object by now what one of the names leads to? Asks the file system. */
bool guards_lead_to(struct overlay *ov, const struct overlay_guards *guards, dev_t dev, uint64_t ino);
