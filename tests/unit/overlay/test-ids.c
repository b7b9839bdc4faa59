/* Owners as the view has them: squashed, or mapped; and what of it the layers get to see. */

#include "fixture.h"

#include <endian.h>
#include <linux/capability.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <sys/xattr.h>

#include "layer/meta.h"
#include "overlay/acl.h"

#define CAPABILITY "security.capability"
#define NOBODY OVERLAY_NO_ID

/* 0..9 of the layers are 1000..1009 in the view, 50 is 7; the same for groups, but for the second range. */
static struct overlay_id_range uid_ranges[] = { { 0, 1000, 10 }, { 50, 7, 1 } }, gid_ranges[] = { { 0, 1000, 10 } };
static const struct overlay_ids mapped_uids = { .ranges = uid_ranges, .n_ranges = 2 }, mapped_gids = { .ranges = gid_ranges, .n_ranges = 1 };

static void needs_root(void)
{
	if (geteuid() == 0)
		return;
	print_message("skipped: only root gives files away\n");
	skip();
}

static void open_mapped(struct fixture *f)
{
	f->config.uids = mapped_uids;
	f->config.gids = mapped_gids;
	fixture_open(f, 1);
}

static void open_squashed(struct fixture *f, uid_t uid, gid_t gid)
{
	f->config.uids = (struct overlay_ids) { .squash = true, .squash_to = uid };
	f->config.gids = (struct overlay_ids) { .squash = true, .squash_to = gid };
	fixture_open(f, 1);
}

static void reopen_plain(struct fixture *f)
{
	fixture_close(f);
	f->config.uids = f->config.gids = (struct overlay_ids) { 0 };
	fixture_open(f, 1);
}

static void layer_owner(struct fixture *f, const char *path, uid_t uid, gid_t gid)
{
	assert_int_equal(fchownat(f->fd, path, uid, gid, AT_SYMLINK_NOFOLLOW), 0);
}

static void be(struct fixture *f, uid_t uid, gid_t gid)
{
	f->who.uid = uid;
	f->who.gid = gid;
}

#define assert_owner(stx_, uid_, gid_) \
	do { \
		struct statx s_ = (stx_); \
		assert_int_equal(s_.stx_uid, uid_); \
		assert_int_equal(s_.stx_gid, gid_); \
	} while (0)

static int view_chown(struct fixture *f, const char *path, uid_t uid, gid_t gid)
{
	return view_setattr(f, path, &(struct attr_change) {
		.valid = (uid != NOBODY ? ATTR_UID : 0) | (gid != NOBODY ? ATTR_GID : 0), .uid = uid, .gid = gid,
	});
}

static void test_faults(void **state)
{
	static const struct {
		struct overlay_id_range a, b;
		bool good;
	} rows[] = {
		{ { 0, 0, 1 }, { 1, 1, 1 }, true },
		{ { 5, 5, 5 }, { 0, 0, 5 }, true },
		{ { 0, 100, 100 }, { 100, 0, 100 }, true },
		{ { 0, 4294967294, 1 }, { 4294967294, 0, 1 }, true },
		{ { 0, 0, 4294967294 }, { 4294967294, 4294967294, 1 }, true },
		{ { 0, 0, 1 }, { 1, 1, 0 }, false },
		{ { 0, 0, 0 }, { 1, 1, 1 }, false },
		{ { 0, 0, 1 }, { 1, 4294967295, 1 }, false },
		{ { 0, 0, 1 }, { 4294967295, 1, 1 }, false },
		{ { 0, 0, 1 }, { 4294967294, 1, 2 }, false },
		{ { 0, 0, 1 }, { 2, 2, 4294967295 }, false },
		{ { 0, 0, 10 }, { 9, 20, 1 }, false },
		{ { 9, 20, 1 }, { 0, 0, 10 }, false },
		{ { 0, 10, 10 }, { 20, 5, 6 }, false },
		{ { 0, 10, 10 }, { 0, 10, 10 }, false },
	};
	struct fixture *f = *state;

	fixture_configure(f, 1, true);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct overlay_id_range v[] = { rows[i].a, rows[i].b };

		f->config.uids = (struct overlay_ids) { 0 };
		f->config.gids = (struct overlay_ids) { .ranges = v, .n_ranges = 2 };
		assert_int_equal(fixture_try_open(f), rows[i].good ? 0 : -EINVAL);
		f->ov = overlay_free(f->ov);
		f->config.gids = (struct overlay_ids) { .squash = true, .squash_to = 4 };
		f->config.uids = (struct overlay_ids) { .ranges = v, .n_ranges = 2 };
		assert_int_equal(fixture_try_open(f), rows[i].good ? 0 : -EINVAL);
		f->ov = overlay_free(f->ov);
	}
	f->config.uids = mapped_uids;
	f->config.uids.squash = true;
	assert_non_null(overlay_ids_fault(&f->config.uids));
	assert_int_equal(fixture_try_open(f), -EINVAL);
	f->config.uids = (struct overlay_ids) { .squash = true, .squash_to = NOBODY };
	assert_int_equal(fixture_try_open(f), -EINVAL);
	f->config.uids = (struct overlay_ids) { 0 };
	assert_int_equal(fixture_try_open(f), 0);
}

