/* Replacing the policy: who is told of what, that numbers stay, and that nothing gets through in between. */

#include "fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>

#include "overlay/judge.h"
#include "overlay/tree.h"

/* What is told, in words: "/PATH" of a name, "#PATH" of an object, with "!" if it must not be read any more. */
struct told {
	struct fixture *f;
	size_t n_known, n;
	struct known {
		const char *path;
		struct node *node;
		uint64_t id;
	} known[16];
	char *v[64];
	bool uses; /* use all nodes at the first word, as verbs of other threads do */
};

static void know(struct told *t, const char *path)
{
	struct known *k = &t->known[t->n_known++];

	assert_true(t->n_known <= ARRAY_SIZE(t->known));
	k->path = path;
	k->node = path[0] ? view_node(t->f, path) : overlay_root(t->f->ov);
	k->id = k->node->id;
}

static const char *path_of(const struct told *t, uint64_t id)
{
	for (size_t i = 0; i < t->n_known; i++)
		if (t->known[i].id == id)
			return t->known[i].path;
	return "?";
}

static void use_all(struct told *t)
{
	struct statx stx;

	t->uses = false;
	for (size_t i = 0; i < t->n_known; i++)
		(void) overlay_getattr(t->f->ov, &t->f->who, t->known[i].node, NULL, &stx);
}

static void tell(void *arg, const struct overlay_stale *stale)
{
	struct told *t = arg;
	char **text = &t->v[t->n++];
	int n;

	assert_true(t->n <= ARRAY_SIZE(t->v));
	assert_true((stale->id != 0) != (stale->name != NULL));
	if (stale->name) {
		const char *dir = path_of(t, stale->dir_id);

		n = asprintf(text, "/%s%s%s", dir, dir[0] ? "/" : "", stale->name);
	} else {
		n = asprintf(text, "#%s%s", path_of(t, stale->id), stale->content ? "!" : "");
	}
	assert_true(n > 0);
	if (t->uses)
		use_all(t);
}

