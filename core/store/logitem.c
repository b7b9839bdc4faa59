/* Events as bytes and as lines. */

#include "store/logitem.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define CUT_MARK "\xe2\x80\xa6" /* … */
#define CUT_MARK_LEN (sizeof(CUT_MARK) - 1)

void log_span_add(struct log_span *to, const struct log_span *s)
{
	if (s->n == 0)
		return;
	if (to->n == 0)
		to->from = s->from;
	to->n += s->n;
	to->to = s->to;
}

static const size_t text_max[LOG_N_TEXTS] = {
	[LOG_TEXT_EXE] = LOG_TEXT_MAX,     [LOG_TEXT_COMM] = LOG_TEXT_MAX,    [LOG_TEXT_OP] = LOG_TEXT_MAX,	     [LOG_TEXT_PATH] = LOG_PATH_MAX,
	[LOG_TEXT_PATH2] = LOG_PATH_MAX, [LOG_TEXT_VERDICT] = LOG_TEXT_MAX, [LOG_TEXT_RULE_SOURCE] = LOG_TEXT_MAX,
	[LOG_TEXT_RULE] = LOG_TEXT_MAX,
};

/* How much of a text is copied: all, or so much that the mark fits, and no character is cut in two. */
static size_t length(const char *s, size_t max, bool *ret_cut)
{
	size_t n = strnlen(s, max + 1);

	*ret_cut = n > max;
	if (n <= max)
		return n;
	n = max - CUT_MARK_LEN;
	for (unsigned int i = 0; i < 3 && ((unsigned char) s[n] & 0xc0) == 0x80; i++)
		n--;
	return n;
}

void log_item_init(struct log_item *item, struct log_texts *texts, const struct log_event *e)
{
	size_t size = sizeof(*item);

	*texts = (struct log_texts) { .v = {
		[LOG_TEXT_EXE] = e->exe,	     [LOG_TEXT_COMM] = e->comm,		      [LOG_TEXT_OP] = e->op,
		[LOG_TEXT_PATH] = e->path,	     [LOG_TEXT_PATH2] = e->path2,	      [LOG_TEXT_VERDICT] = e->verdict,
		[LOG_TEXT_RULE_SOURCE] = e->rule_source, [LOG_TEXT_RULE] = e->rule_text,
	} };
	*item = (struct log_item) {
		.when = e->when, .pid = e->pid, .uid = e->uid, .error = e->error, .rule_line = e->rule_line,
		.is_dir = e->is_dir, .cut = (uint32_t) e->cut << LOG_TEXT_PATH,
	};
	if (e->when.tv_sec == 0 && e->when.tv_nsec == 0)
		(void) clock_gettime(CLOCK_REALTIME, &item->when); /* it exists */
	for (unsigned int i = 0; i < LOG_N_TEXTS; i++) {
		bool cut = false;

		item->len[i] = LOG_NO_TEXT;
		if (!texts->v[i])
			continue;
		texts->n[i] = length(texts->v[i], text_max[i], &cut);
		item->len[i] = (uint16_t) (texts->n[i] + (cut ? CUT_MARK_LEN : 0));
		item->cut |= (uint32_t) cut << i;
		size += item->len[i] + 1u;
	}
	item->size = (size + 7) / 8 * 8;
}

void log_item_copy(char *to, const struct log_item *item, const struct log_texts *texts)
{
	memset(to + item->size - 8, 0, 8); /* what rounding adds is compared, too */
	memcpy(to, item, sizeof(*item));
	to += sizeof(*item);
	for (unsigned int i = 0; i < LOG_N_TEXTS; i++) {
		if (item->len[i] == LOG_NO_TEXT)
			continue;
		memcpy(to, texts->v[i], texts->n[i]);
		memcpy(to + texts->n[i], CUT_MARK, item->len[i] - texts->n[i]);
		to += item->len[i];
		*to++ = '\0';
	}
}

static const void *same_part(const struct log_item *item, size_t *ret_len)
{
	*ret_len = item->size - offsetof(struct log_item, pid);
	return &item->pid;
}

/* FNV-1a, eight bytes at a time. */
uint32_t log_item_hash(const struct log_item *item)
{
	uint64_t h = 0xcbf29ce484222325u, v;
	size_t len;
	const char *data = same_part(item, &len);

	for (size_t i = 0; i + 8 <= len; i += 8) {
		memcpy(&v, data + i, 8);
		h = (h ^ v) * 0x100000001b3u;
		h ^= h >> 32;
	}
	return (uint32_t) h;
}

