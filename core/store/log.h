#pragma once

/*
 * The log of a sandbox, from the side that writes it: what was refused, and what else the policy wants recorded.
 *
 * log_add() copies the event and returns; a thread of the log's own does the rest. Equal events within a second become one record
 * with a count. What cannot be kept up with, and what a full disk has no room for, is counted, and a record of it follows: the counts
 * of all records add up to the events that were added.
 *
 *   NAME/log       JSON, a line each; appended to by whoever holds the sandbox's lock
 *   NAME/log.1     what was there before the log had reached its size
 *
 *   {"time": "2024-05-01T12:03:41.250000Z", "pid": 4711, "uid": 1000, "exe": "/usr/bin/python3.11", "op": "read",
 *    "path": "/home/u/.ssh/id_rsa", "verdict": "hide", "error": "ENOENT",
 *    "rule": {"line": 12, "source": "<defaults>", "text": "~/.ssh"}, "count": 3, "until": "2024-05-01T12:03:42.100000Z"}
 *   {"time": …, "lost": 1200, "from": …, "to": …}                           came faster than they could be written
 *   {"time": …, "stopped": 37, "error": "ENOSPC", "from": …, "to": …}       could not be written at all
 *   {"time": …, "rotated": 91000, "from": …, "to": …}                       were in the files that log.1 has taken the place of
 *
 * "exe", "path2", "error" and "rule" are left out where there is none, "count" and "until" where it is one event. Without "exe" there is
 * "comm", if that is known: what the program calls itself. "dir": true says that path is a directory, "cut": true that a text was too
 * long. Strings that are not UTF-8 are written as {"bytes": "2f6d6e74ff"}. An error without a name is a number.
 *
 * Thread rule: log_add(), log_flush() and log_get_status() from any thread, until log_close(). After a fork() the log is the parent's.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "base/macro.h"

struct log;

#define LOG_NAME "log"
#define LOG_OLD_NAME "log.1"
#define LOG_MAX_BYTES (16u << 20)
#define LOG_RING_BYTES (1u << 20)
/* An event is in the file this long after it was added; repetitions of it, within a second. */
#define LOG_DELAY_MS 25

/* Texts are cut at these lengths, in bytes, and "…" appended. */
#define LOG_PATH_MAX 4096
#define LOG_TEXT_MAX 1024

/* Strings are borrowed for the call. */
struct log_event {
	struct timespec when; /* CLOCK_REALTIME; zero: now */
	pid_t pid;
	uid_t uid;
	const char *exe;      /* NULL: not known */
	const char *comm;     /* what the program calls itself, to be used where exe is not known; else NULL */
	const char *op;	      /* "read", "write", "create", "look", "list", "exec", "remove", "rename", "link", "attr" … */
	const char *path;     /* absolute, in the view */
	const char *path2;    /* rename, link: where to; else NULL */
	bool is_dir;	      /* path is that of a directory */
	bool cut;	      /* a path is not all there: it was too long */
	const char *verdict;  /* "hide", "deny", "ro", "cow", "rw", "noexec" … */
	int error;	      /* a refusal: positive errno; 0: it was allowed */
	const char *rule_source; /* NULL: no rule decided */
	unsigned int rule_line;
	const char *rule_text;
};

/* Zero means default. */
struct log_config {
	size_t max_bytes;	 /* of one file */
	unsigned int ring_bytes; /* how much can wait for the writer; twice that is taken. At least what one event may need */
};

/* How many events: added is the sum of the other three and of those under way. */
struct log_status {
	uint64_t added;
	uint64_t written;
	uint64_t lost;	  /* there was no room for them to wait */
	uint64_t dropped; /* came while the log was stopped */
	int stopped;	  /* 0, or the negative errno that keeps the log from being written; it is tried again every few seconds */
};

/*
 * Opens, or makes, the log in a directory, of which a descriptor of our own is kept, and starts the writer. No link is followed.
 * Signals are none of its thread's business. -ENOMEM, -EAGAIN: no thread; whatever open(2) says: a log that cannot be written from the
 * start is an error, later it is a status. -EBADMSG: "log" is no regular file; -ELOOP: it is a link. config may be NULL.
 */
int log_open(int dirfd, const struct log_config *config, struct log **ret);
/* Writes what is left and ends the writer. */
struct log *log_close(struct log *l);
DEFINE_CLEANUP(struct log *, log_close)

/* Never waits for the disk, never fails. NULL for l: nothing. */
void log_add(struct log *l, const struct log_event *e);
/*
 * Waits until everything that was added before is in the file, counts included, or given up. 0, or the negative errno that has stopped
 * the log. Tries again first if it was stopped.
 */
int log_flush(struct log *l);
void log_get_status(struct log *l, struct log_status *ret);
