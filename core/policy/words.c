/* A line taken apart. Which kind of word comes next is known to the verb, not to the text: a pattern keeps its backslashes. */

#include <string.h>

#include "policy/builder.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

void word_done(struct word *w)
{
	free(w->s);
	free(w->columns);
	*w = (struct word) { .s = NULL };
}

int word_push(struct word *w, char c, uint32_t column)
{
	/* One array tells how much room both have; it grows last. */
	if (w->n + 1 >= w->size) {
		size_t size = MAX(w->size * 2, (size_t) 64);
		uint32_t *columns = reallocarray(w->columns, size, sizeof(*columns));
		char *s;

		if (!columns)
			return -ENOMEM;
		w->columns = columns;
		s = realloc(w->s, size);
		if (!s)
			return -ENOMEM;
		w->s = s;
		w->size = size;
	}
	w->s[w->n] = c;
	w->columns[w->n++] = column;
	w->s[w->n] = '\0';
	return 0;
}

uint32_t line_column(const struct source *src)
{
	return (uint32_t) src->at + 1;
}

bool line_more(struct source *src)
{
	while (src->at < src->len && is_blank(src->text[src->at]))
		src->at++;
	return src->at < src->len && src->text[src->at] != '#';
}

static int take(struct source *src, struct word *w)
{
	int r = word_push(w, src->text[src->at], line_column(src));

	src->at++;
	return r;
}

/* Prepares w for a word that begins here. */
static int begin(struct source *src, struct word *w)
{
	int r;

	w->n = 0;
	w->column = line_column(src);
	w->quoted = src->at < src->len && src->text[src->at] == '"';
	r = word_push(w, '\0', w->column); /* so that the word has a NUL behind it also when nothing is in it */
	w->n = 0;
	return r;
}

/* Behind a closing quote. */
static int expect_blank(struct source *src, struct word *w)
{
	w->end = line_column(src);
	if (src->at == src->len || is_blank(src->text[src->at]))
		return 0;
	(void) fault(src, line_column(src), "a blank is missing behind the closing quote");
	while (src->at < src->len && !is_blank(src->text[src->at]))
		src->at++;
	return -EINVAL;
}

static int quoted_pattern(struct source *src, struct word *w)
{
	int r = 0;

	for (src->at++; src->at < src->len && src->text[src->at] != '"' && r == 0; ) {
		if (src->text[src->at] != '\\' || src->at + 1 == src->len) {
			r = take(src, w);
			continue;
		}
		if (src->text[src->at + 1] == '"')
			src->at++;
		else
			r = take(src, w);
		if (r == 0)
			r = take(src, w);
	}
	if (r < 0)
		return r;
	if (src->at == src->len)
		return fault(src, w->column, "the quote is not closed");
	src->at++;
	return expect_blank(src, w);
}

int word_pattern(struct source *src, struct word *w)
{
	int r = begin(src, w);

	if (r < 0)
		return r;
	if (w->quoted)
		return quoted_pattern(src, w);
	while (src->at < src->len && !is_blank(src->text[src->at]) && r == 0) {
		bool escape = src->text[src->at] == '\\' && src->at + 1 < src->len;

		r = take(src, w);
		if (escape && r == 0)
			r = take(src, w);
	}
	w->end = line_column(src);
	return r;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* At a backslash. */
static int string_escape(struct source *src, struct word *w)
{
	static const char names[] = "ntr\\\"0", values[] = "\n\t\r\\\"\0";
	uint32_t column = line_column(src);
	const char *s = src->text + src->at, *name;
	size_t left = src->len - src->at;

	name = left > 1 ? memchr(names, s[1], sizeof(names) - 1) : NULL;
	if (name) {
		src->at += 2;
		return word_push(w, values[name - names], column);
	}
	if (left > 3 && s[1] == 'x' && hex_digit(s[2]) >= 0 && hex_digit(s[3]) >= 0) {
		src->at += 4;
		return word_push(w, (char) (hex_digit(s[2]) << 4 | hex_digit(s[3])), column);
	}
	src->at += MIN(left, (size_t) 2); /* the rest of the string is looked at all the same */
	if (left > 1 && s[1] == 'x')
		return fault(src, column, "two hexadecimal digits have to follow \\x");
	return fault(src, column, "no such escape; there are \\n \\t \\r \\\\ \\\" \\0 and \\xHH");
}

/* At the opening quote. */
static int quoted_string(struct source *src, struct word *w)
{
	uint32_t column = line_column(src);
	int first = 0;

	for (src->at++; src->at < src->len && src->text[src->at] != '"'; ) {
		int r = src->text[src->at] == '\\' ? string_escape(src, w) : take(src, w);

		if (r == -ENOMEM)
			return r;
		if (first == 0)
			first = r;
	}
	if (src->at == src->len)
		return first < 0 ? first : fault(src, column, "the quote is not closed");
	src->at++;
	return first < 0 ? first : expect_blank(src, w);
}

static int plain_until_blank(struct source *src, struct word *w)
{
	int r = 0;

	while (src->at < src->len && !is_blank(src->text[src->at]) && r == 0)
		r = take(src, w);
	w->end = line_column(src);
	return r;
}

int word_string(struct source *src, struct word *w)
{
	int r = begin(src, w);

	if (r < 0)
		return r;
	return w->quoted ? quoted_string(src, w) : plain_until_blank(src, w);
}

int word_assignment(struct source *src, struct word *w, size_t *ret_value)
{
	int r = begin(src, w);

	while (r == 0 && src->at < src->len && !is_blank(src->text[src->at]) && src->text[src->at] != '=')
		r = take(src, w);
	if (r < 0)
		return r;
	if (src->at == src->len || src->text[src->at] != '=' || w->n == 0) {
		(void) fault(src, w->column, "expected NAME=VALUE");
		return plain_until_blank(src, w) < 0 ? -ENOMEM : -EINVAL;
	}
	r = take(src, w);
	if (r < 0)
		return r;
	*ret_value = w->n;
	return src->at < src->len && src->text[src->at] == '"' ? quoted_string(src, w) : plain_until_blank(src, w);
}
