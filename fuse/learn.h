#pragma once

/* A policy made from the log of a sandbox. */

#include <stdio.h>

struct policy_world;
struct problem;

/*
 * Writes the smallest readable policy that would have allowed what the log of the sandbox says was allowed: see policy/learn.h. world
 * says whose home is "~", and where others are; it is borrowed for the call. That records are missing from the log is said on stderr, and is
 * no failure; that there is none of an allowed access is one, with the advice to record them.
 *
 *     return learn_from_log(argv[optind], &world, stdout, p);
 */
int learn_from_log(const char *name, const struct policy_world *world, FILE *f, struct problem *p);