static int by_string(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

static int set_policy(struct told *t, const char *text)
{
	struct policy *p = fixture_policy(text);
	int r = overlay_set_policy(t->f->ov, p, NULL, tell, t);

	(void) policy_unref(p);
	return r;
}

static void assert_told_(struct told *t, const char *policy, const char *want, const char *file, int line)
{
	char text[4096] = "";
	size_t at = 0;

	assert_int_equal(set_policy(t, policy), 0);
	if (t->n)
		qsort(t->v, t->n, sizeof(t->v[0]), by_string);
	for (size_t i = 0; i < t->n; i++) {
		at += (size_t) snprintf(text + at, sizeof(text) - at, "%s%s", i ? " " : "", t->v[i]);
		free(t->v[i]);
	}
	t->n = 0;
	if (strcmp(text, want) != 0) {
		print_error("%s:%d: under \"%s\" is told \"%s\", not \"%s\"\n", file, line, policy, text, want);
		_fail(file, line);
	}
}
#define assert_told(t, policy, want) assert_told_(t, policy, want, __FILE__, __LINE__)

/* A tree of /f, /d/g and /o, all of it known. */
static struct told begin(struct fixture *f, const char *policy)
{
	struct told t = { .f = f };

	layer_file(f, "l1/f", "F");
	layer_file(f, "l1/d/g", "G");
	layer_file(f, "l1/o", "O");
	fixture_set_policy(f, policy);
	fixture_open(f, 1);
	know(&t, "");
	know(&t, "f");
	know(&t, "d");
	know(&t, "d/g");
	know(&t, "o");
	return t;
}

/* Directories are always told of: their count of links depends on rules for what is in them. */
#define DIRS "# #d"

static void test_the_same(void **state)
{
	struct fixture *f = *state;
	struct told t = begin(f, "ro /f\nhide /none\n");

	assert_told(&t, "ro /f\nhide /none\n", DIRS);
	assert_told(&t, "hide /none /other\nro /f\n", DIRS);
	for (size_t i = 0; i < t.n_known; i++) {
		assert_int_equal(view_node(f, t.known[i].path)->id, t.known[i].id);
		assert_ptr_equal(overlay_node(f->ov, t.known[i].id), t.known[i].node);
	}
}

static void test_hide(void **state)
{
	struct told t = begin(*state, "");

	assert_told(&t, "hide /f", DIRS " #f! /f");
	assert_false(view_exists(*state, "f"));
	assert_told(&t, "hide /d", "# #d! #d/g! #f /d /d/g /f");
}

static void test_rights(void **state)
{
	struct told t = begin(*state, "");

	assert_told(&t, "deny /f", DIRS " #f! /f");
	assert_told(&t, "deny /f errno=EPERM", DIRS " #f!");
	assert_told(&t, "ro /f", DIRS " #f /f");
	assert_told(&t, "noexec /f", DIRS " #f");
	assert_told(&t, "log /f", DIRS " #f");
	assert_told(&t, "", DIRS);
	assert_told(&t, "ro /d", DIRS " #d/g");
}

static void test_layers(void **state)
{
	struct told t = begin(*state, "");

	assert_told(&t, "rw /f", DIRS " #f /f");
	assert_told(&t, "rw /f", DIRS);
	assert_told(&t, "rw /d", DIRS " #d/g #f /d/g /f"); /* the directory is in the lower, either way */
	assert_told(&t, "ro /d", DIRS " #d/g /d/g");
	assert_told(&t, "", DIRS " #d/g");
	assert_int_equal(view_chmod(t.f, "d", 0700), 0);
	assert_told(&t, "rw /d", DIRS " #d/g /d/g"); /* its attributes are the lower's now, it is the same */
	assert_ptr_equal(view_node(t.f, "d"), t.known[2].node);
}

static void test_passages(void **state)
{
	struct told t = begin(*state, "");

	assert_told(&t, "hide /d\ncow /d/g\n", "# #d!");
	assert_names(*state, "d", "g");
	assert_told(&t, "hide /d\n", "# #d! #d/g! /d /d/g");
	assert_told(&t, "hide /d\nro /d/g\n", "# #d! #d/g /d /d/g");
}

static void test_made_up(void **state)
{
	struct fixture *f = *state;
	struct told t = begin(f, "");

	assert_told(&t, "file /d/new \"one\"", DIRS " /d/new");
	assert_content(f, "d/new", "one");
	know(&t, "d/new");
	assert_told(&t, "file /d/new \"two\"", DIRS " /d/new /d/new");
	assert_content(f, "d/new", "two");
	assert_told(&t, "file /f \"made\"", DIRS " #d/new #f /d/new /f /f");
	assert_content(f, "f", "made");
	assert_false(view_exists(f, "d/new"));
	fixture_forget(f);
}

static void test_several_names(void **state)
{
	struct fixture *f = *state;
	struct told t = { .f = f };

	layer_file(f, "l1/a", "text");
	layer_link(f, "l1/a", "l1/b");
	fixture_set_policy(f, "");
	fixture_open(f, 1);
	know(&t, "");
	know(&t, "a");
	assert_ptr_equal(view_node(f, "b"), t.known[1].node);
	assert_told(&t, "", "#");
	assert_told(&t, "ro /b", "# #a /a /b"); /* they cannot be one any more */
	assert_int_equal(view_chmod(f, "b", 0600), -EROFS);
	assert_int_equal(view_chmod(f, "a", 0600), 0);
	assert_int_equal(view_stat(f, "b").stx_mode & 0777, 0600);
	assert_true(view_node(f, "a") != view_node(f, "b"));
	assert_int_equal(view_ino(f, "a"), view_ino(f, "b"));
	assert_int_equal(set_policy(&t, ""), 0);
	while (t.n > 0)
		free(t.v[--t.n]);
	assert_int_equal(view_append(f, "b", "!"), 0);
	assert_content(f, "a", "text!");
}

/* Verbs of others, under the new rules, have been at the nodes before. */
static void test_used_meanwhile(void **state)
{
	struct told t = begin(*state, "");

	t.uses = true;
	assert_told(&t, "hide /f /d/g\n", DIRS " #d/g! #f! /d/g /f");
	t.uses = true;
	assert_told(&t, "rw /o\n", DIRS " #d/g #f #o /d/g /f /o");
	t.uses = true;
	assert_told(&t, "rw /o\n", DIRS);
}

static void test_nodes_of_before(void **state)
{
	struct fixture *f = *state;
	struct told t = begin(f, "");
	struct overlay_file *file;
	struct statx stx;
	char buf[8];

	assert_int_equal(view_open(f, "f", O_RDWR, &file), 0);
	assert_int_equal(view_unlink(f, "f"), 0);
	assert_told(&t, "hide /f", DIRS);
	assert_int_equal(overlay_read(file, buf, sizeof(buf), 0), 1); /* what was removed is no longer at that path */
	assert_int_equal(overlay_getattr(f->ov, &f->who, t.known[1].node, file, &stx), 0);
	overlay_release(file);
}

/* replaced in the middle of a verb: the log of an access comes after the decision */

struct meddler {
	struct fixture *f;
	const char *policy;
};

static void tell_nobody(void *arg, const struct overlay_stale *stale)
{
}

static void meddle(void *arg, const struct overlay_report *report)
{
	struct meddler *m = arg;
	struct policy *p;

	if (!m->policy)
		return;
	p = fixture_policy(m->policy);
	m->policy = NULL;
	assert_int_equal(overlay_set_policy(m->f->ov, p, NULL, tell_nobody, NULL), 0);
	(void) policy_unref(p);
}

static void open_with_meddler(struct fixture *f, struct meddler *m)
{
	layer_file(f, "l1/f", "F");
	layer_file(f, "l1/d/g", "G");
	fixture_set_policy(f, "log all");
	fixture_configure(f, 1, true);
	*m = (struct meddler) { .f = f };
	f->config.report = meddle;
	f->config.report_arg = m;
	assert_int_equal(fixture_try_open(f), 0);
}

static void test_while_opening(void **state)
{
	static const char *const policies[] = { "hide /f", "deny /f errno=EPERM", "ro /f" };
	struct fixture *f = *state;
	struct meddler m;

	open_with_meddler(f, &m);
	for (size_t i = 0; i < ARRAY_SIZE(policies); i++) {
		struct node *n = view_node(f, "f");
		struct overlay_file *file;
		struct policy *p;
		char buf[8];

		m.policy = policies[i];
		if (overlay_open(f->ov, &f->who, n, i == 2 ? O_RDWR : O_RDONLY, &file) == 0) {
			assert_int_equal(overlay_read(file, buf, sizeof(buf), 0), i == 2 ? 1 : -EACCES);
			assert_int_equal(overlay_write(file, "x", 1, 0, 0), i == 2 ? -EROFS : -EBADF);
			overlay_release(file);
		} else {
			assert_int_equal(i, 2); /* the second question, whether it may be written to, was by the new rules */
		}
		assert_null(m.policy);
		p = fixture_policy("log all");
		assert_int_equal(overlay_set_policy(f->ov, p, NULL, tell_nobody, NULL), 0);
		(void) policy_unref(p);
	}
}

static bool see(void *arg, const struct overlay_dirent *d, const struct entry *plus)
{
	*(unsigned int *) arg += d->name[0] != '.';
	return true;
}

static void test_while_listing(void **state)
{
	struct fixture *f = *state;
	unsigned int n = 0;
	struct meddler m;
	struct overlay_dir *d;
	struct node *dir;

	open_with_meddler(f, &m);
	dir = view_node(f, "d");
	m.policy = "hide /d";
	assert_int_equal(overlay_opendir(f->ov, &f->who, dir, &d), 0);
	assert_null(m.policy);
	assert_int_equal(overlay_readdir(d, &f->who, 0, false, see, &n), -EACCES);
	assert_int_equal(n, 0);
	overlay_releasedir(d);
}

/* A listing that goes on after the rules have changed shows no name that they hide. */
static bool see_one(void *arg, const struct overlay_dirent *d, const struct entry *plus)
{
	uint64_t *next = arg;

	if (*next)
		return false;
	if (d->name[0] != '.')
		*next = d->next_off;
	return true;
}

static void test_listing_goes_on(void **state)
{
	struct fixture *f = *state;
	struct told t = begin(f, "");
	struct overlay_dir *d;
	unsigned int n = 0;
	uint64_t next = 0;

	assert_int_equal(overlay_opendir(f->ov, &f->who, overlay_root(f->ov), &d), 0);
	assert_int_equal(overlay_readdir(d, &f->who, 0, false, see_one, &next), 0);
	assert_int_equal(set_policy(&t, "hide /*"), 0);
	while (t.n > 0)
		free(t.v[--t.n]);
	assert_int_equal(overlay_readdir(d, &f->who, next, false, see, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(overlay_readdir(d, &f->who, 0, false, see, &n), 0);
	assert_int_equal(n, 0);
	overlay_releasedir(d);
}

/* A policy that cannot be put in force leaves the one that is. */
static void test_failure(void **state)
{
	struct fixture *f = *state;
	struct told t = begin(f, "ro /f");
	struct rlimit lim, none;
	int r;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &lim), 0);
	none = (struct rlimit) { .rlim_cur = 0, .rlim_max = lim.rlim_max };
	{
		struct policy *p = fixture_policy("hide /d\nfile /a \"a\"\nfile /b \"b\"\n");

		assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
		r = overlay_set_policy(f->ov, p, NULL, tell, &t);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &lim), 0);
		(void) policy_unref(p);
	}
	assert_int_equal(r, -EMFILE);
	assert_int_equal(t.n, 0);
	assert_int_equal(view_chmod(f, "f", 0600), -EROFS);
	assert_names(f, "", "d f o");
}