static void test_mapped_owners(void **state)
{
	static const struct {
		const char *name;
		uid_t uid, shown_uid;
		gid_t gid, shown_gid;
	} rows[] = {
		{ "a", 0, 1000, 0, 1000 }, { "b", 9, 1009, 9, 1009 }, { "c", 10, NOBODY, 10, NOBODY },
		{ "d", 50, 7, 50, NOBODY }, { "e", 1000, NOBODY, 7, 1007 },
	};
	struct fixture *f = *state;
	char path[16];

	needs_root();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		(void) snprintf(path, sizeof(path), "l1/d/%s", rows[i].name);
		layer_file(f, path, "x");
		layer_owner(f, path, rows[i].uid, rows[i].gid);
	}
	layer_owner(f, "l1/d", 3, 4);
	open_mapped(f);
	assert_owner(view_stat(f, "d"), 1003, 1004);
	for (int copied = 0; copied < 2; copied++) {
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
			struct overlay_file *file;
			struct statx stx;

			(void) snprintf(path, sizeof(path), "d/%s", rows[i].name);
			if (copied)
				assert_int_equal(view_append(f, path, "y"), 0);
			assert_owner(view_stat(f, path), rows[i].shown_uid, rows[i].shown_gid);
			assert_int_equal(view_open(f, path, O_RDONLY, &file), 0);
			assert_int_equal(overlay_getattr(f->ov, &f->who, view_node(f, path), file, &stx), 0);
			assert_owner(stx, rows[i].shown_uid, rows[i].shown_gid);
			overlay_release(file);
		}
		fixture_reopen(f);
	}
	/* Copies are whose the originals are, for every view. */
	reopen_plain(f);
	assert_owner(layer_stat(f, "upper/d"), 3, 4);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		(void) snprintf(path, sizeof(path), "d/%s", rows[i].name);
		assert_owner(view_stat(f, path), rows[i].uid, rows[i].gid);
	}
}

static bool take_plus(void *arg, const struct overlay_dirent *d, const struct entry *plus)
{
	if (plus && plus->node)
		*(struct entry *) arg = *plus;
	return true;
}

static void test_every_way_to_see(void **state)
{
	struct fixture *f = *state;
	struct overlay_dir *dir;
	struct entry e;

	needs_root();
	layer_file(f, "l1/d/a", "x");
	layer_owner(f, "l1/d/a", 2, 3);
	open_mapped(f);
	assert_int_equal(view_lookup(f, "d/a", &e), 1);
	assert_owner(e.stx, 1002, 1003);
	overlay_forget(f->ov, e.node, 1);
	assert_int_equal(overlay_opendir(f->ov, &f->who, view_node(f, "d"), &dir), 0);
	e.node = NULL;
	assert_int_equal(overlay_readdir(dir, &f->who, 0, true, take_plus, &e), 0);
	assert_non_null(e.node);
	assert_owner(e.stx, 1002, 1003);
	overlay_forget(f->ov, e.node, 1);
	overlay_releasedir(dir);
}

