#pragma once

/* Bytes in JSON. Strings there are Unicode: what is not UTF-8 is written as {"bytes": "2f6d6e74ff"}, in hexadecimal. */

#include <jansson.h>

#include "base/macro.h"

static inline void json_drop(json_t **j)
{
	json_decref(*j);
}
#define _cleanup_json_ _cleanup_(json_drop)

/*
 * Puts the text that s, of len bytes, is in JSON to a place where there is room for JSON_TEXT_MAX(len). Returns its end. For those who
 * write too many to build trees of them.
 */
#define JSON_TEXT_MAX(len) (6 * (len) + 16)
char *json_put_bytes(char *to, const char *s, size_t len);

/* NULL becomes null. NULL: out of memory. */
json_t *json_from_bytes(const char *s);
/* 0: null, or nothing at all, becomes NULL; -EBADMSG: it is neither text nor null; -ENOMEM. */
int json_to_bytes(const json_t *j, char **ret);