static void test_none(void **state)
{
	struct fixture *f = *state;
	struct told t = begin(f, "hide /f2\nro /f\n");

	assert_int_equal(overlay_set_policy(f->ov, NULL, NULL, tell, &t), 0);
	while (t.n > 0)
		free(t.v[--t.n]);
	assert_int_equal(view_append(f, "f", "!"), 0);
	assert_told(&t, "hide /f\n", DIRS " #f! /f");
}

/* threads */

struct race {
	struct fixture *f;
	atomic_uint round; /* even: it shows; odd while, and after, it is hidden; changes only between sets of rules */
	atomic_bool end;
	atomic_uint n_wrong, n_looked;
};

static void *look_for_it(void *arg)
{
	struct race *race = arg;
	struct overlay *ov = race->f->ov;

	while (!atomic_load(&race->end)) {
		unsigned int before = atomic_load(&race->round), token = overlay_enter(ov);
		struct overlay_file *file = NULL;
		struct entry e;
		int r = overlay_lookup(ov, &race->f->who, overlay_root(ov), "f", &e), opened = -ENOENT;

		if (r == 1) {
			opened = overlay_open(ov, &race->f->who, e.node, O_RDONLY, &file);
			if (file)
				overlay_release(file);
			overlay_forget(ov, e.node, 1);
		}
		overlay_leave(ov, token);
		(void) atomic_fetch_add(&race->n_looked, 1);
		/* In between 4n+1 and 4n+2 it is hidden for certain, from 4n+3 to 4n+4 it shows. */
		if (atomic_load(&race->round) == before && before % 2 == 1 && (opened == 0) != (before % 4 == 3))
			(void) atomic_fetch_add(&race->n_wrong, 1);
	}
	return NULL;
}

