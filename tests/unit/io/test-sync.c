/* The engine of plain system calls: every kind of op does what io.h says, on names, on descriptors, and on O_PATH ones. */

#include "fixture.h"

#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#define XATTR "user.test"

static int64_t one(struct fixture *f, struct io_op op)
{
	return io_one(f->sync, op);
}

static int opened(struct fixture *f, const char *name, int flags)
{
	int fd = io_open(f->sync, f->fd, name, flags, 0, NULL);

	assert_true(fd >= 0);
	return fd;
}

static void test_open(void **state)
{
	struct fixture *f = *state;
	struct statx stx;
	int fd, again;

	fd = io_open(f->sync, f->fd, "new", O_RDWR | O_CREAT | O_EXCL, 0640, NULL);
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(io_statx(f->sync, fd, NULL, STATX_MODE, &stx), 0);
	assert_int_equal(stx.stx_mode, S_IFREG | 0640);
	assert_int_equal(io_open(f->sync, f->fd, "new", O_RDWR | O_CREAT | O_EXCL, 0640, NULL), -EEXIST);
	(void) close(fd);

	fd = opened(f, "new", O_PATH);
	again = io_open(f->sync, fd, NULL, O_RDWR, 0, NULL);
	assert_true(again >= 0);
	assert_int_equal(io_write(f->sync, again, "x", 1, 0), 1);
	(void) close(again);
	(void) close(fd);
	assert_int_equal(io_open(f->sync, f->fd, "absent", O_RDONLY, 0, NULL), -ENOENT);
	assert_int_equal(one(f, (struct io_op) { .kind = IO_CLOSE, .fd = opened(f, "new", O_RDONLY) }), 0);
}

static void test_open_follows_nothing(void **state)
{
	struct fixture *f = *state;
	int fd;

	layer_file(f, "d/file", "x");
	layer_symlink(f, "d", "to-dir");
	layer_symlink(f, "d/file", "to-file");
	assert_int_equal(io_open(f->sync, f->fd, "to-file", O_RDONLY, 0, NULL), -ELOOP);
	assert_int_equal(io_open(f->sync, f->fd, "to-dir", O_RDONLY | O_DIRECTORY, 0, NULL), -ENOTDIR);
	assert_int_equal(one(f, (struct io_op) { .kind = IO_OPEN_BENEATH, .fd = f->fd, .name = "to-dir/file", .flags = O_PATH }), -ELOOP);
	assert_int_equal(one(f, (struct io_op) { .kind = IO_OPEN_BENEATH, .fd = f->fd, .name = "d/../../x", .flags = O_PATH }), -EXDEV);
	assert_int_equal(one(f, (struct io_op) { .kind = IO_OPEN_BENEATH, .fd = f->fd, .name = "/etc", .flags = O_PATH }), -EXDEV);
	fd = (int) one(f, (struct io_op) { .kind = IO_OPEN_BENEATH, .fd = f->fd, .name = "d/file", .flags = O_PATH });
	assert_true(fd >= 0);
	(void) close(fd);
}

static void test_directories_reopen(void **state)
{
	struct fixture *f = *state;
	_Alignas(8) char buf[4096];
	int path, fd;

	layer_file(f, "d/file", "x");
	path = opened(f, "d", O_PATH | O_DIRECTORY);
	fd = io_open(f->sync, path, NULL, O_RDONLY | O_DIRECTORY, 0, NULL);
	assert_true(fd >= 0);
	assert_true(one(f, (struct io_op) { .kind = IO_GETDENTS, .fd = fd, .buf = buf, .len = sizeof(buf) }) > 0);
	assert_int_equal(one(f, (struct io_op) { .kind = IO_GETDENTS, .fd = fd, .buf = buf, .len = sizeof(buf) }), 0);
	assert_int_equal(io_fsync(f->sync, fd, false), 0);
	assert_int_equal(one(f, (struct io_op) { .kind = IO_SYNCFS, .fd = fd }), 0);
	(void) close(fd);
	(void) close(path);
}

