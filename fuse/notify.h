#pragma once

/*
 * What we tell the kernel unasked: that something it remembers is no longer so. For use by an op, before its reply, on a
 * node that its request holds; the kernel then waits for nobody.
 */

#include <stdint.h>

struct transport;

/* The attributes of a node changed in a way that the kernel does not expect. -ENOENT: it does not know the node. */
int notify_attr(struct transport *t, uint64_t nodeid);
