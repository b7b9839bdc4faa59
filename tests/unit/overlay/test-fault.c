/*
 * What happens when a system call fails: any one of those that a verb makes. Each verb is run on a fresh tree with the first
 * op failing, then on another with the second, and so on until it gets through unharmed. Each time
 *
 *	- it reports the failure, or succeeds where the failure does not matter,
 *	- what is on disk shows the tree as it was before or as it is after, never half, and the running overlay shows the same,
 *	- if it shows the tree as before, the verb succeeds when it is tried again,
 *	- the lower layers are untouched, no descriptor and no node is lost.
 */

#include "fixture.h"

#include <sys/xattr.h>

/* Remembers which op was the one to fail. */
static struct tracer {
	struct io_engine engine;
	struct io_engine *inner;
	int error;
	unsigned int n;
	enum io_kind kind;
	char name[64];
} tracer;

static void trace_run(struct io_engine *e, struct io_op *ops, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned int before = io_engine_fault_hits(tracer.inner);

		io_run(tracer.inner, &ops[i], 1);
		if (tracer.error && before == tracer.n && io_engine_fault_hits(tracer.inner) > before) {
			tracer.kind = ops[i].kind;
			(void) snprintf(tracer.name, sizeof(tracer.name), "%s", ops[i].name ? ops[i].name : "(itself)");
			tracer.error = 0;
		}
	}
}

static const struct io_engine_ops trace_ops = { .name = "trace", .run = trace_run };

static const char *kind_name(enum io_kind kind)
{
	static const char *const names[] = {
		[IO_OPEN] = "open", [IO_OPEN_BENEATH] = "open beneath", [IO_STATX] = "statx", [IO_STATFS] = "statfs", [IO_READ] = "read",
		[IO_WRITE] = "write", [IO_READLINK] = "readlink", [IO_GETDENTS] = "getdents", [IO_SEEK] = "seek", [IO_FSYNC] = "fsync",
		[IO_TRUNCATE] = "truncate", [IO_COPY_RANGE] = "copy range", [IO_CLONE] = "clone", [IO_MKDIR] = "mkdir",
		[IO_MKNOD] = "mknod", [IO_SYMLINK] = "symlink", [IO_LINK] = "link", [IO_UNLINK] = "unlink", [IO_RENAME] = "rename",
		[IO_CHMOD] = "chmod", [IO_CHOWN] = "chown", [IO_UTIMENS] = "utimens", [IO_GETXATTR] = "getxattr",
		[IO_SETXATTR] = "setxattr", [IO_LISTXATTR] = "listxattr", [IO_REMOVEXATTR] = "removexattr", [IO_HANDLE] = "handle",
		[IO_UUID] = "uuid",
	};

	return kind < ARRAY_SIZE(names) && names[kind] ? names[kind] : "another op";
}

/* verbs, as words: "rename a b" */

static int do_create(struct fixture *f, const char *path, int flags)
{
	const char *slash = strrchr(path, '/');
	char dir[64] = "";
	struct overlay_file *file;
	struct entry d, e;
	int r;

	(void) snprintf(dir, sizeof(dir), "%.*s", slash ? (int) (slash - path) : 0, path);
	r = view_lookup(f, dir, &d);
	if (r != 1)
		return r < 0 ? r : -ENOENT;
	r = overlay_create(f->ov, &f->who, d.node, slash ? slash + 1 : path, 0644, flags, &e, &file);
	overlay_forget(f->ov, d.node, 1);
	if (r < 0)
		return r;
	overlay_release(file);
	overlay_forget(f->ov, e.node, 1);
	return 0;
}

static int do_open(struct fixture *f, const char *path, int flags)
{
	struct overlay_file *file;
	int r = view_open(f, path, flags, &file);

	if (r == 0)
		overlay_release(file);
	return r;
}

