#include <pop3/surrogate.h>

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "surrogate_field.h"

enum {
	FIELD_MAX = 64 * 1024, /* a field that can be rewritten */
	BOUNDARY_MAX = 200, /* RFC 2046 allows 70 */
	DEPTH_MAX = 32,
	OUTPUT_MAX = 1 << 30,
};

enum state {
	HEADER, /* collecting the lines of a field */
	HEADER_FLOOD, /* in a field beyond the ceiling */
	BODY_BOL, /* at the beginning of a line that may be a boundary */
	BODY_DASH, /* in one that begins with "--" so far */
	BODY,
};

enum kind { LEAF, MULTIPART, DIGEST, MESSAGE };

struct level {
	char boundary[BOUNDARY_MAX + 1];
	bool digest;
};

struct pop3_surrogate {
	struct growing out;
	size_t out_at;
	struct growing field; /* lines of the field so far */
	struct growing line; /* the line so far */
	struct level *levels; /* multiparts that we are in, the innermost last */
	size_t depth;
	enum state state;
	enum kind kind; /* of the part whose header this is */
	bool encoded; /* its body is in base64 or quoted-printable */
	char boundary[BOUNDARY_MAX + 1];
	bool cr; /* the last octet was CR: a LF still belongs to it */
	bool flood_eight; /* HEADER_FLOOD: drop what is left of the field */
	bool changed;
};

struct pop3_surrogate *
pop3_surrogate_create(void)
{
	struct pop3_surrogate *s = calloc(1, sizeof *s);

	if (s == NULL)
		return NULL;
	s->levels = calloc(DEPTH_MAX, sizeof *s->levels);
	if (s->levels == NULL) {
		free(s);
		return NULL;
	}
	s->out.max = OUTPUT_MAX;
	s->field.max = FIELD_MAX;
	s->line.max = FIELD_MAX;
	return s;
}

void
pop3_surrogate_destroy(struct pop3_surrogate **sp)
{
	struct pop3_surrogate *s = *sp;

	if (s == NULL)
		return;
	growing_free(&s->out);
	growing_free(&s->field);
	growing_free(&s->line);
	free(s->levels);
	free(s);
	*sp = NULL;
}

bool
pop3_surrogate_changed(const struct pop3_surrogate *s)
{
	return s->changed;
}

size_t
pop3_surrogate_output(struct pop3_surrogate *s, uint8_t *out, size_t room)
{
	size_t n = s->out.len - s->out_at;

	if (n > room)
		n = room;
	if (n > 0)
		memcpy(out, s->out.data + s->out_at, n);
	s->out_at += n;
	if (s->out_at == s->out.len)
		s->out.len = s->out_at = 0;
	return n;
}

static bool
eight_bit(const struct growing *g)
{
	for (size_t i = 0; i < g->len; i++)
		if (g->data[i] >= 0x80)
			return true;
	return false;
}

/* Notes what a field says about the body. */
static void
learn(struct pop3_surrogate *s)
{
	struct pop3_slice name, value;
	char text[BOUNDARY_MAX + 1] = "";
	size_t n = 0;

	if (!field_name(s->field.data, s->field.len, &name, &value))
		return;
	for (size_t i = 0; i < value.len && n < 40 && value.data[i] != ';'; i++)
		if (value.data[i] > 0x20)
			text[n++] = (char)value.data[i];
	text[n] = '\0';
	if (field_is(&name, "Content-Transfer-Encoding")) {
		s->encoded =
		    strcasecmp(text, "base64") == 0 || strcasecmp(text, "quoted-printable") == 0;
	} else if (field_is(&name, "Content-Type")) {
		s->kind = LEAF;
		if (strncasecmp(text, "multipart/", 10) == 0 &&
		    field_parameter(&value, "boundary", s->boundary, sizeof s->boundary))
			s->kind = strcasecmp(text, "multipart/digest") == 0 ? DIGEST : MULTIPART;
		else if (strcasecmp(text, "message/rfc822") == 0 ||
			 strcasecmp(text, "message/global") == 0)
			s->kind = MESSAGE;
	}
}

static const char *
eol_of(const struct growing *g)
{
	if (g->len >= 2 && g->data[g->len - 2] == '\r' && g->data[g->len - 1] == '\n')
		return "\r\n";
	return g->len > 0 && g->data[g->len - 1] == '\r' ? "\r" : "\n";
}

/* The field is whole: out with it, in one form or the other. */
static void
flush_field(struct pop3_surrogate *s)
{
	if (s->field.len == 0)
		return;
	learn(s);
	if (eight_bit(&s->field)) {
		s->changed = true;
		field_rewrite(s->field.data, s->field.len, eol_of(&s->field), &s->out);
	} else {
		growing_add(&s->out, s->field.data, s->field.len);
	}
	s->field.len = 0;
}

static void
begin_header(struct pop3_surrogate *s, bool digest)
{
	s->state = HEADER;
	s->kind = digest ? MESSAGE : LEAF;
	s->encoded = false;
	s->line.len = s->field.len = 0;
}

static void
begin_body(struct pop3_surrogate *s)
{
	s->line.len = 0;
	s->state = BODY_BOL;
	if (s->encoded)
		return;
	if (s->kind == MESSAGE) {
		begin_header(s, false);
	} else if (s->kind != LEAF && s->depth < DEPTH_MAX) {
		struct level *l = &s->levels[s->depth++];

		memcpy(l->boundary, s->boundary, sizeof l->boundary);
		l->digest = s->kind == DIGEST;
	}
}

