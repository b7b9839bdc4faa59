/*
 * osfuse log
 *
 * What is printed was chosen by programs that need not be trusted: names of files, and of programs. None of it may move the cursor, change
 * what was printed before, or look like another column.
 */

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/utf8.h"
#include "fuse/cli/cmd.h"
#include "fuse/escape.h"
#include "fuse/logbook.h"
#include "fuse/problem.h"
#include "store/log.h"
#include "store/logread.h"

#define LOOK_MS 1000 /* how often to look whether somebody still reads what is printed */

static const struct option options[] = {
	{ "follow", no_argument, NULL, 'f' },
	{ "json", no_argument, NULL, 'j' },
	{ "refused", no_argument, NULL, 'r' },
	{ "since", required_argument, NULL, 's' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 }
};

/* The columns that are padded: each as wide as what it has held, up to a limit. */
enum column {
	COLUMN_WHO,
	COLUMN_OP,
	COLUMN_PATH,
	COLUMN_ERROR,
	COLUMN_VERDICT,
	N_COLUMNS
};

static const struct {
	unsigned int least, most;
} widths[N_COLUMNS] = {
	[COLUMN_WHO] = { 14, 28 }, [COLUMN_OP] = { 5, 8 },	[COLUMN_PATH] = { 32, 64 },
	[COLUMN_ERROR] = { 6, 10 }, [COLUMN_VERDICT] = { 4, 8 },
};

struct view {
	bool follow, json, refused, color, terminal;
	struct timespec since;
	unsigned int width[N_COLUMNS];
	uint64_t n_printed;
};

/* Text */

static unsigned int put_escaped(const char *s)
{
	return escape_put(stdout, s, "\\\"");
}

static unsigned int put_quoted(const char *s)
{
	unsigned int width;

	(void) putchar('"');
	width = put_escaped(s);
	(void) putchar('"');
	return width + 2;
}

/* As one word: in quotes where it would look like several, or none. */
static unsigned int put_word(const char *s)
{
	return *s && !s[strcspn(s, " \"")] ? put_escaped(s) : put_quoted(s);
}

/* An attribute of the terminal; "0": none any more. NULL: leave it as it is. */
static void color(const struct view *v, const char *code)
{
	if (v->color && code)
		(void) printf("\033[%sm", code);
}

/* After what was printed into a column, width characters of it. */
static void pad(struct view *v, enum column col, unsigned int width)
{
	if (width > v->width[col])
		v->width[col] = MIN(width, widths[col].most);
	(void) printf("%*s", (int) (width < v->width[col] ? v->width[col] - width : 0) + 2, "");
}

static void put_column(struct view *v, enum column col, const char *code, const char *text)
{
	unsigned int width;

	color(v, code);
	width = put_word(text);
	color(v, code ? "0" : NULL);
	pad(v, col, width);
}

