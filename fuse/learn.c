/* From the records of a log to the events that a policy is learned from. */

#include "fuse/learn.h"

#include <errno.h>
#include <inttypes.h>

#include "fuse/logbook.h"
#include "fuse/policies.h"
#include "fuse/problem.h"
#include "policy/learn.h"
#include "store/logread.h"
#include "store/store.h"

struct gathered {
	uint64_t n_allowed;
	uint64_t n_missing; /* not recorded, or not whole */
	uint64_t n_gone;    /* not in the log any more */
};

static int add(struct learner *l, const struct log_record *rec, const char *path)
{
	return learner_add(l, &(struct learn_event) {
		.path = path, .op = rec->op, .refused = rec->error_name != NULL, .is_dir = rec->is_dir ? 1 : -1,
	});
}

static int add_record(struct learner *l, const struct log_record *rec, struct gathered *g)
{
	int r;

	if (rec->kind == LOG_ROTATED) {
		g->n_gone += rec->count;
		return 0;
	}
	if (rec->kind != LOG_ACCESS || rec->cut) {
		g->n_missing += rec->count;
		return 0;
	}
	g->n_allowed += !rec->error_name;
	r = add(l, rec, rec->path);
	return r == 0 && rec->path2 ? add(l, rec, rec->path2) : r;
}

static int gather(struct logbook *b, struct learner *l, struct gathered *g, struct problem *p)
{
	const struct log_record *rec;
	int r;

	while ((r = logbook_next(b, &rec, p)) == 1) {
		r = add_record(l, rec, g);
		if (r < 0)
			return problem_errno(p, r, b->name);
	}
	if (r < 0)
		return r;
	if (g->n_allowed == 0) {
		(void) problem_set(p, -ENODATA, b->name, "its log has no access that was allowed");
		return problem_hint(p, -ENODATA, "run the program in a view whose policy says 'log all'");
	}
	return 0;
}

static void tell_missing(const struct logbook *b, const struct gathered *g)
{
	logbook_tell_damage(b);
	if (g->n_gone > 0)
		(void) fprintf(stderr, "osfuse: %s: %" PRIu64 " older access%s not in the log any more, and so not in the policy\n", b->name,
			       g->n_gone, g->n_gone == 1 ? " is" : "es are");
	if (g->n_missing > 0)
		(void) fprintf(stderr, "osfuse: %s: %" PRIu64 " access%s not in the log, and so not in the policy\n", b->name,
			       g->n_missing, g->n_missing == 1 ? " is" : "es are");
}

static int write_policy(const struct logbook *b, const struct gathered *g, struct learner *l, FILE *f, struct problem *p)
{
	_cleanup_free_ char *source = NULL;
	int r;

	if (asprintf(&source, "the log of the sandbox \"%s\"", b->name) < 0) {
		source = NULL;
		return problem_errno(p, -ENOMEM, b->name);
	}
	learner_set_missing(l, g->n_missing + g->n_gone);
	r = learner_write(l, source, f);
	if (r < 0)
		return problem_errno(p, r, b->name);
	if (fflush(f) != 0 || ferror(f))
		return problem_errno(p, -errno, "standard output");
	return 0;
}

/* The learner, with the policy of the sandbox: what that hides, nothing learned may show. */
static int open_learner(const struct logbook *b, const struct policy_world *world, struct learner **ret, struct problem *p)
{
	const struct sandbox_settings *s = sandbox_settings(b->box.sandbox);
	_cleanup_(policy_unrefp) struct policy *own = NULL;
	_cleanup_free_ char *report = NULL;
	int r = policies_load(s->policy, s->n_policy, (const char *const *) s->lowers, s->fold, NULL, &own, &report, p);

	if (report)
		(void) fputs(report, stderr);
	if (r < 0)
		return r;
	r = learner_new(world, own, ret);
	if (r == -EINVAL)
		return problem_set(p, r, "<defaults>", "cannot be used without a home directory");
	return r < 0 ? problem_errno(p, r, b->name) : 0;
}

int learn_from_log(const char *name, const struct policy_world *world, FILE *f, struct problem *p)
{
	_cleanup_(learner_freep) struct learner *l = NULL;
	struct gathered g = { 0 };
	struct logbook b = { 0 };
	int r;

	r = logbook_open(&b, name, p);
	if (r == 0)
		r = open_learner(&b, world, &l, p);
	if (r == 0)
		r = gather(&b, l, &g, p);
	if (r == 0)
		r = write_policy(&b, &g, l, f, p);
	if (r == 0)
		tell_missing(&b, &g);
	logbook_done(&b);
	return r;
}
