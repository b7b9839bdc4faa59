#pragma once

/*
 * From what the user named to a policy: files, shipped policies by name, rules of the command line. Everything that the pure room
 * core/policy has to be told of the world is found out here: homes, variables, what "include" names.
 */

#include <stdbool.h>
#include <stddef.h>

#include "fuse/homes.h"
#include "policy/policy.h"

struct problem;
struct sandbox_rule;
struct ways;

/* What policies may refer to, as it is on this machine. */
struct policies_world {
	struct policy_world world; /* its argument is this */
	struct homes homes;
	struct ways *ways; /* see policies_load(); NULL: nobody asks for them */
};
int policies_world_init(struct policies_world *w); /* policies_world_done() also after a failure; it stays where it is */
void policies_world_done(struct policies_world *w);

/*
 * sources in order; none: the default policy. lowers: what the view shows, as world.lowers has it; NULL: "/", or it is not known. fold: names are compared without regard to case. ways (may be NULL) gets those to all
 * files that rules are read from, included ones too. On failure p says why. *ret_report (may be NULL) is set then to the faults, as
 * lines for people, or to NULL if it is not the text that is wrong; to be freed.
 */
int policies_load(const struct sandbox_rule *sources, size_t n, const char *const *lowers, bool fold, struct ways *ways, struct policy **ret,
		  char **ret_report, struct problem *p);
/* Tells people of rules of shipped policies that mean nothing in a view of these. */
void policies_warn(const struct policy *policy, const char *const *lowers);
