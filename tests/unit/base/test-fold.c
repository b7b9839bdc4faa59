/* Case folding: by hand, for every character against perl's data, and on bytes that are no UTF-8. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fold.h"
#include "base/macro.h"

#define LAST 0x10ffff
#define VERSION "14.0.0\n" /* of the table */

static const char *fold(const char *s)
{
	static char out[100];
	size_t n = fold_name(s, strlen(s), out, sizeof(out) - 1);

	out[n] = '\0';
	return out;
}

static void test_by_hand(void **state)
{
	static const char *const cases[][2] = {
		{ "README.md", "readme.md" },
		{ "@[`{", "@[`{" },
		{ "\xc3\x84\xc3\x96\xc3\x9c", "\xc3\xa4\xc3\xb6\xc3\xbc" },
		{ "\xce\xa3\xcf\x83\xcf\x82", "\xcf\x83\xcf\x83\xcf\x83" }, /* the three sigmas */
		{ "\xe2\x84\xaa", "k" },
		{ "\xc5\xbf", "s" },
		{ "\xe1\xba\x9e", "\xc3\x9f" }, /* capital sharp s: only status S knows one character for it */
		{ "\xc3\x9f", "\xc3\x9f" },
		{ "\xc4\xb0", "\xc4\xb0" }, /* I with a dot: only by Turkish rules, or as two characters */
		{ "\xc8\xba", "\xe2\xb1\xa5" }, /* grows */
		{ "\xf0\x90\x90\x80", "\xf0\x90\x90\xa8" },
		{ "\xd0\x96", "\xd0\xb6" },
		{ "\xc4\x80\xc4\x81", "\xc4\x81\xc4\x81" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_string_equal(fold(cases[i][0]), cases[i][1]);
		assert_string_equal(fold(cases[i][1]), cases[i][1]);
	}
}

/* Stay as they are, and take no good character with them. */
static void test_not_utf8(void **state)
{
	static const char *const cases[][2] = {
		{ "\xff\xfe" "A", "\xff\xfe" "a" },
		{ "\xc3", "\xc3" },
		{ "\xc3" "A", "\xc3" "a" },
		{ "\x84\xc3\x84", "\x84\xc3\xa4" },
		{ "\xc1\x81", "\xc1\x81" },	    /* an A, too long */
		{ "\xe0\x83\x84", "\xe0\x83\x84" }, /* an A with dots, too long */
		{ "\xf0\x82\x84\xaa", "\xf0\x82\x84\xaa" },
		{ "\xed\xa0\x80", "\xed\xa0\x80" }, /* a surrogate */
		{ "\xf4\x90\x80\x80", "\xf4\x90\x80\x80" },
		{ "\xf5\x80\x80\x80", "\xf5\x80\x80\x80" },
		{ "\xe2\x84", "\xe2\x84" },
		{ "\xe2\x84" "A", "\xe2\x84" "a" },
		{ "\xf0\x90\x90" "A", "\xf0\x90\x90" "a" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(fold(cases[i][0]), cases[i][1]);
}

static void test_size(void **state)
{
	char out[8];

	assert_int_equal(fold_name("", 0, out, 0), 0);
	assert_int_equal(fold_name("ABC", 3, out, 2), 0);
	assert_int_equal(fold_name("ABC", 3, out, 3), 3);
	assert_int_equal(fold_name("\xc8\xba", 2, out, 2), 0);
	assert_int_equal(fold_name("\xc8\xba", 2, out, FOLD_SIZE(2)), 3);
	assert_int_equal(fold_name("\xe1\xba\x9e", 3, out, 2), 2);
	assert_int_equal(fold_name("A\0B", 3, out, 3), 3);
	assert_memory_equal(out, "a\0b", 3);
}

static size_t utf8(uint32_t c, char out[static 4])
{
	if (c < 0x80) {
		out[0] = (char) c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char) (0xc0 | c >> 6);
		out[1] = (char) (0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char) (0xe0 | c >> 12);
		out[1] = (char) (0x80 | (c >> 6 & 0x3f));
		out[2] = (char) (0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char) (0xf0 | c >> 18);
	out[1] = (char) (0x80 | (c >> 12 & 0x3f));
	out[2] = (char) (0x80 | (c >> 6 & 0x3f));
	out[3] = (char) (0x80 | (c & 0x3f));
	return 4;
}

/* Fits where it is said to fit, and folding twice is folding once. */
static void test_every_character(void **state)
{
	char in[4], once[8], twice[8];
	unsigned int n_folded = 0;

	for (uint32_t c = 1; c <= LAST; c++) {
		size_t len = utf8(c, in), n = fold_name(in, len, once, FOLD_SIZE(MAX(len, (size_t) 2))), m;

		assert_true(n > 0);
		m = fold_name(once, n, twice, sizeof(twice));
		assert_true(m == n && memcmp(once, twice, n) == 0);
		n_folded += n != len || memcmp(in, once, n) != 0;
	}
	assert_int_equal(n_folded, 1454);
}

/* Against perl, if there is one, and it is of the same Unicode. */
static void test_against_perl(void **state)
{
	FILE *f = popen("perl " FOLD_TABLE " 2>/dev/null", "r");
	static uint32_t want[LAST + 1];
	char line[64], in[4], out[8], to[4];
	unsigned int a, b;

	assert_non_null(f);
	if (!fgets(line, sizeof(line), f) || strcmp(line, VERSION) != 0) {
		print_message("no perl with Unicode " VERSION);
		(void) pclose(f);
		skip();
	}
	for (uint32_t c = 0; c <= LAST; c++)
		want[c] = c;
	while (fgets(line, sizeof(line), f)) {
		assert_int_equal(sscanf(line, "%x %x", &a, &b), 2);
		want[a] = b;
	}
	assert_int_equal(pclose(f), 0);
	for (uint32_t c = 1; c <= LAST; c++) {
		size_t n, m;

		if (c >= 0xd800 && c <= 0xdfff)
			continue;
		n = fold_name(in, utf8(c, in), out, sizeof(out));
		m = utf8(want[c], to);
		if (n != m || memcmp(out, to, n) != 0)
			fail_msg("U+%04X", c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_hand),		cmocka_unit_test(test_not_utf8),     cmocka_unit_test(test_size),
		cmocka_unit_test(test_every_character), cmocka_unit_test(test_against_perl),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
