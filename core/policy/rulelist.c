/* Rules as text: names to patterns that match only them, patterns to lines that are not longer than they need to be. */

#include "policy/rulelist.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "base/utf8.h"
#include "policy/policy.h"

#define LINE_WIDTH 100

void rulelist_put_name(FILE *f, const char *s, size_t len)
{
	uint32_t c;

	for (size_t i = 0, n; i < len; i += n) {
		n = MAX(utf8_decode(s + i, len - i, &c), (size_t) 1);
		if ((n > 1 || (unsigned char) s[i] < 0x80) && utf8_is_trick(c)) {
			(void) fprintf(f, "%.*s", (int) n, "????");
			continue;
		}
		if (strchr("*?[\\ \"$", s[i]))
			(void) fputc('\\', f);
		(void) fwrite(s + i, 1, n, f);
	}
}

char *rulelist_pattern(const struct policy_rule *rule)
{
	bool bare = strcmp(rule->source, POLICY_COMMAND_LINE) == 0;
	const char *s = rule->pattern;
	char *text = NULL;
	size_t len = 0, n;
	uint32_t c = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	if (bare && (*s == '#' || *s == '"' || strncmp(s, "errno=", 6) == 0))
		(void) fputc('\\', f);
	for (bool escaped = false; *s; s += n) {
		n = MAX(utf8_decode(s, strlen(s), &c), (size_t) 1);
		if ((n > 1 || (unsigned char) *s < 0x80) && utf8_is_trick(c)) {
			(void) fprintf(f, "%.*s", (int) n, "????");
			continue;
		}
		if (bare && *s == ' ' && !escaped)
			(void) fputc('\\', f);
		escaped = *s == '\\' && !escaped;
		(void) fwrite(s, 1, n, f);
	}
	if (fclose(f) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

int rulelist_add(struct rulelist *to, enum rule_verb verb, char *pattern)
{
	if (to->n == to->size) {
		size_t size = MAX(to->size * 2, (size_t) 64);
		struct rule *v = reallocarray(to->v, size, sizeof(*v));

		if (!v) {
			free(pattern);
			return -ENOMEM;
		}
		to->v = v;
		to->size = size;
	}
	to->v[to->n++] = (struct rule) { .verb = verb, .pattern = pattern };
	return 0;
}

void rulelist_done(struct rulelist *r)
{
	for (size_t i = 0; i < r->n; i++)
		free(r->v[i].pattern);
	free(r->v);
	*r = (struct rulelist) { 0 };
}

static const char *verb_text(enum rule_verb verb)
{
	static const char *const names[] = { [DENY] = "deny", [RO] = "ro  ", [COW] = "cow ", [HIDE] = "hide", [NOEXEC] = "noexec" };

	return names[verb];
}

/* How much of two patterns is the same directory. */
static bool same_dir(const char *a, const char *b)
{
	const char *end = strrchr(a, '/'), *other = strrchr(b, '/');

	return end && other && end - a == other - b && strncmp(a, b, (size_t) (end - a)) == 0;
}

void rulelist_put(FILE *f, const struct rulelist *rules)
{
	size_t width = 0;

	for (size_t i = 0; i < rules->n; i++) {
		const struct rule *r = &rules->v[i], *before = i > 0 ? r - 1 : NULL;
		size_t len = strlen(r->pattern);

		if (before && before->verb == r->verb && same_dir(before->pattern, r->pattern) && width + 1 + len <= LINE_WIDTH) {
			(void) fprintf(f, " %s", r->pattern);
			width += 1 + len;
			continue;
		}
		(void) fprintf(f, "%s%s %s", before ? "\n" : "", verb_text(r->verb), r->pattern);
		width = 5 + len;
	}
	if (rules->n > 0)
		(void) fputc('\n', f);
}
