/*
 * States and steps: see compiled.h for what is alive. A node in a state is its number and a flag:
 *
 *     number << 1 | SPANS
 *
 * SPANS is for passages. A hidden directory is the way to what a later rule admits if that rule names the way, and not merely begins
 * with two stars somewhere above: "hide ~/.ssh" is not undone by "cow **\/ *.pub". So when a rule begins to hide or deny a directory,
 * the loops that were alive before, and only stay so, are marked; and so is all that is reached from what is marked. Where nothing
 * is hidden or denied, nothing is marked.
 *
 * A node that could not change any verdict below is not kept: every rule below it comes before the rule that holds already. So most
 * directories have the state of their parent, which is then the same object.
 */

#include <string.h>

#include "base/fold.h"
#include "policy/compiled.h"

#define SPANS 1u

struct policy_state {
	atomic_uint refs; /* of the root: not used; the last drop acquires what the others released */
	struct policy *policy; /* referenced, except by the root */
	struct policy_verdict verdict;
	bool may_hide;
	uint32_t n_alive;
	uint32_t alive[]; /* sorted */
};

/* A step that is being made. */
struct walk {
	const struct policy *p;
	struct policy_step *s;
	size_t size; /* of what s->v or s->more has room for */
	uint32_t spans; /* the flag of the node that children are reached from */
	int32_t file[N_KINDS], dir[N_KINDS]; /* the last rules that end here */
	int32_t made_up;
	int r;
	void (*fn)(void *arg, uint32_t node, bool is_dir); /* told of every node reached; then nothing is left out */
	void *arg;
	bool is_dir;
};

static uint32_t *alive(struct policy_step *s)
{
	return s->more ? s->more : s->v;
}

static int more_room(struct walk *w)
{
	struct policy_step *s = w->s;
	uint32_t *v = reallocarray(s->more, w->size * 2, sizeof(*v));

	if (!v)
		return -ENOMEM;
	if (!s->more)
		memcpy(v, s->v, s->n * sizeof(*v));
	s->more = v;
	w->size *= 2;
	return 0;
}

/* While they are few, a node that is there already is found at once; else sort() does it. The unmarked one stays. */
static void add_alive(struct walk *w, uint32_t entry)
{
	struct policy_step *s = w->s;
	uint32_t *v = alive(s);

	for (uint32_t i = 0; i < s->n && s->n <= POLICY_STEP_INLINE; i++)
		if (v[i] >> 1 == entry >> 1) {
			v[i] = MIN(v[i], entry);
			return;
		}
	if (s->n == w->size && w->r == 0)
		w->r = more_room(w);
	if (w->r == 0)
		alive(s)[s->n++] = entry;
}

static void reach(struct walk *w, uint32_t node)
{
	const struct trie_node *n = &w->p->trie.nodes[node];

	if (w->fn)
		w->fn(w->arg, node, w->is_dir);
	for (size_t k = 0; k < N_KINDS; k++) {
		w->file[k] = MAX(w->file[k], n->ends[k]);
		w->dir[k] = MAX(w->dir[k], n->ends[k]);
		w->dir[k] = MAX(w->dir[k], n->ends_dir[k]);
	}
	w->made_up = MAX(w->made_up, n->file);
	if (n->inner)
		add_alive(w, node << 1 | w->spans);
	if (n->loop)
		add_alive(w, n->loop << 1 | w->spans);
}

static void reach_glob(void *arg, uint32_t node)
{
	reach(arg, node);
}

/* Children of all that is alive in from. The name is folded, if names are. */
static void reach_children(struct walk *w, const struct policy_state *from, const char *name, size_t len)
{
	const struct trie *t = &w->p->trie;
	uint32_t hash = trie_hash(name, len);

	for (uint32_t i = 0; i < from->n_alive; i++) {
		const struct trie_node *n = &t->nodes[from->alive[i] >> 1];
		uint32_t literal = n->n_literals > 0 ? trie_literal(t, from->alive[i] >> 1, name, len, hash) : 0;

		w->spans = from->alive[i] & SPANS;
		if (literal)
			reach(w, literal);
		if (n->any)
			reach(w, n->any);
		if (n->globs)
			glob_set_find(n->globs, name, len, reach_glob, w);
	}
}

static bool is_shut(enum policy_access access)
{
	return access <= POLICY_DENY;
}

/* Hidden or denied, and no passage: nothing below can be reached, whatever other rules say of it. */
static bool is_closed(const struct policy_verdict *dir)
{
	return is_shut(dir->access) && !dir->passage;
}

