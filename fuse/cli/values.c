/*
 * Values of options. Maps of ids are written in two ways: with commas between the ranges, as people do, and with colons all along,
 * as container engines do, for whom a comma ends the option. The order in a range is that of fuse-overlayfs: first the id in the
 * layer, then what it is in the view. (Engines call the first "container" and the second "host": their view is for a container
 * whose user namespace turns the one into the other.)
 */

#include "fuse/cli/values.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fuse/problem.h"
#include "overlay/overlay.h"

/* Digits only, no more than 32 bits; *p is moved behind them. */
static bool take_number(const char **p, uint32_t *ret)
{
	uint64_t n = 0;
	const char *s = *p;

	for (; *s >= '0' && *s <= '9' && n <= UINT32_MAX; s++)
		n = n * 10 + (uint64_t) (*s - '0');
	if (s == *p || n > UINT32_MAX)
		return false;
	*p = s;
	*ret = (uint32_t) n;
	return true;
}

int value_id(const char *what, const char *text, uint32_t *ret, struct problem *p)
{
	const char *rest = text;
	uint32_t id;

	if (!take_number(&rest, &id) || *rest)
		return problem_usage(p, what, "'%s' is not a numeric id", text);
	if (id == OVERLAY_NO_ID)
		return problem_usage(p, what, "'%s': ids end at 4294967294", text);
	*ret = id;
	return 0;
}

static bool take_range(const char **p, struct overlay_id_range *ret)
{
	uint32_t *const numbers[] = { &ret->layer, &ret->view, &ret->count };

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		if (i > 0 && *(*p)++ != ':')
			return false;
		if (!take_number(p, numbers[i]))
			return false;
	}
	return true;
}

int value_id_map(const char *what, const char *text, struct overlay_ids *to, struct problem *p)
{
	const char *rest = text;

	for (;;) {
		struct overlay_ids only_ranges;
		struct overlay_id_range range, *v;
		const char *fault;

		if (!take_range(&rest, &range) || (*rest && *rest != ',' && *rest != ':'))
			return problem_usage(p, what, "'%s' is not LAYER:VIEW:COUNT[,LAYER:VIEW:COUNT…]", text);
		v = reallocarray(to->ranges, to->n_ranges + 1, sizeof(*v));
		if (!v)
			return problem_errno(p, -ENOMEM, what);
		v[to->n_ranges++] = range;
		to->ranges = v;
		only_ranges = (struct overlay_ids) { .ranges = to->ranges, .n_ranges = to->n_ranges };
		fault = overlay_ids_fault(&only_ranges);
		if (fault)
			return problem_usage(p, what, "'%s': %s, at %u:%u:%u", text, fault, range.layer, range.view, range.count);
		if (!*rest++)
			return 0;
	}
}

int value_time_gran(const char *what, const char *text, uint32_t *ret_ns, struct problem *p)
{
	static const struct {
		const char *unit;
		uint32_t ns;
	} units[] = { { "ns", 1 }, { "us", 1000 }, { "ms", 1000000 }, { "s", 1000000000 } };
	const char *rest = text;
	uint32_t n;

	/* 1, 10 and 100, but of a second 1 only */
	if (take_number(&rest, &n) && (n == 1 || n == 10 || n == 100))
		for (size_t i = 0; i < ARRAY_SIZE(units); i++)
			if (strcmp(rest, units[i].unit) == 0 && n <= 1000000000 / units[i].ns) {
				*ret_ns = n * units[i].ns;
				return 0;
			}
	(void) problem_usage(p, what, "'%s' is not a step of time", text);
	return problem_hint(p, -EINVAL, "1ns, 10ns, 100ns, 1us, 10us, 100us, 1ms, 10ms, 100ms or 1s");
}
