/*
 * auth - whose maildrop a connection gets.
 *
 * One thread talks to login, maildrop and pam processes and to the supervisor, and owns every
 * conversation; worker threads do what takes time, on a job that is theirs until they give it
 * back.  What any peer says is looked at as if somebody else had taken it over.
 */
#ifndef AUTH_AUTH_H
#define AUTH_AUTH_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

#include "auth/accounts.h"
#include "auth/penalty.h"
#include "auth/place.h"
#include "base/poller.h"
#include "ipc/auth_maildrop.h"
#include "ipc/login_auth.h"
#include "ipc/pam_check.h"
#include "ipc/setup.h"
#include "sasl/server.h"

enum {
	CONVERSATIONS_MAX = 4096, /* of one login process: each holds a connection */
	HANDOFFS_MAX = 1024, /* waiting for one maildrop process to start */
};

enum phase { /* of a conversation */
	PHASE_HELD, /* its address has to wait before we look */
	PHASE_WORKING, /* a worker, or pam, has it */
	PHASE_CLIENT, /* the client's answer is awaited */
	PHASE_STARTING, /* its maildrop process is being started */
	PHASE_FAILED, /* the bad news is held back */
	PHASE_DONE, /* handed over; login is to be told */
};

struct login_peer { /* a login process */
	struct source source;
	struct conversation *table; /* uthash by id */
	struct login_peer *prev, *next;
};

struct conversation {
	uint64_t id; /* login's */
	uint64_t key; /* ours: in jobs and pam checks */
	struct login_peer *peer;
	enum phase phase;
	int fd; /* the connection */
	enum la_kind kind;
	bool secure, loopback, utf8;
	uint8_t lang;
	char address[LA_ADDRESS_MAX], tls[LA_TLS_MAX];
	char mech[AM_MECH_MAX];
	uint8_t *early;
	size_t early_len;
	uint8_t *given; /* what there is to check: START's user and secret or data */
	size_t user_len, given_len; /* user first, then the rest; wiped after use */
	bool has_data;
	uint8_t exporter[LA_BINDING_MAX], unique[LA_BINDING_MAX];
	size_t exporter_len, unique_len;
	struct sasl_exchange *exchange;
	int login_step; /* of LOGIN: 0 name, 1 password */
	bool stepped; /* the exchange has had the client's first word */
	bool proved; /* SASL succeeded, its last challenge is out */
	char user[LA_USER_MAX + 1]; /* as prepared; "" until known */
	bool known; /* it is the name of somebody: may be logged */
	enum la_failure failure; /* PHASE_FAILED */
	uint64_t due; /* PHASE_HELD, _FAILED and _DONE: clock_ms() */
	struct account_copy { /* who it is, once proved */
		uint32_t uid, gid;
		char home[1024], mail[1024];
		int64_t login_delay, expire;
		bool system; /* by PAM: with the groups of the user */
	} who;
	UT_hash_handle hh; /* in the peer's table */
	UT_hash_handle by_key; /* in auth.by_key */
	struct conversation *prev, *next; /* in auth.timed or a maildrop's queue */
	struct maildrop_peer *waits_for; /* whose queue; NULL: in none */
};

/* What a worker is given: all it needs is in it, and nothing else is touched. */
enum job_kind { JOB_PASSWORD, JOB_SASL };
struct job {
	enum job_kind kind;
	uint64_t key; /* of the conversation, which may be gone when this comes back */
	struct accounts *accounts; /* a reference */
	char user[LA_USER_MAX + 1];
	uint8_t *data; /* password, or the client's response */
	size_t len;
	uint8_t digest[16]; /* APOP */
	char timestamp[LA_APOP_MAX];
	bool apop;
	struct sasl_exchange *exchange; /* the conversation's, while the job is out */
	/* results */
	bool right;
	enum sasl_result result;
	uint8_t *out;
	size_t out_len;
	struct job *next;
};

struct user_state { /* what is remembered of a user between logins */
	uint32_t sessions;
	uint64_t not_before; /* clock_ms() at which LOGIN-DELAY is over */
	UT_hash_handle hh;
	char name[];
};

struct session_entry {
	uint64_t id;
	struct user_state *user;
	struct maildrop_peer *maildrop;
	uint32_t delay; /* the user's LOGIN-DELAY, seconds */
	UT_hash_handle hh;
};

struct maildrop_peer { /* a maildrop process, wanted or there */
	struct source source; /* fd -1: not there yet */
	uint64_t id; /* of the wish */
	struct want_maildrop want;
	char key[1600]; /* uid, gid, root */
	uint32_t sessions;
	struct conversation *queue_first, *queue_last;
	uint32_t queued;
	UT_hash_handle hh;
};

struct auth {
	struct auth_setup setup;
	int poller;
	struct source supervisor, pam, work;
	struct accounts *accounts;
	struct {
		int64_t mtime, size, inode;
	} seen; /* of the file that accounts is */
	uint64_t checked; /* clock_ms() of the last look at the file */
	bool asked; /* for the file */
	struct penalties *penalties;
	struct sasl_server *sasl;
	struct login_peer *logins;
	struct conversation *by_key, *timed_first, *timed_last;
	uint64_t timed_due; /* none of the timed ones is before; UINT64_MAX: there is none */
	uint32_t conversations_max; /* of all login processes */
	struct user_state *users;
	struct session_entry *sessions;
	struct maildrop_peer *maildrops;
	uint64_t next_key, next_session, next_want;
	uint8_t fake_key[32]; /* for the salts of users that are not there */
	struct login_peer *dead_logins; /* to be freed when this turn's events are through */
	struct maildrop_peer *dead_maildrops;
	bool ended;
};

extern struct auth auth; /* a process is one of these */

/* conversation.c */
void login_peer_add(int fd);
void conversation_destroy(struct conversation *c);
void conversation_fail(struct conversation *c, enum la_failure why, const char *reason);
void conversation_proved(struct conversation *c);
int conversations_expire(void); /* ms until the next, or -1 */
struct conversation *conversation_find(uint64_t key);
void conversation_challenge(struct conversation *c, const uint8_t *data, size_t len);
void conversation_done(struct conversation *c); /* its connection was handed over */

/* check.c: what is asked of a worker or of pam, and what comes back. */
void check_begin(struct conversation *c);
void check_continue(struct conversation *c, const uint8_t *data, size_t len);
void check_finished(struct job *j);
void pam_ready(struct source *s, uint32_t events);
void pam_gone(void);

/* work.c: worker threads. */
int work_start(void);
bool work_add(struct job *j, bool slow); /* false: the queue is full; the job stays the caller's */
void work_ready(struct source *s, uint32_t events);
void job_destroy(struct job *j);

/* maildrops.c */
void maildrop_handoff(struct conversation *c);
void maildrop_arrived(uint64_t id, int fd);
void maildrop_refused(uint64_t id);
void maildrop_forget(struct conversation *c); /* takes it out of its queue, if it is in one */
bool user_may_login(struct conversation *c); /* LOGIN-DELAY, sessions; fails it otherwise */

/* main.c */
void accounts_look(void); /* asks for the account file if it has changed */
bool tell_supervisor(const struct ipc_writer *w);

#endif
