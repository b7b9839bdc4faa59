/* Policies and paths: what is decided. One table, in which a row is a policy, a path, and its verdict. */

#include "policy-test.h"

#include <pthread.h>

static const struct {
	const char *policy, *path, *verdict;
} rows[] = {
	/* No rule. */
	{ "", "/", "cow" },
	{ "", "/a/b", "cow" },
	{ "# nothing\n\n", "/a/", "cow" },

	/* Anchored: with a slash anywhere but at the end. */
	{ "hide /a", "/a", "hide" },
	{ "hide /a", "/a/", "hide" },
	{ "hide /a", "/b/a", "cow" },
	{ "hide /a/b", "/a", "cow" },
	{ "hide /a/b", "/a/b", "hide" },
	{ "hide a/b", "/a/b", "hide" },
	{ "hide a/b", "/c/a/b", "cow" },
	{ "hide /", "/", "hide" },
	{ "hide /", "/a/b", "hide" },

	/* Floating. */
	{ "hide a", "/a", "hide" },
	{ "hide a", "/b/c/a", "hide" },
	{ "hide a", "/b/c/aa", "cow" },
	{ "hide a", "/b/a/c", "hide" },
	{ "hide *.key", "/x.key", "hide" },
	{ "hide *.key", "/d/.key", "hide" },
	{ "hide *.key", "/d/x.keys", "cow" },

	/* Directories only, and so what is in them. */
	{ "hide tmp/", "/tmp", "cow" },
	{ "hide tmp/", "/tmp/", "hide" },
	{ "hide tmp/", "/tmp/x", "hide" },
	{ "hide tmp/", "/a/tmp/", "hide" },
	{ "hide /a/tmp/", "/a/tmp/x/y", "hide" },
	{ "hide /a/tmp/", "/b/a/tmp/", "cow" },
	{ "hide */", "/a", "cow" },
	{ "hide */", "/a/b", "hide" },
	{ "ro a/\nhide a", "/a", "hide" },
	{ "hide a\nro a/", "/a", "hide" },
	{ "hide a\nro a/", "/a/", "ro" },

	/* Two stars. */
	{ "hide **/a/b", "/a/b", "hide" },
	{ "hide **/a/b", "/x/y/a/b", "hide" },
	{ "hide /a/**/b", "/a/b", "hide" },
	{ "hide /a/**/b", "/a/x/b", "hide" },
	{ "hide /a/**/b", "/a/x/y/b", "hide" },
	{ "hide /a/**/b", "/b", "cow" },
	{ "hide /a/**/b", "/x/a/b", "cow" },
	{ "hide /a/**", "/a/", "cow" },
	{ "hide /a/**", "/a/x", "hide" },
	{ "hide /a/**", "/a/x/y/z", "hide" },
	{ "hide /**", "/", "cow" },
	{ "hide /**", "/a", "hide" },
	{ "hide **", "/a/b", "hide" },
	{ "hide /a/**/", "/a/x", "cow" },
	{ "hide /a/**/", "/a/x/", "hide" },
	{ "hide /a/**/", "/a/x/y", "hide" },
	{ "hide /a/**/*/**", "/a/x", "cow" },
	{ "hide /a/**/*/**", "/a/x/y", "hide" },
	{ "hide /a/**/**/b", "/a/b", "hide" },
	{ "hide **/a/**/a/**/b", "/a/a/b", "hide" },
	{ "hide **/a/**/a/**/b", "/a/b", "cow" },
	{ "hide **/a/**/a/**/b", "/x/a/x/a/a/x/b", "hide" },
	{ "hide a**b", "/aXXb", "hide" },
	{ "hide a**b", "/aX/Xb", "cow" },
	{ "hide /a/***/b", "/a/x/y/b", "hide" },
	{ "hide /x/a**/b", "/x/a/y/b", "cow" },

	/* One star, question marks: no slash, but a leading dot. */
	{ "hide /*", "/.a", "hide" },
	{ "hide /a/*", "/a/", "cow" },
	{ "hide /a/*/c", "/a/b/c", "hide" },
	{ "hide /a/*/c", "/a/c", "cow" },
	{ "hide /a/*/c", "/a/b/b/c", "cow" },
	{ "hide /?a", "/.a", "hide" },
	{ "hide /?a", "/a", "cow" },
	{ "hide /a*b*c", "/abc", "hide" },
	{ "hide /a*b*c", "/aXbXbc", "hide" },
	{ "hide /a*b*c", "/ac", "cow" },
	{ "hide /a*bc", "/abcbc", "hide" },
	{ "hide /aa*aa", "/aaa", "cow" },
	{ "hide /??", "/ab", "hide" },
	{ "hide /??", "/abc", "cow" },
	{ "hide /?*", "/a", "hide" },

	/* Bytes, not characters. */
	{ "hide /?", "/\xc3\xa9", "cow" },
	{ "hide /??", "/\xc3\xa9", "hide" },
	{ "hide /\xff*", "/\xff\xfe", "hide" },

	/* Classes. */
	{ "hide /[a-c]x", "/bx", "hide" },
	{ "hide /[a-c]x", "/dx", "cow" },
	{ "hide /[!a-c]x", "/dx", "hide" },
	{ "hide /[^a-c]x", "/bx", "cow" },
	{ "hide /[]a]x", "/]x", "hide" },
	{ "hide /[!]a]x", "/]x", "cow" },
	{ "hide /[a-]x", "/-x", "hide" },
	{ "hide /[\\]a]x", "/]x", "hide" },
	{ "hide /[\\a-c]x", "/bx", "hide" },
	{ "hide /[a-\\c]x", "/bx", "hide" },
	{ "hide /[c-a]x", "/bx", "cow" },
	{ "hide /[a-c-e]x", "/dx", "cow" },
	{ "hide /[a-c-e]x", "/-x", "hide" },
	{ "hide /[[:digit:]]x", "/7x", "hide" },
	{ "hide /[[:digit:]]x", "/ax", "cow" },
	{ "hide /[![:alpha:]_]x", "/_x", "cow" },
	{ "hide /[[:xdigit:][:blank:]]x", "/Fx", "hide" },
	{ "hide \"/[[:blank:]]x\"", "/ x", "hide" },
	{ "hide /[[:upper:]]x", "/ax", "cow" },
	{ "hide /[[:punct:]]x", "/~x", "hide" },
	{ "hide /[[:alpha]x", "/hx", "hide" },
	{ "hide /[[:cntrl:]]x", "/\x7fx", "hide" },
	{ "hide /[[:graph:]]x", "/!x", "hide" },
	{ "hide /[[:print:]]x", "/\x7fx", "cow" },
	{ "hide /[[:space:]]x", "/\vx", "cow" },
	{ "hide /[[:lower:]]x", "/zx", "hide" },
	{ "hide /[[:alnum:]]x", "/\xe9x", "cow" },
	{ "hide a[/]b", "/a/b", "cow" },
	{ "hide a[/b]c", "/abc", "hide" },
	{ "hide a[/b]c", "/x/abc", "cow" }, /* it has a slash, so it is anchored */

	/* Escapes and quotes. */
	{ "hide /\\*", "/*", "hide" },
	{ "hide /\\*", "/a", "cow" },
	{ "hide /a\\ b", "/a b", "hide" },
	{ "hide \"/a b\"", "/a b", "hide" },
	{ "hide \"/a b*\"", "/a bc", "hide" },
	{ "hide \"/a\\\"b\"", "/a\"b", "hide" },
	{ "hide \"/a\\*b\"", "/a*b", "hide" },
	{ "hide /a\"b", "/a\"b", "hide" },
	{ "hide \\!a", "/!a", "hide" },
	{ "hide \\#a", "/#a", "hide" },
	{ "hide /a#b", "/a#b", "hide" },
	{ "hide /a #b", "/a", "hide" },
	{ "hide \\~a", "/~a", "hide" },
	{ "hide /a\\$WORD", "/a$WORD", "hide" },
	{ "hide /a$", "/a$", "hide" },
	{ "hide /a$1", "/a$1", "hide" },
	{ "hide /\\a\\b", "/ab", "hide" },
	{ "hide /a\\\\b", "/a\\b", "hide" },
	{ "hide /\\[a]", "/[a]", "hide" },

	/* Homes and variables. */
	{ "hide ~", "/home/u/", "hide" },
	{ "hide ~/.ssh", "/home/u/.ssh/id", "hide" },
	{ "hide ~eve/x", "/home/eve/x", "hide" },
	{ "hide ~*/.ssh", "/root/.ssh", "hide" },
	{ "hide ~*/.ssh", "/home/anybody/.ssh", "hide" },
	{ "hide ~*/.ssh", "/home/.ssh", "cow" },
	{ "hide ~*", "/home/x", "hide" },
	{ "hide $DIR/x", "/srv/data/x", "hide" },
	{ "hide ${DIR}/x", "/srv/data/x", "hide" },
	{ "hide $SLASH/x", "/srv/data/x", "hide" },
	{ "hide $ROOT/x", "/x", "hide" },
	{ "hide $ROOT", "/", "hide" },
	{ "hide /a/$WORD.c", "/a/word.c", "hide" },
	{ "hide /a/${WORD}s", "/a/words", "hide" },
	{ "hide /$STARS", "/a*[b]?", "hide" },
	{ "hide /$STARS", "/axb]y", "cow" },
	{ "hide /x$EMPTY", "/x", "hide" },

	/* The last one decides, also above. */
	{ "hide /a\nro /a/b", "/a/b", "ro" },
	{ "hide /a\nro /a/b", "/a/c", "hide" },
	{ "ro /a/b\nhide /a", "/a/b", "hide" },
	{ "ro /a\nrw /a/b\ncow /a/b/c", "/a/b/c/d", "cow" },
	{ "ro /a\nrw /a/b\ncow /a/b/c", "/a/b/d", "rw" },
	{ "hide *.key\ncow /pub/**", "/pub/a.key", "cow" },
	{ "cow /pub/**\nhide *.key", "/pub/a.key", "hide" },
	{ "hide *\ncow *", "/a", "cow" },

	/* deny and its errno. */
	{ "deny /a", "/a", "deny 13" },
	{ "deny /a errno=EPERM", "/a", "deny 1" },
	{ "deny errno=ENOENT /a /b", "/b", "deny 2" },
	{ "deny /a \"errno=EPERM\"", "/errno=EPERM", "deny 13" },
	{ "deny /a errno=EIO\nro /a", "/a", "ro" },

	/* The other kinds go their own ways. */
	{ "noexec /tmp", "/tmp/x", "cow noexec" },
	{ "noexec /tmp\nexec /tmp/bin", "/tmp/bin/x", "cow" },
	{ "exec /tmp/bin\nnoexec /tmp", "/tmp/bin/x", "cow noexec" },
	{ "log all", "/", "cow log" },
	{ "log all", "/a/b", "cow log" },
	{ "log all\nnolog /a", "/a/b", "cow" },
	{ "log /a\nnolog all", "/a/b", "cow" },
	{ "log \"all\"", "/x/all", "cow log" },
	{ "log \"all\"", "/x", "cow" },
	{ "hide all", "/x/all", "hide" },
	{ "ro /a\nnoexec /a/b\nlog /a/b/c", "/a/b/c", "ro noexec log" },
	{ "noexec /a\nro /a/b", "/a/b", "ro noexec" },

	/* Made-up files. */
	{ "file /etc/hostname \"x\"", "/etc/hostname", "cow file 0" },
	{ "file /etc/hostname \"x\"", "/etc/hosts", "cow" },
	{ "file /etc/hostname \"x\"", "/etc", "cow" },
	{ "file /a/b \"x\"\nfile /a/c \"y\"\nro /a", "/a/c", "ro file 1" },
	{ "file /a/b \"x\"\nfile /a/b \"y\"", "/a/b", "cow file 1" },
	{ "file /a/b \"x\"\nhide /a", "/a/b", "hide" },
	{ "file /a/b \"x\"\nhide /a\ncow /a/b", "/a/b", "cow file 0" },
	{ "file ~/x\\ y \"x\"", "/home/u/x y", "cow file 0" },
	{ "file /a\\*b \"x\"", "/a*b", "cow file 0" },

	/* Passages. */
	{ "hide ~/.config\ncow ~/.config/git/**", "/home/u/.config/", "hide passage" },
	{ "hide ~/.config\ncow ~/.config/git/**", "/home/u/.config", "hide" },
	{ "hide ~/.config\ncow ~/.config/git/**", "/home/u/.config/git/", "hide passage" },
	{ "hide ~/.config\ncow ~/.config/git/**", "/home/u/.config/git/x", "cow" },
	{ "hide ~/.config\ncow ~/.config/git/**", "/home/u/.config/other/", "hide" },
	{ "hide ~/.config\ncow ~/.config/git/**", "/home/u/", "cow" },
	{ "cow ~/.config/git/**\nhide ~/.config", "/home/u/.config/", "hide" },
	{ "hide ~/.ssh\ncow **/*.pub", "/home/u/.ssh/", "hide" },
	{ "hide ~/.ssh\ncow **/*.pub", "/home/u/.ssh/x/", "hide" },
	{ "hide ~/.ssh\ncow **/*.pub", "/home/u/.ssh/x.pub", "hide" },
	{ "hide ~/.ssh\ncow **/*.pub", "/home/u/.ssh/x/y.pub", "hide" },
	{ "deny ~/.ssh\ncow **/*.pub", "/home/u/.ssh/x.pub", "deny 13" },
	{ "deny ~/.ssh\nhide **/*.pub", "/home/u/.ssh/x/y.pub", "deny 13" },
	{ "hide ~/.ssh\ncow *.pub", "/home/u/.ssh/", "hide" },
	{ "hide ~/.config\ncow ~/.config/**/x.conf", "/home/u/.config/", "hide passage" },
	{ "hide ~/.config\ncow ~/.config/**/x.conf", "/home/u/.config/a/", "hide passage" },
	{ "hide ~/.config\ncow ~/.config/**/x.conf", "/home/u/.config/a/b/", "hide passage" },
	{ "hide ~/.config\ncow ~/.config/**/x.conf", "/home/u/.config/a/x.conf", "cow" },
	{ "hide ~/.config\ncow **/.config/git", "/home/u/.config/", "hide passage" },
	{ "hide ~/.config\ncow **/.config/git", "/home/u/.config/x/", "hide" },
	{ "hide ~/.config\ncow **/.config/git", "/home/u/.config/x/.config/", "hide" },
	{ "hide ~/.config\ncow ~/**/git", "/home/u/.config/", "hide" },
	{ "hide /a\ndeny /a/b/c", "/a/b/", "hide passage" },
	{ "hide /a\ndeny /a/b/c", "/a/b/c/", "deny 13" },
	{ "hide /a\nhide /a/b/c", "/a/b/", "hide" },
	{ "deny /a\ndeny /a/b", "/a/", "deny 13" },
	{ "deny /a\nhide /a/b", "/a/", "deny 13" },
	{ "deny /a\nro /a/b", "/a/", "deny 13 passage" },
	{ "deny /a errno=EPERM\nrw /a/b", "/a/", "deny 1 passage" },
	{ "hide /a\nnoexec /a/b\nlog /a/c\nfile /a/d \"x\"", "/a/", "hide" },
	{ "ro /a\ncow /a/b", "/a/", "ro" },
	{ "hide /a\ncow /a/b/", "/a/", "hide passage" },
	{ "hide /a\ncow /a/*", "/a/", "hide passage" },
	{ "hide /a\ncow /a/b\nhide /a/b", "/a/", "hide" },
	{ "hide /a\ncow /a/b\nhide /a/b/", "/a/", "hide passage" }, /* a file b would be there */
	{ "hide /a\ncow /a/b/\nhide /a/b", "/a/", "hide" },
	{ "hide /\ncow /home/u/x", "/", "hide passage" },
	{ "hide /\ncow /home/u/x", "/home/u/", "hide passage" },
	{ "hide /\ncow /home/u/x", "/etc/", "hide" },
	{ "hide /**\ncow /home", "/", "cow" },
	{ "hide *\ncow a/b", "/a/", "hide passage" },
	{ "hide /a\nro /a/b\nhide /a/b/c\nrw /a/b/c/d", "/a/b/c/", "hide passage" },
	{ "hide /a\nro /a/b\nhide /a/b/c\nrw **/d", "/a/b/c/", "hide" },
	/* The mark goes where nothing is hidden, and comes back where it is again. */
	{ "hide /a\nro /a/b\nhide /a/b/c\nrw **/d", "/a/b/c/d", "hide" },
	/* What a marked loop leads to is marked too: only rules that begin at the hidden directory, or name it, open it. */
	{ "hide /a\nrw **/b/c", "/a/", "hide" },
	{ "hide /a\nrw **/b/c", "/a/b/", "hide" },
	{ "hide /a\nrw **/b/c", "/a/b/c", "hide" },
	{ "hide /a\nrw **/b/**/c\nrw /a/b/x", "/a/b/", "hide passage" },
	{ "hide /a\nrw **/b/**/c\nrw /a/b/x", "/a/b/b/", "hide" },
	/* One loop, reached twice: what names the way wins. */
	{ "hide **/a\nrw **/a/**/c", "/a/", "hide passage" },
	{ "hide **/a\nrw **/a/**/c", "/a/x/", "hide passage" },
	{ "hide /a/x/a\nrw **/a/**/c", "/a/x/a/", "hide passage" },
	{ "hide /a/x/b\nrw **/a/**/c", "/a/x/b/", "hide" },
	/* A name read while all was hidden counts once it is not. */
	{ "hide /a\nro /a/b\nhide /a/b/c\nrw **/b/c/d", "/a/b/c/", "hide passage" },
};

