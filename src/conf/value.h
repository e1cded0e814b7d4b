/*
 * value - one setting's text into its field, or what is wrong with it.  Private to src/conf.
 */
#ifndef CONF_VALUE_H
#define CONF_VALUE_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/schema.h"

struct settings;

/* Checks and stores texts[0..count) as setting k of s.  False: wrong says why, and what was
 * expected in brackets. */
bool value_set(struct settings *s, const struct key *k, const char *const *texts, size_t count,
    char *wrong, size_t room);

/* Whether a file can be read, with the reason otherwise. */
bool value_readable(const char *path, char *wrong, size_t room);

/* A list appended to; false: out of memory. */
struct settings_list;
bool value_list_add(struct settings_list *l, const char *text);

#endif
