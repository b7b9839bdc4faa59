/* Single components: the compiled glob against one that is as simple as can be, and the index against trying all of them. */

#include "policy-test.h"

#include "policy/glob.h"
#include "policy/grams.h"

static uint64_t seed = 7;

static unsigned int draw(unsigned int n)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (unsigned int) (seed >> 33) % n;
}

/* Tries everything. Classes are looked up by the function under test: they have their own tests. */
static bool simple(const char *p, size_t n, const char *s, size_t len)
{
	enum glob_fault fault;
	uint32_t bits[8];
	size_t used = 1;

	if (n == 0)
		return len == 0;
	if (*p == '*')
		return simple(p + 1, n - 1, s, len) || (len > 0 && simple(p, n, s + 1, len - 1));
	if (len == 0)
		return false;
	if (*p == '[') {
		used = glob_class(p, n, bits, &fault);
		if (!(bits[(unsigned char) *s / 32] >> (unsigned char) *s % 32 & 1))
			return false;
	} else if (*p != '?') {
		used += *p == '\\';
		if (p[used - 1] != *s)
			return false;
	}
	return simple(p + used, n - used, s + 1, len - 1);
}

static void random_glob(char *out, const char *const *pieces, unsigned int n_pieces)
{
	unsigned int n = 1 + draw(5);

	out[0] = '\0';
	for (unsigned int i = 0; i < n; i++)
		(void) strcat(out, pieces[draw(n_pieces)]);
}

static void random_name(char *out, const char *letters, unsigned int max)
{
	unsigned int n = 1 + draw(max);

	for (unsigned int i = 0; i < n; i++)
		out[i] = letters[draw((unsigned int) strlen(letters))];
	out[n] = '\0';
}

static void test_match(void **state)
{
	static const char *const pieces[] = { "a", "b", "*", "*", "?", "[ab]", "[!a]", "\\*", "ab", "aa", "[a-]", "\\a" };
	unsigned int n_matched = 0;

	for (int i = 0; i < 20000; i++) {
		struct arena arena = { .newest = NULL };
		char pattern[64], name[16];
		struct glob *g;

		random_glob(pattern, pieces, ARRAY_SIZE(pieces));
		g = glob_new(&arena, pattern, strlen(pattern), false);
		assert_non_null(g);
		for (int k = 0; k < 10; k++) {
			bool want;

			random_name(name, "aab*-", 8);
			want = simple(pattern, strlen(pattern), name, strlen(name));
			n_matched += want;
			if (glob_match(g, name, strlen(name)) != want)
				fail_msg("%s and %s: should%s match", pattern, name, want ? "" : " not");
		}
		arena_done(&arena);
	}
	assert_in_range(n_matched, 10000, 190000);
}

static void test_class(void **state)
{
	static const struct {
		const char *text;
		size_t len; /* 0: it is wrong */
		enum glob_fault fault;
	} cases[] = {
		{ "[a]", 3, GLOB_OK },
		{ "[]]x", 3, GLOB_OK },
		{ "[!]]x", 4, GLOB_OK },
		{ "[]", 0, GLOB_UNCLOSED },
		{ "[!]", 0, GLOB_UNCLOSED },
		{ "[", 0, GLOB_UNCLOSED },
		{ "[a", 0, GLOB_UNCLOSED },
		{ "[a\\]", 0, GLOB_UNCLOSED },
		{ "[a\\", 0, GLOB_UNCLOSED },
		{ "[a-\\", 0, GLOB_UNCLOSED },
		{ "[a-", 0, GLOB_UNCLOSED },
		{ "[[:alpha:]]", 11, GLOB_OK },
		{ "[[:alpha:]", 0, GLOB_UNCLOSED },
		{ "[[:no:]]", 0, GLOB_CLASS_NAME },
		{ "[[::]]", 0, GLOB_CLASS_NAME },
		{ "[[:]", 4, GLOB_OK },
		{ "[[:a]", 5, GLOB_OK },
		{ "[[:a", 0, GLOB_UNCLOSED },
		{ "[a-]]", 4, GLOB_OK },
	};
	enum glob_fault fault;
	uint32_t bits[8];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t len = glob_class(cases[i].text, strlen(cases[i].text), bits, &fault);

		if (len != cases[i].len || fault != cases[i].fault)
			fail_msg("%s: %zu, %d", cases[i].text, len, fault);
	}
}

/* Long, and with what makes a matcher that comes back to places slow. */
static void test_no_blow_up(void **state)
{
	struct arena arena = { .newest = NULL };
	char pattern[160] = "", name[255];
	struct glob *g;

	for (int i = 0; i < 50; i++)
		(void) strcat(pattern, "*a");
	(void) strcat(pattern, "*b");
	memset(name, 'a', sizeof(name));
	g = glob_new(&arena, pattern, strlen(pattern), false);
	assert_non_null(g);
	for (int i = 0; i < 10000; i++)
		assert_false(glob_match(g, name, sizeof(name)));
	name[254] = 'b';
	assert_true(glob_match(g, name, sizeof(name)));
	arena_done(&arena);
}

struct found {
	bool *nodes;
};

static void mark(void *arg, uint32_t node)
{
	((struct found *) arg)->nodes[node] = true;
}

static void check_set(size_t n, const char *const *pieces, unsigned int n_pieces, const char *letters)
{
	struct glob_child *v = calloc(n, sizeof(*v));
	struct arena arena = { .newest = NULL };
	struct glob_set *set = NULL;
	unsigned int n_matched = 0;

	assert_non_null(v);
	for (size_t i = 0; i < n; i++) {
		char pattern[64];

		random_glob(pattern, pieces, n_pieces);
		v[i].glob = glob_new(&arena, pattern, strlen(pattern), false);
		v[i].node = (uint32_t) i;
		assert_non_null(v[i].glob);
	}
	assert_int_equal(glob_set_new(&arena, v, n, &set), 0);
	for (int k = 0; k < 300; k++) {
		struct found f = { .nodes = calloc(n, sizeof(bool)) };
		char name[40];

		assert_non_null(f.nodes);
		random_name(name, letters, 30);
		glob_set_find(set, name, strlen(name), mark, &f);
		for (size_t i = 0; i < n; i++) {
			assert_int_equal(f.nodes[i], glob_match(v[i].glob, name, strlen(name)));
			n_matched += f.nodes[i];
		}
		free(f.nodes);
	}
	assert_true(n < 100 || n_matched > 0);
	arena_done(&arena);
	free(v);
}

static void test_sets(void **state)
{
	static const char *const pieces[] = { "a",  "b", "*", "*", "*",	 "?",	   "[ab]", "abcd", "bcde",
					      "dd", "c", "a", "e", "ae", "[!abc]", "\xff", "abc",  "cba" };

	for (int i = 0; i < 30; i++)
		for (size_t n = 1; n < 20; n += 3)
			check_set(n, pieces, ARRAY_SIZE(pieces), "abcde\xff");
	for (int i = 0; i < 3; i++)
		check_set(2000, pieces, ARRAY_SIZE(pieces), "abcde\xff");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_match),
		cmocka_unit_test(test_class),
		cmocka_unit_test(test_no_blow_up),
		cmocka_unit_test(test_sets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