static void test_data(void **state)
{
	struct fixture *f = *state;
	int fd = io_open(f->sync, f->fd, "a", O_RDWR | O_CREAT, 0600, NULL), fd2;
	struct statx stx;
	char buf[16] = "";

	assert_int_equal(io_write(f->sync, fd, "hello", 5, 100000), 5);
	assert_int_equal(io_read(f->sync, fd, buf, sizeof(buf), 100000), 5);
	assert_memory_equal(buf, "hello", 5);
	assert_int_equal(io_read(f->sync, fd, buf, sizeof(buf), 200000), 0);
	assert_in_range(io_seek(f->sync, fd, 0, SEEK_DATA), 4096, 100000);
	assert_int_equal(io_seek(f->sync, fd, 0, SEEK_HOLE), 0);
	assert_int_equal(io_seek(f->sync, fd, 200000, SEEK_DATA), -ENXIO);
	assert_int_equal(io_truncate(f->sync, fd, 5), 0);
	assert_int_equal(one(f, (struct io_op) { .kind = IO_FALLOCATE, .fd = fd, .off = 0, .len = 10 }), 0);
	assert_int_equal(io_statx(f->sync, fd, NULL, STATX_SIZE, &stx), 0);
	assert_int_equal(stx.stx_size, 10);
	assert_int_equal(io_write(f->sync, fd, "0123456789", 10, 0), 10);
	fd2 = io_open(f->sync, f->fd, "b", O_RDWR | O_CREAT, 0600, NULL);
	assert_int_equal(one(f, (struct io_op) { .kind = IO_COPY_RANGE, .fd = fd, .fd2 = fd2, .off = 2, .off2 = 1, .len = 4 }), 4);
	assert_int_equal(io_read(f->sync, fd2, buf, sizeof(buf), 0), 5);
	assert_memory_equal(buf, "\0" "2345", 5);
	if (one(f, (struct io_op) { .kind = IO_CLONE, .fd = fd, .fd2 = fd2 }) == 0) {
		assert_int_equal(io_read(f->sync, fd2, buf, sizeof(buf), 0), 10);
		assert_memory_equal(buf, "0123456789", 10);
	}
	assert_int_equal(io_fsync(f->sync, fd, false), 0);
	assert_int_equal(io_fsync(f->sync, fd, true), 0);
	assert_int_equal(one(f, (struct io_op) { .kind = IO_WRITE, .fd = fd, .cbuf = "ab", .len = 2, .flags = RWF_APPEND }), 2);
	assert_int_equal(io_read(f->sync, fd, buf, sizeof(buf), 9), 3);
	assert_memory_equal(buf, "9ab", 3);
	assert_int_equal(io_write(f->sync, -EBADF, "x", 1, 0), -EBADF);
	(void) close(fd);
	(void) close(fd2);
}

static void test_names(void **state)
{
	struct fixture *f = *state;
	char target[16] = "";
	int fd;

	assert_int_equal(io_mkdir(f->sync, f->fd, "d", 0751, NULL), 0);
	assert_int_equal(layer_stat(f, "d").stx_mode, S_IFDIR | 0751);
	assert_int_equal(io_mkdir(f->sync, f->fd, "d", 0751, NULL), -EEXIST);
	assert_int_equal(io_mknod(f->sync, f->fd, "fifo", S_IFIFO | 0622, 0, NULL), 0);
	assert_int_equal(layer_stat(f, "fifo").stx_mode, S_IFIFO | 0622);
	assert_int_equal(io_mknod(f->sync, f->fd, "whiteout", S_IFCHR, 0, NULL), 0);
	assert_true(layer_is_whiteout(f, "whiteout"));
	assert_int_equal(io_symlink(f->sync, "target", f->fd, "s", NULL), 0);
	assert_int_equal(io_readlink(f->sync, f->fd, "s", target, sizeof(target)), 6);
	assert_string_equal(target, "target");
	fd = opened(f, "s", O_PATH);
	assert_int_equal(io_readlink(f->sync, fd, NULL, target, 3), 3);
	(void) close(fd);

	assert_int_equal(io_link(f->sync, f->fd, "fifo", f->fd, "fifo2"), 0);
	fd = opened(f, "fifo", O_PATH);
	assert_int_equal(io_link(f->sync, fd, NULL, f->fd, "fifo3"), 0);
	(void) close(fd);
	assert_int_equal(layer_stat(f, "fifo3").stx_nlink, 3);
	assert_int_equal(io_link(f->sync, f->fd, "s", f->fd, "s2"), 0); /* the link itself */
	assert_int_equal(layer_stat(f, "s2").stx_mode & S_IFMT, S_IFLNK);

	assert_int_equal(io_rename(f->sync, f->fd, "fifo", f->fd, "s", RENAME_NOREPLACE), -EEXIST);
	assert_int_equal(io_rename(f->sync, f->fd, "fifo", f->fd, "s", RENAME_EXCHANGE), 0);
	assert_int_equal(layer_stat(f, "s").stx_mode & S_IFMT, S_IFIFO);
	assert_int_equal(io_unlink(f->sync, f->fd, "d", 0), -EISDIR);
	assert_int_equal(io_unlink(f->sync, f->fd, "s", AT_REMOVEDIR), -ENOTDIR);
	assert_int_equal(io_unlink(f->sync, f->fd, "d", AT_REMOVEDIR), 0);
	assert_int_equal(io_unlink(f->sync, f->fd, "s", 0), 0);
	assert_false(layer_exists(f, "d"));
}

