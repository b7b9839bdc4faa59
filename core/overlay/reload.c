/*
 * Replacing the policy under a view in use.
 *
 *      1. New verbs go by the new rules.           judge_replace()
 *      2. Those of before have answered.           also judge_replace()
 *      3. What their answers have left behind, in the kernel above all, is told to be no longer so:
 *         every node is judged again, and whoever remembers is told where that makes a difference.
 *
 * After that nobody remembers anything of the old rules. Absence that was the old policy's doing needs no telling: such answers are
 * given with the word that they are not to be remembered.
 */

#include "overlay/tree.h"

#include <errno.h>
#include <string.h>

#include "overlay/gate.h"
#include "overlay/judge.h"
#include "overlay/look.h"

struct reload {
	struct overlay *ov;
	overlay_stale_fn fn;
	void *arg;
};

struct ref {
	uint64_t dir_id;
	char *text;
};

/* What a node was ruled before, and by which names it may be remembered. */
struct before {
	struct ruling ruling;
	bool judged; /* else it has to be taken for anything */
	struct ref *names;
	size_t n_names;
};

static void before_done(struct before *b)
{
	for (size_t i = 0; i < b->n_names; i++)
		free(b->names[i].text);
	free(b->names);
}

static int take_before(const struct reload *rl, struct node *n, struct before *ret)
{
	size_t n_names = 0;

	*ret = (struct before) { .names = NULL };
	SCOPE_LOCK(&node_shard(rl->ov, n)->lock);
	/* Whoever has used the node since the new rules are there has asked what they say. */
	ret->ruling = n->stamp == rules_now(rl->ov)->stamp ? n->before : n->ruling;
	ret->judged = n->stamp != 0;
	for (const struct name *a = n->names; a; a = a->next)
		n_names++;
	ret->names = calloc(MAX(n_names, (size_t) 1), sizeof(*ret->names));
	if (!ret->names)
		return -ENOMEM;
	for (const struct name *a = n->names; a; a = a->next) {
		ret->names[ret->n_names] = (struct ref) { .dir_id = a->dir->id, .text = strdup(a->text) };
		if (!ret->names[ret->n_names++].text)
			return -ENOMEM;
	}
	return 0;
}

static bool may_be_read(const struct ruling *r)
{
	return r->access > POLICY_DENY;
}

/*
 * Changed in the lower instead of the upper, or the other way round, a directory that is in the same places stays the same. To be told
 * otherwise, the kernel would cut it off, and who is in it could no longer say where that is.
 */
static bool is_same_dir(const struct reload *rl, struct node *n)
{
	char name[NAME_BYTES];
	struct node *dir = S_ISDIR(n->type) ? node_parent(rl->ov, n, name) : NULL;
	bool same = false;
	FOUND(f);

	if (dir)
		same = look(rl->ov, dir, name, &f) == 0 && f.exists && node_is_found(rl->ov, n, &f);
	(void) node_unref(rl->ov, dir);
	return same;
}

/* In a directory that is denied like it, not even its name can be looked up. */
static bool is_closed(const struct ruling *r)
{
	return r->access == POLICY_DENY && !r->passage;
}

/* Does the name lead to something else now? Several names of one object may not be one node any more. */
static bool leads_elsewhere(const struct reload *rl, struct node *n, const struct before *b, const struct ruling *now)
{
	return !b->judged || ruling_shows(&b->ruling) != ruling_shows(now) || is_closed(&b->ruling) != is_closed(now) ||
	       (ruling_is_direct(&b->ruling) != ruling_is_direct(now) && !is_same_dir(rl, n)) ||
	       b->ruling.made != POLICY_NO_RULE || now->made != POLICY_NO_RULE ||
	       (b->n_names > 1 && !ruling_same_class(&b->ruling, now));
}

/* A name that is made up now, and may be remembered as absent. */
struct made_in {
	const struct reload *rl;
	uint64_t dir_id;
};

static int tell_made(void *arg, const char *name, int file)
{
	const struct made_in *in = arg;

	in->rl->fn(in->rl->arg, &(struct overlay_stale) { .dir_id = in->dir_id, .name = name });
	return 0;
}

static int tell_made_names(const struct reload *rl, struct node *dir)
{
	_cleanup_(policy_state_unrefp) struct policy_state *state = NULL;
	struct made_in in = { .rl = rl, .dir_id = dir->id };
	int r = judge_dir(rl->ov, dir, &state);

	return r == 0 && state ? policy_state_files(state, tell_made, &in) : r;
}

static int reload_node(const struct reload *rl, struct node *n)
{
	_cleanup_(before_done) struct before b = { .names = NULL };
	struct ruling now;
	bool elsewhere;
	int r = take_before(rl, n, &b);

	if (r == 0)
		r = judge_node(rl->ov, n, &now);
	if (r < 0)
		return r;
	elsewhere = leads_elsewhere(rl, n, &b, &now);
	for (size_t i = 0; elsewhere && i < b.n_names; i++)
		rl->fn(rl->arg, &(struct overlay_stale) { .dir_id = b.names[i].dir_id, .name = b.names[i].text });
	/* Of a directory the count of links may be told now, or no longer, whatever it is ruled itself. */
	if (S_ISDIR(n->type) || !b.judged || !ruling_same_class(&b.ruling, &now))
		rl->fn(rl->arg, &(struct overlay_stale) { .id = n->id, .content = !may_be_read(&now) });
	return S_ISDIR(n->type) ? tell_made_names(rl, n) : 0;
}

/* The nodes of a bucket, referenced. */
static int take_bucket(struct shard *s, size_t bucket, struct node ***ret, size_t *ret_n)
{
	size_t n = 0;

	SCOPE_LOCK(&s->lock);
	*ret = NULL;
	*ret_n = 0;
	for (struct node *at = s->buckets[bucket]; at; at = at->hash_next)
		n++;
	if (n == 0)
		return 0;
	*ret = calloc(n, sizeof(**ret));
	if (!*ret)
		return -ENOMEM;
	for (struct node *at = s->buckets[bucket]; at; at = at->hash_next) {
		node_ref(at);
		(*ret)[(*ret_n)++] = at;
	}
	return 0;
}

static size_t n_buckets(struct shard *s)
{
	SCOPE_LOCK(&s->lock);
	return s->n_buckets;
}

/*
 * All nodes of before. The table may grow meanwhile: then the rest of a bucket is found in one that comes later, since there are
 * twice as many. What is new is by the new rules.
 */
static int reload_shard(const struct reload *rl, struct shard *s)
{
	int r = 0;

	for (size_t i = 0; i < n_buckets(s); i++) {
		struct node **nodes;
		size_t n;
		int r2 = take_bucket(s, i, &nodes, &n);

		for (size_t j = 0; j < n; j++) {
			if (r2 == 0)
				r2 = reload_node(rl, nodes[j]);
			(void) node_unref(rl->ov, nodes[j]);
		}
		free(nodes);
		r = r < 0 ? r : r2; /* the others all the same */
	}
	return r;
}

int overlay_set_policy(struct overlay *ov, struct policy *policy, const struct overlay_guards *guards, overlay_stale_fn fn, void *arg)
{
	const struct reload rl = { .ov = ov, .fn = fn, .arg = arg };
	int r;

	SCOPE_LOCK(&ov->reload_lock);
	r = judge_replace(ov, policy, guards);
	for (size_t i = 0; i < N_SHARDS && r == 0; i++)
		r = reload_shard(&rl, &ov->shards[i]);
	return r;
}
