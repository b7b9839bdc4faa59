#pragma once

/* POSIX ACLs of new objects. */

#include "overlay/tree.h"

#define ACL_ACCESS "system.posix_acl_access"
#define ACL_DEFAULT "system.posix_acl_default"

/* The umask that holds for a new object in the directory: none where a default ACL takes its place, acl(5). */
int acl_umask(struct overlay *ov, const struct actor *who, struct node *dir, int dirfd, mode_t *ret);
/* Gives an object that was made elsewhere what it would have inherited in the directory. mode: as asked for, with type. */
int acl_inherit(struct overlay *ov, int dirfd, int fd, const char *name, mode_t mode);
