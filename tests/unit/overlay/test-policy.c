/*
 * The table of policies, scenario/policy.table, on the engine: what a program would do on a mount, by the verbs of the door.
 *
 * The part of the kernel is here too, as far as the table needs it: walking paths with "..", following symbolic links, and looking a
 * name up before it is made, opened or moved.
 */

#include "fixture.h"

#include <sys/statfs.h>
#include <sys/xattr.h>

#include "overlay/tree.h"

#define MAX_DEPTH 200
#define MAX_LINKS 40
#define MAX_WORDS 12
#define OPEN_TO_EXEC 0x20 /* what the kernel adds to the flags of an open that is to run a program */

struct line {
	unsigned int number;
	char *text;
};

/* A policy, a tree, and what is done in it, in order. */
struct block {
	const char *title;
	struct line *lines;
	size_t n;
};

struct known {
	char name[16];
	uint64_t ino;
};

struct kept {
	char name[16];
	struct overlay_file *file;
	struct overlay_dir *dir;
	bool told[2]; /* since the last reload: that it may not be read, or written to */
};

struct way;
struct run {
	const struct block *block;
	struct fixture *f;
	char *policy[3]; /* the texts; the second and third come with "reload" */
	struct kept kept[8];
	struct known known[8]; /* of "ino" */
	struct way *cwd; /* of "cd"; NULL: the root */
	unsigned int n_wrong;
	unsigned int n_refused; /* reports of refusals, in this row */
	char result[8192];
};

/* the text */

/* \n, \s (a blank), {NAME:N} (a byte, N times), {T}: the test's own directory, {M}: where the view is mounted: nowhere, here */
static void expand(const struct run *run, const char *word, bool escapes, char *to, size_t size)
{
	size_t n = 0;

	for (const char *p = word; *p; p++) {
		unsigned int times;
		char c;

		assert_true(n + 300 < size);
		if (escapes && p[0] == '\\' && (p[1] == 'n' || p[1] == 's')) {
			to[n++] = *++p == 'n' ? '\n' : ' ';
		} else if (strncmp(p, "{T}", 3) == 0) {
			n += (size_t) snprintf(to + n, size - n, "%s", run->f->dir);
			p += 2;
		} else if (strncmp(p, "{M}", 3) == 0) {
			p += 2;
		} else if (sscanf(p, "{%c:%u}", &c, &times) == 2 && times <= 256) {
			memset(to + n, c, times);
			n += times;
			p = strchr(p, '}');
		} else {
			to[n++] = *p;
		}
	}
	to[n] = '\0';
}

struct words {
	size_t n;
	char *v[MAX_WORDS];
};

static struct words split(const struct run *run, const char *text)
{
	char *copy = strdup(text), *save = NULL, buf[4096];
	struct words w = { 0 };

	assert_non_null(copy);
	for (char *p = strtok_r(copy, " \t", &save); p; p = strtok_r(NULL, " \t", &save)) {
		assert_true(w.n < MAX_WORDS);
		expand(run, p, true, buf, sizeof(buf));
		w.v[w.n++] = strdup(buf);
	}
	free(copy);
	for (size_t i = w.n; i < MAX_WORDS; i++)
		w.v[i] = strdup("");
	return w;
}

static void words_done(struct words *w)
{
	for (size_t i = 0; i < MAX_WORDS; i++)
		free(w->v[i]);
}

static const char *error_name(int r)
{
	static char buf[32];

	switch (-r) {
	case 0: return "ok";
	case EACCES: return "EACCES";
	case EBADF: return "EBADF";
	case EBUSY: return "EBUSY";
	case EEXIST: return "EEXIST";
	case EINVAL: return "EINVAL";
	case EIO: return "EIO";
	case EISDIR: return "EISDIR";
	case ELOOP: return "ELOOP";
	case ENAMETOOLONG: return "ENAMETOOLONG";
	case ENODATA: return "ENODATA";
	case ENODEV: return "ENODEV";
	case ENOENT: return "ENOENT";
	case ENOTDIR: return "ENOTDIR";
	case ENOTEMPTY: return "ENOTEMPTY";
	case ENOTSUP: return "ENOTSUP";
	case ENXIO: return "ENXIO";
	case EPERM: return "EPERM";
	case EROFS: return "EROFS";
	case ESTALE: return "ESTALE";
	case EXDEV: return "EXDEV";
	default:
		(void) snprintf(buf, sizeof(buf), "errno %d", -r);
		return buf;
	}
}

_printf_(2, 3) static int say(struct run *run, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void) vsnprintf(run->result, sizeof(run->result), format, ap);
	va_end(ap);
	return 0;
}

/* paths */

struct way {
	struct fixture *f;
	struct entry v[MAX_DEPTH]; /* from the root down; each with a count, the root's too */
	size_t n;
	char rest[2 * PATH_MAX];
	char last[300]; /* of a way to a parent */
	unsigned int n_links;
};

static void way_done(struct way *w)
{
	while (w->n > 0)
		overlay_forget(w->f->ov, w->v[--w->n].node, 1);
}

/* Adds an object that is known, with a count of its own. */
static void way_add(struct way *w, const struct entry *e)
{
	struct entry *copy = &w->v[w->n++];

	*copy = *e;
	node_ref(e->node);
	node_give(w->f->ov, e->node, copy);
}

static int go_to_root(struct way *w)
{
	way_done(w);
	way_add(w, &(struct entry) { .node = overlay_root(w->f->ov), .stx.stx_mode = S_IFDIR });
	(void) overlay_getattr(w->f->ov, &w->f->who, w->v[0].node, NULL, &w->v[0].stx); /* without, it is hidden */
	return 0;
}

static int take_link(struct way *w, const struct entry *link)
{
	char target[PATH_MAX], rest[2 * PATH_MAX];
	ssize_t n = overlay_readlink(w->f->ov, &w->f->who, link->node, target, sizeof(target) - 1);

	overlay_forget(w->f->ov, link->node, 1);
	if (n < 0)
		return (int) n;
	if (++w->n_links > MAX_LINKS)
		return -ELOOP;
	target[n] = '\0';
	assert_true((size_t) snprintf(rest, sizeof(rest), "%s/%s", target, w->rest) < sizeof(rest));
	memcpy(w->rest, rest, sizeof(rest));
	return target[0] == '/' ? go_to_root(w) : 0;
}

