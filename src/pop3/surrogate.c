#include <pop3/surrogate.h>

#include <stdlib.h>
#include <string.h>

#include "lines.h"
#include "surrogate_field.h"
#include "surrogate_mime.h"

enum {
	FIELD_MAX = 64 * 1024, /* a field that can be rewritten */
	DEPTH_MAX = 32, /* multiparts in each other */
	HEAD_MAX = 2 + BOUNDARY_MAX + 2, /* as much of a line as decides whether it is a boundary */
	OUTPUT_KEPT = 256 * 1024, /* memory that an empty output may go on holding */
	OUTPUT_MAX = 1 << 30,
};

enum place { IN_HEADER, IN_BODY };

enum field_mode {
	FIELD_NONE, /* no field has begun */
	FIELD_KEPT, /* its lines are in s->field, to be judged when all are there */
	FIELD_PASSED, /* too long for that, ASCII so far: it goes by, masked */
	FIELD_DROPPED, /* too long for that, and an octet >= 0x80 was in it */
};

struct level {
	uint8_t boundary[BOUNDARY_MAX];
	size_t len;
	bool digest;
};

struct pop3_surrogate {
	struct growing out;
	size_t out_at; /* where what was not taken yet begins */
	uint8_t last; /* the last octet that ever went into out */
	bool changed;
	bool masked; /* in a part whose headers cannot be told from its body */
	uint8_t place; /* enum place */
	uint8_t at; /* enum line_at */

	uint8_t mode; /* enum field_mode */
	bool eight_bit; /* in s->field */
	struct growing field;
	/* what the header says about the body: as a client will see it, and as it was */
	struct mime mime, hint;
	bool typed; /* mime is by a field, not by default */
	bool ambiguous; /* there are several that disagree */

	bool candidate; /* the line so far, all of it in head, may become a boundary */
	bool delimiter; /* in a line that is one */
	bool closing; /* ...with "--" behind it */
	bool exact; /* ...and nothing else but white space */
	bool bare; /* nothing came since one */
	size_t level; /* which one */
	size_t head_len;
	uint8_t head[HEAD_MAX];

	size_t depth;
	struct level levels[DEPTH_MAX]; /* multiparts that we are in, the innermost last */
};

struct pop3_surrogate *
pop3_surrogate_create(void)
{
	struct pop3_surrogate *s = calloc(1, sizeof *s);

	if (s == NULL)
		return NULL;
	s->out.max = OUTPUT_MAX;
	s->field.max = FIELD_MAX;
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
	if (s->out_at == s->out.len) {
		s->out.len = s->out_at = 0;
		if (s->out.cap > OUTPUT_KEPT)
			growing_free(&s->out);
	}
	return n;
}

static void
emit(struct pop3_surrogate *s, const uint8_t *p, size_t len)
{
	if (len == 0)
		return;
	growing_add(&s->out, p, len);
	s->last = p[len - 1];
}

/* As emit(), with "?" for each octet >= 0x80: leaving them out could make a boundary of what
 * stands around them. */
static void
emit_masked(struct pop3_surrogate *s, const uint8_t *p, size_t len)
{
	size_t before = s->out.len;

	emit(s, p, len);
	if (s->out.failed || !lines_eight_bit(p, len))
		return;
	s->changed = true;
	for (size_t i = before; i < s->out.len; i++)
		if (s->out.data[i] >= 0x80)
			s->out.data[i] = '?';
	s->last = s->out.data[s->out.len - 1];
}

static void
header_begin(struct pop3_surrogate *s, bool digest)
{
	s->place = IN_HEADER;
	s->mime = (struct mime){ .kind = digest ? MIME_MESSAGE : MIME_LEAF };
	s->hint = (struct mime){ .kind = MIME_LEAF };
	s->bare = false;
	s->typed = s->ambiguous = false;
}

static bool
is_content_type(const uint8_t *p, size_t len, struct pop3_slice *ret_value)
{
	struct pop3_slice name;

	return field_name(p, len, &name, ret_value) && field_is(&name, "Content-Type");
}

/* Notes what a field that goes out says about the body.  Of several, the first that gives it a
 * structure: clients do not agree on whether the first or the last counts. */
static void
learn_shown(struct pop3_surrogate *s, const uint8_t *p, size_t len)
{
	struct pop3_slice value;
	struct mime m;

	if (!is_content_type(p, len, &value))
		return;
	mime_parse(value, &m);
	if (!s->typed || s->mime.kind == MIME_LEAF)
		s->mime = m;
	else if (m.kind != MIME_LEAF && !mime_same(&m, &s->mime))
		s->ambiguous = true;
	s->typed = true;
}

/* The same of one that does not go out as it is: some may guess what it said. */
static void
learn_hidden(struct pop3_surrogate *s)
{
	struct pop3_slice value;

	if (s->hint.kind == MIME_LEAF && is_content_type(s->field.data, s->field.len, &value))
		mime_parse(value, &s->hint);
}

static const struct mime *
structure(const struct pop3_surrogate *s)
{
	return s->mime.kind != MIME_LEAF ? &s->mime : &s->hint;
}

