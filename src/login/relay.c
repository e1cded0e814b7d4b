/* After a login under TLS: octets between the client's TLS and the maildrop process's socket. */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/log.h"
#include "login/login.h"

enum { TURN_OCTETS = 512 * 1024 }; /* then the others get theirs */

static uint8_t scratch[RELAY_OCTETS];

enum move { MOVED, STUCK, OVER };

/* Sends what is kept for maildrop, and its end. */
static enum move
flush_pair(struct client *c)
{
	while (c->to_pair.len > 0) {
		ssize_t n = send(c->pair.fd, buf_at(&c->to_pair), c->to_pair.len, MSG_NOSIGNAL);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return STUCK;
		if (n == -1) { /* maildrop has closed: what it said before still goes out */
			buf_wipe(&c->to_pair);
			c->in_eof = true;
			c->pair_shut = true;
			return STUCK;
		}
		buf_consume(&c->to_pair, (size_t)n);
	}
	if (c->in_eof && !c->pair_shut) {
		(void)shutdown(c->pair.fd, SHUT_WR);
		c->pair_shut = true;
	}
	return c->in_eof ? STUCK : MOVED;
}

/* From the client: one TLS read's worth. */
static enum move
move_in(struct client *c, size_t *moved)
{
	size_t n;
	enum move m = flush_pair(c);

	if (m != MOVED)
		return m;
	c->tls_wants_write = false;
	switch (tls_stream_read(c->tls, scratch, sizeof scratch, &n)) {
	case TLS_DONE:
		*moved += n;
		return buf_append(&c->to_pair, scratch, n) ? MOVED : OVER;
	case TLS_WANT_READ:
		return STUCK;
	case TLS_WANT_WRITE:
		c->tls_wants_write = true;
		return STUCK;
	default: /* close_notify, or the connection's end: no more commands will come */
		c->in_eof = true;
		return MOVED;
	}
}

/* To the client: what maildrop has. */
static enum move
move_out(struct client *c, size_t *moved)
{
	ssize_t n;

	if (c->source.muted)
		buf_finish(&c->out); /* nobody is there */
	else if (!client_flush(c))
		return c->source.fd == -1 ? OVER : STUCK;
	if (c->pair_eof) {
		client_end(c); /* says close_notify */
		return OVER;
	}
	do
		n = recv(c->pair.fd, scratch, sizeof scratch, 0);
	while (n == -1 && errno == EINTR);
	if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return STUCK;
	if (n <= 0) {
		c->pair_eof = true;
		return MOVED;
	}
	*moved += (size_t)n;
	return buf_append(&c->out, scratch, (size_t)n) ? MOVED : OVER;
}

static void
relay_work(struct client *c)
{
	size_t moved_in = 0, moved_out = 0;
	enum move in = MOVED, out = MOVED;
	uint32_t want = 0, want_pair = 0;

	while ((in == MOVED || out == MOVED) &&
	       (moved_in + moved_out < TURN_OCTETS || c->source.muted)) {
		/* in first: a client that said QUIT and is gone said it all the same */
		if (in != STUCK)
			in = move_in(c, &moved_in);
		if (in == OVER)
			break;
		if (out != STUCK)
			out = move_out(c, &moved_out);
		if (out == OVER)
			break;
	}
	explicit_bzero(scratch, moved_in + moved_out == 0 ? 1024 : sizeof scratch);
	if (out == OVER || in == OVER || (c->source.muted && c->to_pair.len == 0)) {
		client_end(c);
		return;
	}
	if (c->out.len > 0 || c->tls_wants_write || moved_in + moved_out >= TURN_OCTETS)
		want |= EPOLLOUT; /* also after a full turn: a writable socket tells at once */
	if (!c->in_eof && c->to_pair.len == 0)
		want |= EPOLLIN;
	if (c->out.len == 0 && !c->pair_eof)
		want_pair |= EPOLLIN;
	if (c->to_pair.len > 0)
		want_pair |= EPOLLOUT;
	/* a client that takes nothing has a limit; one that waits for it to be its turn has none */
	if (c->out.len == 0)
		timing_set(c, TIMING_NONE);
	else if (c->timing != TIMING_WRITE || moved_out > 0)
		timing_set(c, TIMING_WRITE);
	source_want(login.epoll, &c->source, want);
	source_want(login.epoll, &c->pair, want_pair);
}

void
relay_pair_ready(struct source *s, uint32_t events)
{
	/* maildrop has closed: what it said before is read at the speed of the client */
	if ((events & (EPOLLHUP | EPOLLERR)) != 0)
		source_mute(login.epoll, s);
	relay_work(client_of_pair(s));
}

void
relay_client_ready(struct client *c, uint32_t events)
{
	/* both ways are closed: what it said before goes to maildrop as that takes it */
	if ((events & (EPOLLHUP | EPOLLERR)) != 0)
		source_mute(login.epoll, &c->source);
	relay_work(c);
}

void
relay_start(struct client *c)
{
	c->phase = PHASE_RELAY;
	buf_wipe(&c->in); /* it went along with the credentials */
	pop3_server_destroy(&c->pop);
	timing_set(c, TIMING_NONE); /* maildrop keeps the time now */
	if (source_add(login.epoll, &c->pair, EPOLLIN) == -1) {
		log_error("client from %s: %s", c->address.text, strerror(errno));
		client_end(c);
		return;
	}
	relay_work(c);
}
