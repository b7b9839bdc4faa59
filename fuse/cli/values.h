#pragma once

/* Values of options that take more than a look: ids, maps of ids, steps of time. what: the option, for messages. */

#include <stdint.h>

struct overlay_ids;
struct problem;

int value_id(const char *what, const char *text, uint32_t *ret, struct problem *p);
/* "LAYER:VIEW:COUNT", and more of them after a ',' or ':'. Adds to what is there. */
int value_id_map(const char *what, const char *text, struct overlay_ids *to, struct problem *p);
/* "1ns", "10us", "1s" … */
int value_time_gran(const char *what, const char *text, uint32_t *ret_ns, struct problem *p);