static void test_table(void **state)
{
	char buf[64];
	unsigned int n_wrong = 0;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct policy *p = test_policy(rows[i].policy);
		const char *got = test_judge(p, rows[i].path, buf);

		if (strcmp(got, rows[i].verdict) != 0) {
			print_error("%s\n    %s: %s instead of %s\n", rows[i].policy, rows[i].path, got, rows[i].verdict);
			n_wrong++;
		}
		(void) policy_unref(p);
	}
	assert_int_equal(n_wrong, 0);
}

/* Names compared without regard to case. The same rules without folding are in the third column. */
static const struct {
	const char *policy, *path, *folded, *exact;
} folded_rows[] = {
	{ "hide /Secret", "/sECRET", "hide", "cow" },
	{ "hide *.KEY", "/x.key", "hide", "cow" },
	{ "hide *.key", "/X.KEY", "hide", "cow" },
	{ "hide /a[b-d]e", "/ACE", "hide", "cow" },
	{ "hide /a[B-D]e", "/ace", "hide", "cow" },
	{ "hide /a[!b]e", "/aBe", "cow", "hide" },
	{ "hide /a[!B]e", "/abe", "cow", "hide" },
	{ "hide /a[[:upper:]]", "/ab", "hide", "cow" },
	{ "hide /\xc3\x84rger", "/\xc3\xa4RGER", "hide", "cow" },
	{ "hide /*\xc3\x84*", "/x\xc3\xa4x", "hide", "cow" },
	{ "hide /\xce\xa3*", "/\xcf\x82x", "hide", "cow" }, /* sigma, final sigma */
	{ "hide /.ssh", "/.\xc5\xbf\xc5\xbfh", "hide", "cow" }, /* long s */
	{ "hide /key", "/\xe2\x84\xaa" "ey", "hide", "cow" }, /* the Kelvin sign */
	{ "hide /\xe1\xba\x9e", "/\xc3\x9f", "hide", "cow" },
	{ "hide /ss", "/\xc3\x9f", "cow", "cow" }, /* simple folding: one character for one */
	{ "hide /\xff" "A", "/\xff" "a", "hide", "cow" },
	{ "hide a/**/B", "/A/x/b", "hide", "cow" },
	{ "hide /A\nhide /a\ncow /a", "/A", "cow", "hide" },
	{ "file /Etc/Motd \"x\"", "/etc/motd", "cow file 0", "cow" },
	{ "file /a \"x\"\nfile /A \"y\"", "/a", "cow file 1", "cow file 0" },
	{ "hide /a\ncow /a/B", "/A/", "hide passage", "cow" },
};