bool log_item_same(const struct log_item *a, const struct log_item *b)
{
	size_t len;
	const void *part = same_part(a, &len), *other = same_part(b, &len);

	return a->size == b->size && memcmp(part, other, len) == 0;
}

/* Breaking down the seconds takes longer than all the rest of a line, and they seldom change. */
static char *put_time(char *to, const char *key, const struct timespec *ts, struct log_clock *c)
{
	struct tm tm;

	if (ts->tv_sec != c->second || !c->text[0]) {
		if (!gmtime_r(&ts->tv_sec, &tm))
			memset(&tm, 0, sizeof(tm)); /* the year is beyond what a number holds */
		(void) snprintf(c->text, sizeof(c->text), "%04d-%02d-%02dT%02d:%02d:%02d", tm.tm_year + 1900,
				tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
		c->second = ts->tv_sec;
	}
	return to + sprintf(to, "\"%s\":\"%s.%06ldZ\"", key, c->text, ts->tv_nsec / 1000);
}

bool log_time_parse(const char *text, struct timespec *ret)
{
	struct tm tm = { 0 };
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	unsigned int us;
	int n = 0;

	if (!end || sscanf(end, ".%6uZ%n", &us, &n) != 1 || n != 8 || end[n])
		return false;
	ret->tv_sec = timegm(&tm);
	ret->tv_nsec = (long) us * 1000;
	return true;
}

static char *put_error(char *to, int error)
{
	const char *name = strerrorname_np(error);

	to = stpcpy(to, ",\"error\":");
	return name ? to + sprintf(to, "\"%s\"", name) : to + sprintf(to, "%d", error);
}

/* The texts from first to last that are there, each after a comma. */
static char *put_texts(char *to, const struct log_item *item, enum log_text first, enum log_text last)
{
	static const char *const keys[LOG_N_TEXTS] = {
		[LOG_TEXT_EXE] = "exe",	    [LOG_TEXT_COMM] = "comm",		   [LOG_TEXT_OP] = "op",     [LOG_TEXT_PATH] = "path",
		[LOG_TEXT_PATH2] = "path2", [LOG_TEXT_VERDICT] = "verdict", [LOG_TEXT_RULE_SOURCE] = "source", [LOG_TEXT_RULE] = "text",
	};
	const char *text = (const char *) (item + 1);

	for (unsigned int i = 0; i <= last; i++) {
		if (item->len[i] == LOG_NO_TEXT)
			continue;
		if (i >= first)
			to = json_put_bytes(to + sprintf(to, ",\"%s\":", keys[i]), text, item->len[i]);
		text += item->len[i] + 1;
	}
	return to;
}

char *log_item_put(char *to, const struct log_item *item, const struct log_span *events, struct log_clock *c)
{
	*to++ = '{';
	to = put_time(to, "time", &events->from, c);
	to += sprintf(to, ",\"pid\":%d,\"uid\":%u", item->pid, item->uid);
	to = put_texts(to, item, LOG_TEXT_EXE, LOG_TEXT_VERDICT);
	if (item->is_dir)
		to = stpcpy(to, ",\"dir\":true");
	if (item->error)
		to = put_error(to, item->error);
	if (item->len[LOG_TEXT_RULE_SOURCE] != LOG_NO_TEXT) {
		to += sprintf(to, ",\"rule\":{\"line\":%u", item->rule_line);
		to = stpcpy(put_texts(to, item, LOG_TEXT_RULE_SOURCE, LOG_TEXT_RULE), "}");
	}
	if (events->n > 1) {
		to += sprintf(to, ",\"count\":%" PRIu64 ",", events->n);
		to = put_time(to, "until", &events->to, c);
	}
	return stpcpy(to, item->cut ? ",\"cut\":true}\n" : "}\n");
}

char *log_span_put(char *to, const char *key, const struct log_span *s, int error, struct log_clock *c)
{
	struct timespec ts;

	(void) clock_gettime(CLOCK_REALTIME, &ts);
	*to++ = '{';
	to = put_time(to, "time", &ts, c);
	to += sprintf(to, ",\"%s\":%" PRIu64, key, s->n);
	if (error)
		to = put_error(to, error);
	if (s->n > 0) {
		*to++ = ',';
		to = put_time(to, "from", &s->from, c);
		*to++ = ',';
		to = put_time(to, "to", &s->to, c);
	}
	return stpcpy(to, "}\n");
}
