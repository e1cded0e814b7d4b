#include <pop3/server.h>

#include <assert.h>
#include <pop3/codec.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "stranger.h"

enum {
	SASL_MAX = 128 * 1024,
	BAD_MAX = 10,
	FOREIGN_FREE = 3, /* commands of other servers that cost nothing (Q-C09) */
};

static const uint8_t may_become[] = {
	[POP3_AUTHORIZATION] = IN(POP3_TRANSACTION) | IN(POP3_CLOSED),
	[POP3_TRANSACTION] = IN(POP3_UPDATE) | IN(POP3_CLOSED), /* UPDATE: by QUIT only */
	[POP3_UPDATE] = IN(POP3_CLOSED),
	[POP3_CLOSED] = 0,
};

void
engine_become(struct pop3_server *s, enum pop3_state to)
{
	assert(may_become[s->state] & IN(to));
	s->state = (uint8_t)to;
}

void
engine_forget_user(struct pop3_server *s)
{
	if (s->user != NULL)
		explicit_bzero(s->user, s->user_len);
	free(s->user);
	s->user = NULL;
	s->user_len = 0;
}

struct pop3_server *
pop3_server_create(const struct pop3_server_config *config, const struct pop3_server_now *now,
    enum pop3_state state)
{
	struct pop3_server *s = calloc(1, sizeof *s);

	if (s == NULL)
		return NULL;
	s->config = config;
	s->now = *now;
	s->state = (uint8_t)state;
	s->talked = state != POP3_AUTHORIZATION;
	return s;
}

void
pop3_server_destroy(struct pop3_server **s)
{
	if (*s == NULL)
		return;
	line_forget(&(*s)->line);
	engine_forget_user(*s);
	free(*s);
	*s = NULL;
}

void
pop3_server_set_now(struct pop3_server *s, const struct pop3_server_now *now)
{
	if (now->tls && !s->now.tls) {
		/* what was said in the clear may have been somebody else's words */
		engine_forget_user(s);
		line_forget(&s->line);
		s->line.lost = 0;
		s->lang = POP3_LANG_EN;
		s->bad = 0;
		s->foreign = 0;
		s->utf8 = s->waiting = s->sasl = s->talked = false;
	}
	s->now = *now;
}

void
pop3_server_resume(struct pop3_server *s, enum pop3_lang lang, bool utf8)
{
	s->lang = (uint8_t)lang;
	s->utf8 = utf8;
}

enum pop3_state
pop3_server_state(const struct pop3_server *s)
{
	return (enum pop3_state)s->state;
}

bool
pop3_server_is_utf8(const struct pop3_server *s)
{
	return s->utf8;
}

enum pop3_lang
pop3_server_lang(const struct pop3_server *s)
{
	return (enum pop3_lang)s->lang;
}

bool
pop3_server_has_partial(const struct pop3_server *s)
{
	return line_is_partial(&s->line);
}

void
pop3_server_count_bad(struct pop3_server *s)
{
	s->good = false;
	s->bad++;
}

void
engine_ok(struct pop3_server *s, struct pop3_out *out, enum pop3_text text)
{
	pop3_reply_ok(out, pop3_text((enum pop3_lang)s->lang, text));
}

void
engine_err(struct pop3_server *s, struct pop3_out *out, enum pop3_code code, enum pop3_text text)
{
	pop3_reply_err(out, code, pop3_text((enum pop3_lang)s->lang, text));
}

static uint32_t
bad_max(const struct pop3_server *s)
{
	return s->config->bad_max == 0 ? BAD_MAX : s->config->bad_max;
}

static enum answer
too_many_bad(struct pop3_server *s, struct pop3_out *out, struct pop3_event *ev)
{
	engine_err(s, out, POP3_CODE_NONE, POP3_TEXT_TOO_MANY_BAD);
	engine_become(s, POP3_CLOSED);
	ev->type = POP3_EV_ABUSE;
	return ANSWER_EVENT;
}

enum answer
engine_bad(struct pop3_server *s, struct pop3_out *out, enum pop3_code code, enum pop3_text text,
    struct pop3_event *ev)
{
	s->good = false;
	if (++s->bad >= bad_max(s))
		return too_many_bad(s, out, ev);
	engine_err(s, out, code, text);
	return ANSWERED;
}

