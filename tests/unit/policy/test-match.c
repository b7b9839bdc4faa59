/* Policies and paths: what is decided. One table, in which a row is a policy, a path, and its verdict. */

#include "policy-test.h"

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
	{ "file /a/b \"x\"\nhide /a", "/a/b", "hide file 0" },
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
	{ "hide ~/.ssh\ncow **/*.pub", "/home/u/.ssh/x.pub", "cow" },
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
	{ "hide /a\nro /a/b\nhide /a/b/c\nrw **/d", "/a/b/c/d", "rw" },
	/* What a marked loop leads to is marked too: only rules that begin at the hidden directory, or name it, open it. */
	{ "hide /a\nrw **/b/c", "/a/", "hide" },
	{ "hide /a\nrw **/b/c", "/a/b/", "hide" },
	{ "hide /a\nrw **/b/c", "/a/b/c", "rw" },
	{ "hide /a\nrw **/b/**/c\nrw /a/b/x", "/a/b/", "hide passage" },
	{ "hide /a\nrw **/b/**/c\nrw /a/b/x", "/a/b/b/", "hide" },
	/* One loop, reached twice: what names the way wins. */
	{ "hide **/a\nrw **/a/**/c", "/a/", "hide passage" },
	{ "hide **/a\nrw **/a/**/c", "/a/x/", "hide passage" },
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