static void test_mapped_makers(void **state)
{
	struct fixture *f = *state;
	struct overlay_file *file;
	struct entry e;

	needs_root();
	layer_dir(f, "l1/d");
	layer_dir(f, "l1/setgid");
	layer_mode(f, "l1/setgid", 02777);
	layer_owner(f, "l1/setgid", 0, 5);
	layer_file(f, "l1/d/gone", "x");
	layer_file(f, "l1/setgid/gone", "x");
	open_mapped(f);

	/* Who has no id in the layers makes nothing; nor does his try leave anything. */
	for (int i = 0; i < 2; i++) {
		be(f, i ? 1001 : 0, i ? 0 : 1001);
		assert_int_equal(view_mkdir(f, "d/x"), -EOVERFLOW);
		assert_int_equal(view_mknod(f, "d/x", S_IFIFO | 0600, 0), -EOVERFLOW);
		assert_int_equal(view_symlink(f, "t", "d/x"), -EOVERFLOW);
		assert_int_equal(view_write(f, "d/x", "x"), -EOVERFLOW);
		assert_int_equal(overlay_tmpfile(f->ov, &f->who, view_node(f, "d"), 0600, O_RDWR, &e, &file), -EOVERFLOW);
		assert_int_equal(view_mkdir(f, "d/gone"), -EEXIST);
		assert_false(layer_exists(f, "upper/d"));
	}

	be(f, 7, 1002);
	assert_int_equal(view_mkdir(f, "d/dir"), 0);
	assert_int_equal(view_mknod(f, "d/fifo", S_IFIFO | 0600, 0), 0);
	assert_int_equal(view_symlink(f, "t", "d/link"), 0);
	assert_int_equal(view_write(f, "d/file", "x"), 0);
	assert_int_equal(view_unlink(f, "d/gone"), 0);
	assert_int_equal(view_write(f, "d/gone", "x"), 0);
	for (const char *const *p = (const char *const[]) { "dir", "fifo", "link", "file", "gone", NULL }; *p; p++) {
		char path[32];

		(void) snprintf(path, sizeof(path), "d/%s", *p);
		assert_owner(view_stat(f, path), 7, 1002);
		(void) snprintf(path, sizeof(path), "upper/d/%s", *p);
		assert_owner(layer_stat(f, path), 50, 2);
	}
	assert_int_equal(overlay_create(f->ov, &f->who, view_node(f, "d"), "made", 0600, O_RDWR | O_EXCL, &e, &file), 0);
	assert_owner(e.stx, 7, 1002);
	overlay_release(file);
	overlay_forget(f->ov, e.node, 1);
	assert_int_equal(overlay_tmpfile(f->ov, &f->who, view_node(f, "d"), 0600, O_RDWR, &e, &file), 0);
	assert_owner(e.stx, 7, 1002);
	overlay_release(file);
	overlay_forget(f->ov, e.node, 1);

	/* A group from the directory is one of the layer's. */
	assert_int_equal(view_unlink(f, "setgid/gone"), 0);
	assert_int_equal(view_mkdir(f, "setgid/gone"), 0);
	assert_int_equal(view_write(f, "setgid/new", "x"), 0);
	assert_owner(layer_stat(f, "upper/setgid/gone"), 50, 5);
	assert_owner(view_stat(f, "setgid/gone"), 7, 1005);
	assert_owner(view_stat(f, "setgid/new"), 7, 1005);
}

static void test_mapped_chown(void **state)
{
	struct fixture *f = *state;

	needs_root();
	layer_file(f, "l1/a", "x");
	open_mapped(f);
	assert_int_equal(view_chown(f, "a", 0, NOBODY), -EOVERFLOW);
	assert_int_equal(view_chown(f, "a", NOBODY, 7), -EOVERFLOW);
	assert_int_equal(view_chown(f, "a", 1001, 1010), -EOVERFLOW);
	assert_false(layer_exists(f, "upper/a"));
	assert_int_equal(view_chown(f, "a", 1009, NOBODY), 0);
	assert_owner(view_stat(f, "a"), 1009, 1000);
	assert_owner(layer_stat(f, "upper/a"), 9, 0);
	assert_int_equal(view_chown(f, "a", 7, 1003), 0);
	assert_owner(layer_stat(f, "upper/a"), 50, 3);
	fixture_reopen(f);
	assert_owner(view_stat(f, "a"), 7, 1003);
	assert_owner(layer_stat(f, "l1/a"), 0, 0);
}

