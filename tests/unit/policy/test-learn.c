/*
 * Policies learned from events: the text of small ones, and of all that what was allowed is allowed, what was refused is not, and
 * secrets stay where they are. Every text goes through the parser.
 */

#include "policy-test.h"

#include "base/macro.h"
#include "policy/learn.h"

/* "OP PATH": a path that ends in '/' is a directory, one that does not is not known to be anything. "!OP PATH": it was refused. */
static void add(struct learner *l, const char *text)
{
	bool refused = text[0] == '!';
	const char *blank = strchr(text, ' ');
	char op[32], path[8192];
	size_t len;

	assert_non_null(blank);
	(void) snprintf(op, sizeof(op), "%.*s", (int) (blank - text) - refused, text + refused);
	(void) snprintf(path, sizeof(path), "%s", blank + 1);
	len = strlen(path);
	const bool dir = len > 0 && path[len - 1] == '/';
	if (dir && len > 1)
		path[len - 1] = '\0';
	assert_int_equal(learner_add(l, &(struct learn_event) {
		.path = path, .op = op, .refused = refused, .is_dir = dir ? 1 : -1 }), 0);
}

static bool is_write(const char *text)
{
	static const char *const reading[] = { "look ", "list ", "read ", "exec " };

	if (strncmp(text + (text[0] == '!'), "getxattr ", 9) == 0)
		return false;

	for (size_t i = 0; i < ARRAY_SIZE(reading); i++)
		if (strncmp(text + (text[0] == '!'), reading[i], 5) == 0)
			return false;
	return true;
}

static bool allows(const struct policy *p, const char *text)
{
	const char *path = strchr(text, ' ') + 1;
	size_t len = strlen(path);
	struct policy_verdict v;

	assert_int_equal(policy_judge(p, path, path[len - 1] == '/', &v), 0);
	if (v.passage)
		return !is_write(text);
	text += text[0] == '!';
	if (strncmp(text, "exec", 4) == 0 && v.noexec)
		return false;
	return v.access >= (is_write(text) ? POLICY_COW : strncmp(text, "look", 4) == 0 ? POLICY_DENY : POLICY_RO);
}

/* It shows the way to what is below and was used, and nothing else. */
static bool is_passage(const struct policy *p, const char *text)
{
	const char *path = strchr(text, ' ') + 1;
	struct policy_verdict v;

	assert_int_equal(policy_judge(p, path, path[strlen(path) - 1] == '/', &v), 0);
	return v.passage;
}

/* own: the policy of the time; NULL: none. */
static char *learn(const char *own_text, const char *const *events, size_t n, bool backwards)
{
	struct policy_world world = test_world();
	_cleanup_(policy_unrefp) struct policy *own = own_text ? test_policy(own_text) : NULL;
	_cleanup_(learner_freep) struct learner *l = NULL;
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_int_equal(learner_new(&world, own, &l), 0);
	for (size_t i = 0; i < n; i++)
		add(l, events[backwards ? n - 1 - i : i]);
	assert_int_equal(learner_write(l, "a test", f), 0);
	assert_int_equal(fclose(f), 0);
	return text;
}

static const char *const secrets[] = {
	"read /home/u/.ssh/id_rsa", "read /home/u/.ssh/config", "list /home/u/.ssh/", "read /root/.ssh/id_rsa", "read /home/v/.ssh/id_rsa",
	"read /home/u/.aws/credentials", "read /home/u/.gnupg/private-keys-v1.d/x.key", "read /home/u/.netrc", "read /home/u/.bash_history",
	"read /home/u/.mozilla/firefox/x/logins.json", "read /home/u/.config/google-chrome/Default/Cookies", "read /home/u/.pypirc",
	"read /home/u/project/.env", "read /srv/x/y/id_ed25519", "read /etc/shadow", "read /home/u/.local/share/keyrings/login.keyring",
	"read /tmp/.env", "read /home/u/.config/gh/hosts.yml", "read /usr/lib/python3.11/.env.production",
};

