/* The verbs that say something of paths. */

#include <stdlib.h>
#include <string.h>

#include "policy/builder.h"

static const struct {
	const char *name;
	int error;
} errors[] = {
	{ "EACCES", EACCES }, { "EPERM", EPERM }, { "ENOENT", ENOENT }, { "EROFS", EROFS }, { "EIO", EIO },
	{ "ENXIO", ENXIO },   { "ENODEV", ENODEV }, { "EBUSY", EBUSY }, { "ELOOP", ELOOP }, { "ENOTSUP", ENOTSUP },
};

static int error_from_name(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
		if (strlen(errors[i].name) == len && memcmp(errors[i].name, name, len) == 0)
			return errors[i].error;
	return 0;
}

static int too_many(struct source *src, const struct word *w)
{
	if (src->b->full)
		return -EINVAL;
	src->b->full = true;
	return fault(src, w->column, "more than %u rules", POLICY_MAX_RULES);
}

static int check_room_for_file(struct source *src, const struct word *w)
{
	if (src->b->n_files < POLICY_MAX_FILES)
		return 0;
	if (src->b->full)
		return -EINVAL;
	src->b->full = true;
	return fault(src, w->column, "more than %u made-up files", POLICY_MAX_FILES);
}

/* A rule without its patterns. */
static int rule_new(struct source *src, enum policy_verb verb, const struct word *w, int *ret)
{
	struct policy_builder *b = src->b;
	struct policy_rule *v;
	const char *pattern;

	if (b->n_rules >= POLICY_MAX_RULES || b->n_patterns >= POLICY_MAX_RULES)
		return too_many(src, w);
	v = array_room(b->rules, b->n_rules, &b->rules_size, sizeof(*v));
	if (!v)
		return -ENOMEM;
	b->rules = v;
	pattern = arena_copy(&b->arena, src->text + w->column - 1, w->end - w->column);
	if (!pattern)
		return -ENOMEM;
	*ret = (int) b->n_rules;
	v[b->n_rules++] = (struct policy_rule) {
		.verb = verb,
		.error = verb == POLICY_VERB_DENY ? EACCES : 0,
		.source = src->name,
		.line = src->line,
		.column = w->column,
		.pattern = pattern,
	};
	return 0;
}

int rule_add(struct source *src, enum policy_verb verb, const struct word *w)
{
	bool all = (verb == POLICY_VERB_LOG || verb == POLICY_VERB_NOLOG) && !w->quoted && w->n == 3 && memcmp(w->s, "all", 3) == 0;
	int rule = POLICY_NO_RULE, r = rule_new(src, verb, w, &rule);

	if (r < 0)
		return r;
	return all ? pattern_add_root(src, rule) : pattern_add(src, w, rule, POLICY_NO_RULE);
}

#define ERRNO "errno="
static bool is_errno(const struct word *w)
{
	return !w->quoted && w->n >= strlen(ERRNO) && memcmp(w->s, ERRNO, strlen(ERRNO)) == 0;
}

static int take_errno(struct source *src, const struct word *w, int verb, int *error)
{
	size_t n = strlen(ERRNO);

	if (verb != POLICY_VERB_DENY)
		return fault(src, w->column, "errno goes with deny only; quote a name that begins like that");
	if (*error != 0)
		return fault(src, w->column, "there is an errno already");
	*error = error_from_name(w->s + n, w->n - n);
	if (*error == 0) {
		*error = -1; /* said: a second one is not worth another line */
		return fault(src, w->column + (uint32_t) n,
			     "unknown errno; there are EACCES EPERM ENOENT EROFS EIO ENXIO ENODEV EBUSY ELOOP ENOTSUP");
	}
	return 0;
}

/* Every word is looked at, whatever is wrong with those before it. */
int rules_parse(struct source *src, int verb)
{
	_cleanup_(word_done) struct word w = { .s = NULL };
	size_t first = src->b->n_rules, n = 0;
	int error = 0, r;

	while (line_more(src)) {
		r = word_pattern(src, &w);
		if (r == 0 && is_errno(&w)) {
			r = take_errno(src, &w, verb, &error);
		} else {
			n++;
			if (r == 0)
				r = rule_add(src, (enum policy_verb) verb, &w);
		}
		if (r == -ENOMEM)
			return r;
	}
	if (n == 0)
		return fault(src, line_column(src), "expected a pattern");
	for (size_t i = first; error > 0 && i < src->b->n_rules; i++)
		src->b->rules[i].error = error;
	return 0;
}

