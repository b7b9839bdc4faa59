#pragma once

/* The log of a sandbox, found by the sandbox's name, for the commands that read it. */

#include <stdbool.h>

#include "fuse/boxes.h"

struct log_reader;
struct log_record;
struct problem;

struct logbook {
	const char *name; /* borrowed */
	struct box box;
	struct log_reader *reader;
};

/*
 * Opens it. If the sandbox is in use, what was done before this call will be read: the daemon is given the time that it takes to
 * write. Zeroed before; logbook_done() also after a failure.
 */
int logbook_open(struct logbook *b, const char *name, struct problem *p);
void logbook_done(struct logbook *b);

/* 1: *ret is the next record, valid until the next call; 0: that was the last. */
int logbook_next(struct logbook *b, const struct log_record **ret, struct problem *p);
/* Says on stderr if lines had to be skipped. */
void logbook_tell_damage(const struct logbook *b);
