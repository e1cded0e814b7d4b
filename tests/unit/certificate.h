/*
 * certificate - certificates made on the spot, for tests of TLS.
 */
#ifndef CERTIFICATE_H
#define CERTIFICATE_H

#include <stddef.h>
#include <stdint.h>

struct pem {
	uint8_t text[8192];
	size_t len;
};

/* A certificate that signs itself, for that name, and its key; under a passphrase unless NULL. */
void certificate_make(
    const char *name, const char *passphrase, struct pem *ret_chain, struct pem *ret_key);

#endif
