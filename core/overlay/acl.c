/*
 * Objects that are made in their directory inherit its default ACL from the file system. Those that take the place
 * of a whiteout are made in the work directory and moved, and have to be given theirs by hand.
 *
 * The form is that of linux/posix_acl_xattr.h: a version, then (tag, permissions, id), little endian.
 */

#include "overlay/acl.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

enum { ACL_VERSION = 2, ACL_MAX = 8192, TAG_USER_OBJ = 1, TAG_GROUP_OBJ = 4, TAG_MASK = 16, TAG_OTHER = 32 };

struct acl_entry {
	uint16_t tag, perm;
	uint32_t id;
};

/* The default ACL of a directory; 0: none. */
static ssize_t read_default(struct overlay *ov, int dirfd, void *buf, size_t size)
{
	ssize_t n = io_getxattr(ov->io, dirfd, NULL, ACL_DEFAULT, buf, size);

	return n == -ENODATA || n == -EOPNOTSUPP ? 0 : n;
}

int acl_umask(struct overlay *ov, const struct actor *who, struct node *dir, int dirfd, mode_t *ret)
{
	bool known, has;

	{
		SCOPE_LOCK(&node_shard(ov, dir)->lock);
		known = dir->flags & NODE_ACL_KNOWN;
		has = dir->flags & NODE_ACL_DEFAULT;
	}
	if (!known) {
		ssize_t n = read_default(ov, dirfd, NULL, 0);

		if (n < 0)
			return (int) n;
		has = n > 0;
		node_set_flag(ov, dir, NODE_ACL_DEFAULT, has);
		node_set_flag(ov, dir, NODE_ACL_KNOWN, true);
	}
	*ret = has ? 0 : who->umask;
	return 0;
}

/* Takes the permissions that the mode does not have out of the ACL: posix_acl_create_masq() of the kernel. */
static int mask_acl(char *acl, size_t size, mode_t mode)
{
	struct acl_entry *group = NULL, *mask = NULL, *e = (struct acl_entry *) (void *) (acl + 4);
	size_t n = (size - 4) / sizeof(*e);

	for (size_t i = 0; i < n; i++) {
		uint16_t perm = le16toh(e[i].perm);

		switch (le16toh(e[i].tag)) {
		case TAG_USER_OBJ:
			e[i].perm = htole16(perm & (mode >> 6 & 7));
			break;
		case TAG_OTHER:
			e[i].perm = htole16(perm & (mode & 7));
			break;
		case TAG_GROUP_OBJ:
			group = &e[i];
			break;
		case TAG_MASK:
			mask = &e[i];
			break;
		}
	}
	if (!group)
		return -EIO;
	if (!mask)
		mask = group;
	mask->perm = htole16(le16toh(mask->perm) & (mode >> 3 & 7));
	return 0;
}

int acl_inherit(struct overlay *ov, int dirfd, int fd, const char *name, mode_t mode)
{
	_Alignas(8) char acl[ACL_MAX];
	ssize_t n;
	uint32_t version;
	int r = 0;

	if (S_ISLNK(mode))
		return 0;
	n = read_default(ov, dirfd, acl, sizeof(acl));
	if (n <= 0)
		return (int) n;
	memcpy(&version, acl, sizeof(version));
	if (n < 4 || le32toh(version) != ACL_VERSION)
		return -EIO;
	if (S_ISDIR(mode))
		r = io_setxattr(ov->io, fd, name, ACL_DEFAULT, acl, (size_t) n, 0);
	if (r == 0)
		r = mask_acl(acl, (size_t) n, mode);
	return r < 0 ? r : io_setxattr(ov->io, fd, name, ACL_ACCESS, acl, (size_t) n, 0);
}
