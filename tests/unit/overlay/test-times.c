/* Times in coarse steps. */

#include "fixture.h"

#define GRAN 10000000u

static bool take_plus(void *arg, const struct overlay_dirent *d, const struct entry *plus)
{
	if (plus && plus->node)
		*(struct entry *) arg = *plus;
	return true;
}

static void assert_coarse(const struct statx *stx)
{
	assert_int_equal(stx->stx_atime.tv_nsec % GRAN, 0);
	assert_int_equal(stx->stx_mtime.tv_nsec % GRAN, 0);
	assert_int_equal(stx->stx_ctime.tv_nsec % GRAN, 0);
	assert_int_equal(stx->stx_btime.tv_nsec % GRAN, 0);
}

static void test_time_gran(void **state)
{
	const struct attr_change ch = {
		.valid = ATTR_ATIME | ATTR_MTIME, .atime = { 5, 123456789 }, .mtime = { -7, 999999999 },
	}, now = { .valid = ATTR_MTIME, .mtime.tv_nsec = UTIME_NOW };
	const struct timespec odd[2] = { { 9, 111111111 }, { 8, 222222222 } };
	struct fixture *f = *state;
	struct statx before, stx, fine;
	struct overlay_file *file;
	struct overlay_dir *dir;
	struct entry e;

	layer_file(f, "l1/d/a", "x");
	fixture_configure(f, 1, true);
	assert_int_equal(utimensat(f->fd, "l1/d/a", odd, 0), 0);
	f->config.time_gran_ns = GRAN;
	assert_int_equal(fixture_try_open(f), 0);
	assert_int_equal(overlay_time_gran(f->ov), GRAN);
	before = view_stat(f, "d/a");
	assert_coarse(&before);
	assert_int_equal(before.stx_atime.tv_nsec, 110000000);
	assert_int_equal(before.stx_mtime.tv_nsec, 220000000);
	assert_true(before.stx_mask & STATX_BTIME);

	/* A copy is no change, to the view: not of ctime either. */
	assert_int_equal(view_open(f, "d/a", O_RDWR, &file), 0);
	for (int i = 0; i < 2; i++) {
		stx = view_stat(f, "d/a");
		if (i == 1) {
			assert_int_equal(overlay_opendir(f->ov, &f->who, view_node(f, "d"), &dir), 0);
			e.node = NULL;
			assert_int_equal(overlay_readdir(dir, &f->who, 0, true, take_plus, &e), 0);
			assert_non_null(e.node);
			overlay_forget(f->ov, e.node, 1);
			overlay_releasedir(dir);
			stx = e.stx;
		}
		assert_memory_equal(&stx.stx_ctime, &before.stx_ctime, sizeof(stx.stx_ctime));
		assert_memory_equal(&stx.stx_mtime, &before.stx_mtime, sizeof(stx.stx_mtime));
		assert_memory_equal(&stx.stx_btime, &before.stx_btime, sizeof(stx.stx_btime));
	}
	overlay_release(file);
	assert_int_equal(layer_stat(f, "upper/d/a").stx_mtime.tv_nsec, 222222222); /* the layers' times stay */

	assert_int_equal(view_setattr(f, "d/a", &ch), 0);
	stx = view_stat(f, "d/a");
	assert_coarse(&stx);
	fine = layer_stat(f, "upper/d/a");
	assert_int_equal(fine.stx_atime.tv_nsec, 120000000);
	assert_true(fine.stx_mtime.tv_sec == -7);
	assert_int_equal(fine.stx_mtime.tv_nsec, 990000000);
	assert_int_equal(view_setattr(f, "d/a", &now), 0);
	stx = view_stat(f, "d/a");
	assert_coarse(&stx);
	assert_true(stx.stx_mtime.tv_sec > FIXTURE_OLD);

	assert_int_equal(overlay_create(f->ov, &f->who, view_node(f, "d"), "new", 0600, O_RDWR, &e, &file), 0);
	assert_coarse(&e.stx);
	assert_int_equal(overlay_write(file, "x", 1, 0, 0), 1);
	assert_int_equal(overlay_getattr(f->ov, &f->who, e.node, file, &stx), 0);
	assert_coarse(&stx);
	overlay_release(file);
	overlay_forget(f->ov, e.node, 1);
	stx = view_stat(f, "d");
	assert_coarse(&stx);
	assert_int_equal(overlay_tmpfile(f->ov, &f->who, view_node(f, "d"), 0600, O_RDWR, &e, &file), 0);
	assert_coarse(&e.stx);
	overlay_release(file);
	overlay_forget(f->ov, e.node, 1);
	assert_int_equal(view_mkdir(f, "dir"), 0);
	assert_int_equal(view_lookup(f, "dir", &e), 1);
	assert_coarse(&e.stx);
	overlay_forget(f->ov, e.node, 1);
	fixture_reopen(f);
	stx = view_stat(f, "d/a");
	assert_coarse(&stx);
}

static void test_time_grans(void **state)
{
	static const uint32_t bad[] = { 2, 5, 15, 20, 999, 1001, 999999999, 2000000000, UINT32_MAX };
	struct fixture *f = *state;

	fixture_configure(f, 1, true);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		f->config.time_gran_ns = bad[i];
		assert_int_equal(fixture_try_open(f), -EINVAL);
	}
	for (uint32_t ns = 1; ns <= 1000000000; ns *= 10) {
		f->config.time_gran_ns = ns;
		assert_int_equal(fixture_try_open(f), 0);
		f->ov = overlay_free(f->ov);
	}
	f->config.time_gran_ns = 0;
	assert_int_equal(fixture_try_open(f), 0);
	assert_int_equal(overlay_time_gran(f->ov), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = { FIXTURE_TEST(test_time_gran), FIXTURE_TEST(test_time_grans) };

	return FIXTURE_RUN(tests);
}
