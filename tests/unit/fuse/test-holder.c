/* Beacons: what is one, and whose is believed. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "fuse/holder.h"
#include "fuse/mountinfo.h"

#define DEV makedev(4000, 7) /* no device has such a number */
#define USER 12345

static int light(void)
{
	char mount_point[] = "/a b";
	int fd = -EBADF;

	assert_int_equal(beacon_light(&(struct beacon) { .dev = DEV, .writable = true, .mount_point = mount_point }, &fd), 0);
	return fd;
}

static struct mount_entry mount_with(char *options)
{
	static char type[] = "fuse.other", empty[] = "";

	return (struct mount_entry) { .dev = DEV, .type = type, .mount_point = empty, .source = empty, .options = options };
}

static void test_own(void **state)
{
	char options[] = "rw,user_id=1,group_id=1";
	_cleanup_close_ int fd = light();
	_cleanup_(beacon_done) struct beacon b = { 0 };
	struct mount_entry e = mount_with(options), other = e;
	bool writable = false;

	assert_int_equal(beacon_read(getpid(), &b), 1);
	assert_int_equal(b.owner, geteuid());
	assert_true(b.dev == DEV && b.writable);
	assert_string_equal(b.mount_point, "/a b");
	assert_int_equal(beacon_find(&e, &writable), getpid());
	assert_true(writable && holder_is_view(&e));
	other.dev = makedev(4000, 8);
	assert_int_equal(beacon_find(&other, NULL), 0);
	assert_false(holder_is_view(&other));
	fd = fd_close(fd);
	assert_int_equal(beacon_find(&e, NULL), 0);
}

static void test_no_beacon(void **state)
{
	static const char *const texts[] = { "", "4000:7", "4000:7 rw", "4000:7 rw relative", "x:7 rw /", "4000 rw /" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_close_ int fd = memfd_create("osfuse-mount", MFD_CLOEXEC);
		struct beacon b;

		assert_true(fd >= 0);
		assert_int_equal(write(fd, texts[i], strlen(texts[i])), strlen(texts[i]));
		assert_int_equal(beacon_read(getpid(), &b), 0);
	}
}

/* A process may have a million descriptors: it is not looked through to the end. */
static void test_far_out(void **state)
{
	struct rlimit limit;
	struct beacon b;
	int first, last, fd;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_max < 3000)
		skip();
	first = last = open("/dev/null", O_RDONLY | O_CLOEXEC);
	while (last < 1100) /* as many as a daemon with all layers has */
		last = fcntl(first, F_DUPFD_CLOEXEC, 0);
	fd = light();
	assert_int_equal(beacon_read(getpid(), &b), 1);
	beacon_done(&b);
	(void) fd_close(fd);
	while (last < 2500)
		last = fcntl(first, F_DUPFD_CLOEXEC, 0);
	(void) light();
	assert_int_equal(beacon_read(getpid(), &b), 0);
	for (fd = first; fd <= last + 1; fd++)
		(void) fd_close(fd);
}

/* A process of another user that shows a beacon; 0: we cannot become one. */
static pid_t other_user(void)
{
	int fds[2];
	ssize_t n;
	pid_t pid;
	char c;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		(void) prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (setresuid(USER, USER, USER) < 0)
			_exit(1);
		(void) light();
		(void) prctl(PR_SET_DUMPABLE, 0); /* so that /proc shows it as root's */
		if (write(fds[1], "", 1) == 1)
			(void) pause();
		_exit(0);
	}
	(void) fd_close(fds[1]);
	n = read(fds[0], &c, 1);
	(void) fd_close(fds[0]);
	if (n == 1)
		return pid;
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return 0;
}

static void test_whose_is_believed(void **state)
{
	char roots[] = "rw,user_id=0,group_id=0", theirs[] = "rw,user_id=12345,group_id=0", others[] = "rw,user_id=12346", none[] = "rw";
	_cleanup_(beacon_done) struct beacon b = { 0 };
	struct mount_entry e = mount_with(theirs);
	pid_t pid;

	pid = geteuid() == 0 ? other_user() : 0;
	if (pid == 0)
		skip();
	assert_int_equal(beacon_read(pid, &b), 1);
	assert_int_equal(b.owner, USER);
	assert_int_equal(beacon_find(&e, NULL), pid);
	e.options = roots;
	assert_int_equal(beacon_find(&e, NULL), 0);
	e.options = others;
	assert_int_equal(beacon_find(&e, NULL), 0);
	e.options = none;
	assert_int_equal(beacon_find(&e, NULL), 0);
	{
		/* What root holds of another user's, it does not say itself. */
		_cleanup_close_ int fd = memfd_create("osfuse-mount", MFD_CLOEXEC);

		assert_true(dprintf(fd, "4000:7 rw /") > 0);
		e.options = roots;
		assert_int_equal(beacon_find(&e, NULL), getpid());
		assert_int_equal(fchown(fd, USER, (gid_t) -1), 0);
		assert_int_equal(beacon_find(&e, NULL), 0);
	}
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own),
		cmocka_unit_test(test_no_beacon),
		cmocka_unit_test(test_far_out),
		cmocka_unit_test(test_whose_is_believed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
