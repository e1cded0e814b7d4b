#include "conf/value.h"

#include <errno.h>
#include <pop3/codec.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "conf/settings.h"

static void *
field(struct settings *s, const struct key *k)
{
	return (char *)s + k->offset;
}

static bool
say(char *wrong, size_t room, const char *text, const char *what, const char *expected)
{
	(void)snprintf(wrong, room, "\"%.200s\" %s (%s)", text, what, expected);
	return false;
}

static bool
store_string(struct settings *s, const struct key *k, const char *text, char *wrong, size_t room)
{
	char **at = field(s, k);
	char *copy = strdup(text);

	if (copy == NULL)
		return say(wrong, room, text, "does not fit", "out of memory");
	free(*at);
	*at = copy;
	return true;
}

bool
value_list_add(struct settings_list *l, const char *text)
{
	char **p = realloc(l->items, (l->count + 1) * sizeof *p);

	if (p == NULL)
		return false;
	l->items = p;
	p[l->count] = strdup(text);
	if (p[l->count] == NULL)
		return false;
	l->count++;
	return true;
}

bool
value_readable(const char *path, char *wrong, size_t room)
{
	if (access(path, R_OK) == 0)
		return true;
	return say(wrong, room, path, strerror(errno), "a file that can be read");
}

/* The words of a list as an array of pointers into copy; returns how many. */
static size_t
split(char *copy, const char **words, size_t max)
{
	size_t n = 0;

	for (char *save = NULL, *w = strtok_r(copy, " ", &save); w != NULL && n < max;
	     w = strtok_r(NULL, " ", &save))
		words[n++] = w;
	return n;
}

/* Position of text in the key's words, or -1 with a hint. */
static int
find_word(const struct key *k, const char *text, char *wrong, size_t room)
{
	char copy[256], expected[320];
	const char *words[16], *near;
	size_t n;

	(void)snprintf(copy, sizeof copy, "%s", k->words);
	n = split(copy, words, 16);
	for (size_t i = 0; i < n; i++)
		if (strcasecmp(words[i], text) == 0)
			return (int)i;
	near = suggest(text, words, n);
	(void)snprintf(expected, sizeof expected, "one of: %s%s%s%s", k->words,
	    near != NULL ? "; did you mean \"" : "", near != NULL ? near : "",
	    near != NULL ? "\"?" : "");
	(void)say(wrong, room, text, "is not known", expected);
	return -1;
}

