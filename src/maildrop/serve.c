/*
 * A connection's owner at work: opens the maildrop, runs commands, sends replies, until something
 * has to be waited for.  Memory that the step needs is the thread's; what a connection keeps while
 * it waits is the rest of a reply and commands that were not run, if there are any.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "ipc/channel.h"
#include "maildrop/process.h"

enum io { IO_OK, IO_BLOCKED, IO_GONE };

/* Sends octets; what the socket does not take is kept in c->out. */
static enum io
send_octets(struct connection *c, const uint8_t *p, size_t len)
{
	while (len > 0) {
		ssize_t n = send(c->fd, p, len, MSG_NOSIGNAL);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return buf_append(&c->out, p, len) ? IO_BLOCKED : IO_GONE;
		if (n == -1)
			return IO_GONE;
		c->octets_out += (uint64_t)n;
		p += n;
		len -= (size_t)n;
	}
	return IO_OK;
}

static enum io
send_rest(struct connection *c)
{
	while (c->out.len > 0) {
		ssize_t n = send(c->fd, buf_at(&c->out), c->out.len, MSG_NOSIGNAL);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return errno == EAGAIN || errno == EWOULDBLOCK ? IO_BLOCKED : IO_GONE;
		c->octets_out += (uint64_t)n;
		buf_consume(&c->out, (size_t)n);
	}
	return IO_OK;
}

static void
opened(struct process *p, struct connection *c)
{
	const char *why;
	uint32_t skipped = p->options.store->skipped(c->session.drop, &why);

	if (skipped > 0)
		log_warning("session %llx: user \"%s\": %u entries of the maildrop left out: %s",
		    (unsigned long long)c->id, c->handoff->user, skipped, why);
	connection_report(p, AM_OPENED, c->id);
}

static void
refuse(struct connection *c, const struct fault *f, struct pop3_out *out)
{
	enum pop3_lang lang = (enum pop3_lang)c->handoff->lang;

	if (f->kind == FAULT_IN_USE)
		pop3_reply_err(out, POP3_CODE_IN_USE, pop3_text(lang, POP3_TEXT_IN_USE));
	else if (f->kind == FAULT_PERM)
		pop3_reply_err(out, POP3_CODE_SYS_PERM, pop3_text(lang, POP3_TEXT_ASK_ADMIN));
	else
		pop3_reply_err(out, POP3_CODE_SYS_TEMP, pop3_text(lang, POP3_TEXT_TRY_LATER));
	session_note(&c->session, f);
	c->session.end = SESSION_NOT_OPENED;
}

/* False: the lock is another session's, and there is time left to wait for it. */
static bool
open_maildrop(struct worker *w, struct connection *c, struct pop3_out *out)
{
	struct process *p = w->p;
	struct fault f = { 0 };
	struct drop *drop = NULL;

	if (p->options.store->open(p->root, c->handoff->path, &drop, &f) == -1) {
		if (f.kind == FAULT_IN_USE && clock_ms() - c->handed < p->setup.lock_wait)
			return false;
		refuse(c, &f, out);
		return true;
	}
	if (session_begin(&c->session, &p->options, drop, &c->now, (enum pop3_lang)c->handoff->lang,
		c->handoff->utf8, c->handoff->expire) == -1) {
		fault_set(&f, FAULT_TEMP, "out of memory");
		refuse(c, &f, out);
		return true;
	}
	session_greet(&c->session, out);
	opened(p, c);
	return true;
}

/* Receives into the thread's memory.  0 octets: nothing now; c->eof: nothing ever. */
static size_t
receive(struct worker *w, struct connection *c)
{
	ssize_t n;

	do
		n = recv(c->fd, w->in, sizeof w->in, 0);
	while (n == -1 && errno == EINTR);
	if (n > 0) {
		c->octets_in += (uint64_t)n;
		return (size_t)n;
	}
	if (n == 0) {
		c->eof = true;
		c->session.end = SESSION_EOF;
	} else if (errno != EAGAIN && errno != EWOULDBLOCK) {
		c->eof = true;
		c->session.end = SESSION_RESET;
	}
	return 0;
}

/* While replies wait for the client, take in some commands all the same: one that writes much
 * before it reads must not wait for us to read while we wait for it (P2449-23). */
static void
take_backlog(struct worker *w, struct connection *c)
{
	while (!c->eof && c->in.len < BACKLOG_MAX) {
		size_t room = BACKLOG_MAX - c->in.len;
		ssize_t n = recv(c->fd, w->in, room < sizeof w->in ? room : sizeof w->in, 0);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == 0)
			c->eof = true; /* commands already here still count */
		if (n <= 0)
			return;
		c->octets_in += (uint64_t)n;
		if (!buf_append(&c->in, w->in, (size_t)n)) {
			c->eof = true;
			return;
		}
	}
}

