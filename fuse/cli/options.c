/*
 * Options of the commands that mount.
 *
 * What follows -o is one table: name, how it is set, and where. mount(8), fstab and container engines speak different
 * dialects of it (mount flags, overlayfs, fuse), and all of those end up here.
 */

#include "fuse/cli/options.h"

#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuse/cli/values.h"
#include "fuse/launch.h"
#include "fuse/problem.h"
#include "policy/policy.h"

#define MAX_LOWERS 500
#define MAX_THREADS 128

enum set_kind {
	SET_IGNORE,    /* for mount(8), or without a meaning here */
	SET_BOOL,      /* a bool, to value */
	SET_CHOICE,    /* an enum choice, to value */
	SET_ATIME,     /* an enum atime_mode, to value */
	SET_STRING,    /* NAME=TEXT, as it is */
	SET_PATH,      /* NAME=PATH, with escapes */
	SET_LOWERS,    /* NAME=DIR:DIR… */
	SET_SWITCH,    /* NAME=on or NAME=off: a bool, true for off where value is 1 */
	SET_ON_OFF,    /* NAME=on or NAME=off: an enum choice */
	SET_REDIRECT,
	SET_CASE,
	SET_POLICY,    /* NAME=PATH, once more */
	SET_SQUASH,    /* NAME=ID: a struct overlay_ids */
	SET_ID_MAP,    /* NAME=LAYER:VIEW:COUNT:…: the same */
	SET_TIME_GRAN, /* NAME=TIME: nanoseconds */
	SET_ANY,       /* NAME=WHATEVER, ignored */
	SET_KERNEL,    /* NAME=WHATEVER, which /proc/mounts shows and a remount hands back */
};

struct o_option {
	const char *name;
	enum set_kind kind;
	size_t offset;
	int value;
};

#define AT(field) offsetof(struct launch_config, field)

static const struct o_option o_options[] = {
	/* layers */
	{ "lowerdir", SET_LOWERS },
	{ "upperdir", SET_PATH, AT(upper) },
	{ "workdir", SET_PATH, AT(work) },
	{ "name", SET_STRING, AT(name) },
	{ "policy", SET_POLICY },
	{ "case", SET_CASE },
	/* overlayfs */
	{ "userxattr", SET_BOOL, AT(userxattr), true },
	{ "volatile", SET_BOOL, AT(volatile_), true },
	{ "redirect_dir", SET_REDIRECT },
	{ "index", SET_SWITCH, AT(no_index), 1 },
	{ "metacopy", SET_ON_OFF, AT(metacopy) },
	{ "xino", SET_ANY }, /* numbers are always unique */
	/* owners and times; fuse-overlayfs's but for the last */
	{ "squash_to_root", SET_BOOL, AT(squash_to_root), true },
	{ "squash_to_uid", SET_SQUASH, AT(uids) },
	{ "squash_to_gid", SET_SQUASH, AT(gids) },
	{ "uidmapping", SET_ID_MAP, AT(uids) },
	{ "gidmapping", SET_ID_MAP, AT(gids) },
	{ "time_gran", SET_TIME_GRAN, AT(time_gran_ns) },
	/* mount flags */
	{ "rw", SET_BOOL, AT(flags.read_only), false },
	{ "ro", SET_BOOL, AT(flags.read_only), true },
	{ "dev", SET_CHOICE, AT(flags.dev), CHOICE_ON },
	{ "nodev", SET_CHOICE, AT(flags.dev), CHOICE_OFF },
	{ "suid", SET_CHOICE, AT(flags.suid), CHOICE_ON },
	{ "nosuid", SET_CHOICE, AT(flags.suid), CHOICE_OFF },
	{ "exec", SET_BOOL, AT(flags.noexec), false },
	{ "noexec", SET_BOOL, AT(flags.noexec), true },
	{ "sync", SET_BOOL, AT(flags.sync), true },
	{ "async", SET_BOOL, AT(flags.sync), false },
	{ "dirsync", SET_BOOL, AT(flags.dirsync), true },
	{ "atime", SET_ATIME, AT(flags.atime), ATIME_DEFAULT },
	{ "noatime", SET_ATIME, AT(flags.atime), ATIME_NONE },
	{ "relatime", SET_ATIME, AT(flags.atime), ATIME_RELATIME },
	{ "norelatime", SET_ATIME, AT(flags.atime), ATIME_STRICT },
	{ "strictatime", SET_ATIME, AT(flags.atime), ATIME_STRICT },
	{ "nostrictatime", SET_ATIME, AT(flags.atime), ATIME_DEFAULT },
	{ "diratime", SET_BOOL, AT(flags.nodiratime), false },
	{ "nodiratime", SET_BOOL, AT(flags.nodiratime), true },
	{ "lazytime", SET_BOOL, AT(flags.lazytime), true },
	{ "nolazytime", SET_BOOL, AT(flags.lazytime), false },
	{ "remount", SET_BOOL, AT(remount), true },
	{ "nonempty", SET_BOOL, AT(nonempty), true },
	/* fuse */
	{ "allow_other", SET_BOOL, AT(flags.allow_other), true },
	{ "allow_root", SET_BOOL, AT(allow_root), true },
	{ "default_permissions", SET_IGNORE }, /* always */
	{ "fsname", SET_STRING, AT(source) },
	{ "subtype", SET_STRING, AT(subtype) },
	{ "user_id", SET_KERNEL },
	{ "group_id", SET_KERNEL },
	{ "rootmode", SET_KERNEL },
	{ "max_read", SET_KERNEL },
	/* for mount(8) and fstab */
	{ "defaults", SET_IGNORE },
	{ "auto", SET_IGNORE },
	{ "noauto", SET_IGNORE },
	{ "user", SET_IGNORE },
	{ "nouser", SET_IGNORE },
	{ "users", SET_IGNORE },
	{ "nousers", SET_IGNORE },
	{ "owner", SET_IGNORE },
	{ "noowner", SET_IGNORE },
	{ "group", SET_IGNORE },
	{ "nogroup", SET_IGNORE },
	{ "_netdev", SET_IGNORE },
	{ "nofail", SET_IGNORE },
};

