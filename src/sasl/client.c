#include "sasl/client.h"

#include <gsasl.h>
#include <pop3/codec.h>
#include <stdlib.h>
#include <string.h>

enum {
	CHALLENGE_MAX = 65536,
	/* A server that wants more rounds than this wants our time, not our proof. */
	ITERATIONS_MAX = 1000000,
};

struct sasl_caller {
	Gsasl *lib;
	Gsasl_session *session;
	char *out;
	size_t out_len;
	bool first, complete, failed, scram;
};

/* In order of preference.  CRAM-MD5 gives the password away to who guesses, hence only by name. */
static const struct {
	const char *name;
	bool plus, plaintext, by_name;
} mechanisms[] = {
	{ "SCRAM-SHA-256-PLUS", .plus = true },
	{ "SCRAM-SHA-1-PLUS", .plus = true },
	{ "SCRAM-SHA-256" },
	{ "SCRAM-SHA-1" },
	{ "PLAIN", .plaintext = true },
	{ "CRAM-MD5", .by_name = true },
};
enum { MECHANISMS = sizeof mechanisms / sizeof *mechanisms };

bool
sasl_is_listed(const char *announced, const char *mechanism)
{
	size_t len = strlen(mechanism);

	for (const char *p = announced; (p = strstr(p, mechanism)) != NULL; p += len)
		if ((p == announced || p[-1] == ' ') && (p[len] == ' ' || p[len] == '\0'))
			return true;
	return false;
}

const char *
sasl_caller_choose(const char *announced, bool bound, bool plaintext)
{
	for (size_t i = 0; i < MECHANISMS; i++)
		if (!mechanisms[i].by_name && (!mechanisms[i].plus || bound) &&
		    (!mechanisms[i].plaintext || plaintext) &&
		    sasl_is_listed(announced, mechanisms[i].name))
			return mechanisms[i].name;
	return NULL;
}

bool
sasl_caller_has(const char *mechanism)
{
	for (size_t i = 0; i < MECHANISMS; i++)
		if (strcmp(mechanisms[i].name, mechanism) == 0)
			return true;
	return false;
}

/* GNU SASL takes bindings in base64. */
static bool
bind_channel(Gsasl_session *s, Gsasl_property prop, const uint8_t *data, size_t len)
{
	char text[128];
	size_t n;

	if (data == NULL || len == 0)
		return true;
	if ((len + 2) / 3 * 4 >= sizeof text)
		return false;
	n = pop3_base64_encode(data, len, (uint8_t *)text);
	text[n] = '\0';
	return gsasl_property_set(s, prop, text) == GSASL_OK;
}

struct sasl_caller *
sasl_caller_create(const struct sasl_caller_options *o)
{
	struct sasl_caller *c = calloc(1, sizeof *c);
	size_t len = strlen(o->mechanism);
	bool plus = len > 5 && strcmp(o->mechanism + len - 5, "-PLUS") == 0;

	if (c == NULL || !sasl_caller_has(o->mechanism) || gsasl_init(&c->lib) != GSASL_OK ||
	    gsasl_client_start(c->lib, o->mechanism, &c->session) != GSASL_OK)
		goto fail;
	c->scram = strncmp(o->mechanism, "SCRAM-", 6) == 0;
	c->first = strcmp(o->mechanism, "CRAM-MD5") != 0;
	if (gsasl_property_set(c->session, GSASL_AUTHID, o->user) != GSASL_OK ||
	    gsasl_property_set(c->session, GSASL_PASSWORD, o->secret) != GSASL_OK)
		goto fail;
	if (plus &&
	    (!bind_channel(c->session, GSASL_CB_TLS_EXPORTER, o->exporter, o->exporter_len) ||
		!bind_channel(c->session, GSASL_CB_TLS_UNIQUE, o->unique, o->unique_len)))
		goto fail;
	return c;
fail:
	sasl_caller_destroy(&c);
	return NULL;
}

static void
forget_output(struct sasl_caller *c)
{
	if (c->out != NULL) {
		explicit_bzero(c->out, c->out_len);
		gsasl_free(c->out);
	}
	c->out = NULL;
	c->out_len = 0;
}

void
sasl_caller_destroy(struct sasl_caller **cp)
{
	struct sasl_caller *c = *cp;

	if (c == NULL)
		return;
	forget_output(c);
	if (c->session != NULL)
		gsasl_finish(c->session);
	if (c->lib != NULL)
		gsasl_done(c->lib);
	free(c);
	*cp = NULL;
}

bool
sasl_caller_is_first(const struct sasl_caller *c)
{
	return c->first;
}

bool
sasl_caller_complete(const struct sasl_caller *c)
{
	return c->complete && !c->failed;
}

/* "i=" in the server's first message: at most ITERATIONS_MAX. */
static bool
iterations_bearable(const uint8_t *in, size_t len)
{
	for (size_t i = 0; i + 3 < len; i++) {
		uint64_t rounds;
		size_t n = 0;

		if (in[i] != ',' || in[i + 1] != 'i' || in[i + 2] != '=')
			continue;
		while (i + 3 + n < len && in[i + 3 + n] != ',')
			n++;
		return pop3_number(in + i + 3, n, ITERATIONS_MAX, &rounds, NULL);
	}
	return true; /* the message with the proof has none */
}

bool
sasl_caller_step(
    struct sasl_caller *c, const uint8_t *in, size_t len, const uint8_t **ret_out, size_t *ret_len)
{
	int r;

	forget_output(c);
	if (c->failed || len > CHALLENGE_MAX || (c->scram && !iterations_bearable(in, len)))
		goto fail;
	if (c->complete) { /* nothing is left to say */
		if (len > 0)
			goto fail;
		*ret_out = (const uint8_t *)"";
		*ret_len = 0;
		return true;
	}
	r = gsasl_step(c->session, (const char *)in, len, &c->out, &c->out_len);
	if (r != GSASL_OK && r != GSASL_NEEDS_MORE)
		goto fail;
	c->complete = r == GSASL_OK;
	*ret_out = c->out_len > 0 ? (const uint8_t *)c->out : (const uint8_t *)"";
	*ret_len = c->out_len;
	return true;
fail:
	c->failed = true;
	return false;
}
