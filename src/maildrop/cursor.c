/* Replies of many lines, made piece by piece from where they have got to. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "maildrop/session.h"

enum {
	LINE_ROOM = 96, /* a line of a listing */
	STUFF_ROOM = 64, /* below this, sending comes first */
	END_ROOM = 16, /* kept free for the end of a message */
	FAILURES_MAX = 3, /* of one message, before the session is ended (Q-C34) */
};

void
cursor_clear(struct cursor *c)
{
	message_close(&c->message);
	pop3_surrogate_destroy(&c->surrogate);
	free(c->held);
	*c = (struct cursor){ 0 };
}

static bool
list_run(struct session *s, struct pop3_out *out)
{
	const struct store_ops *store = s->options->store;
	struct cursor *c = &s->cursor;
	bool utf8 = pop3_server_is_utf8(s->pop);
	char uid[STORE_UID_MAX + 1];

	for (; c->index < s->count; c->index++) {
		if (session_is_marked(s, c->index))
			continue;
		if (pop3_out_room(out) < LINE_ROOM)
			return false;
		if (c->kind == CURSOR_UIDL) {
			store->uid(s->drop, c->index, uid);
			pop3_reply_uid(out, c->index + 1, uid);
		} else {
			pop3_reply_number(out, c->index + 1, store->size(s->drop, c->index, utf8));
		}
	}
	if (pop3_out_room(out) < LINE_ROOM)
		return false;
	pop3_reply_end(out);
	cursor_clear(c);
	return true;
}

/* A read error in the middle of a message: never the final dot (P1939-91's spirit, D1); what is
 * out is out, and the connection ends. */
static bool
broken(struct session *s, const struct fault *f)
{
	session_note(s, f);
	s->end = SESSION_READ_ERROR;
	cursor_clear(&s->cursor);
	return false;
}

/* pop3_stuff(), but for the room of the end. */
static bool
stuff(struct cursor *c, const uint8_t *in, size_t len, size_t *ret_used, struct pop3_out *out)
{
	struct pop3_out most = { out->data, out->len, out->cap - END_ROOM };
	bool more = pop3_stuff(&c->stuff, in, len, ret_used, &most);

	out->len = most.len;
	return more;
}

/* The message as it is stored, straight through the stuffing. */
static bool
plain_run(struct session *s, struct pop3_out *out, uint8_t *block)
{
	struct cursor *c = &s->cursor;
	struct fault f;

	while (!c->last) {
		size_t used = 0, want;
		ssize_t n;

		if (pop3_out_room(out) < STUFF_ROOM + END_ROOM)
			return false;
		/* no more than will fit: the rest would be read again */
		want = pop3_out_room(out) - END_ROOM;
		n = message_read(
		    c->message, c->offset, block, want < SESSION_BLOCK ? want : SESSION_BLOCK, &f);
		if (n == -1)
			return broken(s, &f);
		c->last = n == 0 || !stuff(c, block, (size_t)n, &used, out);
		/* what did not fit is read again: the page cache has it */
		c->offset += used;
		s->work += used;
		if (c->offset >= message_info(c->message)->stored)
			c->last = true;
	}
	return true;
}

/* Through the surrogate first, whose output may have to wait for room. */
static bool
surrogate_run(struct session *s, struct pop3_out *out, uint8_t *block)
{
	struct cursor *c = &s->cursor;
	struct fault f;

	for (;;) {
		size_t used = 0;
		ssize_t n;

		if (c->held_at < c->held_len) {
			if (pop3_out_room(out) < STUFF_ROOM + END_ROOM)
				return false;
			if (!stuff(c, c->held + c->held_at, c->held_len - c->held_at, &used, out))
				return true;
			c->held_at += used;
			continue;
		}
		c->held_at = 0;
		c->held_len = pop3_surrogate_output(c->surrogate, c->held, SESSION_BLOCK);
		if (c->held_len > 0)
			continue;
		if (c->last)
			return true;
		n = message_read(c->message, c->offset, block, SESSION_BLOCK, &f);
		if (n == -1)
			return broken(s, &f);
		if (!pop3_surrogate_feed(c->surrogate, block, (size_t)n, n == 0)) {
			fault_set(&f, FAULT_TEMP, "out of memory");
			return broken(s, &f);
		}
		c->offset += (uint64_t)n;
		s->work += (uint64_t)n;
		c->last = n == 0;
	}
}

static void
retrieved(struct session *s, uint32_t i)
{
	s->retrieved++;
	if (s->expire == 0 && s->seen == NULL)
		s->seen = calloc(1, (size_t)s->count / 8 + 1); /* NULL: it stays */
	if (s->seen != NULL)
		s->seen[i / 8] |= (uint8_t)(1u << (i % 8));
}

bool
cursor_run(struct session *s, struct pop3_out *out, uint8_t *block)
{
	struct cursor *c = &s->cursor;

	if (c->kind != CURSOR_MESSAGE)
		return list_run(s, out);
	if (!(c->surrogate != NULL ? surrogate_run(s, out, block) : plain_run(s, out, block)))
		return false;
	/* in one piece with the line end before it (Q-C22): that much room was kept */
	assert(pop3_out_room(out) >= END_ROOM);
	pop3_stuff_end(&c->stuff, out);
	if (c->retr)
		retrieved(s, c->index);
	cursor_clear(c);
	return true;
}

