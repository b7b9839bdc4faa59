#pragma once

/* Why a path can, or cannot, be used in a view: the rules, and what is there. */

#include <stddef.h>
#include <stdio.h>

struct problem;
struct sandbox_rule;

struct explain_config {
	const char *path; /* in the view; a relative one is below the working directory */
	const char *op;	  /* as in the log; NULL: all of them */
	const char *name; /* the sandbox whose policy and layers are meant; NULL: the machine, under the default policy */
	const struct sandbox_rule *sources; /* instead of that policy */
	size_t n_sources;
};

/* Prints it. 0; 1: op would be refused. */
int explain(const struct explain_config *c, FILE *f, struct problem *p);
