/*
 * lines - finding line ends by block, where CR, LF and CRLF all end a line.
 *
 * Input: hostile.  Nothing is looked at twice for a CR, so a block costs two passes at most,
 * however its lines are ended.
 */
#ifndef POP3_LINES_H
#define POP3_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Where in a line the next octet stands. */
enum line_at {
	BOL,
	TEXT,
	AFTER_CR, /* behind a line end that a LF may still belong to */
};

/* Where the first CR or LF stands in p[0..len), or len.  end is the end of the whole block;
 * *next_cr, at first what lines_begin() says, remembers where the next CR is. */
static inline size_t
lines_end(const uint8_t *p, size_t len, const uint8_t *end, const uint8_t **next_cr)
{
	const uint8_t *lf;

	if (*next_cr < p) {
		*next_cr = memchr(p, '\r', (size_t)(end - p));
		if (*next_cr == NULL)
			*next_cr = end;
	}
	if (*next_cr < p + len)
		len = (size_t)(*next_cr - p);
	lf = len == 0 ? NULL : memchr(p, '\n', len);
	return lf == NULL ? len : (size_t)(lf - p);
}

/* The first value of next_cr for the block in[0..len). */
static inline const uint8_t *
lines_begin(const uint8_t *in, size_t len)
{
	const uint8_t *cr = len == 0 ? NULL : memchr(in, '\r', len);

	return cr == NULL ? in + len : cr;
}

/* Whether an octet >= 0x80 is among p[0..len): whole words first, four at a time. */
static inline bool
lines_eight_bit(const uint8_t *p, size_t len)
{
	uint64_t w[4], all = 0;
	uint8_t tail = 0;

	for (; len >= sizeof w; p += sizeof w, len -= sizeof w) {
		memcpy(w, p, sizeof w);
		all |= w[0] | w[1] | w[2] | w[3];
	}
	for (; len > 0; len--)
		tail |= *p++;
	return ((all & UINT64_C(0x8080808080808080)) | (tail & 0x80)) != 0;
}

#endif
