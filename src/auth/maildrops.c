/* Maildrop processes, the sessions in them, and what is remembered of users. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "auth/auth.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/log.h"
#include "ipc/channel.h"

/* Forgets a user of whom nothing is left to remember. */
static void
let_go(struct user_state *u, uint64_t now)
{
	if (u->sessions > 0 || u->not_before > now)
		return;
	HASH_DEL(auth.users, u);
	free(u);
}

/* Those whose delay is over are forgotten; once a minute is often enough. */
static void
sweep_users(uint64_t now)
{
	static uint64_t last;
	struct user_state *u, *next;

	if (now - last < 60000)
		return;
	last = now;
	HASH_ITER (hh, auth.users, u, next)
		let_go(u, now);
}

static struct user_state *
find_user(const char *name)
{
	struct user_state *u;

	HASH_FIND_STR(auth.users, name, u);
	return u;
}

static struct user_state *
add_user(const char *name)
{
	struct user_state *u = find_user(name);
	size_t len = strlen(name);

	if (u != NULL)
		return u;
	sweep_users(clock_ms());
	u = calloc(1, sizeof *u + len + 1);
	if (u == NULL)
		return NULL;
	memcpy(u->name, name, len + 1);
	HASH_ADD_KEYPTR(hh, auth.users, u->name, len, u);
	return u;
}

static uint32_t
delay_of(const struct conversation *c)
{
	return c->who.login_delay >= 0 ? (uint32_t)c->who.login_delay : auth.setup.login_delay;
}

bool
user_may_login(struct conversation *c)
{
	const struct user_state *u = find_user(c->user);

	if (u == NULL)
		return true;
	if (u->sessions >= auth.setup.max_sessions_per_user) {
		conversation_fail(c, LA_FAIL_IN_USE, "too many sessions of the user");
		return false;
	}
	if (u->not_before > clock_ms()) {
		conversation_fail(c, LA_FAIL_DELAY, "too soon after the last login");
		return false;
	}
	return true;
}

static void
end_session(struct session_entry *e)
{
	HASH_DEL(auth.sessions, e);
	e->maildrop->sessions--;
	e->user->sessions--;
	let_go(e->user, clock_ms());
	free(e);
}

/* Gives the connection away.  -1: the maildrop process did not take it. */
static int
hand_over(struct maildrop_peer *m, struct conversation *c, const char *path)
{
	static uint8_t packet[LA_EARLY_MAX + 8192];
	static struct am_handoff h;
	struct session_entry *e = calloc(1, sizeof *e);
	struct user_state *u = e == NULL ? NULL : add_user(c->user);
	struct ipc_writer w;

	if (u == NULL) {
		free(e);
		return -1;
	}
	h = (struct am_handoff){ .id = ++auth.next_session,
		.lang = c->lang,
		.utf8 = c->utf8,
		.login_delay = delay_of(c),
		.expire = c->who.expire < 0		  ? auth.setup.expire
			  : c->who.expire == EXPIRE_NEVER ? -1
							  : (int32_t)c->who.expire,
		.early = { c->early, c->early_len } };
	(void)snprintf(h.user, sizeof h.user, "%s", c->user);
	(void)snprintf(h.path, sizeof h.path, "%s", path);
	(void)snprintf(h.address, sizeof h.address, "%s", c->address);
	(void)snprintf(h.tls, sizeof h.tls, "%s", c->tls);
	(void)snprintf(h.mech, sizeof h.mech, "%s", c->mech);
	ipc_writer_init(&w, packet, sizeof packet);
	am_handoff_encode(&w, &h);
	if (w.failed || channel_send(m->source.fd, w.data, w.len, &c->fd, 1) == -1) {
		log_error("a maildrop process takes nothing: %s",
		    w.failed ? "too long" : strerror(errno));
		free(e);
		let_go(u, clock_ms());
		return -1;
	}
	e->id = h.id;
	e->user = u;
	e->maildrop = m;
	e->delay = delay_of(c);
	u->sessions++;
	m->sessions++;
	HASH_ADD(hh, auth.sessions, id, sizeof e->id, e);
	return 0;
}

