/* Content on its way in, also from servers that end every line by LF alone. */
#include "client_engine.h"

/*
 * The terminator "." LF is believed only while no line of this reply, from its status line on,
 * ended by CRLF.  From the first CRLF on a bare LF begins no line any more, or a message could
 * end its own transfer and forge the replies that follow.
 */
static size_t
undot_bare(struct receiving *r, const uint8_t *in, size_t len, uint8_t *out, size_t *ret_len)
{
	size_t i = 0, n = 0;

	while (i < len && r->bare && r->at != POP3_UNDOT_END) {
		enum pop3_undot was = r->at;
		uint8_t c = in[i++];

		if (was == POP3_UNDOT_BOL && c == '.') {
			r->at = POP3_UNDOT_DOT;
			continue;
		}
		if (was == POP3_UNDOT_DOT && c == '\r') {
			r->at = POP3_UNDOT_DOT_CR;
			continue;
		}
		if ((was == POP3_UNDOT_DOT || was == POP3_UNDOT_DOT_CR) && c == '\n') {
			r->at = POP3_UNDOT_END;
			continue;
		}
		if (was == POP3_UNDOT_DOT_CR)
			out[n++] = '\r';
		out[n++] = c;
		if (c == '\n')
			r->at = POP3_UNDOT_BOL;
		else
			r->at = c == '\r' ? POP3_UNDOT_TEXT_CR : POP3_UNDOT_TEXT;
		if (was == POP3_UNDOT_TEXT_CR && c == '\n')
			r->bare = false;
	}
	*ret_len = n;
	return i;
}

size_t
receiving_undot(struct receiving *r, const uint8_t *in, size_t len, uint8_t *out, size_t *ret_len)
{
	size_t used = 0, n = 0, more = 0;

	if (r->bare)
		used = undot_bare(r, in, len, out, &n);
	if (!r->bare && r->at != POP3_UNDOT_END)
		used += pop3_undot(&r->at, in + used, len - used, out + n, &more);
	*ret_len = n + more;
	return used;
}