void
pop3_server_greet(struct pop3_server *s, struct pop3_out *out)
{
	const char *text = s->config->greeting;

	if (text == NULL)
		text = pop3_text((enum pop3_lang)s->lang, POP3_TEXT_READY);
	/* some clients look for "POP3" there (Q-C03) */
	pop3_reply_okf(out, "POP3 %.300s%s%s", text, s->now.apop != NULL ? " " : "",
	    s->now.apop != NULL ? s->now.apop : "");
}

bool
pop3_server_challenge(struct pop3_server *s, struct pop3_out *out, const uint8_t *data, size_t len)
{
	if (pop3_out_room(out) < 4 || (pop3_out_room(out) - 4) / 4 < len / 3 + (len % 3 != 0))
		return false;
	memcpy(out->data + out->len, "+ ", 2);
	out->len += 2;
	out->len += pop3_base64_encode(data, len, out->data + out->len);
	memcpy(out->data + out->len, "\r\n", 2);
	out->len += 2;
	line_forget(&s->line);
	s->waiting = false;
	s->sasl = true;
	return true;
}

void
pop3_server_login_failed(
    struct pop3_server *s, struct pop3_out *out, enum pop3_code code, enum pop3_text text)
{
	s->waiting = s->sasl = false;
	s->good = false; /* what it is worth is the caller's to say: pop3_server_count_bad() */
	engine_forget_user(s);
	line_forget(&s->line);
	engine_err(s, out, code, text);
}

/* A message number: digits only; too large, or 0, is a number of no message (P1939-86). */
static bool
message_number(const struct pop3_slice *a, uint64_t *ret)
{
	bool overflow;

	if (!pop3_number(a->data, a->len, UINT64_MAX - 1, ret, &overflow)) {
		if (!overflow)
			return false;
		*ret = UINT64_MAX;
	}
	if (*ret == 0)
		*ret = UINT64_MAX;
	return true;
}

static enum answer
transaction(struct pop3_server *s, const struct command *c, enum pop3_event_type type,
    struct pop3_out *out, struct pop3_event *ev)
{
	bool overflow = false;

	if ((c->count > 0 && !message_number(&c->args[0], &ev->number)) ||
	    (c->verb == VERB_TOP &&
		!pop3_number(c->args[1].data, c->args[1].len, INT64_MAX, &ev->lines, &overflow) &&
		!overflow))
		return engine_bad(s, out, POP3_CODE_NONE, POP3_TEXT_BAD_ARGUMENTS, ev);
	if (overflow)
		ev->lines = INT64_MAX;
	ev->type = type;
	return ANSWER_EVENT;
}

static enum answer
quit(struct pop3_server *s, struct pop3_out *out, struct pop3_event *ev)
{
	ev->type = POP3_EV_QUIT;
	if (s->state == POP3_TRANSACTION) {
		engine_become(s, POP3_UPDATE);
	} else {
		engine_ok(s, out, POP3_TEXT_BYE);
		engine_become(s, POP3_CLOSED);
	}
	return ANSWER_EVENT;
}

static enum answer
run(struct pop3_server *s, const struct command *c, struct pop3_out *out, struct pop3_event *ev)
{
	switch (c->verb) {
	case VERB_USER:
		return authorization_user(s, c, out, ev);
	case VERB_PASS:
		return authorization_pass(s, c, out, ev);
	case VERB_APOP:
		return authorization_apop(s, c, out, ev);
	case VERB_AUTH:
		return authorization_auth(s, c, out, ev);
	case VERB_STLS:
		return authorization_stls(s, out, ev);
	case VERB_UTF8:
		return authorization_utf8(s, out, ev);
	case VERB_LANG:
		return capability_lang(s, c, out);
	case VERB_CAPA:
		capability_list(s, out);
		return ANSWERED;
	case VERB_NOOP:
		engine_ok(s, out, POP3_TEXT_OK);
		return ANSWERED;
	case VERB_STAT:
		return transaction(s, c, POP3_EV_STAT, out, ev);
	case VERB_LIST:
		return transaction(s, c, POP3_EV_LIST, out, ev);
	case VERB_UIDL:
		return transaction(s, c, POP3_EV_UIDL, out, ev);
	case VERB_RETR:
		return transaction(s, c, POP3_EV_RETR, out, ev);
	case VERB_TOP:
		return transaction(s, c, POP3_EV_TOP, out, ev);
	case VERB_DELE:
		return transaction(s, c, POP3_EV_DELE, out, ev);
	case VERB_RSET:
		return transaction(s, c, POP3_EV_RSET, out, ev);
	case VERB_QUIT:
		return quit(s, out, ev);
	case VERB_FOREIGN:
		if (s->foreign < FOREIGN_FREE) {
			s->foreign++;
			s->good = false;
			engine_err(s, out, POP3_CODE_NONE, POP3_TEXT_UNKNOWN_COMMAND);
			return ANSWERED;
		}
		break;
	case VERB_UNKNOWN:
		break;
	}
	return engine_bad(s, out, POP3_CODE_NONE, POP3_TEXT_UNKNOWN_COMMAND, ev);
}

