#pragma once

/*
 * Views in which names are found in any case, and keep the one they were made with.
 *
 * What is spelled exactly is found first. Else it is the name that differs by case only (simple folding of Unicode); of several, which a
 * lower may have, the first in the order of bytes. So every name can be reached, and a new one that differs by case only
 * from one that shows is not made.
 */

#include "overlay/tree.h"

int spell_init(struct overlay *ov);
void spell_done(struct overlay *ov);

/* The name as it is spelled in the directory, if it shows there in another case: 1. 0: it does not; also in views with case. */
int spell_other(struct overlay *ov, struct node *dir, const char *name, char ret[static NAME_BYTES]);

/*
 * For verbs that act on a name: the name itself if it is there so, or nowhere; else as it is spelled, in buf. What goes wrong is for the
 * verb to find out.
 */
const char *spell_real(struct overlay *ov, struct node *dir, const char *name, char buf[static NAME_BYTES]);

/* Do the two differ by case only, and at all? */
bool spell_case_only(const char *a, const char *b);
