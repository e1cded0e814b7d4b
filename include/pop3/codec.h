/*
 * codec - numbers, base64, UTF-8 and timestamps, checked strictly.
 */
#ifndef POP3_CODEC_H
#define POP3_CODEC_H

#include <pop3/base.h>

/* 1*DIGIT and nothing else, no sign, no space (P1939-86).  False: not that, or above max (then
 * *ret_overflow, unless NULL, says which of the two). */
POP3_API bool pop3_number(const uint8_t *in, size_t len, uint64_t max, uint64_t *ret,
    bool *ret_overflow);

/* Writes v in decimal without a NUL; returns the length (at most 20). */
POP3_API size_t pop3_number_write(uint64_t v, uint8_t *out);

/* Strict RFC 4648 base64 (P5034-14): no space, "=" at the end only, right padding, no stray bits.
 * out has room for len / 4 * 3; in and out may be the same memory.  False: not base64. */
POP3_API bool pop3_base64_decode(const uint8_t *in, size_t len, uint8_t *out, size_t *ret_len);
/* out has room for (len + 2) / 3 * 4; returns the length. */
POP3_API size_t pop3_base64_encode(const uint8_t *in, size_t len, uint8_t *out);

/* 32 hex digits of either case (P1939-50, Q-C11). */
POP3_API bool pop3_hex_decode16(const uint8_t *in, size_t len, uint8_t out[16]);

/* Well-formed UTF-8: no overlong form, surrogate, or value above U+10FFFF (P6856-10). */
POP3_API bool pop3_utf8_valid(const uint8_t *in, size_t len);

/* A unique-id as RFC 1939 section 7 allows it: 1-70 octets of 0x21-0x7E (P1939-81). */
POP3_API bool pop3_uid_valid(const uint8_t *in, size_t len);

/* The strictly valid ASCII msg-id "<local@domain>" in a greeting line, or false (P1939-53). */
POP3_API bool pop3_timestamp_find(const uint8_t *line, size_t len, struct pop3_slice *ret);

#endif
