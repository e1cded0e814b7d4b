#include "surrogate_text.h"

bool
text_scan(struct text_scan *t, uint8_t c)
{
	bool inside = t->quoted || t->comment > 0;

	if (t->escaped) {
		t->escaped = false;
		return false;
	}
	if (inside && c == '\\') {
		t->escaped = true;
		return false;
	}
	if (t->quoted) {
		t->quoted = c != '"';
		return false;
	}
	if (c == '(') {
		t->comment++;
		return false;
	}
	if (t->comment > 0) {
		t->comment -= c == ')';
		return false;
	}
	t->quoted = c == '"';
	return !t->quoted;
}

void
text_unfold(const uint8_t *p, size_t len, struct growing *out)
{
	size_t start = 0;

	for (size_t i = 0; i < len; i++) {
		if (p[i] != '\r' && p[i] != '\n')
			continue;
		growing_add(out, p + start, i - start);
		start = i + 1;
	}
	growing_add(out, p + start, len - start);
}

struct pop3_slice
text_trim(const uint8_t *p, size_t len)
{
	while (len > 0 && text_is_space(p[0])) {
		p++;
		len--;
	}
	while (len > 0 && text_is_space(p[len - 1]))
		len--;
	return (struct pop3_slice){ p, len };
}

/* Whether an octet is among what is wanted; t stands before it, plain is what text_scan() said. */
static bool
is_wanted(const struct text_scan *t, uint8_t c, bool plain, enum text_want want)
{
	bool delimiter = !t->escaped && !plain;

	switch (want) {
	case TEXT_WORDS:
		if (t->comment > 0 || (!t->quoted && c == '(' && !plain))
			return false;
		return !(delimiter && (c == '"' || (c == '\\' && t->quoted)));
	case TEXT_COMMENTS:
		if (t->comment == 0)
			return false;
		if (delimiter && (c == '\\' || (c == ')' && t->comment == 1)))
			return false;
		return true;
	case TEXT_SYNTAX:
		return t->comment == 0 && (t->quoted || plain || c == '"');
	}
	return false;
}

void
text_take(const uint8_t *p, size_t len, enum text_want want, struct growing *out)
{
	struct text_scan t = { 0 };
	size_t before = out->len;
	bool space = false;

	for (size_t i = 0; i < len; i++) {
		struct text_scan was = t;
		bool plain = text_scan(&t, p[i]);

		if (was.comment == 0 && t.comment > 0 && want != TEXT_COMMENTS)
			space = true; /* a comment separates as white space does */
		if (want == TEXT_COMMENTS && was.comment > 0 && t.comment == 0)
			space = true; /* so does what stands between two */
		if (p[i] == '\r' || p[i] == '\n' || !is_wanted(&was, p[i], plain, want))
			continue;
		if (!was.quoted && text_is_space(p[i])) {
			space = true;
			continue;
		}
		if (space && out->len > before)
			growing_text(out, " ");
		space = false;
		growing_add(out, p + i, 1);
	}
}
