/*
 * scan - a file of settings, cut into statements.  Private to src/conf.
 *
 * libConfuse stops at the first error, miscounts the lines of comments, and after a quotation
 * that is never closed or an escape it does not know reads its next file as if it were still in
 * that quotation.  So it gets one statement at a time, and only sound ones; what is wrong with
 * the others is told here, with the line, and reading goes on behind them.  What a statement
 * means is not decided here.
 *
 * Pure.  The text is changed: comments become blanks.
 */
#ifndef CONF_SCAN_H
#define CONF_SCAN_H

#include <stdbool.h>
#include <stddef.h>

struct scan {
	char *text;
	size_t pos, end; /* what is still to be read */
	int line; /* of pos */
	int unclosed; /* line of a comment that is never closed; 0: none */
};

enum statement_kind {
	STATEMENT_VALUE, /* name = value */
	STATEMENT_LIST, /* name = { value, value } */
	STATEMENT_SECTION, /* name "title" { statements } */
	STATEMENT_WRONG,
};

struct statement {
	enum statement_kind kind;
	size_t start, end; /* in the text; of a section: up to its opening brace, without that */
	size_t name_len; /* from start; 0: something else than a name stands there */
	int line;
	bool sets; /* there is a = behind the name */
	struct scan body; /* of a section */
	const char *wrong; /* what is wrong and, in brackets, what is expected */
	int wrong_line;
};

/* text[0..len) has no NUL octet, and is read from line 1 on. */
void scan_init(struct scan *s, char *text, size_t len);

/* The next statement, or false: there is none. */
bool scan_next(struct scan *s, struct statement *ret);

#endif
