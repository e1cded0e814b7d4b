/*
 * session - one POP3 session in TRANSACTION and UPDATE: commands in, replies out.
 *
 * Owned by one thread at a time.  Knows a maildrop by store_ops, and no socket: serve.h moves the
 * octets.  Input is hostile: it comes from the client.
 */
#ifndef MAILDROP_SESSION_H
#define MAILDROP_SESSION_H

#include <pop3/content.h>
#include <pop3/server.h>
#include <pop3/surrogate.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/fault.h"
#include "store/store.h"

/* A reply that is being produced: nothing of it is kept but how far it has come. */
enum cursor_kind { CURSOR_NONE, CURSOR_LIST, CURSOR_UIDL, CURSOR_MESSAGE };

struct cursor {
	enum cursor_kind kind;
	uint32_t index; /* of the next line, or of the message */
	struct message *message;
	bool retr; /* RETR, not TOP */
	uint64_t offset; /* of the stored form, read so far */
	struct pop3_stuff stuff;
	struct pop3_surrogate *surrogate; /* NULL: as it is stored */
	bool last; /* the stored form is at its end */
	uint8_t *held; /* decoded octets that were not stuffed yet (surrogate) */
	size_t held_at, held_len;
};

enum session_end { /* why a session is over; session_end_text() has the words */
	SESSION_RUNS,
	SESSION_QUIT,
	SESSION_NOT_REMOVED, /* QUIT, but something is still there */
	SESSION_EOF, /* the client closed without QUIT */
	SESSION_RESET,
	SESSION_IDLE, /* autologout */
	SESSION_STALLED, /* the client did not read */
	SESSION_ABUSE,
	SESSION_READ_ERROR, /* a message could not be read to its end */
	SESSION_NOT_OPENED,
	SESSION_SHUTDOWN,
};

struct session_options { /* the same for every session of the process */
	const struct store_ops *store;
	struct pop3_server_config pop3;
	bool refuse_utf8;
};

struct session {
	const struct session_options *options;
	struct pop3_server *pop;
	struct drop *drop;
	uint32_t count;
	uint8_t *marks; /* a bit a message; NULL: none is marked */
	uint8_t *seen; /* likewise: retrieved (for EXPIRE 0) */
	uint32_t marked;
	uint64_t octets; /* of the messages that are not marked */
	uint64_t all_octets;
	struct cursor cursor;
	int32_t expire; /* days; -1: never */
	uint32_t retrieved, removed;
	uint32_t failing; /* message that could not be read, counted in failures */
	uint32_t failures;
	enum session_end end;
	char *why; /* the last fault's text, for the log; NULL: none */
	uint64_t work; /* octets read, and what costs as much, in this call of session_run() */
};

/* Takes over the open drop.  -1: out of memory (drop is closed; session_finish() as always). */
int session_begin(struct session *s, const struct session_options *options, struct drop *drop,
    const struct pop3_server_now *now, enum pop3_lang lang, bool utf8, int32_t expire);
void session_finish(struct session *s);

/* The +OK to the login, which is this side's to give. */
void session_greet(struct session *s, struct pop3_out *out);

/*
 * Uses up input and fills out, until input is used up (POP3_NEED_INPUT), out is too full or
 * enough was done for once (POP3_NEED_ROOM: send, call again), or the session is over (s->end;
 * send what is in out).  block is scratch memory of SESSION_BLOCK octets.
 */
enum {
	SESSION_BLOCK = 64 * 1024,
	SESSION_OUT_MIN = POP3_OUT_MIN,
	SESSION_WORK = 4 * 1024 * 1024, /* where a call ends, after the command that got there */
};
enum pop3_result session_run(
    struct session *s, struct pop3_in *in, struct pop3_out *out, uint8_t *block);

const char *session_end_text(enum session_end end);

/* Keeps the text of a fault for the log. */
void session_note(struct session *s, const struct fault *f);

/* In other files: the reply under way (cursor.c), the end (update.c). */
bool cursor_run(struct session *s, struct pop3_out *out, uint8_t *block); /* true: it is done */
void cursor_clear(struct cursor *c);
/* Opens message i for RETR, or TOP with lines >= 0; answers +OK or -ERR. */
void cursor_message(
    struct session *s, uint32_t i, int64_t lines, struct pop3_out *out, uint8_t *block);
void update_run(struct session *s, struct pop3_out *out);

static inline bool
session_is_marked(const struct session *s, uint32_t i)
{
	return s->marks != NULL && (s->marks[i / 8] & (1u << (i % 8))) != 0;
}

static inline const char *
session_text(const struct session *s, enum pop3_text text)
{
	return pop3_text(pop3_server_lang(s->pop), text);
}

#endif
