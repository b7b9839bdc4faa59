#pragma once

/* What is known of the sandboxes in the store, and where they are mounted. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macro.h"

struct problem;

enum report_state {
	REPORT_NOT_MOUNTED,
	REPORT_MOUNTED,
	REPORT_STALE, /* the mount is there, its daemon is not */
};

struct report_row {
	char *name;
	enum report_state state;
	char *mount_point; /* NULL: never mounted */
	char *upper;
	char **lowers;
	size_t n_lowers;
	uint64_t changes_bytes;
	int64_t created_s;
	bool ephemeral;
};

struct report {
	struct report_row *v; /* sorted by name */
	size_t n;
	struct problem *problems; /* sandboxes that could not be read */
	size_t n_problems;
	int64_t now_s;
};

int report_sandboxes(struct report *ret, struct problem *p);
void report_done(struct report *r);
