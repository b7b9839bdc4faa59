/*
 * Learning a policy from accesses.
 *
 *     events ── sort, merge ──> tree of paths ── generalise, from the leaves up ──> rules, from the root down ──> text
 *
 * A rule for a directory holds for all that is below, so rules are made from the root down, and only where what is above does not
 * say enough: below "ro /usr/lib/python3" only what was written has a rule.
 *
 * A directory that was looked at but in which nothing was used has two rules, "ro D" and "hide D/…", so that it shows and is empty. One in
 * which something was used needs none: it is the way there.
 *
 * A file that was only looked at is denied: that lets it be looked at, and no more.
 *
 * What the policy hid and denied that was there at the time is a secret as those of the shipped one are. Its rules are taken over, where
 * they lead into what is generalised, and nothing is generalised to where it hid all but what it named.
 *
 * The text is compiled, and every event judged by it, before it is given out: what was refused and would be allowed gets a rule
 * of its own, and so does what was allowed and would be refused.
 */

#include "policy/learn.h"

#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <string.h>

#include "policy/policy.h"
#include "policy/rulelist.h"

#define ENOUGH 3      /* siblings that stand for all of them */
#define PREFIX_MIN 3  /* bytes that names must have in common at their beginning */
#define MAX_TOLD 40   /* refusals that are listed */

enum {
	USE_SEE = 1,	    /* looked at */
	USE_READ = 2,	    /* or listed */
	USE_WRITE = 4,
	USE_MADE = 8,	    /* or removed, or renamed */
	USE_DIR = 16,	    /* it is a directory */
	USE_RUN = 32,
	REFUSED_SEE = 64,
	REFUSED_READ = 128,
	REFUSED_WRITE = 256,
	REFUSED_RUN = 512,
};

struct use {
	char *path;
	unsigned int flags;
};

struct node {
	char *path; /* "" for the root */
	unsigned int flags;
	bool secret; /* what is shipped, or was there at the time, hides or denies it */
	bool shown;  /* it only denies it, and no more than that is needed */
	bool used;   /* it, or something below, gets a rule */
	enum rule_verb whole;   /* generalised: all of it */
	enum rule_verb general; /* a directory: the same, or what the glob says that stands for all that was used in it */
	struct glob *glob; /* this stands for it in its directory */
	struct node *first, *last, *next;
};

struct glob {
	struct glob *next;
	char *pattern; /* of the name, escaped */
	enum rule_verb verb;
	bool written;
};

struct learner {
	const struct policy_world *world;
	struct policy *defaults;
	struct policy *own; /* that was there at the time; NULL: not known */
	struct use *uses;
	size_t n_uses, size;
	size_t n_allowed, n_refused; /* events */
	uint64_t n_missing;
	/* Made anew by learner_write(). */
	struct node *root;
	struct glob *globs;
	struct rulelist plain, still_refused, kept, secrets;
};

/* Events */

static int compile(const struct policy_world *world, const char *text, size_t len, struct policy **ret)
{
	_cleanup_(policy_builder_freep) struct policy_builder *b = NULL;
	int r;

	r = policy_builder_new(world, &b);
	if (r == 0)
		r = policy_builder_add(b, "learned", text, len);
	return r < 0 ? r : policy_builder_compile(b, false, ret);
}

int learner_new(const struct policy_world *world, struct policy *own, struct learner **ret)
{
	static const char text[] = "include <defaults>\n";
	_cleanup_(learner_freep) struct learner *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	l->world = world;
	r = compile(world, text, sizeof(text) - 1, &l->defaults);
	if (r < 0)
		return r;
	l->own = own ? policy_ref(own) : NULL;
	*ret = steal_ptr(l);
	return 0;
}

