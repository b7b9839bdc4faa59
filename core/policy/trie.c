/* The trie of the patterns: see compiled.h. Made once, by inserting; then what a look-up needs is summed up from the leaves to the root. */

#include <string.h>

#include "base/fold.h"
#include "policy/compiled.h"

#define GLOB_HASH UINT32_C(0x5bd1e995) /* a literal "*.c" is not the glob */

enum rule_kind rule_kind(enum policy_verb v)
{
	if (v == POLICY_VERB_NOEXEC || v == POLICY_VERB_EXEC)
		return KIND_EXEC;
	return v == POLICY_VERB_LOG || v == POLICY_VERB_NOLOG ? KIND_LOG : KIND_ACCESS;
}

void trie_done(struct trie *t)
{
	free(t->nodes);
	free(t->endings);
	free(t->slots);
	*t = (struct trie) { .nodes = NULL };
}

/* Eight bytes at a time. */
uint32_t trie_hash(const char *s, size_t len)
{
	uint64_t h = len * UINT64_C(0x9e3779b97f4a7c15), w;

	for (; len >= sizeof(w); s += sizeof(w), len -= sizeof(w)) {
		memcpy(&w, s, sizeof(w));
		h = (h ^ w) * UINT64_C(0xbf58476d1ce4e5b9);
		h ^= h >> 32;
	}
	if (len > 0) {
		w = 0;
		memcpy(&w, s, len);
		h = (h ^ w) * UINT64_C(0xbf58476d1ce4e5b9);
		h ^= h >> 32;
	}
	return (uint32_t) h;
}

static uint32_t hash_child(uint32_t parent, uint32_t hash)
{
	hash = (hash ^ parent * UINT32_C(0x9e3779b1)) * UINT32_C(0x85ebca77);
	return hash ^ hash >> 15;
}

/* The slot of a child, or the free one where it would be. */
static struct trie_slot *find_child(const struct trie *t, uint32_t parent, enum part_kind kind, const char *s, size_t len, uint32_t hash)
{
	uint32_t mask = (uint32_t) t->n_slots - 1, mixed = hash_child(parent, hash), i = mixed & mask;

	for (; t->slots[i].node != 0; i = (i + 1) & mask) {
		const struct trie_node *n = &t->nodes[t->slots[i].node];

		if (t->slots[i].hash == mixed && n->parent == parent && n->kind == kind && n->len == len && memcmp(n->text, s, len) == 0)
			break;
	}
	return &t->slots[i];
}

uint32_t trie_literal(const struct trie *t, uint32_t parent, const char *name, size_t len, uint32_t hash)
{
	return find_child(t, parent, PART_LITERAL, name, len, hash)->node;
}

static void fill_no_rule(struct trie_node *n)
{
	for (size_t k = 0; k < N_KINDS; k++)
		n->ends[k] = n->ends_dir[k] = n->below[k] = POLICY_NO_RULE;
	n->below_hide = n->below_deny = n->hides_child = n->file = POLICY_NO_RULE;
}

static int add_node(struct trie *t, uint32_t parent, enum part_kind kind, uint32_t *ret)
{
	struct trie_node *v = array_room(t->nodes, t->n_nodes, &t->nodes_size, sizeof(*v));

	if (!v || t->n_nodes > INT32_MAX) /* a bit is needed for the flag in states */
		return -ENOMEM;
	t->nodes = v;
	*ret = (uint32_t) t->n_nodes;
	v[t->n_nodes] = (struct trie_node) { .parent = parent, .kind = kind };
	fill_no_rule(&v[t->n_nodes++]);
	if (kind != PART_LOOP)
		v[parent].inner = true;
	return 0;
}

/* At most half of the slots are taken. */
static int slots_room(struct trie *t)
{
	size_t size = MAX(t->n_slots * 2, (size_t) 64);
	struct trie_slot *old = t->slots, *v;
	size_t n_old = t->n_slots;

	if (t->n_nodes * 2 < t->n_slots)
		return 0;
	v = calloc(size, sizeof(*v));
	if (!v)
		return -ENOMEM;
	t->slots = v;
	t->n_slots = size;
	for (size_t i = 0; i < n_old; i++) {
		size_t to = old[i].hash & (size - 1);

		if (old[i].node == 0)
			continue;
		while (v[to].node != 0)
			to = (to + 1) & (size - 1);
		v[to] = old[i];
	}
	free(old);
	return 0;
}

/* The folded form, in buf, if names are folded. */
static int fold_part(const struct part *part, bool fold, char **buf, const char **ret, size_t *ret_len)
{
	*ret = part->text;
	*ret_len = part->len;
	if (!fold || part->kind != PART_LITERAL)
		return 0;
	*buf = malloc(FOLD_SIZE(part->len));
	if (!*buf)
		return -ENOMEM;
	*ret_len = fold_name(part->text, part->len, *buf, FOLD_SIZE(part->len));
	*ret = *buf;
	return 0;
}

