/* Command lines in, settings out. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
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

static void assert_range(const struct overlay_ids *ids, size_t i, uint32_t layer, uint32_t view, uint32_t count)
{
	assert_true(i < ids->n_ranges);
	assert_int_equal(ids->ranges[i].layer, layer);
	assert_int_equal(ids->ranges[i].view, view);
	assert_int_equal(ids->ranges[i].count, count);
}

static void test_ids(void **state)
{
	PARSE(x, false, "mount", "/m", "--uidmap", "0:1000:1,1:100000:65536", "--uidmap=70000:0:1", "--gidmap", "0:1:2:5:6:7");
	PARSE(y, true, "osfuse", "-o", "lowerdir=/a,uidmapping=9:9:9,uidmapping=0:1000:1:1:110000:65536,squash_to_gid=4294967294", "/m");
	PARSE(z, false, "mount", "/m", "-o", "squash_to_root,squash_to_uid=5");
	PARSE(w, false, "mount", "/m", "--squash-uid", "5", "--squash-uid=6", "--gidmap=0:0:4294967295");
	PARSE(v, false, "mount", "/m", "-o", "uidmapping=0:1:1\\,1:0:1");

	assert_int_equal(x.r, 0);
	assert_false(x.c.uids.squash || x.c.gids.squash);
	assert_int_equal(x.c.uids.n_ranges, 3);
	assert_range(&x.c.uids, 0, 0, 1000, 1);
	assert_range(&x.c.uids, 1, 1, 100000, 65536);
	assert_range(&x.c.uids, 2, 70000, 0, 1);
	assert_int_equal(x.c.gids.n_ranges, 2);
	assert_range(&x.c.gids, 1, 5, 6, 7);
	assert_int_equal(y.r, 0);
	assert_int_equal(y.c.uids.n_ranges, 2);
	assert_range(&y.c.uids, 1, 1, 110000, 65536);
	assert_true(y.c.gids.squash && y.c.gids.squash_to == 4294967294);
	assert_int_equal(z.r, 0);
	assert_true(z.c.uids.squash && z.c.uids.squash_to == 5 && z.c.gids.squash && z.c.gids.squash_to == 0);
	assert_int_equal(w.r, 0);
	assert_true(w.c.uids.squash && w.c.uids.squash_to == 6 && !w.c.gids.squash);
	assert_range(&w.c.gids, 0, 0, 0, 4294967295);
	assert_int_equal(v.r, 0);
	assert_int_equal(v.c.uids.n_ranges, 2);
}

static void test_wrong_ids(void **state)
{
	static const char *const maps[] = {
		"", "0", "0:1", "0:1:", "0:1:x", "0:1:1,", "0:1:1:", ",0:1:1", "0:1:1:5", "0:1:1,5:6", "0,1,1", "-1:0:1", "0:1:1 ", " 0:1:1",
		"0:0x10:1", "0:4294967296:1", "0:99999999999999999999:1", "+0:1:1", "0:1:0", "4294967295:0:1", "0:4294967295:1",
		"4294967294:0:2", "0:1:4294967295", "0:100:10,9:200:1", "0:100:10,20:109:1", "0:1:1,0:1:1",
	};
	static const char *const ids[] = { "", "-1", "4294967295", "4294967296", "root", "1000x", " 1" };
	char text[128];

	for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
		BAD(false, "--uidmap", "mount", "--uidmap", maps[i], "/m");
		BAD(false, "--gidmap", "mount", "--gidmap", maps[i], "/m");
		if (!strchr(maps[i], ',')) {
			(void) snprintf(text, sizeof(text), "uidmapping=%s", maps[i]);
			BAD(true, "uidmapping", "osfuse", "-o", text, "/m");
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		BAD(false, "--squash-uid", "mount", "--squash-uid", ids[i], "/m");
		BAD(false, "--squash-gid", "mount", "--squash-gid", ids[i], "/m");
		(void) snprintf(text, sizeof(text), "lowerdir=/,squash_to_gid=%s", ids[i]);
		BAD(true, "squash_to_gid", "osfuse", "-o", text, "/m");
	}
	BAD(false, "mapped twice, at 9:200:1", "mount", "--uidmap", "0:100:10", "--uidmap", "9:200:1", "/m");
	BAD(false, "--uidmap", "mount", "--squash-uid=0", "--uidmap=0:0:1", "/m");
	BAD(false, "--gidmap", "mount", "--gidmap=0:0:1", "--squash-gid=0", "/m");
	BAD(true, "--gidmap", "osfuse", "-o", "lowerdir=/,gidmapping=0:0:1,squash_to_root", "/m");
	BAD(true, "squash_to_root", "osfuse", "-o", "squash_to_root=1", "/m");
	BAD(false, "uidmapping", "mount", "-o", "uidmapping", "/m");
}

static void test_time_gran(void **state)
{
	static const struct {
		const char *text;
		uint32_t ns;
	} rows[] = {
		{ "1ns", 1 }, { "10ns", 10 }, { "100ns", 100 }, { "1us", 1000 }, { "100us", 100000 }, { "1ms", 1000000 },
		{ "100ms", 100000000 }, { "1s", 1000000000 },
	};
	static const char *const wrong[] = { "", "1", "0ns", "2ns", "1000ns", "10s", "100s", "-1s", "1m", "s", "1 s", "1.0s", "1sx", "0x1s" };
	char option[64], o[64];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		(void) snprintf(option, sizeof(option), "--time-gran=%s", rows[i].text);
		(void) snprintf(o, sizeof(o), "lowerdir=/,time_gran=%s", rows[i].text);
		PARSE(x, false, "mount", option, "/m");
		PARSE(y, true, "osfuse", "-o", o, "/m");
		assert_int_equal(x.r, 0);
		assert_int_equal(x.c.time_gran_ns, rows[i].ns);
		assert_int_equal(y.c.time_gran_ns, rows[i].ns);
	}
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		(void) snprintf(o, sizeof(o), "lowerdir=/,time_gran=%s", wrong[i]);
		BAD(false, "--time-gran", "mount", "--time-gran", wrong[i], "/m");
		BAD(true, "time_gran", "osfuse", "-o", o, "/m");
	}
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
	char line[] = "36 35 98:7 /ro\\040ot /mnt\\0402\\134x rw,noatime master:1 shared:2 - fuse.osfuse a,b\\040c rw\n";
	char empty[] = "36 35 0:7 / /m rw - tmpfs  rw\n";
	char *bad_lines[] = { strdup(""), strdup("36 35 98:0 / /m rw shared:1"), strdup("36 35 x / /m rw - ext4 s rw"), strdup("a - b") };
	struct mount_entry e;

	assert_int_equal(mount_entry_parse(line, &e), 0);
	assert_int_equal(e.id, 36);
	assert_string_equal(e.root, "/ro ot");
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
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_wrong_ids),
		cmocka_unit_test(test_time_gran),
		cmocka_unit_test(test_which_form),
		cmocka_unit_test(test_mountinfo),
		cmocka_unit_test(test_problem_keeps_the_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
