/*
 * The file of a log. Only the holder of the sandbox's lock writes it, but anybody may read it at any time, and its owner may remove,
 * move or empty it: so before each write it is looked at again. What a failed write has left is taken back; if that fails too, or there
 * was a crash, the file ends within a line, and what follows begins on a new one. Readers skip the half.
 */

#include "store/logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "store/log.h"

static int open_again(struct log_file *f, int flags)
{
	_cleanup_close_ int fd = -EBADF;
	struct stat st;
	char last;

	/* O_NONBLOCK is for what is no file: opening that must not wait. */
	fd = openat(f->dir_fd, LOG_NAME, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | flags, 0600);
	if (fd < 0)
		return errno == EISDIR || errno == ENXIO ? -EBADMSG : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EBADMSG;
	if ((st.st_mode & 077) && fchmod(fd, 0600) < 0)
		return -errno;
	/* What a crash left is half a line: the next one does not belong to it. */
	f->torn = st.st_size > 0 && (pread(fd, &last, 1, st.st_size - 1) != 1 || last != '\n');
	f->size = (uint64_t) st.st_size;
	f->fd = fd_close(f->fd);
	f->fd = steal_fd(&fd);
	return 0;
}

int log_file_open(struct log_file *f, int dirfd, size_t max_bytes)
{
	f->max_bytes = max_bytes;
	f->dir_fd = fcntl(dirfd, F_DUPFD_CLOEXEC, 0);
	if (f->dir_fd < 0)
		return -errno;
	return open_again(f, 0);
}

void log_file_done(struct log_file *f)
{
	f->fd = fd_close(f->fd);
	f->dir_fd = fd_close(f->dir_fd);
}

int log_file_rotate(struct log_file *f)
{
	if (renameat(f->dir_fd, LOG_NAME, f->dir_fd, LOG_OLD_NAME) < 0 && errno != ENOENT)
		return -errno;
	f->fd = fd_close(f->fd);
	return open_again(f, O_EXCL);
}

/* Makes sure that fd is what has the name. */
static int check(struct log_file *f)
{
	struct stat st, named;

	if (f->fd < 0 || fstatat(f->dir_fd, LOG_NAME, &named, AT_SYMLINK_NOFOLLOW) < 0)
		return open_again(f, 0);
	if (fstat(f->fd, &st) < 0)
		return -errno;
	if (st.st_ino != named.st_ino || st.st_dev != named.st_dev)
		return open_again(f, 0);
	f->size = (uint64_t) st.st_size;
	return 0;
}

static int write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			return -EIO;
		if (n > 0) { /* short: there is a reason, which the next one tells */
			data += n;
			len -= (size_t) n;
		}
	}
	return 0;
}

int log_file_append(struct log_file *f, const char *lines, size_t len)
{
	int r = check(f);

	if (r < 0)
		return r;
	if (f->torn) {
		r = write_all(f->fd, "\n", 1);
		if (r < 0)
			return r;
		f->torn = false;
		f->size++;
	}
	r = write_all(f->fd, lines, len);
	if (r < 0) {
		f->torn = ftruncate(f->fd, (off_t) f->size) < 0;
		return r;
	}
	f->size += len;
	return 0;
}
