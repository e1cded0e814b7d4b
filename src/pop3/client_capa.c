/* What a server says that it can (RFC 2449). */
#include <pop3/codec.h>

#include <string.h>
#include <strings.h>

#include "client_engine.h"

struct pop3_slice
slice_word(struct pop3_slice *rest)
{
	struct pop3_slice word;
	size_t i = 0, end;

	while (i < rest->len && (rest->data[i] == ' ' || rest->data[i] == '\t'))
		i++;
	for (end = i; end < rest->len && rest->data[end] != ' ' && rest->data[end] != '\t'; end++)
		;
	word = (struct pop3_slice){ rest->data + i, end - i };
	while (end < rest->len && (rest->data[end] == ' ' || rest->data[end] == '\t'))
		end++;
	*rest = (struct pop3_slice){ rest->data + end, rest->len - end };
	return word;
}

static bool
is_word(struct pop3_slice s, const char *word)
{
	return s.len == strlen(word) && strncasecmp((const char *)s.data, word, s.len) == 0;
}

void
capa_reset(struct pop3_client_capa *capa)
{
	*capa = (struct pop3_client_capa){ .expire = -2, .login_delay = -2 };
}

/* RFC 4422, section 3.1: 1-20 of these. */
static bool
is_mechanism(struct pop3_slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = s.data[i];

		if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
			c == '-' || c == '_'))
			return false;
	}
	return s.len > 0 && s.len <= 20;
}

static void
capa_sasl(struct pop3_client_capa *capa, struct pop3_slice rest)
{
	size_t n = strlen(capa->mechs);

	capa->sasl = true;
	while (rest.len > 0) {
		struct pop3_slice mech = slice_word(&rest);

		if (!is_mechanism(mech) || n + mech.len + 2 > sizeof capa->mechs)
			continue;
		if (n > 0)
			capa->mechs[n++] = ' ';
		for (size_t i = 0; i < mech.len; i++) {
			uint8_t c = mech.data[i];

			capa->mechs[n++] = (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
		}
		capa->mechs[n] = '\0';
	}
}

static int32_t
capa_number(struct pop3_slice rest)
{
	struct pop3_slice word = slice_word(&rest);
	uint64_t v;

	if (is_word(word, "NEVER"))
		return -1;
	return pop3_number(word.data, word.len, INT32_MAX, &v, NULL) ? (int32_t)v : -2;
}

void
capa_line(struct pop3_client_capa *capa, struct pop3_slice line)
{
	struct pop3_slice tag = slice_word(&line);

	if (is_word(tag, "STLS"))
		capa->stls = true;
	else if (is_word(tag, "USER"))
		capa->user = true;
	else if (is_word(tag, "UIDL"))
		capa->uidl = true;
	else if (is_word(tag, "TOP"))
		capa->top = true;
	else if (is_word(tag, "PIPELINING"))
		capa->pipelining = true;
	else if (is_word(tag, "RESP-CODES"))
		capa->resp_codes = true;
	else if (is_word(tag, "UTF8"))
		capa->utf8 = true;
	else if (is_word(tag, "SASL"))
		capa_sasl(capa, line);
	else if (is_word(tag, "EXPIRE"))
		capa->expire = capa_number(line);
	else if (is_word(tag, "LOGIN-DELAY"))
		capa->login_delay = capa_number(line);
}
