#include <pop3/content.h>

#include <string.h>

#include "lines.h"

enum { HEADER, BODY, SEPARATOR_LF /* the LF of the separator line may come */ };

/* How many octets are counted at once: a number known to the compiler, so that it uses vectors,
 * and less than 256, so that the counters are octets, too. */
enum { STRIDE = 128 };

void
pop3_measure_init(struct pop3_measure *m)
{
	*m = (struct pop3_measure){ .at = BOL, .part = HEADER, .wire = true };
}

/* Line by line until the body begins; returns the octets used. */
static size_t
measure_header(struct pop3_measure *m, const uint8_t *in, size_t len)
{
	const uint8_t *end = in + len, *next_cr = lines_begin(in, len), *p = in;

	while (p < end && m->part != BODY) {
		const uint8_t *start = p;
		size_t run;

		if (m->at == AFTER_CR) {
			if (*p == '\n') {
				p++;
				m->at = BOL;
				m->header++;
				if (m->part == SEPARATOR_LF)
					m->part = BODY;
				continue;
			}
			m->wire = false;
			if (m->part == SEPARATOR_LF) {
				m->part = BODY; /* which sees to what follows the CR */
				break;
			}
			m->at = BOL;
		}
		if (m->at == BOL && *p == '.')
			m->wire = false;
		run = lines_end(p, (size_t)(end - p), end, &next_cr);
		p += run;
		m->octets += run;
		if (p == end) {
			m->at = TEXT;
			m->header += run;
			break;
		}
		if (*p == '\n')
			m->wire = false;
		m->octets += 2;
		m->header += (size_t)(p - start) + 1;
		if (m->at == BOL && run == 0)
			m->part = *p == '\r' ? SEPARATOR_LF : BODY;
		m->at = *p++ == '\r' ? AFTER_CR : BOL;
	}
	return (size_t)(p - in);
}

/* One octet of the body, when the one before it was in another block. */
static void
measure_octet(struct pop3_measure *m, uint8_t c)
{
	if (m->at == AFTER_CR && c == '\n') {
		m->at = BOL;
		return;
	}
	if (c == '\n' || m->at == AFTER_CR || (m->at == BOL && c == '.'))
		m->wire = false;
	m->octets += c == '\n' || c == '\r' ? 2 : 1;
	m->at = c == '\r' ? AFTER_CR : c == '\n' ? BOL : TEXT;
}

/*
 * Line ends are counted, never looked for: with cr, lf and crlf octets and pairs, the wire has
 * len - cr - lf + 2 * (cr + lf - crlf) octets.  p[-1] is valid; a CR there was counted already.
 */
static void
measure_run(struct pop3_measure *m, const uint8_t *p, size_t len)
{
	size_t ends = 0, pairs = 0, after_cr = 0, lfs = 0, dots = 0;

	for (; len >= STRIDE; p += STRIDE, len -= STRIDE) {
		uint8_t lf = 0, cr = 0, was_cr = 0, crlf = 0, dot = 0;

		for (int i = 0; i < STRIDE; i++) {
			uint8_t is_lf = p[i] == '\n', had_cr = p[i - 1] == '\r';

			lf = (uint8_t)(lf + is_lf);
			cr = (uint8_t)(cr + (p[i] == '\r'));
			was_cr = (uint8_t)(was_cr + had_cr);
			crlf = (uint8_t)(crlf + (is_lf & had_cr));
			dot |= (uint8_t)((p[i] == '.') & (p[i - 1] == '\n'));
		}
		m->octets += STRIDE;
		lfs += lf;
		ends += (size_t)lf + cr;
		after_cr += was_cr;
		pairs += crlf;
		dots |= dot;
	}
	m->octets += len;
	for (; len > 0; p++, len--) {
		bool is_lf = *p == '\n', had_cr = p[-1] == '\r';

		lfs += is_lf;
		ends += (size_t)is_lf + (*p == '\r');
		after_cr += had_cr;
		pairs += is_lf && had_cr;
		dots |= *p == '.' && p[-1] == '\n';
	}
	m->octets += ends - 2 * pairs;
	if (lfs != pairs || after_cr != pairs || dots != 0)
		m->wire = false;
	m->at = p[-1] == '\r' ? AFTER_CR : p[-1] == '\n' ? BOL : TEXT;
}

void
pop3_measure(struct pop3_measure *m, const uint8_t *in, size_t len)
{
	size_t used = 0;

	if (!m->eight_bit)
		m->eight_bit = lines_eight_bit(in, len);
	if (m->part != BODY)
		used = measure_header(m, in, len);
	if (used == len)
		return;
	measure_octet(m, in[used++]);
	if (used < len)
		measure_run(m, in + used, len - used);
}

void
pop3_measure_end(struct pop3_measure *m)
{
	if (m->at == TEXT)
		m->octets += 2;
	if (m->at != BOL)
		m->wire = false;
}
