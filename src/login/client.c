#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "ipc/channel.h"
#include "login/login.h"

enum { ROUNDS = 16 /* of received octets, then the others get their turn */ };

/* What is true for this client now. */
static void
set_now(struct client *c)
{
	bool tls = c->tls != NULL;

	c->now.tls = tls;
	c->now.stls = login.tls != NULL && !tls;
	c->now.plaintext = tls || login.setup.plaintext == 2 ||
			   (login.setup.plaintext == 1 && c->address.loopback);
	c->now.sasl = login.sasl[(tls ? 1 : 0) | (c->now.plaintext ? 2 : 0)];
	c->now.apop = c->apop;
	c->now.expire = login.setup.expire;
	c->now.login_delay = login.setup.login_delay > 0 ? (int32_t)login.setup.login_delay : -1;
}

/* "<digits.hex@host>": letters that every client takes (P1939-48, 49, Q-C19). */
static char *
make_timestamp(void)
{
	uint64_t random[2];
	char *text;

	if (getrandom(random, sizeof random, 0) != sizeof random ||
	    asprintf(&text, "<%lld.%016llx%016llx@%s>", (long long)time(NULL),
		(unsigned long long)random[0], (unsigned long long)random[1],
		login.setup.hostname) == -1)
		return NULL;
	return text;
}

struct client *
client_of_pair(struct source *s)
{
	return (struct client *)(void *)((char *)s - offsetof(struct client, pair));
}

bool
client_flush(struct client *c)
{
	while (c->out.len > 0) {
		size_t sent;

		if (c->tls != NULL) {
			enum tls_io io =
			    tls_stream_write(c->tls, buf_at(&c->out), c->out.len, &sent);

			if (io == TLS_WANT_READ || io == TLS_WANT_WRITE)
				return false;
			if (io != TLS_DONE) {
				client_end(c);
				return false;
			}
		} else {
			ssize_t n = send(c->source.fd, buf_at(&c->out), c->out.len, MSG_NOSIGNAL);

			if (n == -1 && errno == EINTR)
				continue;
			if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
				return false;
			if (n == -1) {
				client_end(c);
				return false;
			}
			sent = (size_t)n;
		}
		buf_consume(&c->out, sent);
	}
	return true;
}

/* Queues and sends; false: not all of it went, or the client has ended. */
static bool
send_out(struct client *c, const struct pop3_out *out)
{
	if (!buf_append(&c->out, out->data, out->len)) {
		client_end(c);
		return false;
	}
	return client_flush(c);
}

void
client_end(struct client *c)
{
	if (c->source.fd == -1)
		return;
	check_forget(c);
	if (c->tls != NULL)
		tls_stream_shutdown(c->tls);
	tls_stream_destroy(&c->tls);
	timing_set(c, TIMING_NONE);
	source_remove(login.epoll, &c->pair);
	source_remove(login.epoll, &c->source);
	counters_change(c->address.slot, -1);
	pop3_server_destroy(&c->pop);
	buf_wipe(&c->in);
	buf_finish(&c->out);
	buf_wipe(&c->to_pair);
	free(c->apop);
	login.clients--;
	/* another event of this turn may still name it */
	c->next = login.dead;
	login.dead = c;
}

void
client_close(struct client *c)
{
	c->phase = PHASE_CLOSING;
	if (client_flush(c)) {
		client_end(c);
	} else if (c->source.fd != -1) {
		timing_set(c, TIMING_WRITE);
		source_want(login.epoll, &c->source, EPOLLOUT);
	}
}

static void
greet(struct client *c)
{
	uint8_t mem[POP3_REPLY_MAX];
	struct pop3_out out = { mem, 0, sizeof mem };

	c->phase = PHASE_COMMANDS;
	timing_set(c, TIMING_LOGIN);
	pop3_server_greet(c->pop, &out);
	(void)send_out(c, &out); /* a socket without room for a greeting is waited for like any */
}

