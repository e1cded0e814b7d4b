/*
 * stranger - who speaks at our port, but not POP3.  Private to src/pop3.
 *
 * A web browser can be made to send somebody else's lines to any port.  It cannot keep its own
 * request line out of the front, so nothing behind one is ever looked at (Q-C14).
 */
#ifndef POP3_STRANGER_H
#define POP3_STRANGER_H

#include <pop3/base.h>

enum { STRANGER_HEAD = 8 }; /* octets that settle it */

/* Whether a connection that begins with head[0..len) speaks TLS or HTTP.  False with a shorter
 * head may become true with a longer one, never the other way. */
bool stranger_speaks(const uint8_t *head, size_t len);

#endif
