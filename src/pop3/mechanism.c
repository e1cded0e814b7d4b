#include "mechanism.h"

#include <pop3/server.h>
#include <string.h>
#include <strings.h>

bool
mechanism_is_name(const struct pop3_slice *m)
{
	if (m->len < 1 || m->len > 20)
		return false;
	for (size_t i = 0; i < m->len; i++) {
		uint8_t c = m->data[i];

		if (!(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
		    c != '-' && c != '_')
			return false;
	}
	return true;
}

struct pop3_slice
mechanism_next(const char **at)
{
	struct pop3_slice m = { NULL, 0 };

	if (*at == NULL)
		return m;
	*at += strspn(*at, " ");
	m.data = (const uint8_t *)*at;
	m.len = strcspn(*at, " ");
	*at += m.len;
	return m;
}

struct pop3_slice
mechanism_find(const char *list, const struct pop3_slice *m)
{
	for (;;) {
		struct pop3_slice have = mechanism_next(&list);

		if (have.len == 0 ||
		    (have.len == m->len &&
			strncasecmp((const char *)have.data, (const char *)m->data, m->len) == 0))
			return have;
	}
}

bool
mechanism_is_exposed(const struct pop3_slice *m, bool tls, bool plaintext)
{
	/* a bearer token is good for all of an account, not for mail alone: P7628-02 knows no
	 * exception, as there is one for passwords */
	if (mechanism_find("OAUTHBEARER XOAUTH2", m).len > 0)
		return !tls;
	return !plaintext && mechanism_find("PLAIN LOGIN", m).len > 0;
}

bool
mechanism_is_server_first(const struct pop3_slice *m)
{
	return mechanism_find("LOGIN CRAM-MD5", m).len > 0;
}

const char *
pop3_mechanisms_usable(const char *all, bool tls, bool plaintext, char *out)
{
	struct pop3_slice m;
	size_t n = 0;

	while ((m = mechanism_next(&all)).len > 0) {
		bool plus = m.len > 5 && memcmp(m.data + m.len - 5, "-PLUS", 5) == 0;

		if ((plus && !tls) || mechanism_is_exposed(&m, tls, plaintext))
			continue;
		if (n > 0)
			out[n++] = ' ';
		memcpy(out + n, m.data, m.len);
		n += m.len;
	}
	out[n] = '\0';
	return n > 0 ? out : NULL;
}
