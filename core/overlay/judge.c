/* See judge.h. */

#include "overlay/judge.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "overlay/guard.h"

#define N_READER_SLOTS 16 /* so that two CPUs seldom count in one place */

/* readers */

struct readers {
	_Alignas(64) atomic_uint n[2];
};

/* Those who come use the count of the present phase. */
static _Thread_local unsigned int reader_slot; /* 0: not chosen yet */
static atomic_uint next_slot;

unsigned int overlay_enter(struct overlay *ov)
{
	unsigned int token;

	if (reader_slot == 0)
		reader_slot = 1 + atomic_fetch_add(&next_slot, 1) % N_READER_SLOTS;
	token = (reader_slot - 1) * 2 + (atomic_load(&ov->phase) & 1);
	(void) atomic_fetch_add(&ov->readers[token / 2].n[token % 2], 1);
	return token;
}

void overlay_leave(struct overlay *ov, unsigned int token)
{
	(void) atomic_fetch_sub(&ov->readers[token / 2].n[token % 2], 1);
}

static bool has_readers(struct overlay *ov, unsigned int which)
{
	unsigned int n = 0;

	for (size_t i = 0; i < N_READER_SLOTS; i++)
		n += atomic_load(&ov->readers[i].n[which]);
	return n > 0;
}

/* Twice: a reader may have read the phase, and count himself in it only after the first change. */
static void wait_for_readers(struct overlay *ov)
{
	const struct timespec moment = { .tv_nsec = 100000 };

	for (int i = 0; i < 2; i++) {
		unsigned int old = atomic_fetch_add(&ov->phase, 1) & 1;

		while (has_readers(ov, old))
			(void) nanosleep(&moment, NULL);
	}
}

/* rules */

static struct rules *rules_free(struct rules *r)
{
	if (!r)
		return NULL;
	for (size_t i = 0; i < r->n_made; i++)
		(void) fd_close(r->made[i]);
	(void) policy_state_unref(r->root);
	(void) policy_unref(r->policy);
	(void) guards_free(r->guards);
	free(r);
	return NULL;
}
DEFINE_CLEANUP(struct rules *, rules_free)

/* A made-up file is a file in memory, as if it were in a lower. */
static int make_file(const struct policy_file *f)
{
	_cleanup_close_ int fd = memfd_create("osfuse-made", MFD_CLOEXEC);
	size_t done = 0;

	if (fd < 0 || fchmod(fd, f->mode) < 0)
		return -errno;
	while (done < f->len) {
		ssize_t n = write(fd, (const char *) f->content + done, f->len - done);

		if (n < 0)
			return -errno;
		done += (size_t) n;
	}
	return steal_fd(&fd);
}

static bool has_direct(const struct policy *policy)
{
	for (size_t i = 0; policy && i < policy_n_rules(policy); i++)
		if (policy_rule(policy, (int) i)->verb == POLICY_VERB_RW)
			return true;
	return false;
}

static int rules_new(struct policy *policy, const struct overlay_guards *guards, uint32_t stamp, struct rules **ret)
{
	size_t n_made = policy ? policy_n_files(policy) : 0;
	_cleanup_(rules_freep) struct rules *r = calloc(1, sizeof(*r) + n_made * sizeof(r->made[0]));
	int error = r ? guards_copy(guards, has_direct(policy), &r->guards) : -ENOMEM;

	if (error < 0)
		return error;
	r->stamp = stamp;
	if (policy) {
		r->policy = policy_ref(policy);
		r->root = policy_root(policy);
	}
	for (; r->n_made < n_made; r->n_made++) {
		r->made[r->n_made] = make_file(policy_file(policy, (int) r->n_made));
		if (r->made[r->n_made] < 0)
			return r->made[r->n_made];
	}
	*ret = steal_ptr(r);
	return 0;
}

int judge_init(struct overlay *ov, struct policy *policy, const struct overlay_guards *guards)
{
	struct rules *r;
	int error = rules_new(policy, guards, 1, &r);

	if (error < 0)
		return error;
	atomic_init(&ov->rules, r);
	ov->readers = aligned_alloc(_Alignof(struct readers), N_READER_SLOTS * sizeof(*ov->readers));
	if (!ov->readers)
		return -ENOMEM;
	memset(ov->readers, 0, N_READER_SLOTS * sizeof(*ov->readers));
	return 0;
}

int judge_replace(struct overlay *ov, struct policy *policy, const struct overlay_guards *guards)
{
	struct rules *old = atomic_load(&ov->rules), *r;
	int error = rules_new(policy, guards, old->stamp + 1, &r);

	if (error < 0)
		return error;
	atomic_store_explicit(&ov->rules, r, memory_order_release);
	wait_for_readers(ov);
	(void) rules_free(old);
	return 0;
}