static int do_append(struct fixture *f, const char *path)
{
	struct overlay_file *file;
	struct statx stx;
	struct entry e;
	ssize_t n;
	int r = view_lookup(f, path, &e);

	if (r != 1)
		return r < 0 ? r : -ENOENT;
	r = overlay_open(f->ov, &f->who, e.node, O_WRONLY, &file);
	if (r == 0) {
		r = overlay_getattr(f->ov, &f->who, e.node, file, &stx);
		n = r == 0 ? overlay_write(file, "!", 1, stx.stx_size, true) : r;
		overlay_release(file);
		r = n < 0 ? (int) n : 0;
	}
	overlay_forget(f->ov, e.node, 1);
	return r;
}

static int do_read(struct fixture *f, const char *path)
{
	struct overlay_file *file;
	char buf[64];
	ssize_t n;
	int r = view_open(f, path, O_RDONLY, &file);

	if (r < 0)
		return r;
	n = overlay_read(file, buf, sizeof(buf), 0);
	overlay_release(file);
	return n < 0 ? (int) n : 0;
}

/* Opened before, read after the copy-up: it changes over to the upper. */
static int do_switch(struct fixture *f, const char *path)
{
	struct overlay_file *file;
	char buf[64];
	ssize_t n;
	int r = view_open(f, path, O_RDONLY, &file);

	if (r < 0)
		return r;
	r = view_chmod(f, path, 0640);
	n = r == 0 ? overlay_read(file, buf, sizeof(buf), 0) : r;
	if (n >= 0)
		n = overlay_fsync(file, true);
	overlay_release(file);
	return n < 0 ? (int) n : 0;
}

static bool take_all(void *arg, const struct overlay_dirent *d, const struct entry *plus)
{
	struct fixture *f = arg;

	if (plus)
		overlay_forget(f->ov, plus->node, 1);
	return true;
}

static int do_readdir(struct fixture *f, const char *path, bool plus)
{
	struct overlay_dir *d;
	struct entry e;
	int r = view_lookup(f, path, &e);

	if (r != 1)
		return r < 0 ? r : -ENOENT;
	r = overlay_opendir(f->ov, &f->who, e.node, &d);
	overlay_forget(f->ov, e.node, 1);
	if (r < 0)
		return r;
	r = overlay_readdir(d, &f->who, 0, plus, take_all, f);
	if (r == 0)
		r = overlay_fsyncdir(d, false);
	overlay_releasedir(d);
	return r;
}

static int do_xattr(struct fixture *f, const char *path, const char *what)
{
	/* user::rw-, group::r--, other::---, in the form of system.posix_acl_access */
	static const unsigned char acl[] = { 2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 4, 0, 4, 0, 255, 255, 255, 255,
					     32, 0, 0, 0, 255, 255, 255, 255 };
	char buf[256];
	struct entry e;
	ssize_t n;
	int r = view_lookup(f, path, &e);

	if (r != 1)
		return r < 0 ? r : -ENOENT;
	if (strcmp(what, "setxattr") == 0)
		n = overlay_setxattr(f->ov, &f->who, e.node, "user.new", "value", 5, XATTR_CREATE, false);
	else if (strcmp(what, "removexattr") == 0)
		n = overlay_removexattr(f->ov, &f->who, e.node, "user.old");
	else if (strcmp(what, "setacl") == 0)
		n = overlay_setxattr(f->ov, &f->who, e.node, "system.posix_acl_access", acl, sizeof(acl), 0, true);
	else if (strcmp(what, "defacl") == 0)
		n = overlay_setxattr(f->ov, &f->who, e.node, "system.posix_acl_default", acl, sizeof(acl), 0, false);
	else if (strcmp(what, "getxattr") == 0)
		n = overlay_getxattr(f->ov, &f->who, e.node, "user.old", buf, sizeof(buf));
	else
		n = overlay_listxattr(f->ov, &f->who, e.node, buf, sizeof(buf));
	overlay_forget(f->ov, e.node, 1);
	return n < 0 ? (int) n : 0;
}

