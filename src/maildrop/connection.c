#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "ipc/channel.h"
#include "maildrop/process.h"

void
connection_report(struct process *p, enum auth_maildrop_type type, uint64_t id)
{
	uint8_t mem[16];
	struct ipc_writer w;

	ipc_writer_init(&w, mem, sizeof mem);
	am_report_encode(&w, type, id);
	if (!atomic_load(&p->auth_gone) && channel_send(p->auth, w.data, w.len, NULL, 0) == -1 &&
	    errno == EAGAIN)
		log_warning("restante-auth does not keep up: the state of session %llx is not told",
		    (unsigned long long)id);
}

static bool
is_loopback(const char *address)
{
	return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

/* A path of auth's is one below the root; looked at again, since it came from another process. */
static bool
path_is_inside(const char *path)
{
	if (path[0] == '/' || path[0] == '\0')
		return false;
	for (const char *p = path; *p != '\0';) {
		size_t len = strcspn(p, "/");

		if (len == 2 && p[0] == '.' && p[1] == '.')
			return false;
		p += len;
		p += *p == '/';
	}
	return true;
}

/* "user "joe" from 192.0.2.1, no TLS, by PASS"; NULL: out of memory. */
static char *
describe(const struct am_handoff *h)
{
	char *who;

	return asprintf(&who, "user \"%s\" from %s, %s, by %s", h->user, h->address,
		   h->tls[0] != '\0' ? h->tls : "no TLS", h->mech) == -1
		   ? NULL
		   : who;
}

/* One that is not taken in hears of it, if it can be said at once. */
static void
turn_away(struct process *p, struct am_handoff *h, int fd, const char *why)
{
	enum pop3_lang lang = h->lang < POP3_LANGS ? (enum pop3_lang)h->lang : POP3_LANG_EN;
	uint8_t mem[POP3_REPLY_MAX];
	struct pop3_out out = { mem, 0, sizeof mem };

	log_error("session %llx: not taken: %s", (unsigned long long)h->id, why);
	pop3_reply_err(&out, POP3_CODE_SYS_TEMP, pop3_text(lang, POP3_TEXT_TRY_LATER));
	(void)!send(fd, mem, out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	connection_report(p, AM_ENDED, h->id);
	fd_close(&fd);
	free(h);
}

static bool
is_full(struct process *p)
{
	bool full;

	(void)pthread_mutex_lock(&p->mutex);
	full = p->connections >= p->setup.max_sessions;
	(void)pthread_mutex_unlock(&p->mutex);
	return full;
}

void
connection_start(struct process *p, struct am_handoff *h, int fd)
{
	struct connection *c = calloc(1, sizeof *c);
	char *who = describe(h);
	int on = 1, which;

	if (c == NULL || who == NULL || is_full(p) || !path_is_inside(h->path) ||
	    h->lang >= POP3_LANGS || fd_set_nonblock(fd) == -1) {
		turn_away(p, h, fd,
		    c == NULL || who == NULL ? "out of memory"
		    : is_full(p)	     ? "too many sessions"
					     : "malformed handoff");
		free(who);
		free(c);
		return;
	}
	/* a socket pair (TLS) knows neither, and needs neither */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	c->fd = fd;
	c->id = h->id;
	c->handoff = h;
	c->who = who;
	c->handed = c->active = clock_ms();
	buf_init(&c->in, BACKLOG_MAX + LA_EARLY_MAX);
	buf_init(&c->out, OUT_OCTETS);
	c->now.tls = h->tls[0] != '\0';
	c->now.plaintext = c->now.tls || p->setup.plaintext == 2 ||
			   (p->setup.plaintext == 1 && is_loopback(h->address));
	which = (c->now.tls ? 1 : 0) | (c->now.plaintext ? 2 : 0);
	c->now.sasl = p->sasl[which];
	c->now.expire = h->expire;
	c->now.login_delay = p->setup.login_delay_on ? (int32_t)h->login_delay : -1;
	if (!buf_append(&c->in, h->early.data, h->early.len))
		c->session.end = SESSION_NOT_OPENED; /* found out by its first owner */
	c->octets_in = h->early.len;
	h->early = (struct ipc_bytes){ 0 }; /* the packet that it points into is not ours to keep */
	if (wait_start(p, c) == -1) {
		struct fault f;

		fault_set(&f, FAULT_TEMP, "take the connection: %s", strerror(errno));
		session_note(&c->session, &f);
		c->session.end = SESSION_NOT_OPENED;
		connection_destroy(p, c);
	}
}

static void
log_end(const struct connection *c)
{
	const struct session *s = &c->session;

	log_info("session %llx: %s: in %llu, out %llu octets, retrieved %u, left %u, deleted %u: "
		 "%s%s%s",
	    (unsigned long long)c->id, c->who, (unsigned long long)c->octets_in,
	    (unsigned long long)c->octets_out, s->retrieved, s->count - s->removed, s->removed,
	    session_end_text(s->end), s->why != NULL ? ": " : "", s->why != NULL ? s->why : "");
}

/*
 * Closes.  What a client has sent behind its end would make the kernel answer by a reset, which
 * can overtake the last reply: so take in what is there.
 */
static void
part(struct connection *c)
{
	uint8_t unread[4096];
	int times = BACKLOG_MAX / (int)sizeof unread;

	if (shutdown(c->fd, SHUT_WR) == 0)
		while (times-- > 0 && recv(c->fd, unread, sizeof unread, MSG_DONTWAIT) > 0)
			;
	fd_close(&c->fd);
}

void
connection_destroy(struct process *p, struct connection *c)
{
	struct drop *drop = c->session.drop;

	c->session.drop = NULL;
	if (drop != NULL)
		p->options.store->close(drop); /* before the client can know of the end */
	part(c);
	log_end(c);
	session_finish(&c->session);
	buf_wipe(&c->in);
	buf_finish(&c->out);
	/* in one: who hears of the end finds the place free, and AM_IDLE never comes before it */
	(void)pthread_mutex_lock(&p->mutex);
	connection_report(p, AM_ENDED, c->id);
	if (--p->connections == 0)
		p->empty_since = clock_ms();
	(void)pthread_mutex_unlock(&p->mutex);
	free(c->handoff);
	free(c->who);
	free(c);
	(void)!write(p->wake, &(uint64_t){ 1 },
	    sizeof(uint64_t)); /* the main thread may be waiting for it */
}
