#pragma once

/*
 * What is done to a mount that is there already: it is found, remounted, ended, or cleared away when its daemon has gone.
 */

#include <stdbool.h>

struct mount_flags;
struct problem;

/* The mount that a mount point, or the name of a sandbox, stands for. */
int mounted_find(const char *what, char **ret_mount_point, struct problem *p);

/* Clears away what is left on a mount point of daemons that were killed. */
int mounted_repair(const char *mount_point, struct problem *p);

/* Changes the flags of a mount; to write takes a view with an upper. */
int mounted_remount(const char *path, const struct mount_flags *flags, struct problem *p);

/* Ends a view: 0 when its daemon has let go of everything. */
int mounted_end(const char *mount_point, bool lazy, struct problem *p);
