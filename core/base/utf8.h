#pragma once

/* Characters of UTF-8, as RFC 3629 has it: no surrogates, nothing longer than need be, nothing above U+10FFFF. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macro.h"

/* How many bytes the character at s takes, of n that are there; 0: that is no character. */
static inline size_t utf8_decode(const char *s, size_t n, uint32_t *ret)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char first = n > 0 ? (unsigned char) *s : 0x80;
	size_t len = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
	uint32_t c = first & (len == 1 ? 0x7fu : 0x7fu >> len);

	if (first >= 0xf8 || (first & 0xc0) == 0x80 || len > n)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if (((unsigned char) s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | ((unsigned char) s[i] & 0x3f);
	}
	if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	*ret = c;
	return len;
}

/*
 * What a terminal obeys, or what makes text look like other text: controls, marks of direction, separators, blanks that are not the
 * common one, and all that need not be seen (Default_Ignorable_Code_Point of Unicode, and others of which that is true). Names that
 * programs have made are not shown to people with these in them.
 */
static inline bool utf8_is_trick(uint32_t c)
{
	static const struct {
		uint32_t first, last;
	} tricks[] = {
		{ 0, 0x1f }, { 0x7f, 0xa0 }, { 0xad, 0xad }, { 0x34f, 0x34f }, { 0x61c, 0x61c }, { 0x115f, 0x1160 }, { 0x1680, 0x1680 },
		{ 0x17b4, 0x17b5 }, { 0x180b, 0x180f }, { 0x2000, 0x200f }, { 0x2028, 0x202f }, { 0x205f, 0x206f }, { 0x2800, 0x2800 },
		{ 0x3000, 0x3000 }, { 0x3164, 0x3164 }, { 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff }, { 0xffa0, 0xffa0 }, { 0xfff0, 0xfffb },
		{ 0x13430, 0x1343f }, { 0x16fe4, 0x16fe4 }, { 0x1bca0, 0x1bca3 }, { 0x1d159, 0x1d159 }, { 0x1d173, 0x1d17a },
		{ 0xe0000, 0xe0fff },
	};
	size_t i = 0;

	while (i < ARRAY_SIZE(tricks) && c > tricks[i].last)
		i++;
	return i < ARRAY_SIZE(tricks) && c >= tricks[i].first;
}
