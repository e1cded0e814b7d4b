/*
 * surrogate_text - taking structured header text apart (RFC 5322, section 3.2): white space,
 * quoted-strings, comments.  Private to src/pop3.
 *
 * Input: hostile.  Text that breaks the rules still comes out as something, never as more than
 * went in, and in one pass.
 */
#ifndef POP3_SURROGATE_TEXT_H
#define POP3_SURROGATE_TEXT_H

#include "growing.h"

enum text_want {
	TEXT_WORDS, /* what a reader sees: without comments, quotes and needless white space */
	TEXT_COMMENTS, /* what is in the comments, the same way */
	TEXT_SYNTAX, /* without comments and needless white space, quotes left alone */
};

/* Appends that much of p[0..len) to out. */
void text_take(const uint8_t *p, size_t len, enum text_want want, struct growing *out);

/* The same without line ends, and nothing else (RFC 5322, 2.2.3). */
void text_unfold(const uint8_t *p, size_t len, struct growing *out);

struct pop3_slice text_trim(const uint8_t *p, size_t len);

static inline bool
text_is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Where in such text an octet stands. */
struct text_scan {
	uint32_t comment; /* depth */
	bool quoted;
	bool escaped; /* the octet before was a "\" that counts */
};

/* Whether c, the next octet, is plain: in no quoted-string or comment, and no delimiter of one. */
bool text_scan(struct text_scan *t, uint8_t c);

#endif
