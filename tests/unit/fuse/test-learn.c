/* From a log that was written to a policy: what of the records counts, and what is said when there is nothing to learn. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "fuse/learn.h"
#include "fuse/problem.h"
#include "io/io.h"
#include "io/walk.h"
#include "policy/policy.h"
#include "store/log.h"
#include "store/store.h"

struct fixture {
	char dir[64];
	struct io_engine *io;
	struct store *store;
	struct sandbox *sandbox;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	_cleanup_free_ char *path = NULL;

	assert_non_null(f);
	strcpy(f->dir, "/tmp/test-learn.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	assert_int_equal(setenv("XDG_STATE_HOME", f->dir, 1), 0);
	assert_int_equal(store_default_path(&path), 0);
	assert_int_equal(io_engine_sync_new(&f->io), 0);
	assert_int_equal(store_open(f->io, path, true, &f->store), 0);
	assert_int_equal(sandbox_create(f->store, "box", &f->sandbox, NULL), 1);
	assert_int_equal(sandbox_save(f->sandbox), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	_cleanup_close_ int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	f->sandbox = sandbox_free(f->sandbox);
	f->store = store_free(f->store);
	assert_int_equal(walk_remove(f->io, tmp, strrchr(f->dir, '/') + 1), 0);
	f->io = io_engine_free(f->io);
	free(f);
	return 0;
}

static int learn(const char *name, char **ret, struct problem *p)
{
	static const char *const homes[] = { "/root", "/home/*", NULL };
	const struct policy_world world = { .home = "/home/u", .homes = homes };
	size_t len;
	FILE *f = open_memstream(ret, &len);
	int r = learn_from_log(name, &world, f, p);

	assert_int_equal(fclose(f), 0);
	return r;
}

static void test_learn(void **state)
{
	struct fixture *f = *state;
	const struct log_event events[] = {
		{ .op = "read", .path = "/home/u/a", .verdict = "cow" },
		{ .op = "rename", .path = "/home/u/b", .path2 = "/home/u/c", .verdict = "cow" },
		{ .op = "look", .path = "/home/u/.ssh", .verdict = "hide", .error = ENOENT },
	};
	_cleanup_free_ char *text = NULL;
	static char deep[2 * LOG_PATH_MAX];
	struct log_event cut = events[0];
	struct problem p = { 0 };
	struct log *l;

	memset(deep, '/', 1);
	memset(deep + 1, 'x', sizeof(deep) - 2);
	cut.path = deep; /* nobody knows what it was */
	assert_int_equal(log_open(sandbox_fd(f->sandbox), NULL, &l), 0);
	for (size_t i = 0; i < ARRAY_SIZE(events); i++)
		log_add(l, &events[i]);
	log_add(l, &cut);
	log_close(l);
	assert_int_equal(learn("box", &text, &p), 0);
	assert_non_null(strstr(text, "sandbox \"box\": 3 accesses, and 1 that was refused"));
	assert_non_null(strstr(text, "hide /**\n\nro   ~/a\ncow  ~/b ~/c\n\n"));
	assert_non_null(strstr(text, "#   ~/.ssh\n"));
	assert_null(strstr(text, "xxx"));
}

/* What the log does not have any more may have been something else. */
static void test_gone(void **state)
{
	struct fixture *f = *state;
	const struct log_config small = { .max_bytes = 1 };
	_cleanup_free_ char *text = NULL;
	struct problem p = { 0 };
	struct log *l;

	assert_int_equal(log_open(sandbox_fd(f->sandbox), &small, &l), 0);
	log_add(l, &(struct log_event) { .op = "read", .path = "/home/u/a", .verdict = "cow" });
	log_add(l, &(struct log_event) { .op = "read", .path = "/home/u/b", .verdict = "cow" });
	log_add(l, &(struct log_event) { .op = "read", .path = "/home/u/c", .verdict = "cow" });
	log_close(l);
	assert_int_equal(learn("box", &text, &p), 0);
	assert_non_null(strstr(text, "sandbox \"box\": 2 accesses, and 0 that were refused.\n"
				     "# Not complete: of 1 more it is not known what they were.\n"));
	assert_null(strstr(text, "~/a"));
}

/* What its own policy hides is not learned, though nobody asked for it. */
static void test_own_policy(void **state)
{
	struct fixture *f = *state;
	static const char *const paths[] = { "/home/u/p/a.txt", "/home/u/p/b.txt", "/home/u/p/c.txt" };
	struct sandbox_settings *s = sandbox_settings(f->sandbox);
	_cleanup_free_ char *text = NULL;
	struct problem p = { 0 };
	struct log *l;

	s->policy = calloc(1, sizeof(*s->policy));
	assert_non_null(s->policy);
	s->n_policy = 1;
	s->policy[0] = (struct sandbox_rule) { .verb = strdup("hide"), .text = strdup("my private.txt") };
	assert_int_equal(sandbox_save(f->sandbox), 0);
	assert_int_equal(log_open(sandbox_fd(f->sandbox), NULL, &l), 0);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		log_add(l, &(struct log_event) { .op = "read", .path = paths[i], .verdict = "cow" });
	log_close(l);
	assert_int_equal(learn("box", &text, &p), 0);
	assert_non_null(strstr(text, "hide /**\n\nro   ~/p/*.txt\n\n# As in the policy of the time.\nhide my\\ private.txt\n\n"));
}

static void test_nothing(void **state)
{
	struct fixture *f = *state;
	const struct log_event refused = { .op = "look", .path = "/home/u/.ssh", .verdict = "hide", .error = ENOENT };
	char *text = NULL;
	struct problem p = { 0 };
	struct log *l;

	assert_int_equal(learn("none", &text, &p), -ENOENT);
	assert_non_null(strstr(p.text, "no sandbox"));
	free(text);
	assert_int_equal(learn("box", &text, &p), -ENODATA);
	assert_string_equal(text, "");
	assert_non_null(strstr(p.hint, "log all"));
	free(text);
	assert_int_equal(log_open(sandbox_fd(f->sandbox), NULL, &l), 0);
	log_add(l, &refused);
	log_close(l);
	assert_int_equal(learn("box", &text, &p), -ENODATA);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_learn, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_own_policy, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nothing, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
