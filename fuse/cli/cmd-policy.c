/* osfuse policy: check, explain, learn, reload. */

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "fuse/boxes.h"
#include "fuse/cli/cmd.h"
#include "fuse/control.h"
#include "fuse/explain.h"
#include "fuse/launch.h"
#include "fuse/learn.h"
#include "fuse/policies.h"
#include "fuse/problem.h"
#include "store/store.h"

static int check_one(const char *file, struct problem *p)
{
	const struct sandbox_rule source = { .text = (char *) (uintptr_t) file };
	_cleanup_(policy_unrefp) struct policy *policy = NULL;
	_cleanup_free_ char *report = NULL;
	size_t n;
	int r = policies_load(&source, 1, NULL, false, NULL, &policy, &report, p);

	if (report)
		(void) fputs(report, stderr);
	if (r < 0)
		return r;
	n = policy_n_rules(policy);
	(void) printf("%s: %zu rule%s, no errors\n", file, n, n == 1 ? "" : "s");
	return 0;
}

static int check(int argc, char **argv, struct problem *p)
{
	int first = 0;

	if (argc < 2)
		return problem_usage(p, "policy check", "which file?");
	for (int i = 1; i < argc; i++) {
		int r = check_one(argv[i], p);

		if (r < 0 && i + 1 < argc) { /* of the last, who has called us says it */
			problem_print(p);
			p->text[0] = '\0';
		}
		first = first < 0 ? first : r;
	}
	return first;
}

enum {
	OPT_OP = 256,
	OPT_NAME,
	OPT_POLICY,
	OPT_RULE, /* and enum policy_verb on top */
};

static const struct option explain_options[] = {
	{ "op", required_argument, NULL, OPT_OP },
	{ "name", required_argument, NULL, OPT_NAME },
	{ "policy", required_argument, NULL, OPT_POLICY },
	{ "hide", required_argument, NULL, OPT_RULE + POLICY_VERB_HIDE },
	{ "deny", required_argument, NULL, OPT_RULE + POLICY_VERB_DENY },
	{ "ro", required_argument, NULL, OPT_RULE + POLICY_VERB_RO },
	{ "cow", required_argument, NULL, OPT_RULE + POLICY_VERB_COW },
	{ "rw", required_argument, NULL, OPT_RULE + POLICY_VERB_RW },
	{ "noexec", required_argument, NULL, OPT_RULE + POLICY_VERB_NOEXEC },
	{ "log", required_argument, NULL, OPT_RULE + POLICY_VERB_LOG },
	{ "help", no_argument, NULL, 'h' },
	{ 0 }
};

static int explain_all(int argc, char **argv, struct explain_config *c, struct problem *p)
{
	int worst = 0;

	if (optind >= argc)
		return problem_usage(p, "policy explain", "which path?");
	for (int i = optind; i < argc; i++) {
		int r;

		if (!argv[i][0])
			return problem_usage(p, "PATH", "is empty");
		c->path = argv[i];
		r = explain(c, stdout, p);
		if (r < 0)
			return r;
		worst = MAX(worst, r);
	}
	return worst;
}

static int explain_command(int argc, char **argv, struct problem *p)
{
	struct launch_config sources = { 0 };
	struct explain_config c = { 0 };
	int opt, r = 0;

	optind = 0;
	opterr = 0;
	while (r == 0 && (opt = getopt_long(argc, argv, ":h", explain_options, NULL)) >= 0 && opt != 'h') {
		if (opt == OPT_OP)
			c.op = optarg;
		else if (opt == OPT_NAME)
			c.name = optarg;
		else if (opt >= OPT_POLICY)
			r = launch_config_add_policy(&sources, opt == OPT_POLICY ? NULL : policy_verb_name((enum policy_verb) (opt - OPT_RULE)), optarg);
		else
			r = cmd_bad_option(opt, argv, optind - 1, p);
	}
	c.sources = sources.policy;
	c.n_sources = sources.n_policy;
	if (r == 0)
		r = opt == 'h' ? cmd_help(&cmd_policy) : explain_all(argc, argv, &c, p);
	launch_config_done(&sources);
	return r;
}

