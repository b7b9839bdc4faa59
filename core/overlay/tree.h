#pragma once

/*
 * Inside the overlay: the structures that its files share. The door is overlay.h.
 *
 * Lock order: a shard's lock, then the id table's, then a directory cache shard's. Each is held for memory only, never
 * across io_run(). What has to last over system calls is a lease (lease.h), which threads sleep for.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/lock.h"
#include "base/macro.h"
#include "io/io.h"
#include "layer/inomap.h"
#include "layer/layer.h"
#include "overlay/overlay.h"
#include "policy/policy.h"

#define LAYER_UPPER 0
#define LAYER_LOWER 1	       /* the topmost lower, which rw rules change */
#define LAYER_MADE UINT16_MAX /* of a file that the policy makes up: in no layer */
#define MAX_LAYERS 512 /* kernel overlayfs allows 500 lowers */
#define N_SHARDS 64
#define NAME_BYTES 256 /* with NUL */

/* What of a directory in a layer takes part in the view. */
enum filter {
	FILTER_ALL,
	FILTER_DEVICES, /* /dev of the host: the harmless character devices, and what programs expect beside them */
	FILTER_NOTHING, /* masked: an empty directory */
	FILTER_EMPTY,	/* /dev/shm of the host: an empty directory that can be changed */
};

static inline bool filter_shows_nothing(enum filter filter)
{
	return filter == FILTER_NOTHING || filter == FILTER_EMPTY;
}

/* Does a directory of a layer tell names apart that differ by case? Asked when it matters, see alias.h. */
enum minds_case {
	MINDS_CASE_UNKNOWN,
	MINDS_CASE_YES,
	MINDS_CASE_NO,
};

/* Where a directory is in one layer. */
struct place {
	uint16_t layer;
	bool xwhiteouts;
	uint8_t minds_case; /* enum minds_case */
	enum filter filter;
	dev_t dev;
	uint64_t ino;
	/*
	 * NULL: below the parent's place in this layer, under the node's name. "/a/b": from the layer's root. "b": below
	 * the parent's place, under another name. Paths come from redirects, and from renames in this mount.
	 */
	char *path;
};

struct places {
	uint16_t n; /* topmost first */
	struct place v[];
};

/* One of a node's names. */
struct name {
	struct name *next;
	struct node *dir; /* referenced */
	char text[];
};

/* What of a verdict is kept with an object. Zeroed it hides, so that nothing shows by mistake. */
struct ruling {
	uint8_t access; /* enum policy_access */
	bool passage : 1, noexec : 1, log : 1;
	bool fixed : 1; /* POLICY_RW: guarded, see guard.h; the same object may have it by one name and not by another */
	uint16_t error; /* POLICY_DENY: positive errno */
	int16_t made;	/* index of the made-up file that shows here, or POLICY_NO_RULE */
};
#define RULING_FREE ((struct ruling) { .access = POLICY_COW, .made = POLICY_NO_RULE })

/* The policy in force: replaced as a whole, see judge.h. */
struct rules {
	struct policy *policy;	   /* NULL: none, everything is free */
	struct policy_state *root; /* of "/" */
	struct overlay_guards *guards;
	uint32_t stamp;		   /* tells it from those before; what nodes know bears it */
	size_t n_made;
	int made[]; /* descriptors of the files that it makes up */
};

/* What few nodes have. */
struct node_ext {
	struct meta_record record;
	struct place *data; /* NODE_METACOPY: where the data is, once that is known; the path is not NULL */
	bool data_pinned;   /* and it is found there under any name that the file may get */
	uint64_t data_blocks; /* that it takes there; 0 not asked yet */
	char *index_name; /* the object's name in the index directory, by which it is reached */
	char *redirect;	  /* a directory's, as the upper has it: its name, or path, in all that is below together */
	/*
	 * A copy-up changes the ctime of the object and of its directory, though to the view nothing has changed. While the
	 * upper still has the times that the copy-up left, the one from before is shown. In memory only.
	 */
	bool hides_ctime;
	struct statx_timestamp ctime_left, mtime_left, ctime_shown;
};