static unsigned int flags_of(const struct learn_event *e)
{
	static const struct {
		const char *op;
		unsigned int flags;
	} ops[] = {
		{ "look", USE_SEE },	  { "stat", USE_SEE },	    { "list", USE_READ | USE_DIR }, { "readlink", USE_READ },
		{ "getxattr", USE_READ }, { "listxattr", USE_READ }, { "read", USE_READ },	    { "exec", USE_RUN },
		{ "create", USE_MADE },	  { "mkdir", USE_MADE },    { "remove", USE_MADE },	    { "rename", USE_MADE },
	};
	static const unsigned int refused[] = {
		[USE_SEE] = REFUSED_SEE, [USE_READ] = REFUSED_READ, [USE_WRITE] = REFUSED_WRITE, [USE_MADE] = REFUSED_WRITE,
		[USE_RUN] = REFUSED_RUN,
	};
	unsigned int flags = USE_WRITE;

	for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
		if (strcmp(e->op, ops[i].op) == 0)
			flags = ops[i].flags;
	if (e->refused)
		flags = refused[flags & ~(unsigned int) USE_DIR];
	return flags | (e->is_dir > 0 ? USE_DIR : 0u);
}

/* Nothing in it that a pattern could not say. */
static bool is_clean(const char *path)
{
	for (const char *s = path; *s; s += strcspn(s, "/")) {
		size_t len;

		if (*s++ != '/')
			return false;
		len = strcspn(s, "/");
		if ((len == 0 && (*s || s - path > 1)) || (len == 1 && s[0] == '.') || (len == 2 && s[0] == '.' && s[1] == '.'))
			return false;
	}
	return path[0] == '/';
}

int learner_add(struct learner *l, const struct learn_event *e)
{
	size_t len = strlen(e->path);
	char *path;

	if (!is_clean(e->path))
		return 0;
	if (len == 1)
		len = 0; /* so that what is below begins with it and a '/' */
	l->n_allowed += !e->refused;
	l->n_refused += e->refused;
	if (l->n_uses == l->size) {
		size_t size = MAX(l->size * 2, (size_t) 256);
		struct use *uses = reallocarray(l->uses, size, sizeof(*uses));

		if (!uses)
			return -ENOMEM;
		l->uses = uses;
		l->size = size;
	}
	path = strndup(e->path, len);
	if (!path)
		return -ENOMEM;
	l->uses[l->n_uses++] = (struct use) { .path = path, .flags = flags_of(e) };
	return 0;
}

/* With '/' before every other byte, so that what is in a directory follows it at once. */
static int compare_paths(const void *a, const void *b)
{
	const unsigned char *p = (const unsigned char *) ((const struct use *) a)->path;
	const unsigned char *q = (const unsigned char *) ((const struct use *) b)->path;

	while (*p && *p == *q)
		p++, q++;
	if (*p == *q)
		return 0;
	if (!*p || !*q)
		return *p ? 1 : -1;
	if (*p == '/' || *q == '/')
		return *p == '/' ? -1 : 1;
	return *p < *q ? -1 : 1;
}

static void merge_uses(struct learner *l)
{
	size_t n = 0;

	if (l->n_uses > 0)
		qsort(l->uses, l->n_uses, sizeof(*l->uses), compare_paths);
	for (size_t i = 0; i < l->n_uses; i++) {
		if (n > 0 && strcmp(l->uses[n - 1].path, l->uses[i].path) == 0) {
			l->uses[n - 1].flags |= l->uses[i].flags;
			free(l->uses[i].path);
		} else {
			l->uses[n++] = l->uses[i];
		}
	}
	l->n_uses = n;
}

/* The tree */

static struct node *node_free(struct node *n)
{
	/* Depth is bounded by the length of a path. */
	while (n && n->first) {
		struct node *child = n->first;

		n->first = child->next;
		(void) node_free(child);
	}
	if (n)
		free(n->path);
	free(n);
	return NULL;
}

static struct node *node_new(const char *path, size_t len)
{
	struct node *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->path = strndup(path, len);
	return n->path ? n : node_free(n);
}

static bool is_dir(const struct node *n)
{
	return n->first || (n->flags & USE_DIR);
}

static bool is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return strncmp(path, dir, len) == 0 && path[len] == '/';
}

static const char *name_of(const struct node *n)
{
	return strrchr(n->path, '/') + 1; /* not for the root */
}

