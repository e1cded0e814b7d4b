#include <pop3/codec.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* 0-63, or 255 for an octet outside the alphabet. */
static uint8_t
value(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return (uint8_t)(c - 'A');
	if (c >= 'a' && c <= 'z')
		return (uint8_t)(c - 'a' + 26);
	if (c >= '0' && c <= '9')
		return (uint8_t)(c - '0' + 52);
	return c == '+' ? 62 : c == '/' ? 63 : 255;
}

bool
pop3_base64_decode(const uint8_t *in, size_t len, uint8_t *out, size_t *ret_len)
{
	size_t n = 0, pad = 0;

	if (len % 4 != 0)
		return false;
	if (len > 0 && in[len - 1] == '=')
		pad = in[len - 2] == '=' ? 2 : 1;
	for (size_t i = 0; i < len; i += 4) {
		size_t want = i + 4 == len ? 4 - pad : 4; /* letters in this group */
		uint32_t group = 0;

		for (size_t k = 0; k < 4; k++) {
			uint8_t v = k < want ? value(in[i + k]) : 0;

			if (v == 255)
				return false;
			group = group << 6 | v;
		}
		/* bits that belong to no octet are zero, or two texts would mean the same */
		if ((want == 3 && (group & 0xff) != 0) || (want == 2 && (group & 0xffff) != 0))
			return false;
		out[n++] = (uint8_t)(group >> 16);
		if (want > 2)
			out[n++] = (uint8_t)(group >> 8);
		if (want > 3)
			out[n++] = (uint8_t)group;
	}
	*ret_len = n;
	return true;
}

size_t
pop3_base64_encode(const uint8_t *in, size_t len, uint8_t *out)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i += 3) {
		size_t have = len - i < 3 ? len - i : 3;
		uint32_t group = (uint32_t)in[i] << 16;

		if (have > 1)
			group |= (uint32_t)in[i + 1] << 8;
		if (have > 2)
			group |= in[i + 2];
		out[n++] = (uint8_t)alphabet[group >> 18];
		out[n++] = (uint8_t)alphabet[group >> 12 & 63];
		out[n++] = have > 1 ? (uint8_t)alphabet[group >> 6 & 63] : '=';
		out[n++] = have > 2 ? (uint8_t)alphabet[group & 63] : '=';
	}
	return n;
}
