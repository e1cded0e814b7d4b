#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/auth.h"
#include "base/fd.h"
#include "base/log.h"
#include "ipc/channel.h"

static const char wrong[] = "wrong user name or password";

static struct job *
make_job(struct conversation *c, enum job_kind kind)
{
	struct job *j = calloc(1, sizeof *j);

	if (j == NULL)
		return NULL;
	j->kind = kind;
	j->key = c->key;
	j->accounts = accounts_ref(auth.accounts);
	return j;
}

static void
add_job(struct conversation *c, struct job *j, bool slow)
{
	if (j != NULL && work_add(j, slow))
		return;
	if (j != NULL && j->exchange != NULL)
		c->exchange = j->exchange;
	job_destroy(j);
	conversation_fail(c, LA_FAIL_TEMP, "too many checks are waiting");
}

static bool
ask_pam(struct conversation *c, const char *secret)
{
	static uint8_t mem[4096];
	struct pc_check m = { .id = c->key, .secret = { (const uint8_t *)secret, strlen(secret) } };
	struct ipc_writer w;
	bool sent;

	if (strlen(c->user) >= sizeof m.user)
		return false;
	(void)snprintf(m.user, sizeof m.user, "%s", c->user);
	(void)snprintf(m.address, sizeof m.address, "%s", c->address);
	ipc_writer_init(&w, mem, sizeof mem);
	pc_check_encode(&w, &m);
	sent = !w.failed && channel_send(auth.pam.fd, w.data, w.len, NULL, 0) == 0;
	explicit_bzero(mem, sizeof mem);
	return sent;
}

/* c->user is set. */
static void
check_password(struct conversation *c, const uint8_t *secret, size_t len)
{
	const struct account *a =
	    accounts_find(auth.accounts, (const uint8_t *)c->user, strlen(c->user));
	enum scheme_kind cost;
	char prepared[LA_SECRET_MAX + 1];
	struct job *j;

	c->known = a != NULL;
	if (!sasl_prepare(secret, len, prepared, sizeof prepared)) {
		conversation_fail(c, LA_FAIL_AUTH, wrong);
		return;
	}
	if (a == NULL && auth.pam.fd != -1) {
		if (!ask_pam(c, prepared))
			conversation_fail(c, LA_FAIL_TEMP, "restante-pam takes nothing");
		explicit_bzero(prepared, sizeof prepared);
		return;
	}
	if (auth.accounts == NULL) {
		explicit_bzero(prepared, sizeof prepared);
		conversation_fail(c, LA_FAIL_TEMP, "there are no accounts to check against");
		return;
	}
	cost = accounts_scheme(auth.accounts, a)->kind;
	j = make_job(c, JOB_PASSWORD);
	if (j != NULL) {
		(void)snprintf(j->user, sizeof j->user, "%s", c->user);
		j->len = strlen(prepared);
		j->data = malloc(j->len + 1);
		if (j->data != NULL)
			memcpy(j->data, prepared, j->len);
	}
	explicit_bzero(prepared, sizeof prepared);
	if (j == NULL || j->data == NULL) {
		job_destroy(j);
		conversation_fail(c, LA_FAIL_TEMP, "out of memory");
	} else {
		add_job(c, j, cost == SCHEME_SLOW || cost == SCHEME_SCRAM);
	}
}

static void
check_user_password(
    struct conversation *c, const uint8_t *user, size_t user_len, const uint8_t *secret, size_t len)
{
	if (!sasl_prepare(user, user_len, c->user, sizeof c->user)) {
		conversation_fail(c, LA_FAIL_AUTH, wrong);
		return;
	}
	check_password(c, secret, len);
}

static void
check_apop(struct conversation *c)
{
	const uint8_t *rest = c->given + c->user_len;
	struct job *j;

	/* APOP's names and secrets are prepared as SASL's are (P6856-09) */
	if (!auth.setup.apop || c->given_len <= 16 || c->given_len - 16 >= LA_APOP_MAX ||
	    !sasl_prepare(c->given, c->user_len, c->user, sizeof c->user)) {
		conversation_fail(c, LA_FAIL_AUTH, wrong);
		return;
	}
	if (auth.accounts == NULL) {
		conversation_fail(c, LA_FAIL_TEMP, "there are no accounts to check against");
		return;
	}
	c->known = accounts_find(auth.accounts, (const uint8_t *)c->user, strlen(c->user)) != NULL;
	j = make_job(c, JOB_PASSWORD);
	if (j == NULL) {
		conversation_fail(c, LA_FAIL_TEMP, "out of memory");
		return;
	}
	j->apop = true;
	(void)snprintf(j->user, sizeof j->user, "%s", c->user);
	memcpy(j->digest, rest, sizeof j->digest);
	memcpy(j->timestamp, rest + 16, c->given_len - 16);
	add_job(c, j, false);
}

