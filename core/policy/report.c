/* All that is wrong in what was added, kept with its place and its line until somebody asks. */

#include <stdarg.h>
#include <string.h>

#include "base/utf8.h"
#include "policy/builder.h"

#define MAX_FAULTS 100
#define LINE_BYTES 240 /* a longer line is shown around the place */

static void fault_done(struct fault *f)
{
	free(f->message);
	free(f->text);
}

void faults_done(struct policy_builder *b)
{
	for (size_t i = 0; i < b->n_faults; i++)
		fault_done(&b->faults[i]);
	free(b->faults);
	b->faults = NULL;
	b->n_faults = 0;
}

/* Out of memory here loses the words and not the fact: n_errors has been counted. at: of the place in the line. */
static void keep(struct policy_builder *b, struct fault f, const char *line, size_t len, size_t at, const char *format, va_list ap)
{
	struct fault *v = array_room(b->faults, b->n_faults, &b->faults_size, sizeof(*v));
	size_t begin = 0;

	if (!v)
		return;
	b->faults = v;
	at = MIN(at, len);
	if (len > LINE_BYTES) {
		begin = at > LINE_BYTES / 2 ? at - LINE_BYTES / 2 : 0;
		len = MIN(len - begin, (size_t) LINE_BYTES);
	}
	f.at = (unsigned int) (at - begin);
	f.text = malloc(len + 1);
	if (!f.text || vasprintf(&f.message, format, ap) < 0) {
		free(f.text);
		return;
	}
	for (size_t i = 0; i < len; i++) /* a NUL is one of the things that may be wrong */
		f.text[i] = line[begin + i] ? line[begin + i] : '\1';
	f.text[len] = '\0';
	v[b->n_faults++] = f;
}

int fault(struct source *src, uint32_t column, const char *format, ...)
{
	struct fault f = { .source = src->name, .line = src->line, .column = column };
	va_list ap;

	if (src->b->n_errors++ < MAX_FAULTS) {
		va_start(ap, format);
		keep(src->b, f, src->text, src->len, column - 1, format, ap);
		va_end(ap);
	}
	return -EINVAL;
}

/* The line is not there any more when rules are compiled: the pattern stands for it. */
int fault_at_rule(struct policy_builder *b, int rule, const char *format, ...)
{
	const struct policy_rule *at = &b->rules[rule];
	struct fault f = { .source = at->source, .line = at->line, .column = at->column };
	va_list ap;

	if (b->n_errors++ < MAX_FAULTS) {
		va_start(ap, format);
		keep(b, f, at->pattern, strlen(at->pattern), 0, format, ap);
		va_end(ap);
	}
	return -EINVAL;
}

/* What a terminal would act upon is shown as a question mark. */
/* As wide as it is, for the caret below it. */
static void put_plain(FILE *f, const char *s)
{
	size_t len = strlen(s);
	uint32_t c;

	for (size_t i = 0, n; i < len; i += n) {
		n = utf8_decode(s + i, len - i, &c);
		if (n == 0 || (utf8_is_trick(c) && c != '\t'))
			(void) fputc('?', f);
		else
			(void) fwrite(s + i, 1, n, f);
		n = MAX(n, (size_t) 1);
	}
}

static void put_fault(FILE *f, const struct fault *fault)
{
	put_plain(f, fault->source);
	(void) fprintf(f, ":%u:%u: ", fault->line, fault->column);
	put_plain(f, fault->message);
	(void) fputc('\n', f);
	put_plain(f, fault->text);
	(void) fputc('\n', f);
	/* Tabs stay, so that the caret is where they put the rest; of a character of several bytes one counts. */
	for (unsigned int i = 0; i < fault->at && fault->text[i]; i++)
		if (fault->text[i] == '\t' || ((unsigned char) fault->text[i] & 0xc0) != 0x80)
			(void) fputc(fault->text[i] == '\t' ? '\t' : ' ', f);
	(void) fputs("^\n", f);
}

void policy_builder_report(const struct policy_builder *b, FILE *f)
{
	for (size_t i = 0; i < b->n_faults; i++)
		put_fault(f, &b->faults[i]);
	if (b->n_errors > b->n_faults)
		(void) fprintf(f, "… and %zu more\n", b->n_errors - b->n_faults);
}

size_t policy_builder_n_errors(const struct policy_builder *b)
{
	return b->n_errors;
}
