/*
 * login_auth - what login and auth say to each other.
 *
 * login is not trusted: it can ask for a check of credentials, nothing else.  auth alone decides
 * whose maildrop a connection gets, and passes the connection on; login is only told.
 *
 * A conversation has an id chosen by login, unique on its channel while the conversation lasts:
 *
 *	login: START (+ connection)          auth: CONTINUE, FAILED or DONE
 *	login: STEP after each CONTINUE      auth: the same
 *	login: CANCEL (client gone or "*")   auth: nothing; no answer comes any more
 *
 * FAILED and DONE end it.  The connection that START carries is what the maildrop process will
 * talk on: the client's own socket, or one end of a socket pair that login relays to under TLS.
 * "early" is what login had received behind the command and not used; each message carries what
 * is unused then, the last one counts.
 */
#ifndef IPC_LOGIN_AUTH_H
#define IPC_LOGIN_AUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "ipc/codec.h"

enum login_auth_type {
	/* login to auth */
	LA_START = 1,
	LA_STEP,
	LA_CANCEL,
	/* auth to login */
	LA_CONTINUE,
	LA_FAILED,
	LA_DONE,
};

enum {
	LA_ADDRESS_MAX = 64, /* "192.0.2.1", "2001:db8::1", "unix" */
	LA_TLS_MAX = 96, /* "TLSv1.3 TLS_AES_256_GCM_SHA384"; "" without TLS */
	LA_USER_MAX = 512,
	LA_SECRET_MAX = 1024,
	LA_APOP_MAX = 256,
	LA_DATA_MAX = 98304, /* decoded SASL data: a 64 KiB token and more */
	LA_EARLY_MAX = 16384,
	LA_BINDING_MAX = 128,
};

enum la_kind { LA_PASS = 1, LA_APOP, LA_SASL };

/* Why it failed, for the client's reply; see the fault kinds of base/fault.h. */
enum la_failure {
	LA_FAIL_AUTH = 1,
	LA_FAIL_NEED_TLS,
	LA_FAIL_DELAY,
	LA_FAIL_IN_USE,
	LA_FAIL_TEMP,
	LA_FAIL_PERM
};

struct la_start {
	uint64_t id;
	enum la_kind kind;
	bool secure; /* TLS, or a link that counts as such */
	bool loopback; /* the client's address is 127.0.0.0/8 or ::1 */
	uint8_t lang; /* enum pop3_lang */
	bool utf8; /* UTF8 was given */
	char address[LA_ADDRESS_MAX];
	char tls[LA_TLS_MAX];
	/* LA_PASS: user and secret.  LA_APOP: user, timestamp in data, digest (16 octets) in secret.
	 * LA_SASL: mechanism in user, initial response in data if has_data. */
	struct ipc_bytes user;
	struct ipc_bytes secret;
	bool has_data;
	struct ipc_bytes data;
	struct ipc_bytes exporter; /* tls-exporter channel binding, or empty (RFC 9266) */
	struct ipc_bytes unique; /* tls-unique, or empty (RFC 5929; TLS 1.2 only) */
	struct ipc_bytes early;
};

struct la_step {
	uint64_t id;
	struct ipc_bytes data;
	struct ipc_bytes early;
};

struct la_reply { /* CONTINUE: data is the challenge; FAILED: failure; DONE: neither */
	uint64_t id;
	enum la_failure failure;
	struct ipc_bytes data;
};

/* Encoders write the type octet too; ask w->failed.  Decoders start behind it; false: malformed. */
void la_start_encode(struct ipc_writer *w, const struct la_start *m);
bool la_start_decode(struct ipc_reader *r, struct la_start *ret);
void la_step_encode(struct ipc_writer *w, const struct la_step *m);
bool la_step_decode(struct ipc_reader *r, struct la_step *ret);
void la_cancel_encode(struct ipc_writer *w, uint64_t id);
bool la_cancel_decode(struct ipc_reader *r, uint64_t *ret_id);
void la_reply_encode(struct ipc_writer *w, enum login_auth_type type, const struct la_reply *m);
bool la_reply_decode(struct ipc_reader *r, enum login_auth_type type, struct la_reply *ret);

#endif
