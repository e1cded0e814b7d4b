/*
 * scheme - stored passwords, in the notations that Dovecot's passwd-file has: {SCHEME}text.
 *
 * Runs in: auth, any thread.  The stored text is the administrator's; the password given is
 * hostile.  Comparisons take the same time wherever they first differ.
 */
#ifndef AUTH_SCHEME_H
#define AUTH_SCHEME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum scheme_kind { /* what a stored password is good for, and what a check costs */
	SCHEME_BROKEN, /* not understood: nobody gets in by it */
	SCHEME_PLAIN, /* cheap; every mechanism */
	SCHEME_DIGEST, /* cheap; a password is needed */
	SCHEME_SLOW, /* made to be slow; a password is needed */
	SCHEME_SCRAM, /* SCRAM's keys (slow with a password) */
};

struct scheme {
	enum scheme_kind kind;
	const char *name; /* canonical, static */
	const char *text; /* behind the scheme, into the stored text */
	uint8_t encoding; /* of a digest; 0: guessed, 1: base64, 2: hex */
};

/*
 * Takes a stored password apart; one without {SCHEME} has fallback's.  ret points into stored,
 * where a text that was encoded (.b64, .hex) has been decoded in place.
 */
void scheme_parse(char *stored, const char *fallback, struct scheme *ret);

/* Roughly the microseconds that a check takes; 0 for a text that no password matches, so that a
 * check ends at once: "!" or "*" of a locked account, or a mistake. */
uint64_t scheme_cost(const struct scheme *s);

/* Whether it is the right password. */
bool scheme_verify(const struct scheme *s, const uint8_t *secret, size_t len);

/* SCRAM's keys, for SCRAM-SHA-1 (20 octets) and SCRAM-SHA-256 (32). */
struct scram_keys {
	bool sha256;
	unsigned iterations;
	char salt[128]; /* base64 */
	char stored[64], server[64]; /* base64 */
};
/* Those that are stored; false: the scheme is another one, or malformed. */
bool scheme_scram_stored(const struct scheme *s, bool sha256, struct scram_keys *ret);
/* Those of a password, with the salt and iterations that are in *k. */
bool scheme_scram_derive(const uint8_t *secret, size_t len, struct scram_keys *k);

#endif
