#include "client/link.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/fd.h"
#include "client/report.h"
#include "client/trouble.h"
#include "tls/client.h"

struct link {
	struct link_options options;
	int fd;
	struct tls_peer *tls;
	struct pop3_client *pop;
	struct pop3_in in; /* in buf */
	size_t reported; /* octets of the engine's output that were shown, and not yet sent */
	bool lost;
	uint8_t buf[65536];
};

static int
lost(struct link *l, struct trouble *t, const char *what, const char *why)
{
	l->lost = true;
	return trouble_set(t, EX_TEMPFAIL, "%s: %s%s%s", l->options.url->host, what,
	    *why != '\0' ? ": " : "", why);
}

/* Waits for events until deadline.  0, or -1 told. */
static int
wait_until(struct link *l, short events, uint64_t deadline, const char *what, struct trouble *t)
{
	struct pollfd p = { .fd = l->fd, .events = events };

	for (;;) {
		uint64_t now = clock_ms();
		int r = now >= deadline ? 0 : poll(&p, 1, (int)(deadline - now));

		if (r > 0)
			return 0;
		if (r == 0)
			return lost(l, t, what, "no sign of life from the server");
		if (errno != EINTR)
			return lost(l, t, what, strerror(errno));
	}
}

static uint64_t
deadline(const struct link *l)
{
	return clock_ms() + (uint64_t)l->options.seconds * 1000;
}

static int
connect_one(struct link *l, const struct addrinfo *ai, struct trouble *t)
{
	int err = 0, one = 1;
	socklen_t len = sizeof err;

	l->fd = socket(ai->ai_family, ai->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l->fd == -1)
		return lost(l, t, "socket", strerror(errno));
	/* nothing is lost without either of them but time */
	(void)setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	(void)setsockopt(l->fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
	if (connect(l->fd, ai->ai_addr, ai->ai_addrlen) == 0)
		return 0;
	if (errno != EINPROGRESS && errno != EINTR)
		return lost(l, t, "connect", strerror(errno));
	if (wait_until(l, POLLOUT, deadline(l), "connect", t) == -1)
		return -1;
	if (getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &err, &len) == -1)
		err = errno;
	return err == 0 ? 0 : lost(l, t, "connect", strerror(err));
}

/* Every address in turn. */
static int
connect_any(struct link *l, struct trouble *t)
{
	const struct pop3_url *u = l->options.url;
	const struct addrinfo hints = {
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICSERV | (u->literal ? AI_NUMERICHOST : 0),
	};
	struct addrinfo *list = NULL;
	char port[8];
	int r;

	(void)snprintf(port, sizeof port, "%u", (unsigned)u->port);
	r = getaddrinfo(u->host, port, &hints, &list);
	if (r != 0)
		return trouble_set(t, r == EAI_AGAIN ? EX_TEMPFAIL : EX_NOHOST, "%s: %s", u->host,
		    gai_strerror(r));
	r = -1;
	for (const struct addrinfo *ai = list; ai != NULL && r == -1; ai = ai->ai_next) {
		fd_close(&l->fd);
		r = connect_one(l, ai, t);
	}
	freeaddrinfo(list);
	l->lost = r == -1;
	return r;
}

static int
handshake(struct link *l, struct trouble *t)
{
	const struct pop3_url *u = l->options.url;
	uint64_t end = deadline(l);
	struct fault f;

	l->tls = tls_peer_create(l->options.tls, l->fd, u->host, u->literal, &f);
	if (l->tls == NULL)
		return trouble_set(t, EX_OSERR, "%s", f.text);
	for (;;) {
		enum tls_io io = tls_peer_handshake(l->tls);
		short events = io == TLS_WANT_READ ? POLLIN : POLLOUT;

		if (io == TLS_DONE)
			break;
		if (io != TLS_WANT_READ && io != TLS_WANT_WRITE) {
			bool distrusted = tls_peer_distrusted(l->tls);

			l->lost = true;
			return trouble_set(t, distrusted ? EX_UNAVAILABLE : EX_TEMPFAIL,
			    "%s: TLS: %s", u->host, tls_peer_error(l->tls));
		}
		if (wait_until(l, events, end, "TLS", t) == -1)
			return -1;
	}
	if (l->options.report->verbose) {
		char text[128];

		tls_peer_describe(l->tls, text, sizeof text);
		report_say(l->options.report, "%s", text);
	}
	return 0;
}

int
link_start_tls(struct link *l, struct trouble *t)
{
	if (l->in.len > 0) /* the engine has seen to it; it is not replayed anyway */
		return trouble_set(t, EX_PROTOCOL, "octets in clear behind the answer to STLS");
	if (handshake(l, t) == -1)
		return -1;
	pop3_client_tls_started(l->pop);
	return 0;
}

int
link_open(const struct link_options *o, struct link **ret, struct trouble *t)
{
	const struct pop3_client_config config = {
		.tls = o->url->tls,
		.plaintext = o->plaintext,
		.lockstep = o->lockstep,
	};
	struct link *l = calloc(1, sizeof *l);

	if (l == NULL)
		return trouble_set(t, EX_OSERR, "out of memory");
	l->options = *o;
	l->fd = -1;
	l->pop = pop3_client_create(&config);
	if (l->pop == NULL) {
		trouble_set(t, EX_OSERR, "out of memory");
		goto fail;
	}
	if (connect_any(l, t) == -1 || (o->url->tls && handshake(l, t) == -1))
		goto fail;
	*ret = l;
	return 0;
fail:
	link_close(&l);
	return -1;
}

