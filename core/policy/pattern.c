/*
 * From a word to a pattern: "~" and "$" replaced, cut into components, each of which is literal, a glob, a star, or two stars.
 *
 *     ~/src/[a-c]*.o      /home/u/src/[a-c]*.o       literal "home", literal "u", literal "src", glob "[a-c]*.o"
 *     .env                                           loop, literal ".env": without '/', it matches at any depth
 *     /etc/ssl/ + two stars                          literal "etc", literal "ssl", star
 *
 * The last: what matches a directory holds for all that is in it, so "everything inside" is "every name directly in it".
 */

#include <string.h>

#include "policy/builder.h"
#include "policy/glob.h"

#define MAX_PARTS 2048 /* more than PATH_MAX has room for */

static bool is_name(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_';
}

/*
 * Replaces a variable or a home. Its value is taken as it is, unless it is a pattern itself. A '/' at its end is left out: what
 * stands behind it begins with one, or nothing does.
 */
static int put_value(struct word *out, const char *value, bool is_pattern, bool last, uint32_t column)
{
	size_t len = strlen(value);
	int r = 0;

	while (len > 0 && value[len - 1] == '/')
		len--;
	if (len == 0 && out->n == 0 && last)
		return word_push(out, '/', column);
	for (size_t i = 0; i < len && r == 0; i++) {
		if (!is_pattern && strchr("*?[]\\-^!", value[i]))
			r = word_push(out, '\\', column);
		if (r == 0)
			r = word_push(out, value[i], column);
	}
	return r;
}

/* At w->s[*at] == '$', which moves behind the name. */
static int put_variable(struct source *src, const struct word *w, size_t *at, struct word *out)
{
	const struct policy_world *world = src->b->world;
	uint32_t column = w->columns[*at];
	bool braces = w->s[*at + 1] == '{'; /* there is a NUL behind the word */
	size_t begin = *at + 1 + braces, end = begin;
	_cleanup_free_ char *name = NULL;
	const char *value;

	while (is_name(w->s[end]))
		end++;
	if (braces && (w->s[end] != '}' || end == begin))
		return fault(src, column, "expected ${NAME}");
	*at = end + braces;
	name = strndup(w->s + begin, end - begin);
	if (!name)
		return -ENOMEM;
	value = world->variable ? world->variable(world->arg, name) : NULL;
	if (!value)
		return fault(src, column, "the variable %s is not set; write \\$ for a name with a dollar sign", name);
	if (out->n == 0 && value[0] != '/')
		return fault(src, column, "the value of %s is not an absolute path", name);
	return put_value(out, value, false, *at == w->n, column);
}

/* The rest of a word, from at. */
static int put_rest(struct source *src, const struct word *w, size_t at, struct word *out)
{
	int r = 0;

	while (at < w->n && r == 0) {
		char next = w->s[at + 1];

		if (w->s[at] == '$' && (next == '{' || (is_name(next) && (next < '0' || next > '9')))) {
			r = put_variable(src, w, &at, out);
			continue;
		}
		if (w->s[at] == '\\' && at + 1 < w->n) {
			r = word_push(out, w->s[at], w->columns[at]);
			at++;
		}
		if (r == 0)
			r = word_push(out, w->s[at], w->columns[at]);
		at++;
	}
	return r;
}

/* The end of the name behind "~". */
static size_t home_end(const struct word *w)
{
	const char *slash = memchr(w->s, '/', w->n);

	return slash ? (size_t) (slash - w->s) : w->n;
}

static int no_home(struct source *src, const struct word *w)
{
	const char *user = src->b->world->user;

	if (!user)
		return fault(src, w->columns[0], "there is no home directory here");
	return fault(src, w->columns[0], "the account %s has no home directory: HOME is not an absolute path, nor is what it has for one", user);
}

/* As it is called, and in *ret_real (to be freed), where that leads; NULL: nowhere else. Both NULL: the word is about no home. */
static int find_home(struct source *src, const struct word *w, const char **ret, char **ret_real)
{
	const struct policy_world *world = src->b->world;
	_cleanup_free_ char *user = NULL;

	*ret = NULL;
	*ret_real = NULL;
	if (w->n == 0 || w->s[0] != '~')
		return 0;
	user = strndup(w->s + 1, home_end(w) - 1);
	if (!user)
		return -ENOMEM;
	if (!user[0])
		*ret = world->home;
	else
		*ret = world->home_of ? world->home_of(world->arg, user) : NULL;
	if (!*ret && !user[0])
		return no_home(src, w);
	if (!*ret)
		return fault(src, w->columns[0], "there is no user %s; write \\~ for a name that begins with a tilde", user);
	if ((*ret)[0] != '/')
		return fault(src, w->columns[0], "the home of %s is not an absolute path: \"%s\"", user, *ret);
	*ret_real = world->real_home ? world->real_home(world->arg, *ret) : NULL;
	return 0;
}

