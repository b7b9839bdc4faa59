/* Bytes to JSON and back: two ways there, one back, and what is refused. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/json.h"

static void check(const char *s)
{
	_cleanup_free_ char *text = malloc(JSON_TEXT_MAX(strlen(s)) + 1), *back = NULL;
	_cleanup_json_ json_t *built = json_from_bytes(s), *parsed = NULL;

	*json_put_bytes(text, s, strlen(s)) = '\0';
	parsed = json_loads(text, JSON_DECODE_ANY, NULL);
	assert_non_null(parsed);
	assert_true(json_equal(parsed, built));
	assert_int_equal(json_to_bytes(parsed, &back), 0);
	assert_string_equal(back, s);
}

static void test_there_and_back(void **state)
{
	static const char *const cases[] = {
		"", "/usr/bin", "a\"b\\c", "\x01\x1f\x7f\t\n", "gr\xc3\xbc\xc3\x9f", "\xe2\x82\xac", "\xf0\x9f\x90\x8d", "\xf4\x8f\xbf\xbf",
		/* Not UTF-8: lone, cut, overlong, a surrogate, too high. */
		"\xff", "\x80", "a\xc3", "\xe2\x82", "\xc0\xaf", "\xe0\x80\xaf", "\xf0\x80\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80",
	};
	unsigned int seed = 1;
	char s[16];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check(cases[i]);
	for (unsigned int i = 0; i < 20000; i++) {
		size_t n = (size_t) rand_r(&seed) % sizeof(s);

		for (size_t k = 0; k < n; k++)
			s[k] = (char) (rand_r(&seed) % 3 ? 0x80 + rand_r(&seed) % 0x80 : 1 + rand_r(&seed) % 0x7f);
		s[n] = '\0';
		check(s);
	}
}

static void test_refused(void **state)
{
	static const char *const bad[] = {
		"3", "[]", "{}", "true", "{\"bytes\":3}", "{\"bytes\":\"2\"}", "{\"bytes\":\"2g\"}", "{\"bytes\":\"2F\"}", "{\"bytes\":\"2f00\"}",
	};
	char *s = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_json_ json_t *j = json_loads(bad[i], JSON_DECODE_ANY, NULL);

		assert_int_equal(json_to_bytes(j, &s), -EBADMSG);
		assert_null(s);
	}
	assert_int_equal(json_to_bytes(NULL, &s), 0);
	assert_null(s);
}

static void test_null(void **state)
{
	_cleanup_json_ json_t *j = json_from_bytes(NULL);
	char *s;

	assert_true(json_is_null(j));
	assert_int_equal(json_to_bytes(j, &s), 0);
	assert_null(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
