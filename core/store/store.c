/*
 * The sandboxes in the store: made, listed, locked, removed. What sandbox.json says is settings.c's business.
 *
 * The upper in a sandbox belongs to programs that need not be trusted: it may be deeper than any path can say, hold
 * directories nobody may read, and links to anywhere. So everything below the store's root is reached by descriptor and
 * single name through the I/O engine, and the two walks over a whole tree (usage, removal) keep neither a descriptor nor
 * a stack frame for a level.
 */

#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#include "base/fd.h"
#include "io/io.h"
#include "io/walk.h"
#include "store/settings.h"

#define LOCK_NAME "lock"
#define REMOVING_PREFIX ".removing-"
#define MAKING_SECONDS 60 /* from a sandbox's directory to its lock, with much to spare: both together cannot be made */

struct store {
	struct io_engine *io; /* borrowed */
	char *path;
	int fd;
};

struct sandbox {
	struct store *store; /* borrowed */
	char *name;
	int fd;
	int lock_fd;
	bool locked;
	bool saved; /* it had a sandbox.json when it was opened */
	struct sandbox_settings settings;
};

static int home_path(char **ret)
{
	const char *home = getenv("HOME");
	const struct passwd *pw = NULL;

	if (!home || home[0] != '/') {
		pw = getpwuid(geteuid());
		home = pw ? pw->pw_dir : NULL;
	}
	if (!home || home[0] != '/')
		return -ENOENT;
	*ret = strdup(home);
	return *ret ? 0 : -ENOMEM;
}

int store_default_path(char **ret)
{
	const char *state = getenv("XDG_STATE_HOME");
	_cleanup_free_ char *home = NULL;
	int r;

	/* A relative path is invalid there, and to be ignored: XDG Base Directory Specification. */
	if (state && state[0] == '/')
		return asprintf(ret, "%s/osfuse", state) < 0 ? -ENOMEM : 0;
	r = home_path(&home);
	if (r < 0)
		return r;
	return asprintf(ret, "%s/.local/state/osfuse", home) < 0 ? -ENOMEM : 0;
}

/* mkdir -p. The directories above the store may be links: they are the user's own. */
static int make_path(const char *path)
{
	_cleanup_free_ char *copy = strdup(path);

	if (!copy)
		return -ENOMEM;
	for (char *p = copy; *p; p++) {
		p += strspn(p, "/");
		p += strcspn(p, "/");
		char was = *p;
		*p = '\0';
		if (mkdir(copy, 0700) < 0 && errno != EEXIST)
			return -errno;
		*p = was;
		if (!was)
			break;
	}
	return 0;
}

int store_open(struct io_engine *io, const char *path, bool create, struct store **ret)
{
	_cleanup_(store_freep) struct store *s = calloc(1, sizeof(*s));
	struct stat st;
	int r;

	if (!s)
		return -ENOMEM;
	s->io = io;
	s->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->fd < 0 && errno == ENOENT && create) {
		r = make_path(path);
		if (r < 0)
			return r;
		s->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (s->fd < 0)
		return -errno;
	/* Whoever owns the store chooses what a mount made by us shows: only ourselves. */
	if (fstat(s->fd, &st) < 0)
		return -errno;
	if (st.st_uid != geteuid())
		return -EPERM;
	if ((st.st_mode & 077) && fchmod(s->fd, 0700) < 0)
		return -errno;
	s->path = realpath(path, NULL);
	if (!s->path)
		return -errno;
	*ret = steal_ptr(s);
	return 0;
}

struct store *store_free(struct store *store)
{
	if (!store)
		return NULL;
	(void) fd_close(store->fd);
	free(store->path);
	free(store);
	return NULL;
}

const char *store_path(const struct store *store)
{
	return store->path;
}

int store_fd(const struct store *store)
{
	return store->fd;
}

bool store_name_valid(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len > STORE_NAME_MAX || name[0] == '.' || name[0] == '-')
		return false;
	for (const char *p = name; *p; p++)
		if (*p == '/' || (unsigned char) *p < 0x20 || *p == 0x7f)
			return false;
	return true;
}

