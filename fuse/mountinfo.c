/* Reads /proc/PID/mountinfo, see proc(5). */

#include "fuse/mountinfo.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

static inline void fclosep(FILE **f)
{
	if (*f)
		(void) fclose(*f); /* only read from */
}

/* The kernel writes space, tab, newline and backslash as \ and three octal digits. In place. */
static void unescape(char *s)
{
	char *to = s;

	while (*s) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' && s[3] >= '0' && s[3] <= '7') {
			*to++ = (char) ((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 4;
		} else {
			*to++ = *s++;
		}
	}
	*to = '\0';
}

void mount_entry_done(struct mount_entry *e)
{
	free(e->root);
	free(e->mount_point);
	free(e->type);
	free(e->source);
	free(e->options);
	*e = (struct mount_entry) { 0 };
}

/* 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue */
int mount_entry_parse(char *line, struct mount_entry *ret)
{
	char *save = NULL, *field, *root = NULL, *mount_point = NULL, *type, *source, *options = NULL;
	size_t len;
	unsigned int major = 0, minor = 0;
	int id = 0;

	field = strtok_r(line, " \n", &save);
	for (unsigned int i = 0; field && strcmp(field, "-") != 0; i++, field = strtok_r(NULL, " \n", &save)) {
		if (i == 0 && sscanf(field, "%d", &id) != 1)
			return -EINVAL;
		if (i == 2 && sscanf(field, "%u:%u", &major, &minor) != 2)
			return -EINVAL;
		if (i == 3)
			root = field;
		if (i == 4)
			mount_point = field;
	}
	if (!field || !mount_point)
		return -EINVAL;
	type = strtok_r(NULL, " \n", &save);
	if (!type)
		return -EINVAL;
	/* An empty source leaves two spaces in a row, so that strtok() would take the next field for it. */
	source = save;
	len = source ? strcspn(source, " \n") : 0;
	if (source && source[len] == ' ') {
		options = source + len + 1;
		options[strcspn(options, " \n")] = '\0';
	}
	if (source)
		source[len] = '\0';

	unescape(root);
	unescape(mount_point);
	unescape(type);
	*ret = (struct mount_entry) {
		.id = id,
		.dev = makedev(major, minor),
		.root = strdup(root),
		.mount_point = strdup(mount_point),
		.type = strdup(type),
		.source = strdup(source ? source : ""),
		.options = strdup(options ? options : ""),
	};
	if (!ret->root || !ret->mount_point || !ret->type || !ret->source || !ret->options) {
		mount_entry_done(ret);
		return -ENOMEM;
	}
	unescape(ret->source);
	return 0;
}

/* A comma in a value is escaped too, so they can be told apart before. */
char *mount_entry_option(const struct mount_entry *e, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = e->options; *p; p += strcspn(p, ","), p += *p == ',') {
		char *value;

		if (strncmp(p, name, len) != 0 || p[len] != '=')
			continue;
		value = strndup(p + len + 1, strcspn(p + len + 1, ","));
		if (value)
			unescape(value);
		return value;
	}
	return NULL;
}

void mount_table_done(struct mount_table *t)
{
	for (size_t i = 0; i < t->n; i++)
		mount_entry_done(&t->v[i]);
	free(t->v);
	*t = (struct mount_table) { 0 };
}

static int append(struct mount_table *t, struct mount_entry *e)
{
	struct mount_entry *v = reallocarray(t->v, t->n + 1, sizeof(*v));

	if (!v) {
		mount_entry_done(e);
		return -ENOMEM;
	}
	t->v = v;
	v[t->n++] = *e;
	return 0;
}

int mount_table_read(pid_t pid, struct mount_table *ret)
{
	_cleanup_(fclosep) FILE *f = NULL;
	_cleanup_free_ char *line = NULL;
	struct mount_table t = { 0 };
	char path[64] = "/proc/self/mountinfo";
	size_t size = 0;
	int r = 0;

	if (pid > 0)
		(void) snprintf(path, sizeof(path), "/proc/%d/mountinfo", (int) pid);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (r == 0 && getline(&line, &size, f) > 0) {
		struct mount_entry e;

		r = mount_entry_parse(line, &e);
		if (r == 0)
			r = append(&t, &e);
	}
	if (r == 0 && ferror(f))
		r = -EIO;
	if (r < 0) {
		mount_table_done(&t);
		return r;
	}
	*ret = t;
	return 0;
}

const struct mount_entry *mount_table_at(const struct mount_table *t, const char *path)
{
	for (size_t i = t->n; i > 0; i--)
		if (strcmp(t->v[i - 1].mount_point, path) == 0)
			return &t->v[i - 1];
	return NULL;
}

const struct mount_entry *mount_table_dev(const struct mount_table *t, dev_t dev)
{
	for (size_t i = t->n; i > 0; i--)
		if (t->v[i - 1].dev == dev)
			return &t->v[i - 1];
	return NULL;
}

/* statx() knows it from Linux 5.8 on only. */
static int mount_id(int fd)
{
	_cleanup_(fclosep) FILE *f = NULL;
	char path[64], line[256];
	int id = -1;

	(void) snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	while (f && id < 0 && fgets(line, sizeof(line), f))
		if (sscanf(line, "mnt_id: %d", &id) != 1)
			id = -1;
	return id;
}

const struct mount_entry *mount_table_of(const struct mount_table *t, int fd)
{
	int id = mount_id(fd);

	for (size_t i = 0; i < t->n; i++)
		if (t->v[i].id == id)
			return &t->v[i];
	return NULL;
}
