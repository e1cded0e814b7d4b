#include <pop3/codec.h>

#include <string.h>

/* RFC 5322 atext, and "." between: what a msg-id without quoting is made of. */
static bool
is_atom_octet(uint8_t c)
{
	if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))
		return true;
	return c != '\0' && strchr(".!#$%&'*+-/=?^_`{|}~", c) != NULL;
}

/* Whether in[0..len) is "<local@domain>". */
static bool
is_timestamp(const uint8_t *in, size_t len)
{
	const uint8_t *at = memchr(in, '@', len);

	if (at == NULL || at == in + 1 || at + 2 >= in + len)
		return false;
	for (const uint8_t *p = in + 1; p < in + len - 1; p++)
		if (p != at && !is_atom_octet(*p) &&
		    !(p > at && (*p == '[' || *p == ']' || *p == ':')))
			return false;
	return true;
}

bool
pop3_timestamp_find(const uint8_t *line, size_t len, struct pop3_slice *ret)
{
	for (size_t i = 0; i < len; i++) {
		const uint8_t *end;

		if (line[i] != '<')
			continue;
		end = memchr(line + i, '>', len - i);
		if (end == NULL)
			return false;
		if (is_timestamp(line + i, (size_t)(end - line) - i + 1)) {
			*ret = (struct pop3_slice){ line + i, (size_t)(end - line) - i + 1 };
			return true;
		}
	}
	return false;
}