static void test_folded(void **state)
{
	struct policy_world world = test_world();
	unsigned int n_wrong = 0;
	char buf[64];

	for (size_t i = 0; i < ARRAY_SIZE(folded_rows); i++)
		for (int fold = 0; fold < 2; fold++) {
			struct policy *p = test_policy_in(&world, folded_rows[i].policy, fold);
			const char *want = fold ? folded_rows[i].folded : folded_rows[i].exact;
			const char *got = test_judge(p, folded_rows[i].path, buf);

			if (strcmp(got, want) != 0) {
				print_error("%s\n    %s: %s instead of %s\n", folded_rows[i].policy, folded_rows[i].path, got, want);
				n_wrong++;
			}
			(void) policy_unref(p);
		}
	assert_int_equal(n_wrong, 0);
}

/* Longer than any name: there is no such file, and the question has an answer all the same. */
static void test_long_names(void **state)
{
	struct policy_world world = test_world();
	char buf[64], path[5002];

	memset(path, 'A', sizeof(path));
	path[0] = '/';
	path[5001] = '\0';
	for (int fold = 0; fold < 2; fold++) {
		struct policy *p = test_policy_in(&world, "ro *\nhide a*a", fold);

		assert_string_equal(test_judge(p, path, buf), fold ? "hide" : "ro");
		(void) policy_unref(p);
	}
}

