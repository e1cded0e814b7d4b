/*
 * schema - every setting once: what it is called, what it takes, what it is without a word, and
 * what the manual says about it.  The parser, the checks, restanted -p and restanted.conf(5) all
 * read this table.  Private to src/conf.
 */
#ifndef CONF_SCHEMA_H
#define CONF_SCHEMA_H

#include <stddef.h>
#include <stdint.h>

enum key_type {
	KEY_STRING,
	KEY_LIST, /* struct settings_list */
	KEY_FILE, /* must exist and be readable */
	KEY_BOOL,
	KEY_INT,
	KEY_SECS, /* plain, or 10m, 1h, 7d */
	KEY_DAYS, /* "never" (-1), or a number */
	KEY_WORD, /* one of words; kept as a string */
	KEY_PLAINTEXT, /* one of words; kept as enum plaintext */
	KEY_TEMPLATE, /* a path with %u %n %d %h %% */
};

struct key {
	const char *name;
	enum key_type type;
	size_t offset; /* in struct settings */
	const char *fallback; /* as it would stand in the file; NULL: none */
	uint32_t min, max; /* of a number; max 0: it is none */
	const char *words; /* space-separated */
	const char *group; /* heading of the manual; the first of a group has it */
	const char *note; /* for users: sentences */
};

extern const struct key schema[];
extern const size_t schema_count;

/* Keys of a tls-name section. */
extern const char *const section_keys[2];

/* The word of the list that is closest to text, if it is close; else NULL. */
const char *suggest(const char *text, const char *const *words, size_t count);

#endif
