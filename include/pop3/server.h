/*
 * server - the serving end of a POP3 session: command lines in, events and replies out.
 *
 * One struct pop3_server is one connection in one process.  The caller owns three things: the
 * octets it received (struct pop3_in), the memory that replies are written to (struct pop3_out),
 * and the maildrop.  The loop is
 *
 *	while ((r = pop3_server_next(s, &in, &out, &ev)) == POP3_EVENT)
 *		answer(&ev, &out);		// pop3_reply_*(), pop3_server_*()
 *	// POP3_NEED_INPUT: in is used up; send out, then read more
 *	// POP3_NEED_ROOM: send (part of) out, then call again with the same in
 *
 * What needs no maildrop and no password check the engine answers by itself: syntax errors,
 * commands in the wrong state, USER, NOOP, CAPA, LANG, UTF8, AUTH without a mechanism.  An event
 * is a command that is legal here and now, with its arguments checked for form (not for range).
 * Pipelined input is never thrown away (P2449-21), except that after STLS the caller must end
 * the session if any is left (P2595-05).
 *
 * Input is hostile, all of it.  Memory: the struct (less than 256 octets), the name between USER
 * and PASS, and one line buffer only while a line is incomplete or an AUTH response is being
 * looked at: at most 255 octets, or sasl_max for AUTH and its responses.  All three are wiped.
 * What the caller received into, and what is behind in, it wipes itself: passwords come that way.
 */
#ifndef POP3_SERVER_H
#define POP3_SERVER_H

#include <pop3/base.h>
#include <pop3/text.h>

struct pop3_server;

/* What a server announces and allows.  Shared, read-only, must outlive every session using it;
 * strings are ASCII without control characters. */
struct pop3_server_config {
	const char *greeting;	    /* NULL: "Restante ready"; "POP3 " is put in front (Q-C03); no
				       "<" (P1939-49) and no "[" (P2449-42) */
	const char *implementation; /* NULL: IMPLEMENTATION is not announced; after login only */
	uint32_t sasl_max;	    /* longest AUTH response line with CRLF; 0: 128 KiB */
	uint32_t bad_max;	    /* consecutive bad commands that end a session; 0: 10 */
	bool expire_user;	    /* differs between users (P2449-31) */
	bool login_delay_user;	    /* likewise (P2449-35) */
	enum pop3_lang lang;	    /* what LANG * selects */
	bool utf8;		    /* UTF8 and UTF8 USER are offered (RFC 6856) */
};

/* What holds for this connection at this moment; the caller changes it when it changes. */
struct pop3_server_now {
	bool tls;	     /* protected: by TLS here, or by a trusted proxy in front */
	bool stls;	     /* STLS may be given (a certificate is there, TLS is not active) */
	bool plaintext;	     /* USER/PASS may be used (and so may PLAIN, LOGIN if listed) */
	const char *sasl;    /* mechanisms usable now, space-separated, in order of preference;
				NULL: none; must stay valid while it stands here */
	const char *apop;    /* timestamp "<...@...>" of this greeting; NULL: no APOP */
	int32_t expire;	     /* days; -1: NEVER (P2449-30); after login this user's */
	int32_t login_delay; /* seconds; -1: not announced (P2449-34); after login this user's */
};

enum pop3_result { POP3_EVENT, POP3_NEED_INPUT, POP3_NEED_ROOM };

/* Received octets not used yet; next() moves data forward. */
struct pop3_in {
	const uint8_t *data;
	size_t len;
};

enum pop3_event_type {
	/* AUTHORIZATION: answer with pop3_server_login_failed(), _challenge(), or hand over */
	POP3_EV_PASS,	       /* user, secret: USER and PASS complete */
	POP3_EV_APOP,	       /* user, digest */
	POP3_EV_AUTH,	       /* mech (upper case), has_initial, data: decoded initial response */
	POP3_EV_AUTH_RESPONSE, /* data: decoded response */
	POP3_EV_AUTH_CANCEL,   /* "*", bad base64 or too long: -ERR was written; forget the exchange.
				  AUTH and "*" in turn may come for ever: limit attempts */
	POP3_EV_STLS,	       /* +OK was written; send it, check that in is empty, start TLS */
	/* TRANSACTION: the answer is the caller's */
	POP3_EV_STAT,
	POP3_EV_LIST,	       /* number, or 0 for all */
	POP3_EV_UIDL,	       /* number, or 0 for all */
	POP3_EV_RETR,	       /* number */
	POP3_EV_TOP,	       /* number, lines */
	POP3_EV_DELE,	       /* number */
	POP3_EV_RSET,
	/* both */
	POP3_EV_QUIT,	       /* AUTHORIZATION: +OK was written, close.  TRANSACTION: the state is
				  UPDATE now; remove, answer, close */
	POP3_EV_ABUSE,	       /* too many bad commands (-ERR was written), or HTTP or TLS is the
				  first thing spoken here (nothing was written): send out, close,
				  no UPDATE */
};

