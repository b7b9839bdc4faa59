/* What is asked of a node, and done to it, reaches it and no other, whatever happens to its name between two system calls. */

#include "fixture.h"

#include "overlay/tree.h"

/* Lets "d/a" and "d/b" change places before one op: not a moment in a verb is without that. */
struct racer {
	struct io_engine engine;
	struct fixture *f;
	unsigned int count; /* ops that still pass before */
	bool armed;
	bool restless; /* instead: before every question for an attribute by name */
};

static bool strikes(struct racer *racer, const struct io_op *op)
{
	if (racer->restless)
		return op->kind == IO_GETXATTR && op->name && racer->armed;
	return racer->armed && racer->count-- == 0;
}

static void racer_run(struct io_engine *e, struct io_op *ops, size_t n)
{
	struct racer *racer = container_of(e, struct racer, engine);

	for (size_t i = 0; i < n; i++) {
		if (strikes(racer, &ops[i])) {
			racer->armed = false;
			assert_int_equal(view_rename(racer->f, "d/a", "d/b", RENAME_EXCHANGE), 0);
			racer->armed = racer->restless;
		}
		io_run(racer->f->sync, &ops[i], 1);
	}
}

static struct io_engine *racer_free(struct io_engine *e)
{
	return NULL;
}

static const struct io_engine_ops racer_ops = { .name = "racer", .run = racer_run, .free = racer_free };

/* A verb on a node, which is to give 0, and whether it did on that node what it should. */
struct verb {
	mode_t type;
	int (*run)(struct fixture *f, struct node *n);
	bool (*is_done)(struct fixture *f, struct node *n);
};

static struct statx stat_of(struct fixture *f, struct node *n)
{
	struct statx stx;

	assert_int_equal(overlay_getattr(f->ov, &f->who, n, NULL, &stx), 0);
	return stx;
}

static bool attr_is(struct fixture *f, struct node *n, const char *attr, const char *value)
{
	char buf[64];
	ssize_t len = overlay_getxattr(f->ov, &f->who, n, attr, buf, sizeof(buf));

	return value ? len == (ssize_t) strlen(value) && memcmp(buf, value, (size_t) len) == 0 : len == -ENODATA;
}

static int change(struct fixture *f, struct node *n, const struct attr_change *ch)
{
	struct statx stx;

	return overlay_setattr(f->ov, &f->who, n, NULL, ch, &stx);
}

static int run_chmod(struct fixture *f, struct node *n)
{
	return change(f, n, &(struct attr_change) { .valid = ATTR_MODE, .mode = 0777 });
}

static bool chmod_is_done(struct fixture *f, struct node *n)
{
	return (stat_of(f, n).stx_mode & 07777) == 0777;
}

static int run_kill_priv(struct fixture *f, struct node *n)
{
	return change(f, n, &(struct attr_change) { .valid = ATTR_KILL_PRIV });
}

static bool kill_priv_is_done(struct fixture *f, struct node *n)
{
	return (stat_of(f, n).stx_mode & 07777) == 0700;
}

static int run_chown(struct fixture *f, struct node *n)
{
	return change(f, n, &(struct attr_change) { .valid = ATTR_UID | ATTR_GID, .uid = 1234, .gid = 2345 });
}

static bool chown_is_done(struct fixture *f, struct node *n)
{
	return stat_of(f, n).stx_uid == 1234 && stat_of(f, n).stx_gid == 2345;
}

static int run_utimes(struct fixture *f, struct node *n)
{
	return change(f, n, &(struct attr_change) { .valid = ATTR_MTIME, .mtime = { .tv_sec = 5 } });
}

static bool utimes_is_done(struct fixture *f, struct node *n)
{
	return stat_of(f, n).stx_mtime.tv_sec == 5;
}

static int run_truncate(struct fixture *f, struct node *n)
{
	return change(f, n, &(struct attr_change) { .valid = ATTR_SIZE, .size = 1 });
}

static bool truncate_is_done(struct fixture *f, struct node *n)
{
	return stat_of(f, n).stx_size == 1;
}

static int run_setxattr(struct fixture *f, struct node *n)
{
	return overlay_setxattr(f->ov, &f->who, n, "user.new", "x", 1, 0, false);
}

static bool setxattr_is_done(struct fixture *f, struct node *n)
{
	return attr_is(f, n, "user.new", "x");
}

static int run_removexattr(struct fixture *f, struct node *n)
{
	return overlay_removexattr(f->ov, &f->who, n, "user.both");
}

static bool removexattr_is_done(struct fixture *f, struct node *n)
{
	return attr_is(f, n, "user.both", NULL);
}

static int run_link(struct fixture *f, struct node *n)
{
	struct entry e;
	int r = overlay_link(f->ov, &f->who, n, view_node(f, "other"), "link", &e);

	if (r == 0)
		overlay_forget(f->ov, e.node, 1);
	return r;
}

static bool link_is_done(struct fixture *f, struct node *n)
{
	return view_stat(f, "other/link").stx_ino == stat_of(f, n).stx_ino &&
	       layer_stat(f, "upper/other/link").stx_ino == layer_stat(f, "upper/d/b").stx_ino;
}

static int run_getattr(struct fixture *f, struct node *n)
{
	struct statx stx;
	int r = overlay_getattr(f->ov, &f->who, n, NULL, &stx);

	return r < 0 ? r : (stx.stx_mode & 07777) == 04700 ? 0 : 1;
}

static int run_getxattr(struct fixture *f, struct node *n)
{
	return attr_is(f, n, "user.name", "a") ? 0 : 1;
}

