/*
 * sandbox.json.
 *
 *   {
 *     "version": 1,
 *     "name": "sandbox",
 *     "created": "2024-05-01T12:00:00Z",
 *     "lowers": ["/"],
 *     "upper": null, "work": null,             the sandbox's own
 *     "mount_point": "/sandbox",
 *     "pid": 4711,                             0: unmounted in order
 *     "options": "--threads 4",
 *     "ephemeral": false,
 *     "fold": false,                           names are found in any case
 *     "policy": [{"file": "/home/u/p.policy"}, {"rule": "hide", "pattern": "*.pem"}]
 *   }
 *
 * Version 2 has a policy, which a program that does not know of it must not pass over. Without one it is the default policy.
 * Paths are bytes, JSON strings are Unicode: a path that is not UTF-8 is written as {"bytes": "2f6d6e74ff"}, in hexadecimal.
 * The file is replaced by rename, and synced before, so that a reader finds the old one or the new one, also after a crash.
 */

#include "store/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/fd.h"
#include "io/io.h"
#include "store/json.h"

#define FILE_NAME "sandbox.json"
#define TEMP_NAME ".sandbox.json.new"
#define SIZE_MAX_BYTES (1024 * 1024)
#define VERSION 2
#define VERSION_WITHOUT_POLICY 1

static inline void settings_donep(struct sandbox_settings *s)
{
	settings_done(s);
}

static void free_rules(struct sandbox_rule *rules, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(rules[i].verb);
		free(rules[i].text);
	}
	free(rules);
}

void settings_done(struct sandbox_settings *s)
{
	free_rules(s->policy, s->n_policy);
	for (size_t i = 0; i < s->n_lowers; i++)
		free(s->lowers[i]);
	free(s->lowers);
	free(s->upper);
	free(s->work);
	free(s->mount_point);
	free(s->options);
	*s = (struct sandbox_settings) { 0 };
}

int settings_set_lowers(struct sandbox_settings *s, char *const *lowers, size_t n)
{
	struct sandbox_settings copy = { .lowers = calloc(n + 1, sizeof(char *)) };

	if (!copy.lowers)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		copy.lowers[i] = strdup(lowers[i]);
		if (!copy.lowers[i]) {
			settings_done(&copy);
			return -ENOMEM;
		}
		copy.n_lowers++;
	}
	for (size_t i = 0; i < s->n_lowers; i++)
		free(s->lowers[i]);
	free(s->lowers);
	s->lowers = copy.lowers;
	s->n_lowers = n;
	return 0;
}

int settings_set_policy(struct sandbox_settings *s, const struct sandbox_rule *rules, size_t n)
{
	struct sandbox_rule *copy = calloc(n + 1, sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		copy[i].text = strdup(rules[i].text);
		copy[i].verb = rules[i].verb ? strdup(rules[i].verb) : NULL;
		if (!copy[i].text || !copy[i].verb != !rules[i].verb) {
			free_rules(copy, i + 1);
			return -ENOMEM;
		}
	}
	free_rules(s->policy, s->n_policy);
	s->policy = copy;
	s->n_policy = n;
	return 0;
}

static _printf_(2, 3) int fault(struct sandbox_fault *f, const char *format, ...)
{
	va_list ap;

	if (f) {
		*f = (struct sandbox_fault) { 0 };
		va_start(ap, format);
		(void) vsnprintf(f->text, sizeof(f->text), format, ap);
		va_end(ap);
	}
	return -EBADMSG;
}

/* NULL stays NULL. */
static int bytes_from_json(const json_t *j, const char *key, char **ret, struct sandbox_fault *f)
{
	int r = json_to_bytes(j, ret);

	return r == -EBADMSG ? fault(f, "\"%s\" is neither text nor null", key) : r;
}

static int path_from_json(const json_t *root, const char *key, char **ret, struct sandbox_fault *f)
{
	int r = bytes_from_json(json_object_get(root, key), key, ret, f);

	if (r == 0 && *ret && (*ret)[0] != '/')
		return fault(f, "\"%s\" is not an absolute path", key);
	return r;
}

static int time_from_json(const json_t *root, int64_t *ret, struct sandbox_fault *f)
{
	const char *text = json_string_value(json_object_get(root, "created"));
	struct tm tm = { 0 };
	const char *end = text ? strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm) : NULL;

	if (!end || *end)
		return fault(f, "\"created\" is not a time like 2024-05-01T12:00:00Z");
	*ret = (int64_t) timegm(&tm);
	return 0;
}

