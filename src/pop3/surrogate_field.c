#include "surrogate_field.h"

#include <string.h>
#include <strings.h>

#include "lines.h"
#include "surrogate_text.h"

bool
field_name(
    const uint8_t *field, size_t len, struct pop3_slice *ret_name, struct pop3_slice *ret_value)
{
	const uint8_t *colon = len == 0 ? NULL : memchr(field, ':', len);
	size_t n;

	if (colon == NULL)
		return false;
	n = (size_t)(colon - field);
	while (n > 0 && (field[n - 1] == ' ' || field[n - 1] == '\t'))
		n--;
	for (size_t i = 0; i < n; i++)
		if (field[i] < 33 || field[i] > 126)
			return false;
	*ret_name = (struct pop3_slice){ field, n };
	*ret_value = (struct pop3_slice){ colon + 1, len - (size_t)(colon - field) - 1 };
	return n > 0;
}

bool
field_is(const struct pop3_slice *name, const char *what)
{
	return strlen(what) == name->len &&
	       strncasecmp((const char *)name->data, what, name->len) == 0;
}

/* A word of unstructured text, and the white space before it. */
struct word {
	struct pop3_slice gap, text;
	bool eight_bit;
	bool encoded; /* looks like an encoded-word: white space next to it may not be seen */
};

static bool
next_word(struct pop3_slice text, size_t *at, struct word *ret)
{
	size_t start = *at, word, i;

	for (i = start; i < text.len && text_is_space(text.data[i]); i++)
		;
	for (word = i; i < text.len && !text_is_space(text.data[i]); i++)
		;
	if (i == word)
		return false;
	*at = i;
	ret->gap = (struct pop3_slice){ text.data + start, word - start };
	ret->text = (struct pop3_slice){ text.data + word, i - word };
	ret->eight_bit = lines_eight_bit(ret->text.data, ret->text.len);
	ret->encoded = ret->text.len > 4 && memcmp(ret->text.data, "=?", 2) == 0 &&
		       memcmp(text.data + i - 2, "?=", 2) == 0;
	return true;
}

/* White space that a line may begin with: never so much that it fills one. */
static struct pop3_slice
reasonable(struct pop3_slice gap)
{
	return gap.len == 0 || gap.len > 8 ? FOLD_SPACE : gap;
}

/*
 * Subject: words of ASCII stay as they are, neighbours with octets >= 0x80 are encoded together
 * with the white space between, for a reader drops that between two encoded-words.  For the same
 * reason white space next to an encoded-word that was there before goes into ours (P6858-03).
 */
static void
put_unstructured(struct fold *f, struct pop3_slice text)
{
	struct word w = { 0 }, next = { 0 };
	struct pop3_slice gap;
	size_t at = 0;
	bool more = next_word(text, &at, &w), after_encoded = false;

	if (more)
		w.gap = FOLD_SPACE; /* behind the colon: it never counts */
	for (; more; w = next) {
		gap = reasonable(w.gap);
		if (!w.eight_bit) {
			fold_word(f, gap, w.text.data, w.text.len);
			after_encoded = w.encoded;
			more = next_word(text, &at, &next);
			continue;
		}
		if (after_encoded) {
			w.text.data -= w.gap.len;
			w.text.len += w.gap.len;
			gap = FOLD_SPACE;
		}
		while ((more = next_word(text, &at, &next)) && next.eight_bit)
			w.text.len += next.gap.len + next.text.len;
		if (more && next.encoded)
			w.text.len += next.gap.len;
		fold_encoded(f, gap, w.text.data, w.text.len);
		after_encoded = false;
	}
}

static void
put_subject(struct fold *f, struct pop3_slice value)
{
	struct growing text = { .max = value.len };

	text_unfold(value.data, value.len, &text);
	put_unstructured(f, (struct pop3_slice){ text.data, text.len });
	f->out->failed |= text.failed;
	growing_free(&text);
}

/* What ends the last line of the field; *ret_missing: nothing does. */
static const char *
eol_of(const uint8_t *p, size_t len, bool *ret_missing)
{
	*ret_missing = false;
	if (len >= 2 && p[len - 2] == '\r' && p[len - 1] == '\n')
		return "\r\n";
	if (len > 0 && p[len - 1] == '\r')
		return "\r";
	*ret_missing = len == 0 || p[len - 1] != '\n';
	return "\n";
}

void
field_rewrite(const uint8_t *field, size_t len, struct growing *out)
{
	static const char *const addresses[] = { "Bcc", "Cc", "From", "Reply-To", "Resent-Bcc",
		"Resent-Cc", "Resent-From", "Resent-Reply-To", "Resent-Sender", "Resent-To",
		"Return-Path", "Sender", "To" };
	struct fold f;
	struct pop3_slice name, value;
	size_t before = out->len;
	bool kept = true, open;
	const char *eol = eol_of(field, len, &open);

	if (!field_name(field, len, &name, &value))
		return;
	fold_begin(&f, out, eol, name);
	if (field_is(&name, "Subject")) {
		put_subject(&f, value);
	} else if (field_is(&name, "Content-Type") || field_is(&name, "Content-Disposition")) {
		kept = field_parameters(&f, value);
	} else {
		kept = false;
		for (size_t i = 0; i < sizeof addresses / sizeof *addresses && !kept; i++)
			kept = field_is(&name, addresses[i]);
		if (kept)
			field_addresses(&f, value, !field_is(&name, "Return-Path"));
	}
	if (!kept)
		out->len = before; /* dropped silently (P6858-04) */
	else if (!open)
		growing_text(out, eol);
}