static int do_readlink(struct fixture *f, const char *path)
{
	char buf[256];
	struct entry e;
	ssize_t n;
	int r = view_lookup(f, path, &e);

	if (r != 1)
		return r < 0 ? r : -ENOENT;
	n = overlay_readlink(f->ov, &f->who, e.node, buf, sizeof(buf));
	overlay_forget(f->ov, e.node, 1);
	return n < 0 ? (int) n : 0;
}

/* An unnamed file in a directory; with a name it is linked there. */
static int do_tmpfile(struct fixture *f, const char *path, const char *name)
{
	struct overlay_file *file;
	struct entry d, e, linked;
	int r = view_lookup(f, path, &d);

	if (r != 1)
		return r < 0 ? r : -ENOENT;
	r = overlay_tmpfile(f->ov, &f->who, d.node, 0644, O_RDWR, &e, &file);
	if (r == 0) {
		if (name[0]) {
			r = overlay_link(f->ov, &f->who, e.node, d.node, name, &linked);
			if (r == 0)
				overlay_forget(f->ov, linked.node, 1);
		}
		overlay_release(file);
		overlay_forget(f->ov, e.node, 1);
	}
	overlay_forget(f->ov, d.node, 1);
	return r;
}

static int do_lookup(struct fixture *f, const char *path)
{
	struct statx stx;
	struct entry e;
	int r = view_lookup(f, path, &e);

	if (r != 1)
		return r;
	r = overlay_getattr(f->ov, &f->who, e.node, NULL, &stx);
	overlay_forget(f->ov, e.node, 1);
	return r;
}

static int run(struct fixture *f, const char *command)
{
	const struct attr_change trunc = { .valid = ATTR_SIZE, .size = 3 };
	const struct attr_change own = { .valid = ATTR_UID | ATTR_GID | ATTR_KILL_PRIV, .uid = geteuid(), .gid = getegid() };
	const struct attr_change times = { .valid = ATTR_ATIME | ATTR_MTIME, .atime.tv_sec = 5, .mtime.tv_sec = FIXTURE_OLD + 1 };
	char verb[16] = "", a[32] = "", b[32] = "";

	assert_true(sscanf(command, "%15s %31s %31s", verb, a, b) >= 1);
	if (strcmp(a, ".") == 0)
		a[0] = '\0';
#define IS(word) (strcmp(verb, word) == 0)
	if (IS("chmod"))
		return view_chmod(f, a, 0700);
	if (IS("truncate"))
		return view_setattr(f, a, &trunc);
	if (IS("chown"))
		return view_setattr(f, a, &own);
	if (IS("utimens"))
		return view_setattr(f, a, &times);
	if (IS("append"))
		return do_append(f, a);
	if (IS("create"))
		return do_create(f, a, O_WRONLY | O_EXCL);
	if (IS("recreate"))
		return do_create(f, a, O_WRONLY | O_TRUNC);
	if (IS("mkdir"))
		return view_mkdir(f, a);
	if (IS("mkfifo"))
		return view_mknod(f, a, S_IFIFO | 0600, 0);
	if (IS("symlink"))
		return view_symlink(f, "target", a);
	if (IS("link"))
		return view_link(f, a, b);
	if (IS("unlink"))
		return view_unlink(f, a);
	if (IS("rmdir"))
		return view_rmdir(f, a);
	if (IS("rename"))
		return view_rename(f, a, b, 0);
	if (IS("noreplace"))
		return view_rename(f, a, b, RENAME_NOREPLACE);
	if (IS("exchange"))
		return view_rename(f, a, b, RENAME_EXCHANGE);
	if (IS("open"))
		return do_open(f, a, O_RDONLY);
	if (IS("openrw"))
		return do_open(f, a, O_RDWR);
	if (IS("opentrunc"))
		return do_open(f, a, O_WRONLY | O_TRUNC);
	if (IS("read"))
		return do_read(f, a);
	if (IS("switch"))
		return do_switch(f, a);
	if (IS("readdir"))
		return do_readdir(f, a, false);
	if (IS("readdirplus"))
		return do_readdir(f, a, true);
	if (IS("readlink"))
		return do_readlink(f, a);
	if (IS("lookup"))
		return do_lookup(f, a);
	if (IS("tmpfile"))
		return do_tmpfile(f, a, b);
	assert_non_null(strstr(verb, "xattr") ? "" : strstr(verb, "acl"));
	return do_xattr(f, a, verb);
#undef IS
}

