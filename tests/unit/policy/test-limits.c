/* Where it ends: patterns that could be alive at once, sizes, and memory. Allocations go through the wrappers below, which may fail. */

#include "policy-test.h"

#include "policy/compiled.h"

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
char *__wrap_strndup(const char *s, size_t n);
int __wrap_vasprintf(char **ret, const char *format, va_list ap);
void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_reallocarray(void *p, size_t n, size_t size);
char *__real_strndup(const char *s, size_t n);
int __real_vasprintf(char **ret, const char *format, va_list ap);

/* How many allocations succeed before one fails; -1: all do. */
static long n_good = -1;
static bool has_failed;

static bool fails(void)
{
	if (n_good < 0)
		return false;
	if (n_good-- > 0)
		return false;
	has_failed = true;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	return fails() ? NULL : __real_realloc(p, size);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return fails() ? NULL : __real_reallocarray(p, n, size);
}

char *__wrap_strndup(const char *s, size_t n)
{
	return fails() ? NULL : __real_strndup(s, n);
}

int __wrap_vasprintf(char **ret, const char *format, va_list ap)
{
	return fails() ? -1 : __real_vasprintf(ret, format, ap);
}

/* n lines, each with its number in it: up to three times. */
static char *lines(const char *format, unsigned int n, size_t *ret_len)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, ret_len);

	assert_non_null(f);
	for (unsigned int i = 0; i < n; i++)
		fprintf(f, format, i, i, i);
	assert_int_equal(fclose(f), 0);
	return text;
}

static int compile(const char *text, size_t len, char **ret_report, struct policy **ret)
{
	struct policy_world world = test_world();
	struct policy_builder *b = NULL;
	size_t n = 0;
	FILE *f = open_memstream(ret_report, &n);
	int r;

	assert_non_null(f);
	assert_int_equal(policy_builder_new(&world, &b), 0);
	assert_int_equal(policy_builder_add(b, "F", text, len), 0);
	r = policy_builder_compile(b, false, ret);
	assert_int_equal(policy_builder_n_errors(b), r == 0 ? 0 : 1);
	policy_builder_report(b, f);
	assert_int_equal(fclose(f), 0);
	(void) policy_builder_free(b);
	return r;
}

#define TOO_MANY "too many patterns that one path could be in the middle of: more than 4096 with this one\n"

static const struct {
	const char *format;
	unsigned int n;
	unsigned int line; /* 0: it is fine */
	uint64_t bound;	   /* if it is fine */
} bounds[] = {
	/* What ends with a component is never alive, and of many literals one is. */
	{ "hide *.ext%u\n", 20000, 0, 1 },
	{ "hide /a*%u\n", 20000, 0, 1 },
	{ "hide **/dir%u/x\n", 20000, 0, 2 },
	{ "hide **/dir%u/x%u/y/z\n", 20000, 0, 4 },
	{ "hide /srv/app%u/x\n", 20000, 0, 1 },
	{ "hide /srv/app%u/**/x\n", 20000, 0, 2 },
	{ "hide /srv/app%u/**/x/y/z\n", 20000, 0, 4 },
	{ "hide /srv/app%u/*/x\n", 20000, 0, 1 },
	/* Globs may all match. */
	{ "hide /a*%u/x\n", 4096, 0, 4096 },
	{ "hide /a*%u/x\n", 4200, 4097, 0 },
	{ "hide **/a*%u/x\n", 4095, 0, 4096 },
	{ "hide **/a*%u/x\n", 4096, 4096, 0 },
	{ "hide **/a*%u/x\n", 9000, 4096, 0 },
	{ "hide /a*%u/b/c\n", 4096, 0, 4096 },
	/* Loops below a loop stay, whatever name they were entered by. */
	{ "hide **/a%u/**/x\n", 4095, 0, 4096 },
	{ "hide **/a%u/**/x\n", 5000, 4096, 0 },
	{ "hide **/a%u/b%u/**/x\n", 4093, 0, 4096 - 1 },
	/* Below a loop, all levels at once. */
	{ "hide **/a*%u/b/c/d\n", 1365, 0, 4096 },
	{ "hide **/a*%u/b/c/d\n", 1366, 1366, 0 },
	{ "hide /**/*%u*/**/y\n", 4095, 0, 4096 },
	{ "hide /**/*%u*/**/y\n", 4097, 4096, 0 },
};

