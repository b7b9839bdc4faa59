#pragma once

/* sandbox.json: reading, writing, and the strings in it. */

#include "store/store.h"

struct io_engine;

/* Reads sandbox.json in the directory. 1: there is one; 0: there is none, and *s is as it was; -EBADMSG: see *ret_fault. */
int settings_load(struct io_engine *io, int fd, struct sandbox_settings *s, struct sandbox_fault *ret_fault);
/* Replaces it as a whole. name is for the reader's benefit only. */
int settings_save(struct io_engine *io, int fd, const char *name, const struct sandbox_settings *s);
int settings_set_lowers(struct sandbox_settings *s, char *const *lowers, size_t n);
int settings_set_policy(struct sandbox_settings *s, const struct sandbox_rule *rules, size_t n);
void settings_done(struct sandbox_settings *s);
