#pragma once

/*
 * What the policy says of names and nodes.
 *
 * A directory keeps the state of its path, every node the part of the verdict that its verbs need, and the stamp of the rules that they
 * are by. Rules are replaced as a whole, which makes all stamps old: whoever comes upon an old one asks again, from the nearest
 * ancestor that is up to date.
 *
 * Who uses rules holds them in place by being a reader (overlay_enter()). Replacing waits for the readers of before, of which
 * there are two counts, so that those who come meanwhile are not waited for.
 */

#include "overlay/tree.h"

int judge_init(struct overlay *ov, struct policy *policy, const struct overlay_guards *guards);
void judge_done(struct overlay *ov);
/* New rules are in force, and nobody uses the old ones any more. One at a time. */
int judge_replace(struct overlay *ov, struct policy *policy, const struct overlay_guards *guards);

/* What a name would be, before anything has been looked at. */
struct judgement {
	struct policy_state *state; /* of the directory, referenced; NULL: no policy, or a removed directory */
	struct policy_step step;
	uint32_t stamp;
	unsigned int n_entered; /* when it was begun */
	struct ruling as_dir, as_file;
};

/* name: NULL: of a file that has none (yet). */
int judge_name(struct overlay *ov, struct node *dir, const char *name, struct judgement *ret);
void judgement_done(struct judgement *j);
#define JUDGEMENT(var) _cleanup_(judgement_done) struct judgement var = { .state = NULL }

static inline const struct ruling *judged(const struct judgement *j, mode_t mode)
{
	return S_ISDIR(mode) ? &j->as_dir : &j->as_file;
}

/* The state that a directory of that name has, referenced; NULL without a policy, and for anything else. */
int judge_enter(const struct judgement *j, mode_t mode, struct policy_state **ret);
/* Under either name, does everything in the directory have the same verdict? */
int judge_same_below(const struct judgement *a, const struct judgement *b);
/* Has the directory of that name made-up files in it? 1 yes. */
int judge_makes_up(const struct judgement *j);

/* The same for many names of one directory, whose state is at hand. NULL: no policy. */
int judge_listed(const struct policy_state *dir, const char *name, size_t len, struct ruling *ret_as_dir, struct ruling *ret_as_file);

/* The ruling of a node, asked again if the rules have changed; of one with several names the strictest. */
int judge_node(struct overlay *ov, struct node *n, struct ruling *ret);
/* The same for a change: is it what the policy is read from by now? The answer is good for this one change. */
int judge_node_to_change(struct overlay *ov, struct node *n, struct ruling *ret);
/* The state of a directory, referenced; NULL without a policy, and for a removed one. */
int judge_dir(struct overlay *ov, struct node *dir, struct policy_state **ret);
/* Brings a node up to date. */
int judge_refresh(struct overlay *ov, struct node *n);
/*
 * An empty directory has come to a path with other rules below. Called while nobody can make anything in it: what was judged by the
 * old path is not used for anything that is made from then on.
 */
void judge_moved(struct overlay *ov, struct node *dir);
/* May it be that a directory on the way has come under other rules since? */
static inline bool judgement_is_old(struct overlay *ov, const struct judgement *j)
{
	return j->state && atomic_load(&ov->n_entered) != j->n_entered;
}

/* What of a verdict is kept. */
struct ruling ruling_of(const struct policy_verdict *v);

/* What a node is ruled, with its shard locked. */
static inline void node_rule(struct node *n, uint32_t stamp, const struct ruling *ruling)
{
	if (n->stamp != stamp)
		n->before = n->ruling;
	n->stamp = stamp;
	n->ruling = *ruling;
	n->flags &= (uint16_t) ~NODE_RENAMED;
}

/* Is it there at all, as far as programs can tell? */
static inline bool ruling_shows(const struct ruling *r)
{
	return r->access != POLICY_HIDE || r->passage;
}

static inline bool ruling_is_direct(const struct ruling *r)
{
	return r->access == POLICY_RW;
}

/* Does the one let be done what the other lets? */
static inline bool ruling_same_rights(const struct ruling *a, const struct ruling *b)
{
	return a->access == b->access && a->passage == b->passage && a->noexec == b->noexec && a->error == b->error;
}

/* May the two be one node? What is made up is an object of its own. */
static inline bool ruling_same_class(const struct ruling *a, const struct ruling *b)
{
	return ruling_same_rights(a, b) && a->made == b->made;
}

/* The rules in force. For readers. */
static inline const struct rules *rules_now(struct overlay *ov)
{
	return atomic_load_explicit(&ov->rules, memory_order_acquire);
}