/* Digits with an optional unit of time. */
static bool
parse_number(const char *text, bool time, uint64_t *ret)
{
	static const struct {
		char letter;
		uint32_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	size_t len = strlen(text);
	uint32_t unit = 1;

	for (size_t i = 0; time && len > 1 && i < sizeof units / sizeof *units; i++) {
		if (text[len - 1] == units[i].letter) {
			unit = units[i].seconds;
			len--;
			break;
		}
	}
	if (!pop3_number((const uint8_t *)text, len, UINT32_MAX, ret, NULL))
		return false;
	*ret *= unit;
	return true;
}

static bool
set_number(struct settings *s, const struct key *k, const char *text, char *wrong, size_t room)
{
	bool time = k->type == KEY_SECS;
	char expected[160];
	uint64_t v;

	(void)snprintf(expected, sizeof expected, "%s from %u to %u%s",
	    time ? "seconds, or a time like 10m or 1h," : "a number", k->min, k->max,
	    strcmp(k->name, "idle-timeout") == 0 ? "; RFC 1939: at least ten minutes" : "");
	if (!parse_number(text, time, &v))
		return say(wrong, room, text, time ? "is not a time" : "is not a number", expected);
	if (v < k->min || v > k->max)
		return say(
		    wrong, room, text, v < k->min ? "is too small" : "is too large", expected);
	*(uint32_t *)field(s, k) = (uint32_t)v;
	return true;
}

static bool
set_days(struct settings *s, const struct key *k, const char *text, char *wrong, size_t room)
{
	uint64_t v;

	if (strcmp(text, "never") == 0) {
		*(int32_t *)field(s, k) = -1;
		return true;
	}
	if (!parse_number(text, false, &v) || v > k->max)
		return say(wrong, room, text, "is not a number of days", "\"never\", or 0 to 3650");
	*(int32_t *)field(s, k) = (int32_t)v;
	return true;
}

static bool
set_bool(struct settings *s, const struct key *k, const char *text, char *wrong, size_t room)
{
	static const char *const yes[] = { "true", "yes", "on" }, *const no[] = { "false", "no",
		"off" };

	for (size_t i = 0; i < 3; i++) {
		if (strcasecmp(text, yes[i]) == 0 || strcasecmp(text, no[i]) == 0) {
			*(bool *)field(s, k) = strcasecmp(text, yes[i]) == 0;
			return true;
		}
	}
	return say(wrong, room, text, "is neither yes nor no", "true or false");
}

static bool
set_template(struct settings *s, const struct key *k, const char *text, char *wrong, size_t room)
{
	if (text[0] != '/' && strncmp(text, "%h/", 3) != 0)
		return say(wrong, room, text, "does not begin at the root", "/... or %h/...");
	for (const char *p = text; *p != '\0'; p++) {
		if (*p != '%')
			continue;
		p++;
		if (*p == '\0' || strchr("undh%", *p) == NULL)
			return say(wrong, room, text, "has a % with something else behind it",
			    "%u, %n, %d, %h or %%");
	}
	return store_string(s, k, text, wrong, room);
}

/* host:port, [v6]:port, *:port */
static bool
is_address(const char *text)
{
	const char *colon = strrchr(text, ':');
	uint64_t port;

	return colon != NULL && colon != text &&
	       pop3_number((const uint8_t *)colon + 1, strlen(colon + 1), 65535, &port, NULL) &&
	       (memchr(text, ':', (size_t)(colon - text)) == NULL ||
		   (text[0] == '[' && colon[-1] == ']'));
}

static bool
set_list(struct settings *s, const struct key *k, const char *const *texts, size_t count,
    char *wrong, size_t room)
{
	struct settings_list *l = field(s, k);

	for (size_t i = 0; i < count; i++) {
		const char *text = texts[i];
		char upper[64];

		if (k->words == NULL && !is_address(text))
			return say(wrong, room, text, "is no address to listen on",
			    "host:port, [IPv6 number]:port or *:port");
		if (k->words != NULL) {
			if (find_word(k, text, wrong, room) == -1)
				return false;
			(void)snprintf(upper, sizeof upper, "%s", text);
			for (char *p = upper; *p != '\0'; p++)
				if (*p >= 'a' && *p <= 'z')
					*p = (char)(*p - 'a' + 'A');
			text = upper;
		}
		if (!value_list_add(l, text))
			return say(wrong, room, text, "does not fit", "out of memory");
	}
	return true;
}

/* Text that will stand in a line of the protocol: no control octets, no angle brackets. */
static bool
is_plain(const char *text)
{
	for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++)
		if (*p < 0x20 || *p > 0x7e || *p == '<' || *p == '>' || *p == '[' || *p == ']')
			return false;
	return strlen(text) < 200;
}

bool
value_set(struct settings *s, const struct key *k, const char *const *texts, size_t count,
    char *wrong, size_t room)
{
	const char *text = count > 0 ? texts[0] : "";
	int word;

	switch (k->type) {
	case KEY_LIST:
		return set_list(s, k, texts, count, wrong, room);
	case KEY_STRING:
		if ((strcmp(k->name, "greeting") == 0 || strcmp(k->name, "hostname") == 0) &&
		    !is_plain(text))
			return say(wrong, room, text, "cannot stand in a greeting",
			    "up to 200 ASCII characters, none of < > [ ]");
		return store_string(s, k, text, wrong, room);
	case KEY_FILE:
		return value_readable(text, wrong, room) && store_string(s, k, text, wrong, room);
	case KEY_BOOL:
		return set_bool(s, k, text, wrong, room);
	case KEY_INT:
	case KEY_SECS:
		return set_number(s, k, text, wrong, room);
	case KEY_DAYS:
		return set_days(s, k, text, wrong, room);
	case KEY_TEMPLATE:
		return set_template(s, k, text, wrong, room);
	case KEY_PLAINTEXT:
		word = find_word(k, text, wrong, room);
		if (word >= 0)
			*(enum plaintext *)field(s, k) = (enum plaintext)word;
		return word >= 0;
	case KEY_WORD:
		word = find_word(k, text, wrong, room);
		if (word >= 0 && strcmp(k->name, "utf8-headers") == 0) {
			s->utf8_refuse = word == 1;
			return true;
		}
		return word >= 0 && store_string(s, k, text, wrong, room);
	}
	return false;
}
