/*
 * state - what was fetched, what is being fetched, and what is being deleted: a SQLite database.
 *
 * One struct state is one account (user, host, port) in one process: it holds the account's
 * lock, which the kernel frees whatever happens to us.  A message is known by its unique-id and
 * by its place among those of the same unique-id (Q-S38).  What a message goes through:
 *
 *	(none) -> INTENT -> DONE -> DELETING -> DELETED -> (none)
 *
 * INTENT is durable, with the file's name, before that name appears in the Maildir.  So whoever
 * finds an INTENT after a crash looks for the file: it is there, then the message is DONE; it is
 * not, then nothing happened.  DONE may be lost in a crash without harm for the same reason, and
 * is written with the next INTENT.  DELETING is durable before DELE is sent; DELETED means that
 * the server said +OK to QUIT.  DELETED is forgotten when the server does not list it any more.
 * DOUBTFUL is a message behind whose end the server's stream made no sense: what arrived may be
 * a part of it (Q-S51), so it is neither deleted nor, since that would not help, fetched again.
 */
#ifndef CLIENT_STATE_H
#define CLIENT_STATE_H

#include <pop3/base.h>
#include <stdbool.h>

struct state;
struct trouble;

enum state_stage {
	STATE_NONE,
	STATE_INTENT,
	STATE_DONE,
	STATE_DELETING,
	STATE_DELETED,
	STATE_DOUBTFUL
};

struct state_key {
	struct pop3_slice uid;
	uint32_t nth; /* 0 for the first of that unique-id */
};

struct state_record {
	enum state_stage stage;
	uint64_t octets; /* as LIST said; UINT64_MAX: not known */
};

/* Opens, making it when it is not there, and locks.  EX_TEMPFAIL: another run has the account. */
int state_open(const char *path, const char *user, const char *host, uint16_t port,
    struct state **ret, struct trouble *t);
void state_close(struct state **s); /* what was not flushed is lost */

int state_get(
    struct state *s, const struct state_key *key, struct state_record *ret, struct trouble *t);

/* Durable when it returns, and with it all that was set before. */
int state_intend(struct state *s, const struct state_key *key, uint64_t octets, const char *maildir,
    const char *name, struct trouble *t);

/* Durable after the next state_intend() or state_flush().  STATE_NONE forgets. */
int state_set(
    struct state *s, const struct state_key *key, enum state_stage stage, struct trouble *t);
int state_flush(struct state *s, struct trouble *t);

/*
 * Walks over the records in a stage: true in *ret_found, and a copy of one that comes behind
 * *cursor (0 at first), which moves on.  Slices and texts end with the next call.
 */
struct state_found {
	struct state_key key;
	const char *maildir, *name; /* of an INTENT */
};
int state_next(struct state *s, enum state_stage stage, int64_t *cursor, struct state_found *ret,
    bool *ret_found, struct trouble *t);

/* Whether the server was found to lose its way when commands are pipelined (Q-S80). */
int state_lockstep(struct state *s, bool *ret, struct trouble *t);
int state_set_lockstep(struct state *s, struct trouble *t);

#endif
