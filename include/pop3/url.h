/*
 * url - POP URLs: "pop://user;AUTH=mechanism@host:port" (RFC 2384).
 *
 * Input: what a person typed or a file says; checked strictly, since a credential follows it.
 * Beyond the RFC: "pops" for implicit TLS (port 995), IPv6 hosts in brackets, a "/" at the end.
 * A password has no place in a POP URL, and one that is there is an error (P2384-02).
 */
#ifndef POP3_URL_H
#define POP3_URL_H

#include <pop3/base.h>

enum pop3_url_auth {
	POP3_URL_ANY,  /* nothing said, or "*": any mechanism */
	POP3_URL_APOP, /* "+APOP" */
	POP3_URL_SASL, /* mech names it; no other is to be used (P2384-04) */
};

struct pop3_url {
	bool tls;	/* pops: TLS from the first octet on */
	bool literal;	/* host is an address, not a name */
	uint16_t port;
	enum pop3_url_auth auth;
	char mech[21];	/* upper case */
	char user[256]; /* decoded, valid UTF-8 without control characters; "" if there is none */
	char host[254]; /* lower case, without brackets */
};

/* NULL, or why text is no POP URL: a text for people, always valid.  ret is set on success only. */
POP3_API const char *pop3_url_parse(const char *text, struct pop3_url *ret);

#endif
