/* See moving.h. A move takes microseconds, or a disk access: sleeping a little costs nobody anything. */

#include "overlay/moving.h"

#include <time.h>

bool moving_wait(struct overlay *ov, uint64_t since)
{
	const struct timespec moment = { .tv_nsec = 20000 };
	bool moving = false;

	while (atomic_load(&ov->n_moving) > 0 && atomic_load(&ov->n_moved) == since) {
		moving = true;
		(void) nanosleep(&moment, NULL);
	}
	return moving || atomic_load(&ov->n_moved) != since;
}
