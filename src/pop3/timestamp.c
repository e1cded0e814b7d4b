#include <pop3/codec.h>

#include <string.h>

/* RFC 5322 atext: what a msg-id without quoting is made of. */
static bool
is_atom_octet(uint8_t c)
{
	if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))
		return true;
	return c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL;
}

/* Atoms with single dots between them. */
static bool
is_dot_atom(const uint8_t *p, const uint8_t *end)
{
	bool dot = true; /* the last octet was one, or there is no octet yet */

	for (; p < end; p++) {
		if (*p == '.' ? dot : !is_atom_octet(*p))
			return false;
		dot = *p == '.';
	}
	return !dot;
}

static bool
is_domain_literal(const uint8_t *p, const uint8_t *end)
{
	if (end - p < 3 || *p != '[' || end[-1] != ']')
		return false;
	for (p++; p < end - 1; p++)
		if (*p < 0x21 || *p > 0x7e || *p == '[' || *p == ']' || *p == '\\')
			return false;
	return true;
}

/* Whether in[0..len) is "<local@domain>".  What a man in the middle needs for an attack on MD5
 * does not look like that (CVE-2007-1558). */
static bool
is_timestamp(const uint8_t *in, size_t len)
{
	const uint8_t *at = memchr(in, '@', len), *end = in + len - 1;

	return at != NULL && is_dot_atom(in + 1, at) &&
	       (is_dot_atom(at + 1, end) || is_domain_literal(at + 1, end));
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
