#pragma once

/* Descriptors of directories in use: bounded, shared, closed when nobody has needed them for longest. */

#include "overlay/tree.h"

int dircache_init(struct overlay *ov, unsigned int max);
void dircache_done(struct overlay *ov);
unsigned int dircache_count(struct overlay *ov);

/* The directory's descriptor (O_PATH) in one layer. -ESTALE when it is no longer where it was. */
int dirfd_get(struct overlay *ov, struct node *dir, uint16_t layer, struct dirfd **ret);
void dirfd_put(struct overlay *ov, struct dirfd *d);
/* A directory is gone: closes what is kept of it. */
void dirfd_drop(struct overlay *ov, struct node *dir);
/* Closes everything nobody uses. For when descriptors run out. */
void dircache_shrink(struct overlay *ov);

struct dirfd_scope {
	struct overlay *ov;
	struct dirfd *d;
};
static inline void dirfd_scope_done(struct dirfd_scope *s)
{
	if (s->d)
		dirfd_put(s->ov, s->d);
}
#define DIRFD(var, ov_) _cleanup_(dirfd_scope_done) struct dirfd_scope var = { .ov = (ov_) }