/* The tree: something of every sort. What the upper has is made through the view. */
static void build(struct fixture *f)
{
	static const char *const upper[] = {
		"create u", "mkdir ud", "create ud/f", "mkdir ue", "unlink w", "unlink wd/x", "rmdir wd", "unlink we/x", "append i1",
		"mkdir uw", "create uw/x", "unlink d/gone",
	};

	layer_file(f, "l1/f", "lower file");
	layer_mode(f, "l1/f", 04755);
	layer_xattr(f, "l1/f", "user.old", "attribute", 9);
	layer_symlink(f, "target", "l1/s");
	layer_fifo(f, "l1/p");
	layer_file(f, "l1/d/a", "a");
	layer_file(f, "l1/d/gone", "gone");
	layer_file(f, "l1/d/sub/x", "x");
	layer_file(f, "l1/h1", "linked");
	layer_link(f, "l1/h1", "l1/hd/h2");
	layer_file(f, "l1/i1", "indexed");
	layer_link(f, "l1/i1", "l1/i2");
	layer_link(f, "l1/i1", "l1/i3");
	layer_dir(f, "l1/e");
	layer_file(f, "l1/w", "hidden");
	layer_file(f, "l1/wd/x", "hidden");
	layer_file(f, "l1/we/x", "hidden");
	layer_file(f, "l1/m/a", "upper of two");
	layer_file(f, "l2/m/a", "lower of two");
	layer_file(f, "l2/m/b", "b");
	layer_file(f, "l2/both", "below");
	layer_file(f, "l1/both", "above");
	fixture_open(f, 2);
	for (size_t i = 0; i < ARRAY_SIZE(upper); i++)
		assert_int_equal(run(f, upper[i]), 0);
	fixture_close(f);
	layer_make_old(f, "upper");
}

struct walk {
	const char *command;
	char *before, *after; /* dumps of the view */
	unsigned int n_problems;
};

/* The first lines in which two dumps differ. */
static void show_difference(const char *a, const char *b)
{
	const char *la = a, *lb = b;

	for (; *a && *a == *b; a++, b++)
		if (*a == '\n') {
			la = a + 1;
			lb = b + 1;
		}
	print_error("\t%.*s\n\t%.*s\n", (int) strcspn(la, "\n"), la, (int) strcspn(lb, "\n"), lb);
}

/* expected, got: dumps that should be equal; NULL: it is not about dumps. Only the first few are worth reading. */
static void problem(struct walk *w, struct fixture *f, const char *what, int r, const char *expected, const char *got)
{
	if (w->n_problems++ >= 6)
		return;
	print_error("%s: op %u (%s %s) failing, result %d: %s\n", w->command, f->fault_count, kind_name(tracer.kind), tracer.name, r, what);
	if (expected)
		show_difference(expected, got);
}

/* Takes out what begins with a mark: up to the end of the line, or the mark alone. */
static void strike(char *dump, const char *mark, bool line)
{
	for (char *p = dump; (p = strstr(p, mark)); ) {
		const char *rest = line ? strchr(p, '\n') + 1 : p + strlen(mark);

		(void) memmove(p, rest, strlen(rest) + 1);
	}
}