/* The day only if it is not today: in a log of last week it matters, in what happens now it is in the way. */
static void put_time(struct view *v, const struct timespec *when)
{
	time_t now = time(NULL);
	struct tm tm, today;
	char text[64] = "?";

	if (localtime_r(&when->tv_sec, &tm) && localtime_r(&now, &today)) {
		bool same = tm.tm_year == today.tm_year && tm.tm_yday == today.tm_yday;

		(void) strftime(text, sizeof(text), same ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S", &tm);
	}
	color(v, "2");
	(void) fputs(text, stdout);
	color(v, "0");
	(void) fputs("  ", stdout);
}

/* Records */

static void put_who(struct view *v, const struct log_record *rec)
{
	const char *slash = rec->exe ? strrchr(rec->exe, '/') : NULL;
	const char *name = slash ? slash + 1 : rec->exe;
	unsigned int width = 0;

	/* A program's word for itself is in parentheses, and so the name of a file that begins with one is in quotes. */
	if (name) {
		width = *name == '(' ? put_quoted(name) : put_word(name);
	} else if (rec->comm) {
		(void) putchar('(');
		width = put_word(rec->comm) + 2;
		(void) putchar(')');
	}
	pad(v, COLUMN_WHO, width + (unsigned int) printf("[%d]", (int) rec->pid));
}

static void put_path(struct view *v, const struct log_record *rec)
{
	unsigned int width = put_word(rec->path);

	if (rec->path2) {
		width += (unsigned int) printf(" -> ");
		width += put_word(rec->path2);
	}
	pad(v, COLUMN_PATH, width);
}

static void put_access(struct view *v, const struct log_record *rec)
{
	put_time(v, &rec->when);
	put_who(v, rec);
	put_column(v, COLUMN_OP, NULL, rec->op);
	put_path(v, rec);
	put_column(v, COLUMN_ERROR, rec->error_name ? "31" : "32", rec->error_name ? rec->error_name : "ok");
	put_column(v, COLUMN_VERDICT, rec->error_name ? "1" : NULL, rec->verdict);
	if (rec->rule_source) {
		(void) put_escaped(rec->rule_source);
		(void) printf(":%u", rec->rule_line);
	} else {
		(void) putchar('-');
	}
	if (rec->count > 1) {
		color(v, "33");
		(void) printf("  ×%" PRIu64, rec->count);
		color(v, "0");
	}
	(void) putchar('\n');
}

static void put_gap(struct view *v, const struct log_record *rec)
{
	put_time(v, &rec->when);
	color(v, "33");
	(void) printf("%" PRIu64 " event%s not here: ", rec->count, rec->count == 1 ? " is" : "s are");
	if (rec->kind == LOG_LOST)
		(void) printf("came faster than the log could be written");
	else if (rec->kind == LOG_ROTATED)
		(void) printf("%s older, and made way when the log was full", rec->count == 1 ? "is" : "are");
	else
		(void) printf("the log could not be written, %s", rec->error ? strerror(rec->error) : "for a reason unknown");
	color(v, "0");
	(void) putchar('\n');
}

/* As it stands in the file; on a terminal in pure ASCII, which says the same to a program. */
static void put_json(const struct view *v, const struct log_record *rec)
{
	uint32_t c;

	if (!v->terminal) {
		(void) fwrite(rec->line, 1, rec->len, stdout);
		(void) putchar('\n');
		return;
	}
	for (size_t i = 0, n; i < rec->len; i += n) {
		n = utf8_decode(rec->line + i, rec->len - i, &c);
		if (n == 0 || c < 0x20) { /* between strings: none has them unescaped */
			n = 1;
			(void) putchar(' ');
		} else if (c < 0x7f) {
			(void) putchar((int) c);
		} else if (c < 0x10000) {
			(void) printf("\\u%04" PRIx32, c);
		} else {
			(void) printf("\\u%04" PRIx32 "\\u%04" PRIx32, 0xd7c0 + (c >> 10), 0xdc00 + (c & 0x3ff));
		}
	}
	(void) putchar('\n');
}

static bool is_before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

static void put_record(struct view *v, const struct log_record *rec)
{
	/* Among those that are not there may have been refusals. */
	if ((v->refused && rec->kind == LOG_ACCESS && !rec->error_name) || is_before(&rec->until, &v->since))
		return;
	v->n_printed++;
	if (v->json)
		put_json(v, rec);
	else if (rec->kind == LOG_ACCESS)
		put_access(v, rec);
	else
		put_gap(v, rec);
}

/* Who reads our output may be gone: then there is nothing to say, and nobody to say it to. */
static int flush(struct problem *p)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	return errno == EPIPE ? -EPIPE : problem_errno(p, -errno, "standard output");
}

static bool is_heard(void)
{
	struct pollfd fd = { .fd = STDOUT_FILENO };

	return poll(&fd, 1, 0) <= 0 || !(fd.revents & (POLLERR | POLLNVAL));
}

static int print(struct view *v, struct logbook *b, struct problem *p)
{
	const struct log_record *rec;
	int r;

	for (;;) {
		while ((r = logbook_next(b, &rec, p)) == 1 && !ferror(stdout))
			put_record(v, rec);
		if (r >= 0)
			r = flush(p);
		if (r < 0 || !v->follow || !is_heard())
			return r;
		r = log_reader_wait(b->reader, LOOK_MS);
		if (r == -ESTALE)
			return 0; /* the sandbox was removed */
		if (r < 0)
			return problem_errno(p, r, b->name);
	}
}

