/* See policies.h. */

#include "fuse/policies.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "fuse/problem.h"
#include "fuse/ways.h"
#include "store/store.h"

#define DEFAULT_POLICY "include <defaults>\n"

/* the world */

void policies_world_done(struct policies_world *w)
{
	homes_done(&w->homes);
}

static const char *home_of(void *world, const char *user)
{
	struct policies_world *w = world;

	return homes_of(&w->homes, user);
}

static char *real_home(void *world, const char *home)
{
	return homes_real(home);
}

static const char *variable(void *arg, const char *name)
{
	return getenv(name);
}

/* files */

/* To its end, whatever size it says it has: files of /proc say none. Of more than max bytes, max + 1, for the parser to complain of. */
static int read_all(int fd, size_t max, char **ret, size_t *ret_len)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0, size = 0;
	ssize_t n;

	do {
		if (size - len < 2) {
			char *bigger = realloc(text, size * 2 + 4096);

			if (!bigger)
				return -ENOMEM;
			text = bigger;
			size = size * 2 + 4096;
		}
		n = read(fd, text + len, MIN(size - 1, max + 1) - len);
		if (n < 0)
			return -errno;
		len += (size_t) n;
	} while (n > 0 && len <= max);
	text[len] = '\0';
	*ret = steal_ptr(text);
	*ret_len = len;
	return 0;
}

static int read_file(const char *path, size_t max, char **ret, size_t *ret_len)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* a FIFO is not waited for */
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	return read_all(fd, max, ret, ret_len);
}

/* A file of rules: what says which ones hold is worth a guard. */
static int read_rules(struct ways *ways, const char *path, char **ret, size_t *ret_len)
{
	int r = ways ? ways_add(ways, path) : 0;

	return r < 0 ? r : read_file(path, POLICY_MAX_SOURCE, ret, ret_len);
}

/* A path in an include is from where the including file is. */
static int include(void *world, const char *from, const char *path, char **ret_name, char **ret_text, size_t *ret_len)
{
	struct policies_world *w = world;
	const char *slash = strrchr(from, '/');

	*ret_name = NULL;
	if (path[0] == '/' || !slash)
		*ret_name = strdup(path);
	else if (asprintf(ret_name, "%.*s/%s", (int) (slash - from), from, path) < 0)
		*ret_name = NULL;
	return *ret_name ? read_rules(w->ways, *ret_name, ret_text, ret_len) : -ENOMEM;
}

static int host_file(void *arg, const char *path, char **ret_text, size_t *ret_len)
{
	return read_file(path, POLICY_MAX_CONTENT, ret_text, ret_len);
}

int policies_world_init(struct policies_world *w)
{
	int r;

	*w = (struct policies_world) { .ways = NULL };
	r = homes_init(&w->homes);
	w->world = (struct policy_world) {
		.home = w->homes.own, .user = w->homes.user, .homes = (const char *const *) w->homes.all,
		.variable = variable, .home_of = home_of, .real_home = real_home, .include = include, .host_file = host_file, .arg = w,
	};
	return r;
}

static int verb_from_name(const char *name)
{
	for (int v = POLICY_VERB_HIDE; v <= POLICY_VERB_NOLOG; v++)
		if (strcmp(policy_verb_name((enum policy_verb) v), name) == 0)
			return v;
	return -1;
}

static int add_source(struct policy_builder *b, const struct sandbox_rule *source, struct ways *ways, struct problem *p)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	int r, verb;

	if (source->verb) {
		verb = verb_from_name(source->verb);
		if (verb < 0)
			return problem_set(p, -EINVAL, source->verb, "not a verb of a policy");
		r = policy_builder_add_rule(b, (enum policy_verb) verb, source->text);
		return r < 0 ? problem_errno(p, r, "policy") : 0;
	}
	r = read_rules(ways, source->text, &text, &len);
	if (r == -EINVAL)
		return problem_set(p, r, source->text, "policy: not a regular file");
	if (r < 0) {
		(void) problem_errno(p, r, source->text);
		return r == -ENOENT ? problem_hint(p, r, "--policy takes a file; 'include <NAME>' in it takes a shipped policy") : r;
	}
	r = policy_builder_add(b, source->text, text, len);
	return r < 0 ? problem_errno(p, r, source->text) : 0;
}