static int run_listxattr(struct fixture *f, struct node *n)
{
	char list[256];
	ssize_t len = overlay_listxattr(f->ov, &f->who, n, list, sizeof(list));

	for (const char *p = list; p < list + len; p += strlen(p) + 1)
		if (strcmp(p, "user.only-a") == 0)
			return 0;
	return len < 0 ? (int) len : 1;
}

static int run_readlink(struct fixture *f, struct node *n)
{
	char buf[16];
	ssize_t len = overlay_readlink(f->ov, &f->who, n, buf, sizeof(buf));

	return len < 0 ? (int) len : len == 1 && buf[0] == 'a' ? 0 : 1;
}

static bool nothing_is_done(struct fixture *f, struct node *n)
{
	return true;
}

static const struct verb verbs[] = {
	{ S_IFREG, run_chmod, chmod_is_done },
	{ S_IFDIR, run_chmod, chmod_is_done },
	{ S_IFREG, run_kill_priv, kill_priv_is_done },
	{ S_IFREG, run_chown, chown_is_done },
	{ S_IFLNK, run_chown, chown_is_done },
	{ S_IFREG, run_utimes, utimes_is_done },
	{ S_IFLNK, run_utimes, utimes_is_done },
	{ S_IFREG, run_truncate, truncate_is_done },
	{ S_IFREG, run_setxattr, setxattr_is_done },
	{ S_IFDIR, run_setxattr, setxattr_is_done },
	{ S_IFREG, run_removexattr, removexattr_is_done },
	{ S_IFREG, run_link, link_is_done },
	{ S_IFLNK, run_link, link_is_done },
	{ S_IFREG, run_getattr, nothing_is_done },
	{ S_IFREG, run_getxattr, nothing_is_done },
	{ S_IFDIR, run_getxattr, nothing_is_done },
	{ S_IFREG, run_listxattr, nothing_is_done },
	{ S_IFLNK, run_readlink, nothing_is_done },
};

/* "a" and "b" tell each other apart in all that the verbs look at. */
static void make(struct fixture *f, mode_t type, const char *path, const char *name)
{
	if (S_ISLNK(type)) {
		layer_symlink(f, name, path);
		return;
	}
	if (S_ISDIR(type))
		layer_dir(f, path);
	else
		layer_file(f, path, "content");
	layer_xattr(f, path, "user.both", "x", 1);
	layer_xattr(f, path, "user.name", name, 1);
	layer_xattr(f, path, name[0] == 'a' ? "user.only-a" : "user.only-b", name, 1);
	layer_mode(f, path, name[0] == 'a' ? 04700 : 04750);
}

/* All of an object but the change that the renaming itself makes. */
static char *describe(struct fixture *f, struct node *n)
{
	const struct statx stx = stat_of(f, n);
	char list[256] = "", *text;
	ssize_t len = S_ISLNK(stx.stx_mode) ? 0 : overlay_listxattr(f->ov, &f->who, n, list, sizeof(list));

	for (ssize_t i = 0; i < len; i++)
		list[i] = list[i] ? list[i] : ' ';
	assert_true(asprintf(&text, "%o %u:%u %llu %lld %s", stx.stx_mode, stx.stx_uid, stx.stx_gid,
			     (unsigned long long) stx.stx_size, (long long) stx.stx_mtime.tv_sec, list) > 0);
	return text;
}

/* Where its data is gets known at the first open; until then verbs hold it, and a change of places would wait for them. */
static void open_once(struct fixture *f, const char *path)
{
	struct overlay_file *file;

	assert_int_equal(view_open(f, path, O_RDONLY, &file), 0);
	overlay_release(file);
}

/* Runs the verb with the change of places before its op number count. False: it has fewer. */
static bool race(const struct verb *v, unsigned int count)
{
	struct fixture *f = fixture_new();
	struct racer racer = { .engine.ops = &racer_ops, .f = f, .count = count };
	char *before, *after;
	struct node *a, *b;
	bool raced;

	layer_dir(f, "l1");
	layer_dir(f, "upper/other");
	make(f, v->type, "upper/d/a", "a");
	make(f, v->type, "upper/d/b", "b");
	f->engine = &racer.engine;
	fixture_open(f, 1);
	a = view_node(f, "d/a");
	b = view_node(f, "d/b");
	(void) view_node(f, "other");
	if (S_ISREG(v->type)) {
		open_once(f, "d/a");
		open_once(f, "d/b");
	}
	before = describe(f, b);
	racer.armed = true;
	assert_int_equal(v->run(f, a), 0);
	raced = !racer.armed;
	racer.armed = false;
	after = describe(f, b);
	assert_string_equal(before, after);
	assert_true(!raced || v->is_done(f, a));
	free(before);
	free(after);
	fixture_free(f);
	return raced;
}

static void test_change_of_places(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		unsigned int count = 0;

		if (verbs[i].run == run_chown && geteuid() != 0)
			continue; /* only root gives files away */
		while (race(&verbs[i], count))
			count++;
		assert_true(count > 0);
	}
}

/* Names that never rest: in the end the object is asked, not the name. */
static void test_never_at_rest(void **state)
{
	struct fixture *f = *state;
	struct racer racer = { .engine.ops = &racer_ops, .f = f, .restless = true };
	struct node *n;

	layer_dir(f, "l1");
	make(f, S_IFREG, "upper/d/a", "a");
	make(f, S_IFREG, "upper/d/b", "b");
	f->engine = &racer.engine;
	fixture_open(f, 1);
	n = view_node(f, "d/a");
	(void) view_node(f, "d/b");
	racer.armed = true;
	for (int i = 0; i < 10; i++)
		assert_true(attr_is(f, n, "user.name", "a"));
	racer.armed = false;
	fixture_close(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_change_of_places),
		FIXTURE_TEST(test_never_at_rest),
	};

	return FIXTURE_RUN(tests);
}