static void test_bounds(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(bounds); i++) {
		struct policy *p = NULL;
		char *report = NULL, want[300];
		size_t len = 0;
		char *text = lines(bounds[i].format, bounds[i].n, &len);
		int r = compile(text, len, &report, &p);
		uint64_t bound = 0;

		assert_int_equal(r, bounds[i].line ? -EINVAL : 0);
		if (bounds[i].line) {
			(void) snprintf(want, sizeof(want), "F:%u:6: " TOO_MANY, bounds[i].line);
			assert_memory_equal(report, want, strlen(want));
			assert_non_null(strstr(report, "\n^\n"));
		} else {
			assert_string_equal(report, "");
			assert_int_equal(trie_bound(&p->trie, &bound), 0);
			if (bound != bounds[i].bound)
				fail_msg("%s: %lu instead of %lu", bounds[i].format, (unsigned long) bound, (unsigned long) bounds[i].bound);
		}
		(void) policy_unref(p);
		free(report);
		free(text);
	}
}

/* A path that is in the middle of all of them: the bound is reached, and no more. */
static void test_bound_is_reached(void **state)
{
	struct policy *p = NULL;
	struct policy_state *root;
	struct policy_step s;
	char *text = NULL, *report = NULL, name[256];
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	/* As many different globs that all match a long row of letters: stars between fewer and fewer of them. */
	assert_non_null(f);
	for (int a = 1; a <= 40; a++)
		for (int b = 1; b <= 100; b++)
			fprintf(f, "hide **/%.*s*%.*s/q\n", a, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", b,
				"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
	assert_int_equal(fclose(f), 0);
	assert_int_equal(compile(text, len, &report, &p), 0);
	memset(name, 'x', 255);
	root = policy_root(p);
	assert_int_equal(policy_step(root, name, 255, &s), 0);
	assert_int_equal(s.n, 4001);
	for (uint32_t i = 1; i < s.n; i++)
		assert_true(s.more[i - 1] < s.more[i]);
	policy_step_done(&s);
	(void) policy_state_unref(root);
	(void) policy_unref(p);
	free(report);
	free(text);
}

/* Kept, and reached anew by the same name: there once, also where they are too many to look for one by one. */
static void test_no_doubles(void **state)
{
	struct policy *p = NULL;
	struct policy_state *root, *at = NULL;
	struct policy_step s;
	char *text = NULL, *report = NULL, name[40];
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	memset(name, 'a', sizeof(name));
	assert_non_null(f);
	for (int i = 1; i <= 20; i++)
		fprintf(f, "hide **/%.*s*/**/x\n", i, name);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(compile(text, len, &report, &p), 0);
	root = policy_root(p);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(policy_step(at ? at : root, name, sizeof(name), &s), 0);
		assert_int_equal(s.n, 21); /* and the loop at the root */
		if (!at)
			assert_int_equal(policy_enter(&s, &at), 0);
		policy_step_done(&s);
	}
	(void) policy_state_unref(at);
	(void) policy_state_unref(root);
	(void) policy_unref(p);
	free(report);
	free(text);
}

/* One after another, so that the report is all about the one. */
static void expect_fault(const char *text, size_t len, const char *want)
{
	struct policy *p = NULL;
	char *report = NULL;

	assert_int_equal(compile(text, len, &report, &p), -EINVAL);
	assert_memory_equal(report, want, strlen(want));
	free(report);
}

static void test_made_up_files(void **state)
{
	struct policy *p = NULL;
	char *text = NULL, *report = NULL;
	size_t len = 0, within = 0;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	for (unsigned int i = 0; i < POLICY_MAX_FILES + 3; i++) {
		if (i == POLICY_MAX_FILES) {
			assert_int_equal(fflush(f), 0);
			within = len;
		}
		(void) fprintf(f, "file /f%u \"\"\n", i);
	}
	assert_int_equal(fclose(f), 0);
	assert_int_equal(compile(text, within, &report, &p), 0);
	assert_int_equal(policy_n_files(p), POLICY_MAX_FILES);
	(void) policy_unref(p);
	free(report);
	report = NULL;
	assert_int_equal(compile(text, len, &report, &p), -EINVAL);
	assert_string_equal(report, "F:1001:6: more than 1000 made-up files\nfile /f1000 \"\"\n     ^\n"); /* said once */
	free(report);
	free(text);
}

