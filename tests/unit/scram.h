/*
 * scram - a SCRAM-SHA-256 client's part, made without GNU SASL (RFC 5802, section 3).
 */
#ifndef TESTS_SCRAM_H
#define TESTS_SCRAM_H

#include <stddef.h>
#include <stdint.h>

enum { SCRAM_FINAL_MAX = 640 };

/* client-final for what the server said to gs2 and bare; a test fails if it said nonsense. */
void scram_final(const char *gs2, const uint8_t *binding, size_t binding_len, const char *bare,
    const char *server_first, const char *secret, char out[SCRAM_FINAL_MAX]);

#endif
