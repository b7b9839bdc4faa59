/* getattr, setattr, readlink; and how what a layer says of an object becomes what the view says. */

#include "overlay/attr.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "overlay/copyup.h"
#include "overlay/file.h"
#include "overlay/gate.h"
#include "overlay/ids.h"
#include "overlay/mask.h"
#include "overlay/metacopy.h"
#include "overlay/spot.h"

#define DIR_SIZE_BYTES 4096 /* of a directory that may hide names: that of a small one on most file systems */

/* "U+1": so many more links than the upper inode has. Other forms are relative to an inode that may be gone. */
static int index_links(struct overlay *ov, const char *index_name, uint32_t n_upper, uint32_t *ret)
{
	char text[16];
	size_t len;
	long diff;
	int r = meta_get(&ov->meta, ov->index_fd, index_name, META_NLINK, text, sizeof(text) - 1, &len);

	*ret = n_upper;
	if (r <= 0)
		return r == -ERANGE ? 0 : r;
	text[len] = '\0';
	if (text[0] != 'U')
		return 0;
	diff = strtol(text + 1, NULL, 10);
	*ret = diff + (long) n_upper > 0 ? (uint32_t) (diff + (long) n_upper) : 1;
	return 0;
}

int attr_set_links(struct overlay *ov, int fd, const char *name, uint32_t n_shown, uint32_t n_upper)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "U%+lld", (long long) n_shown - (long long) n_upper);

	return meta_set(&ov->meta, fd, name, META_NLINK, text, (size_t) len);
}

int attr_set_links_now(struct overlay *ov, const char *index_name, uint32_t n_shown)
{
	struct statx stx;
	int r = io_statx(ov->io, ov->index_fd, index_name, STATX_NLINK, &stx);

	return r < 0 ? r : attr_set_links(ov, ov->index_fd, index_name, n_shown, stx.stx_nlink);
}

int attr_fix(struct overlay *ov, const struct attr_facts *facts, struct statx *stx)
{
	const struct meta_record *rec = facts->record;
	int r = 0;

	stx->stx_ino = facts->direct && !S_ISDIR(stx->stx_mode) ? attr_direct_ino(facts->ino) : facts->ino;
	if (S_ISDIR(stx->stx_mode) && facts->secretive) { /* they grow with each name, hidden ones too */
		stx->stx_size = DIR_SIZE_BYTES;
		stx->stx_blocks = DIR_SIZE_BYTES / 512;
	}
	if (facts->masked)
		stx->stx_nlink = 2;
	else if (S_ISDIR(stx->stx_mode) && (facts->n_places > 1 || facts->secretive))
		stx->stx_nlink = 1; /* "unknown", as find(1) understands it and kernel overlayfs has it */
	if (facts->index_name && facts->index_name[0])
		r = index_links(ov, facts->index_name, stx->stx_nlink, &stx->stx_nlink);
	if (rec && rec->has & META_RECORD_OWNER) {
		stx->stx_uid = rec->uid;
		stx->stx_gid = rec->gid;
	}
	ids_fix(ov, stx);
	if (rec && rec->has & META_RECORD_BTIME) {
		stx->stx_mask |= STATX_BTIME;
		stx->stx_btime.tv_sec = rec->btime_sec;
		stx->stx_btime.tv_nsec = rec->btime_nsec;
	}
	if (facts->metacopy && facts->data_blocks > 0)
		stx->stx_blocks = facts->data_blocks;
	else if (facts->metacopy) /* as if it had no holes */
		stx->stx_blocks = MAX(stx->stx_blocks, (stx->stx_size + 4095) / 4096 * 8);
	if (ov->devices == OVERLAY_DEVICES_HARMLESS && (S_ISCHR(stx->stx_mode) || S_ISBLK(stx->stx_mode)) &&
	    !mask_admits_device(NULL, stx))
		stx->stx_rdev_major = stx->stx_rdev_minor = 0;
	return r;
}

