#pragma once

/* Many globs, and which of them match a name: found by the rarest piece of each, so that most are never looked at. */

#include <stdint.h>

#include "policy/arena.h"
#include "policy/glob.h"

struct glob_set;

struct glob_child {
	const struct glob *glob;
	uint32_t node; /* what fn is told */
};

/* n is at least 1. Made in the arena. -ENOMEM. */
int glob_set_new(struct arena *a, const struct glob_child *v, size_t n, struct glob_set **ret);
/* Calls fn for every one that matches; it may be more than once. */
void glob_set_find(const struct glob_set *s, const char *name, size_t len, void (*fn)(void *arg, uint32_t node), void *arg);
