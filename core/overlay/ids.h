#pragma once

/* Owners, as the layers have them and as the view has them: see ids.c. */

#include "overlay/tree.h"

/* Finds out whom owners that our user namespace does not know are to be shown as. -EINVAL: overlay_ids_fault() says why. */
int ids_init(struct overlay *ov, const struct overlay_ids *uids, const struct overlay_ids *gids);
void ids_done(struct overlay *ov);
/* From the layers' ids to the view's. */
void ids_fix(const struct overlay *ov, struct statx *stx);
/* Whom what the actor makes belongs to in the layer. -EOVERFLOW: the layers have no id for him, so nothing can be made. */
int ids_maker(const struct overlay *ov, const struct actor *who, struct io_cred *ret);
/* The new owner, from the view's ids to the layers'. -EOVERFLOW: those have none. */
int ids_change(const struct overlay *ov, struct attr_change *ch);
/* One id by the ranges, if there are any; squashing is left out. OVERLAY_NO_ID: in none of them. */
uint32_t ids_to_view(const struct overlay_ids *ids, uint32_t id);
uint32_t ids_to_layer(const struct overlay_ids *ids, uint32_t id);

static inline bool ids_are_mapped(const struct overlay *ov)
{
	return ov->uids.n_ranges > 0 || ov->gids.n_ranges > 0;
}
