/*
 * Patterns mean what they mean in a .gitignore. Generated patterns and paths, decided here and by "git check-ignore" in one go: every
 * pattern has a directory of its own in a repository, with a .gitignore that has it alone, so that it is to that directory what a
 * pattern here is to the root. One pattern at a time, as git does not look below what it ignores, and a policy does.
 *
 * Paths that do not exist are files to git. In every eighth directory they are made, as directories.
 */

#include "policy-test.h"

#include <sys/stat.h>
#include <unistd.h>

#define N_PATTERNS 2500
#define N_PATHS 10
#define DIR_EVERY 8
#define TEXT_BYTES 300

static uint64_t seed = 1;

static unsigned int draw(unsigned int n)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (unsigned int) (seed >> 33) % n;
}

/* What components are made of, and something that each matches. */
static const struct {
	const char *pattern, *match;
} pieces[] = {
	{ "a", "a" }, { "b", "b" }, { "foo", "foo" }, { ".x", ".x" }, { "-", "-" }, { "A", "A" }, { "]", "]" }, { "\"", "\"" },
	{ "\xc3\xa4", "\xc3\xa4" }, { "\xff", "\xff" }, { "\x01", "\x01" }, { "{a,b}", "{a,b}" }, { "^", "^" }, { "a!", "a!" },
	{ "\\a", "a" }, { "\\*", "*" }, { "\\?", "?" }, { "\\[", "[" }, { "\\\\", "\\" }, { "\\]", "]" }, { "a\\ ", "a " },
	{ "*", "" }, { "*", "ab" }, { "*", "." }, { "*", "foo" }, { "?", "a" }, { "?", "." }, { "?", "\xff" }, { "**", "ab" },
	{ "***", "a" },
	{ "[ab]", "b" }, { "[!ab]", "c" }, { "[^ab]", "-" }, { "[a-c]", "c" }, { "[!a-c]", "d" }, { "[]a]", "]" }, { "[!]a]", "b" },
	{ "[a-]", "-" }, { "[-a]", "-" }, { "[a-c-e]", "-" }, { "[a-c-e]", "e" }, { "[c-a]", "b" }, { "[\\]a]", "]" },
	{ "[\\a-\\c]", "b" }, { "[a\\-c]", "-" }, { "[\\\\]", "\\" }, { "[[]", "[" }, { "[a[:digit:]]", "7" }, { "[![:digit:]]", "a" },
	{ "[[:alpha:]]", "A" }, { "[[:alnum:]-]", "-" }, { "[[:upper:]]", "A" }, { "[[:lower:]]", "a" }, { "[[:punct:]]", "^" },
	{ "[[:space:]]", " " }, { "[[:blank:]]", "\t" }, { "[[:cntrl:]]", "\x01" }, { "[[:graph:]]", "!" }, { "[[:print:]]", " " },
	{ "[[:xdigit:]]", "F" }, { "[[:alpha]", ":" }, { "[[:]", ":" }, { "[a-[:digit:]]", "a]" }, { "[\x80-\xff]", "\xc3" },
	{ "[!-.]", "-" }, { "[+--]", "," }, { "[*]", "*" }, { "[?]", "?" }, { "[!!]", "a" }, { "[\xc3\xa4]", "\xa4" }, { "[a/]", "a" },
	{ "[[:digit:]-z]", "-" }, { "[a^]", "^" },
	/* errors here, and never matched by git */
	{ "[", "[" }, { "[a", "[a" }, { "[]", "[]" }, { "[[:no:]]", "n" }, { "[[::]]", ":" },
};

static const char *const names[] = { "a", "b", "ab", "foo", ".x", "A", "c", "-", "]", "aa", "x", "7", "bar" };