static bool
is_eol(uint8_t c)
{
	return c == '\r' || c == '\n';
}

/* If the line is a boundary: leaves what it ends, and enters what it begins. */
static bool
take_boundary(struct pop3_surrogate *s)
{
	const uint8_t *p = s->line.data;
	size_t len = s->line.len;

	while (len > 0 && (is_eol(p[len - 1]) || p[len - 1] == ' ' || p[len - 1] == '\t'))
		len--;
	if (len < 2 || p[0] != '-' || p[1] != '-')
		return false;
	for (size_t i = s->depth; i > 0; i--) {
		const struct level *l = &s->levels[i - 1];
		size_t n = strlen(l->boundary);
		bool close = len == n + 4 && p[n + 2] == '-' && p[n + 3] == '-';

		if ((len != n + 2 && !close) || memcmp(p + 2, l->boundary, n) != 0)
			continue;
		s->depth = close ? i - 1 : i;
		if (close) {
			s->state = BODY_BOL;
			s->line.len = 0;
		} else {
			begin_header(s, l->digest);
		}
		return true;
	}
	return false;
}

/* A line of the header has ended (its end is in s->line). */
static void
header_line(struct pop3_surrogate *s)
{
	struct growing *l = &s->line;

	if (is_eol(l->data[0])) {
		flush_field(s);
		growing_add(&s->out, l->data, l->len);
		begin_body(s);
		return;
	}
	if ((l->data[0] == ' ' || l->data[0] == '\t') && s->field.len > 0) {
		growing_add(&s->field, l->data, l->len);
		l->len = 0;
		return;
	}
	flush_field(s);
	if (s->depth > 0 && l->data[0] == '-') {
		struct growing copy = { .max = FIELD_MAX };

		growing_add(&copy, l->data, l->len);
		if (take_boundary(s)) { /* a part without a body */
			growing_add(&s->out, copy.data, copy.len);
			growing_free(&copy);
			return;
		}
		growing_free(&copy);
	}
	growing_add(&s->field, l->data, l->len);
	l->len = 0;
}

/* The field is longer than can be kept: its octets go by one by one, those >= 0x80 are left out,
 * and so is all of it if one of them was among the first. */
static void
begin_flood(struct pop3_surrogate *s)
{
	s->field.failed = s->line.failed = false;
	s->flood_eight = eight_bit(&s->field) || eight_bit(&s->line);
	if (s->flood_eight) {
		s->changed = true;
	} else {
		growing_add(&s->out, s->field.data, s->field.len);
		growing_add(&s->out, s->line.data, s->line.len);
	}
	s->field.len = s->line.len = 0;
	s->state = HEADER_FLOOD;
}

static void
flood_octet(struct pop3_surrogate *s, uint8_t c)
{
	if (c >= 0x80)
		s->changed = true;
	else if (!s->flood_eight)
		growing_add(&s->out, &c, 1);
}

static void
header_octet(struct pop3_surrogate *s, uint8_t c)
{
	if (s->line.len + s->field.len + 2 >= FIELD_MAX) {
		begin_flood(s);
		flood_octet(s, c);
		return;
	}
	growing_add(&s->line, &c, 1);
}

static void
body_octet(struct pop3_surrogate *s, uint8_t c)
{
	if (s->state == BODY_BOL && c == '-' && s->depth > 0)
		s->state = BODY_DASH;
	else if (s->state == BODY_BOL)
		s->state = BODY;
	growing_add(&s->out, &c, 1);
	if (s->state == BODY_DASH) {
		if (s->line.len < BOUNDARY_MAX + 8)
			growing_add(&s->line, &c, 1);
		else
			s->state = BODY; /* too long for a boundary */
	}
}

static void
line_end(struct pop3_surrogate *s, const uint8_t *eol, size_t len)
{
	switch (s->state) {
	case HEADER:
		growing_add(&s->line, eol, len);
		header_line(s);
		break;
	case HEADER_FLOOD:
		if (!s->flood_eight)
			growing_add(&s->out, eol, len);
		s->state = HEADER;
		break;
	case BODY_DASH:
		growing_add(&s->out, eol, len);
		if (!take_boundary(s)) {
			s->line.len = 0;
			s->state = BODY_BOL;
		}
		break;
	default:
		growing_add(&s->out, eol, len);
		s->state = BODY_BOL;
	}
}

static void
octet(struct pop3_surrogate *s, uint8_t c)
{
	if (s->cr) { /* "\r" alone, or with the "\n" that comes now, ends the line */
		s->cr = false;
		line_end(s, (const uint8_t *)"\r\n", c == '\n' ? 2 : 1);
		if (c == '\n')
			return;
	}
	if (c == '\r')
		s->cr = true;
	else if (c == '\n')
		line_end(s, &c, 1);
	else if (s->state == HEADER)
		header_octet(s, c);
	else if (s->state == HEADER_FLOOD)
		flood_octet(s, c);
	else
		body_octet(s, c);
}

bool
pop3_surrogate_feed(struct pop3_surrogate *s, const uint8_t *in, size_t len, bool last)
{
	for (size_t i = 0; i < len; i++)
		octet(s, in[i]);
	if (last) {
		if (s->cr)
			line_end(s, (const uint8_t *)"\r", 1);
		s->cr = false;
		if (s->state == HEADER && s->line.len > 0) { /* no line end: one is added anyway */
			line_end(s, (const uint8_t *)"\n", 1);
		}
		if (s->state == HEADER)
			flush_field(s);
	}
	return !s->out.failed && !s->field.failed && !s->line.failed;
}