static void round_down(struct statx_timestamp *t, uint32_t gran_ns)
{
	t->tv_nsec -= t->tv_nsec % gran_ns;
}

void attr_round(const struct overlay *ov, struct statx *stx)
{
	if (ov->time_gran_ns == 1)
		return;
	round_down(&stx->stx_atime, ov->time_gran_ns);
	round_down(&stx->stx_btime, ov->time_gran_ns);
	round_down(&stx->stx_ctime, ov->time_gran_ns);
	round_down(&stx->stx_mtime, ov->time_gran_ns);
}

static bool same_time(struct statx_timestamp a, struct statx_timestamp b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* With the shard locked. */
static struct statx_timestamp shown_ctime(const struct node *n, const struct statx *stx)
{
	const struct node_ext *e = n->ext;

	/* mtime too: the clock of file systems is coarse, and a change may bear the copy-up's ctime. */
	if (e && e->hides_ctime && same_time(e->ctime_left, stx->stx_ctime) && same_time(e->mtime_left, stx->stx_mtime))
		return e->ctime_shown;
	return stx->stx_ctime;
}

int attr_hide_ctime(struct overlay *ov, struct node *n, const struct statx *left, struct statx_timestamp shown)
{
	SCOPE_LOCK(&node_shard(ov, n)->lock);
	struct node_ext *e = node_ext_get(n);

	if (!e)
		return -ENOMEM;
	e->hides_ctime = true;
	e->ctime_left = left->stx_ctime;
	e->mtime_left = left->stx_mtime;
	e->ctime_shown = shown;
	return 0;
}

void attr_own_ctime(struct overlay *ov, struct node *n)
{
	SCOPE_LOCK(&node_shard(ov, n)->lock);
	if (n->ext)
		n->ext->hides_ctime = false;
}

struct statx_timestamp attr_ctime(struct overlay *ov, struct node *n, const struct statx *stx)
{
	SCOPE_LOCK(&node_shard(ov, n)->lock);
	return shown_ctime(n, stx);
}

static int fix_for(struct overlay *ov, struct node *n, struct statx *stx)
{
	char index_name[META_INDEX_NAME_MAX] = "";
	struct meta_record rec = { 0 };
	struct attr_facts facts = { .record = &rec, .index_name = index_name };
	uint64_t real_ino;
	bool parted;
	dev_t dev;
	int r;

	{
		SCOPE_LOCK(&node_shard(ov, n)->lock);
		facts.ino = n->ino;
		facts.direct = n->layer != LAYER_UPPER && ruling_is_direct(&n->ruling);
		parted = n->flags & NODE_ALONE && n->layer == LAYER_UPPER;
		dev = n->dev;
		real_ino = n->real_ino;
		facts.n_places = n->places ? n->places->n : 0;
		facts.masked = n->flags & NODE_FIXED;
		facts.metacopy = n->flags & NODE_METACOPY;
		facts.secretive = n->state && policy_state_may_hide(n->state);
		stx->stx_ctime = shown_ctime(n, stx);
		if (n->ext) {
			rec = n->ext->record;
			if (n->ext->index_name)
				(void) strcpy(index_name, n->ext->index_name);
		}
		if (n->flags & NODE_DEAD) {
			facts.n_places = 0;
			index_name[0] = '\0';
			stx->stx_nlink = 0;
		} else if (n->layer == LAYER_MADE) {
			stx->stx_nlink = 1; /* it has no name at all, but shows one */
		}
	}
	if (facts.metacopy)
		facts.data_blocks = metacopy_blocks(ov, n);
	if (parted) /* from its other links, which keep the number, or from that: it has the one that its next look-up gives it */
		facts.ino = inomap_number(&ov->inomap, ov->io, dev, real_ino, ov->layers[LAYER_UPPER].fd, NULL);
	r = attr_fix(ov, &facts, stx);
	attr_round(ov, stx);
	file_fix_blocks(ov, n, stx);
	return r;
}

bool overlay_has_parted(struct overlay *ov, struct node *n)
{
	SCOPE_LOCK(&node_shard(ov, n)->lock);
	return n->flags & NODE_ALONE && n->layer == LAYER_UPPER;
}

int attr_get(struct overlay *ov, struct node *n, struct statx *ret)
{
	SPOT(s);
	int r = spot_stat(ov, n, &s, ret);

	if (r == -ESTALE) /* replaced behind our back: whoever has it open still sees it */
		r = file_statx_any(ov, n, ret);
	return r < 0 ? r : fix_for(ov, n, ret);
}

int overlay_getattr(struct overlay *ov, const struct actor *who, struct node *n, struct overlay_file *file, struct statx *ret)
{
	int r = gate_node(ov, who, GATE_STAT, n);

	if (r < 0)
		return file && r == -ENOENT ? -EACCES : r; /* as reading it: the kernel asks before it reads */
	if (!file || node_has_flag(ov, n, NODE_METACOPY)) /* the file is on the data */
		return attr_get(ov, n, ret);
	r = file_statx(file, ret);
	return r < 0 ? r : fix_for(ov, n, ret);
}

ssize_t overlay_readlink(struct overlay *ov, const struct actor *who, struct node *n, char *buf, size_t size)
{
	int r;

	if (!S_ISLNK(n->type))
		return -EINVAL;
	r = gate_node(ov, who, GATE_READ, n);
	return r < 0 ? r : (ssize_t) spot_ask(ov, n, (struct io_op) { .kind = IO_READLINK, .buf = buf, .len = size });
}

/* setattr */

static int set_size(struct overlay *ov, struct node *n, struct overlay_file *file, uint64_t size)
{
	SPOT(s);
	_cleanup_close_ int fd = -EBADF;
	int r;

	if (!S_ISREG(n->type))
		return S_ISDIR(n->type) ? -EISDIR : -EINVAL;
	if (file && file_is_writable(file))
		return file_truncate(file, size);
	r = spot_open(ov, n, O_WRONLY, &s, &fd);
	return r < 0 ? r : io_truncate(ov->io, fd, size);
}

/* What does not show is stored if we may. If not, then that does not show either; set-id bits go all the same. */
static int chown_unseen(struct overlay *ov, const struct spot *s, uid_t uid, gid_t gid, bool *ret_done)
{
	int r = io_chown(ov->io, s->fd, s->name, uid, gid);

	*ret_done = r == 0;
	return r == -EPERM || r == -EINVAL ? io_chown(ov->io, s->fd, s->name, (uid_t) -1, (gid_t) -1) : r;
}

static int chown_squashed(struct overlay *ov, const struct spot *s, uid_t *uid, gid_t *gid)
{
	bool done = true;
	int r = 0;

	if (ov->uids.squash && *uid != (uid_t) -1) {
		r = chown_unseen(ov, s, *uid, (gid_t) -1, &done);
		if (!done)
			*uid = (uid_t) -1;
	} else if (*uid != (uid_t) -1) {
		r = io_chown(ov->io, s->fd, s->name, *uid, (gid_t) -1);
	}
	if (r < 0 || *gid == (gid_t) -1)
		return r;
	if (!ov->gids.squash)
		return io_chown(ov->io, s->fd, s->name, (uid_t) -1, *gid);
	r = chown_unseen(ov, s, (uid_t) -1, *gid, &done);
	if (!done)
		*gid = (gid_t) -1;
	return r;
}

static int set_owner(struct overlay *ov, struct node *n, const struct spot *s, const struct attr_change *ch)
{
	uid_t uid = ch->valid & ATTR_UID ? ch->uid : (uid_t) -1;
	gid_t gid = ch->valid & ATTR_GID ? ch->gid : (gid_t) -1;
	struct meta_record rec = { 0 };
	int r;

	{
		SCOPE_LOCK(&node_shard(ov, n)->lock);
		if (n->ext)
			rec = n->ext->record;
	}
	if (ov->uids.squash || ov->gids.squash)
		r = chown_squashed(ov, s, &uid, &gid);
	else
		r = io_chown(ov->io, s->fd, s->name, uid, gid);
	if (r < 0 || !(rec.has & META_RECORD_OWNER))
		return r;

	/* What was given away now is so in truth; the rest stays a claim. */
	if (uid != (uid_t) -1)
		rec.uid = uid;
	if (gid != (gid_t) -1)
		rec.gid = gid;
	r = meta_set_record(&ov->meta, s->fd, s->name, &rec);
	if (r == 0) {
		SCOPE_LOCK(&node_shard(ov, n)->lock);
		n->ext->record = rec;
	}
	return r;
}

/* Now is left to the layer, whose clock stamps writes too: it shows as it is told, like those. */
static struct timespec time_to_set(const struct overlay *ov, struct timespec t)
{
	if (t.tv_nsec != UTIME_NOW)
		t.tv_nsec -= t.tv_nsec % (long) ov->time_gran_ns;
	return t;
}

static int set_times(struct overlay *ov, const struct spot *s, const struct attr_change *ch)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_nsec = UTIME_OMIT } };

	if (ch->valid & ATTR_ATIME)
		times[0] = time_to_set(ov, ch->atime);
	if (ch->valid & ATTR_MTIME)
		times[1] = time_to_set(ov, ch->mtime);
	return io_utimens(ov->io, s->fd, s->name, times);
}

