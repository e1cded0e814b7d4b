/* The calling engine: what goes out.  client_reply.c: what comes in. */
#include <pop3/client.h>

#include <pop3/codec.h>

#include <stdlib.h>
#include <string.h>

#include "client_engine.h"

struct pop3_client *
pop3_client_create(const struct pop3_client_config *config)
{
	struct pop3_client *c = calloc(1, sizeof *c);

	if (c == NULL)
		return NULL;
	c->state = POP3_AUTHORIZATION;
	c->tls = config->tls;
	c->plaintext = config->plaintext;
	c->lockstep = config->lockstep;
	c->window = config->window == 0 ? 32 : config->window;
	if (c->window > POP3_CLIENT_WINDOW_MAX)
		c->window = POP3_CLIENT_WINDOW_MAX;
	c->line.max = POP3_CLIENT_SASL_MAX;
	c->out.max = OUTPUT_MAX;
	c->held.max = c->decoded.max = POP3_CLIENT_SASL_MAX;
	capa_reset(&c->capa);
	c->queue[0].command = POP3_CMD_GREETING;
	c->count = 1;
	return c;
}

static void
growing_wipe(struct growing *g)
{
	if (g->data != NULL)
		explicit_bzero(g->data, g->cap);
	growing_free(g);
	g->failed = false;
}

void
pop3_client_destroy(struct pop3_client **cp)
{
	struct pop3_client *c = *cp;

	if (c == NULL)
		return;
	growing_wipe(&c->line);
	growing_wipe(&c->out);
	growing_wipe(&c->held);
	growing_wipe(&c->decoded);
	explicit_bzero(c, sizeof *c);
	free(c);
	*cp = NULL;
}

void
pop3_client_eof(struct pop3_client *c)
{
	c->eof = true;
}

const uint8_t *
pop3_client_output(const struct pop3_client *c, size_t *ret_len)
{
	*ret_len = c->out.len - c->out_off;
	return *ret_len == 0 || c->broken != NULL ? NULL : c->out.data + c->out_off;
}

void
pop3_client_sent(struct pop3_client *c, size_t len)
{
	explicit_bzero(c->out.data + c->out_off, len); /* a password may be in it */
	c->out_off += len;
	c->sent += len;
	if (c->out_off == c->out.len)
		c->out.len = c->out_off = 0;
}

static bool
waits_alone(enum pop3_client_command command)
{
	switch (command) {
	case POP3_CMD_GREETING:
	case POP3_CMD_STLS:
	case POP3_CMD_USER:
	case POP3_CMD_PASS:
	case POP3_CMD_APOP:
	case POP3_CMD_AUTH:
	case POP3_CMD_QUIT:
		return true;
	default:
		return false;
	}
}

size_t
pop3_client_room(const struct pop3_client *c)
{
	uint32_t window = c->capa.pipelining && !c->lockstep ? c->window : 1;

	if (c->broken != NULL || c->eof || c->starting_tls || c->state == POP3_CLOSED)
		return 0;
	if (c->count > 0 &&
	    waits_alone(c->queue[(c->first + c->count - 1) % POP3_CLIENT_WINDOW_MAX].command))
		return 0;
	return c->count < window ? window - c->count : 0;
}

size_t
pop3_client_outstanding(const struct pop3_client *c)
{
	return c->count;
}

enum pop3_state
pop3_client_state(const struct pop3_client *c)
{
	return c->state;
}

const struct pop3_client_capa *
pop3_client_capa(const struct pop3_client *c)
{
	return &c->capa;
}

bool
pop3_client_timestamp(const struct pop3_client *c, struct pop3_slice *ret)
{
	*ret = (struct pop3_slice){ c->timestamp, c->timestamp_len };
	return c->timestamp_len > 0;
}

void
pop3_client_tls_started(struct pop3_client *c)
{
	c->starting_tls = false;
	c->tls = true;
	capa_reset(&c->capa);
	c->timestamp_len = 0;
}

/* All or nothing: a part of a line must never reach the server. */
static bool
append(struct pop3_client *c, const void *p, size_t len)
{
	/* what was sent is zeroed; the old copy that growing leaves behind must not be a secret */
	if (c->out.max - c->out.len < len)
		return false;
	if (c->out.cap - c->out.len < len) {
		struct growing g = { .max = c->out.max };

		growing_add(&g, c->out.data, c->out.len);
		growing_add(&g, p, len);
		if (g.failed) {
			growing_wipe(&g);
			return false;
		}
		growing_wipe(&c->out);
		c->out = g;
	} else {
		growing_add(&c->out, p, len);
	}
	c->queued += len;
	return true;
}

