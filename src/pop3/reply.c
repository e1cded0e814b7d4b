#include <pop3/text.h>

#include <assert.h>
#include <pop3/codec.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "reply.h"

static void
put(struct pop3_out *out, const void *p, size_t len)
{
	assert(pop3_out_room(out) >= len);
	memcpy(out->data + out->len, p, len);
	out->len += len;
}

void
reply_line(struct pop3_out *out, const char *a, const char *b, const char *c)
{
	size_t head = strlen(a) + strlen(b), len = strlen(c), max = POP3_REPLY_MAX - 2 - head;

	if (len > max)
		for (len = max; len > 0 && ((uint8_t)c[len] & 0xc0) == 0x80; len--)
			; /* the octet behind the cut goes on with a character */
	put(out, a, strlen(a));
	put(out, b, strlen(b));
	put(out, c, len);
	put(out, "\r\n", 2);
}

void
pop3_reply_ok(struct pop3_out *out, const char *text)
{
	reply_line(out, "+OK ", "", text);
}

void
pop3_reply_err(struct pop3_out *out, enum pop3_code code, const char *text)
{
	reply_line(out, "-ERR ", pop3_code_string(code), text);
}

void
pop3_reply_okf(struct pop3_out *out, const char *fmt, ...)
{
	char text[POP3_REPLY_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap); /* a cut text is still a text */
	va_end(ap);
	reply_line(out, "+OK ", "", text);
}

static uint8_t *
put_number(struct pop3_out *out, uint64_t number)
{
	uint8_t *p = out->data + out->len;

	assert(pop3_out_room(out) >= 96);
	p += pop3_number_write(number, p);
	*p++ = ' ';
	return p;
}

static void
end_line(struct pop3_out *out, uint8_t *p)
{
	*p++ = '\r';
	*p++ = '\n';
	out->len = (size_t)(p - out->data);
}

void
pop3_reply_number(struct pop3_out *out, uint64_t number, uint64_t value)
{
	uint8_t *p = put_number(out, number);

	end_line(out, p + pop3_number_write(value, p));
}

void
pop3_reply_uid(struct pop3_out *out, uint64_t number, const char *uid)
{
	uint8_t *p = put_number(out, number);
	size_t len = strnlen(uid, POP3_UID_MAX);

	memcpy(p, uid, len);
	end_line(out, p + len);
}

void
pop3_reply_end(struct pop3_out *out)
{
	put(out, ".\r\n", 3);
}
