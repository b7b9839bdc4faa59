#pragma once

/*
 * Without root our own permission bits bind us: a directory of the upper that its owner has made read-only takes no copy-up, and
 * cannot be moved to another directory. To the view that is no matter of permissions, so the bits step aside for a moment.
 * As root none of this is ever needed: it is tried after EACCES only.
 *
 * A daemon that is killed in this moment leaves the object with the owner's bits set. Nothing says what they were: to write that down
 * first would take the very permission that is missing.
 */

#include "overlay/tree.h"

struct unlocked {
	struct overlay *ov;
	int fd;
	const char *name;
	mode_t mode;
	bool changed;
};

/* Lets the owner read, write and search (fd, name). -EACCES when that is so already, or it is not ours. */
int unlock(struct overlay *ov, int fd, const char *name, struct unlocked *ret);
void lock_again(struct unlocked *u);

/* io_rename() of a directory to another one; what it is exchanged with, or replaces, may be a directory too. */
int unlock_rename(struct overlay *ov, int fd, const char *name, int fd2, const char *name2, unsigned int flags);
/* meta_set(). */
int unlock_meta_set(struct overlay *ov, int fd, const char *name, const char *attr, const void *value, size_t len);
