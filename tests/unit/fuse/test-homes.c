/* Homes as accounts have them, odd ones too, and where links lead to them. The accounts and the links are the test's own. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "base/macro.h"
#include "fuse/homes.h"

struct passwd *__wrap_getpwent(void);
struct passwd *__wrap_getpwuid(uid_t uid);
struct passwd *__wrap_getpwnam(const char *name);
char *__wrap_realpath(const char *path, char *resolved);

static const char *const *dirs; /* of the accounts that are listed */
static const char *own_dir, *links[2][2];
static struct passwd entry;

static struct passwd *account(const char *name, const char *dir)
{
	static char buf[2][8192];

	entry = (struct passwd) { .pw_name = strcpy(buf[0], name), .pw_dir = strcpy(buf[1], dir) };
	return &entry;
}

struct passwd *__wrap_getpwent(void)
{
	return *dirs ? account("listed", *dirs++) : NULL;
}

struct passwd *__wrap_getpwuid(uid_t uid)
{
	return own_dir ? account("me", own_dir) : NULL;
}

struct passwd *__wrap_getpwnam(const char *name)
{
	return strcmp(name, "none") == 0 ? NULL : account(name, strcmp(name, "odd") == 0 ? "odd/home" : "/srv//eve/.");
}

/* Nothing is there but the links and the root. */
char *__wrap_realpath(const char *path, char *resolved)
{
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		if (links[i][0] && strcmp(path, links[i][0]) == 0)
			return strdup(links[i][1]);
	errno = ENOENT;
	return strcmp(path, "/") == 0 ? strdup("/") : NULL;
}

static int setup(void **state)
{
	static const char *const none[] = { NULL };

	dirs = none;
	own_dir = NULL;
	memset(links, 0, sizeof(links));
	return setenv("HOME", "/root", 1);
}

static bool has(const struct homes *h, const char *pattern)
{
	for (size_t i = 0; i < h->n; i++)
		if (strcmp(h->all[i], pattern) == 0)
			return true;
	return false;
}

static void test_accounts(void **state)
{
	static const char *const listed[] = {
		"/srv//app", "/srv/./dot/", "/srv/x/../y/..z", "/srv/a[b", "/srv/tr\\", "/srv/s*r?", "/home/u", "/home/corp/u", "/usr/sbin",
		"/usr/../etc", "/", "//", "/..", "", "rel/ative", "/nonexistent", "/nonexistent/x", "/srvice", NULL,
	};
	static const char *const wanted[] = {
		"/root", "/home/*", "/srv/app", "/srv/dot", "/srv/y/..z", "/srv/a\\[b", "/srv/tr\\\\", "/srv/s\\*r\\?", "/home/corp/u", "/srvice",
	};
	struct homes h;

	dirs = listed;
	assert_int_equal(homes_init(&h), 0);
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		if (!has(&h, wanted[i]))
			fail_msg("%s is missing", wanted[i]);
	for (size_t i = 0; i < h.n; i++) {
		assert_string_not_equal(h.all[i], "/");
		assert_int_equal(strncmp(h.all[i], "/nonexistent", 12) && strncmp(h.all[i], "/usr", 4) && strncmp(h.all[i], "/etc", 4), 1);
	}
	assert_false(has(&h, "/home/u"));
	assert_null(h.all[h.n]);
	homes_done(&h);
}

static void test_too_long(void **state)
{
	static char name[300], path[5000];
	const char *const listed[] = { name, path, NULL };
	struct homes h;

	memset(name, 'a', sizeof(name) - 1);
	memcpy(name, "/srv/", 5);
	for (size_t i = 0; i + 1 < sizeof(path); i++)
		path[i] = i % 2 ? 'a' : '/';
	dirs = listed;
	assert_int_equal(homes_init(&h), 0);
	assert_false(has(&h, name));
	assert_false(has(&h, path));
	homes_done(&h);
}

