/* Open files: data, the change to the upper under an open reader, holes, sizes, locks on what may be opened. */

#include "fixture.h"

static void test_read_and_write(void **state)
{
	struct fixture *f = *state;
	struct overlay_file *file;
	char buf[32];

	layer_file(f, "l1/a", "0123456789");
	fixture_open(f, 1);
	assert_int_equal(view_open(f, "a", O_RDONLY, &file), 0);
	assert_int_equal(overlay_read(file, buf, sizeof(buf), 0), 10);
	assert_int_equal(overlay_read(file, buf, 3, 4), 3);
	assert_memory_equal(buf, "456", 3);
	assert_int_equal(overlay_read(file, buf, 3, 10), 0);
	assert_int_equal(overlay_read(file, buf, 3, 1000), 0);
	assert_int_equal(overlay_write(file, "x", 1, 0, false), -EBADF);
	assert_int_equal(overlay_fallocate(file, 0, 0, 1), -EBADF);
	overlay_release(file);
	assert_int_equal(view_open(f, "a", O_RDWR | O_APPEND, &file), 0);
	assert_int_equal(overlay_write(file, "xy", 2, 2, false), 2); /* offsets come with the write, also to append */
	assert_int_equal(overlay_fsync(file, true), 0);
	assert_int_equal(overlay_fsync(file, false), 0);
	overlay_release(file);
	assert_content(f, "a", "01xy456789");
	assert_int_equal(overlay_syncfs(f->ov, &f->who), 0);
}

static ssize_t append(struct overlay_file *file, const char *text, uint64_t off)
{
	return overlay_write(file, text, strlen(text), off, OVERLAY_WRITE_APPEND);
}

/* In the lower others append too; in the upper the kernel knows where the end is. */
static void test_append_loses_nothing(void **state)
{
	struct fixture *f = *state;
	struct overlay_file *file, *made;
	struct entry e;

	layer_file(f, "l1/direct", "0123");
	layer_file(f, "l1/copied", "0123");
	fixture_set_policy(f, "rw /direct\nrw /made\n");
	fixture_open(f, 1);
	assert_int_equal(view_open(f, "direct", O_RDWR | O_APPEND, &file), 0);
	assert_int_equal(append(file, "ab", 2), 2);
	assert_int_equal(overlay_write(file, "x", 1, 0, OVERLAY_WRITE_MAPPED | OVERLAY_WRITE_APPEND), 1);
	assert_int_equal(overlay_write(file, "y", 1, 1, 0), 1);
	overlay_release(file);
	assert_content(f, "direct", "xy23ab");
	assert_int_equal(overlay_create(f->ov, &f->who, overlay_root(f->ov), "made", 0600, O_WRONLY | O_APPEND, &e, &made), 0);
	assert_int_equal(append(made, "ab", 0), 2);
	assert_int_equal(append(made, "cd", 0), 2);
	overlay_release(made);
	overlay_forget(f->ov, e.node, 1);
	assert_content(f, "made", "abcd");
	assert_int_equal(view_open(f, "copied", O_WRONLY | O_APPEND, &file), 0);
	assert_int_equal(append(file, "ab", 2), 2);
	overlay_release(file);
	assert_content(f, "copied", "01ab");
}

static void test_what_can_be_opened(void **state)
{
	struct fixture *f = *state;
	struct overlay_file *file;

	layer_dir(f, "l1/dir");
	layer_fifo(f, "l1/fifo");
	layer_symlink(f, "x", "l1/link");
	fixture_open(f, 1);
	assert_int_equal(view_open(f, "dir", O_RDONLY, &file), -EISDIR);
	assert_int_equal(view_open(f, "fifo", O_RDONLY, &file), -ENXIO); /* the kernel's matter; never waited for */
	assert_int_equal(view_open(f, "link", O_RDONLY, &file), -ENXIO);
}

/* Renames another file over "a" at the moment when the layer's "a" is about to be opened. */
struct racer {
	struct io_engine engine;
	struct fixture *f;
	bool armed;
};

