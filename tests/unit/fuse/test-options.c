/* Command lines in, settings out. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fuse/cli/options.h"
#include "fuse/launch.h"
#include "fuse/mountinfo.h"
#include "fuse/problem.h"

#define MAX_ARGS 16

struct parsed {
	struct launch_config c;
	struct problem p;
	int r;
};

static inline void parsed_done(struct parsed *x)
{
	launch_config_done(&x->c);
}

/* getopt() moves the words about: they get an array of their own, which ends with NULL. */
static int copy_args(char *to[MAX_ARGS], const char *const *from)
{
	int n = 0;

	for (; from[n]; n++) {
		assert_true(n < MAX_ARGS - 1);
		to[n] = strdup(from[n]);
	}
	to[n] = NULL;
	return n;
}

static struct parsed parse(bool helper, bool privileged, const char *const *args)
{
	struct parsed x = { 0 };
	char *argv[MAX_ARGS], *owned[MAX_ARGS];
	int argc = copy_args(owned, args);

	memcpy(argv, owned, sizeof(argv));
	x.r = helper ? options_helper(argc, argv, privileged, &x.c, &x.p) : options_mount(argc, argv, &x.c, &x.p);
	for (int i = 0; i < argc; i++)
		free(owned[i]);
	return x;
}

#define PARSE(var, helper, ...) \
	_cleanup_(parsed_done) struct parsed var = parse(helper, true, (const char *const[]) { __VA_ARGS__, NULL })

static void test_mount_point_only(void **state)
{
	PARSE(x, false, "mount", "/sandbox");

	assert_int_equal(x.r, 0);
	assert_string_equal(x.c.mount_point, "/sandbox");
	assert_string_equal(x.c.text, "/sandbox");
	assert_int_equal(x.c.n_lowers, 0);
	assert_null(x.c.upper);
	assert_false(x.c.foreground);
	assert_false(x.c.flags.read_only);
	assert_int_equal(x.c.flags.dev, CHOICE_UNSET);
}

static void test_all_options(void **state)
{
	PARSE(x, false, "mount", "/m", "--lower", "/a:/b\\:c:/d\\\\e", "--lower=/f", "--upper", "/u", "--work=/w", "--name", "n",
	      "--threads", "3", "-d", "-o", "noexec,allow_other");

	assert_int_equal(x.r, 0);
	assert_int_equal(x.c.n_lowers, 4);
	assert_string_equal(x.c.lowers[0], "/a");
	assert_string_equal(x.c.lowers[1], "/b:c");
	assert_string_equal(x.c.lowers[2], "/d\\e");
	assert_string_equal(x.c.lowers[3], "/f");
	assert_string_equal(x.c.upper, "/u");
	assert_string_equal(x.c.work, "/w");
	assert_string_equal(x.c.name, "n");
	assert_int_equal(x.c.n_threads, 3);
	assert_true(x.c.debug && x.c.foreground);
	assert_true(x.c.flags.noexec && x.c.flags.allow_other);
}

static void test_switches(void **state)
{
	PARSE(x, false, "mount", "--ephemeral", "-f", "/m");
	PARSE(y, false, "mount", "--read-only", "--", "/m");
	PARSE(z, false, "mount", "--help");

	assert_int_equal(x.r, 0);
	assert_true(x.c.ephemeral && x.c.foreground && !x.c.debug);
	assert_int_equal(y.r, 0);
	assert_true(y.c.flags.read_only);
	assert_int_equal(z.r, 1);
}

static void bad(bool helper, const char *names, const char *const *args)
{
	_cleanup_(parsed_done) struct parsed x = parse(helper, false, args);

	assert_int_equal(x.r, -EINVAL);
	assert_int_equal(problem_exit_status(&x.p), 2);
	if (!strstr(x.p.text, names))
		fail_msg("'%s' does not name '%s'", x.p.text, names);
}
#define BAD(helper, names, ...) bad(helper, names, (const char *const[]) { __VA_ARGS__, NULL })