/* Slices point into in or into the session; they end at the next call with it. */
struct pop3_event {
	enum pop3_event_type type;
	struct pop3_slice user;	  /* not empty, no NUL, CR or LF; valid UTF-8 */
	struct pop3_slice secret; /* the password: everything behind "PASS ", maybe nothing; valid
				     UTF-8 without control octets */
	uint8_t digest[16];	  /* APOP */
	struct pop3_slice mech;	  /* as in now.sasl, which has it: 1-20 of A-Z 0-9 - _ */
	bool has_initial;
	struct pop3_slice data;
	uint64_t number;	  /* >= 1 as given, not checked against the maildrop; 0 only where
				     a number is optional and missing.  A number that does not
				     fit, or 0, is given as UINT64_MAX: no such message */
	uint64_t lines;		  /* TOP: clamped to INT64_MAX */
};

/* NULL when out of memory.  State TRANSACTION is for a process that takes over after login. */
POP3_API struct pop3_server *pop3_server_create(const struct pop3_server_config *config,
    const struct pop3_server_now *now, enum pop3_state state);
POP3_API void pop3_server_destroy(struct pop3_server **s); /* wipes; accepts NULL inside */

/* now is copied (its strings are not).  After STLS this also forgets a pending USER, LANG, UTF8
 * and the count of bad commands (P2595-10). */
POP3_API void pop3_server_set_now(struct pop3_server *s, const struct pop3_server_now *now);

/* Writes the greeting: "+OK POP3 ... <timestamp>" CRLF.  Needs POP3_REPLY_MAX of room. */
POP3_API void pop3_server_greet(struct pop3_server *s, struct pop3_out *out);

/*
 * The next event.  Never writes into out unless it has room for any of the engine's own replies
 * (POP3_OUT_MIN), else POP3_NEED_ROOM.  After POP3_EV_PASS, APOP, AUTH and AUTH_RESPONSE the
 * session waits for the caller's answer: next() returns POP3_NEED_INPUT without touching in until
 * pop3_server_challenge() or pop3_server_login_failed() was called.
 */
enum { POP3_OUT_MIN = 4096 };
POP3_API enum pop3_result pop3_server_next(struct pop3_server *s, struct pop3_in *in,
    struct pop3_out *out, struct pop3_event *ev);

/* "+ " base64 CRLF (P5034-08).  Needs room for 8 octets and 4/3 of len: false without it, and
 * nothing is changed then.  The next line is the response. */
POP3_API bool pop3_server_challenge(struct pop3_server *s, struct pop3_out *out,
    const uint8_t *data, size_t len);

/* -ERR with code and text; the session is back in AUTHORIZATION, the USER name forgotten.  Neither
 * a bad command nor a good one: limit attempts, or pop3_server_count_bad(). */
POP3_API void pop3_server_login_failed(struct pop3_server *s, struct pop3_out *out,
    enum pop3_code code, enum pop3_text text);

POP3_API enum pop3_state pop3_server_state(const struct pop3_server *s);
POP3_API bool pop3_server_is_utf8(const struct pop3_server *s);
POP3_API enum pop3_lang pop3_server_lang(const struct pop3_server *s);
/* Whether octets of an unfinished command line are held (they arrived, no LF did). */
POP3_API bool pop3_server_has_partial(const struct pop3_server *s);

/* For the process that takes over: what was settled before login. */
POP3_API void pop3_server_resume(struct pop3_server *s, enum pop3_lang lang, bool utf8);

/*
 * Of the mechanisms in all (upper case, space-separated, in order), those that can be used now:
 * -PLUS and bearer tokens under TLS only (P5802-10, P7628-02), PLAIN and LOGIN only where plaintext
 * passwords are allowed (P5034-21).  Writes them with a NUL into out, which has room for as much
 * as all; returns out, or NULL if none is left.
 */
POP3_API const char *pop3_mechanisms_usable(const char *all, bool tls, bool plaintext, char *out);

/* The event just given was legal but failed (no such message): it counts as bad (P1939-20, Q-C34).
 * When that is one too many, the next pop3_server_next() says so and gives POP3_EV_ABUSE. */
POP3_API void pop3_server_count_bad(struct pop3_server *s);

#endif