/*
 * Numbers in listings are no matter of failures: prepare() sees them. A count of links that has become too high harms nobody, and
 * is what a failing attribute may leave; one that is too low would let the object go before its last name.
 */
static char *dump_plain(struct fixture *f)
{
	char *dump = view_dump(f);

	strike(dump, "NUMBER IN LISTING DIFFERS: ", false);
	strike(dump, "COUNT OF LINKS TOO HIGH: ", true);
	return dump;
}

/* Another overlay on the same layers: what a mount after a crash would see. */
static char *dump_afresh(struct fixture *f)
{
	struct overlay *ov = f->ov;
	char *dump;

	f->ov = NULL;
	assert_int_equal(overlay_new(f->sync, &f->config, &f->ov), 0);
	dump = dump_plain(f);
	f->ov = overlay_free(f->ov);
	f->ov = ov;
	return dump;
}

/*
 * Shortening a lower file copies only what is to stay. When setting the size of the copy fails then, the file is short already, as it is
 * with kernel overlayfs; only its time, and a set-id bit that the change takes from a user, are still the old ones.
 */
static bool is_short(const struct walk *w, const char *fresh)
{
	char *a = strdup(w->after), *b = strdup(fresh);
	bool equal;

	assert_true(a && b);
	for (const char *const *p = (const char *const[]) { " new", " old", " 104755", " 100755", NULL }; *p; p++) {
		strike(a, *p, false);
		strike(b, *p, false);
	}
	equal = strcmp(a, b) == 0;
	free(a);
	free(b);
	return equal && (strstr(w->command, "trunc") || strstr(w->command, "recreate"));
}

static void judge(struct walk *w, struct fixture *f, int r)
{
	char *same = dump_plain(f), *fresh = dump_afresh(f), *again;
	bool as_before = strcmp(fresh, w->before) == 0;
	bool as_after = strcmp(fresh, w->after) == 0 || (r < 0 && is_short(w, fresh));

	if (!as_before && !as_after)
		problem(w, f, "half done", r, r == 0 ? w->after : w->before, fresh);
	else if (r == 0 && !as_after)
		problem(w, f, "not done", r, w->after, fresh);
	if (strcmp(same, fresh) != 0)
		problem(w, f, "the running overlay shows something else", r, fresh, same);
	if (r < 0 && as_before && strcmp(same, fresh) == 0) {
		int second = run(f, w->command);

		again = dump_plain(f);
		if (second != 0 || strcmp(again, w->after) != 0)
			problem(w, f, "does not succeed the second time", second, w->after, again);
		free(again);
	}
	free(same);
	free(fresh);
}

/* As under a kernel, which holds what it has looked up. */
static void hold(struct fixture *f, const char *command)
{
	char a[32] = "", b[32] = "";

	(void) sscanf(command, "%*s %31s %31s", a, b);
	if (strcmp(a, ".") != 0 && view_exists(f, a))
		(void) view_node(f, a);
	if (b[0] && view_exists(f, b))
		(void) view_node(f, b);
}

/* One run with op n failing. True: there was such an op. */
static bool step(struct walk *w, bool warm, enum io_kind kind, unsigned int n, int error)
{
	struct fixture *f = fixture_new();
	char *lower[2], *now;
	struct overlay_counters c;
	unsigned int fds;
	bool hit;
	int r;

	build(f);
	f->engine = &tracer.engine;
	tracer = (struct tracer) { .engine.ops = &trace_ops, .inner = f->fault };
	fds = count_fds();
	assert_int_equal(fixture_try_open(f), 0);
	if (warm)
		hold(f, w->command);
	for (int i = 0; i < 2; i++)
		lower[i] = layer_dump(f, i ? "l2" : "l1");
	f->fault_kind = kind;
	f->fault_count = tracer.n = n;
	f->fault_error = tracer.error = error;
	fixture_arm(f);
	r = run(f, w->command);
	fixture_disarm(f);
	hit = fixture_was_hit(f);
	if (r != 0 && r != -error)
		problem(w, f, "another error than the op's", r, NULL, NULL);
	judge(w, f, r);
	for (int i = 0; i < 2; i++) {
		now = layer_dump(f, i ? "l2" : "l1");
		if (strcmp(now, lower[i]) != 0)
			problem(w, f, "a lower layer has changed", r, lower[i], now);
		free(now);
		free(lower[i]);
	}
	fixture_forget(f);
	overlay_count(f->ov, &c);
	if (c.n_nodes != 1 || c.n_files != 0)
		problem(w, f, "nodes or files are lost", r, NULL, NULL);
	f->ov = overlay_free(f->ov);
	if (count_fds() != fds)
		problem(w, f, "descriptors are lost", r, NULL, NULL);
	fixture_free(f);
	return hit;
}

