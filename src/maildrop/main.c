/*
 * restante-maildrop - TRANSACTION and UPDATE for the mail of one uid, shut into its mail root.
 *
 * Start-up order: no cores, settings from the supervisor, uid and gid, the mail root opened,
 * Landlock, seccomp, threads; then the first handoff from auth, and with it the first octet from
 * a client.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/log.h"
#include "ipc/channel.h"
#include "maildrop/process.h"
#include "sandbox/sandbox.h"

enum {
	STOP_MS = 2000,
	SESSION_FILES = 5, /* one more than are needed: the process has some of its own */
};

static struct process process = {
	.root = -1, .epoll = -1, .auth = -1, .wake = -1, .mutex = PTHREAD_MUTEX_INITIALIZER
};

static int
receive_setup(struct process *p)
{
	static uint8_t packet[8192];
	int fds[CHANNEL_FDS], n, syslog = -1;
	bool have = false;

	while ((n = setup_receive(packet, sizeof packet, fds)) > 0 && packet[0] != SU_START) {
		struct ipc_reader r;
		struct peer_setup peer;

		ipc_reader_init(&r, packet + 1, (size_t)n - 1);
		if (packet[0] == SU_LOG && fds[0] != -1) {
			syslog = fds[0];
		} else if (packet[0] == SU_MAILDROP && maildrop_setup_decode(&r, &p->setup)) {
			have = true;
			log_open(
			    "restante-maildrop", p->setup.log.target, p->setup.log.level, syslog);
		} else if (packet[0] == SU_PEER && peer_setup_decode(&r, &peer) &&
			   peer.role == PEER_AUTH && fds[0] != -1) {
			p->auth = fds[0];
		} else {
			log_error("message %u of the supervisor makes no sense", packet[0]);
			return -1;
		}
	}
	return n > 0 && have && p->auth != -1 ? 0 : -1;
}

/* A session has its socket, its maildrop, a lock and a message open.  One whose descriptor could not
 * even be received could not be told of it, so the limit is set where that does not happen. */
static void
limit_sessions(struct process *p)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0 &&
	    p->setup.max_sessions > files.rlim_cur / SESSION_FILES)
		p->setup.max_sessions = (uint32_t)(files.rlim_cur / SESSION_FILES);
}

