#pragma once

/*
 * The log of a sandbox, from the side that reads it: log.1 and log as one, from the oldest record on, while somebody may be writing. The
 * directory belongs to the user, and so does what is in it; what is no record is skipped and counted.
 *
 * Thread rule: a reader belongs to one thread at a time.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "base/macro.h"

struct log_reader;

enum log_kind {
	LOG_ACCESS,
	LOG_LOST,    /* count events came too fast */
	LOG_STOPPED, /* count events could not be written, for the reason in error */
	LOG_ROTATED, /* count events are older than the others: they were in files that are gone, all of them so far */
};

/* Strings are the reader's, and NULL where there is none, but for op, path and verdict of an access: those are always there. */
struct log_record {
	enum log_kind kind;
	struct timespec when, until; /* the first event and the last that this stands for */
	uint64_t count;
	pid_t pid;
	uid_t uid;
	const char *exe, *comm, *op, *path, *path2, *verdict;
	int error;		/* positive errno; 0: none, or one that has no number here */
	const char *error_name; /* as in the file */
	const char *rule_source, *rule_text;
	unsigned int rule_line;
	bool is_dir;	  /* path is known to be that of a directory */
	bool cut;	  /* a string is not all there */
	const char *line; /* the record as it stands in the file, len bytes, without line end; not terminated */
	size_t len;
};

/* dirfd: a sandbox's directory; a copy is kept. A sandbox without a log has one that is empty. */
int log_reader_new(int dirfd, struct log_reader **ret);
struct log_reader *log_reader_free(struct log_reader *r);
DEFINE_CLEANUP(struct log_reader *, log_reader_free)

/*
 * 1: *ret is the next record, valid until the next call; 0: there is none yet. Negative: a file that cannot be opened or read; -EBADMSG:
 * it is no regular file.
 */
int log_reader_next(struct log_reader *r, const struct log_record **ret);
/*
 * Waits, after a 0, until there may be more. 1: look again; 0: timeout_ms have passed; negative timeout: none. -ESTALE: the sandbox was
 * removed, there will be no more.
 */
int log_reader_wait(struct log_reader *r, int timeout_ms);
/* Lines so far that were no records. */
uint64_t log_reader_n_damaged(const struct log_reader *r);
