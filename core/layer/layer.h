#pragma once

/*
 * One directory tree beneath a root descriptor. A layer tells what a name in one of its directories is; what several
 * layers together mean is the overlay's business.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "layer/meta.h"

struct layer {
	struct meta meta;
	int fd;		/* the root; O_PATH for lowers */
	dev_t dev;	/* of the root */
	bool ours;	/* made by this program: its objects may have records */
	bool redirects;	/* are believed: where anybody may set them on what is his, only in layers that we made */
	bool wh_names;	/* ".wh.NAME" means that NAME is gone: layers of others that are not the lowest */
};

enum lentry_kind {
	LENTRY_ABSENT,
	LENTRY_WHITEOUT,
	LENTRY_PRESENT,
};

struct lentry {
	enum lentry_kind kind;
	struct statx stx;	   /* stx_mode 0: nothing of that name is there, a ".wh." name may be */
	bool opaque;		   /* directories: hides what is below */
	bool xwhiteouts;	   /* directories: whiteouts may have attribute form here */
	bool metacopy;		   /* files, where asked for: the data is in a layer below */
	char redirect[META_REDIRECT_MAX + 1]; /* directories, and files with metacopy: "" none */
	struct meta_record record; /* where asked for */
};

enum {
	LOOK_RECORD = 1 << 0,	  /* read our own record too */
	LOOK_XWHITEOUTS = 1 << 1, /* the directory has xwhiteouts */
	LOOK_STAT_ONLY = 1 << 2,  /* type and whiteout only: redirect and opaque are not read */
	LOOK_METACOPY = 1 << 3,	  /* files: where is the data? */
};

/* Takes the descriptor when it succeeds. lowest: nothing is below it. */
int layer_init(struct layer *l, struct io_engine *io, int fd, bool userxattr, bool lowest);
void layer_done(struct layer *l);

/* What name is in the directory. A whiteout and absence are results. */
int layer_look(const struct layer *l, int dirfd, const char *name, unsigned int flags, struct lentry *ret);
/* Completes what LOOK_STAT_ONLY left out for a directory. Apart, since a directory of our own mount must not be asked. */
int layer_look_attrs(const struct layer *l, int dirfd, const char *name, unsigned int flags, struct lentry *ret);
/* A directory given by its descriptor. */
int layer_look_dir(const struct layer *l, int fd, unsigned int flags, struct lentry *ret);

/*
 * Is the data of a regular file in a layer below? 1 yes: redirect says where, "" is under the same name; 0 no, it is here.
 * -EIO: the attribute makes no sense.
 */
int layer_look_metacopy(const struct layer *l, int fd, const char *name, char redirect[static META_REDIRECT_MAX + 1]);

/* A name that says something of another one in this layer, and is none itself. */
bool layer_hides_name(const struct layer *l, const char *name);
/* One that must not be made in it, since it would be found as such: in any case, for the file system may be one that minds none. */
bool layer_reserves_name(const struct layer *l, const char *name);

static inline bool statx_is_whiteout(const struct statx *stx)
{
	return S_ISCHR(stx->stx_mode) && stx->stx_rdev_major == 0 && stx->stx_rdev_minor == 0;
}

static inline dev_t statx_dev(const struct statx *stx)
{
	return makedev(stx->stx_dev_major, stx->stx_dev_minor); /* as stat(2) has it: others give us such numbers */
}

/* What every statx here asks for. */
#define LAYER_STATX_MASK (STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID)