/* [authzid] NUL authcid NUL passwd (RFC 4616). */
static void
check_plain(struct conversation *c, const uint8_t *p, size_t len)
{
	const uint8_t *a = len == 0 ? NULL : memchr(p, '\0', len);
	const uint8_t *b = a == NULL ? NULL : memchr(a + 1, '\0', len - (size_t)(a + 1 - p));
	size_t rest, name;

	if (b == NULL || (rest = len - (size_t)(b + 1 - p)) == 0 ||
	    memchr(b + 1, '\0', rest) != NULL) {
		conversation_fail(c, LA_FAIL_AUTH, "malformed PLAIN response");
		return;
	}
	name = (size_t)(b - a) - 1;
	if (a != p && ((size_t)(a - p) != name || memcmp(p, a + 1, name) != 0)) {
		conversation_fail(c, LA_FAIL_AUTH, "wants to act for somebody else");
		return;
	}
	check_user_password(c, a + 1, name, b + 1, rest);
}

static void
check_login(struct conversation *c, const uint8_t *p, size_t len)
{
	if (c->login_step++ == 0) {
		if (!sasl_prepare(p, len, c->user, sizeof c->user)) {
			conversation_fail(c, LA_FAIL_AUTH, wrong);
			return;
		}
		conversation_challenge(c, (const uint8_t *)"Password:", 9);
		return;
	}
	check_password(c, p, len);
}

static void
step_exchange(struct conversation *c, const uint8_t *p, size_t len)
{
	struct job *j = make_job(c, JOB_SASL);
	uint8_t *copy = malloc(len + 1);
	struct scram_habit habit;

	if (j == NULL || copy == NULL) {
		job_destroy(j);
		free(copy);
		conversation_fail(c, LA_FAIL_TEMP, "out of memory");
		return;
	}
	if (len > 0)
		memcpy(copy, p, len);
	j->data = copy;
	j->len = len;
	j->exchange = c->exchange; /* the worker's until it comes back */
	c->exchange = NULL;
	/* only deriving keys takes long, which is done at the first word */
	accounts_scram_habit(auth.accounts, true, &habit);
	add_job(c, j, habit.plain && !c->stepped && strncmp(c->mech, "SCRAM-", 6) == 0);
	c->stepped |= len > 0;
}

static bool
listed(const char *list, const char *mech)
{
	size_t len = strlen(mech);

	for (const char *p = list; len > 0 && (p = strstr(p, mech)) != NULL; p += len)
		if ((p == list || p[-1] == ' ') && (p[len] == ' ' || p[len] == '\0'))
			return true;
	return false;
}

static bool
is_plaintext(const struct conversation *c)
{
	return c->kind == LA_PASS || (c->kind == LA_SASL && (strcmp(c->mech, "PLAIN") == 0 ||
								strcmp(c->mech, "LOGIN") == 0));
}

static bool
is_server_first(const struct conversation *c)
{
	return strcmp(c->mech, "LOGIN") == 0 || strcmp(c->mech, "CRAM-MD5") == 0;
}

static void
begin_exchange(struct conversation *c)
{
	bool bound = c->exporter_len > 0 || c->unique_len > 0;
	struct sasl_options o = { .mechanism = c->mech,
		.hostname = auth.setup.hostname,
		.exporter = c->exporter,
		.exporter_len = c->exporter_len,
		.unique = c->unique,
		.unique_len = c->unique_len,
		.plus_offered =
		    c->secure && bound && strstr(auth.setup.mechanisms, "-PLUS") != NULL };

	c->exchange = sasl_exchange_create(auth.sasl, &o);
	if (c->exchange == NULL)
		conversation_fail(c, LA_FAIL_TEMP, "the mechanism could not be started");
	else if (c->has_data || is_server_first(c))
		step_exchange(c, c->given + c->user_len, c->given_len);
	else
		conversation_challenge(c, NULL, 0);
}

void
check_begin(struct conversation *c)
{
	const uint8_t *rest = c->given + c->user_len;

	/* login has refused these already; a login that has been taken over might not */
	if (is_plaintext(c) && !c->secure && auth.setup.plaintext != 2 &&
	    !(auth.setup.plaintext == 1 && c->loopback)) {
		conversation_fail(c, LA_FAIL_NEED_TLS, "plaintext without TLS");
	} else if (c->kind == LA_PASS) {
		check_user_password(c, c->given, c->user_len, rest, c->given_len);
	} else if (c->kind == LA_APOP) {
		check_apop(c);
	} else if (!listed(auth.setup.mechanisms, c->mech)) {
		conversation_fail(c, LA_FAIL_AUTH, "no such mechanism");
	} else if (c->has_data && is_server_first(c)) { /* P5034-13 */
		conversation_fail(c, LA_FAIL_AUTH, "an initial response where none can be");
	} else if (strcmp(c->mech, "PLAIN") == 0) {
		if (c->has_data)
			check_plain(c, rest, c->given_len);
		else
			conversation_challenge(c, NULL, 0);
	} else if (strcmp(c->mech, "LOGIN") == 0) {
		conversation_challenge(c, (const uint8_t *)"Username:", 9);
	} else if (auth.accounts == NULL && auth.setup.have_accounts) {
		conversation_fail(c, LA_FAIL_TEMP, "there are no accounts to check against");
	} else {
		begin_exchange(c);
	}
}

