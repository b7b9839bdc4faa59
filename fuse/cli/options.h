#pragma once

/* The command lines that mount: ours, and mount(8)'s. Parsing only: nothing is looked up, opened or asked. */

#include <stdbool.h>

#include "base/macro.h"

struct launch_config;
struct problem;

/* "osfuse mount [OPTIONS] MOUNTPOINT". argv[0] is "mount". 0; 1: help was asked for; negative: see p. */
int options_mount(int argc, char **argv, struct launch_config *c, struct problem *p);

/*
 * "osfuse [SRC] MNT -o OPTS" and "mount.fuse.osfuse SRC MNT -o OPTS". privileged: root mounts, and mount(8) leaves out what
 * is its default.
 */
int options_helper(int argc, char **argv, bool privileged, struct launch_config *c, struct problem *p);
/* Is this such a command line? */
bool options_is_helper(int argc, char **argv);

/* "A:B" into directories, "\:" and "\\" meaning what they mean to overlayfs. Adds to what is there. */
int options_add_lowers(struct launch_config *c, const char *list, struct problem *p);
/* What follows -o. sloppy: unknown options are passed over. */
int options_parse_o(struct launch_config *c, const char *text, bool sloppy, struct problem *p);
