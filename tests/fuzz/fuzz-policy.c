/*
 * Policy text from anywhere. What compiles is asked about paths that are made of the text itself, so that its patterns meet names that
 * match. What has to hold, whatever the text:
 *
 *   - stepping and policy_judge() say the same, and what policy_matches() lists explains it;
 *   - the same step twice leads to equal states, and a state that differs from its parent's is not equal to it without reason;
 *   - no state has more alive than the bound says;
 *   - with folding, every spelling of a path is judged alike;
 *   - the index of globs finds what trying all of them does.
 */

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fold.h"
#include "policy/compiled.h"

#define MAX_WORDS 8
#define PATH_BYTES 600

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* assert() may be compiled out; this is what the program is for. */
#define HOLDS(x) do { if (!(x)) { fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x); __builtin_trap(); } } while (0)

static const char *variable(void *arg, const char *name)
{
	return strcmp(name, "X") == 0 ? "/x/[y]*" : strcmp(name, "E") == 0 ? "" : NULL;
}

static const char *home_of(void *arg, const char *user)
{
	return strcmp(user, "u") == 0 ? "/home/u/" : NULL;
}

/* Its own text again, or a little one. */
static int include(void *arg, const char *from, const char *path, char **ret_name, char **ret_text, size_t *ret_len)
{
	static const char little[] = "hide x\ninclude 3\ncow [a-\n";

	if (path[0] == 'e')
		return -ENOENT;
	*ret_name = strdup(path);
	*ret_text = malloc(sizeof(little));
	HOLDS(*ret_name && *ret_text);
	memcpy(*ret_text, little, sizeof(little));
	*ret_len = sizeof(little) - 1;
	return 0;
}

static const char *const homes[] = { "/root", "/home/*", NULL };

static struct policy *compile(const uint8_t *data, size_t size, bool fold)
{
	static const struct policy_world world = {
		.home = "/home/me", .homes = homes, .variable = variable, .home_of = home_of, .include = include
	};
	static FILE *null;
	struct policy_builder *b = NULL;
	struct policy *p = NULL;
	char *rule = NULL;
	int r;

	if (!null)
		null = fopen("/dev/null", "we");
	HOLDS(null && policy_builder_new(&world, &b) == 0);
	HOLDS(policy_builder_add(b, "fuzz", (const char *) data, size) == 0);
	if (size > 0 && size < 64 && data[0] % 4 == 0) {
		rule = strndup((const char *) data, size);
		HOLDS(rule && policy_builder_add_rule(b, (enum policy_verb) (data[0] / 4 % 10), rule) == 0);
		free(rule);
	}
	r = policy_builder_compile(b, fold, &p);
	HOLDS((r == 0) == (policy_builder_n_errors(b) == 0) && (r == 0 || r == -EINVAL));
	policy_builder_report(b, null);
	(void) policy_builder_free(b);
	return p;
}

/* A path from a word: stars become names, escapes and brackets go, what is no name becomes one. */
static void make_path(char path[static PATH_BYTES], const char *word, size_t len)
{
	size_t n = 1;

	path[0] = '/';
	for (size_t i = 0; i < len && n + 4 < PATH_BYTES; i++) {
		if (word[i] == '/' && path[n - 1] == '/')
			continue;
		if (word[i] == '*') {
			path[n] = "xa/"[(n + i) % (i % 3 == 1 ? 3 : 2)];
			n += path[n - 1] != '/' || path[n] != '/';
		} else if (word[i] == '?') {
			path[n++] = 'q';
		} else if (word[i] == '.' && path[n - 1] == '/') {
			path[n++] = '-'; /* no "." or "..": asked for by nobody */
		} else if (!strchr("\\\"[]^!", word[i])) { /* a NUL is in it too */
			path[n++] = word[i];
		}
	}
	path[n] = '\0';
}

static bool same(const struct policy_verdict *a, const struct policy_verdict *b)
{
	return policy_same_class(a, b) && a->log == b->log && a->rule == b->rule && a->exec_rule == b->exec_rule &&
	       a->log_rule == b->log_rule;
}

struct found {
	uint32_t nodes[256];
	size_t n;
};

static void add_found(void *arg, uint32_t node)
{
	struct found *f = arg;

	for (size_t i = 0; i < f->n; i++)
		if (f->nodes[i] == node)
			return;
	if (f->n < ARRAY_SIZE(f->nodes))
		f->nodes[f->n++] = node;
}

static void check_globs(const struct policy *p, const char *name, size_t len)
{
	char folded[FOLD_SIZE(PATH_BYTES)];

	if (p->fold) {
		len = fold_name(name, len, folded, sizeof(folded));
		name = folded;
	}
	for (uint32_t i = 0; i < p->trie.n_nodes && i < 64; i++) {
		struct found f = { .n = 0 };
		size_t n = 0;

		if (!p->trie.nodes[i].globs)
			continue;
		glob_set_find(p->trie.nodes[i].globs, name, len, add_found, &f);
		for (uint32_t k = 0; k < p->trie.n_nodes; k++)
			if (p->trie.nodes[k].kind == PART_GLOB && p->trie.nodes[k].parent == i)
				n += glob_match(p->trie.nodes[k].glob, name, len);
		HOLDS(f.n == MIN(n, ARRAY_SIZE(f.nodes)));
	}
}

