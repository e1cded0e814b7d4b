/*
 * engine - the inside of struct pop3_server, and what its files do for each other.  Private to
 * src/pop3.
 *
 * server.c has the life of a session and runs commands, authorization.c the commands that lead to
 * a login, capability.c those that tell what there is.
 */
#ifndef POP3_ENGINE_H
#define POP3_ENGINE_H

#include <pop3/server.h>

#include "command.h"
#include "line.h"

struct pop3_server {
	const struct pop3_server_config *config;
	struct pop3_server_now now;
	struct line line;
	uint8_t *user; /* the name, after a USER that was taken; wiped when it goes: people type
			  passwords there */
	uint8_t user_len; /* less than POP3_LINE_MAX */
	uint8_t state; /* enum pop3_state */
	uint8_t lang; /* enum pop3_lang */
	uint8_t foreign; /* commands of other servers so far */
	uint32_t bad; /* consecutive bad commands */
	bool good; /* the last command was not bad, as far as is known: count anew with the next */
	bool utf8;
	bool waiting; /* for the caller's word about credentials */
	bool sasl; /* the next line is a response */
	bool talked; /* the first line was seen: this is POP3 */
};

_Static_assert(sizeof(struct pop3_server) < 256, "what an idle session costs");
_Static_assert(POP3_LINE_MAX <= UINT8_MAX, "user_len holds any name");

/* What became of a command. */
enum answer {
	ANSWERED, /* by the engine: go on */
	ANSWER_EVENT, /* ev is for the caller */
};

void engine_become(struct pop3_server *s, enum pop3_state to);
void engine_forget_user(struct pop3_server *s);

void engine_ok(struct pop3_server *s, struct pop3_out *out, enum pop3_text text);
void engine_err(
    struct pop3_server *s, struct pop3_out *out, enum pop3_code code, enum pop3_text text);
/* -ERR, and one more bad command; the last one that is borne ends the session (P1939-20). */
enum answer engine_bad(struct pop3_server *s, struct pop3_out *out, enum pop3_code code,
    enum pop3_text text, struct pop3_event *ev);

/* authorization.c: legal here, and their arguments counted. */
enum answer authorization_user(
    struct pop3_server *s, const struct command *c, struct pop3_out *out, struct pop3_event *ev);
enum answer authorization_pass(
    struct pop3_server *s, const struct command *c, struct pop3_out *out, struct pop3_event *ev);
enum answer authorization_apop(
    struct pop3_server *s, const struct command *c, struct pop3_out *out, struct pop3_event *ev);
enum answer authorization_auth(
    struct pop3_server *s, const struct command *c, struct pop3_out *out, struct pop3_event *ev);
enum answer authorization_stls(struct pop3_server *s, struct pop3_out *out, struct pop3_event *ev);
enum answer authorization_utf8(struct pop3_server *s, struct pop3_out *out, struct pop3_event *ev);
/* A line of a SASL exchange. */
enum answer authorization_response(struct pop3_server *s, enum line_result r,
    const struct pop3_slice *line, struct pop3_out *out, struct pop3_event *ev);

/* capability.c */
void capability_list(struct pop3_server *s, struct pop3_out *out);
void capability_mechanisms(struct pop3_server *s, struct pop3_out *out);
enum answer capability_lang(struct pop3_server *s, const struct command *c, struct pop3_out *out);

#endif
