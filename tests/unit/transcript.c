#include "transcript.h"

#include <err.h>
#include <pop3/codec.h>
#include <pop3/text.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *file;
static unsigned line_number;

static void __attribute__((noreturn)) wrong(const char *what, const char *text)
{
	errx(1, "%s:%u: %s: \"%s\"", file, line_number, what, text);
}

void
octets_add(struct octets *o, const void *p, size_t len)
{
	if (len > o->cap - o->len) {
		o->cap = (o->len + len) * 2;
		o->data = realloc(o->data, o->cap);
		if (o->data == NULL)
			err(1, "realloc");
	}
	if (len > 0)
		memcpy(o->data + o->len, p, len);
	o->len += len;
}

static uint8_t
hex_digit(char c)
{
	const char *digits = "0123456789abcdef", *p = c == '\0' ? NULL : strchr(digits, c);

	if (p == NULL)
		wrong("not a hexadecimal digit", (char[]){ c, '\0' });
	return (uint8_t)(p - digits);
}

static void add_text(struct octets *o, const char *text, size_t len);

/* "\(300*x)": s is behind the "("; returns what is behind the ")". */
static const char *
add_repeated(struct octets *o, const char *s)
{
	const char *star = strchr(s, '*'), *end = star == NULL ? NULL : strchr(star, ')');
	uint64_t times;

	if (end == NULL ||
	    !pop3_number((const uint8_t *)s, (size_t)(star - s), 1 << 20, &times, NULL))
		wrong("not \\(number*text)", s);
	while (times-- > 0)
		add_text(o, star + 1, (size_t)(end - star - 1));
	return end + 1;
}

static void
add_text(struct octets *o, const char *text, size_t len)
{
	const char *s = text, *end = text + len;

	while (s < end) {
		uint8_t c = (uint8_t)*s++;

		if (c != '\\') {
			octets_add(o, &c, 1);
			continue;
		}
		switch (s < end ? *s++ : '\0') {
		case 'r':
			octets_add(o, "\r", 1);
			break;
		case 'n':
			octets_add(o, "\n", 1);
			break;
		case 't':
			octets_add(o, "\t", 1);
			break;
		case '\\':
			octets_add(o, "\\", 1);
			break;
		case 'x':
			if (end - s < 2)
				wrong("not \\xHH", text);
			c = (uint8_t)(hex_digit(s[0]) << 4 | hex_digit(s[1]));
			octets_add(o, &c, 1);
			s += 2;
			break;
		case '(':
			s = add_repeated(o, s);
			break;
		default:
			wrong("no such escape", text);
		}
	}
}

static bool
yes_or_no(const char *value)
{
	if (strcmp(value, "yes") == 0)
		return true;
	if (strcmp(value, "no") != 0)
		wrong("neither yes nor no", value);
	return false;
}

/* "30", "never user"... */
static int32_t
limit(const char *value, const char *none, bool *ret_user)
{
	size_t len = strcspn(value, " ");
	uint64_t v;

	*ret_user = strcmp(value + len, " user") == 0;
	if (value[len] != '\0' && !*ret_user)
		wrong("what follows is not \"user\"", value);
	if (len == strlen(none) && memcmp(value, none, len) == 0)
		return -1;
	if (!pop3_number((const uint8_t *)value, len, INT32_MAX, &v, NULL))
		wrong("not a number", value);
	return (int32_t)v;
}

static void
wire_messages(struct transcript *t)
{
	static const char first[] =
	    "From: a@example.org\nSubject: dots\n\nfirst\n.hidden\n.\n..two\nlast\n";
	static const char second[] = "Subject: x\n\n";

	octets_add(&t->messages[0], first, sizeof first - 1);
	octets_add(&t->messages[1], second, sizeof second - 1);
	t->uids[0] = "0000000165f1a2b3";
	t->uids[1] = "0000000265f1a2b3";
	t->count = 2;
}

static void
heading(struct transcript *t, const char *key, const char *value, bool *ret_wire)
{
	if (strcmp(key, "state") == 0) {
		t->authorization = strcmp(value, "AUTHORIZATION") == 0;
		if (!t->authorization && strcmp(value, "TRANSACTION") != 0)
			wrong("no such state", value);
	} else if (strcmp(key, "maildrop") == 0) {
		*ret_wire = strcmp(value, "wire") == 0;
		if (strcmp(value, "here") == 0)
			t->count = 1;
		else if (!*ret_wire && strcmp(value, "empty") != 0)
			wrong("no such maildrop", value);
	} else if (strcmp(key, "tls") == 0) {
		t->tls_offered = strcmp(value, "offered") == 0;
		t->tls_active = strcmp(value, "active") == 0;
		if (!t->tls_offered && !t->tls_active && strcmp(value, "none") != 0)
			wrong("no such tls", value);
	} else if (strcmp(key, "plaintext") == 0) {
		t->plaintext = yes_or_no(value);
	} else if (strcmp(key, "utf8") == 0) {
		t->utf8 = yes_or_no(value);
	} else if (strcmp(key, "lang") == 0) {
		t->lang = pop3_lang_find(value, strlen(value));
		if (t->lang < 0)
			wrong("no such language", value);
	} else if (strcmp(key, "sasl") == 0) {
		free(t->sasl);
		t->sasl = strdup(value);
	} else if (strcmp(key, "apop") == 0) {
		t->apop = strdup(value);
	} else if (strcmp(key, "expire") == 0) {
		t->expire = limit(value, "never", &t->expire_user);
	} else if (strcmp(key, "login-delay") == 0) {
		t->login_delay = limit(value, "none", &t->login_delay_user);
	} else if (strcmp(key, "in-use") == 0) {
		t->in_use = yes_or_no(value);
	} else if (strcmp(key, "read-only") == 0) {
		t->read_only = yes_or_no(value);
	} else if (strcmp(key, "only") == 0) {
		t->for_library = strcmp(value, "library") == 0;
		if (!t->for_library && strcmp(value, "server") != 0)
			wrong("neither library nor server", value);
	} else if (strcmp(key, "Holds") != 0) {
		wrong("no such heading", key);
	}
}