static int step(struct way *w, const char *name, bool follow)
{
	struct entry e;
	int r;

	if (strcmp(name, ".") == 0)
		return 0;
	if (strcmp(name, "..") == 0) {
		if (w->n > 1)
			overlay_forget(w->f->ov, w->v[--w->n].node, 1);
		return 0;
	}
	r = overlay_lookup(w->f->ov, &w->f->who, w->v[w->n - 1].node, name, &e);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	if (S_ISLNK(e.stx.stx_mode) && follow)
		return take_link(w, &e);
	assert_true(w->n < MAX_DEPTH);
	w->v[w->n++] = e;
	return 0;
}

/* 0, and the object, or the directory of the last name, is on top. */
static int walk_path(struct run *run, struct way *w, const char *path, bool follow, bool parent)
{
	int r = 0;

	*w = (struct way) { .f = run->f };
	if (path[0] == '/' || !run->cwd)
		(void) go_to_root(w);
	for (size_t i = 0; path[0] != '/' && run->cwd && i < run->cwd->n; i++)
		way_add(w, &run->cwd->v[i]);
	assert_true(strlen(path) < sizeof(w->rest));
	(void) strcpy(w->rest, path);
	while (r == 0) {
		char name[PATH_MAX];
		size_t skip = strspn(w->rest, "/"), len = strcspn(w->rest + skip, "/");
		bool last = w->rest[skip + len + strspn(w->rest + skip + len, "/")] == '\0';

		if (len == 0)
			break;
		memcpy(name, w->rest + skip, len);
		name[len] = '\0';
		memmove(w->rest, w->rest + skip + len, strlen(w->rest + skip + len) + 1);
		if (!S_ISDIR(w->v[w->n - 1].stx.stx_mode))
			r = -ENOTDIR;
		else if (len > 255)
			r = -ENAMETOOLONG;
		else if (last && parent) {
			(void) strcpy(w->last, name);
			return 0;
		} else
			r = step(w, name, !last || follow);
	}
	return r;
}

static struct entry *top(struct way *w)
{
	return &w->v[w->n - 1];
}

/* what is done */

typedef int (*op_fn)(struct run *run, char *const *arg);

static const char *type_name(mode_t mode)
{
	return S_ISDIR(mode) ? "dir" : S_ISREG(mode) ? "file" : S_ISLNK(mode) ? "link" : S_ISFIFO(mode) ? "fifo"
		: S_ISCHR(mode) ? "device" : S_ISSOCK(mode) ? "socket" : "other";
}

/* With the object that a path leads to: fn's result, or that of the walk. */
typedef int (*at_fn)(struct run *run, struct node *n, struct statx *stx, char *const *arg);

static int at_path(struct run *run, char *const *arg, bool follow, at_fn fn)
{
	struct fixture *f = run->f;
	struct way w;
	int r = walk_path(run, &w, arg[0], follow, false);

	if (r == 0)
		r = overlay_getattr(f->ov, &f->who, top(&w)->node, NULL, &top(&w)->stx);
	if (r == 0)
		r = fn(run, top(&w)->node, &top(&w)->stx, arg + 1);
	way_done(&w);
	return r;
}

static int say_type(struct run *run, struct node *n, struct statx *stx, char *const *arg)
{
	return say(run, "%s", type_name(stx->stx_mode));
}

static int op_stat(struct run *run, char *const *arg)
{
	return at_path(run, arg, false, say_type);
}

static int op_statf(struct run *run, char *const *arg)
{
	return at_path(run, arg, true, say_type);
}

static int say_links(struct run *run, struct node *n, struct statx *stx, char *const *arg)
{
	return say(run, "%u", stx->stx_nlink);
}

static int op_links(struct run *run, char *const *arg)
{
	return at_path(run, arg, false, say_links);
}

static int say_mode(struct run *run, struct node *n, struct statx *stx, char *const *arg)
{
	return say(run, "%o", stx->stx_mode & 07777);
}

static int op_mode(struct run *run, char *const *arg)
{
	return at_path(run, arg, true, say_mode);
}

static int op_same(struct run *run, char *const *arg)
{
	struct way a, b;
	int r = walk_path(run, &a, arg[0], false, false), r2 = walk_path(run, &b, arg[1], false, false);

	if (r == 0 && r2 == 0)
		(void) say(run, top(&a)->stx.stx_ino == top(&b)->stx.stx_ino ? "same" : "other");
	way_done(&a);
	way_done(&b);
	return r < 0 ? r : r2;
}

/* The number of an object, to be compared with later: "new", then "same". */
static int say_ino(struct run *run, struct node *n, struct statx *stx, char *const *arg)
{
	struct known *k = run->known;

	while (k->name[0] && strcmp(k->name, arg[0]) != 0)
		k++;
	assert_true(k < run->known + ARRAY_SIZE(run->known) - 1);
	(void) say(run, "%s", !k->name[0] ? "new" : k->ino == stx->stx_ino ? "same" : "other");
	(void) snprintf(k->name, sizeof(k->name), "%s", arg[0]);
	k->ino = stx->stx_ino;
	return 0;
}

static int op_ino(struct run *run, char *const *arg)
{
	return at_path(run, arg, false, say_ino);
}

static int access_node(struct run *run, struct node *n, struct statx *stx, char *const *arg)
{
	return 0;
}

static int op_access(struct run *run, char *const *arg)
{
	return at_path(run, arg, true, access_node);
}

/* listing */

struct list {
	size_t n;
	char *v[200];
	uint64_t inos[200], dot, dotdot;
	bool plus;
};

static bool take(void *arg, const struct overlay_dirent *d, const struct entry *plus)
{
	struct list *l = arg;
	char *text;

	if (strcmp(d->name, ".") == 0)
		l->dot = d->ino;
	else if (strcmp(d->name, "..") == 0)
		l->dotdot = d->ino;
	else {
		assert_true(l->n < ARRAY_SIZE(l->v));
		if (l->plus)
			assert_true(asprintf(&text, "%s:%s", d->name, plus ? type_name(plus->stx.stx_mode) : "none") > 0);
		else
			text = strdup(d->name);
		l->inos[l->n] = d->ino;
		l->v[l->n++] = text;
	}
	return true;
}