/* A word with everything replaced that can be. home: what to put for "~" and the name behind it; NULL: there is none to replace. */
static int expand(struct source *src, const struct word *w, const char *home, bool is_pattern, struct word *out)
{
	int r;

	out->n = 0;
	out->column = w->column;
	if (!home)
		return put_rest(src, w, 0, out);
	r = put_value(out, home, is_pattern, home_end(w) == w->n, w->columns[0]);
	return r < 0 ? r : put_rest(src, w, home_end(w), out);
}

static int fault_of_glob(struct source *src, uint32_t column, enum glob_fault f)
{
	switch (f) {
	case GLOB_UNCLOSED:
		return fault(src, column, "a ']' is missing; write \\[ for a name with a bracket");
	case GLOB_CLASS_NAME:
		return fault(src, column, "an unknown class of characters");
	case GLOB_BACKSLASH:
		return fault(src, column, "nothing follows the backslash");
	case GLOB_TOO_LONG:
		return fault(src, column, "no name is longer than %d bytes", GLOB_MAX_LEN);
	case GLOB_OK:
		break;
	}
	return 0;
}

/* The end of the component that begins at at: a '/' outside of classes, or end. */
static int component_end(struct source *src, const struct word *w, size_t at, size_t end, size_t *ret)
{
	while (at < end && w->s[at] != '/') {
		uint32_t bitmap[8];
		enum glob_fault f;
		size_t n = 1;

		if (w->s[at] == '\\' && at + 1 < end && w->s[at + 1] == '/')
			return fault(src, w->columns[at], "a '/' cannot be escaped: no name has one");
		if (w->s[at] == '\\' && at + 1 < end)
			n = 2;
		if (w->s[at] == '[') {
			n = glob_class(w->s + at, end - at, bitmap, &f);
			if (n == 0)
				return fault_of_glob(src, w->columns[at], f);
		}
		at += n;
	}
	*ret = at;
	return 0;
}

static bool is_glob(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '*' || s[i] == '?' || s[i] == '[')
			return true;
		i += s[i] == '\\';
	}
	return false;
}

static size_t unescape(char *s, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		i += s[i] == '\\' && i + 1 < len;
		s[n++] = s[i];
	}
	s[n] = '\0';
	return n;
}

