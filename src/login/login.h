/*
 * login - AUTHORIZATION and TLS: everything that happens before we know who a client is.
 *
 * One thread, one epoll descriptor, many thousands of clients.  The process has no right to any
 * file and no password check in it: credentials go to auth together with the connection, and what
 * becomes of it is auth's word.  After that it is gone from here, or, under TLS, relayed.
 */
#ifndef LOGIN_LOGIN_H
#define LOGIN_LOGIN_H

#include <pop3/server.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

#include "base/buf.h"
#include "base/poller.h"
#include "ipc/login_auth.h"
#include "ipc/setup.h"
#include "login/address.h"
#include "tls/server.h"

enum {
	CANCELS_MAX = 16, /* exchanges that a client may begin and cancel */
	IN_OCTETS = 4096, /* received at a time, before login */
	OUT_OCTETS = 8192, /* of replies, in one send */
	RELAY_OCTETS = 16 * 1024, /* kept each way, when the other side does not take it */
};

struct listener {
	struct source source;
	char name[128];
	bool tls;
};

enum phase {
	PHASE_HANDSHAKE,
	PHASE_COMMANDS,
	PHASE_STLS, /* its answer has not gone out yet */
	PHASE_CHECKING,
	PHASE_RELAY,
	PHASE_CLOSING,
};

/* Deadlines: each list is in the order of its own. */
enum timing { TIMING_NONE, TIMING_LOGIN, TIMING_WRITE, TIMINGS };

struct client {
	struct source source; /* the client's socket */
	struct source pair; /* our end of the pair that maildrop talks on (TLS); fd -1: none */
	uint64_t id; /* of the check under way */
	enum phase phase;
	struct pop3_server *pop;
	struct pop3_server_now now;
	struct tls_stream *tls;
	struct address address;
	char *apop; /* timestamp of the greeting; NULL without APOP */
	struct buf in; /* received and not used */
	struct buf out; /* to the client, not sent */
	struct buf to_pair; /* relay, to maildrop */
	struct parcel *held; /* for auth, when out is sent: the next reply is another process's */
	uint32_t failures, cancelled; /* logins */
	bool greet; /* implicit TLS: after the handshake */
	bool in_eof; /* the client sends no more */
	bool pair_eof; /* nor does maildrop */
	bool pair_shut; /* and maildrop was told of in_eof */
	bool tls_wants_write; /* a TLS read or handshake needs the socket writable */
	enum timing timing;
	uint64_t since;
	struct client *prev, *next;
	UT_hash_handle hh; /* by id, while a check is under way */
};

struct login {
	struct login_setup setup;
	struct pop3_server_config pop3;
	char mechanisms[4][256];
	const char *sasl[4]; /* usable without/with TLS (bit 0), plaintext (bit 1) */
	struct tls_server *tls; /* NULL: no certificate */
	int epoll;
	int spare; /* a descriptor to give up when there are no more */
	struct source supervisor, auth; /* auth.fd -1: not there */
	struct listener listeners[64];
	size_t listeners_count;
	uint16_t *counters; /* all rows */
	size_t clients;
	uint64_t next_id;
	struct client *checking; /* uthash by id */
	struct {
		struct client *first, *last;
	} lists[TIMINGS];
	struct client *dead; /* to be freed when this turn's events are through */
	bool draining, ended;
};

extern struct login login; /* a process is one of these */

/* loop.c */
void loop_run(void);
void timing_set(struct client *c, enum timing t); /* from now */

/* accept.c */
void listener_ready(struct source *s, uint32_t events);
void counters_change(uint32_t slot, int by);
uint32_t counters_sum(uint32_t slot);

/* client.c */
void client_create(int fd, const struct address *a, bool implicit_tls);
void client_ready(struct source *s, uint32_t events);
/* Goes on with commands, after a check or a wait. */
void client_commands(struct client *c);
/* Ends it when out is sent. */
void client_close(struct client *c);
/* Ends it: what can be sent at once is, the rest is not waited for. */
void client_end(struct client *c);
/* Sends what is in out; true: all of it. */
bool client_flush(struct client *c);
struct client *client_of_pair(struct source *s);

/* check.c: the conversation with auth. */
/* False: auth could not be asked, and the client's answer to that is in out. */
bool check_start(struct client *c, const struct pop3_event *ev, const struct pop3_in *early,
    struct pop3_out *out);
bool check_step(struct client *c, const struct pop3_event *ev, const struct pop3_in *early,
    struct pop3_out *out);
void check_release(struct client *c); /* out was sent: what was held goes to auth */
void check_forget(struct client *c); /* cancels what is under way */
void auth_ready(struct source *s, uint32_t events);
void auth_gone(void);

/* to_auth.c: packets in order; what auth does not take now waits here, within bounds. */
struct parcel *parcel_create(const uint8_t *packet, size_t len, int fd); /* copies; NULL: cannot */
void parcel_destroy(struct parcel **p);
/* False: auth is not there, or does not keep up.  fd stays the caller's. */
bool to_auth(const uint8_t *packet, size_t len, int fd);
bool to_auth_parcel(struct parcel **p); /* takes it, also when it fails */
void to_auth_ready(void); /* the channel has room again */
void to_auth_forget(void); /* auth is gone */

/* relay.c */
void relay_start(struct client *c);
void relay_client_ready(struct client *c, uint32_t events);
void relay_pair_ready(struct source *s, uint32_t events);

#endif
