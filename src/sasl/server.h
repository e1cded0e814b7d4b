/*
 * server - the serving end of challenge-response exchanges (SCRAM, CRAM-MD5), over GNU SASL.
 *
 * Pure exchange: octets in, octets out; whose secret it takes is the caller's to say.  One thread
 * at a time per exchange.  Input is hostile.
 */
#ifndef SASL_SERVER_H
#define SASL_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sasl_server; /* the library, once a process */
struct sasl_exchange;

struct sasl_secret {
	/* SCRAM */
	char salt[128], stored[64], server[64]; /* base64 */
	unsigned iterations;
	/* CRAM-MD5 */
	char password[1040];
};

/*
 * Asks for what an exchange needs of the user that the client has named.  False: out of memory or
 * the like.  A user without such a secret gets one that nobody knows, so that the exchange tells
 * nothing (P5802-15).
 */
typedef bool sasl_lookup(
    void *arg, const char *mechanism, const char *user, struct sasl_secret *ret);

struct sasl_server *sasl_server_create(void); /* NULL: out of memory */
void sasl_server_destroy(struct sasl_server **s);

struct sasl_options {
	const char *mechanism;
	const char *hostname;
	const uint8_t *exporter, *unique; /* channel bindings; NULL without */
	size_t exporter_len, unique_len;
	bool plus_offered; /* a -PLUS variant is announced on this connection */
};
/* NULL: there is no such mechanism, or memory is out. */
struct sasl_exchange *sasl_exchange_create(struct sasl_server *s, const struct sasl_options *o);
void sasl_exchange_destroy(struct sasl_exchange **x);

/* Who is asked during the steps that follow. */
void sasl_exchange_lookup(struct sasl_exchange *x, sasl_lookup *lookup, void *arg);

enum sasl_result {
	SASL_CONTINUE, /* send out as a challenge */
	SASL_SUCCESS, /* out, if it is not empty, must reach the client first (P5034-16) */
	SASL_FAILED,
};
/* One step; *ret_out belongs to the exchange and ends with the next step. */
enum sasl_result sasl_exchange_step(struct sasl_exchange *x, const uint8_t *in, size_t len,
    const uint8_t **ret_out, size_t *ret_len);

/* The user that has been named, or NULL before that. */
const char *sasl_exchange_user(const struct sasl_exchange *x);

/*
 * SASLprep of a name or a password as a query (RFC 4013): into out with a NUL.  ASCII passes as
 * it is.  False: it is not allowed, empty, or does not fit.
 */
bool sasl_prepare(const uint8_t *in, size_t len, char *out, size_t room);

#endif