static void test_attributes(void **state)
{
	struct fixture *f = *state;
	const struct timespec times[2] = { { 1, 2 }, { 3, 4 } };
	int fd, path;

	layer_file(f, "a", "x");
	layer_symlink(f, "a", "s");
	path = opened(f, "a", O_PATH);
	fd = opened(f, "a", O_RDONLY);
	assert_int_equal(io_chmod(f->sync, f->fd, "a", 04711), 0);
	assert_int_equal(layer_stat(f, "a").stx_mode & 07777, 04711);
	assert_int_equal(io_chmod(f->sync, fd, NULL, 0600), 0);
	assert_int_equal(layer_stat(f, "a").stx_mode & 07777, 0600);
	assert_int_equal(io_chmod(f->sync, path, NULL, 0640), 0);
	assert_int_equal(layer_stat(f, "a").stx_mode & 07777, 0640);
	assert_int_equal(io_chmod(f->sync, f->fd, "s", 0600), -EOPNOTSUPP);
	assert_int_equal(io_chown(f->sync, f->fd, "a", (uid_t) -1, (gid_t) -1), 0);
	assert_int_equal(io_chown(f->sync, path, NULL, geteuid(), getegid()), 0);
	assert_int_equal(io_chown(f->sync, f->fd, "s", geteuid(), (gid_t) -1), 0);
	assert_int_equal(io_utimens(f->sync, path, NULL, times), 0);
	assert_int_equal(layer_stat(f, "a").stx_mtime.tv_nsec, 4);
	assert_int_equal(io_utimens(f->sync, f->fd, "s", times), 0);
	assert_int_equal(layer_stat(f, "s").stx_mtime.tv_sec, 3);
	(void) close(fd);
	(void) close(path);
}

/* The same four calls on whatever the object is named by. */
static void check_xattrs(struct fixture *f, int fd, const char *name)
{
	char buf[256];

	assert_int_equal(io_getxattr(f->sync, fd, name, XATTR, buf, sizeof(buf)), -ENODATA);
	assert_int_equal(io_setxattr(f->sync, fd, name, XATTR, "abc", 3, XATTR_REPLACE), -ENODATA);
	assert_int_equal(io_setxattr(f->sync, fd, name, XATTR, "abc", 3, XATTR_CREATE), 0);
	assert_int_equal(io_setxattr(f->sync, fd, name, XATTR, "abc", 3, XATTR_CREATE), -EEXIST);
	assert_int_equal(io_getxattr(f->sync, fd, name, XATTR, NULL, 0), 3);
	assert_int_equal(io_getxattr(f->sync, fd, name, XATTR, buf, 2), -ERANGE);
	assert_int_equal(io_getxattr(f->sync, fd, name, XATTR, buf, sizeof(buf)), 3);
	assert_memory_equal(buf, "abc", 3);
	assert_true(io_listxattr(f->sync, fd, name, buf, sizeof(buf)) >= (ssize_t) sizeof(XATTR));
	assert_int_equal(io_removexattr(f->sync, fd, name, XATTR), 0);
	assert_int_equal(io_removexattr(f->sync, fd, name, XATTR), -ENODATA);
}

static void test_xattrs(void **state)
{
	struct fixture *f = *state;
	char name[256];
	int fd, path;

	layer_file(f, "a", "x");
	layer_symlink(f, "a", "s");
	path = opened(f, "a", O_PATH);
	fd = opened(f, "a", O_RDONLY);
	check_xattrs(f, f->fd, "a");
	check_xattrs(f, path, NULL);
	check_xattrs(f, fd, NULL);
	assert_int_equal(io_setxattr(f->sync, f->fd, "s", XATTR, "x", 1, 0), -EPERM); /* not followed: symlinks take none */
	(void) close(fd);
	(void) close(path);

	(void) memset(name, 'n', 255);
	name[255] = '\0';
	layer_file(f, name, "x");
	check_xattrs(f, f->fd, name);
}

