/* Conversations with login processes: who may say what, when. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "auth/auth.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "ipc/channel.h"

static uint8_t packet[CHANNEL_MAX]; /* what came; handlers have slices of it */
static uint8_t answer[CHANNEL_MAX];

enum { RETRY_MS = 20 };

static void
untime(struct conversation *c)
{
	if (c->prev != NULL)
		c->prev->next = c->next;
	else if (auth.timed_first == c)
		auth.timed_first = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	else if (auth.timed_last == c)
		auth.timed_last = c->prev;
	c->prev = c->next = NULL;
}

static void
time_at(struct conversation *c, enum phase phase, uint64_t due)
{
	c->phase = phase;
	c->due = due;
	c->next = NULL;
	c->prev = auth.timed_last;
	if (auth.timed_last != NULL)
		auth.timed_last->next = c;
	else
		auth.timed_first = c;
	auth.timed_last = c;
	if (due < auth.timed_due)
		auth.timed_due = due;
}

static void
wipe_given(struct conversation *c)
{
	if (c->given != NULL)
		explicit_bzero(c->given, c->user_len + c->given_len);
	free(c->given);
	c->given = NULL;
}

void
conversation_destroy(struct conversation *c)
{
	if (c->phase == PHASE_STARTING)
		maildrop_forget(c);
	if (c->phase == PHASE_HELD || c->phase == PHASE_FAILED || c->phase == PHASE_DONE)
		untime(c);
	HASH_DELETE(hh, c->peer->table, c);
	HASH_DELETE(by_key, auth.by_key, c);
	sasl_exchange_destroy(&c->exchange);
	fd_close(&c->fd);
	wipe_given(c);
	free(c->early);
	free(c);
}

struct conversation *
conversation_find(uint64_t key)
{
	struct conversation *c;

	HASH_FIND(by_key, auth.by_key, &key, sizeof key, c);
	return c;
}

/* False: login does not keep up, try again later.  One that is gone is noticed elsewhere. */
static bool
send_reply(struct conversation *c, enum login_auth_type type, const uint8_t *data, size_t len)
{
	struct la_reply m = { .id = c->id, .failure = c->failure, .data = { data, len } };
	struct ipc_writer w;
	bool again;

	ipc_writer_init(&w, answer, sizeof answer);
	la_reply_encode(&w, type, &m);
	again = !w.failed && channel_send(c->peer->source.fd, w.data, w.len, NULL, 0) == -1 &&
		errno == EAGAIN;
	explicit_bzero(answer, w.len);
	return !again;
}

void
conversation_challenge(struct conversation *c, const uint8_t *data, size_t len)
{
	if (send_reply(c, LA_CONTINUE, data, len))
		c->phase = PHASE_CLIENT;
	else
		conversation_fail(c, LA_FAIL_TEMP, "restante-login does not keep up");
}

void
conversation_done(struct conversation *c)
{
	fd_close(&c->fd); /* maildrop has it */
	time_at(c, PHASE_DONE, clock_ms());
}

void
conversation_fail(struct conversation *c, enum la_failure why, const char *reason)
{
	uint64_t now = clock_ms();

	wipe_given(c);
	fd_close(&c->fd);
	/* the name of somebody who exists, or none: people type passwords there */
	log_info("login failed from %s, %s, by %s: %s%s%s%s", c->address,
	    c->tls[0] != '\0' ? c->tls : "no TLS", c->mech, reason, c->known ? " (user \"" : "",
	    c->known ? c->user : "", c->known ? "\")" : "");
	c->failure = why;
	/* only wrong credentials are a guess that has to be slowed down */
	time_at(c, PHASE_FAILED,
	    why == LA_FAIL_AUTH ? penalty_failed(auth.penalties, c->address, now) : now);
}

void
conversation_proved(struct conversation *c)
{
	penalty_cleared(auth.penalties, c->address);
	wipe_given(c);
	if (user_may_login(c))
		maildrop_handoff(c);
}