bool
client_send_line(struct pop3_client *c, const void *line, size_t len)
{
	uint8_t *p = malloc(len + 2);
	bool ok;

	if (p == NULL)
		return false;
	memcpy(p, line, len);
	memcpy(p + len, "\r\n", 2);
	ok = append(c, p, len + 2);
	explicit_bzero(p, len + 2);
	free(p);
	return ok;
}

bool
client_send_base64(struct pop3_client *c, const uint8_t *data, size_t len)
{
	size_t room = (len + 2) / 3 * 4;
	uint8_t *p;
	bool ok;

	if (room > POP3_CLIENT_SASL_MAX - 2)
		return false;
	p = malloc(room + 1);
	if (p == NULL)
		return false;
	ok = client_send_line(c, p, pop3_base64_encode(data, len, p));
	explicit_bzero(p, room + 1);
	free(p);
	return ok;
}

static bool
give(struct pop3_client *c, enum pop3_client_command command, uint64_t number, const void *line,
    size_t len, uint8_t states)
{
	struct outstanding *o;

	if (pop3_client_room(c) == 0 || (states & 1u << c->state) == 0 || len + 2 > POP3_LINE_MAX ||
	    memchr(line, '\r', len) != NULL || memchr(line, '\n', len) != NULL ||
	    memchr(line, '\0', len) != NULL)
		return false;
	/* what waits alone also starts alone: an answer to it must mean it */
	if (c->count > 0 && waits_alone(command) && command != POP3_CMD_QUIT)
		return false;
	if (!client_send_line(c, line, len))
		return false;
	o = &c->queue[(c->first + c->count++) % POP3_CLIENT_WINDOW_MAX];
	*o = (struct outstanding){ command, number, c->queued };
	return true;
}

enum { A = 1u << POP3_AUTHORIZATION, T = 1u << POP3_TRANSACTION };

/* "VERB argument ..." made of words; false: too long for a line. */
struct words {
	uint8_t text[POP3_LINE_MAX];
	size_t len;
	bool failed;
};

static void
word(struct words *w, const void *p, size_t len)
{
	size_t space = w->len > 0;

	if (w->failed || len > sizeof w->text - w->len - space) {
		w->failed = true;
		return;
	}
	if (space)
		w->text[w->len++] = ' ';
	memcpy(w->text + w->len, p, len);
	w->len += len;
}

static void
word_number(struct words *w, uint64_t v)
{
	uint8_t digits[20];

	word(w, digits, pop3_number_write(v, digits));
}

static bool
give_words(struct pop3_client *c, enum pop3_client_command command, uint64_t number,
    struct words *w, uint8_t states)
{
	bool ok = !w->failed && give(c, command, number, w->text, w->len, states);

	explicit_bzero(w, sizeof *w);
	return ok;
}

static bool
give_verb(struct pop3_client *c, enum pop3_client_command command, const char *verb, uint8_t states)
{
	return give(c, command, 0, verb, strlen(verb), states);
}

bool
pop3_client_capa_ask(struct pop3_client *c)
{
	return give_verb(c, POP3_CMD_CAPA, "CAPA", A | T);
}

bool
pop3_client_stls(struct pop3_client *c)
{
	return !c->tls && give_verb(c, POP3_CMD_STLS, "STLS", A); /* never twice (Q-S07) */
}

bool
pop3_client_user(struct pop3_client *c, const char *user)
{
	struct words w = { .len = 0 };

	if (!c->tls && !c->plaintext)
		return false;
	word(&w, "USER", 4);
	word(&w, user, strlen(user));
	return give_words(c, POP3_CMD_USER, 0, &w, A);
}

bool
pop3_client_pass(struct pop3_client *c, const char *secret)
{
	struct words w = { .len = 0 };

	if (!c->tls && !c->plaintext)
		return false;
	word(&w, "PASS", 4);
	word(&w, secret, strlen(secret));
	return give_words(c, POP3_CMD_PASS, 0, &w, A);
}