static enum rule_verb need(const struct node *n)
{
	if (n->flags & (USE_WRITE | USE_MADE))
		return COW;
	if (n->flags & (USE_READ | USE_RUN))
		return RO;
	if (!(n->flags & USE_SEE))
		return NOTHING;
	/* Who walks through a directory looks at it, no more. A device that is denied cannot even be looked at. */
	return (is_dir(n) && !(n->flags & REFUSED_READ)) || is_below(n->path, "/dev") ? RO : DENY;
}

/* Puts a path into the tree; paths come in order, so it is new, and its place is at the end. */
static int add_node(struct node *root, const struct use *u)
{
	struct node *dir = root;
	size_t at = 0;

	while (u->path[at]) {
		size_t end = at + 1 + strcspn(u->path + at + 1, "/");
		struct node *n = dir->last;

		if (!n || strlen(n->path) != end || strncmp(n->path, u->path, end) != 0) {
			n = node_new(u->path, end);
			if (!n)
				return -ENOMEM;
			if (dir->last)
				dir->last->next = n;
			else
				dir->first = n;
			dir->last = n;
		}
		dir = n;
		at = end;
	}
	dir->flags |= u->flags;
	return 0;
}

static int find_secrets(struct learner *l, struct node *n)
{
	const char *path = n->path[0] ? n->path : "/";
	struct policy_verdict v, own;
	int r;

	r = policy_judge(l->defaults, path, is_dir(n), &v);
	own = v;
	if (r == 0 && l->own)
		r = policy_judge(l->own, path, is_dir(n), &own);
	if (r < 0)
		return r;
	n->secret = (v.access <= POLICY_DENY && !v.passage) || (own.access <= POLICY_DENY && !own.passage);
	n->shown = n->secret && MIN(v.access, own.access) == POLICY_DENY && !(n->flags & (USE_READ | USE_WRITE | USE_MADE | USE_RUN));
	for (struct node *c = n->first; c; c = c->next) {
		r = find_secrets(l, c);
		if (r < 0)
			return r;
	}
	return 0;
}

static int make_tree(struct learner *l)
{
	int r = 0;

	l->root = node_new("", 0);
	if (!l->root)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < l->n_uses; i++)
		r = add_node(l->root, &l->uses[i]);
	return r < 0 ? r : find_secrets(l, l->root);
}

/* Patterns as text */

static const char *behind_home(const struct learner *l, const char *path)
{
	const char *home = l->world->home;
	size_t len = home ? strlen(home) : 0;

	while (len > 1 && home[len - 1] == '/')
		len--;
	if (len < 2 || strncmp(path, home, len) != 0 || (path[len] && path[len] != '/'))
		return NULL;
	return path + len;
}

/* tail, if any, is a pattern already. */
static char *path_pattern(const struct learner *l, const char *path, const char *tail)
{
	const char *rest = behind_home(l, path);
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	if (rest)
		(void) fputc('~', f);
	else
		rest = path;
	rulelist_put_name(f, rest, strlen(rest));
	if (tail || !path[0])
		(void) fprintf(f, "/%s", tail ? tail : "");
	if (fclose(f) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

static int add_rule(const struct learner *l, struct rulelist *to, enum rule_verb verb, const char *path, const char *tail)
{
	char *pattern = path_pattern(l, path, tail);

	return pattern ? rulelist_add(to, verb, pattern) : -ENOMEM;
}

/* Generalising */

static bool is_home(const struct learner *l, const char *path)
{
	const char *rest = behind_home(l, path);

	if (rest && !*rest)
		return true;
	for (size_t i = 0; l->world->homes && l->world->homes[i]; i++)
		if (fnmatch(l->world->homes[i], path, FNM_PATHNAME) == 0)
			return true;
	return false;
}

/* A place where things of many owners lie side by side: that three of them were used says nothing of the others. */
static bool is_wide(const struct learner *l, const struct node *n)
{
	static const char *const system[] = {
		"/var/cache", "/var/lib", "/var/log", "/var/spool", "/run/user", "/usr/local", "/etc/ssl",
	};
	static const char *const in_home[] = {
		"/.cache", "/.config", "/.local", "/.local/share", "/.local/state", "/.var", "/.var/app", "/snap",
		"/Desktop", "/Documents", "/Downloads", "/Music", "/Pictures", "/Videos",
	};
	const char *slash = strrchr(n->path, '/');

	if (strcmp(n->path, "/tmp") == 0)
		return false;
	if (!slash || slash == n->path || is_home(l, n->path) || (l->world->home && is_below(l->world->home, n->path)))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(system); i++)
		if (strcmp(n->path, system[i]) == 0)
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(in_home); i++) {
		size_t len = strlen(n->path), tail = strlen(in_home[i]);

		if (len > tail && strcmp(n->path + len - tail, in_home[i]) == 0) {
			_cleanup_free_ char *home = strndup(n->path, len - tail);

			if (!home || is_home(l, home)) /* without memory: to be careful */
				return true;
		}
	}
	return is_below(n->path, "/run/user") && !strchr(n->path + strlen("/run/user/"), '/');
}

