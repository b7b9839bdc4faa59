/*
 * See grams.h. Every glob with literal bytes in it is filed under one gram: up to four bytes in a row that a name has to have. Of all
 * grams of a glob it is the one that the fewest others have.
 *
 *     *.ext17    .ext ext1 [xt17]
 *     name4*     name [ame4]                  name: "a.ext17"
 *     *word2*    word [ord2]                  its grams: a.ex .ext ext1 xt17
 *                                                          │    │    │    │
 *     bloom   one bit for each gram in use                 0    1    0    1      most end here: one bit of a small table
 *     slots   gram ──> its entries                              -         ▼
 *     entries                                                   "*.ext17", at: 4 bytes before the end ──> glob_match()
 *
 * A gram with a fixed place says so, and a name that has it elsewhere goes on. What has no literal bytes ("?", "[0-9]*") is tried on
 * every name; so are all when there are only a few.
 */

#include "policy/grams.h"

#include <string.h>

#define FEW 6
#define GRAM_BYTES 4
#define ANYWHERE INT16_MAX
#define MIN_BITS 4
#define BLOOM_MORE_BITS 4 /* the bloom has 16 bits for a slot */

struct gram {
	uint32_t key; /* the first byte is the lowest; no name has a NUL, so lengths do not mix; 0: none */
	uint8_t len;
	int16_t at; /* from the start; negative: from the end; ANYWHERE */
};

struct entry {
	const struct glob *glob;
	uint32_t node;
	int16_t at;
};

struct slot {
	uint32_t key; /* 0: free */
	uint32_t first, n;
};

struct glob_set {
	const struct entry *entries; /* first those that are tried always, then gram by gram */
	const struct slot *slots;
	const uint64_t *bloom;
	uint32_t n_always;
	uint8_t bits;	 /* of a slot's number */
	uint8_t lengths; /* bit n: grams of n bytes are in use */
};

static uint32_t hash_gram(uint32_t key)
{
	return (key ^ key >> 15) * UINT32_C(0x9e3779b1); /* the highest bits are used */
}

/* The run of literal bytes in a part, from i. */
static size_t run_length(const struct glob_part *p, size_t i)
{
	size_t n = i;

	if (p->bytes)
		return p->len - i;
	while (n < p->len && p->ones[n] < ONE_ANY)
		n++;
	return n - i;
}

static uint32_t key_at(const struct glob_part *p, size_t i, size_t n)
{
	uint32_t key = 0;

	for (size_t k = 0; k < n; k++)
		key |= (p->bytes ? (uint32_t) (unsigned char) p->bytes[i + k] : p->ones[i + k]) << (8 * k);
	return key;
}

/* A walk over the grams of a glob: of each run those of four bytes; or the run itself, if it is shorter. */
struct gram_walk {
	const struct glob *glob;
	size_t part, i;
};

static bool next_gram(struct gram_walk *w, struct gram *ret)
{
	for (; w->part < w->glob->n_parts; w->part++, w->i = 0) {
		const struct glob_part *p = &w->glob->parts[w->part];

		while (w->i < p->len) {
			size_t n = run_length(p, w->i), i = w->i++;

			if (n == 0)
				continue;
			n = MIN(n, (size_t) GRAM_BYTES);
			*ret = (struct gram) { .key = key_at(p, i, n), .len = (uint8_t) n, .at = ANYWHERE };
			if (w->part == 0 && !w->glob->open_start)
				ret->at = (int16_t) i;
			else if (w->part + 1u == w->glob->n_parts && !w->glob->open_end)
				ret->at = (int16_t) ((int) i - p->len);
			if (n < GRAM_BYTES || run_length(p, w->i) < GRAM_BYTES) {
				/* The tails of a run are in its last gram already. */
				w->i += run_length(p, w->i);
			}
			return true;
		}
	}
	return false;
}

/* How often grams occur. Two that share a counter only look more frequent than they are. */
struct counters {
	uint32_t *v;
	uint8_t bits;
};

static uint32_t *counter(const struct counters *c, uint32_t key)
{
	return &c->v[hash_gram(key) >> (32 - c->bits)];
}

static uint8_t bits_for(size_t n)
{
	uint8_t bits = MIN_BITS;

	while (bits < 26 && (size_t) 1 << bits < n)
		bits++;
	return bits;
}

static int count_grams(const struct glob_child *v, size_t n, struct counters *ret)
{
	ret->bits = bits_for(n * 8);
	ret->v = calloc((size_t) 1 << ret->bits, sizeof(*ret->v));
	if (!ret->v)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct gram_walk w = { .glob = v[i].glob };
		struct gram g;

		while (next_gram(&w, &g))
			++*counter(ret, g.key);
	}
	return 0;
}

/* The rarest; of several the longest, and one that has a place. */
static struct gram choose(const struct glob *glob, const struct counters *c)
{
	struct gram_walk w = { .glob = glob };
	struct gram best = { .key = 0 }, g;
	uint32_t least = UINT32_MAX;

	while (next_gram(&w, &g)) {
		uint32_t n = *counter(c, g.key);

		if (n > least || (n == least && g.len < best.len) ||
		    (n == least && g.len == best.len && (best.at != ANYWHERE || g.at == ANYWHERE)))
			continue;
		best = g;
		least = n;
	}
	return best;
}

static struct slot *find_slot(struct slot *slots, uint8_t bits, uint32_t key)
{
	uint32_t mask = (UINT32_C(1) << bits) - 1, i = hash_gram(key) >> (32 - bits);

	while (slots[i].key != 0 && slots[i].key != key)
		i = (i + 1) & mask;
	return &slots[i];
}

