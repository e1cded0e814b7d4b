#include "scram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pop3/codec.h>

void
scram_final(const char *gs2, const uint8_t *binding, size_t binding_len, const char *bare,
    const char *server_first, const char *secret, char out[SCRAM_FINAL_MAX])
{
	char salt_text[128], nonce[256], without[520], message[1300], c64[256];
	uint8_t c[128], salt[96], salted[32], client[32], stored[32], sig[32];
	uint8_t proof[64];
	size_t salt_len;
	unsigned n, iterations;

	assert_int_equal(
	    sscanf(server_first, "r=%255[^,],s=%127[^,],i=%u", nonce, salt_text, &iterations), 3);
	memcpy(c, gs2, strlen(gs2));
	if (binding_len > 0)
		memcpy(c + strlen(gs2), binding, binding_len);
	c64[pop3_base64_encode(c, strlen(gs2) + binding_len, (uint8_t *)c64)] = '\0';
	(void)snprintf(without, sizeof without, "c=%s,r=%s", c64, nonce);
	(void)snprintf(message, sizeof message, "%s,%s,%s", bare, server_first, without);
	assert_true(pop3_base64_decode((uint8_t *)salt_text, strlen(salt_text), salt, &salt_len));
	assert_int_equal(PKCS5_PBKDF2_HMAC(secret, (int)strlen(secret), salt, (int)salt_len,
			     (int)iterations, EVP_sha256(), 32, salted),
	    1);
	assert_non_null(
	    HMAC(EVP_sha256(), salted, 32, (const uint8_t *)"Client Key", 10, client, &n));
	assert_int_equal(EVP_Digest(client, 32, stored, &n, EVP_sha256(), NULL), 1);
	assert_non_null(
	    HMAC(EVP_sha256(), stored, 32, (uint8_t *)message, strlen(message), sig, &n));
	for (int i = 0; i < 32; i++)
		client[i] ^= sig[i];
	proof[pop3_base64_encode(client, 32, proof)] = '\0';
	(void)snprintf(out, SCRAM_FINAL_MAX, "%s,p=%s", without, (char *)proof);
}
