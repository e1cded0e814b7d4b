/* Starting each kind of child, and introducing it to the others. */
#include "supervisor/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fd.h"
#include "base/log.h"
#include "conf/settings.h"
#include "ipc/channel.h"

enum { PEM_MAX = 64 * 1024, PACKET_MAX = CHANNEL_MAX, MAILDROPS_MAX = 16384 };

static struct child *
begin(struct server *s, enum child_role role, struct fault *f)
{
	struct child *c = child_start(role, s->libexec, f);

	if (c != NULL && s->syslog != -1 && child_send_type(c, SU_LOG, s->syslog) == -1) {
		fault_set(f, FAULT_TEMP, "tell %s about the log: %s", c->who, strerror(errno));
		child_destroy(&c);
	}
	return c;
}

static int
told(const struct child *c, int r, struct fault *f)
{
	if (r == -1)
		return fault_set(f, FAULT_TEMP, "set up %s: %s", c->who, strerror(errno));
	return 0;
}

static void
adopt(struct server *s, struct child *c)
{
	c->next = s->children;
	s->children = c;
}

/* Makes a channel between a and b: each gets one end, labelled with the other's role. */
static int
introduce(struct child *a, enum peer_role role_of_a, struct child *b, enum peer_role role_of_b,
    uint64_t id, struct fault *f)
{
	struct peer_setup to_a = { .role = (uint8_t)role_of_b, .id = id };
	struct peer_setup to_b = { .role = (uint8_t)role_of_a, .id = id };
	uint8_t mem[32];
	struct ipc_writer w;
	int pair[2], r = -1;

	if (channel_pair(pair) == -1)
		return fault_set(f, FAULT_TEMP, "make a channel: %s", strerror(errno));
	ipc_writer_init(&w, mem, sizeof mem);
	peer_setup_encode(&w, SU_PEER, &to_a);
	if (told(a, child_send(a, &w, pair[0]), f) == -1)
		goto out;
	ipc_writer_init(&w, mem, sizeof mem);
	peer_setup_encode(&w, SU_PEER, &to_b);
	r = told(b, child_send(b, &w, pair[1]), f);
out:
	fd_close(&pair[0]);
	fd_close(&pair[1]);
	return r;
}

void
introduce_login(struct server *s, struct child *login)
{
	struct child *auth = server_find(s, CHILD_AUTH);
	struct fault f = { 0 };

	/* one that has just died is found here still, and cannot be told: another one follows */
	if (auth != NULL &&
	    introduce(login, PEER_LOGIN, auth, PEER_AUTH, (uint64_t)login->pid, &f) == -1)
		log_debug("%s", f.text);
}

int
send_accounts(struct server *s, struct child *auth)
{
	int fd, r;

	if (s->settings->accounts == NULL)
		return 0;
	fd = open(s->settings->accounts, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd == -1)
		log_error("accounts: open \"%s\": %s", s->settings->accounts, strerror(errno));
	r = child_send_type(auth, SU_ACCOUNTS, fd);
	fd_close(&fd);
	return r;
}

int
start_pam(struct server *s, struct fault *f)
{
	struct child *c = begin(s, CHILD_PAM, f);
	struct pam_setup setup;
	uint8_t mem[512];
	struct ipc_writer w;

	if (c == NULL)
		return -1;
	configure_pam(s->settings, &setup);
	ipc_writer_init(&w, mem, sizeof mem);
	pam_setup_encode(&w, &setup);
	if (told(c, child_send(c, &w, -1), f) == -1) {
		child_destroy(&c);
		return -1;
	}
	adopt(s, c);
	return 0;
}

int
start_auth(struct server *s, struct fault *f)
{
	struct child *c = begin(s, CHILD_AUTH, f), *pam = server_find(s, CHILD_PAM);
	struct auth_setup setup;
	uint8_t mem[8192];
	struct ipc_writer w;

	if (c == NULL)
		return -1;
	configure_auth(s->settings, &s->ids, &setup);
	ipc_writer_init(&w, mem, sizeof mem);
	auth_setup_encode(&w, SU_AUTH, &setup);
	if (told(c, child_send(c, &w, -1), f) == -1 || told(c, send_accounts(s, c), f) == -1)
		goto fail;
	if (pam != NULL && (introduce(pam, PEER_PAM, c, PEER_AUTH, 0, f) == -1 ||
			       told(pam, child_send_type(pam, SU_START, -1), f) == -1))
		goto fail;
	/* login processes that have outlived another auth */
	for (struct child *l = s->children; l != NULL; l = l->next)
		if (l->role == CHILD_LOGIN && l->channel != -1 &&
		    introduce(l, PEER_LOGIN, c, PEER_AUTH, (uint64_t)l->pid, f) == -1)
			goto fail;
	if (told(c, child_send_type(c, SU_START, -1), f) == -1)
		goto fail;
	adopt(s, c);
	return 0;
fail:
	child_destroy(&c);
	return -1;
}

/* The PEM of one certificate, as settings name it, into a packet. */
static int
send_certificate(
    struct child *c, const struct settings_certificate *cert, uint8_t *mem, struct fault *f)
{
	struct certificate_setup setup = { 0 };
	const char *paths[2] = { cert->certificate, cert->key };
	char *pem[2] = { NULL, NULL };
	size_t len[2] = { 0, 0 };
	struct ipc_writer w;
	int r = -1;

