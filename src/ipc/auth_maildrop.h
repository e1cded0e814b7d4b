/*
 * auth_maildrop - how a connection, with the identity that auth proved, reaches its maildrop.
 *
 * maildrop obeys auth; auth reads maildrop's reports as hostile (it runs as the mail's owner).
 */
#ifndef IPC_AUTH_MAILDROP_H
#define IPC_AUTH_MAILDROP_H

#include <stdbool.h>
#include <stdint.h>

#include "ipc/codec.h"
#include "ipc/login_auth.h"

enum auth_maildrop_type {
	AM_HANDOFF = 1, /* auth to maildrop, with the connection */
	AM_OPENED, /* maildrop to auth: the +OK was sent; LOGIN-DELAY counts from here */
	AM_ENDED, /* maildrop to auth: the session is over, opened or not */
	AM_IDLE, /* maildrop to auth: no session left, may I end? auth forgets the channel,
			   and closes it: whoever gets the end of file exits */
};

enum { AM_PATH_MAX = 1024, AM_MECH_MAX = 24 };

struct am_handoff {
	uint64_t id; /* of the session, unique for this auth process; in every log line */
	uint8_t lang; /* enum pop3_lang */
	bool utf8;
	uint32_t login_delay; /* this user's, for CAPA; seconds */
	int32_t expire; /* days; -1: NEVER */
	char user[LA_USER_MAX + 1];
	char path[AM_PATH_MAX]; /* of the maildrop, relative to the process's mail root */
	char address[LA_ADDRESS_MAX];
	char tls[LA_TLS_MAX];
	char mech[AM_MECH_MAX]; /* "PASS", "APOP" or a SASL mechanism, for the log */
	struct ipc_bytes early;
};

void am_handoff_encode(struct ipc_writer *w, const struct am_handoff *m);
bool am_handoff_decode(struct ipc_reader *r, struct am_handoff *ret);
/* OPENED, ENDED (id) and IDLE (id 0). */
void am_report_encode(struct ipc_writer *w, enum auth_maildrop_type type, uint64_t id);
bool am_report_decode(struct ipc_reader *r, uint64_t *ret_id);

#endif
