/*
 * surrogate_mime - what a Content-Type says about the body below it (RFC 2045, 2046, 2231).
 * Private to src/pop3.
 *
 * Input: hostile.  In doubt a boundary is found rather than missed: whatever a client might take
 * for the header of a part has to be found by us first.
 */
#ifndef POP3_SURROGATE_MIME_H
#define POP3_SURROGATE_MIME_H

#include "growing.h"

enum {
	BOUNDARY_MAX = 250, /* RFC 2046 allows 70 */
};

enum mime_kind {
	MIME_LEAF,
	MIME_MULTIPART,
	MIME_DIGEST, /* a multipart whose parts are messages unless they say otherwise */
	MIME_MESSAGE, /* another header follows */
};

struct mime {
	enum mime_kind kind;
	uint8_t boundary[BOUNDARY_MAX];
	size_t boundary_len; /* above BOUNDARY_MAX: longer than can be kept */
};

/* A multipart without a boundary is a leaf: nobody can tell its parts. */
void mime_parse(struct pop3_slice value, struct mime *ret);

bool mime_same(const struct mime *a, const struct mime *b);

/* The parameter (or the value itself) that begins at *at and ends before a semicolon outside of
 * quotes and comments.  False: there is none left. */
bool mime_next(struct pop3_slice value, size_t *at, struct pop3_slice *ret);

/* The name of such a parameter, without comments before it and what RFC 2231 puts behind it;
 * *ret_continued: that is a number ("*0", "*0*"), so the value is in pieces. */
struct pop3_slice mime_name(struct pop3_slice parameter, bool *ret_continued);

#endif
