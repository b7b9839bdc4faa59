#pragma once

/*
 * Door 1: the merged tree. The daemon, the library and the tests use these verbs and nothing below them.
 *
 * A node is one object of the view: a file, directory, link … whatever layer holds it. Whoever is given a node in
 * a struct entry holds one look-up count on it and gives it back with overlay_forget(). Node pointers are valid
 * while such a count, or an open file on the node, is held. Ids survive as numbers: overlay_node() finds the
 * node again, or NULL when it is gone.
 *
 * Verbs return 0 (or a count) or a negative errno. Absence found by a look-up is a result, not an error. Names are
 * single components; ".", "..", "" and names with '/' are refused with -EINVAL, over 255 bytes with -ENAMETOOLONG.
 *
 * Permission bits are not checked here: the kernel does it (default_permissions), or the library before it calls.
 *
 * Thread rule: every verb may be called from any thread at any time. Verbs that change the same directory wait
 * for each other; everything else runs in parallel.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/types.h>

#include "base/macro.h"

struct io_engine;
struct node;
struct overlay;
struct overlay_dir;
struct overlay_file;
struct policy;
struct policy_verdict;

/* On whose behalf. cancelled, where given, may become true at any time: long work then stops with -EINTR. */
struct actor {
	uid_t uid;
	gid_t gid;
	pid_t pid;
	mode_t umask;
	const gid_t *groups;
	size_t n_groups;
	const atomic_bool *cancelled;
};

enum overlay_devices {
	OVERLAY_DEVICES_ALL,	  /* device nodes of the layers are shown as they are */
	OVERLAY_DEVICES_HARMLESS, /* only null zero full random urandom tty; others are shown as device 0:0, which opens nothing. In the host's
				   * /dev beside them the links fd stdin stdout stderr, and an empty shm that can be changed */
};

/*
 * What the policy has refused, or has been told to record. Strings are borrowed for the call. The callback runs in the thread of
 * the verb, and must neither wait nor call the overlay.
 */
struct overlay_report {
	const struct actor *who;
	const char *op;	   /* "read", "write", "exec", "list", "look", "create", "remove", "rename", "link", "attr", "getxattr", "setxattr" */
	const char *path;  /* absolute in the view */
	const char *path2; /* of rename and link; else NULL */
	bool is_dir;	   /* path is, as far as is known */
	bool cut;	   /* a path was too long: it begins with "…" instead of what is not there */
	const struct policy *policy;
	const struct policy_verdict *verdict; /* of path; of path2 where that was to blame */
	int rule;  /* who decided, for policy_rule(); POLICY_NO_RULE: none */
	bool guarded; /* no rule decided, but what the policy is read from: see struct overlay_guards */
	int error; /* positive errno; 0: it was allowed */
};
typedef void (*overlay_report_fn)(void *arg, const struct overlay_report *report);

/*
 * Whose the view says that things are; zeroed: whose they are in the layers. Programs in the view, and struct actor, have the view's
 * ids; the layers keep their own. What can be given to whom is in ids.c.
 */
struct overlay_id_range {
	uint32_t layer, view, count;
};
struct overlay_ids {
	bool squash; /* all belongs to squash_to; what is made belongs in the layer to whoever made it, as far as we may give it away */
	uint32_t squash_to;
	struct overlay_id_range *ranges; /* else: an id in none of them is unknown on the other side */
	size_t n_ranges;
};
/* The owner of what belongs to an id that the view does not know. On a mount stat(2) says the overflow id, and nobody has his rights. */
#define OVERLAY_NO_ID UINT32_MAX
/* Why these ids cannot be had, of which all ranges but the last can: static text. NULL: they can. */
const char *overlay_ids_fault(const struct overlay_ids *ids);

/*
 * What no rule lets be changed in a lower: the files that the policy is read from, known by number, which are neither written to nor given
 * more names; and the names that lead to them, or to the directories that the view lives on, each in its directory, which are neither made,
 * nor taken away, nor given to something else. The files, and the directories that the names are in, keep their attributes, lest the next
 * reading fail. Such a change fails with EROFS where an rw rule would allow it. Borrowed for the call.
 */