static void test_wrong_command_lines(void **state)
{
	BAD(false, "MOUNTPOINT", "mount");
	BAD(false, "/n", "mount", "/m", "/n");
	BAD(false, "--nonsense", "mount", "--nonsense", "/m");
	BAD(false, "--nonsense=1", "mount", "--nonsense=1", "/m");
	BAD(false, "-x", "mount", "-x", "/m");
	BAD(false, "--lower", "mount", "--lower");
	BAD(false, "-o", "mount", "-o");
	BAD(false, "empty name", "mount", "--lower", "/a::/b", "/m");
	BAD(false, "empty name", "mount", "--lower", "", "/m");
	BAD(false, "--threads", "mount", "--threads", "0", "/m");
	BAD(false, "--threads", "mount", "--threads", "-1", "/m");
	BAD(false, "--threads", "mount", "--threads", "99999999999999999999", "/m");
	BAD(false, "--threads", "mount", "--threads", "2x", "/m");
	BAD(false, "nonsense", "mount", "-o", "nonsense", "/m");
	BAD(false, "nonsense", "mount", "-o", "ro,nonsense=1,rw", "/m");
	BAD(false, "fsname", "mount", "-o", "fsname", "/m");
	BAD(false, "upperdir", "mount", "-o", "lowerdir=/,upperdir=", "/m");
	BAD(false, "ro", "mount", "-o", "ro=1", "/m");
	BAD(false, "index", "mount", "-o", "index=maybe", "/m");
	BAD(false, "redirect_dir", "mount", "-o", "redirect_dir=nofollow", "/m");
	BAD(false, "redirect_dir", "mount", "-o", "redirect_dir=x", "/m");
	BAD(false, "user_id", "mount", "-o", "user_id=0", "/m");
	BAD(false, "work", "mount", "--work", "/w", "/m");
	BAD(false, "--ephemeral", "mount", "--ephemeral", "--upper", "/u", "/m");
	BAD(false, "--ephemeral", "mount", "--ephemeral", "--read-only", "/m");
	BAD(false, "lowerdir", "mount", "-o", "upperdir=/u", "/m");
	BAD(true, "lowerdir", "osfuse", "-o", "upperdir=/u,workdir=/w", "/m");
	BAD(true, "MOUNTPOINT", "osfuse", "-o", "ro");
	BAD(true, "/n", "osfuse", "src", "/m", "/n", "-o", "ro");
	BAD(true, "-q", "osfuse", "-q", "src", "/m", "-o", "ro");
}

static void test_upper_without_lower(void **state)
{
	PARSE(x, false, "mount", "--upper", "/u", "/m");

	assert_int_equal(x.r, 0);
}

static void test_helper(void **state)
{
	PARSE(x, true, "osfuse", "the, source\\", "/m", "-o",
	      "rw,lowerdir=/a\\:b:/c\\,d,upperdir=/u\\,v,workdir=/w\\:x,nodev,suid,userxattr,volatile,redirect_dir=off,index=off,"
	      "metacopy=on,xino=auto,noatime,nodiratime,lazytime,sync,dirsync,default_permissions,_netdev,nofail,x-a.b=c,X-d,"
	      "comment=e,,nonempty,subtype=s");

	assert_int_equal(x.r, 0);
	assert_true(x.c.helper);
	assert_string_equal(x.c.source, "the, source\\");
	assert_string_equal(x.c.subtype, "s");
	assert_string_equal(x.c.mount_point, "/m");
	assert_int_equal(x.c.n_lowers, 2);
	assert_string_equal(x.c.lowers[0], "/a:b");
	assert_string_equal(x.c.lowers[1], "/c,d");
	assert_string_equal(x.c.upper, "/u,v");
	assert_string_equal(x.c.work, "/w:x");
	assert_int_equal(x.c.flags.dev, CHOICE_OFF);
	assert_int_equal(x.c.flags.suid, CHOICE_ON);
	assert_int_equal(x.c.flags.atime, ATIME_NONE);
	assert_true(x.c.userxattr && x.c.volatile_ && x.c.no_redirect && x.c.no_index && x.c.nonempty);
	assert_int_equal(x.c.metacopy, CHOICE_ON);
	assert_true(x.c.flags.nodiratime && x.c.flags.lazytime && x.c.flags.sync && x.c.flags.dirsync);
}

static void test_last_one_counts(void **state)
{
	PARSE(x, true, "osfuse", "s", "/m", "-o", "ro,dev,noexec,noatime,lowerdir=/a,lowerdir=/b:/c,fsname=t", "-o",
	      "rw,nodev,exec,relatime,index=off,index=on");

	assert_int_equal(x.r, 0);
	assert_false(x.c.flags.read_only || x.c.flags.noexec || x.c.no_index);
	assert_int_equal(x.c.flags.dev, CHOICE_OFF);
	assert_int_equal(x.c.flags.atime, ATIME_RELATIME);
	assert_int_equal(x.c.n_lowers, 2);
	assert_string_equal(x.c.lowers[0], "/b");
	assert_string_equal(x.c.source, "t");
}

static void test_container_engine(void **state)
{
	PARSE(x, true, "osfuse", "-o", "lowerdir=/a:/b,upperdir=/u,workdir=/w", "/m");

	assert_int_equal(x.r, 0);
	assert_null(x.c.source);
	assert_string_equal(x.c.mount_point, "/m");
	assert_int_equal(x.c.flags.dev, CHOICE_UNSET);
}