enum {
	NODE_HASHED = 1 << 0,
	NODE_DEAD = 1 << 1,	   /* no name is left in the view: lives on in its descriptors */
	NODE_IMPURE = 1 << 2,	   /* directory: its upper says that it holds objects with an origin */
	NODE_FIXED = 1 << 3,	   /* masked directory: cannot be changed, removed, or renamed */
	NODE_ACL_KNOWN = 1 << 4,   /* upper directory: NODE_ACL_DEFAULT is right */
	NODE_ACL_DEFAULT = 1 << 5, /* it has a default ACL, which takes the place of the umask */
	NODE_CAPS_GONE = 1 << 6,   /* its capabilities were removed by the last change, see change_nothing() */
	NODE_REMOVED = 1 << 10,	   /* in its shard's list of removed nodes */
	NODE_WHOLE = 1 << 7,	   /* regular file: its data is known to be in the layer of its attributes */
	NODE_METACOPY = 1 << 8,	   /* it is not, or said not to be: see metacopy.c */
	NODE_ALONE = 1 << 14,	   /* with links that cannot be kept together: a node for each name, see node.c; or copied up without its number */
	NODE_RENAMED = 1 << 11,	   /* its names are others than its ruling is by: the same rights, but maybe to be recorded */
	NODE_UNSYNCED = 1 << 9,	   /* the data has just come up: to sync that alone would not be enough */
};

/*
 * One object of the view. Fields are guarded by the lock of the node's shard, but for those that never change (id, ino,
 * type). Where it is and what it is called may change under a thread that has looked: see spot.h.
 */
struct node {
	uint64_t id;
	uint64_t ino;	   /* as the view shows it; key of the hash table */
	mode_t type;	   /* S_IFMT */
	uint16_t layer;	   /* that its attributes come from; mostly its data too */
	uint16_t flags;
	uint16_t leases;   /* guarded by the lease stripe, see lease.h */
	uint32_t seq;	   /* counts changes of layer, names and places */
	uint32_t stamp;	   /* of the rules that ruling and state are by; old: they have to be asked again */
	struct ruling ruling; /* with ino, and the state of a directory, what tells nodes of one object apart */
	struct ruling before; /* the same by the rules before stamp's; of a node that is newer than those, ruling */
	struct policy_state *state; /* directories, under a policy */
	/*
	 * Children's names, open files, running verbs. Whoever has a reference may add one without a lock; the last
	 * one goes with the shard locked, so that a look-up by number finds the node alive or not at all.
	 */
	atomic_uint refs;
	uint64_t n_lookups; /* the kernel's, or another user's of the door */
	dev_t dev;	   /* the real object */
	uint64_t real_ino;
	struct node *hash_next;
	struct name *names;   /* the newest first; empty for the root and for detached nodes */
	struct places *places; /* directories */
	struct node_ext *ext;
	struct overlay_file *files; /* open on it */
	uint32_t n_mappable; /* of them may be mapped to be written to: what the layer says of holes is not all */
	int fd;		   /* O_PATH or better, on an object that no name leads to any more; else -EBADF */
};

struct shard {
	pthread_mutex_t lock;
	struct node **buckets;
	size_t n_buckets, n_nodes;
	struct node *removed; /* without a name, linked by hash_next */
};

struct id_slot {
	_Atomic(struct node *) node;
	_Atomic uint32_t generation;
};

struct id_table {
	pthread_mutex_t lock;
	_Atomic(struct id_slot *) *chunks;
	uint32_t n_used; /* slots ever used */
	uint32_t *free;
	size_t n_free, free_size;
	uint32_t generation;
	uint64_t n_nodes, peak; /* alive; since memory was last given back */
};

struct dirfd {
	struct dirfd *hash_next, *older, *newer;
	struct node *node;
	uint16_t layer;
	bool cached; /* false: dropped, closed by the last user */
	unsigned int users;
	int fd;
};

struct dirfd_shard {
	pthread_mutex_t lock;
	struct dirfd *buckets[64];
	struct dirfd *newest, *oldest;
	unsigned int n;
};

#define N_DIRFD_SHARDS 16
struct dircache {
	struct dirfd_shard shards[N_DIRFD_SHARDS];
	unsigned int max_per_shard;
};

/* File systems known to be safe to enter, and those shown empty: see mask.c. */
struct mask_table {
	pthread_mutex_t lock;
	unsigned int n;
	struct mask_entry {
		dev_t dev;
		uint64_t mount;
		enum filter filter;
	} v[256];
};