bool
pop3_client_apop(struct pop3_client *c, const char *user, const uint8_t digest[16])
{
	static const char hex[] = "0123456789abcdef";
	struct words w = { .len = 0 };
	char text[32];

	for (size_t i = 0; i < 16; i++) {
		text[2 * i] = hex[digest[i] >> 4];
		text[2 * i + 1] = hex[digest[i] & 15];
	}
	word(&w, "APOP", 4);
	word(&w, user, strlen(user));
	word(&w, text, sizeof text);
	return give_words(c, POP3_CMD_APOP, 0, &w, A);
}

bool
pop3_client_stat(struct pop3_client *c)
{
	return give_verb(c, POP3_CMD_STAT, "STAT", T);
}

bool
pop3_client_list(struct pop3_client *c)
{
	return give_verb(c, POP3_CMD_LIST, "LIST", T);
}

bool
pop3_client_uidl(struct pop3_client *c)
{
	return give_verb(c, POP3_CMD_UIDL, "UIDL", T);
}

static bool
give_number(struct pop3_client *c, enum pop3_client_command command, const char *verb,
    uint64_t number, const uint64_t *lines)
{
	struct words w = { .len = 0 };

	word(&w, verb, 4 - (verb[3] == '\0'));
	word_number(&w, number);
	if (lines != NULL)
		word_number(&w, *lines);
	return give_words(c, command, number, &w, T);
}

bool
pop3_client_retr(struct pop3_client *c, uint64_t number)
{
	return give_number(c, POP3_CMD_RETR, "RETR", number, NULL);
}

bool
pop3_client_top(struct pop3_client *c, uint64_t number, uint64_t lines)
{
	return give_number(c, POP3_CMD_TOP, "TOP", number, &lines);
}

bool
pop3_client_dele(struct pop3_client *c, uint64_t number)
{
	return give_number(c, POP3_CMD_DELE, "DELE", number, NULL);
}

bool
pop3_client_rset(struct pop3_client *c)
{
	return give_verb(c, POP3_CMD_RSET, "RSET", T);
}

bool
pop3_client_noop(struct pop3_client *c)
{
	return give_verb(c, POP3_CMD_NOOP, "NOOP", T);
}

bool
pop3_client_quit(struct pop3_client *c)
{
	return give_verb(c, POP3_CMD_QUIT, "QUIT", A | T);
}

/* Mechanisms whose messages are as good as the password. */
static bool
is_plaintext(const char *mech)
{
	static const char *const list[] = { "PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER" };

	for (size_t i = 0; i < sizeof list / sizeof *list; i++)
		if (strcmp(mech, list[i]) == 0)
			return true;
	return false;
}

bool
pop3_client_auth(
    struct pop3_client *c, const char *mech, const uint8_t *initial, size_t len, bool two_step)
{
	struct words w = { .len = 0 };
	uint8_t text[POP3_LINE_MAX];
	bool in_line = initial != NULL && c->capa.sasl && !two_step;

	if (is_plaintext(mech) && !c->tls && !c->plaintext)
		return false;
	/* "AUTH" SP mech SP base64 CRLF */
	if (in_line && 5 + strlen(mech) + 1 + (len + 2) / 3 * 4 + 2 > POP3_LINE_MAX)
		in_line = false;
	growing_wipe(&c->held);
	c->holds_initial = initial != NULL && !in_line;
	c->cancelled = c->challenged = false;
	if (c->holds_initial)
		growing_add(&c->held, initial, len);
	if (c->held.failed)
		return false;
	word(&w, "AUTH", 4);
	word(&w, mech, strlen(mech));
	if (in_line && len == 0)
		word(&w, "=", 1); /* P5034-11 */
	else if (in_line)
		word(&w, text, pop3_base64_encode(initial, len, text));
	explicit_bzero(text, sizeof text);
	return give_words(c, POP3_CMD_AUTH, 0, &w, A);
}

bool
pop3_client_respond(struct pop3_client *c, const uint8_t *data, size_t len)
{
	if (!c->challenged || !client_send_base64(c, data, len))
		return false;
	c->challenged = false;
	c->queue[c->first].end = c->queued;
	return true;
}

bool
pop3_client_auth_cancel(struct pop3_client *c)
{
	if (!c->challenged || !client_send_line(c, "*", 1))
		return false;
	c->challenged = false;
	c->cancelled = true;
	c->queue[c->first].end = c->queued;
	return true;
}
