#include "fold.h"

#include <pop3/codec.h>
#include <string.h>

enum {
	LINE = 75, /* RFC 2047 allows 76; a comma may follow */
	LONGEST_UNIT = 12, /* a character of four octets in Q */
};

static const char hex[] = "0123456789ABCDEF";

void
fold_begin(struct fold *f, struct growing *out, const char *eol, struct pop3_slice name)
{
	*f = (struct fold){ .out = out, .eol = eol, .column = name.len + 1, .fresh = true };
	growing_add(out, name.data, name.len);
	growing_text(out, ":");
}

/* White space before something of len octets. */
static void
put_gap(struct fold *f, struct pop3_slice gap, size_t len)
{
	if (!f->fresh && f->column + gap.len + len > LINE) {
		growing_text(f->out, f->eol);
		f->column = 0;
	}
	growing_add(f->out, gap.data, gap.len);
	f->column += gap.len;
	f->fresh = false;
}

void
fold_word(struct fold *f, struct pop3_slice gap, const uint8_t *word, size_t len)
{
	size_t first = 0, last = len;

	while (first < len && word[first] != '\r' && word[first] != '\n')
		first++;
	while (last > first && word[last - 1] != '\r' && word[last - 1] != '\n')
		last--;
	put_gap(f, gap, first);
	growing_add(f->out, word, len);
	f->column = last > first ? len - last : f->column + len;
}

void
fold_mark(struct fold *f, uint8_t mark)
{
	if (f->column > LINE && !f->fresh)
		put_gap(f, FOLD_SPACE, 1);
	growing_add(f->out, &mark, 1);
	f->column++;
	f->fresh = false;
}

/* How many octets of p belong together: a UTF-8 character, or what looks like one. */
static size_t
unit(const uint8_t *p, size_t len)
{
	size_t n = 1;

	while (p[0] >= 0xc0 && n < len && n < 4 && (p[n] & 0xc0) == 0x80)
		n++;
	return n;
}

/* What RFC 2047 section 5 lets stand for itself in a phrase; it may do so elsewhere as well. */
static bool
is_literal(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* Q is for reading with the bare eye, B for scripts that have nothing in common with ASCII. */
static bool
wants_base64(const uint8_t *p, size_t len)
{
	size_t eight_bit = 0;

	for (size_t i = 0; i < len; i++)
		eight_bit += p[i] >= 0x80;
	return len > 9 && eight_bit > len / 2;
}

static size_t
put_q(uint8_t *out, const uint8_t *p, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (is_literal(p[i])) {
			out[n++] = p[i];
		} else if (p[i] == ' ') {
			out[n++] = '_';
		} else {
			out[n++] = '=';
			out[n++] = (uint8_t)hex[p[i] >> 4];
			out[n++] = (uint8_t)hex[p[i] & 15];
		}
	}
	return n;
}

static size_t
q_len(const uint8_t *p, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += is_literal(p[i]) || p[i] == ' ' ? 1 : 3;
	return n;
}

/* How much of the text fits into room octets of payload; no character is cut in two. */
static size_t
fitting(const uint8_t *p, size_t len, bool base64, size_t room)
{
	size_t taken = 0, coded = 0;

	while (taken < len) {
		size_t n = unit(p + taken, len - taken);

		if (base64)
			coded = (taken + n + 2) / 3 * 4;
		else
			coded += q_len(p + taken, n);
		if (coded > room)
			break;
		taken += n;
	}
	return taken;
}

void
fold_encoded(struct fold *f, struct pop3_slice gap, const uint8_t *text, size_t len)
{
	bool base64 = wants_base64(text, len);
	const char *charset = pop3_utf8_valid(text, len) ? "utf-8" : "unknown-8bit";
	size_t head = strlen(charset) + 5;
	uint8_t payload[LINE];

	while (len > 0) {
		size_t least = head + LONGEST_UNIT + 2, room, taken, n;

		put_gap(f, gap, least);
		room = f->column + least > LINE ? LONGEST_UNIT : LINE - f->column - head - 2;
		taken = fitting(text, len, base64, room);
		n = base64 ? pop3_base64_encode(text, taken, payload) : put_q(payload, text, taken);
		growing_text(f->out, "=?");
		growing_text(f->out, charset);
		growing_text(f->out, base64 ? "?b?" : "?q?");
		growing_add(f->out, payload, n);
		growing_text(f->out, "?=");
		f->column += head + n + 2;
		text += taken;
		len -= taken;
		gap = FOLD_SPACE;
	}
}
