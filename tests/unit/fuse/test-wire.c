/* The wire: what requests look like to the overlay, what replies look like to the kernel, and messages that are neither. */

#include <stdio.h>
#include <sys/sysmacros.h>

#include "fake-overlay.h"

static struct session session;
static _Alignas(4096) char reply_room[65536];

/* A message under construction. */
static struct {
	struct fuse_in_header in;
	char args[16384];
} msg;
static size_t msg_len;

static int set_up(void **state)
{
	fake_reset();
	answers_reset();
	assert_int_equal(session_init(&session, NULL, 1 << 20), 0);
	session.initialised = true;
	session.setxattr_ext = true;
	session.attr_valid = (struct wire_timeout) { .sec = 1, .nsec = 500000000 };
	session.entry_valid = (struct wire_timeout) { .sec = 2 };
	return 0;
}

static int tear_down(void **state)
{
	session_done(&session);
	return 0;
}

static void begin(uint32_t opcode, uint64_t nodeid)
{
	memset(&msg, 0, sizeof(msg));
	msg.in = (struct fuse_in_header) { .opcode = opcode, .unique = 42, .nodeid = nodeid, .uid = 1000, .gid = 100, .pid = 7 };
	msg_len = sizeof(msg.in);
}

static void add(const void *p, size_t n)
{
	memcpy((char *) &msg + msg_len, p, n);
	msg_len += n;
}

static void add_name(const char *name)
{
	add(name, strlen(name) + 1);
}

/* Runs it from memory that ends where the message ends. */
static int run_len(size_t len)
{
	_cleanup_free_ char *copy = malloc(len > 0 ? len : 1);
	struct request rq;
	int r;

	assert_non_null(copy);
	msg.in.len = (uint32_t) len;
	memcpy(copy, &msg, len);
	answers.n = 0;
	r = request_init(&rq, &session, &answers.transport, copy, len, reply_room, sizeof(reply_room));
	if (r < 0)
		return r;
	request_run(&rq);
	return answers.n > 0 ? answers.out.error : 0;
}

static int run(void)
{
	int r = run_len(msg_len);

	assert_int_equal(answers.n, 1);
	return r;
}

static uint64_t add_file(void)
{
	uint64_t fh;

	assert_int_equal(handles_add(session.handles, HANDLE_FILE, &fake_file, &fh), 0);
	return fh;
}

static uint64_t add_dir(void)
{
	uint64_t fh;

	assert_int_equal(handles_add(session.handles, HANDLE_DIR, &fake_dir, &fh), 0);
	return fh;
}

static bool has_handles(void)
{
	enum handle_kind kind;

	return handles_take(session.handles, &kind);
}

/* Encoding */

static void test_dev(void **state)
{
	static const unsigned int pairs[][2] = { { 0, 0 }, { 1, 3 }, { 8, 255 }, { 8, 256 }, { 259, 1048575 }, { 4095, 1 } };

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		assert_int_equal(wire_dev_decode(wire_dev(pairs[i][0], pairs[i][1])), makedev(pairs[i][0], pairs[i][1]));
	assert_int_equal(wire_dev(1, 3), 0x103);
	assert_int_equal(wire_dev(8, 0x1ab), 0x1008ab);
}

static void test_attr(void **state)
{
	struct statx stx = {
		.stx_blksize = 4096, .stx_nlink = 3, .stx_uid = 4, .stx_gid = 5, .stx_mode = S_IFBLK | 0600, .stx_ino = UINT64_MAX,
		.stx_size = UINT64_C(1) << 40, .stx_blocks = 9, .stx_rdev_major = 8, .stx_rdev_minor = 1,
		.stx_atime = { .tv_sec = -1, .tv_nsec = 1 }, .stx_mtime = { .tv_sec = 2, .tv_nsec = 999999999 },
		.stx_ctime = { .tv_sec = 3, .tv_nsec = 0 },
	};
	struct fuse_attr a;

	wire_attr(&a, &stx);
	assert_true(a.ino == UINT64_MAX && a.size == UINT64_C(1) << 40 && a.blocks == 9);
	assert_true((int64_t) a.atime == -1 && a.atimensec == 1 && a.mtime == 2 && a.mtimensec == 999999999 && a.ctime == 3);
	assert_true(a.mode == (S_IFBLK | 0600) && a.nlink == 3 && a.uid == 4 && a.gid == 5 && a.rdev == 0x801);
	assert_true(a.blksize == 4096 && a.flags == 0);
}

