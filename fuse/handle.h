#pragma once

/*
 * What the kernel holds for our open files and directories: a number, never a pointer. A number is an index and a
 * generation, so that one that was given back, or never given out, finds nothing.
 *
 * Thread rule: all from any thread. Looking up takes no lock. The kernel gives a handle back only when no request
 * that uses it is on its way, so what a look-up found stays valid for the request.
 */

#include <stdint.h>

#include "base/macro.h"

struct handles;

enum handle_kind {
	HANDLE_NONE, /* a free slot */
	HANDLE_FILE,
	HANDLE_DIR,
};

int handles_new(struct handles **ret);
struct handles *handles_free(struct handles *h); /* what it still holds is not released: see handles_take() */
DEFINE_CLEANUP(struct handles *, handles_free)

/* -ENFILE when there are millions, -ENOMEM. */
int handles_add(struct handles *h, enum handle_kind kind, void *object, uint64_t *ret_id);
/* NULL: no such handle, or of the other kind. */
void *handles_get(struct handles *h, enum handle_kind kind, uint64_t id);
void *handles_remove(struct handles *h, enum handle_kind kind, uint64_t id);
/* Removes any one that is left and gives its object; NULL when empty. */
void *handles_take(struct handles *h, enum handle_kind *ret_kind);
