/* Reading merged directories: every name once, offsets that stay while names come and go, numbers as stat() gives them. */

#include "fixture.h"

#include "layer/meta.h"
#include "overlay/listing.h"
#include "overlay/tree.h"

/* What a reader got. */
struct got {
	struct fixture *f;
	char names[64][16];
	uint64_t off[64], ino[64];
	size_t n, limit;
	size_t n_plus;
	bool refuse_plus;
};

static bool take(void *arg, const struct overlay_dirent *d, const struct entry *plus)
{
	struct got *g = arg;

	if (g->n == g->limit || g->n == ARRAY_SIZE(g->names) || g->refuse_plus)
		return false;
	(void) snprintf(g->names[g->n], sizeof(g->names[0]), "%s", d->name);
	g->off[g->n] = d->next_off;
	g->ino[g->n++] = d->ino;
	if (plus) {
		g->n_plus++;
		overlay_forget(g->f->ov, plus->node, 1);
	}
	return true;
}

static void read_some(struct overlay_dir *d, struct got *g, uint64_t off, size_t n, bool plus)
{
	g->n = 0;
	g->limit = n;
	assert_int_equal(overlay_readdir(d, &g->f->who, off, plus, take, g), 0);
}

static bool has(const struct got *g, const char *name)
{
	for (size_t i = 0; i < g->n; i++)
		if (strcmp(g->names[i], name) == 0)
			return true;
	return false;
}

static struct overlay_dir *opened(struct fixture *f, const char *path)
{
	struct overlay_dir *d;
	struct entry e;

	assert_int_equal(view_lookup(f, path, &e), 1);
	assert_int_equal(overlay_opendir(f->ov, &f->who, e.node, &d), 0);
	overlay_forget(f->ov, e.node, 1);
	return d;
}

static void test_dots(void **state)
{
	struct fixture *f = *state;
	struct got g = { .f = f };
	struct overlay_dir *d;

	layer_dir(f, "l1/d/e");
	fixture_open(f, 1);
	d = opened(f, "d/e");
	read_some(d, &g, 0, 64, false);
	assert_int_equal(g.n, 2);
	assert_string_equal(g.names[0], ".");
	assert_string_equal(g.names[1], "..");
	assert_int_equal(g.ino[0], view_ino(f, "d/e"));
	assert_int_equal(g.ino[1], view_ino(f, "d"));
	overlay_releasedir(d);
	d = opened(f, "");
	read_some(d, &g, 0, 64, false);
	assert_int_equal(g.ino[0], view_ino(f, ""));
	assert_int_equal(g.ino[1], view_ino(f, ""));
	overlay_releasedir(d);
}

static void build_many(struct fixture *f)
{
	char path[32];

	for (int i = 0; i < 40; i++) {
		(void) snprintf(path, sizeof(path), "l%d/d/n%02d", i % 2 + 1, i);
		layer_file(f, path, "");
	}
	fixture_open(f, 2);
}

static void test_in_pieces(void **state)
{
	struct fixture *f = *state;
	struct got g = { .f = f };
	struct overlay_dir *d;
	bool seen[40] = { false };
	uint64_t off = 0;
	int n = 0;

	build_many(f);
	d = opened(f, "d");
	do {
		read_some(d, &g, off, 3, false);
		for (size_t i = 0; i < g.n; i++) {
			int number;

			off = g.off[i];
			if (g.names[i][0] != 'n')
				continue;
			number = atoi(g.names[i] + 1);
			assert_false(seen[number]);
			seen[number] = true;
			n++;
		}
	} while (g.n > 0);
	assert_int_equal(n, 40);
	read_some(d, &g, off, 3, false);
	assert_int_equal(g.n, 0);
	read_some(d, &g, UINT64_MAX, 3, false);
	assert_int_equal(g.n, 0);
	read_some(d, &g, 1000, 3, false);
	assert_int_equal(g.n, 0);
	overlay_releasedir(d);
}

