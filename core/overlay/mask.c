/*
 * Where the view must not go: into its own mount (a request to ourselves, answered by nobody), into other mounts of this
 * program (two daemons could wait for each other), into the store of changes, and into the kernel's pseudo file systems, whose
 * content belongs to the host's processes. These show as empty directories.
 *
 * A mount shows by its device number. A view may show any type: whether a FUSE file system is one, the program has to say. Each file
 * system is classified once, by its type in /proc/self/mountinfo. Numbers of file systems without a disk are used again after
 * unmounting, so those are remembered together with the mount's id.
 */

#include "overlay/mask.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

static const char *const pseudo_types[] = {
	"autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "efivarfs", "fuse.osfuse", "fusectl",
	"mqueue", "nsfs", "proc", "pstore", "rpc_pipefs", "securityfs", "selinuxfs", "sysfs", "tracefs",
};

static const struct {
	const char *name;
	unsigned int major, minor;
} harmless[] = {
	{ "null", 1, 3 }, { "zero", 1, 5 }, { "full", 1, 7 }, { "random", 1, 8 }, { "urandom", 1, 9 }, { "tty", 5, 0 },
};

/* Symbolic links into /proc, where a view shows nothing unless one is mounted in it. */
static const char *const links[] = { "fd", "stdin", "stdout", "stderr" };

/* Memory that programs share: the host's is not theirs to see, but without the directory they have none. */
#define SHARED_MEMORY "shm"

bool mask_admits_entry(const char *name, unsigned char type)
{
	for (size_t i = 0; i < ARRAY_SIZE(harmless) && type == DT_CHR; i++)
		if (strcmp(name, harmless[i].name) == 0)
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(links) && type == DT_LNK; i++)
		if (strcmp(name, links[i]) == 0)
			return true;
	return type == DT_DIR && strcmp(name, SHARED_MEMORY) == 0;
}

bool mask_admits(const char *name, const struct statx *stx)
{
	return S_ISCHR(stx->stx_mode) ? mask_admits_device(name, stx) : mask_admits_entry(name, IFTODT(stx->stx_mode));
}

bool mask_admits_device(const char *name, const struct statx *stx)
{
	for (size_t i = 0; i < ARRAY_SIZE(harmless); i++)
		if ((!name || strcmp(name, harmless[i].name) == 0) && S_ISCHR(stx->stx_mode) &&
		    stx->stx_rdev_major == harmless[i].major && stx->stx_rdev_minor == harmless[i].minor)
			return true;
	return false;
}

/* The file system type and mount point in a line of mountinfo(5), cut out in place. */
static bool parse_mount(char *line, unsigned int *major, unsigned int *minor, char **point, char **type)
{
	char *p = line, *dash = strstr(line, " - ");

	if (!dash || sscanf(line, "%*d %*d %u:%u", major, minor) != 2)
		return false;
	for (int i = 0; i < 4 && p; i++) /* id, parent, device, root */
		p = strchr(p + (i > 0), ' ');
	if (!p)
		return false;
	*point = p + 1;
	(*point)[strcspn(*point, " ")] = '\0';
	*type = dash + 3;
	(*type)[strcspn(*type, " ")] = '\0';
	return true;
}

static enum filter filter_of_type(const struct overlay *ov, const char *type, const char *point)
{
	if (strcmp(type, "devtmpfs") == 0 || strcmp(point, "/dev") == 0)
		return ov->devices == OVERLAY_DEVICES_HARMLESS ? FILTER_DEVICES : FILTER_NOTHING;
	for (size_t i = 0; i < ARRAY_SIZE(pseudo_types); i++)
		if (strcmp(type, pseudo_types[i]) == 0)
			return FILTER_NOTHING;
	return FILTER_ALL;
}

/* Subvolumes have device numbers that no mount shows: nothing found is harmless. */
static enum filter classify(const struct overlay *ov, unsigned int major, unsigned int minor)
{
	enum filter filter = FILTER_ALL;
	_cleanup_free_ char *line = NULL;
	bool fuse = false;
	size_t size = 0;
	FILE *f = fopen("/proc/self/mountinfo", "re");

	if (!f)
		return FILTER_ALL;
	while (getline(&line, &size, f) > 0) {
		unsigned int ma, mi;
		char *point, *type;

		if (parse_mount(line, &ma, &mi, &point, &type) && ma == major && mi == minor) {
			filter = filter_of_type(ov, type, point);
			fuse = strncmp(type, "fuse", 4) == 0;
			break;
		}
	}
	(void) fclose(f);
	if (filter == FILTER_ALL && fuse && ov->is_view && ov->is_view(makedev(major, minor)))
		filter = FILTER_NOTHING;
	return filter;
}

static enum filter filter_of_mount(struct overlay *ov, const struct statx *stx)
{
	struct mask_table *t = &ov->mask_table;
	dev_t dev = statx_dev(stx);
	uint64_t mount = stx->stx_dev_major == 0 ? stx->stx_mnt_id : 0;
	enum filter filter;

	{
		SCOPE_LOCK(&t->lock);
		for (unsigned int i = 0; i < t->n; i++)
			if (t->v[i].dev == dev && t->v[i].mount == mount)
				return t->v[i].filter;
	}
	filter = classify(ov, stx->stx_dev_major, stx->stx_dev_minor);
	SCOPE_LOCK(&t->lock);
	if (t->n == ARRAY_SIZE(t->v))
		t->n = 0; /* so many mounts came and went: learn anew */
	t->v[t->n++] = (struct mask_entry) { .dev = dev, .mount = mount, .filter = filter };
	return filter;
}

enum filter mask_filter(struct overlay *ov, const struct statx *stx, dev_t parent_dev)
{
	dev_t dev = statx_dev(stx);

	for (size_t i = 0; i < ov->n_masks; i++)
		if (ov->masks[i].ino == stx->stx_ino && ov->masks[i].dev == dev)
			return FILTER_NOTHING;
	if (dev == parent_dev)
		return FILTER_ALL;
	if (dev == atomic_load_explicit(&ov->own_dev, memory_order_relaxed))
		return FILTER_NOTHING;
	return filter_of_mount(ov, stx);
}

void overlay_set_own_dev(struct overlay *ov, dev_t dev)
{
	atomic_store(&ov->own_dev, dev);
}