static bool
is_multipart(const struct mime *m)
{
	return m->kind == MIME_MULTIPART || m->kind == MIME_DIGEST;
}

/* If this is the header of a multipart: its boundary counts from here on. */
static void
parts_begin(struct pop3_surrogate *s)
{
	const struct mime *m = structure(s);

	if (!s->ambiguous && !is_multipart(m))
		return;
	if (!s->ambiguous && !s->masked && s->depth < DEPTH_MAX &&
	    m->boundary_len <= BOUNDARY_MAX) {
		struct level *l = &s->levels[s->depth++];

		memcpy(l->boundary, m->boundary, m->boundary_len);
		l->len = m->boundary_len;
		l->digest = m->kind == MIME_DIGEST;
	} else {
		s->masked = true; /* until a boundary that we know */
	}
	s->mime.kind = s->hint.kind = MIME_LEAF;
	s->ambiguous = false;
}

/* The field is over. */
static void
field_end(struct pop3_surrogate *s)
{
	size_t before = s->out.len;

	if (s->mode == FIELD_KEPT && !s->eight_bit) {
		learn_shown(s, s->field.data, s->field.len);
		emit(s, s->field.data, s->field.len);
	} else if (s->mode == FIELD_KEPT) {
		s->changed = true;
		learn_hidden(s);
		field_rewrite(s->field.data, s->field.len, &s->out);
		if (s->out.len > before) {
			learn_shown(s, s->out.data + before, s->out.len - before);
			s->last = s->out.data[s->out.len - 1];
		}
	}
	if (s->out.len > before || s->mode == FIELD_PASSED)
		s->bare = false;
	s->mode = FIELD_NONE;
	s->eight_bit = false;
	s->field.len = 0;
}

static void
field_begin(struct pop3_surrogate *s)
{
	field_end(s);
	s->mode = FIELD_KEPT;
}

/* Further octets of the field that is being read. */
static void
field_add(struct pop3_surrogate *s, const uint8_t *p, size_t len)
{
	if (s->mode == FIELD_KEPT) {
		size_t n = FIELD_MAX - s->field.len;

		if (n > len)
			n = len;
		s->eight_bit = s->eight_bit || lines_eight_bit(p, n);
		growing_add(&s->field, p, n);
		p += n;
		len -= n;
		if (len == 0)
			return;
		if (s->eight_bit) {
			s->mode = FIELD_DROPPED;
			s->changed = true;
			learn_hidden(s);
		} else {
			s->mode = FIELD_PASSED;
			learn_shown(s, s->field.data, s->field.len);
			emit(s, s->field.data, s->field.len);
		}
		s->field.len = 0;
	}
	if (s->mode == FIELD_PASSED)
		emit_masked(s, p, len);
}

/* The empty line was seen: what follows is what the header said. */
static void
header_end(struct pop3_surrogate *s)
{
	s->place = IN_BODY;
	if (structure(s)->kind == MIME_MESSAGE && !s->ambiguous)
		header_begin(s, false);
	else
		parts_begin(s);
}

/* A boundary in a header looks like one of its fields to a client that does not take it for one. */
static void
emit_delimiter(struct pop3_surrogate *s, const uint8_t *p, size_t len)
{
	if (s->place == IN_HEADER)
		emit_masked(s, p, len);
	else
		emit(s, p, len);
}

static bool
is_blank(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] != ' ' && p[i] != '\t')
			return false;
	return true;
}

/*
 * Enough of the line is in s->head to say whether it is a boundary.  It need only begin with one
 * (RFC 2046, 5.1.1); as one may begin with another, the longest counts.
 */
static void
candidate_decide(struct pop3_surrogate *s)
{
	size_t longest = 0, level = 0, rest;

	s->candidate = false;
	if (s->head_len > 2 && s->head[1] == '-') {
		if (s->place == IN_HEADER)
			parts_begin(s); /* some end a header at a line that is no field */
		for (size_t i = s->depth; i > 0; i--) {
			const struct level *l = &s->levels[i - 1];

			if (l->len > longest && l->len <= s->head_len - 2 &&
			    memcmp(s->head + 2, l->boundary, l->len) == 0) {
				longest = l->len;
				level = i - 1;
			}
		}
	}
	if (longest == 0) {
		if (s->place == IN_HEADER) {
			field_begin(s);
			field_add(s, s->head, s->head_len);
		} else if (s->masked) {
			emit_masked(s, s->head, s->head_len);
		} else {
			emit(s, s->head, s->head_len);
		}
		return;
	}
	field_end(s); /* a header without an empty line */
	emit_delimiter(s, s->head, s->head_len);
	rest = 2 + longest;
	s->closing = s->head_len >= rest + 2 && memcmp(s->head + rest, "--", 2) == 0;
	rest += s->closing ? 2 : 0;
	s->exact = is_blank(s->head + rest, s->head_len - rest);
	s->level = level;
	s->delimiter = true;
}

/*
 * The line end of a boundary was seen.  If its line goes on, some clients take it for a boundary
 * and some do not: a header follows, or goes on, and whatever was open stays so.
 */
