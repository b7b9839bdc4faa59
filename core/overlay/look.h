#pragma once

/* What a name means in the merged tree. */

#include "overlay/judge.h"

struct found {
	bool exists;
	bool hidden;	     /* by the policy; nothing else is known, but layer where only what it is has told */
	char spelled[NAME_BYTES]; /* the name that it was found under, if that differs by case; "" */
	uint64_t moved;	     /* by when it was looked for, see moving.h */
	struct judgement j;  /* what the policy says of the name; judged(&j, stx.stx_mode) of what was found */
	bool upper_whiteout; /* the upper has a whiteout of that name */
	bool masked;	     /* an empty directory that cannot be changed */
	uint16_t layer;
	uint64_t ino; /* to be shown, the node's key */
	dev_t dev;
	uint64_t real_ino;
	struct statx stx; /* corrected, see attr_fix() */
	struct meta_record record;
	bool whole;    /* not a file, or one whose data is known to be beside its attributes */
	bool alone;    /* of a lower object with several links, and nothing can keep them together once one is copied up */
	bool metacopy; /* a file that is said to have its data in a layer below */
	char index_name[META_INDEX_NAME_MAX]; /* "": not in the index */
	char redirect[META_REDIRECT_MAX + 1]; /* of a directory, in the upper; "": none */
	size_t n_places;
	struct place places[MAX_LAYERS]; /* directories; the paths are found's until node_get() */
};

/* Fills everything but places[n_places...]. found_done() also after failure. */
int look(struct overlay *ov, struct node *dir, const char *name, struct found *ret);
void found_done(struct found *f);
/*
 * A rule for directories can hide one of a name that a file may have. In the layer where that would be made, it is in the way.
 */
static inline bool look_in_the_way(const struct found *f, uint16_t layer)
{
	return f->hidden && f->layer == layer;
}
#define FOUND(var) _cleanup_(found_done) struct found var; var.n_places = 0; var.j.state = NULL

/* The same, in a view that finds names in any case too, under this very name only. */
int look_exact(struct overlay *ov, struct node *dir, const char *name, struct found *ret);

/* look() and node_get() in one, repeated while things move. 1 found, 0 absent. The node is referenced. */
int look_node(struct overlay *ov, struct node *dir, const char *name, struct found *f, struct node **ret);
int look_node_exact(struct overlay *ov, struct node *dir, const char *name, struct found *f, struct node **ret);
/* True when something of that name is below the upper: removing it needs a whiteout. */
int look_below(struct overlay *ov, struct node *dir, const char *name, bool *ret);
/* The same of the lowers below one of them. */
int look_below_layer(struct overlay *ov, struct node *dir, const char *name, uint16_t layer, bool *ret);
/*
 * The data of a file that a layer has without: it is searched in the layers below that one, under the name or where the
 * redirect says ("": none), and on from there while files say that it is further down. n_places 1: found, with the place. exists:
 * a file was found; layer, dev, real_ino, stx and the record's ino, fsid and time of birth are of the first one. dir is not looked at for a path.
 */
int look_data(struct overlay *ov, struct node *dir, const char *name, uint16_t above, const char *redirect, struct found *ret);
/* A number for what has none, or none that may be shown. */
uint64_t look_name_ino(const struct node *dir, const char *name);
/* The same of a file that is made up. Its copy in the upper keeps the number: it has a record of this file system, which is none. */
#define LOOK_MADE_FSID UINT64_C(0x6d61646520757021)
uint64_t look_made_ino(struct overlay *ov, const struct node *dir, const char *name);
/* Of a directory: would its count of links tell of directories that do not show? */
bool look_is_secretive(const struct found *f);
/*
 * A listed name, looked up for whoever lists: 1 found, with a count on it; 0 absent, or not to be found (gate_shuts()), or to be looked up
 * by whoever wants to know of it, since that is recorded.
 */
int look_entry(struct overlay *ov, struct node *dir, const char *name, struct entry *ret);
int look_check_name(const char *name);
