#include <pop3/content.h>

#include <assert.h>
#include <string.h>

enum { BOL, TEXT, AFTER_CR /* a line end that a LF may still belong to */ };
enum { HEADER, BODY, SEPARATOR_LF /* the LF of the separator line may come */ };

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

/* Where the first CR or LF stands in p[0..len), or len.  *next_cr remembers where the next CR is, so that
 * a block without any is searched for one only once. */
static size_t
find_end(const uint8_t *p, size_t len, const uint8_t *end, const uint8_t **next_cr)
{
	const uint8_t *lf;

	if (*next_cr < p) {
		*next_cr = memchr(p, '\r', (size_t)(end - p));
		if (*next_cr == NULL)
			*next_cr = end;
	}
	if (*next_cr < p + len)
		len = (size_t)(*next_cr - p);
	lf = len == 0 ? NULL : memchr(p, '\n', len);
	return lf == NULL ? len : (size_t)(lf - p);
}

bool
pop3_stuff(
    struct pop3_stuff *st, const uint8_t *in, size_t len, size_t *ret_used, struct pop3_out *out)
{
	const uint8_t *end = in + len, *next_cr = end, *p = in;
	uint8_t *o = out->data + out->len, *o_end = out->data + out->cap;

	if (len > 0) {
		next_cr = memchr(in, '\r', len);
		if (next_cr == NULL)
			next_cr = end;
	}
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
		run = find_end(p, max < room ? max : room, end, &next_cr);
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

void
pop3_measure_init(struct pop3_measure *m)
{
	*m = (struct pop3_measure){ .at = BOL, .part = HEADER, .wire = true };
}

static bool
has_eight_bit(const uint8_t *p, size_t len)
{
	uint64_t all = 0;

	/* a plain loop that compilers turn into wide ORs */
	for (size_t i = 0; i < len; i++)
		all |= p[i];
	return (all & 0x80) != 0;
}

void
pop3_measure(struct pop3_measure *m, const uint8_t *in, size_t len)
{
	const uint8_t *end = in + len, *next_cr, *p = in;

	if (len == 0)
		return;
	if (!m->eight_bit)
		m->eight_bit = has_eight_bit(in, len);
	next_cr = memchr(in, '\r', len);
	if (next_cr == NULL)
		next_cr = end;
	while (p < end) {
		const uint8_t *start = p;
		size_t run;

		if (m->at == AFTER_CR) {
			m->at = BOL;
			if (*p == '\n') {
				p++;
				if (m->part == HEADER)
					m->header++;
				else if (m->part == SEPARATOR_LF) {
					m->header++; /* the LF of the separator line */
					m->part = BODY;
				}
				continue;
			}
			m->wire = false;
			if (m->part == SEPARATOR_LF)
				m->part = BODY;
		}
		if (m->at == BOL && *p == '.')
			m->wire = false;
		run = find_end(p, (size_t)(end - p), end, &next_cr);
		p += run;
		m->octets += run;
		if (p == end) {
			if (run > 0)
				m->at = TEXT;
			if (m->part == HEADER)
				m->header += run;
			break;
		}
		if (*p == '\n')
			m->wire = false;
		m->octets += 2;
		if (m->part == HEADER) {
			m->header += (size_t)(p - start) + 1;
			if (m->at == BOL && run == 0)
				m->part = *p == '\r' ? SEPARATOR_LF : BODY;
		}
		m->at = *p++ == '\r' ? AFTER_CR : BOL;
	}
}

void
pop3_measure_end(struct pop3_measure *m)
{
	if (m->at == TEXT)
		m->octets += 2;
	if (m->at != BOL)
		m->wire = false;
}
