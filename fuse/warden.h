#pragma once

/*
 * The policy of a view while a daemon serves it: what it says is loaded before there is an overlay, what it refuses goes to the log,
 * and whoever asks over the control socket has it read again.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/macro.h"

struct overlay;
struct overlay_guards;
struct overlay_report;
struct policy;
struct problem;
struct sandbox;
struct sandbox_rule;
struct serve;
struct warden;

struct warden_config {
	const struct sandbox_rule *sources; /* borrowed until warden_free(); none: the default policy */
	size_t n_sources;
	const char *const *lowers; /* what the view shows, topmost first; borrowed so, too; NULL-terminated */
	bool none;  /* no policy at all, unless there are sources */
	int upper_fd; /* borrowed so, too; what is in there is changed by whoever changes anything. -EBADF: there is none */
	bool fold;  /* names are compared without regard to case */
	bool debug; /* what is refused is printed, too */
};

int warden_new(const struct warden_config *config, struct warden **ret, struct problem *p);
/* Once nothing calls warden_report() any more. */
struct warden *warden_free(struct warden *w);
DEFINE_CLEANUP(struct warden *, warden_free)

/* NULL: none. Borrowed. For the overlay's configuration, as is warden_report() with the warden as its argument. */
struct policy *warden_policy(const struct warden *w);
/* Does a rule of that have accesses recorded that were allowed? */
bool warden_logs(const struct warden *w);
const struct overlay_guards *warden_guards(struct warden *w);
/* There is a mount: from it no policy is read. */
void warden_set_own_dev(struct warden *w, dev_t dev);
void warden_report(void *warden, const struct overlay_report *r);

/*
 * Programs in the view put nothing else in the place of this directory, or of what leads to it, whatever the rules say. An absolute path, before
 * the view is mounted.
 */
int warden_keep(struct warden *w, const char *path, struct problem *p);

/* From here on there is a log, and the policy can be read again. Without a sandbox there is no place for either. */
int warden_attach(struct warden *w, struct sandbox *sandbox, struct overlay *ov, struct serve *serve, struct problem *p);
/* Before the overlay goes. */
void warden_detach(struct warden *w);
