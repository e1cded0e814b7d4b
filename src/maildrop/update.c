/* UPDATE (RFC 1939, section 6): what was marked goes, durably, and then the client hears of it. */
#include <stdlib.h>
#include <time.h>

#include "maildrop/session.h"

enum { DAY = 24 * 3600 };

/* Marks what the site's policy removes along with what the client asked for: with EXPIRE 0 the
 * messages that were retrieved (P2449-33), with EXPIRE n those that came more than n days ago. */
static void
mark_expired(struct session *s)
{
	int64_t before = (int64_t)time(NULL) - (int64_t)s->expire * DAY;

	if (s->expire < 0 || s->count == 0 || (s->expire == 0 && s->seen == NULL))
		return;
	if (s->marks == NULL)
		s->marks = calloc(1, (size_t)s->count / 8 + 1);
	if (s->marks == NULL)
		return; /* the next session will do it */
	for (uint32_t i = 0; i < s->count; i++) {
		bool old = s->expire == 0 ? (s->seen[i / 8] & (1u << (i % 8))) != 0
					  : s->options->store->arrived(s->drop, i) < before;

		if (old && !session_is_marked(s, i)) {
			s->marks[i / 8] |= (uint8_t)(1u << (i % 8));
			s->marked++;
		}
	}
}

void
update_run(struct session *s, struct pop3_out *out)
{
	struct fault f;
	int r = 0;

	mark_expired(s);
	if (s->marked > 0)
		r = s->options->store->remove(s->drop, s->marks, &s->removed, &f);
	if (r == 0) {
		pop3_reply_ok(out, session_text(s, POP3_TEXT_BYE));
		s->end = SESSION_QUIT;
	} else {
		pop3_reply_err(out, POP3_CODE_SYS_TEMP, session_text(s, POP3_TEXT_NOT_REMOVED));
		session_note(s, &f);
		s->end = SESSION_NOT_REMOVED;
	}
}