static void racer_run(struct io_engine *e, struct io_op *ops, size_t n)
{
	struct racer *racer = container_of(e, struct racer, engine);
	struct fixture *f = racer->f;

	for (size_t i = 0; i < n; i++) {
		if (racer->armed && ops[i].kind == IO_OPEN && ops[i].name && strcmp(ops[i].name, "a") == 0) {
			struct node *root = overlay_root(f->ov);

			racer->armed = false;
			assert_int_equal(overlay_rename(f->ov, &f->who, root, "precious", root, "a", 0), 0);
		}
		io_run(f->sync, &ops[i], 1);
	}
}

static struct io_engine *racer_free(struct io_engine *e)
{
	return NULL;
}

/* An open that truncates holds no name: what takes the name in between must be left whole. */
static void test_truncates_no_other(void **state)
{
	static const struct io_engine_ops ops = { .name = "racer", .run = racer_run, .free = racer_free };
	struct fixture *f = *state;
	struct racer racer = { .engine.ops = &ops, .f = f };
	struct overlay_file *file;

	layer_file(f, "upper/a", "to be cut off");
	layer_file(f, "upper/precious", "precious");
	layer_dir(f, "l1");
	f->engine = &racer.engine;
	fixture_open(f, 1);
	(void) view_node(f, "a"); /* held, as the kernel does */
	racer.armed = true;
	assert_int_equal(view_open(f, "a", O_WRONLY | O_TRUNC, &file), 0);
	assert_false(racer.armed);
	overlay_release(file);
	assert_content(f, "a", "precious");
	fixture_close(f);
}

/* A reader from before the copy-up sees what is written after it. */
static void test_reader_sees_later_writes(void **state)
{
	struct fixture *f = *state;
	struct overlay_file *reader, *writer, *unused;
	struct statx stx;
	char buf[32] = "";

	layer_file(f, "l1/a", "before");
	fixture_open(f, 1);
	assert_int_equal(view_open(f, "a", O_RDONLY, &reader), 0);
	assert_int_equal(view_open(f, "a", O_RDONLY, &unused), 0);
	assert_int_equal(overlay_read(reader, buf, sizeof(buf), 0), 6);
	assert_int_equal(view_open(f, "a", O_RDWR, &writer), 0);
	assert_int_equal(overlay_write(writer, "after it", 8, 0, false), 8);
	assert_int_equal(overlay_read(reader, buf, sizeof(buf), 0), 8);
	assert_memory_equal(buf, "after it", 8);
	assert_int_equal(overlay_getattr(f->ov, &f->who, view_node(f, "a"), reader, &stx), 0);
	assert_int_equal(stx.stx_size, 8);
	assert_int_equal(overlay_seek(reader, 0, SEEK_HOLE), 8);
	assert_int_equal(overlay_fsync(reader, false), 0);
	assert_int_equal(overlay_write(reader, "x", 1, 0, false), -EBADF);
	overlay_release(writer);
	overlay_release(reader);
	overlay_release(unused);
}

/* The same when its name has changed or gone since. */
static void test_reader_of_renamed(void **state)
{
	struct fixture *f = *state;
	struct overlay_file *reader;
	char buf[32] = "";

	layer_file(f, "l1/a", "before");
	fixture_open(f, 1);
	assert_int_equal(view_open(f, "a", O_RDONLY, &reader), 0);
	assert_int_equal(view_rename(f, "a", "b", 0), 0);
	assert_int_equal(view_write(f, "b", "after"), 0);
	assert_int_equal(view_unlink(f, "b"), 0);
	assert_int_equal(overlay_read(reader, buf, sizeof(buf), 0), 5);
	assert_memory_equal(buf, "after", 5);
	overlay_release(reader);
}

static void test_failing_switch(void **state)
{
	struct fixture *f = *state;
	struct overlay_file *reader;
	char buf[32] = "";

	layer_file(f, "l1/a", "before");
	fixture_open(f, 1);
	assert_int_equal(view_open(f, "a", O_RDONLY, &reader), 0);
	assert_int_equal(view_append(f, "a", "!"), 0);
	io_engine_fault_set(f->fault, IO_OPEN, 0, EMFILE); /* what the cache holds is given up first */
	assert_int_equal(overlay_read(reader, buf, sizeof(buf), 0), 7);
	overlay_release(reader);
	assert_int_equal(view_open(f, "a", O_RDONLY, &reader), 0);
	overlay_release(reader);
}

