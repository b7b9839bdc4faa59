#pragma once

/* Walks over a whole tree that somebody else filled: any depth, any mode, no link followed, no mount entered. */

#include <stdint.h>

#include "base/macro.h"

struct io_engine;

/* The names in a directory but "." and "..", in no order; NULL-terminated. */
int walk_names(struct io_engine *io, int fd, char ***ret);
char **walk_names_free(char **names);
DEFINE_CLEANUP(char **, walk_names_free)

/* Bytes allocated below the directory, itself not included. */
int walk_usage(struct io_engine *io, int fd, uint64_t *ret_bytes);

/* Removes all that is in a directory. fd must be one that can be read. -EBUSY: something is mounted in there. */
int walk_empty(struct io_engine *io, int fd);
/* Removes the directory of that name and all that is in it. -EBUSY: something is mounted there. */
int walk_remove(struct io_engine *io, int fd, const char *name);
