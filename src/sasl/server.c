#include "sasl/server.h"

#include <gsasl.h>
#include <pop3/codec.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sasl_server {
	Gsasl *lib;
};

struct sasl_exchange {
	Gsasl_session *session;
	bool plus_offered;
	sasl_lookup *lookup;
	void *arg;
	struct sasl_secret secret;
	char mechanism[24];
	char *out;
	bool first; /* nothing was said yet */
	bool have_secret;
	bool succeeded; /* the client has proved it; its last answer is to come */
};

/* What the library asks: answers are set as properties. */
static int
property(Gsasl *lib, Gsasl_session *session, Gsasl_property prop)
{
	struct sasl_exchange *x = gsasl_session_hook_get(session);
	const char *user;
	char number[16];

	(void)lib;
	if (x == NULL || x->lookup == NULL)
		return GSASL_NO_CALLBACK;
	if (prop == GSASL_CB_TLS_EXPORTER || prop == GSASL_CB_TLS_UNIQUE)
		return GSASL_NO_CALLBACK; /* set beforehand, or not there */
	user = gsasl_property_fast(session, GSASL_AUTHID);
	if (user == NULL)
		return GSASL_NO_CALLBACK;
	if (!x->have_secret && !x->lookup(x->arg, x->mechanism, user, &x->secret))
		return GSASL_NO_CALLBACK;
	x->have_secret = true;
	switch (prop) {
	case GSASL_SCRAM_ITER:
		(void)snprintf(number, sizeof number, "%u", x->secret.iterations);
		return gsasl_property_set(session, prop, number);
	case GSASL_SCRAM_SALT:
		return gsasl_property_set(session, prop, x->secret.salt);
	case GSASL_SCRAM_STOREDKEY:
		return gsasl_property_set(session, prop, x->secret.stored);
	case GSASL_SCRAM_SERVERKEY:
		return gsasl_property_set(session, prop, x->secret.server);
	case GSASL_PASSWORD:
		if (strcmp(x->mechanism, "CRAM-MD5") != 0)
			return GSASL_NO_CALLBACK; /* SCRAM has its keys */
		return gsasl_property_set(session, prop, x->secret.password);
	default:
		return GSASL_NO_CALLBACK;
	}
}

struct sasl_server *
sasl_server_create(void)
{
	struct sasl_server *s = calloc(1, sizeof *s);

	if (s == NULL)
		return NULL;
	if (gsasl_init(&s->lib) != GSASL_OK) {
		free(s);
		return NULL;
	}
	gsasl_callback_set(s->lib, property);
	return s;
}

void
sasl_server_destroy(struct sasl_server **s)
{
	if (*s == NULL)
		return;
	gsasl_done((*s)->lib);
	free(*s);
	*s = NULL;
}

static bool
set_binding(struct sasl_exchange *x, Gsasl_property prop, const uint8_t *data, size_t len)
{
	char text[256];

	if (len == 0 || (len + 2) / 3 * 4 >= sizeof text)
		return true;
	text[pop3_base64_encode(data, len, (uint8_t *)text)] = '\0';
	return gsasl_property_set(x->session, prop, text) == GSASL_OK;
}

struct sasl_exchange *
sasl_exchange_create(struct sasl_server *s, const struct sasl_options *o)
{
	struct sasl_exchange *x = calloc(1, sizeof *x);
	bool plus;

	if (x == NULL)
		return NULL;
	x->plus_offered = o->plus_offered;
	x->first = true;
	(void)snprintf(x->mechanism, sizeof x->mechanism, "%s", o->mechanism);
	if (gsasl_server_start(s->lib, x->mechanism, &x->session) != GSASL_OK) {
		free(x);
		return NULL;
	}
	gsasl_session_hook_set(x->session, x);
	/* only where it is used: libgsasl takes a binding for an offer of -PLUS, and would refuse
	 * the "y" of a client to which none was made */
	plus = strstr(x->mechanism, "-PLUS") != NULL;
	if (gsasl_property_set(x->session, GSASL_SERVICE, "pop") != GSASL_OK ||
	    gsasl_property_set(x->session, GSASL_HOSTNAME, o->hostname) != GSASL_OK ||
	    (plus && (!set_binding(x, GSASL_CB_TLS_EXPORTER, o->exporter, o->exporter_len) ||
			 !set_binding(x, GSASL_CB_TLS_UNIQUE, o->unique, o->unique_len))))
		sasl_exchange_destroy(&x);
	return x;
}