void judge_done(struct overlay *ov)
{
	(void) rules_free(atomic_load(&ov->rules));
	free(ov->readers);
}

/* rulings */

_Static_assert(POLICY_MAX_FILES <= INT16_MAX, "a ruling has room for the index of any made-up file");

struct ruling ruling_of(const struct policy_verdict *v)
{
	/* What is made up has no place in the lower to write to. */
	bool made = v->file != POLICY_NO_RULE;

	return (struct ruling) {
		.access = (uint8_t) (made && v->access == POLICY_RW ? POLICY_COW : v->access), .passage = v->passage,
		.noexec = v->noexec, .log = v->log, .error = (uint16_t) (v->access == POLICY_DENY ? v->error : 0),
		.made = (int16_t) v->file,
	};
}

/* An object with several names may be used as the strictest of them says. */
static void restrain(struct ruling *r, const struct ruling *other)
{
	bool noexec = r->noexec || other->noexec, log = r->log || other->log, fixed = r->fixed || other->fixed;

	if (other->access < r->access)
		*r = *other;
	r->noexec = noexec;
	r->log = log;
	r->fixed = fixed;
}

/* With what the rules of now say, as they were asked when n_entered was this. The state is taken. */
static void install(struct overlay *ov, struct node *n, uint32_t stamp, unsigned int n_entered, const struct ruling *ruling,
		    struct policy_state *state)
{
	struct policy_state *old = state;

	{
		SCOPE_LOCK(&node_shard(ov, n)->lock);
		if (atomic_load(&ov->n_entered) == n_entered) { /* else it may have been asked by a path of before */
			old = n->state;
			n->state = state;
			node_rule(n, stamp, ruling ? ruling : &n->ruling);
		}
	}
	(void) policy_state_unref(old);
}

void judge_moved(struct overlay *ov, struct node *dir)
{
	(void) atomic_fetch_add(&ov->n_entered, 1);
	SCOPE_LOCK(&node_shard(ov, dir)->lock);
	dir->stamp = UINT32_MAX; /* of no rules that there were: to be asked again */
}

/* The state of a directory if it is up to date, referenced. */
static bool take_state(struct overlay *ov, const struct rules *rules, struct node *dir, struct policy_state **ret)
{
	SCOPE_LOCK(&node_shard(ov, dir)->lock);
	if (dir->stamp != rules->stamp)
		return false;
	*ret = dir->state ? policy_state_ref(dir->state) : NULL;
	return true;
}

/* A way down, from the nearest directory that is up to date. */
struct descent {
	struct overlay *ov;
	const struct rules *rules;
	unsigned int n_entered;
	struct {
		struct node *dir; /* referenced */
		char name[NAME_BYTES];
	} *v;
	size_t n, size;
};

static void descent_done(struct descent *d)
{
	while (d->n > 0)
		(void) node_unref(d->ov, d->v[--d->n].dir);
	free(d->v);
}

/* The directory's reference is taken. */
static int descent_add(struct descent *d, struct node *dir)
{
	if (d->n == d->size) {
		size_t size = MAX(d->size * 2, (size_t) 8);
		void *v = reallocarray(d->v, size, sizeof(*d->v));

		if (!v) {
			(void) node_unref(d->ov, dir);
			return -ENOMEM;
		}
		d->v = v;
		d->size = size;
	}
	d->v[d->n++].dir = dir;
	return 0;
}

/* *state, of the directory above, is replaced by that of the directory. */
static int descend(const struct descent *d, struct node *dir, const char *name, struct policy_state **state)
{
	_cleanup_(policy_state_unrefp) struct policy_state *above = steal_ptr(*state);
	struct policy_step step;
	struct ruling ruling;
	int r = policy_step(above, name, strlen(name), &step);

	if (r == 0)
		r = policy_enter(&step, state);
	if (r == 0) {
		ruling = ruling_of(&step.as_dir);
		install(d->ov, dir, d->rules->stamp, d->n_entered, &ruling, policy_state_ref(*state));
	}
	policy_step_done(&step);
	return r;
}

