/*
 * growing - octets that grow up to a ceiling.  Private to src/pop3.
 */
#ifndef POP3_GROWING_H
#define POP3_GROWING_H

#include <pop3/base.h>

struct growing {
	uint8_t *data;
	size_t len, cap, max;
	bool failed; /* memory was out, or the ceiling was reached: something is missing */
};

void growing_add(struct growing *g, const void *p, size_t len);
void growing_text(struct growing *g, const char *s);
void growing_free(struct growing *g);

#endif
