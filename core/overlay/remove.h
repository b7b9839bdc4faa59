#pragma once

/* Whiteouts, and removing for good. */

#include "overlay/tree.h"

/* A whiteout in the work directory, ready to be moved. */
int whiteout_make(struct overlay *ov, char temp[static 24]);
/* Removes an upper directory that was moved to the work directory, with the whiteouts in it. */
int work_remove_dir(struct overlay *ov, const char *temp);
/* Removes everything below a directory of our own. fd is borrowed. */
int work_clear(struct io_engine *io, int fd);