static int lowers_from_json(const json_t *root, struct sandbox_settings *s, struct sandbox_fault *f)
{
	const json_t *list = json_object_get(root, "lowers");
	size_t n = json_array_size(list);
	int r;

	if (!json_is_array(list))
		return fault(f, "\"lowers\" is not a list");
	s->lowers = calloc(n + 1, sizeof(char *));
	if (!s->lowers)
		return -ENOMEM;
	for (; s->n_lowers < n; s->n_lowers++) {
		char **to = &s->lowers[s->n_lowers];

		r = bytes_from_json(json_array_get(list, s->n_lowers), "lowers", to, f);
		if (r < 0)
			return r;
		if (!*to || (*to)[0] != '/') {
			free(*to);
			return fault(f, "\"lowers\" has something that is not an absolute path");
		}
	}
	return 0;
}

static int rule_from_json(const json_t *j, struct sandbox_rule *ret, struct sandbox_fault *f)
{
	const char *verb = json_string_value(json_object_get(j, "rule"));
	int r = verb ? bytes_from_json(json_object_get(j, "pattern"), "pattern", &ret->text, f)
		     : path_from_json(j, "file", &ret->text, f);

	if (r == 0 && !ret->text)
		return fault(f, "\"policy\" has something that is neither a file nor a rule");
	if (r == 0 && verb) {
		ret->verb = strdup(verb);
		r = ret->verb ? 0 : -ENOMEM;
	}
	return r;
}

static int policy_from_json(const json_t *root, struct sandbox_settings *s, struct sandbox_fault *f)
{
	const json_t *list = json_object_get(root, "policy");
	size_t n = json_array_size(list);
	int r = 0;

	if (!list)
		return 0;
	if (!json_is_array(list))
		return fault(f, "\"policy\" is not a list");
	s->policy = calloc(n + 1, sizeof(*s->policy));
	if (!s->policy)
		return -ENOMEM;
	while (r == 0 && s->n_policy < n) {
		r = rule_from_json(json_array_get(list, s->n_policy), &s->policy[s->n_policy], f);
		s->n_policy++; /* half of it may be there */
	}
	return r;
}

static int settings_from_json(const json_t *root, struct sandbox_settings *s, struct sandbox_fault *f)
{
	const json_t *version = json_object_get(root, "version"), *pid = json_object_get(root, "pid");
	int r;

	if (!json_is_object(root))
		return fault(f, "not an object");
	if (!json_is_integer(version) || json_integer_value(version) < 1)
		return fault(f, "\"version\" is missing");
	if (json_integer_value(version) > VERSION)
		return fault(f, "version %lld was written by a newer osfuse", (long long) json_integer_value(version));
	if (!json_is_integer(pid) || json_integer_value(pid) < 0 || json_integer_value(pid) > INT32_MAX)
		return fault(f, "\"pid\" is not a process id");
	s->pid = (pid_t) json_integer_value(pid);
	s->ephemeral = json_is_true(json_object_get(root, "ephemeral"));
	s->fold = json_is_true(json_object_get(root, "fold"));

	r = time_from_json(root, &s->created_s, f);
	if (r == 0)
		r = lowers_from_json(root, s, f);
	if (r == 0)
		r = path_from_json(root, "upper", &s->upper, f);
	if (r == 0)
		r = path_from_json(root, "work", &s->work, f);
	if (r == 0)
		r = path_from_json(root, "mount_point", &s->mount_point, f);
	if (r == 0)
		r = bytes_from_json(json_object_get(root, "options"), "options", &s->options, f);
	if (r == 0)
		r = policy_from_json(root, s, f);
	return r;
}

/* 1 with the whole file, 0 there is none */
static int read_file(struct io_engine *io, int dir, char **ret, size_t *ret_len, struct sandbox_fault *f)
{
	_cleanup_free_ char *buf = NULL;
	_cleanup_close_ int fd = -EBADF;
	size_t len = 0;
	struct statx stx;
	int r;

	fd = io_open(io, dir, FILE_NAME, O_RDONLY | O_NONBLOCK, 0, NULL);
	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return fd;
	r = io_statx(io, fd, NULL, STATX_TYPE | STATX_SIZE, &stx);
	if (r < 0)
		return r;
	if (!S_ISREG(stx.stx_mode) || stx.stx_size > SIZE_MAX_BYTES)
		return fault(f, "not a regular file of reasonable size");
	buf = malloc(stx.stx_size + 1);
	if (!buf)
		return -ENOMEM;
	while (len < stx.stx_size) {
		ssize_t n = io_read(io, fd, buf + len, stx.stx_size - len, len);

		if (n < 0)
			return (int) n;
		if (n == 0)
			break;
		len += (size_t) n;
	}
	*ret = steal_ptr(buf);
	*ret_len = len;
	return 1;
}