struct overlay_guards {
	const struct overlay_guard {
		dev_t dev;
		uint64_t ino;
		const char *name; /* in this directory; NULL: the file itself */
		/*
		 * O_PATH, or -EBADF. The directory, if the name is that of a file or a link: what it leads to later is guarded too. The file
		 * itself: held, lest another one gets its number when it is gone.
		 */
		int fd;
	} *v;
	size_t n;
};

/* What of an object is guarded: flags. */
enum {
	OVERLAY_GUARDED_NAME = 1,   /* the one it is reached by */
	OVERLAY_GUARDED_OBJECT = 2, /* by whatever name */
};
/* object and its directory as they are in the lower; NULL: it is not there. */
unsigned int overlay_how_guarded(const struct overlay_guards *guards, const struct statx *object, const struct statx *dir, const char *name);

/* Zero means default. All descriptors and strings are borrowed for the call only; directories are reopened. */
struct overlay_config {
	const int *lower_fds; /* directories, topmost first; at least one */
	size_t n_lowers;
	int upper_fd; /* -EBADF: a read-only view */
	int work_fd;  /* on the upper's file system */
	bool userxattr; /* "user.overlay." instead of "trusted.overlay." */
	bool no_redirect; /* renaming a directory that has a lower part: EXDEV instead of a redirect */
	bool no_index; /* hard links break at copy-up */
	/*
	 * A change of attributes leaves the data of a file in the lower. No effect with userxattr, with which such files are
	 * not read either, and with no_redirect.
	 */
	bool metacopy;
	bool volatile_; /* nothing is synced */
	enum overlay_devices devices;
	/*
	 * Is the FUSE file system with this device number another view? Asked once of each that is met and has not the type of our own;
	 * any thread. NULL: none is.
	 */
	bool (*is_view)(dev_t dev);
	/* Directories shown empty and untouchable, known by device and inode: our own store, upper and work directories. */
	const struct overlay_mask {
		dev_t dev;
		uint64_t ino;
	} *masks;
	size_t n_masks;
	unsigned int max_dir_fds; /* directories kept open; 0: an eighth of the descriptor limit */
	struct overlay_ids uids, gids;
	uint32_t time_gran_ns; /* times show, and are set, in steps of this: a power of ten up to a second; 0: as the layers have them */
	bool fold; /* names are found in any case, and keep theirs; a policy has to be compiled so too */
	struct policy *policy; /* referenced; NULL: none, everything can be changed */
	const struct overlay_guards *guards; /* NULL: none */
	overlay_report_fn report; /* NULL: nobody wants to know */
	void *report_arg;
};

/* What a look-up, or a verb that makes a name, gives. */
struct entry {
	struct node *node; /* one look-up count, the caller's; NULL when absent */
	bool hidden;	   /* absent by the policy's doing: under another it may be there, so this is not to be remembered */
	bool other_case;   /* found under a name that differs by case from the one asked for */
	uint64_t id;
	uint64_t generation;
	struct statx stx;
};

/*
 * What setattr changes: the fields named in valid. None comes from chown() to nobody, which takes the set-id bits and changes
 * ctime; and from a kernel that leaves privileges to us (HANDLE_KILLPRIV_V2), when a write by root has just made it remove the
 * file's capabilities: there the bits stay.
 */
enum {
	ATTR_MODE = 1 << 0,
	ATTR_UID = 1 << 1,
	ATTR_GID = 1 << 2,
	ATTR_SIZE = 1 << 3,
	ATTR_ATIME = 1 << 4, /* tv_nsec may be UTIME_NOW */
	ATTR_MTIME = 1 << 5,
	ATTR_KILL_PRIV = 1 << 6, /* clear set-id bits, as a write by somebody unprivileged does */
};

struct attr_change {
	unsigned int valid;
	mode_t mode;
	uid_t uid;
	gid_t gid;
	uint64_t size;
	struct timespec atime, mtime;
};

/*
 * The view. Opens its own descriptors on everything it needs. -ENOTDIR, -EXDEV (upper and work on different file
 * systems), -ESTALE (the work directory belongs to another upper), -EOPNOTSUPP (upper's file system lacks extended attributes),
 * -EROFS (upper read-only), -EINVAL (ids or steps of time that cannot be had) and whatever opening gives.
 */
int overlay_new(struct io_engine *io, const struct overlay_config *config, struct overlay **ret);
struct overlay *overlay_free(struct overlay *ov);
DEFINE_CLEANUP(struct overlay *, overlay_free)

