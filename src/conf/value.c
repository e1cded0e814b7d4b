#include "conf/value.h"

#include <errno.h>
#include <pop3/codec.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/settings.h"

enum { WORDS_MAX = 32, WORD_LONGEST = 32, PATH_LONGEST = 1024, NAME_LONGEST = 200 };

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
	static const char expected[] = "a file that can be read";
	struct stat st;

	if (strlen(path) >= PATH_LONGEST)
		return say(wrong, room, path, "is too long", expected);
	if (stat(path, &st) == -1 || access(path, R_OK) == -1)
		return say(wrong, room, path, strerror(errno), expected);
	return S_ISREG(st.st_mode) || say(wrong, room, path, "is not a file", expected);
}

/* Position of text[0..len) in the key's words, which stands in *ret as the table writes it; or
 * -1 with a hint. */
static int
find_word(const struct key *k, const char *text, size_t len, char *ret, char *wrong, size_t room)
{
	static const char *const no_hint[] = { "", "", "" };
	char copies[WORDS_MAX][WORD_LONGEST], expected[480];
	const char *words[WORDS_MAX], *near, *hint[3] = { "; did you mean \"", NULL, "\"?" };
	const char *const *h = hint;
	int n = 0;

	for (const char *p = k->words; *p != '\0' && n < WORDS_MAX; n++) {
		size_t word = strcspn(p, " ");

		(void)snprintf(copies[n], WORD_LONGEST, "%.*s", (int)word, p);
		words[n] = copies[n];
		if (word == len && strncasecmp(p, text, len) == 0) {
			(void)snprintf(ret, WORD_LONGEST, "%s", words[n]);
			return n;
		}
		p += word + (p[word] == ' ');
	}
	near = suggest(text, words, (size_t)n);
	hint[1] = near;
	if (near == NULL)
		h = no_hint;
	(void)snprintf(expected, sizeof expected, "one of: %s%s%s%s", k->words, h[0], h[1], h[2]);
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
is_digits(const char *text)
{
	return *text != '\0' && strspn(text, "0123456789") == strlen(text);
}

static bool
set_number(struct settings *s, const struct key *k, const char *text, char *wrong, size_t room)
{
	bool time = k->type == KEY_SECS;
	char expected[160];
	uint64_t v = 0;

	(void)snprintf(expected, sizeof expected, "%s from %u to %u%s",
	    time ? "seconds, or a time like 10m or 1h," : "a number", k->min, k->max,
	    strcmp(k->name, "idle-timeout") == 0 ? "; RFC 1939: at least ten minutes" : "");
	if (!parse_number(text, time, &v) && is_digits(text))
		v = UINT64_MAX;
	else if (!parse_number(text, time, &v))
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
		return say(wrong, room, text,
		    is_digits(text) ? "is too large" : "is not a number of days",
		    "\"never\", or 0 to 3650");
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
	if (strlen(text) >= PATH_LONGEST)
		return say(wrong, room, text, "is too long", "a path of less than 1024 octets");
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

	return colon != NULL && colon != text && strlen(text) < NAME_LONGEST &&
	       strcspn(text, " \t\r\n") == strlen(text) &&
	       pop3_number((const uint8_t *)colon + 1, strlen(colon + 1), 65535, &port, NULL) &&
	       (memchr(text, ':', (size_t)(colon - text)) == NULL ||
		   (text[0] == '[' && colon[-1] == ']'));
}

static bool
add_to_list(struct settings *s, const struct key *k, const char *text, char *wrong, size_t room)
{
	struct settings_list *l = field(s, k);
	char word[WORD_LONGEST];

	if (k->words == NULL && !is_address(text))
		return say(wrong, room, text, "is no address to listen on",
		    "\"host:port\", \"[IPv6 number]:port\" or \"*:port\"");
	if (k->words != NULL) {
		if (find_word(k, text, strlen(text), word, wrong, room) == -1)
			return false;
		text = word;
	}
	for (size_t i = 0; i < l->count; i++)
		if (strcmp(l->items[i], text) == 0)
			return say(wrong, room, text, "is in the list twice", "say it once");
	return value_list_add(l, text) || say(wrong, room, text, "does not fit", "out of memory");
}

bool
value_is_host(const char *text)
{
	static const char letters[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";

	return *text != '\0' && strlen(text) < NAME_LONGEST &&
	       strspn(text, letters) == strlen(text);
}

/* Text that will stand in a line of the protocol: no control octets, no brackets that a client
 * would take for a timestamp or a response code. */
static bool
is_greeting(const char *text)
{
	for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++)
		if (*p < 0x20 || *p > 0x7e || *p == '<' || *p == '>' || *p == '[' || *p == ']')
			return false;
	return strlen(text) < NAME_LONGEST;
}

/* Texts that are kept as they are: NULL, or what is wrong and what is expected. */
static const char *
check_text(enum key_type type, const char *text, const char **ret_expected)
{
	size_t len = strlen(text);

	switch (type) {
	case KEY_HOST:
		*ret_expected = "a name of letters, digits, - and .";
		return value_is_host(text) ? NULL : "is no host name";
	case KEY_GREETING:
		*ret_expected = "less than 200 ASCII characters, none of < > [ ]";
		return is_greeting(text) ? NULL : "cannot stand in a greeting";
	case KEY_SERVICE:
		*ret_expected = "the name of a file in /etc/pam.d";
		return len > 0 && len < 64 && strchr(text, '/') == NULL && text[0] != '.'
			   ? NULL
			   : "is no PAM service";
	case KEY_USER:
		*ret_expected = "a name or a number";
		return len > 0 && len < NAME_LONGEST && strpbrk(text, ": \t\r\n") == NULL
			   ? NULL
			   : "is no user or group";
	case KEY_FOLDER:
		*ret_expected = "a path that begins with /";
		return len < PATH_LONGEST && text[0] == '/' ? NULL : "does not begin at the root";
	default:
		return NULL;
	}
}

bool
value_set(struct settings *s, const struct key *k, const char *text, char *wrong, size_t room)
{
	const char *expected = NULL, *what = check_text(k->type, text, &expected);
	char word[WORD_LONGEST];
	int n = 0;

	if (what != NULL)
		return say(wrong, room, text, what, expected);
	if (k->words != NULL && k->type != KEY_LIST) {
		/* a scheme may say how its octets are written: SSHA256.hex */
		n = find_word(
		    k, text, strcspn(text, k->type == KEY_SCHEME ? "." : ""), word, wrong, room);
		if (n == -1)
			return false;
	}
	switch (k->type) {
	case KEY_LIST:
		return add_to_list(s, k, text, wrong, room);
	case KEY_HOST:
	case KEY_GREETING:
	case KEY_SERVICE:
	case KEY_USER:
	case KEY_FOLDER:
		return store_string(s, k, text, wrong, room);
	case KEY_SCHEME: {
		const char *dot = strchr(text, '.');

		if (dot != NULL && strcasecmp(dot, ".b64") != 0 &&
		    strcasecmp(dot, ".base64") != 0 && strcasecmp(dot, ".hex") != 0)
			return say(wrong, room, text, "is written in an unknown way",
			    "nothing, .b64 or .hex behind the scheme");
		return store_string(s, k, text, wrong, room);
	}
	case KEY_WORD:
		return store_string(s, k, word, wrong, room);
	case KEY_FILE:
	case KEY_CERTIFICATE:
		return value_readable(text, wrong, room) &&
		       (k->type == KEY_CERTIFICATE || store_string(s, k, text, wrong, room));
	case KEY_TEMPLATE:
		return set_template(s, k, text, wrong, room);
	case KEY_PLAINTEXT:
		*(enum plaintext *)field(s, k) = (enum plaintext)n;
		return true;
	case KEY_SECOND:
		*(bool *)field(s, k) = n == 1;
		return true;
	case KEY_BOOL:
		return set_bool(s, k, text, wrong, room);
	case KEY_INT:
	case KEY_SECS:
		return set_number(s, k, text, wrong, room);
	case KEY_DAYS:
		return set_days(s, k, text, wrong, room);
	}
	return false;
}