/* A file that was used (seen: only looked at), and may be generalised. */
static bool is_plain(const struct node *n, bool seen)
{
	return !n->secret && !is_dir(n) && (seen ? need(n) == DENY : need(n) >= RO);
}

/*
 * Did the policy of the time keep away what is in dir and has no name that anybody thought of, but for its beginning and end? Then what
 * it showed there were exceptions, and stand for nothing else.
 */
static int shuts(const struct learner *l, const struct node *dir, const char *begin, size_t len, const char *end)
{
	_cleanup_free_ char *path = NULL;
	struct policy_verdict v;
	int r;

	if (!l->own)
		return 0;
	if (asprintf(&path, "%s/%.*s\1%s", dir->path, (int) len, begin, end ? end : "") < 0) {
		path = NULL;
		return -ENOMEM;
	}
	r = policy_judge(l->own, path, false, &v);
	return r < 0 ? r : v.access <= POLICY_DENY;
}

/* ".py" of "os.py"; "" of "Makefile" and ".bashrc". */
static const char *ending(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot && dot != name ? dot : name + strlen(name);
}

static bool shares(const struct node *n, bool seen, const char *end)
{
	return is_plain(n, seen) && !n->glob && name_of(n)[0] != '.' && (!end || strcmp(ending(name_of(n)), end) == 0);
}

/* How long a beginning all of them have in common. Numbers at its end are by chance. */
static size_t common_prefix(const struct node *dir, bool seen, const char *end)
{
	const char *first = NULL;
	size_t len = 0;

	for (const struct node *c = dir->first; c; c = c->next) {
		const char *name = name_of(c);
		size_t n, max = strlen(name) - (end ? strlen(end) : 0);

		if (!shares(c, seen, end))
			continue;
		if (!first) {
			first = name;
			len = max;
		}
		for (n = 0; n < len && n < max && name[n] == first[n]; n++)
			;
		len = n;
	}
	while (len > 0 && first[len - 1] >= '0' && first[len - 1] <= '9')
		len--;
	while (len > 0 && ((unsigned char) first[len] & 0xc0) == 0x80)
		len--; /* no half of a character */
	return len >= PREFIX_MIN ? len : 0;
}

/* Puts a glob in place of the files in dir that share the end (NULL: of all), if it says anything. */
static int make_glob(struct learner *l, struct node *dir, bool seen, const char *end)
{
	size_t n = 0, n_cow = 0, prefix = common_prefix(dir, seen, end), len = 0;
	struct node *first = NULL;
	struct glob *g;
	FILE *f;
	int r;

	for (struct node *c = dir->first; c; c = c->next)
		if (shares(c, seen, end)) {
			first = first ? first : c;
			n++;
			n_cow += need(c) == COW;
		}
	if (n < ENOUGH || (prefix == 0 && !(end && *end)))
		return 0;
	r = shuts(l, dir, name_of(first), prefix, end);
	if (r != 0)
		return MIN(r, 0);
	g = calloc(1, sizeof(*g));
	if (!g)
		return -ENOMEM;
	g->next = l->globs;
	l->globs = g;
	g->verb = seen ? DENY : n_cow >= ENOUGH || n_cow == n ? COW : RO;
	f = open_memstream(&g->pattern, &len);
	if (!f)
		return -ENOMEM;
	rulelist_put_name(f, name_of(first), prefix);
	(void) fputc('*', f);
	if (end)
		rulelist_put_name(f, end, strlen(end));
	if (fclose(f) != 0)
		return -ENOMEM;
	/* What was only looked at may be in it too. */
	for (struct node *c = dir->first; c; c = c->next)
		if (shares(c, seen, end) || (is_plain(c, true) && !c->glob && fnmatch(g->pattern, name_of(c), FNM_PERIOD) == 0))
			c->glob = g;
	return 0;
}