/*
 * Replaces the policy while the view is in use. Verbs that run at the same time must be between overlay_enter() and overlay_leave(),
 * and so must the telling of their results to whoever remembers them (the kernel). Returns when all that began under the old policy
 * has left, and fn has been called for all that may be remembered and is no longer so. policy is
 * referenced; NULL: none. guards: NULL: none.
 */
struct overlay_stale {
	uint64_t id;	  /* the object, 0: none; its attributes, and if it is a directory what it lists, may have changed */
	bool content;	  /* it must not be read any more */
	uint64_t dir_id;  /* with a name: what that name leads to in the directory is another object now, or none */
	const char *name; /* NULL: none */
};
typedef void (*overlay_stale_fn)(void *arg, const struct overlay_stale *stale);
int overlay_set_policy(struct overlay *ov, struct policy *policy, const struct overlay_guards *guards, overlay_stale_fn fn, void *arg);
/*
 * For explanations: what an op, by its name in reports or "mkdir", is answered under a verdict by an object of that type (S_IFMT; 0: not
 * known), guarded so. 0, or the negative errno; 1: there is no such op.
 * overlay_op_name() goes through the names; NULL: that was the last.
 */
int overlay_op_result(const struct policy_verdict *v, mode_t type, unsigned int guarded, const char *op);
const char *overlay_op_name(size_t i);

unsigned int overlay_enter(struct overlay *ov);
void overlay_leave(struct overlay *ov, unsigned int token);

/* The device number of the mount that serves this view: never entered, were a layer to lead there. */
void overlay_set_own_dev(struct overlay *ov, dev_t dev);

/* Nodes. The root has id 1, always. */
struct node *overlay_root(struct overlay *ov);
struct node *overlay_node(struct overlay *ov, uint64_t id);
void overlay_forget(struct overlay *ov, struct node *node, uint64_t n);
mode_t overlay_node_type(const struct node *node); /* S_IFMT bits */
struct overlay_counters {
	uint64_t n_nodes, n_dir_fds, n_files;
};
void overlay_count(struct overlay *ov, struct overlay_counters *ret);
/* The steps of times, in nanoseconds; at least 1. */
uint32_t overlay_time_gran(const struct overlay *ov);

/*
 * When space has run out: lets go of removed files that nobody has open. Until the kernel forgets a file, a moment after its removal,
 * its space is kept for whoever holds it without having it open. What failed is worth one more try afterwards.
 */
void overlay_reclaim(struct overlay *ov);

/* True when an open with these flags, or a change, would copy data up first: not for a thread that others wait for. */
bool overlay_would_copy(struct overlay *ov, struct node *node, int open_flags);

/* The same of removing a name: a lower object with other names has to be counted in the upper from then on. */
bool overlay_unlink_would_copy(struct overlay *ov, struct node *dir, const char *name);

/* Look-up: 1 found, 0 absent (ret->node NULL). */
int overlay_lookup(struct overlay *ov, const struct actor *who, struct node *dir, const char *name, struct entry *ret);
int overlay_getattr(struct overlay *ov, const struct actor *who, struct node *node, struct overlay_file *file, struct statx *ret);
int overlay_setattr(struct overlay *ov, const struct actor *who, struct node *node, struct overlay_file *file,
		    const struct attr_change *change, struct statx *ret);
/* The target without NUL; res: its length. */
ssize_t overlay_readlink(struct overlay *ov, const struct actor *who, struct node *node, char *buf, size_t size);
int overlay_statfs(struct overlay *ov, const struct actor *who, struct statfs *ret);
int overlay_syncfs(struct overlay *ov, const struct actor *who);

/* Names. */
int overlay_mkdir(struct overlay *ov, const struct actor *who, struct node *dir, const char *name, mode_t mode, struct entry *ret);
int overlay_mknod(struct overlay *ov, const struct actor *who, struct node *dir, const char *name, mode_t mode, dev_t dev,
		  struct entry *ret);
int overlay_symlink(struct overlay *ov, const struct actor *who, struct node *dir, const char *name, const char *target,
		    struct entry *ret);
int overlay_link(struct overlay *ov, const struct actor *who, struct node *node, struct node *dir, const char *name,
		 struct entry *ret);
