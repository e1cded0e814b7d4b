/* The commands that lead to a login. */
#include <pop3/codec.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "mechanism.h"

/* The same words whatever was given, and before any of it is looked at (P8314-05).  Some clients
 * drop the answer to USER and show the one to PASS, so it stands there, too (Q-C06). */
static enum answer
need_tls(struct pop3_server *s, struct pop3_out *out, struct pop3_event *ev)
{
	return engine_bad(s, out, POP3_CODE_AUTH, POP3_TEXT_NEED_TLS, ev);
}

static enum answer
no_memory(struct pop3_server *s, struct pop3_out *out)
{
	s->good = false;
	engine_err(s, out, POP3_CODE_SYS_TEMP, POP3_TEXT_TRY_LATER);
	return ANSWERED;
}

static enum answer
ask(struct pop3_server *s, enum pop3_event_type type, struct pop3_event *ev)
{
	ev->type = type;
	s->waiting = true;
	return ANSWER_EVENT;
}

enum answer
authorization_user(
    struct pop3_server *s, const struct command *c, struct pop3_out *out, struct pop3_event *ev)
{
	const struct pop3_slice *name = &c->args[0];

	if (!s->now.plaintext)
		return need_tls(s, out, ev);
	if (!pop3_utf8_valid(name->data, name->len))
		return engine_bad(s, out, POP3_CODE_NONE, POP3_TEXT_BAD_ARGUMENTS, ev);
	s->user = malloc(name->len);
	if (s->user == NULL)
		return no_memory(s, out);
	memcpy(s->user, name->data, name->len);
	s->user_len = (uint8_t)name->len;
	engine_ok(s, out, POP3_TEXT_SEND_PASSWORD); /* for any name (P1939-43) */
	return ANSWERED;
}

enum answer
authorization_pass(
    struct pop3_server *s, const struct command *c, struct pop3_out *out, struct pop3_event *ev)
{
	if (!s->now.plaintext)
		return need_tls(s, out, ev);
	if (s->user == NULL)
		return engine_bad(s, out, POP3_CODE_NONE, POP3_TEXT_USER_FIRST, ev);
	if (!pop3_utf8_valid(c->rest.data, c->rest.len)) {
		engine_forget_user(s);
		return engine_bad(s, out, POP3_CODE_AUTH, POP3_TEXT_LOGIN_FAILED, ev);
	}
	ev->user = (struct pop3_slice){ s->user, s->user_len };
	ev->secret = c->rest;
	return ask(s, POP3_EV_PASS, ev);
}

enum answer
authorization_apop(
    struct pop3_server *s, const struct command *c, struct pop3_out *out, struct pop3_event *ev)
{
	if (s->now.apop == NULL)
		return engine_bad(s, out, POP3_CODE_NONE, POP3_TEXT_UNKNOWN_COMMAND, ev);
	if (!pop3_utf8_valid(c->args[0].data, c->args[0].len) ||
	    !pop3_hex_decode16(c->args[1].data, c->args[1].len, ev->digest))
		return engine_bad(s, out, POP3_CODE_NONE, POP3_TEXT_BAD_ARGUMENTS, ev);
	ev->user = c->args[0];
	return ask(s, POP3_EV_APOP, ev);
}

enum decoded { DECODED, NOT_BASE64, NO_MEMORY };

/* Into memory that lives as long as the line does; in may be part of that. */
static enum decoded
decode(struct pop3_server *s, const struct pop3_slice *in, struct pop3_slice *ret)
{
	uint8_t *out;
	size_t len;

	*ret = (struct pop3_slice){ NULL, 0 };
	if (in->len == 0)
		return DECODED;
	out = line_scratch(&s->line, in->len);
	if (out == NULL)
		return NO_MEMORY;
	if (!pop3_base64_decode(in->data, in->len, out, &len))
		return NOT_BASE64;
	*ret = (struct pop3_slice){ out, len };
	return DECODED;
}

enum answer
authorization_auth(
    struct pop3_server *s, const struct command *c, struct pop3_out *out, struct pop3_event *ev)
{
	const struct pop3_slice *m = &c->args[0], *initial = &c->args[1];