static void test_dirent(void **state)
{
	struct overlay_dirent d = { .name = "abcdefghi", .name_len = 9, .ino = 5, .type = 4, .next_off = 77 };
	struct entry e = { .node = &fake_nodes[2], .id = 2, .generation = 3, .stx = fake.stx };
	_Alignas(8) char buf[512];
	const struct fuse_dirent *p = (const void *) buf;
	const struct fuse_direntplus *q = (const void *) buf;

	memset(buf, 0xee, sizeof(buf));
	assert_int_equal(wire_dirent(buf, 39, &d), 0);
	assert_int_equal((unsigned char) buf[0], 0xee);
	assert_int_equal(wire_dirent(buf, 40, &d), 40); /* 24 + 9, in eights */
	assert_true(p->ino == 5 && p->off == 77 && p->namelen == 9 && p->type == 4);
	assert_memory_equal(p->name, "abcdefghi\0\0\0\0\0\0", 15);
	assert_int_equal((unsigned char) buf[40], 0xee);

	assert_int_equal(wire_direntplus(buf, 167, &session, &d, &e), 0);
	assert_int_equal(wire_direntplus(buf, 168, &session, &d, &e), 168);
	assert_true(q->entry_out.nodeid == 2 && q->entry_out.generation == 3 && q->entry_out.attr.ino == 77);
	assert_true(q->entry_out.entry_valid == 2 && q->entry_out.attr_valid == 1 && q->entry_out.attr_valid_nsec == 500000000);
	assert_true(q->dirent.namelen == 9 && q->dirent.off == 77);
	assert_memory_equal(q->dirent.name, "abcdefghi", 9);

	assert_int_equal(wire_direntplus(buf, sizeof(buf), &session, &d, NULL), 168);
	assert_int_equal(q->entry_out.nodeid, 0);
}

static void test_args(void **state)
{
	struct wire_args a = { .p = "ab\0cd", .left = 5 };

	assert_null(wire_take(&a, 6));
	assert_string_equal(wire_take_name(&a), "ab");
	assert_null(wire_take_name(&a)); /* its NUL is outside */
	assert_non_null(wire_take(&a, 2));
	assert_null(wire_take_name(&a));
	assert_non_null(wire_take(&a, 0));
}

/* Requests */

static void test_lookup(void **state)
{
	const struct fuse_entry_out *out = (const void *) answers.data;

	fake.result = 1;
	begin(FUSE_LOOKUP, 1);
	add_name("file");
	assert_int_equal(run(), 0);
	assert_string_equal(fake.name, "file");
	assert_ptr_equal(fake.node, &fake_nodes[1]);
	assert_true(fake.actor.uid == 1000 && fake.actor.gid == 100 && fake.actor.pid == 7);
	assert_true(answers.len == sizeof(*out) && out->nodeid == 2 && out->generation == 9 && out->attr.size == 5);
	assert_int_equal(fake_nodes[2].count, 1);

	/* The kernel has gone: the count comes back. */
	answers.result = -ENOENT;
	(void) run();
	assert_int_equal(fake_nodes[2].count, 1);
	answers.result = 0;

	fake.result = 0;
	assert_int_equal(run(), -ENOENT);
	session.negative_valid.sec = 3;
	assert_int_equal(run(), 0);
	assert_true(out->nodeid == 0 && out->entry_valid == 3);

	fake.result = -ENAMETOOLONG;
	assert_int_equal(run(), -ENAMETOOLONG);

	begin(FUSE_LOOKUP, 99);
	add_name("file");
	assert_int_equal(run(), -ESTALE);

	begin(FUSE_LOOKUP, 1);
	add("file", 4);
	assert_int_equal(run(), -EINVAL);
	begin(FUSE_LOOKUP, 1);
	assert_int_equal(run(), -EINVAL);
}

