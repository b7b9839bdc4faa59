#pragma once

/*
 * An overlay that does nothing but remember what it was asked, and a transport that remembers what was answered. It reads
 * every byte that it is given, so that a sanitizer sees what lies outside the message. Include once in a program.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "fuse/ops.h"
#include "overlay/overlay.h"

struct node {
	uint64_t id;
	mode_t type;
	int64_t count; /* look-ups given minus forgotten */
};

struct overlay_file {
	unsigned int released;
};

struct overlay_dir {
	unsigned int released;
};

static struct {
	int64_t result;	      /* what every verb returns */
	const char *verb;     /* the last one called */
	struct actor actor;
	char name[8192], name2[8192];
	struct attr_change change;
	mode_t mode;
	dev_t dev;
	int flags;
	uint64_t off, off2, size;
	bool flag;
	const struct overlay_file *file;
	const struct node *node, *node2;
	atomic_int n_inside; /* verbs of a request, and its reply */
	bool reclaimed;
	bool would_copy;
	struct statx stx;
	/* readdir: so many entries name0 … */
	unsigned int n_entries;
	unsigned char sum; /* of the bytes given */
} fake;

static struct node fake_nodes[] = { { 0 }, { .id = 1, .type = S_IFDIR }, { .id = 2, .type = S_IFREG }, { .id = 3, .type = S_IFDIR } };
static struct overlay_file fake_file;
static struct overlay_dir fake_dir;

static void fake_reset(void)
{
	memset(&fake, 0, sizeof(fake));
	memset(&fake_file, 0, sizeof(fake_file));
	memset(&fake_dir, 0, sizeof(fake_dir));
	for (size_t i = 0; i < ARRAY_SIZE(fake_nodes); i++)
		fake_nodes[i].count = 0;
	fake.stx = (struct statx) { .stx_mask = STATX_BASIC_STATS | STATX_BTIME, .stx_mode = S_IFREG | 0640, .stx_ino = 77,
				    .stx_size = 5, .stx_nlink = 1 };
}

static void saw(const char *verb, const struct actor *who, const struct node *node)
{
	fake.verb = verb;
	if (who)
		fake.actor = *who;
	fake.node = node;
}

static void saw_name(char *to, const char *name)
{
	assert_true(strlen(name) < sizeof(fake.name));
	strcpy(to, name);
}

static void saw_bytes(const void *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		fake.sum = (unsigned char) (fake.sum + ((const unsigned char *) p)[i]);
}

static int give(struct entry *ret)
{
	if (fake.result < 0)
		return (int) fake.result;
	fake_nodes[2].count++;
	*ret = (struct entry) { .node = &fake_nodes[2], .id = 2, .generation = 9, .stx = fake.stx };
	return (int) fake.result;
}

struct node *overlay_node(struct overlay *ov, uint64_t id)
{
	return id > 0 && id < ARRAY_SIZE(fake_nodes) ? &fake_nodes[id] : NULL;
}

void overlay_forget(struct overlay *ov, struct node *node, uint64_t n)
{
	node->count = (int64_t) ((uint64_t) node->count - n); /* n may be anything */
}

mode_t overlay_node_type(const struct node *node)
{
	return node->type;
}

unsigned int overlay_enter(struct overlay *ov)
{
	fake.n_inside++;
	return 7;
}

void overlay_leave(struct overlay *ov, unsigned int token)
{
	assert_int_equal(token, 7);
	fake.n_inside--;
}

uint32_t overlay_time_gran(const struct overlay *ov)
{
	return 1000;
}

void overlay_reclaim(struct overlay *ov)
{
	fake.reclaimed = true;
}

bool overlay_unlink_would_copy(struct overlay *ov, struct node *dir, const char *name)
{
	return false;
}

bool overlay_would_copy(struct overlay *ov, struct node *node, int open_flags)
{
	fake.flags = open_flags;
	return fake.would_copy;
}

int overlay_lookup(struct overlay *ov, const struct actor *who, struct node *dir, const char *name, struct entry *ret)
{
	saw("lookup", who, dir);
	saw_name(fake.name, name);
	if (fake.result == 0) {
		ret->node = NULL;
		return 0;
	}
	return give(ret);
}

int overlay_getattr(struct overlay *ov, const struct actor *who, struct node *node, struct overlay_file *file, struct statx *ret)
{
	saw("getattr", who, node);
	fake.file = file;
	*ret = fake.stx;
	return (int) fake.result;
}

int overlay_setattr(struct overlay *ov, const struct actor *who, struct node *node, struct overlay_file *file,
		    const struct attr_change *change, struct statx *ret)
{
	saw("setattr", who, node);
	fake.file = file;
	fake.change = *change;
	*ret = fake.stx;
	return (int) fake.result;
}

