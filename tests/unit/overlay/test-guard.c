/* What no rule lets be changed: the files that a policy is read from, and the names on the way to them. */

#include "fixture.h"

#include <sys/sysmacros.h>

#define POLICY "rw /d/**"

static struct overlay_guard guard(struct fixture *f, const char *path, const char *name)
{
	struct statx stx = layer_stat(f, path);

	return (struct overlay_guard) {
		.dev = makedev(stx.stx_dev_major, stx.stx_dev_minor), .ino = stx.stx_ino, .name = name, .fd = -EBADF,
	};
}

static unsigned int n_guarded;

static void count(void *arg, const struct overlay_report *r)
{
	assert_int_equal(r->error, EROFS);
	assert_int_equal(r->rule, POLICY_NO_RULE);
	n_guarded += r->guarded;
}

/* The policy is /d/way/p, which has a second name beside. */
static void make(struct fixture *f)
{
	layer_file(f, "l1/d/way/p", "P");
	layer_link(f, "l1/d/way/p", "l1/d/other");
	layer_file(f, "l1/d/way/q", "Q");
	layer_dir(f, "l1/d/dir");
	fixture_set_policy(f, POLICY);
}

static void assert_guarded(struct fixture *f)
{
	static const char *const names[] = { "d/way/p", "d/way/P", "d/way" };

	assert_int_equal(view_write(f, "d/way/p", "X"), -EROFS);
	assert_int_equal(view_append(f, "d/other", "X"), -EROFS);
	assert_int_equal(view_unlink(f, "d/way/p"), -EROFS);
	assert_int_equal(view_rename(f, "d/way/p", "d/way/new", 0), -EROFS);
	assert_int_equal(view_rename(f, "d/way", "d/new", 0), -EROFS);
	assert_int_equal(view_rename(f, "d/dir", "d/way", RENAME_EXCHANGE), -EROFS);
	assert_int_equal(view_rename(f, "d/way/q", "d/way/p", 0), -EROFS);
	assert_int_equal(view_link(f, "d/way/p", "d/third"), -EROFS);
	assert_int_equal(view_link(f, "d/other", "d/third"), -EROFS);
	assert_int_equal(view_chmod(f, "d/way/p", 0), -EROFS);
	assert_int_equal(view_chmod(f, "d/other", 0), -EROFS);
	assert_int_equal(view_chmod(f, "d/way", 0), -EROFS);
	assert_int_equal(overlay_setxattr(f->ov, &f->who, view_node(f, "d/way"), "user.a", "b", 1, 0, false), -EROFS);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_true(view_mkdir(f, names[i]) < 0);
		assert_true(view_symlink(f, "/d/dir", names[i]) < 0);
		assert_true(view_link(f, "d/way/q", names[i]) < 0);
	}
	assert_content(f, "d/way/p", "P");
	assert_names(f, "d", "dir other way");
	assert_names(f, "d/way", "p q");
}

static void assert_free(struct fixture *f)
{
	assert_int_equal(view_write(f, "d/way/p", "X"), 0);
	assert_int_equal(view_rename(f, "d/way", "d/new", 0), 0);
	assert_true(layer_exists(f, "l1/d/new/p"));
}

static void test_from_the_start(void **state)
{
	struct fixture *f = *state;
	struct overlay_guard v[3];

	make(f);
	v[0] = guard(f, "l1/d", "way");
	v[1] = guard(f, "l1/d/way", "p");
	v[2] = guard(f, "l1/d/way/p", NULL);
	fixture_configure(f, 1, true);
	f->config.guards = &(struct overlay_guards) { .v = v, .n = ARRAY_SIZE(v) };
	f->config.report = count;
	n_guarded = 0;
	assert_int_equal(fixture_try_open(f), 0);
	assert_int_equal(view_unlink(f, "d/way/p"), -EROFS);
	assert_int_equal(view_write(f, "d/other", "X"), -EROFS);
	assert_int_equal(n_guarded, 2);
	assert_guarded(f);
	/* What is beside it can be changed. */
	assert_int_equal(view_write(f, "d/way/q", "new"), 0);
	assert_int_equal(view_mkdir(f, "d/way/pp"), 0);
	assert_int_equal(view_chmod(f, "d/way/q", 0600), 0);
	assert_int_equal(view_chmod(f, "d/dir", 0700), 0);
	assert_true(layer_exists(f, "l1/d/way/pp"));
}

static void tell_nobody(void *arg, const struct overlay_stale *stale)
{
}

static void set_guards(struct fixture *f, const struct overlay_guards *guards)
{
	struct policy *p = fixture_policy(POLICY);

	assert_int_equal(overlay_set_policy(f->ov, p, guards, tell_nobody, NULL), 0);
	(void) policy_unref(p);
}

static void test_over_reloads(void **state)
{
	struct fixture *f = *state;
	struct overlay_guard v[3];
	struct overlay_file *open;

	make(f);
	fixture_configure(f, 1, true);
	f->config.report = count;
	assert_int_equal(fixture_try_open(f), 0);
	v[0] = guard(f, "l1/d", "way");
	v[1] = guard(f, "l1/d/way", "p");
	v[2] = guard(f, "l1/d/way/p", NULL);
	assert_int_equal(view_open(f, "d/way/p", O_RDWR, &open), 0);
	for (int i = 0; i < 2; i++) {
		set_guards(f, &(struct overlay_guards) { .v = v, .n = ARRAY_SIZE(v) });
		assert_guarded(f);
		n_guarded = 0;
		assert_int_equal(overlay_write(open, "X", 1, 0, 0), -EROFS);
		assert_int_equal(n_guarded, 1);
	}
	overlay_release(open);
	set_guards(f, NULL);
	assert_free(f);
}

