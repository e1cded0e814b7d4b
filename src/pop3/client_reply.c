/* The calling engine: what comes in, and which command it answers. */
#include <pop3/client.h>

#include <pop3/codec.h>

#include <string.h>
#include <strings.h>

#include "client_engine.h"

static enum pop3_result
broken(struct pop3_client *c, struct pop3_client_event *ev, const char *why)
{
	if (c->broken == NULL)
		c->broken = why;
	*ev = (struct pop3_client_event){
		.type = POP3_CEV_BROKEN,
		.text = { (const uint8_t *)c->broken, strlen(c->broken) },
	};
	if (c->count > 0) {
		ev->command = c->queue[c->first].command;
		ev->number = c->queue[c->first].number;
	}
	return POP3_EVENT;
}

/* What the end of the stream means where we are. */
static const char *
eof_text(const struct pop3_client *c)
{
	if (c->reading == READ_CONTENT)
		return "the server closed the connection in the middle of a message";
	if (c->count == 0)
		return "the server closed the connection";
	if (c->queue[c->first].command == POP3_CMD_GREETING)
		return "the server closed the connection before its greeting";
	return "the server closed the connection before it answered";
}

enum got_line { GOT_LINE, GOT_PART, GOT_TOO_MUCH };

/* A line without its end, in ret until the next call. */
static enum got_line
get_line(struct pop3_client *c, struct pop3_in *in, size_t max, struct pop3_slice *ret)
{
	const uint8_t *lf = in->len == 0 ? NULL : memchr(in->data, '\n', in->len);
	size_t len = lf == NULL ? in->len : (size_t)(lf - in->data) + 1;

	if (c->line_given)
		c->line.len = 0;
	c->line_given = false;
	if (len > max - c->line.len)
		return GOT_TOO_MUCH;
	if (lf == NULL || c->line.len > 0) {
		growing_add(&c->line, in->data, len);
		if (c->line.failed)
			return GOT_TOO_MUCH;
	}
	*ret = (struct pop3_slice){ in->data, len };
	if (c->line.len > 0)
		*ret = (struct pop3_slice){ c->line.data, c->line.len };
	in->data += len;
	in->len -= len;
	if (lf == NULL)
		return GOT_PART;
	c->line_given = true;
	ret->len--;
	c->bare = ret->len == 0 || ret->data[ret->len - 1] != '\r';
	if (!c->bare)
		ret->len--;
	return GOT_LINE;
}

static bool
skip_prefix(struct pop3_slice *s, const char *prefix)
{
	size_t len = strlen(prefix);

	if (s->len < len || strncasecmp((const char *)s->data, prefix, len) != 0)
		return false;
	*s = (struct pop3_slice){ s->data + len, s->len - len };
	return true;
}

/* "[CODE]" directly behind "-ERR ": the registered ones only (Q-S03), at any depth below them. */
static enum pop3_code
take_code(struct pop3_slice *text)
{
	const uint8_t *end =
	    text->len == 0 || text->data[0] != '[' ? NULL : memchr(text->data, ']', text->len);
	size_t len = end == NULL ? 0 : (size_t)(end - text->data) - 1;

	for (int code = POP3_CODE_NONE + 1; end != NULL && code <= POP3_CODE_UTF8; code++) {
		const char *name = pop3_code_string((enum pop3_code)code) + 1; /* "AUTH] " */
		size_t n = strlen(name) - 2;

		if (len < n || strncasecmp((const char *)text->data + 1, name, n) != 0 ||
		    (len > n && text->data[1 + n] != '/'))
			continue;
		*text = (struct pop3_slice){ end + 1, text->len - len - 2 };
		if (text->len > 0 && text->data[0] == ' ')
			*text = (struct pop3_slice){ text->data + 1, text->len - 1 };
		return (enum pop3_code)code;
	}
	return POP3_CODE_NONE;
}

/* The first command is answered. */
static void
done(struct pop3_client *c)
{
	c->first = (c->first + 1) % POP3_CLIENT_WINDOW_MAX;
	c->count--;
	c->reading = READ_STATUS;
}

