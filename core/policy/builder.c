/* The life of a builder: sources in, a policy out. */

#include <string.h>

#include "policy/builder.h"
#include "policy/compiled.h"

int policy_builder_new(const struct policy_world *world, struct policy_builder **ret)
{
	struct policy_builder *b = calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	b->world = world;
	b->settings = (struct policy_settings) {
		.uid = POLICY_UNSET,
		.gid = POLICY_UNSET,
		.umask = POLICY_UNSET,
		.limit_upper = POLICY_UNSET,
		.limit_memory = POLICY_UNSET,
		.limit_files = POLICY_UNSET,
		.limit_nofile = POLICY_UNSET,
		.limit_nproc = POLICY_UNSET,
	};
	*ret = b;
	return 0;
}

struct policy_builder *policy_builder_free(struct policy_builder *b)
{
	if (!b)
		return NULL;
	free(b->rules);
	free(b->patterns);
	free(b->files);
	free(b->settings.env_keep);
	free(b->settings.env_set);
	faults_done(b);
	arena_done(&b->arena);
	arena_done(&b->drafts);
	free(b);
	return NULL;
}

int policy_builder_add(struct policy_builder *b, const char *name, const char *text, size_t len)
{
	return source_parse(b, NULL, name, text, len);
}

int policy_builder_add_rule(struct policy_builder *b, enum policy_verb verb, const char *pattern)
{
	struct source src = { .b = b, .name = POLICY_COMMAND_LINE, .line = ++b->n_command_line, .text = pattern, .len = strlen(pattern) };
	_cleanup_(word_done) struct word w = { .column = 1, .end = (uint32_t) src.len + 1, .quoted = true };
	int r = 0;

	if (verb == POLICY_VERB_FILE)
		r = fault(&src, 1, "a made-up file needs a policy file");
	else if (src.len > POLICY_MAX_SOURCE)
		r = fault(&src, 1, "longer than %u bytes", POLICY_MAX_SOURCE);
	for (size_t i = 0; i < src.len && r == 0; i++)
		r = word_push(&w, pattern[i], (uint32_t) i + 1);
	if (r == 0)
		r = rule_add(&src, verb, &w);
	return r == -ENOMEM ? r : 0;
}

/* The strings of the builder are the policy's from here. */
static void hand_over(struct policy_builder *b, struct policy *p)
{
	p->arena = b->arena;
	p->rules = steal_ptr(b->rules);
	p->n_rules = b->n_rules;
	p->files = steal_ptr(b->files);
	p->n_files = b->n_files;
	p->settings = b->settings;
	b->arena = (struct arena) { .newest = NULL };
	b->settings.env_keep = b->settings.env_set = NULL;
	b->n_rules = b->n_patterns = b->n_files = 0;
}

int policy_builder_compile(struct policy_builder *b, bool fold, struct policy **ret)
{
	_cleanup_(policy_unrefp) struct policy *p = NULL;
	int r;

	if (b->n_errors > 0)
		return -EINVAL;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	atomic_init(&p->refs, 1);
	p->fold = fold;
	r = trie_build(b, fold, &p->trie);
	if (r < 0)
		return r;
	hand_over(b, p);
	r = policy_make_root(p);
	if (r < 0)
		return r;
	*ret = steal_ptr(p);
	return 0;
}