void
link_close(struct link **lp)
{
	struct link *l = *lp;

	if (l == NULL)
		return;
	if (l->tls != NULL && !l->lost)
		tls_peer_shutdown(l->tls);
	tls_peer_destroy(&l->tls);
	pop3_client_destroy(&l->pop);
	fd_close(&l->fd);
	free(l);
	*lp = NULL;
}

struct pop3_client *
link_pop(struct link *l)
{
	return l->pop;
}

bool
link_is_tls(const struct link *l)
{
	return l->tls != NULL;
}

bool
link_is_lost(const struct link *l)
{
	return l->lost;
}

size_t
link_exporter(struct link *l, uint8_t out[32])
{
	return l->tls == NULL ? 0 : tls_peer_exporter(l->tls, out);
}

size_t
link_unique(struct link *l, uint8_t *out, size_t room)
{
	return l->tls == NULL ? 0 : tls_peer_unique(l->tls, out, room);
}

/* What a step of input or output waits for. */
enum step { STEP_MOVED, STEP_READ, STEP_WRITE, STEP_END, STEP_LOST };

static enum step
step_of(enum tls_io io)
{
	switch (io) {
	case TLS_DONE:
		return STEP_MOVED;
	case TLS_WANT_READ:
		return STEP_READ;
	case TLS_WANT_WRITE:
		return STEP_WRITE;
	case TLS_CLOSED:
		return STEP_END;
	default:
		return STEP_LOST;
	}
}

static enum step
send_some(struct link *l)
{
	const uint8_t *out;
	size_t len, n = 0;
	ssize_t r;

	out = pop3_client_output(l->pop, &len);
	if (out == NULL)
		return STEP_READ;
	report_sent(l->options.report, out + l->reported, len - l->reported);
	l->reported = len;
	if (l->tls != NULL) {
		enum step step = step_of(tls_peer_write(l->tls, out, len, &n));

		if (step != STEP_MOVED)
			return step;
	} else {
		r = send(l->fd, out, len, MSG_NOSIGNAL);
		if (r == -1 && (errno == EAGAIN || errno == EINTR))
			return STEP_WRITE;
		if (r == -1)
			return STEP_LOST;
		n = (size_t)r;
	}
	l->reported -= n;
	pop3_client_sent(l->pop, n);
	return STEP_MOVED;
}

static enum step
receive_some(struct link *l)
{
	size_t n = 0;
	ssize_t r;

	if (l->tls != NULL) {
		enum step step = step_of(tls_peer_read(l->tls, l->buf, sizeof l->buf, &n));

		if (step != STEP_MOVED)
			return step;
	} else {
		r = recv(l->fd, l->buf, sizeof l->buf, 0);
		if (r == -1 && (errno == EAGAIN || errno == EINTR))
			return STEP_READ;
		if (r == -1)
			return STEP_LOST;
		if (r == 0)
			return STEP_END;
		n = (size_t)r;
	}
	l->in = (struct pop3_in){ l->buf, n };
	return STEP_MOVED;
}

static const char *
why_lost(struct link *l)
{
	return l->tls != NULL ? tls_peer_error(l->tls) : strerror(errno);
}

/* Sends what there is, and receives something. */
static int
move(struct link *l, struct trouble *t)
{
	uint64_t end = deadline(l);

	for (;;) {
		short events = POLLIN;
		enum step step;
		size_t len;

		while ((step = send_some(l)) == STEP_MOVED)
			;
		/* what the server said before it hung up is still worth reading */
		if (step == STEP_WRITE && pop3_client_output(l->pop, &len) != NULL)
			events |= POLLOUT;
		step = receive_some(l);
		if (step == STEP_MOVED)
			return 0;
		if (step == STEP_END) {
			l->lost = true;
			pop3_client_eof(l->pop);
			return 0;
		}
		if (step == STEP_LOST)
			return lost(l, t, "connection", why_lost(l));
		if (step == STEP_WRITE)
			events |= POLLOUT;
		if (wait_until(l, events, end, "connection", t) == -1)
			return -1;
	}
}

int
link_next(struct link *l, struct pop3_client_event *ev, struct trouble *t)
{
	while (pop3_client_next(l->pop, &l->in, ev) != POP3_EVENT) {
		if (pop3_client_outstanding(l->pop) == 0)
			return trouble_set(t, EX_SOFTWARE, "nothing to wait for");
		if (move(l, t) == -1)
			return -1;
	}
	if (ev->type == POP3_CEV_BROKEN)
		return trouble_set(t, l->lost ? EX_TEMPFAIL : EX_PROTOCOL, "%s: %.*s",
		    l->options.url->host, (int)ev->text.len, (const char *)ev->text.data);
	if (ev->line.len > 0)
		report_heard(l->options.report, ev->line);
	return 0;
}

int
link_done(struct link *l, struct pop3_client_event *ev, struct trouble *t)
{
	do {
		if (link_next(l, ev, t) == -1)
			return -1;
	} while (ev->type != POP3_CEV_DONE);
	return 0;
}