void
client_create(int fd, const struct address *a, bool implicit_tls)
{
	struct client *c = calloc(1, sizeof *c);
	int on = 1;

	if (c == NULL) {
		fd_close(&fd);
		return;
	}
	c->source = (struct source){ .ready = client_ready, .fd = fd };
	c->pair = (struct source){ .ready = relay_pair_ready, .fd = -1 };
	c->address = *a;
	buf_init_secret(&c->in, LA_EARLY_MAX);
	buf_init(&c->out, OUT_OCTETS + CHANNEL_MAX); /* a challenge may be long */
	buf_init(&c->to_pair, RELAY_OCTETS + LA_EARLY_MAX);
	login.clients++;
	counters_change(a->slot, 1);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	if (login.setup.apop)
		c->apop = make_timestamp();
	if (implicit_tls)
		c->tls = tls_stream_create(login.tls, fd);
	set_now(c);
	c->pop = pop3_server_create(&login.pop3, &c->now, POP3_AUTHORIZATION);
	if (c->pop == NULL || (implicit_tls && c->tls == NULL) ||
	    (login.setup.apop && c->apop == NULL) ||
	    source_add(login.epoll, &c->source, EPOLLIN) == -1) {
		log_error("client from %s: out of memory", a->text);
		client_end(c);
		return;
	}
	if (implicit_tls) {
		c->phase = PHASE_HANDSHAKE;
		c->greet = true;
		timing_set(c, TIMING_LOGIN);
		return;
	}
	greet(c);
	if (c->source.fd != -1 && c->out.len > 0)
		source_want(login.epoll, &c->source, EPOLLOUT);
}

static void
handshake(struct client *c)
{
	enum tls_io io = tls_stream_handshake(c->tls);

	switch (io) {
	case TLS_WANT_READ:
		source_want(login.epoll, &c->source, EPOLLIN);
		return;
	case TLS_WANT_WRITE:
		source_want(login.epoll, &c->source, EPOLLOUT);
		return;
	case TLS_DONE:
		break;
	default:
		log_info("client from %s: TLS handshake: %s", c->address.text, tls_error());
		client_end(c); /* never back to the clear (P2595-16) */
		return;
	}
	set_now(c);
	pop3_server_set_now(c->pop, &c->now);
	c->phase = PHASE_COMMANDS;
	timing_set(c, TIMING_LOGIN);
	if (c->greet) {
		c->greet = false;
		greet(c);
	}
	if (c->source.fd != -1)
		client_commands(c);
}

/* The answer to STLS is out. */
static void
start_tls(struct client *c)
{
	c->tls = tls_stream_create(login.tls, c->source.fd);
	if (c->tls == NULL) {
		log_error("client from %s: out of memory", c->address.text);
		client_end(c);
		return;
	}
	free(c->apop); /* the greeting's timestamp was said in the clear */
	c->apop = NULL;
	c->phase = PHASE_HANDSHAKE;
	timing_set(c, TIMING_LOGIN);
	source_want(login.epoll, &c->source, EPOLLIN);
}

/* STLS was answered.  Octets behind it are somebody's attempt to have them taken for the
 * client's own words under TLS (P2595-05). */
static void
stls(struct client *c, size_t unused)
{
	if (unused > 0) {
		log_warning("client from %s: plaintext behind STLS: closed", c->address.text);
		client_end(c);
		return;
	}
	if (c->out.len == 0) {
		start_tls(c);
		return;
	}
	c->phase = PHASE_STLS;
	timing_set(c, TIMING_WRITE);
	source_want(login.epoll, &c->source, EPOLLOUT);
}

/* Receives; 0: nothing now, or the client has ended (its descriptor is -1). */
static size_t
receive(struct client *c, uint8_t *buf, size_t room)
{
	if (c->tls != NULL) {
		size_t n;
		enum tls_io io = tls_stream_read(c->tls, buf, room, &n);

		c->tls_wants_write = io == TLS_WANT_WRITE;
		if (io == TLS_DONE)
			return n;
		if (io != TLS_WANT_READ && io != TLS_WANT_WRITE)
			client_end(c);
		return 0;
	}
	for (;;) {
		ssize_t n = recv(c->source.fd, buf, room, 0);

		if (n > 0)
			return (size_t)n;
		if (n == -1 && errno == EINTR)
			continue;
		if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
			client_end(c);
		return 0;
	}
}

/* Keeps what was received and not used: c->in is replaced by it. */
static bool
keep_input(struct client *c, const struct pop3_in *in)
{
	if (in->len == 0) {
		buf_wipe(&c->in);
		return true;
	}
	if (c->in.len > 0) { /* in points into it */
		buf_consume(&c->in, c->in.len - in->len);
		return true;
	}
	if (buf_append(&c->in, in->data, in->len))
		return true;
	client_end(c);
	return false;
}

