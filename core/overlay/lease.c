/* See lease.h. */

#include "overlay/lease.h"

static struct lease_stripe *stripe(struct overlay *ov, const struct node *n)
{
	return &ov->leases[n->id % N_LEASES];
}

void lease_take(struct overlay *ov, struct node *n, unsigned int what, struct lease *ret)
{
	struct lease_stripe *s = stripe(ov, n);

	node_ref(n);
	SCOPE_LOCK(&s->lock);
	while (n->leases & what)
		(void) pthread_cond_wait(&s->changed, &s->lock);
	n->leases = (uint16_t) (n->leases | what);
	*ret = (struct lease) { .ov = ov, .node = n, .what = what };
}

void lease_done(struct lease *l)
{
	struct lease_stripe *s;

	if (!l->node)
		return;
	s = stripe(l->ov, l->node);
	{
		SCOPE_LOCK(&s->lock);
		l->node->leases = (uint16_t) (l->node->leases & ~l->what);
		(void) pthread_cond_broadcast(&s->changed);
	}
	l->node = node_unref(l->ov, l->node);
}

void lease_take_names(struct overlay *ov, struct node *const dirs[static LEASE_SET_SIZE], struct lease_set *ret)
{
	struct node *v[LEASE_SET_SIZE];
	size_t n = 0;

	for (size_t i = 0; i < LEASE_SET_SIZE; i++) { /* by id; so few are sorted by insertion */
		size_t j = n;

		if (!dirs[i])
			continue;
		for (n++; j > 0 && v[j - 1]->id > dirs[i]->id; j--)
			v[j] = v[j - 1];
		v[j] = dirs[i];
	}
	for (size_t i = 0; i < n; i++)
		if (i == 0 || v[i] != v[i - 1])
			lease_take(ov, v[i], LEASE_NAMES, &ret->v[i]);
}

void lease_set_done(struct lease_set *s)
{
	for (size_t i = ARRAY_SIZE(s->v); i-- > 0; )
		lease_done(&s->v[i]);
}