	for (int i = 0; i < 2; i++) {
		int fd = open(paths[i], O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

		if (fd != -1)
			pem[i] = fd_read_all(fd, PEM_MAX, &len[i]);
		fd_close(&fd);
		if (pem[i] == NULL) {
			fault_set(f, FAULT_PERM, "%s: read \"%s\": %s",
			    i == 0 ? "certificate" : "certificate-key", paths[i], strerror(errno));
			goto out;
		}
	}
	(void)snprintf(setup.name, sizeof setup.name, "%s", cert->name == NULL ? "" : cert->name);
	setup.chain = (struct ipc_bytes){ (const uint8_t *)pem[0], len[0] };
	setup.key = (struct ipc_bytes){ (const uint8_t *)pem[1], len[1] };
	ipc_writer_init(&w, mem, PACKET_MAX);
	certificate_setup_encode(&w, &setup);
	r = told(c, child_send(c, &w, -1), f);
	explicit_bzero(mem, PACKET_MAX);
out:
	for (int i = 0; i < 2; i++) {
		if (pem[i] != NULL)
			explicit_bzero(pem[i], len[i]);
		free(pem[i]);
	}
	return r;
}

uint32_t
login_wanted(const struct server *s)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	if (s->settings->login_processes > 0)
		return s->settings->login_processes;
	return cpus < 1 ? 1 : cpus > 64 ? 64 : (uint32_t)cpus;
}

int
start_login(struct server *s, struct fault *f)
{
	struct child *c = NULL, *auth = server_find(s, CHILD_AUTH);
	struct login_setup setup;
	uint8_t *mem = malloc(PACKET_MAX);
	struct ipc_writer w;
	int row = counters_take_row(s), r = -1;

	if (mem == NULL || row == -1 || auth == NULL) {
		fault_set(f, FAULT_TEMP, "start restante-login: %s",
		    mem == NULL ? "out of memory"
		    : row == -1 ? "earlier ones are still serving their sessions"
				: "restante-auth is not there");
		goto out;
	}
	c = begin(s, CHILD_LOGIN, f);
	if (c == NULL)
		goto out;
	c->row = (uint32_t)row;
	configure_login(s->settings, &s->ids, &setup);
	setup.counter_rows = s->counter_rows;
	setup.counter_row = c->row;
	memcpy(setup.counter_key, s->counter_key, sizeof setup.counter_key);
	ipc_writer_init(&w, mem, PACKET_MAX);
	login_setup_encode(&w, &setup);
	if (told(c, child_send(c, &w, -1), f) == -1 ||
	    told(c, child_send_type(c, SU_COUNTERS, s->counters), f) == -1)
		goto out;
	for (size_t i = 0; i < s->settings->certificates_count; i++)
		if (send_certificate(c, &s->settings->certificates[i], mem, f) == -1)
			goto out;
	for (size_t i = 0; i < s->listeners.count; i++) {
		struct listener_setup l = { .tls = s->listeners.items[i].tls };

		(void)snprintf(l.name, sizeof l.name, "%s", s->listeners.items[i].name);
		ipc_writer_init(&w, mem, PACKET_MAX);
		listener_setup_encode(&w, &l);
		if (told(c, child_send(c, &w, s->listeners.items[i].fd), f) == -1)
			goto out;
	}
	if (introduce(c, PEER_LOGIN, auth, PEER_AUTH, (uint64_t)c->pid, f) == -1 ||
	    told(c, child_send_type(c, SU_START, -1), f) == -1)
		goto out;
	adopt(s, c);
	c = NULL;
	r = 0;
out:
	child_destroy(&c);
	free(mem);
	return r;
}

/* Whether auth may have a process for this: it is trusted to prove identities, but root's and the
 * system's are not for sale, even should somebody have taken it over. */
static bool
may_run(const struct server *s, const struct want_maildrop *want)
{
	if (want->root[0] != '/')
		return false;
	if (!s->ids.root)
		return want->uid == geteuid() && want->gid == getegid();
	return want->uid != 0 && want->gid != 0 && want->uid >= s->settings->first_valid_uid;
}

int
start_maildrop(struct server *s, const struct want_maildrop *want, struct fault *f)
{
	struct child *c, *auth = server_find(s, CHILD_AUTH);
	struct maildrop_setup setup;
	uint8_t mem[4096];
	struct ipc_writer w;

	if (auth == NULL || !may_run(s, want))
		return fault_set(f, FAULT_PERM,
		    "refused a maildrop process for uid %lu, gid %lu, \"%s\"",
		    (unsigned long)want->uid, (unsigned long)want->gid, want->root);
	if (s->maildrops >= MAILDROPS_MAX)
		return fault_set(f, FAULT_TEMP, "too many maildrop processes (%d)", MAILDROPS_MAX);
	c = begin(s, CHILD_MAILDROP, f);
	if (c == NULL)
		return -1;
	(void)snprintf(
	    c->who, sizeof c->who, "restante-maildrop for uid %lu", (unsigned long)want->uid);
	configure_maildrop(s->settings, want, &setup);
	ipc_writer_init(&w, mem, sizeof mem);
	maildrop_setup_encode(&w, &setup);
	if (told(c, child_send(c, &w, -1), f) == -1 ||
	    introduce(c, PEER_MAILDROP, auth, PEER_AUTH, want->id, f) == -1 ||
	    told(c, child_send_type(c, SU_START, -1), f) == -1) {
		child_destroy(&c);
		return -1;
	}
	adopt(s, c);
	s->maildrops++;
	return 0;
}