/* Of what an event that was allowed needs, what one that was refused wants is part; or it is the way there. */
static bool covers(const char *allowed, const char *refused)
{
	const char *path = strchr(allowed, ' '), *other = strchr(refused, ' ');
	size_t len = strlen(other);

	if (strncmp(path, other, len) != 0)
		return false;
	if (path[len])
		return true;
	if (strncmp(refused, "look", 4) == 0 || strncmp(allowed, refused, 4) == 0)
		return true;
	return strncmp(allowed, "look", 4) != 0 && strncmp(refused, "exec", 4) != 0 && (is_write(allowed) || !is_write(refused));
}

/* Learns, and checks all that must hold of whatever is learned. */
static char *learn_checked(const char *own, const char *const *events, size_t n)
{
	char *text = learn(own, events, n, false);
	_cleanup_free_ char *again = learn(own, events, n, true);
	_cleanup_(policy_unrefp) struct policy *p = test_policy(text);

	assert_string_equal(text, again);
	for (size_t i = 0; i < n; i++) {
		bool allowed_too = false;

		if (events[i][0] != '!' && !allows(p, events[i]))
			fail_msg("'%s' is not allowed by:\n%s", events[i], text);
		for (size_t k = 0; k < n; k++)
			allowed_too |= events[i][0] == '!' && events[k][0] != '!' && covers(events[k], events[i] + 1);
		if (events[i][0] == '!' && !allowed_too && allows(p, events[i]))
			fail_msg("'%s' is allowed by:\n%s", events[i], text);
	}
	for (size_t i = 0; i < ARRAY_SIZE(secrets); i++) {
		bool used = false;

		for (size_t k = 0; k < n; k++)
			used |= events[k][0] != '!' && strcmp(strchr(events[k], ' '), strchr(secrets[i], ' ')) == 0;
		if (!used && !is_passage(p, secrets[i]) && allows(p, secrets[i]))
			fail_msg("'%s' is allowed by:\n%s", secrets[i], text);
	}
	return text;
}

/* The rules between "hide everything" and the secrets: what there is of learning. */
static char *middle(char *text)
{
	char *begin = strstr(text, "hide /**\n"), *end = strstr(text, "\n# Whatever");

	assert_non_null(begin);
	assert_non_null(end);
	*end = '\0';
	begin += strlen("hide /**\n");
	return begin + (*begin == '\n');
}

#define N_EVENTS 16

