#pragma once

/*
 * Memory that is given back all at once: the rules of a policy are made together and go together. Also the growing of arrays.
 */

#include <stddef.h>

#include "base/macro.h"

struct arena_block;

struct arena {
	struct arena_block *newest;
	size_t left;   /* bytes of the newest block that are still free */
	size_t n_bytes; /* taken from malloc() */
};

/* Aligned for pointers, not cleared. NULL: no memory. */
void *arena_take(struct arena *a, size_t size);
/* A copy with a NUL behind it. */
char *arena_copy(struct arena *a, const char *s, size_t len);
void arena_done(struct arena *a);

/* Room for one more element: v, or where it is now. NULL: no memory, v is still there. */
void *array_room(void *v, size_t n, size_t *size, size_t element);
