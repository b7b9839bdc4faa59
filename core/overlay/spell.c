/*
 * See spell.h.
 *
 * To find a name in another case the directory has to be read. What was read is kept, in a table for each of the directories that
 * were asked last, as long as the times of the directory, in all layers, say that nothing has changed. A time that is as good as now
 * says nothing: the clock of file systems is coarse.
 */

#include "overlay/spell.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/fold.h"
#include "overlay/dircache.h"
#include "overlay/judge.h"
#include "overlay/listing.h"
#include "overlay/look.h"

#define N_TABLES 64u
#define CLOCK_COARSE_NS 50000000 /* file systems stamp with the time of the last tick: 10 ms, at most */
#define FOLDED_BYTES FOLD_SIZE(NAME_BYTES)

/* What tells that a directory has not changed. */
struct version {
	uint64_t sum;	   /* of its places, and their times */
	int64_t newest_ns; /* of those times */
	uint32_t stamp;	   /* of the rules: they hide names */
};

struct spelling {
	uint64_t hash;
	uint32_t name; /* offset in names */
};

struct fold_table {
	uint64_t dir_id; /* 0: free */
	uint64_t used;	 /* when, to tell which was not needed for longest */
	struct version version;
	struct spelling *v; /* sorted by hash, then by name */
	size_t n, size;
	char *names;
	size_t names_len, names_size;
};

struct fold_cache {
	pthread_mutex_t lock; /* guards all; a leaf */
	uint64_t clock;
	struct fold_table tables[N_TABLES];
};

int spell_init(struct overlay *ov)
{
	if (!ov->fold)
		return 0;
	ov->folds = calloc(1, sizeof(*ov->folds));
	if (!ov->folds)
		return -ENOMEM;
	return -pthread_mutex_init(&ov->folds->lock, NULL);
}

static void table_done(struct fold_table *t)
{
	free(t->v);
	free(t->names);
	*t = (struct fold_table) { .dir_id = 0 };
}

void spell_done(struct overlay *ov)
{
	if (!ov->folds)
		return;
	for (size_t i = 0; i < N_TABLES; i++)
		table_done(&ov->folds->tables[i]);
	free(ov->folds);
}

/* names */

static size_t fold(const char *name, char out[static FOLDED_BYTES])
{
	return fold_name(name, strnlen(name, NAME_BYTES), out, FOLDED_BYTES);
}

static uint64_t mix(uint64_t h, uint64_t x)
{
	return (h ^ x ^ x >> 31) * UINT64_C(0x9e3779b97f4a7c15);
}

static uint64_t hash(const char *folded, size_t len)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char) folded[i]) * UINT64_C(0x100000001b3);
	return h;
}

bool spell_case_only(const char *a, const char *b)
{
	char x[FOLDED_BYTES], y[FOLDED_BYTES];
	size_t n = fold(a, x), m = fold(b, y);

	return n > 0 && n == m && memcmp(x, y, n) == 0 && strcmp(a, b) != 0;
}

/* tables */

static int compare(const void *a, const void *b, void *names)
{
	const struct spelling *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return strcmp((const char *) names + x->name, (const char *) names + y->name);
}

static int add_name(void *arg, const char *name, size_t len)
{
	struct fold_table *t = arg;
	char folded[FOLDED_BYTES];

	if (t->n == t->size) {
		size_t size = MAX(t->size * 2, (size_t) 64);
		struct spelling *v = reallocarray(t->v, size, sizeof(*v));

		if (!v)
			return -ENOMEM;
		t->v = v;
		t->size = size;
	}
	if (t->names_len + len + 1 > t->names_size) {
		size_t size = MAX(t->names_size * 2, t->names_len + 4096);
		char *v = size <= UINT32_MAX ? realloc(t->names, size) : NULL;

		if (!v)
			return -ENOMEM;
		t->names = v;
		t->names_size = size;
	}
	memcpy(t->names + t->names_len, name, len + 1);
	t->v[t->n++] = (struct spelling) { .hash = hash(folded, fold(name, folded)), .name = (uint32_t) t->names_len };
	t->names_len += len + 1;
	return 0;
}

static int fill(struct overlay *ov, struct node *dir, struct fold_table *t)
{
	int r = listing_each(ov, dir, add_name, t);

	if (r == 0 && t->n > 0)
		qsort_r(t->v, t->n, sizeof(*t->v), compare, t->names);
	return r;
}

/* The first of those that have the same folded name. */
static const char *search(const struct fold_table *t, const char *name)
{
	char wanted[FOLDED_BYTES], folded[FOLDED_BYTES];
	size_t len = fold(name, wanted), low = 0, high = t->n;
	uint64_t h = hash(wanted, len);

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (t->v[mid].hash < h)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < t->n && t->v[low].hash == h; low++) {
		const char *candidate = t->names + t->v[low].name;

		if (fold(candidate, folded) == len && memcmp(folded, wanted, len) == 0)
			return candidate;
	}
	return NULL;
}

