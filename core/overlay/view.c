/* A view from its layers: set-up, and what concerns it as a whole. */

#include "overlay/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "io/walk.h"
#include "overlay/attr.h"
#include "overlay/dircache.h"
#include "overlay/ids.h"
#include "overlay/index.h"
#include "overlay/judge.h"
#include "overlay/look.h"
#include "overlay/spell.h"

/* Opens a directory of our own below the work directory, making it if it is not there. */
static int own_dir(struct io_engine *io, int work_fd, const char *name)
{
	int r = io_mkdir(io, work_fd, name, 0700, NULL);

	if (r < 0 && r != -EEXIST)
		return r;
	return io_open(io, work_fd, name, O_RDONLY | O_DIRECTORY, 0, NULL);
}

/* Can the attributes of the format be written? And says on the way that the layer is ours, if it begins empty. */
static int claim_upper(struct overlay *ov, int fd)
{
	_cleanup_(walk_names_freep) char **names = NULL;
	struct meta_record rec;
	int has = meta_get_record(&ov->meta, fd, NULL, &rec), r;

	if (has < 0)
		return has;
	r = walk_names(ov->io, fd, &names);
	if (r < 0)
		return r;
	if (!has && !names[0])
		rec.has |= META_RECORD_LAYER;
	return meta_set_record(&ov->meta, fd, NULL, &rec);
}

static int open_upper(struct overlay *ov, const struct overlay_config *config)
{
	struct layer *l = &ov->layers[LAYER_UPPER];
	struct statx upper, work;
	_cleanup_close_ int fd = -EBADF;
	int r;

	fd = io_open(ov->io, config->upper_fd, NULL, O_RDONLY | O_DIRECTORY, 0, NULL);
	if (fd < 0)
		return fd;
	r = io_statx(ov->io, fd, NULL, LAYER_STATX_MASK, &upper);
	if (r == 0)
		r = io_statx(ov->io, config->work_fd, NULL, LAYER_STATX_MASK, &work);
	if (r < 0)
		return r;
	if (statx_dev(&upper) != statx_dev(&work))
		return -EXDEV;
	r = claim_upper(ov, fd);
	if (r < 0)
		return r;
	if (!ov->no_index) {
		ov->index_fd = own_dir(ov->io, config->work_fd, "index");
		if (ov->index_fd < 0)
			return ov->index_fd;
		r = meta_bind_index(&ov->meta, ov->index_fd, fd);
		if (r < 0)
			return r;
	}
	ov->work_fd = own_dir(ov->io, config->work_fd, "work");
	if (ov->work_fd < 0)
		return ov->work_fd;
	r = walk_empty(ov->io, ov->work_fd);
	if (r == 0)
		r = layer_init(l, ov->io, fd, config->userxattr, false);
	if (r < 0)
		return r;
	l->redirects = true; /* what is in the upper has come through us */
	(void) steal_fd(&fd);
	return 0;
}

static int open_lowers(struct overlay *ov, const struct overlay_config *config)
{
	for (size_t i = 0; i < config->n_lowers; i++) {
		int fd = io_open(ov->io, config->lower_fds[i], NULL, O_PATH | O_DIRECTORY, 0, NULL), r;

		if (fd < 0)
			return fd;
		r = layer_init(&ov->layers[i + 1], ov->io, fd, config->userxattr, i + 1 == config->n_lowers);
		if (r < 0) {
			(void) fd_close(fd);
			return r;
		}
	}
	return 0;
}

/* The roots of all layers merge, whatever their attributes say, until one is opaque. */
static int make_root(struct overlay *ov)
{
	struct node *n = calloc(1, sizeof(*n));
	struct places *p = malloc(sizeof(*p) + ov->n_layers * sizeof(p->v[0]));
	int r = 0;

	if (!n || !p) {
		free(n);
		free(p);
		return -ENOMEM;
	}
	p->n = 0;
	n->places = p;
	n->fd = -EBADF;
	n->type = S_IFDIR;
	for (size_t i = ov->writable ? LAYER_UPPER : LAYER_UPPER + 1; i < ov->n_layers && r == 0; i++) {
		struct lentry le;

		r = layer_look_dir(&ov->layers[i], ov->layers[i].fd, 0, &le);
		if (r < 0)
			break;
		p->v[p->n++] = (struct place) {
			.layer = (uint16_t) i, .xwhiteouts = le.xwhiteouts, .dev = statx_dev(&le.stx), .ino = le.stx.stx_ino,
		};
		if (p->n == 1) {
			n->layer = (uint16_t) i;
			n->dev = statx_dev(&le.stx);
			n->real_ino = le.stx.stx_ino;
		}
		if (le.opaque)
			break;
	}
	if (r < 0) {
		free(n);
		free(p);
		return r;
	}
	n->ruling = n->before = RULING_FREE; /* until it is asked: its stamp is none */
	n->ino = inomap_number(&ov->inomap, ov->io, p->v[p->n - 1].dev, p->v[p->n - 1].ino,
			       ov->layers[p->v[p->n - 1].layer].fd, NULL);
	return node_add_root(ov, n);
}

static unsigned int default_dir_fds(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) < 0 || lim.rlim_cur == RLIM_INFINITY)
		return 4096;
	return (unsigned int) MIN(lim.rlim_cur / 8, (rlim_t) 4096);
}