static void test_squashed(void **state)
{
	struct fixture *f = *state;

	needs_root();
	layer_file(f, "l1/a", "x");
	layer_owner(f, "l1/a", 11, 12);
	layer_file(f, "l1/b", "x");
	layer_mode(f, "l1/b", 06755);
	open_squashed(f, 1000, 2000);
	assert_owner(view_stat(f, ""), 1000, 2000);
	assert_owner(view_stat(f, "a"), 1000, 2000);
	assert_int_equal(view_append(f, "a", "x"), 0);
	assert_owner(view_stat(f, "a"), 1000, 2000);
	be(f, 30, 40);
	assert_int_equal(view_write(f, "new", "x"), 0);
	assert_owner(view_stat(f, "new"), 1000, 2000);
	be(f, 0, 0);
	assert_int_equal(view_chown(f, "b", 55, 66), 0);
	assert_owner(view_stat(f, "b"), 1000, 2000);
	assert_int_equal(view_stat(f, "b").stx_mode & 07777, 0755);
	fixture_reopen(f);
	assert_owner(view_stat(f, "new"), 1000, 2000);
	reopen_plain(f);
	assert_owner(view_stat(f, "a"), 11, 12);
	assert_owner(view_stat(f, "new"), 30, 40);
	assert_owner(view_stat(f, "b"), 55, 66);
}

/* To give things away is not allowed us; since it would not show, that does not show either. */
static void test_squashed_without_privilege(void **state)
{
	struct fixture *f = *state;
	struct overlay_ids uids;

	layer_file(f, "l1/a", "x");
	layer_mode(f, "l1/a", 06755);
	layer_file(f, "l1/b", "x");
	open_squashed(f, 0, 0);
	for (int i = 0; i < 2; i++) {
		f->fault_kind = IO_CHOWN;
		f->fault_error = EPERM;
		f->fault_count = (unsigned int) i;
		assert_int_equal(view_chmod(f, "a", 06755), 0);
		assert_int_equal(view_chmod(f, "b", 0644), 0); /* in the upper */
		fixture_arm(f);
		assert_int_equal(view_chown(f, "a", geteuid(), getegid()), 0);
		assert_true(fixture_was_hit(f));
		fixture_disarm(f);
		assert_owner(view_stat(f, "a"), 0, 0);
		assert_int_equal(view_stat(f, "a").stx_mode & 07777, 0755);
	}
	/* Groups that are not squashed are as ever. */
	fixture_close(f);
	uids = f->config.uids;
	f->config.gids = (struct overlay_ids) { 0 };
	fixture_open(f, 1);
	f->fault_count = 1;
	fixture_arm(f);
	assert_int_equal(view_chown(f, "b", geteuid(), getegid()), -EPERM);
	fixture_disarm(f);
	f->config.gids = uids;
	f->config.uids = (struct overlay_ids) { 0 };
	fixture_close(f);
	fixture_open(f, 1);
	f->fault_count = 0;
	fixture_arm(f);
	assert_int_equal(view_chown(f, "b", geteuid(), getegid()), -EPERM);
	fixture_disarm(f);
	/* Without root, what anybody makes is ours. */
	if (geteuid() != 0) {
		fixture_close(f);
		open_squashed(f, 0, 0);
		be(f, 4321, 4321);
		assert_int_equal(view_write(f, "new", "x"), 0);
		assert_owner(layer_stat(f, "upper/new"), geteuid(), getegid());
		assert_owner(view_stat(f, "new"), 0, 0);
	}
}

/* What could not be given away in the upper, and is claimed by its record. */
static void test_records(void **state)
{
	struct fixture *f = *state;

	needs_root();
	f->config.userxattr = f->userxattr = true;
	layer_file(f, "l1/a", "x");
	layer_owner(f, "l1/a", 3, 4);
	open_mapped(f);
	f->fault_kind = IO_CHOWN;
	f->fault_error = EPERM;
	fixture_arm(f);
	assert_int_equal(view_append(f, "a", "x"), 0);
	assert_true(fixture_was_hit(f));
	fixture_disarm(f);
	assert_owner(layer_stat(f, "upper/a"), 0, 0);
	assert_owner(view_stat(f, "a"), 1003, 1004);
	fixture_reopen(f);
	assert_owner(view_stat(f, "a"), 1003, 1004);
	assert_int_equal(view_chown(f, "a", 1005, NOBODY), 0);
	assert_owner(view_stat(f, "a"), 1005, 1004);
	fixture_reopen(f);
	assert_owner(view_stat(f, "a"), 1005, 1004);
	fixture_close(f);
	open_squashed(f, 8, 9);
	assert_owner(view_stat(f, "a"), 8, 9);
	reopen_plain(f);
	assert_owner(view_stat(f, "a"), 5, 4);
}