static int host_content(struct source *src, uint32_t column, struct policy_file *f)
{
	const struct policy_world *world = src->b->world;
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	int r = world->host_file ? world->host_file(world->arg, f->host_path, &text, &len) : -ENOTSUP;

	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return fault(src, column, "%s: %s", f->host_path, strerror(-r));
	if (len > POLICY_MAX_CONTENT)
		return fault(src, column, "%s: a made-up file has at most %u bytes", f->host_path, POLICY_MAX_CONTENT);
	f->content = arena_copy(&src->b->arena, text, len);
	f->len = len;
	return f->content ? 0 : -ENOMEM;
}

#define MODE "mode="
/* In front of the content, and unlike it not quoted. */
static int file_mode(struct source *src, struct word *w, struct policy_file *f)
{
	char *end;
	int r;

	f->mode = 0644;
	if (!line_more(src) || src->len - src->at < strlen(MODE) || memcmp(src->text + src->at, MODE, strlen(MODE)) != 0)
		return 0;
	r = word_string(src, w);
	if (r < 0)
		return r;
	f->mode = (mode_t) strtoul(w->s + strlen(MODE), &end, 8);
	if (w->n < strlen(MODE) + 1 || w->n > strlen(MODE) + 4 || end != w->s + w->n || f->mode > 0777)
		return fault(src, w->column, "expected an octal number up to 777");
	return 0;
}

/* The quoted text, or '<' and a path. */
static int file_content(struct source *src, struct word *w, struct policy_file *f)
{
	uint32_t column;
	int r;

	if (line_more(src) && src->text[src->at] == '"') {
		r = word_string(src, w);
		if (r < 0)
			return r;
		if (w->n > POLICY_MAX_CONTENT)
			return fault(src, w->column, "a made-up file has at most %u bytes", POLICY_MAX_CONTENT);
		f->content = arena_copy(&src->b->arena, w->s, w->n);
		f->len = w->n;
		return f->content ? 0 : -ENOMEM;
	}
	if (src->at == src->len || src->text[src->at] != '<')
		return fault(src, line_column(src), "expected \"TEXT\" or < PATH");
	src->at++;
	if (!line_more(src))
		return fault(src, line_column(src), "expected the path of a host's file");
	column = line_column(src);
	r = word_pattern(src, w);
	if (r == 0)
		r = pattern_path(src, w, &f->host_path);
	if (r == 0 && f->host_path[0] != '/')
		r = fault(src, column, "the path of a host's file has to be absolute");
	return r < 0 ? r : host_content(src, column, f);
}

/* One for each pattern. */
static int keep_file(struct policy_builder *b, const struct policy_file *f)
{
	struct policy_file *v = array_room(b->files, b->n_files, &b->files_size, sizeof(*v));

	if (!v)
		return -ENOMEM;
	b->files = v;
	v[b->n_files++] = *f;
	return 0;
}

int file_parse(struct source *src, int verb)
{
	_cleanup_(word_done) struct word path = { .s = NULL }, w = { .s = NULL };
	struct policy_builder *b = src->b;
	struct policy_file f = { .path = NULL };
	size_t first;
	int r;

	if (!line_more(src))
		return fault(src, line_column(src), "expected the path of the file");
	r = word_pattern(src, &path);
	if (r == 0)
		r = pattern_path(src, &path, &f.path);
	if (r == 0 && (f.path[0] != '/' || !f.path[1]))
		r = fault(src, path.column, "the path of a made-up file has to be absolute, and not the root");
	if (r == 0)
		r = check_room_for_file(src, &path);
	if (r == 0)
		r = file_mode(src, &w, &f);
	if (r == 0)
		r = file_content(src, &w, &f);
	if (r == 0 && line_more(src))
		r = fault(src, line_column(src), "nothing may follow here");
	if (r == 0)
		r = rule_new(src, POLICY_VERB_FILE, &path, &f.rule);
	first = b->n_patterns;
	if (r == 0)
		r = pattern_add(src, &path, f.rule, (int) b->n_files);
	for (size_t i = first; i < b->n_patterns && r == 0; i++) {
		r = check_room_for_file(src, &path);
		if (r == 0)
			r = pattern_as_path(b, &b->patterns[i], &f.path);
		if (r == 0)
			r = keep_file(b, &f);
	}
	return r;
}
