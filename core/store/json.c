/* Bytes in JSON. NUL is in no string of ours: neither form may bring one in. */

#include "store/json.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/utf8.h"

static const char digits[] = "0123456789abcdef";

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int from_hex(const char *hex, char **ret)
{
	size_t len = strlen(hex);
	_cleanup_free_ char *out = NULL;

	if (len % 2)
		return -EBADMSG;
	out = malloc(len / 2 + 1);
	if (!out)
		return -ENOMEM;
	for (size_t i = 0; i < len; i += 2) {
		int high = hex_digit(hex[i]), low = hex_digit(hex[i + 1]);

		if (high < 0 || low < 0 || (high == 0 && low == 0))
			return -EBADMSG;
		out[i / 2] = (char) (high << 4 | low);
	}
	out[len / 2] = '\0';
	*ret = steal_ptr(out);
	return 0;
}

static char *put_hex(char *to, const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		*to++ = digits[(unsigned char) s[i] >> 4];
		*to++ = digits[(unsigned char) s[i] & 15];
	}
	return to;
}

static bool is_utf8(const char *s, size_t len)
{
	uint32_t c;

	for (size_t i = 0, n; i < len; i += n) {
		n = utf8_decode(s + i, len - i, &c);
		if (n == 0)
			return false;
	}
	return true;
}

char *json_put_bytes(char *to, const char *s, size_t len)
{
	if (!is_utf8(s, len)) {
		to = put_hex(stpcpy(to, "{\"bytes\":\""), s, len);
		return stpcpy(to, "\"}");
	}
	*to++ = '"';
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char) s[i];

		if (c < 0x20) {
			to = put_hex(stpcpy(to, "\\u00"), s + i, 1);
			continue;
		}
		if (c == '"' || c == '\\')
			*to++ = '\\';
		*to++ = (char) c;
	}
	*to++ = '"';
	return to;
}

json_t *json_from_bytes(const char *s)
{
	json_t *j = s ? json_string(s) : json_null();
	_cleanup_free_ char *hex = NULL;

	if (j)
		return j; /* it was UTF-8 */
	hex = malloc(strlen(s) * 2 + 1);
	if (!hex)
		return NULL;
	*put_hex(hex, s, strlen(s)) = '\0';
	return json_pack("{s:s}", "bytes", hex);
}

int json_to_bytes(const json_t *j, char **ret)
{
	const char *hex;

	if (!j || json_is_null(j)) {
		*ret = NULL;
		return 0;
	}
	if (json_is_string(j)) {
		char *s = strdup(json_string_value(j));

		if (!s)
			return -ENOMEM;
		*ret = s;
		return 0;
	}
	hex = json_string_value(json_object_get(j, "bytes"));
	return hex ? from_hex(hex, ret) : -EBADMSG;
}