static struct step *
add_step(struct transcript *t, enum step_kind kind)
{
	struct step *s = &t->steps[t->length];

	if (t->length == TRANSCRIPT_STEPS)
		wrong("too many steps", "");
	*s = (struct step){ .kind = kind, .line = line_number };
	t->length++;
	return s;
}

static void
direct(struct transcript *t, const char *what)
{
	static const struct {
		const char *name;
		enum step_kind kind;
	} kinds[] = { { "TLS", STEP_TLS }, { "closed", STEP_CLOSED }, { "hang up", STEP_HANG_UP },
		{ "next session", STEP_AGAIN } };

	if (strcmp(what, "message") == 0) {
		if (t->count == 0 || t->count == TRANSCRIPT_MESSAGES)
			wrong("no place for a message", what);
		t->count++;
		return;
	}
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strcmp(what, kinds[i].name) == 0) {
			(void)add_step(t, kinds[i].kind);
			return;
		}
	wrong("no such direction", what);
}

/* "C: text", "M- text"...  The space may be missing where there is no text. */
static void
speak(struct transcript *t, const char *line)
{
	const char *text = line[1] == '\0' ? "" : line[2] == ' ' ? line + 3 : line + 2;
	bool end = line[1] == ':';
	struct octets *o;

	if (line[1] != ':' && line[1] != '-' && line[1] != '*')
		wrong("neither \":\" nor \"-\"", line);
	if (line[0] == 'S') {
		o = &add_step(t, end ? STEP_EXPECT : STEP_SKIP)->text;
		add_text(o, text, strlen(text));
		return;
	}
	if (line[0] == 'M') {
		if (t->count == 0)
			wrong("not \"maildrop: here\"", line);
		o = &t->messages[t->count - 1];
	} else if (t->length > 0 && t->steps[t->length - 1].kind == STEP_SEND) {
		o = &t->steps[t->length - 1].text;
	} else {
		o = &add_step(t, STEP_SEND)->text;
	}
	add_text(o, text, strlen(text));
	if (end)
		octets_add(o, line[0] == 'M' ? "\n" : "\r\n", line[0] == 'M' ? 1 : 2);
}

struct transcript *
transcript_read(const char *path)
{
	static const char *const own_uids[TRANSCRIPT_MESSAGES] = { "1700000001.m", "1700000002.m",
		"1700000003.m", "1700000004.m", "1700000005.m", "1700000006.m", "1700000007.m",
		"1700000008.m", "1700000009.m" };
	struct transcript *t = calloc(1, sizeof *t);
	FILE *f = fopen(path, "re");
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;
	bool wire = true;

	if (t == NULL || f == NULL)
		err(1, "%s", path);
	file = path;
	line_number = 0;
	t->authorization = t->plaintext = t->utf8 = t->for_library = true;
	t->expire = t->login_delay = -1;
	t->sasl = strdup("SCRAM-SHA-256 PLAIN LOGIN");
	memcpy(t->uids, own_uids, sizeof own_uids);
	while ((n = getline(&line, &cap, f)) > 0) {
		char *colon;

		line_number++;
		if (line[n - 1] == '\n')
			line[--n] = '\0';
		colon = strstr(line, ": ");
		if (line[0] == '#') {
			if (t->length == 0 && n > 2 && colon != NULL &&
			    strcspn(line + 2, " ") > (size_t)(colon - line - 2)) {
				*colon = '\0';
				heading(t, line + 2, colon + 2, &wire);
			}
		} else if (strncmp(line, "== ", 3) == 0) {
			direct(t, line + 3);
		} else if (line[0] == 'C' || line[0] == 'S' || line[0] == 'M') {
			speak(t, line);
		} else if (line[0] != '\0') {
			wrong("not a line of a transcript", line);
		}
	}
	for (unsigned i = 0; i < t->length; i++)
		if (t->steps[i].kind == STEP_SKIP &&
		    (i + 1 == t->length || t->steps[i + 1].kind != STEP_EXPECT))
			wrong("S* without an S: behind it", "");
	if (t->length == 0)
		wrong("nothing is said", "");
	if (wire)
		wire_messages(t);
	free(line);
	fclose(f);
	return t;
}

void
transcript_free(struct transcript *t)
{
	for (unsigned i = 0; i < t->length; i++)
		free(t->steps[i].text.data);
	for (unsigned i = 0; i < TRANSCRIPT_MESSAGES; i++)
		free(t->messages[i].data);
	free(t->sasl);
	free(t->apop);
	free(t);
}
