#pragma once

/* Values of extended attributes that have ids in them: ACLs, and capabilities of files. For views with mapped ids. */

#include "overlay/spot.h"

bool idvalue_is(const char *attr);
/* As getxattr(2), with the view's ids. */
ssize_t idvalue_get(struct overlay *ov, const struct spot *s, const char *attr, void *buf, size_t size);
/* The value with the layers' ids, in memory of its own. -EINVAL: the layers have no id for one of them. */
int idvalue_to_layer(struct overlay *ov, const char *attr, const void *value, size_t size, void **ret, size_t *ret_size);
