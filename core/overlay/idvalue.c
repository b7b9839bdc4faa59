/*
 * Extended attributes that have ids in them, and the kernel believes what they say.
 *
 * ACL: a version, then (tag, permissions, id), see linux/posix_acl_xattr.h. An entry for somebody whom the view has no id for is left
 * out when the ACL is shown: nobody in the view is him, so no right is gained or lost by it. No id could stand in for him, since
 * a process might have it.
 *
 * security.capability: struct vfs_ns_cap_data, see linux/capability.h. The capabilities count for the user namespaces whose root
 * is the user it names, and for those below. In the short form, without a name, that is the root of the file system's own
 * namespace: id 0, of the layer or of the view. Where the view has no id for that root, it has no capabilities to speak of. The kernel
 * does this with idmapped mounts, see get_vfs_caps_from_disk() and cap_convert_nscap().
 */

#include "overlay/idvalue.h"

#include <endian.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <string.h>

#include "overlay/acl.h"
#include "overlay/ids.h"

#define VALUE_MAX (64u << 10) /* XATTR_SIZE_MAX */
#define CAPABILITY "security.capability"

static bool is_acl(const char *attr)
{
	return strcmp(attr, ACL_ACCESS) == 0 || strcmp(attr, ACL_DEFAULT) == 0;
}

bool idvalue_is(const char *attr)
{
	return is_acl(attr) || strcmp(attr, CAPABILITY) == 0;
}

enum direction { TO_VIEW, TO_LAYER };

static uint32_t convert_id(const struct overlay_ids *ids, uint32_t id, enum direction to)
{
	return to == TO_VIEW ? ids_to_view(ids, id) : ids_to_layer(ids, id);
}

/* In place; the length afterwards, or -1: the layers have no id for an entry. What is no ACL stays as it is. */
static ssize_t convert_acl(const struct overlay *ov, char *value, size_t size, enum direction to)
{
	struct posix_acl_xattr_header head;
	struct posix_acl_xattr_entry e;
	size_t out = sizeof(head);

	if (size < sizeof(head) || (size - sizeof(head)) % sizeof(e) != 0)
		return (ssize_t) size;
	memcpy(&head, value, sizeof(head));
	if (le32toh(head.a_version) != POSIX_ACL_XATTR_VERSION)
		return (ssize_t) size;
	for (size_t in = sizeof(head); in < size; in += sizeof(e)) {
		uint16_t tag;

		memcpy(&e, value + in, sizeof(e));
		tag = le16toh(e.e_tag);
		if (tag == ACL_USER || tag == ACL_GROUP) {
			uint32_t id = convert_id(tag == ACL_USER ? &ov->uids : &ov->gids, le32toh(e.e_id), to);

			if (id == OVERLAY_NO_ID && to == TO_LAYER)
				return -1;
			if (id == OVERLAY_NO_ID)
				continue;
			e.e_id = htole32(id);
		}
		memcpy(value + out, &e, sizeof(e));
		out += sizeof(e);
	}
	return (ssize_t) out;
}

/* In place, where there is room for the long form; the length afterwards, or -1: not on the other side, or nothing known. */
static ssize_t convert_caps(const struct overlay *ov, struct vfs_ns_cap_data *caps, size_t size, enum direction to)
{
	uint32_t magic = size >= sizeof(caps->magic_etc) ? le32toh(caps->magic_etc) : 0, root = 0;

	if ((magic & VFS_CAP_REVISION_MASK) == VFS_CAP_REVISION_3 && size == XATTR_CAPS_SZ_3)
		root = le32toh(caps->rootid);
	else if ((magic & VFS_CAP_REVISION_MASK) != VFS_CAP_REVISION_2 || size != XATTR_CAPS_SZ_2)
		return -1;
	root = convert_id(&ov->uids, root, to);
	if (root == OVERLAY_NO_ID)
		return -1;
	magic = (magic & ~VFS_CAP_REVISION_MASK) | (root == 0 ? VFS_CAP_REVISION_2 : VFS_CAP_REVISION_3);
	caps->magic_etc = htole32(magic);
	caps->rootid = htole32(root);
	return root == 0 ? XATTR_CAPS_SZ_2 : XATTR_CAPS_SZ_3;
}

static ssize_t convert_value(const struct overlay *ov, const char *attr, void *value, size_t size, enum direction to)
{
	return is_acl(attr) ? convert_acl(ov, value, size, to) : convert_caps(ov, value, size, to);
}

ssize_t idvalue_get(struct overlay *ov, const struct spot *s, const char *attr, void *buf, size_t size)
{
	_cleanup_free_ char *value = malloc(VALUE_MAX);
	ssize_t n;

	if (!value)
		return -ENOMEM;
	n = io_getxattr(ov->io, s->fd, s->name, attr, value, VALUE_MAX);
	if (n < 0)
		return n;
	n = convert_value(ov, attr, value, (size_t) n, TO_VIEW);
	if (n < 0)
		return -ENODATA;
	if (size > 0 && (size_t) n > size)
		return -ERANGE;
	if (size > 0)
		memcpy(buf, value, (size_t) n);
	return n;
}

int idvalue_to_layer(struct overlay *ov, const char *attr, const void *value, size_t size, void **ret, size_t *ret_size)
{
	_cleanup_free_ char *copy = malloc(MAX(size, sizeof(struct vfs_ns_cap_data)));
	ssize_t n;

	if (!copy)
		return -ENOMEM;
	if (size > 0)
		memcpy(copy, value, size);
	n = convert_value(ov, attr, copy, size, TO_LAYER);
	if (n < 0)
		return -EINVAL;
	*ret = steal_ptr(copy);
	*ret_size = (size_t) n;
	return 0;
}
