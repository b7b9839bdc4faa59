/*
 * See index.h. A file system's identity is its UUID. Copies of an image have the same one, and the same inode numbers: none of them
 * may use the index while another is in the view. The layers' own file systems are known from the start; others are mounted
 * below them, and come to be known when they are met.
 *
 * A file system without UUID may be another one at the next mount, as an image that was made anew. Not so that of the upper: it
 * holds the index itself, so that one goes where the other goes.
 */

#include "overlay/index.h"

#include <errno.h>
#include <string.h>

#include "overlay/dircache.h"

#define FILE_NAME_MAX 255 /* of a directory entry */

static bool is_none(const uint8_t uuid[static META_UUID_BYTES])
{
	static const uint8_t none[META_UUID_BYTES];

	return memcmp(uuid, none, sizeof(none)) == 0;
}

/*
 * Of a file system that is known, says what it is; adds one that is not. False if another one claims to be the same, or it cannot
 * be remembered. With the lock held.
 */
static bool meet(struct index_table *t, dev_t dev, uint8_t uuid[static META_UUID_BYTES])
{
	bool known = false;

	for (unsigned int i = 0; i < t->n && !known; i++) {
		known = t->v[i].dev == dev;
		if (known)
			memcpy(uuid, t->v[i].uuid, META_UUID_BYTES);
	}
	if (is_none(uuid))
		return true;
	if (!known) {
		if (t->n == ARRAY_SIZE(t->v))
			return false;
		t->v[t->n].dev = dev;
		memcpy(t->v[t->n++].uuid, uuid, META_UUID_BYTES);
	}
	for (unsigned int i = 0; i < t->n; i++)
		if (t->v[i].dev != dev && memcmp(t->v[i].uuid, uuid, META_UUID_BYTES) == 0)
			return false;
	return true;
}

bool index_name(struct overlay *ov, struct meta_origin *origin, dev_t dev, char buf[static META_INDEX_NAME_MAX])
{
	uint8_t *uuid = meta_origin_uuid(origin);

	if (ov->index_fd < 0 || 2 * origin->len > FILE_NAME_MAX) /* handles of NFS may be longer */
		return false;
	{
		SCOPE_LOCK(&ov->index_table.lock);
		if (!meet(&ov->index_table, dev, uuid))
			return false;
	}
	if (is_none(uuid) && dev != ov->layers[LAYER_UPPER].dev)
		return false;
	meta_index_name(origin, buf);
	return true;
}

int index_origin(struct overlay *ov, int dirfd, const char *name, struct meta_origin *ret)
{
	int r = meta_make_origin(&ov->meta, dirfd, name, ret);

	if (r != -EMFILE && r != -ENFILE)
		return r;
	dircache_shrink(ov);
	return meta_make_origin(&ov->meta, dirfd, name, ret);
}

int index_init(struct overlay *ov)
{
	for (size_t i = 0; i < ov->n_layers; i++) {
		const struct layer *l = &ov->layers[i];
		struct meta_origin origin;
		int r = meta_make_origin(&ov->meta, l->fd, NULL, &origin);

		if (r < 0)
			return r;
		if (r == 0)
			continue; /* has no handles, so nothing of it is in the index */
		SCOPE_LOCK(&ov->index_table.lock);
		(void) meet(&ov->index_table, l->dev, meta_origin_uuid(&origin)); /* asked again for each object */
	}
	return 0;
}
