#pragma once

/*
 * Why something could not be set up, for people: what, why, and what to do about it. Set-up code fills one in where it knows
 * most; the program prints it once.
 */

#include <stdbool.h>

#include "base/macro.h"

struct problem {
	char text[1024];
	char hint[512]; /* "": none */
	bool usage;	/* the command line was wrong: exit status 2 */
};

/* "WHAT: WHY". Returns error, a negative errno, so that one can write: return problem_set(p, -ENOENT, ...). */
int problem_set(struct problem *p, int error, const char *what, const char *format, ...) _printf_(4, 5);
/* The same with strerror(-error) as the reason. */
int problem_errno(struct problem *p, int error, const char *what);
/* The same for the store of sandboxes, which could not be found (path: NULL) or opened. */
int problem_store(struct problem *p, int error, const char *path);
/* The same for a wrong command line; returns -EINVAL. */
int problem_usage(struct problem *p, const char *what, const char *format, ...) _printf_(3, 4);
/* Adds advice; returns error. */
int problem_hint(struct problem *p, int error, const char *format, ...) _printf_(3, 4);

/* To stderr, as "osfuse: WHAT: WHY" and a line of advice. Unprintable bytes of file names come out as '?'. */
void problem_print(const struct problem *p);
int problem_exit_status(const struct problem *p);
