/* Nodes: who is alive, found again by id, and given back. */

#include "fixture.h"

#include "overlay/look.h"
#include "overlay/tree.h"

static void test_root(void **state)
{
	struct fixture *f = *state;

	fixture_open(f, 1);
	assert_ptr_equal(overlay_node(f->ov, 1), overlay_root(f->ov));
	assert_int_equal(overlay_node_type(overlay_root(f->ov)), S_IFDIR);
	assert_null(overlay_node(f->ov, 0));
	assert_null(overlay_node(f->ov, 2));
	assert_null(overlay_node(f->ov, UINT64_MAX));
	assert_null(overlay_node(f->ov, (UINT64_C(5) << 32) | 1));
}

static void test_ids(void **state)
{
	struct fixture *f = *state;
	struct entry e, again;
	uint64_t id;

	layer_file(f, "l1/a", "");
	layer_file(f, "l1/b", "");
	fixture_open(f, 1);
	assert_int_equal(view_lookup(f, "a", &e), 1);
	assert_ptr_equal(overlay_node(f->ov, e.id), e.node);
	assert_int_equal(view_lookup(f, "a", &again), 1);
	assert_int_equal(again.id, e.id);
	overlay_forget(f->ov, e.node, 2);
	id = e.id;
	assert_null(overlay_node(f->ov, id));
	/* The place is taken again, but the id is another. */
	assert_int_equal(view_lookup(f, "b", &e), 1);
	assert_int_not_equal(e.id, id);
	assert_null(overlay_node(f->ov, id));
	overlay_forget(f->ov, e.node, 1);
}

static void test_children_hold_their_directories(void **state)
{
	struct fixture *f = *state;
	struct entry dir, file;

	layer_file(f, "l1/a/b/c/file", "");
	fixture_open(f, 1);
	assert_int_equal(view_lookup(f, "a/b", &dir), 1);
	assert_int_equal(view_lookup(f, "a/b/c/file", &file), 1);
	assert_int_equal(fixture_n_nodes(f), 4);
	overlay_forget(f->ov, dir.node, 1);
	assert_int_equal(fixture_n_nodes(f), 4);
	overlay_forget(f->ov, file.node, 1);
	assert_int_equal(fixture_n_nodes(f), 0);
}

static void test_open_files_hold_their_nodes(void **state)
{
	struct fixture *f = *state;
	struct overlay_file *file;
	struct overlay_dir *dir;
	struct entry e;

	layer_file(f, "l1/d/file", "");
	fixture_open(f, 1);
	assert_int_equal(view_open(f, "d/file", O_RDONLY, &file), 0);
	assert_int_equal(fixture_n_nodes(f), 2);
	overlay_release(file);
	assert_int_equal(fixture_n_nodes(f), 0);
	assert_int_equal(view_lookup(f, "d", &e), 1);
	assert_int_equal(overlay_opendir(f->ov, &f->who, e.node, &dir), 0);
	overlay_forget(f->ov, e.node, 1);
	assert_int_equal(fixture_n_nodes(f), 1);
	overlay_releasedir(dir);
	assert_int_equal(fixture_n_nodes(f), 0);
}

/* More is forgotten than was given: input of a kernel, not ours to trust. */
static void test_forget_too_much(void **state)
{
	struct fixture *f = *state;
	struct entry e;

	layer_file(f, "l1/a", "");
	fixture_open(f, 1);
	assert_int_equal(view_lookup(f, "a", &e), 1);
	overlay_forget(f->ov, e.node, 1000);
	assert_int_equal(fixture_n_nodes(f), 0);
	overlay_forget(f->ov, overlay_root(f->ov), 1000);
	assert_ptr_equal(overlay_node(f->ov, 1), overlay_root(f->ov));
	assert_true(view_exists(f, "a"));
}

