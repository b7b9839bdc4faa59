/* The language: what is right and what comes out of it, and every way to be wrong, with the place that is shown. */

#include "policy-test.h"

struct report {
	char *text;
	size_t n_errors;
	int r;
};

/* Everything wrong in a text, as it is shown. */
static struct report report_in(const struct policy_world *world, const char *text, size_t len)
{
	struct policy_builder *b = NULL;
	struct policy *p = NULL;
	struct report report = { .text = NULL };
	size_t n = 0;
	FILE *f = open_memstream(&report.text, &n);

	assert_non_null(f);
	assert_int_equal(policy_builder_new(world, &b), 0);
	assert_int_equal(policy_builder_add(b, "F", text, len), 0);
	report.r = policy_builder_compile(b, false, &p);
	report.n_errors = policy_builder_n_errors(b);
	policy_builder_report(b, f);
	assert_int_equal(fclose(f), 0);
	(void) policy_builder_free(b);
	(void) policy_unref(p);
	return report;
}

static struct report report(const char *text)
{
	struct policy_world world = test_world();

	return report_in(&world, text, strlen(text));
}

/* One thing is wrong, in the first line. */
static const struct {
	const char *text;
	unsigned int column;
	const char *what;
} wrong[] = {
	/* verbs */
	{ "hidee /a", 1, "unknown verb \"hidee\"; did you mean \"hide\"?" },
	{ "  hdie /a", 3, "unknown verb \"hdie\"; did you mean \"hide\"?" },
	{ "dney /a", 1, "unknown verb \"dney\"; did you mean \"deny\"?" },
	{ "r /a", 1, "unknown verb \"r\"; did you mean \"ro\"?" },
	{ "HIDE /a", 1, "unknown verb \"HIDE\"" },
	{ "noexc /a", 1, "unknown verb \"noexc\"; did you mean \"noexec\"?" },
	{ "inlcude x", 1, "unknown verb \"inlcude\"; did you mean \"include\"?" },
	{ "something /a", 1, "unknown verb \"something\"" },
	{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 1, "unknown verb \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"" },

	/* no words */
	{ "hide", 5, "expected a pattern" },
	{ "hide   ", 8, "expected a pattern" },
	{ "hide # /a", 6, "expected a pattern" },
	{ "deny errno=EIO", 15, "expected a pattern" },

	/* words */
	{ "hide \"/a b", 6, "the quote is not closed" },
	{ "hide /x \"", 9, "the quote is not closed" },
	{ "hide \"/a\\\"", 6, "the quote is not closed" },
	{ "hide \"/a\"b /c", 10, "a blank is missing behind the closing quote" },

	/* patterns */
	{ "hide \"\"", 6, "the pattern is empty" },
	{ "hide $EMPTY", 6, "the value of EMPTY is not an absolute path" },
	{ "hide !/a", 6, "negation is a later rule here; write \\! for a name that begins with !" },
	{ "hide \"!a\"", 7, "negation is a later rule here; write \\! for a name that begins with !" },
	{ "hide /a/[bc", 9, "a ']' is missing; write \\[ for a name with a bracket" },
	{ "hide a[", 7, "a ']' is missing; write \\[ for a name with a bracket" },
	{ "hide []a", 6, "a ']' is missing; write \\[ for a name with a bracket" },
	{ "hide /a[b/c", 8, "a ']' is missing; write \\[ for a name with a bracket" },
	{ "hide /x[[:nope:]]", 8, "an unknown class of characters" },
	{ "hide /a\\", 8, "nothing follows the backslash" },
	{ "hide /\\/", 7, "nothing follows the backslash" },
	{ "hide /a\\/b", 8, "a '/' cannot be escaped: no name has one" },
	{ "hide //", 7, "nothing is between two slashes" },
	{ "hide /a//b", 9, "nothing is between two slashes" },
	{ "hide a//", 8, "nothing is between two slashes" },
	{ "hide ///", 7, "nothing is between two slashes" },
	{ "hide .", 6, "\".\" is no name in a path that a rule is about" },
	{ "hide /a/..", 9, "\"..\" is no name in a path that a rule is about" },
	{ "hide ./a", 6, "\".\" is no name in a path that a rule is about" },
	{ "hide /\\.\\./a", 7, "\"..\" is no name in a path that a rule is about" },

	/* homes and variables */
	{ "hide ~nobody/x", 6, "there is no user nobody; write \\~ for a name that begins with a tilde" },
	{ "hide ~odd/x", 6, "the home of odd is not an absolute path: \"not/absolute\"" },
	{ "hide ~**/x", 6, "there is no user **; write \\~ for a name that begins with a tilde" },
	{ "hide /a/$NOT/b", 9, "the variable NOT is not set; write \\$ for a name with a dollar sign" },
	{ "hide /a/${NOT}", 9, "the variable NOT is not set; write \\$ for a name with a dollar sign" },
	{ "hide /a/${DIR", 9, "expected ${NAME}" },
	{ "hide /a/${}", 9, "expected ${NAME}" },
	{ "hide /a/${D-R}", 9, "expected ${NAME}" },
	{ "hide $WORD/a", 6, "the value of WORD is not an absolute path" },
	{ "hide /a$DIR//b", 13, "nothing is between two slashes" },
	{ "hide /a/$DIR", 9, "nothing is between two slashes" },

	/* errno */
	{ "deny /a errno=EFOO", 15, "unknown errno; there are EACCES EPERM ENOENT EROFS EIO ENXIO ENODEV EBUSY ELOOP ENOTSUP" },
	{ "deny errno= /a", 12, "unknown errno; there are EACCES EPERM ENOENT EROFS EIO ENXIO ENODEV EBUSY ELOOP ENOTSUP" },
	{ "deny errno=EIO /a errno=EPERM", 19, "there is an errno already" },
	{ "hide /a errno=EIO", 9, "errno goes with deny only; quote a name that begins like that" },

	/* file */
	{ "file", 5, "expected the path of the file" },
	{ "file /a", 8, "expected \"TEXT\" or < PATH" },
	{ "file /a text", 9, "expected \"TEXT\" or < PATH" },
	{ "file /a mode=600", 17, "expected \"TEXT\" or < PATH" },
	{ "file /a mode= \"x\"", 9, "expected an octal number up to 777" },
	{ "file /a mode=8 \"x\"", 9, "expected an octal number up to 777" },
	{ "file /a mode=-1 \"x\"", 9, "expected an octal number up to 777" },
	{ "file /a mode=1777 \"x\"", 9, "expected an octal number up to 777" },
	{ "file /a mode=600 mode=600 \"x\"", 18, "expected \"TEXT\" or < PATH" },
	{ "file /a <", 10, "expected the path of a host's file" },
	{ "file /a < /none", 11, "/none: No such file or directory" },
	{ "file /a < b", 11, "the path of a host's file has to be absolute" },
	{ "file /a <b", 10, "the path of a host's file has to be absolute" },
	{ "file a \"x\"", 6, "the path of a made-up file has to be absolute, and not the root" },
	{ "file / \"x\"", 6, "the path of a made-up file has to be absolute, and not the root" },
	{ "file /a/ \"x\"", 8, "a made-up file is no directory" },
	{ "file /a* \"x\"", 8, "one path is expected here, not a pattern; write \\*" },
	{ "file /a? \"x\"", 8, "one path is expected here, not a pattern; write \\?" },
	{ "file ~*/a \"x\"", 7, "one path is expected here, not a pattern; write \\*" },
	{ "file /a < /b[c]", 13, "one path is expected here, not a pattern; write \\[" },
	{ "file /a/../b \"x\"", 9, "\"..\" is no name in a path that a rule is about" },
	{ "file /a \"x\" y", 13, "nothing may follow here" },
	{ "file /a \"x\\q\"", 11, "no such escape; there are \\n \\t \\r \\\\ \\\" \\0 and \\xHH" },
	{ "file /a \"x\\x4\"", 11, "two hexadecimal digits have to follow \\x" },
	{ "file /a \"x\\xg1\"", 11, "two hexadecimal digits have to follow \\x" },
	{ "file /a \"x", 9, "the quote is not closed" },
	{ "file /a \"x\\", 11, "no such escape; there are \\n \\t \\r \\\\ \\\" \\0 and \\xHH" },
	{ "file /a\\ \"x\"", 13, "expected \"TEXT\" or < PATH" },
	{ "file \"\" \"x\"", 6, "the path is empty" },

	/* settings */
	{ "env", 4, "expected \"keep\" or \"set\"" },
	{ "env drop X", 5, "expected \"keep\" or \"set\"" },
	{ "env keep", 9, "expected a name" },
	{ "env keep A[", 10, "a ']' is missing; write \\[ for a name with a bracket" },
	{ "env keep \"\"", 10, "the name is empty" },
	{ "env keep A B=c", 13, "no variable has a '=' in its name; a value is given with \"env set\"" },
	{ "env keep [=]\\=", 14, "no variable has a '=' in its name; a value is given with \"env set\"" },
	{ "env set", 8, "expected NAME=VALUE" },
	{ "env set X", 9, "expected NAME=VALUE" },
	{ "env set =x", 9, "expected NAME=VALUE" },
	{ "env set X=\"a\\0b\"", 9, "a variable cannot have a NUL in it" },
	{ "env set X=\"a", 11, "the quote is not closed" },
	{ "id", 3, "expected uid=N, gid=N, user=NAME or group=NAME" },
	{ "id pid=1", 4, "expected uid=N, gid=N, user=NAME or group=NAME" },
	{ "id uid", 4, "expected NAME=VALUE" },
	{ "id uid=x", 8, "expected a number" },
	{ "id uid=-1", 8, "expected a number" },
	{ "id uid=", 8, "expected a number" },
	{ "id uid=1k", 8, "expected a number" },
	{ "id uid=4294967295", 8, "no id is larger than 4294967294" },
	{ "id user=a:b", 9, "expected a name without blanks, ':', '/', ',' or '#'" },
	{ "id user=", 9, "expected a name without blanks, ':', '/', ',' or '#'" },
	{ "host", 5, "expected a name" },
	{ "host a b", 8, "nothing may follow here" },
	{ "host \"a b\"", 6, "expected a name without blanks, ':', '/', ',' or '#'" },
	{ "host aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 6, "a host's name has at most 64 bytes" },
	{ "umask", 6, "expected an octal number" },
	{ "umask 8", 7, "expected an octal number up to 777" },
	{ "umask 1000", 7, "expected an octal number up to 777" },
	{ "umask 022 x", 11, "nothing may follow here" },
	{ "limit", 6, "expected upper=SIZE, memory=SIZE, files=COUNT, nofile=COUNT or nproc=COUNT" },
	{ "limit lower=1", 7, "expected upper=SIZE, memory=SIZE, files=COUNT, nofile=COUNT or nproc=COUNT" },
	{ "limit upper=2X", 13, "expected a size, with K, M, G or T" },
	{ "limit upper=2GB", 13, "expected a size, with K, M, G or T" },
	{ "limit upper=99999999999999999999", 13, "expected a size, with K, M, G or T" },
	{ "limit upper=18446744073709551615", 13, "expected a size, with K, M, G or T" },
	{ "limit memory=99999999999T", 14, "expected a size, with K, M, G or T" },
	{ "limit files=2G", 13, "expected a number, with k or M" },

	/* include */
	{ "include", 8, "expected a path or <NAME>" },
	{ "include <nothing>", 9, "no policy called nothing comes with osfuse" },
	{ "include <readonly> x", 20, "nothing may follow here" },
	{ "include <readonly", 9, "<readonly: Operation not supported" },
	{ "include /a*", 11, "one path is expected here, not a pattern; write \\*" },
	{ "include /a\\", 11, "nothing follows the backslash" },
	{ "include /a", 9, "/a: Operation not supported" }, /* of a world that has no files */
};

static void test_wrong(void **state)
{
	unsigned int n_wrong = 0;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct report got = report(wrong[i].text);
		char *want = NULL;

		assert_true(asprintf(&want, "F:1:%u: %s\n%s\n%*s^\n", wrong[i].column, wrong[i].what, wrong[i].text,
				     (int) wrong[i].column - 1, "") > 0);
		if (got.n_errors != 1 || got.r != -EINVAL || strcmp(got.text, want) != 0) {
			print_error("%sinstead of\n%s", got.text, want);
			n_wrong++;
		}
		free(want);
		free(got.text);
	}
	assert_int_equal(n_wrong, 0);
}

/* All at once, in order; what is right between them is looked at and not shown. */
static void test_all_in_one_go(void **state)
{
	struct report got = report("hide /a\n\thidee /a\nro !x /b [y //\r\n\ndeny \xc3\xa4 [\nenv set A B=1 =2");

	assert_int_equal(got.n_errors, 7);
	assert_string_equal(got.text, "F:2:2: unknown verb \"hidee\"; did you mean \"hide\"?\n\thidee /a\n\t^\n"
				      "F:3:4: negation is a later rule here; write \\! for a name that begins with !\n"
				      "ro !x /b [y //\n   ^\n"
				      "F:3:10: a ']' is missing; write \\[ for a name with a bracket\nro !x /b [y //\n         ^\n"
				      "F:3:14: nothing is between two slashes\nro !x /b [y //\n             ^\n"
				      "F:5:9: a ']' is missing; write \\[ for a name with a bracket\ndeny \xc3\xa4 [\n       ^\n"
				      "F:6:9: expected NAME=VALUE\nenv set A B=1 =2\n        ^\n"
				      "F:6:15: expected NAME=VALUE\nenv set A B=1 =2\n              ^\n");
	free(got.text);
}

static void test_many_errors(void **state)
{
	char text[151 * 2];
	struct report got;

	for (size_t i = 0; i < 150; i++)
		memcpy(text + 2 * i, "x\n", 2);
	text[300] = '\0';
	got = report(text);
	assert_int_equal(got.n_errors, 150);
	assert_non_null(strstr(got.text, "F:100:1: "));
	assert_null(strstr(got.text, "F:101:1: "));
	assert_string_equal(got.text + strlen(got.text) - strlen("… and 50 more\n"), "… and 50 more\n");
	free(got.text);
}

/* NUL, control characters, lines without end: they are shown such that nothing happens to a terminal. */
static void test_strange_bytes(void **state)
{
	static const char nul[] = "hide /a\nhide \0x\n\x1b[31m\n\xff\x9b\n\u202ex\u0430";
	struct policy_world world = test_world();
	struct report got = report_in(&world, nul, sizeof(nul) - 1);
	char *text = malloc(100001);

	assert_int_equal(got.n_errors, 4);
	assert_string_equal(got.text, "F:2:6: a NUL byte\nhide ?x\n     ^\n"
				      "F:3:1: unknown verb \"?[31m\"\n?[31m\n^\n"
				      "F:4:1: unknown verb \"??\"\n??\n^\n"
				      "F:5:1: unknown verb \"?x\u0430\"\n?x\u0430\n^\n");
	free(got.text);

	assert_non_null(text);
	memset(text, 'a', 100000);
	memcpy(text, "hide /b ", 8);
	text[50000] = ' ';
	text[50001] = '!';
	text[100000] = '\0';
	got = report(text);
	assert_int_equal(got.n_errors, 2);
	assert_non_null(strstr(got.text, "F:1:9: no name is longer"));
	assert_non_null(strstr(got.text, "F:1:50002: negation"));
	free(got.text);
	free(text);
}

static void test_long_lines_are_cut(void **state)
{
	char text[2001];
	struct report got;
	char *line, *caret;

	memset(text, ' ', 2000);
	memcpy(text, "hide /a", 7);
	text[1000] = '!';
	text[1001] = 'x';
	text[2000] = '\0';
	got = report(text);
	assert_int_equal(got.n_errors, 1);
	line = strchr(got.text, '\n') + 1;
	caret = strchr(line, '\n') + 1;
	assert_memory_equal(got.text, "F:1:1001: ", 10);
	assert_true(caret - line < 300);
	assert_int_equal(line[strcspn(caret, "^")], '!');
	free(got.text);
}

static void test_lengths(void **state)
{
	char name[600], text[700];
	struct report got;
	struct policy *p;

	memset(name, 'n', sizeof(name));
	(void) snprintf(text, sizeof(text), "hide /%.*s", 255, name);
	p = test_policy(text);
	(void) policy_unref(p);
	(void) snprintf(text, sizeof(text), "hide /x/*[a-z]\\?%.*s", 253, name);
	p = test_policy(text);
	(void) policy_unref(p);
	(void) snprintf(text, sizeof(text), "hide /x/%.*s", 256, name);
	got = report(text);
	assert_memory_equal(got.text, "F:1:9: no name is longer than 255 bytes\n", 40);
	free(got.text);
	(void) snprintf(text, sizeof(text), "hide /x/*[a-z]\\?%.*s", 254, name);
	got = report(text);
	assert_memory_equal(got.text, "F:1:9: no name is longer than 255 bytes\n", 40);
	free(got.text);
}

/* The mark that an editor has put before the first line is no column of it; elsewhere it is a name. */
static void test_byte_order_mark(void **state)
{
	struct report got = report("\xef\xbb\xbfhidee /a\n\xef\xbb\xbfro /b");
	struct policy *p = test_policy("\xef\xbb\xbfhide /a\ninclude <readonly>");

	assert_non_null(strstr(got.text, "F:1:1: unknown verb \"hidee\"; did you mean \"hide\"?\nhidee /a\n^\nF:2:1: unknown verb \""));
	assert_int_equal(got.n_errors, 2);
	free(got.text);
	assert_string_equal(policy_rule(p, 0)->pattern, "/a");
	assert_int_equal(policy_rule(p, 0)->column, 6);
	(void) policy_unref(p);
}

/* Nothing is wrong; what it means is in test-match.c. */
static void test_right(void **state)
{
	static const char *const texts[] = {
		"", "\xef\xbb\xbf", "\n", "\r\n", "# x", "   # x\n\t\n", "hide a", "\thide\ta\t", "hide a\r\nro b\r\n", "hide a #b", "hide\ta#b",
		"deny errno=EPERM a b", "deny a errno=EPERM b", "log all", "nolog all x", "env keep A B* \"C\"", "env keep A[!=]*", "env set A=",
		"id uid=0 gid=4294967294", "host \"a\"", "umask 0", "umask 0777", "include <readonly>", "file /a \"\"",
		"file /a \"# no comment\"", "file /a </b # comment", "file /a < /b", "hide ~", "\"hide\" a", "hide \"a\" \"b c\"",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		(void) policy_unref(test_policy(texts[i]));
}

static void test_settings(void **state)
{
	struct policy *p = test_policy("env keep PATH LC_*\nenv set HOME=/home/user A=\"x y\\n\\x41\" E=\nenv keep T[E]RM\nenv set HOME=/h A=z\n"
				       "env set B=#\"\\ C=x#y D=\"x y\\n\\x41\"\nid uid=1000 gid=100 user=u group=\"g\"\nid uid=1001\nhost old\nhost sandbox\n"
				       "umask 022\nlimit upper=2G files=100k nofile=4096 nproc=2M memory=3T\nlimit files=7K\n");
	const struct policy_settings *s = policy_settings(p);
	static const char *const keep[] = { "PATH", "LC_*", "T[E]RM" };
	static const char *const set[] = { "HOME=/h", "A=z", "E=", "B=#\"\\", "C=x#y", "D=x y\nA" };

	for (size_t i = 0; i < ARRAY_SIZE(keep); i++)
		assert_string_equal(s->env_keep[i], keep[i]);
	assert_null(s->env_keep[ARRAY_SIZE(keep)]);
	for (size_t i = 0; i < ARRAY_SIZE(set); i++)
		assert_string_equal(s->env_set[i], set[i]);
	assert_null(s->env_set[ARRAY_SIZE(set)]);
	assert_int_equal(s->uid, 1001);
	assert_int_equal(s->gid, 100);
	assert_string_equal(s->user, "u");
	assert_string_equal(s->group, "g");
	assert_string_equal(s->host, "sandbox");
	assert_int_equal(s->umask, 022);
	assert_true(s->limit_upper == UINT64_C(2) << 30 && s->limit_memory == UINT64_C(3) << 40);
	assert_true(s->limit_files == 7000 && s->limit_nofile == 4096 && s->limit_nproc == 2000000);
	(void) policy_unref(p);
}

static void test_unset(void **state)
{
	struct policy *p = test_policy("hide /a"), *q = test_policy("env set A=b"), *k = test_policy("env keep A");
	const struct policy_settings *s = policy_settings(p);

	assert_null(s->env_keep);
	assert_null(s->env_set);
	assert_true(!s->user && !s->group && !s->host);
	assert_true(s->uid == POLICY_UNSET && s->gid == POLICY_UNSET && s->umask == POLICY_UNSET);
	assert_true(s->limit_upper == POLICY_UNSET && s->limit_memory == POLICY_UNSET && s->limit_files == POLICY_UNSET);
	assert_true(s->limit_nofile == POLICY_UNSET && s->limit_nproc == POLICY_UNSET);
	assert_null(policy_settings(q)->env_keep[0]); /* what is not kept or set is not there */
	assert_null(policy_settings(k)->env_set);
	(void) policy_unref(p);
	(void) policy_unref(q);
	(void) policy_unref(k);
}

/* Files that include each other. */
static const char *const sources[][2] = {
	{ "/p/main", "ro /a\ninclude sub\nro /z" },
	{ "/p/sub", "hide /b\n" },
	{ "/p/self", "include self" },
	{ "/p/ring", "include ring2" },
	{ "/p/ring2", "hide /q\n  include ring" },
	{ "/p/bad", "include worse\n" },
	{ "/p/worse", "\nhide [" },
	{ "/p/deep", "include deeper/x" },
	{ "/p/twice", "include sub\ninclude sub" },
	{ "/p/bomb", "include bomb1\ninclude bomb1\ninclude bomb1\ninclude bomb1\ninclude bomb1" },
	{ "/p/bomb1", "include bomb2\ninclude bomb2\ninclude bomb2\ninclude bomb2\ninclude bomb2" },
	{ "/p/bomb2", "include bomb3\ninclude bomb3\ninclude bomb3\ninclude bomb3\ninclude bomb3" },
	{ "/p/bomb3", "include bomb4\ninclude bomb4\ninclude bomb4\ninclude bomb4\ninclude bomb4" },
	{ "/p/bomb4", "include sub\ninclude sub" },
	{ "/home/u/x", "hide /homely" },
	{ "/srv/data/y z", "hide /variable" },
};

static int read_source(void *arg, const char *from, const char *path, char **ret_name, char **ret_text, size_t *ret_len)
{
	char *name = NULL;

	if (strncmp(path, "deeper/", 7) == 0) {
		*ret_name = strdup(path);
		assert_non_null(*ret_name);
		assert_true(asprintf(ret_text, "include %sx", *ret_name) > 0);
		*ret_len = strlen(*ret_text);
		return 0;
	}
	assert_true(asprintf(&name, "%s%s", path[0] == '/' ? "" : "/p/", path) > 0);
	if (strcmp(path, "none") == 0) {
		*ret_name = name;
		return -ENOENT;
	}
	if (strcmp(path, "memory") == 0) {
		free(name);
		return -ENOMEM;
	}
	for (size_t i = 0; i < ARRAY_SIZE(sources); i++)
		if (strcmp(sources[i][0], name) == 0) {
			*ret_name = name;
			*ret_text = strdup(sources[i][1]);
			*ret_len = strlen(sources[i][1]);
			return 0;
		}
	free(name);
	return -EACCES;
}

static struct policy_world world_with_files(void)
{
	struct policy_world world = test_world();

	world.include = read_source;
	return world;
}

static void test_include(void **state)
{
	struct policy_world world = world_with_files();
	struct policy *p = test_policy_in(&world, "include main\nhide /end\ninclude ~/x\ninclude $DIR/y\\ z\ninclude twice", false);
	static const struct {
		const char *source, *pattern;
		unsigned int line;
	} rules[] = {
		{ "/p/main", "/a", 1 },	  { "/p/sub", "/b", 1 },	 { "/p/main", "/z", 3 },
		{ "test", "/end", 2 },	  { "/home/u/x", "/homely", 1 }, { "/srv/data/y z", "/variable", 1 },
		{ "/p/sub", "/b", 1 },	  { "/p/sub", "/b", 1 },
	};

	assert_int_equal(policy_n_rules(p), ARRAY_SIZE(rules));
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		assert_string_equal(policy_rule(p, (int) i)->source, rules[i].source);
		assert_string_equal(policy_rule(p, (int) i)->pattern, rules[i].pattern);
		assert_int_equal(policy_rule(p, (int) i)->line, rules[i].line);
	}
	(void) policy_unref(p);
}

static void test_include_wrong(void **state)
{
	static const struct {
		const char *text, *report;
	} cases[] = {
		{ "include none", "F:1:9: /p/none: No such file or directory\ninclude none\n        ^\n" },
		{ "include secret", "F:1:9: secret: Permission denied\ninclude secret\n        ^\n" },
		{ "include self", "/p/self:1:9: /p/self includes itself, here or further up\ninclude self\n        ^\n" },
		{ "include ring", "/p/ring2:2:11: /p/ring includes itself, here or further up\n  include ring\n          ^\n" },
		{ "include bad", "/p/worse:2:6: a ']' is missing; write \\[ for a name with a bracket\nhide [\n     ^\n" },
	};
	struct policy_world world = world_with_files();
	struct report got;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		got = report_in(&world, cases[i].text, strlen(cases[i].text));
		assert_string_equal(got.text, cases[i].report);
		assert_int_equal(got.n_errors, 1);
		free(got.text);
	}
	got = report_in(&world, "include deep", 12);
	assert_int_equal(got.n_errors, 1);
	assert_non_null(strstr(got.text, ": more than 32 sources deep\n"));
	assert_non_null(strstr(got.text, "deeper/xxxx"));
	free(got.text);
	got = report_in(&world, "include bomb", 12);
	assert_int_equal(got.n_errors, 1);
	assert_non_null(strstr(got.text, ": more than 1000 sources\n"));
	free(got.text);
}

