/* What is reported of names whose path is too long. */

#include "fixture.h"

#define DEPTH 25
#define LONG_NAME 200

struct reports {
	unsigned int n;
	bool cut;
	int rule, error;
	size_t len;
	char path[4096], path2[4096];
};

static void take(void *arg, const struct overlay_report *r)
{
	struct reports *to = arg;

	to->n++;
	to->cut = r->cut;
	to->rule = r->rule;
	to->error = r->error;
	assert_true(strlen(r->path) < sizeof(to->path) && (!r->path2 || strlen(r->path2) < sizeof(to->path2)));
	(void) strcpy(to->path, r->path);
	(void) strcpy(to->path2, r->path2 ? r->path2 : "");
}

static struct node *make_dir(struct fixture *f, struct node *dir, const char *name, struct entry *ret)
{
	assert_int_equal(overlay_mkdir(f->ov, &f->who, dir, name, 0755, ret), 0);
	return ret->node;
}

/* Short names at the top, which would fit again, long ones below; the last of v is the deepest. */
static void make_deep(struct fixture *f, struct entry v[DEPTH])
{
	char name[LONG_NAME + 1];
	struct node *at = overlay_root(f->ov);

	for (unsigned int i = 0; i < DEPTH; i++) {
		memset(name, 'a' + (int) i, LONG_NAME);
		name[i < 2 ? 1 : LONG_NAME] = '\0';
		at = make_dir(f, at, name, &v[i]);
	}
}

static void forget_deep(struct fixture *f, struct entry v[DEPTH])
{
	for (unsigned int i = DEPTH; i-- > 0;)
		overlay_forget(f->ov, v[i].node, 1);
}

/* "…", and then whole components, up to the last name. */
static void assert_cut(const char *path, const char *last)
{
	const char *p = path + strlen("…");
	size_t n = (strlen(p) - strlen(last)) / (LONG_NAME + 1);

	assert_memory_equal(path, "…/", strlen("…/"));
	assert_int_equal(n, 20); /* and not one more */
	for (; n > 0; n--, p += LONG_NAME + 1) {
		assert_int_equal(p[0], '/');
		assert_int_equal(p[1], 'a' + DEPTH - (int) n);
		assert_int_equal(p[LONG_NAME], p[1]);
	}
	assert_string_equal(p, last);
}

static void open_view(struct fixture *f, struct reports *reports)
{
	*reports = (struct reports) { .n = 0 };
	layer_dir(f, "l1/none");
	fixture_set_policy(f, "deny .ssh errno=EPERM\ncow id\nlog /a/*/**/logged\nro two\nnoexec three");
	fixture_configure(f, 1, true);
	f->config.report = take;
	f->config.report_arg = reports;
	assert_int_equal(fixture_try_open(f), 0);
}

static void test_name(void **state)
{
	struct fixture *f = *state;
	struct reports reports;
	struct entry v[DEPTH], e;

	open_view(f, &reports);
	make_deep(f, v);
	assert_int_equal(overlay_mkdir(f->ov, &f->who, v[DEPTH - 1].node, ".ssh", 0700, &e), -EPERM);
	assert_int_equal(reports.n, 1);
	assert_true(reports.cut);
	assert_int_equal(reports.rule, 0);
	assert_int_equal(reports.error, EPERM);
	assert_cut(reports.path, "/.ssh");
	/* The rule is that of the whole path, though only the end of it is there to be seen. */
	assert_int_equal(overlay_mkdir(f->ov, &f->who, v[DEPTH - 1].node, "logged", 0700, &e), 0);
	assert_int_equal(reports.n, 2);
	assert_int_equal(reports.rule, 2);
	assert_cut(reports.path, "/logged");
	overlay_forget(f->ov, e.node, 1);
	forget_deep(f, v);
}

static void test_node(void **state)
{
	struct fixture *f = *state;
	const struct attr_change change = { .valid = ATTR_MODE, .mode = 0700 };
	struct reports reports;
	struct entry v[DEPTH], e;
	struct statx stx;

	open_view(f, &reports);
	make_deep(f, v);
	assert_int_equal(overlay_mkdir(f->ov, &f->who, v[DEPTH - 1].node, "logged", 0700, &e), 0);
	reports.n = 0;
	assert_int_equal(overlay_setattr(f->ov, &f->who, e.node, NULL, &change, &stx), 0);
	assert_int_equal(reports.n, 1);
	assert_int_equal(reports.rule, 2);
	assert_cut(reports.path, "/logged");
	overlay_forget(f->ov, e.node, 1);
	forget_deep(f, v);
}

static void test_two(void **state)
{
	struct fixture *f = *state;
	struct reports reports;
	struct entry v[DEPTH], e;

	open_view(f, &reports);
	make_deep(f, v);
	assert_int_equal(overlay_mkdir(f->ov, &f->who, v[DEPTH - 1].node, "one", 0700, &e), 0);
	reports.n = 0;
	assert_int_equal(overlay_rename(f->ov, &f->who, v[DEPTH - 1].node, "one", overlay_root(f->ov), "two", 0), -EROFS);
	assert_int_equal(reports.n, 1);
	assert_string_equal(reports.path, "/two");
	assert_false(reports.cut);
	assert_int_equal(overlay_rename(f->ov, &f->who, v[DEPTH - 1].node, "one", v[DEPTH - 1].node, "two", 0), -EROFS);
	assert_int_equal(reports.rule, 3);
	assert_cut(reports.path, "/two");
	assert_int_equal(overlay_rename(f->ov, &f->who, v[DEPTH - 1].node, "one", overlay_root(f->ov), "three", 0), -EXDEV);
	assert_int_equal(reports.rule, 4);
	assert_true(reports.cut);
	assert_cut(reports.path, "/one");
	assert_string_equal(reports.path2, "/three");
	overlay_forget(f->ov, e.node, 1);
	forget_deep(f, v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_name),
		FIXTURE_TEST(test_node),
		FIXTURE_TEST(test_two),
	};

	return FIXTURE_RUN(tests);
}