static int set_string(char **to, const char *from, struct problem *p)
{
	char *copy = strdup(from);

	if (!copy)
		return problem_errno(p, -ENOMEM, "options");
	free(*to);
	*to = copy;
	return 0;
}

/* A backslash stands for the character after it. In place. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (*s == '\\' && s[1])
			s++;
		*to++ = *s;
	}
	*to = '\0';
}

/* Cuts at the next unescaped separator; NULL at the end. */
static char *cut(char **rest, char separator)
{
	char *item = *rest, *s = item;

	if (!item)
		return NULL;
	for (; *s && *s != separator; s++)
		if (*s == '\\' && s[1])
			s++;
	*rest = *s ? s + 1 : NULL;
	*s = '\0';
	return item;
}

int options_add_lowers(struct launch_config *c, const char *list, struct problem *p)
{
	_cleanup_free_ char *copy = strdup(list);
	char *rest = copy, *item;

	if (!copy)
		return problem_errno(p, -ENOMEM, "lower");
	while ((item = cut(&rest, ':'))) {
		char **v;

		if (!item[0])
			return problem_usage(p, "lower", "an empty name in '%s'", list);
		if (c->n_lowers == MAX_LOWERS)
			return problem_usage(p, "lower", "more than %d directories", MAX_LOWERS);
		v = reallocarray(c->lowers, c->n_lowers + 1, sizeof(*v));
		if (!v)
			return problem_errno(p, -ENOMEM, "lower");
		c->lowers = v;
		unescape(item);
		v[c->n_lowers] = strdup(item);
		if (!v[c->n_lowers])
			return problem_errno(p, -ENOMEM, "lower");
		c->n_lowers++;
	}
	return 0;
}

static int parse_switch(bool *to, const struct o_option *o, const char *value, struct problem *p)
{
	*to = strcmp(value, "on") == 0;
	return *to || strcmp(value, "off") == 0 ? 0 : problem_usage(p, o->name, "'%s' is neither on nor off", value);
}

static int set_switch(bool *to, const struct o_option *o, const char *value, struct problem *p)
{
	bool on;
	int r = parse_switch(&on, o, value, p);

	if (r == 0)
		*to = o->value ? !on : on;
	return r;
}