/* File systems whose objects may have names in the index: see index.c. */
struct index_table {
	pthread_mutex_t lock;
	unsigned int n;
	struct {
		dev_t dev;
		uint8_t uuid[META_UUID_BYTES];
	} v[MAX_LAYERS + 256];
};

#define N_LEASES 16
struct lease_stripe {
	pthread_mutex_t lock;
	pthread_cond_t changed;
};

struct overlay {
	struct io_engine *io; /* borrowed */
	struct layer *layers; /* [LAYER_UPPER] has fd -EBADF in a read-only view */
	size_t n_layers;
	bool writable, no_redirect, no_index, volatile_, userxattr, metacopy;
	enum overlay_devices devices;
	bool (*is_view)(dev_t dev); /* NULL: none is */
	uid_t overflow_uid, shown_uid; /* see ids.c */
	gid_t overflow_gid, shown_gid;
	bool other_ids; /* uids or gids is not as zeroed */
	struct overlay_ids uids, gids;
	uint32_t time_gran_ns; /* 1: as fine as they are */
	_Atomic dev_t own_dev;
	struct overlay_mask *masks;
	size_t n_masks;
	int work_fd;  /* WORK/work: things in the making */
	int index_fd; /* WORK/index: hard links that were copied up */
	atomic_uint_fast64_t temp_counter;
	struct meta meta;
	struct inomap inomap;
	struct mask_table mask_table;
	struct index_table index_table;
	struct id_table ids;
	struct shard shards[N_SHARDS];
	struct dircache dircache;
	struct lease_stripe leases[N_LEASES];
	struct node *root;
	_Atomic(struct rules *) rules;
	struct readers *readers; /* see judge.h */
	atomic_uint phase;
	bool fold; /* names are found in any case, see spell.h */
	struct fold_cache *folds;
	pthread_mutex_t reload_lock; /* one change of rules at a time: outside of all others, held over everything */
	overlay_report_fn report;
	void *report_arg;
	atomic_uint_fast64_t n_files;
	atomic_uint n_leaving; /* nodes that are being let go */
	atomic_uint n_moving; /* see moving.h */
	atomic_uint_fast64_t n_moved;
	atomic_uint n_entered; /* directories that have come under other rules by a rename: see judge_moved() */
};

/* node.c: life of nodes */
int nodes_init(struct overlay *ov);
void nodes_done(struct overlay *ov);
int node_add_root(struct overlay *ov, struct node *n); /* takes it, also when it fails */
struct shard *node_shard(struct overlay *ov, const struct node *n);
void node_ref(struct node *n);
struct node *node_unref(struct overlay *ov, struct node *n);
struct node *node_parent(struct overlay *ov, struct node *n, char name[static NAME_BYTES]); /* referenced; NULL: root, detached */
/* Takes a name away. With the last one the node is reached by fd (taken; -EBADF: not reached). dead: no name anywhere. */
void node_drop_name(struct overlay *ov, struct node *n, struct node *dir, const char *name, int fd, bool dead);
int node_add_name(struct overlay *ov, struct node *n, struct node *dir, const char *name);
/* For rename: the name changes in one step. */
int node_move_name(struct overlay *ov, struct node *n, struct node *dir, const char *name, struct node *new_dir,
		   const char *new_name);
void node_set_flag(struct overlay *ov, struct node *n, unsigned int flag, bool on);
bool node_has_flag(struct overlay *ov, struct node *n, unsigned int flag);
bool node_is_upper(struct overlay *ov, struct node *n);
/* Is the upper part of it? For all but directories under an rw rule the same: those have their attributes from the lower. */
bool node_has_upper(struct overlay *ov, struct node *n);
struct node_ext *node_ext_get(struct node *n); /* shard locked; NULL: out of memory */
void places_free(struct places *p);

struct found;
/* The node for what a look-up found; one reference for the caller. -EAGAIN: what was found is no longer so. */
int node_get(struct overlay *ov, struct found *f, struct node *dir, const char *name, struct node **ret);
/* Is the node still what a look-up finds, as that is found now? A directory is when it is in the same places, and has its attributes from there. */
bool node_is_found(struct overlay *ov, struct node *n, const struct found *f);
/* For an object that has no name yet; takes fd, by which it is reached. Its ruling is found's. */
int node_get_nameless(struct overlay *ov, struct found *f, int fd, struct node **ret);
/* Turns the caller's reference into a look-up count. */
void node_give(struct overlay *ov, struct node *n, struct entry *ret);
