#include "maildrop/session.h"

#include <stdlib.h>
#include <string.h>

enum { COMMAND_WORK = 4096 }; /* what any command costs at least, in octets read */

int
session_begin(struct session *s, const struct session_options *options, struct drop *drop,
    const struct pop3_server_now *now, enum pop3_lang lang, bool utf8, int32_t expire)
{
	*s = (struct session){ .options = options, .drop = drop, .expire = expire };
	s->pop = pop3_server_create(&options->pop3, now, POP3_TRANSACTION);
	if (s->pop == NULL) {
		options->store->close(drop);
		s->drop = NULL;
		return -1;
	}
	pop3_server_resume(s->pop, lang, utf8);
	s->count = options->store->count(drop);
	for (uint32_t i = 0; i < s->count; i++)
		s->all_octets += options->store->size(drop, i, utf8);
	s->octets = s->all_octets;
	return 0;
}

void
session_finish(struct session *s)
{
	cursor_clear(&s->cursor);
	if (s->drop != NULL)
		s->options->store->close(s->drop);
	s->drop = NULL;
	free(s->marks);
	free(s->seen);
	s->marks = s->seen = NULL;
	free(s->why);
	s->why = NULL;
	pop3_server_destroy(&s->pop);
}

void
session_note(struct session *s, const struct fault *f)
{
	free(s->why);
	s->why = strdup(f->text); /* NULL: the log will lack it */
}

static void
say_totals(struct session *s, struct pop3_out *out)
{
	pop3_reply_okf(out, "%u %s (%llu %s)", s->count - s->marked,
	    session_text(s, POP3_TEXT_MESSAGES), (unsigned long long)s->octets,
	    session_text(s, POP3_TEXT_OCTETS));
}

void
session_greet(struct session *s, struct pop3_out *out)
{
	say_totals(s, out);
}

static void
no_such_message(struct session *s, struct pop3_out *out)
{
	pop3_reply_err(out, POP3_CODE_NONE, session_text(s, POP3_TEXT_NO_SUCH_MESSAGE));
}

/* Index of a message that exists and is not marked; false: -ERR was said. */
static bool
find(struct session *s, const struct pop3_event *ev, struct pop3_out *out, uint32_t *ret)
{
	if (ev->number > s->count || session_is_marked(s, (uint32_t)ev->number - 1)) {
		no_such_message(s, out);
		return false;
	}
	*ret = (uint32_t)ev->number - 1;
	return true;
}

static void
do_listing(struct session *s, const struct pop3_event *ev, struct pop3_out *out)
{
	bool uidl = ev->type == POP3_EV_UIDL;
	char uid[STORE_UID_MAX + 1];
	uint32_t i;

	if (ev->number == 0) {
		say_totals(s, out);
		s->work += s->count;
		s->cursor = (struct cursor){ .kind = uidl ? CURSOR_UIDL : CURSOR_LIST };
	} else if (find(s, ev, out, &i)) {
		if (uidl) {
			s->options->store->uid(s->drop, i, uid);
			pop3_reply_okf(out, "%u %s", i + 1, uid);
		} else {
			pop3_reply_okf(out, "%u %llu", i + 1,
			    (unsigned long long)s->options->store->size(
				s->drop, i, pop3_server_is_utf8(s->pop)));
		}
	}
}

static void
do_dele(struct session *s, const struct pop3_event *ev, struct pop3_out *out)
{
	uint32_t i;

	if (!find(s, ev, out, &i))
		return;
	if (s->marks == NULL)
		s->marks = calloc(1, (size_t)s->count / 8 + 1);
	if (s->marks == NULL) {
		pop3_reply_err(out, POP3_CODE_SYS_TEMP, session_text(s, POP3_TEXT_TRY_LATER));
		return;
	}
	s->marks[i / 8] |= (uint8_t)(1u << (i % 8));
	s->marked++;
	s->octets -= s->options->store->size(s->drop, i, pop3_server_is_utf8(s->pop));
	pop3_reply_ok(out, session_text(s, POP3_TEXT_DELETED));
}

static void
do_rset(struct session *s, struct pop3_out *out)
{
	free(s->marks);
	free(s->seen); /* what EXPIRE 0 would remove is unmarked, too (P1939-73, Q-S70) */
	s->marks = s->seen = NULL;
	s->marked = 0;
	s->octets = s->all_octets;
	say_totals(s, out);
}

static void
answer(struct session *s, const struct pop3_event *ev, struct pop3_out *out, uint8_t *block)
{
	uint32_t i;

	switch (ev->type) {
	case POP3_EV_STAT:
		pop3_reply_okf(out, "%u %llu", s->count - s->marked, (unsigned long long)s->octets);
		break;
	case POP3_EV_LIST:
	case POP3_EV_UIDL:
		do_listing(s, ev, out);
		break;
	case POP3_EV_RETR:
		if (find(s, ev, out, &i))
			cursor_message(s, i, -1, out, block);
		break;
	case POP3_EV_TOP:
		if (find(s, ev, out, &i))
			cursor_message(s, i, (int64_t)ev->lines, out, block);
		break;
	case POP3_EV_DELE:
		do_dele(s, ev, out);
		break;
	case POP3_EV_RSET:
		do_rset(s, out);
		break;
	case POP3_EV_QUIT:
		update_run(s, out);
		break;
	default: /* ABUSE; the others do not come in TRANSACTION */
		s->end = SESSION_ABUSE;
		break;
	}
}

enum pop3_result
session_run(struct session *s, struct pop3_in *in, struct pop3_out *out, uint8_t *block)
{
	s->work = 0;
	while (s->end == SESSION_RUNS) {
		struct pop3_event ev;
		enum pop3_result r;

		if (s->cursor.kind != CURSOR_NONE && !cursor_run(s, out, block)) {
			if (s->end != SESSION_RUNS)
				break;
			return POP3_NEED_ROOM;
		}
		if (s->work >= SESSION_WORK)
			return POP3_NEED_ROOM;
		r = pop3_server_next(s->pop, in, out, &ev);
		if (r != POP3_EVENT)
			return r;
		s->work += COMMAND_WORK;
		answer(s, &ev, out, block);
	}
	return POP3_NEED_INPUT;
}

const char *
session_end_text(enum session_end end)
{
	static const char *const texts[] = {
		[SESSION_RUNS] = "running",
		[SESSION_QUIT] = "QUIT",
		[SESSION_NOT_REMOVED] = "QUIT, but some deleted messages not removed",
		[SESSION_EOF] = "closed without QUIT",
		[SESSION_RESET] = "connection lost",
		[SESSION_IDLE] = "idle for too long",
		[SESSION_STALLED] = "took no data for too long",
		[SESSION_ABUSE] = "too many bad commands",
		[SESSION_READ_ERROR] = "a message could not be read",
		[SESSION_NOT_OPENED] = "maildrop not opened",
		[SESSION_SHUTDOWN] = "server ends",
	};

	return texts[end];
}
