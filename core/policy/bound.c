/*
 * How many nodes can be alive at once, at most? Known before any path is: a policy that would make look-ups slow, or states large, is
 * refused when it is compiled, and not when somebody makes a directory with a name that it has been waiting for.
 *
 * A name is one literal only, so of the literal children of a node one at most is alive, while all of its globs may be ("*" is one of
 * these). With P(N, j) for how many nodes j levels below N are alive after one and the same path from N:
 *
 *     P(N, 0) = 1        P(N, j) = max over literal children P(c, j - 1)  +  sum over globs P(g, j - 1)
 *
 * Loops are not in it, as they stay alive. A loop L is entered anew by every component, and so what it began in the past is alive in
 * all levels at once; and what loops lie below were entered by different names at different times, so that all may be alive:
 *
 *     C(L) = P(L, 0) + P(L, 1) + …  +  sum of C over all loops below L
 *
 * What is not below a loop was entered once, by one path; again only one literal counts:
 *
 *     S(N) = C(loop of N) + max over literal children S(c) + sum over globs S(g)
 *
 *     bound = max over j of P(root, j)  +  S(root)
 *
 * Leaves are never alive. Every P(N, …) is merged into that of the parent, the shorter into the longer, so that the time is linear in
 * the number of nodes.
 */

#include <string.h>

#include "policy/compiled.h"

/* P(N, …), the last level first, so that a level is added on top at the end of the array. */
struct profile {
	uint32_t *v;
	size_t n, size;
};

struct tally {
	struct profile literals, globs; /* of the children: maximum, sum */
	uint64_t loop;	      /* C of the loop that is a child */
	uint64_t loops_below; /* sum of C over all */
	uint64_t one_literal, all_globs; /* of S */
};

static void swap(struct profile *a, struct profile *b)
{
	struct profile c = *a;

	*a = *b;
	*b = c;
}

/* Level by level from the top. Takes b. An array is there if it has levels. */
static void merge(struct profile *a, struct profile *b, bool sum)
{
	uint32_t *top;

	if (b->n > a->n)
		swap(a, b);
	if (b->n == 0)
		return; /* and so it has no array */
	top = a->v + (a->n - b->n);
	for (size_t i = 0; i < b->n; i++)
		top[i] = sum ? top[i] + b->v[i] : MAX(top[i], b->v[i]);
	free(b->v);
	*b = (struct profile) { .v = NULL };
}

static int push_level(struct profile *p)
{
	uint32_t *v = array_room(p->v, p->n, &p->size, sizeof(*v));

	if (!v)
		return -ENOMEM;
	p->v = v;
	v[p->n++] = 1;
	return 0;
}

/* Leaves P of the node in its literals. */
static int close_profile(const struct trie_node *n, struct tally *t)
{
	merge(&t->literals, &t->globs, true);
	return n->inner ? push_level(&t->literals) : 0;
}

static void close_loop(struct tally *t, struct tally *parent)
{
	parent->loop = t->loops_below;
	for (size_t i = 0; i < t->literals.n; i++)
		parent->loop += t->literals.v[i];
	parent->loops_below += parent->loop;
	free(t->literals.v);
	t->literals = (struct profile) { .v = NULL };
}

static void close_child(const struct trie_node *n, struct tally *t, struct tally *parent)
{
	uint64_t s = t->loop + t->one_literal + t->all_globs;

	parent->loops_below += t->loops_below;
	if (n->kind == PART_LITERAL) {
		parent->one_literal = MAX(parent->one_literal, s);
		merge(&parent->literals, &t->literals, false);
	} else {
		parent->all_globs += s;
		merge(&parent->globs, &t->literals, true);
	}
}

static int tally_all(const struct trie *trie, struct tally *tallies)
{
	for (size_t i = trie->n_nodes; i-- > 0; ) {
		const struct trie_node *n = &trie->nodes[i];
		int r = close_profile(n, &tallies[i]);

		if (r < 0)
			return r;
		if (i > 0 && n->kind == PART_LOOP)
			close_loop(&tallies[i], &tallies[n->parent]);
		else if (i > 0)
			close_child(n, &tallies[i], &tallies[n->parent]);
	}
	return 0;
}

int trie_bound(const struct trie *t, uint64_t *ret)
{
	_cleanup_free_ struct tally *tallies = calloc(t->n_nodes, sizeof(*tallies));
	const struct tally *root = tallies;
	uint64_t widest = 0;
	int r;

	if (!tallies)
		return -ENOMEM;
	r = tally_all(t, tallies);
	for (size_t i = 0; i < root->literals.n && r == 0; i++)
		widest = MAX(widest, (uint64_t) root->literals.v[i]);
	if (r == 0)
		*ret = widest + root->loop + root->one_literal + root->all_globs;
	for (size_t i = 0; i < t->n_nodes; i++) {
		free(tallies[i].literals.v);
		free(tallies[i].globs.v);
	}
	return r;
}
