/*
 * What rules cost: the time to compile them, their memory, and a step of one component, for 0, 100 and 10,000 mixed rules. No disk.
 *
 *     policy-bench [RULES…]
 *
 * The rules are an even mix of what people write: anchored and floating, literal, by suffix, by prefix, with a word in the middle, with
 * a class, with two stars in the middle, for directories only. The names are those of a source tree; few of them match.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "policy/compiled.h"

#define ROUNDS 5
#define N_NAMES 512
#define STEPS (1u << 20)

static double now_ns(void)
{
	struct timespec t;

	(void) clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec * 1e9 + (double) t.tv_nsec;
}

static char *make_rules(size_t n, size_t *ret_len)
{
	static const char *const verbs[] = { "hide", "ro", "deny", "cow", "noexec", "log" };
	char *text = NULL;
	FILE *f = open_memstream(&text, ret_len);

	for (size_t i = 0; f && i < n; i++) {
		const char *verb = verbs[i % ARRAY_SIZE(verbs)];

		switch (i % 10) {
		case 0: fprintf(f, "%s /srv/app%zu/data\n", verb, i); break;
		case 1: fprintf(f, "%s *.ext%zu\n", verb, i); break;
		case 2: fprintf(f, "%s name%zu*\n", verb, i); break;
		case 3: fprintf(f, "%s *word%zu*\n", verb, i); break;
		case 4: fprintf(f, "%s **/secret%zu/*.key\n", verb, i); break;
		case 5: fprintf(f, "%s /home/*/proj%zu/**\n", verb, i); break;
		case 6: fprintf(f, "%s literal%zu.txt\n", verb, i); break;
		case 7: fprintf(f, "%s /opt/pkg%zu/**/cache/\n", verb, i); break;
		case 8: fprintf(f, "%s log[0-9]-%zu.?z\n", verb, i); break;
		case 9: fprintf(f, "%s **/.conf%zu\n", verb, i); break;
		}
	}
	if (!f || fclose(f) != 0)
		exit(1);
	return text;
}

static struct policy *compile(const char *text, size_t len, double *ret_ms)
{
	static const struct policy_world world;
	double begin = now_ns();
	struct policy_builder *b = NULL;
	struct policy *p = NULL;

	if (policy_builder_new(&world, &b) < 0 || policy_builder_add(b, "bench", text, len) < 0)
		exit(1);
	if (policy_builder_compile(b, false, &p) < 0) {
		policy_builder_report(b, stderr);
		exit(1);
	}
	(void) policy_builder_free(b);
	*ret_ms = (now_ns() - begin) / 1e6;
	return p;
}

static void make_names(char names[N_NAMES][32])
{
	static const char *const stems[] = { "main", "overlay", "node_cache", "README", "test-match", "libexample", "word12x", "name1" };
	static const char *const ends[] = { ".c", ".h", ".o", "", ".txt", ".so.1", ".ext11", ".json" };

	for (size_t i = 0; i < N_NAMES; i++)
		(void) snprintf(names[i], 32, "%s%zu%s", stems[i % 8], i / 64 * 7, ends[i / 8 % 8]);
}

/* Steps from the state of a directory that no rule is about. */
static double step_ns(const struct policy *p, char names[N_NAMES][32])
{
	struct policy_state *at = policy_root(p);
	double begin, best = 1e18;
	unsigned int n_hidden = 0;

	for (const char *name = "home\0user\0src\0"; *name; name += strlen(name) + 1) {
		struct policy_state *next = NULL;
		struct policy_step s;

		if (policy_step(at, name, strlen(name), &s) < 0 || policy_enter(&s, &next) < 0)
			exit(1);
		policy_step_done(&s);
		(void) policy_state_unref(at);
		at = next;
	}
	for (int round = 0; round < ROUNDS; round++) {
		begin = now_ns();
		for (unsigned int i = 0; i < STEPS; i++) {
			const char *name = names[i % N_NAMES];
			struct policy_step s;

			if (policy_step(at, name, strlen(name), &s) < 0)
				exit(1);
			n_hidden += s.as_file.access == POLICY_HIDE;
			policy_step_done(&s);
		}
		begin = (now_ns() - begin) / STEPS;
		best = MIN(best, begin);
	}
	(void) policy_state_unref(at);
	return n_hidden == UINT32_MAX ? 0 : best;
}

static void bench(size_t n_rules)
{
	size_t len = 0;
	char *text = make_rules(n_rules, &len);
	static char names[N_NAMES][32];
	double ms = 0, best_ms = 1e18;
	struct policy *p = NULL;

	for (int round = 0; round < ROUNDS; round++) {
		p = policy_unref(p);
		p = compile(text, len, &ms);
		best_ms = MIN(best_ms, ms);
	}
	make_names(names);
	printf("%7zu rules  compile %7.2f ms  memory %8.1f KiB  step %6.1f ns\n", n_rules, best_ms, (double) policy_bytes(p) / 1024,
	       step_ns(p, names));
	(void) policy_unref(p);
	free(text);
}

int main(int argc, char **argv)
{
	if (argc == 1) {
		bench(0);
		bench(100);
		bench(10000);
	}
	for (int i = 1; i < argc; i++)
		bench(strtoul(argv[i], NULL, 10));
	return 0;
}
