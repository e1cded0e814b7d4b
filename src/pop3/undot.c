#include <pop3/content.h>

#include <string.h>

size_t
pop3_undot(enum pop3_undot *st, const uint8_t *in, size_t len, uint8_t *out, size_t *ret_len)
{
	size_t i = 0, n = 0;

	while (i < len && *st != POP3_UNDOT_END) {
		enum pop3_undot was = *st;

		if (was == POP3_UNDOT_TEXT) { /* by block: nothing but a CR matters here */
			const uint8_t *cr = memchr(in + i, '\r', len - i);
			size_t run = cr == NULL ? len - i : (size_t)(cr - in) - i + 1;

			memcpy(out + n, in + i, run);
			n += run;
			i += run;
			if (cr != NULL)
				*st = POP3_UNDOT_TEXT_CR;
			continue;
		}
		if (was == POP3_UNDOT_BOL && in[i] == '.') {
			*st = POP3_UNDOT_DOT;
		} else if (was == POP3_UNDOT_DOT && in[i] == '\r') {
			*st = POP3_UNDOT_DOT_CR;
		} else if (was == POP3_UNDOT_DOT_CR && in[i] == '\n') {
			*st = POP3_UNDOT_END;
		} else {
			if (was == POP3_UNDOT_DOT_CR)
				out[n++] = '\r'; /* held back, but it was text */
			out[n++] = in[i];
			*st = POP3_UNDOT_TEXT;
			if (in[i] == '\r')
				*st = POP3_UNDOT_TEXT_CR;
			else if (in[i] == '\n' && was == POP3_UNDOT_TEXT_CR)
				*st = POP3_UNDOT_BOL;
		}
		i++;
	}
	*ret_len = n;
	return i;
}
