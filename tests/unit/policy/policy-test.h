#pragma once

/* What the tests of policies share: a world with a home and a few variables, and policies made of a text. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"

static inline const char *test_variable(void *arg, const char *name)
{
	static const char *const variables[][2] = {
		{ "HOME", "/home/u" }, { "DIR", "/srv/data" }, { "SLASH", "/srv/data//" }, { "ROOT", "/" },
		{ "WORD", "word" },    { "STARS", "a*[b]?" },  { "EMPTY", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(variables); i++)
		if (strcmp(variables[i][0], name) == 0)
			return variables[i][1];
	return NULL;
}

static inline const char *test_home_of(void *arg, const char *user)
{
	if (strcmp(user, "odd") == 0)
		return "not/absolute";
	return strcmp(user, "eve") == 0 ? "/home/eve" : NULL;
}

/* Every file of the host has its path for content; but there is no "/none". */
static inline int test_host_file(void *arg, const char *path, char **ret_text, size_t *ret_len)
{
	if (strcmp(path, "/none") == 0)
		return -ENOENT;
	*ret_text = strdup(path);
	*ret_len = strlen(path);
	return *ret_text ? 0 : -ENOMEM;
}

static const char *const test_homes[] = { "/root", "/home/*", NULL };

static inline struct policy_world test_world(void)
{
	return (struct policy_world) {
		.home = "/home/u",
		.homes = test_homes,
		.variable = test_variable,
		.home_of = test_home_of,
		.host_file = test_host_file,
	};
}

/* Compiles what has to be right; what is not is shown. */
static inline struct policy *test_policy_in(const struct policy_world *world, const char *text, bool fold)
{
	struct policy_builder *b = NULL;
	struct policy *p = NULL;
	int r;

	assert_int_equal(policy_builder_new(world, &b), 0);
	assert_int_equal(policy_builder_add(b, "test", text, strlen(text)), 0);
	r = policy_builder_compile(b, fold, &p);
	if (r < 0)
		policy_builder_report(b, stderr);
	assert_int_equal(r, 0);
	assert_int_equal(policy_builder_n_errors(b), 0);
	(void) policy_builder_free(b);
	return p;
}

static inline struct policy *test_policy(const char *text)
{
	struct policy_world world = test_world();

	return test_policy_in(&world, text, false);
}

/* "hide", "hide passage", "deny 13", "cow noexec log", "ro file 0" */
static inline const char *test_verdict_text(const struct policy_verdict *v, char buf[static 64])
{
	static const char *const names[] = { "hide", "deny", "ro", "cow", "rw" };
	int n = snprintf(buf, 64, "%s", names[v->access]);

	if (v->access == POLICY_DENY)
		n += snprintf(buf + n, 64 - (size_t) n, " %d", v->error);
	n += snprintf(buf + n, 64 - (size_t) n, "%s%s%s", v->passage ? " passage" : "", v->noexec ? " noexec" : "", v->log ? " log" : "");
	if (v->file >= 0)
		(void) snprintf(buf + n, 64 - (size_t) n, " file %d", v->file);
	return buf;
}

/* A path that ends in '/' is a directory. */
static inline const char *test_judge(const struct policy *p, const char *path, char buf[static 64])
{
	struct policy_verdict v;
	size_t len = strlen(path);

	assert_int_equal(policy_judge(p, path, path[len - 1] == '/', &v), 0);
	return test_verdict_text(&v, buf);
}