/* A pattern, and a path that it would match if what it says were all. */
static void make_pattern(char *pattern, char *path)
{
	unsigned int n = 1 + draw(4), n_pieces = ARRAY_SIZE(pieces) - (draw(12) ? 5 : 0);

	(void) strcpy(pattern, draw(3) == 0 ? "/" : "");
	path[0] = '\0';
	for (unsigned int i = 0; i < n; i++) {
		unsigned int k = 1 + draw(3);

		if (i > 0)
			(void) strcat(pattern, "/");
		if (draw(4) == 0) {
			(void) strcat(pattern, "**");
			for (unsigned int j = draw(3); j > 0; j--)
				(void) sprintf(path + strlen(path), "/%s", names[draw(ARRAY_SIZE(names))]);
			continue;
		}
		(void) strcat(path, "/");
		for (unsigned int j = 0; j < k; j++) {
			unsigned int piece = draw(n_pieces);

			(void) strcat(pattern, pieces[piece].pattern);
			(void) strcat(path, pieces[piece].match);
		}
	}
	if (draw(4) == 0)
		(void) strcat(pattern, "/");
	if (draw(40) == 0)
		(void) strcat(pattern, "\\");
}

/* Not what is another thing to either side: comments, negation, homes, and blanks at the end, which git drops. */
static bool is_usable(const char *pattern)
{
	size_t len = strlen(pattern);

	return len > 0 && !strchr("#!~", pattern[0]) && pattern[len - 1] != ' ' && pattern[len - 1] != '\t' && strlen(pattern) < 200;
}

/* Components that can be asked for: no empty ones, no "." or "..", no repository. */
static bool is_path(const char *path)
{
	for (; *path == '/'; path += strcspn(path + 1, "/") + 1) {
		size_t len = strcspn(path + 1, "/");

		if (len == 0 || (len <= 2 && strncmp(path + 1, "..", len) == 0) || strncmp(path + 1, ".git", 4) == 0)
			return false;
	}
	return true;
}

/* Something like the path that would match: as it is, with more before, behind or between, or with less. */
static void vary(char *out, const char *path)
{
	const char *name = names[draw(ARRAY_SIZE(names))];
	size_t cut = strlen(path) ? draw((unsigned int) strlen(path)) : 0;

	do {
		switch (draw(7)) {
		case 0: (void) snprintf(out, TEXT_BYTES, "/%s%s", name, path); break;
		case 1: (void) snprintf(out, TEXT_BYTES, "%s/%s", path, name); break;
		case 2: (void) snprintf(out, TEXT_BYTES, "%.*s/%s%s", (int) cut, path, name, path + cut); break;
		case 3: (void) snprintf(out, TEXT_BYTES, "%.*s%s", (int) cut, path, path + cut + (path[cut] != '\0')); break;
		case 4: (void) snprintf(out, TEXT_BYTES, "/%s/%s", name, names[draw(ARRAY_SIZE(names))]); break;
		default: (void) snprintf(out, TEXT_BYTES, "%s", path); break;
		}
		if (!is_path(out) || out[0] != '/')
			(void) snprintf(out, TEXT_BYTES, "/%s/%s", name, names[draw(ARRAY_SIZE(names))]);
	} while (!is_path(out));
}

/* A pattern and its paths, and what was said of each. */
struct question {
	char pattern[TEXT_BYTES], paths[N_PATHS][TEXT_BYTES];
	bool git[N_PATHS];
};

static struct question *make_questions(void)
{
	struct question *v = calloc(N_PATTERNS, sizeof(*v));

	assert_non_null(v);
	for (size_t i = 0; i < N_PATTERNS; i++) {
		char path[TEXT_BYTES];

		do
			make_pattern(v[i].pattern, path);
		while (!is_usable(v[i].pattern));
		for (size_t k = 0; k < N_PATHS; k++)
			vary(v[i].paths[k], path);
	}
	return v;
}

static void make_directories(const char *base, const char *path)
{
	char full[2 * TEXT_BYTES];
	size_t n = strlen(base);

	(void) snprintf(full, sizeof(full), "%s%s", base, path);
	for (size_t i = n + 1; i <= strlen(full); i++)
		if (full[i] == '/' || full[i] == '\0') {
			char c = full[i];

			full[i] = '\0';
			assert_true(mkdir(full, 0700) == 0 || errno == EEXIST);
			full[i] = c;
		}
}

static FILE *open_file(const char *dir, const char *name, const char *mode)
{
	char path[2 * TEXT_BYTES];
	FILE *f;

	(void) snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, mode);
	assert_non_null(f);
	return f;
}