static int by_string(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

static void say_list(struct run *run, struct list *l)
{
	size_t at = 0;

	if (l->n)
		qsort(l->v, l->n, sizeof(l->v[0]), by_string);
	(void) say(run, "-");
	for (size_t i = 0; i < l->n; i++) {
		at += (size_t) snprintf(run->result + at, sizeof(run->result) - at, "%s%s", i ? " " : "", l->v[i]);
		free(l->v[i]);
	}
	l->n = 0;
}

/* Gives back what a listing with look-ups gave. */
struct plus_list {
	struct list list;
	struct fixture *f;
};

static bool take_plus(void *arg, const struct overlay_dirent *d, const struct entry *plus)
{
	struct plus_list *l = arg;

	(void) take(&l->list, d, plus);
	if (plus)
		overlay_forget(l->f->ov, plus->node, 1);
	return true;
}

static int list_node(struct run *run, struct node *n, struct statx *stx, char *const *arg)
{
	struct plus_list l = { .list = { .plus = arg == NULL }, .f = run->f };
	struct overlay_dir *d;
	int r = overlay_opendir(run->f->ov, &run->f->who, n, &d);

	if (r < 0)
		return r;
	r = overlay_readdir(d, &run->f->who, 0, l.list.plus, take_plus, &l);
	overlay_releasedir(d);
	say_list(run, &l.list);
	return r;
}

static int list_plus(struct run *run, struct node *n, struct statx *stx, char *const *arg)
{
	return list_node(run, n, stx, NULL);
}

static int op_list(struct run *run, char *const *arg)
{
	return at_path(run, arg, true, list_node);
}

static int op_plus(struct run *run, char *const *arg)
{
	return at_path(run, arg, true, list_plus);
}

/* The numbers in a listing, of the dots and all names: those of stat? */
static int op_dots(struct run *run, char *const *arg)
{
	struct list l = { 0 };
	struct overlay_dir *d;
	struct way w;
	int r = walk_path(run, &w, arg[0], true, false);

	if (r == 0)
		r = overlay_opendir(run->f->ov, &run->f->who, top(&w)->node, &d);
	if (r == 0) {
		r = overlay_readdir(d, &run->f->who, 0, false, take, &l);
		overlay_releasedir(d);
		assert_true(w.n >= 2);
		(void) say(run, l.dot == top(&w)->stx.stx_ino && l.dotdot == w.v[w.n - 2].stx.stx_ino ? "right" : "wrong");
		for (size_t i = 0; i < l.n; i++) {
			struct entry e;

			assert_int_equal(overlay_lookup(run->f->ov, &run->f->who, top(&w)->node, l.v[i], &e), 1);
			if (l.inos[i] != e.stx.stx_ino)
				(void) say(run, "wrong: %s", l.v[i]);
			overlay_forget(run->f->ov, e.node, 1);
			free(l.v[i]);
		}
	}
	way_done(&w);
	return r;
}

/* files */

static int read_file(struct run *run, struct overlay_file *file)
{
	ssize_t n = overlay_read(file, run->result, sizeof(run->result) - 1, 0);

	if (n < 0)
		return (int) n;
	run->result[n] = '\0';
	return n == 0 ? say(run, "-") : 0;
}

static int read_node(struct run *run, struct node *n, struct statx *stx, char *const *arg)
{
	struct overlay_file *file;
	int r = overlay_open(run->f->ov, &run->f->who, n, O_RDONLY, &file);

	if (r < 0)
		return r;
	r = read_file(run, file);
	overlay_release(file);
	return r;
}

static int op_read(struct run *run, char *const *arg)
{
	return at_path(run, arg, true, read_node);
}

static int open_flags(const char *text)
{
	static const struct {
		const char *name;
		int flag;
	} flags[] = {
		{ "r", O_RDONLY },   { "w", O_WRONLY },	  { "rw", O_RDWR },	  { "trunc", O_TRUNC },
		{ "creat", O_CREAT }, { "excl", O_EXCL }, { "append", O_APPEND }, { "nofollow", O_NOFOLLOW },
		{ "path", O_PATH },   { "directory", O_DIRECTORY },
	};
	char *copy = strdup(text), *save = NULL;
	int r = 0;

	for (char *p = strtok_r(copy, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
		size_t i = 0;

		while (i < ARRAY_SIZE(flags) && strcmp(flags[i].name, p) != 0)
			i++;
		if (i == ARRAY_SIZE(flags))
			fail_msg("no flag of open: %s", p);
		r |= flags[i].flag;
	}
	free(copy);
	return r;
}

static bool wants_write(int flags)
{
	return (flags & O_ACCMODE) != O_RDONLY || flags & (O_CREAT | O_TRUNC);
}

/* As the kernel: a name that a look-up finds is opened, one that it does not is created. */
static int open_path(struct run *run, const char *path, int flags, struct overlay_file **ret)
{
	struct fixture *f = run->f;
	struct entry e;
	struct way w;
	int r = walk_path(run, &w, path, !(flags & O_NOFOLLOW), false);

	*ret = NULL;
	if (r == 0 && flags & O_CREAT && flags & O_EXCL)
		r = -EEXIST;
	else if (r == 0 && flags & O_PATH)
		r = 0;
	else if (r == 0 && S_ISLNK(top(&w)->stx.stx_mode))
		r = -ELOOP;
	else if (r == 0 && flags & O_DIRECTORY && !S_ISDIR(top(&w)->stx.stx_mode))
		r = -ENOTDIR;
	else if (r == 0 && S_ISDIR(top(&w)->stx.stx_mode)) {
		struct overlay_dir *d;

		r = wants_write(flags) ? -EISDIR : overlay_opendir(f->ov, &f->who, top(&w)->node, &d);
		if (r == 0)
			overlay_releasedir(d);
	}
	else if (r == 0)
		r = overlay_open(f->ov, &f->who, top(&w)->node, flags & ~(O_CREAT | O_EXCL | O_NOFOLLOW), ret);
	way_done(&w);
	if (r != -ENOENT || !(flags & O_CREAT))
		return r;
	r = walk_path(run, &w, path, true, true);
	if (r == 0)
		r = overlay_create(f->ov, &f->who, top(&w)->node, w.last, 0666, flags & ~(O_CREAT | O_NOFOLLOW), &e, ret);
	if (r == 0)
		overlay_forget(f->ov, e.node, 1);
	way_done(&w);
	return r;
}

static int op_open(struct run *run, char *const *arg)
{
	struct overlay_file *file;
	int r = open_path(run, arg[0], open_flags(arg[1]), &file);

	if (file)
		overlay_release(file);
	return r;
}

static int write_file(struct overlay_file *file, const char *text, uint64_t at, unsigned int flags)
{
	ssize_t n = overlay_write(file, text, strlen(text), at, flags);

	return n < 0 ? (int) n : 0;
}

static int write_path(struct run *run, const char *path, int flags, const char *text, unsigned int how)
{
	struct overlay_file *file;
	struct statx stx = { 0 };
	struct way w;
	int r = open_path(run, path, flags, &file);

	if (r < 0)
		return r;
	if (flags & O_APPEND) {
		assert_int_equal(walk_path(run, &w, path, true, false), 0);
		stx = top(&w)->stx;
		way_done(&w);
	}
	r = write_file(file, text, stx.stx_size, how);
	overlay_release(file);
	return r;
}

static int op_write(struct run *run, char *const *arg)
{
	return write_path(run, arg[0], O_WRONLY | O_CREAT | O_TRUNC, arg[1], 0);
}

static int op_append(struct run *run, char *const *arg)
{
	return write_path(run, arg[0], O_WRONLY | O_APPEND, arg[1], 0);
}

static int op_patch(struct run *run, char *const *arg)
{
	return write_path(run, arg[0], O_RDWR, arg[1], 0);
}

static int op_mapwrite(struct run *run, char *const *arg)
{
	return write_path(run, arg[0], O_RDWR, arg[1], OVERLAY_WRITE_MAPPED);
}

static int exec_node(struct run *run, struct node *n, struct statx *stx, char *const *arg)
{
	struct overlay_file *file;
	int r;

	if (!(S_ISREG(stx->stx_mode) && stx->stx_mode & 0111))
		return say(run, "EACCES");
	r = overlay_open(run->f->ov, &run->f->who, n, O_RDONLY | OPEN_TO_EXEC, &file);
	if (r == 0)
		overlay_release(file);
	return r;
}

static int op_exec(struct run *run, char *const *arg)
{
	return at_path(run, arg, true, exec_node);
}

/* A nameless file in a directory, and then a name for it, maybe. */
static int op_tmpfile(struct run *run, char *const *arg)
{
	struct fixture *f = run->f;
	struct overlay_file *file;
	struct entry e, linked;
	struct way w;
	int r = walk_path(run, &w, arg[0], true, false);

	if (r == 0)
		r = overlay_tmpfile(f->ov, &f->who, top(&w)->node, 0600, O_RDWR, &e, &file);
	way_done(&w);
	if (r < 0)
		return r;
	assert_int_equal(write_file(file, "tmp", 0, 0), 0);
	if (arg[1][0]) {
		r = walk_path(run, &w, arg[1], true, true);
		if (r == 0)
			r = overlay_link(f->ov, &f->who, e.node, top(&w)->node, w.last, &linked);
		if (r == 0)
			overlay_forget(f->ov, linked.node, 1);
		way_done(&w);
	}
	overlay_release(file);
	overlay_forget(f->ov, e.node, 1);
	return r;
}

static int op_copyrange(struct run *run, char *const *arg)
{
	struct overlay_file *in, *out = NULL;
	ssize_t n;
	int r = open_path(run, arg[0], O_RDONLY, &in);

	if (r == 0)
		r = open_path(run, arg[1], O_WRONLY | O_CREAT, &out);
	if (r == 0) {
		n = overlay_copy_range(in, 0, out, 0, 4096);
		r = n < 0 ? (int) n : 0;
	}
	if (in)
		overlay_release(in);
	if (out)
		overlay_release(out);
	return r;
}

/* names */

static int exists(struct run *run, const char *path)
{
	struct way w;
	int r = walk_path(run, &w, path, false, false);

	way_done(&w);
	return r == 0;
}

static int make(struct run *run, const char *path, mode_t mode, const char *target)
{
	struct fixture *f = run->f;
	struct entry e = { .node = NULL };
	struct way w;
	int r = walk_path(run, &w, path, true, true);

	if (r == 0 && exists(run, path))
		r = -EEXIST;
	else if (r == 0 && S_ISDIR(mode))
		r = overlay_mkdir(f->ov, &f->who, top(&w)->node, w.last, 0777, &e);
	else if (r == 0 && S_ISLNK(mode))
		r = overlay_symlink(f->ov, &f->who, top(&w)->node, w.last, target, &e);
	else if (r == 0)
		r = overlay_mknod(f->ov, &f->who, top(&w)->node, w.last, mode, 0, &e);
	if (r == 0)
		overlay_forget(f->ov, e.node, 1);
	way_done(&w);
	return r;
}

static int op_mkdir(struct run *run, char *const *arg)
{
	return make(run, arg[0], S_IFDIR | 0777, NULL);
}

static int op_mknod(struct run *run, char *const *arg)
{
	return make(run, arg[0], S_IFREG | 0666, NULL);
}

static int op_mkfifo(struct run *run, char *const *arg)
{
	return make(run, arg[0], S_IFIFO | 0666, NULL);
}

static int op_symlink(struct run *run, char *const *arg)
{
	return make(run, arg[1], S_IFLNK | 0777, arg[0]);
}

static int readlink_node(struct run *run, struct node *n, struct statx *stx, char *const *arg)
{
	ssize_t len = overlay_readlink(run->f->ov, &run->f->who, n, run->result, sizeof(run->result) - 1);

	if (len < 0)
		return (int) len;
	run->result[len] = '\0';
	return 0;
}

static int op_readlink(struct run *run, char *const *arg)
{
	return at_path(run, arg, false, readlink_node);
}

static int op_link(struct run *run, char *const *arg)
{
	struct fixture *f = run->f;
	struct entry e;
	struct way from, to;
	int r = walk_path(run, &from, arg[0], false, false), r2 = walk_path(run, &to, arg[1], true, true);

	if (r == 0)
		r = r2;
	if (r == 0 && exists(run, arg[1]))
		r = -EEXIST;
	else if (r == 0)
		r = overlay_link(f->ov, &f->who, top(&from)->node, top(&to)->node, to.last, &e);
	if (r == 0)
		overlay_forget(f->ov, e.node, 1);
	way_done(&from);
	way_done(&to);
	return r;
}

static int remove_name(struct run *run, const char *path,
		       int (*verb)(struct overlay *ov, const struct actor *who, struct node *dir, const char *name))
{
	struct way at, w;
	int r = walk_path(run, &at, path, false, false), r2 = walk_path(run, &w, path, true, true);

	way_done(&at);
	if (r == 0)
		r = r2;
	if (r == 0)
		r = verb(run->f->ov, &run->f->who, top(&w)->node, w.last);
	way_done(&w);
	return r;
}

static int op_unlink(struct run *run, char *const *arg)
{
	return remove_name(run, arg[0], overlay_unlink);
}

static int op_rmdir(struct run *run, char *const *arg)
{
	return remove_name(run, arg[0], overlay_rmdir);
}

static int rename_path(struct run *run, const char *old, const char *new, unsigned int flags)
{
	struct way at, from, to;
	int r = walk_path(run, &at, old, false, false), r2 = walk_path(run, &from, old, true, true);
	int r3 = walk_path(run, &to, new, true, true);

	way_done(&at);
	r = r < 0 ? r : r2 < 0 ? r2 : r3;
	if (r == 0 && flags & RENAME_EXCHANGE && !exists(run, new))
		r = -ENOENT;
	else if (r == 0 && flags & RENAME_NOREPLACE && exists(run, new))
		r = -EEXIST;
	else if (r == 0)
		r = overlay_rename(run->f->ov, &run->f->who, top(&from)->node, from.last, top(&to)->node, to.last, flags);
	way_done(&from);
	way_done(&to);
	return r;
}

static int op_rename(struct run *run, char *const *arg)
{
	return rename_path(run, arg[0], arg[1], 0);
}

static int op_noreplace(struct run *run, char *const *arg)
{
	return rename_path(run, arg[0], arg[1], RENAME_NOREPLACE);
}

static int op_exchange(struct run *run, char *const *arg)
{
	return rename_path(run, arg[0], arg[1], RENAME_EXCHANGE);
}

/* attributes */

static int change(struct run *run, struct node *n, const struct attr_change *change)
{
	struct statx stx;

	return overlay_setattr(run->f->ov, &run->f->who, n, NULL, change, &stx);
}

static int chmod_node(struct run *run, struct node *n, struct statx *stx, char *const *arg)
{
	return change(run, n, &(struct attr_change) { .valid = ATTR_MODE, .mode = (mode_t) strtoul(arg[0], NULL, 8) });
}

static int op_chmod(struct run *run, char *const *arg)
{
	return at_path(run, arg, true, chmod_node);
}

static int chown_node(struct run *run, struct node *n, struct statx *stx, char *const *arg)
{
	return change(run, n, &(struct attr_change) { .valid = ATTR_UID | ATTR_GID, .uid = geteuid(), .gid = getegid() });
}

static int op_chown(struct run *run, char *const *arg)
{
	return at_path(run, arg, false, chown_node);
}

static int utimens_node(struct run *run, struct node *n, struct statx *stx, char *const *arg)
{
	return change(run, n, &(struct attr_change) { .valid = ATTR_ATIME | ATTR_MTIME, .atime = { .tv_sec = 5 }, .mtime = { .tv_sec = 5 } });
}

static int op_utimens(struct run *run, char *const *arg)
{
	return at_path(run, arg, false, utimens_node);
}

static int truncate_node(struct run *run, struct node *n, struct statx *stx, char *const *arg)
{
	if (S_ISDIR(stx->stx_mode))
		return -EISDIR;
	return change(run, n, &(struct attr_change) { .valid = ATTR_SIZE, .size = strtoul(arg[0], NULL, 10) });
}

static int op_truncate(struct run *run, char *const *arg)
{
	return at_path(run, arg, true, truncate_node);
}

static int getxattr_node(struct run *run, struct node *n, struct statx *stx, char *const *arg)
{
	ssize_t len = overlay_getxattr(run->f->ov, &run->f->who, n, arg[0], run->result, sizeof(run->result) - 1);

	if (len < 0)
		return (int) len;
	run->result[len] = '\0';
	return 0;
}

static int op_getxattr(struct run *run, char *const *arg)
{
	return at_path(run, arg, false, getxattr_node);
}

static int listxattr_node(struct run *run, struct node *n, struct statx *stx, char *const *arg)
{
	char buf[8192];
	ssize_t len = overlay_listxattr(run->f->ov, &run->f->who, n, buf, sizeof(buf));
	struct list l = { 0 };

	if (len < 0)
		return (int) len;
	for (char *p = buf; p < buf + len; p += strlen(p) + 1)
		if (strncmp(p, "user.", 5) == 0)
			l.v[l.n++] = strdup(p);
	say_list(run, &l);
	return 0;
}

static int op_listxattr(struct run *run, char *const *arg)
{
	return at_path(run, arg, false, listxattr_node);
}

static int setxattr_node(struct run *run, struct node *n, struct statx *stx, char *const *arg)
{
	return overlay_setxattr(run->f->ov, &run->f->who, n, arg[0], arg[1], strlen(arg[1]), 0, false);
}

static int op_setxattr(struct run *run, char *const *arg)
{
	return at_path(run, arg, false, setxattr_node);
}

static int removexattr_node(struct run *run, struct node *n, struct statx *stx, char *const *arg)
{
	return overlay_removexattr(run->f->ov, &run->f->who, n, arg[0]);
}

static int op_removexattr(struct run *run, char *const *arg)
{
	return at_path(run, arg, false, removexattr_node);
}

static int statfs_node(struct run *run, struct node *n, struct statx *stx, char *const *arg)
{
	struct statfs st;

	return overlay_statfs(run->f->ov, &run->f->who, &st);
}

static int op_statfs(struct run *run, char *const *arg)
{
	return at_path(run, arg, true, statfs_node);
}

/* what is kept open */

static struct kept *find_kept(struct run *run, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(run->kept); i++)
		if (strcmp(run->kept[i].name, name) == 0)
			return &run->kept[i];
	fail_msg("nothing is kept as %s", name);
	return NULL;
}

static int op_keep(struct run *run, char *const *arg)
{
	struct kept *k = find_kept(run, "");
	int flags = open_flags(arg[2]), r;
	struct way w;

	if (flags & O_DIRECTORY) {
		r = walk_path(run, &w, arg[1], true, false);
		if (r == 0)
			r = overlay_opendir(run->f->ov, &run->f->who, top(&w)->node, &k->dir);
		way_done(&w);
	} else {
		r = open_path(run, arg[1], flags, &k->file);
	}
	if (r == 0)
		(void) snprintf(k->name, sizeof(k->name), "%s", arg[0]);
	return r;
}

static int op_kread(struct run *run, char *const *arg)
{
	return read_file(run, find_kept(run, arg[0])->file);
}

static int op_kwrite(struct run *run, char *const *arg)
{
	return write_file(find_kept(run, arg[0])->file, arg[1], 0, 0);
}

static int op_ktruncate(struct run *run, char *const *arg)
{
	struct overlay_file *file = find_kept(run, arg[0])->file;

	return overlay_fallocate(file, 0, 0, 10) < 0 ? overlay_fallocate(file, 0, 0, 10) : 0;
}

static int op_klist(struct run *run, char *const *arg)
{
	struct list l = { 0 };
	int r = overlay_readdir(find_kept(run, arg[0])->dir, &run->f->who, 0, false, take, &l);

	say_list(run, &l);
	return r;
}

static void drop_cwd(struct run *run)
{
	if (run->cwd)
		way_done(run->cwd);
	free(run->cwd);
	run->cwd = NULL;
}

static void drop_kept(struct run *run)
{
	for (size_t i = 0; i < ARRAY_SIZE(run->kept); i++) {
		struct kept *k = &run->kept[i];

		if (k->file)
			overlay_release(k->file);
		if (k->dir)
			overlay_releasedir(k->dir);
		*k = (struct kept) { .file = NULL };
	}
	drop_cwd(run);
}

static int op_cd(struct run *run, char *const *arg)
{
	struct way *w = calloc(1, sizeof(*w));
	int r = walk_path(run, w, arg[0], true, false);

	if (r == 0 && !S_ISDIR(top(w)->stx.stx_mode))
		r = -ENOTDIR;
	if (r < 0) {
		way_done(w);
		free(w);
		return r;
	}
	drop_cwd(run);
	run->cwd = w;
	return 0;
}

/* the view, and the layers under it */

static int op_remount(struct run *run, char *const *arg)
{
	drop_kept(run);
	fixture_reopen(run->f);
	return 0;
}

static void tell_nobody(void *arg, const struct overlay_stale *stale)
{
}

static int op_reload(struct run *run, char *const *arg)
{
	const char *text = run->policy[arg[0][0] ? atoi(arg[0]) : 1];
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(run->kept); i++)
		run->kept[i].told[0] = run->kept[i].told[1] = false;
	fixture_set_policy(run->f, text);
	r = overlay_set_policy(run->f->ov, run->f->config.policy, NULL, tell_nobody, NULL);
	return r;
}