/* The verdict, passages aside, where rules end (here) in a directory whose verdict is from. */
static struct policy_verdict decide(const struct policy *p, const struct policy_verdict *from, const int32_t here[static N_KINDS])
{
	struct policy_verdict v = *from;

	v.passage = false;
	v.file = POLICY_NO_RULE;
	if (here[KIND_ACCESS] > v.rule && !is_closed(from)) {
		v.rule = here[KIND_ACCESS];
		v.access = (enum policy_access) p->rules[v.rule].verb;
		v.error = v.access == POLICY_DENY ? p->rules[v.rule].error : 0;
	}
	if (here[KIND_EXEC] > v.exec_rule) {
		v.exec_rule = here[KIND_EXEC];
		v.noexec = p->rules[v.exec_rule].verb == POLICY_VERB_NOEXEC;
	}
	if (here[KIND_LOG] > v.log_rule) {
		v.log_rule = here[KIND_LOG];
		v.log = p->rules[v.log_rule].verb == POLICY_VERB_LOG;
	}
	return v;
}

/* Loops stay, with a mark if the directory is hidden or denied by a rule that begins here. */
static void keep_loops(struct walk *w, const struct policy_state *from)
{
	const struct policy_verdict *v = &w->s->as_dir;
	uint32_t spans = is_shut(v->access) && v->rule > from->verdict.rule ? SPANS : 0;

	for (uint32_t i = 0; i < from->n_alive; i++)
		if (w->p->trie.nodes[from->alive[i] >> 1].kind == PART_LOOP)
			add_alive(w, from->alive[i] | spans);
}

/* Could anything below the node decide something? */
static bool matters(const struct trie_node *n, const struct policy_verdict *v)
{
	return n->below[KIND_ACCESS] > v->rule || n->below[KIND_EXEC] > v->exec_rule || n->below[KIND_LOG] > v->log_rule ||
	       n->files_below;
}

/* Shell sort with Ciura's gaps: a state has few nodes, or at most POLICY_MAX_ALIVE. */
static void sort(uint32_t *v, uint32_t n)
{
	static const uint32_t gaps[] = { 1750, 701, 301, 132, 57, 23, 10, 4, 1 };

	for (size_t g = 0; g < ARRAY_SIZE(gaps); g++)
		for (uint32_t gap = gaps[g], i = gap; i < n; i++) {
			uint32_t x = v[i], j = i;

			for (; j >= gap && v[j - gap] > x; j -= gap)
				v[j] = v[j - gap];
			v[j] = x;
		}
}

/* Drops what does not matter, and marks where nothing is hidden; sorts, and takes out what is there twice. */
static void tidy(struct walk *w)
{
	struct policy_step *s = w->s;
	const struct policy_verdict *verdict = &s->as_dir;
	uint32_t *v = alive(s), n = 0;

	for (uint32_t i = 0; i < s->n; i++)
		if (w->fn || matters(&w->p->trie.nodes[v[i] >> 1], verdict))
			v[n++] = is_shut(verdict->access) ? v[i] : v[i] & ~SPANS;
	sort(v, n);
	s->n = 0;
	for (uint32_t i = 0; i < n; i++)
		if (s->n == 0 || v[s->n - 1] >> 1 != v[i] >> 1)
			v[s->n++] = v[i];
}

static bool is_passage(const struct policy *p, const struct policy_verdict *v, const uint32_t *nodes, uint32_t n)
{
	if (!is_shut(v->access))
		return false;
	for (uint32_t i = 0; i < n; i++) {
		const struct trie_node *node = &p->trie.nodes[nodes[i] >> 1];

		if (!(nodes[i] & SPANS) && (v->access == POLICY_HIDE ? node->below_hide : node->below_deny) > v->rule)
			return true;
	}
	return false;
}

static void finish(struct walk *w, const struct policy_state *from)
{
	struct policy_step *s = w->s;

	s->as_file = decide(w->p, &from->verdict, w->file);
	s->as_dir = decide(w->p, &from->verdict, w->dir);
	s->as_file.file = s->as_dir.file = is_closed(&from->verdict) ? POLICY_NO_RULE : w->made_up;
	keep_loops(w, from);
	tidy(w);
	s->as_dir.passage = is_passage(w->p, &s->as_dir, alive(s), s->n);
}

