/* Reading and writing the attributes of the on-disk format. Everything read is input: lengths and versions are checked. */

#include "layer/meta.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "io/io.h"

#define ESCAPE "overlay."
#define FUSEOVERLAYFS "user.fuseoverlayfs."

enum {
	FB_VERSION = 0,
	FB_MAGIC = 0xfb,
	FB_BIG_ENDIAN = 1 << 0,
	FB_PATH_UPPER = 1 << 2,
	FB_FLAGS = 3, /* where they are */
	FB_UUID = 5,
	FB_HEAD = 21, /* version, magic, len, flags, type, uuid[16] */
	RECORD_VERSION = 1,
};

void meta_init(struct meta *m, struct io_engine *io, bool userxattr)
{
	m->io = io;
	m->prefix = userxattr ? "user.overlay." : "trusted.overlay.";
	m->prefix_len = strlen(m->prefix);
}

const char *meta_name(const struct meta *m, const char *attr, char buf[static META_NAME_MAX])
{
	(void) snprintf(buf, META_NAME_MAX, "%s%s", m->prefix, attr);
	return buf;
}

int meta_get(const struct meta *m, int fd, const char *name, const char *attr, void *buf, size_t size, size_t *ret_len)
{
	char full[META_NAME_MAX];
	ssize_t n = io_getxattr(m->io, fd, name, meta_name(m, attr, full), buf, size);

	/* A file system without attributes has none of ours. */
	if (n == -ENODATA || n == -EOPNOTSUPP || n == -EPERM || n == -EACCES)
		return 0;
	if (n < 0)
		return (int) n;
	if (ret_len)
		*ret_len = (size_t) n;
	return 1;
}

int meta_set(const struct meta *m, int fd, const char *name, const char *attr, const void *value, size_t len)
{
	char full[META_NAME_MAX];

	return io_setxattr(m->io, fd, name, meta_name(m, attr, full), value, len, 0);
}

int meta_remove(const struct meta *m, int fd, const char *name, const char *attr)
{
	char full[META_NAME_MAX];
	int r = io_removexattr(m->io, fd, name, meta_name(m, attr, full));

	return r == -ENODATA ? 0 : r;
}

struct stored_record {
	uint32_t version;
	uint32_t has;
	uint32_t uid, gid;
	uint64_t ino, fsid;
	uint64_t btime_sec;
	uint32_t btime_nsec;
	uint32_t zero;
};

int meta_get_record(const struct meta *m, int fd, const char *name, struct meta_record *ret)
{
	struct stored_record s;
	size_t len;
	int r = meta_get(m, fd, name, META_OURS, &s, sizeof(s), &len);

	*ret = (struct meta_record) { 0 };
	if (r == -ERANGE || (r == 1 && (len != sizeof(s) || le32toh(s.version) != RECORD_VERSION)))
		return 0; /* from a later version, or forged: as good as none */
	if (r <= 0)
		return r;
	*ret = (struct meta_record) {
		.has = le32toh(s.has),
		.uid = le32toh(s.uid),
		.gid = le32toh(s.gid),
		.ino = le64toh(s.ino),
		.fsid = le64toh(s.fsid),
		.btime_sec = (int64_t) le64toh(s.btime_sec),
		.btime_nsec = le32toh(s.btime_nsec),
	};
	return 1;
}

int meta_set_record(const struct meta *m, int fd, const char *name, const struct meta_record *rec)
{
	struct stored_record s = {
		.version = htole32(RECORD_VERSION),
		.has = htole32(rec->has),
		.uid = htole32(rec->uid),
		.gid = htole32(rec->gid),
		.ino = htole64(rec->ino),
		.fsid = htole64(rec->fsid),
		.btime_sec = htole64((uint64_t) rec->btime_sec),
		.btime_nsec = htole32(rec->btime_nsec),
	};

	return meta_set(m, fd, name, META_OURS, &s, sizeof(s));
}

/* The file system has none; or it cannot be asked here: a directory that may not be opened, a file without a name. */
static bool has_no_uuid(int64_t r)
{
	return r == -EOPNOTSUPP || r == -ENOTTY || r == -ENOSYS || r == -EINVAL || r == -EACCES || r == -EPERM || r == -ENOTDIR;
}

