/* From the name of a sandbox to the records of its log. */

#include "fuse/logbook.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "fuse/problem.h"
#include "store/log.h"
#include "store/logread.h"
#include "store/store.h"

/* Twice the time within which the daemon promises to write: once to notice, once to do it. */
static void let_it_write(void)
{
	const struct timespec ts = { .tv_nsec = 2 * LOG_DELAY_MS * 1000000L };

	(void) nanosleep(&ts, NULL); /* cut short: then some come later */
}

static int problem_log(struct logbook *b, int error, struct problem *p)
{
	_cleanup_free_ char *path = NULL;

	if (sandbox_path(b->box.sandbox, LOG_NAME, &path) < 0)
		return problem_errno(p, -ENOMEM, b->name);
	if (error == -EBADMSG || error == -ELOOP)
		return problem_set(p, error, path, "is no regular file");
	return problem_errno(p, error, path);
}

int logbook_open(struct logbook *b, const char *name, struct problem *p)
{
	int r;

	b->name = name;
	r = box_open(&b->box, name, p);
	if (r < 0)
		return r;
	r = log_reader_new(sandbox_fd(b->box.sandbox), &b->reader);
	if (r < 0)
		return problem_log(b, r, p);
	if (sandbox_in_use(b->box.sandbox) == 1)
		let_it_write();
	return 0;
}

void logbook_done(struct logbook *b)
{
	b->reader = log_reader_free(b->reader);
	box_done(&b->box);
}

int logbook_next(struct logbook *b, const struct log_record **ret, struct problem *p)
{
	int r = log_reader_next(b->reader, ret);

	return r < 0 ? problem_log(b, r, p) : r;
}

void logbook_tell_damage(const struct logbook *b)
{
	uint64_t n = log_reader_n_damaged(b->reader);

	if (n > 0)
		(void) fprintf(stderr, "osfuse: %s: %" PRIu64 " damaged line%s of the log skipped\n", b->name, n, n == 1 ? "" : "s");
}