static enum answer
command(struct pop3_server *s, enum line_result r, const struct pop3_slice *line,
    struct pop3_out *out, struct pop3_event *ev)
{
	struct command c = { .verb = VERB_UNKNOWN };
	bool clean = r == LINE_TAKEN && command_parse(line, &c);

	if (s->good)
		s->bad = 0;
	s->good = true;
	if (!clean || c.verb != VERB_PASS)
		engine_forget_user(s); /* PASS comes right after USER or not at all (P1939-44) */
	if (r == LINE_NO_MEMORY)
		return engine_bad(s, out, POP3_CODE_SYS_TEMP, POP3_TEXT_TRY_LATER, ev);
	if (r == LINE_TOO_LONG)
		return engine_bad(s, out, POP3_CODE_NONE, POP3_TEXT_LINE_TOO_LONG, ev);
	if (!clean)
		return engine_bad(s, out, POP3_CODE_NONE, POP3_TEXT_BAD_ARGUMENTS, ev);
	if ((c.states & IN(s->state)) == 0)
		return engine_bad(s, out, POP3_CODE_NONE, POP3_TEXT_WRONG_STATE, ev);
	if (!command_is_complete(&c)) {
		engine_forget_user(s);
		return engine_bad(s, out, POP3_CODE_NONE, POP3_TEXT_BAD_ARGUMENTS, ev);
	}
	return run(s, &c, out, ev);
}

static enum line_result
take(struct pop3_server *s, struct pop3_in *in, struct pop3_slice *ret)
{
	size_t sasl_max = s->config->sasl_max == 0 ? SASL_MAX : s->config->sasl_max;

	if (s->sasl)
		return line_take(&s->line, in, sasl_max, sasl_max, ret);
	if (s->state == POP3_AUTHORIZATION && sasl_max > POP3_LINE_MAX)
		return line_take(&s->line, in, POP3_LINE_MAX, sasl_max, ret);
	return line_take(&s->line, in, POP3_LINE_MAX, POP3_LINE_MAX, ret);
}

static bool
is_stranger(struct pop3_server *s, const struct pop3_in *in)
{
	uint8_t head[STRANGER_HEAD];

	return !s->talked && stranger_speaks(head, line_head(&s->line, in, head, sizeof head));
}

enum pop3_result
pop3_server_next(
    struct pop3_server *s, struct pop3_in *in, struct pop3_out *out, struct pop3_event *ev)
{
	for (;;) {
		struct pop3_slice line = { NULL, 0 };
		enum line_result r;
		enum answer a;

		if (s->waiting || s->state == POP3_UPDATE || s->state == POP3_CLOSED)
			return POP3_NEED_INPUT;
		if (pop3_out_room(out) < POP3_OUT_MIN)
			return POP3_NEED_ROOM;
		*ev = (struct pop3_event){ 0 };
		if (s->bad >= bad_max(s)) { /* by the caller's count */
			(void)too_many_bad(s, out, ev);
			return POP3_EVENT;
		}
		if (is_stranger(s, in)) {
			line_forget(&s->line);
			engine_become(s, POP3_CLOSED);
			ev->type = POP3_EV_ABUSE;
			return POP3_EVENT;
		}
		r = take(s, in, &line);
		if (r == LINE_MORE)
			return POP3_NEED_INPUT;
		s->talked = true;
		a = s->sasl ? authorization_response(s, r, &line, out, ev)
			    : command(s, r, &line, out, ev);
		if (a == ANSWER_EVENT)
			return POP3_EVENT;
	}
}
