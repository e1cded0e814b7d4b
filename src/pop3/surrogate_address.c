#include "surrogate_field.h"

#include <string.h>

#include "lines.h"
#include "surrogate_text.h"

/* Nobody can have this address: the domain is reserved (RFC 2606). */
static const char nobody[] = "<invalid@internationalized.invalid>";

/* A mailbox, or the name of a group, as it stands in the field. */
struct item {
	struct pop3_slice text;
	size_t open, close; /* where the "<" and the ">" stand in it, or its length */
	bool broken; /* these, quotes, comments or brackets do not match */
};

/*
 * The item that begins at *at: it ends at a comma, colon or semicolon that no quotes, comment,
 * angle brackets or domain literal hold; *ret_mark is that, or 0 at the end of the field.
 */
static struct item
next_item(struct pop3_slice value, size_t *at, uint8_t *ret_mark)
{
	const uint8_t *p = value.data + *at;
	size_t len = value.len - *at, open = SIZE_MAX, close = SIZE_MAX, i;
	struct text_scan t = { 0 };
	bool literal = false, broken = false;
	uint8_t before = 0; /* the last octet that was no space */
	struct item item;

	for (i = 0; i < len; i++) {
		uint8_t c = p[i];

		if (literal) {
			literal = c != ']';
			before = c;
			continue;
		}
		if (!text_scan(&t, c) || text_is_space(c))
			continue;
		if (c == '[' && before == '@') {
			literal = true;
		} else if (c == '<') {
			broken |= open != SIZE_MAX;
			if (open == SIZE_MAX)
				open = i;
		} else if (c == '>') {
			broken |= open == SIZE_MAX || close != SIZE_MAX;
			if (open != SIZE_MAX && close == SIZE_MAX)
				close = i;
		} else if ((c == ',' || c == ':' || c == ';') &&
			   (open == SIZE_MAX || close != SIZE_MAX)) {
			break;
		}
		before = c;
	}
	*ret_mark = i < len ? p[i] : 0;
	*at += i + (i < len);
	broken |= literal || t.quoted || t.comment > 0 || (open != SIZE_MAX && close == SIZE_MAX);
	item.text = text_trim(p, i);
	item.open = open == SIZE_MAX ? item.text.len : open - (size_t)(item.text.data - p);
	item.close = close == SIZE_MAX ? item.text.len : close - (size_t)(item.text.data - p);
	item.broken = broken;
	return item;
}

/* An address that a client can be shown: ASCII, one word, and whole.  A domain literal that holds
 * octets which begin a comment elsewhere is not whole any more. */
static bool
is_showable(const struct growing *address)
{
	struct text_scan t = { 0 };
	bool literal = false;

	for (size_t i = 0; i < address->len; i++) {
		uint8_t c = address->data[i];

		if (!text_scan(&t, c))
			continue;
		if (text_is_space(c) || c == '<' || c == '>')
			return false;
		literal = c == '[' || (literal && c != ']');
	}
	return address->len > 0 && !literal && !t.quoted && t.comment == 0 &&
	       !lines_eight_bit(address->data, address->len);
}

/* White space around the "@" is none of the address (RFC 5322, 3.2.2); elsewhere it puts an end to
 * there being one. */
static void
join_at(struct growing *address)
{
	struct text_scan t = { 0 };
	size_t n = 0;

	for (size_t i = 0; i < address->len; i++) {
		uint8_t c = address->data[i];
		bool plain = text_scan(&t, c);

		if (plain && c == ' ' &&
		    ((n > 0 && address->data[n - 1] == '@') ||
			(i + 1 < address->len && address->data[i + 1] == '@')))
			continue;
		address->data[n++] = c;
	}
	address->len = n;
}

/* A mailbox with an octet >= 0x80 somewhere, or a broken one.  The name tells what the address cannot. */
static void
put_mailbox(struct fold *f, const struct item *item, bool name_too)
{
	const uint8_t *p = item->text.data;
	size_t len = item->text.len, open = item->open, close = item->close;
	struct growing name = { .max = len }, address = { .max = len + 2 };
	bool angle = open < len, showable;

	growing_text(&address, "<");
	if (item->broken) {
		text_unfold(p, len, &name);
	} else {
		struct growing bare = { .max = len };

		if (angle)
			text_take(p + open + 1, close - open - 1, TEXT_SYNTAX, &bare);
		else
			text_take(p, len, TEXT_SYNTAX, &bare);
		join_at(&bare);
		showable = is_showable(&bare);
		if (showable)
			growing_add(&address, bare.data, bare.len);
		if (angle)
			text_take(p, open, TEXT_WORDS, &name);
		if (name.len == 0 && showable)
			text_take(p, len, TEXT_COMMENTS, &name);
		if (name.len == 0 && !showable)
			text_take(p + (angle ? open + 1 : 0), close - (angle ? open + 1 : 0),
			    TEXT_WORDS, &name);
		f->out->failed |= bare.failed;
		growing_free(&bare);
	}
	growing_text(&address, ">");
	if (name_too && angle && !item->broken && text_trim(p, open).len > 0 &&
	    !lines_eight_bit(p, open)) {
		struct pop3_slice phrase = text_trim(p, open);

		fold_word(f, FOLD_SPACE, phrase.data, phrase.len);
	} else if (name_too) {
		fold_encoded(f, FOLD_SPACE, name.data, name.len);
	}
	if (address.len > 2)
		fold_word(f, FOLD_SPACE, address.data, address.len);
	else
		fold_word(f, FOLD_SPACE, (const uint8_t *)nobody, sizeof nobody - 1);
	f->out->failed |= name.failed || address.failed;
	growing_free(&name);
	growing_free(&address);
}

/* What stands before a colon: the name of a group. */
static void
put_group_name(struct fold *f, const struct item *item)
{
	struct growing name = { .max = item->text.len };

	if (item->broken)
		text_unfold(item->text.data, item->text.len, &name);
	else
		text_take(item->text.data, item->text.len, TEXT_WORDS, &name);
	if (name.len == 0) /* all of it was a comment */
		text_take(item->text.data, item->text.len, TEXT_COMMENTS, &name);
	fold_encoded(f, FOLD_SPACE, name.data, name.len);
	f->out->failed |= name.failed;
	growing_free(&name);
}

void
field_addresses(struct fold *f, struct pop3_slice value, bool name_too)
{
	for (size_t at = 0; at < value.len;) {
		uint8_t mark;
		struct item item = next_item(value, &at, &mark);

		/* a broken item of ASCII would reach into the next: it becomes a name, too */
		if (!item.broken && !lines_eight_bit(item.text.data, item.text.len)) {
			if (item.text.len > 0)
				fold_word(f, FOLD_SPACE, item.text.data, item.text.len);
		} else if (mark == ':') {
			put_group_name(f, &item);
		} else {
			put_mailbox(f, &item, name_too);
		}
		if (mark != 0)
			fold_mark(f, mark);
	}
}
