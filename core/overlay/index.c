/*
 * See index.h. A file system's identity is its UUID. Copies of an image have the same one, and the same inode numbers: none of them
 * may use the index while another is in the view. The layers' own file systems are known from the start; others are mounted
 * below them, and come to be known when they are met.
 *
 * A file system without UUID may be another one at the next mount, as an image that was made anew. Not so that of the upper: it
 * holds the index itself, so that one goes where the other goes.
 */

#include "overlay/index.h"

#include <string.h>

#define FILE_NAME_MAX 255 /* of a directory entry */

/* Adds a file system; false if another one claims to be the same, or it cannot be remembered. With the lock held. */
static bool meet(struct index_table *t, dev_t dev, const uint8_t uuid[static META_UUID_BYTES])
{
	bool known = false, shared = false;

	for (unsigned int i = 0; i < t->n; i++) {
		known |= t->v[i].dev == dev;
		shared |= t->v[i].dev != dev && memcmp(t->v[i].uuid, uuid, META_UUID_BYTES) == 0;
	}
	if (!known) {
		if (t->n == ARRAY_SIZE(t->v))
			return false;
		t->v[t->n].dev = dev;
		memcpy(t->v[t->n++].uuid, uuid, META_UUID_BYTES);
	}
	return !shared;
}

bool index_name(struct overlay *ov, const struct meta_origin *origin, dev_t dev, char buf[static META_INDEX_NAME_MAX])
{
	static const uint8_t none[META_UUID_BYTES];
	uint8_t uuid[META_UUID_BYTES];

	if (ov->index_fd < 0 || 2 * origin->len > FILE_NAME_MAX) /* handles of NFS may be longer */
		return false;
	meta_origin_uuid(origin, uuid);
	if (memcmp(uuid, none, sizeof(uuid)) == 0 && dev != ov->layers[LAYER_UPPER].dev)
		return false;
	SCOPE_LOCK(&ov->index_table.lock);
	if (!meet(&ov->index_table, dev, uuid))
		return false;
	meta_index_name(origin, buf);
	return true;
}

int index_init(struct overlay *ov)
{
	for (size_t i = 0; i < ov->n_layers; i++) {
		const struct layer *l = &ov->layers[i];
		uint8_t uuid[META_UUID_BYTES];
		struct meta_origin origin;
		int r = meta_make_origin(&ov->meta, l->fd, NULL, &origin);

		if (r < 0)
			return r;
		if (r == 0)
			continue; /* has no handles, so nothing of it is in the index */
		meta_origin_uuid(&origin, uuid);
		SCOPE_LOCK(&ov->index_table.lock);
		(void) meet(&ov->index_table, l->dev, uuid); /* asked again for each object */
	}
	return 0;
}
