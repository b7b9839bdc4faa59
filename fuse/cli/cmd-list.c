/* osfuse list */

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fuse/cli/cmd.h"
#include "fuse/escape.h"
#include "fuse/problem.h"
#include "fuse/report.h"

static const struct option options[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 }
};

static void format_size(uint64_t bytes, char buf[static 16])
{
	static const char units[] = "KMGTPE";
	double v = (double) bytes / 1024;
	size_t u = 0;

	if (bytes < 1024) {
		(void) snprintf(buf, 16, "%" PRIu64, bytes);
		return;
	}
	for (; v >= 999.5 && u + 1 < sizeof(units) - 1; u++)
		v /= 1024;
	(void) snprintf(buf, 16, v < 9.95 ? "%.1f%c" : "%.0f%c", v, units[u]);
}

static void format_age(int64_t seconds, char buf[static 32])
{
	static const struct {
		int64_t seconds;
		const char *name;
	} units[] = { { 86400, "day" }, { 3600, "hour" }, { 60, "minute" }, { 1, "second" } };

	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		int64_t n = seconds / units[i].seconds;

		if (n > 0 || i + 1 == ARRAY_SIZE(units)) {
			(void) snprintf(buf, 32, "%" PRId64 " %s%s", MAX(n, 0), units[i].name, n == 1 ? "" : "s");
			return;
		}
	}
}

/* What stands in the column, and how wide it is. To be freed; NULL: no memory. */
static char *mounted_text(const struct report_row *row, int *ret_width)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	*ret_width = 1;
	if (!f)
		return NULL;
	if (row->state == REPORT_NOT_MOUNTED)
		(void) fputs("-", f);
	else
		*ret_width = (int) escape_put(f, row->mount_point, "");
	if (row->state == REPORT_STALE)
		*ret_width += fprintf(f, " (stale)");
	if (fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}

static void print_table(const struct report *rep)
{
	int name_width = (int) strlen("NAME"), mounted_width = (int) strlen("MOUNTED ON"), width;
	char size[16], age[32];

	for (size_t i = 0; i < rep->n; i++) {
		free(mounted_text(&rep->v[i], &width));
		mounted_width = MAX(mounted_width, width);
		name_width = MAX(name_width, (int) strlen(rep->v[i].name));
	}
	(void) printf("%-*s  %-*s  %7s  %s\n", name_width, "NAME", mounted_width, "MOUNTED ON", "CHANGES", "AGE");
	for (size_t i = 0; i < rep->n; i++) {
		const struct report_row *row = &rep->v[i];
		_cleanup_free_ char *mounted = mounted_text(row, &width);

		format_size(row->changes_bytes, size);
		format_age(rep->now_s - row->created_s, age);
		(void) printf("%-*s  %s%*s  %7s  %s%s\n", name_width, row->name, mounted ? mounted : "?", mounted_width - width, "",
			      size, age, row->ephemeral ? ", ephemeral" : "");
	}
}

/* JSON has no bytes: what is not UTF-8 shows question marks. */
static json_t *text(const char *s)
{
	json_t *j = s ? json_string(s) : json_null();
	_cleanup_free_ char *copy = NULL;

	if (j)
		return j;
	copy = strdup(s);
	for (char *p = copy; p && *p; p++)
		if ((unsigned char) *p >= 0x80)
			*p = '?';
	return copy ? json_string(copy) : NULL;
}

static json_t *row_to_json(const struct report_row *row)
{
	json_t *lowers = json_array();
	time_t created = (time_t) row->created_s;
	char when[32] = "";
	struct tm tm;

	for (size_t i = 0; i < row->n_lowers; i++)
		(void) json_array_append_new(lowers, text(row->lowers[i])); /* out of memory shows below */
	if (gmtime_r(&created, &tm))
		(void) strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return json_pack("{s:o, s:o, s:b, s:I, s:s, s:o, s:o, s:b}", "name", text(row->name), "mounted",
			 row->state == REPORT_MOUNTED ? text(row->mount_point) : json_null(), "stale",
			 row->state == REPORT_STALE, "changes_bytes", (json_int_t) row->changes_bytes, "created", when, "lowers",
			 lowers, "upper", text(row->upper), "ephemeral", (int) row->ephemeral);
}

static int print_json(const struct report *rep, struct problem *p)
{
	json_t *list = json_array();
	int r = 0;

	for (size_t i = 0; r == 0 && i < rep->n; i++)
		r = json_array_append_new(list, row_to_json(&rep->v[i]));
	if (r == 0)
		r = json_dumpf(list, stdout, JSON_INDENT(2));
	json_decref(list);
	if (r < 0)
		return problem_errno(p, -ENOMEM, "list");
	(void) putchar('\n');
	return 0;
}

static int print(const struct report *rep, bool json, struct problem *p)
{
	for (size_t i = 0; i < rep->n_problems; i++)
		problem_print(&rep->problems[i]);
	if (json) {
		int r = print_json(rep, p);

		if (r < 0)
			return r;
	} else if (rep->n > 0) {
		print_table(rep);
	} else if (rep->n_problems == 0 && isatty(STDERR_FILENO)) {
		(void) fprintf(stderr, "No sandboxes. 'osfuse mount MOUNTPOINT' makes one.\n");
	}
	return rep->n_problems > 0;
}

static int run(int argc, char **argv, struct problem *p)
{
	struct report rep = { 0 };
	bool json = false;
	int opt, r;

	optind = 0;
	opterr = 0;
	for (;;) {
		int was = optind > 0 ? optind : 1;

		opt = getopt_long(argc, argv, ":h", options, NULL);
		if (opt < 0)
			break;
		if (opt == 'h')
			return cmd_help(&cmd_list);
		if (opt != 'j')
			return cmd_bad_option(opt, argv, was, p);
		json = true;
	}
	if (optind < argc)
		return problem_usage(p, argv[optind], "unexpected argument");
	r = report_sandboxes(&rep, p);
	if (r == 0)
		r = print(&rep, json, p);
	report_done(&rep);
	return r;
}

const struct command cmd_list = {
	.name = "list",
	.arguments = "[--json]",
	.summary = "the sandboxes: where mounted, size of the changes, age",
	.help = "  --json       for programs\n"
		"  -h, --help   this text\n",
	.run = run,
};
