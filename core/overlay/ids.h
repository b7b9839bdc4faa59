#pragma once

/* Owners that our user namespace does not know. */

#include "overlay/tree.h"

/* Finds out whom such owners are to be shown as. */
void ids_init(struct overlay *ov);
void ids_fix(const struct overlay *ov, struct statx *stx);