int settings_load(struct io_engine *io, int fd, struct sandbox_settings *s, struct sandbox_fault *ret_fault)
{
	_cleanup_(settings_donep) struct sandbox_settings fresh = { 0 };
	_cleanup_free_ char *text = NULL;
	_cleanup_json_ json_t *root = NULL;
	json_error_t error;
	size_t len = 0;
	int r;

	r = read_file(io, fd, &text, &len, ret_fault);
	if (r <= 0)
		return r;
	root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	if (!root) {
		r = fault(ret_fault, "%s", error.text);
		if (ret_fault && error.line > 0) {
			ret_fault->line = (unsigned int) error.line;
			ret_fault->column = (unsigned int) MAX(error.column, 0);
		}
		return r;
	}
	r = settings_from_json(root, &fresh, ret_fault);
	if (r < 0)
		return r;
	settings_done(s);
	*s = fresh;
	fresh = (struct sandbox_settings) { 0 };
	return 1;
}

static json_t *lowers_to_json(const struct sandbox_settings *s)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < s->n_lowers; i++)
		if (json_array_append_new(list, json_from_bytes(s->lowers[i])) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

static json_t *policy_to_json(const struct sandbox_settings *s)
{
	_cleanup_json_ json_t *list = json_array();

	for (size_t i = 0; list && i < s->n_policy; i++) {
		const struct sandbox_rule *rule = &s->policy[i];
		json_t *j = rule->verb ? json_pack("{s:s, s:o}", "rule", rule->verb, "pattern", json_from_bytes(rule->text))
				       : json_pack("{s:o}", "file", json_from_bytes(rule->text));

		if (json_array_append_new(list, j) < 0)
			return NULL;
	}
	return steal_ptr(list);
}

static char *settings_to_text(const char *name, const struct sandbox_settings *s)
{
	_cleanup_json_ json_t *root = NULL;
	time_t created = (time_t) s->created_s;
	char when[32];
	struct tm tm;

	if (!gmtime_r(&created, &tm) || strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		return NULL;
	root = json_pack("{s:i, s:o, s:s, s:o, s:o, s:o, s:o, s:I, s:o, s:b, s:b}", "version",
			 s->n_policy > 0 ? VERSION : VERSION_WITHOUT_POLICY, "name", json_from_bytes(name),
			 "created", when, "lowers", lowers_to_json(s), "upper", json_from_bytes(s->upper), "work",
			 json_from_bytes(s->work), "mount_point", json_from_bytes(s->mount_point), "pid", (json_int_t) s->pid,
			 "options", json_from_bytes(s->options), "ephemeral", (int) s->ephemeral, "fold", (int) s->fold);
	if (root && s->n_policy > 0 && json_object_set_new(root, "policy", policy_to_json(s)) < 0)
		return NULL;
	return root ? json_dumps(root, JSON_INDENT(2)) : NULL;
}

static int write_all(struct io_engine *io, int fd, const char *text, size_t len)
{
	for (size_t done = 0; done < len; ) {
		ssize_t n = io_write(io, fd, text + done, len - done, done);

		if (n < 0)
			return (int) n;
		if (n == 0)
			return -EIO;
		done += (size_t) n;
	}
	return 0;
}

int settings_save(struct io_engine *io, int fd, const char *name, const struct sandbox_settings *s)
{
	_cleanup_free_ char *text = settings_to_text(name, s);
	_cleanup_close_ int file = -EBADF;
	int r;

	if (!text)
		return -ENOMEM;
	(void) io_unlink(io, fd, TEMP_NAME, 0); /* left by a crash; the open tells if it is still there */
	file = io_open(io, fd, TEMP_NAME, O_WRONLY | O_CREAT | O_EXCL, 0600, NULL);
	if (file < 0)
		return file;
	r = write_all(io, file, text, strlen(text));
	if (r == 0)
		r = io_fsync(io, file, false);
	if (r == 0)
		r = io_rename(io, fd, TEMP_NAME, fd, FILE_NAME, 0);
	if (r < 0) {
		(void) io_unlink(io, fd, TEMP_NAME, 0); /* the first error is the one to report */
		return r;
	}
	return io_fsync(io, fd, false);
}