int overlay_unlink(struct overlay *ov, const struct actor *who, struct node *dir, const char *name);
int overlay_rmdir(struct overlay *ov, const struct actor *who, struct node *dir, const char *name);
/* flags: RENAME_NOREPLACE, RENAME_EXCHANGE. */
int overlay_rename(struct overlay *ov, const struct actor *who, struct node *dir, const char *name, struct node *new_dir,
		   const char *new_name, unsigned int flags);

/* Files. An open file keeps its node; it follows its node over copy-up. flags are open(2)'s. */
int overlay_open(struct overlay *ov, const struct actor *who, struct node *node, int flags, struct overlay_file **ret);
/* O_EXCL in flags: -EEXIST when the name exists; without it an existing regular file is opened. */
int overlay_create(struct overlay *ov, const struct actor *who, struct node *dir, const char *name, mode_t mode, int flags,
		   struct entry *ret, struct overlay_file **ret_file);
int overlay_tmpfile(struct overlay *ov, const struct actor *who, struct node *dir, mode_t mode, int flags, struct entry *ret,
		    struct overlay_file **ret_file);
void overlay_release(struct overlay_file *file);
ssize_t overlay_read(struct overlay_file *file, void *buf, size_t size, uint64_t off);
enum {
	OVERLAY_WRITE_KILL_PRIV = 1 << 0, /* the writer is unprivileged: the set-id bits go */
	OVERLAY_WRITE_MAPPED = 1 << 1,	  /* pages of a mapping, written back: what a mapping changes takes nothing away */
	OVERLAY_WRITE_APPEND = 1 << 2,	  /* off is where the end was: where others may have moved it, it goes to where it is */
};
ssize_t overlay_write(struct overlay_file *file, const void *buf, size_t size, uint64_t off, unsigned int flags);
int overlay_fsync(struct overlay_file *file, bool data_only);
int overlay_fallocate(struct overlay_file *file, int mode, uint64_t off, uint64_t len);
/* SEEK_DATA, SEEK_HOLE. While the object is open to be read and written it has no holes: see overlay_covers_holes(). */
int64_t overlay_seek(struct overlay_file *file, uint64_t off, int whence);
/* Does the object show more blocks since this file was opened? Pages of a mapping may fill holes before the layer hears of it. */
bool overlay_covers_holes(struct overlay_file *file);
/* Has the object left others that it had links with, or its number? What is remembered of its number and links is no longer so. */
bool overlay_has_parted(struct overlay *ov, struct node *node);
ssize_t overlay_copy_range(struct overlay_file *in, uint64_t off_in, struct overlay_file *out, uint64_t off_out, size_t len);

/*
 * Directories. An open directory is a snapshot of the merged names, taken at the first read and again whenever off is 0:
 * offsets stay valid, nothing shows twice, nothing that stays is missed. "." and ".." are included.
 */
struct overlay_dirent {
	const char *name;
	size_t name_len;
	uint64_t ino;
	unsigned char type; /* DT_* */
	uint64_t next_off;  /* where reading goes on after this entry */
};
/* Returns false when there is no room for the entry: it will come again. */
typedef bool (*overlay_dirent_fn)(void *arg, const struct overlay_dirent *d, const struct entry *plus);

int overlay_opendir(struct overlay *ov, const struct actor *who, struct node *node, struct overlay_dir **ret);
/*
 * plus: each entry but "." and ".." is looked up too, and a count on its node given away if the callback takes
 * it. Names that vanished in between, and those whose look-up is recorded, come with plus NULL.
 */
int overlay_readdir(struct overlay_dir *dir, const struct actor *who, uint64_t off, bool plus, overlay_dirent_fn fn, void *arg);
int overlay_fsyncdir(struct overlay_dir *dir, bool data_only);
void overlay_releasedir(struct overlay_dir *dir);

/* Extended attributes. size 0 asks for the length. */
ssize_t overlay_getxattr(struct overlay *ov, const struct actor *who, struct node *node, const char *attr, void *buf, size_t size);
ssize_t overlay_listxattr(struct overlay *ov, const struct actor *who, struct node *node, char *buf, size_t size);
/* kill_sgid: the ACL change takes the set-group-id bit with it (FUSE_SETXATTR_ACL_KILL_SGID). */
int overlay_setxattr(struct overlay *ov, const struct actor *who, struct node *node, const char *attr, const void *value,
		     size_t size, int flags, bool kill_sgid);
int overlay_removexattr(struct overlay *ov, const struct actor *who, struct node *node, const char *attr);
