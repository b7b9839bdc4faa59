#pragma once

/* What the parts of the parser share: the rules so far, what is wrong so far, and the source that is being read. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "policy/arena.h"
#include "policy/policy.h"

enum part_kind {
	PART_LITERAL,
	PART_GLOB,
	PART_ANY,  /* "*" */
	PART_LOOP, /* two stars: any number of components; never the last part of a pattern */
};

struct part {
	enum part_kind kind;
	uint32_t len;
	const char *text; /* PART_LITERAL: the bytes; PART_GLOB: with backslashes */
};

/* A rule has several where it is about the homes of all users, or about one to which links lead, or that is in a lower. */
struct pattern {
	int rule;
	int file; /* a made-up file; else POLICY_NO_RULE */
	bool dir_only;
	uint32_t n_parts; /* 0: the root */
	struct part *parts;
};

struct fault {
	const char *source;
	unsigned int line, column;
	char *message, *text; /* text: the line, or the part of it around the place */
	unsigned int at;      /* of the place in text, from 0 */
};

struct policy_builder {
	const struct policy_world *world;
	struct arena arena;  /* what stays in the policy */
	struct arena drafts; /* what goes when the rules are compiled */

	struct policy_rule *rules;
	struct pattern *patterns;
	struct policy_file *files;
	struct fault *faults;
	size_t n_rules, rules_size, n_patterns, patterns_size, n_files, files_size, n_faults, faults_size;
	size_t n_errors; /* also those that are not among the faults */

	struct policy_settings settings;
	size_t n_env_keep, env_keep_size, n_env_set, env_set_size;

	unsigned int n_command_line, n_includes;
	bool full; /* too many rules, or made-up files: was said */
};

/* A place in a source. */
struct source {
	struct policy_builder *b;
	const char *name; /* of the arena */
	const struct source *from; /* what includes this; NULL: nothing */
	unsigned int depth;
	unsigned int line;
	const char *text; /* of the line, without its end */
	size_t len, at;
};

/* Bytes and the columns they stand for; those that are not written there have that of what they come from. */
struct word {
	char *s;
	uint32_t *columns; /* from 1 */
	size_t n, size;
	uint32_t column, end; /* where the word begins, and the column behind it */
	bool quoted;
};

/*
 * Parsing functions return 0; -EINVAL: something is wrong here, and fault() has been called; -ENOMEM.
 */

/* report.c: says what is wrong at a column of the source's line. */
_printf_(3, 4) int fault(struct source *src, uint32_t column, const char *format, ...); /* -EINVAL */
_printf_(3, 4) int fault_at_rule(struct policy_builder *b, int rule, const char *format, ...); /* -EINVAL */
void faults_done(struct policy_builder *b);

/* words.c */
void word_done(struct word *w);
int word_push(struct word *w, char c, uint32_t column);
/* Moves to the next word: true; or to the end of the line, or a comment. */
bool line_more(struct source *src);
uint32_t line_column(const struct source *src);
/* A word that is a pattern: backslashes stay, quotes around it go. */
int word_pattern(struct source *src, struct word *w);
/* A word as it is, or, in double quotes, with the escapes of C. NUL behind it, and maybe in it. */
int word_string(struct source *src, struct word *w);
/* NAME=VALUE. Sets the offset of VALUE in the word. */
int word_assignment(struct source *src, struct word *w, size_t *ret_value);

/* pattern.c */
/* Where links lead to a home, that is said of where they lead, too, and of where lowers show either: made-up files there are the next ones. */
int pattern_add(struct source *src, const struct word *w, int rule, int file);
/* The pattern that is the root, and so everything. */
int pattern_add_root(struct source *src, int rule);
/* A path without patterns: "~" and "$" are replaced, backslashes are gone. It may be relative. Of the arena. */
int pattern_path(struct source *src, const struct word *w, const char **ret);
/* The path that a pattern of names only stands for. Of the arena. */
int pattern_as_path(struct policy_builder *b, const struct pattern *p, const char **ret);
/* The name of an environment variable as "env keep" has it. */
int pattern_check_name(struct source *src, const struct word *w);

/* rules.c */
int rule_add(struct source *src, enum policy_verb verb, const struct word *w);
int rules_parse(struct source *src, int verb);
int file_parse(struct source *src, int verb);

/* settings.c */
int env_parse(struct source *src, int verb);
int id_parse(struct source *src, int verb);
int host_parse(struct source *src, int verb);
int umask_parse(struct source *src, int verb);
int limit_parse(struct source *src, int verb);

/* parse.c */
int source_parse(struct policy_builder *b, const struct source *from, const char *name, const char *text, size_t len);