int store_name_from_path(const char *path, char **ret)
{
	_cleanup_free_ char *name = NULL;
	uint64_t hash = 0xcbf29ce484222325; /* FNV-1a */
	size_t len = 0;

	for (const char *p = path; *p; p++)
		hash = (hash ^ (unsigned char) *p) * 0x100000001b3;

	name = malloc(strlen(path) + sizeof("root"));
	if (!name)
		return -ENOMEM;
	for (const char *p = path; *p; ) {
		size_t n;

		p += strspn(p, "/");
		n = strcspn(p, "/");
		if (n > 0 && len > 0)
			name[len++] = '-';
		for (; n > 0; n--, p++)
			name[len++] = (unsigned char) *p < 0x20 || *p == 0x7f ? '_' : *p;
	}
	name[len] = '\0';
	if (len == 0)
		strcpy(name, "root");
	if (name[0] == '.' || name[0] == '-')
		name[0] = '_';
	if (len <= STORE_NAME_MAX) {
		*ret = steal_ptr(name);
		return 0;
	}
	/* Too long: the end tells more than the beginning, and the hash keeps different paths apart. */
	return asprintf(ret, "%016" PRIx64 "-%s", hash, name + len - (STORE_NAME_MAX - 17)) < 0 ? -ENOMEM : 0;
}

/* Calls fn for each name in the store's root that prefix fits; hidden names only where the prefix is. */
static int each_name(struct store *store, const char *prefix, int (*fn)(void *arg, const char *name), void *arg)
{
	_cleanup_(walk_names_freep) char **names = NULL;
	int r;

	r = walk_names(store->io, store->fd, &names);
	for (char **n = names; r == 0 && *n; n++)
		if (prefix ? strncmp(*n, prefix, strlen(prefix)) == 0 : store_name_valid(*n))
			r = fn(arg, *n);
	return r;
}

struct name_list {
	struct store *store;
	char **v;
	size_t n;
};

