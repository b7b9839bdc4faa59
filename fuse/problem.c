/* Messages for people. */

#include "fuse/problem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "fuse/escape.h"

#define WHAT_MAX 600

static int set(struct problem *p, int error, const char *what, const char *format, va_list ap)
{
	/* A very long name must not leave the reason without room. */
	bool fits = strlen(what) <= WHAT_MAX;
	int n = fits ? snprintf(p->text, sizeof(p->text), "%s: ", what) :
		       snprintf(p->text, sizeof(p->text), "%.*s...: ", WHAT_MAX, what);

	if (n >= 0 && (size_t) n < sizeof(p->text))
		(void) vsnprintf(p->text + n, sizeof(p->text) - (size_t) n, format, ap);
	p->hint[0] = '\0';
	p->usage = false;
	return error;
}

int problem_set(struct problem *p, int error, const char *what, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void) set(p, error, what, format, ap);
	va_end(ap);
	return error;
}

int problem_errno(struct problem *p, int error, const char *what)
{
	(void) problem_set(p, error, what, "%s", strerror(-error));
	return error == -EMFILE ? problem_hint(p, error, "'ulimit -n' is too low: a few dozen descriptors are needed") : error;
}

int problem_store(struct problem *p, int error, const char *path)
{
	if (!path) {
		(void) problem_set(p, error, "store", "there is no home directory to keep sandboxes in");
		return problem_hint(p, error, "set HOME or XDG_STATE_HOME");
	}
	if (error != -EPERM)
		return problem_errno(p, error, path);
	(void) problem_set(p, error, path, "belongs to another user");
	return problem_hint(p, error, "set HOME or XDG_STATE_HOME to a directory of your own");
}

int problem_usage(struct problem *p, const char *what, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void) set(p, -EINVAL, what, format, ap);
	va_end(ap);
	p->usage = true;
	return -EINVAL;
}

int problem_hint(struct problem *p, int error, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void) vsnprintf(p->hint, sizeof(p->hint), format, ap);
	va_end(ap);
	return error;
}

/* In one piece, if there is memory; there is nowhere else to complain. */
static void print_line(const char *prefix, const char *text)
{
	_cleanup_free_ char *line = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&line, &len), *to = f ? f : stderr;

	(void) fputs(prefix, to);
	(void) escape_put(to, text, "");
	(void) fputc('\n', to);
	if (f && fclose(f) == 0)
		(void) fwrite(line, 1, len, stderr);
}

void problem_print(const struct problem *p)
{
	print_line("osfuse: ", p->text);
	if (p->hint[0])
		print_line("  hint: ", p->hint);
}

int problem_exit_status(const struct problem *p)
{
	return p->usage ? 2 : 1;
}
