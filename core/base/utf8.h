#pragma once

/* Characters of UTF-8, as RFC 3629 has it: no surrogates, nothing longer than need be, nothing above U+10FFFF. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
 * What a terminal obeys, or what makes text look like other text: controls, marks of direction, separators, things without
 * width. Names that programs have made are not shown to people with these in them.
 */
static inline bool utf8_is_trick(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0x61c || c == 0x180e || (c >= 0x200b && c <= 0x200f) ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb) ||
	       (c >= 0xe0000 && c <= 0xe0fff);
}
