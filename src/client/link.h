/*
 * link - one connection to a server: socket, TLS, and the POP3 engine on top.
 *
 * Blocking, with a time limit on every wait; one thread at a time per link, any number of links.
 * While it waits it sends and receives at once, so that neither end can stop the other.
 */
#ifndef CLIENT_LINK_H
#define CLIENT_LINK_H

#include <pop3/client.h>
#include <pop3/url.h>
#include <stdbool.h>

struct report;
struct tls_client;
struct trouble;

struct link_options {
	const struct pop3_url *url;
	struct tls_client *tls;
	const struct report *report;
	unsigned seconds; /* without a sign of life from the server, that end it */
	bool plaintext; /* passwords may travel without TLS */
	bool lockstep; /* no pipelining */
};

struct link;

/* Connects (and starts TLS at once for pops): the greeting is the first event. */
int link_open(const struct link_options *o, struct link **ret, struct trouble *t);
void link_close(struct link **l); /* says close_notify under TLS */

struct pop3_client *link_pop(struct link *l);

/*
 * The next event, after as much sending and receiving as it takes: 0, or -1.  POP3_CEV_BROKEN is
 * a -1 already.  Slices end with the next call.
 */
int link_next(struct link *l, struct pop3_client_event *ev, struct trouble *t);

/* Events up to the DONE of the one command that is outstanding. */
int link_done(struct link *l, struct pop3_client_event *ev, struct trouble *t);

/* After STLS was answered by +OK: the handshake, and the certificate is found good. */
int link_start_tls(struct link *l, struct trouble *t);

bool link_is_tls(const struct link *l);
/* The server closed the connection, or it broke: not a matter of protocol. */
bool link_is_lost(const struct link *l);
/* Channel bindings; 0 without. */
size_t link_exporter(struct link *l, uint8_t out[32]);
size_t link_unique(struct link *l, uint8_t *out, size_t room);

#endif
