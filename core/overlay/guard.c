/* See guard.h. There are a few for each file that a policy is read from, and only where a rule says rw are they looked through. */

#include "overlay/guard.h"

#include <errno.h>
#include <string.h>

#include "base/fold.h"

int guards_copy(const struct overlay_guards *guards, struct overlay_guards **ret)
{
	size_t n = guards ? guards->n : 0, size = sizeof(**ret) + n * sizeof(guards->v[0]);
	struct overlay_guards *copy;
	struct overlay_guard *v;
	char *text;

	for (size_t i = 0; i < n; i++)
		size += guards->v[i].name ? strlen(guards->v[i].name) + 1 : 0;
	copy = malloc(size);
	if (!copy)
		return -ENOMEM;
	v = (struct overlay_guard *) (copy + 1);
	text = (char *) (v + n);
	for (size_t i = 0; i < n; i++) {
		v[i] = guards->v[i];
		if (!v[i].name)
			continue;
		v[i].name = strcpy(text, v[i].name);
		text += strlen(text) + 1;
	}
	*copy = (struct overlay_guards) { .v = v, .n = n };
	*ret = copy;
	return 0;
}

static bool is_same_name(const char *a, const char *b)
{
	char x[FOLD_SIZE(NAME_BYTES)], y[FOLD_SIZE(NAME_BYTES)];
	size_t n = fold_name(a, strlen(a), x, sizeof(x));

	return strcmp(a, b) == 0 || (n > 0 && fold_name(b, strlen(b), y, sizeof(y)) == n && memcmp(x, y, n) == 0);
}

bool guards_have(const struct overlay_guards *guards, dev_t dev, uint64_t ino)
{
	for (size_t i = 0; i < guards->n; i++)
		if (guards->v[i].ino == ino && guards->v[i].dev == dev)
			return true;
	return false;
}

bool guards_have_name(const struct overlay_guards *guards, dev_t dev, uint64_t ino, const char *name)
{
	for (size_t i = 0; i < guards->n; i++) {
		const struct overlay_guard *g = &guards->v[i];

		if (g->ino == ino && g->dev == dev && g->name && is_same_name(g->name, name))
			return true;
	}
	return false;
}
