#pragma once

/*
 * What a layer says about an object beside its contents: the extended attributes of the Linux overlayfs on-disk format
 * (Documentation/filesystems/overlayfs.rst, fs/overlayfs/overlayfs.h) and one of our own.
 *
 * Attribute names have the prefix "trusted.overlay." or "user.overlay.". Whatever begins with the prefix belongs to the
 * format: programs in the view see and set it only in escaped form, as kernel overlayfs does since 6.7.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/macro.h"

struct io_engine;

#define META_OPAQUE "opaque"	 /* "y": the directory hides the same one below; "x": it may hold whiteouts in attribute form */
#define META_REDIRECT "redirect" /* path in the layers below, of a directory or of a file's data: absolute, or a name in the same directory */
#define META_METACOPY "metacopy" /* the file has no data here, it is further down: under the same name, or where the redirect says */
#define META_ORIGIN "origin"	 /* struct meta_origin of the lower object that was copied up */
#define META_UPPER "upper"	 /* on the index directory: struct meta_origin of the upper that it belongs to */
#define META_IMPURE "impure"	 /* the directory holds objects with an origin */
#define META_NLINK "nlink"	 /* "U+1": links that the view shows, less those of the upper inode */
#define META_WHITEOUT "whiteout" /* on an empty regular file in a directory marked "x": a whiteout */
#define META_OURS "osfuse"	 /* struct meta_record */

#define META_REDIRECT_MAX 256 /* of kernel overlayfs */
#define META_METACOPY_MIN 4   /* version, length, flags, algorithm; or nothing at all */
#define META_METACOPY_MAX 68  /* and a digest of the data, which we do not check */
#define META_PATH_MAX 4096
#define META_NAME_MAX 64

/*
 * Our own attribute: what the format has no place for. On the root of an upper it says that we made the layer.
 * Stored in little endian, see meta.c.
 */
enum {
	META_RECORD_INO = 1 << 0,   /* ino, fsid: the number that the object had before it was copied up */
	META_RECORD_OWNER = 1 << 1, /* uid, gid: of the lower object, where we were not allowed to give it away */
	META_RECORD_BTIME = 1 << 2, /* time of birth */
	META_RECORD_LAYER = 1 << 3, /* root of an upper: has no ".wh." names that mean something */
	/* The object may have attribute metacopy. May, since others take that away; but a record without it says that there is none. */
	META_RECORD_METACOPY = 1 << 4,
};

struct meta_record {
	uint32_t has;
	uint32_t uid, gid;
	uint64_t ino, fsid;
	int64_t btime_sec;
	uint32_t btime_nsec;
};

/* struct ovl_fb: a file handle with the file system it is from. */
struct meta_origin {
	size_t len;
	uint8_t data[160];
};
#define META_UUID_BYTES 16
#define META_INDEX_NAME_MAX (2 * sizeof(((struct meta_origin *) 0)->data) + 1)

struct meta {
	struct io_engine *io; /* borrowed */
	const char *prefix;
	size_t prefix_len;
};

void meta_init(struct meta *m, struct io_engine *io, bool userxattr);
/* "trusted.overlay.opaque" and so on, into buf; returns buf. */
const char *meta_name(const struct meta *m, const char *attr, char buf[static META_NAME_MAX]);

/* Attributes of (fd, name). Get: 1 there, 0 not there. */
int meta_get(const struct meta *m, int fd, const char *name, const char *attr, void *buf, size_t size, size_t *ret_len);
int meta_set(const struct meta *m, int fd, const char *name, const char *attr, const void *value, size_t len);
int meta_remove(const struct meta *m, int fd, const char *name, const char *attr);

int meta_get_record(const struct meta *m, int fd, const char *name, struct meta_record *ret);
int meta_set_record(const struct meta *m, int fd, const char *name, const struct meta_record *rec);

/* The origin of an object of a layer. 0 when its file system gives no handles. */
int meta_make_origin(const struct meta *m, int dirfd, const char *name, struct meta_origin *ret);
/* The file system that it is from, in place; zeros where that has no UUID, or could not be asked. */
uint8_t *meta_origin_uuid(struct meta_origin *o);
/* Says that an index directory belongs to an upper. -ESTALE: it belongs to another one. */
int meta_bind_index(const struct meta *m, int index_fd, int upper_fd);
/* The name of an object in the index directory: the handle in hex. */
void meta_index_name(const struct meta_origin *o, char buf[static META_INDEX_NAME_MAX]);

/* Is it the format's own? If so programs use the escaped name. */
bool meta_is_private(const struct meta *m, const char *attr);
bool meta_is_escaped(const struct meta *m, const char *attr);
/* Is a stored name the format's own to any view, with whichever prefix? */
bool meta_is_mark(const char *attr);
/* Writes the name under which a program's attribute is stored: "trusted.overlay.x" -> "trusted.overlay.overlay.x". -ERANGE too long. */
int meta_escape(const struct meta *m, const char *attr, char *buf, size_t size);
/* What a program sees of a stored name: NULL hidden, else the name, without allocation (escaped names are moved up in place). */
char *meta_unescape(const struct meta *m, char *attr);
