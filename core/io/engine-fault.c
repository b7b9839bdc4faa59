/*
 * The engine that fails on purpose. A test sets a kind, a count and an errno, runs a verb, and sees what it does when
 * the system call it counted to fails; then counts one further. Close is never failed for: the descriptor
 * would be lost, which no kernel does.
 */

#include "io/io.h"

#include <stdatomic.h>

struct fault_engine {
	struct io_engine engine;
	struct io_engine *inner; /* borrowed */
	enum io_kind kind;
	unsigned int count;
	int error;
	atomic_uint hits;
};

static bool fails(struct fault_engine *e, const struct io_op *op)
{
	if (op->kind == IO_CLOSE || (e->kind != IO_N_KINDS && e->kind != op->kind))
		return false;
	return atomic_fetch_add(&e->hits, 1) == e->count && e->error != 0;
}

static void fault_run(struct io_engine *engine, struct io_op *ops, size_t n)
{
	struct fault_engine *e = container_of(engine, struct fault_engine, engine);

	for (size_t i = 0; i < n; i++) {
		if (fails(e, &ops[i]))
			ops[i].res = -e->error;
		else
			io_run(e->inner, &ops[i], 1);
	}
}

static struct io_engine *fault_free(struct io_engine *engine)
{
	free(container_of(engine, struct fault_engine, engine));
	return NULL;
}

static const struct io_engine_ops fault_ops = {
	.name = "fault",
	.run = fault_run,
	.free = fault_free,
};

int io_engine_fault_new(struct io_engine *inner, struct io_engine **ret)
{
	struct fault_engine *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	e->engine.ops = &fault_ops;
	e->inner = inner;
	e->kind = IO_N_KINDS;
	*ret = &e->engine;
	return 0;
}

void io_engine_fault_set(struct io_engine *engine, enum io_kind kind, unsigned int count, int error)
{
	struct fault_engine *e = container_of(engine, struct fault_engine, engine);

	e->kind = kind;
	e->count = count;
	e->error = error;
	atomic_store(&e->hits, 0);
}

unsigned int io_engine_fault_hits(const struct io_engine *engine)
{
	const struct fault_engine *e = (const struct fault_engine *) (const void *) engine;

	return atomic_load(&e->hits);
}
