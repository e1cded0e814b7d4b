/*
 * schema - every setting once: what it is called, what it takes, what it is without a word, and
 * what the manual says about it.  The parser, the checks, restanted -p and restanted.conf(5) all
 * read this table.  Private to src/conf.
 */
#ifndef CONF_SCHEMA_H
#define CONF_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum key_type {
	KEY_LIST, /* struct settings_list; of words, or of addresses to listen on */
	KEY_HOST, /* a host name */
	KEY_GREETING, /* text for a line of the protocol */
	KEY_SCHEME, /* one of words, perhaps with .b64 or .hex behind it */
	KEY_SERVICE, /* a file name without a folder */
	KEY_USER, /* name or number of a user or group */
	KEY_FOLDER, /* absolute */
	KEY_TEMPLATE, /* a path with %u %n %d %h %% */
	KEY_FILE, /* must exist and be readable */
	KEY_CERTIFICATE, /* the same; kept in struct settings_certificate */
	KEY_WORD, /* one of words; kept as a string */
	KEY_PLAINTEXT, /* one of words; kept as enum plaintext */
	KEY_SECOND, /* one of two words; kept as a bool: is it the second one? */
	KEY_BOOL,
	KEY_INT,
	KEY_SECS, /* plain, or 10m, 1h, 7d */
	KEY_DAYS, /* "never" (-1), or a number */
};

struct key {
	const char *name;
	enum key_type type;
	size_t offset; /* in struct settings */
	const char *fallback; /* as it would stand in the file; NULL: none */
	uint32_t min, max; /* of a number, else 0 */
	const char *words; /* space-separated */
	const char *group; /* heading of the manual; the first of a group has it */
	const char *note; /* for users: sentences */
};

extern const struct key schema[];
extern const size_t schema_count;

/* A key by name[0..len); NULL: there is none. */
const struct key *schema_find(const char *name, size_t len);

/* Whether its field is a char * of its own. */
bool schema_is_text(const struct key *k);

/* The word of the list that is closest to text, if it is close (whatever its case); else NULL. */
const char *suggest(const char *text, const char *const *words, size_t count);

#endif