static void test_forget(void **state)
{
	struct fuse_batch_forget_in batch = { .count = 3 };
	struct fuse_forget_one ones[] = { { 2, 5 }, { 99, 1 }, { 1, 1 } };

	begin(FUSE_FORGET, 2);
	add(&(struct fuse_forget_in) { .nlookup = 4 }, sizeof(struct fuse_forget_in));
	(void) run_len(msg_len);
	assert_int_equal(answers.n, 0);
	assert_int_equal(fake_nodes[2].count, -4);

	begin(FUSE_BATCH_FORGET, 0);
	add(&batch, sizeof(batch));
	add(ones, sizeof(ones));
	(void) run_len(msg_len);
	assert_int_equal(answers.n, 0);
	assert_int_equal(fake_nodes[2].count, -9);
	assert_int_equal(fake_nodes[1].count, 0); /* the root stays */

	batch.count = UINT32_MAX;
	begin(FUSE_BATCH_FORGET, 0);
	add(&batch, sizeof(batch));
	add(ones, sizeof(ones[0]));
	(void) run_len(msg_len);
	assert_int_equal(fake_nodes[2].count, -14);
}

static void test_make(void **state)
{
	struct fuse_mknod_in mknod_in = { .mode = S_IFCHR | 0666, .rdev = 0x103, .umask = 027 };
	struct fuse_mkdir_in mkdir_in = { .mode = 0777, .umask = 022 };

	begin(FUSE_MKNOD, 3);
	add(&mknod_in, sizeof(mknod_in));
	add_name("null");
	assert_int_equal(run(), 0);
	assert_string_equal(fake.verb, "mknod");
	assert_true(fake.mode == (S_IFCHR | 0666) && fake.dev == makedev(1, 3) && fake.actor.umask == 027);

	begin(FUSE_MKDIR, 3);
	add(&mkdir_in, sizeof(mkdir_in));
	add_name("d");
	assert_int_equal(run(), 0);
	assert_true(fake.mode == 0777 && fake.actor.umask == 022);

	begin(FUSE_SYMLINK, 3);
	add_name("name");
	add_name("../target");
	assert_int_equal(run(), 0);
	assert_string_equal(fake.name, "name");
	assert_string_equal(fake.name2, "../target");
	assert_int_equal(run_len(msg_len - 1), -EINVAL);

	begin(FUSE_LINK, 3);
	add(&(struct fuse_link_in) { .oldnodeid = 2 }, sizeof(struct fuse_link_in));
	add_name("new");
	assert_int_equal(run(), 0);
	assert_ptr_equal(fake.node, &fake_nodes[2]);
	assert_ptr_equal(fake.node2, &fake_nodes[3]);

	begin(FUSE_LINK, 3);
	add(&(struct fuse_link_in) { .oldnodeid = 50 }, sizeof(struct fuse_link_in));
	add_name("new");
	assert_int_equal(run(), -ESTALE);

	/* An entry that the kernel did not take */
	fake_nodes[2].count = 0;
	answers.result = -ENOENT;
	begin(FUSE_MKDIR, 3);
	add(&mkdir_in, sizeof(mkdir_in));
	add_name("d");
	(void) run();
	assert_int_equal(fake_nodes[2].count, 0);
}

static void test_rename(void **state)
{
	struct fuse_rename2_in in = { .newdir = 3, .flags = 1 };

	begin(FUSE_RENAME2, 1);
	add(&in, sizeof(in));
	add_name("a");
	add_name("b");
	assert_int_equal(run(), 0);
	assert_string_equal(fake.name, "a");
	assert_string_equal(fake.name2, "b");
	assert_true(fake.flags == 1 && fake.node == &fake_nodes[1] && fake.node2 == &fake_nodes[3]);
	assert_int_equal(answers.len, 0);

	begin(FUSE_RENAME, 1);
	add(&(struct fuse_rename_in) { .newdir = 9 }, sizeof(struct fuse_rename_in));
	add_name("a");
	add_name("b");
	assert_int_equal(run(), -ESTALE);
}

