#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
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

static void
report(struct process *p, enum auth_maildrop_type type, uint64_t id)
{
	uint8_t mem[16];
	struct ipc_writer w;

	ipc_writer_init(&w, mem, sizeof mem);
	am_report_encode(&w, type, id);
	if (p->auth != -1 && channel_send(p->auth, w.data, w.len, NULL, 0) == -1 && errno == EAGAIN)
		log_warning("restante-auth does not keep up: the end of session %llx is not told",
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

void
connection_start(struct process *p, struct am_handoff *h, int fd)
{
	struct connection *c = calloc(1, sizeof *c);
	struct epoll_event ev = { .events = EPOLLOUT | EPOLLONESHOT, .data.ptr = c };
	int on = 1, which, r;
	bool full;

	(void)pthread_mutex_lock(&p->mutex);
	full = p->connections >= p->setup.max_sessions;
	(void)pthread_mutex_unlock(&p->mutex);
	if (c == NULL || full || !path_is_inside(h->path) || h->lang >= POP3_LANGS ||
	    fd_set_nonblock(fd) == -1) {
		log_error("session %llx: not taken: %s", (unsigned long long)h->id,
		    c == NULL ? "out of memory"
		    : full    ? "too many sessions"
			      : "malformed handoff");
		report(p, AM_ENDED, h->id);
		fd_close(&fd);
		free(c);
		free(h);
		return;
	}
	/* a socket pair (TLS) knows neither, and needs neither */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	c->fd = fd;
	c->id = h->id;
	c->handoff = h;
	c->handed = clock_ms();
	buf_init(&c->in, BACKLOG_MAX + LA_EARLY_MAX);
	buf_init(&c->out, OUT_OCTETS);
	c->now.tls = h->tls[0] != '\0';
	c->now.plaintext = c->now.tls || p->setup.plaintext == 2 ||
			   (p->setup.plaintext == 1 && is_loopback(h->address));
	which = (c->now.tls ? 1 : 0) | (c->now.plaintext ? 2 : 0);
	c->now.sasl = p->sasl[which];
	c->now.expire = h->expire;
	c->now.login_delay = p->setup.login_delay_on ? (int32_t)h->login_delay : -1;
	r = buf_append(&c->in, h->early.data, h->early.len) ? 0 : -1;
	c->octets_in = h->early.len;
	h->early = (struct ipc_bytes){ 0 }; /* the packet that it points into is not ours to keep */
	(void)pthread_mutex_lock(&p->mutex);
	p->connections++;
	/* writable at once: the thread that gets it opens the maildrop, and c is its from here on */
	if (r == 0)
		r = epoll_ctl(p->epoll, EPOLL_CTL_ADD, fd, &ev);
	(void)pthread_mutex_unlock(&p->mutex);
	if (r == -1) {
		fault_set(
		    &c->session.fault, FAULT_TEMP, "take the connection: %s", strerror(errno));
		c->session.end = SESSION_NOT_OPENED;
		connection_destroy(p, c);
	}
}

static void
log_end(const struct connection *c)
{
	const struct am_handoff *h = c->handoff;
	const struct session *s = &c->session;

	log_info("session %llx: user \"%s\" from %s, %s, by %s: in %llu, out %llu octets, "
		 "retrieved %u, deleted %u: %s%s%s",
	    (unsigned long long)c->id, h->user, h->address, h->tls[0] != '\0' ? h->tls : "no TLS",
	    h->mech, (unsigned long long)c->octets_in, (unsigned long long)c->octets_out,
	    s->retrieved, s->removed, session_end_text(s->end),
	    s->fault.text[0] != '\0' ? ": " : "", s->fault.text);
}

void
connection_destroy(struct process *p, struct connection *c)
{
	session_finish(&c->session); /* the lock is free before the client can know of the end */
	fd_close(&c->fd);
	log_end(c);
	report(p, AM_ENDED, c->id);
	buf_wipe(&c->in);
	buf_finish(&c->out);
	(void)pthread_mutex_lock(&p->mutex);
	if (--p->connections == 0)
		p->empty_since = clock_ms();
	(void)pthread_mutex_unlock(&p->mutex);
	free(c->handoff);
	free(c);
	(void)!write(p->wake, &(uint64_t){ 1 },
	    sizeof(uint64_t)); /* the main thread may be waiting for it */
}