static void test_mount_helper(void **state)
{
	PARSE(x, true, "/sbin/mount.fuse.osfuse", "src", "/m", "-n", "-v", "-o", "rw,nonsense,lowerdir=/a", "-t", "fuse.osfuse", "-s");
	PARSE(y, true, "/sbin/mount.fuse.osfuse", "src", "/m", "-f", "-o", "nodev,lowerdir=/a");
	_cleanup_(parsed_done) struct parsed z =
		parse(true, false, (const char *const[]) { "mount.fuse.osfuse", "src", "/m", "-o", "lowerdir=/a", NULL });

	assert_int_equal(x.r, 0);
	assert_int_equal(x.c.flags.dev, CHOICE_ON);
	assert_int_equal(x.c.flags.suid, CHOICE_ON);
	assert_false(x.c.fake || x.c.foreground);
	assert_int_equal(y.r, 0);
	assert_true(y.c.fake);
	assert_int_equal(y.c.flags.dev, CHOICE_OFF);
	assert_int_equal(z.r, 0);
	assert_int_equal(z.c.flags.dev, CHOICE_UNSET);
}

static void test_remount(void **state)
{
	PARSE(x, true, "osfuse", "src", "/m", "-o", "rw,user_id=0,group_id=0,upperdir=/u,remount,ro");

	assert_int_equal(x.r, 0);
	assert_true(x.c.remount && x.c.flags.read_only);
}

static bool is_helper(const char *const *args)
{
	char *argv[MAX_ARGS];
	int argc = copy_args(argv, args);
	bool is = options_is_helper(argc, argv);

	for (int i = 0; i < argc; i++)
		free(argv[i]);
	return is;
}

static void test_which_form(void **state)
{
	assert_true(is_helper((const char *const[]) { "osfuse", "s", "/m", "-o", "rw", NULL }));
	assert_true(is_helper((const char *const[]) { "osfuse", "-olowerdir=/", "/m", NULL }));
	assert_true(is_helper((const char *const[]) { "/sbin/mount.fuse.osfuse", "s", "/m", NULL }));
	assert_false(is_helper((const char *const[]) { "osfuse", "umnt", "/m", NULL }));
	assert_false(is_helper((const char *const[]) { "/mount.d/osfuse", NULL }));
}

static void test_mountinfo(void **state)
{
	char line[] = "36 35 98:7 /root /mnt\\0402\\134x rw,noatime master:1 shared:2 - fuse.osfuse a,b\\040c rw\n";
	char empty[] = "36 35 0:7 / /m rw - tmpfs  rw\n";
	char *bad_lines[] = { strdup(""), strdup("36 35 98:0 / /m rw shared:1"), strdup("36 35 x / /m rw - ext4 s rw"), strdup("a - b") };
	struct mount_entry e;

	assert_int_equal(mount_entry_parse(line, &e), 0);
	assert_string_equal(e.mount_point, "/mnt 2\\x");
	assert_string_equal(e.type, OSFUSE_FS_TYPE);
	assert_string_equal(e.source, "a,b c");
	mount_entry_done(&e);
	assert_int_equal(mount_entry_parse(empty, &e), 0);
	assert_string_equal(e.type, "tmpfs");
	assert_string_equal(e.source, "");
	mount_entry_done(&e);
	for (size_t i = 0; i < ARRAY_SIZE(bad_lines); i++) {
		assert_int_equal(mount_entry_parse(bad_lines[i], &e), -EINVAL);
		free(bad_lines[i]);
	}
}

static void test_problem_keeps_the_reason(void **state)
{
	struct problem p = { 0 };
	char name[5000];

	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(problem_errno(&p, -ENAMETOOLONG, name), -ENAMETOOLONG);
	assert_non_null(strstr(p.text, strerror(ENAMETOOLONG)));
	assert_int_equal(problem_exit_status(&p), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mount_point_only),
		cmocka_unit_test(test_all_options),
		cmocka_unit_test(test_switches),
		cmocka_unit_test(test_wrong_command_lines),
		cmocka_unit_test(test_upper_without_lower),
		cmocka_unit_test(test_helper),
		cmocka_unit_test(test_last_one_counts),
		cmocka_unit_test(test_container_engine),
		cmocka_unit_test(test_mount_helper),
		cmocka_unit_test(test_remount),
		cmocka_unit_test(test_which_form),
		cmocka_unit_test(test_mountinfo),
		cmocka_unit_test(test_problem_keeps_the_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