ssize_t overlay_readlink(struct overlay *ov, const struct actor *who, struct node *node, char *buf, size_t size)
{
	saw("readlink", who, node);
	if (fake.result > 0)
		memset(buf, 'x', MIN(size, (size_t) fake.result));
	return fake.result;
}

int overlay_statfs(struct overlay *ov, const struct actor *who, struct statfs *ret)
{
	saw("statfs", who, NULL);
	*ret = (struct statfs) { .f_bsize = 4096, .f_blocks = 1000, .f_namelen = 255 };
	return (int) fake.result;
}

int overlay_syncfs(struct overlay *ov, const struct actor *who)
{
	saw("syncfs", who, NULL);
	return (int) fake.result;
}

int overlay_mkdir(struct overlay *ov, const struct actor *who, struct node *dir, const char *name, mode_t mode, struct entry *ret)
{
	saw("mkdir", who, dir);
	saw_name(fake.name, name);
	fake.mode = mode;
	return give(ret);
}

int overlay_mknod(struct overlay *ov, const struct actor *who, struct node *dir, const char *name, mode_t mode, dev_t dev,
		  struct entry *ret)
{
	saw("mknod", who, dir);
	saw_name(fake.name, name);
	fake.mode = mode;
	fake.dev = dev;
	return give(ret);
}

int overlay_symlink(struct overlay *ov, const struct actor *who, struct node *dir, const char *name, const char *target,
		    struct entry *ret)
{
	saw("symlink", who, dir);
	saw_name(fake.name, name);
	saw_name(fake.name2, target);
	return give(ret);
}

int overlay_link(struct overlay *ov, const struct actor *who, struct node *node, struct node *dir, const char *name,
		 struct entry *ret)
{
	saw("link", who, node);
	fake.node2 = dir;
	saw_name(fake.name, name);
	return give(ret);
}

int overlay_unlink(struct overlay *ov, const struct actor *who, struct node *dir, const char *name)
{
	saw("unlink", who, dir);
	saw_name(fake.name, name);
	return (int) fake.result;
}

int overlay_rmdir(struct overlay *ov, const struct actor *who, struct node *dir, const char *name)
{
	saw("rmdir", who, dir);
	saw_name(fake.name, name);
	return (int) fake.result;
}

int overlay_rename(struct overlay *ov, const struct actor *who, struct node *dir, const char *name, struct node *new_dir,
		   const char *new_name, unsigned int flags)
{
	saw("rename", who, dir);
	fake.node2 = new_dir;
	saw_name(fake.name, name);
	saw_name(fake.name2, new_name);
	fake.flags = (int) flags;
	return (int) fake.result;
}

int overlay_open(struct overlay *ov, const struct actor *who, struct node *node, int flags, struct overlay_file **ret)
{
	saw("open", who, node);
	fake.flags = flags;
	*ret = &fake_file;
	return (int) MIN(fake.result, INT64_C(0));
}

int overlay_create(struct overlay *ov, const struct actor *who, struct node *dir, const char *name, mode_t mode, int flags,
		   struct entry *ret, struct overlay_file **ret_file)
{
	saw("create", who, dir);
	saw_name(fake.name, name);
	fake.mode = mode;
	fake.flags = flags;
	*ret_file = &fake_file;
	return give(ret);
}

int overlay_tmpfile(struct overlay *ov, const struct actor *who, struct node *dir, mode_t mode, int flags, struct entry *ret,
		    struct overlay_file **ret_file)
{
	saw("tmpfile", who, dir);
	fake.mode = mode;
	fake.flags = flags;
	*ret_file = &fake_file;
	return give(ret);
}

void overlay_release(struct overlay_file *file)
{
	file->released++;
}

ssize_t overlay_read(struct overlay_file *file, void *buf, size_t size, uint64_t off)
{
	saw("read", NULL, NULL);
	fake.size = size;
	fake.off = off;
	if (fake.result > 0)
		memset(buf, 'r', MIN(size, (size_t) fake.result));
	return MIN(fake.result, (int64_t) size);
}

ssize_t overlay_write(struct overlay_file *file, const void *buf, size_t size, uint64_t off, unsigned int flags)
{
	saw("write", NULL, NULL);
	saw_bytes(buf, size);
	fake.size = size;
	fake.off = off;
	fake.flag = flags & OVERLAY_WRITE_KILL_PRIV;
	fake.flags = (int) flags;
	return fake.result < 0 ? fake.result : (ssize_t) size;
}

int overlay_fsync(struct overlay_file *file, bool data_only)
{
	saw("fsync", NULL, NULL);
	fake.flag = data_only;
	return (int) fake.result;
}

int overlay_fallocate(struct overlay_file *file, int mode, uint64_t off, uint64_t len)
{
	saw("fallocate", NULL, NULL);
	fake.flags = mode;
	fake.off = off;
	fake.size = len;
	return (int) fake.result;
}

int64_t overlay_seek(struct overlay_file *file, uint64_t off, int whence)
{
	saw("seek", NULL, NULL);
	fake.off = off;
	fake.flags = whence;
	return fake.result;
}

