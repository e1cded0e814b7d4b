#include <pop3/codec.h>

bool
pop3_utf8_valid(const uint8_t *in, size_t len)
{
	for (size_t i = 0; i < len;) {
		uint8_t c = in[i++], low = 0x80, high = 0xbf;
		size_t more;

		if (c < 0x80)
			continue;
		if (c >= 0xc2 && c <= 0xdf)
			more = 1;
		else if (c >= 0xe0 && c <= 0xef)
			more = 2;
		else if (c >= 0xf0 && c <= 0xf4)
			more = 3;
		else
			return false;
		/* the second octet rules out overlong forms, surrogates, and what is above 10FFFF */
		if (c == 0xe0)
			low = 0xa0;
		else if (c == 0xed)
			high = 0x9f;
		else if (c == 0xf0)
			low = 0x90;
		else if (c == 0xf4)
			high = 0x8f;
		for (; more > 0; more--, low = 0x80, high = 0xbf) {
			if (i == len || in[i] < low || in[i] > high)
				return false;
			i++;
		}
	}
	return true;
}