/* The state of a directory, from another one. */
static struct policy_state *enter_from(struct policy_state *from, const char *path)
{
	struct policy_state *at = policy_state_ref(from);

	for (path += strspn(path, "/"); *path; path += strspn(path, "/")) {
		size_t len = strcspn(path, "/");
		struct policy_state *next = NULL;
		struct policy_step s;

		assert_int_equal(policy_step(at, path, len, &s), 0);
		assert_int_equal(policy_enter(&s, &next), 0);
		policy_step_done(&s);
		(void) policy_state_unref(at);
		at = next;
		path += len;
	}
	return at;
}

static struct policy_state *enter(const struct policy *p, const char *path)
{
	struct policy_state *root = policy_root(p), *at = enter_from(root, path);

	(void) policy_state_unref(root);
	return at;
}

/* Where nothing changes, the state is the parent's own; a rule that could not decide any more is nothing. */
static void test_states_are_shared(void **state)
{
	static const struct {
		const char *policy, *a, *b;
		bool same, equal;
	} cases[] = {
		{ "", "/", "/a/b/c", true, true },
		{ "hide *.key", "/", "/a/b/c", true, true },
		{ "hide /etc/x", "/", "/a", false, false },
		{ "hide /etc/x", "/a", "/a/b", true, true },
		{ "hide /etc/x", "/a", "/b", false, true },
		{ "ro /a", "/a", "/a/b/c", true, true },
		{ "ro /a", "/a", "/b", false, false },
		{ "ro /a\nro /b", "/a", "/b", false, true },
		{ "ro /a\nrw /b", "/a", "/b", false, false },
		{ "ro /a\nhide *.x\nro /b", "/a", "/b", false, false },
		{ "hide *.x\nro /a\nro /b", "/a", "/b", false, true },
		{ "deny /a errno=EIO\ndeny /b", "/a", "/b", false, false },
		{ "noexec /a", "/a", "/b", false, false },
		{ "log /a", "/a", "/b", false, false },
		{ "file /a/x \"\"", "/a", "/b", false, false },
		{ "hide /a\ncow **/x", "/a", "/a/b", true, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct policy *p = test_policy(cases[i].policy);
		struct policy_state *a = enter(p, cases[i].a), *b;
		size_t len = strlen(cases[i].a);

		b = strncmp(cases[i].a, cases[i].b, len) == 0 ? enter_from(a, cases[i].b + len) : enter(p, cases[i].b);
		if ((a == b) != cases[i].same || policy_state_equal(a, b) != cases[i].equal)
			fail_msg("%s: %s and %s: %s%s", cases[i].policy, cases[i].a, cases[i].b, a == b ? "same " : "",
				 policy_state_equal(a, b) ? "equal" : "");
		(void) policy_state_unref(a);
		(void) policy_state_unref(b);
		(void) policy_unref(p);
	}
}

/* A state is good for as long as somebody has it, whatever became of the policy; the root's too. */
static void test_states_keep_the_policy(void **state)
{
	struct policy *p = test_policy("hide /a/b/c\nfile /a/f \"x\"");
	struct policy_state *root = policy_root(p), *a = enter(p, "/a");
	struct policy_step s;

	(void) policy_unref(p);
	(void) policy_state_unref(root);
	assert_int_equal(policy_step(a, "b", 1, &s), 0);
	assert_int_equal(s.as_dir.access, POLICY_COW);
	policy_step_done(&s);
	(void) policy_state_unref(policy_state_ref(a));
	assert_null(policy_state_unref(a));
	assert_null(policy_state_unref(NULL));
	assert_null(policy_unref(NULL));
}

static void test_may_hide(void **state)
{
	static const struct {
		const char *policy, *path;
		bool may;
	} cases[] = {
		{ "", "/", false },
		{ "hide /a/b", "/", false },
		{ "hide /a/b", "/a", true },
		{ "hide /a/b/", "/a", true },
		{ "hide /a/b", "/b", false },
		{ "hide /a", "/a", true },
		{ "hide /a", "/", true },
		{ "hide *.key", "/x", true },
		{ "deny *.key", "/x", false },
		{ "hide *.key\ncow /pub", "/pub", false },
		{ "cow /pub\nhide *.key", "/pub/x", true },
		{ "hide /a/**", "/a", true },
		{ "hide /a/**", "/", false },
		{ "deny /a\nhide /a/b", "/a", true },
		{ "hide /a\ncow /a/b", "/a/b", false },
		{ "hide /", "/", true },
		{ "hide /a/x\nro /a\ndeny /a/y/z", "/a", false },
		{ "ro /a\nhide /a/x\ndeny /a/y/z", "/a", true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct policy *p = test_policy(cases[i].policy);
		struct policy_state *s = enter(p, cases[i].path);

		if (policy_state_may_hide(s) != cases[i].may)
			fail_msg("%s: %s", cases[i].policy, cases[i].path);
		(void) policy_state_unref(s);
		(void) policy_unref(p);
	}
}

/* "name=file " for every made-up file; stops at "stop". */
static int list_file(void *arg, const char *name, int file)
{
	char *list = arg;

	(void) sprintf(list + strlen(list), "%s=%d ", name, file);
	return strcmp(name, "stop") == 0 ? 7 : 0;
}

static void test_files(void **state)
{
	struct policy *p = test_policy("file /etc/One \"1\"\nfile /etc/two \"2\"\nfile /etc/One \"3\"\nfile /x/stop \"\\0\\x41\"\n"
				       "file /y < ~/src\nfile /top \"\"\nhide /etc/t*");
	struct policy_state *etc = enter(p, "/etc"), *x = enter(p, "/x"), *root = policy_root(p), *home = enter(p, "/home");
	char list[200] = "";

	assert_int_equal(policy_state_files(etc, list_file, list), 0);
	assert_true(strstr(list, "One=2 ") && strstr(list, "two=1 ") && strlen(list) == 12);
	list[0] = '\0';
	assert_int_equal(policy_state_files(x, list_file, list), 7);
	assert_string_equal(list, "stop=3 ");
	list[0] = '\0';
	assert_int_equal(policy_state_files(root, list_file, list), 0);
	assert_true(strstr(list, "y=4 ") && strstr(list, "top=5 ") && strlen(list) == 10);
	list[0] = '\0';
	assert_int_equal(policy_state_files(home, list_file, list), 0);
	assert_string_equal(list, "");

	assert_int_equal(policy_n_files(p), 6);
	assert_string_equal(policy_file(p, 2)->path, "/etc/One");
	assert_memory_equal(policy_file(p, 3)->content, "\0A", 2);
	assert_int_equal(policy_file(p, 3)->len, 2);
	assert_null(policy_file(p, 3)->host_path);
	assert_string_equal(policy_file(p, 4)->host_path, "/home/u/src");
	assert_int_equal(policy_file(p, 4)->len, strlen("/home/u/src"));
	assert_memory_equal(policy_file(p, 4)->content, "/home/u/src", policy_file(p, 4)->len);
	assert_non_null(policy_file(p, 5)->content);
	assert_int_equal(policy_rule(p, policy_file(p, 4)->rule)->line, 5);
	assert_null(policy_file(p, 6));
	assert_null(policy_file(p, -1));
	(void) policy_state_unref(etc);
	(void) policy_state_unref(x);
	(void) policy_state_unref(root);
	(void) policy_state_unref(home);
	(void) policy_unref(p);
}

static int list_rule(void *arg, int rule)
{
	char *list = arg;

	(void) sprintf(list + strlen(list), "%d ", rule);
	return rule == 6 ? -EINTR : 0;
}

/* Every rule that matches, also those that decide nothing any more. */
static void test_matches(void **state)
{
	struct policy *p = test_policy("hide *.key\nro /a\nlog all\nhide /a/x/\ncow /a\nfile /b \"x\"\nnoexec /stop\nrw /stop\n"
				       "hide ~*/.ssh");
	static const struct {
		const char *path;
		bool is_dir;
		const char *rules;
		int r;
	} cases[] = {
		{ "/", true, "2 ", 0 },
		{ "/a", false, "1 2 4 ", 0 },
		{ "/a/y.key", false, "0 1 2 4 ", 0 },
		{ "/a/x", false, "1 2 4 ", 0 },
		{ "/a/x", true, "1 2 3 4 ", 0 },
		{ "//a//x/", false, "1 2 3 4 ", 0 },
		{ "/a/x/y", false, "1 2 3 4 ", 0 },
		{ "/b", false, "2 5 ", 0 },
		{ "/stop", false, "2 6 ", -EINTR },
		{ "/home/q/.ssh/id", false, "2 8 ", 0 },
	};
	char list[100];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		list[0] = '\0';
		assert_int_equal(policy_matches(p, cases[i].path, cases[i].is_dir, list_rule, list), cases[i].r);
		assert_string_equal(list, cases[i].rules);
	}
	assert_int_equal(policy_n_rules(p), 9);
	assert_string_equal(policy_rule(p, 8)->pattern, "~*/.ssh");
	assert_null(policy_rule(p, 9));
	assert_null(policy_rule(p, POLICY_NO_RULE));
	(void) policy_unref(p);
}

static void test_decider(void **state)
{
	struct policy *p = test_policy("ro /a\n\nnoexec /a/b/  log all\n  deny   /a/b  errno=EIO\nlog /a/b/c");
	struct policy_verdict v;
	const struct policy_rule *rule;

	assert_int_equal(policy_judge(p, "/a/b/c", false, &v), 0);
	rule = policy_rule(p, v.rule);
	assert_string_equal(rule->source, "test");
	assert_int_equal(rule->line, 4);
	assert_int_equal(rule->column, 10);
	assert_string_equal(rule->pattern, "/a/b");
	assert_int_equal(rule->verb, POLICY_VERB_DENY);
	assert_int_equal(rule->error, EIO);
	assert_int_equal(v.error, EIO);
	assert_int_equal(policy_rule(p, v.exec_rule)->line, 3);
	assert_int_equal(policy_rule(p, v.log_rule)->line, 5);
	assert_string_equal(policy_verb_name(rule->verb), "deny");
	assert_string_equal(policy_verb_name(POLICY_VERB_FILE), "file");
	(void) policy_unref(p);
}

/* Steps that have many alive leave the room that a step has of its own. */
/* Rules by number; -1: none that can be told. */
static void test_rule_between(void **state)
{
	static const struct {
		const char *text, *a, *b;
		int rule;
	} pairs[] = {
		{ "cow /x\nhide /a/b/key\nro /c", "/a/b", "/a/d", 1 },
		{ "cow /x\nhide /a/b/key\nro /c", "/a/d", "/a/b", 1 },
		{ "hide /a/key\nro /a/sub/f\ndeny /a/key2", "/a", "/b", 2 },
		{ "hide /a/**/x\nnoexec /b/y", "/a/d", "/b/d", 0 },
		{ "noexec /a/bin", "/a", "/c", 0 },
		{ "log /a/bin/*", "/a", "/c", 0 },
		{ "hide /a/x/key\ncow /a\nro /b/f", "/a/x", "/b", 2 },
		{ "file /a/made \"\"", "/a", "/c", 0 },
		{ "hide **/.env", "/a", "/c", -1 },
		{ "ro /a/*/k", "/a/b", "/a/c", -1 },
		{ "hide /a/key", "/a", "/a", -1 },
		{ "", "/a", "/b", -1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		struct policy *p = test_policy(pairs[i].text);
		int rule = policy_rule_between(p, pairs[i].a, pairs[i].b);

		if (rule != pairs[i].rule)
			fail_msg("%s: %s, %s: rule %d instead of %d", pairs[i].text, pairs[i].a, pairs[i].b, rule, pairs[i].rule);
		(void) policy_unref(p);
	}
}

static void test_many_alive(void **state)
{
	char *text = NULL, buf[64], path[4000] = "";
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	struct policy_state *a, *b;
	struct policy *p;

	assert_non_null(f);
	for (int i = 0; i < 300; i++)
		fprintf(f, "hide /*%c%c*/*/x%d\nro **/%d/**/y%d\n", 'a' + i % 26, 'a' + i / 26, i, i, i);
	assert_int_equal(fclose(f), 0);
	p = test_policy(text);
	for (int i = 0; i < 100; i++)
		(void) sprintf(path + strlen(path), "/%d", i * 3);
	a = enter(p, path);
	b = enter(p, path);
	assert_true(policy_state_equal(a, b));
	(void) policy_state_unref(b);
	(void) strcat(path, "/z/z/y297");
	assert_string_equal(test_judge(p, path, buf), "ro");
	path[strlen(path) - 1] = '8';
	assert_string_equal(test_judge(p, path, buf), "cow");
	assert_string_equal(test_judge(p, "/abacadaeafagahaiajakalamanaoapaqarasatauavawaxayazaaa/q/x12", buf), "hide");
	assert_string_equal(test_judge(p, "/abacadaeafagahaiajakalamanaoapaqarasatauavawaxayazaaa/q/x27", buf), "cow");
	assert_string_equal(test_judge(p, "/abacadaeafagahaiajakalamanaoapaqarasatauavawaxayazaaaba/q/x26", buf), "hide");
	(void) policy_state_unref(a);
	(void) policy_unref(p);
	free(text);
}

/* Down and up again, from states that all have, and one lets go of the policy first. */
static void *walk_about(void *arg)
{
	struct policy_state *a = arg;

	for (int i = 0; i < 5000; i++) {
		struct policy_state *b = enter_from(a, i % 2 ? "b/c/d" : "x/y/z"), *c = enter_from(b, "e");

		if (policy_state_verdict(c)->access != (i % 2 ? POLICY_RO : POLICY_COW))
			return arg;
		(void) policy_state_unref(b);
		(void) policy_state_unref(c);
	}
	(void) policy_state_unref(a);
	return NULL;
}

static void test_threads(void **state)
{
	struct policy *p = test_policy("ro /a/b\nhide *.key\ncow /a/b/c/x");
	struct policy_state *a = enter(p, "/a");
	pthread_t threads[4];
	void *wrong;

	(void) policy_unref(p);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, walk_about, policy_state_ref(a)), 0);
	(void) policy_state_unref(a);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
		assert_int_equal(pthread_join(threads[i], &wrong), 0);
		assert_null(wrong);
	}
}