/* As an editor does it: what it has written under another name takes the place of the policy. The view knows that one too. */
static void test_replaced(void **state)
{
	struct fixture *f = *state;
	struct overlay_guard v[2];
	struct overlay_file *open;

	make(f);
	layer_file(f, "l1/d/way/temp", "new");
	v[0] = guard(f, "l1/d/way", "p");
	v[0].fd = openat(f->fd, "l1/d/way", O_PATH | O_CLOEXEC);
	v[1] = guard(f, "l1/d/way/p", NULL);
	fixture_configure(f, 1, true);
	f->config.guards = &(struct overlay_guards) { .v = v, .n = ARRAY_SIZE(v) };
	f->config.report = count;
	assert_int_equal(fixture_try_open(f), 0);
	(void) fd_close(v[0].fd);
	assert_int_equal(view_link(f, "d/way/temp", "d/hard"), 0);
	assert_int_equal(view_open(f, "d/way/temp", O_RDWR, &open), 0);
	assert_int_equal(overlay_write(open, "N", 1, 0, 0), 1);
	assert_int_equal(renameat(f->fd, "l1/d/way/temp", f->fd, "l1/d/way/p"), 0);
	n_guarded = 0;
	assert_int_equal(overlay_write(open, "X", 1, 0, 0), -EROFS);
	assert_int_equal(overlay_fallocate(open, 0, 0, 100), -EROFS);
	assert_int_equal(view_write(f, "d/hard", "X"), -EROFS);
	assert_int_equal(view_append(f, "d/hard", "X"), -EROFS);
	assert_int_equal(view_link(f, "d/hard", "d/more"), -EROFS);
	assert_int_equal(view_chmod(f, "d/hard", 0), -EROFS);
	assert_int_equal(n_guarded, 5); /* of the open file, the first */
	assert_int_equal(view_write(f, "d/way/p", "X"), -EROFS);
	overlay_release(open);
	assert_content(f, "d/way/p", "New");
	assert_int_equal(view_write(f, "d/way/q", "new"), 0);
}

/* A file that is gone keeps its number, which another one would have before long, and be guarded in its place. */
static void test_number_is_held(void **state)
{
	struct fixture *f = *state;
	struct overlay_guard v;
	char path[32];

	make(f);
	v = guard(f, "l1/d/way/q", NULL);
	v.fd = openat(f->fd, "l1/d/way/q", O_PATH | O_CLOEXEC);
	fixture_configure(f, 1, true);
	f->config.guards = &(struct overlay_guards) { .v = &v, .n = 1 };
	assert_int_equal(fixture_try_open(f), 0);
	(void) fd_close(v.fd);
	assert_int_equal(unlinkat(f->fd, "l1/d/way/q", 0), 0);
	for (int i = 0; i < 50; i++) {
		(void) snprintf(path, sizeof(path), "l1/d/way/new%d", i);
		layer_file(f, path, "");
		assert_int_equal(view_write(f, path + strlen("l1/"), "x"), 0);
	}
}

/* A file that is not there now could be there at the next reload. */
static void test_absent(void **state)
{
	struct fixture *f = *state;
	struct overlay_guard v[1];

	make(f);
	v[0] = guard(f, "l1/d/dir", "p");
	fixture_configure(f, 1, true);
	f->config.guards = &(struct overlay_guards) { .v = v, .n = ARRAY_SIZE(v) };
	assert_int_equal(fixture_try_open(f), 0);
	assert_int_equal(view_write(f, "d/dir/p", "X"), -EROFS);
	assert_int_equal(view_mkdir(f, "d/dir/p"), -EROFS);
	assert_int_equal(view_link(f, "d/way/q", "d/dir/p"), -EROFS);
	assert_int_equal(view_rename(f, "d/way/q", "d/dir/p", 0), -EROFS);
	assert_false(layer_exists(f, "l1/d/dir/p"));
}

/* In the upper everything may be changed: the policy is not read from there. */
static void test_not_in_the_upper(void **state)
{
	struct fixture *f = *state;
	struct overlay_guard v[2];

	make(f);
	fixture_set_policy(f, "cow /d");
	v[0] = guard(f, "l1/d/way", "p");
	v[1] = guard(f, "l1/d/way/p", NULL);
	fixture_configure(f, 1, true);
	f->config.guards = &(struct overlay_guards) { .v = v, .n = ARRAY_SIZE(v) };
	assert_int_equal(fixture_try_open(f), 0);
	assert_int_equal(view_write(f, "d/way/p", "X"), 0);
	assert_int_equal(view_unlink(f, "d/way/p"), 0);
	assert_true(layer_exists(f, "l1/d/way/p"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_from_the_start),
		FIXTURE_TEST(test_over_reloads),
		FIXTURE_TEST(test_replaced),
		FIXTURE_TEST(test_number_is_held),
		FIXTURE_TEST(test_absent),
		FIXTURE_TEST(test_not_in_the_upper),
	};

	return FIXTURE_RUN(tests);
}
