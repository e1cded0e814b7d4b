#include "surrogate_field.h"

#include <pop3/codec.h>
#include <string.h>
#include <strings.h>

enum { LINE = 76, WORD = 75 };

static const char nobody[] = "<invalid@internationalized-address.invalid>";

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

static bool
eight_bit(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] >= 0x80)
			return true;
	return false;
}

static bool
is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Words go out with a space in front; lines are folded there when they get long. */
struct writer {
	struct growing *out;
	const char *eol;
	size_t column;
};

static void
put_word(struct writer *w, const void *p, size_t len)
{
	if (w->column > 1 && w->column + 1 + len > LINE) {
		growing_text(w->out, w->eol);
		w->column = 0;
	}
	growing_text(w->out, " ");
	growing_add(w->out, p, len);
	w->column += 1 + len;
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

/* p[0..len) as encoded-words (RFC 2047, Q), none longer than 75, no character cut in two. */
static void
put_encoded(struct writer *w, const uint8_t *p, size_t len)
{
	static const char hex[] = "0123456789ABCDEF";
	const char *charset = pop3_utf8_valid(p, len) ? "=?utf-8?q?" : "=?unknown-8bit?q?";
	size_t head = strlen(charset), n;
	char word[WORD + 16];

	while (len > 0) {
		memcpy(word, charset, head);
		n = head;
		while (len > 0) {
			size_t octets = unit(p, len);
			char piece[16];
			size_t k = 0;

			for (size_t i = 0; i < octets; i++) {
				uint8_t c = p[i];

				if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
				    (c >= 'a' && c <= 'z')) {
					piece[k++] = (char)c;
				} else if (c == ' ') {
					piece[k++] = '_';
				} else {
					piece[k++] = '=';
					piece[k++] = hex[c >> 4];
					piece[k++] = hex[c & 15];
				}
			}
			if (n + k + 2 > WORD && n > head)
				break;
			memcpy(word + n, piece, k);
			n += k;
			p += octets;
			len -= octets;
		}
		memcpy(word + n, "?=", 2);
		put_word(w, word, n + 2);
	}
}

/*
 * Text: words of ASCII as they are, neighbours with octets >= 0x80 encoded together.  Line ends
 * inside count as spaces.
 */
static void
put_text(struct writer *w, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len;) {
		struct growing run = { .max = 65536 };
		size_t start, end;

		while (i < len && is_space(p[i]))
			i++;
		for (start = i; i < len && !is_space(p[i]); i++)
			;
		if (i == start)
			break;
		if (!eight_bit(p + start, i - start)) {
			put_word(w, p + start, i - start);
			continue;
		}
		growing_add(&run, p + start, i - start);
		for (;;) { /* further such words, with the space between */
			for (end = i; end < len && is_space(p[end]); end++)
				;
			for (start = end; end < len && !is_space(p[end]); end++)
				;
			if (start == end || !eight_bit(p + start, end - start))
				break;
			growing_text(&run, " ");
			growing_add(&run, p + start, end - start);
			i = end;
		}
		put_encoded(w, run.data, run.len);
		if (run.failed)
			w->out->failed = true;
		growing_free(&run);
	}
}

/* Where the item that begins at i ends: at a comma, colon or semicolon that is in no quotes,
 * comment or angle brackets. */
static size_t
item_end(const uint8_t *p, size_t len, size_t i)
{
	size_t depth = 0;
	bool quoted = false, angle = false;

	for (; i < len; i++) {
		if (p[i] == '\\' && (quoted || depth > 0)) {
			i++;
			continue;
		}
		if (quoted) {
			quoted = p[i] != '"';
		} else if (p[i] == '(') {
			depth++;
		} else if (p[i] == ')' && depth > 0) {
			depth--;
		} else if (depth > 0) {
			continue;
		} else if (p[i] == '"') {
			quoted = true;
		} else if (p[i] == '<') {
			angle = true;
		} else if (p[i] == '>') {
			angle = false;
		} else if (!angle && (p[i] == ',' || p[i] == ':' || p[i] == ';')) {
			break;
		}
	}
	return i < len ? i : len;
}

/* The display-name's or address's octets without comments, quotes and spaces around. */
static void
plain(const uint8_t *p, size_t len, struct growing *out)
{
	size_t depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < len; i++) {
		uint8_t c = p[i];

		if (c == '\\' && i + 1 < len && (quoted || depth > 0)) {
			i++;
			if (depth == 0)
				growing_add(out, p + i, 1);
		} else if (!quoted && c == '(') {
			depth++;
		} else if (!quoted && c == ')' && depth > 0) {
			depth--;
		} else if (depth == 0 && c == '"') {
			quoted = !quoted;
		} else if (depth == 0 && is_space(c)) {
			if (out->len > 0 && out->data[out->len - 1] != ' ')
				growing_text(out, " ");
		} else if (depth == 0) {
			growing_add(out, &c, 1);
		}
	}
	while (out->len > 0 && out->data[out->len - 1] == ' ')
		out->len--;
}

