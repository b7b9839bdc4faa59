/*
 * Owners: as the layers have them, and as the view has them.
 *
 * In a user namespace, what belongs to ids that are not mapped shows as the overflow id (65534). Given back to the kernel as an
 * owner, that is an id which the namespace does not know either, and the kernel refuses every change to such an object:
 * /tmp could not be written to. So where the overflow id is not mapped itself, the view says that it is ours.
 * What is copied up from such an object keeps its true owner in the record, as far as we can see him.
 *
 * On top of that the user may have all things belong to one id, or ids mapped. Everything below attr_fix() has the layers' ids:
 * nodes, records, copies; everything that comes through the door has the view's.
 *
 *                    shown                       given: chown, an ACL       new objects
 *     squashed       the one id                  succeeds, stored if we may whoever made them, if we may; else us
 *     mapped         by the map; none: NO_ID     back; none: EOVERFLOW      back; none: EOVERFLOW
 *
 * So does the kernel with idmapped mounts: notify_change() and fsuidgid_has_mapping() say EOVERFLOW, posix_acl_valid() says EINVAL.
 * What has no owner in the view can be read, and not changed, by all who are not kept from it by its mode: the overflow id is
 * what stat(2) shows, but a process that has that id is not the owner. Squashing is as fuse-overlayfs does it.
 *
 * user_namespaces(7), and /proc/sys/kernel/overflowuid in proc(5).
 */

#include "overlay/ids.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define OVERFLOW_ID 65534 /* where it cannot be read */
#define MAX_RANGES 340	  /* of a user namespace */

static unsigned int read_number(const char *path)
{
	FILE *f = fopen(path, "re");
	unsigned int n = OVERFLOW_ID;

	if (!f)
		return n;
	if (fscanf(f, "%u", &n) != 1)
		n = OVERFLOW_ID;
	(void) fclose(f);
	return n;
}

/* Is the id in a map of lines "inside outside count"? A map that cannot be read has all of them. */
static bool is_mapped(const char *path, unsigned int id)
{
	FILE *f = fopen(path, "re");
	unsigned int inside, outside, count;
	bool mapped = !f;

	if (!f)
		return true;
	while (!mapped && fscanf(f, "%u %u %u", &inside, &outside, &count) == 3)
		mapped = id >= inside && id - inside < count;
	(void) fclose(f);
	return mapped;
}

static bool overlaps(uint32_t a, uint32_t n_a, uint32_t b, uint32_t n_b)
{
	return a < b ? b - a < n_a : a - b < n_b;
}

const char *overlay_ids_fault(const struct overlay_ids *ids)
{
	const struct overlay_id_range *last = ids->n_ranges > 0 ? &ids->ranges[ids->n_ranges - 1] : NULL;

	if (ids->squash && last)
		return "either all things belong to one id, or ids are mapped";
	if (ids->squash && ids->squash_to == OVERLAY_NO_ID)
		return "ids end at 4294967294";
	if (!last)
		return NULL;
	if (ids->n_ranges > MAX_RANGES)
		return "there are more than 340 ranges";
	if (last->count == 0)
		return "a range has no ids";
	/* The last id that there is is UINT32_MAX - 1. */
	if (last->count > UINT32_MAX - last->layer || last->count > UINT32_MAX - last->view)
		return "ids end at 4294967294";
	for (const struct overlay_id_range *r = ids->ranges; r < last; r++) {
		if (overlaps(r->layer, r->count, last->layer, last->count))
			return "an id of the layers is mapped twice";
		if (overlaps(r->view, r->count, last->view, last->count))
			return "two ids are mapped to one in the view";
	}
	return NULL;
}