static void test_race(void **state)
{
	struct policy *hide = fixture_policy("hide /f"), *show = fixture_policy("ro /f");
	struct race race = { .f = *state };
	pthread_t threads[3];

	layer_file(race.f, "l1/f", "F");
	fixture_set_policy(race.f, "ro /f");
	fixture_open(race.f, 1);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, look_for_it, &race), 0);
	for (unsigned int i = 0; i < 300; i++) {
		unsigned int seen;

		assert_int_equal(overlay_set_policy(race.f->ov, i % 2 == 0 ? hide : show, NULL, tell_nobody, NULL), 0);
		(void) atomic_fetch_add(&race.round, 1);
		seen = atomic_load(&race.n_looked);
		while (atomic_load(&race.n_looked) < seen + 6)
			(void) sched_yield();
		(void) atomic_fetch_add(&race.round, 1);
	}
	atomic_store(&race.end, true);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		(void) pthread_join(threads[i], NULL);
	(void) policy_unref(hide);
	(void) policy_unref(show);
	assert_int_equal(race.n_wrong, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_the_same),
		FIXTURE_TEST(test_hide),
		FIXTURE_TEST(test_rights),
		FIXTURE_TEST(test_layers),
		FIXTURE_TEST(test_passages),
		FIXTURE_TEST(test_made_up),
		FIXTURE_TEST(test_several_names),
		FIXTURE_TEST(test_used_meanwhile),
		FIXTURE_TEST(test_nodes_of_before),
		FIXTURE_TEST(test_while_opening),
		FIXTURE_TEST(test_while_listing),
		FIXTURE_TEST(test_listing_goes_on),
		FIXTURE_TEST(test_failure),
		FIXTURE_TEST(test_none),
		FIXTURE_TEST(test_race),
	};

	return FIXTURE_RUN(tests);
}