static void
hand_over_or_fail(struct maildrop_peer *m, struct conversation *c, const char *path)
{
	if (hand_over(m, c, path) == -1) {
		conversation_fail(c, LA_FAIL_TEMP, "the maildrop process could not be reached");
		return;
	}
	conversation_done(c);
}

static int
place_of(const struct conversation *c, struct place *ret, struct fault *f)
{
	const char *pattern = c->who.mail[0] != '\0' ? c->who.mail : auth.setup.maildrop;

	return place_find(pattern, auth.setup.mail_root, c->user, c->who.home, ret, f);
}

static int
want(struct maildrop_peer *m)
{
	uint8_t mem[2048];
	struct ipc_writer w;

	m->id = m->want.id = ++auth.next_want;
	ipc_writer_init(&w, mem, sizeof mem);
	want_maildrop_encode(&w, &m->want);
	return tell_supervisor(&w) ? 0 : -1;
}

static struct maildrop_peer *
process_for(const struct conversation *c, const struct place *p)
{
	struct maildrop_peer *m;
	char key[sizeof m->key];

	(void)snprintf(key, sizeof key, "%lu %lu %s %s", (unsigned long)c->who.uid,
	    (unsigned long)c->who.gid, c->who.system ? c->user : "", p->root);
	HASH_FIND_STR(auth.maildrops, key, m);
	if (m != NULL)
		return m;
	m = calloc(1, sizeof *m);
	if (m == NULL)
		return NULL;
	m->source.fd = -1;
	m->want.uid = c->who.uid;
	m->want.gid = c->who.gid;
	if (c->who.system && strlen(c->user) < sizeof m->want.user)
		(void)snprintf(m->want.user, sizeof m->want.user, "%s", c->user);
	(void)snprintf(m->want.root, sizeof m->want.root, "%s", p->root);
	memcpy(m->key, key, sizeof key);
	if (want(m) == -1) {
		free(m);
		return NULL;
	}
	HASH_ADD_STR(auth.maildrops, key, m);
	return m;
}

void
maildrop_handoff(struct conversation *c)
{
	struct maildrop_peer *m;
	struct fault f = { 0 };
	struct place p;

	if (!auth.setup.can_switch) { /* one uid serves everybody */
		c->who.uid = geteuid();
		c->who.gid = getegid();
	} else if (c->who.uid == UINT32_MAX || c->who.gid == UINT32_MAX || c->who.uid == 0 ||
		   c->who.gid == 0 || c->who.uid < auth.setup.first_valid_uid) {
		log_error("user \"%s\": uid or gid is missing, root's, or below first-valid-uid",
		    c->user);
		conversation_fail(c, LA_FAIL_PERM, "no uid to serve the maildrop under");
		return;
	}
	if (place_of(c, &p, &f) == -1) {
		log_error("user \"%s\": %s", c->user, f.text);
		conversation_fail(c, LA_FAIL_PERM, "no place for the maildrop");
		return;
	}
	m = process_for(c, &p);
	if (m == NULL || m->queued >= HANDOFFS_MAX) {
		conversation_fail(c, LA_FAIL_TEMP, "no maildrop process");
		return;
	}
	if (m->source.fd != -1) {
		hand_over_or_fail(m, c, p.path);
		return;
	}
	c->phase = PHASE_STARTING;
	c->next = NULL;
	c->prev = m->queue_last;
	if (m->queue_last != NULL)
		m->queue_last->next = c;
	else
		m->queue_first = c;
	m->queue_last = c;
	c->waits_for = m;
	m->queued++;
}