void
check_continue(struct conversation *c, const uint8_t *data, size_t len)
{
	if (c->proved && len == 0)
		conversation_proved(c); /* the client has seen our last word */
	else if (c->proved)
		conversation_fail(c, LA_FAIL_AUTH, "it went on after the end of the exchange");
	else if (strcmp(c->mech, "PLAIN") == 0)
		check_plain(c, data, len);
	else if (strcmp(c->mech, "LOGIN") == 0)
		check_login(c, data, len);
	else
		step_exchange(c, data, len);
}

/* Fills in who the account is.  False: there is none any more. */
static bool
identify(struct conversation *c, const struct accounts *t)
{
	const struct account *a = accounts_find(t, (const uint8_t *)c->user, strlen(c->user));

	if (a == NULL || a->nologin)
		return false;
	c->who.uid = a->uid != UINT32_MAX ? a->uid : auth.setup.mail_uid;
	c->who.gid = a->gid != UINT32_MAX ? a->gid : auth.setup.mail_gid;
	c->who.login_delay = a->login_delay;
	c->who.expire = a->expire;
	(void)snprintf(c->who.home, sizeof c->who.home, "%s", a->home);
	(void)snprintf(c->who.mail, sizeof c->who.mail, "%s", a->mail == NULL ? "" : a->mail);
	c->known = true;
	return true;
}

static void
finished_sasl(struct conversation *c, struct job *j)
{
	char name[LA_USER_MAX + 1];

	c->exchange = j->exchange;
	j->exchange = NULL;
	if (j->user[0] != '\0' &&
	    sasl_prepare((const uint8_t *)j->user, strlen(j->user), name, sizeof name))
		memcpy(c->user, name, sizeof c->user);
	c->known = accounts_find(j->accounts, (const uint8_t *)c->user, strlen(c->user)) != NULL;
	if (j->result == SASL_CONTINUE) {
		conversation_challenge(c, j->out, j->out_len);
	} else if (j->result == SASL_FAILED || !identify(c, j->accounts)) {
		conversation_fail(c, LA_FAIL_AUTH, wrong);
	} else if (j->out_len > 0) {
		c->proved = true;
		conversation_challenge(c, j->out, j->out_len);
	} else {
		conversation_proved(c);
	}
}

void
check_finished(struct job *j)
{
	struct conversation *c = conversation_find(j->key);

	if (c == NULL || c->phase != PHASE_WORKING) {
		sasl_exchange_destroy(&j->exchange);
	} else if (j->kind == JOB_SASL) {
		finished_sasl(c, j);
	} else if (j->right && identify(c, j->accounts)) {
		conversation_proved(c);
	} else {
		conversation_fail(c, LA_FAIL_AUTH, wrong);
	}
	job_destroy(j);
}

void
pam_gone(void)
{
	struct conversation *c, *next;

	source_remove(auth.poller, &auth.pam);
	/* its answers will not come; which of those that work it had is not written down */
	HASH_ITER (by_key, auth.by_key, c, next)
		if (c->phase == PHASE_WORKING && !c->known && is_plaintext(c))
			conversation_fail(c, LA_FAIL_TEMP, "restante-pam is gone");
}

void
pam_ready(struct source *s, uint32_t events)
{
	static uint8_t packet[4096];
	int fds[CHANNEL_FDS];
	ssize_t n = channel_recv(s->fd, packet, sizeof packet, fds);
	struct conversation *c;
	struct ipc_reader r;
	struct pc_result m;

	(void)events;
	fd_close(&fds[0]);
	fd_close(&fds[1]);
	if (n == -1 && errno == EAGAIN)
		return;
	if (n > 0)
		ipc_reader_init(&r, packet + 1, (size_t)n - 1);
	if (n <= 0 || packet[0] != PC_RESULT || !pc_result_decode(&r, &m)) {
		log_error("restante-pam is gone%s", n > 0 ? ": it made no sense" : "");
		pam_gone();
		return;
	}
	c = conversation_find(m.id);
	if (c == NULL || c->phase != PHASE_WORKING)
		return;
	if (m.verdict == PC_TEMP) {
		conversation_fail(c, LA_FAIL_TEMP, "PAM could not check it now");
	} else if (m.verdict == PC_DENIED) {
		conversation_fail(c, LA_FAIL_AUTH, wrong);
	} else {
		c->known = true;
		c->who = (struct account_copy){
			.uid = m.uid, .gid = m.gid, .login_delay = -1, .expire = -1, .system = true
		};
		(void)snprintf(c->user, sizeof c->user, "%s", m.user);
		(void)snprintf(c->who.home, sizeof c->who.home, "%s", m.home);
		conversation_proved(c);
	}
}