static int
enter_sandbox(struct process *p, struct fault *f)
{
	if (sandbox_become(p->setup.uid, p->setup.gid, p->setup.user, f) == -1)
		return -1;
	/* as who we are now: what this uid cannot open, the sessions could not either */
	p->root = open(p->setup.root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (p->root == -1)
		return fault_set(
		    f, FAULT_PERM, "open mail root \"%s\": %s", p->setup.root, strerror(errno));
	return sandbox_landlock(p->root, f) == -1 || sandbox_seccomp(SANDBOX_MAILDROP, f) == -1 ? -1
												: 0;
}

static void
prepare(struct process *p)
{
	p->options = (struct session_options){
		.store = &store_maildir,
		.pop3 = {
			.implementation = p->setup.implementation ? "Restante-" RESTANTE_VERSION : NULL,
			.lang = (enum pop3_lang)p->setup.lang,
			.utf8 = p->setup.utf8,
		},
		.refuse_utf8 = p->setup.refuse_utf8,
	};
	for (int i = 0; i < 4; i++)
		p->sasl[i] = pop3_mechanisms_usable(
		    p->setup.mechanisms, (i & 1) != 0, (i & 2) != 0, p->mechanisms[i]);
	p->empty_since = clock_ms();
}

/* False: auth is gone, or was told that there is nothing to do and agreed. */
static bool
take_handoff(struct process *p)
{
	static uint8_t packet[LA_EARLY_MAX + 8192];
	int fds[CHANNEL_FDS];
	ssize_t n = channel_recv(p->auth, packet, sizeof packet, fds);
	struct am_handoff *h;
	struct ipc_reader r;

	if (n == -1 && errno == EAGAIN)
		return true;
	if (n == -1 && errno == EMSGSIZE) {
		log_error("a handoff was too long");
		return true;
	}
	if (n <= 0)
		return false;
	fd_close(&fds[1]);
	h = calloc(1, sizeof *h);
	ipc_reader_init(&r, packet + 1, (size_t)n - 1);
	if (h == NULL || packet[0] != AM_HANDOFF || fds[0] == -1 || !am_handoff_decode(&r, h)) {
		log_error("a malformed handoff, or no memory for it");
		fd_close(&fds[0]);
		free(h);
		return true;
	}
	connection_start(p, h, fds[0]);
	return true;
}

static bool
is_empty(struct process *p, uint64_t *ret_since)
{
	bool empty;

	(void)pthread_mutex_lock(&p->mutex);
	empty = p->connections == 0;
	*ret_since = p->empty_since;
	(void)pthread_mutex_unlock(&p->mutex);
	return empty;
}

/* After linger seconds without a session: asks auth whether it may go.  Returns how long to wait
 * at most before looking again. */
static int
consider_leaving(struct process *p, bool *asked, int wait)
{
	uint64_t since, due, now = clock_ms();

	if (!is_empty(p, &since)) {
		*asked = false;
		return wait;
	}
	due = since + 1000 * (uint64_t)p->setup.linger;
	if (!*asked && now >= due) {
		uint8_t mem[16];
		struct ipc_writer w;

		ipc_writer_init(&w, mem, sizeof mem);
		am_report_encode(&w, AM_IDLE, 0);
		*asked = channel_send(p->auth, w.data, w.len, NULL, 0) == 0;
		due = now + 1000;
	}
	if (*asked)
		return wait;
	return wait == -1 || (int)(due - now) < wait ? (int)(due - now) : wait;
}

/* Takes no new step, lets running ones come to their end, for a moment; the other sessions end. */
static void
stop(struct process *p)
{
	struct connection *c;
	uint64_t until = clock_ms() + STOP_MS;
	bool busy = true;

	(void)pthread_mutex_lock(&p->mutex);
	p->stopping = true;
	(void)pthread_mutex_unlock(&p->mutex);
	while (busy && clock_ms() < until) {
		(void)pthread_mutex_lock(&p->mutex);
		busy = p->threads > p->idle_threads;
		(void)pthread_mutex_unlock(&p->mutex);
		if (busy)
			(void)poll(NULL, 0, 5);
	}
	while ((c = wait_any(p)) != NULL) {
		if (c->session.end == SESSION_RUNS)
			c->session.end = SESSION_SHUTDOWN;
		connection_destroy(p, c);
	}
}

/* Serves until the supervisor is gone, or auth is and nobody is left. */
static void
serve(struct process *p)
{
	bool asked = false;

	for (;;) {
		bool gone = atomic_load(&p->auth_gone);
		int wait = wait_expire(p);
		struct pollfd fds[3] = {
			{ .fd = CHILD_CHANNEL, .events = POLLIN },
			{ .fd = gone ? -1 : p->auth, .events = POLLIN },
			{ .fd = p->wake, .events = POLLIN },
		};
		uint64_t since, count;

		if (gone && is_empty(p, &since))
			return;
		if (!gone)
			wait = consider_leaving(p, &asked, wait);
		/* deadlines move on by themselves when connections do: look every second or so */
		if (wait == -1 || wait > 1000)
			wait = is_empty(p, &since) ? wait : 1000;
		if (poll(fds, 3, wait) == -1 && errno != EINTR)
			return;
		if (fds[0].revents != 0)
			return; /* the supervisor says nothing more: this is its end */
		if (fds[1].revents != 0) {
			asked = false; /* that it has work for us is its answer */
			if (!take_handoff(p))
				atomic_store(&p->auth_gone, true);
		}
		if (fds[2].revents != 0)
			(void)!read(p->wake, &count, sizeof count); /* the rest is in the lists */
	}
}

int
main(void)
{
	struct process *p = &process;
	struct fault f = { 0 };

	log_open("restante-maildrop", LOG_TO_STDERR, LOG_LEVEL_INFO, -1);
	(void)signal(SIGPIPE, SIG_IGN);
	if (sandbox_start(&f) == -1)
		goto fail;
	if (receive_setup(p) == -1)
		return EXIT_FAILURE; /* no supervisor */
	p->epoll = epoll_create1(EPOLL_CLOEXEC);
	p->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (p->epoll == -1 || p->wake == -1) {
		fault_set(&f, FAULT_TEMP, "epoll: %s", strerror(errno));
		goto fail;
	}
	limit_sessions(p);
	if (enter_sandbox(p, &f) == -1)
		goto fail;
	prepare(p);
	if (pool_start(p) == -1) {
		fault_set(&f, FAULT_TEMP, "threads: %s", strerror(errno));
		goto fail;
	}
	log_info("serving \"%s\": %s", p->setup.root, sandbox_in_force());
	setup_ready();
	serve(p);
	stop(p);
	/* threads may still be at work: their memory goes with the process */
	_exit(EXIT_SUCCESS);
fail:
	log_error("%s", f.text);
	return CHILD_EXIT_CONFIG;
}