/* For each ending that three files have in common. */
static int make_globs(struct learner *l, struct node *dir, bool seen)
{
	int r = 0;

	for (struct node *c = dir->first; r == 0 && c; c = c->next)
		if (shares(c, seen, NULL) && *ending(name_of(c)))
			r = make_glob(l, dir, seen, ending(name_of(c)));
	return r;
}

/* What was used in a directory. */
struct tally {
	size_t n, n_cow; /* files, and directories that were generalised */
	size_t n_plain;	 /* of them, files */
	const char *end; /* that all the files share; NULL: there is none */
};

static struct tally count(const struct node *dir)
{
	struct tally t = { 0 };

	for (const struct node *c = dir->first; c; c = c->next) {
		enum rule_verb verb = is_dir(c) ? c->general : need(c);

		if (c->secret || c->glob || verb < RO)
			continue;
		t.n++;
		t.n_cow += verb == COW;
		if (!is_plain(c, false))
			continue;
		if (t.n_plain++ == 0)
			t.end = ending(name_of(c));
		else if (t.end && strcmp(ending(name_of(c)), t.end) != 0)
			t.end = NULL;
	}
	return t;
}

static int generalise_dir(struct learner *l, struct node *dir)
{
	struct tally t = count(dir), rest;
	int r;

	if (is_wide(l, dir))
		return dir->path[0] ? make_globs(l, dir, false) : 0;
	if (t.n < ENOUGH)
		return 0;
	if (t.n_plain == t.n) {
		r = make_glob(l, dir, false, t.end);
		if (r < 0)
			return r;
		rest = count(dir);
		if (rest.n < t.n && rest.n < ENOUGH) {
			dir->general = rest.n == 0 ? l->globs->verb : NOTHING; /* the newest */
			return 0;
		}
	}
	r = shuts(l, dir, "", 0, NULL);
	if (r == 0)
		dir->whole = dir->general = t.n_cow >= ENOUGH ? COW : RO;
	return MIN(r, 0);
}

static int generalise(struct learner *l, struct node *n)
{
	int r = 0;

	for (struct node *c = n->first; r == 0 && c; c = c->next) {
		r = generalise(l, c);
		n->used |= c->used || (!c->secret && need(c) != NOTHING);
	}
	if (r < 0 || n->secret || !is_dir(n))
		return r;
	/* What is in a directory that was made, removed or renamed came and went with it. */
	if ((n->flags & USE_MADE) && !is_home(l, n->path)) {
		r = shuts(l, n, "", 0, NULL);
		if (r == 0)
			n->whole = n->general = COW;
		return MIN(r, 0);
	}
	r = n->first ? generalise_dir(l, n) : 0;
	return r == 0 && n->path[0] && n->whole == NOTHING ? make_globs(l, n, true) : r;
}

/* Rules */

/* A directory that must be there, with nothing of what is in it but what is said of that. */
static int put_bare(struct learner *l, struct rulelist *to, const struct node *n, enum rule_verb above)
{
	int r;

	if (need(n) <= above || (need(n) <= RO && n->used))
		return 0;
	if (!n->path[0])
		return 0; /* the root is not hidden */
	r = add_rule(l, to, need(n), n->path, NULL);
	return r < 0 || need(n) == DENY ? r : add_rule(l, to, above == NOTHING ? HIDE : above, n->path, "**");
}

/* The globs of a directory. Those of what was only looked at come first, since they may match more than that. */
static int put_globs(struct learner *l, const struct node *dir, bool seen, enum rule_verb above)
{
	int r = 0;

	for (const struct node *c = dir->first; r == 0 && c; c = c->next) {
		if (!c->glob || c->glob->written || (c->glob->verb == DENY) != seen)
			continue;
		if (c->glob->verb > above)
			r = add_rule(l, &l->plain, c->glob->verb, dir->path, c->glob->pattern);
		c->glob->written = true;
	}
	return r;
}

