#pragma once

/* The commands of the program. Each parses its arguments, calls one function that does the work, and prints. */

struct problem;

struct command {
	const char *name;
	const char *arguments; /* as in "osfuse NAME ARGUMENTS" */
	const char *summary;   /* half a line */
	const char *help;      /* what --help shows below the first line */
	/* argv[0] is the command's name. Exit status; negative: failed, and p says why. */
	int (*run)(int argc, char **argv, struct problem *p);
};

extern const struct command cmd_mount, cmd_umount, cmd_list, cmd_log, cmd_policy;

/* Called as mount(8) calls its helpers. */
int cmd_mount_helper(int argc, char **argv, struct problem *p);

/* Prints the command's --help; returns 0. */
int cmd_help(const struct command *cmd);
/* For commands whose only options are long ones and -h: what getopt_long() did not like. */
int cmd_bad_option(int opt, char *const *argv, int index, struct problem *p);
