/*
 * Extended attributes. Those of the on-disk format are out of reach: a program that uses their names gets escaped ones, so that a
 * view within a view works.
 */

#include "overlay/tree.h"

#include <errno.h>
#include <string.h>
#include <sys/xattr.h>

#include "overlay/acl.h"
#include "overlay/attr.h"
#include "overlay/copyup.h"
#include "overlay/gate.h"
#include "overlay/ids.h"
#include "overlay/idvalue.h"
#include "overlay/metacopy.h"
#include "overlay/spot.h"

#define LIST_MAX (64u << 10) /* XATTR_LIST_MAX */
#define STORED_NAME_BYTES 300

static bool is_acl(const char *attr)
{
	return strcmp(attr, ACL_ACCESS) == 0 || strcmp(attr, ACL_DEFAULT) == 0;
}

/* Who may use a file, and as what, goes with its mode: what can be stat'ed shows that too, and "ls -l" asks. */
static enum gate_op reading(const char *attr)
{
	return is_acl(attr) || strncmp(attr, "security.", 9) == 0 ? GATE_STAT : GATE_XATTR_GET;
}

static ssize_t ask_value(struct overlay *ov, struct node *n, const char *stored, void *buf, size_t size)
{
	return (ssize_t) spot_ask(ov, n, (struct io_op) { .kind = IO_GETXATTR, .name2 = stored, .buf = buf, .len = size });
}

static ssize_t ask_list(struct overlay *ov, struct node *n, char *buf, size_t size)
{
	return (ssize_t) spot_ask(ov, n, (struct io_op) { .kind = IO_LISTXATTR, .buf = buf, .len = size });
}

ssize_t overlay_getxattr(struct overlay *ov, const struct actor *who, struct node *n, const char *attr, void *buf, size_t size)
{
	char stored[STORED_NAME_BYTES];
	struct statx stx;
	SPOT(s);
	int r;

	if (node_has_flag(ov, n, NODE_FIXED))
		return -ENODATA; /* what is masked must not be asked: it may be our own mount */
	r = gate_node(ov, who, reading(attr), n);
	if (r == 0)
		r = meta_escape(&ov->meta, attr, stored, sizeof(stored));
	if (r < 0)
		return r;
	if (ids_are_mapped(ov) && idvalue_is(attr)) {
		r = spot_pin(ov, n, &s, &stx);
		return r < 0 ? r : idvalue_get(ov, &s, attr, buf, size);
	}
	return ask_value(ov, n, stored, buf, size);
}

/* Leaves what programs may see: trusted attributes are root's, who has CAP_SYS_ADMIN in nearly all cases. Returns the length. */
static size_t filter(const struct meta *m, const struct actor *who, char *list, size_t len)
{
	char *out = list;

	for (char *p = list, *next; p < list + len; p = next) {
		const char *shown;

		next = p + strlen(p) + 1;
		shown = who->uid != 0 && strncmp(p, "trusted.", 8) == 0 ? NULL : meta_unescape(m, p);
		if (shown) {
			size_t n = strlen(shown) + 1;

			memmove(out, shown, n);
			out += n;
		}
	}
	return (size_t) (out - list);
}

ssize_t overlay_listxattr(struct overlay *ov, const struct actor *who, struct node *n, char *buf, size_t size)
{
	_cleanup_free_ char *list = NULL;
	size_t len;
	ssize_t got;
	int r;

	if (node_has_flag(ov, n, NODE_FIXED))
		return 0;
	r = gate_node(ov, who, GATE_XATTR_GET, n);
	if (r < 0)
		return r;
	got = ask_list(ov, n, NULL, 0);
	if (got <= 0)
		return got;
	list = malloc(LIST_MAX);
	if (!list)
		return -ENOMEM;
	got = ask_list(ov, n, list, LIST_MAX);
	if (got < 0)
		return got;
	len = filter(&ov->meta, who, list, (size_t) got);
	if (size == 0)
		return (ssize_t) len;
	if (len > size)
		return -ERANGE;
	memcpy(buf, list, len);
	return (ssize_t) len;
}

/*
 * Whether the object has the attribute: 0 no, 1 yes, 2 with this very value. Asked first, so that what must fail, or changes
 * nothing, copies nothing up.
 */