/* Names come and go between two reads: what stays is shown once, and any offset that was given still leads to the same place. */
static void test_while_changing(void **state)
{
	struct fixture *f = *state;
	struct got first = { .f = f }, rest = { .f = f }, again = { .f = f };
	struct overlay_dir *d;
	char path[32];

	build_many(f);
	d = opened(f, "d");
	read_some(d, &first, 0, 10, false);
	for (size_t i = 2; i < first.n; i++) {
		(void) snprintf(path, sizeof(path), "d/%s", first.names[i]);
		assert_int_equal(view_unlink(f, path), 0);
	}
	assert_int_equal(view_write(f, "d/new1", ""), 0);
	assert_int_equal(view_mkdir(f, "d/new2"), 0);
	read_some(d, &rest, first.off[9], 64, false);
	assert_int_equal(rest.n, 40 - 8);
	for (size_t i = 2; i < first.n; i++)
		assert_false(has(&rest, first.names[i]));
	read_some(d, &again, first.off[4], 5, false);
	for (size_t i = 0; i < 5; i++)
		assert_string_equal(again.names[i], first.names[5 + i]);
	read_some(d, &again, 0, 64, false); /* rewound: the names as they are now */
	assert_true(has(&again, "new1"));
	assert_true(has(&again, "new2"));
	assert_false(has(&again, first.names[5]));
	assert_int_equal(again.n, 2 + 40 - 8 + 2);
	overlay_releasedir(d);
}

static void test_plus(void **state)
{
	struct fixture *f = *state;
	struct got g = { .f = f };
	struct overlay_dir *d;

	build_many(f);
	d = opened(f, "d");
	read_some(d, &g, 0, 64, true);
	assert_int_equal(g.n, 42);
	assert_int_equal(g.n_plus, 40);
	g.n_plus = 0;
	read_some(d, &g, 0, 5, false);
	assert_int_equal(view_unlink(f, "d/n07"), 0); /* vanishes: without attributes, but nothing else is missed */
	read_some(d, &g, g.off[4], 64, true);
	assert_int_equal(g.n, 37);
	assert_true(g.n_plus == 36 || g.n_plus == 37);
	g.refuse_plus = true;
	read_some(d, &g, 0, 64, true);
	read_some(d, &g, 2, 64, true); /* what is not taken is given back */
	assert_int_equal(g.n, 0);
	overlay_releasedir(d);
	assert_int_equal(fixture_n_nodes(f), 0);
}

static void test_empty(void **state)
{
	struct fixture *f = *state;

	layer_dir(f, "l1/empty");
	layer_whiteout(f, "l1/whites/gone");
	layer_file(f, "l2/whites/gone", "");
	layer_file(f, "l2/full/x", "");
	fixture_open(f, 2);
	assert_int_equal(listing_check_empty(f->ov, view_node(f, "empty")), 0);
	assert_int_equal(listing_check_empty(f->ov, view_node(f, "whites")), 0);
	assert_int_equal(listing_check_empty(f->ov, view_node(f, "full")), -ENOTEMPTY);
	assert_int_equal(listing_check_empty(f->ov, overlay_root(f->ov)), -ENOTEMPTY);
}

static void test_removed(void **state)
{
	struct fixture *f = *state;
	struct got g = { .f = f };
	struct overlay_dir *d;

	layer_dir(f, "l1/d");
	fixture_open(f, 1);
	d = opened(f, "d");
	assert_int_equal(view_rmdir(f, "d"), 0);
	read_some(d, &g, 0, 64, false);
	assert_int_equal(g.n, 0);
	assert_int_equal(overlay_fsyncdir(d, false), 0);
	overlay_releasedir(d);
}

static void test_no_directory(void **state)
{
	struct fixture *f = *state;
	struct overlay_dir *d;

	layer_file(f, "l1/file", "");
	fixture_open(f, 1);
	assert_int_equal(overlay_opendir(f->ov, &f->who, view_node(f, "file"), &d), -ENOTDIR);
}