static void test_include_memory(void **state)
{
	struct policy_world world = world_with_files();
	struct policy_builder *b = NULL;

	assert_int_equal(policy_builder_new(&world, &b), 0);
	assert_int_equal(policy_builder_add(b, "F", "include memory", 14), -ENOMEM);
	assert_null(policy_builder_free(b));
	assert_null(policy_builder_free(NULL));
}

/* A world in which nothing is known. */
static void test_empty_world(void **state)
{
	static const struct policy_world world;
	static const struct policy_world of_u = { .user = "u" };
	struct report got = report_in(&world, "hide ~/a ~u/a ~*/a $X/a /b\ninclude x", 36);

	assert_int_equal(got.n_errors, 5);
	assert_non_null(strstr(got.text, "F:1:6: there is no home directory here\n"));
	assert_non_null(strstr(got.text, "F:1:10: there is no user u;"));
	assert_non_null(strstr(got.text, "F:1:15: the homes of the users are not known here\n"));
	assert_non_null(strstr(got.text, "F:1:20: the variable X is not set;"));
	assert_non_null(strstr(got.text, "F:2:9: x: Operation not supported\n"));
	free(got.text);
	got = report_in(&of_u, "hide ~/a", 8);
	assert_non_null(strstr(got.text, "F:1:6: the account u has no home directory:"));
	free(got.text);
}

