/* See arena.h. Blocks grow with what is in use, so that a handful of rules costs one small block and many cost few large ones. */

#include "policy/arena.h"

#include <string.h>

#define FIRST_BYTES 1024
#define BLOCK_MAX_BYTES (256u << 10)
#define ALIGNMENT sizeof(void *)

struct arena_block {
	struct arena_block *older;
	char *end;
	char bytes[];
};

void *arena_take(struct arena *a, size_t size)
{
	struct arena_block *b = a->newest;
	char *p;

	if (size > SIZE_MAX / 2)
		return NULL;
	size = (size + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
	if (size > a->left) {
		size_t room = MAX(a->n_bytes, (size_t) FIRST_BYTES);

		room = MIN(room, (size_t) BLOCK_MAX_BYTES);
		room = MAX(room, size);
		b = malloc(sizeof(*b) + room);
		if (!b)
			return NULL;
		b->older = a->newest;
		b->end = b->bytes + room;
		a->newest = b;
		a->left = room;
		a->n_bytes += sizeof(*b) + room;
	}
	p = b->end - a->left;
	a->left -= size;
	return p;
}

char *arena_copy(struct arena *a, const char *s, size_t len)
{
	char *copy = arena_take(a, len + 1);

	if (!copy)
		return NULL;
	if (len > 0)
		memcpy(copy, s, len);
	copy[len] = '\0';
	return copy;
}

void arena_done(struct arena *a)
{
	for (struct arena_block *b = a->newest, *older; b; b = older) {
		older = b->older;
		free(b);
	}
	*a = (struct arena) { .newest = NULL };
}

void *array_room(void *v, size_t n, size_t *size, size_t element)
{
	size_t more = MAX(*size * 2, (size_t) 8);
	void *larger;

	if (n < *size)
		return v;
	larger = reallocarray(v, more, element);
	if (larger)
		*size = more;
	return larger;
}
