#pragma once

/*
 * A view that keeps no sandbox has one for as long as it lasts: what its policy refuses is recorded there, and commands find it by its
 * mount point.
 */

struct box;
struct layers;
struct sandbox;

/*
 * Makes the sandbox, ephemeral and locked; the caller frees it before box_done(). Masks the store in the layers. NULL: there is no place for
 * one, which was said on stderr. As with a disk that is full later, that stops the log and not the view.
 */
struct sandbox *place_open(struct box *b, const char *mount_point, struct layers *l);