static void
wait_for_reader(struct worker *w, struct connection *c)
{
	uint32_t events = EPOLLOUT;

	take_backlog(w, c);
	if (!c->eof && c->in.len < BACKLOG_MAX)
		events |= EPOLLIN;
	wait_begin(w->p, c, WAIT_READER, events);
}

/* Whether it is time to leave a connection although there is more to do for it. */
static bool
is_enough(const struct connection *c, uint64_t start, uint64_t begun)
{
	return c->octets_out - start >= STEP_OCTETS || clock_ms() - begun >= STEP_MS;
}

/* Nothing is left to do but to wait for commands.  Octets that make none do not count (P1939-22):
 * each of them is no more than a timeout behind the last. */
static void
wait_for_command(struct worker *w, struct connection *c, bool active)
{
	uint64_t now = clock_ms();

	if (active)
		c->active = now;
	if (now - c->active >= 1000 * (uint64_t)w->p->setup.idle_timeout) {
		c->session.end = SESSION_IDLE;
		connection_destroy(w->p, c);
		return;
	}
	wait_begin(w->p, c, WAIT_COMMAND, EPOLLIN);
}

/* Runs commands from c->in or the socket until something must be waited for or all is over.
 * start: octets sent when the step began. */
static void
run(struct worker *w, struct connection *c, struct pop3_out *out, uint64_t start)
{
	uint64_t begun = clock_ms();

	for (;;) {
		bool kept = c->in.len > 0;
		struct pop3_in in = { w->in, 0 };
		enum pop3_result r;
		enum io io;

		if (kept)
			in = (struct pop3_in){ buf_at(&c->in), c->in.len };
		else if (c->session.end == SESSION_RUNS && !c->eof &&
			 c->session.cursor.kind == CURSOR_NONE)
			in.len = out->len == 0 ? receive(w, c) : 0;
		do {
			size_t before = in.len;

			r = session_run(&c->session, &in, out, w->block);
			if (kept)
				buf_consume(&c->in, before - in.len);
			io = send_octets(c, out->data, out->len);
			out->len = 0;
			if (kept && in.len > 0)
				in = (struct pop3_in){ buf_at(&c->in), c->in.len };
		} while (io == IO_OK && r == POP3_NEED_ROOM && !is_enough(c, start, begun));
		if (!kept && in.len > 0 && !buf_append(&c->in, in.data, in.len))
			io = IO_GONE;
		if (io == IO_GONE && c->session.end == SESSION_RUNS)
			c->session.end = SESSION_RESET;
		if (io == IO_BLOCKED) {
			c->closing = c->session.end != SESSION_RUNS;
			c->active = clock_ms();
			wait_for_reader(w, c);
			return;
		}
		if (c->session.end != SESSION_RUNS) {
			connection_destroy(w->p, c);
			return;
		}
		if (r == POP3_NEED_ROOM) {
			/* others first; then at once, or when there is room again, and until then
			 * it is a client that does not read as any other */
			c->active = clock_ms();
			wait_for_reader(w, c);
			return;
		}
		if (c->in.len == 0 && c->eof) {
			c->session.end = SESSION_EOF;
			connection_destroy(w->p, c);
			return;
		}
		if (c->in.len == 0) {
			wait_for_command(w, c, c->octets_out != start);
			return;
		}
	}
}

/* Sends what was kept.  False: the connection is waiting again, or over. */
static bool
send_kept(struct worker *w, struct connection *c, uint64_t start)
{
	enum io io = send_rest(c);
	uint64_t now = clock_ms();

	if (c->octets_out != start)
		c->active = now;
	if (io == IO_OK && !c->closing)
		return true;
	/* a client that writes but does not read wakes us, too, and gets no more time by it */
	if (io == IO_BLOCKED && now - c->active < 1000 * (uint64_t)w->p->setup.write_timeout) {
		wait_for_reader(w, c);
		return false;
	}
	if (c->session.end == SESSION_RUNS)
		c->session.end = io == IO_BLOCKED ? SESSION_STALLED : SESSION_RESET;
	connection_destroy(w->p, c);
	return false;
}

void
serve_step(struct worker *w, struct connection *c)
{
	struct pop3_out out = { w->out, 0, sizeof w->out };
	uint64_t start = c->octets_out;

	if (c->cut) {
		connection_destroy(w->p, c);
		return;
	}
	if (c->out.len > 0 && !send_kept(w, c, start))
		return;
	if (c->handoff != NULL && c->session.end == SESSION_RUNS) {
		if (!open_maildrop(w, c, &out)) {
			wait_begin(w->p, c, WAIT_LOCK, 0);
			return;
		}
		free(c->handoff);
		c->handoff = NULL;
	}
	run(w, c, &out, start);
}
