/* Sources: lines, verbs, and what a source includes. */

#include <string.h>

#include "policy/builder.h"

#define BYTE_ORDER_MARK "\xef\xbb\xbf" /* editors on Windows put it before a text: it says that it is UTF-8 */
#define MAX_INCLUDES_ALL 1000 /* one source may be included many times by many others */

static int include_parse(struct source *src, int verb);

static const struct verb {
	const char *name;
	int (*parse)(struct source *src, int verb);
	int verb;
} verbs[] = {
	{ "hide", rules_parse, POLICY_VERB_HIDE },     { "deny", rules_parse, POLICY_VERB_DENY },
	{ "ro", rules_parse, POLICY_VERB_RO },	       { "cow", rules_parse, POLICY_VERB_COW },
	{ "rw", rules_parse, POLICY_VERB_RW },	       { "noexec", rules_parse, POLICY_VERB_NOEXEC },
	{ "exec", rules_parse, POLICY_VERB_EXEC },     { "log", rules_parse, POLICY_VERB_LOG },
	{ "nolog", rules_parse, POLICY_VERB_NOLOG },   { "file", file_parse, POLICY_VERB_FILE },
	{ "env", env_parse, -1 },		       { "id", id_parse, -1 },
	{ "host", host_parse, -1 },		       { "umask", umask_parse, -1 },
	{ "limit", limit_parse, -1 },		       { "include", include_parse, -1 },
};

const char *policy_verb_name(enum policy_verb v)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (verbs[i].verb == (int) v)
			return verbs[i].name;
	return "?";
}

/* How many letters have to be put in, taken out, replaced, or swapped with their neighbour. Words of up to WORD letters. */
#define WORD 15
static size_t distance(const char *a, const char *b)
{
	size_t v[3][WORD + 1], la = strlen(a), lb = strlen(b);

	if (la > WORD || lb > WORD)
		return SIZE_MAX;
	for (size_t j = 0; j <= lb; j++)
		v[0][j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t *now = v[i % 3], *last = v[(i + 2) % 3], *before = v[(i + 1) % 3];

		now[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			size_t one_off = MIN(now[j - 1], last[j]) + 1;

			now[j] = MIN(one_off, last[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = MIN(now[j], before[j - 2] + 1);
		}
	}
	return v[la % 3][lb];
}

/* The verb that was meant; NULL: hard to say. */
static const char *suggest(const char *word)
{
	const char *best = NULL;
	size_t least = strlen(word) > 3 ? 3 : 2; /* less than that many mistakes */

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		size_t d = distance(word, verbs[i].name);

		if (d < least) {
			least = d;
			best = verbs[i].name;
		}
	}
	return best;
}

static int unknown_verb(struct source *src, const struct word *w)
{
	const char *meant = suggest(w->s);

	if (meant)
		return fault(src, w->column, "unknown verb \"%.40s\"; did you mean \"%s\"?", w->s, meant);
	return fault(src, w->column, "unknown verb \"%.40s\"", w->s);
}

static int line_parse(struct source *src)
{
	_cleanup_(word_done) struct word w = { .s = NULL };
	const char *nul = memchr(src->text, '\0', src->len);
	int r;

	if (nul)
		return fault(src, (uint32_t) (nul - src->text) + 1, "a NUL byte");
	if (!line_more(src))
		return 0;
	r = word_string(src, &w);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (strcmp(w.s, verbs[i].name) == 0)
			return verbs[i].parse(src, verbs[i].verb);
	return unknown_verb(src, &w);
}

int source_parse(struct policy_builder *b, const struct source *from, const char *name, const char *text, size_t len)
{
	struct source src = { .b = b, .from = from, .depth = from ? from->depth + 1 : 0, .text = "" };
	const char *end = text + len;

	src.name = arena_copy(&b->arena, name, strlen(name));
	if (!src.name)
		return -ENOMEM;
	src.line = 1;
	if (len >= strlen(BYTE_ORDER_MARK) && memcmp(text, BYTE_ORDER_MARK, strlen(BYTE_ORDER_MARK)) == 0)
		text += strlen(BYTE_ORDER_MARK);
	if (len > POLICY_MAX_SOURCE)
		(void) fault(&src, 1, "longer than %u bytes", POLICY_MAX_SOURCE);
	for (; text < end && len <= POLICY_MAX_SOURCE; src.line++) {
		const char *stop = memchr(text, '\n', (size_t) (end - text));

		if (!stop)
			stop = end;
		src.text = text;
		src.at = 0;
		src.len = (size_t) (stop - text);
		if (src.len > 0 && src.text[src.len - 1] == '\r')
			src.len--;
		if (line_parse(&src) == -ENOMEM)
			return -ENOMEM;
		text = stop + 1;
	}
	return 0;
}

static bool is_open(const struct source *src, const char *name)
{
	for (; src; src = src->from)
		if (strcmp(src->name, name) == 0)
			return true;
	return false;
}

static int include_text(struct source *src, uint32_t column, const char *name, const char *text, size_t len)
{
	if (is_open(src, name))
		return fault(src, column, "%s includes itself, here or further up", name);
	if (src->depth + 1 >= POLICY_MAX_INCLUDES)
		return fault(src, column, "more than %u sources deep", POLICY_MAX_INCLUDES);
	if (src->b->n_includes++ >= MAX_INCLUDES_ALL)
		return src->b->n_includes > MAX_INCLUDES_ALL + 1 ? -EINVAL : fault(src, column, "more than %d sources", MAX_INCLUDES_ALL);
	return source_parse(src->b, src, name, text, len);
}

/* "<NAME>" */
static int include_shipped(struct source *src, const struct word *w)
{
	_cleanup_free_ char *name = strndup(w->s + 1, w->n - 2);
	const char *text;
	size_t len = 0;

	if (!name)
		return -ENOMEM;
	text = policy_shipped(name, &len);
	if (!text)
		return fault(src, w->column, "no policy called %s comes with osfuse", name);
	return include_text(src, w->column, w->s, text, len);
}

static int include_file(struct source *src, const struct word *w)
{
	const struct policy_world *world = src->b->world;
	_cleanup_free_ char *name = NULL, *text = NULL;
	const char *path;
	size_t len = 0;
	int r = pattern_path(src, w, &path);

	if (r < 0)
		return r;
	r = world->include ? world->include(world->arg, src->name, path, &name, &text, &len) : -ENOTSUP;
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return fault(src, w->column, "%s: %s", name ? name : path, strerror(-r));
	return include_text(src, w->column, name ? name : path, text, len);
}

static int include_parse(struct source *src, int verb)
{
	_cleanup_(word_done) struct word w = { .s = NULL };
	int r;

	if (!line_more(src))
		return fault(src, line_column(src), "expected a path or <NAME>");
	r = word_pattern(src, &w);
	if (r < 0)
		return r;
	if (line_more(src))
		return fault(src, line_column(src), "nothing may follow here");
	if (!w.quoted && w.n > 2 && w.s[0] == '<' && w.s[w.n - 1] == '>')
		return include_shipped(src, &w);
	return include_file(src, &w);
}