static int collect_name(void *arg, const char *name)
{
	struct name_list *l = arg;
	struct statx stx;
	char **v;

	if (io_statx(l->store->io, l->store->fd, name, STATX_TYPE, &stx) < 0 || !S_ISDIR(stx.stx_mode))
		return 0; /* removed meanwhile, or nothing of ours */
	v = reallocarray(l->v, l->n + 2, sizeof(*v));
	if (!v)
		return -ENOMEM;
	l->v = v;
	v[l->n] = strdup(name);
	if (!v[l->n])
		return -ENOMEM;
	v[++l->n] = NULL;
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

int store_list(struct store *store, char ***ret_names, size_t *ret_n)
{
	_cleanup_(store_names_freep) char **names = calloc(1, sizeof(*names));
	struct name_list l = { .store = store, .v = names };
	int r;

	if (!names)
		return -ENOMEM;
	r = each_name(store, NULL, collect_name, &l);
	names = l.v;
	if (r < 0)
		return r;
	qsort(names, l.n, sizeof(*names), compare_names);
	*ret_names = steal_ptr(names);
	*ret_n = l.n;
	return 0;
}

char **store_names_free(char **names)
{
	for (char **n = names; n && *n; n++)
		free(*n);
	free(names);
	return NULL;
}

static int sweep_removal(void *arg, const char *name)
{
	struct store *store = arg;

	(void) walk_remove(store->io, store->fd, name); /* as promised in the header */
	return 0;
}

static int open_dir(struct io_engine *io, int fd, const char *name)
{
	return io_open(io, fd, name, O_RDONLY | O_DIRECTORY, 0, NULL);
}

static bool may_be_in_the_making(struct store *store, const char *name)
{
	struct statx stx;

	return io_statx(store->io, store->fd, name, STATX_MTIME, &stx) < 0 || stx.stx_mtime.tv_sec > time(NULL) - MAKING_SECONDS;
}

/* Was it made, and nothing put in it? Whatever else is there, or cannot be looked at, somebody may want. */
static bool is_unused(struct sandbox *sb)
{
	static const char *const ours[] = { "upper", "work", LOCK_NAME };
	_cleanup_(walk_names_freep) char **names = NULL, **changes = NULL;
	_cleanup_close_ int upper = open_dir(sb->store->io, sb->fd, "upper");

	if (walk_names(sb->store->io, sb->fd, &names) < 0)
		return false;
	for (char **n = names; *n; n++) {
		bool known = false;

		for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
			known |= strcmp(*n, ours[i]) == 0;
		if (!known)
			return false;
	}
	if (upper < 0)
		return upper == -ENOENT;
	return walk_names(sb->store->io, upper, &changes) == 0 && !changes[0];
}

/* One without settings may be an ephemeral one, too: of a daemon that was killed before it had saved them. */
static int sweep_sandbox(void *arg, const char *name)
{
	_cleanup_(sandbox_freep) struct sandbox *sb = NULL;
	bool young = may_be_in_the_making(arg, name); /* asked before: the lock file may be made now */

	if (sandbox_open(arg, name, &sb, NULL) < 0)
		return 0;
	if (sb->settings.ephemeral || (!sb->saved && !young && sandbox_lock(sb) == 1 && is_unused(sb)))
		(void) sandbox_remove(sb); /* -EBUSY is the usual outcome */
	return 0;
}

void store_sweep(struct store *store)
{
	(void) each_name(store, REMOVING_PREFIX, sweep_removal, store);
	(void) each_name(store, NULL, sweep_sandbox, store);
}

/* 1 made, 0 was there */
static int make_dir(struct io_engine *io, int fd, const char *name)
{
	int r = io_mkdir(io, fd, name, 0700, NULL);

	return r == 0 ? 1 : r == -EEXIST ? 0 : r;
}

static int sandbox_alloc(struct store *store, const char *name, struct sandbox **ret)
{
	_cleanup_(sandbox_freep) struct sandbox *sb = calloc(1, sizeof(*sb));

	if (!sb)
		return -ENOMEM;
	sb->store = store;
	sb->fd = sb->lock_fd = -EBADF;
	sb->name = strdup(name);
	if (!sb->name)
		return -ENOMEM;
	*ret = steal_ptr(sb);
	return 0;
}

static int open_lock_file(struct sandbox *sb, int flags)
{
	int fd = io_open(sb->store->io, sb->fd, LOCK_NAME, O_RDWR | flags, 0600, NULL);

	if (fd < 0)
		return fd;
	sb->lock_fd = fd_close(sb->lock_fd);
	sb->lock_fd = fd;
	return 0;
}

int sandbox_open(struct store *store, const char *name, struct sandbox **ret, struct sandbox_fault *ret_fault)
{
	_cleanup_(sandbox_freep) struct sandbox *sb = NULL;
	int r;

	if (!store_name_valid(name))
		return -EINVAL;
	r = sandbox_alloc(store, name, &sb);
	if (r < 0)
		return r;
	sb->fd = open_dir(store->io, store->fd, name);
	if (sb->fd < 0)
		return sb->fd;
	r = settings_load(store->io, sb->fd, &sb->settings, ret_fault);
	if (r < 0)
		return r;
	sb->saved = r == 1;
	r = open_lock_file(sb, O_CREAT);
	if (r < 0)
		return r;
	*ret = steal_ptr(sb);
	return 0;
}

/* What a sandbox is made of. Also completes one whose making was cut short. */
static int fill(struct sandbox *sb)
{
	struct io_engine *io = sb->store->io;
	int r;

	r = make_dir(io, sb->fd, "upper");
	if (r >= 0)
		r = make_dir(io, sb->fd, "work");
	if (r >= 0)
		r = open_lock_file(sb, O_CREAT);
	return r;
}

int sandbox_create(struct store *store, const char *name, struct sandbox **ret, struct sandbox_fault *ret_fault)
{
	_cleanup_(sandbox_freep) struct sandbox *sb = NULL;
	int made, r;

	if (!store_name_valid(name))
		return -EINVAL;
	r = sandbox_alloc(store, name, &sb);
	if (r < 0)
		return r;
	made = make_dir(store->io, store->fd, name);
	if (made < 0)
		return made;
	sb->fd = open_dir(store->io, store->fd, name);
	if (sb->fd < 0)
		return sb->fd;
	r = settings_load(store->io, sb->fd, &sb->settings, ret_fault);
	if (r < 0)
		return r;
	if (sb->settings.created_s == 0)
		sb->settings.created_s = (int64_t) time(NULL);
	r = fill(sb);
	if (r < 0)
		return r;
	*ret = steal_ptr(sb);
	return made;
}

int sandbox_create_ephemeral(struct store *store, const char *name, struct sandbox **ret)
{
	static const char digits[] = "abcdefghijkmnpqrstuvwxyz23456789"; /* 32, none that looks like another */
	char full[STORE_NAME_MAX + 1];
	int r;

	if (!store_name_valid(name))
		return -EINVAL;
	for (unsigned int tries = 0; tries < 100; tries++) {
		unsigned char rnd[6];
		char tail[sizeof(rnd) + 1];

		if (getrandom(rnd, sizeof(rnd), 0) != (ssize_t) sizeof(rnd))
			return -EIO;
		for (size_t i = 0; i < sizeof(rnd); i++)
			tail[i] = digits[rnd[i] % 32];
		tail[sizeof(rnd)] = '\0';
		(void) snprintf(full, sizeof(full), "%.*s-%s", STORE_NAME_MAX - 8, name, tail);

		_cleanup_(sandbox_freep) struct sandbox *sb = NULL;
		r = sandbox_create(store, full, &sb, NULL);
		if (r < 0)
			return r;
		if (r == 0)
			continue; /* somebody else's */
		sb->settings.ephemeral = true;
		*ret = steal_ptr(sb);
		return 0;
	}
	return -EEXIST;
}

struct sandbox *sandbox_free(struct sandbox *sb)
{
	if (!sb)
		return NULL;
	(void) fd_close(sb->lock_fd);
	(void) fd_close(sb->fd);
	settings_done(&sb->settings);
	free(sb->name);
	free(sb);
	return NULL;
}

const char *sandbox_name(const struct sandbox *sb)
{
	return sb->name;
}

struct sandbox_settings *sandbox_settings(struct sandbox *sb)
{
	return &sb->settings;
}

int sandbox_path(const struct sandbox *sb, const char *item, char **ret)
{
	return asprintf(ret, "%s/%s/%s", sb->store->path, sb->name, item) < 0 ? -ENOMEM : 0;
}

int sandbox_fd(const struct sandbox *sb)
{
	return sb->fd;
}

int sandbox_lock_fd(const struct sandbox *sb)
{
	return sb->lock_fd;
}

int sandbox_lock(struct sandbox *sb)
{
	struct stat st;

	if (sb->locked)
		return 1;
	while (flock(sb->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			return 0;
		if (errno != EINTR)
			return -errno;
	}
	/* Whoever removes a sandbox holds the lock on a file that then has no name. */
	if (fstat(sb->lock_fd, &st) < 0)
		return -errno;
	if (st.st_nlink == 0) {
		(void) flock(sb->lock_fd, LOCK_UN); /* closing would do it too */
		return -ESTALE;
	}
	sb->locked = true;
	return 1;
}

int sandbox_in_use(struct sandbox *sb)
{
	int r;

	if (sb->locked)
		return 1;
	r = sandbox_lock(sb);
	if (r == 1) {
		(void) flock(sb->lock_fd, LOCK_UN); /* of our own lock: cannot fail */
		sb->locked = false;
	}
	return r < 0 ? r : !r;
}

int sandbox_save(struct sandbox *sb)
{
	return settings_save(sb->store->io, sb->fd, sb->name, &sb->settings);
}

int sandbox_set_lowers(struct sandbox *sb, char *const *lowers, size_t n)
{
	return settings_set_lowers(&sb->settings, lowers, n);
}

int sandbox_set_policy(struct sandbox *sb, const struct sandbox_rule *rules, size_t n)
{
	return settings_set_policy(&sb->settings, rules, n);
}

int sandbox_usage(struct sandbox *sb, uint64_t *ret_bytes)
{
	struct io_engine *io = sb->store->io;
	_cleanup_close_ int fd = -EBADF;

	/* An upper that is kept elsewhere was named by the user, links and all. */
	if (sb->settings.upper) {
		fd = open(sb->settings.upper, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			return -errno;
	} else {
		fd = open_dir(io, sb->fd, "upper");
		if (fd < 0)
			return fd;
	}
	return walk_usage(io, fd, ret_bytes);
}

int sandbox_remove(struct sandbox *sb)
{
	struct io_engine *io = sb->store->io;
	char trash[sizeof(REMOVING_PREFIX) + STORE_NAME_MAX + 16];
	int r;

	r = sandbox_lock(sb);
	if (r <= 0)
		return r < 0 ? r : -EBUSY;

	/* The name is free at once, and what is half removed is never taken for a sandbox. */
	for (unsigned int i = 0;; i++) {
		(void) snprintf(trash, sizeof(trash), REMOVING_PREFIX "%u-%s", i, sb->name);
		r = io_rename(io, sb->store->fd, sb->name, sb->store->fd, trash, RENAME_NOREPLACE);
		if (r != -EEXIST || i == 1000)
			break;
	}
	if (r < 0)
		return r;
	(void) io_unlink(io, sb->fd, LOCK_NAME, 0); /* tells those who wait for the lock, see sandbox_lock() */
	return walk_remove(io, sb->store->fd, trash);
}