/* above: what holds here by the rules so far. */
static int put_rules(struct learner *l, struct node *n, enum rule_verb above)
{
	int r = 0;

	if (n->secret)
		return 0;
	if (n->whole > above) {
		r = add_rule(l, &l->plain, n->whole, n->path, NULL);
		above = n->whole;
	} else if (is_dir(n)) {
		r = put_bare(l, &l->plain, n, above);
	} else if (need(n) > above && !(n->glob && n->glob->verb >= need(n))) {
		r = add_rule(l, &l->plain, need(n), n->path, NULL);
	}
	if (r == 0)
		r = put_globs(l, n, true, above);
	if (r == 0)
		r = put_globs(l, n, false, above);
	for (struct node *c = n->first; r == 0 && c; c = c->next)
		r = put_rules(l, c, above);
	return r;
}

/* What was used although it is a secret: by its name, and nothing else. */
static int put_secrets(struct learner *l, const struct node *n)
{
	int r = 0;

	if (n->secret && !n->shown && need(n) != NOTHING) {
		r = add_rule(l, &l->secrets, need(n), n->path, NULL);
		if (r == 0 && is_dir(n))
			r = add_rule(l, &l->secrets, HIDE, n->path, "**");
	}
	for (const struct node *c = n->first; r == 0 && c; c = c->next)
		r = put_secrets(l, c);
	return r;
}

/* What the policy of the time kept away */

/* For every rule of it, how much was allowed although it matches: by rules after it. */
struct exceptions {
	const struct policy *own;
	const struct node *node;
	size_t *n;
};

static int count_exception(void *arg, int rule)
{
	const struct exceptions *e = arg;

	/* What is denied may be looked at. */
	e->n[rule] += policy_rule(e->own, rule)->verb != POLICY_VERB_DENY || need(e->node) > DENY;
	return 0;
}

static int count_exceptions(struct exceptions *e, const struct node *n)
{
	int r = 0;

	e->node = n;
	if (need(n) != NOTHING && !(is_dir(n) && need(n) <= RO)) /* a directory may be the way to what was */
		r = policy_matches(e->own, n->path[0] ? n->path : "/", is_dir(n), count_exception, e);
	for (const struct node *c = n->first; r == 0 && c; c = c->next)
		r = count_exceptions(e, c);
	return r;
}

/* Does one of two paths, of which the second has len bytes, lead to the other? */
static bool are_related(const char *path, const char *other, size_t len)
{
	size_t n = strlen(path), common = MIN(n, len);

	return strncmp(path, other, common) == 0 && (n == len || common == 0 || (n > len ? path[len] : other[n]) == '/');
}

/* Is anything generalised that the pattern could match in? Only where it begins is looked at, where that is a plain path. */
static bool leads_in(const char *pattern, const struct node *n)
{
	size_t len = strcspn(pattern, "*?[\\\"$");
	bool general = n->whole != NOTHING;

	if (pattern[len])
		while (len > 0 && pattern[len - 1] != '/')
			len--;
	if (len > 0 && pattern[len - 1] == '/')
		len--;
	for (const struct node *c = n->first; c && !general; c = c->next)
		general = c->glob;
	if (general && (pattern[0] != '/' || are_related(n->path, pattern, len)))
		return true;
	for (const struct node *c = n->first; c; c = c->next)
		if (leads_in(pattern, c))
			return true;
	return false;
}

/*
 * Takes its rules over that hide or deny what nobody asked for, but lies in what is generalised. One that has many exceptions is what
 * these are excepted from; nothing was generalised to there.
 */
