/*
 * Slots in chunks that double in size and never move, so that a look-up needs no lock:
 *
 *   chunk 0: slots 0-63, chunk 1: 64-191, chunk 2: 192-447, …
 *
 * An id is generation << 32 | index. A slot's generation is raised when it is given out and when it is given back:
 * odd is in use. Freed slots are used again, last first.
 */

#include <pthread.h>
#include <stdatomic.h>

#include "base/lock.h"
#include "fuse/handle.h"

#define FIRST_CHUNK 64u
#define N_CHUNKS 18u /* 16.7 million slots: a limit for what a user can make us allocate */
#define NO_SLOT UINT32_MAX

struct slot {
	_Atomic(void *) object;	      /* written before generation becomes odd */
	_Atomic uint32_t generation;  /* release in add and remove, acquire in get */
	_Atomic enum handle_kind kind; /* as object */
	uint32_t next_free;	      /* guarded by handles->lock */
};

struct handles {
	_Atomic(struct slot *) chunks[N_CHUNKS]; /* set once, under lock; release, acquire in find_slot() */
	pthread_mutex_t lock;
	uint32_t n_slots;    /* guarded by lock: slots ever used */
	uint32_t first_free; /* guarded by lock */
	uint32_t take_from;  /* guarded by lock: no slot before it is in use; for handles_take() only */
};

static unsigned int chunk_of(uint32_t index, uint32_t *ret_offset)
{
	uint32_t n = index / FIRST_CHUNK + 1;
	unsigned int k = 31u - (unsigned int) __builtin_clz(n);

	*ret_offset = index - FIRST_CHUNK * ((1u << k) - 1);
	return k;
}

static struct slot *find_slot(struct handles *h, uint32_t index)
{
	uint32_t offset;
	unsigned int k = chunk_of(index, &offset);
	struct slot *chunk = k < N_CHUNKS ? atomic_load_explicit(&h->chunks[k], memory_order_acquire) : NULL;

	return chunk ? chunk + offset : NULL;
}

int handles_new(struct handles **ret)
{
	struct handles *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	(void) pthread_mutex_init(&h->lock, NULL); /* cannot fail without attributes */
	h->first_free = NO_SLOT;
	*ret = h;
	return 0;
}

struct handles *handles_free(struct handles *h)
{
	if (!h)
		return NULL;
	for (unsigned int k = 0; k < N_CHUNKS; k++)
		free(atomic_load_explicit(&h->chunks[k], memory_order_relaxed));
	(void) pthread_mutex_destroy(&h->lock);
	free(h);
	return NULL;
}

/* Under lock. */
static int slot_alloc(struct handles *h, uint32_t *ret_index)
{
	uint32_t index = h->first_free, offset;
	unsigned int k;

	if (index != NO_SLOT) {
		h->first_free = find_slot(h, index)->next_free;
		*ret_index = index;
		return 0;
	}

	k = chunk_of(h->n_slots, &offset);
	if (k >= N_CHUNKS)
		return -ENFILE;
	if (offset == 0) {
		struct slot *chunk = calloc(FIRST_CHUNK << k, sizeof(*chunk));

		if (!chunk)
			return -ENOMEM;
		atomic_store_explicit(&h->chunks[k], chunk, memory_order_release);
	}
	*ret_index = h->n_slots++;
	return 0;
}

int handles_add(struct handles *h, enum handle_kind kind, void *object, uint64_t *ret_id)
{
	SCOPE_LOCK(&h->lock);
	struct slot *s;
	uint32_t index, generation;
	int r;

	r = slot_alloc(h, &index);
	if (r < 0)
		return r;

	s = find_slot(h, index);
	h->take_from = MIN(h->take_from, index);
	generation = atomic_load_explicit(&s->generation, memory_order_relaxed) + 1;
	atomic_store_explicit(&s->object, object, memory_order_relaxed);
	atomic_store_explicit(&s->kind, kind, memory_order_relaxed);
	atomic_store_explicit(&s->generation, generation, memory_order_release);
	*ret_id = (uint64_t) generation << 32 | index;
	return 0;
}

void *handles_get(struct handles *h, enum handle_kind kind, uint64_t id)
{
	uint32_t generation = (uint32_t) (id >> 32);
	struct slot *s = find_slot(h, (uint32_t) id);

	if (!s || generation % 2 == 0 || atomic_load_explicit(&s->generation, memory_order_acquire) != generation ||
	    atomic_load_explicit(&s->kind, memory_order_relaxed) != kind)
		return NULL;
	return atomic_load_explicit(&s->object, memory_order_relaxed);
}

/* Under lock. */
static void *slot_clear(struct handles *h, struct slot *s, uint32_t index)
{
	void *object = atomic_load_explicit(&s->object, memory_order_relaxed);

	atomic_fetch_add_explicit(&s->generation, 1, memory_order_release);
	atomic_store_explicit(&s->kind, HANDLE_NONE, memory_order_relaxed);
	atomic_store_explicit(&s->object, NULL, memory_order_relaxed);
	s->next_free = h->first_free;
	h->first_free = index;
	return object;
}

void *handles_remove(struct handles *h, enum handle_kind kind, uint64_t id)
{
	SCOPE_LOCK(&h->lock);
	struct slot *s = find_slot(h, (uint32_t) id);

	if (!s || !handles_get(h, kind, id))
		return NULL;
	return slot_clear(h, s, (uint32_t) id);
}

void *handles_take(struct handles *h, enum handle_kind *ret_kind)
{
	SCOPE_LOCK(&h->lock);

	for (; h->take_from < h->n_slots; h->take_from++) {
		struct slot *s = find_slot(h, h->take_from);

		if (atomic_load_explicit(&s->generation, memory_order_relaxed) % 2 == 0)
			continue;
		*ret_kind = atomic_load_explicit(&s->kind, memory_order_relaxed);
		return slot_clear(h, s, h->take_from);
	}
	return NULL;
}
