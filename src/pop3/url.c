#include <pop3/url.h>

#include <string.h>
#include <strings.h>

#include <pop3/codec.h>

static bool
is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* RFC 2384, section 4: what may stand in a user name without being encoded. */
static bool
is_achar(char c)
{
	return is_alnum(c) || (c != '\0' && strchr("$-_.+!*'(),&=~", c) != NULL);
}

static const char *
parse_user(const char *p, size_t len, char *user, size_t room)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		int c = (uint8_t)p[i];

		if (c == ':')
			return "a POP URL has no place for a password";
		if (c == '%') {
			if (i + 2 >= len || hex(p[i + 1]) == -1 || hex(p[i + 2]) == -1)
				return "a % in the user name is not followed by two hex digits";
			c = hex(p[i + 1]) << 4 | hex(p[i + 2]);
			i += 2;
		} else if (c == '@') {
			return "the @ in the user name has to be written as %40";
		} else if (!is_achar(p[i])) {
			return "a character of the user name has to be written as % and two hex "
			       "digits";
		}
		if (c < 0x20 || c == 0x7f)
			return "a control character in the user name";
		if (n + 1 == room)
			return "the user name is too long";
		user[n++] = (char)c;
	}
	user[n] = '\0';
	if (n == 0)
		return "the user name is empty";
	return pop3_utf8_valid((const uint8_t *)user, n) ? NULL : "the user name is no UTF-8";
}

static const char *
parse_auth(const char *p, size_t len, struct pop3_url *u)
{
	if (len == 1 && *p == '*')
		return NULL;
	if (len == 5 && strncasecmp(p, "+APOP", 5) == 0) {
		u->auth = POP3_URL_APOP;
		return NULL;
	}
	if (len == 0 || len >= sizeof u->mech || *p == '+')
		return "the mechanism behind AUTH= is not known";
	for (size_t i = 0; i < len; i++) {
		if (!is_alnum(p[i]) && p[i] != '-' && p[i] != '_')
			return "the mechanism behind AUTH= is not known";
		u->mech[i] = p[i] >= 'a' && p[i] <= 'z' ? (char)(p[i] - 'a' + 'A') : p[i];
	}
	u->mech[len] = '\0';
	u->auth = POP3_URL_SASL;
	return NULL;
}

static const char *
parse_userinfo(const char *p, size_t len, struct pop3_url *u)
{
	const char *semi = memchr(p, ';', len);
	size_t user = semi == NULL ? len : (size_t)(semi - p);
	const char *why;

	if (semi != NULL) {
		if (len - user < 6 || strncasecmp(semi, ";AUTH=", 6) != 0)
			return "only AUTH= may follow a ; (one in a user name is written as %3B)";
		why = parse_auth(semi + 6, len - user - 6, u);
		if (why != NULL)
			return why;
		if (user == 0)
			return NULL; /* ";AUTH=x@host": the mechanism may know the name */
	}
	return parse_user(p, user, u->user, sizeof u->user);
}

/* Returns what stands behind the host, or NULL. */
static const char *
parse_host(const char *p, struct pop3_url *u)
{
	size_t n = 0;

	if (*p == '[') {
		u->literal = true;
		for (p++; *p != ']'; p++) {
			if ((hex(*p) == -1 && *p != ':' && *p != '.') || n > 45)
				return NULL;
			u->host[n++] = lower(*p);
		}
		p++;
	} else {
		bool letter = false;

		for (; is_alnum(*p) || *p == '-' || *p == '.' || *p == '_'; p++) {
			if (n + 1 == sizeof u->host || (*p == '.' && (n == 0 || p[-1] == '.')))
				return NULL;
			letter = letter || !((*p >= '0' && *p <= '9') || *p == '.');
			u->host[n++] = lower(*p);
		}
		u->literal = !letter; /* digits and dots alone: IPv4 */
	}
	u->host[n] = '\0';
	return n == 0 || u->host[0] == '-' ? NULL : p;
}

const char *
pop3_url_parse(const char *text, struct pop3_url *ret)
{
	struct pop3_url u = { .port = 110 };
	const char *at, *why;
	uint64_t port;
	size_t len;

	if (strncasecmp(text, "pop://", 6) == 0) {
		text += 6;
	} else if (strncasecmp(text, "pops://", 7) == 0) {
		text += 7;
		u.tls = true;
		u.port = 995;
	} else {
		return "a POP URL begins with pop:// or pops://";
	}
	at = strrchr(text, '@');
	if (at != NULL) {
		why = parse_userinfo(text, (size_t)(at - text), &u);
		if (why != NULL)
			return why;
		text = at + 1;
	}
	text = parse_host(text, &u);
	if (text == NULL)
		return "the host is no name (in ASCII, as in the DNS) and no address";
	if (*text == ':') {
		len = strcspn(++text, "/");
		if (!pop3_number((const uint8_t *)text, len, 65535, &port, NULL) || port == 0)
			return "the port is no number from 1 to 65535";
		u.port = (uint16_t)port;
		text += len;
	}
	if (strcmp(text, "") != 0 && strcmp(text, "/") != 0)
		return "something stands behind host and port";
	*ret = u;
	return NULL;
}
