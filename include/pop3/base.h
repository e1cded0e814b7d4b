/*
 * base - what every part of libpop3 shares: states, slices, sinks, visibility.
 *
 * libpop3 is POP3 (RFC 1939 and its extensions) for both ends, without I/O: octets in, events and
 * octets out.  It opens nothing, reads no clock, keeps no global state and never logs; limits are
 * arguments.  Every object may be used by one thread at a time; different objects by different
 * threads at once.
 */
#ifndef POP3_BASE_H
#define POP3_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POP3_API __attribute__((visibility("default")))

/* RFC 1939, sections 4 to 6.  CLOSED: the session is over, whatever ended it. */
enum pop3_state { POP3_AUTHORIZATION, POP3_TRANSACTION, POP3_UPDATE, POP3_CLOSED };

enum {
	POP3_LINE_MAX = 255,	  /* command line with CRLF (RFC 2449, 4) */
	POP3_REPLY_MAX = 512,	  /* first line of a reply with CRLF (RFC 1939, 3) */
	POP3_UID_MAX = 70,	  /* unique-id (RFC 1939, 7) */
};

/* Octets that belong to somebody else; how long they stay is said where one is handed out. */
struct pop3_slice {
	const uint8_t *data;
	size_t len;
};

/* Where output goes: memory of the caller's, of fixed size, filled from the front. */
struct pop3_out {
	uint8_t *data;
	size_t len; /* octets in it */
	size_t cap; /* octets it can hold */
};

static inline size_t
pop3_out_room(const struct pop3_out *o)
{
	return o->cap - o->len;
}

#endif
