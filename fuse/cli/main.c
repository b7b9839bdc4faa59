/* The osfuse program: finds the command and prints what went wrong. */

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "fuse/cli/cmd.h"
#include "fuse/cli/options.h"
#include "fuse/problem.h"

static const struct command *const commands[] = { &cmd_mount, &cmd_umount, &cmd_list, &cmd_log, &cmd_policy };

static void usage(FILE *f)
{
	(void) fprintf(f, "usage: osfuse COMMAND [ARGUMENTS]\n\n"
			  "A copy-on-write view of the system: programs work in it, the machine stays as it is.\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		(void) fprintf(f, "  %-8s %s\n", commands[i]->name, commands[i]->summary);
	(void) fprintf(f, "\n'osfuse COMMAND --help' and 'man osfuse-COMMAND' say more. Also: --help, --version.\n");
}

int cmd_help(const struct command *cmd)
{
	(void) printf("usage: osfuse %s %s\n\n%s", cmd->name, cmd->arguments, cmd->help);
	return 0;
}

int cmd_bad_option(int opt, char *const *argv, int index, struct problem *p)
{
	return problem_usage(p, argv[index], opt == ':' ? "needs a value" : "unknown option");
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

/* How many letters to change, add or leave out; names are short. */
static unsigned int distance(const char *a, const char *b)
{
	unsigned int row[32];
	size_t n = strlen(b);

	if (n >= ARRAY_SIZE(row))
		return ARRAY_SIZE(row);
	for (size_t j = 0; j <= n; j++)
		row[j] = (unsigned int) j;
	for (size_t i = 1; a[i - 1]; i++) {
		unsigned int diagonal = row[0];

		row[0] = (unsigned int) i;
		for (size_t j = 1; j <= n; j++) {
			unsigned int above = row[j], skip = MIN(above, row[j - 1]) + 1;

			row[j] = MIN(skip, diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[n];
}

static int unknown_command(const char *name, struct problem *p)
{
	const struct command *best = NULL;
	unsigned int best_distance = 3; /* more is no typing mistake, and neither is half of a name */

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		unsigned int d = distance(name, commands[i]->name);

		if ((d < best_distance && d <= strlen(commands[i]->name) / 2) ||
		    strncmp(commands[i]->name, name, strlen(name)) == 0) {
			best = commands[i];
			best_distance = d;
		}
	}
	(void) problem_usage(p, name, "unknown command");
	if (best)
		return problem_hint(p, -EINVAL, "did you mean 'osfuse %s'?", best->name);
	return problem_hint(p, -EINVAL, "'osfuse --help' lists the commands");
}

static int dispatch(int argc, char **argv, struct problem *p)
{
	const struct command *cmd = argc > 1 ? find_command(argv[1]) : NULL;
	int r;

	if (argc > 0 && strncmp(strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0], "mount.", 6) == 0)
		return cmd_mount_helper(argc, argv, p);
	if (argc < 2) {
		usage(stderr);
		return 2;
	}
	if (cmd) {
		r = cmd->run(argc - 1, argv + 1, p);
		if (r < 0 && p->usage && p->text[0] && !p->hint[0])
			return problem_hint(p, r, "osfuse %s --help", cmd->name);
		return r;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		usage(stdout);
		return 0;
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		(void) puts("osfuse " PACKAGE_VERSION);
		return 0;
	}
	if (options_is_helper(argc, argv))
		return cmd_mount_helper(argc, argv, p);
	if (argv[1][0] == '-') {
		(void) problem_usage(p, argv[1], "unknown option");
		return problem_hint(p, -EINVAL, "osfuse --help");
	}
	return unknown_command(argv[1], p);
}

/* Whatever was to be said has been only when it is written. */
static int finish(int r, struct problem *p)
{
	if (r < 0 || (fflush(stdout) == 0 && !ferror(stdout)))
		return r;
	return problem_errno(p, errno ? -errno : -EIO, "standard output");
}

int main(int argc, char **argv)
{
	struct problem p = { 0 };
	int r = finish(dispatch(argc, argv, &p), &p);

	if (r >= 0)
		return r;
	if (p.text[0])
		problem_print(&p);
	return problem_exit_status(&p);
}