static int has_attr(struct overlay *ov, struct node *n, const char *stored, const void *value, size_t size)
{
	_cleanup_free_ void *now = NULL;
	ssize_t got = ask_value(ov, n, stored, NULL, 0);

	if (got < 0)
		return got == -ENODATA ? 0 : (int) got;
	if (!value || (size_t) got != size)
		return 1;
	now = malloc(size + 1);
	if (!now)
		return -ENOMEM;
	got = ask_value(ov, n, stored, now, size);
	return got == (ssize_t) size && memcmp(now, value, size) == 0 ? 2 : 1;
}

static int change(struct overlay *ov, const struct actor *who, struct node *n, const struct io_op *what, bool kill_sgid)
{
	struct io_op op = *what;
	LEASE(attributes);
	struct statx stx;
	SPOT(s);
	int r = copyup_for_change(ov, who, n, COPYUP_META);

	if (r == 0) {
		metacopy_hold(ov, n, &attributes);
		r = spot_pin(ov, n, &s, &stx);
	}
	if (r < 0)
		return r;
	op.fd = s.fd;
	op.name = s.name;
	attr_own_ctime(ov, n);
	r = (int) io_one(ov->io, op);
	if (r == 0 && strcmp(op.name2, ACL_DEFAULT) == 0)
		node_set_flag(ov, n, NODE_ACL_KNOWN, false);
	if (r == 0 && strcmp(op.name2, "security.capability") == 0)
		node_set_flag(ov, n, NODE_CAPS_GONE, op.kind == IO_REMOVEXATTR);
	if (r == 0 && kill_sgid && strcmp(op.name2, ACL_ACCESS) == 0 && stx.stx_mode & S_ISGID) {
		r = io_statx(ov->io, s.fd, s.name, STATX_MODE, &stx); /* the ACL has changed it */
		if (r == 0)
			r = io_chmod(ov->io, s.fd, s.name, stx.stx_mode & 07777 & ~(mode_t) S_ISGID);
	}
	return r;
}

/*
 * Under rw, in a lower that has others below it: our own marks are escaped, but views with the other prefix would take theirs for
 * what hides what is below, or shows it again.
 */
static int check_mark(struct overlay *ov, const struct actor *who, struct node *n, const char *stored)
{
	struct ruling ruling;
	int r;

	if (ov->n_layers <= LAYER_LOWER + 1 || !meta_is_mark(stored))
		return 0;
	r = judge_node(ov, n, &ruling);
	return r == 0 && ruling_is_direct(&ruling) ? gate_report_node(ov, who, GATE_XATTR_SET, n, -EPERM) : r;
}

int overlay_setxattr(struct overlay *ov, const struct actor *who, struct node *n, const char *attr, const void *value,
		     size_t size, int flags, bool kill_sgid)
{
	_cleanup_free_ void *in_layer = NULL;
	char stored[STORED_NAME_BYTES];
	int r = gate_node(ov, who, GATE_XATTR_SET, n);

	if (r == 0)
		r = meta_escape(&ov->meta, attr, stored, sizeof(stored));
	if (r == 0 && !ov->writable)
		r = -EROFS;
	if (r == 0)
		r = check_mark(ov, who, n, stored);
	if (r == 0 && ids_are_mapped(ov) && idvalue_is(attr)) {
		r = idvalue_to_layer(ov, attr, value, size, &in_layer, &size);
		value = in_layer;
	}
	if (r == 0)
		r = has_attr(ov, n, stored, value, size);
	if (r < 0)
		return r;
	if (r > 0 ? flags & XATTR_CREATE : flags & XATTR_REPLACE)
		return r > 0 ? -EEXIST : -ENODATA;
	if (r == 2 && !is_acl(attr)) /* an ACL has a say in the mode */
		return 0;
	return change(ov, who, n, &(struct io_op) {
		.kind = IO_SETXATTR, .name2 = stored, .cbuf = value, .len = size, .flags = (uint32_t) flags,
	}, kill_sgid);
}

int overlay_removexattr(struct overlay *ov, const struct actor *who, struct node *n, const char *attr)
{
	char stored[STORED_NAME_BYTES];
	int r = gate_node(ov, who, GATE_XATTR_SET, n);

	if (r == 0)
		r = meta_escape(&ov->meta, attr, stored, sizeof(stored));
	if (r == 0 && !ov->writable)
		r = -EROFS;
	if (r == 0)
		r = check_mark(ov, who, n, stored);
	if (r == 0)
		r = has_attr(ov, n, stored, NULL, 0);
	if (r <= 0)
		return r < 0 ? r : is_acl(attr) ? 0 : -ENODATA; /* an absent ACL may be removed */
	return change(ov, who, n, &(struct io_op) { .kind = IO_REMOVEXATTR, .name2 = stored }, false);
}
