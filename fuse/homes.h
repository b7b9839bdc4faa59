#pragma once

/*
 * Where people have their homes on this machine, as policies speak of them. A home is written down in one way and reached in another: on the
 * way may be symbolic links, and what is looked up arrives where they lead. Rules have to hold there; and as it is spelled, for views of
 * other trees.
 */

#include <stdbool.h>
#include <stddef.h>

struct homes {
	char *own;  /* "~": $HOME, else what the account has; NULL: neither is absolute */
	char *user; /* the name of the account; NULL: it has none */
	char **all; /* "~*": patterns, NULL-terminated */
	size_t n;
	/* Private. */
	char *usual; /* where /home leads, if not there */
	bool links;  /* those in /home are among all */
	char *asked; /* see homes_of() */
};

int homes_init(struct homes *h); /* homes_done() also after a failure */
void homes_done(struct homes *h);
/* The home of another: kept until the next call. It is as the account has it if it is no absolute path. NULL: there is no such account. */
const char *homes_of(struct homes *h, const char *user);
/* Where the way to a home leads, if not there by itself: to be freed; else NULL. */
char *homes_real(const char *home);