static int dir_state_once(struct overlay *ov, const struct rules *rules, unsigned int n_entered, struct node *dir, struct policy_state **ret)
{
	_cleanup_(descent_done) struct descent d = { .ov = ov, .rules = rules, .n_entered = n_entered };
	struct policy_state *state = NULL;
	struct node *at = dir;
	int r = 0;

	node_ref(at);
	while (at && r == 0 && !take_state(ov, rules, at, &state)) {
		r = descent_add(&d, at);
		if (r == 0 && at == ov->root) {
			struct ruling ruling = ruling_of(policy_state_verdict(rules->root));

			install(ov, at, rules->stamp, n_entered, &ruling, policy_state_ref(rules->root));
			state = policy_state_ref(rules->root);
			(void) node_unref(ov, d.v[--d.n].dir);
			at = NULL;
			break;
		}
		if (r == 0)
			at = node_parent(ov, at, d.v[d.n - 1].name);
	}
	if (at && r == 0)
		(void) node_unref(ov, at);
	/* No name, or below a directory without: removed. What it was ruled stays. */
	for (; r == 0 && d.n > 0; (void) node_unref(ov, d.v[--d.n].dir)) {
		if (state)
			r = descend(&d, d.v[d.n - 1].dir, d.v[d.n - 1].name, &state);
		else
			install(ov, d.v[d.n - 1].dir, rules->stamp, n_entered, NULL, NULL);
	}
	if (r < 0) {
		(void) policy_state_unref(state);
		return r;
	}
	*ret = state;
	return 0;
}

static int dir_state(struct overlay *ov, const struct rules *rules, struct node *dir, struct policy_state **ret)
{
	for (;;) {
		unsigned int n_entered = atomic_load(&ov->n_entered);
		int r = dir_state_once(ov, rules, n_entered, dir, ret);

		if (r < 0 || atomic_load(&ov->n_entered) == n_entered)
			return r;
		if (*ret)
			(void) policy_state_unref(*ret);
	}
}

int judge_dir(struct overlay *ov, struct node *dir, struct policy_state **ret)
{
	const struct rules *rules = rules_now(ov);

	*ret = NULL;
	return rules->policy ? dir_state(ov, rules, dir, ret) : 0;
}

/* names */

/* Is it one of the ways to the policy? In the layer that would be changed, whatever the view makes of it. */
static bool is_guarded_name(struct overlay *ov, const struct rules *rules, struct node *dir, const char *name)
{
	struct place place = { .ino = 0 };

	if (rules->guards->n == 0)
		return false;
	{
		SCOPE_LOCK(&node_shard(ov, dir)->lock);
		for (uint16_t i = 0; dir->places && i < dir->places->n; i++)
			if (dir->places->v[i].layer == LAYER_LOWER)
				place = dir->places->v[i];
	}
	return guards_have_name(rules->guards, place.dev, place.ino, name);
}

static int step(const struct policy_state *dir, const char *name, struct policy_step *ret)
{
	if (name)
		return policy_step(dir, name, strlen(name), ret);
	*ret = (struct policy_step) { .from = dir };
	policy_nameless(dir, &ret->as_file);
	ret->as_dir = ret->as_file;
	return 0;
}

int judge_name(struct overlay *ov, struct node *dir, const char *name, struct judgement *ret)
{
	const struct rules *rules = rules_now(ov);
	int r;

	ret->state = NULL;
	ret->stamp = rules->stamp;
	ret->n_entered = atomic_load(&ov->n_entered);
	ret->as_dir = ret->as_file = RULING_FREE;
	if (!rules->policy)
		return 0;
	r = dir_state(ov, rules, dir, &ret->state);
	if (r < 0 || !ret->state)
		return r;
	r = step(ret->state, name, &ret->step);
	ret->as_dir = ruling_of(&ret->step.as_dir);
	ret->as_file = ruling_of(&ret->step.as_file);
	if (name && (ruling_is_direct(&ret->as_dir) || ruling_is_direct(&ret->as_file)))
		ret->as_dir.fixed = ret->as_file.fixed = is_guarded_name(ov, rules, dir, name);
	return r;
}

int judge_listed(const struct policy_state *dir, const char *name, size_t len, struct ruling *ret_as_dir, struct ruling *ret_as_file)
{
	struct policy_step step;
	int r;

	*ret_as_dir = *ret_as_file = RULING_FREE;
	if (!dir)
		return 0;
	r = policy_step(dir, name, len, &step);
	*ret_as_dir = ruling_of(&step.as_dir);
	*ret_as_file = ruling_of(&step.as_file);
	policy_step_done(&step);
	return r;
}

void judgement_done(struct judgement *j)
{
	if (!j->state)
		return;
	policy_step_done(&j->step);
	j->state = policy_state_unref(j->state);
}

int judge_enter(const struct judgement *j, mode_t mode, struct policy_state **ret)
{
	*ret = NULL;
	return j->state && S_ISDIR(mode) ? policy_enter(&j->step, ret) : 0;
}

int judge_same_below(const struct judgement *a, const struct judgement *b)
{
	_cleanup_(policy_state_unrefp) struct policy_state *x = NULL, *y = NULL;
	int r = judge_enter(a, S_IFDIR, &x);

	if (r == 0)
		r = judge_enter(b, S_IFDIR, &y);
	if (r < 0)
		return r;
	return x && y && a->stamp == b->stamp ? policy_state_equal(x, y) : !x == !y;
}

