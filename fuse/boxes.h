#pragma once

/* A sandbox, found by its name, for the commands that take one. */

struct io_engine;
struct problem;
struct sandbox;
struct store;

struct box {
	struct io_engine *io;
	struct store *store;
	struct sandbox *sandbox;
};

/* -ENOENT: there is none of that name, or it is no name for any. Zeroed before; box_done() also after a failure. */
int box_open(struct box *b, const char *name, struct problem *p);
void box_done(struct box *b);