/* A directory in which many have theirs is one for homes; one in which the same is said many times is not. */
static void test_many(void **state)
{
	static char text[200][32];
	const char *listed[201] = { NULL };
	struct homes h;

	for (size_t i = 0; i < 200; i++)
		listed[i] = text[i];
	for (int i = 0; i < 65; i++) {
		assert_true(snprintf(text[3 * i], sizeof(text[0]), "/ex[port/%d", i) > 0);
		assert_true(snprintf(text[3 * i + 1], sizeof(text[0]), "/few/%d", i % 64) > 0);
		assert_true(snprintf(text[3 * i + 2], sizeof(text[0]), "/ex[port/0/%d", i % 2) > 0);
	}
	listed[195] = NULL;
	dirs = listed;
	assert_int_equal(homes_init(&h), 0);
	assert_int_equal(h.n, 2 + 1 + 64 + 2);
	assert_true(has(&h, "/ex\\[port/*") && has(&h, "/ex\\[port/0/0") && has(&h, "/ex\\[port/0/1") && has(&h, "/few/63"));
	assert_null(h.all[h.n]);
	homes_done(&h);

	for (int i = 0; i < 65; i++)
		assert_true(snprintf(text[i], sizeof(text[0]), "/r%d", i) > 0);
	listed[65] = NULL;
	dirs = listed;
	assert_int_equal(homes_init(&h), 0);
	assert_true(has(&h, "/r0") && has(&h, "/r64") && !has(&h, "/*"));
	homes_done(&h);
}

/* Of an account that is not listed, and set to something else; in a place of the system, too. */
static void test_own(void **state)
{
	struct homes h;

	own_dir = "/corp/./me";
	assert_int_equal(setenv("HOME", "/usr/local/me", 1), 0);
	assert_int_equal(homes_init(&h), 0);
	assert_string_equal(h.own, "/usr/local/me");
	assert_true(has(&h, "/usr/local/me") && has(&h, "/corp/me"));
	homes_done(&h);

	assert_int_equal(setenv("HOME", "here", 1), 0);
	assert_int_equal(homes_init(&h), 0);
	assert_string_equal(h.own, "/corp/me");
	homes_done(&h);

	own_dir = "nowhere";
	assert_int_equal(homes_init(&h), 0);
	assert_null(h.own);
	assert_string_equal(h.user, "me");
	homes_done(&h);

	own_dir = NULL;
	assert_int_equal(setenv("HOME", "/", 1), 0);
	assert_int_equal(homes_init(&h), 0);
	assert_string_equal(h.own, "/");
	assert_false(has(&h, "/"));
	assert_null(h.user);
	homes_done(&h);
}

static void test_links(void **state)
{
	static const char *const listed[] = { "/home/corp/u", "/export/u", "/up/../w", NULL };
	struct homes h;
	char *real;

	dirs = listed;
	links[0][0] = "/home";
	links[0][1] = "/da*ta/home";
	links[1][0] = "/up/../w";
	links[1][1] = "/where/w";
	assert_int_equal(homes_init(&h), 0);
	assert_true(has(&h, "/home/*") && has(&h, "/da\\*ta/home/*"));
	assert_true(has(&h, "/home/corp/u") && has(&h, "/da\\*ta/home/corp/u"));
	assert_true(has(&h, "/export/u") && has(&h, "/where/w") && !has(&h, "/w"));
	homes_done(&h);

	real = homes_real("/home/not/yet");
	assert_string_equal(real, "/da*ta/home/not/yet");
	free(real);
	assert_null(homes_real("/root"));
	assert_null(homes_real("/"));
	links[0][1] = "/";
	assert_null(homes_real("/home"));
}

static void test_of_others(void **state)
{
	struct homes h;

	assert_int_equal(homes_init(&h), 0);
	assert_string_equal(homes_of(&h, "eve"), "/srv/eve");
	assert_string_equal(homes_of(&h, "odd"), "odd/home");
	assert_null(homes_of(&h, "none"));
	homes_done(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_accounts, setup), cmocka_unit_test_setup(test_too_long, setup),
		cmocka_unit_test_setup(test_many, setup),     cmocka_unit_test_setup(test_of_others, setup),
		cmocka_unit_test_setup(test_own, setup),      cmocka_unit_test_setup(test_links, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
