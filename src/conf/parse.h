/*
 * parse - the statements of a file of settings, by way of libConfuse, into struct settings.
 * Private to src/conf.
 *
 * Not thread-safe, since libConfuse is not.
 */
#ifndef CONF_PARSE_H
#define CONF_PARSE_H

#include <stdbool.h>
#include <stddef.h>

struct key;
struct settings;

enum {
	PARSE_ERRORS_MAX = 64,
	PARSE_KEYS_MAX = 64,
	PARSE_SECTIONS_MAX = 4096,
	PARSE_TEXT_MAX = 1024,
};

struct parse {
	struct settings *settings;
	int lines[PARSE_KEYS_MAX]; /* where a key was set, in the order of the schema; 0: nowhere */
	bool wrong[PARSE_KEYS_MAX]; /* whether an error was told about it */
	struct parse_error {
		int line; /* 0: the file as a whole */
		size_t order;
		char text[PARSE_TEXT_MAX];
	} errors[PARSE_ERRORS_MAX];
	size_t errors_count;
	bool more_errors; /* than there was room for */
	struct parse_section {
		char *name;
		int line;
	} * sections; /* those seen, also wrong ones */
	size_t sections_count;
};

/* Reads text[0..len), which is changed.  What is wrong is in p->errors. */
void parse_text(struct parse *p, char *text, size_t len);

/* One more error, unless it is known. */
void parse_note(struct parse *p, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Where a key was set; 0: nowhere.  And whether that was an error. */
int parse_line(const struct parse *p, const char *name);
bool parse_is_wrong(const struct parse *p, const char *name);

/* Frees what p has, but for the settings. */
void parse_finish(struct parse *p);

#endif