static void test_setattr(void **state)
{
	uint64_t fh = add_file();
	struct fuse_setattr_in in = {
		.valid = FATTR_MODE | FATTR_UID | FATTR_SIZE | FATTR_ATIME | FATTR_ATIME_NOW | FATTR_MTIME | FATTR_FH |
			 FATTR_KILL_SUIDGID | FATTR_CTIME | FATTR_LOCKOWNER,
		.fh = fh, .mode = S_IFREG | 04755, .uid = 3, .gid = 4, .size = 10, .mtime = 20, .mtimensec = 21,
	};

	begin(FUSE_SETATTR, 2);
	add(&in, sizeof(in));
	assert_int_equal(run(), 0);
	assert_ptr_equal(fake.file, &fake_file);
	assert_int_equal(fake.change.valid,
			 ATTR_MODE | ATTR_UID | ATTR_SIZE | ATTR_ATIME | ATTR_MTIME | ATTR_KILL_PRIV);
	assert_true(fake.change.mode == 04755 && fake.change.uid == 3 && fake.change.size == 10);
	assert_int_equal(fake.change.atime.tv_nsec, UTIME_NOW);
	assert_true(fake.change.mtime.tv_sec == 20 && fake.change.mtime.tv_nsec == 21);
	assert_int_equal(answers.len, sizeof(struct fuse_attr_out));

	/* No change at all is passed on as that: the overlay knows what it means. */
	in.valid = FATTR_FH;
	begin(FUSE_SETATTR, 2);
	add(&in, sizeof(in));
	assert_int_equal(run(), 0);
	assert_string_equal(fake.verb, "setattr");
	assert_int_equal(fake.change.valid, 0);
	in.valid = 0;
	begin(FUSE_SETATTR, 3);
	add(&in, sizeof(in));
	assert_int_equal(run(), 0);
	assert_string_equal(fake.verb, "setattr");

	in.valid = FATTR_FH;
	in.fh = 12345;
	begin(FUSE_SETATTR, 2);
	add(&in, sizeof(in));
	assert_int_equal(run(), -EBADF);
	assert_int_equal(run_len(msg_len - 1), -EINVAL);
}

static void test_getattr(void **state)
{
	struct fuse_getattr_in in = { .getattr_flags = FUSE_GETATTR_FH, .fh = add_file() };
	struct protocol_statx_in statx_in = { .sx_mask = STATX_BTIME };
	const struct protocol_statx_out *out = (const void *) answers.data;

	begin(FUSE_GETATTR, 2);
	add(&in, sizeof(in));
	assert_int_equal(run(), 0);
	assert_ptr_equal(fake.file, &fake_file);

	fake.stx.stx_btime = (struct statx_timestamp) { .tv_sec = 11, .tv_nsec = 12 };
	begin(OPCODE_STATX, 2);
	add(&statx_in, sizeof(statx_in));
	assert_int_equal(run(), 0);
	assert_null(fake.file);
	assert_true(out->stat.btime.tv_sec == 11 && out->stat.btime.tv_nsec == 12 && out->stat.ino == 77);
	assert_int_equal(out->stat.mask, STATX_BASIC_STATS | STATX_BTIME);
}

static void test_open(void **state)
{
	struct fuse_open_in in = { .flags = O_WRONLY | O_TRUNC, .open_flags = FUSE_OPEN_KILL_SUIDGID };
	const struct fuse_open_out *out = (const void *) answers.data;

	begin(FUSE_OPEN, 2);
	add(&in, sizeof(in));
	assert_int_equal(run(), 0);
	assert_string_equal(fake.verb, "open"); /* no bits, no more work */
	assert_int_equal(answers.note.len, 0);

	fake.stx.stx_mode = S_IFREG | 04755;
	assert_int_equal(run(), 0);
	assert_int_equal(out->open_flags, FOPEN_KEEP_CACHE | FOPEN_NOFLUSH);
	assert_string_equal(fake.verb, "setattr"); /* after the open */
	assert_int_equal(fake.change.valid, ATTR_KILL_PRIV);
	assert_int_equal(answers.note.error, FUSE_NOTIFY_INVAL_INODE);
	assert_ptr_equal(handles_get(session.handles, HANDLE_FILE, out->fh), &fake_file);

	in.flags = O_WRONLY;
	begin(FUSE_OPEN, 2);
	add(&in, sizeof(in));
	assert_int_equal(run(), 0);
	assert_string_equal(fake.verb, "open");
	while (has_handles())
		continue;

	answers.result = -ENOENT;
	(void) run();
	assert_int_equal(fake_file.released, 1);
	assert_false(has_handles());

	answers.result = 0;
	fake.result = -EROFS;
	assert_int_equal(run(), -EROFS);
	assert_false(has_handles());
}

