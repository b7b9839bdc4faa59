#pragma once

/*
 * Policies: text in, verdicts out. Pure: no file of a user's tree is looked at, no lock is taken, nothing is remembered.
 *
 *     text ── parse ──> rules, settings ── compile ──> struct policy (immutable, counted)
 *                                                            │
 *     directory "/" ── policy_root() ──> state ── policy_step("home") ──> verdict of /home; policy_enter() ──> its state …
 *
 * A state is what a directory has to know of the rules: which patterns are half matched at its path, and which rules hold for all
 * that is below. A look-up advances it by one component; the cost depends on the patterns that are still alive there.
 *
 * The language is described in osfuse-policy(5).
 *
 * Thread rule: policies and states may be used by any number of threads; the last reference may be dropped by any.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/macro.h"

struct policy;
struct policy_state;

/* What may be done with a path, from nothing to everything; the order is that of permissiveness. */
enum policy_access {
	POLICY_HIDE, /* it is not there */
	POLICY_DENY, /* it is listed and can be stat'ed; any use of its content fails with verdict.error */
	POLICY_RO,   /* changes fail with EROFS */
	POLICY_COW,  /* changes go to the upper; what holds where no rule does */
	POLICY_RW,   /* changes go to the lower itself */
};

#define POLICY_NO_RULE (-1)

struct policy_verdict {
	enum policy_access access;
	/*
	 * hide and deny, of a directory: a later rule names something below it, to which this is the way. The directory shows, and in
	 * it what the later rule admits and the ways to that; nothing else can be done with it.
	 */
	bool passage;
	bool noexec; /* may not be run */
	bool log;    /* every access is recorded */
	int error;   /* POLICY_DENY: the errno, positive; EACCES unless the rule says another */
	int rule, exec_rule, log_rule; /* who decided: index for policy_rule(), or POLICY_NO_RULE */
	int file;    /* a file that the view makes up: index for policy_file(); else POLICY_NO_RULE */
};

/* Two paths with verdicts of the same class may share an object. Who decided does not matter, nor does log. */
static inline bool policy_same_class(const struct policy_verdict *a, const struct policy_verdict *b)
{
	return a->access == b->access && a->passage == b->passage && a->noexec == b->noexec && a->file == b->file &&
	       (a->access != POLICY_DENY || a->error == b->error);
}

/* What one component leads to. Short-lived: valid as long as the state that it was made from. */
#define POLICY_STEP_INLINE 14
struct policy_step {
	const struct policy_state *from;
	struct policy_verdict as_dir, as_file; /* patterns that end in '/' match directories only */
	/* Private: the trie nodes that are alive below, in v or, if they are many, in more. */
	uint32_t n, v[POLICY_STEP_INLINE];
	uint32_t *more;
};

/*
 * The verdict of a name in a directory: len bytes without '/' or NUL, not "." or "..". -ENOMEM is all that can go wrong.
 * Below a directory that is hidden or denied, and no passage, nothing can be reached: whatever rules say, the verdict is that of the
 * directory. policy_step_done() afterwards, also after a failure. Allocates only when more than POLICY_STEP_INLINE patterns are
 * alive below.
 */
int policy_step(const struct policy_state *dir, const char *name, size_t len, struct policy_step *ret);
void policy_step_done(struct policy_step *s);

/*
 * The verdict of a file in the directory that has no name (yet): that of a name that only patterns for any name match. Where such a
 * one could not be made, the directory may still have names that can, and the access is that of the directory itself.
 */
void policy_nameless(const struct policy_state *dir, struct policy_verdict *ret);

/* The state of the directory that the step leads to. Where nothing is different below, it is the state it came from. */
int policy_enter(const struct policy_step *step, struct policy_state **ret);

/* The state of "/", referenced. */
struct policy_state *policy_root(const struct policy *p);
struct policy_state *policy_state_ref(struct policy_state *s);
struct policy_state *policy_state_unref(struct policy_state *s);
DEFINE_CLEANUP(struct policy_state *, policy_state_unref)
/* True when every path below has the same verdicts under both. Both are of the same policy. */
bool policy_state_equal(const struct policy_state *a, const struct policy_state *b);
/* Could a name directly in this directory be hidden? If not, counting its entries tells nothing that it should not. */
bool policy_state_may_hide(const struct policy_state *s);
/* The verdict of the directory itself. */
const struct policy_verdict *policy_state_verdict(const struct policy_state *s);
/* Names of files that the view makes up directly in this directory: calls fn for each. Stops, and returns it, when fn returns non-zero. */
int policy_state_files(const struct policy_state *s, int (*fn)(void *arg, const char *name, int file), void *arg);

/* Rules, for explanations. */
enum policy_verb {
	POLICY_VERB_HIDE, POLICY_VERB_DENY, POLICY_VERB_RO, POLICY_VERB_COW, POLICY_VERB_RW, /* as enum policy_access */
	POLICY_VERB_NOEXEC, POLICY_VERB_EXEC,
	POLICY_VERB_LOG, POLICY_VERB_NOLOG,
	POLICY_VERB_FILE,
};

/* What is said to be the source of rules of the command line. */
#define POLICY_COMMAND_LINE "command line"

