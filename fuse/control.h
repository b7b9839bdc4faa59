#pragma once

/*
 * How a command reaches the daemon of a sandbox: a socket in the sandbox's directory, which only its owner can enter. A line is asked, a
 * word is answered, "ok" or "failed", and on the lines that follow what there is to say.
 */

#include "base/macro.h"

struct control;

/* Does what is asked, and returns 0, or a negative errno with *ret_text (may be left NULL) saying why; to be freed. */
typedef int (*control_fn)(void *arg, const char *request, char **ret_text);

/* Listens, in a thread of its own. What is there of a daemon that was killed is replaced: the caller holds the sandbox's lock. */
int control_new(int dirfd, control_fn fn, void *arg, struct control **ret);
/* A request under way is finished first. */
struct control *control_free(struct control *c);
DEFINE_CLEANUP(struct control *, control_free)

/*
 * Asks the daemon. 0: done; -ECONNREFUSED: nobody listens; -EREMOTEIO: it could not, *ret_text says why (NULL: it did not say); or what the
 * connection gave.
 */
int control_ask(int dirfd, const char *request, char **ret_text);
