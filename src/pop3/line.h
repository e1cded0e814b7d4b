/*
 * line - takes command lines off a stream of octets.  Private to src/pop3.
 *
 * Runs in: login, maildrop.  Input: hostile.  The result does not depend on how the input is cut
 * up.  Memory: none while lines arrive whole; else what there is of one line, up to its ceiling,
 * wiped when it goes (it may be a password).
 */
#ifndef POP3_LINE_H
#define POP3_LINE_H

#include <pop3/server.h>

enum line_result {
	LINE_MORE, /* input is used up, and there is no whole line */
	LINE_TAKEN,
	LINE_TOO_LONG, /* a line was dropped whole, up to and with its LF */
	LINE_NO_MEMORY, /* likewise */
};

/* Zero is a good start. */
struct line {
	uint8_t *data; /* what came of a line; owned */
	uint32_t len, cap;
	uint8_t lost; /* enum line_result: why the rest of this line is dropped; 0: it is not */
	bool given; /* data was handed out: it goes at the next line_take() */
};

/*
 * The next line without its LF and a CR before that.  *ret points into in or into l, until the
 * next call.  Longest line with its end: max, or auth_max if it begins with "AUTH ".
 */
enum line_result line_take(
    struct line *l, struct pop3_in *in, size_t max, size_t auth_max, struct pop3_slice *ret);

/* The first octets of the line that line_take() would work on, at most n; returns how many: none if
 * they are dropped already. */
size_t line_head(const struct line *l, const struct pop3_in *in, uint8_t *out, size_t n);

/* Memory of at least len octets that lives as long as the line just taken; it is that line's own,
 * if that is in l.  NULL: out of memory. */
uint8_t *line_scratch(struct line *l, size_t len);

void line_forget(struct line *l); /* wipes */

/* Whether octets of an unfinished line came. */
bool line_is_partial(const struct line *l);

#endif
