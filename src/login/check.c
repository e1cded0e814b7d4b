#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/log.h"
#include "ipc/channel.h"
#include "login/login.h"

static uint8_t packet[CHANNEL_MAX];

static void
say_failed(struct client *c, struct pop3_out *out, enum la_failure why)
{
	static const struct {
		enum pop3_code code;
		enum pop3_text text;
	} says[] = {
		[LA_FAIL_AUTH] = { POP3_CODE_AUTH, POP3_TEXT_LOGIN_FAILED },
		[LA_FAIL_NEED_TLS] = { POP3_CODE_AUTH, POP3_TEXT_NEED_TLS },
		[LA_FAIL_DELAY] = { POP3_CODE_LOGIN_DELAY, POP3_TEXT_TOO_SOON },
		[LA_FAIL_IN_USE] = { POP3_CODE_IN_USE, POP3_TEXT_IN_USE },
		[LA_FAIL_TEMP] = { POP3_CODE_SYS_TEMP, POP3_TEXT_TRY_LATER },
		[LA_FAIL_PERM] = { POP3_CODE_SYS_PERM, POP3_TEXT_ASK_ADMIN },
	};
	source_remove(login.epoll, &c->pair);
	c->phase = PHASE_COMMANDS;
	timing_set(c, TIMING_LOGIN);
	pop3_server_login_failed(c->pop, out, says[why].code, says[why].text);
	c->failures++;
}

/* auth has said no, or nothing. */
static void
failed(struct client *c, enum la_failure why, bool close)
{
	uint8_t mem[POP3_REPLY_MAX];
	struct pop3_out out = { mem, 0, sizeof mem };

	say_failed(c, &out, why);
	if (!buf_append(&c->out, out.data, out.len)) {
		client_end(c);
		return;
	}
	if (close) {
		client_close(c);
	} else if (c->failures >= login.setup.max_failures) {
		log_debug("client from %s: too many failed logins", c->address.text);
		client_close(c);
	} else {
		client_commands(c);
	}
}

/* Sends what the writer holds, or holds it until the client's output is sent. */
static bool
send_packet(struct client *c, const struct ipc_writer *w, int fd)
{
	bool sent = !w->failed && login.auth.fd != -1;

	if (sent && c->out.len > 0) {
		c->held = parcel_create(w->data, w->len, fd);
		sent = c->held != NULL;
	} else if (sent) {
		sent = to_auth(w->data, w->len, fd);
	}
	explicit_bzero(packet, w->len);
	return sent;
}

static struct ipc_bytes
slice(const struct pop3_slice *s)
{
	return (struct ipc_bytes){ s->data, s->len };
}

bool
check_start(struct client *c, const struct pop3_event *ev, const struct pop3_in *early,
    struct pop3_out *out)
{
	uint8_t exporter[32], unique[LA_BINDING_MAX];
	struct la_start m = {
		.id = ++login.next_id,
		.secure = c->now.tls,
		.loopback = c->address.loopback,
		.lang = (uint8_t)pop3_server_lang(c->pop),
		.utf8 = pop3_server_is_utf8(c->pop),
		.user = slice(&ev->user),
		.secret = slice(&ev->secret),
		.early = { early->data, early->len },
	};
	struct ipc_writer w;
	int pair[2] = { -1, -1 };
	bool sent;

	(void)snprintf(m.address, sizeof m.address, "%s", c->address.text);
	if (ev->type == POP3_EV_PASS) {
		m.kind = LA_PASS;
	} else if (ev->type == POP3_EV_APOP) {
		m.kind = LA_APOP;
		m.secret = (struct ipc_bytes){ ev->digest, sizeof ev->digest };
		m.has_data = true;
		m.data = (struct ipc_bytes){ (const uint8_t *)c->apop, strlen(c->apop) };
	} else {
		m.kind = LA_SASL;
		m.user = slice(&ev->mech);
		m.has_data = ev->has_initial;
		m.data = slice(&ev->data);
	}
	if (c->tls != NULL) {
		tls_stream_describe(c->tls, m.tls, sizeof m.tls);
		m.exporter = (struct ipc_bytes){ exporter, tls_stream_exporter(c->tls, exporter) };
		m.unique =
		    (struct ipc_bytes){ unique, tls_stream_unique(c->tls, unique, sizeof unique) };
		/* maildrop gets one end, and we carry octets between the other one and TLS */
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) ==
		    -1) {
			log_error(
			    "client from %s: socketpair: %s", c->address.text, strerror(errno));
			say_failed(c, out, LA_FAIL_TEMP);
			return false;
		}
	}
	c->id = m.id;
	ipc_writer_init(&w, packet, sizeof packet);
	la_start_encode(&w, &m);
	sent = send_packet(c, &w, c->tls != NULL ? pair[1] : c->source.fd);
	fd_close(&pair[1]);
	c->pair.fd = pair[0];
	if (!sent) {
		c->id = 0;
		fd_close(&c->pair.fd);
		say_failed(c, out, LA_FAIL_TEMP);
		return false;
	}
	HASH_ADD(hh, login.checking, id, sizeof c->id, c);
	return true;
}