static int set_on_off(enum choice *to, const struct o_option *o, const char *value, struct problem *p)
{
	bool on;
	int r = parse_switch(&on, o, value, p);

	if (r == 0)
		*to = on ? CHOICE_ON : CHOICE_OFF;
	return r;
}

/* Redirects that are there are always followed; the question is whether new ones are made. */
static int set_redirect(struct launch_config *c, const char *value, struct problem *p)
{
	if (strcmp(value, "on") == 0)
		c->no_redirect = false;
	else if (strcmp(value, "off") == 0 || strcmp(value, "follow") == 0)
		c->no_redirect = true;
	else if (strcmp(value, "nofollow") == 0)
		return problem_usage(p, "redirect_dir", "nofollow is not supported: a redirect that is there is followed");
	else
		return problem_usage(p, "redirect_dir", "'%s' is not one of on, off, follow", value);
	return 0;
}

static int set_case(struct launch_config *c, const char *value, struct problem *p)
{
	if (strcmp(value, "insensitive") == 0)
		c->fold = CHOICE_ON;
	else if (strcmp(value, "sensitive") == 0)
		c->fold = CHOICE_OFF;
	else
		return problem_usage(p, "case", "'%s' is neither sensitive nor insensitive", value);
	return 0;
}

static bool takes_value(enum set_kind kind)
{
	return kind >= SET_STRING;
}

static int add_policy(struct launch_config *c, const char *verb, const char *text, struct problem *p)
{
	if (!text[0])
		return problem_usage(p, verb ? verb : "policy", "needs a value");
	return launch_config_add_policy(c, verb, text) < 0 ? problem_errno(p, -ENOMEM, "options") : 0;
}

static int set_squash(struct overlay_ids *to, const char *what, const char *value, struct problem *p)
{
	to->squash = true;
	return value_id(what, value, &to->squash_to, p);
}

static int apply(struct launch_config *c, const struct o_option *o, char *value, struct problem *p)
{
	void *field = (char *) c + o->offset;

	switch (o->kind) {
	case SET_IGNORE:
	case SET_ANY:
		break;
	case SET_KERNEL:
		c->from_kernel = o->name;
		break;
	case SET_BOOL:
		*(bool *) field = o->value;
		break;
	case SET_CHOICE:
		*(enum choice *) field = (enum choice) o->value;
		break;
	case SET_ATIME:
		*(enum atime_mode *) field = (enum atime_mode) o->value;
		break;
	case SET_PATH:
	case SET_STRING:
		if (!value[0])
			return problem_usage(p, o->name, "needs a value");
		unescape(value);
		return set_string(field, value, p);
	case SET_LOWERS:
		/* as mount(8) has it, the last one counts */
		while (c->n_lowers > 0)
			free(c->lowers[--c->n_lowers]);
		return options_add_lowers(c, value, p);
	case SET_SWITCH:
		return set_switch(field, o, value, p);
	case SET_ON_OFF:
		return set_on_off(field, o, value, p);
	case SET_REDIRECT:
		return set_redirect(c, value, p);
	case SET_CASE:
		return set_case(c, value, p);
	case SET_POLICY:
		unescape(value);
		return add_policy(c, NULL, value, p);
	case SET_SQUASH:
		return set_squash(field, o->name, value, p);
	case SET_ID_MAP:
		((struct overlay_ids *) field)->n_ranges = 0; /* the last one counts */
		unescape(value);
		return value_id_map(o->name, value, field, p);
	case SET_TIME_GRAN:
		return value_time_gran(o->name, value, field, p);
	}
	return 0;
}

/* Comments for others: x-systemd.automount, x-gvfs-show, X-mount.mkdir, comment=… */
static bool is_comment(const char *name)
{
	return strncmp(name, "x-", 2) == 0 || strncmp(name, "X-", 2) == 0 || strcmp(name, "comment") == 0;
}