static void test_create(void **state)
{
	struct fuse_create_in in = { .flags = O_RDWR | O_CREAT | O_EXCL, .mode = S_IFREG | 0666, .umask = 077 };
	const struct fuse_entry_out *entry = (const void *) answers.data;
	const struct fuse_open_out *out = (const void *) (answers.data + sizeof(*entry));

	begin(FUSE_CREATE, 1);
	add(&in, sizeof(in));
	add_name("new");
	assert_int_equal(run(), 0);
	assert_true(fake.mode == (S_IFREG | 0666) && fake.actor.umask == 077 && fake.flags == (O_RDWR | O_CREAT | O_EXCL));
	assert_true(entry->nodeid == 2 && answers.len == sizeof(*entry) + sizeof(*out));
	assert_ptr_equal(handles_remove(session.handles, HANDLE_FILE, out->fh), &fake_file);
	assert_int_equal(fake_nodes[2].count, 1);

	answers.result = -ENOENT;
	(void) run();
	assert_int_equal(fake_file.released, 1);
	assert_int_equal(fake_nodes[2].count, 1);
	assert_false(has_handles());
	answers.result = 0;

	begin(FUSE_TMPFILE, 1);
	add(&in, sizeof(in));
	add_name("#1");
	assert_int_equal(run(), 0);
	assert_string_equal(fake.verb, "tmpfile");
}

/* Space that a removed file still takes is given back, and the request tried once more before a program sees ENOSPC. */
static void test_full(void **state)
{
	struct fuse_write_in in = { .fh = add_file(), .size = 5 };

	fake.reclaimed = false;
	fake.result = -EIO;
	begin(FUSE_WRITE, 2);
	add(&in, sizeof(in));
	add("01234", 5);
	assert_int_equal(run(), -EIO);
	assert_false(fake.reclaimed);
	fake.result = -ENOSPC;
	begin(FUSE_WRITE, 2);
	add(&in, sizeof(in));
	add("01234", 5);
	assert_int_equal(run(), -ENOSPC);
	assert_true(fake.reclaimed);
	assert_int_equal(fake.size, 5); /* the second try had its arguments */
}

static void test_read_write(void **state)
{
	uint64_t fh = add_file();
	struct fuse_read_in read_in = { .fh = fh, .offset = 3, .size = UINT32_MAX };
	struct fuse_write_in write_in = { .fh = fh, .offset = 8, .size = 5, .write_flags = FUSE_WRITE_KILL_SUIDGID,
					 .flags = O_WRONLY | O_APPEND };
	const struct fuse_write_out *out = (const void *) answers.data;

	fake.result = 6;
	begin(FUSE_READ, 2);
	add(&read_in, sizeof(read_in));
	assert_int_equal(run(), 0);
	assert_true(fake.size == sizeof(reply_room) && fake.off == 3); /* not more than there is room for */
	assert_int_equal(answers.len, 6);
	assert_memory_equal(answers.data, "rrrrrr", 6);
	fake.result = 0;
	assert_int_equal(run(), 0);
	assert_int_equal(answers.len, 0);

	begin(FUSE_WRITE, 2);
	add(&write_in, sizeof(write_in));
	add("hello", 5);
	assert_int_equal(run(), 0);
	assert_true(fake.size == 5 && fake.off == 8 && fake.flag && out->size == 5);
	assert_int_equal(fake.flags, OVERLAY_WRITE_KILL_PRIV | OVERLAY_WRITE_APPEND);
	assert_int_equal(run_len(msg_len - 1), -EINVAL); /* says 5, has 4 */

	fake.verb = "";
	write_in.fh = 1;
	begin(FUSE_WRITE, 2);
	add(&write_in, sizeof(write_in));
	add("hello", 5);
	assert_int_equal(run(), -EBADF);
	assert_string_equal(fake.verb, "");
}

static void test_release(void **state)
{
	struct fuse_release_in in = { .fh = add_file() };

	begin(FUSE_RELEASE, 2);
	add(&in, sizeof(in));
	assert_int_equal(run(), 0);
	assert_int_equal(fake_file.released, 1);
	assert_int_equal(run(), -EBADF);
	assert_int_equal(fake_file.released, 1);
}

