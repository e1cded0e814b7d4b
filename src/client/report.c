#include "client/report.h"

#include <inttypes.h>
#include <jansson.h>
#include <pop3/codec.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/trouble.h"

const char *
report_harmless(struct pop3_slice text, char *out, size_t room)
{
	bool utf8 = pop3_utf8_valid(text.data, text.len);
	size_t n = 0;

	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.data[i];
		/* U+0080 to U+009F are control characters as well */
		bool c1 = c == 0xc2 && i + 1 < text.len && text.data[i + 1] < 0xa0;

		if (n + 5 > room)
			break;
		if (c < 0x20 || c == 0x7f || c1 || (c >= 0x80 && !utf8)) {
			n += (size_t)snprintf(out + n, room - n, "\\x%02x", c);
			if (c1) {
				utf8 = false; /* its second octet is not left alone */
			}
			continue;
		}
		out[n++] = (char)c;
	}
	out[n] = '\0';
	/* a cut in the middle of a character leaves no part of it */
	while (n > 0 && !pop3_utf8_valid((const uint8_t *)out, n))
		out[--n] = '\0';
	return out;
}

static void __attribute__((format(printf, 1, 0)))
line(const char *fmt, va_list ap)
{
	char raw[1024], text[4200];

	(void)vsnprintf(raw, sizeof raw, fmt, ap);
	(void)fprintf(stderr, "restante: %s\n",
	    report_harmless(
		(struct pop3_slice){ (const uint8_t *)raw, strlen(raw) }, text, sizeof text));
}

void
report_say(const struct report *r, const char *fmt, ...)
{
	va_list ap;

	if (r->quiet)
		return;
	va_start(ap, fmt);
	line(fmt, ap);
	va_end(ap);
}

void
report_warn(const struct report *r, const char *fmt, ...)
{
	va_list ap;

	(void)r;
	va_start(ap, fmt);
	line(fmt, ap);
	va_end(ap);
}

/* How much of a line of ours may be shown: all of it, or the first words. */
static size_t
shown(const uint8_t *p, size_t len)
{
	static const struct {
		const char *verb;
		int words; /* 0: all */
	} verbs[] = {
		{ "CAPA", 0 },
		{ "STLS", 0 },
		{ "USER", 0 },
		{ "PASS", 1 },
		{ "APOP", 2 },
		{ "AUTH", 2 },
		{ "STAT", 0 },
		{ "LIST", 0 },
		{ "UIDL", 0 },
		{ "RETR", 0 },
		{ "TOP ", 0 },
		{ "DELE", 0 },
		{ "RSET", 0 },
		{ "NOOP", 0 },
		{ "QUIT", 0 },
	};

	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
		size_t end = 0;

		if (len < 4 || memcmp(p, verbs[i].verb, 4) != 0 ||
		    (len > 4 && p[4] != ' ' && verbs[i].verb[3] != ' '))
			continue;
		if (verbs[i].words == 0)
			return len;
		for (int words = 0; end < len; end++)
			if (p[end] == ' ' && ++words == verbs[i].words)
				break;
		return end;
	}
	return 0; /* a response to a challenge */
}

void
report_sent(const struct report *r, const uint8_t *octets, size_t len)
{
	char text[1100];

	while (r->verbose && len > 0) {
		const uint8_t *lf = memchr(octets, '\n', len);
		size_t n = lf == NULL ? len : (size_t)(lf - octets) + 1;
		size_t end = n;
		size_t show;

		while (end > 0 && (octets[end - 1] == '\n' || octets[end - 1] == '\r'))
			end--;
		show = shown(octets, end);
		(void)fprintf(stderr, "C: %s%s\n",
		    report_harmless((struct pop3_slice){ octets, show }, text, sizeof text),
		    show == end ? ""
		    : show == 0 ? "****"
				: " ****");
		octets += n;
		len -= n;
	}
}

void
report_heard(const struct report *r, struct pop3_slice heard)
{
	char text[2048];

	if (r->verbose)
		(void)fprintf(stderr, "S: %s\n", report_harmless(heard, text, sizeof text));
}

/* Takes over o; a line that memory was lacking for is left out, and stdout told of it. */
static void
print(json_t *o)
{
	char *text = o == NULL ? NULL : json_dumps(o, JSON_COMPACT | JSON_ENSURE_ASCII);

	if (text == NULL)
		(void)fputs("{\"type\":\"error\",\"text\":\"out of memory\"}\n", stdout);
	else
		(void)printf("%s\n", text);
	free(text);
	json_decref(o);
}

void
report_message(const struct report *r, uint64_t number, struct pop3_slice uid, uint64_t octets,
    const char *file, const char *why)
{
	char text[2100], reason[600];

	(void)report_harmless(uid, text, sizeof text);
	if (why != NULL)
		(void)report_harmless((struct pop3_slice){ (const uint8_t *)why, strlen(why) },
		    reason, sizeof reason);
	if (!r->json) {
		if (file != NULL)
			report_say(
			    r, "message %" PRIu64 ": %" PRIu64 " octets, %s", number, octets, file);
		else
			report_warn(r, "message %" PRIu64 ": %s", number, reason);
		return;
	}
	if (file != NULL)
		print(json_pack("{s:s, s:I, s:s, s:I, s:s}", "type", "message", "number",
		    (json_int_t)number, "unique-id", text, "octets", (json_int_t)octets, "file",
		    file));
	else
		print(json_pack("{s:s, s:I, s:s, s:s}", "type", "failed", "number",
		    (json_int_t)number, "unique-id", text, "reason", reason));
}

void
report_entry(const struct report *r, uint64_t number, uint64_t octets, struct pop3_slice uid)
{
	char text[2100];

	(void)report_harmless(uid, text, sizeof text);
	if (!r->json)
		(void)printf("%" PRIu64 " %" PRId64 " %s\n", number, (int64_t)octets, text);
	else
		print(json_pack("{s:s, s:I, s:I, s:s}", "type", "entry", "number",
		    (json_int_t)number, "octets", (json_int_t)octets, "unique-id", text));
}

void
report_result(const struct report *r, const struct totals *t, const struct trouble *why)
{
	char text[2100];

	(void)report_harmless((struct pop3_slice){ (const uint8_t *)why->text, strlen(why->text) },
	    text, sizeof text);
	if (r->json) {
		print(json_pack("{s:s, s:i, s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "type", "result",
		    "status", why->status, "reason", text, "listed", (json_int_t)t->listed,
		    "delivered", (json_int_t)t->delivered, "known", (json_int_t)t->known, "deleted",
		    (json_int_t)t->deleted, "failed", (json_int_t)t->failed, "octets",
		    (json_int_t)t->octets));
		return;
	}
	if (why->status != 0)
		report_warn(r, "%s", why->text);
}

int
report_flush(void)
{
	return fflush(stdout) == 0 && !ferror(stdout) ? 0 : -1;
}
