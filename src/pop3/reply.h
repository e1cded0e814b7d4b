/*
 * reply - writes lines of replies.  Private to src/pop3; the rest is in <pop3/text.h>.
 */
#ifndef POP3_REPLY_H
#define POP3_REPLY_H

#include <pop3/base.h>

/* a, b and c, one behind the other, then CRLF: the end of c cut off, between characters, if that
 * would be more than POP3_REPLY_MAX octets.  Needs as much room as it writes. */
void reply_line(struct pop3_out *out, const char *a, const char *b, const char *c);

#endif
