/*
 * surrogate_field - one header field with octets >= 0x80, as RFC 6858 section 2 has it.
 * Private to src/pop3.
 *
 * Input: hostile.  A field is its lines with their ends (LF, CRLF or CR, the last may lack it).
 * What is written has no octet >= 0x80, and takes time and room in proportion to the field.
 */
#ifndef POP3_SURROGATE_FIELD_H
#define POP3_SURROGATE_FIELD_H

#include "fold.h"

/* The name of a field ("Subject" of "Subject: x"); false: the text is no field. */
bool field_name(
    const uint8_t *field, size_t len, struct pop3_slice *ret_name, struct pop3_slice *ret_value);
bool field_is(const struct pop3_slice *name, const char *what);

/* Writes what stands for the field; nothing when it is dropped. */
void field_rewrite(const uint8_t *field, size_t len, struct growing *out);

/* P6858-01.  name_too: a display-name may stand there (anywhere but in Return-Path). */
void field_addresses(struct fold *f, struct pop3_slice value, bool name_too);

/* P6858-02: the parameters that can be shown.  False: not even the value itself can be. */
bool field_parameters(struct fold *f, struct pop3_slice value);

#endif