/* One event.  False: no more commands now. */
static bool
handle(struct client *c, const struct pop3_event *ev, struct pop3_in *in, struct pop3_out *out)
{
	size_t unused = in->len;

	if (ev->type == POP3_EV_AUTH_CANCEL) {
		check_forget(c);
		/* as if it had not been begun (P5034-10); but it has cost something: not for ever */
		if (++c->cancelled < CANCELS_MAX)
			return true;
		log_info("client from %s: begins exchanges and ends none", c->address.text);
	}
	if (ev->type == POP3_EV_QUIT || ev->type == POP3_EV_ABUSE ||
	    ev->type == POP3_EV_AUTH_CANCEL) {
		if (ev->type == POP3_EV_ABUSE)
			log_info("client from %s: abuse: closed", c->address.text);
		if (send_out(c, out) || c->source.fd != -1)
			client_close(c);
		out->len = 0;
		return false;
	}
	if (out->len > 0)
		(void)send_out(c, out);
	out->len = 0;
	if (c->source.fd == -1)
		return false;
	if (ev->type == POP3_EV_STLS) {
		stls(c, unused);
		return false;
	}
	/* credentials; without output left only the end of the connection is told now */
	c->phase = PHASE_CHECKING;
	timing_set(c, c->out.len > 0 ? TIMING_WRITE : TIMING_LOGIN);
	source_want(login.epoll, &c->source, c->out.len > 0 ? EPOLLOUT : 0);
	if (ev->type == POP3_EV_AUTH_RESPONSE)
		return !check_step(c, ev, in, out);
	return !check_start(c, ev, in, out);
}

static void
work(struct client *c, uint8_t received[IN_OCTETS])
{
	static uint8_t replies[OUT_OCTETS];

	for (int rounds = 0; rounds < ROUNDS; rounds++) {
		struct pop3_out out = { replies, 0, sizeof replies };
		struct pop3_in in;
		struct pop3_event ev;
		enum pop3_result r;
		bool go_on = true;

		if (!client_flush(c)) {
			if (c->source.fd != -1) {
				timing_set(c, TIMING_WRITE);
				source_want(login.epoll, &c->source, EPOLLOUT);
			}
			return;
		}
		if (c->timing == TIMING_WRITE)
			timing_set(c, TIMING_LOGIN);
		if (c->in.len > 0) {
			in = (struct pop3_in){ buf_at(&c->in), c->in.len };
		} else {
			in = (struct pop3_in){ received, receive(c, received, IN_OCTETS) };
			if (in.len == 0) {
				if (c->source.fd != -1)
					source_want(login.epoll, &c->source,
					    c->tls_wants_write ? EPOLLOUT : EPOLLIN);
				return;
			}
		}
		while (go_on && (r = pop3_server_next(c->pop, &in, &out, &ev)) == POP3_EVENT)
			go_on = handle(c, &ev, &in, &out);
		if (c->source.fd == -1 || !keep_input(c, &in))
			return;
		if (go_on && out.len > 0)
			timing_set(
			    c, TIMING_LOGIN); /* a whole command came; octets alone are none */
		if (out.len > 0)
			(void)send_out(c, &out);
		if (c->source.fd == -1 || !go_on)
			return;
	}
	/* the others get their turn; a writable socket tells at once, whatever TLS has in store */
	source_want(login.epoll, &c->source, EPOLLIN | EPOLLOUT);
}

void
client_commands(struct client *c)
{
	static uint8_t received[IN_OCTETS];

	work(c, received);
	explicit_bzero(received, sizeof received); /* passwords came through here */
}

void
client_ready(struct source *s, uint32_t events)
{
	struct client *c = (struct client *)(void *)s;

	if (c->phase == PHASE_RELAY) {
		relay_client_ready(c, events);
		return;
	}
	if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
		client_end(c);
		return;
	}
	switch (c->phase) {
	case PHASE_HANDSHAKE:
		handshake(c);
		break;
	case PHASE_COMMANDS:
		client_commands(c);
		break;
	case PHASE_CHECKING:
		if (c->held != NULL && client_flush(c))
			check_release(c);
		break;
	case PHASE_STLS:
		if (client_flush(c))
			start_tls(c);
		break;
	case PHASE_RELAY:
		break; /* see above */
	case PHASE_CLOSING:
		if (client_flush(c))
			client_end(c);
		break;
	}
}
