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

/* Where the directory begins another path in the layer, if it does: "" not. With the shard locked. */
static int own_path(const struct node *n, uint16_t layer, char own[static META_PATH_MAX])
{
	const char *path = NULL;
	size_t len;

	if (layer == LAYER_UPPER && n->ext)
		path = n->ext->redirect;
	for (uint16_t i = 0; i < n->places->n && layer != LAYER_UPPER; i++) {
		if (n->places->v[i].layer == layer) {
			path = n->places->v[i].path;
			break;
		}
	}
	own[0] = '\0';
	if (!path)
		return 0;
	len = strlen(path);
	if (len >= META_PATH_MAX)
		return -EXDEV;
	memcpy(own, path, len + 1);
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
		char name[NAME_BYTES], own[META_PATH_MAX];
		struct node *up = node_parent(ov, at, name);

		{
			SCOPE_LOCK(&node_shard(ov, at)->lock);
			r = own_path(at, layer, own);
		}
		if (r == 0)
			r = up ? prepend(ret, buf, own[0] ? own : name) : -EXDEV;
		(void) node_unref(ov, at);
		at = up;
		if (own[0] == '/')
			break;
	}
	(void) node_unref(ov, at);
	return r;
}