/* What an answer changes.  NULL, or why it cannot be. */
static const char *
settle(struct pop3_client *c, struct pop3_client_event *ev, const struct pop3_in *in)
{
	struct pop3_slice stamp, rest = ev->text;

	switch (ev->command) {
	case POP3_CMD_GREETING:
		if (ev->ok && pop3_timestamp_find(ev->line.data, ev->line.len, &stamp) &&
		    stamp.len <= sizeof c->timestamp) {
			memcpy(c->timestamp, stamp.data, stamp.len);
			c->timestamp_len = stamp.len;
		}
		if (!ev->ok)
			c->state = POP3_CLOSED;
		return NULL;
	case POP3_CMD_STLS:
		if (ev->ok && in->len > 0) /* P2595-07 */
			return "octets in clear stand behind the answer to STLS";
		c->starting_tls = ev->ok;
		return NULL;
	case POP3_CMD_AUTH:
		if (c->held.data != NULL)
			explicit_bzero(c->held.data, c->held.len);
		growing_free(&c->held);
		if (ev->ok && (c->cancelled || c->holds_initial))
			return "the server accepted a login that did not take place";
		c->holds_initial = false;
		/* fall through */
	case POP3_CMD_PASS:
	case POP3_CMD_APOP:
		if (ev->ok)
			c->state = POP3_TRANSACTION;
		return NULL;
	case POP3_CMD_STAT: {
		struct pop3_slice count = slice_word(&rest), octets = slice_word(&rest);

		ev->number = ev->value = UINT64_MAX;
		if (ev->ok) {
			(void)pop3_number(count.data, count.len, UINT64_MAX, &ev->number, NULL);
			(void)pop3_number(octets.data, octets.len, UINT64_MAX, &ev->value, NULL);
		}
		return NULL;
	}
	case POP3_CMD_QUIT:
		c->state = POP3_CLOSED;
		return NULL;
	default:
		return NULL;
	}
}

static bool
has_more(enum pop3_client_command command, enum reading *ret)
{
	switch (command) {
	case POP3_CMD_CAPA:
	case POP3_CMD_LIST:
	case POP3_CMD_UIDL:
		*ret = READ_LISTING;
		return true;
	case POP3_CMD_RETR:
	case POP3_CMD_TOP:
		*ret = READ_CONTENT;
		return true;
	default:
		return false;
	}
}

/* "+" in AUTH.  Returns true when there is an event for it. */
static bool
challenge(struct pop3_client *c, struct pop3_slice line, struct pop3_client_event *ev)
{
	size_t len;

	line = (struct pop3_slice){ line.data + 1, line.len - 1 };
	if (line.len > 0 && line.data[0] == ' ')
		line = (struct pop3_slice){ line.data + 1, line.len - 1 };
	c->challenged = true;
	if (c->holds_initial) { /* any "+" asks for it */
		c->holds_initial = false;
		if (!pop3_client_respond(c, c->held.data, c->held.len))
			(void)broken(c, ev, "out of memory");
		return c->broken != NULL;
	}
	c->decoded.len = 0;
	growing_add(&c->decoded, line.data, line.len);
	if (c->decoded.failed ||
	    !pop3_base64_decode(c->decoded.data, c->decoded.len, c->decoded.data, &len)) {
		if (!pop3_client_auth_cancel(c)) /* P5034-14 */
			(void)broken(c, ev, "out of memory");
		return c->broken != NULL;
	}
	ev->type = POP3_CEV_CHALLENGE;
	ev->data = (struct pop3_slice){ c->decoded.data, len };
	return true;
}

static enum pop3_result
status(struct pop3_client *c, struct pop3_slice line, const struct pop3_in *in,
    struct pop3_client_event *ev)
{
	struct pop3_slice text = line;
	enum reading reading;
	const char *why;

	ev->line = line;
	if (skip_prefix(&text, "+OK"))
		ev->ok = true;
	else if (!skip_prefix(&text, "-ERR")) /* Q-S51 */
		return broken(
		    c, ev, "what the server says is no answer: the stream is out of step");
	if (text.len > 0 && text.data[0] == ' ')
		text = (struct pop3_slice){ text.data + 1, text.len - 1 };
	if (!ev->ok)
		ev->code = take_code(&text);
	ev->text = text;
	if (ev->ok && has_more(ev->command, &reading)) {
		c->reading = reading;
		c->receiving = (struct receiving){ POP3_UNDOT_BOL, c->bare };
		if (ev->command == POP3_CMD_CAPA) {
			capa_reset(&c->capa);
			c->capa.known = true;
		}
		ev->type = POP3_CEV_BEGIN;
		return POP3_EVENT;
	}
	why = settle(c, ev, in);
	if (why != NULL)
		return broken(c, ev, why);
	ev->type = POP3_CEV_DONE;
	done(c);
	return POP3_EVENT;
}