bool
check_step(struct client *c, const struct pop3_event *ev, const struct pop3_in *early,
    struct pop3_out *out)
{
	struct la_step m = {
		.id = c->id, .data = slice(&ev->data), .early = { early->data, early->len }
	};
	struct ipc_writer w;

	if (c->id != 0) { /* auth is still the one that asked */
		ipc_writer_init(&w, packet, sizeof packet);
		la_step_encode(&w, &m);
		if (send_packet(c, &w, -1))
			return true;
	}
	check_forget(c);
	say_failed(c, out, LA_FAIL_TEMP);
	return false;
}

static void
drop(struct client *c)
{
	if (c->id != 0)
		HASH_DELETE(hh, login.checking, c);
	c->id = 0;
	parcel_destroy(&c->held);
}

void
check_forget(struct client *c)
{
	uint8_t mem[16];
	struct ipc_writer w;

	if (c->id == 0)
		return;
	ipc_writer_init(&w, mem, sizeof mem);
	la_cancel_encode(&w, c->id);
	drop(c);
	(void)to_auth(w.data, w.len, -1); /* it is gone, then, and the check with it */
	if (c->phase != PHASE_RELAY)
		source_remove(login.epoll, &c->pair);
}

void
check_release(struct client *c)
{
	timing_set(c, TIMING_LOGIN);
	source_want(login.epoll, &c->source, 0);
	if (!to_auth_parcel(&c->held)) {
		drop(c);
		failed(c, LA_FAIL_TEMP, false);
	}
}

static void
challenged(struct client *c, const struct la_reply *m)
{
	struct pop3_out out;
	uint8_t *mem = malloc(m->data.len / 3 * 4 + 64);

	if (mem == NULL) {
		check_forget(c);
		failed(c, LA_FAIL_TEMP, false);
		return;
	}
	out = (struct pop3_out){ mem, 0, m->data.len / 3 * 4 + 64 };
	c->phase = PHASE_COMMANDS;
	timing_set(c, TIMING_LOGIN);
	if (!pop3_server_challenge(c->pop, &out, m->data.data, m->data.len) ||
	    !buf_append(&c->out, out.data, out.len)) {
		free(mem);
		client_end(c);
		return;
	}
	free(mem);
	client_commands(c);
}

static void
done(struct client *c)
{
	log_debug("client from %s: handed over", c->address.text);
	drop(c);
	if (c->tls == NULL)
		client_end(c); /* our copy of the connection; maildrop has its own */
	else
		relay_start(c);
}

void
auth_gone(void)
{
	struct client *c, *next;

	source_remove(login.epoll, &login.auth);
	to_auth_forget();
	HASH_ITER (hh, login.checking, c, next) {
		bool held = c->held != NULL;

		drop(c);
		source_remove(login.epoll, &c->pair);
		if (c->phase != PHASE_CHECKING)
			continue; /* it is told when it answers the challenge */
		/* a client's own socket may be with a maildrop process already: two would talk */
		failed(c, LA_FAIL_TEMP, c->tls == NULL && !held);
	}
}

void
auth_ready(struct source *s, uint32_t events)
{
	int fds[CHANNEL_FDS];
	struct ipc_reader r;
	struct la_reply m;
	struct client *c;
	ssize_t n;

	if ((events & EPOLLOUT) != 0)
		to_auth_ready();
	if (s->fd == -1)
		return;
	n = channel_recv(s->fd, packet, sizeof packet, fds);
	for (int i = 0; i < CHANNEL_FDS; i++)
		fd_close(&fds[i]);
	if (n == -1 && errno == EAGAIN)
		return;
	if (n > 0)
		ipc_reader_init(&r, packet + 1, (size_t)n - 1);
	if (n <= 0 || !la_reply_decode(&r, (enum login_auth_type)packet[0], &m)) {
		log_error("restante-auth is gone%s", n > 0 ? ": it made no sense" : "");
		auth_gone();
		setup_want_auth();
		return;
	}
	HASH_FIND(hh, login.checking, &m.id, sizeof m.id, c);
	if (c == NULL)
		return; /* it was cancelled while the answer was on its way */
	if (packet[0] == LA_DONE) {
		done(c);
	} else if (packet[0] == LA_FAILED) {
		drop(c);
		failed(c, m.failure, false);
	} else {
		challenged(c, &m);
	}
}