static void test_many_open(void **state)
{
	struct fixture *f = *state;
	struct overlay_file *files[50];
	struct overlay_counters c;
	char buf[8];

	layer_file(f, "l1/a", "text");
	fixture_open(f, 1);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		assert_int_equal(view_open(f, "a", i % 2 ? O_RDONLY : O_RDWR, &files[i]), 0);
	overlay_count(f->ov, &c);
	assert_int_equal(c.n_files, ARRAY_SIZE(files));
	assert_int_equal(c.n_nodes, 2);
	for (size_t i = 0; i < ARRAY_SIZE(files); i += 3)
		overlay_release(files[i]);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		if (i % 3 == 0)
			continue;
		assert_int_equal(overlay_read(files[i], buf, sizeof(buf), 0), 4);
		overlay_release(files[i]);
	}
	overlay_count(f->ov, &c);
	assert_int_equal(c.n_files, 0);
	assert_int_equal(c.n_nodes, 1);
}

static void test_holes(void **state)
{
	struct fixture *f = *state;
	struct overlay_file *file;

	fixture_open(f, 1);
	assert_int_equal(view_write(f, "a", ""), 0);
	assert_int_equal(view_open(f, "a", O_WRONLY, &file), 0);
	assert_int_equal(overlay_write(file, "x", 1, 1 << 20, false), 1);
	assert_int_equal(overlay_seek(file, 0, SEEK_HOLE), 0);
	assert_int_equal(overlay_seek(file, 0, SEEK_DATA), 1 << 20);
	assert_int_equal(overlay_seek(file, 2 << 20, SEEK_DATA), -ENXIO);
	assert_int_equal(overlay_seek(file, 0, SEEK_SET), -EINVAL);
	assert_int_equal(overlay_seek(file, 0, SEEK_CUR), -EINVAL);
	assert_int_equal(overlay_fallocate(file, 0, 0, 4096), 0);
	assert_int_equal(overlay_seek(file, 0, SEEK_DATA) >= 0, 1);
	assert_int_equal(overlay_fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1 << 20, 4096), 0);
	assert_int_equal(view_stat(f, "a").stx_size, (1 << 20) + 1);
	overlay_release(file);
}

/* Whoever may have mapped a file may have filled its holes, and the layer not have heard of it. */
static void test_no_holes_under_mapping(void **state)
{
	struct fixture *f = *state;
	struct overlay_file *mapped, *reader;
	struct entry e;

	fixture_open(f, 1);
	assert_int_equal(view_write(f, "a", ""), 0);
	assert_int_equal(view_open(f, "a", O_RDWR, &mapped), 0);
	assert_int_equal(overlay_write(mapped, "x", 1, 1 << 20, 0), 1);
	assert_true(overlay_covers_holes(mapped));
	assert_int_equal(view_open(f, "a", O_RDONLY, &reader), 0);
	assert_false(overlay_covers_holes(reader));
	assert_int_equal(overlay_seek(reader, 4096, SEEK_DATA), 4096);
	assert_int_equal(overlay_seek(reader, 4096, SEEK_HOLE), (1 << 20) + 1);
	assert_int_equal(overlay_seek(reader, (1 << 20) + 1, SEEK_DATA), -ENXIO);
	assert_int_equal(overlay_seek(reader, (1 << 20) + 1, SEEK_HOLE), -ENXIO);
	assert_true(view_stat(f, "a").stx_blocks > (1 << 20) / 512);
	assert_int_equal(overlay_lookup(f->ov, &f->who, overlay_root(f->ov), "a", &e), 1);
	assert_true(e.stx.stx_blocks > (1 << 20) / 512);
	overlay_forget(f->ov, e.node, 1);
	overlay_release(mapped);
	assert_int_equal(overlay_seek(reader, 0, SEEK_DATA), 1 << 20);
	assert_true(view_stat(f, "a").stx_blocks < (1 << 20) / 512);
	overlay_release(reader);
}

