/*
 * surrogate_field - one header field with octets >= 0x80, as RFC 6858 section 2 has it.
 * Private to src/pop3.
 */
#ifndef POP3_SURROGATE_FIELD_H
#define POP3_SURROGATE_FIELD_H

#include "growing.h"

/* The name of a field ("Subject" of "Subject: x"); false: the text is no field. */
bool field_name(
    const uint8_t *field, size_t len, struct pop3_slice *ret_name, struct pop3_slice *ret_value);
bool field_is(const struct pop3_slice *name, const char *what);

/* The value of a parameter of a Content-Type value, unquoted, into out (with a NUL). */
bool field_parameter(const struct pop3_slice *value, const char *name, char *out, size_t room);

/* Writes what stands for the field, with eol at the end of each line; nothing when it is dropped.
 * What it writes has no octet >= 0x80. */
void field_rewrite(const uint8_t *field, size_t len, const char *eol, struct growing *out);

#endif