static void
delimiter_end(struct pop3_surrogate *s)
{
	bool digest = s->levels[s->level].digest;

	s->delimiter = false;
	if (s->closing && s->bare && s->level + 1 == s->depth)
		s->exact = false; /* the line end before it was the other's (RFC 2046, 5.1.1) */
	if (!s->exact && s->place == IN_HEADER) {
		if (digest && s->mime.kind == MIME_LEAF)
			s->mime.kind = MIME_MESSAGE;
		return;
	}
	if (s->exact) {
		s->masked = false;
		s->depth = s->closing ? s->level : s->level + 1;
	}
	if (s->exact && s->closing) {
		s->place = IN_BODY;
	} else {
		header_begin(s, digest);
		s->bare = true;
	}
}

/* Line ends go where their line went.  end is one, or the CR of one. */
static void
header_line_end(struct pop3_surrogate *s, const uint8_t *end)
{
	if (s->at != BOL) {
		field_add(s, end, 1);
		return;
	}
	field_end(s);
	s->bare = false;
	if (*end == '\n' && s->last == '\r')
		emit(s, end, 1); /* a field in between was dropped: these are two line ends */
	emit(s, end, 1);
	header_end(s);
}

/* One line of the header, or a part of one; returns the octets used. */
static size_t
feed_header(struct pop3_surrogate *s, const uint8_t *p, const uint8_t *end, const uint8_t **next_cr)
{
	size_t run = lines_end(p, (size_t)(end - p), end, next_cr);

	if (run > 0) {
		if (s->at == BOL && (s->mode == FIELD_NONE || (*p != ' ' && *p != '\t')))
			field_begin(s);
		field_add(s, p, run);
		s->at = TEXT;
	}
	return run;
}

/* Lines of the body until one that may be a boundary; returns the octets used. */
static size_t
feed_body(
    struct pop3_surrogate *s, const uint8_t *start, const uint8_t *end, const uint8_t **next_cr)
{
	const uint8_t *p = start;

	if (s->depth == 0) {
		p = end; /* nothing can come any more */
	} else {
		while (p < end) {
			if (s->at == AFTER_CR) {
				s->at = BOL;
				if (*p == '\n') {
					p++;
					continue;
				}
			}
			if (s->at == BOL && *p == '-' && (p + 1 == end || p[1] == '-'))
				break;
			p += lines_end(p, (size_t)(end - p), end, next_cr);
			s->at = TEXT;
			if (p < end)
				s->at = *p++ == '\r' ? AFTER_CR : BOL;
		}
	}
	if (s->masked)
		emit_masked(s, start, (size_t)(p - start));
	else
		emit(s, start, (size_t)(p - start));
	return (size_t)(p - start);
}

/* Whether a line that begins with "-", as this one does, has to be looked at as a whole. */
static bool
may_be_boundary(struct pop3_surrogate *s)
{
	if (s->place == IN_HEADER) {
		field_end(s);
		return s->depth > 0 || is_multipart(structure(s));
	}
	return s->depth > 0;
}

static void
feed(struct pop3_surrogate *s, const uint8_t *in, size_t len)
{
	const uint8_t *p = in, *end = in + len, *next_cr = lines_begin(in, len);

	while (p < end) {
		size_t run = 0;

		if (s->at == AFTER_CR) {
			s->at = BOL;
			if (*p == '\n') {
				if (s->mode == FIELD_NONE)
					emit(s, p, 1);
				else
					field_add(s, p, 1);
				p++;
				continue;
			}
		}
		if (s->at == BOL && *p == '-' && !s->candidate && may_be_boundary(s)) {
			s->candidate = true;
			s->head_len = 0;
		}
		if (s->candidate) {
			size_t room = HEAD_MAX - s->head_len, left = (size_t)(end - p);

			run = lines_end(p, left < room ? left : room, end, &next_cr);
			memcpy(s->head + s->head_len, p, run);
			s->head_len += run;
			s->at = TEXT;
			p += run;
			if (p == end)
				break;
			candidate_decide(s);
		}
		if (s->delimiter) {
			run = lines_end(p, (size_t)(end - p), end, &next_cr);
			s->exact = s->exact && is_blank(p, run);
			emit_delimiter(s, p, run);
		} else if (s->place == IN_HEADER) {
			run = feed_header(s, p, end, &next_cr);
		} else {
			p += feed_body(s, p, end, &next_cr);
			continue;
		}
		p += run;
		if (p == end)
			break;
		if (s->delimiter) {
			emit(s, p, 1);
			delimiter_end(s);
		} else {
			header_line_end(s, p);
		}
		s->at = *p++ == '\r' ? AFTER_CR : BOL;
	}
}

bool
pop3_surrogate_feed(struct pop3_surrogate *s, const uint8_t *in, size_t len, bool last)
{
	if (len > 0)
		feed(s, in, len);
	if (last) {
		if (s->candidate)
			candidate_decide(s);
		field_end(s);
	}
	return !s->out.failed && !s->field.failed;
}
