#include "store/name.h"

#include <openssl/evp.h>
#include <pop3/codec.h>
#include <stdio.h>
#include <string.h>

/* The digits at p; returns how many there are, 0 also when the number is too large. */
static size_t
digits(const char *p, size_t len, uint64_t *ret)
{
	size_t n = 0;

	while (n < len && p[n] >= '0' && p[n] <= '9')
		n++;
	return n > 0 && pop3_number((const uint8_t *)p, n, INT64_MAX, ret, NULL) ? n : 0;
}

/* The number behind ",S=" or ",W=": counts only when a comma or the end of the base follows. */
static bool
find_size(const char *text, size_t base, char letter, uint64_t *ret)
{
	for (size_t i = 0; i + 3 < base; i++) {
		size_t n;

		if (text[i] != ',' || text[i + 1] != letter || text[i + 2] != '=')
			continue;
		n = digits(text + i + 3, base - i - 3, ret);
		if (n > 0 && (i + 3 + n == base || text[i + 3 + n] == ','))
			return true;
	}
	return false;
}

void
name_parse(const char *text, struct name *ret)
{
	const char *colon = strchr(text, ':');
	uint64_t micros, stored;
	size_t n;

	*ret = (struct name){ .base = colon == NULL ? strlen(text) : (size_t)(colon - text) };
	n = digits(text, ret->base, &ret->seconds);
	if (n > 0 && n + 1 < ret->base && text[n] == '.' && text[n + 1] == 'M' &&
	    digits(text + n + 2, ret->base - n - 2, &micros) > 0 && micros < 1000000)
		ret->micros = (uint32_t)micros;
	ret->has_wire =
	    find_size(text, ret->base, 'W', &ret->wire) && ret->wire <= NAME_WIRE_MAX &&
	    (!find_size(text, ret->base, 'S', &stored) || name_wire_possible(ret->wire, stored));
}

bool
name_wire_possible(uint64_t wire, uint64_t stored)
{
	/* no message gets shorter; at most every octet is a line end, and one more is added */
	return wire >= stored && (wire - stored <= stored || wire - stored - stored <= 2);
}

void
name_uid(const char *text, size_t base, char *uid)
{
	if (pop3_uid_valid((const uint8_t *)text, base)) {
		memcpy(uid, text, base);
		uid[base] = '\0';
		return;
	}
	name_digest(text, base, uid);
}

void
name_digest(const char *text, size_t len, char *uid)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned size = 0;

	/* cannot fail but for want of memory; then the zeros make a valid, if common, unique-id */
	memset(digest, 0, sizeof digest);
	(void)EVP_Digest(text, len, digest, &size, EVP_sha256(), NULL);
	for (unsigned i = 0; i < 32; i++)
		(void)snprintf(uid + 2 * i, 3, "%02x", digest[i]);
}