/* Rules of the command line alone come on top of the default policy; a file takes its place. */
static bool wants_defaults(const struct sandbox_rule *sources, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!sources[i].verb)
			return false;
	return true;
}

static int report(const struct policy_builder *b, char **ret_report, struct problem *p)
{
	size_t n = policy_builder_n_errors(b), size;
	FILE *f = ret_report ? open_memstream(ret_report, &size) : NULL;

	if (f) {
		policy_builder_report(b, f);
		if (fclose(f) != 0) {
			free(*ret_report);
			*ret_report = NULL;
		}
	}
	return problem_set(p, -EINVAL, "policy", "%zu error%s", n, n == 1 ? "" : "s");
}

int policies_load(const struct sandbox_rule *sources, size_t n, const char *const *lowers, bool fold, struct ways *ways, struct policy **ret,
		  char **ret_report, struct problem *p)
{
	_cleanup_(policy_builder_freep) struct policy_builder *b = NULL;
	_cleanup_(policies_world_done) struct policies_world world;
	int r = policies_world_init(&world);

	world.ways = ways;
	world.world.lowers = lowers;
	if (ret_report)
		*ret_report = NULL;
	if (r == 0)
		r = policy_builder_new(&world.world, &b);
	if (r == 0 && wants_defaults(sources, n))
		r = policy_builder_add(b, "command line", DEFAULT_POLICY, strlen(DEFAULT_POLICY));
	if (r < 0)
		return problem_errno(p, r, "policy");
	for (size_t i = 0; i < n; i++) {
		r = add_source(b, &sources[i], ways, p);
		if (r < 0)
			return r;
	}
	r = policy_builder_compile(b, fold, ret);
	if (r == -EINVAL)
		return report(b, ret_report, p);
	return r < 0 ? problem_errno(p, r, "policy") : 0;
}

/* lowers */

/* The rest of a pattern about something in the directory; else NULL. Close enough for a warning: two stars are one name here. */
static const char *rest_inside(const char *pattern, const char *dir)
{
	_cleanup_free_ char *way = strdup(pattern);
	char *end = way;

	for (const char *s = dir; s && way && end; s = strchr(s + 1, '/'))
		end = strchr(end + 1, '/');
	if (!end)
		return NULL;
	*end = '\0';
	return fnmatch(way, dir, FNM_PATHNAME) == 0 ? pattern + (end - way) : NULL;
}

/* In a view of "/" too, all of them mean what they say. */
static bool shows(const char *const *lowers, const char *path)
{
	for (; *lowers; lowers++)
		if (strcmp(*lowers, path) == 0)
			return true;
	return false;
}

void policies_warn(const struct policy *policy, const char *const *lowers)
{
	const struct policy_rule *first = NULL;
	const char *in = NULL, *rest = NULL;
	struct problem p;
	size_t n = 0;

	if (!policy || shows(lowers, "/"))
		return;
	for (const char *const *lower = lowers; *lower && !n; lower++) {
		in = *lower;
		for (size_t i = 0; i < policy_n_rules(policy); i++) {
			const struct policy_rule *rule = policy_rule(policy, (int) i);

			if (rule->source[0] != '<' || !rest_inside(rule->pattern, in))
				continue;
			if (n++ == 0) {
				first = rule;
				rest = rest_inside(rule->pattern, in);
			}
		}
	}
	if (n == 0)
		return;
	(void) problem_set(&p, -EINVAL, "policy", "warning: of %zu rule%s of %s about what is in %s, as '%s %s', none holds: paths are those of the view", n,
			   n == 1 ? "" : "s", first->source, in, policy_verb_name(first->verb), first->pattern);
	(void) problem_hint(&p, -EINVAL, "name what is to be hidden as the view has it: 'hide %s'", rest);
	problem_print(&p);
}
