/*
 * login - from a new connection to TRANSACTION: greeting, CAPA, STLS, and one of the ways to log in.
 *
 * No credential leaves before TLS is there and the certificate is good, unless plaintext is
 * permitted (P8314-09 to 11); then SCRAM is still preferred to the password itself.
 */
#ifndef CLIENT_LOGIN_H
#define CLIENT_LOGIN_H

#include <stdbool.h>

struct link;
struct link_options;
struct trouble;

struct credentials {
	const char *user, *secret;
};

/* Opens a link (twice, when the server cannot bear CAPA) and logs in: 0, or -1 and no link. */
int login(const struct link_options *o, const struct credentials *c, struct link **ret,
    struct trouble *t);

#endif
