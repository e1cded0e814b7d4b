#include "auth/scheme.h"

#include <argon2.h>
#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pop3/codec.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { DIGEST_MAX = 64, TEXT_MAX = 1024, ITERATIONS_MAX = 10000000 };

static const struct known {
	const char *name;
	enum scheme_kind kind;
	const char *digest; /* OpenSSL's name, for plain and salted digests */
	bool salted;
} knowns[] = {
	{ "PLAIN", SCHEME_PLAIN, NULL, false },
	{ "CLEAR", SCHEME_PLAIN, NULL, false },
	{ "CLEARTEXT", SCHEME_PLAIN, NULL, false },
	{ "CRYPT", SCHEME_SLOW, NULL, false },
	{ "DES-CRYPT", SCHEME_SLOW, NULL, false },
	{ "MD5-CRYPT", SCHEME_SLOW, NULL, false },
	{ "MD5", SCHEME_SLOW, NULL, false },
	{ "SHA256-CRYPT", SCHEME_SLOW, NULL, false },
	{ "SHA512-CRYPT", SCHEME_SLOW, NULL, false },
	{ "BLF-CRYPT", SCHEME_SLOW, NULL, false },
	{ "YESCRYPT", SCHEME_SLOW, NULL, false },
	{ "GOST-YESCRYPT", SCHEME_SLOW, NULL, false },
	{ "ARGON2", SCHEME_SLOW, NULL, false },
	{ "ARGON2I", SCHEME_SLOW, NULL, false },
	{ "ARGON2ID", SCHEME_SLOW, NULL, false },
	{ "PBKDF2", SCHEME_SLOW, NULL, false },
	{ "SHA", SCHEME_DIGEST, "SHA1", false },
	{ "SHA1", SCHEME_DIGEST, "SHA1", false },
	{ "SHA256", SCHEME_DIGEST, "SHA256", false },
	{ "SHA512", SCHEME_DIGEST, "SHA512", false },
	{ "SSHA", SCHEME_DIGEST, "SHA1", true },
	{ "SSHA256", SCHEME_DIGEST, "SHA256", true },
	{ "SSHA512", SCHEME_DIGEST, "SHA512", true },
	{ "SMD5", SCHEME_DIGEST, "MD5", true },
	{ "LDAP-MD5", SCHEME_DIGEST, "MD5", false },
	{ "PLAIN-MD5", SCHEME_DIGEST, "MD5", false },
	{ "SCRAM-SHA-1", SCHEME_SCRAM, NULL, false },
	{ "SCRAM-SHA-256", SCHEME_SCRAM, NULL, false },
};

static const struct known *
find(const char *name)
{
	for (size_t i = 0; i < sizeof knowns / sizeof *knowns; i++)
		if (strcasecmp(knowns[i].name, name) == 0)
			return &knowns[i];
	return NULL;
}

static bool
hex_decode(const char *text, size_t len, uint8_t *out)
{
	if (len % 2 != 0)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = text[i];
		uint8_t v;

		if (c >= '0' && c <= '9')
			v = (uint8_t)(c - '0');
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			v = (uint8_t)((c | 32) - 'a' + 10);
		else
			return false;
		out[i / 2] = (uint8_t)(i % 2 == 0 ? v << 4 : out[i / 2] | v);
	}
	return true;
}

/* A text that is no digest is used as text: decoded once, where it stands. */
static bool
decode_text(char *text, uint8_t encoding)
{
	size_t len = strlen(text), n = len / 2;
	uint8_t *out = (uint8_t *)text;

	if (encoding == 2 ? !hex_decode(text, len, out)
			  : !pop3_base64_decode((const uint8_t *)text, len, out, &n))
		return false;
	text[n] = '\0';
	return strlen(text) == n;
}

void
scheme_parse(char *stored, const char *fallback, struct scheme *ret)
{
	char name[40], *text = stored;
	const char *close = stored[0] == '{' ? strchr(stored, '}') : NULL;
	const struct known *k;
	char *dot;

	*ret = (struct scheme){ .kind = SCHEME_BROKEN, .name = "", .text = stored };
	if (close != NULL) {
		if ((size_t)(close - stored) > sizeof name)
			return;
		(void)snprintf(name, sizeof name, "%.*s", (int)(close - stored - 1), stored + 1);
		text = stored + (close - stored) + 1;
		ret->text = text;
	} else {
		(void)snprintf(name, sizeof name, "%s", fallback);
	}
	dot = strchr(name, '.');
	if (dot != NULL) {
		if (strcasecmp(dot, ".b64") == 0 || strcasecmp(dot, ".base64") == 0)
			ret->encoding = 1;
		else if (strcasecmp(dot, ".hex") == 0)
			ret->encoding = 2;
		else
			return;
		*dot = '\0';
	}
	k = find(name);
	if (k == NULL ||
	    (k->digest == NULL && ret->encoding != 0 && !decode_text(text, ret->encoding)))
		return;
	ret->kind = k->kind;
	ret->name = k->name;
}