/* The last rule of each kind among those that match. */
struct last {
	const struct policy *p;
	int rules[N_KINDS];
};

static int last_match(void *arg, int rule)
{
	struct last *m = arg;
	enum policy_verb verb = policy_rule(m->p, rule)->verb;

	if (verb != POLICY_VERB_FILE)
		m->rules[rule_kind(verb)] = rule;
	return 0;
}

/* closed: the rule of a directory above, in which no other decides about access; or POLICY_NO_RULE. */
static void check_explained(const struct policy *p, const char *path, bool is_dir, int closed, const struct policy_verdict *v)
{
	struct last m = { .p = p, .rules = { -1, -1, -1 } };

	HOLDS(policy_matches(p, path, is_dir, last_match, &m) == 0);
	HOLDS(v->rule == (closed != POLICY_NO_RULE ? closed : m.rules[KIND_ACCESS]));
	HOLDS(m.rules[KIND_EXEC] == v->exec_rule && m.rules[KIND_LOG] == v->log_rule);
}

static void check_folded(const struct policy *p, const char *path, const struct policy_verdict *v)
{
	char folded[FOLD_SIZE(PATH_BYTES) + 1];
	struct policy_verdict other;
	size_t n = fold_name(path, strlen(path), folded, sizeof(folded) - 1);

	folded[n] = '\0';
	HOLDS(policy_judge(p, folded, false, &other) == 0 && same(v, &other));
}

static int count_file(void *arg, const char *name, int file)
{
	HOLDS(name[0] && !strchr(name, '/') && policy_file(arg, file));
	return 0;
}

/* One component down; at is replaced. */
static void check_step(const struct policy *p, uint64_t bound, struct policy_state **at, const char *name, size_t len,
		       struct policy_verdict *ret_file, struct policy_verdict *ret_dir)
{
	struct policy_state *a = NULL, *b = NULL;
	struct policy_step s, t;

	HOLDS(policy_step(*at, name, len, &s) == 0 && policy_step(*at, name, len, &t) == 0);
	HOLDS(s.n <= bound && s.n == t.n && same(&s.as_dir, &t.as_dir) && same(&s.as_file, &t.as_file) && !s.as_file.passage);
	HOLDS(!(s.as_dir.access == POLICY_HIDE || s.as_file.access == POLICY_HIDE) || policy_state_may_hide(*at));
	HOLDS(policy_enter(&s, &a) == 0 && policy_enter(&t, &b) == 0);
	HOLDS(policy_state_equal(a, b) && policy_state_equal(b, a) && same(policy_state_verdict(a), &s.as_dir));
	HOLDS((a == *at) == (b == *at) && (a != *at || same(policy_state_verdict(*at), &s.as_dir)));
	HOLDS(policy_state_files(a, count_file, (void *) p) == 0);
	*ret_file = s.as_file;
	*ret_dir = s.as_dir;
	policy_step_done(&s);
	policy_step_done(&t);
	(void) policy_state_unref(b);
	(void) policy_state_unref(*at);
	*at = a;
}

static void check_path(const struct policy *p, uint64_t bound, const char *path)
{
	struct policy_state *at = policy_root(p);
	struct policy_verdict file = *policy_state_verdict(at), dir = file, v;
	int closed = POLICY_NO_RULE;

	for (size_t i = 1; path[i]; ) {
		size_t len = strcspn(path + i, "/");

		if (closed == POLICY_NO_RULE && dir.access <= POLICY_DENY && !dir.passage)
			closed = dir.rule;
		check_globs(p, path + i, len);
		check_step(p, bound, &at, path + i, len, &file, &dir);
		i += len;
		i += path[i] == '/';
	}
	(void) policy_state_unref(at);
	if (path[strlen(path) - 1] != '/') {
		HOLDS(policy_judge(p, path, false, &v) == 0 && same(&v, &file));
		check_explained(p, path, false, closed, &v);
		if (p->fold)
			check_folded(p, path, &v);
	}
	HOLDS(policy_judge(p, path, true, &v) == 0 && same(&v, &dir));
	check_explained(p, path, true, closed, &v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct policy *p = compile(data, size, size % 2);
	const char *text = (const char *) data;
	char path[PATH_BYTES];
	uint64_t bound = 0;
	size_t n = 0;

	if (!p)
		return 0;
	HOLDS(trie_bound(&p->trie, &bound) == 0 && bound <= POLICY_MAX_ALIVE);
	check_path(p, bound, "/home/me/.x/A");
	for (size_t i = 0; i < size && n < MAX_WORDS; i++) {
		size_t begin = i;

		while (i < size && text[i] != ' ' && text[i] != '\n')
			i++;
		if (i == begin)
			continue;
		make_path(path, text + begin, MIN(i - begin, (size_t) 200));
		check_path(p, bound, path);
		n++;
	}
	(void) policy_unref(p);
	return 0;
}
