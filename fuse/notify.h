#pragma once

/* What we tell the kernel unasked: that something it remembers is no longer so. All return when the kernel has forgotten it. */

#include <stdint.h>

struct transport;

/*
 * The attributes of a node changed in a way that the kernel does not expect. -ENOENT: it does not know the node. May be used by an op
 * before its reply, on a node that its request holds: the kernel waits for nobody.
 */
int notify_attr(struct transport *t, uint64_t nodeid);

/*
 * The contents too, mapped pages included; and what a name in a directory leads to. The kernel may wait for requests that are
 * under way, so never from a thread that serves.
 */
int notify_content(struct transport *t, uint64_t nodeid);
int notify_name(struct transport *t, uint64_t dir, const char *name);