static void test_sizes(void **state)
{
	size_t len = POLICY_MAX_SOURCE + 1;
	char *text = malloc(len), *report = NULL;
	struct policy *p = NULL;

	assert_non_null(text);
	memset(text, '\n', len);
	expect_fault(text, len, "F:1:1: longer than 16777216 bytes\n");
	assert_int_equal(compile(text, len - 1, &report, &p), 0);
	p = policy_unref(p);
	free(report);

	memset(text, 'x', len);
	memcpy(text, "file /a \"", 9);
	text[9 + POLICY_MAX_CONTENT] = '"';
	assert_int_equal(compile(text, 10 + POLICY_MAX_CONTENT, &report, &p), 0);
	assert_int_equal(policy_file(p, 0)->len, POLICY_MAX_CONTENT);
	(void) policy_unref(p);
	free(report);
	text[9 + POLICY_MAX_CONTENT] = 'x';
	text[10 + POLICY_MAX_CONTENT] = '"';
	expect_fault(text, 11 + POLICY_MAX_CONTENT, "F:1:9: a made-up file has at most 1048576 bytes\n");

	memcpy(text, "hide /", 6);
	for (size_t i = 6; i < 6 + 2 * 2049; i += 2)
		memcpy(text + i, "a/", 2);
	expect_fault(text, 5 + 2 * 2049, "F:1:4103: no path has that many components\n");
	assert_int_equal(compile(text, 5 + 2 * 2048, &report, &p), 0);
	(void) policy_unref(p);
	free(report);
	memset(text + 6, '/', len - 6);
	expect_fault(text, len - 6, "F:1:7: nothing is between two slashes\n");
	free(text);
}

static void test_many_rules(void **state)
{
	size_t len = 0, fine;
	char *text = lines("ro /d%u\n", POLICY_MAX_RULES + 5, &len), *report = NULL;
	struct policy *p = NULL;
	char buf[64];

	expect_fault(text, len, "F:200001:4: more than 200000 rules\n");
	fine = len - 5 * strlen("ro /d200000\n");
	assert_memory_equal(text + fine, "ro /d200000\n", 12);
	assert_int_equal(compile(text, fine, &report, &p), 0);
	assert_string_equal(test_judge(p, "/d199999", buf), "ro");
	assert_string_equal(test_judge(p, "/d200000", buf), "cow");
	(void) policy_unref(p);
	free(report);
	free(text);
}

static void test_files_in_files(void **state)
{
	expect_fault("file /a/b \"x\"\nfile /a \"y\"", 25, "F:2:6: another made-up file lies in this one\n/a\n^\n");
	expect_fault("file /a \"y\"\nfile /a/b/c \"x\"", 27, "F:2:6: this lies in another made-up file\n/a/b/c\n^\n");
}

static int ignore_rule(void *arg, int rule)
{
	return 0;
}

static int include_itself(void *arg, const char *from, const char *path, char **ret_name, char **ret_text, size_t *ret_len)
{
	*ret_name = strndup(path, 10);
	*ret_text = strndup("hide /included", 14);
	if (!*ret_name || !*ret_text)
		return -ENOMEM;
	*ret_len = 14;
	return 0;
}

