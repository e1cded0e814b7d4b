#include <pop3/server.h>

#include <assert.h>
#include <pop3/codec.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "command.h"

enum {
	SASL_MAX = 128 * 1024,
	BAD_MAX = 10,
	FOREIGN_FREE = 3, /* commands of other servers that cost nothing (Q-C09) */
};

struct pop3_server {
	const struct pop3_server_config *config;
	struct pop3_server_now now;
	uint8_t *line; /* a line that is not complete, or that an event points into */
	uint32_t line_len, line_cap;
	uint8_t *user; /* after a successful USER */
	uint16_t user_len;
	uint8_t state; /* enum pop3_state */
	uint8_t lang; /* enum pop3_lang */
	uint8_t foreign; /* commands of other servers so far */
	uint32_t bad; /* consecutive bad commands */
	bool utf8;
	bool waiting; /* for the caller's word about credentials */
	bool sasl; /* the next line is a response */
	bool overlong; /* dropping the rest of a line that is too long */
	bool line_used; /* an event points into line: free it next time */
	bool talked; /* something was received before */
};

static const uint8_t may_become[] = {
	[POP3_AUTHORIZATION] = IN(POP3_TRANSACTION) | IN(POP3_CLOSED),
	[POP3_TRANSACTION] = IN(POP3_UPDATE) | IN(POP3_CLOSED), /* UPDATE: by QUIT only */
	[POP3_UPDATE] = IN(POP3_CLOSED),
	[POP3_CLOSED] = 0,
};

static void
become(struct pop3_server *s, enum pop3_state to)
{
	assert(may_become[s->state] & IN(to));
	s->state = (uint8_t)to;
}

static void
forget_line(struct pop3_server *s)
{
	if (s->line != NULL)
		explicit_bzero(s->line, s->line_cap); /* it may have been a password */
	free(s->line);
	s->line = NULL;
	s->line_len = s->line_cap = 0;
	s->line_used = false;
}

static void
forget_user(struct pop3_server *s)
{
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
	forget_line(*s);
	forget_user(*s);
	free(*s);
	*s = NULL;
}