static void test_odd_homes(void **state)
{
	static const char *const homes[] = { "/", "/h/[x", NULL }, *const none[] = { NULL };
	struct policy_world world = { .home = "/", .homes = homes };
	struct report got = report_in(&world, "hide ~*/a", 9);
	char buf[64];
	struct policy *p;

	assert_int_equal(got.n_errors, 1);
	assert_memory_equal(got.text, "F:1:6: a ']' is missing;", 24);
	free(got.text);
	world.homes = none;
	p = test_policy_in(&world, "hide ~*/a\nro ~/b\ndeny ~/", false);
	assert_int_equal(policy_n_rules(p), 3);
	assert_string_equal(test_judge(p, "/b", buf), "deny 13"); /* "/" is the home, and all */
	(void) policy_unref(p);
}

static char *under_data(void *arg, const char *home)
{
	char *real = NULL;

	return strcmp(home, "/home/u") != 0 || asprintf(&real, "/data%s/[r]", home) < 0 ? NULL : real;
}

/* Links lead to a home: what is said of it holds there, too. */
static void test_real_home(void **state)
{
	static const char text[] = "hide ~/a\nro ~eve/a\nro ~/a/b\nfile ~/m \"x\"\nfile /n < ~/src\n";
	struct policy_world world = test_world();
	struct policy *p;
	char buf[64];

	world.real_home = under_data;
	p = test_policy_in(&world, text, false);
	assert_int_equal(policy_n_rules(p), 5);
	assert_string_equal(test_judge(p, "/home/u/a/", buf), "hide passage");
	assert_string_equal(test_judge(p, "/home/u/a/b", buf), "ro");
	assert_string_equal(test_judge(p, "/data/home/u/[r]/a/", buf), "hide passage");
	assert_string_equal(test_judge(p, "/data/home/u/[r]/a/b", buf), "ro");
	assert_string_equal(test_judge(p, "/data/home/u/r/a", buf), "cow");
	assert_string_equal(test_judge(p, "/data/home/eve/[r]/a", buf), "cow");
	assert_string_equal(test_judge(p, "/home/u/m", buf), "cow file 0");
	assert_string_equal(test_judge(p, "/data/home/u/[r]/m", buf), "cow file 1");
	assert_string_equal(policy_file(p, 1)->path, "/data/home/u/[r]/m");
	assert_string_equal(policy_file(p, 2)->host_path, "/home/u/src");
	(void) policy_unref(p);
}