static int make_part(struct source *src, const struct word *w, size_t at, size_t end, struct part *ret)
{
	size_t len = end - at, wrong = 0, n_stars = 0;
	enum glob_fault f;
	char *text;

	if (len == 0)
		return fault(src, w->columns[MIN(at, w->n - 1)], "nothing is between two slashes");
	while (n_stars < len && w->s[at + n_stars] == '*')
		n_stars++;
	if (n_stars == len) {
		*ret = (struct part) { .kind = len == 1 ? PART_ANY : PART_LOOP };
		return 0;
	}
	f = glob_check(w->s + at, len, &wrong);
	if (f != GLOB_OK)
		return fault_of_glob(src, w->columns[at + wrong], f);
	text = arena_copy(&src->b->drafts, w->s + at, len);
	if (!text)
		return -ENOMEM;
	*ret = (struct part) { .kind = PART_GLOB, .text = text, .len = (uint32_t) len };
	if (is_glob(text, len))
		return 0;
	ret->kind = PART_LITERAL;
	ret->len = (uint32_t) unescape(text, len);
	if (strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
		return fault(src, w->columns[at], "\"%s\" is no name in a path that a rule is about", text);
	return 0;
}

static int split(struct source *src, const struct word *w, size_t at, size_t end, struct pattern *p)
{
	while (at <= end) {
		size_t stop = end;
		int r = component_end(src, w, at, end, &stop);

		if (r == 0 && p->n_parts == MAX_PARTS)
			r = fault(src, w->columns[at], "no path has that many components");
		if (r == 0)
			r = make_part(src, w, at, stop, &p->parts[p->n_parts]);
		if (r < 0)
			return r;
		p->n_parts += p->n_parts == 0 || p->parts[p->n_parts].kind != PART_LOOP ||
			      p->parts[p->n_parts - 1].kind != PART_LOOP; /* loops in a row are one */
		at = stop + 1;
	}
	return 0;
}

/* At the end, stars after loops: whatever matches them is in a directory that matches the stars alone. */
static void simplify(struct pattern *p)
{
	uint32_t first = p->n_parts, n_stars = 0;

	while (first > 0 && (p->parts[first - 1].kind == PART_ANY || p->parts[first - 1].kind == PART_LOOP)) {
		first--;
		n_stars += p->parts[first].kind == PART_ANY || first == p->n_parts - 1;
	}
	for (uint32_t i = 0; i < n_stars; i++)
		p->parts[first + i] = (struct part) { .kind = PART_ANY };
	p->n_parts = first + n_stars;
}

static int keep_pattern(struct policy_builder *b, const struct pattern *p)
{
	struct pattern *v = array_room(b->patterns, b->n_patterns, &b->patterns_size, sizeof(*v));

	if (!v)
		return -ENOMEM;
	b->patterns = v;
	v[b->n_patterns++] = *p;
	return 0;
}

static size_t count_slashes(const char *s, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += s[i] == '/';
	return n;
}

/* A word in which everything has been replaced. */
static int add_expanded(struct source *src, const struct word *w, int rule, int file)
{
	struct pattern p = { .rule = rule, .file = file };
	size_t begin, end = w->n, n_slashes;
	bool anchored;
	int r;

	if (w->n == 0)
		return fault(src, w->column, "the pattern is empty");
	begin = w->s[0] == '/';
	if (end > begin && w->s[end - 1] == '/') {
		p.dir_only = true;
		end--;
		if (end == begin)
			return fault(src, w->columns[end], "nothing is between two slashes");
	}
	if (end == begin) /* "/" */
		return keep_pattern(src->b, &p);
	n_slashes = count_slashes(w->s + begin, end - begin);
	anchored = begin == 1 || n_slashes > 0;
	p.parts = arena_take(&src->b->drafts, MIN(n_slashes + 2, (size_t) MAX_PARTS + 2) * sizeof(struct part));
	if (!p.parts)
		return -ENOMEM;
	if (!anchored)
		p.parts[p.n_parts++] = (struct part) { .kind = PART_LOOP };
	r = split(src, w, begin, end, &p);
	if (r < 0)
		return r;
	if (file >= 0 && p.dir_only)
		return fault(src, w->columns[w->n - 1], "a made-up file is no directory");
	simplify(&p);
	return keep_pattern(src->b, &p);
}

/* views of other directories */

static int part_matches(struct source *src, const struct part *part, const char *name, size_t len)
{
	const struct glob *g;

	if (part->kind == PART_ANY)
		return 1;
	if (part->kind == PART_LITERAL)
		return part->len == len && memcmp(part->text, name, len) == 0;
	g = glob_new(&src->b->drafts, part->text, part->len, false);
	return g ? glob_match(g, name, len) : -ENOMEM;
}

/*
 * What a pattern is in a view of a directory: without the parts that lead there. 1; 0: it leads elsewhere, or to what the directory is in,
 * which does not show. Two stars are as many parts as there are, and more below.
 */
static int pattern_inside(struct source *src, const struct pattern *p, const char *dir, struct pattern *ret)
{
	uint32_t at = 0;

	for (dir += strspn(dir, "/"); *dir; dir += strspn(dir, "/")) {
		size_t len = strcspn(dir, "/");
		int r;

		if (at == p->n_parts)
			return 0;
		if (p->parts[at].kind == PART_LOOP)
			break;
		r = part_matches(src, &p->parts[at++], dir, len);
		if (r <= 0)
			return r;
		dir += len;
	}
	*ret = *p;
	ret->parts += at;
	ret->n_parts -= at;
	ret->dir_only &= ret->n_parts > 0;
	return at > 0;
}

/*
 * The pattern that was added last is about a home: where a lower of the view shows what it is about, the rule holds there. What is rw is
 * changed in the topmost lower, so that has to be the one.
 */
static int add_inside(struct source *src)
{
	struct policy_builder *b = src->b;
	const struct pattern p = b->patterns[b->n_patterns - 1];
	const char *const *lowers = b->world->lowers;
	bool direct = b->rules[p.rule].verb == POLICY_VERB_RW;
	int r = 0;

	for (size_t i = 0; lowers && lowers[i] && !(direct && i > 0) && r == 0; i++) {
		struct pattern inside;

		r = pattern_inside(src, &p, lowers[i], &inside);
		if (r <= 0 || (p.file >= 0 && inside.n_parts == 0)) {
			r = MIN(r, 0);
			continue;
		}
		if (p.file >= 0)
			inside.file = b->patterns[b->n_patterns - 1].file + 1;
		r = keep_pattern(b, &inside);
	}
	return r;
}

/* A word with the home in it, see expand(). */
static int add_home(struct source *src, const struct word *w, const char *home, bool is_pattern, int rule, int file)
{
	_cleanup_(word_done) struct word out = { .s = NULL };
	int r = expand(src, w, home, is_pattern, &out);

	if (r == 0)
		r = add_expanded(src, &out, rule, file);
	return r < 0 || !home ? r : add_inside(src);
}

/* "~*": the same for every home. */
static int add_homes(struct source *src, const struct word *w, int rule)
{
	const char *const *homes = src->b->world->homes;
	int r = 0;

	if (!homes)
		return fault(src, w->columns[0], "the homes of the users are not known here");
	for (; *homes && r == 0; homes++)
		r = add_home(src, w, *homes, true, rule, POLICY_NO_RULE);
	return r;
}

static bool is_all_homes(const struct word *w)
{
	return w->n > 1 && w->s[0] == '~' && w->s[1] == '*' && home_end(w) == 2;
}

int pattern_add(struct source *src, const struct word *w, int rule, int file)
{
	_cleanup_free_ char *real = NULL;
	const size_t first = src->b->n_patterns;
	const char *home = NULL;
	int r;

	if (w->n > 0 && w->s[0] == '!')
		return fault(src, w->columns[0], "negation is a later rule here; write \\! for a name that begins with !");
	if (is_all_homes(w))
		return add_homes(src, w, rule);
	r = find_home(src, w, &home, &real);
	if (r == 0)
		r = add_home(src, w, home, false, rule, file);
	if (r < 0 || !real)
		return r;
	return add_home(src, w, real, false, rule, file == POLICY_NO_RULE ? file : file + (int) (src->b->n_patterns - first));
}

int pattern_add_root(struct source *src, int rule)
{
	return keep_pattern(src->b, &(struct pattern) { .rule = rule, .file = POLICY_NO_RULE });
}

/* A path without patterns. home: see expand(). */
static int make_path(struct source *src, const struct word *w, const char *home, const char **ret)
{
	_cleanup_(word_done) struct word out = { .s = NULL };
	int r = expand(src, w, home, false, &out);
	char *copy;

	if (r < 0)
		return r;
	if (out.n == 0)
		return fault(src, w->column, "the path is empty");
	copy = arena_copy(&src->b->arena, out.s, out.n);
	if (!copy)
		return -ENOMEM;
	(void) unescape(copy, out.n);
	*ret = copy;
	return 0;
}

int pattern_path(struct source *src, const struct word *w, const char **ret)
{
	_cleanup_free_ char *real = NULL;
	const char *home;
	int r;

	for (size_t i = 0; i < w->n; i++) {
		if (w->s[i] == '*' || w->s[i] == '?' || w->s[i] == '[')
			return fault(src, w->columns[i], "one path is expected here, not a pattern; write \\%c", w->s[i]);
		if (w->s[i] == '\\' && ++i == w->n)
			return fault(src, w->columns[i - 1], "nothing follows the backslash");
	}
	r = find_home(src, w, &home, &real);
	return r == 0 ? make_path(src, w, home, ret) : r;
}

int pattern_as_path(struct policy_builder *b, const struct pattern *p, const char **ret)
{
	size_t len = 0;
	char *path;

	for (uint32_t i = 0; i < p->n_parts; i++)
		len += 1 + p->parts[i].len;
	path = arena_take(&b->arena, len + 1);
	if (!path)
		return -ENOMEM;
	*ret = path;
	for (uint32_t i = 0; i < p->n_parts; i++) {
		*path++ = '/';
		path = mempcpy(path, p->parts[i].text, p->parts[i].len);
	}
	*path = '\0';
	return 0;
}

int pattern_check_name(struct source *src, const struct word *w)
{
	size_t at = 0;
	enum glob_fault f;

	if (w->n == 0)
		return fault(src, w->column, "the name is empty");
	f = glob_check(w->s, w->n, &at);
	if (f != GLOB_OK)
		return fault_of_glob(src, w->columns[0], f);
	for (at = 0; at < w->n;) {
		uint32_t bitmap[8];
		size_t n = w->s[at] == '[' ? glob_class(w->s + at, w->n - at, bitmap, &f) : 1;

		if (w->s[at] == '=')
			return fault(src, w->columns[at], "no variable has a '=' in its name; a value is given with \"env set\"");
		at += MAX(n, (size_t) 1);
	}
	return 0;
}