static const struct {
	const char *events[N_EVENTS], *rules;
} rows[] = {
	{ { NULL }, "" },
	/* One and two stand for themselves. */
	{ { "read /usr/share/x/a", "read /usr/share/x/b" }, "ro   /usr/share/x/a /usr/share/x/b\n" },
	{ { "read /opt/x/a", "write /opt/x/b", "read /opt/x/b" }, "ro   /opt/x/a\ncow  /opt/x/b\n" },
	{ { "exec /usr/bin/true", "look /usr/bin/false" }, "deny /usr/bin/false\nro   /usr/bin/true\n" },
	/* Three stand for the directory, if they are too different for a glob. */
	{ { "read /usr/lib/py/os.py", "read /usr/lib/py/lib.so", "exec /usr/lib/py/run" }, "ro   /usr/lib/py\n" },
	{ { "read /usr/lib/py/a.py", "read /usr/lib/py/b.py", "read /usr/lib/py/d/x" },
	  "ro   /usr/lib/py/a.py /usr/lib/py/b.py\nro   /usr/lib/py/d/x\n" },
	{ { "read /usr/lib/py/a.py", "read /usr/lib/py/b.py", "read /usr/lib/py/c.txt", "read /usr/lib/py/d/x" },
	  "ro   /usr/lib/py\n" },
	{ { "create /home/u/p/out/a", "create /home/u/p/out/b", "create /home/u/p/out/c" }, "cow  ~/p/out\n" },
	/* Or for a glob. */
	{ { "read /home/u/data/a.csv", "read /home/u/data/b.csv", "read /home/u/data/c.csv" }, "ro   ~/data/*.csv\n" },
	{ { "create /tmp/pip-a1", "create /tmp/pip-b2", "remove /tmp/pip-c3" }, "cow  /tmp/pip-*\n" },
	{ { "create /tmp/tmp17", "create /tmp/tmp12", "create /tmp/tmp13" }, "cow  /tmp/tmp*\n" },
	{ { "read /opt/x/part-1.bin", "read /opt/x/part-2.bin", "read /opt/x/part-33.bin" }, "ro   /opt/x/part-*.bin\n" },
	{ { "read /opt/x/a*1.d", "read /opt/x/a*2.d", "read /opt/x/a*3.d" }, "ro   /opt/x/*.d\n" },
	/* What is below a directory that is admitted needs a rule only if it was written. */
	{ { "read /usr/lib/py/a", "read /usr/lib/py/b", "read /usr/lib/py/c", "write /usr/lib/py/b", "read /usr/lib/py/d/e/f",
	    "create /usr/lib/py/d/g" }, "ro   /usr/lib/py\ncow  /usr/lib/py/b\ncow  /usr/lib/py/d/g\n" },
	/* Whole directories stand for the one above in their turn. */
	{ { "read /opt/s/a/1", "read /opt/s/a/2", "read /opt/s/a/3", "read /opt/s/b/1", "read /opt/s/b/2", "read /opt/s/b/3",
	    "read /opt/s/c/1", "read /opt/s/c/2", "read /opt/s/c/3" }, "ro   /opt/s\n" },
	/* But not everywhere. */
	{ { "read /etc/a", "read /etc/b", "read /etc/c" }, "ro   /etc/a /etc/b /etc/c\n" },
	{ { "read /etc/a.conf", "read /etc/b.conf", "read /etc/c.conf" }, "ro   /etc/*.conf\n" },
	{ { "read /home/u/.a", "read /home/u/.b", "read /home/u/.c" }, "ro   ~/.a ~/.b ~/.c\n" },
	{ { "read /home/v/a", "read /home/v/b", "read /home/v/c" }, "ro   /home/v/a /home/v/b /home/v/c\n" },
	{ { "read /home/u/.config/a", "read /home/u/.config/b", "read /home/u/.config/c" },
	  "ro   ~/.config/a ~/.config/b ~/.config/c\n" },
	{ { "read /a", "read /b", "read /c" }, "ro   /a /b /c\n" },
	/* Directories that were looked at. */
	{ { "list /", "look /usr/", "read /usr/bin/a", "list /usr/bin/" }, "ro   /usr/bin/a\n" },
	{ { "list /var/empty/" }, "ro   /var/empty\nhide /var/empty/**\n" },
	{ { "attr /opt/x/", "read /opt/x/a" }, "cow  /opt/x\nhide /opt/x/**\nro   /opt/x/a\n" },
	{ { "list /" }, "" },
	/* Directories that were made are the program's own. */
	{ { "create /home/u/.cache/me/", "create /home/u/.cache/me/x" }, "cow  ~/.cache/me\n" },
	{ { "rename /opt/a/old", "rename /opt/a/new", "read /opt/a/new/x" }, "cow  /opt/a/new /opt/a/old\n" },
	/* Names that have to be escaped. */
	{ { "read /opt/x/a b", "read /opt/x/*" }, "ro   /opt/x/\\* /opt/x/a\\ b\n" },
	{ { "read /opt/x/q\"[1]", "read /opt/x/$HOME\\" }, "ro   /opt/x/\\$HOME\\\\ /opt/x/q\\\"\\[1]\n" },
	{ { "read /opt/!x/#y", "read /opt/~/z" }, "ro   /opt/!x/#y\nro   /opt/~/z\n" },
	{ { "read /opt/x/new\nline" }, "ro   /opt/x/new?line\n" },
	{ { "read /opt/x/\xe2\x80\xae\xc2\x9b\xff\xc3\xbc" }, "ro   /opt/x/?????\xff\xc3\xbc\n" },
	{ { "read relative", "read /a/../b", "read //x", "read /x/./y", "list /opt/x/" }, "ro   /opt/x\nhide /opt/x/**\n" },
	/* What was refused stays so. */
	{ { "!read /opt/x/a", "!write /opt/x/b" }, "" },
	{ { "read /opt/x/a", "read /opt/x/b.c", "read /opt/x/d.e", "!read /opt/x/f", "!write /opt/x/a" },
	  "ro   /opt/x\n\n# In what is admitted above, but was refused.\nhide /opt/x/f\n" },
	{ { "write /opt/x/a", "write /opt/x/b.c", "write /opt/x/d.e", "!write /opt/x/f", "look /opt/x/f" },
	  "cow  /opt/x\n\n# In what is admitted above, but was refused.\nro   /opt/x/f\n" },
	{ { "look /opt/x/f", "!read /opt/x/f" }, "deny /opt/x/f\n" },
	{ { "look /opt/x/f", "read /opt/x/a", "read /opt/x/b.c", "read /opt/x/d.e", "!read /opt/x/f" },
	  "ro   /opt/x\n\n# In what is admitted above, but was refused.\ndeny /opt/x/f\n" },
	{ { "look /opt/x/run", "!exec /opt/x/run" }, "deny /opt/x/run\n" },
	{ { "read /opt/x/run", "!exec /opt/x/run" },
	  "ro   /opt/x/run\n\n# In what is admitted above, but was refused.\nnoexec /opt/x/run\n" },
	{ { "write /opt/x/run", "exec /opt/x/run", "!exec /opt/x/run" }, "cow  /opt/x/run\n" },
	{ { "look /opt/x/d/", "!list /opt/x/d/" }, "deny /opt/x/d\n" },
	{ { "look /opt/x/f", "!getxattr /opt/x/f" }, "deny /opt/x/f\n" },
	/* What was only looked at is not read. */
	{ { "look /opt/x/a.c", "look /opt/x/b.c", "look /opt/x/d.c", "read /opt/x/d.e" }, "deny /opt/x/*.c\nro   /opt/x/d.e\n" },
	{ { "look /opt/x/a.c", "read /opt/x/b.c", "read /opt/x/d.c", "read /opt/x/e.c" }, "ro   /opt/x/*.c\n" },
	{ { "look /opt/x/lib-a", "look /opt/x/lib-b", "look /opt/x/lib-c", "read /opt/x/lib-d" },
	  "deny /opt/x/lib-a /opt/x/lib-b /opt/x/lib-c\nro   /opt/x/lib-d\n" },
	{ { "look /dev/null", "look /dev/tty" }, "ro   /dev/null /dev/tty\n" },
	{ { "!read /opt/x/a", "read /opt/x/a" }, "ro   /opt/x/a\n" },
	/* Secrets do not count, and are not covered. */
	{ { "!read /home/u/.ssh/id_rsa", "!look /home/u/.netrc" }, "" },
	{ { "read /opt/x/.env", "read /opt/x/b.c", "read /opt/x/d.e" }, "ro   /opt/x/b.c /opt/x/d.e\n" },
	{ { "look /etc/krb5.keytab" }, "" },
};

