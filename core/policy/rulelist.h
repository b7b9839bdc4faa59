#pragma once

/* Rules about paths that are made, not read, and are going to be text. */

#include <stddef.h>
#include <stdio.h>

struct policy_rule;

/* What may be needed, from the least to the most; and what is only ever taken away. */
enum rule_verb { NOTHING, DENY, RO, COW, HIDE, NOEXEC };

struct rule {
	enum rule_verb verb;
	char *pattern; /* as text */
};

struct rulelist {
	struct rule *v;
	size_t n, size;
};

/*
 * A name as a pattern that matches only it. But people are to read it, so what would play tricks on them is written as "?": for each byte
 * one, which matches little else.
 */
void rulelist_put_name(FILE *f, const char *s, size_t len);
/* The pattern of a rule that was read, as it has to stand in a file; from malloc. NULL: no memory. */
char *rulelist_pattern(const struct policy_rule *rule);

/* pattern, from malloc, is consumed, also by a failure. */
int rulelist_add(struct rulelist *to, enum rule_verb verb, char *pattern);
void rulelist_done(struct rulelist *r);
/* One after the other; those of one directory that say the same share a line. */
void rulelist_put(FILE *f, const struct rulelist *rules);
