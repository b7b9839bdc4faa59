/* The verbs that say something of the whole: environment, ids, host, umask, limits. They are kept as they are, for others to apply. */

#include <string.h>

#include "policy/builder.h"

#define MAX_ID (UINT32_MAX - 1) /* the last one means "leave it" to the kernel */
#define HOST_BYTES 64

static int expect_end(struct source *src)
{
	return line_more(src) ? fault(src, line_column(src), "nothing may follow here") : 0;
}

static int list_room(char ***list, size_t n, size_t *size)
{
	char **v;

	if (n + 1 < *size)
		return 0;
	v = array_room(*list, *size, size, sizeof(*v)); /* a NULL is to follow */
	if (!v)
		return -ENOMEM;
	*list = v;
	return 0;
}

static int list_add(char ***list, size_t *n, size_t *size, char *s)
{
	int r = list_room(list, *n, size);

	if (r < 0)
		return r;
	(*list)[(*n)++] = s;
	(*list)[*n] = NULL;
	return 0;
}

static int env_keep(struct source *src)
{
	_cleanup_(word_done) struct word w = { .s = NULL };
	struct policy_builder *b = src->b;
	char *name;
	int r = word_pattern(src, &w);

	if (r == 0)
		r = pattern_check_name(src, &w);
	if (r < 0)
		return r;
	name = arena_copy(&b->arena, w.s, w.n);
	if (!name)
		return -ENOMEM;
	return list_add(&b->settings.env_keep, &b->n_env_keep, &b->env_keep_size, name);
}

/* The place of the variable's last value; or the end. */
static size_t find_variable(const struct policy_builder *b, const char *assignment, size_t name_len)
{
	size_t i = 0;

	while (i < b->n_env_set && strncmp(b->settings.env_set[i], assignment, name_len + 1) != 0)
		i++;
	return i;
}

static int env_set(struct source *src)
{
	_cleanup_(word_done) struct word w = { .s = NULL };
	struct policy_builder *b = src->b;
	size_t value = 0, i;
	char *s;
	int r = word_assignment(src, &w, &value);

	if (r < 0)
		return r;
	if (memchr(w.s, '\0', w.n))
		return fault(src, w.column, "a variable cannot have a NUL in it");
	s = arena_copy(&b->arena, w.s, w.n);
	if (!s)
		return -ENOMEM;
	i = find_variable(b, s, value - 1);
	if (i == b->n_env_set)
		return list_add(&b->settings.env_set, &b->n_env_set, &b->env_set_size, s);
	b->settings.env_set[i] = s;
	return 0;
}

int env_parse(struct source *src, int verb)
{
	_cleanup_(word_done) struct word w = { .s = NULL };
	struct policy_builder *b = src->b;
	int (*one)(struct source *) = NULL;
	size_t n = 0;
	int r = line_more(src) ? word_string(src, &w) : 0;

	if (r == 0 && w.s && strcmp(w.s, "keep") == 0)
		one = env_keep;
	else if (r == 0 && w.s && strcmp(w.s, "set") == 0)
		one = env_set;
	if (r == 0 && !one)
		r = fault(src, w.s ? w.column : line_column(src), "expected \"keep\" or \"set\"");
	if (r < 0)
		return r;
	/* With any of the two, what is not kept is not there. */
	r = list_room(&b->settings.env_keep, b->n_env_keep, &b->env_keep_size);
	if (r < 0)
		return r;
	b->settings.env_keep[b->n_env_keep] = NULL;
	for (; line_more(src); n++)
		if (one(src) == -ENOMEM)
			return -ENOMEM;
	return n > 0 ? 0 : fault(src, line_column(src), one == env_keep ? "expected a name" : "expected NAME=VALUE");
}

/* What an assignment may be about, and where its value goes. */
struct setting {
	const char *name;
	uint64_t *number;
	char **text;
	unsigned int unit; /* of number: 0 an id; else what K stands for */
};

/* A number with an optional suffix. */
static int parse_number(const char *s, unsigned int unit, uint64_t *ret)
{
	static const char suffixes[] = "KMGT";
	const char *suffix;
	uint64_t v = 0;

	if (*s < '0' || *s > '9')
		return -EINVAL;
	for (; *s >= '0' && *s <= '9'; s++)
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, (uint64_t) (*s - '0'), &v))
			return -EINVAL;
	if (unit > 0 && *s) {
		suffix = strchr(suffixes, *s == 'k' ? 'K' : *s);
		if (!suffix || (unit == 1000 && suffix - suffixes > 1))
			return -EINVAL;
		for (; suffix >= suffixes; suffix--)
			if (__builtin_mul_overflow(v, unit, &v))
				return -EINVAL;
		s++;
	}
	if (*s || v == POLICY_UNSET)
		return -EINVAL;
	*ret = v;
	return 0;
}