static int named_child(struct policy_builder *b, bool fold, struct trie *t, uint32_t parent, const struct part *part, uint32_t *ret)
{
	_cleanup_free_ char *buf = NULL;
	struct trie_slot *slot;
	struct trie_node *n;
	uint32_t hash;
	const char *s;
	size_t len;
	int r = fold_part(part, fold, &buf, &s, &len);

	if (r == 0)
		r = slots_room(t);
	if (r < 0)
		return r;
	hash = trie_hash(s, len) ^ (part->kind == PART_GLOB ? GLOB_HASH : 0);
	slot = find_child(t, parent, part->kind, s, len, hash);
	*ret = slot->node;
	if (*ret != 0)
		return 0;
	r = add_node(t, parent, part->kind, ret);
	if (r < 0)
		return r;
	n = &t->nodes[*ret];
	n->text = arena_copy(part->kind == PART_GLOB ? &b->drafts : &b->arena, s, len);
	n->len = (uint32_t) len;
	if (!n->text)
		return -ENOMEM;
	*slot = (struct trie_slot) { .hash = hash_child(parent, hash), .node = *ret };
	t->nodes[parent].n_literals += part->kind == PART_LITERAL;
	return 0;
}

static int child(struct policy_builder *b, bool fold, struct trie *t, uint32_t parent, const struct part *part, uint32_t *ret)
{
	uint32_t *there;
	int r;

	if (part->kind == PART_LITERAL || part->kind == PART_GLOB)
		return named_child(b, fold, t, parent, part, ret);
	there = part->kind == PART_ANY ? &t->nodes[parent].any : &t->nodes[parent].loop;
	*ret = *there;
	if (*ret != 0)
		return 0;
	r = add_node(t, parent, part->kind, ret);
	if (r < 0)
		return r;
	*(part->kind == PART_ANY ? &t->nodes[parent].any : &t->nodes[parent].loop) = *ret; /* the nodes may have moved */
	return 0;
}

static int add_ending(struct trie *t, uint32_t node, const struct pattern *p)
{
	struct trie_ending *v = array_room(t->endings, t->n_endings + 1, &t->endings_size, sizeof(*v));

	if (!v)
		return -ENOMEM;
	t->endings = v;
	t->n_endings++;
	v[t->n_endings] = (struct trie_ending) { .rule = p->rule, .dir_only = p->dir_only, .next = t->nodes[node].endings };
	t->nodes[node].endings = (uint32_t) t->n_endings;
	return 0;
}

/* A made-up file cannot have another one in it. */
static int add_file(struct policy_builder *b, struct trie *t, uint32_t node, const struct pattern *p)
{
	struct trie_node *n = &t->nodes[node];

	if (n->files_below)
		return fault_at_rule(b, p->rule, "another made-up file lies in this one");
	if (n->file < 0) {
		n->next_file = t->nodes[n->parent].first_file;
		t->nodes[n->parent].first_file = node;
	}
	n->file = p->file;
	for (uint32_t at = node; at != 0; ) {
		at = t->nodes[at].parent;
		if (t->nodes[at].file >= 0)
			return fault_at_rule(b, p->rule, "this lies in another made-up file");
		t->nodes[at].files_below = true;
	}
	return 0;
}

static int add_pattern(struct policy_builder *b, bool fold, struct trie *t, const struct pattern *p)
{
	enum rule_kind kind = rule_kind(b->rules[p->rule].verb);
	struct trie_node *n;
	uint32_t at = 0;
	int r;

	for (uint32_t i = 0; i < p->n_parts; i++) {
		r = child(b, fold, t, at, &p->parts[i], &at);
		if (r < 0)
			return r;
	}
	r = add_ending(t, at, p);
	if (r < 0)
		return r;
	if (p->file >= 0)
		return add_file(b, t, at, p);
	n = &t->nodes[at];
	if (p->dir_only) {
		n->ends_dir[kind] = p->rule;
	} else {
		n->ends[kind] = p->rule;
		n->ends_dir[kind] = POLICY_NO_RULE; /* an earlier one never decides any more */
	}
	return 0;
}

static int insert(struct policy_builder *b, bool fold, size_t n_patterns, struct trie *t)
{
	uint32_t root;
	int r = slots_room(t), first = 0;

	if (r == 0)
		r = add_node(t, 0, PART_LITERAL, &root);
	if (r < 0)
		return r;
	t->nodes[0].inner = false; /* it was its own child for a moment */
	for (size_t i = 0; i < n_patterns; i++) {
		r = add_pattern(b, fold, t, &b->patterns[i]);
		if (r == -ENOMEM)
			return r;
		if (r < 0)
			first = r;
	}
	return first;
}

static void raise_to(int32_t *to, int32_t rule)
{
	*to = MAX(*to, rule);
}

static void sum_access(const struct policy_rule *rules, struct trie_node *parent, int32_t rule)
{
	if (rule < 0)
		return;
	if (rules[rule].verb == POLICY_VERB_HIDE)
		raise_to(&parent->hides_child, rule);
	if (rules[rule].verb > POLICY_VERB_HIDE)
		raise_to(&parent->below_hide, rule);
	if (rules[rule].verb > POLICY_VERB_DENY)
		raise_to(&parent->below_deny, rule);
}

