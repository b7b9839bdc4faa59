/* See place.h. */

#include "overlay/place.h"

#include <errno.h>
#include <string.h>

/* Prepends "/component" to a path that is built from its end. */
static int prepend(char **at, const char *start, const char *component)
{
	size_t len = strlen(component);

	if ((size_t) (*at - start) < len + 1)
		return -EXDEV;
	*at -= len;
	memcpy(*at, component, len);
	if (component[0] != '/')
		*--*at = '/';
	return 0;
}

int place_path(struct overlay *ov, struct node *n, uint16_t layer, char buf[static META_PATH_MAX], char **ret)
{
	struct node *at = n;
	int r = 0;

	*ret = buf + META_PATH_MAX - 1;
	**ret = '\0';
	node_ref(at);
	while (at != ov->root && r == 0) {
		char name[NAME_BYTES], own[META_PATH_MAX] = "";
		struct node *up = node_parent(ov, at, name);

		{
			SCOPE_LOCK(&node_shard(ov, at)->lock);
			if (layer == LAYER_UPPER && at->ext && at->ext->redirect)
				(void) strcpy(own, at->ext->redirect);
			for (uint16_t i = 0; i < at->places->n; i++) {
				const struct place *p = &at->places->v[i];

				if (layer == LAYER_UPPER || p->layer != layer)
					continue;
				if (p->path)
					(void) strcpy(own, p->path);
				break;
			}
		}
		r = up ? prepend(ret, buf, own[0] ? own : name) : -EXDEV;
		(void) node_unref(ov, at);
		at = up;
		if (own[0] == '/')
			break;
	}
	(void) node_unref(ov, at);
	return r;
}
