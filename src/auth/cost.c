/*
 * What a check of a stored password costs.  Rough: all that hangs on it is whose hash is computed
 * when there is no such user, and the orders of magnitude between schemes are what could be seen.
 */
#include <crypt.h>
#include <pop3/codec.h>
#include <string.h>

#include "auth/scheme.h"

static uint64_t
number_at(const char *p, uint64_t fallback)
{
	uint64_t n;

	return p != NULL && pop3_number(
				(const uint8_t *)p, strspn(p, "0123456789"), UINT32_MAX, &n, NULL)
		   ? n
		   : fallback;
}

/* The number behind key, as in "$m=65536,t=3,p=1$". */
static uint64_t
parameter(const char *text, const char *key)
{
	const char *p = strstr(text, key);

	return number_at(p == NULL ? NULL : p + strlen(key), 0);
}

/* Memory-hard ones of libxcrypt have log2(N) as a digit of crypt's own base64. */
static uint64_t
power(char c)
{
	static const char digits[] =
	    "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	const char *p = c == '\0' ? NULL : strchr(digits, c);
	size_t n = p == NULL ? 0 : (size_t)(p - digits);

	return 1ULL << (n > 30 ? 30 : n);
}

static uint64_t
cost_of_crypt(const char *t)
{
	int r = crypt_checksalt(t);
	size_t len = strlen(t);

	if (len < 13 || r == CRYPT_SALT_INVALID || r == CRYPT_SALT_METHOD_DISABLED)
		return 0;
	if (strncmp(t, "$2", 2) == 0)
		return 45 * (1ULL << (number_at(t + 4, 0) & 31));
	if (strncmp(t, "$5$", 3) == 0 || strncmp(t, "$6$", 3) == 0)
		return strncmp(t + 3, "rounds=", 7) == 0 ? number_at(t + 10, 5000) : 5000;
	if (strncmp(t, "$y$", 3) == 0)
		return 32 * power(t[4]);
	if (strncmp(t, "$gy$", 4) == 0)
		return 32 * power(t[5]);
	if (strncmp(t, "$7$", 3) == 0)
		return 32 * power(t[3]);
	return t[0] == '$' ? 300 : 10; /* MD5, DES */
}

uint64_t
scheme_cost(const struct scheme *s)
{
	struct scram_keys k;

	switch (s->kind) {
	case SCHEME_PLAIN:
		return 1;
	case SCHEME_DIGEST:
		return 2;
	case SCHEME_SCRAM:
		return scheme_scram_stored(s, strcmp(s->name, "SCRAM-SHA-256") == 0, &k)
			   ? 10 + k.iterations / 2
			   : 0;
	case SCHEME_SLOW:
		if (strncmp(s->name, "ARGON2", 6) == 0)
			return parameter(s->text, "$m=") * parameter(s->text, ",t=");
		if (strcmp(s->name, "PBKDF2") == 0)
			return strncmp(s->text, "$1$", 3) == 0
				   ? number_at(strchr(s->text + 3, '$') == NULL
						   ? NULL
						   : strchr(s->text + 3, '$') + 1,
					 0) /
					 2
				   : 0;
		return cost_of_crypt(s->text);
	case SCHEME_BROKEN:
		break;
	}
	return 0;
}