static int set_number(struct source *src, const struct setting *s, const struct word *w, size_t value)
{
	uint32_t column = w->column + (uint32_t) value;
	uint64_t v;

	if (memchr(w->s, '\0', w->n) || parse_number(w->s + value, s->unit, &v) < 0)
		return fault(src, column, s->unit == 0 ? "expected a number" :
			     s->unit == 1000 ? "expected a number, with k or M" : "expected a size, with K, M, G or T");
	if (s->unit == 0 && v > MAX_ID)
		return fault(src, column, "no id is larger than %u", MAX_ID);
	*s->number = v;
	return 0;
}

/* Names of users, groups and hosts: nothing that would be something else in /etc/passwd or /etc/hosts. */
static int set_text(struct source *src, char **text, const struct word *w, size_t value)
{
	const char *s = w->s + value;
	size_t len = w->n - value;
	char *copy;

	if (len == 0 || memchr(s, '\0', len) || strcspn(s, " \t\r\n:/,#") != len)
		return fault(src, w->column + (uint32_t) value, "expected a name without blanks, ':', '/', ',' or '#'");
	copy = arena_copy(&src->b->arena, s, len);
	if (!copy)
		return -ENOMEM;
	*text = copy;
	return 0;
}

static int set_one(struct source *src, const struct setting *settings, size_t n, const char *names)
{
	_cleanup_(word_done) struct word w = { .s = NULL };
	size_t value = 0, i = 0;
	int r = word_assignment(src, &w, &value);

	if (r < 0)
		return r;
	while (i < n && (strlen(settings[i].name) != value - 1 || memcmp(settings[i].name, w.s, value - 1) != 0))
		i++;
	if (i == n)
		return fault(src, w.column, "expected %s", names);
	return settings[i].text ? set_text(src, settings[i].text, &w, value) : set_number(src, &settings[i], &w, value);
}

static int set_all(struct source *src, const struct setting *settings, size_t n, const char *names)
{
	if (!line_more(src))
		return fault(src, line_column(src), "expected %s", names);
	while (line_more(src))
		if (set_one(src, settings, n, names) == -ENOMEM)
			return -ENOMEM;
	return 0;
}

int id_parse(struct source *src, int verb)
{
	struct policy_settings *s = &src->b->settings;
	const struct setting settings[] = {
		{ "uid", .number = &s->uid },
		{ "gid", .number = &s->gid },
		{ "user", .text = &s->user },
		{ "group", .text = &s->group },
	};

	return set_all(src, settings, ARRAY_SIZE(settings), "uid=N, gid=N, user=NAME or group=NAME");
}

int limit_parse(struct source *src, int verb)
{
	struct policy_settings *s = &src->b->settings;
	const struct setting settings[] = {
		{ "upper", .number = &s->limit_upper, .unit = 1024 },
		{ "memory", .number = &s->limit_memory, .unit = 1024 },
		{ "files", .number = &s->limit_files, .unit = 1000 },
		{ "nofile", .number = &s->limit_nofile, .unit = 1000 },
		{ "nproc", .number = &s->limit_nproc, .unit = 1000 },
	};

	return set_all(src, settings, ARRAY_SIZE(settings), "upper=SIZE, memory=SIZE, files=COUNT, nofile=COUNT or nproc=COUNT");
}

int host_parse(struct source *src, int verb)
{
	_cleanup_(word_done) struct word w = { .s = NULL };
	int r;

	if (!line_more(src))
		return fault(src, line_column(src), "expected a name");
	r = word_string(src, &w);
	if (r == 0 && w.n > HOST_BYTES)
		r = fault(src, w.column, "a host's name has at most %d bytes", HOST_BYTES);
	if (r == 0)
		r = set_text(src, &src->b->settings.host, &w, 0);
	return r < 0 ? r : expect_end(src);
}

int umask_parse(struct source *src, int verb)
{
	_cleanup_(word_done) struct word w = { .s = NULL };
	uint64_t v = 0;
	size_t i = 0;
	int r;

	if (!line_more(src))
		return fault(src, line_column(src), "expected an octal number");
	r = word_string(src, &w);
	if (r < 0)
		return r;
	for (; i < w.n && i < 4 && w.s[i] >= '0' && w.s[i] <= '7'; i++)
		v = v * 8 + (uint64_t) (w.s[i] - '0');
	if (i == 0 || i < w.n || v > 0777)
		return fault(src, w.column, "expected an octal number up to 777");
	src->b->settings.umask = v;
	return expect_end(src);
}
