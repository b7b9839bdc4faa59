#pragma once

/* Names that programs have chosen, shown to people: none of it may move the cursor, or look like something else. */

#include <stdio.h>

/*
 * Prints what can be seen of it, and the rest as \x1b or \u{202e}; the characters of also, ASCII, with a backslash before them. Returns how wide
 * that is, counting each character once.
 */
unsigned int escape_put(FILE *f, const char *s, const char *also);
