/*
 * setup - what the supervisor tells its children, and the little that they ask of it.
 *
 * Every child is started with descriptor CHILD_CHANNEL (3) as its channel to the supervisor, and
 * 0 and 1 on /dev/null, 2 for the log.  The supervisor sends what the role needs, SU_START last;
 * a child reads that much with setup_receive() before it drops its rights, enters its sandbox, says
 * SU_READY with setup_ready(), and only then takes the first octet from a client.  A child that
 * cannot work with what it was told exits with CHILD_EXIT_CONFIG.  The end of file on the channel means that the supervisor
 * is gone: the child exits.
 */
#ifndef IPC_SETUP_H
#define IPC_SETUP_H

#include <stdbool.h>
#include <stdint.h>

#include "ipc/codec.h"

enum { CHILD_CHANNEL = 3, CHILD_EXIT_CONFIG = 78 /* EX_CONFIG of sysexits.h */ };

enum setup_type {
	/* supervisor to any child */
	SU_LOGIN = 1, /* struct login_setup */
	SU_AUTH, /* struct auth_setup */
	SU_MAILDROP, /* struct maildrop_setup */
	SU_PAM, /* struct pam_setup */
	SU_LOG, /* + descriptor: the syslog socket */
	SU_START, /* that was all */
	/* supervisor to login */
	SU_CERTIFICATE, /* struct certificate_setup */
	SU_LISTENER, /* struct listener_setup + descriptor */
	SU_COUNTERS, /* + descriptor: shared counters, see login_setup */
	SU_DRAIN, /* accept no more; exit after the last session */
	/* supervisor to login (its channel to auth) and to auth (a login's, a maildrop's, pam's) */
	SU_PEER, /* struct peer_setup + descriptor */
	/* supervisor to auth */
	SU_ACCOUNTS, /* + descriptor: the account file, opened anew; without: could not be */
	SU_NO_MAILDROP, /* struct peer_setup, no descriptor: it could not be started */
	SU_AUTH_RELOAD, /* struct auth_setup: settings that changed */
	/* any child to supervisor */
	SU_READY, /* everything was understood, the sandbox is entered */
	/* login to supervisor */
	SU_WANT_AUTH, /* its channel to auth has ended: a new one, if auth is there */
	/* auth to supervisor */
	SU_WANT_ACCOUNTS, /* the account file changed, I think */
	SU_WANT_MAILDROP, /* struct want_maildrop */
};

/* Log settings go with each setup, as enum log_target and enum log_level. */
struct log_setup {
	uint8_t target, level;
};

struct login_setup {
	struct log_setup log;
	char hostname[256]; /* for the APOP timestamp and the greeting */
	char greeting[256]; /* "": the usual one */
	bool apop, utf8, implementation;
	uint8_t lang; /* LANG * */
	uint8_t plaintext; /* enum plaintext of conf/settings.h */
	char mechanisms[256]; /* space-separated, upper case, in order */
	int32_t expire;
	bool expire_user;
	uint32_t login_delay;
	bool login_delay_user;
	uint32_t login_timeout; /* seconds without a command before login */
	uint32_t idle_timeout; /* seconds; a TLS relay that is idle longer than both ends allow */
	uint32_t write_timeout; /* seconds that a peer may refuse to read */
	uint32_t max_connections; /* in this process */
	uint32_t max_per_address; /* over all login processes, IPv6 by /64 */
	uint32_t max_failures; /* failed logins that end a connection */
	/*
	 * The shared counters: rows of COUNTER_SLOTS 16-bit counters, one row a login process,
	 * indexed by a keyed hash of the address.  A process writes its own row only; the sum
	 * over the rows is what counts.
	 */
	uint32_t counter_rows, counter_row;
	uint8_t counter_key[16];
	uint32_t run_uid, run_gid; /* to become; both 0: stay what we are */
};
enum { COUNTER_SLOTS = 65536 };

struct certificate_setup {
	char name[256]; /* SNI name; "": the default one */
	struct ipc_bytes chain, key; /* PEM; key is secret */
};