static int stop(void *arg, const char *name, int file)
{
	return 1;
}

int judge_makes_up(const struct judgement *j)
{
	_cleanup_(policy_state_unrefp) struct policy_state *state = NULL;
	int r = judge_enter(j, S_IFDIR, &state);

	return r == 0 && state ? policy_state_files(state, stop, NULL) : r;
}

/* nodes */

struct named {
	struct node *dir; /* referenced */
	char *text;
};

/* The names of a node, copied out; at least one. -ENOENT: it has none. */
static int copy_names(struct overlay *ov, struct node *n, struct named **ret, size_t *ret_n)
{
	size_t n_names = 0, i = 0;
	struct named *v;

	SCOPE_LOCK(&node_shard(ov, n)->lock);
	for (const struct name *a = n->names; a; a = a->next)
		n_names++;
	if (n_names == 0)
		return -ENOENT;
	v = calloc(n_names, sizeof(*v));
	if (!v)
		return -ENOMEM;
	for (const struct name *a = n->names; a; a = a->next, i++) {
		v[i] = (struct named) { .dir = a->dir, .text = strdup(a->text) };
		node_ref(a->dir);
	}
	*ret = v;
	*ret_n = n_names;
	return 0;
}

static int judge_names(struct overlay *ov, struct node *n, struct ruling *ret)
{
	struct named *v;
	size_t n_names;
	int r = copy_names(ov, n, &v, &n_names);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n_names; i++) {
		JUDGEMENT(j);

		if (r == 0)
			r = v[i].text ? judge_name(ov, v[i].dir, v[i].text, &j) : -ENOMEM;
		if (r == 0 && i == 0)
			*ret = *judged(&j, n->type);
		else if (r == 0)
			restrain(ret, judged(&j, n->type));
		free(v[i].text);
		(void) node_unref(ov, v[i].dir);
	}
	free(v);
	return r;
}

int judge_refresh(struct overlay *ov, struct node *n)
{
	const struct rules *rules = rules_now(ov);
	_cleanup_(policy_state_unrefp) struct policy_state *state = NULL;
	struct ruling ruling = RULING_FREE;
	unsigned int n_entered = atomic_load(&ov->n_entered);
	uint32_t seq;
	int r;

	if (rules->policy && S_ISDIR(n->type))
		return dir_state(ov, rules, n, &state);
	{
		SCOPE_LOCK(&node_shard(ov, n)->lock);
		seq = n->seq;
	}
	r = rules->policy ? judge_names(ov, n, &ruling) : 0;
	if (r < 0 && r != -ENOENT)
		return r;
	install(ov, n, rules->stamp, n_entered, r == 0 ? &ruling : NULL, NULL); /* without a name: as it was ruled last */
	SCOPE_LOCK(&node_shard(ov, n)->lock);
	if (n->seq != seq) /* perhaps by names that it has lost meanwhile */
		n->flags |= NODE_RENAMED;
	return 0;
}

int judge_node(struct overlay *ov, struct node *n, struct ruling *ret)
{
	for (;;) {
		const struct rules *rules = rules_now(ov);
		int r;

		{
			SCOPE_LOCK(&node_shard(ov, n)->lock);
			*ret = n->ruling;
			if (ruling_is_direct(ret) && guards_have(rules->guards, n->dev, n->real_ino))
				ret->fixed = true; /* by whatever name it is reached */
			if (n->stamp == rules->stamp && !(n->flags & NODE_RENAMED))
				return 0;
		}
		r = judge_refresh(ov, n);
		if (r < 0)
			return r;
	}
}

/*
 * A file of the policy that is edited on the host is, most often, replaced: the new one was written under another name, which the view may have
 * linked, or opened for writing, before. It is the policy from the rename on, and not only from the next reload, which reads what is in it by
 * then. So what would be changed is compared with what is in the place of the policy now, at each change: a moment is enough to write a rule. What
 * was let through just before the rename may come just after it; that is no more than could be written just before.
 */
int judge_node_to_change(struct overlay *ov, struct node *n, struct ruling *ret)
{
	uint64_t ino;
	dev_t dev;
	int r = judge_node(ov, n, ret);

	if (r < 0 || !ruling_is_direct(ret) || ret->fixed || S_ISDIR(n->type))
		return r;
	{
		SCOPE_LOCK(&node_shard(ov, n)->lock);
		dev = n->dev;
		ino = n->real_ino;
	}
	ret->fixed = guards_lead_to(ov, rules_now(ov)->guards, dev, ino);
	return 0;
}