static void run(const char *format, const char *dir)
{
	char command[1000];

	(void) snprintf(command, sizeof(command), format, dir, dir, dir);
	assert_int_equal(system(command), 0);
}

/* In a directory of its own: the repository, the questions to stdin, and the answers. */
static void ask_git(const char *dir, struct question *v, size_t n)
{
	FILE *in = open_file(dir, "questions", "we"), *out;
	char *fields[4] = { NULL }, base[TEXT_BYTES];
	size_t sizes[4] = { 0 };

	run("git -c init.defaultBranch=x init -q --template= %s/repo", dir);
	for (size_t i = 0; i < n; i++) {
		FILE *ignore;

		(void) snprintf(base, sizeof(base), "%s/repo/d%zu", dir, i);
		assert_int_equal(mkdir(base, 0700), 0);
		ignore = open_file(base, ".gitignore", "we");
		assert_true(fprintf(ignore, "%s\n", v[i].pattern) > 0);
		assert_int_equal(fclose(ignore), 0);
		for (size_t k = 0; k < N_PATHS && v[i].paths[k][0]; k++) {
			if (i % DIR_EVERY == 0)
				make_directories(base, v[i].paths[k]);
			assert_true(fprintf(in, "d%zu%s%c", i, v[i].paths[k], 0) > 0);
		}
	}
	assert_int_equal(fclose(in), 0);
	run("cd %s/repo && HOME=%s GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_COUNT=0 git -c core.ignorecase=false -c core.excludesFile= "
	    "check-ignore --no-index --stdin -z -v -n <../questions >../answers || test $? = 1", dir);
	out = open_file(dir, "answers", "re");
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < N_PATHS && v[i].paths[k][0]; k++) {
			for (size_t field = 0; field < 4; field++)
				assert_true(getdelim(&fields[field], &sizes[field], '\0', out) > 0);
			assert_string_equal(strchr(fields[3], '/'), v[i].paths[k]);
			v[i].git[k] = fields[0][0] != '\0'; /* the file that the pattern is in */
		}
	assert_int_equal(fgetc(out), EOF);
	(void) fclose(out);
	for (size_t field = 0; field < 4; field++)
		free(fields[field]);
}

static void with_git(struct question *v, size_t n)
{
	char dir[] = "/tmp/test-git.XXXXXX";

	assert_non_null(mkdtemp(dir));
	ask_git(dir, v, n);
	run("rm -rf %s", dir);
}

/* NULL: the pattern is an error. */
static struct policy *compile(const char *pattern)
{
	static const struct policy_world world;
	struct policy_builder *b = NULL;
	struct policy *p = NULL;

	assert_int_equal(policy_builder_new(&world, &b), 0);
	assert_int_equal(policy_builder_add_rule(b, POLICY_VERB_HIDE, pattern), 0);
	(void) policy_builder_compile(b, false, &p);
	(void) policy_builder_free(b);
	return p;
}

static bool is_hidden(const struct policy *p, const char *path, bool is_dir)
{
	struct policy_verdict v;

	assert_int_equal(policy_judge(p, path, is_dir, &v), 0);
	return v.access == POLICY_HIDE;
}

/*
 * git takes a literal beginning off before it looks for stars, so two stars behind a literal look to it as if a component began with
 * them: "a**" + "/b" also matches a/x/b. Its manual says that such stars are regular ones; so they are here.
 */
static bool begins_with_stars_for_git(const char *pattern)
{
	size_t literal = strcspn(pattern, "*?[\\"), n = strspn(pattern + literal, "*");

	return n >= 2 && literal > 0 && pattern[literal - 1] != '/' && pattern[literal + n] == '/';
}