static void test_table(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *text = NULL;
		const char *rules;
		size_t n = 0;

		while (n < N_EVENTS && rows[i].events[n])
			n++;
		/* One row has what no policy can say, and what is passed over. */
		text = n > 0 && strcmp(rows[i].events[0], "read relative") == 0 ? learn(NULL, rows[i].events, n, false) :
									       learn_checked(NULL, rows[i].events, n);
		rules = middle(text);
		if (strcmp(rules, rows[i].rules) != 0)
			fail_msg("row %zu, '%s':\n%s", i, rows[i].events[0], rules);
	}
}

static void test_secret_in_use(void **state)
{
	static const char *const events[] = {
		"read /home/u/.ssh/known_hosts", "list /home/u/.ssh/", "look /home/u/.ssh/", "write /home/u/p/.env", "read /home/u/p/a",
		"read /home/u/p/b.c", "read /home/u/p/d.e", "!read /home/u/.ssh/id_rsa",
	};
	_cleanup_free_ char *text = learn_checked(NULL, events, ARRAY_SIZE(events));
	const char *tail = strstr(text, "include <defaults>\n");

	assert_non_null(tail);
	assert_string_equal(tail, "include <defaults>\n"
				  "\n# These are secrets, and were used all the same. Is that how it should be?\n"
				  "ro   ~/.ssh\nhide ~/.ssh/**\nro   ~/.ssh/known_hosts\ncow  ~/p/.env\n"
				  "\n# Refused, and so not allowed here:\n#   ~/.ssh/id_rsa\n");
}