struct listener_setup {
	char name[128]; /* "0.0.0.0:995", for the log */
	bool tls; /* implicit TLS */
};

enum peer_role { PEER_LOGIN = 1, PEER_AUTH, PEER_MAILDROP, PEER_PAM };
struct peer_setup {
	uint8_t role;
	uint64_t id; /* maildrop: the id of the want_maildrop */
};

struct auth_setup {
	struct log_setup log;
	bool have_accounts, pam;
	char accounts[1024]; /* path, for messages and for stat() */
	char default_scheme[32];
	char hostname[256];
	bool apop, cram;
	uint8_t plaintext;
	char mechanisms[256];
	char maildrop[1024]; /* template with %u %n %d %h */
	char mail_root[1024]; /* "": from the template */
	uint32_t mail_uid, mail_gid; /* for accounts that name none; UINT32_MAX: none */
	uint32_t first_valid_uid;
	uint32_t login_delay;
	int32_t expire;
	uint32_t failure_delay; /* seconds, doubling */
	uint32_t max_sessions_per_user;
	uint32_t run_uid, run_gid;
	bool can_switch; /* maildrop processes may run as any uid (we are root) */
};

struct pam_setup {
	struct log_setup log;
	char service[64];
};

struct want_maildrop {
	uint64_t id;
	uint32_t uid, gid;
	char user[256]; /* for the groups of a system user; "" for none */
	char root[1024]; /* absolute: the mail root it may see */
};

struct maildrop_setup {
	struct log_setup log;
	uint32_t uid, gid;
	char user[256]; /* whose groups it gets; "" for none */
	char root[1024];
	bool utf8, implementation;
	bool refuse_utf8; /* -ERR [UTF8] instead of a surrogate (P6856-18) */
	uint8_t lang;
	char mechanisms[256]; /* for CAPA, as before login */
	uint8_t plaintext;
	bool login_delay_on; /* announced at all */
	uint32_t idle_timeout, write_timeout, linger;
	uint32_t lock_wait; /* milliseconds to wait for a lock */
	uint32_t max_sessions, max_threads;
};

void login_setup_encode(struct ipc_writer *w, const struct login_setup *m);
bool login_setup_decode(struct ipc_reader *r, struct login_setup *ret);
void certificate_setup_encode(struct ipc_writer *w, const struct certificate_setup *m);
bool certificate_setup_decode(struct ipc_reader *r, struct certificate_setup *ret);
void listener_setup_encode(struct ipc_writer *w, const struct listener_setup *m);
bool listener_setup_decode(struct ipc_reader *r, struct listener_setup *ret);
void peer_setup_encode(struct ipc_writer *w, enum setup_type type, const struct peer_setup *m);
bool peer_setup_decode(struct ipc_reader *r, struct peer_setup *ret);
void auth_setup_encode(struct ipc_writer *w, enum setup_type type, const struct auth_setup *m);
bool auth_setup_decode(struct ipc_reader *r, struct auth_setup *ret);
void pam_setup_encode(struct ipc_writer *w, const struct pam_setup *m);
bool pam_setup_decode(struct ipc_reader *r, struct pam_setup *ret);
void want_maildrop_encode(struct ipc_writer *w, const struct want_maildrop *m);
bool want_maildrop_decode(struct ipc_reader *r, struct want_maildrop *ret);
void maildrop_setup_encode(struct ipc_writer *w, const struct maildrop_setup *m);
bool maildrop_setup_decode(struct ipc_reader *r, struct maildrop_setup *ret);

/*
 * For a child's start: waits for the next message on CHILD_CHANNEL (blocking).  Returns its
 * length with the type in packet[0], or -1 when the supervisor is gone or talks nonsense.
 */
int setup_receive(void *packet, size_t room, int fds[2]);

/* Says SU_READY, or SU_WANT_AUTH, on CHILD_CHANNEL; a supervisor that is gone is noticed elsewhere. */
void setup_ready(void);
void setup_want_auth(void);

#endif
