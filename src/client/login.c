#include "client/login.h"

#include <openssl/evp.h>
#include <string.h>
#include <strings.h>

#include "client/link.h"
#include "client/report.h"
#include "client/trouble.h"
#include "sasl/client.h"

struct attempt {
	const struct link_options *o;
	const struct credentials *c;
	struct link *link;
	struct pop3_client *pop;
	bool no_capa; /* the server closed the connection when it was asked */
	bool asking_capa;
};

/* Whether the words of a server without codes speak of something that passes (Q-S26). */
static bool
sounds_temporary(struct pop3_slice text)
{
	static const char *const words[] = { "lock", "wait", "unavailable", "busy", "temporar",
		"try again", "in use" };

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		for (size_t at = 0; at + strlen(words[i]) <= text.len; at++)
			if (strncasecmp((const char *)text.data + at, words[i], strlen(words[i])) ==
			    0)
				return true;
	return false;
}

/* The exit status that a -ERR to a login stands for. */
static int
status_of(const struct attempt *a, const struct pop3_client_event *ev)
{
	switch (ev->code) {
	case POP3_CODE_IN_USE:
	case POP3_CODE_LOGIN_DELAY:
	case POP3_CODE_SYS_TEMP:
		return EX_TEMPFAIL;
	case POP3_CODE_SYS_PERM:
		return EX_UNAVAILABLE;
	case POP3_CODE_NONE:
		return !pop3_client_capa(a->pop)->resp_codes && sounds_temporary(ev->text)
			   ? EX_TEMPFAIL
			   : EX_NOPERM;
	default:
		return EX_NOPERM;
	}
}

static int
refused(const struct attempt *a, const char *what, const struct pop3_client_event *ev,
    struct trouble *t)
{
	return trouble_set(t, status_of(a, ev), "%s: %s: %.*s", a->o->url->host, what,
	    (int)(ev->text.len > 300 ? 300 : ev->text.len), (const char *)ev->text.data);
}

static int
unsendable(const char *what, struct trouble *t)
{
	return trouble_set(t, EX_DATAERR, "%s cannot be sent in a POP3 command", what);
}

static int
ask_capa(struct attempt *a, struct trouble *t)
{
	struct pop3_client_event ev;
	int r;

	if (a->no_capa)
		return 0;
	if (!pop3_client_capa_ask(a->pop))
		return trouble_set(t, EX_SOFTWARE, "CAPA was not possible");
	a->asking_capa = true;
	r = link_done(a->link, &ev, t); /* -ERR: there is none; what works is found by use */
	a->asking_capa = r == -1;
	return r;
}

/* TLS, if it is not there and can be; and the end, if it is not there and must be. */
static int
protect(struct attempt *a, struct trouble *t)
{
	const struct pop3_client_capa *capa = pop3_client_capa(a->pop);
	struct pop3_client_event ev;

	if (link_is_tls(a->link))
		return 0;
	/* who has no CAPA may have STLS; asking gives nothing away (P8314-10) */
	if (capa->stls || (!capa->known && !a->o->plaintext)) {
		if (!pop3_client_stls(a->pop))
			return trouble_set(t, EX_SOFTWARE, "STLS was not possible");
		if (link_done(a->link, &ev, t) == -1)
			return -1;
		if (ev.ok)
			return link_start_tls(a->link, t) == -1 ? -1 : ask_capa(a, t);
	}
	if (a->o->plaintext)
		return 0;
	return trouble_set(t, EX_UNAVAILABLE,
	    "%s: the server offers no TLS here, and cleartext is not permitted", a->o->url->host);
}

/* 1 logged in, 0 refused (and t says so), -1 the end. */
static int
by_sasl(struct attempt *a, const char *mech, struct trouble *t)
{
	uint8_t exporter[32], unique[64];
	struct sasl_caller_options o = {
		.mechanism = mech,
		.user = a->c->user,
		.secret = a->c->secret,
		.exporter = exporter,
		.exporter_len = link_exporter(a->link, exporter),
		.unique = unique,
		.unique_len = link_unique(a->link, unique, sizeof unique),
	};
	struct sasl_caller *sasl = sasl_caller_create(&o);
	const uint8_t *out = NULL;
	struct pop3_client_event ev;
	size_t len = 0;
	int r = -1;

	if (sasl == NULL) {
		trouble_set(t, EX_UNAVAILABLE, "%s is not possible here", mech);
		goto out;
	}
	if (sasl_caller_is_first(sasl) && !sasl_caller_step(sasl, NULL, 0, &out, &len)) {
		trouble_set(t, EX_DATAERR, "%s: user name or password cannot be prepared", mech);
		goto out;
	}
	if (!pop3_client_auth(a->pop, mech, out, len, false)) {
		unsendable(mech, t);
		goto out;
	}
	for (;;) {
		if (link_next(a->link, &ev, t) == -1)
			goto out;
		if (ev.type == POP3_CEV_DONE)
			break;
		if (sasl_caller_step(sasl, ev.data.data, ev.data.len, &out, &len)
			? !pop3_client_respond(a->pop, out, len)
			: !pop3_client_auth_cancel(a->pop)) {
			trouble_set(t, EX_OSERR, "out of memory");
			goto out;
		}
	}
	if (!ev.ok) {
		refused(a, "login", &ev, t);
		r = 0;
	} else if (!sasl_caller_complete(sasl)) {
		trouble_set(t, EX_PROTOCOL,
		    "%s: the server has not proved that it knows the password", a->o->url->host);
	} else {
		r = 1;
	}
out:
	sasl_caller_destroy(&sasl);
	explicit_bzero(exporter, sizeof exporter);
	return r;
}