static int init_parts(struct overlay *ov, const struct overlay_config *config)
{
	int r;

	for (size_t i = 0; i < N_LEASES; i++) {
		(void) pthread_mutex_init(&ov->leases[i].lock, NULL);
		(void) pthread_cond_init(&ov->leases[i].changed, NULL);
	}
	(void) pthread_mutex_init(&ov->mask_table.lock, NULL);
	(void) pthread_mutex_init(&ov->reload_lock, NULL);
	(void) pthread_mutex_init(&ov->index_table.lock, NULL);
	ov->layers = calloc(config->n_lowers + 1, sizeof(*ov->layers));
	if (!ov->layers)
		return -ENOMEM;
	for (size_t i = 0; i <= config->n_lowers; i++)
		ov->layers[i].fd = -EBADF;
	ov->n_layers = config->n_lowers + 1;
	if (config->n_masks) {
		ov->masks = calloc(config->n_masks, sizeof(*ov->masks));
		if (!ov->masks)
			return -ENOMEM;
		memcpy(ov->masks, config->masks, config->n_masks * sizeof(*ov->masks));
		ov->n_masks = config->n_masks;
	}
	r = dircache_init(ov, config->max_dir_fds ? config->max_dir_fds : default_dir_fds());
	if (r == 0)
		r = nodes_init(ov);
	if (r == 0)
		r = spell_init(ov);
	return r < 0 ? r : judge_init(ov, config->policy, config->guards);
}

/* What FUSE can tell the kernel: a power of ten that divides a second. */
static bool is_time_gran(uint32_t ns)
{
	while (ns > 1 && ns <= 1000000000 && ns % 10 == 0)
		ns /= 10;
	return ns <= 1;
}

int overlay_new(struct io_engine *io, const struct overlay_config *config, struct overlay **ret)
{
	_cleanup_(overlay_freep) struct overlay *ov = NULL;
	int r;

	if (config->n_lowers == 0 || config->n_lowers >= MAX_LAYERS || !is_time_gran(config->time_gran_ns))
		return -EINVAL;
	ov = calloc(1, sizeof(*ov));
	if (!ov)
		return -ENOMEM;
	ov->io = io;
	ov->work_fd = ov->index_fd = -EBADF;
	ov->writable = config->upper_fd >= 0;
	ov->no_redirect = config->no_redirect;
	ov->no_index = config->no_index;
	ov->volatile_ = config->volatile_;
	ov->userxattr = config->userxattr;
	ov->metacopy = config->metacopy && !config->userxattr && !config->no_redirect;
	ov->devices = config->devices;
	ov->fold = config->fold;
	ov->time_gran_ns = MAX(config->time_gran_ns, 1u);
	ov->report = config->report;
	ov->report_arg = config->report_arg;
	ov->is_view = config->is_view;
	atomic_init(&ov->own_dev, (dev_t) -1);
	meta_init(&ov->meta, io, config->userxattr);
	r = ids_init(ov, &config->uids, &config->gids);
	if (r == 0)
		r = init_parts(ov, config);
	if (r == 0)
		r = open_lowers(ov, config);
	if (r == 0)
		r = inomap_init(&ov->inomap, io, ov->layers[1].fd, ov->layers[1].dev);
	if (r == 0 && ov->writable)
		r = open_upper(ov, config);
	if (r == 0 && ov->index_fd >= 0)
		r = index_init(ov);
	if (r == 0)
		r = make_root(ov);
	if (r < 0)
		return r;
	*ret = steal_ptr(ov);
	return 0;
}

struct overlay *overlay_free(struct overlay *ov)
{
	if (!ov)
		return NULL;
	dircache_done(ov);
	nodes_done(ov);
	judge_done(ov);
	spell_done(ov);
	for (size_t i = 0; i < ov->n_layers; i++)
		layer_done(&ov->layers[i]);
	(void) fd_close(ov->work_fd);
	(void) fd_close(ov->index_fd);
	inomap_done(&ov->inomap);
	ids_done(ov);
	free(ov->layers);
	free(ov->masks);
	free(ov);
	return NULL;
}

void overlay_count(struct overlay *ov, struct overlay_counters *ret)
{
	SCOPE_LOCK(&ov->ids.lock);
	ret->n_nodes = ov->ids.n_nodes;
	ret->n_dir_fds = dircache_count(ov);
	ret->n_files = atomic_load(&ov->n_files);
}

uint32_t overlay_time_gran(const struct overlay *ov)
{
	return ov->time_gran_ns;
}

int overlay_statfs(struct overlay *ov, const struct actor *who, struct statfs *ret)
{
	return (int) io_one(ov->io, (struct io_op) {
		.kind = IO_STATFS, .fd = ov->layers[ov->writable ? LAYER_UPPER : LAYER_UPPER + 1].fd, .buf = ret,
	});
}

int overlay_syncfs(struct overlay *ov, const struct actor *who)
{
	if (!ov->writable || ov->volatile_)
		return 0;
	return (int) io_one(ov->io, (struct io_op) { .kind = IO_SYNCFS, .fd = ov->layers[LAYER_UPPER].fd });
}
