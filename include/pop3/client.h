/*
 * client - the calling end of a POP3 session: commands and octets in, events and octets out.
 *
 * One struct pop3_client is one connection.  The caller owns the connection, the octets it
 * received (struct pop3_in), the clock and the decision what to do; the engine owns framing, the
 * order of replies, and what may be sent when.  The loop is
 *
 *	pop3_client_retr(c, 1);			// any command, while pop3_client_room() says so
 *	// send pop3_client_output(), receive
 *	while (pop3_client_next(c, &in, &ev) == POP3_EVENT)
 *		take(&ev);
 *	// POP3_NEED_INPUT: in is used up; send what there is, then receive more
 *
 * Every command ends with exactly one POP3_CEV_DONE, in the order given.  Commands travel one at
 * a time until the server has announced PIPELINING, then up to window at once; nothing is sent
 * behind STLS, USER, PASS, APOP, AUTH and QUIT until they are answered (P2449-22, P2595-06).
 *
 * Input is hostile, all of it.  The engine holds one unfinished line of at most
 * POP3_CLIENT_LINE_MAX octets (sasl_max during AUTH), and one block of content, however long
 * messages and lines of content are.  After POP3_CEV_BROKEN the stream means nothing any more,
 * and nothing but pop3_client_destroy() helps; the same event comes for ever.
 */
#ifndef POP3_CLIENT_H
#define POP3_CLIENT_H

#include <pop3/base.h>
#include <pop3/server.h> /* struct pop3_in, enum pop3_result */
#include <pop3/text.h>	 /* enum pop3_code */

struct pop3_client;

enum {
	POP3_CLIENT_LINE_MAX = 4096, /* status line, line of a listing */
	POP3_CLIENT_UID_MAX = 512,   /* what is taken as a unique-id (Q-S37) */
	POP3_CLIENT_WINDOW_MAX = 64,
	POP3_CLIENT_SASL_MAX = 65536,
};

struct pop3_client_config {
	bool tls;	  /* the connection is protected from the first octet on */
	bool plaintext;	  /* a password may travel without TLS */
	bool lockstep;	  /* never pipeline, whatever is announced (Q-S06, Q-S80) */
	uint32_t window;  /* commands in flight when pipelining; 0: 32; at most WINDOW_MAX */
};

enum pop3_client_command {
	POP3_CMD_GREETING, /* no command: what the server says first */
	POP3_CMD_CAPA,
	POP3_CMD_STLS,
	POP3_CMD_USER,
	POP3_CMD_PASS,
	POP3_CMD_APOP,
	POP3_CMD_AUTH,
	POP3_CMD_STAT,
	POP3_CMD_LIST,
	POP3_CMD_UIDL,
	POP3_CMD_RETR,
	POP3_CMD_TOP,
	POP3_CMD_DELE,
	POP3_CMD_RSET,
	POP3_CMD_NOOP,
	POP3_CMD_QUIT,
};

enum pop3_client_event_type {
	POP3_CEV_BEGIN,	    /* +OK to CAPA, LIST, UIDL, RETR, TOP: more follows */
	POP3_CEV_ITEM,	    /* CAPA: data is a line.  LIST: number, value.  UIDL: number, data (the
			       unique-id; empty when what is there cannot be one) */
	POP3_CEV_CONTENT,   /* RETR, TOP: data, without stuffing, with the line ends of the wire */
	POP3_CEV_CHALLENGE, /* AUTH: data, decoded; answer with pop3_client_respond() */
	POP3_CEV_DONE,	    /* the command is over; ok, code, text */
	POP3_CEV_BROKEN,    /* text says why (ASCII, ours) */
};

/* Slices end at the next call with the engine, or when the memory of in changes. */
struct pop3_client_event {
	enum pop3_client_event_type type;
	enum pop3_client_command command;
	bool ok;
	enum pop3_code code;	  /* of a -ERR: a registered response code, else POP3_CODE_NONE */
	uint64_t number;	  /* the message; STAT: how many, UINT64_MAX if it did not say */
	uint64_t value;		  /* octets (LIST, STAT), UINT64_MAX if it did not say */
	struct pop3_slice data;
	struct pop3_slice text;	  /* the server's words behind +OK, -ERR and code, as they came */
	struct pop3_slice line;	  /* BEGIN, DONE: the status line, if one came, as it came */
};

