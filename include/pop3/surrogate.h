/*
 * surrogate - what a client that has not asked for UTF8 gets for a message whose headers hold
 * octets >= 0x80 (RFC 6856 section 2.1, RFC 6858).
 *
 * Runs in: maildrop (and wherever sizes are counted).  Input: hostile.  A stream transformer:
 * stored form in, stored form out (line ends and stuffing are content.h's), unchanged but for the
 * fields that RFC 6858 section 2 names, in the header of the message and of every MIME part and
 * embedded message.  The result does not depend on how the input is cut up.
 *
 * No octet >= 0x80 is left in any header, not even in what only some clients take for one.  So in
 * doubt something is a header: behind a boundary whose line goes on (RFC 2046, 5.1.1), one that
 * malformed syntax surrounds or that was itself dropped, and in a message/rfc822 whatever its
 * Content-Transfer-Encoding.  What comes out, put in again, comes out unchanged.
 *
 * Memory: the output of one feed, and one field, with ceilings.  Of a field above 64 KiB, all is
 * dropped if an octet >= 0x80 is among the first 64 KiB; else it passes, with "?" for any that
 * follow.  So does the body of a multipart that is the 33rd in others, has a boundary above 250
 * octets, or several that differ: what is header there is not looked for.  Time: in proportion to the input.
 */
#ifndef POP3_SURROGATE_H
#define POP3_SURROGATE_H

#include <pop3/base.h>

struct pop3_surrogate;

POP3_API struct pop3_surrogate *pop3_surrogate_create(void); /* NULL: out of memory */
POP3_API void pop3_surrogate_destroy(struct pop3_surrogate **s);

/*
 * Takes all of in[0..len) (last: nothing follows; len may be 0 then), then
 * pop3_surrogate_output() until it gives 0.  Of a feed of n octets, less than 32 * (n + 65,536)
 * come out.  False: out of memory; end the reply without its final dot.
 */
POP3_API bool pop3_surrogate_feed(struct pop3_surrogate *s, const uint8_t *in, size_t len, bool last);
POP3_API size_t pop3_surrogate_output(struct pop3_surrogate *s, uint8_t *out, size_t room);

/* Whether anything so far came out other than it went in (P6856-17: it needs UTF-8). */
POP3_API bool pop3_surrogate_changed(const struct pop3_surrogate *s);

#endif