/* ACLs */

struct acl {
	struct posix_acl_xattr_header head;
	struct posix_acl_xattr_entry v[8];
};

static struct posix_acl_xattr_entry entry(uint16_t tag, uint16_t perm, uint32_t id)
{
	return (struct posix_acl_xattr_entry) { htole16(tag), htole16(perm), htole32(id) };
}

static size_t make_acl(struct acl *a, uint32_t user, uint32_t user2, uint32_t group)
{
	*a = (struct acl) {
		.head.a_version = htole32(POSIX_ACL_XATTR_VERSION),
		.v = { entry(ACL_USER_OBJ, 6, ACL_UNDEFINED_ID), entry(ACL_USER, 6, user), entry(ACL_USER, 4, user2),
		       entry(ACL_GROUP_OBJ, 4, ACL_UNDEFINED_ID), entry(ACL_GROUP, 6, group), entry(ACL_MASK, 6, ACL_UNDEFINED_ID),
		       entry(ACL_OTHER, 0, ACL_UNDEFINED_ID) },
	};
	return sizeof(a->head) + 7 * sizeof(a->v[0]);
}

static uint32_t acl_id(const void *value, size_t i)
{
	const struct acl *a = value;

	return le32toh(a->v[i].e_id);
}

static int try_acl(struct fixture *f, const char *path, const char *attr, uint32_t user, uint32_t user2, uint32_t group)
{
	struct acl a;
	size_t size = make_acl(&a, user, user2, group);

	return overlay_setxattr(f->ov, &f->who, view_node(f, path), attr, &a, size, 0, false);
}

static void layer_acl(struct fixture *f, const char *path, const char *attr, uint32_t user, uint32_t user2, uint32_t group)
{
	char name[256];
	struct acl a;
	size_t size = make_acl(&a, user, user2, group);

	(void) snprintf(name, sizeof(name), "%s/%s", f->dir, path);
	if (lsetxattr(name, attr, &a, size, 0) < 0 && errno == EOPNOTSUPP) {
		print_message("skipped: no ACLs here\n");
		skip();
	}
}

static ssize_t stored_acl(struct fixture *f, const char *path, const char *attr, struct acl *ret)
{
	char name[256];

	(void) snprintf(name, sizeof(name), "%s/%s", f->dir, path);
	return lgetxattr(name, attr, ret, sizeof(*ret));
}