/* One mailbox with an octet >= 0x80 in it (P6858-01). */
static void
put_mailbox(struct writer *w, const uint8_t *p, size_t len, bool name_too)
{
	struct growing name = { .max = 65536 }, address = { .max = 65536 };
	const uint8_t *open = memchr(p, '<', len);
	const uint8_t *close = open == NULL ? NULL : memchr(open, '>', len - (size_t)(open - p));

	if (open != NULL) {
		size_t end = close == NULL ? len : (size_t)(close - p);

		plain(p, (size_t)(open - p), &name);
		plain(open + 1, end - (size_t)(open - p) - 1, &address);
	} else {
		plain(p, len, &address);
	}
	if (name.len == 0 && eight_bit(address.data, address.len))
		growing_add(&name, address.data, address.len); /* at least it can be read */
	if (name_too && name.len > 0)
		put_encoded(w, name.data, name.len); /* ASCII, too: it may hold specials */
	if (eight_bit(address.data, address.len) || address.len == 0) {
		put_word(w, nobody, sizeof nobody - 1);
	} else {
		struct growing whole = { .max = 65600 };

		growing_text(&whole, "<");
		growing_add(&whole, address.data, address.len);
		growing_text(&whole, ">");
		put_word(w, whole.data, whole.len);
		growing_free(&whole);
	}
	growing_free(&name);
	growing_free(&address);
}

static void
put_addresses(struct writer *w, const uint8_t *p, size_t len, bool name_too)
{
	for (size_t i = 0; i < len;) {
		size_t start = i, end = item_end(p, len, i), stop = end;
		uint8_t mark = end < len ? p[end] : 0;

		while (start < stop && is_space(p[start]))
			start++;
		while (stop > start && is_space(p[stop - 1]))
			stop--;
		if (mark == ':') { /* a group's name, or nonsense that now looks like one */
			struct growing name = { .max = 65536 };

			plain(p + start, stop - start, &name);
			put_encoded(w, name.data, name.len);
			growing_free(&name);
		} else if (stop > start && eight_bit(p + start, stop - start)) {
			put_mailbox(w, p + start, stop - start, name_too);
		} else if (stop > start) {
			put_text(w, p + start, stop - start);
		}
		if (mark != 0) {
			growing_add(w->out, &mark, 1);
			w->column++;
		}
		i = end + 1;
	}
}

/* Parameters are what stands between semicolons outside of quotes; those with octets >= 0x80 go. */
static bool
put_parameters(struct writer *w, const uint8_t *p, size_t len)
{
	bool first = true;

	for (size_t i = 0; i < len;) {
		size_t start = i;
		bool quoted = false;

		for (; i < len && (quoted || p[i] != ';'); i++) {
			if (quoted && p[i] == '\\' && i + 1 < len)
				i++;
			else if (p[i] == '"')
				quoted = !quoted;
		}
		if (eight_bit(p + start, i - start)) {
			if (first)
				return false; /* the type itself: nothing can be kept */
		} else {
			if (!first)
				growing_text(w->out, ";");
			put_text(w, p + start, i - start);
		}
		first = false;
		i++;
	}
	return true;
}

void
field_rewrite(const uint8_t *field, size_t len, const char *eol, struct growing *out)
{
	static const char *const addresses[] = { "Bcc", "Cc", "From", "Reply-To", "Resent-Bcc",
		"Resent-Cc", "Resent-From", "Resent-Reply-To", "Resent-Sender", "Resent-To",
		"Return-Path", "Sender", "To" };
	struct writer w = { .out = out, .eol = eol };
	struct pop3_slice name, value;
	size_t before = out->len;
	bool kept = true;

	if (!field_name(field, len, &name, &value))
		return;
	growing_add(out, name.data, name.len);
	growing_text(out, ":");
	w.column = name.len + 1;
	if (field_is(&name, "Subject")) {
		put_text(&w, value.data, value.len);
	} else if (field_is(&name, "Content-Type") || field_is(&name, "Content-Disposition")) {
		kept = put_parameters(&w, value.data, value.len);
	} else {
		kept = false;
		for (size_t i = 0; i < sizeof addresses / sizeof *addresses && !kept; i++)
			kept = field_is(&name, addresses[i]);
		if (kept)
			put_addresses(&w, value.data, value.len, !field_is(&name, "Return-Path"));
	}
	if (!kept) {
		out->len = before; /* dropped silently (P6858-04) */
		return;
	}
	growing_text(out, eol);
}

bool
field_parameter(const struct pop3_slice *value, const char *name, char *out, size_t room)
{
	const uint8_t *p = value->data;
	size_t len = value->len, want = strlen(name), n = 0;
	bool quoted = false;

	for (size_t i = 0; i < len; i++) {
		if (quoted && p[i] == '\\')
			i++;
		else if (p[i] == '"')
			quoted = !quoted;
		if (quoted || p[i] != ';')
			continue;
		for (i++; i < len && is_space(p[i]); i++)
			;
		if (len - i <= want || strncasecmp((const char *)p + i, name, want) != 0) {
			i--;
			continue;
		}
		for (i += want; i < len && is_space(p[i]); i++)
			;
		if (i == len || p[i] != '=') {
			i--;
			continue;
		}
		for (i++; i < len && is_space(p[i]); i++)
			;
		quoted = i < len && p[i] == '"';
		for (i += quoted;
		     i < len && (quoted ? p[i] != '"' : p[i] != ';' && !is_space(p[i])); i++) {
			if (quoted && p[i] == '\\' && i + 1 < len)
				i++;
			if (n + 1 >= room)
				return false;
			out[n++] = (char)p[i];
		}
		out[n] = '\0';
		return n > 0;
	}
	return false;
}
