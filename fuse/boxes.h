#pragma once

/*
 * A sandbox, found for the commands that take one: by its name; by the mount point where it is, or was last; or by a beginning of its name
 * that no other has, since the names of some end with something random.
 */

struct io_engine;
struct problem;
struct sandbox;
struct store;

struct box {
	struct io_engine *io;
	struct store *store;
	struct sandbox *sandbox;
};

/* -ENOENT: there is none; -ENOTUNIQ: several begin so. Zeroed before; box_done() also after a failure. */
int box_open(struct box *b, const char *what, struct problem *p);
void box_done(struct box *b);