/* See struct attr_change. */
static int change_nothing(struct overlay *ov, const struct actor *who, struct node *n, const struct spot *s)
{
	if (who->uid == 0 && node_has_flag(ov, n, NODE_CAPS_GONE)) {
		node_set_flag(ov, n, NODE_CAPS_GONE, false);
		return 0;
	}
	return io_chown(ov->io, s->fd, s->name, (uid_t) -1, (gid_t) -1); /* takes set-id bits and capabilities */
}

static int set_at_spot(struct overlay *ov, const struct actor *who, struct node *n, const struct spot *s,
		       const struct attr_change *ch)
{
	int r = 0;

	attr_own_ctime(ov, n);
	if (ch->valid & (ATTR_UID | ATTR_GID))
		r = set_owner(ov, n, s, ch);
	else if (ch->valid == 0)
		r = change_nothing(ov, who, n, s);
	else if (ch->valid & ATTR_KILL_PRIV && !(ch->valid & ATTR_MODE))
		r = io_chown(ov->io, s->fd, s->name, (uid_t) -1, (gid_t) -1);
	if (r == 0 && ch->valid & ATTR_MODE)
		r = io_chmod(ov->io, s->fd, s->name, ch->mode & 07777);
	if (r == 0 && ch->valid & (ATTR_ATIME | ATTR_MTIME))
		r = set_times(ov, s, ch);
	return r;
}

int overlay_setattr(struct overlay *ov, const struct actor *who, struct node *n, struct overlay_file *file,
		    const struct attr_change *change, struct statx *ret)
{
	struct attr_change in_layer = *change;
	const struct attr_change *ch = &in_layer;
	LEASE(attributes);
	SPOT(s);
	struct statx stx;
	int r = gate_node(ov, who, ch->valid & ATTR_SIZE ? GATE_WRITE : GATE_ATTR, n);

	if (r == 0)
		r = ids_change(ov, &in_layer);
	if (r == 0)
		r = copyup_for_change(ov, who, n, ch->valid & ATTR_SIZE ? ch->size : COPYUP_META);
	if (r == 0) {
		metacopy_hold(ov, n, &attributes);
		r = spot_pin(ov, n, &s, &stx);
	}
	if (r == 0 && ch->valid & ATTR_SIZE)
		r = set_size(ov, n, file, ch->size);
	if (r == 0)
		r = set_at_spot(ov, who, n, &s, ch);
	return r < 0 ? r : overlay_getattr(ov, who, n, file, ret);
}
