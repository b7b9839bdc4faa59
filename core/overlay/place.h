#pragma once

/* Where a directory is in one layer, as a path. */

#include "overlay/tree.h"

/*
 * The path of a directory as a layer's own names have it, without a '/' at the end: "" is the root. LAYER_UPPER: as the
 * layers below the upper show it together, which is what a redirect has to say. Written to the end of buf. -EXDEV: too long.
 */
int place_path(struct overlay *ov, struct node *n, uint16_t layer, char buf[static META_PATH_MAX], char **ret);
