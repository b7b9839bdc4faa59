/* Rules that record: what is told of files that come under them, and leave them, by other ways than a look-up. */

#include "fixture.h"

/* What was told since it was asked last: "OP PATH" or "OP PATH -> PATH", in order, a comma between them. */
struct heard {
	char text[1024];
	int rule; /* of the last */
	struct overlay *ov;
};

static void hear(void *arg, const struct overlay_report *r)
{
	struct heard *h = arg;
	size_t n = strlen(h->text);

	(void) snprintf(h->text + n, sizeof(h->text) - n, "%s%s %s%s%s", n > 0 ? ", " : "", r->op, r->path, r->path2 ? " -> " : "",
			r->path2 ? r->path2 : "");
	h->rule = r->rule;
}

static void open_recorded(struct fixture *f, struct heard *h)
{
	h->text[0] = '\0';
	fixture_set_policy(f, "log /logged/**");
	layer_file(f, "l1/plain", "p");
	layer_file(f, "l1/logged/in", "i");
	fixture_configure(f, 1, true);
	f->config.report = hear;
	f->config.report_arg = h;
	assert_int_equal(fixture_try_open(f), 0);
	h->ov = f->ov;
}

/* By the node, as programs use what they have once looked up. */
static void assert_read_tells(struct fixture *f, struct heard *h, struct node *n, const char *told)
{
	struct overlay_file *file;

	h->text[0] = '\0';
	assert_int_equal(overlay_open(f->ov, &f->who, n, O_RDONLY, &file), 0);
	overlay_release(file);
	assert_string_equal(h->text, told);
}

static void test_moved_in_and_out(void **state)
{
	struct fixture *f = *state;
	struct heard h;
	struct node *plain, *in;

	open_recorded(f, &h);
	plain = view_node(f, "plain");
	in = view_node(f, "logged/in");
	assert_read_tells(f, &h, plain, "");
	assert_read_tells(f, &h, in, "read /logged/in");

	assert_int_equal(view_rename(f, "plain", "logged/plain", 0), 0);
	assert_read_tells(f, &h, plain, "read /logged/plain");
	assert_int_equal(view_rename(f, "logged/in", "out", 0), 0);
	assert_read_tells(f, &h, in, "");
	assert_int_equal(view_rename(f, "out", "logged/plain", RENAME_EXCHANGE), 0);
	assert_read_tells(f, &h, plain, "");
	assert_read_tells(f, &h, in, "read /logged/plain");
}

/* As long as one of its names is in such a place, and whichever was looked up last. */
static void test_linked(void **state)
{
	struct fixture *f = *state;
	struct heard h;
	struct node *plain;

	open_recorded(f, &h);
	plain = view_node(f, "plain");
	assert_int_equal(view_link(f, "plain", "logged/plain"), 0);
	assert_ptr_equal(view_node(f, "logged/plain"), plain);
	assert_read_tells(f, &h, plain, "read /logged/plain");
	assert_ptr_equal(view_node(f, "plain"), plain);
	h.text[0] = '\0';
	assert_content(f, "plain", "p");
	assert_string_not_equal(h.text, "");

	assert_int_equal(view_unlink(f, "logged/plain"), 0);
	assert_read_tells(f, &h, plain, "");
}

/* What has no name is told of as its directory. */
static void test_nameless(void **state)
{
	struct fixture *f = *state;
	struct heard h;
	struct overlay_file *file;
	struct entry e;
	struct node *dir;

	open_recorded(f, &h);
	dir = view_node(f, "logged");
	h.text[0] = '\0';
	assert_int_equal(overlay_tmpfile(f->ov, &f->who, dir, 0600, O_RDWR, &e, &file), 0);
	assert_string_equal(h.text, "create /logged");
	overlay_release(file);
	overlay_forget(f->ov, e.node, 1);
}

static void assert_told(struct heard *h, const char *told)
{
	assert_string_equal(h->text, told);
	assert_int_equal(h->rule, 0);
	h->text[0] = '\0';
}

/* A deed with two paths is one record with both, whichever of them is recorded. */
static void test_two_paths(void **state)
{
	struct fixture *f = *state;
	struct heard h;
	struct node *dir, *plain;
	struct entry e;

	open_recorded(f, &h);
	dir = view_node(f, "logged");
	plain = view_node(f, "plain");
	h.text[0] = '\0';
	assert_int_equal(overlay_link(f->ov, &f->who, plain, dir, "link", &e), 0);
	overlay_forget(f->ov, e.node, 1);
	assert_told(&h, "link /plain -> /logged/link");
	assert_int_equal(overlay_rename(f->ov, &f->who, dir, "in", overlay_root(f->ov), "out", 0), 0);
	assert_told(&h, "rename /logged/in -> /out");
	assert_int_equal(overlay_rename(f->ov, &f->who, overlay_root(f->ov), "out", dir, "link", 0), 0);
	assert_told(&h, "rename /out -> /logged/link, remove /logged/link");
	assert_int_equal(overlay_rename(f->ov, &f->who, dir, "link", overlay_root(f->ov), "plain", RENAME_EXCHANGE), 0);
	assert_told(&h, "rename /logged/link -> /plain");
}

static bool take_entry(void *arg, const struct overlay_dirent *d, const struct entry *plus)
{
	struct heard *h = arg;
	size_t n = strlen(h->text);

	(void) snprintf(h->text + n, sizeof(h->text) - n, "%s%.*s%s", n > 0 ? ", " : "", (int) d->name_len, d->name, plus ? "+" : "");
	if (plus)
		overlay_forget(h->ov, plus->node, 1);
	return true;
}

/* What a listing told of its entries nobody would look up any more. */
static void test_listed(void **state)
{
	struct fixture *f = *state;
	struct overlay_dir *d;
	struct heard h;

	open_recorded(f, &h);
	assert_int_equal(overlay_opendir(f->ov, &f->who, overlay_root(f->ov), &d), 0);
	h.text[0] = '\0';
	assert_int_equal(overlay_readdir(d, &f->who, 2, true, take_entry, &h), 0);
	overlay_releasedir(d);
	assert_string_equal(h.text, "logged+, plain+");
	assert_int_equal(overlay_opendir(f->ov, &f->who, view_node(f, "logged"), &d), 0);
	h.text[0] = '\0';
	assert_int_equal(overlay_readdir(d, &f->who, 2, true, take_entry, &h), 0);
	overlay_releasedir(d);
	assert_string_equal(h.text, "in");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_moved_in_and_out),
		FIXTURE_TEST(test_linked),
		FIXTURE_TEST(test_nameless),
		FIXTURE_TEST(test_two_paths),
		FIXTURE_TEST(test_listed),
	};

	return FIXTURE_RUN(tests);
}