static int parse_one(struct launch_config *c, char *item, bool sloppy, struct problem *p)
{
	char *value = strchr(item, '=');

	if (value)
		*value++ = '\0';
	if (!item[0] && !value)
		return 0; /* two commas in a row */
	for (size_t i = 0; i < ARRAY_SIZE(o_options); i++) {
		const struct o_option *o = &o_options[i];

		if (strcmp(o->name, item) != 0)
			continue;
		if (takes_value(o->kind) && !value)
			return problem_usage(p, item, "needs a value: -o %s=…", item);
		if (!takes_value(o->kind) && value && o->kind != SET_IGNORE)
			return problem_usage(p, item, "takes no value");
		return apply(c, o, value, p);
	}
	if (sloppy || is_comment(item))
		return 0;
	(void) problem_usage(p, item, "unknown option after -o");
	return problem_hint(p, -EINVAL, "'man osfuse-mount' lists them");
}

int options_parse_o(struct launch_config *c, const char *text, bool sloppy, struct problem *p)
{
	_cleanup_free_ char *copy = strdup(text);
	char *rest = copy, *item;
	int r = 0;

	if (!copy)
		return problem_errno(p, -ENOMEM, "options");
	while (r == 0 && (item = cut(&rest, ',')))
		r = parse_one(c, item, sloppy, p);
	return r;
}

/* What a variable that was not set leaves of an argument is not the name of anything. */
static int check_empty(const struct launch_config *c, struct problem *p)
{
	if (c->mount_point && !c->mount_point[0])
		return problem_usage(p, "MOUNTPOINT", "is empty");
	if (c->upper && !c->upper[0])
		return problem_usage(p, "--upper", "the name of the directory is empty");
	if (c->work && !c->work[0])
		return problem_usage(p, "--work", "the name of the directory is empty");
	if (c->name && !c->name[0])
		return problem_usage(p, "--name", "the name is empty");
	return 0;
}

static int check_ids(struct overlay_ids *ids, bool squash_to_root, const char *squash, const char *map, struct problem *p)
{
	if (squash_to_root && !ids->squash) {
		ids->squash = true;
		ids->squash_to = 0;
	}
	if (!ids->squash || ids->n_ranges == 0)
		return 0;
	return problem_usage(p, squash, "with %s: either all things belong to one id, or ids are mapped", map);
}

/* What goes together, and what does not. */
static int check(struct launch_config *c, bool upper_by_o, struct problem *p)
{
	int r = check_empty(c, p);

	if (r < 0 || c->remount)
		return r;
	if (c->from_kernel)
		return problem_usage(p, c->from_kernel, "is the kernel's to set");
	if (upper_by_o && c->n_lowers == 0) {
		(void) problem_usage(p, "upperdir", "given without lowerdir");
		return problem_hint(p, -EINVAL, "-o lowerdir=DIR[:DIR…],upperdir=DIR,workdir=DIR");
	}
	if (c->work && !c->upper)
		return problem_usage(p, "work", "a work directory without an upper");
	if (c->ephemeral && c->upper)
		return problem_usage(p, "--ephemeral", "with --upper: changes are either kept there or not");
	if (c->ephemeral && c->flags.read_only)
		return problem_usage(p, "--ephemeral", "with a read-only mount there are no changes");
	r = check_ids(&c->uids, c->squash_to_root, "--squash-uid", "--uidmap", p);
	return r < 0 ? r : check_ids(&c->gids, c->squash_to_root, "--squash-gid", "--gidmap", p);
}

static int parse_threads(const char *text, unsigned int *ret, struct problem *p)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(text, &end, 10);
	if (errno || *end || text[0] < '0' || text[0] > '9' || n < 1 || n > MAX_THREADS)
		return problem_usage(p, "--threads", "'%s' is not a number from 1 to %d", text, MAX_THREADS);
	*ret = (unsigned int) n;
	return 0;
}

/* The command line in one piece. */
static int record_text(struct launch_config *c, int argc, char **argv, struct problem *p)
{
	size_t size = 1;

	for (int i = 1; i < argc; i++)
		size += strlen(argv[i]) + 1;
	free(c->text);
	c->text = malloc(size);
	if (!c->text)
		return problem_errno(p, -ENOMEM, "options");
	c->text[0] = '\0';
	for (int i = 1; i < argc; i++) {
		if (i > 1)
			strcat(c->text, " ");
		strcat(c->text, argv[i]);
	}
	return 0;
}

