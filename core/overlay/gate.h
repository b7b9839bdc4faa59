#pragma once

/*
 * What the policy lets through. Every verb of the door asks here first: with a node, or with a name that it is about to look at, make
 * or take away. Refusals are reported, and so is what a log rule wants to know of.
 */

#include "overlay/judge.h"

enum gate_op {
	GATE_STAT, /* not reported: the kernel answers most of these itself */
	GATE_LOOK,
	GATE_LIST,
	GATE_READ,
	GATE_WRITE,
	GATE_EXEC,
	GATE_CREATE,
	GATE_MKDIR,
	GATE_REMOVE,
	GATE_RENAME,
	GATE_LINK,
	GATE_ATTR,
	GATE_XATTR_GET,
	GATE_XATTR_SET,
};

/* 0, or what the policy says: -ENOENT, -EACCES or the rule's errno, -EROFS. */
int gate_node(struct overlay *ov, const struct actor *who, enum gate_op op, struct node *n);
/* The same of a name. type: S_IFMT of what it is, or is to be. name: NULL: of a file that has none (yet). */
int gate_name(struct overlay *ov, const struct actor *who, enum gate_op op, struct node *dir, const char *name, mode_t type);
/*
 * The same of one of the two that a deed is about. A refusal is reported; that it was allowed is the caller's to report, as one, if log was
 * set: it is never cleared.
 */
int gate_half_node(struct overlay *ov, const struct actor *who, enum gate_op op, struct node *n, bool *log);
int gate_half_name(struct overlay *ov, const struct actor *who, enum gate_op op, struct node *dir, const char *name, mode_t type,
		   bool *log);

/*
 * Is it to be kept from being found at all? The kernel opens devices, pipes and sockets by itself, whatever their attributes are if
 * root asks it to: so one that is denied is not given to it, neither by a look-up nor, if it knows it already, with attributes.
 */
bool gate_shuts(const struct ruling *r, mode_t type);

/* Without asking anew, and without a report. */
int gate_decide(enum gate_op op, const struct ruling *r);

/* What was found out after the gate: reports it, if error is one or a log rule wants it, and returns error. */
int gate_report_node(struct overlay *ov, const struct actor *who, enum gate_op op, struct node *n, int error);
int gate_report_name(struct overlay *ov, const struct actor *who, enum gate_op op, struct node *dir, const char *name, mode_t type,
		     int error);
/* The same of two names: path2 is to blame. */
int gate_report_two(struct overlay *ov, const struct actor *who, enum gate_op op, struct node *dir, const char *name,
		    struct node *dir2, const char *name2, mode_t type, int error);
