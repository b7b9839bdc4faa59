#pragma once

/*
 * An event on its way to the writer of a log, and the line that becomes of it. Events are laid one behind the other in a buffer, so that
 * adding one is a copy; equal ones are told by comparing bytes.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "store/json.h"
#include "store/log.h"

#define LOG_NO_TEXT UINT16_MAX

enum log_text {
	LOG_TEXT_EXE,
	LOG_TEXT_COMM,
	LOG_TEXT_OP,
	LOG_TEXT_PATH,
	LOG_TEXT_PATH2,
	LOG_TEXT_VERDICT,
	LOG_TEXT_RULE_SOURCE,
	LOG_TEXT_RULE,
	LOG_N_TEXTS
};

/* An event on its way to the writer; the texts follow, each with a NUL. From pid on, equal events are equal byte for byte. */
struct log_item {
	struct timespec when;
	uint64_t size; /* of this and the texts; a multiple of eight */
	pid_t pid;
	uid_t uid;
	int32_t error;
	uint32_t rule_line;
	uint32_t is_dir;
	uint32_t cut; /* bit (1 << enum log_text) */
	uint16_t len[LOG_N_TEXTS]; /* without the NUL; or LOG_NO_TEXT. That many leave no gap at the end */
};

#define LOG_TEXTS_MAX (2 * LOG_PATH_MAX + (LOG_N_TEXTS - 2) * LOG_TEXT_MAX)
#define LOG_ITEM_MAX ((sizeof(struct log_item) + LOG_TEXTS_MAX + LOG_N_TEXTS + 7) / 8 * 8)
#define LOG_SPAN_MAX 256u /* a line of log_span_put() */
#define LOG_LINE_MAX (JSON_TEXT_MAX(LOG_TEXTS_MAX) + 1024) /* what is not text is short */

/* What an item is made from: borrowed from the event. */
struct log_texts {
	const char *v[LOG_N_TEXTS];
	size_t n[LOG_N_TEXTS]; /* how much of each is copied */
};

/* A number of events. */
struct log_span {
	uint64_t n;
	struct timespec from, to;
};

#define LOG_TIME_BYTES sizeof("2024-05-01T12:03:41.250000Z")

/* Remembers how the second is written that it was last asked for. Zeroed at first. */
struct log_clock {
	time_t second;
	char text[64];
};

/* All but the texts; item->size is what log_item_copy() will need. */
void log_item_init(struct log_item *item, struct log_texts *texts, const struct log_event *e);
/* to: aligned as malloc() does. */
void log_item_copy(char *to, const struct log_item *item, const struct log_texts *texts);
uint32_t log_item_hash(const struct log_item *item);
bool log_item_same(const struct log_item *a, const struct log_item *b);

/* Of a time as it stands in a line. */
bool log_time_parse(const char *text, struct timespec *ret);

void log_span_add(struct log_span *to, const struct log_span *s);

/* Write a line where there is room for LOG_LINE_MAX; return its end. The item has its texts behind it. */
char *log_item_put(char *to, const struct log_item *item, const struct log_span *events, struct log_clock *c);
/* {"time": now, key: how many, "error": …}; error: positive errno, or 0. */
char *log_span_put(char *to, const char *key, const struct log_span *s, int error, struct log_clock *c);