/* A line of LIST or UIDL.  False: nothing that could be used (Q-S33). */
static bool
listing_item(struct pop3_slice line, struct pop3_client_event *ev)
{
	struct pop3_slice number;

	(void)skip_prefix(&line, "+OK "); /* Q-S32 */
	number = slice_word(&line); /* Q-S30 */
	if (!pop3_number(number.data, number.len, UINT64_MAX, &ev->number, NULL) || ev->number == 0)
		return false;
	if (ev->command == POP3_CMD_LIST) {
		number = slice_word(&line); /* Q-S31: the rest is nothing to us */
		ev->value = UINT64_MAX;
		(void)pop3_number(number.data, number.len, UINT64_MAX, &ev->value, NULL);
		return true;
	}
	for (size_t i = 0; i < line.len; i++)
		if (line.data[i] < 0x20 || line.data[i] == 0x7f)
			line.len = 0; /* Q-S37 */
	ev->data = line;
	if (line.len > POP3_CLIENT_UID_MAX)
		ev->data.len = 0;
	return true;
}

/* A line of a multi-line answer.  Returns true when there is an event for it. */
static bool
listing(struct pop3_client *c, struct pop3_slice line, struct pop3_client_event *ev)
{
	if (line.len == 1 && line.data[0] == '.') {
		ev->type = POP3_CEV_DONE;
		ev->ok = true;
		done(c);
		return true;
	}
	if (line.len > 0 && line.data[0] == '.')
		line = (struct pop3_slice){ line.data + 1, line.len - 1 };
	ev->type = POP3_CEV_ITEM;
	if (ev->command != POP3_CMD_CAPA)
		return listing_item(line, ev);
	capa_line(&c->capa, line);
	ev->data = line;
	return true;
}

/* Returns true when there is an event. */
static bool
content(struct pop3_client *c, struct pop3_in *in, struct pop3_client_event *ev)
{
	size_t want = in->len < CONTENT_BLOCK ? in->len : CONTENT_BLOCK;
	size_t len = 0, used;

	used = receiving_undot(&c->receiving, in->data, want, c->block, &len);
	in->data += used;
	in->len -= used;
	if (c->receiving.at == POP3_UNDOT_END)
		c->reading = READ_CONTENT_END;
	ev->type = POP3_CEV_CONTENT;
	ev->data = (struct pop3_slice){ c->block, len };
	return len > 0;
}

/* The next event of the command that is being answered; POP3_NEED_INPUT: none yet, call again
 * if in is not used up. */
static enum pop3_result
answer(struct pop3_client *c, struct pop3_in *in, struct pop3_client_event *ev)
{
	bool auth = ev->command == POP3_CMD_AUTH;
	struct pop3_slice line;
	enum got_line got;

	if (c->reading == READ_CONTENT)
		return content(c, in, ev) ? POP3_EVENT : POP3_NEED_INPUT;
	got = get_line(c, in, auth ? POP3_CLIENT_SASL_MAX : POP3_CLIENT_LINE_MAX, &line);
	if (got == GOT_TOO_MUCH)
		return broken(c, ev, "a line of the server is too long");
	if (got == GOT_PART)
		return POP3_NEED_INPUT;
	if (c->reading == READ_LISTING)
		return listing(c, line, ev) ? POP3_EVENT : POP3_NEED_INPUT;
	if (auth && line.len > 0 && line.data[0] == '+' && (line.len == 1 || line.data[1] == ' '))
		return challenge(c, line, ev) ? POP3_EVENT : POP3_NEED_INPUT;
	return status(c, line, in, ev);
}

enum pop3_result
pop3_client_next(struct pop3_client *c, struct pop3_in *in, struct pop3_client_event *ev)
{
	for (;;) {
		*ev = (struct pop3_client_event){ .type = POP3_CEV_DONE };
		if (c->broken != NULL)
			return broken(c, ev, c->broken);
		if (c->state == POP3_CLOSED && c->count == 0) {
			in->data += in->len; /* whatever comes behind the answer to QUIT */
			in->len = 0;
			return POP3_NEED_INPUT;
		}
		if (c->count > 0) {
			ev->command = c->queue[c->first].command;
			ev->number = c->queue[c->first].number;
		}
		if (c->reading == READ_CONTENT_END) {
			ev->ok = true;
			done(c);
			return POP3_EVENT;
		}
		if (c->starting_tls && in->len > 0) /* P2595-07 */
			return broken(c, ev, "octets in clear stand behind the answer to STLS");
		if (c->starting_tls || c->challenged) /* the caller's turn */
			return c->eof ? broken(c, ev, eof_text(c)) : POP3_NEED_INPUT;
		if (in->len == 0)
			return c->eof ? broken(c, ev, eof_text(c)) : POP3_NEED_INPUT;
		if (c->count == 0 || c->queue[c->first].end > c->sent)
			return broken(c, ev, "the server spoke without being asked");
		if (answer(c, in, ev) == POP3_EVENT)
			return POP3_EVENT;
	}
}
