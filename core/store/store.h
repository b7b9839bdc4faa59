#pragma once

/*
 * Named sandboxes on disk.
 *
 *   $XDG_STATE_HOME/osfuse/          the store, mode 0700
 *           NAME/                    one sandbox, mode 0700
 *                   sandbox.json     its settings, replaced as a whole
 *                   upper/ work/     the changes, unless they are kept elsewhere
 *                   lock             flock()ed by whoever serves the sandbox
 *
 * Thread rule: a store, and what was opened from it, belongs to one thread at a time. Processes are kept apart by the lock.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/macro.h"

struct io_engine;
struct sandbox;
struct store;

#define STORE_NAME_MAX 200

/* One thing that the policy of a sandbox is made of: a file, or a rule of the command line. */
struct sandbox_rule {
	char *verb; /* "hide" …; NULL: text is the absolute path of a file */
	char *text;
};

/* Everything that sandbox.json holds. Strings are owned; paths are absolute. */
struct sandbox_settings {
	int64_t created_s; /* seconds since 1970 */
	char **lowers;	   /* topmost first */
	size_t n_lowers;
	char *upper, *work; /* NULL: the sandbox's own directories */
	char *mount_point;  /* the last one; NULL before the first mount */
	pid_t pid;	    /* who serves it; 0 once that ended in order */
	char *options;	    /* as on the command line, for people; may be NULL */
	bool ephemeral;	    /* goes away with its mount */
	bool fold;	    /* names are found in any case */
	struct sandbox_rule *policy; /* in order; none: the default policy */
	size_t n_policy;
};

/* Why sandbox.json could not be used. line 0: not about one line. */
struct sandbox_fault {
	unsigned int line, column;
	char text[200];
};

/* Where the store is: $XDG_STATE_HOME/osfuse, else ~/.local/state/osfuse. -ENOENT: there is no home directory. */
int store_default_path(char **ret);

/* create: make the directory, and those above it, where missing. -ENOENT without it; -EPERM: it belongs to somebody else. */
int store_open(struct io_engine *io, const char *path, bool create, struct store **ret);
struct store *store_free(struct store *store);
DEFINE_CLEANUP(struct store *, store_free)

const char *store_path(const struct store *store);
int store_fd(const struct store *store); /* borrowed */

/* A name: 1 to 200 bytes, no '/', no leading '.', nothing unprintable. */
bool store_name_valid(const char *name);
/* The name for a mount point: /mnt/a -> "mnt-a". path is absolute. */
int store_name_from_path(const char *path, char **ret);

/* All names, sorted; a NULL-terminated array to be freed with store_names_free(). */
int store_list(struct store *store, char ***ret_names, size_t *ret_n);
char **store_names_free(char **names);
DEFINE_CLEANUP(char **, store_names_free)

/*
 * Removes what killed daemons left: ephemeral sandboxes that nobody serves, removals cut short, and, after a minute, what was never more
 * than made: without settings, and with nothing in it. What cannot be removed stays, without an error: the next sweep tries again.
 */
void store_sweep(struct store *store);

/*
 * Opens a sandbox. -ENOENT: there is none of that name; -EINVAL: no valid name; -EBADMSG: sandbox.json is damaged, and *ret_fault
 * (which may be NULL) says where. The store must outlive the sandbox.
 */
int sandbox_open(struct store *store, const char *name, struct sandbox **ret, struct sandbox_fault *ret_fault);
/* The same, making it where missing, with upper and work directories. 1: it was made now; 0: it was there. */
int sandbox_create(struct store *store, const char *name, struct sandbox **ret, struct sandbox_fault *ret_fault);
/* A new one whose name starts with name and goes on with something random, marked ephemeral. */
int sandbox_create_ephemeral(struct store *store, const char *name, struct sandbox **ret);
struct sandbox *sandbox_free(struct sandbox *sandbox);
DEFINE_CLEANUP(struct sandbox *, sandbox_free)

const char *sandbox_name(const struct sandbox *sandbox);
struct sandbox_settings *sandbox_settings(struct sandbox *sandbox); /* to read and to change before sandbox_save() */
/* The path of something in the sandbox: "upper". */
int sandbox_path(const struct sandbox *sandbox, const char *item, char **ret);
int sandbox_fd(const struct sandbox *sandbox);	    /* borrowed; the sandbox's directory, for log_open() */
int sandbox_lock_fd(const struct sandbox *sandbox); /* borrowed; to find out who holds the lock */

/* 1: the lock is ours, until sandbox_free(); 0: another process has it. -ESTALE: the sandbox was removed meanwhile. */
int sandbox_lock(struct sandbox *sandbox);
/* Whether a process, this one included, serves the sandbox. Takes the lock for a moment to find out. */
int sandbox_in_use(struct sandbox *sandbox);

/* Writes sandbox.json: all of it or nothing, and on disk when this returns. */
int sandbox_save(struct sandbox *sandbox);
int sandbox_set_lowers(struct sandbox *sandbox, char *const *lowers, size_t n);
int sandbox_set_policy(struct sandbox *sandbox, const struct sandbox_rule *rules, size_t n);

/*
 * The disk space of the changes, in bytes allocated; a file with several names counts once. What vanishes while this
 * looks, or cannot be read, counts nothing.
 */
int sandbox_usage(struct sandbox *sandbox, uint64_t *ret_bytes);

/*
 * Removes the sandbox and the changes in it, whatever their depth and modes, following no link and entering no mount. An
 * upper or work directory kept elsewhere is not touched. -EBUSY: in use, or something is mounted in it. The sandbox must
 * still be freed.
 */
int sandbox_remove(struct sandbox *sandbox);
