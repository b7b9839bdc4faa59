/* What can be asked of a compiled policy as a whole. The questions of the daemon are in state.c. */

#include <string.h>

#include "policy/compiled.h"

struct policy *policy_ref(struct policy *p)
{
	atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
	return p;
}

struct policy *policy_unref(struct policy *p)
{
	if (!p || atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) != 1)
		return NULL;
	free(p->root);
	trie_done(&p->trie);
	free(p->rules);
	free(p->files);
	free(p->settings.env_keep);
	free(p->settings.env_set);
	arena_done(&p->arena);
	free(p);
	return NULL;
}

size_t policy_n_rules(const struct policy *p)
{
	return p->n_rules;
}

const struct policy_rule *policy_rule(const struct policy *p, int index)
{
	return index >= 0 && (size_t) index < p->n_rules ? &p->rules[index] : NULL;
}

size_t policy_n_files(const struct policy *p)
{
	return p->n_files;
}

const struct policy_file *policy_file(const struct policy *p, int index)
{
	return index >= 0 && (size_t) index < p->n_files ? &p->files[index] : NULL;
}

const struct policy_settings *policy_settings(const struct policy *p)
{
	return &p->settings;
}

size_t policy_bytes(const struct policy *p)
{
	return sizeof(*p) + p->arena.n_bytes + p->n_rules * sizeof(p->rules[0]) + p->n_files * sizeof(p->files[0]) +
	       p->trie.nodes_size * sizeof(p->trie.nodes[0]) + p->trie.endings_size * sizeof(p->trie.endings[0]) +
	       p->trie.n_slots * sizeof(p->trie.slots[0]);
}

int policy_judge(const struct policy *p, const char *path, bool is_dir, struct policy_verdict *ret)
{
	_cleanup_(policy_state_unrefp) struct policy_state *at = policy_root(p);
	struct policy_verdict v = *policy_state_verdict(at);
	int r = 0;

	for (path += strspn(path, "/"); *path && r == 0; ) {
		size_t len = strcspn(path, "/");
		struct policy_state *next = NULL;
		struct policy_step s;

		r = policy_step(at, path, len, &s);
		path += len;
		if (r == 0)
			v = is_dir || *path ? s.as_dir : s.as_file;
		path += strspn(path, "/");
		if (r == 0 && *path)
			r = policy_enter(&s, &next);
		policy_step_done(&s);
		if (next) {
			(void) policy_state_unref(at);
			at = next;
		}
	}
	if (r == 0)
		*ret = v;
	return r;
}

static struct policy_state *state_of(const struct policy *p, const char *dir)
{
	struct policy_state *at = policy_root(p);

	for (dir += strspn(dir, "/"); *dir && at; dir += strspn(dir, "/")) {
		_cleanup_(policy_state_unrefp) struct policy_state *above = at;
		size_t len = strcspn(dir, "/");
		struct policy_step s;

		at = NULL;
		if (policy_step(above, dir, len, &s) == 0)
			(void) policy_enter(&s, &at);
		policy_step_done(&s);
		dir += len;
	}
	return at;
}

int policy_rule_between(const struct policy *p, const char *dir, const char *other)
{
	_cleanup_(policy_state_unrefp) struct policy_state *a = state_of(p, dir), *b = state_of(p, other);

	return a && b ? policy_state_difference(a, b) : POLICY_NO_RULE; /* no memory: it is for an explanation only */
}

/* The rules that end where a walk comes by: a bit for each. */
struct matches {
	const struct policy *p;
	uint64_t *bits;
};

static void add_matches(void *arg, uint32_t node, bool is_dir)
{
	struct matches *m = arg;
	const struct trie *t = &m->p->trie;

	for (uint32_t i = t->nodes[node].endings; i != 0; i = t->endings[i].next)
		if (is_dir || !t->endings[i].dir_only)
			m->bits[t->endings[i].rule / 64] |= UINT64_C(1) << t->endings[i].rule % 64;
}

int policy_matches(const struct policy *p, const char *path, bool is_dir, int (*fn)(void *arg, int rule), void *arg)
{
	_cleanup_free_ uint64_t *bits = calloc(p->n_rules / 64 + 1, sizeof(*bits));
	struct matches m = { .p = p, .bits = bits };
	int r;

	if (!bits)
		return -ENOMEM;
	r = policy_walk(p, path, is_dir, add_matches, &m);
	for (size_t i = 0; i < p->n_rules && r == 0; i++)
		if (bits[i / 64] >> i % 64 & 1)
			r = fn(arg, (int) i);
	return r;
}