void
sasl_exchange_destroy(struct sasl_exchange **xp)
{
	struct sasl_exchange *x = *xp;

	if (x == NULL)
		return;
	gsasl_finish(x->session);
	gsasl_free(x->out);
	explicit_bzero(&x->secret, sizeof x->secret);
	free(x);
	*xp = NULL;
}

void
sasl_exchange_lookup(struct sasl_exchange *x, sasl_lookup *lookup, void *arg)
{
	x->lookup = lookup;
	x->arg = arg;
}

const char *
sasl_exchange_user(const struct sasl_exchange *x)
{
	return gsasl_property_fast(x->session, GSASL_AUTHID);
}

/* "," and "=" arrive as "=2C" and "=3D" in a=authzid and n=name; no other "=" may (P5802-03). */
static bool
names_are_written_right(const uint8_t *in, size_t len)
{
	size_t field = 0, start = 0;

	for (size_t i = 0; i < len && field < 3; i++) {
		if (in[i] == ',') {
			field++;
			start = i + 1;
		} else if (in[i] == '=' && field > 0 && i != start + 1 &&
			   (len - i < 3 ||
			       (memcmp(in + i, "=2C", 3) != 0 && memcmp(in + i, "=3D", 3) != 0))) {
			return false;
		}
	}
	return true;
}

/*
 * What libgsasl leaves to us of the first word of SCRAM's clients.  Besides names: "p" is for
 * -PLUS alone; and one that says "y" could bind and believes that we cannot, while we announce
 * that we can: somebody stands between (P5802-08).
 */
static bool
is_fine_first(const struct sasl_exchange *x, const uint8_t *in, size_t len)
{
	if (!x->first || len == 0 || strncmp(x->mechanism, "SCRAM-", 6) != 0)
		return true;
	if ((in[0] == 'p') != (strstr(x->mechanism, "-PLUS") != NULL))
		return false;
	return !(x->plus_offered && in[0] == 'y') && names_are_written_right(in, len);
}

enum sasl_result
sasl_exchange_step(struct sasl_exchange *x, const uint8_t *in, size_t len, const uint8_t **ret_out,
    size_t *ret_len)
{
	const char *authzid;
	size_t out_len = 0;
	int r;

	gsasl_free(x->out);
	x->out = NULL;
	*ret_out = NULL;
	*ret_len = 0;
	if (x->succeeded) /* our last word was answered, by nothing */
		return len == 0 ? SASL_SUCCESS : SASL_FAILED;
	if (!is_fine_first(x, in, len))
		return SASL_FAILED;
	if (len > 0)
		x->first = false;
	r = gsasl_step(x->session, (const char *)in, len, &x->out, &out_len);
	*ret_out = (const uint8_t *)x->out;
	*ret_len = out_len;
	if (r == GSASL_NEEDS_MORE)
		return SASL_CONTINUE;
	if (r != GSASL_OK)
		return SASL_FAILED;
	authzid = gsasl_property_fast(x->session, GSASL_AUTHZID);
	if (authzid != NULL && *authzid != '\0' && strcmp(authzid, sasl_exchange_user(x)) != 0)
		return SASL_FAILED; /* nobody acts for somebody else */
	x->succeeded = out_len > 0;
	return SASL_SUCCESS;
}

bool
sasl_prepare(const uint8_t *in, size_t len, char *out, size_t room)
{
	char *text, *prepared = NULL;
	bool ok = false, ascii = true;

	if (len == 0 || len >= room || memchr(in, '\0', len) != NULL)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (in[i] < 0x20 || in[i] == 0x7f)
			return false;
		ascii &= in[i] < 0x80;
	}
	if (ascii) {
		memcpy(out, in, len);
		out[len] = '\0';
		return true;
	}
	if (!pop3_utf8_valid(in, len)) /* P6856-10; the library below need not see it */
		return false;
	text = strndup((const char *)in, len);
	if (text != NULL &&
	    gsasl_saslprep(text, GSASL_ALLOW_UNASSIGNED, &prepared, NULL) == GSASL_OK &&
	    *prepared != '\0' && strlen(prepared) < room) {
		memcpy(out, prepared, strlen(prepared) + 1);
		ok = true;
	}
	if (text != NULL)
		explicit_bzero(text, len);
	free(text);
	if (prepared != NULL)
		explicit_bzero(prepared, strlen(prepared));
	gsasl_free(prepared);
	return ok;
}