static int bad_option(char **argv, int opt, int was, struct problem *p)
{
	char text[] = { '-', (char) optopt, '\0' };
	/* optopt is a letter for short options only */
	const char *name = optopt > 0 && optopt < 256 && strncmp(argv[was], "--", 2) != 0 ? text : argv[was];

	if (opt == ':')
		return problem_usage(p, name, "needs a value");
	if (strchr(name, '=') && strncmp(name, "--", 2) == 0)
		return problem_usage(p, name, "unknown option, or one that takes no value");
	return problem_usage(p, name, "unknown option");
}

enum {
	OPT_LOWER = 256,
	OPT_UPPER,
	OPT_WORK,
	OPT_NAME,
	OPT_EPHEMERAL,
	OPT_READ_ONLY,
	OPT_THREADS,
	OPT_POLICY,
	OPT_CASE,
	OPT_TIME_GRAN,
	OPT_SQUASH_UID,
	OPT_SQUASH_GID,
	OPT_UIDMAP,
	OPT_GIDMAP,
	OPT_RULE, /* and enum policy_verb on top */
};

static const struct option mount_options[] = {
	{ "lower", required_argument, NULL, OPT_LOWER },
	{ "upper", required_argument, NULL, OPT_UPPER },
	{ "work", required_argument, NULL, OPT_WORK },
	{ "name", required_argument, NULL, OPT_NAME },
	{ "ephemeral", no_argument, NULL, OPT_EPHEMERAL },
	{ "read-only", no_argument, NULL, OPT_READ_ONLY },
	{ "foreground", no_argument, NULL, 'f' },
	{ "debug", no_argument, NULL, 'd' },
	{ "threads", required_argument, NULL, OPT_THREADS },
	{ "time-gran", required_argument, NULL, OPT_TIME_GRAN },
	{ "squash-uid", required_argument, NULL, OPT_SQUASH_UID },
	{ "squash-gid", required_argument, NULL, OPT_SQUASH_GID },
	{ "uidmap", required_argument, NULL, OPT_UIDMAP },
	{ "gidmap", required_argument, NULL, OPT_GIDMAP },
	{ "policy", required_argument, NULL, OPT_POLICY },
	{ "case", required_argument, NULL, OPT_CASE },
	{ "hide", required_argument, NULL, OPT_RULE + POLICY_VERB_HIDE },
	{ "deny", required_argument, NULL, OPT_RULE + POLICY_VERB_DENY },
	{ "ro", required_argument, NULL, OPT_RULE + POLICY_VERB_RO },
	{ "cow", required_argument, NULL, OPT_RULE + POLICY_VERB_COW },
	{ "rw", required_argument, NULL, OPT_RULE + POLICY_VERB_RW },
	{ "noexec", required_argument, NULL, OPT_RULE + POLICY_VERB_NOEXEC },
	{ "log", required_argument, NULL, OPT_RULE + POLICY_VERB_LOG },
	{ "help", no_argument, NULL, 'h' },
	{ 0 }
};

static int mount_option(struct launch_config *c, int opt, const char *arg, struct problem *p)
{
	switch (opt) {
	case OPT_LOWER:
		return options_add_lowers(c, arg, p);
	case OPT_UPPER:
		return set_string(&c->upper, arg, p);
	case OPT_WORK:
		return set_string(&c->work, arg, p);
	case OPT_NAME:
		return set_string(&c->name, arg, p);
	case OPT_EPHEMERAL:
		c->ephemeral = true;
		return 0;
	case OPT_READ_ONLY:
		c->flags.read_only = true;
		return 0;
	case OPT_THREADS:
		return parse_threads(arg, &c->n_threads, p);
	case OPT_CASE:
		return set_case(c, arg, p);
	case OPT_POLICY:
		return add_policy(c, NULL, arg, p);
	case OPT_TIME_GRAN:
		return value_time_gran("--time-gran", arg, &c->time_gran_ns, p);
	case OPT_SQUASH_UID:
		return set_squash(&c->uids, "--squash-uid", arg, p);
	case OPT_SQUASH_GID:
		return set_squash(&c->gids, "--squash-gid", arg, p);
	case OPT_UIDMAP:
		return value_id_map("--uidmap", arg, &c->uids, p);
	case OPT_GIDMAP:
		return value_id_map("--gidmap", arg, &c->gids, p);
	case 'd':
		c->debug = true;
		c->foreground = true;
		return 0;
	case 'f':
		c->foreground = true;
		return 0;
	}
	if (opt >= OPT_RULE)
		return add_policy(c, policy_verb_name((enum policy_verb) (opt - OPT_RULE)), arg, p);
	return options_parse_o(c, arg, false, p);
}