/* In a view of a home, of what it is in, or of something in it: what is said of it holds where it shows. */
static void test_lowers(void **state)
{
	static const char text[] = "hide ~*/.ssh ~*/.config/x/\nro ~/s/**/t\nrw ~/out\nhide ~/d\nro ~\nfile ~/m \"x\"\n";
	static const char *const lowers[][3] = {
		{ "/home/u" }, { "/home" }, { "/srv/a", "/home/u" }, { "/home/u/s" }, { "/home/u/d/e" }, { "/root" }, { "/" }, { "/home/u/s/r" },
	};
	static const struct {
		size_t lowers;
		const char *path, *expected;
	} rows[] = {
		{ 0, "/.ssh/", "ro" }, { 0, "/out", "ro" }, { 0, "/", "ro" }, { 0, "/m", "ro file 1" }, { 0, "/home/u/m", "ro file 0" },
		{ 1, "/u/.ssh/", "ro" }, { 1, "/eve/.ssh/", "hide" }, { 1, "/.ssh/", "cow" }, { 1, "/", "cow" }, { 1, "/u/m", "ro file 1" },
		{ 2, "/.ssh/", "ro" }, { 2, "/", "ro" }, { 3, "/a/b/t", "ro" }, { 3, "/", "cow" }, { 4, "/", "cow" }, { 5, "/.ssh/", "hide" },
		{ 5, "/.config/x/", "hide" }, { 5, "/.config/x", "cow" }, { 5, "/out", "cow" }, { 6, "/.ssh/", "cow" }, { 7, "/t", "ro" },
	};
	static const char *const both[] = { "/srv/a", "/home/u", NULL };
	struct policy_world world = test_world();
	struct policy *p;
	char buf[64];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		world.lowers = lowers[rows[i].lowers];
		p = test_policy_in(&world, text, false);
		assert_string_equal(test_judge(p, rows[i].path, buf), rows[i].expected);
		assert_int_equal(policy_n_rules(p), 7);
		(void) policy_unref(p);
	}
	/* What is rw is changed in the topmost lower: that is not the home. */
	world.lowers = both;
	p = test_policy_in(&world, "rw ~/out\nhide ~/no\n", false);
	assert_string_equal(test_judge(p, "/out", buf), "cow");
	assert_string_equal(test_judge(p, "/no", buf), "hide");
	(void) policy_unref(p);
	world.lowers = both + 1;
	p = test_policy_in(&world, "rw ~/out\nfile ~/a/m \"x\"\n", false);
	assert_string_equal(test_judge(p, "/out", buf), "rw");
	assert_string_equal(policy_file(p, 0)->path, "/home/u/a/m");
	assert_string_equal(policy_file(p, 1)->path, "/a/m");
	(void) policy_unref(p);
}

