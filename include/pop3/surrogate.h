/*
 * surrogate - what a client that has not asked for UTF8 gets for a message whose headers hold
 * octets >= 0x80 (RFC 6856 section 2.1, RFC 6858).
 *
 * Runs in: maildrop (and wherever sizes are counted).  Input: hostile.  A stream transformer:
 * stored form in, stored form out (line ends and stuffing are content.h's), unchanged but for the
 * fields that RFC 6858 section 2 names, in the header of the message and of every MIME part and
 * embedded message.  The result does not depend on how the input is cut up.  Memory: the fields
 * being rewritten and the boundaries, with ceilings; a field longer than the ceiling is dropped if
 * it holds an octet >= 0x80, and passes otherwise.
 */
#ifndef POP3_SURROGATE_H
#define POP3_SURROGATE_H

#include <pop3/base.h>

struct pop3_surrogate;

POP3_API struct pop3_surrogate *pop3_surrogate_create(void); /* NULL: out of memory */
POP3_API void pop3_surrogate_destroy(struct pop3_surrogate **s);

/*
 * Takes all of in[0..len) (call with len 0 and last true at the end of the message), then
 * pop3_surrogate_output() until it gives 0.  False: out of memory; end the reply without its
 * final dot.
 */
POP3_API bool pop3_surrogate_feed(struct pop3_surrogate *s, const uint8_t *in, size_t len, bool last);
POP3_API size_t pop3_surrogate_output(struct pop3_surrogate *s, uint8_t *out, size_t room);

/* Whether anything so far came out other than it went in (P6856-17: it needs UTF-8). */
POP3_API bool pop3_surrogate_changed(const struct pop3_surrogate *s);

#endif