static bool
same(const void *a, size_t a_len, const void *b, size_t b_len)
{
	return a_len == b_len && CRYPTO_memcmp(a, b, a_len) == 0;
}

/* base64 or hex, as the scheme says or the length tells; returns the octets, 0 for neither. */
static size_t
decode(const struct scheme *s, size_t digest, uint8_t *out, size_t room)
{
	size_t len = strlen(s->text), n = 0;

	if (len > TEXT_MAX || len / 4 * 3 > room || len / 2 > room)
		return 0;
	if ((s->encoding == 2 || (s->encoding == 0 && len == 2 * digest)) &&
	    hex_decode(s->text, len, out))
		return len / 2;
	if (s->encoding != 2 && pop3_base64_decode((const uint8_t *)s->text, len, out, &n))
		return n;
	return 0;
}

static bool
verify_digest(const struct scheme *s, const struct known *k, const uint8_t *secret, size_t len)
{
	const EVP_MD *md = EVP_get_digestbyname(k->digest);
	size_t size = md == NULL ? 0 : (size_t)EVP_MD_get_size(md), n;
	uint8_t stored[TEXT_MAX], got[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = false;

	n = decode(s, size, stored, sizeof stored);
	if (ctx != NULL && md != NULL && n >= size && (n == size || k->salted))
		ok = EVP_DigestInit_ex(ctx, md, NULL) == 1 &&
		     EVP_DigestUpdate(ctx, secret, len) == 1 &&
		     EVP_DigestUpdate(ctx, stored + size, n - size) == 1 &&
		     EVP_DigestFinal_ex(ctx, got, NULL) == 1 && same(stored, size, got, size);
	EVP_MD_CTX_free(ctx);
	OPENSSL_cleanse(got, sizeof got);
	return ok;
}

/* A C string of the secret for interfaces that want one; NULL: it has a NUL, or is too long. */
static const char *
as_text(const uint8_t *secret, size_t len, char *out, size_t room)
{
	if (len >= room || (len > 0 && memchr(secret, '\0', len) != NULL))
		return NULL;
	memcpy(out, secret, len);
	out[len] = '\0';
	return out;
}

static bool
verify_crypt(const struct scheme *s, const uint8_t *secret, size_t len)
{
	char text[1040];
	struct crypt_data *data = calloc(1, sizeof *data); /* 32 KiB: not for a stack */
	const char *got = NULL;
	bool ok;

	if (data != NULL && as_text(secret, len, text, sizeof text) != NULL)
		got = crypt_r(text, s->text, data);
	/* a failure gives "*0" or "*1", which no stored hash begins with */
	ok = got != NULL && got[0] != '*' && strlen(s->text) > 0 &&
	     same(got, strlen(got), s->text, strlen(s->text));
	OPENSSL_cleanse(text, sizeof text);
	if (data != NULL)
		OPENSSL_cleanse(data, sizeof *data);
	free(data);
	return ok;
}

static bool
verify_argon2(const struct scheme *s, const uint8_t *secret, size_t len)
{
	if (strncmp(s->text, "$argon2id$", 10) == 0)
		return argon2id_verify(s->text, secret, len) == ARGON2_OK;
	if (strncmp(s->text, "$argon2i$", 9) == 0)
		return argon2i_verify(s->text, secret, len) == ARGON2_OK;
	return false;
}

/* "$1$salt$rounds$40 hex": HMAC-SHA-1. */
static bool
verify_pbkdf2(const struct scheme *s, const uint8_t *secret, size_t len)
{
	char copy[TEXT_MAX], *save = NULL, *salt, *rounds, *hex;
	uint8_t stored[20], got[20];
	uint64_t n;

	if (strlen(s->text) >= sizeof copy || strncmp(s->text, "$1$", 3) != 0)
		return false;
	(void)snprintf(copy, sizeof copy, "%s", s->text + 3);
	salt = strtok_r(copy, "$", &save);
	rounds = strtok_r(NULL, "$", &save);
	hex = strtok_r(NULL, "$", &save);
	return hex != NULL && strlen(hex) == 40 && hex_decode(hex, 40, stored) &&
	       pop3_number((const uint8_t *)rounds, strlen(rounds), ITERATIONS_MAX, &n, NULL) &&
	       n > 0 &&
	       PKCS5_PBKDF2_HMAC((const char *)secret, (int)len, (const uint8_t *)salt,
		   (int)strlen(salt), (int)n, EVP_sha1(), sizeof got, got) == 1 &&
	       same(stored, sizeof stored, got, sizeof got);
}

/* Of a base64 text; 0: it is none, or longer than anything of SCRAM's. */
static size_t
octets_in(const char *text)
{
	uint8_t mem[96];
	size_t len = strlen(text), n;

	return len / 4 * 3 <= sizeof mem && pop3_base64_decode((const uint8_t *)text, len, mem, &n)
		   ? n
		   : 0;
}

bool
scheme_scram_stored(const struct scheme *s, bool sha256, struct scram_keys *ret)
{
	char copy[TEXT_MAX], *save = NULL, *part[4];
	size_t size = sha256 ? 32 : 20;
	uint64_t n;

	if (s->kind != SCHEME_SCRAM || strlen(s->text) >= sizeof copy ||
	    sha256 != (strcmp(s->name, "SCRAM-SHA-256") == 0))
		return false;
	(void)snprintf(copy, sizeof copy, "%s", s->text);
	for (int i = 0; i < 4; i++) {
		part[i] = strtok_r(i == 0 ? copy : NULL, ",", &save);
		if (part[i] == NULL)
			return false;
	}
	if (!pop3_number((const uint8_t *)part[0], strlen(part[0]), ITERATIONS_MAX, &n, NULL) ||
	    n == 0 || strlen(part[1]) >= sizeof ret->salt || octets_in(part[1]) == 0 ||
	    octets_in(part[2]) != size || octets_in(part[3]) != size)
		return false;
	ret->sha256 = sha256;
	ret->iterations = (unsigned)n;
	(void)snprintf(ret->salt, sizeof ret->salt, "%s", part[1]);
	(void)snprintf(ret->stored, sizeof ret->stored, "%s", part[2]);
	(void)snprintf(ret->server, sizeof ret->server, "%s", part[3]);
	return true;
}

bool
scheme_scram_derive(const uint8_t *secret, size_t len, struct scram_keys *k)
{
	const EVP_MD *md = k->sha256 ? EVP_sha256() : EVP_sha1();
	int size = k->sha256 ? 32 : 20;
	uint8_t salt[128], salted[32], client[32], stored[32], server[32];
	unsigned n;
	size_t salt_len;
	bool ok;

	ok = pop3_base64_decode((const uint8_t *)k->salt, strlen(k->salt), salt, &salt_len) &&
	     PKCS5_PBKDF2_HMAC((const char *)secret, (int)len, salt, (int)salt_len,
		 (int)k->iterations, md, size, salted) == 1 &&
	     HMAC(md, salted, size, (const uint8_t *)"Client Key", 10, client, &n) != NULL &&
	     HMAC(md, salted, size, (const uint8_t *)"Server Key", 10, server, &n) != NULL &&
	     EVP_Digest(client, (size_t)size, stored, &n, md, NULL) == 1;
	if (ok) {
		k->stored[pop3_base64_encode(stored, (size_t)size, (uint8_t *)k->stored)] = '\0';
		k->server[pop3_base64_encode(server, (size_t)size, (uint8_t *)k->server)] = '\0';
	}
	OPENSSL_cleanse(salted, sizeof salted);
	OPENSSL_cleanse(client, sizeof client);
	OPENSSL_cleanse(server, sizeof server);
	return ok;
}

static bool
verify_scram(const struct scheme *s, const uint8_t *secret, size_t len)
{
	struct scram_keys stored, got;

	if (!scheme_scram_stored(s, strcmp(s->name, "SCRAM-SHA-256") == 0, &stored))
		return false;
	got = stored;
	return scheme_scram_derive(secret, len, &got) &&
	       same(stored.stored, strlen(stored.stored), got.stored, strlen(got.stored));
}

bool
scheme_verify(const struct scheme *s, const uint8_t *secret, size_t len)
{
	switch (s->kind) {
	case SCHEME_PLAIN:
		return same(s->text, strlen(s->text), secret, len);
	case SCHEME_DIGEST:
		return verify_digest(s, find(s->name), secret, len);
	case SCHEME_SCRAM:
		return verify_scram(s, secret, len);
	case SCHEME_SLOW:
		if (strncmp(s->name, "ARGON2", 6) == 0)
			return verify_argon2(s, secret, len);
		return strcmp(s->name, "PBKDF2") == 0 ? verify_pbkdf2(s, secret, len)
						      : verify_crypt(s, secret, len);
	case SCHEME_BROKEN:
		break;
	}
	return false;
}
