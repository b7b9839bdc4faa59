/* From the name of a sandbox to the records of its log. */

#include "fuse/logbook.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "fuse/problem.h"
#include "io/io.h"
#include "store/log.h"
#include "store/logread.h"
#include "store/store.h"

static int problem_no_sandbox(struct problem *p, int error, const char *name)
{
	(void) problem_set(p, error, name, "there is no sandbox of that name");
	return problem_hint(p, error, "osfuse list");
}

static int problem_open(struct problem *p, int error, const char *name, const struct sandbox_fault *f)
{
	switch (error) {
	case -EINVAL: /* no name for any */
	case -ENOENT:
		return problem_no_sandbox(p, error, name);
	case -EBADMSG:
		return problem_set(p, error, name, "sandbox.json: %s", f->text);
	}
	return problem_errno(p, error, name);
}

static int open_store(struct logbook *b, struct problem *p)
{
	_cleanup_free_ char *path = NULL;
	int r;

	r = io_engine_sync_new(&b->io);
	if (r == 0)
		r = store_default_path(&path);
	if (r < 0)
		return problem_errno(p, r, "store");
	r = store_open(b->io, path, false, &b->store);
	if (r == -ENOENT)
		return problem_no_sandbox(p, r, b->name);
	return r < 0 ? problem_errno(p, r, path) : 0;
}

/* Twice the time within which the daemon promises to write: once to notice, once to do it. */
static void let_it_write(void)
{
	const struct timespec ts = { .tv_nsec = 2 * LOG_DELAY_MS * 1000000L };

	(void) nanosleep(&ts, NULL); /* cut short: then some come later */
}

static int problem_log(struct logbook *b, int error, struct problem *p)
{
	_cleanup_free_ char *path = NULL;

	if (sandbox_path(b->sandbox, LOG_NAME, &path) < 0)
		return problem_errno(p, -ENOMEM, b->name);
	if (error == -EBADMSG || error == -ELOOP)
		return problem_set(p, error, path, "is no regular file");
	return problem_errno(p, error, path);
}

int logbook_open(struct logbook *b, const char *name, struct problem *p)
{
	struct sandbox_fault fault = { 0 };
	int r;

	b->name = name;
	r = open_store(b, p);
	if (r < 0)
		return r;
	r = sandbox_open(b->store, name, &b->sandbox, &fault);
	if (r < 0)
		return problem_open(p, r, name, &fault);
	r = log_reader_new(sandbox_fd(b->sandbox), &b->reader);
	if (r < 0)
		return problem_log(b, r, p);
	if (sandbox_in_use(b->sandbox) == 1)
		let_it_write();
	return 0;
}

void logbook_done(struct logbook *b)
{
	b->reader = log_reader_free(b->reader);
	b->sandbox = sandbox_free(b->sandbox);
	b->store = store_free(b->store);
	b->io = io_engine_free(b->io);
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
