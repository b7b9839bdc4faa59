/* Bytes in JSON. NUL is in no string of ours: neither form may bring one in. */

#include "store/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

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

json_t *json_from_bytes(const char *s)
{
	static const char digits[] = "0123456789abcdef";
	json_t *j = s ? json_string(s) : json_null();
	_cleanup_free_ char *hex = NULL;
	size_t n = 0;

	if (j)
		return j; /* it was UTF-8 */
	hex = malloc(strlen(s) * 2 + 1);
	if (!hex)
		return NULL;
	for (; *s; s++) {
		hex[n++] = digits[(unsigned char) *s >> 4];
		hex[n++] = digits[(unsigned char) *s & 15];
	}
	hex[n] = '\0';
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