static void test_many(void **state)
{
	enum { N = 3000 };
	struct fixture *f = *state;
	struct entry *e = calloc(N, sizeof(*e));
	char name[32];

	assert_non_null(e);
	for (int i = 0; i < N; i++) {
		(void) snprintf(name, sizeof(name), "l1/d%d/f%d", i % 7, i);
		layer_file(f, name, "");
	}
	fixture_open(f, 1);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < N; i++) {
			(void) snprintf(name, sizeof(name), "d%d/f%d", i % 7, i);
			assert_int_equal(view_lookup(f, name, &e[i]), 1);
		}
		assert_int_equal(fixture_n_nodes(f), N + 7);
		for (int i = 0; i < N; i++)
			assert_ptr_equal(overlay_node(f->ov, e[i].id), e[i].node);
		for (int i = 0; i < N; i++) {
			int j = (int) ((i * 1009L) % N); /* in another order */

			overlay_forget(f->ov, e[j].node, 1);
		}
		assert_int_equal(fixture_n_nodes(f), 0);
	}
	free(e);
}

/* The name under which an object is known may be the one that goes: the others remain. */
static void test_names_of_links(void **state)
{
	struct fixture *f = *state;
	struct node *n;
	struct statx stx;

	layer_file(f, "l1/x", "text");
	for (int i = 0; i < 5; i++) {
		char path[32];

		(void) snprintf(path, sizeof(path), "l1/d%d/name", i);
		layer_link(f, "l1/x", path);
	}
	fixture_open(f, 1);
	n = view_node(f, "x");
	for (int i = 0; i < 5; i++) {
		char path[32];

		(void) snprintf(path, sizeof(path), "d%d/name", i);
		assert_ptr_equal(view_node(f, path), n);
	}
	for (int i = 4; i >= 0; i--) {
		char path[32];

		(void) snprintf(path, sizeof(path), "d%d/name", i);
		assert_int_equal(view_unlink(f, path), 0);
		assert_int_equal(overlay_getattr(f->ov, &f->who, n, NULL, &stx), 0);
		assert_int_equal(stx.stx_nlink, i + 1);
	}
	assert_content(f, "x", "text");
	assert_int_equal(view_unlink(f, "x"), 0);
	assert_int_equal(overlay_getattr(f->ov, &f->who, n, NULL, &stx), 0);
	assert_int_equal(stx.stx_nlink, 0);
}

/* An inode number that is used again belongs to another object. */
static void test_reused_numbers(void **state)
{
	struct fixture *f = *state;
	struct overlay_file *file;
	char name[16], buf[8];

	fixture_open(f, 1);
	assert_int_equal(view_write(f, "a", "a"), 0);
	assert_int_equal(view_open(f, "a", O_RDONLY, &file), 0);
	assert_int_equal(view_unlink(f, "a"), 0);
	for (int i = 0; i < 20; i++) {
		(void) snprintf(name, sizeof(name), "n%d", i);
		assert_int_equal(view_write(f, name, name), 0);
		if (i % 2) {
			assert_int_equal(view_unlink(f, name), 0);
			assert_int_equal(view_mkdir(f, name), 0);
		}
	}
	for (int i = 0; i < 20; i += 2) {
		(void) snprintf(name, sizeof(name), "n%d", i);
		assert_content(f, name, name);
	}
	assert_int_equal(overlay_read(file, buf, sizeof(buf), 0), 1);
	assert_int_equal(buf[0], 'a');
	overlay_release(file);
}

/* A look-up comes between a rename on the disk and the node's knowing of it: it finds the new name first. */
static void test_name_found_before_it_is_known(void **state)
{
	struct fixture *f = *state;
	static const char *const paths[] = { "file", "dir" };

	layer_file(f, "l1/file", "text");
	layer_dir(f, "l1/dir");
	layer_dir(f, "l1/to");
	fixture_set_policy(f, "log all");
	fixture_open(f, 1);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		struct node *n = view_node(f, paths[i]), *to = view_node(f, "to");
		struct statx stx;

		assert_int_equal(node_add_name(f->ov, n, to, "new"), 0);
		assert_int_equal(node_move_name(f->ov, n, overlay_root(f->ov), paths[i], to, "new"), 0);
		assert_ptr_equal(n->names->dir, to);
		assert_string_equal(n->names->text, "new");
		assert_null(n->names->next);
		/* Back, for it was not moved in truth; and used while it has both names. */
		assert_int_equal(node_add_name(f->ov, n, overlay_root(f->ov), paths[i]), 0);
		assert_ptr_equal(view_node(f, paths[i]), n);
		assert_int_equal(overlay_getattr(f->ov, &f->who, n, NULL, &stx), 0);
	}
}