/* How often view_dump() found something that does not fit together. */
static unsigned int count_marks(const char *dump)
{
	unsigned int n = 0;

	for (const char *const *p = (const char *const[]) { "DIFFER", "COUNT OF LINKS", NULL }; *p; p++)
		for (const char *at = dump; (at = strstr(at, *p)); at++)
			n++;
	return n;
}

static void prepare(struct walk *w)
{
	struct fixture *f = fixture_new();
	unsigned int n_before, n_after;
	char *dump;

	build(f);
	assert_int_equal(fixture_try_open(f), 0);
	dump = view_dump(f);
	n_before = count_marks(dump);
	free(dump);
	w->before = dump_plain(f);
	hold(f, w->command);
	assert_int_equal(run(f, w->command), 0);
	dump = view_dump(f);
	n_after = count_marks(dump);
	if (n_after > n_before) {
		w->n_problems++;
		print_error("%s: without any failure, afterwards the tree is inconsistent:\n", w->command);
		for (char *p = dump, *line; (line = strsep(&p, "\n")); )
			if (count_marks(line) > 0)
				print_error("\t%s\n", line);
	}
	free(dump);
	w->after = dump_plain(f);
	fixture_close(f);
	fixture_free(f);
}

/* The tree itself, on which all this rests. */
static void test_consistent(void **state)
{
	struct fixture *f = fixture_new();
	char *dump;

	build(f);
	assert_int_equal(fixture_try_open(f), 0);
	dump = view_dump(f);
	if (count_marks(dump) > 0)
		fail_msg("the tree is inconsistent to begin with:\n%s", dump);
	free(dump);
	fixture_close(f);
	fixture_free(f);
}

static unsigned int walk(const char *command, bool writes)
{
	static const enum io_kind writers[] = {
		IO_OPEN, IO_WRITE, IO_COPY_RANGE, IO_CLONE, IO_MKDIR, IO_MKNOD, IO_SYMLINK, IO_LINK, IO_RENAME, IO_SETXATTR, IO_TRUNCATE, IO_FSYNC,
	};
	struct walk w = { .command = command };

	prepare(&w);
	for (unsigned int n = 0; step(&w, false, IO_N_KINDS, n, EIO); n++)
		assert_true(n < 1000);
	for (unsigned int n = 0; step(&w, true, IO_N_KINDS, n, EIO); n++)
		assert_true(n < 1000);
	for (size_t i = 0; writes && i < ARRAY_SIZE(writers); i++)
		for (unsigned int n = 0; step(&w, true, writers[i], n, ENOSPC); n++)
			assert_true(n < 1000);
	free(w.before);
	free(w.after);
	return w.n_problems;
}

static void walk_all(const char *const *commands, bool writes)
{
	unsigned int n = 0;

	for (; *commands; commands++)
		n += walk(*commands, writes);
	assert_int_equal(n, 0);
}

#define WALK(name, writes, ...) \
	static void name(void **state) \
	{ \
		walk_all((const char *const[]) { __VA_ARGS__, NULL }, writes); \
	}

