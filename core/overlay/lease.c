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

void lease_take_names(struct overlay *ov, struct node *a, struct node *b, struct node *c, struct lease_set *ret)
{
	struct node *v[] = { a, b, c };

	for (size_t i = 1; i < ARRAY_SIZE(v); i++) /* by id; three are sorted by insertion */
		for (size_t j = i; j > 0 && v[j - 1] && v[j] && v[j - 1]->id > v[j]->id; j--) {
			struct node *t = v[j];

			v[j] = v[j - 1];
			v[j - 1] = t;
		}
	for (size_t i = 0; i < ARRAY_SIZE(v); i++)
		if (v[i] && (i == 0 || v[i] != v[i - 1]))
			lease_take(ov, v[i], LEASE_NAMES, &ret->v[i]);
}

void lease_set_done(struct lease_set *s)
{
	for (size_t i = ARRAY_SIZE(s->v); i-- > 0; )
		lease_done(&s->v[i]);
}
