#pragma once

/* Walks over a whole tree that somebody else filled: any depth, any mode, no link followed, no mount entered. */

#include <stdint.h>

#include "base/macro.h"

struct io_engine;

/* The names in a directory but "." and "..", in no order; NULL-terminated. */
int tree_names(struct io_engine *io, int fd, char ***ret);
char **tree_names_free(char **names);
DEFINE_CLEANUP(char **, tree_names_free)

/* Bytes allocated below the directory, itself not included. */
int tree_usage(struct io_engine *io, int fd, uint64_t *ret_bytes);

/* Removes the directory of that name and all that is in it. -EBUSY: something is mounted there. */
int tree_remove(struct io_engine *io, int fd, const char *name);