static int take_mount_point(struct launch_config *c, int argc, char **argv, struct problem *p)
{
	if (optind >= argc)
		return problem_usage(p, "MOUNTPOINT", "missing");
	if (optind + 1 < argc)
		return problem_usage(p, argv[optind + 1], "unexpected argument: there is one mount point");
	return set_string(&c->mount_point, argv[optind], p);
}

int options_mount(int argc, char **argv, struct launch_config *c, struct problem *p)
{
	bool had_upper = false;
	int opt, r;

	optind = 0; /* start anew, also in tests */
	opterr = 0;
	for (;;) {
		int was = optind > 0 ? optind : 1;

		opt = getopt_long(argc, argv, ":fdho:", mount_options, NULL);
		if (opt < 0)
			break;
		if (opt == 'h')
			return 1;
		if (opt == '?' || opt == ':')
			return bad_option(argv, opt, MIN(was, argc - 1), p);
		r = mount_option(c, opt, optarg, p);
		if (r < 0)
			return r;
		had_upper |= opt == OPT_UPPER;
	}
	r = take_mount_point(c, argc, argv, p);
	if (r == 0)
		r = check(c, c->upper && !had_upper, p);
	return r == 0 ? record_text(c, argc, argv, p) : r;
}

/* "mount", or a helper that mount(8) looks for. */
static bool called_by_mount(const char *argv0)
{
	const char *base = strrchr(argv0, '/');

	return strncmp(base ? base + 1 : argv0, "mount.", 6) == 0;
}

bool options_is_helper(int argc, char **argv)
{
	if (argc > 0 && called_by_mount(argv[0]))
		return true;
	/* Without -o it is a command mistyped. */
	for (int i = 1; i < argc; i++)
		if (strncmp(argv[i], "-o", 2) == 0)
			return true;
	return false;
}

static int take_source(struct launch_config *c, int argc, char **argv, struct problem *p)
{
	int r = 0;

	if (optind + 1 >= argc)
		return 0; /* mount point only, as container engines do */
	/* fsname= is more explicit */
	if (!c->source)
		r = set_string(&c->source, argv[optind], p);
	optind++;
	return r;
}

int options_helper(int argc, char **argv, bool privileged, struct launch_config *c, struct problem *p)
{
	bool by_mount = called_by_mount(argv[0]), sloppy = false;
	int opt, r = 0;

	c->helper = true;
	/* Twice, since -s may come after what it is about. */
	for (int i = 1; by_mount && i < argc; i++)
		sloppy |= strcmp(argv[i], "-s") == 0;
	optind = 0;
	opterr = 0;
	for (;;) {
		int was = optind > 0 ? optind : 1;

		opt = getopt(argc, argv, by_mount ? ":o:t:N:nsvfrw" : ":o:fdh");
		if (opt < 0)
			break;
		switch (opt) {
		case 'h':
			return 1;
		case 'o':
			r = options_parse_o(c, optarg, sloppy, p);
			break;
		case 'f':
			if (by_mount)
				c->fake = true;
			else
				c->foreground = true;
			break;
		case 'd':
			c->debug = c->foreground = true;
			break;
		case 'r':
		case 'w':
			c->flags.read_only = opt == 'r';
			break;
		case '?':
		case ':':
			return bad_option(argv, opt, MIN(was, argc - 1), p);
		}
		if (r < 0)
			return r;
	}
	if (by_mount && privileged) { /* mount(8) says only what differs from its defaults */
		c->flags.dev = c->flags.dev == CHOICE_UNSET ? CHOICE_ON : c->flags.dev;
		c->flags.suid = c->flags.suid == CHOICE_UNSET ? CHOICE_ON : c->flags.suid;
	}
	r = take_source(c, argc, argv, p);
	if (r == 0)
		r = take_mount_point(c, argc, argv, p);
	if (r == 0)
		r = check(c, c->upper != NULL, p);
	return r == 0 ? record_text(c, argc, argv, p) : r;
}
