#pragma once

/* File descriptors as values with an owner. An unset descriptor is -EBADF, so that using it fails loudly. */

#include <errno.h>
#include <unistd.h>

#include "base/macro.h"

/* Closes and returns -EBADF, keeping errno: fd = fd_close(fd). Unset descriptors are fine. */
static inline int fd_close(int fd)
{
	if (fd >= 0) {
		int saved = errno;

		(void) close(fd); /* nothing useful can be done: Linux frees the number whatever close says */
		errno = saved;
	}
	return -EBADF;
}

static inline void fd_closep(int *fd)
{
	*fd = fd_close(*fd);
}
#define _cleanup_close_ _cleanup_(fd_closep)

static inline int steal_fd(int *fd)
{
	int v = *fd;

	*fd = -EBADF;
	return v;
}