/* The command line */

/* "90s", "10m", "2h", "3d": so long ago. */
static bool parse_ago(const char *text, struct timespec *ret)
{
	static const struct {
		char unit;
		time_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	unsigned int n;
	char unit;
	int end = 0;

	if (text[0] < '0' || text[0] > '9' || sscanf(text, "%7u%c%n", &n, &unit, &end) != 2 || text[end])
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (units[i].unit == unit) {
			ret->tv_sec = time(NULL) - (time_t) n * units[i].seconds;
			return true;
		}
	return false;
}

/* strptime() knows that no day is the 32nd, but not how long a month is. */
static bool has_such_day(const struct tm *tm)
{
	struct tm day = *tm;

	(void) timegm(&day);
	return day.tm_mday == tm->tm_mday;
}

static int parse_since(const char *text, struct timespec *ret, struct problem *p)
{
	static const char *const formats[] = {
		"%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d", "%H:%M:%S", "%H:%M",
	};
	time_t now = time(NULL);

	if (parse_ago(text, ret))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		struct tm tm;
		const char *end;

		if (!localtime_r(&now, &tm))
			break;
		tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
		tm.tm_isdst = -1;
		end = strptime(text, formats[i], &tm);
		if (!end || *end)
			continue;
		if (!has_such_day(&tm))
			return problem_usage(p, text, "that month has no such day");
		ret->tv_sec = mktime(&tm);
		return 0;
	}
	(void) problem_usage(p, text, "not a time");
	return problem_hint(p, -EINVAL, "--since 10m, --since 14:30, --since '2024-05-01 14:30'");
}

static bool wants_color(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no && *no) && !(term && strcmp(term, "dumb") == 0);
}

static int show(struct view *v, const char *name, struct problem *p)
{
	struct logbook b = { 0 };
	int r;

	v->terminal = isatty(STDOUT_FILENO);
	v->color = wants_color();
	for (unsigned int i = 0; i < N_COLUMNS; i++)
		v->width[i] = widths[i].least;
	r = logbook_open(&b, name, p);
	if (r == 0)
		r = print(v, &b, p);
	if (r == 0) {
		logbook_tell_damage(&b);
		if (v->n_printed == 0 && !v->json && isatty(STDERR_FILENO))
			(void) fprintf(stderr, "Nothing recorded. Refusals are, always; 'log all' in a policy records what is allowed, too.\n");
	}
	logbook_done(&b);
	return r;
}

static int run(int argc, char **argv, struct problem *p)
{
	struct view v = { 0 };
	int opt, r;

	optind = 0;
	opterr = 0;
	for (;;) {
		int was = optind > 0 ? optind : 1;

		opt = getopt_long(argc, argv, ":fh", options, NULL);
		if (opt < 0)
			break;
		switch (opt) {
		case 'f':
			v.follow = true;
			break;
		case 'j':
			v.json = true;
			break;
		case 'r':
			v.refused = true;
			break;
		case 's':
			r = parse_since(optarg, &v.since, p);
			if (r < 0)
				return r;
			break;
		case 'h':
			return cmd_help(&cmd_log);
		default:
			return cmd_bad_option(opt, argv, was, p);
		}
	}
	if (optind >= argc)
		return problem_usage(p, "NAME|MOUNTPOINT", "missing");
	if (optind + 1 < argc)
		return problem_usage(p, argv[optind + 1], "unexpected argument");
	return show(&v, argv[optind], p);
}

const struct command cmd_log = {
	.name = "log",
	.arguments = "[--follow] [--json] [--refused] [--since TIME] NAME|MOUNTPOINT",
	.summary = "what was refused in a sandbox and, if its policy says so, what was allowed",
	.help = "  -f, --follow   go on with what is recorded from now on\n"
		"  --json         the records as they are, one a line, for programs\n"
		"  --refused      only what was refused\n"
		"  --since TIME   only what is not older: 10m, 14:30, 2024-05-01, '2024-05-01 14:30'\n"
		"  -h, --help     this text\n",
	.run = run,
};