static bool
has_eight_bit(const uint8_t *p, size_t len)
{
	uint8_t all = 0;

	for (size_t i = 0; i < len; i++)
		all |= p[i];
	return (all & 0x80) != 0;
}

/*
 * Whether a client without UTF8 has to get a surrogate of the message, and what that measures
 * (P6856-04, 06).  Reads all of it, and twice if there is an octet above 127 in it.
 */
static int
examine(struct session *s, struct message *m, uint8_t *block, bool *ret_needs, uint64_t *ret_octets,
    struct fault *f)
{
	struct pop3_surrogate *surrogate = NULL;
	struct pop3_measure measure;
	uint8_t *out = NULL;
	uint64_t at = 0;
	bool eight = false;
	ssize_t n;
	int r = -1;

	*ret_needs = false;
	while (!eight && (n = message_read(m, at, block, SESSION_BLOCK, f)) != 0) {
		if (n == -1)
			return -1;
		eight = has_eight_bit(block, (size_t)n);
		at += (uint64_t)n;
		s->work += (uint64_t)n;
	}
	if (!eight)
		return 0;
	surrogate = pop3_surrogate_create();
	out = malloc(SESSION_BLOCK);
	if (surrogate == NULL || out == NULL)
		goto memory;
	pop3_measure_init(&measure);
	at = 0;
	do {
		size_t got;

		n = message_read(m, at, block, SESSION_BLOCK, f);
		if (n == -1)
			goto out;
		if (!pop3_surrogate_feed(surrogate, block, (size_t)n, n == 0))
			goto memory;
		while ((got = pop3_surrogate_output(surrogate, out, SESSION_BLOCK)) > 0)
			pop3_measure(&measure, out, got);
		at += (uint64_t)n;
		s->work += (uint64_t)n;
	} while (n > 0);
	pop3_measure_end(&measure);
	*ret_needs = pop3_surrogate_changed(surrogate);
	*ret_octets = measure.octets;
	r = 0;
	goto out;
memory:
	fault_set(f, FAULT_TEMP, "out of memory");
out:
	pop3_surrogate_destroy(&surrogate);
	free(out);
	return r;
}

/* Answers for a message that cannot be read, and ends a session that keeps asking for it. */
static void
unreadable(struct session *s, uint32_t i, const struct fault *f, struct pop3_out *out)
{
	session_note(s, f);
	if (f->kind == FAULT_GONE)
		pop3_reply_err(out, POP3_CODE_NONE, session_text(s, POP3_TEXT_NO_SUCH_MESSAGE));
	else
		pop3_reply_err(out, f->kind == FAULT_PERM ? POP3_CODE_SYS_PERM : POP3_CODE_SYS_TEMP,
		    session_text(s, POP3_TEXT_MESSAGE_UNREADABLE));
	if (s->failures == 0 || s->failing != i)
		s->failures = 0;
	s->failing = i;
	if (++s->failures >= FAILURES_MAX)
		s->end = SESSION_READ_ERROR;
}

void
cursor_message(struct session *s, uint32_t i, int64_t lines, struct pop3_out *out, uint8_t *block)
{
	const struct store_ops *store = s->options->store;
	bool utf8 = pop3_server_is_utf8(s->pop), needs = false;
	uint64_t before = store->size(s->drop, i, utf8), octets;
	struct cursor c = { .kind = CURSOR_MESSAGE, .index = i, .retr = lines < 0 };
	struct fault f;
	int r = store->message_open(s->drop, i, &c.message, &f);

	/* a size that was wrong has been put right: sums stay those of LIST */
	octets = store->size(s->drop, i, utf8);
	s->octets += octets - before;
	s->all_octets += octets - before;
	if (r == -1) {
		unreadable(s, i, &f, out);
		return;
	}
	/* TOP tells no size, and what needs no surrogate comes out of one as it went in: no need to
	 * read all of a message for the head of it */
	if (!utf8 && message_info(c.message)->eight_bit) {
		needs = !c.retr && !s->options->refuse_utf8;
		if (!needs && examine(s, c.message, block, &needs, &octets, &f) == -1)
			goto fail;
	}
	if (needs && s->options->refuse_utf8) {
		pop3_reply_err(out, POP3_CODE_UTF8, session_text(s, POP3_TEXT_NEED_UTF8));
		cursor_clear(&c);
		return;
	}
	if (needs) {
		c.surrogate = pop3_surrogate_create();
		c.held = malloc(SESSION_BLOCK);
		if (c.surrogate == NULL || c.held == NULL) {
			fault_set(&f, FAULT_TEMP, "out of memory");
			goto fail;
		}
	}
	if (c.retr) {
		pop3_stuff_init(&c.stuff);
		pop3_reply_okf(
		    out, "%llu %s", (unsigned long long)octets, session_text(s, POP3_TEXT_OCTETS));
	} else {
		pop3_stuff_init_top(&c.stuff, (uint64_t)lines);
		pop3_reply_ok(out, session_text(s, POP3_TEXT_OK));
	}
	s->cursor = c;
	return;
fail:
	cursor_clear(&c);
	unreadable(s, i, &f, out);
}
