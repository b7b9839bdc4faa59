/*
 * See glob.h. A glob is cut at its stars into parts of fixed length:
 *
 *     lib*core*-[0-9]?.so        "lib"          "core"        "-[0-9]?.so"
 *                                at the start   anywhere      at the end
 *
 * The parts between are looked for from left to right. There is nothing to come back to, so the time is at most the product of the
 * lengths, whoever wrote the pattern or the name.
 */

#include "policy/glob.h"

#include <string.h>

#include "base/fold.h"

/* ASCII, whatever the locale; and space is what it is to git, without "\v" and "\f". */
static bool is_alpha(unsigned int c)
{
	return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

static bool is_digit(unsigned int c)
{
	return c >= '0' && c <= '9';
}

static bool is_alnum(unsigned int c)
{
	return is_alpha(c) || is_digit(c);
}

static bool is_blank(unsigned int c)
{
	return c == ' ' || c == '\t';
}

static bool is_cntrl(unsigned int c)
{
	return c < 0x20 || c == 0x7f;
}

static bool is_graph(unsigned int c)
{
	return c > 0x20 && c < 0x7f;
}

static bool is_lower(unsigned int c)
{
	return is_alpha(c) && c >= 'a';
}

static bool is_print(unsigned int c)
{
	return c >= 0x20 && c < 0x7f;
}

static bool is_punct(unsigned int c)
{
	return is_graph(c) && !is_alnum(c);
}

static bool is_space(unsigned int c)
{
	return is_blank(c) || c == '\n' || c == '\r';
}

static bool is_upper(unsigned int c)
{
	return is_alpha(c) && c <= 'Z';
}

static bool is_xdigit(unsigned int c)
{
	return is_digit(c) || (is_alpha(c) && (c | 0x20) <= 'f');
}

static const struct {
	const char *name;
	bool (*has)(unsigned int c);
} named_classes[] = {
	{ "alnum", is_alnum }, { "alpha", is_alpha }, { "blank", is_blank }, { "cntrl", is_cntrl },
	{ "digit", is_digit }, { "graph", is_graph }, { "lower", is_lower }, { "print", is_print },
	{ "punct", is_punct }, { "space", is_space }, { "upper", is_upper }, { "xdigit", is_xdigit },
};

static void bit_set(uint32_t bitmap[static 8], unsigned int c)
{
	bitmap[c / 32] |= UINT32_C(1) << c % 32;
}

static bool bit_get(const uint32_t bitmap[static 8], unsigned int c)
{
	return bitmap[c / 32] >> c % 32 & 1;
}

/* False: there is no class of that name. */
static bool add_class(const char *name, size_t len, uint32_t bitmap[static 8])
{
	size_t i = 0;

	while (i < ARRAY_SIZE(named_classes) &&
	       (strlen(named_classes[i].name) != len || memcmp(named_classes[i].name, name, len) != 0))
		i++;
	if (i == ARRAY_SIZE(named_classes))
		return false;
	for (unsigned int c = 0; c < 256; c++)
		if (named_classes[i].has(c))
			bit_set(bitmap, c);
	return true;
}

/* "[:name:]" with s[0] == '['. Returns the offset of the last ']'; 0 when it does not end in ":]", and is a common '[' then. */
static size_t add_named(const char *s, size_t len, uint32_t bitmap[static 8], bool *ret_known)
{
	const char *end = memchr(s + 2, ']', len - 2);

	*ret_known = true;
	if (!end || end[-1] != ':' || end - s < 3)
		return 0;
	*ret_known = add_class(s + 2, (size_t) (end - s) - 3, bitmap);
	return (size_t) (end - s);
}

/*
 * The order of the cases is that of git's wildmatch.c, oddities included: "]" in the first place is itself; "-" is a range only
 * behind something that is neither a range nor a named class; "[:" without ":]" is itself.
 */
size_t glob_class(const char *s, size_t len, uint32_t bitmap[static 8], enum glob_fault *ret)
{
	const unsigned char *u = (const unsigned char *) s;
	bool negated, first = true, known;
	unsigned int before = 0;
	size_t i = 1;

	*ret = GLOB_UNCLOSED;
	memset(bitmap, 0, 8 * sizeof(*bitmap));
	negated = i < len && (s[i] == '!' || s[i] == '^');
	i += negated;
	for (; i < len && (first || s[i] != ']'); i++, first = false) {
		unsigned int c = u[i];

		if (c == '\\') {
			if (++i == len)
				return 0;
			before = u[i];
			bit_set(bitmap, before);
		} else if (c == '-' && before && i + 1 < len && s[i + 1] != ']') {
			i++;
			if (s[i] == '\\' && ++i == len)
				return 0;
			for (c = before; c <= u[i]; c++)
				bit_set(bitmap, c);
			before = 0;
		} else if (c == '[' && i + 2 < len && s[i + 1] == ':') {
			size_t n = add_named(s + i, len - i, bitmap, &known);

			if (!known)
				*ret = GLOB_CLASS_NAME;
			if (n == 0)
				bit_set(bitmap, c);
			i += n;
			before = n > 0 ? 0 : c;
		} else {
			before = c;
			bit_set(bitmap, c);
		}
	}
	if (i >= len || *ret == GLOB_CLASS_NAME)
		return 0;
	for (size_t w = 0; negated && w < 8; w++)
		bitmap[w] = ~bitmap[w];
	*ret = GLOB_OK;
	return i + 1;
}

/* The next piece of a component at s[*i], which moves behind it: a byte, ONE_ANY, ONE_CLASS, or ONE_STAR. */
#define ONE_STAR UINT16_MAX
static enum glob_fault next_one(const char *s, size_t len, size_t *i, uint32_t bitmap[static 8], uint16_t *ret)
{
	enum glob_fault fault = GLOB_OK;
	size_t n = 1;

	*ret = (unsigned char) s[*i];
	if (s[*i] == '*') {
		*ret = ONE_STAR;
	} else if (s[*i] == '?') {
		*ret = ONE_ANY;
	} else if (s[*i] == '[') {
		*ret = ONE_CLASS;
		n = glob_class(s + *i, len - *i, bitmap, &fault);
	} else if (s[*i] == '\\') {
		if (*i + 1 == len)
			return GLOB_BACKSLASH;
		*ret = (unsigned char) s[*i + 1];
		n = 2;
	}
	*i += n;
	return fault;
}

enum glob_fault glob_check(const char *s, size_t len, size_t *ret_at)
{
	size_t n = 0;

	for (size_t i = 0, at; i < len; ) {
		uint32_t bitmap[8];
		enum glob_fault f;
		uint16_t one;

		at = i;
		f = next_one(s, len, &i, bitmap, &one);
		n += one != ONE_STAR;
		if (f == GLOB_OK && n > GLOB_MAX_LEN)
			f = GLOB_TOO_LONG;
		if (f != GLOB_OK) {
			*ret_at = f == GLOB_TOO_LONG ? 0 : at;
			return f;
		}
	}
	return GLOB_OK;
}

/* A component taken apart, on the way to a struct glob. */
struct draft {
	uint16_t ones[FOLD_SIZE(GLOB_MAX_LEN)];
	uint16_t ends[GLOB_MAX_LEN + 1]; /* of the parts, in ones */
	uint32_t classes[GLOB_MAX_LEN + 1][8]; /* one more than there can be: the place for the next */
	size_t n_ones, n_parts, n_classes;
	bool open_start, open_end;
};

/* Both cases of a letter, as names arrive folded. A negated class has to lose both, so this is done on what it leaves out. */
static void fold_class(uint32_t bitmap[static 8], bool negated)
{
	for (unsigned int c = 'A'; c <= 'Z'; c++)
		if (bit_get(bitmap, c) != negated) {
			if (negated)
				bitmap[(c | 0x20) / 32] &= ~(UINT32_C(1) << (c | 0x20) % 32);
			else
				bit_set(bitmap, c | 0x20);
		}
}

/* Literal bytes that stand together are folded together: a character may be several of them. */
static void add_literals(struct draft *d, const char *s, size_t n, bool fold)
{
	char folded[FOLD_SIZE(GLOB_MAX_LEN)];

	if (fold) {
		n = fold_name(s, n, folded, sizeof(folded));
		s = folded;
	}
	for (size_t i = 0; i < n; i++)
		d->ones[d->n_ones++] = (unsigned char) s[i];
}

static void end_part(struct draft *d)
{
	size_t begin = d->n_parts > 0 ? d->ends[d->n_parts - 1] : 0;

	if (d->n_ones > begin)
		d->ends[d->n_parts++] = (uint16_t) d->n_ones;
}

static void take_apart(struct draft *d, const char *s, size_t len, bool fold)
{
	char run[GLOB_MAX_LEN];
	size_t n_run = 0;

	for (size_t i = 0, at; i < len; ) {
		enum glob_fault fault;
		uint16_t one;

		at = i;
		fault = next_one(s, len, &i, d->classes[d->n_classes], &one);
		(void) fault; /* it was checked */
		d->open_end = one == ONE_STAR;
		if (at == 0)
			d->open_start = d->open_end;
		if (one < ONE_ANY) {
			run[n_run++] = (char) one;
			continue;
		}
		add_literals(d, run, n_run, fold);
		n_run = 0;
		if (one == ONE_STAR) {
			end_part(d);
			continue;
		}
		if (one == ONE_CLASS) {
			if (fold)
				fold_class(d->classes[d->n_classes], s[at + 1] == '!' || s[at + 1] == '^');
			one = (uint16_t) (ONE_CLASS + d->n_classes++);
		}
		d->ones[d->n_ones++] = one;
	}
	add_literals(d, run, n_run, fold);
	end_part(d);
}

static int put_part(struct arena *a, const uint16_t *ones, size_t n, struct glob_part *ret)
{
	size_t n_plain = 0;
	uint16_t *copy;
	char *bytes;

	while (n_plain < n && ones[n_plain] < ONE_ANY)
		n_plain++;
	*ret = (struct glob_part) { .len = (uint16_t) n };
	if (n_plain == n) {
		bytes = arena_take(a, n);
		for (size_t i = 0; bytes && i < n; i++)
			bytes[i] = (char) ones[i];
		ret->bytes = bytes;
		return bytes ? 0 : -ENOMEM;
	}
	copy = arena_take(a, n * sizeof(*copy));
	if (!copy)
		return -ENOMEM;
	memcpy(copy, ones, n * sizeof(*copy));
	ret->ones = copy;
	return 0;
}

struct glob *glob_new(struct arena *a, const char *s, size_t len, bool fold)
{
	struct draft d; /* large, and only the beginning of each array is used */
	uint32_t (*classes)[8] = NULL;
	struct glob *g;
	size_t begin = 0;

	d.n_ones = d.n_parts = d.n_classes = 0;
	d.open_start = d.open_end = false;
	take_apart(&d, s, len, fold);
	g = arena_take(a, sizeof(*g) + d.n_parts * sizeof(g->parts[0]));
	if (d.n_classes > 0)
		classes = arena_take(a, d.n_classes * sizeof(*classes));
	if (!g || (d.n_classes > 0 && !classes))
		return NULL;
	if (classes)
		memcpy(classes, d.classes, d.n_classes * sizeof(*classes));
	*g = (struct glob) { .min_len = (uint16_t) d.n_ones, .n_parts = (uint16_t) d.n_parts, .classes = (const uint32_t (*)[8]) classes,
			     .open_start = d.open_start, .open_end = d.open_end };
	for (size_t i = 0; i < d.n_parts; i++) {
		if (put_part(a, d.ones + begin, d.ends[i] - begin, &g->parts[i]) < 0)
			return NULL;
		begin = d.ends[i];
	}
	return g;
}

static bool part_at(const struct glob *g, const struct glob_part *p, const char *s)
{
	if (p->bytes)
		return memcmp(p->bytes, s, p->len) == 0;
	for (size_t i = 0; i < p->len; i++) {
		unsigned int c = (unsigned char) s[i], one = p->ones[i];

		if (one != c && one != ONE_ANY && (one < ONE_CLASS || !bit_get(g->classes[one - ONE_CLASS], c)))
			return false;
	}
	return true;
}

/* Behind the leftmost place; NULL: there is none. */
static const char *part_find(const struct glob *g, const struct glob_part *p, const char *s, const char *end)
{
	if (p->bytes) {
		s = memmem(s, (size_t) (end - s), p->bytes, p->len);
		return s ? s + p->len : NULL;
	}
	for (; end - s >= p->len; s++)
		if (part_at(g, p, s))
			return s + p->len;
	return NULL;
}

bool glob_match(const struct glob *g, const char *name, size_t len)
{
	const char *end = name + len;
	size_t low = 0, high = g->n_parts;

	if (len < g->min_len)
		return false;
	if (high == 0)
		return g->open_start || len == 0;
	if (!g->open_start) {
		if (!part_at(g, &g->parts[low], name))
			return false;
		name += g->parts[low++].len;
		if (low == high)
			return g->open_end || name == end;
	}
	if (!g->open_end) {
		end -= g->parts[--high].len;
		if (!part_at(g, &g->parts[high], end))
			return false;
	}
	while (low < high && name)
		name = part_find(g, &g->parts[low++], name, end);
	return name;
}