struct policy_rule {
	enum policy_verb verb;
	int error; /* deny: positive errno; else 0 */
	const char *source; /* the file it stands in, or "command line" */
	unsigned int line, column; /* from 1; bytes */
	const char *pattern; /* as written */
};
size_t policy_n_rules(const struct policy *p);
const struct policy_rule *policy_rule(const struct policy *p, int index);
const char *policy_verb_name(enum policy_verb v);
/* Calls fn for every rule that matches an absolute path, in order; is_dir: the path is a directory. */
int policy_matches(const struct policy *p, const char *path, bool is_dir, int (*fn)(void *arg, int rule), void *arg);
/* The verdict of an absolute path, from the root. For tools: the daemon goes step by step. */
int policy_judge(const struct policy *p, const char *path, bool is_dir, struct policy_verdict *ret);

/*
 * Why the names in two directories have not the same verdicts, though the directories have: the last rule about something that is in
 * one of them only. POLICY_NO_RULE: there is no such rule.
 */
int policy_rule_between(const struct policy *p, const char *dir, const char *other);

struct policy_file {
	const char *path;    /* absolute, without patterns */
	const void *content;
	size_t len;
	mode_t mode;	     /* unless it stands in front of a file */
	const char *host_path; /* absolute, where the content was read from when the policy was; NULL: it is in the policy */
	int rule;
};
size_t policy_n_files(const struct policy *p);
const struct policy_file *policy_file(const struct policy *p, int index);

/* What a policy says beside rules. Unset: NULL, or the value of that name. */
#define POLICY_UNSET UINT64_MAX
struct policy_settings {
	char **env_keep;	/* NULL-terminated globs of names; NULL: the policy has no env rule, all is kept */
	char **env_set;		/* NULL-terminated "NAME=VALUE" */
	char *user, *group, *host;
	uint64_t uid, gid, umask;
	uint64_t limit_upper, limit_memory; /* bytes */
	uint64_t limit_files, limit_nofile, limit_nproc;
};
const struct policy_settings *policy_settings(const struct policy *p);

struct policy *policy_ref(struct policy *p);
struct policy *policy_unref(struct policy *p);
DEFINE_CLEANUP(struct policy *, policy_unref)

/* Making one: sources are added in order, later rules win; then it is compiled. */
struct policy_builder;

/* What text may refer to. Zeroed: no home, no variables, no files. */
struct policy_world {
	const char *home;	/* "~"; absolute; NULL: "~" is an error */
	const char *user;	/* whose that is, or would be: for messages; NULL: nobody knows */
	const char *const *homes; /* "~*": every user's home, NULL-terminated; may have patterns: "/home/star" */
	const char *(*variable)(void *arg, const char *name); /* "$NAME"; NULL: not set, which is an error */
	/* The home of a user: "~NAME". NULL: no such user. One that is not absolute is an error. */
	const char *(*home_of)(void *arg, const char *user);
	/* Where the links on the way to one of these lead: rules hold there, too. malloc; NULL: there are none. */
	char *(*real_home)(void *arg, const char *home);
	/*
	 * What the view shows, topmost first, NULL-terminated, absolute and without links; NULL: not known, or "/". In a view of one of these homes,
	 * or of what it is in, or of something in it, its path is another: rules hold there, too.
	 */
	const char *const *lowers;
	/*
	 * Reads what "include" names: path as written, and the source that it stands in. Sets the text (malloc), its length, and its own
	 * name for messages. Negative errno: *ret_name may be set then too.
	 */
	int (*include)(void *arg, const char *from, const char *path, char **ret_name, char **ret_text, size_t *ret_len);
	/* Reads the file of the host whose content a made-up one is to have. Negative errno. */
	int (*host_file)(void *arg, const char *path, char **ret_text, size_t *ret_len);
	void *arg;
};

int policy_builder_new(const struct policy_world *world, struct policy_builder **ret); /* world is borrowed */
struct policy_builder *policy_builder_free(struct policy_builder *b);
DEFINE_CLEANUP(struct policy_builder *, policy_builder_free)

/*
 * Adds a source: name is for messages. What is wrong in it is collected; 0 also then. -ENOMEM.
 */
int policy_builder_add(struct policy_builder *b, const char *name, const char *text, size_t len);
/* Adds a single rule as the command line has it: one pattern, taken as one word with everything in it. */
int policy_builder_add_rule(struct policy_builder *b, enum policy_verb verb, const char *pattern);
/*
 * fold: names are compared without regard to case. -EINVAL: something is wrong in what was added, or the rules together would need
 * more than the bounds below: see policy_builder_report(). The builder can only be freed afterwards.
 */
int policy_builder_compile(struct policy_builder *b, bool fold, struct policy **ret);
/* All that is wrong: "FILE:LINE:COLUMN: WHAT", the line, and a caret under the place; for each. */
void policy_builder_report(const struct policy_builder *b, FILE *f);
size_t policy_builder_n_errors(const struct policy_builder *b);

/* Bounds: of a source's size, of all rules, of the patterns that could be alive at one directory, of made-up content … */
#define POLICY_MAX_SOURCE (16u << 20)
#define POLICY_MAX_RULES 200000u
#define POLICY_MAX_ALIVE 4096u
#define POLICY_MAX_CONTENT (1u << 20)
/*
 * Made-up files. Each takes a descriptor, and a second one once it is used; of the old rules too while they are replaced. Where nobody has
 * allowed more, a process has 4096.
 */
#define POLICY_MAX_FILES 1000u
#define POLICY_MAX_INCLUDES 32u /* deep */

/* The policies that come with the program: "defaults", "readonly" … NULL: none of that name. */
const char *policy_shipped(const char *name, size_t *ret_len);
/* Their names, NULL-terminated, in order. */
const char *const *policy_shipped_names(void);