static int keep_own(struct learner *l)
{
	_cleanup_free_ size_t *n = NULL;
	struct exceptions e = { .own = l->own };
	int r;

	if (!l->own || policy_n_rules(l->own) == 0)
		return 0;
	e.n = n = calloc(policy_n_rules(l->own), sizeof(*n));
	if (!n)
		return -ENOMEM;
	r = count_exceptions(&e, l->root);
	for (size_t i = 0; r == 0 && i < policy_n_rules(l->own); i++) {
		const struct policy_rule *rule = policy_rule(l->own, (int) i);
		char *pattern;

		if ((rule->verb != POLICY_VERB_HIDE && rule->verb != POLICY_VERB_DENY) || n[i] >= ENOUGH ||
		    strcmp(rule->source, "<defaults>") == 0 || !leads_in(rule->pattern, l->root))
			continue;
		pattern = rulelist_pattern(rule);
		r = pattern ? rulelist_add(&l->kept, rule->verb == POLICY_VERB_HIDE ? HIDE : DENY, pattern) : -ENOMEM;
	}
	return r;
}

/* Text */

static void put_policy(const struct learner *l, FILE *f)
{
	(void) fputs("hide /**\n", f);
	if (l->plain.n > 0)
		(void) fputc('\n', f);
	rulelist_put(f, &l->plain);
	if (l->still_refused.n > 0) {
		(void) fputs("\n# In what is admitted above, but was refused.\n", f);
		rulelist_put(f, &l->still_refused);
	}
	if (l->kept.n > 0) {
		(void) fputs("\n# As in the policy of the time.\n", f);
		rulelist_put(f, &l->kept);
	}
	(void) fputs("\n# Whatever is admitted above: no secrets.\ninclude <defaults>\n", f);
	if (l->secrets.n > 0) {
		(void) fputs("\n# These are secrets, and were used all the same. Is that how it should be?\n", f);
		rulelist_put(f, &l->secrets);
	}
}

/* The text so far as a policy. */
static int try(const struct learner *l, struct policy **ret)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return -ENOMEM;
	put_policy(l, f);
	if (fclose(f) != 0)
		return -ENOMEM;
	return compile(l->world, text, len, ret);
}

/* Would it be allowed? NOEXEC: to be run. */
static int allows(const struct policy *p, const struct node *n, enum rule_verb verb)
{
	static const enum policy_access least[] = { [DENY] = POLICY_DENY, [RO] = POLICY_RO, [COW] = POLICY_COW, [NOEXEC] = POLICY_RO };
	struct policy_verdict v;
	int r = policy_judge(p, n->path[0] ? n->path : "/", is_dir(n), &v);

	if (r < 0)
		return r;
	if (v.passage)
		return verb == DENY || verb == RO;
	return v.access >= least[verb] && !(verb == NOEXEC && v.noexec);
}

/* The rule that takes back what was refused, and the least that it would have to be allowed by to be needed. */
static enum rule_verb taken_back(const struct node *n, enum rule_verb *ret_least)
{
	bool unread = need(n) < RO && (n->flags & (REFUSED_READ | REFUSED_RUN));

	if (need(n) == NOTHING && (unread || (n->flags & REFUSED_SEE))) {
		*ret_least = n->flags & REFUSED_SEE ? DENY : RO;
		return HIDE; /* and with it what is below */
	}
	if (unread) {
		*ret_least = RO;
		return DENY;
	}
	if ((n->flags & REFUSED_WRITE) && need(n) != COW) {
		*ret_least = COW;
		return RO;
	}
	return NOTHING;
}

/* Takes back what the rules give away. */
static int keep_refused(struct learner *l, const struct policy *p, const struct node *n)
{
	enum rule_verb least = NOTHING, verb = n->used ? NOTHING : taken_back(n, &least);
	int r = verb == NOTHING ? 0 : allows(p, n, least);

	if (r == 1) {
		r = add_rule(l, &l->still_refused, verb, n->path, NULL);
		if (r < 0 || verb == HIDE)
			return r;
	}
	if (r == 0 && (n->flags & REFUSED_RUN) && !(n->flags & USE_RUN) && need(n) >= RO) {
		r = allows(p, n, NOEXEC);
		if (r == 1)
			r = add_rule(l, &l->still_refused, NOEXEC, n->path, NULL);
	}
	for (const struct node *c = n->first; r >= 0 && c; c = c->next)
		r = keep_refused(l, p, c);
	return MIN(r, 0);
}

