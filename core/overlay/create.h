#pragma once

/* Steps of making names that renaming takes too. */

#include "overlay/gate.h"
#include "overlay/tree.h"

/* A name that can be made. -EINVAL: in an upper of others it would be read as a whiteout. */
int create_check_name(struct overlay *ov, const char *name);
/*
 * A directory in which a name is to change: alive, and afterwards in the layer that the change goes to, which is the upper, or for what
 * an rw rule lets through the topmost lower. -EROFS: the lower has no such directory.
 */
int create_check_dir(struct overlay *ov, const struct actor *who, struct node *dir, bool direct);
/*
 * The same for a name as it is judged, and reported: what of the view is in no layer that its rule lets be changed, that rule forbids.
 * -EINVAL: in a lower that has others below it, what hides a name of those would be made, which that rule does not let be changed.
 */
int create_check_place(struct overlay *ov, const struct actor *who, enum gate_op op, struct node *dir, const char *name,
		       const struct judgement *j, mode_t type);
static inline uint16_t layer_for_change(bool direct)
{
	return direct ? LAYER_LOWER : LAYER_UPPER;
}
/* Moves an object from the work directory to where a whiteout is. */
int create_replace_whiteout(struct overlay *ov, const char *temp, mode_t mode, int dirfd, const char *name);
/* Removes an object in the making. */
int create_drop_temp(struct overlay *ov, const char *temp, mode_t mode);
