#pragma once

/* Names compared without regard to case: Unicode simple case folding, one character for one, of names in UTF-8. */

#include <stddef.h>

/* A folded name is at most half as long again: some characters of two bytes fold to ones of three. */
#define FOLD_SIZE(len) ((len) + (len) / 2)

/*
 * Writes the folded form of len bytes to out, without a NUL. Two names differ only by case if their folded forms are the same
 * bytes. Bytes that are not UTF-8 stay as they are. Folding a folded name changes nothing.
 *
 * Returns the folded length; 0: it does not fit in size (or len is 0). FOLD_SIZE(len) is always enough.
 */
size_t fold_name(const char *name, size_t len, char *out, size_t size);