static void test_copy_and_seek(void **state)
{
	uint64_t fh = add_file();
	struct fuse_copy_file_range_in in = { .fh_in = fh, .fh_out = fh, .off_in = 1, .off_out = 2, .len = 200 << 20 };
	struct fuse_lseek_in seek_in = { .fh = fh, .offset = 4, .whence = SEEK_HOLE };
	const struct protocol_copy_out *out = (const void *) answers.data;

	fake.result = INT32_MAX;
	begin(OPCODE_COPY_FILE_RANGE_64, 2);
	add(&in, sizeof(in));
	assert_int_equal(run(), 0);
	assert_int_equal(out->bytes_copied, 200 << 20);
	assert_int_equal(fake.off - 1, fake.off2 - 2);
	assert_int_equal(fake.off - 1 + fake.size, 200 << 20);

	in.len = UINT64_MAX;
	begin(FUSE_COPY_FILE_RANGE, 2);
	add(&in, sizeof(in));
	assert_int_equal(run(), 0);
	assert_int_equal(answers.len, sizeof(struct fuse_write_out));
	fake.result = -EXDEV;
	assert_int_equal(run(), -EXDEV);

	fake.result = INT64_C(1) << 40;
	begin(FUSE_LSEEK, 2);
	add(&seek_in, sizeof(seek_in));
	assert_int_equal(run(), 0);
	assert_int_equal(((const struct fuse_lseek_out *) (const void *) answers.data)->offset, INT64_C(1) << 40);
	seek_in.whence = SEEK_SET;
	begin(FUSE_LSEEK, 2);
	add(&seek_in, sizeof(seek_in));
	assert_int_equal(run(), -EINVAL);
}

static void test_readdir(void **state)
{
	struct fuse_read_in in = { .fh = add_dir(), .size = 200 };

	fake.n_entries = 10;
	begin(FUSE_READDIR, 1);
	add(&in, sizeof(in));
	assert_int_equal(run(), 0);
	assert_int_equal(answers.len, 32 * 6); /* a seventh has no room */
	assert_int_equal(fake_nodes[2].count, 0);

	in.size = 160 * 4;
	begin(FUSE_READDIRPLUS, 1);
	add(&in, sizeof(in));
	assert_int_equal(run(), 0);
	assert_int_equal(answers.len, 160 * 4);
	assert_int_equal(fake_nodes[2].count, 3); /* "." has none */

	answers.result = -ENOENT;
	(void) run();
	assert_int_equal(fake_nodes[2].count, 3);
	answers.result = 0;

	/* An error behind entries waits for its turn. */
	fake.result = -EIO;
	assert_int_equal(run(), 0);
	in.offset = 10;
	begin(FUSE_READDIR, 1);
	add(&in, sizeof(in));
	assert_int_equal(run(), -EIO);
	fake.result = 0;
	assert_int_equal(run(), 0);
	assert_int_equal(answers.len, 0);
}

static void test_xattr(void **state)
{
	struct fuse_getxattr_in get = { .size = 0 };
	struct fuse_setxattr_in set = { .size = 3, .flags = 1, .setxattr_flags = FUSE_SETXATTR_ACL_KILL_SGID };

	fake.result = 9;
	begin(FUSE_GETXATTR, 2);
	add(&get, sizeof(get));
	add_name("user.a");
	assert_int_equal(run(), 0);
	assert_true(fake.size == 0 && answers.len == sizeof(struct fuse_getxattr_out) && answers.data[0] == 9);

	get.size = 100;
	begin(FUSE_LISTXATTR, 2);
	add(&get, sizeof(get));
	assert_int_equal(run(), 0);
	assert_int_equal(answers.len, 9);

	fake.result = 0;
	begin(FUSE_SETXATTR, 2);
	add(&set, sizeof(set));
	add_name("user.a");
	add("xyz", 3);
	assert_int_equal(run(), 0);
	assert_true(fake.size == 3 && fake.flags == 1 && fake.flag && fake.sum == (unsigned char) ('x' + 'y' + 'z'));
	assert_int_equal(run_len(msg_len - 1), -EINVAL);

	session.setxattr_ext = false; /* the short structure */
	begin(FUSE_SETXATTR, 2);
	add(&set, FUSE_COMPAT_SETXATTR_IN_SIZE);
	add_name("user.b");
	add("xyz", 3);
	assert_int_equal(run(), 0);
	assert_string_equal(fake.name, "user.b");
	assert_false(fake.flag);
}

