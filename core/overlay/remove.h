#pragma once

/* Removing names; the whiteouts that take their place. */

#include "overlay/tree.h"

/* A whiteout in the work directory, ready to be moved. */
int whiteout_make(struct overlay *ov, char temp[static 24]);
