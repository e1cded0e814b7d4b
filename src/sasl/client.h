/*
 * client - the calling end of SASL exchanges (SCRAM with and without channel binding, CRAM-MD5,
 * PLAIN), over GNU SASL.
 *
 * Pure exchange: octets in, octets out.  What the server says is hostile.  One thread at a time
 * per exchange.
 */
#ifndef SASL_CLIENT_H
#define SASL_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sasl_caller;

struct sasl_caller_options {
	const char *mechanism; /* upper case */
	const char *user, *secret; /* UTF-8; copied */
	/* Channel bindings, for -PLUS; NULL without.  Without -PLUS the server is told that we have
	 * none ("n"): GNU SASL 2.2.0 fails when it is to say that the server seems to have none ("y",
	 * RFC 5802, section 6). */
	const uint8_t *exporter, *unique;
	size_t exporter_len, unique_len;
};

/*
 * The best of the mechanisms in announced (space-separated, upper case) that we have, or NULL.
 * bound: there is a channel binding.  plaintext: PLAIN may be used.
 */
const char *sasl_caller_choose(const char *announced, bool bound, bool plaintext);

/* Whether announced lists it, and whether we have it. */
bool sasl_is_listed(const char *announced, const char *mechanism);
bool sasl_caller_has(const char *mechanism);

/* NULL: there is no such mechanism, or memory is out. */
struct sasl_caller *sasl_caller_create(const struct sasl_caller_options *o);
void sasl_caller_destroy(struct sasl_caller **c); /* wipes */

/*
 * The client speaks first: its first octets come from a step without input.  False: CRAM-MD5.
 */
bool sasl_caller_is_first(const struct sasl_caller *c);

/*
 * One step: in is the challenge, *ret_out the response, which belongs to the exchange and ends
 * with the next step.  False: the server's part is wrong; cancel.
 */
bool sasl_caller_step(
    struct sasl_caller *c, const uint8_t *in, size_t len, const uint8_t **ret_out, size_t *ret_len);

/* Whether nothing is missing: a server that says +OK before has not proved who it is (P5802). */
bool sasl_caller_complete(const struct sasl_caller *c);

#endif
