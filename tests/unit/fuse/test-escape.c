/* Names that programs have chosen, as people are shown them: what can be seen stays, and nothing else. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "fuse/escape.h"

static void check(const char *name, const char *also, const char *shown, unsigned int width)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	assert_int_equal(escape_put(f, name, also), width);
	assert_int_equal(fclose(f), 0);
	assert_string_equal(text, shown);
}

static void test_seen(void **state)
{
	(void) state;
	check("", "", "", 0);
	check("a b\\\"", "", "a b\\\"", 5);
	check("a b\\\"", "\\\"", "a b\\\\\\\"", 7);
	check("ä ⟂ 日本 \xf0\x9f\x99\x82", "", "ä ⟂ 日本 \xf0\x9f\x99\x82", 8);
}

static void test_obeyed(void **state)
{
	(void) state;
	check("a\x1b[31m\n", "", "a\\x1b[31m\\x0a", 13);
	check("\x7f\xff\xc3", "", "\\x7f\\xff\\xc3", 12);
	check("\u202ex\xc2\x9b", "", "\\u{202e}x\\u{9b}", 15);
}

/* One of each kind that is drawn as nothing or as a blank. */
static void test_unseen(void **state)
{
	static const struct {
		const char *c, *shown;
	} cases[] = {
		{ "\u00a0", "\\u{a0}" }, { "\u00ad", "\\u{ad}" }, { "\u034f", "\\u{34f}" }, { "\u115f", "\\u{115f}" },
		{ "\u1160", "\\u{1160}" }, { "\u1680", "\\u{1680}" }, { "\u17b4", "\\u{17b4}" }, { "\u180b", "\\u{180b}" },
		{ "\u180f", "\\u{180f}" }, { "\u2000", "\\u{2000}" }, { "\u2003", "\\u{2003}" }, { "\u200b", "\\u{200b}" },
		{ "\u202f", "\\u{202f}" }, { "\u205f", "\\u{205f}" }, { "\u2063", "\\u{2063}" }, { "\u2800", "\\u{2800}" },
		{ "\u3000", "\\u{3000}" }, { "\u3164", "\\u{3164}" }, { "\ufe0f", "\\u{fe0f}" }, { "\ufeff", "\\u{feff}" },
		{ "\uffa0", "\\u{ffa0}" }, { "\ufff0", "\\u{fff0}" }, { "\U0001bca0", "\\u{1bca0}" }, { "\U0001d173", "\\u{1d173}" },
		{ "\U000e0100", "\\u{e0100}" },
	};

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check(cases[i].c, "", cases[i].shown, (unsigned int) strlen(cases[i].shown));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_seen),
		cmocka_unit_test(test_obeyed),
		cmocka_unit_test(test_unseen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