/* Names what would not be allowed by the rules made so far. */
static int admit_rest(struct learner *l, const struct policy *p, const struct node *n)
{
	int r = 0;

	if (need(n) != NOTHING) {
		enum rule_verb verb = n->shown ? DENY : need(n);

		r = allows(p, n, verb);
		if (r == 0)
			r = add_rule(l, &l->secrets, verb, n->path, NULL);
	}
	for (const struct node *c = n->first; r >= 0 && c; c = c->next)
		r = admit_rest(l, p, c);
	return r < 0 ? r : 0;
}

static int check(struct learner *l)
{
	_cleanup_(policy_unrefp) struct policy *first = NULL, *p = NULL;
	int r;

	r = try(l, &first);
	if (r == 0)
		r = keep_refused(l, first, l->root);
	if (r == 0)
		r = try(l, &p);
	return r < 0 ? r : admit_rest(l, p, l->root);
}

/* Was it refused altogether, but for being looked at? Or to be run? */
static bool is_refused(const struct node *n)
{
	if ((n->flags & REFUSED_RUN) && !(n->flags & USE_RUN))
		return true;
	if (n->flags & REFUSED_READ)
		return need(n) < RO;
	return (n->flags & (REFUSED_SEE | REFUSED_WRITE)) && need(n) == NOTHING;
}

/* What was refused, in comments. Below a directory that was refused nothing is news. */
static void tell_refused(const struct learner *l, const struct node *n, FILE *f, size_t *n_told)
{
	if (is_refused(n)) {
		_cleanup_free_ char *pattern = path_pattern(l, n->path, NULL);

		if (*n_told == 0)
			(void) fputs("\n# Refused, and so not allowed here:\n", f);
		if ((*n_told)++ < MAX_TOLD && pattern)
			(void) fprintf(f, "#   %s\n", pattern);
		if (!n->used)
			return;
	}
	for (const struct node *c = n->first; c; c = c->next)
		tell_refused(l, c, f, n_told);
}

void learner_set_missing(struct learner *l, uint64_t n)
{
	l->n_missing = n;
}

static void put_all(const struct learner *l, const char *source, FILE *f)
{
	size_t n_told = 0;

	(void) fprintf(f, "# Learned from %s: %zu access%s, and %zu that %s refused.\n", source, l->n_allowed, l->n_allowed == 1 ? "" : "es",
		       l->n_refused, l->n_refused == 1 ? "was" : "were");
	if (l->n_missing > 0)
		(void) fprintf(f, "# Not complete: of %" PRIu64 " more it is not known what they were.\n", l->n_missing);
	(void) fputs("# What is not named here is not there. A name of a directory stands for all that is in it; where three or more things\n"
		     "# of one directory were used, that directory, or a glob, stands for them.\n", f);
	put_policy(l, f);
	tell_refused(l, l->root, f, &n_told);
	if (n_told > MAX_TOLD)
		(void) fprintf(f, "#   and %zu more\n", n_told - MAX_TOLD);
}

static void forget(struct learner *l)
{
	l->root = node_free(l->root);
	while (l->globs) {
		struct glob *g = l->globs;

		l->globs = g->next;
		free(g->pattern);
		free(g);
	}
	rulelist_done(&l->plain);
	rulelist_done(&l->still_refused);
	rulelist_done(&l->kept);
	rulelist_done(&l->secrets);
}

int learner_write(struct learner *l, const char *source, FILE *f)
{
	int r;

	merge_uses(l);
	r = make_tree(l);
	if (r == 0)
		r = generalise(l, l->root);
	if (r == 0)
		r = put_rules(l, l->root, NOTHING);
	if (r == 0)
		r = keep_own(l);
	if (r == 0)
		r = put_secrets(l, l->root);
	if (r == 0)
		r = check(l);
	if (r == 0)
		put_all(l, source, f);
	forget(l);
	return r;
}

struct learner *learner_free(struct learner *l)
{
	if (!l)
		return NULL;
	forget(l);
	for (size_t i = 0; i < l->n_uses; i++)
		free(l->uses[i].path);
	free(l->uses);
	(void) policy_unref(l->defaults);
	(void) policy_unref(l->own);
	free(l);
	return NULL;
}