WALK(test_read, false, "lookup d/sub/x", "lookup absent", "lookup i2", "lookup m/b", "open f", "read f", "read u", "readlink s", "readdir .",
     "readdir m", "readdir ud", "readdirplus .", "getxattr f", "listxattr f", "listxattr d")
WALK(test_copy_up, true, "chmod f", "chmod d", "chmod d/sub/x", "utimens s", "chmod p", "chmod h1", "append hd/h2", "append i2", "append m/b",
     "openrw f", "opentrunc f", "switch f")
WALK(test_attributes, true, "chmod u", "chown f", "chown d", "truncate f", "truncate u", "utimens f", "utimens d", "setxattr f", "setxattr u",
     "removexattr f", "setacl f", "defacl d")
WALK(test_create, true, "create new", "create d/sub/new", "create w", "recreate f", "recreate i3", "mkdir new", "mkdir m/new", "mkdir w",
     "mkdir wd", "symlink w", "symlink new", "mkfifo w", "tmpfile .", "tmpfile d", "tmpfile d new", "tmpfile . w")
WALK(test_link, true, "link f new", "link f w", "link u w", "link u new", "link h1 new", "link h1 wd", "link i2 w", "link s new")
WALK(test_remove, true, "unlink f", "unlink u", "unlink s", "unlink both", "unlink h1", "unlink i1", "unlink i2", "unlink m/b",
     "unlink d/sub/x", "rmdir e", "rmdir ue", "rmdir we")
WALK(test_rename_files, true, "rename f new", "rename f u", "rename u f", "rename u new", "rename u w", "rename f w", "rename f d/sub/new",
     "rename s w", "rename both new", "noreplace f new", "noreplace u w", "exchange f u", "exchange f both", "exchange f s")
WALK(test_rename_links, true, "rename h1 new", "rename i1 new", "rename i2 new", "rename i2 w", "rename u h1", "rename u i1", "rename u i2",
     "rename f i3", "exchange i2 u", "exchange h1 i3")
WALK(test_rename_dirs, true, "rename d new", "rename d m/new", "rename ud new", "rename ud wd", "rename d wd", "rename ud e", "rename ud we",
     "rename d we", "rename d ue", "rename e ue", "rename m new", "noreplace m d/new", "exchange d ud", "exchange d m", "exchange d f",
     "exchange ud u", "exchange we ue")

/* Opening the view itself. */
static void test_new(void **state)
{
	for (unsigned int n = 0;; n++) {
		struct fixture *f = fixture_new();
		unsigned int fds;
		int r;

		build(f);
		layer_file(f, "work/work/#left/over", "from a crash");
		fds = count_fds();
		f->fault_count = n;
		f->fault_error = EIO;
		fixture_arm(f);
		r = fixture_try_open(f);
		fixture_disarm(f);
		if (r < 0) {
			assert_null(f->ov);
			assert_int_equal(r, -EIO);
			assert_int_equal(count_fds(), fds);
			assert_int_equal(fixture_try_open(f), 0);
		}
		assert_false(layer_exists(f, "work/work/#left"));
		assert_content(f, "f", "lower file");
		assert_content(f, "i3", "indexed!");
		assert_false(view_exists(f, "w"));
		fixture_close(f);
		r = fixture_was_hit(f);
		fixture_free(f);
		if (!r)
			return;
		assert_true(n < 200);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_consistent),
		cmocka_unit_test(test_read),	     cmocka_unit_test(test_copy_up),	  cmocka_unit_test(test_attributes),
		cmocka_unit_test(test_create),	     cmocka_unit_test(test_link),	  cmocka_unit_test(test_remove),
		cmocka_unit_test(test_rename_files), cmocka_unit_test(test_rename_links), cmocka_unit_test(test_rename_dirs),
		cmocka_unit_test(test_new),
	};

	return FIXTURE_RUN(tests);
}