/* Numbers in a listing are those of stat(), whatever happened: view_dump() says where they are not. */
static void test_numbers(void **state)
{
	struct fixture *f = *state;
	char *dump;

	layer_file(f, "l1/file", "x");
	layer_file(f, "l1/linked", "x");
	layer_link(f, "l1/linked", "l1/linked2");
	layer_file(f, "l1/two/a", "x");
	layer_file(f, "l2/two/b", "x");
	layer_file(f, "l2/low/b", "x");
	layer_file(f, "l1/re/x", "x");
	layer_file(f, "l1/moved/x", "x");
	layer_file(f, "l1/opaque/x", "x");
	layer_attr(f, "l1/opaque", META_OPAQUE, "y");
	layer_file(f, "l2/opaque/y", "x");
	layer_file(f, "l1/to/above", "x");
	layer_attr(f, "l1/to", META_REDIRECT, "low");
	layer_file(f, "l2/to/below", "x");
	layer_symlink(f, "x", "l1/link");
	layer_ours(f, "l1");
	fixture_open(f, 2);
	for (int i = 0; i < 2; i++) {
		dump = view_dump(f);
		assert_null(strstr(dump, "DIFFER"));
		free(dump);
		if (i)
			break;
		assert_int_equal(view_append(f, "file", "!"), 0);
		assert_int_equal(view_append(f, "linked", "!"), 0);
		assert_int_equal(view_chmod(f, "two", 0700), 0);
		assert_int_equal(view_chmod(f, "opaque", 0700), 0);
		assert_int_equal(view_chmod(f, "to", 0700), 0);
		assert_int_equal(view_rename(f, "link", "link2", 0), 0);
		assert_int_equal(view_unlink(f, "re/x"), 0);
		assert_int_equal(view_rmdir(f, "re"), 0);
		assert_int_equal(view_mkdir(f, "re"), 0);
		assert_int_equal(view_rename(f, "moved", "two/moved", 0), 0);
		assert_int_equal(view_mkdir(f, "moved"), 0);
		assert_int_equal(view_rename(f, "low", "low2", 0), 0);
		assert_int_equal(view_rename(f, "two/moved", "low", 0), 0);
	}
	fixture_reopen(f);
	dump = view_dump(f);
	assert_null(strstr(dump, "DIFFER"));
	free(dump);
}

/* Names are bytes. */
static void test_odd_names(void **state)
{
	struct fixture *f = *state;
	char longest[256];

	(void) memset(longest, 0xff, 255);
	longest[255] = '\0';
	fixture_open(f, 1);
	assert_int_equal(view_mkdir(f, "\x01"), 0);
	assert_int_equal(view_mkdir(f, "\xc3\x28"), 0);
	assert_int_equal(view_mkdir(f, longest), 0);
	fixture_reopen(f);
	assert_true(view_exists(f, "\xc3\x28"));
	assert_true(view_exists(f, longest));
	assert_int_equal(view_rmdir(f, longest), 0);
	assert_names(f, "", "\x01 \xc3\x28");
}

/* A directory that nobody can enter is no reason not to list the others. */
static void test_damaged_entry(void **state)
{
	struct fixture *f = *state;
	struct entry e;

	layer_dir(f, "upper/bad");
	layer_attr(f, "upper/bad", META_REDIRECT, "/bad/../..");
	layer_dir(f, "l1/bad");
	layer_file(f, "l1/good", "x");
	fixture_open(f, 1);
	assert_names(f, "", "bad good");
	assert_int_equal(view_lookup(f, "bad", &e), -EIO);
	assert_int_equal(view_rmdir(f, "bad"), -EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_dots),    FIXTURE_TEST(test_in_pieces), FIXTURE_TEST(test_while_changing), FIXTURE_TEST(test_plus),
		FIXTURE_TEST(test_empty),   FIXTURE_TEST(test_removed),	  FIXTURE_TEST(test_no_directory),   FIXTURE_TEST(test_numbers),
		FIXTURE_TEST(test_odd_names),
		FIXTURE_TEST(test_damaged_entry),
	};

	return FIXTURE_RUN(tests);
}
