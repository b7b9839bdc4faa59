#pragma once

/* Attributes as the view shows them. */

#include "overlay/tree.h"

/* Corrects what a layer said of an object: number, links, owner, time of birth, device. */
struct attr_facts {
	uint64_t ino;
	size_t n_places;
	bool masked;
	const struct meta_record *record; /* NULL: none */
	const char *index_name;		  /* NULL or "": none */
};
void attr_fix(struct overlay *ov, const struct attr_facts *facts, struct statx *stx);
/* What is asked of a node, corrected. */
int attr_get(struct overlay *ov, struct node *n, struct statx *ret);
/* Stores how many links the view shows of an object in the index, beside the n_upper that its inode will have. */
int attr_set_links(struct overlay *ov, int fd, const char *name, uint32_t n_shown, uint32_t n_upper);