/* versions */

static int64_t to_ns(struct statx_timestamp t)
{
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static int version_of_place(struct overlay *ov, struct node *dir, const struct place *p, struct version *v)
{
	struct statx stx;
	DIRFD(d, ov);
	int r;

	if (filter_shows_nothing(p->filter))
		return 0;
	r = dirfd_get(ov, dir, p->layer, &d.d);
	if (r == 0)
		r = io_statx(ov->io, d.d->fd, NULL, STATX_INO | STATX_MTIME | STATX_CTIME, &stx);
	if (r < 0)
		return r;
	v->sum = mix(mix(mix(v->sum, stx.stx_ino), (uint64_t) to_ns(stx.stx_mtime)), (uint64_t) to_ns(stx.stx_ctime));
	v->newest_ns = MAX(v->newest_ns, to_ns(stx.stx_mtime));
	v->newest_ns = MAX(v->newest_ns, to_ns(stx.stx_ctime));
	return 0;
}

static int version_of(struct overlay *ov, struct node *dir, struct version *ret)
{
	struct place places[MAX_LAYERS];
	size_t n = 0;
	int r = 0;

	*ret = (struct version) { .stamp = rules_now(ov)->stamp };
	{
		SCOPE_LOCK(&node_shard(ov, dir)->lock);
		for (; n < dir->places->n; n++)
			places[n] = dir->places->v[n]; /* of these only what does not need the lock */
	}
	for (size_t i = 0; i < n && r == 0; i++)
		r = version_of_place(ov, dir, &places[i], ret);
	return r;
}

static bool same_version(const struct version *a, const struct version *b)
{
	return a->sum == b->sum && a->stamp == b->stamp;
}

/* Long enough ago that a change since then would have another time. */
static bool is_settled(const struct version *v)
{
	struct timespec now;

	(void) clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec - v->newest_ns > CLOCK_COARSE_NS;
}

/* the cache */

/* 1 found, 0 not there, -EAGAIN: what is kept, if anything, is of no use. */
static int ask_cache(struct fold_cache *c, uint64_t dir_id, const struct version *now, const char *name, char ret[static NAME_BYTES])
{
	SCOPE_LOCK(&c->lock);
	for (size_t i = 0; i < N_TABLES; i++) {
		struct fold_table *t = &c->tables[i];
		const char *found;

		if (t->dir_id != dir_id)
			continue;
		if (!same_version(&t->version, now))
			break;
		t->used = ++c->clock;
		found = search(t, name);
		if (found)
			(void) strcpy(ret, found);
		return found != NULL;
	}
	return -EAGAIN;
}

/* The table is taken. */
static void keep(struct fold_cache *c, struct fold_table *fresh)
{
	struct fold_table old;
	{
		SCOPE_LOCK(&c->lock);
		struct fold_table *to = &c->tables[0];

		for (size_t i = 0; i < N_TABLES; i++) {
			if (c->tables[i].dir_id == fresh->dir_id) {
				to = &c->tables[i];
				break;
			}
			if (c->tables[i].used < to->used)
				to = &c->tables[i];
		}
		old = *to;
		*to = *fresh;
		to->used = ++c->clock;
	}
	table_done(&old);
}

static int read_names(struct overlay *ov, struct node *dir, const struct version *now, const char *name, char ret[static NAME_BYTES])
{
	struct fold_table t = { .dir_id = dir->id, .version = *now };
	const char *found = NULL;
	int r = fill(ov, dir, &t);

	if (r == 0)
		found = search(&t, name);
	if (found)
		(void) strcpy(ret, found);
	if (r == 0 && is_settled(now))
		keep(ov->folds, &t);
	else
		table_done(&t);
	return r < 0 ? r : found != NULL;
}

int spell_other(struct overlay *ov, struct node *dir, const char *name, char ret[static NAME_BYTES])
{
	struct version now;
	int r;

	if (!ov->fold || !S_ISDIR(dir->type) || strlen(name) >= NAME_BYTES)
		return 0;
	r = version_of(ov, dir, &now);
	if (r < 0)
		return r;
	r = ask_cache(ov->folds, dir->id, &now, name, ret);
	if (r == -EAGAIN)
		r = read_names(ov, dir, &now, name, ret);
	return r == 1 && strcmp(ret, name) == 0 ? 0 : r;
}

const char *spell_real(struct overlay *ov, struct node *dir, const char *name, char buf[static NAME_BYTES])
{
	FOUND(f);

	if (!ov->fold || look_check_name(name) < 0 || look_exact(ov, dir, name, &f) < 0 || f.exists || f.hidden)
		return name;
	return spell_other(ov, dir, name, buf) == 1 ? buf : name;
}
