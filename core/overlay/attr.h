#pragma once

/* Attributes as the view shows them. */

#include "overlay/tree.h"

/* Corrects what a layer said of an object: number, links, owner, time of birth, device. Fails when the index cannot be read. */
struct attr_facts {
	uint64_t ino;
	bool direct;			  /* changed in the lower itself */
	size_t n_places;
	bool masked;
	bool metacopy;			  /* its data is elsewhere */
	bool secretive;			  /* a directory in which names can be hidden */
	uint64_t data_blocks;		  /* and takes so many blocks; 0: that is not known */
	const struct meta_record *record; /* NULL: none */
	const char *index_name;		  /* NULL or "": none */
};
int attr_fix(struct overlay *ov, const struct attr_facts *facts, struct statx *stx);
/*
 * A file that is changed in the lower itself shows a number of its own: a hard link of it under other rules has another content from
 * its first change on, and whoever copies a tree takes two names of one number for one file.
 */
static inline uint64_t attr_direct_ino(uint64_t ino)
{
	return ino ^ UINT64_C(1) << 63; /* no tag of inomap.c has that bit */
}
/* Last of all that is done with what is to be shown: the times, no finer than the view's. */
void attr_round(const struct overlay *ov, struct statx *stx);
/* What is asked of a node, corrected. */
int attr_get(struct overlay *ov, struct node *n, struct statx *ret);
/* A copy-up has left an object in the upper with these times: ctime is shown as it was, until something changes. */
int attr_hide_ctime(struct overlay *ov, struct node *n, const struct statx *left, struct statx_timestamp shown);
/* The object is about to change: its ctime is its own again. */
void attr_own_ctime(struct overlay *ov, struct node *n);
/* The ctime that is shown, given what the upper has. */
struct statx_timestamp attr_ctime(struct overlay *ov, struct node *n, const struct statx *stx);
/* Stores how many links the view shows of an object in the index, beside the n_upper that its inode will have. */
int attr_set_links(struct overlay *ov, int fd, const char *name, uint32_t n_shown, uint32_t n_upper);
/* The same for one that is in the index, beside the names that it has in the upper now. */
int attr_set_links_now(struct overlay *ov, const char *index_name, uint32_t n_shown);