static void test_init(void **state)
{
	struct fuse_init_in in = { .major = 7, .minor = 45, .max_readahead = 131072, .flags = UINT32_MAX & ~FUSE_POSIX_ACL };
	const struct fuse_init_out *out = (const void *) answers.data;

	session.initialised = false;
	session.setxattr_ext = false;
	begin(FUSE_STATFS, 1);
	assert_int_equal(run(), -EIO);

	in.major = 8;
	begin(FUSE_INIT, 0);
	add(&in, sizeof(in));
	assert_int_equal(run(), 0);
	assert_int_equal(out->major, 7);
	assert_false(session.initialised);

	in.major = 7;
	in.minor = 30;
	begin(FUSE_INIT, 0);
	add(&in, sizeof(in));
	assert_int_equal(run(), -EPROTO);
	assert_int_equal(session.init_error, -EPROTO);
	session.init_error = 0;

	in.minor = 31;
	begin(FUSE_INIT, 0);
	add(&in, PROTOCOL_INIT_IN_MIN); /* as old kernels send it */
	assert_int_equal(run(), 0);
	assert_true(session.initialised && session.setxattr_ext);
	assert_int_equal(answers.len, 64);
	assert_true(out->major == 7 && out->max_write == 1 << 20 && out->time_gran == 1000 && out->max_readahead == 131072);
	assert_int_equal(out->max_pages, (1 << 20) / sysconf(_SC_PAGESIZE));
	assert_true(out->flags & FUSE_HANDLE_KILLPRIV_V2);
	assert_false(out->flags & (FUSE_POSIX_ACL | FUSE_WRITEBACK_CACHE | FUSE_POSIX_LOCKS | FUSE_FLOCK_LOCKS | FUSE_EXPORT_SUPPORT));
	assert_int_equal(run(), -EINVAL); /* once is enough */
}

static void test_unsupported(void **state)
{
	static const struct {
		uint32_t opcode;
		int error;
	} rows[] = {
		{ FUSE_GETLK, -ENOSYS }, { FUSE_SETLK, -ENOSYS }, { FUSE_SETLKW, -ENOSYS }, { FUSE_ACCESS, -ENOSYS },
		{ FUSE_BMAP, -ENOSYS }, { FUSE_POLL, -ENOSYS }, { FUSE_SETUPMAPPING, -ENOSYS }, { FUSE_IOCTL, -ENOTTY },
		{ FUSE_FLUSH, 0 }, { FUSE_DESTROY, 0 }, { 7, -ENOSYS }, { 0, -ENOSYS }, { 54, -ENOSYS }, { UINT32_MAX, -ENOSYS },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		begin(rows[i].opcode, 1);
		assert_int_equal(run(), rows[i].error);
		assert_int_equal(answers.len, 0);
	}
}

/* The kernel would never again ask for any file. */
static void test_unsupported_by_layer(void **state)
{
	struct fuse_open_in in = { .flags = O_RDONLY };

	fake.result = -ENOSYS;
	begin(FUSE_OPEN, 2);
	add(&in, sizeof(in));
	assert_int_equal(run(), -EOPNOTSUPP);
	begin(FUSE_SYNCFS, 1);
	add("12345678", 8);
	assert_int_equal(run(), -EOPNOTSUPP);
}

static void test_may_block(void **state)
{
	struct fuse_open_in in = { .flags = O_RDWR };
	struct request rq;

	begin(FUSE_OPEN, 2);
	add(&in, sizeof(in));
	msg.in.len = (uint32_t) msg_len;
	assert_int_equal(request_init(&rq, &session, &answers.transport, &msg, msg_len, NULL, 0), 0);
	assert_false(request_may_block(&rq));
	fake.would_copy = true;
	assert_true(request_may_block(&rq));
	request_run(&rq); /* asking has used nothing up */
	assert_int_equal(answers.out.error, 0);

	begin(FUSE_FSYNC, 2);
	msg.in.len = (uint32_t) msg_len;
	assert_int_equal(request_init(&rq, &session, &answers.transport, &msg, msg_len, NULL, 0), 0);
	assert_true(request_may_block(&rq));

	begin(FUSE_OPEN, 50); /* no such node: refused at once */
	msg.in.len = (uint32_t) msg_len;
	assert_int_equal(request_init(&rq, &session, &answers.transport, &msg, msg_len, NULL, 0), 0);
	assert_false(request_may_block(&rq));
}

/* Messages that are none */