/* What the last CAPA said.  All false and empty before the first, and right after TLS started. */
struct pop3_client_capa {
	bool known; /* CAPA was answered by +OK */
	bool stls, user, uidl, top, pipelining, resp_codes, utf8;
	bool sasl;	  /* SASL stands there */
	char mechs[512];  /* what stands behind it: upper case, one space in between */
	int32_t expire;	  /* days, -1 NEVER, -2 not announced */
	int32_t login_delay; /* seconds, -2 not announced */
};

/* NULL when out of memory. */
POP3_API struct pop3_client *pop3_client_create(const struct pop3_client_config *config);
POP3_API void pop3_client_destroy(struct pop3_client **c); /* wipes; accepts NULL inside */

POP3_API enum pop3_result pop3_client_next(struct pop3_client *c, struct pop3_in *in,
    struct pop3_client_event *ev);
/* The peer will send no more: the next event is POP3_CEV_BROKEN unless QUIT was answered. */
POP3_API void pop3_client_eof(struct pop3_client *c);

/* Octets to send, NULL if none; sent ones are told, and overwritten. */
POP3_API const uint8_t *pop3_client_output(const struct pop3_client *c, size_t *ret_len);
POP3_API void pop3_client_sent(struct pop3_client *c, size_t len);

/* How many commands may be given now. */
POP3_API size_t pop3_client_room(const struct pop3_client *c);
POP3_API size_t pop3_client_outstanding(const struct pop3_client *c);
POP3_API enum pop3_state pop3_client_state(const struct pop3_client *c);
POP3_API const struct pop3_client_capa *pop3_client_capa(const struct pop3_client *c);
/* The timestamp of the greeting for APOP (P1939-53), or false; none after STLS. */
POP3_API bool pop3_client_timestamp(const struct pop3_client *c, struct pop3_slice *ret);

/*
 * The commands.  False, and nothing happened: there is no room, it is illegal in this state, an
 * argument cannot be written in a command (CR, LF or NUL in it, too long), memory is out, or a
 * password would travel in clear without permission.
 */
POP3_API bool pop3_client_capa_ask(struct pop3_client *c);
POP3_API bool pop3_client_stls(struct pop3_client *c);
POP3_API bool pop3_client_user(struct pop3_client *c, const char *user);
POP3_API bool pop3_client_pass(struct pop3_client *c, const char *secret);
POP3_API bool pop3_client_apop(struct pop3_client *c, const char *user, const uint8_t digest[16]);
POP3_API bool pop3_client_stat(struct pop3_client *c);
POP3_API bool pop3_client_list(struct pop3_client *c);
POP3_API bool pop3_client_uidl(struct pop3_client *c);
POP3_API bool pop3_client_retr(struct pop3_client *c, uint64_t number);
POP3_API bool pop3_client_top(struct pop3_client *c, uint64_t number, uint64_t lines);
POP3_API bool pop3_client_dele(struct pop3_client *c, uint64_t number);
POP3_API bool pop3_client_rset(struct pop3_client *c);
POP3_API bool pop3_client_noop(struct pop3_client *c);
POP3_API bool pop3_client_quit(struct pop3_client *c);

/* After STLS was answered by +OK and the handshake is done and the certificate found good.
 * Forgets everything that the server said in clear (P2595-11). */
POP3_API void pop3_client_tls_started(struct pop3_client *c);

/*
 * AUTH.  initial, unless NULL, is the initial response.  It goes into the command when the server
 * announced SASL and the line fits (P5034-12), unless two_step; else it is kept, and sent by the
 * engine when the server asks for it.
 */
POP3_API bool pop3_client_auth(struct pop3_client *c, const char *mech, const uint8_t *initial,
    size_t len, bool two_step);
/* After POP3_CEV_CHALLENGE, once.  False: out of memory, too long, or not asked for. */
POP3_API bool pop3_client_respond(struct pop3_client *c, const uint8_t *data, size_t len);
POP3_API bool pop3_client_auth_cancel(struct pop3_client *c);

#endif