int meta_make_origin(const struct meta *m, int dirfd, const char *name, struct meta_origin *ret)
{
	union {
		struct file_handle head;
		char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} fh = { .head.handle_bytes = MAX_HANDLE_SZ };
	uint8_t uuid[16] = { 0 };
	int64_t r = io_one(m->io, (struct io_op) { .kind = IO_HANDLE, .fd = dirfd, .name = name, .buf = &fh.head });

	if (r < 0)
		return r == -EOPNOTSUPP || r == -EOVERFLOW ? 0 : (int) r;
	if (fh.head.handle_type < 0 || fh.head.handle_type > 0xff || FB_HEAD + fh.head.handle_bytes > sizeof(ret->data))
		return 0;
	r = io_one(m->io, (struct io_op) { .kind = IO_UUID, .fd = dirfd, .buf = uuid });
	if (r < 0 && !has_no_uuid(r))
		return (int) r; /* with another identity it would be another object */

	ret->len = FB_HEAD + fh.head.handle_bytes;
	ret->data[0] = FB_VERSION;
	ret->data[1] = FB_MAGIC;
	ret->data[2] = (uint8_t) ret->len;
	ret->data[FB_FLAGS] = __BYTE_ORDER == __BIG_ENDIAN ? FB_BIG_ENDIAN : 0;
	ret->data[4] = (uint8_t) fh.head.handle_type;
	memcpy(ret->data + FB_UUID, uuid, sizeof(uuid));
	memcpy(ret->data + FB_HEAD, fh.head.f_handle, fh.head.handle_bytes);
	return 1;
}

uint8_t *meta_origin_uuid(struct meta_origin *o)
{
	return o->data + FB_UUID;
}

int meta_bind_index(const struct meta *m, int index_fd, int upper_fd)
{
	struct meta_origin upper, stored;
	int r = meta_make_origin(m, upper_fd, NULL, &upper);

	if (r <= 0)
		return r; /* without handles nothing is in the index either */
	upper.data[FB_FLAGS] |= FB_PATH_UPPER;
	r = meta_get(m, index_fd, NULL, META_UPPER, stored.data, sizeof(stored.data), &stored.len);
	if (r == 0)
		return meta_set(m, index_fd, NULL, META_UPPER, upper.data, upper.len);
	if (r < 0 && r != -ERANGE)
		return r;
	return r == 1 && stored.len == upper.len && memcmp(stored.data, upper.data, upper.len) == 0 ? 0 : -ESTALE;
}

void meta_index_name(const struct meta_origin *o, char buf[static META_INDEX_NAME_MAX])
{
	static const char hex[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < o->len; i++) {
		buf[2 * i] = hex[o->data[i] >> 4];
		buf[2 * i + 1] = hex[o->data[i] & 15];
	}
	buf[2 * i] = '\0';
}

static bool begins(const char *s, const char *with)
{
	return strncmp(s, with, strlen(with)) == 0;
}

/* The opaque mark of fuse-overlayfs, which layer.c reads whatever our prefix is; escaped, too. */
static bool is_of_fuseoverlayfs(const char *attr)
{
	if (!begins(attr, FUSEOVERLAYFS))
		return false;
	attr += strlen(FUSEOVERLAYFS);
	while (begins(attr, ESCAPE))
		attr += strlen(ESCAPE);
	return strcmp(attr, META_OPAQUE) == 0;
}

/* Of the part that escaping leaves in front; 0: not private. */
static size_t private_len(const struct meta *m, const char *attr)
{
	return begins(attr, m->prefix) ? m->prefix_len : is_of_fuseoverlayfs(attr) ? strlen(FUSEOVERLAYFS) : 0;
}

bool meta_is_private(const struct meta *m, const char *attr)
{
	return private_len(m, attr) > 0;
}

bool meta_is_escaped(const struct meta *m, const char *attr)
{
	size_t n = private_len(m, attr);

	return n > 0 && begins(attr + n, ESCAPE);
}

bool meta_is_mark(const char *attr)
{
	for (int user = 0; user < 2; user++) {
		struct meta m;

		meta_init(&m, NULL, user);
		if (meta_is_private(&m, attr) && !meta_is_escaped(&m, attr))
			return true;
	}
	return false;
}

int meta_escape(const struct meta *m, const char *attr, char *buf, size_t size)
{
	size_t len = private_len(m, attr);
	int n = snprintf(buf, size, "%.*s%s%s", (int) len, attr, len > 0 ? ESCAPE : "", attr + len);

	return n < 0 || (size_t) n >= size ? -ERANGE : 0;
}

char *meta_unescape(const struct meta *m, char *attr)
{
	char *rest = attr + private_len(m, attr);

	if (!meta_is_private(m, attr))
		return attr;
	if (!begins(rest, ESCAPE))
		return NULL;
	memmove(rest, rest + strlen(ESCAPE), strlen(rest + strlen(ESCAPE)) + 1);
	return attr;
}