static void test_acl(void **state)
{
	struct fixture *f = *state;
	struct acl a;
	const ssize_t whole = sizeof(a.head) + 7 * sizeof(a.v[0]), less = whole - 2 * (ssize_t) sizeof(a.v[0]);

	needs_root();
	layer_file(f, "l1/a", "x");
	layer_acl(f, "l1/a", ACL_ACCESS, 1, 50, 9);
	layer_file(f, "l1/b", "x");
	layer_acl(f, "l1/b", ACL_ACCESS, 1, 1000, 50);
	open_mapped(f);
	assert_int_equal(overlay_getxattr(f->ov, &f->who, view_node(f, "a"), ACL_ACCESS, NULL, 0), whole);
	assert_int_equal(overlay_getxattr(f->ov, &f->who, view_node(f, "a"), ACL_ACCESS, &a, (size_t) whole - 1), -ERANGE);
	assert_int_equal(overlay_getxattr(f->ov, &f->who, view_node(f, "a"), ACL_ACCESS, &a, sizeof(a)), whole);
	assert_int_equal(acl_id(&a, 1), 1001);
	assert_int_equal(acl_id(&a, 2), 7);
	assert_int_equal(acl_id(&a, 4), 1009);
	/* Who is not in the view is not in its ACLs. */
	assert_int_equal(overlay_getxattr(f->ov, &f->who, view_node(f, "b"), ACL_ACCESS, &a, sizeof(a)), less);
	assert_int_equal(acl_id(&a, 1), 1001);
	assert_int_equal(le16toh(a.v[2].e_tag), ACL_GROUP_OBJ);
	assert_int_equal(le16toh(a.v[3].e_tag), ACL_MASK);
	assert_int_equal(overlay_getxattr(f->ov, &f->who, view_node(f, "b"), ACL_DEFAULT, &a, sizeof(a)), -ENODATA);

	/* Nor is he put into one. */
	assert_int_equal(try_acl(f, "a", ACL_ACCESS, 1001, 0, 1001), -EINVAL);
	assert_int_equal(try_acl(f, "a", ACL_ACCESS, 1001, 7, 7), -EINVAL);
	assert_false(layer_exists(f, "upper/a"));
	assert_int_equal(try_acl(f, "a", ACL_ACCESS, 1002, 7, 1003), 0);
	assert_int_equal(stored_acl(f, "upper/a", ACL_ACCESS, &a), whole);
	assert_int_equal(acl_id(&a, 1), 2);
	assert_int_equal(acl_id(&a, 2), 50);
	assert_int_equal(acl_id(&a, 4), 3);
	fixture_reopen(f);
	assert_int_equal(overlay_getxattr(f->ov, &f->who, view_node(f, "a"), ACL_ACCESS, &a, sizeof(a)), whole);
	assert_int_equal(acl_id(&a, 4), 1003);
	/* A copy has it all. */
	assert_int_equal(view_append(f, "b", "x"), 0);
	assert_int_equal(stored_acl(f, "upper/b", ACL_ACCESS, &a), whole);
	assert_int_equal(acl_id(&a, 2), 1000);
	assert_int_equal(overlay_setxattr(f->ov, &f->who, view_node(f, "b"), ACL_ACCESS, "junk", 4, 0, false), -EOPNOTSUPP);
	assert_int_equal(overlay_setxattr(f->ov, &f->who, view_node(f, "b"), ACL_ACCESS, "junk junk 12", 12, 0, false), -EOPNOTSUPP);
	assert_int_equal(overlay_setxattr(f->ov, &f->who, view_node(f, "b"), "user.x", "junk", 4, 0, false), 0);
}

static void test_inherited_acl(void **state)
{
	struct fixture *f = *state;
	struct acl a;

	needs_root();
	layer_file(f, "l1/d/gone", "x");
	layer_acl(f, "l1/d", ACL_DEFAULT, 1, 1000, 9);
	open_mapped(f);
	be(f, 1001, 1001);
	assert_int_equal(view_unlink(f, "d/gone"), 0);
	assert_int_equal(view_write(f, "d/gone", "x"), 0);
	assert_int_equal(view_write(f, "d/new", "x"), 0);
	for (const char *const *p = (const char *const[]) { "upper/d/gone", "upper/d/new", NULL }; *p; p++) {
		assert_true(stored_acl(f, *p, ACL_ACCESS, &a) > 0);
		assert_int_equal(acl_id(&a, 1), 1);
		assert_int_equal(acl_id(&a, 2), 1000);
		assert_int_equal(acl_id(&a, 4), 9);
	}
	assert_int_equal(try_acl(f, "d", ACL_DEFAULT, 1005, 7, 1006), 0);
	assert_true(stored_acl(f, "upper/d", ACL_DEFAULT, &a) > 0);
	assert_int_equal(acl_id(&a, 1), 5);
}

static struct vfs_ns_cap_data caps(uint32_t revision, uint32_t root)
{
	return (struct vfs_ns_cap_data) {
		.magic_etc = htole32(revision | VFS_CAP_FLAGS_EFFECTIVE), .data[0].permitted = htole32(1 << 10), .rootid = htole32(root),
	};
}

static int set_caps(struct fixture *f, const char *path, uint32_t revision, uint32_t root, size_t size)
{
	struct vfs_ns_cap_data c = caps(revision, root);

	return overlay_setxattr(f->ov, &f->who, view_node(f, path), CAPABILITY, &c, size, 0, false);
}