void
pop3_server_set_now(struct pop3_server *s, const struct pop3_server_now *now)
{
	if (now->tls && !s->now.tls) {
		/* what was said in the clear may have been somebody else's words */
		forget_user(s);
		forget_line(s);
		s->lang = POP3_LANG_EN;
		s->utf8 = false;
		s->bad = 0;
		s->talked = false;
		s->waiting = false;
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
	return s->overlong || (s->line != NULL && !s->line_used);
}

void
pop3_server_count_bad(struct pop3_server *s)
{
	s->bad++;
}

static void
ok(struct pop3_server *s, struct pop3_out *out, enum pop3_text text)
{
	pop3_reply_ok(out, pop3_text(s->lang, text));
}

static void
err(struct pop3_server *s, struct pop3_out *out, enum pop3_code code, enum pop3_text text)
{
	pop3_reply_err(out, code, pop3_text(s->lang, text));
}

void
pop3_server_greet(struct pop3_server *s, struct pop3_out *out)
{
	const char *text = s->config->greeting;

	if (text == NULL)
		text = pop3_text(s->lang, POP3_TEXT_READY);
	/* some clients look for "POP3" there (Q-C03) */
	pop3_reply_okf(out, "POP3 %.300s%s%s", text, s->now.apop != NULL ? " " : "",
	    s->now.apop != NULL ? s->now.apop : "");
}

bool
pop3_server_challenge(struct pop3_server *s, struct pop3_out *out, const uint8_t *data, size_t len)
{
	if (pop3_out_room(out) < 4 + (len + 2) / 3 * 4)
		return false;
	memcpy(out->data + out->len, "+ ", 2);
	out->len += 2;
	out->len += pop3_base64_encode(data, len, out->data + out->len);
	memcpy(out->data + out->len, "\r\n", 2);
	out->len += 2;
	s->waiting = false;
	s->sasl = true;
	return true;
}

void
pop3_server_login_failed(
    struct pop3_server *s, struct pop3_out *out, enum pop3_code code, enum pop3_text text)
{
	s->waiting = false;
	s->sasl = false;
	forget_user(s);
	err(s, out, code, text);
}

const char *
pop3_mechanisms_usable(const char *all, bool tls, bool plaintext, char *out)
{
	size_t n = 0;

	while (*all != '\0') {
		size_t len = strcspn(all, " ");
		bool plus = len > 5 && strncmp(all + len - 5, "-PLUS", 5) == 0;
		bool plain =
		    (len == 5 && (strncmp(all, "PLAIN", 5) == 0 || strncmp(all, "LOGIN", 5) == 0));

		if (len > 0 && (!plus || tls) && (!plain || plaintext)) {
			if (n > 0)
				out[n++] = ' ';
			memcpy(out + n, all, len);
			n += len;
		}
		all += len;
		while (*all == ' ')
			all++;
	}
	out[n] = '\0';
	return n > 0 ? out : NULL;
}

/* Whether the word is one of those in list (upper case, space-separated). */
static bool
has_word(const char *list, const uint8_t *word, size_t len)
{
	for (; list != NULL && *list != '\0'; list += strspn(list, " ")) {
		size_t n = strcspn(list, " ");

		if (n == len && strncasecmp(list, (const char *)word, len) == 0)
			return true;
		list += n;
	}
	return false;
}

static void
put_line(struct pop3_out *out, const char *text)
{
	size_t len = strlen(text);

	assert(pop3_out_room(out) >= len + 2);
	memcpy(out->data + out->len, text, len);
	memcpy(out->data + out->len + len, "\r\n", 2);
	out->len += len + 2;
}

/* "NAME number[ USER]" or "NAME NEVER": the last word before login only (P2449-31, 35). */
static void
put_limit(
    struct pop3_server *s, struct pop3_out *out, const char *name, int32_t value, bool differs)
{
	char text[64], *p = text;

	memcpy(p, name, strlen(name));
	p += strlen(name);
	if (value < 0) {
		memcpy(p, "NEVER", 5);
		p += 5;
	} else {
		p += pop3_number_write((uint64_t)value, (uint8_t *)p);
	}
	if (differs && s->state == POP3_AUTHORIZATION) {
		memcpy(p, " USER", 5);
		p += 5;
	}
	*p = '\0';
	put_line(out, text);
}

static void
do_capa(struct pop3_server *s, struct pop3_out *out)
{
	const struct pop3_server_config *c = s->config;
	char text[POP3_REPLY_MAX];

	ok(s, out, POP3_TEXT_OK);
	put_line(out, "TOP");
	put_line(out, "UIDL");
	put_line(out, "RESP-CODES");
	put_line(out, "AUTH-RESP-CODE");
	put_line(out, "PIPELINING");
	put_line(out, "LANG");
	if (c->utf8)
		put_line(out, "UTF8 USER");
	put_limit(s, out, "EXPIRE ", s->now.expire, c->expire_user);
	if (s->now.login_delay >= 0)
		put_limit(s, out, "LOGIN-DELAY ", s->now.login_delay, c->login_delay_user);
	if (s->now.sasl != NULL && strlen(s->now.sasl) < 400) {
		memcpy(text, "SASL ", 5);
		memcpy(text + 5, s->now.sasl, strlen(s->now.sasl) + 1);
		put_line(out, text);
	}
	if (s->now.plaintext)
		put_line(out, "USER");
	if (s->now.stls && !s->utf8 && s->state == POP3_AUTHORIZATION)
		put_line(out, "STLS");
	if (c->implementation != NULL && s->state == POP3_TRANSACTION &&
	    strlen(c->implementation) < 400) {
		memcpy(text, "IMPLEMENTATION ", 15);
		memcpy(text + 15, c->implementation, strlen(c->implementation) + 1);
		put_line(out, text);
	}
	pop3_reply_end(out);
}

static void
do_lang(struct pop3_server *s, const struct command *c, struct pop3_out *out)
{
	int lang;

	if (c->count == 0) {
		ok(s, out, POP3_TEXT_OK);
		for (int i = 0; i < POP3_LANGS; i++) {
			char text[64];

			memcpy(text, pop3_lang_tag(i), strlen(pop3_lang_tag(i)));
			text[strlen(pop3_lang_tag(i))] = ' ';
			memcpy(text + strlen(pop3_lang_tag(i)) + 1, pop3_lang_name(i),
			    strlen(pop3_lang_name(i)) + 1);
			put_line(out, text);
		}
		pop3_reply_end(out);
		return;
	}
	if (c->args[0].len == 1 && c->args[0].data[0] == '*')
		lang = s->config->lang;
	else
		lang = pop3_lang_find((const char *)c->args[0].data, c->args[0].len);
	if (lang < 0) {
		err(s, out, POP3_CODE_NONE, POP3_TEXT_NO_LANGUAGE);
		return;
	}
	s->lang = (uint8_t)lang;
	pop3_reply_okf(out, "%s %s", pop3_lang_tag(lang), pop3_text(lang, POP3_TEXT_LANGUAGE));
}

static void
do_auth_list(struct pop3_server *s, struct pop3_out *out)
{
	const char *list = s->now.sasl;

	ok(s, out, POP3_TEXT_OK);
	for (; list != NULL && *list != '\0'; list += strspn(list, " ")) {
		char name[32];
		size_t n = strcspn(list, " ");

		if (n < sizeof name) {
			memcpy(name, list, n);
			name[n] = '\0';
			put_line(out, name);
		}
		list += n;
	}
	pop3_reply_end(out);
}

enum answer {
	ANSWERED, /* by the engine: go on */
	ANSWER_EVENT, /* ev is for the caller */
};

/* -ERR and one more bad command; too many end the session (P1939-20). */
static enum answer
bad(struct pop3_server *s, struct pop3_out *out, enum pop3_code code, enum pop3_text text,
    struct pop3_event *ev)
{
	uint32_t max = s->config->bad_max == 0 ? BAD_MAX : s->config->bad_max;

	if (++s->bad < max) {
		err(s, out, code, text);
		return ANSWERED;
	}
	err(s, out, POP3_CODE_NONE, POP3_TEXT_TOO_MANY_BAD);
	become(s, POP3_CLOSED);
	ev->type = POP3_EV_ABUSE;
	return ANSWER_EVENT;
}

static enum answer
need_tls(struct pop3_server *s, struct pop3_out *out, struct pop3_event *ev)
{
	/* the same words whatever was given, and before anything is looked at (P8314-05) */
	return bad(s, out, POP3_CODE_AUTH, POP3_TEXT_NEED_TLS, ev);
}

static enum answer
do_user(struct pop3_server *s, const struct command *c, struct pop3_out *out, struct pop3_event *ev)
{
	const struct pop3_slice *name = &c->args[0];

	if (!s->now.plaintext)
		return need_tls(s, out, ev);
	if (!pop3_utf8_valid(name->data, name->len))
		return bad(s, out, POP3_CODE_NONE, POP3_TEXT_BAD_ARGUMENTS, ev);
	s->user = malloc(name->len);
	if (s->user == NULL) {
		err(s, out, POP3_CODE_SYS_TEMP, POP3_TEXT_TRY_LATER);
		return ANSWERED;
	}
	memcpy(s->user, name->data, name->len);
	s->user_len = (uint16_t)name->len;
	ok(s, out, POP3_TEXT_SEND_PASSWORD);
	return ANSWERED;
}

static enum answer
do_pass(struct pop3_server *s, const struct command *c, struct pop3_out *out, struct pop3_event *ev)
{
	if (!s->now.plaintext)
		return need_tls(s, out, ev);
	if (s->user == NULL)
		return bad(s, out, POP3_CODE_NONE, POP3_TEXT_USER_FIRST, ev);
	if (!pop3_utf8_valid(c->rest.data, c->rest.len)) {
		forget_user(s);
		return bad(s, out, POP3_CODE_AUTH, POP3_TEXT_LOGIN_FAILED, ev);
	}
	ev->type = POP3_EV_PASS;
	ev->user = (struct pop3_slice){ s->user, s->user_len };
	ev->secret = c->rest;
	s->waiting = true;
	return ANSWER_EVENT;
}

static enum answer
do_apop(struct pop3_server *s, const struct command *c, struct pop3_out *out, struct pop3_event *ev)
{
	if (s->now.apop == NULL)
		return bad(s, out, POP3_CODE_NONE, POP3_TEXT_UNKNOWN_COMMAND, ev);
	if (!pop3_utf8_valid(c->args[0].data, c->args[0].len) ||
	    !pop3_hex_decode16(c->args[1].data, c->args[1].len, ev->digest))
		return bad(s, out, POP3_CODE_NONE, POP3_TEXT_BAD_ARGUMENTS, ev);
	ev->type = POP3_EV_APOP;
	ev->user = c->args[0];
	s->waiting = true;
	return ANSWER_EVENT;
}

/* Decodes base64 into s->line, which ev->data then points at.  in may be s->line itself. */
static bool
decode(struct pop3_server *s, const struct pop3_slice *in, struct pop3_slice *ret)
{
	uint8_t *out = s->line;
	size_t len;

	if (in->len == 0 || s->line == NULL) {
		out = malloc(in->len + 1);
		if (out == NULL)
			return false;
		forget_line(s);
		s->line = out;
		s->line_cap = (uint32_t)in->len + 1;
		s->line_used = true;
	}
	if (!pop3_base64_decode(in->data, in->len, out, &len))
		return false;
	*ret = (struct pop3_slice){ out, len };
	return true;
}

static bool
is_mechanism(const struct pop3_slice *m)
{
	if (m->len < 1 || m->len > 20)
		return false;
	for (size_t i = 0; i < m->len; i++) {
		uint8_t c = m->data[i];

		if (!(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
		    c != '-' && c != '_')
			return false;
	}
	return true;
}

/* The spelling of the list, which is in upper case. */
static struct pop3_slice
as_listed(const char *list, const struct pop3_slice *m)
{
	for (;; list += strspn(list, " ")) {
		size_t n = strcspn(list, " ");

		if (n == m->len && strncasecmp(list, (const char *)m->data, n) == 0)
			return (struct pop3_slice){ (const uint8_t *)list, n };
		list += n;
	}
}

static enum answer
do_auth(struct pop3_server *s, const struct command *c, struct pop3_out *out, struct pop3_event *ev)
{
	static const char plain[] = "PLAIN LOGIN", server_first[] = "LOGIN CRAM-MD5";
	const struct pop3_slice *m = &c->args[0], *ir = &c->args[1];

	if (c->count == 0) {
		do_auth_list(s, out);
		return ANSWERED;
	}
	if (!is_mechanism(m))
		return bad(s, out, POP3_CODE_NONE, POP3_TEXT_BAD_ARGUMENTS, ev);
	if (!s->now.plaintext && has_word(plain, m->data, m->len))
		return need_tls(s, out, ev);
	if (!has_word(s->now.sasl, m->data, m->len))
		return bad(s, out, POP3_CODE_NONE, POP3_TEXT_NO_SUCH_MECHANISM, ev);
	ev->mech = as_listed(s->now.sasl, m);
	ev->has_initial = c->count == 2;
	if (ev->has_initial && has_word(server_first, m->data, m->len))
		return bad(s, out, POP3_CODE_NONE, POP3_TEXT_BAD_ARGUMENTS, ev);
	if (ev->has_initial && !(ir->len == 1 && ir->data[0] == '=')) {
		struct pop3_slice data = *ir;

		if (!decode(s, &data, &ev->data))
			return bad(s, out, POP3_CODE_NONE, POP3_TEXT_BAD_BASE64, ev);
	}
	ev->type = POP3_EV_AUTH;
	s->waiting = true;
	return ANSWER_EVENT;
}

static enum answer
do_stls(struct pop3_server *s, struct pop3_out *out, struct pop3_event *ev)
{
	if (!s->now.stls || s->utf8) { /* P6856-07 */
		err(s, out, POP3_CODE_NONE, POP3_TEXT_NO_STLS);
		return ANSWERED;
	}
	ok(s, out, POP3_TEXT_BEGIN_TLS);
	ev->type = POP3_EV_STLS;
	s->waiting = true; /* until set_now() or the end: nothing more in the clear */
	return ANSWER_EVENT;
}

static enum answer
do_utf8(struct pop3_server *s, struct pop3_out *out, struct pop3_event *ev)
{
	if (!s->config->utf8)
		return bad(s, out, POP3_CODE_NONE, POP3_TEXT_UNKNOWN_COMMAND, ev);
	s->utf8 = true;
	ok(s, out, POP3_TEXT_UTF8_ON);
	return ANSWERED;
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
do_numbered(struct pop3_server *s, const struct command *c, enum pop3_event_type type,
    struct pop3_out *out, struct pop3_event *ev)
{
	bool overflow = false;

	if ((c->count > 0 && !message_number(&c->args[0], &ev->number)) ||
	    (c->verb == VERB_TOP &&
		!pop3_number(c->args[1].data, c->args[1].len, INT64_MAX, &ev->lines, &overflow) &&
		!overflow))
		return bad(s, out, POP3_CODE_NONE, POP3_TEXT_BAD_ARGUMENTS, ev);
	if (overflow)
		ev->lines = INT64_MAX;
	ev->type = type;
	return ANSWER_EVENT;
}

static enum answer
do_quit(struct pop3_server *s, struct pop3_out *out, struct pop3_event *ev)
{
	ev->type = POP3_EV_QUIT;
	if (s->state == POP3_TRANSACTION) {
		become(s, POP3_UPDATE);
	} else {
		ok(s, out, POP3_TEXT_BYE);
		become(s, POP3_CLOSED);
	}
	return ANSWER_EVENT;
}

static enum answer
run(struct pop3_server *s, const struct command *c, struct pop3_out *out, struct pop3_event *ev)
{
	switch (c->verb) {
	case VERB_USER:
		return do_user(s, c, out, ev);
	case VERB_PASS:
		return do_pass(s, c, out, ev);
	case VERB_APOP:
		return do_apop(s, c, out, ev);
	case VERB_AUTH:
		return do_auth(s, c, out, ev);
	case VERB_STLS:
		return do_stls(s, out, ev);
	case VERB_UTF8:
		return do_utf8(s, out, ev);
	case VERB_LANG:
		do_lang(s, c, out);
		return ANSWERED;
	case VERB_CAPA:
		do_capa(s, out);
		return ANSWERED;
	case VERB_NOOP:
		ok(s, out, POP3_TEXT_OK);
		return ANSWERED;
	case VERB_STAT:
		return do_numbered(s, c, POP3_EV_STAT, out, ev);
	case VERB_LIST:
		return do_numbered(s, c, POP3_EV_LIST, out, ev);
	case VERB_UIDL:
		return do_numbered(s, c, POP3_EV_UIDL, out, ev);
	case VERB_RETR:
		return do_numbered(s, c, POP3_EV_RETR, out, ev);
	case VERB_TOP:
		return do_numbered(s, c, POP3_EV_TOP, out, ev);
	case VERB_DELE:
		return do_numbered(s, c, POP3_EV_DELE, out, ev);
	case VERB_RSET:
		return do_numbered(s, c, POP3_EV_RSET, out, ev);
	case VERB_QUIT:
		return do_quit(s, out, ev);
	case VERB_FOREIGN:
	case VERB_HTTP:
	case VERB_UNKNOWN:
		break;
	}
	return bad(s, out, POP3_CODE_NONE, POP3_TEXT_UNKNOWN_COMMAND, ev);
}

/* One command line without its end. */
static enum answer
command(struct pop3_server *s, const uint8_t *line, size_t len, struct pop3_out *out,
    struct pop3_event *ev)
{
	uint32_t bad_before = s->bad;
	bool first = !s->talked, clean;
	struct command c;
	enum answer r;

	s->talked = true;
	clean = command_parse(line, len, &c);
	if (c.verb != VERB_PASS)
		forget_user(s); /* PASS comes right after USER or not at all (P1939-44) */
	if (c.verb == VERB_HTTP && first) {
		become(s, POP3_CLOSED);
		ev->type = POP3_EV_ABUSE;
		return ANSWER_EVENT;
	}
	if (!clean) {
		forget_user(s);
		return bad(s, out, POP3_CODE_NONE, POP3_TEXT_BAD_ARGUMENTS, ev);
	}
	if (c.verb == VERB_FOREIGN && s->foreign < FOREIGN_FREE) {
		s->foreign++;
		err(s, out, POP3_CODE_NONE, POP3_TEXT_UNKNOWN_COMMAND);
		return ANSWERED;
	}
	if (c.states != 0 && (c.states & IN(s->state)) == 0)
		return bad(s, out, POP3_CODE_NONE, POP3_TEXT_WRONG_STATE, ev);
	if (c.max_args != ARGS_REST && (c.count < c.min_args || c.count > c.max_args))
		return bad(s, out, POP3_CODE_NONE, POP3_TEXT_BAD_ARGUMENTS, ev);
	r = run(s, &c, out, ev);
	if (s->bad == bad_before)
		s->bad = 0;
	return r;
}

/* One line of a SASL exchange without its end (P5034-09, 10, 14). */
static enum answer
response(struct pop3_server *s, const uint8_t *line, size_t len, struct pop3_out *out,
    struct pop3_event *ev)
{
	struct pop3_slice in = { line, len };
	bool cancel = len == 1 && line[0] == '*';

	s->sasl = false;
	if (!cancel && decode(s, &in, &ev->data)) {
		ev->type = POP3_EV_AUTH_RESPONSE;
		s->waiting = true;
		return ANSWER_EVENT;
	}
	err(s, out, POP3_CODE_NONE, cancel ? POP3_TEXT_CANCELLED : POP3_TEXT_BAD_BASE64);
	ev->type = POP3_EV_AUTH_CANCEL;
	return ANSWER_EVENT;
}

static enum answer
too_long(struct pop3_server *s, struct pop3_out *out, struct pop3_event *ev)
{
	s->talked = true;
	forget_user(s);
	if (!s->sasl)
		return bad(s, out, POP3_CODE_NONE, POP3_TEXT_LINE_TOO_LONG, ev);
	s->sasl = false;
	err(s, out, POP3_CODE_NONE, POP3_TEXT_LINE_TOO_LONG);
	ev->type = POP3_EV_AUTH_CANCEL;
	return ANSWER_EVENT;
}

/* The longest line, with its end, that may come; start is what there is of it. */
static size_t
line_limit(const struct pop3_server *s, const uint8_t *start, size_t len)
{
	size_t sasl_max = s->config->sasl_max == 0 ? SASL_MAX : s->config->sasl_max;

	/* a client that puts a long response on the AUTH line breaks P5034-12, but why send it
	 * home when the same octets would be welcome one line later? */
	if (s->sasl || (s->state == POP3_AUTHORIZATION && len >= 5 &&
			   strncasecmp((const char *)start, "AUTH ", 5) == 0))
		return sasl_max;
	return POP3_LINE_MAX;
}

/* Keeps octets of a line that has no end yet; false: it is too long, or memory is out. */
static bool
keep(struct pop3_server *s, const uint8_t *p, size_t len)
{
	const uint8_t *start = s->line != NULL ? s->line : p;
	size_t limit = line_limit(s, start, s->line != NULL ? s->line_len : len);

	if (s->line_len + len > limit)
		return false;
	if (s->line_len + len > s->line_cap) {
		size_t cap = s->line_cap == 0 ? 64 : s->line_cap;
		uint8_t *q;

		while (cap < s->line_len + len)
			cap *= 2;
		q = malloc(cap);
		if (q == NULL)
			return false;
		if (s->line != NULL) {
			memcpy(q, s->line, s->line_len);
			explicit_bzero(s->line, s->line_cap);
			free(s->line);
		}
		s->line = q;
		s->line_cap = (uint32_t)cap;
	}
	memcpy(s->line + s->line_len, p, len);
	s->line_len += (uint32_t)len;
	return true;
}

static void
advance(struct pop3_in *in, size_t n)
{
	in->data += n;
	in->len -= n;
}

/* Takes one line off in.  False: there is no whole one yet.  Too long: *ret_line is NULL. */
static bool
take_line(struct pop3_server *s, struct pop3_in *in, const uint8_t **ret_line, size_t *ret_len)
{
	const uint8_t *lf = in->len == 0 ? NULL : memchr(in->data, '\n', in->len), *line = in->data;
	size_t used = lf == NULL ? in->len : (size_t)(lf - in->data) + 1, len = used;

	if (!s->overlong && (lf == NULL || s->line != NULL)) {
		if (used > 0 && !keep(s, in->data, used))
			s->overlong = true;
		line = s->line;
		len = s->line_len;
	} else if (!s->overlong && len > line_limit(s, line, len)) {
		s->overlong = true;
	}
	advance(in, used);
	if (s->overlong)
		forget_line(s);
	if (lf == NULL)
		return false;
	if (s->overlong) {
		s->overlong = false;
		*ret_line = NULL;
		return true;
	}
	len--;
	if (len > 0 && line[len - 1] == '\r')
		len--;
	if (s->line != NULL)
		s->line_used = true;
	*ret_line = line;
	*ret_len = len;
	return true;
}

enum pop3_result
pop3_server_next(
    struct pop3_server *s, struct pop3_in *in, struct pop3_out *out, struct pop3_event *ev)
{
	for (;;) {
		const uint8_t *line;
		size_t len = 0;
		enum answer r;

		if (s->waiting || s->state == POP3_UPDATE || s->state == POP3_CLOSED)
			return POP3_NEED_INPUT;
		if (s->line_used)
			forget_line(s);
		if (pop3_out_room(out) < POP3_OUT_MIN)
			return POP3_NEED_ROOM;
		*ev = (struct pop3_event){ 0 };
		if (s->bad >= (s->config->bad_max == 0 ? BAD_MAX : s->config->bad_max)) {
			(void)bad(s, out, POP3_CODE_NONE, POP3_TEXT_TOO_MANY_BAD, ev);
			return POP3_EVENT;
		}
		if (!s->talked && in->len > 0 && in->data[0] == 0x16) {
			become(s, POP3_CLOSED); /* a TLS handshake where none belongs (Q-C14) */
			ev->type = POP3_EV_ABUSE;
			return POP3_EVENT;
		}
		if (in->len == 0 || !take_line(s, in, &line, &len))
			return POP3_NEED_INPUT;
		if (line == NULL)
			r = too_long(s, out, ev);
		else if (s->sasl)
			r = response(s, line, len, out, ev);
		else
			r = command(s, line, len, out, ev);
		if (r == ANSWER_EVENT)
			return POP3_EVENT;
	}
}
