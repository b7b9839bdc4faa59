/* Gathers the list of sandboxes. */

#include "fuse/report.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "fuse/holder.h"
#include "fuse/mountinfo.h"
#include "fuse/problem.h"
#include "io/io.h"
#include "store/store.h"

static void row_done(struct report_row *row)
{
	for (size_t i = 0; i < row->n_lowers; i++)
		free(row->lowers[i]);
	free(row->lowers);
	free(row->name);
	free(row->mount_point);
	free(row->upper);
}

void report_done(struct report *r)
{
	for (size_t i = 0; i < r->n; i++)
		row_done(&r->v[i]);
	free(r->v);
	free(r->problems);
	*r = (struct report) { 0 };
}

static int add_problem(struct report *rep, const struct store *store, const char *name, int error, const struct sandbox_fault *f)
{
	struct problem *v = reallocarray(rep->problems, rep->n_problems + 1, sizeof(*v)), *p;

	if (!v)
		return -ENOMEM;
	rep->problems = v;
	p = &v[rep->n_problems++];
	*p = (struct problem) { 0 };
	if (error != -EBADMSG)
		(void) problem_set(p, error, name, "%s", strerror(-error));
	else if (f->line > 0)
		(void) problem_set(p, error, name, "%s/%s/sandbox.json:%u:%u: %s", store_path(store), name, f->line, f->column,
				   f->text);
	else
		(void) problem_set(p, error, name, "%s/%s/sandbox.json: %s", store_path(store), name, f->text);
	return 0;
}

static enum report_state find_state(const struct mount_table *mounts, const char *mount_point, struct sandbox *sb)
{
	const struct mount_entry *e = mount_point ? mount_table_at(mounts, mount_point) : NULL;

	if (!e || !holder_is_view(e))
		return REPORT_NOT_MOUNTED;
	if (sandbox_in_use(sb) != 0)
		return REPORT_MOUNTED;
	/* Another sandbox may have taken its place; the one that was killed has its process id still on record. */
	return sandbox_settings(sb)->pid > 0 ? REPORT_STALE : REPORT_NOT_MOUNTED;
}

static int fill_row(struct report_row *row, struct sandbox *sb, const struct mount_table *mounts)
{
	struct sandbox_settings *s = sandbox_settings(sb);

	row->name = strdup(sandbox_name(sb));
	if (!row->name)
		return -ENOMEM;
	row->created_s = s->created_s;
	row->ephemeral = s->ephemeral && !s->upper; /* what is kept elsewhere stays */
	row->state = find_state(mounts, s->mount_point, sb);
	/* Handed over: the sandbox is closed next. */
	row->mount_point = steal_ptr(s->mount_point);
	row->lowers = steal_ptr(s->lowers);
	row->n_lowers = s->n_lowers;
	s->n_lowers = 0;
	if (sandbox_usage(sb, &row->changes_bytes) < 0)
		row->changes_bytes = 0; /* an upper kept elsewhere that is gone */
	if (s->upper) {
		row->upper = steal_ptr(s->upper);
		return 0;
	}
	return sandbox_path(sb, "upper", &row->upper);
}

static int add_sandbox(struct report *rep, struct store *store, const char *name, const struct mount_table *mounts)
{
	_cleanup_(sandbox_freep) struct sandbox *sb = NULL;
	struct sandbox_fault fault = { 0 };
	struct report_row *v;
	int r;

	r = sandbox_open(store, name, &sb, &fault);
	if (r == -ENOENT)
		return 0; /* removed meanwhile */
	if (r < 0)
		return add_problem(rep, store, name, r, &fault);
	v = reallocarray(rep->v, rep->n + 1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	rep->v = v;
	v[rep->n] = (struct report_row) { 0 };
	return fill_row(&v[rep->n++], sb, mounts);
}

int report_sandboxes(struct report *ret, struct problem *p)
{
	_cleanup_(io_engine_freep) struct io_engine *io = NULL;
	_cleanup_(store_freep) struct store *store = NULL;
	_cleanup_(store_names_freep) char **names = NULL;
	_cleanup_free_ char *path = NULL;
	struct mount_table mounts;
	size_t n = 0;
	int r;

	ret->now_s = (int64_t) time(NULL);
	r = io_engine_sync_new(&io);
	if (r < 0)
		return problem_errno(p, r, "list");
	r = store_default_path(&path);
	if (r < 0)
		return problem_store(p, r, NULL);
	r = store_open(io, path, false, &store);
	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = store_list(store, &names, &n);
	if (r < 0)
		return problem_store(p, r, path);
	r = mount_table_read(0, &mounts);
	if (r < 0)
		return problem_errno(p, r, "/proc/self/mountinfo");
	for (size_t i = 0; r == 0 && i < n; i++)
		r = add_sandbox(ret, store, names[i], &mounts);
	mount_table_done(&mounts);
	return r < 0 ? problem_errno(p, r, path) : 0;
}