/*
 * From the leaves to the root: children have higher numbers than parents.
 */
static void sum_up(const struct policy_rule *rules, struct trie *t)
{
	for (size_t i = t->n_nodes; i-- > 1; ) {
		struct trie_node *n = &t->nodes[i], *parent = &t->nodes[n->parent];

		sum_access(rules, parent, n->ends[KIND_ACCESS]);
		sum_access(rules, parent, n->ends_dir[KIND_ACCESS]);
		raise_to(&parent->below_hide, n->below_hide);
		raise_to(&parent->below_deny, n->below_deny);
		for (size_t k = 0; k < N_KINDS; k++) {
			raise_to(&parent->below[k], n->ends[k]);
			raise_to(&parent->below[k], n->ends_dir[k]);
			raise_to(&parent->below[k], n->below[k]);
		}
	}
}

/* The globs of one node, collected. */
struct siblings {
	struct glob_child *v;
	size_t n, size;
};

static int make_set(struct policy_builder *b, bool fold, struct trie *t, uint32_t parent, uint32_t first, const uint32_t *next,
		    struct siblings *s)
{
	struct glob_set *set = NULL;
	int r;

	s->n = 0;
	for (uint32_t at = first; at != 0; at = next[at]) {
		struct trie_node *n = &t->nodes[at];
		struct glob_child *v = array_room(s->v, s->n, &s->size, sizeof(*v));

		if (!v)
			return -ENOMEM;
		s->v = v;
		n->glob = glob_new(&b->arena, n->text, n->len, fold);
		if (!n->glob)
			return -ENOMEM;
		v[s->n++] = (struct glob_child) { .glob = n->glob, .node = at };
	}
	r = glob_set_new(&b->arena, s->v, s->n, &set);
	t->nodes[parent].globs = set;
	return r;
}

static int make_sets(struct policy_builder *b, bool fold, struct trie *t)
{
	_cleanup_free_ uint32_t *first = calloc(t->n_nodes, sizeof(*first)), *next = calloc(t->n_nodes, sizeof(*next));
	struct siblings s = { .v = NULL };
	int r = 0;

	if (!first || !next)
		return -ENOMEM;
	for (size_t i = t->n_nodes; i-- > 1; )
		if (t->nodes[i].kind == PART_GLOB) {
			next[i] = first[t->nodes[i].parent];
			first[t->nodes[i].parent] = (uint32_t) i;
		}
	for (size_t i = 0; i < t->n_nodes && r == 0; i++)
		if (first[i] != 0)
			r = make_set(b, fold, t, (uint32_t) i, first[i], next, &s);
	free(s.v);
	return r;
}

/* Crossed with how many patterns? More of them never need less. Searched for only when something is wrong anyway. */
static int blame(struct policy_builder *b, bool fold)
{
	size_t low = 0, high = b->n_patterns; /* low are fine, high are too many */

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		_cleanup_(trie_done) struct trie t = { .nodes = NULL };
		uint64_t bound = 0;
		int r = insert(b, fold, middle, &t);

		if (r == 0)
			r = trie_bound(&t, &bound);
		if (r < 0)
			return r;
		*(bound > POLICY_MAX_ALIVE ? &high : &low) = middle;
	}
	return fault_at_rule(b, b->patterns[high - 1].rule,
			     "too many patterns that one path could be in the middle of: more than %u with this one", POLICY_MAX_ALIVE);
}

/* What the arrays have grown too much stays otherwise for as long as the policy. */
static void trim(struct trie *t)
{
	struct trie_node *nodes = reallocarray(t->nodes, t->n_nodes, sizeof(*nodes));
	struct trie_ending *endings = reallocarray(t->endings, t->n_endings + 1, sizeof(*endings));

	if (nodes) {
		t->nodes = nodes;
		t->nodes_size = t->n_nodes;
	}
	if (endings) {
		t->endings = endings;
		t->endings_size = t->n_endings + 1;
	}
}

int trie_build(struct policy_builder *b, bool fold, struct trie *ret)
{
	_cleanup_(trie_done) struct trie t = { .nodes = NULL };
	uint64_t bound = 0;
	int r = insert(b, fold, b->n_patterns, &t);

	if (r == 0)
		r = trie_bound(&t, &bound);
	if (r == 0 && bound > POLICY_MAX_ALIVE)
		r = blame(b, fold);
	if (r == 0)
		r = make_sets(b, fold, &t);
	if (r < 0)
		return r;
	sum_up(b->rules, &t);
	trim(&t);
	for (size_t i = 0; i < t.n_nodes; i++)
		if (t.nodes[i].kind == PART_GLOB)
			t.nodes[i].text = NULL; /* goes with the drafts */
	*ret = t;
	t = (struct trie) { .nodes = NULL };
	return 0;
}
