/*
 * In a user namespace, what belongs to ids that are not mapped shows as the overflow id (65534). Given back to the kernel as an
 * owner, that is an id which the namespace does not know either, and the kernel refuses every change to such an object:
 * /tmp could not be written to. So where the overflow id is not mapped itself, the view says that it is ours.
 * What is copied up from such an object keeps its true owner in the record, as far as we can see him.
 *
 * user_namespaces(7), and /proc/sys/kernel/overflowuid in proc(5).
 */

#include "overlay/ids.h"

#include <stdio.h>

#define OVERFLOW_ID 65534 /* where it cannot be read */

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

void ids_init(struct overlay *ov)
{
	ov->overflow_uid = read_number("/proc/sys/kernel/overflowuid");
	ov->overflow_gid = read_number("/proc/sys/kernel/overflowgid");
	ov->shown_uid = is_mapped("/proc/self/uid_map", ov->overflow_uid) ? ov->overflow_uid : geteuid();
	ov->shown_gid = is_mapped("/proc/self/gid_map", ov->overflow_gid) ? ov->overflow_gid : getegid();
}

void ids_fix(const struct overlay *ov, struct statx *stx)
{
	if (stx->stx_uid == ov->overflow_uid)
		stx->stx_uid = ov->shown_uid;
	if (stx->stx_gid == ov->overflow_gid)
		stx->stx_gid = ov->shown_gid;
}
