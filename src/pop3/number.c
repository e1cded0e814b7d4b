#include <pop3/codec.h>

#include <string.h>

bool
pop3_number(const uint8_t *in, size_t len, uint64_t max, uint64_t *ret, bool *ret_overflow)
{
	uint64_t v = 0;
	bool over = false;

	if (ret_overflow != NULL)
		*ret_overflow = false;
	if (len == 0)
		return false;
	for (size_t i = 0; i < len; i++) {
		uint8_t digit = (uint8_t)(in[i] - '0');

		if (digit > 9)
			return false;
		if (v > UINT64_MAX / 10 || v * 10 > UINT64_MAX - digit)
			over = true; /* and go on: trailing junk is still junk */
		if (!over)
			v = v * 10 + digit;
	}
	if (v > max)
		over = true;
	if (ret_overflow != NULL)
		*ret_overflow = over;
	if (over)
		return false;
	*ret = v;
	return true;
}

size_t
pop3_number_write(uint64_t v, uint8_t *out)
{
	uint8_t digits[20];
	size_t n = 0;

	do {
		digits[n++] = (uint8_t)('0' + v % 10);
		v /= 10;
	} while (v > 0);
	for (size_t i = 0; i < n; i++)
		out[i] = digits[n - 1 - i];
	return n;
}

bool
pop3_hex_decode16(const uint8_t *in, size_t len, uint8_t out[16])
{
	if (len != 32)
		return false;
	for (size_t i = 0; i < 32; i++) {
		uint8_t c = in[i], v;

		if (c >= '0' && c <= '9')
			v = (uint8_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			v = (uint8_t)(c - 'a' + 10);
		else if (c >= 'A' && c <= 'F')
			v = (uint8_t)(c - 'A' + 10);
		else
			return false;
		if (i % 2 == 0)
			out[i / 2] = (uint8_t)(v << 4);
		else
			out[i / 2] |= v;
	}
	return true;
}

bool
pop3_uid_valid(const uint8_t *in, size_t len)
{
	if (len < 1 || len > POP3_UID_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (in[i] < 0x21 || in[i] > 0x7e)
			return false;
	return true;
}