static int step(struct walk *w, const struct policy_state *from, const char *name, size_t len)
{
	char buf[FOLD_SIZE(GLOB_MAX_LEN)];
	_cleanup_free_ char *large = NULL;

	w->s->from = from;
	w->s->n = 0;
	w->s->more = NULL;
	if (w->p->fold) {
		/* Longer names do not exist, but may be asked for. */
		if (len > GLOB_MAX_LEN)
			large = malloc(FOLD_SIZE(len));
		if (len > GLOB_MAX_LEN && !large)
			return -ENOMEM;
		len = fold_name(name, len, large ? large : buf, FOLD_SIZE(MAX(len, (size_t) GLOB_MAX_LEN)));
		name = large ? large : buf;
	}
	reach_children(w, from, name, len);
	finish(w, from);
	return w->r;
}

#define WALK_INIT(policy, step) \
	{ .p = (policy), .s = (step), .size = POLICY_STEP_INLINE, .file = { -1, -1, -1 }, .dir = { -1, -1, -1 }, .made_up = -1 }

int policy_step(const struct policy_state *dir, const char *name, size_t len, struct policy_step *ret)
{
	struct walk w = WALK_INIT(dir->policy, ret);

	return step(&w, dir, name, len);
}

void policy_step_done(struct policy_step *s)
{
	free(s->more);
	s->more = NULL;
}

void policy_nameless(const struct policy_state *dir, struct policy_verdict *ret)
{
	const struct trie_node *nodes = dir->policy->trie.nodes;
	int32_t here[N_KINDS] = { -1, -1, -1 };

	for (uint32_t i = 0; i < dir->n_alive; i++) {
		uint32_t any = nodes[dir->alive[i] >> 1].any;

		for (size_t k = 0; any && k < N_KINDS; k++)
			here[k] = MAX(here[k], nodes[any].ends[k]);
	}
	*ret = decide(dir->policy, &dir->verdict, here);
	if (ret->access >= POLICY_COW)
		return;
	ret->access = dir->verdict.access;
	ret->error = dir->verdict.error;
	ret->rule = dir->verdict.rule;
	ret->passage = dir->verdict.passage;
}

static bool same_verdict(const struct policy_verdict *a, const struct policy_verdict *b)
{
	return policy_same_class(a, b) && a->log == b->log && a->rule == b->rule && a->exec_rule == b->exec_rule &&
	       a->log_rule == b->log_rule;
}

static struct policy_state *state_new(struct policy *p, const struct policy_verdict *v, const uint32_t *nodes, uint32_t n)
{
	struct policy_state *s = malloc(sizeof(*s) + n * sizeof(s->alive[0]));

	if (!s)
		return NULL;
	*s = (struct policy_state) { .policy = p, .verdict = *v, .n_alive = n, .may_hide = v->access == POLICY_HIDE };
	atomic_init(&s->refs, 1);
	for (uint32_t i = 0; i < n; i++) {
		s->alive[i] = nodes[i];
		s->may_hide |= p->trie.nodes[nodes[i] >> 1].hides_child > v->rule;
	}
	return s;
}

int policy_enter(const struct policy_step *step, struct policy_state **ret)
{
	const struct policy_state *from = step->from;
	const uint32_t *nodes = step->more ? step->more : step->v;
	struct policy_state *s;

	if (step->n == from->n_alive && same_verdict(&step->as_dir, &from->verdict) &&
	    memcmp(nodes, from->alive, step->n * sizeof(*nodes)) == 0) {
		*ret = policy_state_ref((struct policy_state *) from); /* what changes is the count only */
		return 0;
	}
	s = state_new(from->policy, &step->as_dir, nodes, step->n);
	if (!s)
		return -ENOMEM;
	(void) policy_ref(s->policy);
	*ret = s;
	return 0;
}

/* The root is reached by no name. */
static void reach_root(struct walk *w, struct policy_verdict *v)
{
	static const struct policy_verdict nothing = {
		.access = POLICY_COW,
		.rule = POLICY_NO_RULE,
		.exec_rule = POLICY_NO_RULE,
		.log_rule = POLICY_NO_RULE,
		.file = POLICY_NO_RULE,
	};

	w->s->n = 0;
	w->s->more = NULL;
	reach(w, 0);
	*v = w->s->as_dir = decide(w->p, &nothing, w->dir);
	tidy(w);
	v->passage = is_passage(w->p, v, alive(w->s), w->s->n);
}

int policy_make_root(struct policy *p)
{
	struct policy_step s;
	struct walk w = WALK_INIT(p, &s);
	struct policy_verdict v;

	reach_root(&w, &v); /* two nodes at most: nothing to fail */
	p->root = state_new(p, &v, s.v, s.n);
	return p->root ? 0 : -ENOMEM;
}

struct policy_state *policy_root(const struct policy *p)
{
	return policy_state_ref(p->root);
}

