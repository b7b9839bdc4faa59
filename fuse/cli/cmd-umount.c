/* osfuse umount */

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <string.h>

#include "fuse/cli/cmd.h"
#include "fuse/mounted.h"
#include "fuse/problem.h"

static const struct option options[] = {
	{ "lazy", no_argument, NULL, 'l' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 }
};

static int run(int argc, char **argv, struct problem *p)
{
	bool lazy = false;
	int opt, r = 0;

	optind = 0;
	opterr = 0;
	for (;;) {
		int was = optind > 0 ? optind : 1;

		opt = getopt_long(argc, argv, ":lh", options, NULL);
		if (opt < 0)
			break;
		if (opt == 'h')
			return cmd_help(&cmd_umount);
		if (opt != 'l')
			return cmd_bad_option(opt, argv, was, p);
		lazy = true;
	}
	if (optind >= argc)
		return problem_usage(p, "MOUNTPOINT|NAME", "missing");
	for (int i = optind; r == 0 && i < argc; i++) {
		_cleanup_free_ char *mount_point = NULL;

		r = mounted_find(argv[i], &mount_point, p);
		if (r == 0)
			r = mounted_end(mount_point, lazy, p);
	}
	return r;
}

const struct command cmd_umount = {
	.name = "umount",
	.arguments = "[--lazy] MOUNTPOINT|NAME...",
	.summary = "unmount a view; its changes are kept",
	.help = "Returns when the view's daemon has ended, so that it can be mounted again at once.\n"
		"A mount whose daemon was killed is cleared away.\n"
		"\n"
		"  -l, --lazy   detach now, even if in use; it ends when the last user does\n"
		"  -h, --help   this text\n",
	.run = run,
};
