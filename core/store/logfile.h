#pragma once

/* The file of a log: lines are appended whole, and when it is full it makes way for a new one. One thread at a time. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct log_clock;

struct log_file {
	int dir_fd; /* owned */
	int fd;	    /* -EBADF: could not be opened; the next append tries */
	uint64_t size;
	size_t max_bytes;
	bool torn; /* ends within a line */
};

#define LOG_FILE_INIT { .dir_fd = -EBADF, .fd = -EBADF }

/* dirfd is borrowed. -EBADMSG: there is something of that name that is no regular file; -ELOOP: it is a link. */
int log_file_open(struct log_file *f, int dirfd, size_t max_bytes);
void log_file_done(struct log_file *f);

/* Appends whole lines. After an error, none of them is there. */
int log_file_append(struct log_file *f, const char *lines, size_t len);
/* The file makes way for a new one; when that is due is the caller's business. It may need LOG_SPAN_MAX bytes more. */
int log_file_rotate(struct log_file *f, struct log_clock *c);
