/* osfuse mount */

#include "fuse/cli/cmd.h"
#include "fuse/cli/options.h"
#include "fuse/launch.h"
#include "fuse/problem.h"

static int run(int argc, char **argv, struct problem *p)
{
	struct launch_config c = { 0 };
	int r = options_mount(argc, argv, &c, p);

	if (r == 0)
		r = launch(&c, p);
	else if (r == 1)
		r = cmd_help(&cmd_mount);
	launch_config_done(&c);
	return r;
}

int cmd_mount_helper(int argc, char **argv, struct problem *p)
{
	struct launch_config c = { 0 };
	int r = options_helper(argc, argv, mount_privileged(), &c, p);

	if (r == 0)
		r = launch(&c, p);
	else if (r == 1)
		r = cmd_help(&cmd_mount);
	launch_config_done(&c);
	return r;
}

const struct command cmd_mount = {
	.name = "mount",
	.arguments = "[OPTIONS] MOUNTPOINT",
	.summary = "mount a view; returns when it is usable",
	.help = "Shows the lower directories at MOUNTPOINT. Changes go to the upper; the lower stays as it is.\n"
		"\n"
		"What is shown\n"
		"  --lower DIR[:DIR...]  the directories below, topmost first (default: /)\n"
		"  --read-only           refuse changes\n"
		"  --case insensitive    find names in any case; new ones keep theirs\n"
		"\n"
		"How things look\n"
		"  --squash-uid ID       all things belong to this user\n"
		"  --squash-gid ID       all things belong to this group\n"
		"  --uidmap LAYER:VIEW:COUNT[,...]  users of the layers are others in the view\n"
		"  --gidmap LAYER:VIEW:COUNT[,...]  the same of groups\n"
		"  --time-gran TIME      steps of times: 1ns, 10ns ... 100ms, 1s\n"
		"\n"
		"Where changes go\n"
		"  --name NAME           the sandbox that keeps them (default: from the mount point)\n"
		"  --upper DIR           this directory instead\n"
		"  --work DIR            scratch space on the upper's file system (default: UPPER.osfuse-work)\n"
		"  --ephemeral           nowhere: they go away with the mount\n"
		"\n"
		"What programs may do in it (later ones win; 'man 5 osfuse-policy')\n"
		"  --policy FILE         the rules in this file, in place of the default policy\n"
		"  --hide GLOB           as if it were not there\n"
		"  --deny GLOB           seen, but not used\n"
		"  --ro GLOB             not changed\n"
		"  --cow GLOB            changed in the view only, as without a rule\n"
		"  --rw GLOB             changed in the lower itself\n"
		"  --noexec GLOB         not run\n"
		"  --log GLOB            what is allowed is recorded, too, see 'osfuse log'; \"all\" for everything\n"
		"\n"
		"How it runs\n"
		"  -f, --foreground      stay in the foreground\n"
		"  -d, --debug           print every request; implies -f\n"
		"  --threads N           how many threads serve (default: one per CPU)\n"
		"  -o OPT[,OPT...]       options as for mount(8): ro noexec noatime allow_other ...,\n"
		"                        lowerdir= upperdir= workdir= as for overlayfs\n"
		"  -h, --help            this text\n",
	.run = run,
};