static void test_corpus(void **state)
{
	struct question *v = make_questions();
	unsigned int n_hidden = 0, n_errors = 0, n_left_out = 0, n_wrong = 0;

	with_git(v, N_PATTERNS);
	for (size_t i = 0; i < N_PATTERNS; i++) {
		struct policy *p = compile(v[i].pattern);
		bool is_dir = i % DIR_EVERY == 0;

		n_errors += p ? 0 : N_PATHS;
		n_left_out += begins_with_stars_for_git(v[i].pattern) ? N_PATHS : 0;
		for (size_t k = 0; k < N_PATHS && !begins_with_stars_for_git(v[i].pattern); k++) {
			bool hidden = p && is_hidden(p, v[i].paths[k], is_dir);

			n_hidden += hidden;
			if (hidden != v[i].git[k]) {
				print_error("%s  %s%s: git says %s%s\n", v[i].pattern, v[i].paths[k], is_dir ? "/" : "",
					    v[i].git[k] ? "yes" : "no", p ? "" : ", and it is an error here");
				n_wrong++;
			}
		}
		(void) policy_unref(p);
	}
	print_message("%u pairs, %u of them match; %u have a pattern that is an error here, %u were left out\n",
		      N_PATTERNS * N_PATHS - n_left_out, n_hidden, n_errors, n_left_out);
	assert_int_equal(n_wrong, 0);
	assert_in_range(n_hidden, 5000, 20000);
	assert_in_range(N_PATTERNS * N_PATHS - n_left_out, 20000, 25000);
	free(v);
}

/* Where the language wants something else, and why. An error is one here whatever the path. */
static const struct {
	const char *pattern, *path;
	bool git, here, error;
	const char *why;
} differences[] = {
	{ "a**/b", "/a/x/b", true, false, false, "two stars inside of a component are regular ones, as git's manual says" },
	{ "/x/a**/b", "/x/a/y/b", true, false, false, "the same" },
	{ "!a", "/a", true, false, true, "a later rule is the negation" },
	{ "a[", "/a[", false, false, true, "never matches; so it is a mistake" },
	{ "a[[:no:]]", "/an", false, false, true, "the same" },
	{ "a\\", "/a\\", false, false, true, "the same" },
	{ "a//b", "/a/b", false, false, true, "the same" },
	{ "./a", "/a", false, false, true, "the same" },
	{ "../a", "/a", false, false, true, "the same" },
	{ "b/a\\/c", "/b/a/c", true, false, true, "no name has a slash: one that is escaped is a mistake" },
	{ "~a", "/~a", true, false, true, "a home; git knows none" },
	{ "a$HOME", "/a$HOME", true, false, true, "a variable; git knows none" },
	{ "a  ", "/a", true, false, false, "blanks are the parser's business: a quoted pattern keeps them" },
	{ "#a", "/#a", false, true, false, "comments are the parser's business" },
};

static void test_differences(void **state)
{
	struct question *v = calloc(ARRAY_SIZE(differences) * DIR_EVERY, sizeof(*v));

	assert_non_null(v);
	/* The paths are files: not in the directories in which they are made. */
	for (size_t i = 0; i < ARRAY_SIZE(differences); i++) {
		(void) strcpy(v[i * DIR_EVERY + 1].pattern, differences[i].pattern);
		(void) strcpy(v[i * DIR_EVERY + 1].paths[0], differences[i].path);
	}
	for (size_t i = 0; i < ARRAY_SIZE(differences) * DIR_EVERY; i++)
		if (!v[i].pattern[0])
			(void) strcpy(v[i].pattern, "unused");
	with_git(v, ARRAY_SIZE(differences) * DIR_EVERY);
	for (size_t i = 0; i < ARRAY_SIZE(differences); i++) {
		struct policy *p = compile(differences[i].pattern);
		bool here = p && is_hidden(p, differences[i].path, false);

		if (v[i * DIR_EVERY + 1].git[0] != differences[i].git || here != differences[i].here || !p != differences[i].error)
			fail_msg("%s and %s (%s): git %d, here %d, %s", differences[i].pattern, differences[i].path, differences[i].why,
				 v[i * DIR_EVERY + 1].git[0], here, p ? "fine" : "an error");
		(void) policy_unref(p);
	}
	free(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_corpus),
		cmocka_unit_test(test_differences),
	};

	if (getenv("TEST_SEED")) /* to look further */
		seed = strtoull(getenv("TEST_SEED"), NULL, 10);
	if (system("git --version >/dev/null 2>&1") != 0) {
		printf("there is no git\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