/* What the policy of the time hid or denied. */
static const struct {
	const char *own, *events[N_EVENTS], *rules, *hidden;
} own_rows[] = {
	{ "hide *private.txt\ndeny prod.db\n",
	  { "read /p/a.txt", "read /p/b.txt", "read /p/c.txt", "!look /p/private.txt", "look /p/prod.db", "!read /p/prod.db" },
	  "ro   /p/*.txt\n\n# As in the policy of the time.\nhide *private.txt\ndeny prod.db\n", "read /p/other-private.txt" },
	{ "hide *private.txt\n", { "read /p/x/a.txt", "read /p/x/b.txt", "read /p/x/c.txt" },
	  "ro   /p/x/*.txt\n\n# As in the policy of the time.\nhide *private.txt\n", "read /p/x/private.txt" },
	{ "deny prod.db errno=EPERM\n",
	  { "read /p/x/a", "read /p/x/b.c", "read /p/x/d.e", "look /p/x/prod.db", "!read /p/x/prod.db" },
	  "ro   /p/x\n\n# As in the policy of the time.\ndeny prod.db\n", "read /p/x/y/prod.db" },
	/* Where it leads elsewhere, it is not needed. */
	{ "hide /q/secret ~/x \"/p/x/a b\" /p/x/y/s* /p/xy\n", { "read /p/x/a", "read /p/x/b.c", "read /p/x/d.e" },
	  "ro   /p/x\n\n# As in the policy of the time.\nhide ~/x\nhide \"/p/x/a b\"\nhide /p/x/y/s*\n", "read /p/x/y/s" },
	/* Where it hid all but what it named, nothing else is admitted. */
	{ "hide /**\nro /p/x/a /p/x/b.c /p/x/d.e\n", { "read /p/x/a", "read /p/x/b.c", "read /p/x/d.e" },
	  "ro   /p/x/a /p/x/b.c /p/x/d.e\n", "read /p/x/f" },
	{ "hide /**\nro /p/x/*.c\n", { "read /p/x/a.c", "read /p/x/b.c", "read /p/x/d.c" }, "ro   /p/x/*.c\n", "read /p/x/f" },
	{ "hide /p/x/**\ncow /p/x/a\n", { "create /p/x/", "create /p/x/a" }, "cow  /p/x\nhide /p/x/**\ncow  /p/x/a\n", "read /p/x/b" },
	{ "include <defaults>\n", { "read /p/x/a", "read /p/x/b.c", "read /p/x/d.e" }, "ro   /p/x\n", "read /p/x/.env" },
};

static void test_own(void **state)
{
	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(own_rows); i++) {
		_cleanup_(policy_unrefp) struct policy *p = NULL;
		_cleanup_free_ char *text = NULL;
		const char *rules;
		size_t n = 0;

		while (n < N_EVENTS && own_rows[i].events[n])
			n++;
		text = learn_checked(own_rows[i].own, own_rows[i].events, n);
		p = test_policy(text);
		if (allows(p, own_rows[i].hidden))
			fail_msg("row %zu: '%s' is allowed by:\n%s", i, own_rows[i].hidden, text);
		rules = middle(text);
		if (strcmp(rules, own_rows[i].rules) != 0)
			fail_msg("row %zu, '%s':\n%s", i, own_rows[i].events[0], rules);
	}
}

static void test_header(void **state)
{
	static const char *const events[] = { "read /opt/x", "read /opt/x", "!read /opt/y" };
	_cleanup_free_ char *text = learn_checked(NULL, events, ARRAY_SIZE(events));

	assert_true(strncmp(text, "# Learned from a test: 2 accesses, and 1 that was refused.\n", 59) == 0);
}

