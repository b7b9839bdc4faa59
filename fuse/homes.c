/* See homes.h. Homes are names, taken as they are, but for those directly in /home, or in another such directory: who gets one later is covered too. */

#include "fuse/homes.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/macro.h"

#define USUAL "/home"
/* More in one directory: it is there for homes. Each of them with all rules of the default policy would be more rules than there can be. */
#define MANY 64

/* paths */

static bool is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return strncmp(path, dir, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

/* Accounts that nobody logs in to have directories of the system for homes, and what is in those is no person's. */
static bool is_system_home(const char *home)
{
	static const char *const system[] = {
		"/bin", "/boot", "/dev", "/etc", "/lib", "/proc", "/run", "/sbin", "/sys", "/tmp", "/usr", "/var/run", "/var/spool",
		"/var/cache", "/var/log", "/var/mail", "/var/backups", "/var/tmp", "/var/empty",
	};

	for (size_t i = 0; i < ARRAY_SIZE(system); i++)
		if (is_below(home, system[i]))
			return true;
	return false;
}

/* Of a path without empty components. The rest is in the place of a home for want of one, or can be none. */
static bool can_be_home(const char *path)
{
	if (path[0] != '/' || !path[1] || is_below(path, "/nonexistent") || strlen(path) >= PATH_MAX)
		return false;
	for (size_t len; *path; path += len) {
		path++;
		len = strcspn(path, "/");
		if (len > NAME_MAX)
			return false;
	}
	return true;
}

static bool goes_up(const char *path)
{
	for (const char *s = strstr(path, "/.."); s; s = strstr(s + 1, "/.."))
		if (s[3] == '\0' || s[3] == '/')
			return true;
	return false;
}

/* Leaves out empty components and ".", and those that ".." takes back. */
static void tidy(char *path)
{
	char *to = path;
	size_t len;

	for (const char *from = path; *from; from += len) {
		from += strspn(from, "/");
		len = strcspn(from, "/");
		if (len == 2 && memcmp(from, "..", 2) == 0) {
			while (to > path && *--to != '/')
				;
		} else if (len > 0 && !(len == 1 && *from == '.')) {
			*to++ = '/';
			memmove(to, from, len);
			to += len;
		}
	}
	if (to == path)
		*to++ = '/';
	*to = '\0';
}

/* The same absolute path with nothing but names in it: what ".." leads to is for the links before it to say, as long as somebody can ask them. */
static char *clean(const char *path)
{
	char *copy = goes_up(path) ? realpath(path, NULL) : NULL;

	if (copy)
		return copy;
	copy = strdup(path);
	if (copy)
		tidy(copy);
	return copy;
}

/* Where it leads, or would once it is there. */
static char *follow(const char *path)
{
	_cleanup_free_ char *dir = NULL, *real_dir = NULL;
	const char *slash = strrchr(path, '/');
	char *real = realpath(path, NULL);

	if (real || !slash || !slash[1])
		return real;
	dir = strndup(path, MAX((size_t) (slash - path), (size_t) 1));
	real_dir = dir ? follow(dir) : NULL;
	if (!real_dir || asprintf(&real, "%s%s", real_dir[1] ? real_dir : "", slash) < 0)
		return NULL;
	return real;
}

char *homes_real(const char *home)
{
	_cleanup_free_ char *real = follow(home);

	return real && strcmp(real, home) != 0 && can_be_home(real) ? steal_ptr(real) : NULL;
}

/* all of them */

static int add_pattern(struct homes *h, const char *pattern)
{
	char **v = reallocarray(h->all, h->n + 2, sizeof(*v));
	if (!v)
		return -ENOMEM;
	h->all = v;
	v[h->n] = strdup(pattern);
	if (!v[h->n])
		return -ENOMEM;
	v[++h->n] = NULL;
	return 0;
}

/* What is behind path has no special characters. */
static int add_escaped(struct homes *h, const char *path, const char *behind)
{
	_cleanup_free_ char *pattern = malloc(2 * strlen(path) + strlen(behind) + 1);
	char *to = pattern;

	if (!pattern)
		return -ENOMEM;
	for (; *path; path++) {
		if (strchr("*?[]\\", *path))
			*to++ = '\\';
		*to++ = *path;
	}
	(void) strcpy(to, behind);
	return add_pattern(h, pattern);
}

static bool is_directly_in(const char *path, const char *dir)
{
	return dir && is_below(path, dir) && strrchr(path, '/') == path + strlen(dir);
}

static bool is_usual(const struct homes *h, const char *home)
{
	return is_directly_in(home, USUAL) || is_directly_in(home, h->usual);
}

static int add_path(struct homes *h, const char *path)
{
	return is_usual(h, path) || !can_be_home(path) ? 0 : add_escaped(h, path, "");
}

/* Without what nobody can have for a home. */
static int add_home(struct homes *h, const char *home)
{
	_cleanup_free_ char *real = homes_real(home);
	int r = add_path(h, home);

	return r == 0 && real ? add_path(h, real) : r;
}

/* A name in /home can be a link to where the home is. */
static int add_links(struct homes *h)
{
	DIR *d = opendir(USUAL);
	struct dirent *de;
	int r = 0;

	while (r == 0 && d && (de = readdir(d))) {
		_cleanup_free_ char *path = NULL;

		if ((de->d_type != DT_LNK && de->d_type != DT_UNKNOWN) || de->d_name[0] == '.')
			continue;
		if (asprintf(&path, USUAL "/%s", de->d_name) < 0) {
			path = NULL;
			r = -ENOMEM;
		} else {
			r = add_home(h, path);
		}
	}
	h->links = d;
	if (d)
		(void) closedir(d); /* only read from */
	return r;
}

/* Of those directly in /home it is known already where they lead. To ask once more would have each mounted where that happens on demand. */
static int add_accounts(struct homes *h)
{
	const struct passwd *pw;
	int r = 0;

	setpwent();
	while (r == 0 && (pw = getpwent())) {
		_cleanup_free_ char *home = pw->pw_dir[0] == '/' ? clean(pw->pw_dir) : NULL;

		if (!home)
			r = pw->pw_dir[0] == '/' ? -ENOMEM : 0;
		else if (can_be_home(home) && !is_system_home(home) && !(h->links && is_usual(h, home)))
			r = add_home(h, home);
	}
	endpwent();
	return r;
}

/* Who mounts may be an account that is not listed with the others, as those of a directory service often are; and have set another home. */
static int add_own(struct homes *h)
{
	const char *home = getenv("HOME");
	const struct passwd *pw = getpwuid(geteuid());
	_cleanup_free_ char *set = home && home[0] == '/' ? clean(home) : NULL;
	_cleanup_free_ char *has = pw && pw->pw_dir[0] == '/' ? clean(pw->pw_dir) : NULL;
	int r = set ? add_home(h, set) : 0;

	if (r == 0 && has)
		r = add_home(h, has);
	if (pw)
		h->user = strdup(pw->pw_name);
	h->own = set ? steal_ptr(set) : steal_ptr(has);
	return r;
}

static size_t dir_len(const char *pattern)
{
	return (size_t) (strrchr(pattern, '/') - pattern); /* no class in it has one */
}

static bool in_same_dir(const char *a, const char *b)
{
	return dir_len(a) == dir_len(b) && memcmp(a, b, dir_len(a)) == 0;
}

/* Those in one directory next to each other. */
static int compare(const void *x, const void *y)
{
	const char *a = *(char *const *) x, *b = *(char *const *) y;
	size_t n = dir_len(a), m = dir_len(b);
	int r = memcmp(a, b, MIN(n, m));

	if (r != 0 || n == m)
		return r != 0 ? r : strcmp(a, b);
	return n < m ? -1 : 1;
}

static void drop_doubles(struct homes *h)
{
	size_t n = 0;

	for (size_t i = 0; i < h->n; i++)
		if (n > 0 && strcmp(h->all[n - 1], h->all[i]) == 0)
			free(h->all[i]);
		else
			h->all[n++] = h->all[i];
	h->n = n;
	h->all[n] = NULL;
}

/* Puts all that is in a directory for the many homes in it. */
static void gather(struct homes *h)
{
	size_t n = 0;

	for (size_t i = 0, end; i < h->n; i = end) {
		size_t kept;

		for (end = i + 1; end < h->n && in_same_dir(h->all[i], h->all[end]); end++)
			;
		kept = end;
		if (end - i > MANY && dir_len(h->all[i]) > 0) {
			(void) strcpy(strrchr(h->all[i], '/'), "/*"); /* no name is shorter */
			kept = i + 1;
		}
		for (size_t j = i; j < end; j++)
			if (j < kept)
				h->all[n++] = h->all[j];
			else
				free(h->all[j]);
	}
	h->n = n;
	h->all[n] = NULL;
}

int homes_init(struct homes *h)
{
	int r;

	*h = (struct homes) { .usual = homes_real(USUAL) };
	r = add_home(h, "/root");
	if (r == 0)
		r = add_pattern(h, USUAL "/*");
	if (r == 0 && h->usual)
		r = add_escaped(h, h->usual, "/*");
	if (r == 0)
		r = add_links(h);
	if (r == 0)
		r = add_own(h);
	if (r == 0)
		r = add_accounts(h);
	if (r < 0)
		return r;
	qsort(h->all, h->n, sizeof(*h->all), compare);
	drop_doubles(h);
	gather(h);
	return 0;
}

void homes_done(struct homes *h)
{
	for (size_t i = 0; i < h->n; i++)
		free(h->all[i]);
	free(h->all);
	free(h->own);
	free(h->user);
	free(h->usual);
	free(h->asked);
	*h = (struct homes) { .n = 0 };
}

const char *homes_of(struct homes *h, const char *user)
{
	const struct passwd *pw = getpwnam(user);

	free(h->asked);
	h->asked = !pw ? NULL : pw->pw_dir[0] == '/' ? clean(pw->pw_dir) : strdup(pw->pw_dir);
	return h->asked;
}
