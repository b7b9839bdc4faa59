/*
 * See alias.h.
 *
 * Reading the directory tells for certain, and is not needed on the file systems that nearly everybody has. Whether a directory
 * minds case is found out by asking it once, for a name with its case turned over; the rest by what the name ends in or is made of.
 */

#include "overlay/alias.h"

#include <ctype.h>
#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/statfs.h>

#include "io/walk.h"
#include "overlay/judge.h"

#ifndef F2FS_SUPER_MAGIC
#define F2FS_SUPER_MAGIC 0xF2F52010
#endif
#ifndef EROFS_SUPER_MAGIC_V1
#define EROFS_SUPER_MAGIC_V1 0xE0F5E1E2
#endif

/* Names are bytes to these, in directories that mind case. */
static bool takes_bytes(struct overlay *ov, int dirfd)
{
	static const unsigned long magics[] = {
		EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC, TMPFS_MAGIC, RAMFS_MAGIC, OVERLAYFS_SUPER_MAGIC, SQUASHFS_MAGIC,
		F2FS_SUPER_MAGIC, EROFS_SUPER_MAGIC_V1, CRAMFS_MAGIC,
	};
	struct statfs st;

	if (io_one(ov->io, (struct io_op) { .kind = IO_STATFS, .fd = dirfd, .buf = &st }) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(magics); i++)
		if ((unsigned long) st.f_type == magics[i])
			return true;
	return false;
}

static bool is_ascii(const char *name)
{
	for (; *name; name++)
		if ((unsigned char) *name >= 0x80)
			return false;
	return true;
}

/* The name with the case of its letters turned over; false: it has none. */
static bool turn_over(const char *name, char ret[static NAME_BYTES])
{
	bool any = false;
	size_t i = 0;

	for (; name[i] && i < NAME_BYTES - 1; i++) {
		unsigned char c = (unsigned char) name[i];

		any |= c < 0x80 && isalpha(c);
		ret[i] = (char) (c < 0x80 && isupper(c) ? tolower(c) : c < 0x80 && islower(c) ? toupper(c) : c);
	}
	ret[i] = '\0';
	return any;
}

static struct place *place_in(struct node *dir, uint16_t layer)
{
	for (uint16_t i = 0; i < dir->places->n; i++)
		if (dir->places->v[i].layer == layer)
			return &dir->places->v[i];
	return NULL;
}

static enum minds_case known_of(struct overlay *ov, struct node *dir, uint16_t layer)
{
	const struct place *p;

	SCOPE_LOCK(&node_shard(ov, dir)->lock);
	p = place_in(dir, layer);
	return p ? p->minds_case : MINDS_CASE_UNKNOWN;
}

static void remember(struct overlay *ov, struct node *dir, uint16_t layer, enum minds_case minds)
{
	struct place *p;

	SCOPE_LOCK(&node_shard(ov, dir)->lock);
	p = place_in(dir, layer);
	if (p)
		p->minds_case = minds;
}

/* A link with such a name would look the same: then the directory is read more often than it need be. */
static int find_out(struct overlay *ov, struct node *dir, uint16_t layer, int dirfd, const char *name, const struct statx *stx,
		    enum minds_case *ret)
{
	char other[NAME_BYTES];
	struct statx its;
	int r;

	*ret = known_of(ov, dir, layer);
	if (*ret != MINDS_CASE_UNKNOWN || !turn_over(name, other))
		return 0;
	r = io_statx(ov->io, dirfd, other, STATX_INO, &its);
	if (r < 0 && r != -ENOENT)
		return r;
	*ret = r == 0 && its.stx_ino == stx->stx_ino ? MINDS_CASE_NO : MINDS_CASE_YES;
	remember(ov, dir, layer, *ret);
	return 0;
}

static int is_listed(struct overlay *ov, int dirfd, const char *name)
{
	_cleanup_(walk_names_freep) char **names = NULL;
	_cleanup_close_ int fd = io_open(ov->io, dirfd, NULL, O_RDONLY | O_DIRECTORY, 0, NULL);
	int r = fd < 0 ? fd : walk_names(ov->io, fd, &names);

	if (r < 0)
		return r;
	for (char **n = names; *n; n++)
		if (strcmp(*n, name) == 0)
			return 1;
	return 0;
}

int alias_is_own_name(struct overlay *ov, struct node *dir, uint16_t layer, int dirfd, const char *name, const struct statx *stx)
{
	char last = name[strlen(name) - 1];
	enum minds_case minds;
	int r;

	if (!rules_now(ov)->policy)
		return 1;
	r = find_out(ov, dir, layer, dirfd, name, stx, &minds);
	if (r < 0)
		return r;
	if (minds != MINDS_CASE_NO && last != '.' && last != ' ' && is_ascii(name))
		return 1;
	/* What is not ASCII may be in another normal form; and where no letter has told, in another case. */
	if (minds == MINDS_CASE_YES && takes_bytes(ov, dirfd))
		return 1;
	return is_listed(ov, dirfd, name);
}