struct policy_state *policy_state_ref(struct policy_state *s)
{
	if (s == s->policy->root)
		(void) policy_ref(s->policy);
	else
		atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

struct policy_state *policy_state_unref(struct policy_state *s)
{
	struct policy *p = s ? s->policy : NULL;

	if (!s)
		return NULL;
	if (s != p->root) {
		if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
			return NULL;
		free(s);
	}
	(void) policy_unref(p);
	return NULL;
}

bool policy_state_equal(const struct policy_state *a, const struct policy_state *b)
{
	const struct policy_verdict *va = &a->verdict, *vb = &b->verdict;

	if (a == b)
		return true;
	if (a->n_alive != b->n_alive || memcmp(a->alive, b->alive, a->n_alive * sizeof(a->alive[0])) != 0)
		return false;
	/* Where nothing can decide any more, it does not matter which rule has. */
	if (a->n_alive == 0)
		return va->access == vb->access && va->error == vb->error && va->noexec == vb->noexec && va->log == vb->log;
	return va->rule == vb->rule && va->exec_rule == vb->exec_rule && va->log_rule == vb->log_rule;
}

/* The last rule below a node, of those that can decide anything there. */
static int last_below(const struct policy_state *s, uint32_t node)
{
	const struct policy_verdict *v = &s->verdict;
	const struct trie_node *n = &s->policy->trie.nodes[node >> 1];
	int last = POLICY_NO_RULE;

	if (n->below[KIND_ACCESS] > v->rule)
		last = n->below[KIND_ACCESS];
	if (n->below[KIND_EXEC] > v->exec_rule)
		last = MAX(last, n->below[KIND_EXEC]);
	if (n->below[KIND_LOG] > v->log_rule)
		last = MAX(last, n->below[KIND_LOG]);
	for (uint32_t at = n->first_file; at != 0; at = s->policy->trie.nodes[at].next_file)
		last = MAX(last, s->policy->files[s->policy->trie.nodes[at].file].rule);
	return last;
}

int policy_state_difference(const struct policy_state *a, const struct policy_state *b)
{
	int last = POLICY_NO_RULE;

	for (uint32_t i = 0, j = 0; i < a->n_alive || j < b->n_alive; ) {
		if (j == b->n_alive || (i < a->n_alive && a->alive[i] < b->alive[j]))
			last = MAX(last, last_below(a, a->alive[i++]));
		else if (i == a->n_alive || a->alive[i] > b->alive[j])
			last = MAX(last, last_below(b, b->alive[j++]));
		else
			i++, j++;
	}
	return last;
}

bool policy_state_may_hide(const struct policy_state *s)
{
	return s->may_hide;
}

const struct policy_verdict *policy_state_verdict(const struct policy_state *s)
{
	return &s->verdict;
}

int policy_state_files(const struct policy_state *s, int (*fn)(void *arg, const char *name, int file), void *arg)
{
	const struct policy *p = s->policy;

	for (uint32_t i = 0; i < s->n_alive; i++)
		for (uint32_t at = p->trie.nodes[s->alive[i] >> 1].first_file; at != 0; at = p->trie.nodes[at].next_file) {
			int file = p->trie.nodes[at].file;
			int r = fn(arg, strrchr(p->files[file].path, '/') + 1, file);

			if (r != 0)
				return r;
		}
	return 0;
}

/* The state of a walk that keeps what does not matter too. */
static int walk_on(struct walk *w, struct policy_state **at)
{
	struct policy_state *next;

	if (w->r < 0)
		return w->r;
	next = state_new((struct policy *) w->p, &w->s->as_dir, alive(w->s), w->s->n);
	policy_step_done(w->s);
	if (!next)
		return -ENOMEM;
	free(*at);
	*at = next;
	return 0;
}

int policy_walk(const struct policy *p, const char *path, bool is_dir, void (*fn)(void *arg, uint32_t node, bool is_dir), void *arg)
{
	_cleanup_free_ struct policy_state *at = NULL;
	struct policy_step s;
	struct walk root = WALK_INIT(p, &s);
	struct policy_verdict v;
	int r;

	root.fn = fn;
	root.arg = arg;
	root.is_dir = true;
	reach_root(&root, &v);
	r = walk_on(&root, &at);
	for (path += strspn(path, "/"); *path && r == 0; ) {
		size_t len = strcspn(path, "/");
		struct walk w = WALK_INIT(p, &s);
		const char *next = path + len + strspn(path + len, "/");

		w.fn = fn;
		w.arg = arg;
		w.is_dir = is_dir || path[len] == '/';
		r = step(&w, at, path, len);
		if (r == 0)
			r = walk_on(&w, &at);
		else
			policy_step_done(&s);
		path = next;
	}
	return r;
}