static void test_command_line(void **state)
{
	struct policy_world world = test_world();
	struct policy_builder *b = NULL;
	struct policy *p = NULL;
	char buf[64];

	assert_int_equal(policy_builder_new(&world, &b), 0);
	assert_int_equal(policy_builder_add(b, "F", "ro /x", 5), 0);
	assert_int_equal(policy_builder_add_rule(b, POLICY_VERB_HIDE, "/a b # c"), 0);
	assert_int_equal(policy_builder_add_rule(b, POLICY_VERB_DENY, "~/\"q\""), 0);
	assert_int_equal(policy_builder_add_rule(b, POLICY_VERB_RW, "/x"), 0);
	assert_int_equal(policy_builder_compile(b, false, &p), 0);
	(void) policy_builder_free(b);
	assert_string_equal(test_judge(p, "/a b # c", buf), "hide");
	assert_string_equal(test_judge(p, "/home/u/\"q\"", buf), "deny 13");
	assert_string_equal(test_judge(p, "/x", buf), "rw");
	assert_string_equal(policy_rule(p, 2)->source, "command line");
	assert_int_equal(policy_rule(p, 2)->line, 2);
	assert_int_equal(policy_rule(p, 2)->column, 1);
	assert_string_equal(policy_rule(p, 2)->pattern, "~/\"q\"");
	(void) policy_unref(p);
}