/* A run like many: an interpreter, its library, a project. */
static void test_run(void **state)
{
	static const char *const names[] = { "os", "re", "io", "abc", "json/__init__", "json/decoder", "json/encoder", "site" };
	static const char *const more[] = {
		"exec /usr/bin/python3.11", "read /etc/ld.so.cache", "read /usr/lib/x86_64-linux-gnu/libc.so.6",
		"read /usr/lib/x86_64-linux-gnu/libm.so.6", "read /usr/lib/x86_64-linux-gnu/libz.so.1", "look /usr/", "look /usr/lib/",
		"list /usr/lib/python3.11/", "read /home/u/project/main.py", "read /home/u/project/data/in.csv", "list /home/u/project/",
		"create /home/u/project/out/", "create /home/u/project/out/1.json", "create /home/u/project/out/2.json",
		"rename /home/u/project/out/2.json", "rename /home/u/project/out/3.json", "create /tmp/tmpa", "remove /tmp/tmpa",
		"!look /home/u/.netrc", "!read /home/u/.aws/credentials", "look /home/u/", "look /home/", "read /etc/localtime",
		"create /home/u/project/__pycache__/", "create /home/u/project/__pycache__/x.pyc",
	};
	const char *events[100];
	char texts[50][100];
	size_t n = 0, k = 0;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		(void) snprintf(texts[k], sizeof(texts[k]), "read /usr/lib/python3.11/%s.py", names[i]);
		events[n++] = texts[k++];
		(void) snprintf(texts[k], sizeof(texts[k]), "look /usr/lib/python3.11/%s.py", names[i]);
		events[n++] = texts[k++];
	}
	for (size_t i = 0; i < ARRAY_SIZE(more); i++)
		events[n++] = more[i];

	_cleanup_free_ char *text = learn_checked(NULL, events, n);
	assert_string_equal(middle(text), "ro   /etc/ld.so.cache /etc/localtime\n"
					  "ro   ~/project\n"
					  "cow  ~/project/__pycache__ ~/project/out\n"
					  "cow  /tmp/tmpa\n"
					  "ro   /usr/bin/python3.11\n"
					  "ro   /usr/lib/python3.11\n"
					  "ro   /usr/lib/x86_64-linux-gnu/lib*\n");
}

/* Whatever programs do. */
static void test_random(void **state)
{
	static const char *const dirs[] = {
		"", "/usr", "/usr/lib", "/usr/lib/x", "/usr/lib/x/y", "/home", "/home/u", "/home/u/p", "/home/u/p/q", "/home/u/.ssh",
		"/home/u/.config", "/home/u/.config/gh", "/tmp", "/etc", "/opt/a/b/c", "/home/v", "/root",
	};
	static const char *const leaves[] = {
		"a", "b", "c.py", "d.py", "e.py", "lib1", "lib2", "lib3.so", ".env", ".hidden", "x y", "id_rsa", "*", "hosts.yml", "\xff", "a.key",
	};
	static const char *const ops[] = {
		"read", "look", "write", "create", "remove", "exec", "!read", "!write", "attr", "!look", "!exec",
	};
	unsigned int seed = 7;

	for (unsigned int round = 0; round < 80; round++) {
		char texts[40][100];
		const char *events[40];
		size_t n = 1 + (size_t) rand_r(&seed) % 40;

		for (size_t i = 0; i < n; i++) {
			const char *dir = dirs[(size_t) rand_r(&seed) % ARRAY_SIZE(dirs)];

			if (rand_r(&seed) % 5 == 0 && *dir)
				(void) snprintf(texts[i], sizeof(texts[i]), "%s %s/", rand_r(&seed) % 3 ? "list" : "look", dir);
			else
				(void) snprintf(texts[i], sizeof(texts[i]), "%s %s/%s", ops[(size_t) rand_r(&seed) % ARRAY_SIZE(ops)], dir,
						leaves[(size_t) rand_r(&seed) % ARRAY_SIZE(leaves)]);
			events[i] = texts[i];
		}
		free(learn_checked(NULL, events, n));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table), cmocka_unit_test(test_secret_in_use), cmocka_unit_test(test_own),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_run),   cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
