/* See caller.h. The thread sleeps in the system call, which /proc shows, and its arguments are where it has put them. */

#include "fuse/caller.h"

#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/fold.h"

/* The beginning of a file in the thread's directory, as text. */
static bool read_proc(pid_t tid, const char *name, char *buf, size_t size)
{
	char path[40];
	_cleanup_close_ int fd = -EBADF;
	ssize_t n;

	(void) snprintf(path, sizeof(path), "/proc/%d/%s", (int) tid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd >= 0 ? read(fd, buf, size - 1) : -1;
	if (n <= 0)
		return false;
	buf[n] = '\0';
	return true;
}

pid_t caller_process(pid_t tid)
{
	char status[512]; /* the name of the program, of which the kernel escapes line ends, and two lines come before it */
	const char *line = NULL;

	if (tid > 0 && read_proc(tid, "status", status, sizeof(status)))
		line = strstr(status, "\nTgid:\t");
	return line ? (pid_t) atoi(line + strlen("\nTgid:\t")) : tid;
}

bool caller_comm(pid_t pid, char ret[static CALLER_COMM_BYTES])
{
	size_t len;

	if (pid <= 0 || !read_proc(pid, "comm", ret, CALLER_COMM_BYTES))
		return false;
	len = strlen(ret);
	if (len > 0 && ret[len - 1] == '\n')
		ret[len - 1] = '\0';
	return true;
}

/* The addresses of the two paths of a rename. */
static bool find_rename(pid_t tid, uint64_t *ret_old, uint64_t *ret_new)
{
	unsigned long long arg[4];
	char text[256];
	long nr;

	if (!read_proc(tid, "syscall", text, sizeof(text)))
		return false;
	if (sscanf(text, "%ld %llx %llx %llx %llx", &nr, &arg[0], &arg[1], &arg[2], &arg[3]) != 5)
		return false; /* "running", or in no call */
#ifdef SYS_rename
	if (nr == SYS_rename) {
		*ret_old = arg[0];
		*ret_new = arg[1];
		return true;
	}
#endif
	*ret_old = arg[1];
	*ret_new = arg[3];
	return nr == SYS_renameat2
#ifdef SYS_renameat
	       || nr == SYS_renameat
#endif
		;
}

/* A page at a time: what is beyond the string may not be there. */
static bool read_string(pid_t tid, uint64_t address, char ret[static PATH_MAX])
{
	size_t page = (size_t) sysconf(_SC_PAGESIZE), done = 0;

	while (done < PATH_MAX) {
		size_t want = MIN(page - (address + done) % page, PATH_MAX - done);
		struct iovec to = { ret + done, want }, from = { (void *) (uintptr_t) (address + done), want };
		ssize_t n = process_vm_readv(tid, &to, 1, &from, 1, 0);

		if (n <= 0)
			return false;
		if (memchr(ret + done, '\0', (size_t) n))
			return true;
		done += (size_t) n;
	}
	return false;
}

static const char *last_component(char *path)
{
	size_t len = strlen(path);
	const char *slash;

	while (len > 1 && path[len - 1] == '/')
		path[--len] = '\0';
	slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

static bool differ_by_case(const char *a, const char *b)
{
	char x[FOLD_SIZE(NAME_MAX)], y[FOLD_SIZE(NAME_MAX)];
	size_t n = fold_name(a, strlen(a), x, sizeof(x)), m = fold_name(b, strlen(b), y, sizeof(y));

	return n > 0 && n == m && memcmp(x, y, n) == 0 && strcmp(a, b) != 0;
}

bool caller_changes_case(pid_t tid, const char *name)
{
	char old_path[PATH_MAX], new_path[PATH_MAX];
	uint64_t old_address, new_address;

	return tid > 0 && find_rename(tid, &old_address, &new_address) && read_string(tid, old_address, old_path) &&
	       read_string(tid, new_address, new_path) && strcmp(last_component(new_path), name) == 0 &&
	       differ_by_case(last_component(old_path), name);
}
