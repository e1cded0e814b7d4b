#include "stranger.h"

#include <string.h>

enum { TLS_HANDSHAKE = 0x16 }; /* type of the first record */

bool
stranger_speaks(const uint8_t *head, size_t len)
{
	static const char *const methods[] = { "GET ", "POST ", "HEAD ", "PUT ", "OPTIONS ",
		"CONNECT ", "DELETE ", "TRACE ", "PATCH ", "PRI " };

	if (len > 0 && head[0] == TLS_HANDSHAKE)
		return true;
	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
		size_t n = strlen(methods[i]);

		if (len >= n && memcmp(head, methods[i], n) == 0)
			return true;
	}
	return false;
}