static void test_copy_range(void **state)
{
	struct fixture *f = *state;
	struct overlay_file *in, *out;

	layer_file(f, "l1/a", "0123456789");
	fixture_open(f, 1);
	assert_int_equal(view_write(f, "b", "abcdef"), 0);
	assert_int_equal(view_open(f, "a", O_RDONLY, &in), 0);
	assert_int_equal(view_open(f, "b", O_RDWR, &out), 0);
	assert_int_equal(overlay_copy_range(in, 2, out, 1, 3), 3);
	assert_int_equal(overlay_copy_range(out, 0, in, 0, 3), -EBADF);
	overlay_release(in);
	overlay_release(out);
	assert_content(f, "b", "a234ef");
	assert_false(layer_exists(f, "upper/a"));
}

/* A write by somebody without privilege takes the set-id bits. */
static void test_kill_priv(void **state)
{
	struct fixture *f = *state;
	struct overlay_file *file;

	layer_file(f, "l1/a", "x");
	fixture_open(f, 1);
	for (const char *const *p = (const char *const[]) { "a", "b", NULL }; *p; p++) {
		if (**p == 'b')
			assert_int_equal(view_write(f, *p, ""), 0);
		assert_int_equal(view_chmod(f, *p, 06755), 0);
		assert_int_equal(view_open(f, *p, O_WRONLY, &file), 0);
		assert_int_equal(overlay_write(file, "x", 1, 0, true), 1);
		overlay_release(file);
		assert_int_equal(view_stat(f, *p).stx_mode & 07777, 0755);
		assert_int_equal(view_chmod(f, *p, 02644), 0); /* not a group's bit without execution */
		assert_int_equal(view_open(f, *p, O_WRONLY, &file), 0);
		assert_int_equal(overlay_write(file, "x", 1, 0, true), 1);
		overlay_release(file);
		assert_int_equal(view_stat(f, *p).stx_mode & 07777, 02644);
	}
}

static void test_volatile(void **state)
{
	struct fixture *f = *state;
	struct overlay_file *file;

	layer_file(f, "l1/a", "text");
	fixture_configure(f, 1, true);
	f->config.volatile_ = true;
	assert_int_equal(fixture_try_open(f), 0);
	io_engine_fault_set(f->fault, IO_FSYNC, 0, EIO);
	assert_int_equal(view_open(f, "a", O_RDWR, &file), 0);
	assert_int_equal(overlay_fsync(file, false), 0);
	overlay_release(file);
	assert_int_equal(io_engine_fault_hits(f->fault), 0);
	io_engine_fault_set(f->fault, IO_SYNCFS, 0, EIO);
	assert_int_equal(overlay_syncfs(f->ov, &f->who), 0);
}

/* Short reads and writes of the layer's file system are made good, or told. */
static void test_failing_data(void **state)
{
	struct fixture *f = *state;
	struct overlay_file *file;
	char buf[8];

	layer_file(f, "l1/a", "text");
	fixture_open(f, 1);
	assert_int_equal(view_open(f, "a", O_RDWR, &file), 0);
	io_engine_fault_set(f->fault, IO_READ, 0, EIO);
	assert_int_equal(overlay_read(file, buf, 4, 0), -EIO);
	io_engine_fault_set(f->fault, IO_READ, 1, EIO);
	assert_int_equal(overlay_read(file, buf, 8, 0), 4); /* the failure comes with the next read */
	io_engine_fault_set(f->fault, IO_WRITE, 0, ENOSPC);
	assert_int_equal(overlay_write(file, "more", 4, 0, false), -ENOSPC);
	io_engine_fault_set(f->fault, IO_FSYNC, 0, EIO);
	assert_int_equal(overlay_fsync(file, false), -EIO);
	overlay_release(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_read_and_write), FIXTURE_TEST(test_append_loses_nothing),
		FIXTURE_TEST(test_what_can_be_opened), FIXTURE_TEST(test_reader_sees_later_writes),
		FIXTURE_TEST(test_reader_of_renamed), FIXTURE_TEST(test_failing_switch), FIXTURE_TEST(test_many_open),
		FIXTURE_TEST(test_holes), FIXTURE_TEST(test_no_holes_under_mapping),
		FIXTURE_TEST(test_copy_range), FIXTURE_TEST(test_kill_priv), FIXTURE_TEST(test_volatile),
		FIXTURE_TEST(test_failing_data),
		FIXTURE_TEST(test_truncates_no_other),
	};

	return FIXTURE_RUN(tests);
}
