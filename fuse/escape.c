/* See escape.h. */

#include "fuse/escape.h"

#include <inttypes.h>
#include <string.h>

#include "base/utf8.h"

unsigned int escape_put(FILE *f, const char *s, const char *also)
{
	size_t len = strlen(s);
	unsigned int width = 0;
	uint32_t c;

	for (size_t i = 0, n; i < len; i += n) {
		n = utf8_decode(s + i, len - i, &c);
		if (n == 0 || (n == 1 && utf8_is_trick(c))) {
			width += (unsigned int) fprintf(f, "\\x%02x", (unsigned char) s[i]);
			n = 1;
		} else if (utf8_is_trick(c)) {
			width += (unsigned int) fprintf(f, "\\u{%" PRIx32 "}", c);
		} else if (n == 1 && strchr(also, (int) c)) {
			width += (unsigned int) fprintf(f, "\\%c", (int) c);
		} else {
			(void) fwrite(s + i, 1, n, f);
			width++;
		}
	}
	return width;
}
