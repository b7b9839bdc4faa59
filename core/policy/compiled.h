#pragma once

/*
 * What a policy is once it is compiled.
 *
 * The patterns form a trie: an edge is a component, a node stands for all patterns that begin with the components on the way to it.
 *
 *     /etc/shadow  /etc/ssl/ *.key  **\/.env  ~/src/ **\/ *.o
 *
 *     root ── "etc" ──┬── "shadow" ●
 *      │              └── "ssl" ──── *.key ●
 *      ├───── "home" ─── "u" ─── "src" ┄┄ loop ── *.o ●
 *      ┊
 *      loop ── ".env" ●                                     ● a rule ends here    ┄ needs no component
 *
 * A directory's state is the set of nodes that its path leads to, as far as something lies below them: they are alive. A loop that is
 * alive stays so in all that is below. A rule that ends at a node that the path comes by holds from there on; of those the last is
 * kept, as a number.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "policy/arena.h"
#include "policy/builder.h"
#include "policy/glob.h"
#include "policy/grams.h"
#include "policy/policy.h"

/* Rules of different kinds do not override each other. */
enum rule_kind {
	KIND_ACCESS,
	KIND_EXEC,
	KIND_LOG,
	N_KINDS,
};

/* A pattern that ends at a node. */
struct trie_ending {
	int rule;
	bool dir_only;
	uint32_t next; /* 0: none; the first in the array is not used */
};

/* Numbers of nodes are never 0 where they are children, as the root is nobody's child. Rules: the highest index, or POLICY_NO_RULE. */
struct trie_node {
	const char *text; /* PART_LITERAL: the component, folded if names are */
	const struct glob_set *globs; /* its children that are globs; NULL: none */
	const struct glob *glob; /* PART_GLOB */
	uint32_t len;
	uint32_t parent;
	uint32_t any, loop; /* children */
	uint32_t n_literals;
	uint32_t endings;
	uint32_t first_file, next_file; /* children that are made-up files, chained */
	int32_t file;	    /* of policy_file() */
	int32_t ends[N_KINDS], ends_dir[N_KINDS]; /* rules that end here; those for directories only */
	int32_t below[N_KINDS]; /* that end somewhere below */
	int32_t below_hide, below_deny; /* of those the ones that allow more than hide, or more than deny */
	int32_t hides_child; /* hide rules that end at a child */
	enum part_kind kind : 8;
	bool inner : 1; /* has children besides a loop */
	bool files_below : 1;
};

/* Literal and glob children by parent and text. The hash is here so that a name that has no child touches no node. */
struct trie_slot {
	uint32_t hash;
	uint32_t node; /* 0: free */
};

struct trie {
	struct trie_node *nodes;
	struct trie_ending *endings;
	struct trie_slot *slots;
	size_t n_nodes, nodes_size, n_endings, endings_size, n_slots;
};

struct policy {
	atomic_uint refs; /* the last drop acquires what the others released */
	bool fold;
	struct arena arena;
	struct trie trie;
	struct policy_rule *rules;
	struct policy_file *files;
	size_t n_rules, n_files;
	struct policy_settings settings;
	struct policy_state *root; /* its references are those of the policy */
};

/* trie.c. -EINVAL: the bound was crossed, or files lie in files; the builder knows. Texts are in the builder's arena. */
int trie_build(struct policy_builder *b, bool fold, struct trie *ret);
void trie_done(struct trie *t);
enum rule_kind rule_kind(enum policy_verb v);
uint32_t trie_hash(const char *s, size_t len);
/* The literal child; 0: none. hash: of the name. */
uint32_t trie_literal(const struct trie *t, uint32_t parent, const char *name, size_t len, uint32_t hash);

/* bound.c: no state has more nodes alive than that. -ENOMEM. */
int trie_bound(const struct trie *t, uint64_t *ret);

/* state.c */
/* The last rule that can decide something below the one directory only; POLICY_NO_RULE. */
int policy_state_difference(const struct policy_state *a, const struct policy_state *b);
int policy_make_root(struct policy *p);
/* Calls fn for every node that a path leads to, the root included; more than once for some. */
int policy_walk(const struct policy *p, const char *path, bool is_dir, void (*fn)(void *arg, uint32_t node, bool is_dir), void *arg);

/* What a policy takes, in bytes. */
size_t policy_bytes(const struct policy *p);