/* What one does whose time has come. */
static void
wake(struct conversation *c, uint64_t now)
{
	uint64_t due;

	untime(c);
	if (c->phase != PHASE_HELD) {
		if (send_reply(c, c->phase == PHASE_DONE ? LA_DONE : LA_FAILED, NULL, 0)) {
			c->phase = PHASE_WORKING; /* in no list */
			conversation_destroy(c);
		} else {
			time_at(c, c->phase, now + RETRY_MS);
		}
		return;
	}
	due = penalty_ask(auth.penalties, c->address, now);
	if (due > now) { /* others of the address were before it */
		time_at(c, PHASE_HELD, due);
		return;
	}
	c->phase = PHASE_WORKING;
	check_begin(c);
}

int
conversations_expire(void)
{
	uint64_t now = clock_ms();

	while (now >= auth.timed_due) {
		struct conversation *c = auth.timed_first, *last = auth.timed_last, *next;

		auth.timed_due = UINT64_MAX;
		for (; c != NULL; c = next) {
			/* those that are put in again come behind last, and lower timed_due */
			next = c == last ? NULL : c->next;
			if (c->due <= now)
				wake(c, now);
			else if (c->due < auth.timed_due)
				auth.timed_due = c->due;
		}
	}
	if (auth.timed_due == UINT64_MAX)
		return -1;
	return auth.timed_due - now > 60000 ? 60000 : (int)(auth.timed_due - now);
}

static bool
keep_early(struct conversation *c, const struct ipc_bytes *early)
{
	uint8_t *copy = malloc(early->len + 1);

	if (copy == NULL)
		return false;
	if (early->len > 0)
		memcpy(copy, early->data, early->len);
	free(c->early);
	c->early = copy;
	c->early_len = early->len;
	return true;
}

static bool
keep_given(struct conversation *c, const struct la_start *m)
{
	const struct ipc_bytes *rest = m->kind == LA_SASL ? &m->data : &m->secret;
	const struct ipc_bytes *extra = m->kind == LA_APOP ? &m->data : NULL;
	size_t extra_len = extra == NULL ? 0 : extra->len;

	c->given = malloc(m->user.len + rest->len + extra_len + 1);
	if (c->given == NULL)
		return false;
	if (m->user.len > 0)
		memcpy(c->given, m->user.data, m->user.len);
	if (rest->len > 0)
		memcpy(c->given + m->user.len, rest->data, rest->len);
	if (extra_len > 0)
		memcpy(c->given + m->user.len + rest->len, extra->data, extra_len);
	c->user_len = m->user.len;
	c->given_len = rest->len + extra_len;
	return true;
}

static bool
on_start(struct login_peer *p, struct ipc_reader *r, int *fd)
{
	struct conversation *c, *there;
	struct la_start m;
	uint64_t now = clock_ms();

	if (!la_start_decode(r, &m) || *fd == -1)
		return false;
	HASH_FIND(hh, p->table, &m.id, sizeof m.id, there);
	if (there != NULL)
		return false;
	c = calloc(1, sizeof *c);
	if (c == NULL)
		return false;
	c->id = m.id;
	c->key = ++auth.next_key;
	c->peer = p;
	c->fd = *fd;
	*fd = -1;
	c->kind = m.kind;
	c->secure = m.secure;
	c->loopback = m.loopback;
	c->utf8 = m.utf8;
	c->lang = m.lang;
	c->has_data = m.has_data;
	memcpy(c->address, m.address, sizeof c->address);
	memcpy(c->tls, m.tls, sizeof c->tls);
	memcpy(c->exporter, m.exporter.data == NULL ? (const uint8_t *)"" : m.exporter.data,
	    m.exporter.len);
	c->exporter_len = m.exporter.len;
	memcpy(
	    c->unique, m.unique.data == NULL ? (const uint8_t *)"" : m.unique.data, m.unique.len);
	c->unique_len = m.unique.len;
	memcpy(c->mech, m.kind == LA_PASS ? "PASS" : "APOP", 5);
	HASH_ADD(hh, p->table, id, sizeof c->id, c);
	HASH_ADD(by_key, auth.by_key, key, sizeof c->key, c);
	if (HASH_CNT(hh, p->table) > CONVERSATIONS_MAX ||
	    HASH_CNT(by_key, auth.by_key) > auth.conversations_max || !keep_given(c, &m) ||
	    !keep_early(c, &m.early)) {
		conversation_fail(c, LA_FAIL_TEMP, "too many logins at once, or out of memory");
		return true;
	}
	if (m.kind == LA_SASL) {
		size_t n = m.user.len < sizeof c->mech ? m.user.len : sizeof c->mech - 1;

		for (size_t i = 0; i < n; i++)
			c->mech[i] = m.user.data[i] > 0x20 && m.user.data[i] < 0x7f
					 ? (char)m.user.data[i]
					 : '?';
		c->mech[n] = '\0';
	}
	accounts_look();
	/* an address that has failed before waits before it is even looked at */
	time_at(c, PHASE_HELD, now);
	return true;
}

