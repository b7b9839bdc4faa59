#pragma once

/*
 * The kernel's list of mounts. It answers without asking any file system, so it can be read while a mount hangs, is
 * stale, or is our own.
 */

#include <stdbool.h>
#include <sys/types.h>

#include "base/macro.h"

#define OSFUSE_FS_TYPE "fuse.osfuse"

/* One line of /proc/PID/mountinfo, unescaped. */
struct mount_entry {
	int id;
	dev_t dev;
	char *root; /* the directory of the file system that is mounted, as a path within it */
	char *mount_point;
	char *type;
	char *source;
	char *options; /* of the file system, as the kernel writes them: see mount_entry_option() */
};

struct mount_table {
	struct mount_entry *v; /* in the order of the kernel: of several on one mount point the last is on top */
	size_t n;
};

int mount_table_read(pid_t pid, struct mount_table *ret); /* pid 0: ours */
void mount_table_done(struct mount_table *t);

/* What is mounted on exactly this path, topmost; NULL: nothing. */
const struct mount_entry *mount_table_at(const struct mount_table *t, const char *path);
const struct mount_entry *mount_table_dev(const struct mount_table *t, dev_t dev);

/* The mount through which a descriptor was opened; NULL: not in the table, as what is above a root directory. */
const struct mount_entry *mount_table_of(const struct mount_table *t, int fd);

/* The value of an option that the file system shows, unescaped, to be freed; NULL: it shows none, or there is no memory. */
char *mount_entry_option(const struct mount_entry *e, const char *name);

/* One line; exposed for tests. -EINVAL: not in the format of proc(5). Changes the line. */
int mount_entry_parse(char *line, struct mount_entry *ret);
void mount_entry_done(struct mount_entry *e);