/* What glob_set_new() fills in. */
struct tables {
	struct entry *entries;
	struct slot *slots;
	uint64_t *bloom;
};

static int tables_take(struct arena *a, size_t n, uint8_t bits, struct tables *ret)
{
	size_t n_slots = (size_t) 1 << bits, n_bloom = (n_slots << BLOOM_MORE_BITS) / 64;

	ret->entries = arena_take(a, n * sizeof(*ret->entries));
	ret->slots = arena_take(a, n_slots * sizeof(*ret->slots));
	ret->bloom = arena_take(a, n_bloom * sizeof(*ret->bloom));
	if (!ret->entries || !ret->slots || !ret->bloom)
		return -ENOMEM;
	memset(ret->slots, 0, n_slots * sizeof(*ret->slots));
	memset(ret->bloom, 0, n_bloom * sizeof(*ret->bloom));
	return 0;
}

/* Counts, gives every slot its stretch of the entries, and fills it. */
static void file_all(struct glob_set *s, struct tables *t, const struct glob_child *v, const struct gram *grams, size_t n)
{
	uint32_t first = 0, always = 0;

	for (size_t i = 0; i < n; i++) {
		struct slot *slot = find_slot(t->slots, s->bits, grams[i].key);
		uint32_t bit = hash_gram(grams[i].key) >> (32 - s->bits - BLOOM_MORE_BITS);

		if (grams[i].key == 0) {
			first++;
			continue;
		}
		slot->key = grams[i].key;
		slot->n++;
		t->bloom[bit / 64] |= UINT64_C(1) << bit % 64;
		s->lengths |= (uint8_t) (1 << grams[i].len);
	}
	s->n_always = first;
	for (size_t i = 0; i < (size_t) 1 << s->bits; i++) {
		t->slots[i].first = first;
		first += t->slots[i].n;
		t->slots[i].n = 0;
	}
	for (size_t i = 0; i < n; i++) {
		struct slot *slot = grams[i].key ? find_slot(t->slots, s->bits, grams[i].key) : NULL;
		uint32_t to = slot ? slot->first + slot->n++ : always++;

		t->entries[to] = (struct entry) { .glob = v[i].glob, .node = v[i].node, .at = grams[i].at };
	}
}

int glob_set_new(struct arena *a, const struct glob_child *v, size_t n, struct glob_set **ret)
{
	_cleanup_free_ struct gram *grams = calloc(n, sizeof(*grams));
	_cleanup_free_ uint32_t *counts = NULL;
	struct glob_set *s = arena_take(a, sizeof(*s));
	struct counters c = { .v = NULL };
	struct tables t;
	int r;

	if (!grams || !s)
		return -ENOMEM;
	if (n > FEW) {
		r = count_grams(v, n, &c);
		if (r < 0)
			return r;
		counts = c.v;
		for (size_t i = 0; i < n; i++)
			grams[i] = choose(v[i].glob, &c);
	}
	*s = (struct glob_set) { .bits = n > FEW ? bits_for(n * 2) : MIN_BITS };
	r = tables_take(a, n, s->bits, &t);
	if (r < 0)
		return r;
	file_all(s, &t, v, grams, n);
	s->entries = t.entries;
	s->slots = t.slots;
	s->bloom = t.bloom;
	*ret = s;
	return 0;
}

/* What is filed under a gram that the name has, from start; the bloom has let it pass. */
static void try_gram(const struct glob_set *s, uint32_t key, int start, const char *name, size_t len,
		     void (*fn)(void *arg, uint32_t node), void *arg)
{
	uint32_t mask = (UINT32_C(1) << s->bits) - 1, i = hash_gram(key) >> (32 - s->bits);

	while (s->slots[i].key != key) {
		if (s->slots[i].key == 0)
			return;
		i = (i + 1) & mask;
	}
	for (uint32_t k = 0; k < s->slots[i].n; k++) {
		const struct entry *e = &s->entries[s->slots[i].first + k];

		if (e->at != ANYWHERE && e->at != start && e->at != start - (int) len)
			continue;
		if (glob_match(e->glob, name, len))
			fn(arg, e->node);
	}
}

/* The grams of n bytes: nearly all of what a name costs where there are many globs. */
static void find_length(const struct glob_set *s, unsigned int n, const char *name, size_t len,
			void (*fn)(void *arg, uint32_t node), void *arg)
{
	unsigned int bloom_shift = 32 - s->bits - BLOOM_MORE_BITS, key_shift = 32 - 8 * n;
	const uint64_t *bloom = s->bloom;
	uint32_t window = 0;

	for (size_t i = 0; i < n - 1; i++)
		window = window >> 8 | (uint32_t) (unsigned char) name[i] << 24;
	for (size_t i = n - 1; i < len; i++) {
		uint32_t key, bit;

		window = window >> 8 | (uint32_t) (unsigned char) name[i] << 24;
		key = window >> key_shift;
		bit = hash_gram(key) >> bloom_shift;
		if (bloom[bit / 64] >> bit % 64 & 1)
			try_gram(s, key, (int) (i - n) + 1, name, len, fn, arg);
	}
}

void glob_set_find(const struct glob_set *s, const char *name, size_t len, void (*fn)(void *arg, uint32_t node), void *arg)
{
	for (uint32_t i = 0; i < s->n_always; i++)
		if (glob_match(s->entries[i].glob, name, len))
			fn(arg, s->entries[i].node);
	for (unsigned int n = 1; n <= GRAM_BYTES; n++)
		if (s->lengths >> n & 1 && len >= n)
			find_length(s, n, name, len, fn, arg);
}
