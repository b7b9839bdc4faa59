/* See place.h. */

#include "fuse/place.h"

#include <stdio.h>
#include <string.h>

#include "fuse/boxes.h"
#include "fuse/layers.h"
#include "io/io.h"
#include "store/store.h"

static int open_store(struct box *b, struct layers *l)
{
	_cleanup_free_ char *path = NULL;
	int r = io_engine_sync_new(&b->io);

	if (r == 0)
		r = store_default_path(&path);
	if (r == 0)
		r = store_open(b->io, path, true, &b->store);
	if (r == 0)
		r = layers_mask(l, store_fd(b->store)); /* it may have been made just now */
	if (r == 0)
		store_sweep(b->store);
	return r;
}

static int make(struct box *b, const char *mount_point)
{
	_cleanup_free_ char *name = NULL;
	int r = store_name_from_path(mount_point, &name);

	if (r == 0)
		r = sandbox_create_ephemeral(b->store, name, &b->sandbox);
	if (r == 0)
		r = sandbox_lock(b->sandbox);
	return r == 0 ? -EBUSY : r; /* 0: somebody was quicker to lock what nobody knows of yet */
}

struct sandbox *place_open(struct box *b, const char *mount_point, struct layers *l)
{
	int r = open_store(b, l);

	if (r == 0)
		r = make(b, mount_point);
	if (r == 1)
		return steal_ptr(b->sandbox);
	(void) fprintf(stderr, "osfuse: %s: log: %s; refusals will not be recorded\n", mount_point, strerror(-r));
	if (b->sandbox)
		(void) sandbox_remove(b->sandbox); /* what stays goes with the next sweep */
	b->sandbox = sandbox_free(b->sandbox);
	return NULL;
}