static void test_bad_header(void **state)
{
	struct request rq;

	begin(FUSE_LOOKUP, 1);
	add_name("x");
	for (size_t len = 0; len < sizeof(msg.in); len++) {
		assert_int_equal(run_len(len), -EBADMSG);
		assert_int_equal(answers.n, 0);
	}
	msg.in.len = (uint32_t) msg_len + 1;
	assert_int_equal(request_init(&rq, &session, &answers.transport, &msg, msg_len, NULL, 0), -EBADMSG);
	assert_non_null(rq.in);
	assert_int_equal(reply_error(&rq, -EIO), 0);

	/* Extensions are not arguments. */
	msg.in.len = (uint32_t) msg_len;
	msg.in.total_extlen = 1;
	assert_int_equal(request_init(&rq, &session, &answers.transport, &msg, msg_len, NULL, 0), -EBADMSG);
	add("12345678", 8);
	msg.in.len = (uint32_t) msg_len;
	assert_int_equal(request_init(&rq, &session, &answers.transport, &msg, msg_len, NULL, 0), 0);
	assert_int_equal(rq.args.left, 2);
}

/* The kernel takes errors from -511 to 0 and nothing else, and gives up on a reply that it cannot read. */
static void test_bad_replies(void **state)
{
	fake.result = -512;
	begin(FUSE_UNLINK, 1);
	add_name("x");
	assert_int_equal(run(), -EIO);
	fake.result = 5;
	assert_int_equal(run(), -EIO);

	fake.result = 1;
	answers.result = -EFAULT;
	begin(FUSE_LOOKUP, 1);
	add_name("x");
	assert_int_equal(run_len(msg_len), -EIO);
	assert_int_equal(answers.n, 2);
	assert_int_equal(fake_nodes[2].count, 0);
}

/* Any bytes: one answer each, none for those that want none, and nothing read behind the end. */
static void test_noise(void **state)
{
	uint64_t fhs[] = { add_file(), add_dir() }, x = 88172645463325252u;

	for (unsigned int i = 0; i < 200000; i++) {
		const struct op *op;
		size_t n, words;

		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		begin((uint32_t) (x % (OPCODE_MAX + 3)), x >> 8 & 3);
		words = x >> 16 & 15;
		for (size_t k = 0; k < words; k++) {
			uint64_t word;

			x ^= x << 13, x ^= x >> 7, x ^= x << 17;
			word = (x & 3) == 0 ? fhs[x >> 2 & 1] : (x & 3) == 1 ? x >> 5 & 0x7f : (x & 3) == 2 ? 0x0041004100410041 : x;
			add(&word, sizeof(word));
		}
		n = msg_len - (words > 0 ? x >> 40 & 7 : 0);
		if (msg.in.opcode == FUSE_RELEASE || msg.in.opcode == FUSE_RELEASEDIR || msg.in.opcode == FUSE_INIT)
			continue; /* would end what the others use */
		fake.result = (int64_t) (x >> 50 & 3) - 1;
		assert_true(run_len(n) <= 0);
		op = op_find(msg.in.opcode);
		assert_int_equal(answers.n, op && (op->flags & OP_NO_REPLY) ? 0 : 1);
	}
}

/* Every opcode has its smallest message refused: none trusts that its arguments are there. */
static void test_empty(void **state)
{
	for (uint32_t opcode = 1; opcode <= OPCODE_MAX; opcode++) {
		static const uint32_t without[] = { FUSE_READLINK, FUSE_STATFS, FUSE_FLUSH, FUSE_OPENDIR, FUSE_DESTROY, FUSE_SYNCFS };
		const struct op *op = op_find(opcode);
		bool needs_none = false;

		for (size_t i = 0; i < ARRAY_SIZE(without); i++)
			needs_none |= opcode == without[i];
		begin(opcode, 1);
		(void) run_len(msg_len);
		if (op && (op->flags & OP_NO_REPLY))
			assert_int_equal(answers.n, 0);
		else
			assert_int_equal(answers.out.error < 0, !needs_none);
	}
}

static void test_end_releases(void **state)
{
	(void) add_file();
	(void) add_dir();
	(void) add_file();
	session_done(&session);
	assert_int_equal(fake_file.released, 2);
	assert_int_equal(fake_dir.released, 1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_dev), T(test_attr), T(test_dirent), T(test_args),
		T(test_lookup), T(test_forget), T(test_make), T(test_rename), T(test_setattr), T(test_getattr), T(test_open),
		T(test_create), T(test_full), T(test_read_write), T(test_release), T(test_copy_and_seek), T(test_readdir), T(test_xattr),
		T(test_init), T(test_unsupported), T(test_unsupported_by_layer), T(test_may_block),
		T(test_bad_header), T(test_bad_replies), T(test_noise), T(test_empty), T(test_end_releases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