static int reload(int argc, char **argv, struct problem *p)
{
	_cleanup_(box_done) struct box box = { .io = NULL };
	_cleanup_free_ char *text = NULL;
	int r;

	if (argc != 2)
		return problem_usage(p, "policy reload", argc < 2 ? "which sandbox?" : "one sandbox at a time");
	r = box_open(&box, argv[1], p);
	if (r < 0)
		return r;
	r = control_ask(sandbox_fd(box.sandbox), "reload", &text);
	if (r == -ECONNREFUSED) {
		(void) problem_set(p, r, argv[1], "the sandbox is not mounted");
		return problem_hint(p, r, "the next mount reads the policy in any case");
	}
	if (r == -EREMOTEIO) {
		(void) fprintf(stderr, "%s\n", text ? text : "osfuse: the daemon gave no reason");
		return problem_set(p, r, argv[1], "the policy was not reloaded: the old one holds");
	}
	if (r < 0)
		return problem_errno(p, r, argv[1]);
	(void) printf("%s: reloaded, %s\n", argv[1], text ? text : "");
	return 0;
}

static int learn(int argc, char **argv, struct problem *p)
{
	_cleanup_(policies_world_done) struct policies_world world = { .ways = NULL };
	int r;

	if (argc != 2)
		return problem_usage(p, "policy learn", argc < 2 ? "from which sandbox?" : "one sandbox at a time");
	r = policies_world_init(&world);
	return r < 0 ? problem_errno(p, r, "policy") : learn_from_log(argv[1], &world.world, stdout, p);
}

typedef int (*verb_fn)(int argc, char **argv, struct problem *p);

static const struct {
	const char *name;
	verb_fn run;
	bool has_options; /* which it parses */
} verbs[] = {
	{ "check", check },
	{ "explain", explain_command, true },
	{ "learn", learn },
	{ "reload", reload },
};

/* One that takes no option but --help. */
static int run_plain(verb_fn verb, int argc, char **argv, struct problem *p)
{
	static const struct option options[] = { { "help", no_argument, NULL, 'h' }, { 0 } };
	int opt;

	optind = 0;
	opterr = 0;
	opt = getopt_long(argc, argv, "+:h", options, NULL);
	if (opt == 'h')
		return cmd_help(&cmd_policy);
	return opt < 0 ? verb(argc - optind + 1, argv + optind - 1, p) : cmd_bad_option(opt, argv, 1, p);
}

static int run(int argc, char **argv, struct problem *p)
{
	if (argc < 2)
		return problem_usage(p, "policy", "what about it? check, explain, learn or reload");
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return cmd_help(&cmd_policy);
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (strcmp(argv[1], verbs[i].name) == 0)
			return verbs[i].has_options ? verbs[i].run(argc - 1, argv + 1, p) : run_plain(verbs[i].run, argc - 1, argv + 1, p);
	return problem_usage(p, argv[1], "no such thing to do with a policy");
}

const struct command cmd_policy = {
	.name = "policy",
	.arguments = "check FILE... | explain [OPTIONS] PATH... | learn NAME | reload NAME",
	.summary = "check, explain, learn or reload a policy",
	.help = "check FILE...     say all that is wrong in policy files\n"
		"explain PATH...   which rules match, which one decides, what is there\n"
		"  --op OP         one operation: look list read write exec create mkdir remove rename link\n"
		"                  attr getxattr setxattr; exit status 1 if it would be refused\n"
		"  --name NAME     of this sandbox (default: the machine, under the default policy)\n"
		"  --policy FILE, --hide GLOB ...  as 'osfuse mount' has them, instead\n"
		"learn NAME        write the smallest policy that allows what was done in the sandbox, which\n"
		"                  has to have been recorded: osfuse mount --log all\n"
		"reload NAME       read the policy of a mounted sandbox again: from when this returns it holds\n"
		"-h, --help        this text\n"
		"\n"
		"For NAME a mount point does as well, or the beginning of the name.\n"
		"\n"
		"'man 5 osfuse-policy' describes the language.\n",
	.run = run,
};
