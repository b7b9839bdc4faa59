#pragma once

/*
 * One component of a pattern, as wildmatch() of git matches it: bytes, "*", "?", "[...]", and a backslash that takes the next byte
 * as it is.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/arena.h"

#define GLOB_MAX_LEN 255 /* no name is longer */

/* One byte of a name: itself, any, or one of a class. */
#define ONE_ANY 256
#define ONE_CLASS 257 /* and those above: the classes of the glob in order */

/* What is between two stars. It has a fixed length, so the leftmost place is always the best one. */
struct glob_part {
	const char *bytes;   /* NULL: not only literal bytes, see ones */
	const uint16_t *ones;
	uint16_t len;
};

struct glob {
	uint16_t min_len, n_parts;
	bool open_start, open_end; /* a star there */
	const uint32_t (*classes)[8]; /* bitmaps */
	struct glob_part parts[];
};

enum glob_fault {
	GLOB_OK,
	GLOB_UNCLOSED,    /* a "[" without "]" */
	GLOB_CLASS_NAME,  /* "[:…:]" with an unknown word */
	GLOB_BACKSLASH,   /* nothing after it */
	GLOB_TOO_LONG,    /* matches only names that are longer than names can be */
};

/* Checks a component, without '/' except in classes. Where it is wrong: *ret_at is an offset. */
enum glob_fault glob_check(const char *s, size_t len, size_t *ret_at);
/* The offset behind a class that begins at s[0] == '['; 0: it has no end, or a part without meaning, see ret. */
size_t glob_class(const char *s, size_t len, uint32_t bitmap[static 8], enum glob_fault *ret);
/*
 * Compiles what glob_check() has passed, into the arena. fold: for names that were folded; classes then hold for both cases of
 * ASCII letters. NULL: no memory.
 */
struct glob *glob_new(struct arena *a, const char *s, size_t len, bool fold);
bool glob_match(const struct glob *g, const char *name, size_t len);
