/*
 * fold - writing a header field anew: words, encoded-words (RFC 2047) and line ends between them.
 * Private to src/pop3.
 *
 * No line with an encoded-word is longer than 76 octets, no encoded-word longer than 75, and no
 * line holds white space alone.  What goes in as a word comes out as it is, however long.
 */
#ifndef POP3_FOLD_H
#define POP3_FOLD_H

#include "growing.h"

struct fold {
	struct growing *out;
	const char *eol; /* what ends the lines of this field */
	size_t column; /* octets on this line */
	bool fresh; /* nothing but the name stands on it: this is no place for a line end */
};

/* Writes the name and the colon. */
void fold_begin(struct fold *f, struct growing *out, const char *eol, struct pop3_slice name);

/* White space (gap, after a line end if there is no room), then the word.  It may hold line ends
 * of its own with white space behind them. */
void fold_word(struct fold *f, struct pop3_slice gap, const uint8_t *word, size_t len);

/* The same, of text in any charset or none, as one encoded-word or several. */
void fold_encoded(struct fold *f, struct pop3_slice gap, const uint8_t *text, size_t len);

/* A single ASCII octet right behind what was written last. */
void fold_mark(struct fold *f, uint8_t mark);

#define FOLD_SPACE ((struct pop3_slice){ (const uint8_t *)" ", 1 })

#endif