static void test_file_system(void **state)
{
	struct fixture *f = *state;
	union {
		struct file_handle head;
		char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} fh = { .head.handle_bytes = MAX_HANDLE_SZ };
	uint8_t uuid[16];
	struct statfs sf;
	int64_t r;

	layer_file(f, "a", "x");
	assert_int_equal(one(f, (struct io_op) { .kind = IO_STATFS, .fd = f->fd, .buf = &sf }), 0);
	assert_true(sf.f_bsize > 0);
	r = one(f, (struct io_op) { .kind = IO_HANDLE, .fd = f->fd, .name = "a", .buf = &fh });
	assert_true(r == 0 || r == -EOPNOTSUPP);
	r = one(f, (struct io_op) { .kind = IO_UUID, .fd = f->fd, .buf = uuid });
	assert_true(r == 0 || r == -EOPNOTSUPP);
}

static void test_batch(void **state)
{
	struct fixture *f = *state;
	struct statx a, b;
	struct io_op ops[] = {
		{ .kind = IO_STATX, .fd = f->fd, .name = "upper", .mask = STATX_TYPE, .buf = &a },
		{ .kind = IO_STATX, .fd = f->fd, .name = "absent", .mask = STATX_TYPE, .buf = &b },
		{ .kind = IO_N_KINDS },
	};

	io_run(f->sync, ops, ARRAY_SIZE(ops));
	assert_int_equal(ops[0].res, 0);
	assert_true(S_ISDIR(a.stx_mode));
	assert_int_equal(ops[1].res, -ENOENT);
	assert_int_equal(ops[2].res, -ENOSYS);
	io_run(f->sync, NULL, 0);
}

/* Objects belong to whom they are made for, and inherit from their directory. Capabilities outlast the change of ids. */
static void test_owner(void **state)
{
	struct fixture *f = *state;
	const struct io_cred as = { .uid = 1234, .gid = 2345 };
	int fd;

	if (geteuid() != 0) {
		print_message("skipped: only root gives files away\n");
		skip();
	}
	layer_dir(f, "d");
	layer_mode(f, "d", 0700); /* not theirs to write to: whoever asked has checked that */
	fd = open(f->dir, O_PATH | O_CLOEXEC);
	(void) close(fd);
	fd = opened(f, "d", O_PATH | O_DIRECTORY);
	(void) close(io_open(f->sync, fd, "file", O_WRONLY | O_CREAT, 0644, &as));
	assert_int_equal(io_mkdir(f->sync, fd, "dir", 0755, &as), 0);
	assert_int_equal(io_mknod(f->sync, fd, "fifo", S_IFIFO | 0600, 0, &as), 0);
	assert_int_equal(io_symlink(f->sync, "x", fd, "link", &as), 0);
	for (const char *const *p = (const char *const[]) { "d/file", "d/dir", "d/fifo", "d/link", NULL }; *p; p++) {
		assert_int_equal(layer_stat(f, *p).stx_uid, 1234);
		assert_int_equal(layer_stat(f, *p).stx_gid, 2345);
	}
	assert_int_equal(chown(f->dir, 0, 0), 0);
	assert_int_equal(fchownat(f->fd, "d", 0, 77, 0), 0);
	layer_mode(f, "d", 02700);
	assert_int_equal(io_mkdir(f->sync, fd, "dir2", 0755, &as), 0);
	assert_int_equal(layer_stat(f, "d/dir2").stx_gid, 77);
	assert_int_equal(layer_stat(f, "d/dir2").stx_mode & 07777, 02755);
	assert_int_equal(io_mkdir(f->sync, fd, "dir", 0755, &as), -EEXIST);
	(void) close(fd);
	/* Nothing stuck to the thread. */
	layer_file(f, "mine", "");
	assert_int_equal(layer_stat(f, "mine").stx_uid, 0);
	assert_int_equal(layer_stat(f, "mine").stx_gid, 0);
}

static void test_owner_without_privilege(void **state)
{
	struct fixture *f = *state;
	const struct io_cred as = { .uid = geteuid() + 1, .gid = getegid() };

	if (geteuid() == 0) {
		print_message("skipped: root may give files away\n");
		skip();
	}
	assert_int_equal(io_mkdir(f->sync, f->fd, "d", 0755, &as), -EPERM);
	assert_false(layer_exists(f, "d"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_open),
		FIXTURE_TEST(test_open_follows_nothing),
		FIXTURE_TEST(test_directories_reopen),
		FIXTURE_TEST(test_data),
		FIXTURE_TEST(test_names),
		FIXTURE_TEST(test_attributes),
		FIXTURE_TEST(test_xattrs),
		FIXTURE_TEST(test_file_system),
		FIXTURE_TEST(test_batch),
		FIXTURE_TEST(test_owner),
		FIXTURE_TEST(test_owner_without_privilege),
	};

	return FIXTURE_RUN(tests);
}