/* Waits for the answer to a command that carried a credential.  1, 0 or -1 as above. */
static int
answered(struct attempt *a, bool given, const char *what, struct trouble *t)
{
	struct pop3_client_event ev;

	if (!given)
		return unsendable(what, t);
	if (link_done(a->link, &ev, t) == -1)
		return -1;
	if (!ev.ok)
		refused(a, "login", &ev, t);
	return ev.ok;
}

static int
by_pass(struct attempt *a, struct trouble *t)
{
	int r = answered(a, pop3_client_user(a->pop, a->c->user), "the user name", t);

	if (r != 1)
		return r;
	return answered(a, pop3_client_pass(a->pop, a->c->secret), "the password", t);
}

static int
by_apop(struct attempt *a, struct trouble *t)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	struct pop3_slice stamp;
	uint8_t digest[16];
	int r = -1;

	if (!pop3_client_timestamp(a->pop, &stamp))
		trouble_set(t, EX_UNAVAILABLE, "%s: the server has no APOP%s", a->o->url->host,
		    link_is_tls(a->link) && !a->o->url->tls ? " after STLS" : "");
	else if (md == NULL || EVP_DigestInit_ex(md, EVP_md5(), NULL) != 1 ||
		 EVP_DigestUpdate(md, stamp.data, stamp.len) != 1 ||
		 EVP_DigestUpdate(md, a->c->secret, strlen(a->c->secret)) != 1 ||
		 EVP_DigestFinal_ex(md, digest, NULL) != 1)
		trouble_set(t, EX_UNAVAILABLE, "MD5 is not to be had on this machine");
	else
		r = answered(a, pop3_client_apop(a->pop, a->c->user, digest), "the user name", t);
	EVP_MD_CTX_free(md);
	return r;
}

static int
by_named(struct attempt *a, struct trouble *t)
{
	const struct pop3_url *u = a->o->url;
	const struct pop3_client_capa *capa = pop3_client_capa(a->pop);
	int r;

	if (u->auth == POP3_URL_APOP)
		r = by_apop(a, t);
	else if (!sasl_caller_has(u->mech))
		r = trouble_set(t, EX_UNAVAILABLE, "%s is not known here", u->mech);
	else if (capa->known && !sasl_is_listed(capa->mechs, u->mech))
		r = trouble_set(
		    t, EX_UNAVAILABLE, "%s: the server does not offer %s", u->host, u->mech);
	else
		r = by_sasl(a, u->mech, t);
	return r == 1 ? 0 : -1;
}

/* The best way there is.  When SCRAM is refused the user may be one that the server has no SCRAM
 * keys of: the password itself is tried then, once, and under TLS only. */
static int
by_best(struct attempt *a, struct trouble *t)
{
	const struct pop3_client_capa *capa = pop3_client_capa(a->pop);
	bool tls = link_is_tls(a->link);
	const char *mech = NULL;
	uint8_t binding[64];
	int r;

	if (capa->sasl)
		mech = sasl_caller_choose(capa->mechs,
		    link_exporter(a->link, binding) > 0 ||
			link_unique(a->link, binding, sizeof binding) > 0,
		    tls || a->o->plaintext);
	explicit_bzero(binding, sizeof binding);
	if (mech != NULL) {
		r = by_sasl(a, mech, t);
		if (r != 0 || strcmp(mech, "PLAIN") == 0 || t->status != EX_NOPERM || !tls)
			return r == 1 ? 0 : -1;
		if (sasl_is_listed(capa->mechs, "PLAIN"))
			return by_sasl(a, "PLAIN", t) == 1 ? 0 : -1;
		if (!capa->user)
			return -1;
	} else if (!tls && !a->o->plaintext) {
		return trouble_set(t, EX_UNAVAILABLE, "%s: no login without TLS", a->o->url->host);
	}
	return by_pass(a, t) == 1 ? 0 : -1;
}

static int
try_login(struct attempt *a, struct trouble *t)
{
	struct pop3_client_event ev;

	if (link_open(a->o, &a->link, t) == -1)
		return -1;
	a->pop = link_pop(a->link);
	if (link_done(a->link, &ev, t) == -1)
		return -1;
	if (!ev.ok) { /* P1939-31: no word about our credentials */
		refused(a, "the server does not serve", &ev, t);
		t->status = EX_TEMPFAIL;
		return -1;
	}
	if (ask_capa(a, t) == -1 || protect(a, t) == -1)
		return -1;
	if ((a->o->url->auth == POP3_URL_ANY ? by_best(a, t) : by_named(a, t)) == -1)
		return -1;
	return ask_capa(a, t); /* Q-S05: some say only now what they can */
}

int
login(
    const struct link_options *o, const struct credentials *c, struct link **ret, struct trouble *t)
{
	struct attempt a = { .o = o, .c = c };
	int r = try_login(&a, t);

	if (r == -1 && a.asking_capa && a.link != NULL && link_is_lost(a.link)) { /* Q-S04 */
		report_say(o->report, "%s cannot bear CAPA; once more without it", o->url->host);
		link_close(&a.link);
		a.no_capa = true;
		r = try_login(&a, t);
	}
	if (r == -1) {
		link_close(&a.link);
		return -1;
	}
	*ret = a.link;
	return 0;
}