static bool
on_step(struct login_peer *p, struct ipc_reader *r, int *fd)
{
	struct conversation *c;
	struct la_step m;

	(void)fd;
	if (!la_step_decode(r, &m))
		return false;
	HASH_FIND(hh, p->table, &m.id, sizeof m.id, c);
	if (c == NULL || c->phase != PHASE_CLIENT) {
		log_error("a restante-login goes on where it was not asked to");
		if (c != NULL)
			conversation_destroy(c);
		return true;
	}
	if (!keep_early(c, &m.early)) {
		conversation_fail(c, LA_FAIL_TEMP, "out of memory");
		return true;
	}
	c->phase = PHASE_WORKING;
	check_continue(c, m.data.data, m.data.len);
	return true;
}

static bool
on_cancel(struct login_peer *p, struct ipc_reader *r, int *fd)
{
	struct conversation *c;
	uint64_t id;

	(void)fd;
	if (!la_cancel_decode(r, &id))
		return false;
	HASH_FIND(hh, p->table, &id, sizeof id, c);
	if (c == NULL)
		return true; /* our answer and this have crossed */
	conversation_destroy(c);
	return true;
}

static const struct rule {
	uint8_t type;
	bool with_fd;
	bool (*handle)(struct login_peer *p, struct ipc_reader *r, int *fd);
} from_login[] = {
	{ LA_START, true, on_start },
	{ LA_STEP, false, on_step },
	{ LA_CANCEL, false, on_cancel },
};

static void
peer_gone(struct login_peer *p, const char *why)
{
	struct conversation *c, *next;

	log_info("a restante-login is gone: %s", why);
	HASH_ITER (hh, p->table, c, next)
		conversation_destroy(c);
	source_remove(auth.poller, &p->source);
	if (p->prev != NULL)
		p->prev->next = p->next;
	else
		auth.logins = p->next;
	if (p->next != NULL)
		p->next->prev = p->prev;
	p->next = auth.dead_logins; /* events of this turn may name it */
	auth.dead_logins = p;
}

static void
login_ready(struct source *s, uint32_t events)
{
	struct login_peer *p = (struct login_peer *)(void *)s;
	int fds[CHANNEL_FDS];
	ssize_t n = channel_recv(s->fd, packet, sizeof packet, fds);
	struct ipc_reader r;
	bool fine = false;

	(void)events;
	if (n == -1 && errno == EAGAIN)
		return;
	if (n == -1 && errno == EMSGSIZE) { /* or no descriptor was left for what it sent */
		log_error("a message of a restante-login was lost");
		return;
	}
	if (n <= 0) {
		peer_gone(p, n == 0 ? "closed" : strerror(errno));
		return;
	}
	ipc_reader_init(&r, packet + 1, (size_t)n - 1);
	for (size_t i = 0; i < sizeof from_login / sizeof *from_login; i++)
		if (from_login[i].type == packet[0] && (fds[0] != -1) == from_login[i].with_fd)
			fine = from_login[i].handle(p, &r, &fds[0]);
	explicit_bzero(packet, (size_t)n);
	fd_close(&fds[0]);
	fd_close(&fds[1]);
	if (!fine)
		peer_gone(p, "it made no sense");
}

void
login_peer_add(int fd)
{
	struct login_peer *p = calloc(1, sizeof *p);

	if (p == NULL) {
		fd_close(&fd);
		return;
	}
	p->source = (struct source){ .ready = login_ready, .fd = fd };
	if (source_add(auth.poller, &p->source, EPOLLIN) == -1) {
		log_error("watch a restante-login: %s", strerror(errno));
		fd_close(&fd);
		free(p);
		return;
	}
	p->next = auth.logins;
	if (auth.logins != NULL)
		auth.logins->prev = p;
	auth.logins = p;
}