static int copy_ids(struct overlay_ids *to, const struct overlay_ids *from)
{
	struct overlay_ids so_far = *from;

	for (so_far.n_ranges = 0; so_far.n_ranges <= from->n_ranges; so_far.n_ranges++)
		if (overlay_ids_fault(&so_far))
			return -EINVAL;
	*to = *from;
	to->ranges = NULL;
	if (from->n_ranges == 0)
		return 0;
	to->ranges = malloc(from->n_ranges * sizeof(*to->ranges));
	if (!to->ranges)
		return -ENOMEM;
	memcpy(to->ranges, from->ranges, from->n_ranges * sizeof(*to->ranges));
	return 0;
}

int ids_init(struct overlay *ov, const struct overlay_ids *uids, const struct overlay_ids *gids)
{
	int r;

	ov->overflow_uid = read_number("/proc/sys/kernel/overflowuid");
	ov->overflow_gid = read_number("/proc/sys/kernel/overflowgid");
	ov->shown_uid = is_mapped("/proc/self/uid_map", ov->overflow_uid) ? ov->overflow_uid : geteuid();
	ov->shown_gid = is_mapped("/proc/self/gid_map", ov->overflow_gid) ? ov->overflow_gid : getegid();
	r = copy_ids(&ov->uids, uids);
	if (r == 0)
		r = copy_ids(&ov->gids, gids);
	ov->other_ids = uids->squash || gids->squash || ids_are_mapped(ov);
	return r;
}

void ids_done(struct overlay *ov)
{
	free(ov->uids.ranges);
	free(ov->gids.ranges);
}

uint32_t ids_to_view(const struct overlay_ids *ids, uint32_t id)
{
	for (size_t i = 0; i < ids->n_ranges; i++) {
		const struct overlay_id_range *r = &ids->ranges[i];

		if (id >= r->layer && id - r->layer < r->count)
			return id - r->layer + r->view;
	}
	return ids->n_ranges > 0 ? OVERLAY_NO_ID : id;
}

uint32_t ids_to_layer(const struct overlay_ids *ids, uint32_t id)
{
	for (size_t i = 0; i < ids->n_ranges; i++) {
		const struct overlay_id_range *r = &ids->ranges[i];

		if (id >= r->view && id - r->view < r->count)
			return id - r->view + r->layer;
	}
	return ids->n_ranges > 0 ? OVERLAY_NO_ID : id;
}

void ids_fix(const struct overlay *ov, struct statx *stx)
{
	if (stx->stx_uid == ov->overflow_uid)
		stx->stx_uid = ov->shown_uid;
	if (stx->stx_gid == ov->overflow_gid)
		stx->stx_gid = ov->shown_gid;
	if (!ov->other_ids)
		return;
	stx->stx_uid = ov->uids.squash ? ov->uids.squash_to : ids_to_view(&ov->uids, stx->stx_uid);
	stx->stx_gid = ov->gids.squash ? ov->gids.squash_to : ids_to_view(&ov->gids, stx->stx_gid);
}

int ids_maker(const struct overlay *ov, const struct actor *who, struct io_cred *ret)
{
	*ret = (struct io_cred) { .uid = who->uid, .gid = who->gid };
	if (!ov->other_ids)
		return 0;
	ret->uid = ids_to_layer(&ov->uids, who->uid);
	ret->gid = ids_to_layer(&ov->gids, who->gid);
	if (ret->uid == OVERLAY_NO_ID || ret->gid == OVERLAY_NO_ID)
		return -EOVERFLOW;
	if (ov->uids.squash && geteuid() != 0)
		ret->uid = geteuid(); /* an engine without privilege would refuse to make it somebody else's */
	return 0;
}

int ids_change(const struct overlay *ov, struct attr_change *ch)
{
	if (ch->valid & ATTR_UID)
		ch->uid = ids_to_layer(&ov->uids, ch->uid);
	if (ch->valid & ATTR_GID)
		ch->gid = ids_to_layer(&ov->gids, ch->gid);
	return (ch->valid & ATTR_UID && ch->uid == OVERLAY_NO_ID) || (ch->valid & ATTR_GID && ch->gid == OVERLAY_NO_ID) ? -EOVERFLOW : 0;
}