/*
 * Made at random, and decided by something that is as simple as it can be: every pattern against the path and each of its ancestors.
 */
static uint64_t seed = 20240501;

static unsigned int draw(unsigned int n)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (unsigned int) (seed >> 33) % n;
}

static bool simple_name(const char *p, const char *end, const char *s, const char *s_end)
{
	if (p == end)
		return s == s_end;
	if (*p == '*')
		return simple_name(p + 1, end, s, s_end) || (s < s_end && simple_name(p, end, s + 1, s_end));
	return s < s_end && (*p == '?' || *p == *s) && simple_name(p + 1, end, s + 1, s_end);
}

/* Components against components, both with a '/' before each. */
static bool simple_path(const char *p, const char *s)
{
	size_t len, s_len;

	if (!*p)
		return !*s;
	len = strcspn(++p, "/");
	if (len == 2 && strncmp(p, "**", 2) == 0) {
		if (!p[2])
			return *s;
		if (simple_path(p + 2, s))
			return true;
		return *s && simple_path(p - 1, s + 1 + strcspn(s + 1, "/"));
	}
	if (!*s)
		return false;
	s_len = strcspn(++s, "/");
	return simple_name(p, p + len, s, s + s_len) && simple_path(p + len, s + s_len);
}

static bool simple_match(const char *pattern, const char *path, bool is_dir)
{
	char prefix[200], full[200];
	size_t len = strlen(pattern);
	bool dir_only = pattern[len - 1] == '/';

	(void) snprintf(full, sizeof(full), "%s%.*s", memchr(pattern, '/', len - 1) ? pattern[0] == '/' ? "" : "/" : "/**/",
			(int) (len - dir_only), pattern);
	for (size_t n = 1; n <= strlen(path); n++) {
		if (path[n] != '/' && path[n])
			continue;
		(void) snprintf(prefix, sizeof(prefix), "%.*s", (int) n, path);
		if (simple_path(full, prefix) && (!dir_only || is_dir || path[n] == '/'))
			return true;
	}
	return false;
}