static void test_command_line_wrong(void **state)
{
	struct policy_world world = test_world();
	struct policy_builder *b = NULL;
	struct policy *p = NULL;
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	assert_int_equal(policy_builder_new(&world, &b), 0);
	assert_int_equal(policy_builder_add_rule(b, POLICY_VERB_HIDE, "/fine"), 0);
	assert_int_equal(policy_builder_add_rule(b, POLICY_VERB_HIDE, "/a [b"), 0);
	assert_int_equal(policy_builder_add_rule(b, POLICY_VERB_HIDE, ""), 0);
	assert_int_equal(policy_builder_add_rule(b, POLICY_VERB_FILE, "/x"), 0);
	assert_int_equal(policy_builder_compile(b, false, &p), -EINVAL);
	policy_builder_report(b, f);
	assert_int_equal(fclose(f), 0);
	assert_string_equal(text, "command line:2:4: a ']' is missing; write \\[ for a name with a bracket\n/a [b\n   ^\n"
				  "command line:3:1: the pattern is empty\n\n^\n"
				  "command line:4:1: a made-up file needs a policy file\n/x\n^\n");
	free(text);
	(void) policy_builder_free(b);
}

/* What comes with the program is right, in a world that knows what a host knows; names and texts belong together. */
static void test_shipped(void **state)
{
	const char *const *names = policy_shipped_names();
	struct policy_world world = test_world();
	size_t len = 0, n = 0;

	assert_null(policy_shipped("nothing", &len));
	assert_null(policy_shipped("", &len));
	for (; names[n]; n++) {
		struct policy_builder *b = NULL;
		struct policy *p = NULL;
		const char *text = policy_shipped(names[n], &len);

		assert_non_null(text);
		assert_int_equal(strlen(text), len);
		assert_true(n == 0 || strcmp(names[n - 1], names[n]) < 0);
		assert_int_equal(policy_builder_new(&world, &b), 0);
		assert_int_equal(policy_builder_add(b, names[n], text, len), 0);
		assert_int_equal(policy_builder_compile(b, false, &p), 0);
		assert_true(policy_n_rules(p) > 0);
		(void) policy_unref(p);
		(void) policy_builder_free(b);
	}
	assert_true(n >= 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_all_in_one_go),
		cmocka_unit_test(test_many_errors),
		cmocka_unit_test(test_strange_bytes),
		cmocka_unit_test(test_byte_order_mark),
		cmocka_unit_test(test_long_lines_are_cut),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_right),
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_unset),
		cmocka_unit_test(test_include),
		cmocka_unit_test(test_include_wrong),
		cmocka_unit_test(test_include_memory),
		cmocka_unit_test(test_empty_world),
		cmocka_unit_test(test_odd_homes),
		cmocka_unit_test(test_real_home),
		cmocka_unit_test(test_lowers),
		cmocka_unit_test(test_command_line),
		cmocka_unit_test(test_command_line_wrong),
		cmocka_unit_test(test_shipped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