/* All that allocates, once. wrong: there are mistakes in it. shipped: so is a policy with many rules. */
static int everything(bool wrong, bool fold, bool shipped)
{
	static const char text[] = "hide *a *b *c *d *e *f *g[0-9] ~*/.ssh \"/q r\"\ninclude x\ndeny errno=EIO /a/**/b/$WORD\nro /a/**/c\n"
				   "file /etc/x \"y\\n\"\nfile /etc/z < /host\nenv keep A B\nenv set C=d E=\"f\"\nid user=u group=g uid=1\n"
				   "host h\numask 022\nlimit files=1\nlog all\nrw ?1/x ?2/x ?3/x ?4/x ?5/x ?6/x ?7/x\n"
				   "rw ?*/x ??*/x ?*?/x *?/x *?\?/x [a-z]*/x [a-y]*/x [a-x]*/x [a-w]*/x [a-v]*/x [a-u]*/x [a-t]*/x\n"
				   "rw [a-s]*/x [a-r]*/x [a-q]*/x [a-p]*/x [a-o]*/x [a-n]*/x [a-m]*/x [a-l]*/x [a-k]*/x [a-j]*/x\n"
				   "hdie /x\nhide [\nid uid=x\n";
	_cleanup_(policy_builder_freep) struct policy_builder *b = NULL;
	_cleanup_(policy_unrefp) struct policy *p = NULL;
	_cleanup_(policy_state_unrefp) struct policy_state *root = NULL, *at = NULL;
	struct policy_world world = test_world();
	struct policy_verdict v;
	struct policy_step s;
	size_t len = wrong ? sizeof(text) - 1 : (size_t) (strstr(text, "hdie") - text);
	char long_name[300];
	int r;

	world.include = include_itself;
	r = policy_builder_new(&world, &b);
	if (r == 0)
		r = policy_builder_add(b, "F", text, len);
	if (r == 0 && shipped)
		r = policy_builder_add(b, "G", "include <readonly>", strlen("include <readonly>"));
	if (r == 0)
		r = policy_builder_add_rule(b, POLICY_VERB_RO, "/rule");
	if (r == 0)
		r = policy_builder_compile(b, fold, &p);
	if (r < 0)
		return r;
	root = policy_root(p);
	r = policy_step(root, "abcdefgh", 8, &s);
	if (r == 0)
		r = policy_enter(&s, &at);
	policy_step_done(&s);
	memset(long_name, 'A', sizeof(long_name));
	if (r == 0) {
		r = policy_step(at, long_name, sizeof(long_name), &s);
		policy_step_done(&s);
	}
	if (r == 0)
		r = policy_matches(p, "/abcdefgh/x/y", false, ignore_rule, NULL);
	if (r == 0)
		r = policy_judge(p, "/abcdefgh/x/y", false, &v);
	return r;
}

/* Every allocation in turn: said as -ENOMEM, and nothing is lost, which the sanitizer sees. */
static void test_memory(void **state)
{
	for (int kind = 0; kind < 5; kind++) {
		bool shipped = kind & 4; /* whose many allocations are much alike */
		int r, want = kind & 1 ? -EINVAL : 0;
		long n = 0, n_passed = 0;

		for (has_failed = true; has_failed; n += shipped ? 53 : 1) {
			has_failed = false;
			n_good = n;
			r = everything(kind & 1, kind & 2, shipped);
			n_good = -1;
			/* The words for a mistake may be lost; that there is one is not. */
			n_passed += has_failed && r == 0;
			if (has_failed ? r != -ENOMEM && r != want : r != want)
				fail_msg("allocation %ld: %d", n, r);
		}
		assert_true(n > 80);
		assert_in_range(n_passed, 0, 2); /* giving memory back may fail */
	}
}

/* The report without the memory for its words: the number is right. */
static void test_report_without_memory(void **state)
{
	struct policy_world world = test_world();
	struct policy_builder *b = NULL;
	struct policy *p = NULL;
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	assert_int_equal(policy_builder_new(&world, &b), 0);
	assert_int_equal(policy_builder_add(b, "F", "x", 1), 0);
	n_good = 1; /* the name of the source is copied; the rest of this is words */
	(void) policy_builder_add_rule(b, POLICY_VERB_FILE, "x");
	n_good = 0;
	(void) policy_builder_add_rule(b, POLICY_VERB_FILE, "y");
	n_good = -1;
	assert_int_equal(policy_builder_n_errors(b), 3);
	assert_int_equal(policy_builder_compile(b, false, &p), -EINVAL);
	policy_builder_report(b, f);
	assert_int_equal(fclose(f), 0);
	assert_non_null(strstr(text, "F:1:1: unknown verb"));
	assert_non_null(strstr(text, " more\n"));
	(void) policy_builder_free(b);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bounds),	   cmocka_unit_test(test_bound_is_reached), cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_made_up_files),
		cmocka_unit_test(test_many_rules), cmocka_unit_test(test_files_in_files),   cmocka_unit_test(test_memory),
		cmocka_unit_test(test_report_without_memory), cmocka_unit_test(test_no_doubles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