/* What was found before something was moved is no name of a node that has not got it. */
static void test_name_found_too_early(void **state)
{
	struct fixture *f = *state;
	struct node *n, *ret, *root;
	FOUND(found);

	layer_file(f, "l1/file", "text");
	fixture_open(f, 1);
	root = overlay_root(f->ov);
	n = view_node(f, "file");
	assert_int_equal(look(f->ov, root, "file", &found), 0);
	assert_int_equal(view_rename(f, "file", "new", 0), 0);
	assert_int_equal(node_get(f->ov, &found, root, "file", &ret), -EAGAIN);
	assert_string_equal(n->names->text, "new");
	assert_null(n->names->next);
	assert_content(f, "new", "text");
}

/* Hundreds of levels, with paths far longer than PATH_MAX. */
static void test_deep(void **state)
{
	enum { LEVELS = 320 };
	struct fixture *f = *state;
	struct entry dir = { .node = NULL }, sub;
	struct overlay_file *file;
	char name[256];
	int fd, at;

	(void) memset(name, 'n', 255);
	name[255] = '\0';
	layer_dir(f, "l1");
	at = openat(f->fd, "l1", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < LEVELS; i++) {
		assert_int_equal(mkdirat(at, name, 0755), 0);
		fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(fd >= 0);
		(void) close(at);
		at = fd;
	}
	fd = openat(at, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_int_equal(write(fd, "deep", 4), 4);
	(void) close(fd);
	(void) close(at);

	fixture_configure(f, 1, true);
	f->config.max_dir_fds = 32;
	assert_int_equal(fixture_try_open(f), 0);
	assert_int_equal(view_lookup(f, "", &dir), 1);
	for (int i = 0; i < LEVELS; i++) {
		assert_int_equal(overlay_lookup(f->ov, &f->who, dir.node, name, &sub), 1);
		overlay_forget(f->ov, dir.node, 1);
		dir = sub;
	}
	assert_int_equal(fixture_n_nodes(f), LEVELS);
	fixture_arm(f); /* forgets the descriptors: all the way is gone again */
	assert_int_equal(overlay_lookup(f->ov, &f->who, dir.node, "file", &sub), 1);
	assert_int_equal(overlay_open(f->ov, &f->who, sub.node, O_RDWR, &file), 0); /* copies 320 directories up */
	assert_int_equal(overlay_write(file, "DEEP", 4, 0, false), 4);
	overlay_release(file);
	assert_int_equal(overlay_unlink(f->ov, &f->who, dir.node, "file"), 0);
	overlay_forget(f->ov, sub.node, 1);
	assert_int_equal(overlay_mkdir(f->ov, &f->who, dir.node, "file", 0755, &sub), 0);
	overlay_forget(f->ov, sub.node, 1);
	overlay_forget(f->ov, dir.node, 1);
	assert_int_equal(fixture_n_nodes(f), 0); /* and all the ancestors went with it, in a loop */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_root),
		FIXTURE_TEST(test_ids),
		FIXTURE_TEST(test_children_hold_their_directories),
		FIXTURE_TEST(test_open_files_hold_their_nodes),
		FIXTURE_TEST(test_forget_too_much),
		FIXTURE_TEST(test_many),
		FIXTURE_TEST(test_names_of_links),
		FIXTURE_TEST(test_reused_numbers),
		FIXTURE_TEST(test_name_found_before_it_is_known),
		FIXTURE_TEST(test_name_found_too_early),
		FIXTURE_TEST(test_deep),
	};

	return FIXTURE_RUN(tests);
}
