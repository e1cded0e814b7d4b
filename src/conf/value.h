/*
 * value - one setting's text into its field, or what is wrong with it.  Private to src/conf.
 */
#ifndef CONF_VALUE_H
#define CONF_VALUE_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/schema.h"

struct settings;

/* Checks text and stores it as setting k of s, or appends it to a list.  False: wrong says why,
 * and what was expected in brackets.  A KEY_CERTIFICATE is checked only. */
bool value_set(struct settings *s, const struct key *k, const char *text, char *wrong, size_t room);

/* Whether a file can be read, with the reason otherwise. */
bool value_readable(const char *path, char *wrong, size_t room);

/* Letters, digits, hyphens, dots. */
bool value_is_host(const char *text);

/* A list appended to; false: out of memory. */
struct settings_list;
bool value_list_add(struct settings_list *l, const char *text);

#endif