/* The rule that decides: of a directory on the way that is closed, its own; else the last that matches. */
static int simple_rule(const struct policy *p, char patterns[][100], int n, const char *path, bool is_dir)
{
	char prefix[100];

	for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		struct policy_verdict v;

		(void) snprintf(prefix, sizeof(prefix), "%.*s", (int) (slash - path), path);
		assert_int_equal(policy_judge(p, prefix, true, &v), 0);
		if (v.access <= POLICY_DENY && !v.passage)
			return v.rule;
	}
	while (--n >= 0 && !simple_match(patterns[n], path, is_dir))
		;
	return n;
}

static void random_pattern(char *out)
{
	static const char *const parts[] = { "a", "b", "ab", "*", "?", "a*", "*b", "**", "**", "?b", "a*b", "ba" };
	unsigned int n = 1 + draw(4);

	(void) strcpy(out, draw(2) ? "/" : "");
	for (unsigned int i = 0; i < n; i++)
		(void) sprintf(out + strlen(out), "%s%s", i > 0 ? "/" : "", parts[draw(ARRAY_SIZE(parts))]);
	if (draw(4) == 0)
		(void) strcat(out, "/");
}

static void random_path(char *out)
{
	static const char *const names[] = { "a", "b", "ab", "ba", "aab", "x" };
	unsigned int n = 1 + draw(5);

	out[0] = '\0';
	for (unsigned int i = 0; i < n; i++)
		(void) sprintf(out + strlen(out), "/%s", names[draw(ARRAY_SIZE(names))]);
}