bool overlay_has_parted(struct overlay *ov, struct node *node)
{
	return false;
}

bool overlay_covers_holes(struct overlay_file *file)
{
	return false;
}

ssize_t overlay_copy_range(struct overlay_file *in, uint64_t off_in, struct overlay_file *out, uint64_t off_out, size_t len)
{
	saw("copy_range", NULL, NULL);
	fake.off = off_in;
	fake.off2 = off_out;
	fake.size = len;
	return MIN(fake.result, (int64_t) len);
}

int overlay_opendir(struct overlay *ov, const struct actor *who, struct node *node, struct overlay_dir **ret)
{
	saw("opendir", who, node);
	*ret = &fake_dir;
	return (int) fake.result;
}

int overlay_readdir(struct overlay_dir *dir, const struct actor *who, uint64_t off, bool plus, overlay_dirent_fn fn, void *arg)
{
	saw("readdir", who, NULL);
	fake.off = off;
	for (uint64_t i = off; i < fake.n_entries; i++) {
		char name[32];
		struct overlay_dirent d = { .name = name, .ino = 100 + i, .type = 8, .next_off = i + 1 };
		struct entry e = { .node = &fake_nodes[2], .id = 2, .stx = fake.stx };

		d.name_len = (size_t) snprintf(name, sizeof(name), i == 0 ? "." : "name%llu", (unsigned long long) i);
		if (!fn(arg, &d, plus && i > 0 ? &e : NULL))
			break;
		if (plus && i > 0)
			fake_nodes[2].count++;
	}
	return (int) fake.result;
}

int overlay_fsyncdir(struct overlay_dir *dir, bool data_only)
{
	saw("fsyncdir", NULL, NULL);
	fake.flag = data_only;
	return (int) fake.result;
}

void overlay_releasedir(struct overlay_dir *dir)
{
	dir->released++;
}

ssize_t overlay_getxattr(struct overlay *ov, const struct actor *who, struct node *node, const char *attr, void *buf, size_t size)
{
	saw("getxattr", who, node);
	saw_name(fake.name, attr);
	fake.size = size;
	return size > 0 && fake.result > (int64_t) size ? -ERANGE : fake.result;
}

ssize_t overlay_listxattr(struct overlay *ov, const struct actor *who, struct node *node, char *buf, size_t size)
{
	saw("listxattr", who, node);
	fake.size = size;
	return size > 0 && fake.result > (int64_t) size ? -ERANGE : fake.result;
}

int overlay_setxattr(struct overlay *ov, const struct actor *who, struct node *node, const char *attr, const void *value,
		     size_t size, int flags, bool kill_sgid)
{
	saw("setxattr", who, node);
	saw_name(fake.name, attr);
	saw_bytes(value, size);
	fake.size = size;
	fake.flags = flags;
	fake.flag = kill_sgid;
	return (int) fake.result;
}

int overlay_removexattr(struct overlay *ov, const struct actor *who, struct node *node, const char *attr)
{
	saw("removexattr", who, node);
	saw_name(fake.name, attr);
	return (int) fake.result;
}

/* The transport */

struct answers {
	struct transport transport;
	_Atomic unsigned int n;
	int result; /* of sending */
	struct fuse_out_header out;
	char data[65536];
	size_t len; /* of data */
	struct fuse_out_header note; /* the last notification */
};

static int answers_reply(struct transport *t, const struct request *rq, const struct iovec *iov, size_t n_iov)
{
	struct answers *a = container_of(t, struct answers, transport);
	size_t len = 0;

	assert_int_equal(iov[0].iov_len, sizeof(a->out));
	memcpy(&a->out, iov[0].iov_base, sizeof(a->out));
	for (size_t i = 1; i < n_iov; i++) {
		assert_true(len + iov[i].iov_len <= sizeof(a->data));
		memcpy(a->data + len, iov[i].iov_base, iov[i].iov_len);
		len += iov[i].iov_len;
	}
	a->len = len;
	assert_int_equal(a->out.len, sizeof(a->out) + len);
	assert_int_equal(a->out.unique, rq->in->unique);
	a->n++;
	return a->result;
}

static int answers_send(struct transport *t, const struct iovec *iov, size_t n_iov)
{
	struct answers *a = container_of(t, struct answers, transport);

	assert_int_equal(n_iov, 2);
	memcpy(&a->note, iov[0].iov_base, sizeof(a->note));
	assert_int_equal(a->note.len, iov[0].iov_len + iov[1].iov_len);
	assert_int_equal(a->note.unique, 0);
	return 0;
}

static const struct transport_ops answers_ops = { .reply = answers_reply, .send = answers_send };

static struct answers answers;

static void answers_reset(void)
{
	memset(&answers, 0, sizeof(answers));
	answers.transport.ops = &answers_ops;
}