void
maildrop_forget(struct conversation *c)
{
	struct maildrop_peer *m = c->waits_for;

	if (m == NULL)
		return;
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		m->queue_first = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	else
		m->queue_last = c->prev;
	c->prev = c->next = NULL;
	c->waits_for = NULL;
	m->queued--;
}

static struct conversation *
take_first(struct maildrop_peer *m)
{
	struct conversation *c = m->queue_first;

	if (c != NULL) {
		maildrop_forget(c);
		c->phase = PHASE_WORKING;
	}
	return c;
}

static void
forget_process(struct maildrop_peer *m)
{
	struct session_entry *e, *next;
	struct conversation *c;

	HASH_ITER (hh, auth.sessions, e, next)
		if (e->maildrop == m)
			end_session(e);
	while ((c = take_first(m)) != NULL)
		conversation_fail(c, LA_FAIL_TEMP, "no maildrop process");
	source_remove(auth.poller, &m->source);
	HASH_DEL(auth.maildrops, m);
	m->hh.next = auth.dead_maildrops; /* events of this turn may name it */
	auth.dead_maildrops = m;
}

static void
on_report(struct maildrop_peer *m, uint8_t type, uint64_t id)
{
	struct session_entry *e = NULL;

	HASH_FIND(hh, auth.sessions, &id, sizeof id, e);
	if (type == AM_IDLE) {
		/* nothing is on its way to it, either: it may go */
		if (m->sessions == 0 && m->queued == 0)
			forget_process(m);
	} else if (e == NULL || e->maildrop != m) {
		log_error("a maildrop process tells of a session that it has not got");
	} else if (type == AM_OPENED) {
		/* LOGIN-DELAY counts from the +OK (P2449-34) */
		e->user->not_before = clock_ms() + 1000 * (uint64_t)e->delay;
	} else {
		end_session(e);
	}
}

static void
maildrop_ready(struct source *s, uint32_t events)
{
	struct maildrop_peer *m = (struct maildrop_peer *)(void *)s;
	uint8_t packet[64];
	int fds[CHANNEL_FDS];
	ssize_t n = channel_recv(s->fd, packet, sizeof packet, fds);
	struct ipc_reader r;
	uint64_t id;

	(void)events;
	fd_close(&fds[0]);
	fd_close(&fds[1]);
	if (n == -1 && errno == EAGAIN)
		return;
	if (n > 0)
		ipc_reader_init(&r, packet + 1, (size_t)n - 1);
	if (n <= 0 || packet[0] < AM_OPENED || packet[0] > AM_IDLE || !am_report_decode(&r, &id)) {
		if (n > 0)
			log_error("a maildrop process makes no sense: forgotten");
		forget_process(m);
		return;
	}
	on_report(m, packet[0], id);
}

static struct maildrop_peer *
find_wanted(uint64_t id)
{
	for (struct maildrop_peer *m = auth.maildrops; m != NULL; m = m->hh.next)
		if (m->id == id && m->source.fd == -1)
			return m;
	return NULL;
}

void
maildrop_arrived(uint64_t id, int fd)
{
	struct maildrop_peer *m = find_wanted(id);
	struct conversation *c;

	if (m == NULL) {
		fd_close(&fd);
		return;
	}
	m->source = (struct source){ .ready = maildrop_ready, .fd = fd };
	if (source_add(auth.poller, &m->source, EPOLLIN) == -1) {
		log_error("watch a maildrop process: %s", strerror(errno));
		forget_process(m);
		return;
	}
	while ((c = take_first(m)) != NULL) {
		struct fault f = { 0 };
		struct place p;

		if (!user_may_login(c))
			continue;
		else if (place_of(c, &p, &f) == -1)
			conversation_fail(c, LA_FAIL_PERM, f.text);
		else
			hand_over_or_fail(m, c, p.path);
	}
}

void
maildrop_refused(uint64_t id)
{
	struct maildrop_peer *m = find_wanted(id);

	if (m != NULL)
		forget_process(m);
}