static void test_random(void **state)
{
	char patterns[12][100], path[100], text[2000];

	for (int round = 0; round < 2000; round++) {
		unsigned int n = 1 + draw(ARRAY_SIZE(patterns));
		struct policy *p;

		text[0] = '\0';
		for (unsigned int i = 0; i < n; i++) {
			random_pattern(patterns[i]);
			(void) sprintf(text + strlen(text), "%s %s\n", (const char *[]) { "hide", "deny", "ro", "cow", "rw" }[draw(5)],
				       patterns[i]);
		}
		p = test_policy(text);
		for (int k = 0; k < 40; k++) {
			bool is_dir = draw(2);
			struct policy_verdict v;
			int want;

			random_path(path);
			want = simple_rule(p, patterns, (int) n, path, is_dir);
			assert_int_equal(policy_judge(p, path, is_dir, &v), 0);
			if (v.rule != want)
				fail_msg("%s%s%s: rule %d instead of %d", text, path, is_dir ? "/" : "", v.rule, want);
		}
		(void) policy_unref(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_folded),
		cmocka_unit_test(test_long_names),
		cmocka_unit_test(test_states_are_shared),
		cmocka_unit_test(test_states_keep_the_policy),
		cmocka_unit_test(test_may_hide),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_matches),
		cmocka_unit_test(test_decider),
		cmocka_unit_test(test_rule_between),
		cmocka_unit_test(test_many_alive),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