	if (c->count == 0) {
		capability_mechanisms(s, out);
		return ANSWERED;
	}
	if (!mechanism_is_name(m))
		return engine_bad(s, out, POP3_CODE_NONE, POP3_TEXT_BAD_ARGUMENTS, ev);
	if (mechanism_is_exposed(m, s->now.tls, s->now.plaintext))
		return need_tls(s, out, ev);
	ev->mech = mechanism_find(s->now.sasl, m);
	if (ev->mech.len == 0)
		return engine_bad(s, out, POP3_CODE_NONE, POP3_TEXT_NO_SUCH_MECHANISM, ev);
	ev->has_initial = c->count == 2;
	if (ev->has_initial && mechanism_is_server_first(m))
		return engine_bad(s, out, POP3_CODE_NONE, POP3_TEXT_BAD_ARGUMENTS, ev);
	if (ev->has_initial && !(initial->len == 1 && initial->data[0] == '=')) {
		struct pop3_slice in = *initial;

		switch (decode(s, &in, &ev->data)) {
		case DECODED:
			break;
		case NOT_BASE64:
			return engine_bad(s, out, POP3_CODE_NONE, POP3_TEXT_BAD_BASE64, ev);
		case NO_MEMORY:
			return no_memory(s, out);
		}
	}
	return ask(s, POP3_EV_AUTH, ev);
}

/* The exchange ends here.  A client that gives up did nothing bad; but neither was the AUTH before
 * a good command, or the two in turn would never be too many. */
static enum answer
cancel(struct pop3_server *s, struct pop3_out *out, enum pop3_code code, enum pop3_text text,
    struct pop3_event *ev)
{
	s->sasl = false;
	s->good = false;
	if (text != POP3_TEXT_CANCELLED)
		s->bad++;
	engine_err(s, out, code, text);
	ev->type = POP3_EV_AUTH_CANCEL;
	return ANSWER_EVENT;
}

enum answer
authorization_response(struct pop3_server *s, enum line_result r, const struct pop3_slice *line,
    struct pop3_out *out, struct pop3_event *ev)
{
	if (r == LINE_TOO_LONG)
		return cancel(s, out, POP3_CODE_NONE, POP3_TEXT_LINE_TOO_LONG, ev);
	if (r == LINE_NO_MEMORY)
		return cancel(s, out, POP3_CODE_SYS_TEMP, POP3_TEXT_TRY_LATER, ev);
	if (line->len == 1 && line->data[0] == '*')
		return cancel(s, out, POP3_CODE_NONE, POP3_TEXT_CANCELLED, ev);
	switch (decode(s, line, &ev->data)) {
	case NOT_BASE64:
		return cancel(s, out, POP3_CODE_NONE, POP3_TEXT_BAD_BASE64, ev);
	case NO_MEMORY:
		return cancel(s, out, POP3_CODE_SYS_TEMP, POP3_TEXT_TRY_LATER, ev);
	case DECODED:
		break;
	}
	return ask(s, POP3_EV_AUTH_RESPONSE, ev);
}

enum answer
authorization_stls(struct pop3_server *s, struct pop3_out *out, struct pop3_event *ev)
{
	if (!s->now.stls || s->utf8) /* P2595-03, P6856-07 */
		return engine_bad(s, out, POP3_CODE_NONE, POP3_TEXT_NO_STLS, ev);
	engine_ok(s, out, POP3_TEXT_BEGIN_TLS);
	/* until set_now() or the end: nothing more in the clear */
	return ask(s, POP3_EV_STLS, ev);
}

enum answer
authorization_utf8(struct pop3_server *s, struct pop3_out *out, struct pop3_event *ev)
{
	if (!s->config->utf8)
		return engine_bad(s, out, POP3_CODE_NONE, POP3_TEXT_UNKNOWN_COMMAND, ev);
	s->utf8 = true;
	engine_ok(s, out, POP3_TEXT_UTF8_ON);
	return ANSWERED;
}