static const char *layer_path(const char *layer, const char *path, char buf[static PATH_MAX])
{
	const char *dir = strncmp(layer, "lower", 5) == 0 ? "l1" : strncmp(layer, "below", 5) == 0 ? "l2" : "upper";

	(void) snprintf(buf, PATH_MAX, "%s/%s", dir, path);
	return buf;
}

static int layer_stat_type(struct run *run, const char *layer, const char *path)
{
	char buf[PATH_MAX];
	struct stat st;

	if (fstatat(run->f->fd, layer_path(layer, path, buf), &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (S_ISCHR(st.st_mode) && st.st_rdev == 0)
		return say(run, "whiteout");
	return say(run, "%s", type_name(st.st_mode));
}

static int layer_read(struct run *run, const char *layer, const char *path)
{
	char buf[PATH_MAX];
	int fd = openat(run->f->fd, layer_path(layer, path, buf), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, run->result, sizeof(run->result) - 1);
	run->result[MAX(n, 0)] = '\0';
	(void) close(fd);
	return n == 0 ? say(run, "-") : 0;
}

static int layer_list(struct run *run, const char *layer, const char *path)
{
	char buf[PATH_MAX];
	struct list l = { 0 };
	struct dirent *e;
	int fd = openat(run->f->fd, layer_path(layer, path, buf), O_RDONLY | O_CLOEXEC | O_DIRECTORY);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;

	if (!d)
		return -errno;
	while ((e = readdir(d)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			l.v[l.n++] = strdup(e->d_name);
	(void) closedir(d);
	say_list(run, &l);
	return 0;
}

static int layer_mode_of(struct run *run, const char *layer, const char *path)
{
	char buf[PATH_MAX];

	return say(run, "%o", layer_stat(run->f, layer_path(layer, path, buf)).stx_mode & 07777);
}

static int op_lower_stat(struct run *run, char *const *arg)
{
	return layer_stat_type(run, "lower", arg[0]);
}

static int op_lower_read(struct run *run, char *const *arg)
{
	return layer_read(run, "lower", arg[0]);
}

static int op_lower_list(struct run *run, char *const *arg)
{
	return layer_list(run, "lower", arg[0]);
}

static int op_lower_mode(struct run *run, char *const *arg)
{
	return layer_mode_of(run, "lower", arg[0]);
}

static int op_upper_stat(struct run *run, char *const *arg)
{
	return layer_stat_type(run, "upper", arg[0]);
}

static int op_upper_read(struct run *run, char *const *arg)
{
	return layer_read(run, "upper", arg[0]);
}

static int op_upper_list(struct run *run, char *const *arg)
{
	return layer_list(run, "upper", arg[0]);
}

/* For a mount, where the kernel remembers attributes. */
static int op_settle(struct run *run, char *const *arg)
{
	return 0;
}

/* Behind the view's back. */
static int op_plant(struct run *run, char *const *arg)
{
	char buf[PATH_MAX];

	layer_file(run->f, layer_path("lower", arg[0], buf), arg[1]);
	return 0;
}

/* The class of a path, found out as a program would. */
static int class_of(struct run *run, struct node *n, struct statx *stx, char *const *arg)
{
	struct fixture *f = run->f;
	struct overlay_file *file;
	struct overlay_dir *d;
	bool is_dir = S_ISDIR(stx->stx_mode);
	char buf[PATH_MAX];
	int r;

	if (is_dir) {
		r = overlay_opendir(f->ov, &f->who, n, &d);
		if (r == 0)
			overlay_releasedir(d);
	} else {
		r = overlay_open(f->ov, &f->who, n, O_RDONLY, &file);
		if (r == 0)
			overlay_release(file);
	}
	if (r < 0)
		return r == -ENOENT ? r : say(run, "deny");
	r = change(run, n, &(struct attr_change) { .valid = ATTR_MODE, .mode = stx->stx_mode & 07777 });
	if (r == -EROFS)
		return say(run, "ro");
	if (r == -EACCES)
		return say(run, is_dir ? "passage" : "?");
	if (r < 0)
		return r;
	/* A directory that is changed in the lower may have a part in the upper, but then only since something below has. */
	return say(run, layer_exists(f, layer_path("upper", arg[-1], buf)) ? "cow" : "rw");
}

static int op_class(struct run *run, char *const *arg)
{
	int r = at_path(run, arg, false, class_of);

	return r == -ENOENT ? say(run, "hide") : r;
}

static const struct {
	const char *name;
	op_fn fn;
} ops[] = {
	{ "stat", op_stat },	       { "statf", op_statf },	      { "links", op_links },	     { "mode", op_mode },
	{ "ino", op_ino },	       { "same", op_same },	       { "access", op_access },	      { "list", op_list },	     { "plus", op_plus },
	{ "dots", op_dots },	       { "read", op_read },	      { "mmap", op_read },	     { "open", op_open },
	{ "write", op_write },	       { "append", op_append },	      { "patch", op_patch },	     { "mapwrite", op_mapwrite },
	{ "exec", op_exec },	       { "tmpfile", op_tmpfile },     { "copyrange", op_copyrange }, { "mkdir", op_mkdir },
	{ "mknod", op_mknod },	       { "mkfifo", op_mkfifo },	      { "symlink", op_symlink },     { "readlink", op_readlink },
	{ "link", op_link },	       { "unlink", op_unlink },	      { "rmdir", op_rmdir },	     { "rename", op_rename },
	{ "noreplace", op_noreplace }, { "exchange", op_exchange },   { "chmod", op_chmod },	     { "chown", op_chown },
	{ "utimens", op_utimens },     { "truncate", op_truncate },   { "getxattr", op_getxattr },   { "listxattr", op_listxattr },
	{ "setxattr", op_setxattr },   { "removexattr", op_removexattr }, { "statfs", op_statfs },   { "keep", op_keep },
	{ "kread", op_kread },	       { "kwrite", op_kwrite },	      { "kgrow", op_ktruncate },     { "klist", op_klist },
	{ "cd", op_cd },	       { "remount", op_remount },     { "reload", op_reload },	     { "lower-stat", op_lower_stat },
	{ "lower-read", op_lower_read }, { "lower-list", op_lower_list }, { "lower-mode", op_lower_mode },
	{ "upper-stat", op_upper_stat }, { "upper-read", op_upper_read }, { "upper-list", op_upper_list },
	{ "settle", op_settle },       { "plant", op_plant },	       { "class", op_class },
};

/* a row: "OP ARGUMENT… -> RESULT" */

/* Of a file that is open it is, once for each set of rules. */
static bool is_told(struct run *run, const char *op, const char *name)
{
	bool writes = strcmp(op, "kwrite") == 0 || strcmp(op, "kgrow") == 0, *told, before;

	if (!writes && strcmp(op, "kread") != 0)
		return false;
	told = &find_kept(run, name)->told[writes];
	before = *told;
	*told = true;
	return before;
}

static bool is_refusal(int r)
{
	return r == -EACCES || r == -EPERM || r == -EROFS || r == -EXDEV || r == -ESTALE;
}

static void row(struct run *run, const struct line *line)
{
	char *copy = strdup(line->text), *arrow = strstr(copy, " -> "), want[8192];
	struct words w, result;
	size_t i = 0, at = 0;
	int r;

	if (!arrow)
		fail_msg("line %u: no \"->\"", line->number);
	*arrow = '\0';
	w = split(run, copy);
	result = split(run, arrow + 4);
	want[0] = '\0';
	for (size_t j = 0; j < result.n; j++)
		at += (size_t) snprintf(want + at, sizeof(want) - at, "%s%s", j ? " " : "", result.v[j]);
	while (i < ARRAY_SIZE(ops) && strcmp(ops[i].name, w.v[0]) != 0)
		i++;
	if (i == ARRAY_SIZE(ops))
		fail_msg("line %u: no such operation: %s", line->number, w.v[0]);
	(void) say(run, "ok");
	run->n_refused = 0;
	r = ops[i].fn(run, w.v + 1);
	if (r < 0)
		(void) say(run, "%s", error_name(r));
	if (strcmp(run->result, want) != 0) {
		print_error("policy.table:%u: %s: \"%s\", not \"%s\"\n", line->number, copy, run->result, want);
		run->n_wrong++;
	}
	if (is_refusal(r) && is_told(run, w.v[0], w.v[1]) == (run->n_refused > 0)) {
		print_error("policy.table:%u: %s: %s was reported %u times\n", line->number, copy, run->result, run->n_refused);
		run->n_wrong++;
	}
	words_done(&w);
	words_done(&result);
	free(copy);
}

/* set-up: "LAYER KIND ARGUMENT…" */
static void set_up_layer(struct run *run, const struct line *line)
{
	struct words w = split(run, line->text);
	char a[PATH_MAX], b[PATH_MAX];
	struct fixture *f = run->f;
	const char *kind = w.v[1];

	(void) layer_path(w.v[0], w.v[2], a);
	if (strcmp(kind, "file") == 0)
		layer_file(f, a, w.v[3]);
	else if (strcmp(kind, "program") == 0) {
		layer_file(f, a, "#!/bin/true\n");
		layer_mode(f, a, 0755);
	} else if (strcmp(kind, "dir") == 0)
		layer_dir(f, a);
	else if (strcmp(kind, "link") == 0)
		layer_link(f, a, layer_path(w.v[0], w.v[3], b));
	else if (strcmp(kind, "symlink") == 0)
		layer_symlink(f, w.v[2], layer_path(w.v[0], w.v[3], b));
	else if (strcmp(kind, "fifo") == 0)
		layer_fifo(f, a);
	else if (strcmp(kind, "mode") == 0)
		layer_mode(f, a, (mode_t) strtoul(w.v[3], NULL, 8));
	else if (strcmp(kind, "xattr") == 0)
		layer_xattr(f, a, w.v[3], w.v[4], strlen(w.v[4]));
	else if (strcmp(kind, "whiteout") == 0)
		layer_whiteout(f, a);
	else
		fail_msg("line %u: no such thing in a layer: %s", line->number, kind);
	words_done(&w);
}

static bool begins(const char *text, const char *word, const char **ret_rest)
{
	size_t len = strlen(word);

	*ret_rest = text + len + strspn(text + len, " \t");
	return strncmp(text, word, len) == 0 && (text[len] == ' ' || text[len] == '\0');
}

static void add_policy(struct run *run, int which, const char *text)
{
	char line[4096], *all;

	expand(run, text, false, line, sizeof(line)); /* a policy has escapes of its own */
	assert_true(asprintf(&all, "%s%s\n", run->policy[which] ? run->policy[which] : "", line) > 0);
	free(run->policy[which]);
	run->policy[which] = all;
}

/* Lines that come before the view is there. */
static bool set_up(struct run *run, const struct line *line)
{
	const char *rest;
	struct words w;

	if (begins(line->text, "policy", &rest))
		add_policy(run, 0, rest);
	else if (begins(line->text, "policy2", &rest))
		add_policy(run, 1, rest);
	else if (begins(line->text, "policy3", &rest))
		add_policy(run, 2, rest);
	else if (begins(line->text, "lower", &rest) || begins(line->text, "below", &rest) || begins(line->text, "upper", &rest))
		set_up_layer(run, line);
	else if (begins(line->text, "host", &rest)) {
		w = split(run, rest);
		layer_file(run->f, w.v[0], w.v[1]);
		words_done(&w);
	} else
		return begins(line->text, "changes", &rest);
	return true;
}

/* The lines of a dump that are not about what may change: a path, or all below it with a star behind it. */
static char *without_changes(const char *dump, const char *changes)
{
	char *text = NULL, *stack[MAX_DEPTH] = { NULL }, *copy = strdup(dump), *save = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	for (char *p = strtok_r(copy, "\n", &save); p; p = strtok_r(NULL, "\n", &save)) {
		size_t depth = strspn(p, " "), at = 0;
		char path[PATH_MAX] = "", padded[PATH_MAX + 2];
		bool changed = false;

		p[depth + strcspn(p + depth, " ")] = '\0';
		stack[depth] = p + depth;
		for (size_t i = 1; i <= depth; i++)
			at += (size_t) snprintf(path + at, sizeof(path) - at, "%s%s", i > 1 ? "/" : "", stack[i]);
		(void) snprintf(padded, sizeof(padded), " %s ", depth ? path : ".");
		changed = strstr(changes, padded) != NULL;
		for (size_t i = strlen(path); i > 0 && !changed; i--) {
			if (path[i] != '/' && path[i] != '\0')
				continue;
			(void) snprintf(padded, sizeof(padded), " %.*s/* ", (int) i, path);
			changed = strstr(changes, padded) != NULL;
		}
		if (!changed)
			(void) fprintf(out, "%s %s\n", path, p + strlen(p) + 1);
	}
	(void) fclose(out);
	free(copy);
	return text;
}

static void check_lower(struct run *run, const char *layer, const char *before, const char *changes)
{
	char *after = layer_dump(run->f, layer), *a = without_changes(before, changes), *b = without_changes(after, changes);

	if (strcmp(a, b) != 0) {
		print_error("policy.table:%u: %s: %s has changed:\n%s\nwas\n%s\n", run->block->lines[0].number, run->block->title, layer, b, a);
		run->n_wrong++;
	}
	free(after);
	free(a);
	free(b);
}

/* Everything is recorded, here, and has to make sense. But not where rows ask what listings tell: that is less of what is recorded. */
static void check_report(void *arg, const struct overlay_report *r)
{
	struct run *run = arg;

	assert_non_null(r->op);
	assert_non_null(r->policy);
	assert_true(r->path[0] == '/' && (!r->path2 || r->path2[0] == '/'));
	assert_true(r->who->pid == run->f->who.pid && r->who->uid == run->f->who.uid);
	assert_true(r->error >= 0 && r->verdict->access <= POLICY_RW);
	assert_true(r->rule == POLICY_NO_RULE || (r->rule >= 0 && (size_t) r->rule < policy_n_rules(r->policy)));
	/* Hidden names in a directory that looks empty, and the place of a file that has no name yet, may be to blame. */
	if (r->error > 0 && r->rule == POLICY_NO_RULE && strcmp(r->op, "remove") != 0 && strcmp(r->op, "link") != 0)
		fail_msg("%s %s: refused by no rule", r->op, r->path);
	run->n_refused += r->error > 0;
}

static void run_block(struct run *run)
{
	const struct block *b = run->block;
	struct fixture *f = run->f;
	char changes[PATH_MAX] = " ", *before, *before2;
	bool two = false, record = true;
	size_t i = 0;

	layer_dir(f, "l1");
	layer_dir(f, "l2");
	for (; i < b->n && set_up(run, &b->lines[i]); i++) {
		const char *rest;

		two |= begins(b->lines[i].text, "below", &rest);
		if (begins(b->lines[i].text, "changes", &rest))
			(void) snprintf(changes, sizeof(changes), " %s ", rest);
	}
	for (size_t j = i; j < b->n; j++)
		record &= strncmp(b->lines[j].text, "plus ", 5) != 0 && strncmp(b->lines[j].text, "@engine plus ", 13) != 0;
	for (int which = 0; which < 3 && record; which++)
		add_policy(run, which, "log all");
	fixture_set_policy(f, run->policy[0]);
	f->config.report = check_report;
	f->config.report_arg = run;
	fixture_open(f, two ? 2 : 1);
	before = layer_dump(f, "l1");
	before2 = layer_dump(f, "l2");
	for (; i < b->n; i++) {
		const char *rest, *text = b->lines[i].text;
		struct line line = b->lines[i];

		if (begins(text, "@mount", &rest) || begins(text, "@root", &rest))
			continue;
		if (begins(text, "@engine", &rest))
			line.text = (char *) rest;
		row(run, &line);
	}
	check_lower(run, "l1", before, changes);
	check_lower(run, "l2", before2, " ");
	free(before);
	free(before2);
}

static void test_block(void **state)
{
	struct run *run = *state;

	run_block(run);
	assert_int_equal(run->n_wrong, 0);
}

static int block_set_up(void **state)
{
	struct run *run = calloc(1, sizeof(*run));

	run->block = *state;
	run->f = fixture_new();
	*state = run;
	return 0;
}

static int block_tear_down(void **state)
{
	struct run *run = *state;
	void *f = run->f;

	drop_kept(run);
	for (size_t i = 0; i < ARRAY_SIZE(run->policy); i++)
		free(run->policy[i]);
	free(run);
	return fixture_tear_down(&f);
}

/* the file */

static struct block *add_block(struct block **blocks, size_t *n, const char *title)
{
	*blocks = reallocarray(*blocks, *n + 1, sizeof(**blocks));
	(*blocks)[*n] = (struct block) { .title = strdup(title) };
	return &(*blocks)[(*n)++];
}

static size_t read_table(const char *path, struct block **ret)
{
	FILE *in = fopen(path, "re");
	char *text = NULL;
	size_t size = 0, n = 0;
	struct block *b = NULL;
	ssize_t len;

	if (!in) {
		perror(path);
		exit(1);
	}
	*ret = NULL;
	for (unsigned int number = 1; (len = getline(&text, &size, in)) >= 0; number++) {
		while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == ' '))
			text[--len] = '\0';
		if (strncmp(text, "== ", 3) == 0)
			b = add_block(ret, &n, text + 3);
		else if (text[0] && text[0] != '#' && b) {
			b->lines = reallocarray(b->lines, b->n + 1, sizeof(*b->lines));
			b->lines[b->n++] = (struct line) { .number = number, .text = strdup(text) };
		}
	}
	free(text);
	(void) fclose(in);
	return n;
}

int main(int argc, char **argv)
{
	const char *only = argc > 1 ? argv[1] : "";
	struct CMUnitTest *tests;
	struct block *blocks;
	size_t n = read_table(POLICY_TABLE, &blocks), n_tests = 0;
	int r;

	if (!fixture_serves())
		return 77;
	tests = calloc(n, sizeof(*tests));
	for (size_t i = 0; i < n; i++)
		if (strstr(blocks[i].title, only))
			tests[n_tests++] = (struct CMUnitTest) {
				.name = blocks[i].title, .test_func = test_block, .setup_func = block_set_up,
				.teardown_func = block_tear_down, .initial_state = &blocks[i],
			};
	r = _cmocka_run_group_tests("policy.table", tests, n_tests, NULL, NULL);
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < blocks[i].n; j++)
			free(blocks[i].lines[j].text);
		free(blocks[i].lines);
		free((char *) blocks[i].title);
	}
	free(blocks);
	free(tests);
	return r;
}