static void test_capabilities(void **state)
{
	struct overlay_id_range one[] = { { 5, 0, 1 } };
	struct fixture *f = *state;
	struct vfs_ns_cap_data c = caps(VFS_CAP_REVISION_2, 0);

	needs_root();
	layer_file(f, "l1/a", "x");
	layer_file(f, "l1/b", "x");
	layer_xattr(f, "l1/a", CAPABILITY, &c, XATTR_CAPS_SZ_2);
	c = caps(VFS_CAP_REVISION_3, 77);
	layer_xattr(f, "l1/b", CAPABILITY, &c, XATTR_CAPS_SZ_3);
	open_mapped(f);
	assert_int_equal(overlay_getxattr(f->ov, &f->who, view_node(f, "a"), CAPABILITY, NULL, 0), XATTR_CAPS_SZ_3);
	assert_int_equal(overlay_getxattr(f->ov, &f->who, view_node(f, "a"), CAPABILITY, &c, sizeof(c)), XATTR_CAPS_SZ_3);
	assert_int_equal(le32toh(c.magic_etc), VFS_CAP_REVISION_3 | VFS_CAP_FLAGS_EFFECTIVE);
	assert_int_equal(le32toh(c.rootid), 1000);
	assert_int_equal(le32toh(c.data[0].permitted), 1 << 10);
	assert_int_equal(overlay_getxattr(f->ov, &f->who, view_node(f, "b"), CAPABILITY, &c, sizeof(c)), -ENODATA);
	assert_int_equal(set_caps(f, "a", VFS_CAP_REVISION_2, 0, XATTR_CAPS_SZ_2), -EINVAL);
	assert_int_equal(set_caps(f, "a", VFS_CAP_REVISION_3, 1010, XATTR_CAPS_SZ_3), -EINVAL);
	assert_int_equal(set_caps(f, "a", VFS_CAP_REVISION_3, 1001, XATTR_CAPS_SZ_2), -EINVAL);
	assert_int_equal(set_caps(f, "a", VFS_CAP_REVISION_3, 1001, 2), -EINVAL);
	assert_int_equal(overlay_setxattr(f->ov, &f->who, view_node(f, "a"), CAPABILITY, NULL, 0, 0, false), -EINVAL);
	assert_false(layer_exists(f, "upper/a"));
	assert_int_equal(set_caps(f, "a", VFS_CAP_REVISION_3, 1004, XATTR_CAPS_SZ_3), 0);
	assert_int_equal(set_caps(f, "b", VFS_CAP_REVISION_3, 1000, XATTR_CAPS_SZ_3), 0);
	assert_int_equal(overlay_getxattr(f->ov, &f->who, view_node(f, "a"), CAPABILITY, &c, sizeof(c)), XATTR_CAPS_SZ_3);
	assert_int_equal(le32toh(c.rootid), 1004);

	/* The same, by those whom they are meant for. */
	reopen_plain(f);
	assert_int_equal(overlay_getxattr(f->ov, &f->who, view_node(f, "a"), CAPABILITY, &c, sizeof(c)), XATTR_CAPS_SZ_3);
	assert_int_equal(le32toh(c.rootid), 4);
	assert_int_equal(overlay_getxattr(f->ov, &f->who, view_node(f, "b"), CAPABILITY, &c, sizeof(c)), XATTR_CAPS_SZ_2);
	fixture_close(f);
	f->config.uids = (struct overlay_ids) { .ranges = one, .n_ranges = 1 };
	fixture_open(f, 1);
	assert_int_equal(set_caps(f, "a", VFS_CAP_REVISION_2, 0, XATTR_CAPS_SZ_2), 0);
	assert_int_equal(overlay_getxattr(f->ov, &f->who, view_node(f, "a"), CAPABILITY, &c, sizeof(c)), XATTR_CAPS_SZ_2);
	reopen_plain(f);
	assert_int_equal(overlay_getxattr(f->ov, &f->who, view_node(f, "a"), CAPABILITY, &c, sizeof(c)), XATTR_CAPS_SZ_3);
	assert_int_equal(le32toh(c.rootid), 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_faults),	     FIXTURE_TEST(test_mapped_owners), FIXTURE_TEST(test_every_way_to_see),
		FIXTURE_TEST(test_mapped_makers),    FIXTURE_TEST(test_mapped_chown),  FIXTURE_TEST(test_squashed),
		FIXTURE_TEST(test_squashed_without_privilege),			       FIXTURE_TEST(test_records),
		FIXTURE_TEST(test_acl),		     FIXTURE_TEST(test_inherited_acl), FIXTURE_TEST(test_capabilities),
	};

	return FIXTURE_RUN(tests);
}
