/* CAPA, LANG, and AUTH without a mechanism: what there is, true here and now. */
#include <pop3/codec.h>
#include <string.h>

#include "engine.h"
#include "mechanism.h"
#include "reply.h"

/* "NAME number[ USER]" or "NAME NEVER": the last word before login only (P2449-31, 35). */
static void
put_limit(
    struct pop3_server *s, struct pop3_out *out, const char *name, int32_t value, bool differs)
{
	uint8_t digits[21];
	const char *user = differs && s->state == POP3_AUTHORIZATION ? " USER" : "";

	if (value < 0) {
		reply_line(out, name, "NEVER", user);
		return;
	}
	digits[pop3_number_write((uint64_t)value, digits)] = '\0';
	reply_line(out, name, (const char *)digits, user);
}

/* As many of the names as one line holds: half a name would be another one. */
static void
put_mechanisms(struct pop3_out *out, const char *list)
{
	enum { MAX = POP3_REPLY_MAX - 2 - 4 };
	char text[MAX + 1];
	struct pop3_slice m;
	size_t n = 0;

	while ((m = mechanism_next(&list)).len > 0 && m.len < MAX - n) {
		text[n++] = ' ';
		memcpy(text + n, m.data, m.len);
		n += m.len;
	}
	text[n] = '\0';
	reply_line(out, "SASL", "", text);
}

void
capability_list(struct pop3_server *s, struct pop3_out *out)
{
	const struct pop3_server_config *c = s->config;

	engine_ok(s, out, POP3_TEXT_OK);
	reply_line(out, "TOP", "", "");
	reply_line(out, "UIDL", "", "");
	reply_line(out, "RESP-CODES", "", "");
	reply_line(out, "AUTH-RESP-CODE", "", "");
	reply_line(out, "PIPELINING", "", "");
	reply_line(out, "LANG", "", "");
	if (c->utf8)
		reply_line(out, "UTF8 USER", "", "");
	put_limit(s, out, "EXPIRE ", s->now.expire, c->expire_user);
	if (s->now.login_delay >= 0)
		put_limit(s, out, "LOGIN-DELAY ", s->now.login_delay, c->login_delay_user);
	if (s->now.sasl != NULL)
		put_mechanisms(out, s->now.sasl);
	if (s->now.plaintext)
		reply_line(out, "USER", "", "");
	if (s->now.stls && !s->utf8 && s->state == POP3_AUTHORIZATION)
		reply_line(out, "STLS", "", "");
	/* which version has which holes is no business of somebody who cannot log in */
	if (c->implementation != NULL && s->state == POP3_TRANSACTION)
		reply_line(out, "IMPLEMENTATION ", "", c->implementation);
	pop3_reply_end(out);
}

void
capability_mechanisms(struct pop3_server *s, struct pop3_out *out)
{
	const char *list = s->now.sasl;
	struct pop3_slice m;

	engine_ok(s, out, POP3_TEXT_OK);
	while ((m = mechanism_next(&list)).len > 0) {
		char name[32];

		if (m.len >= sizeof name || pop3_out_room(out) < POP3_REPLY_MAX)
			break; /* no name is that long, and no list */
		memcpy(name, m.data, m.len);
		name[m.len] = '\0';
		reply_line(out, name, "", "");
	}
	pop3_reply_end(out);
}

enum answer
capability_lang(struct pop3_server *s, const struct command *c, struct pop3_out *out)
{
	const struct pop3_slice *range = &c->args[0];
	int lang;

	if (c->count == 0) {
		engine_ok(s, out, POP3_TEXT_OK);
		for (int i = 0; i < POP3_LANGS; i++)
			reply_line(out, pop3_lang_tag(i), " ", pop3_lang_name(i));
		pop3_reply_end(out);
		return ANSWERED;
	}
	if (range->len == 1 && range->data[0] == '*')
		lang = (int)s->config->lang;
	else
		lang = pop3_lang_find((const char *)range->data, range->len);
	if (lang < 0) {
		s->good = false; /* a question with the answer no: not bad, and no merit */
		engine_err(s, out, POP3_CODE_NONE, POP3_TEXT_NO_LANGUAGE);
		return ANSWERED;
	}
	s->lang = (uint8_t)lang;
	pop3_reply_okf(out, "%s %s", pop3_lang_tag(lang), pop3_text(lang, POP3_TEXT_LANGUAGE));
	return ANSWERED;
}
