#include <pop3/content.h>

#include <assert.h>
#include <string.h>

#include "lines.h"

enum { HEADER, BODY };

void
pop3_stuff_init(struct pop3_stuff *st)
{
	*st = (struct pop3_stuff){ .at = BOL };
}

void
pop3_stuff_init_top(struct pop3_stuff *st, uint64_t lines)
{
	*st = (struct pop3_stuff){ .at = BOL, .part = HEADER, .limited = true, .lines = lines };
}

/* A line has ended; empty says that nothing was on it. */
static void
line_ended(struct pop3_stuff *st, bool empty)
{
	if (!st->limited)
		return;
	if (st->part == BODY)
		st->lines--;
	else if (empty)
		st->part = BODY;
	if (st->part == BODY && st->lines == 0)
		st->done = true;
}

bool
pop3_stuff(
    struct pop3_stuff *st, const uint8_t *in, size_t len, size_t *ret_used, struct pop3_out *out)
{
	const uint8_t *end = in + len, *next_cr = lines_begin(in, len), *p = in;
	uint8_t *o = out->data + out->len, *o_end = out->data + out->cap;

	while (p < end && !st->done && o_end - o >= 4) {
		size_t room = (size_t)(o_end - o) - 3, run, max = (size_t)(end - p);
		bool empty;

		if (st->at == AFTER_CR) {
			st->at = BOL;
			if (*p == '\n') {
				p++;
				continue;
			}
		}
		if (st->at == BOL && *p == '.')
			*o++ = '.';
		run = lines_end(p, max < room ? max : room, end, &next_cr);
		empty = st->at == BOL && run == 0;
		memcpy(o, p, run);
		o += run;
		p += run;
		if (run > 0)
			st->at = TEXT;
		if (p == end || (*p != '\n' && *p != '\r'))
			continue;
		*o++ = '\r';
		*o++ = '\n';
		st->at = *p++ == '\r' ? AFTER_CR : BOL;
		line_ended(st, empty);
	}
	out->len = (size_t)(o - out->data);
	*ret_used = (size_t)(p - in);
	return !st->done;
}

void
pop3_stuff_end(struct pop3_stuff *st, struct pop3_out *out)
{
	bool separator = st->limited && st->part == HEADER;

	assert(pop3_out_room(out) >= 16);
	if (st->at == TEXT) {
		memcpy(out->data + out->len, "\r\n", 2);
		out->len += 2;
	}
	if (separator) {
		memcpy(out->data + out->len, "\r\n", 2);
		out->len += 2;
	}
	memcpy(out->data + out->len, ".\r\n", 3);
	out->len += 3;
}
