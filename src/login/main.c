/*
 * restante-login - AUTHORIZATION and TLS, with no rights.
 *
 * Start-up order: no cores, settings, certificates, sockets and channels from the supervisor; an
 * empty root, uid and gid, Landlock, seccomp; then the first octet from a client.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fd.h"
#include "base/log.h"
#include "ipc/channel.h"
#include "login/login.h"
#include "sandbox/sandbox.h"

struct login login = {
	.epoll = -1, .spare = -1, .supervisor = { .fd = CHILD_CHANNEL }, .auth = { .fd = -1 }
};

static uint8_t packet[CHANNEL_MAX];

static int
take_certificate(struct ipc_reader *r, struct fault *f)
{
	struct certificate_setup m;

	if (!certificate_setup_decode(r, &m))
		return fault_set(f, FAULT_PERM, "a malformed certificate message");
	if (login.tls == NULL && (login.tls = tls_server_create(f)) == NULL)
		return -1;
	return tls_server_add(
	    login.tls, m.name, m.chain.data, m.chain.len, m.key.data, m.key.len, f);
}

static int
take_listener(struct ipc_reader *r, int *fd, struct fault *f)
{
	struct listener *l = &login.listeners[login.listeners_count];
	struct listener_setup m;

	if (login.listeners_count == sizeof login.listeners / sizeof *login.listeners)
		return fault_set(
		    f, FAULT_PERM, "more than %zu addresses to listen on", login.listeners_count);
	if (*fd == -1 || !listener_setup_decode(r, &m))
		return fault_set(f, FAULT_PERM, "a malformed listener message");
	l->source = (struct source){ .ready = listener_ready, .fd = *fd };
	memcpy(l->name, m.name, sizeof l->name);
	l->tls = m.tls;
	login.listeners_count++;
	*fd = -1;
	return 0;
}

static int
take_counters(int fd, struct fault *f)
{
	size_t len = (size_t)login.setup.counter_rows * COUNTER_SLOTS * sizeof *login.counters;
	void *p = fd == -1 || len == 0 ? MAP_FAILED
				       : mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED || login.setup.counter_row >= login.setup.counter_rows)
		return fault_set(f, FAULT_TEMP, "map the shared counters: %s", strerror(errno));
	login.counters = p;
	return 0;
}

static void
take_peer(struct ipc_reader *r, int *fd)
{
	struct peer_setup m;

	if (!peer_setup_decode(r, &m) || m.role != PEER_AUTH || *fd == -1) {
		log_error("a peer that makes no sense");
		return;
	}
	auth_gone();
	login.auth = (struct source){ .ready = auth_ready, .fd = *fd };
	*fd = -1;
	if (login.epoll != -1 && source_add(login.epoll, &login.auth, EPOLLIN) == -1) {
		log_error("watch restante-auth: %s", strerror(errno));
		source_remove(login.epoll, &login.auth);
	}
}

static int
receive_setup(struct fault *f)
{
	int fds[CHANNEL_FDS], n, syslog = -1, r = 0;
	bool have = false;

	while (r == 0 && (n = setup_receive(packet, sizeof packet, fds)) > 0 &&
	       packet[0] != SU_START) {
		struct ipc_reader reader;

		ipc_reader_init(&reader, packet + 1, (size_t)n - 1);
		switch (packet[0]) {
		case SU_LOG:
			syslog = fds[0];
			fds[0] = -1;
			break;
		case SU_LOGIN:
			have = login_setup_decode(&reader, &login.setup);
			log_open("restante-login", login.setup.log.target, login.setup.log.level,
			    syslog);
			break;
		case SU_CERTIFICATE:
			r = take_certificate(&reader, f);
			break;
		case SU_LISTENER:
			r = take_listener(&reader, &fds[0], f);
			break;
		case SU_COUNTERS:
			r = take_counters(fds[0], f);
			break;
		case SU_PEER:
			take_peer(&reader, &fds[0]);
			break;
		default:
			r = fault_set(f, FAULT_PERM, "message %u of the supervisor makes no sense",
			    packet[0]);
		}
		explicit_bzero(packet, (size_t)n); /* there was a private key in one of them */
		fd_close(&fds[0]);
		fd_close(&fds[1]);
	}
	if (r == 0 && (n <= 0 || !have || login.counters == NULL))
		r = fault_set(f, FAULT_PERM, "the supervisor is gone, or has not said enough");
	return r;
}

static void
supervisor_ready(struct source *s, uint32_t events)
{
	int fds[CHANNEL_FDS];
	ssize_t n = channel_recv(s->fd, packet, sizeof packet, fds);
	struct ipc_reader r;

	(void)events;
	if (n == -1 && errno == EAGAIN)
		return;
	if (n == -1 && errno == EMSGSIZE) {
		/* no descriptor was left for one that came: ask for it again, once there is one */
		log_error("no descriptors are left: a message of the supervisor was lost");
		if (login.spare != -1)
			setup_want_auth();
		fd_close(&login.spare);
		return;
	}
	if (n <= 0) {
		login.ended = true;
		return;
	}
	ipc_reader_init(&r, packet + 1, (size_t)n - 1);
	if (packet[0] == SU_PEER) {
		take_peer(&r, &fds[0]);
	} else if (packet[0] == SU_DRAIN) {
		login.draining = true;
		for (size_t i = 0; i < login.listeners_count; i++)
			source_remove(login.epoll, &login.listeners[i].source);
		log_info("taking no further connections; %zu to go", login.clients);
	}
	fd_close(&fds[0]);
	fd_close(&fds[1]);
}

static void
prepare(void)
{
	login.pop3 = (struct pop3_server_config){
		.greeting = login.setup.greeting[0] != '\0' ? login.setup.greeting : NULL,
		.expire_user = login.setup.expire_user,
		.login_delay_user = login.setup.login_delay_user,
		.lang = (enum pop3_lang)(login.setup.lang < POP3_LANGS ? login.setup.lang : 0),
		.utf8 = login.setup.utf8,
	};
	for (int i = 0; i < 4; i++)
		login.sasl[i] = pop3_mechanisms_usable(
		    login.setup.mechanisms, (i & 1) != 0, (i & 2) != 0, login.mechanisms[i]);
}

static int
enter_sandbox(struct fault *f)
{
	if (login.setup.run_uid != 0) {
		if (sandbox_empty_root(f) == -1 ||
		    sandbox_become(login.setup.run_uid, login.setup.run_gid, NULL, f) == -1)
			return -1;
	}
	return sandbox_landlock(-1, f) == -1 || sandbox_seccomp(SANDBOX_LOGIN, f) == -1 ? -1 : 0;
}

static int
watch_all(struct fault *f)
{
	login.epoll = poller_open();
	login.spare = fcntl(CHILD_CHANNEL, F_DUPFD_CLOEXEC, 4);
	login.supervisor.ready = supervisor_ready;
	if (login.epoll == -1 || login.spare == -1 ||
	    source_add(login.epoll, &login.supervisor, EPOLLIN) == -1 ||
	    (login.auth.fd != -1 && source_add(login.epoll, &login.auth, EPOLLIN) == -1))
		return fault_set(f, FAULT_TEMP, "epoll: %s", strerror(errno));
	for (size_t i = 0; i < login.listeners_count; i++)
		if (source_add(login.epoll, &login.listeners[i].source, EPOLLIN | EPOLLEXCLUSIVE) ==
		    -1)
			return fault_set(f, FAULT_TEMP, "watch %s: %s", login.listeners[i].name,
			    strerror(errno));
	return 0;
}

int
main(void)
{
	struct fault f = { 0 };

	log_open("restante-login", LOG_TO_STDERR, LOG_LEVEL_INFO, -1);
	(void)signal(SIGPIPE, SIG_IGN);
	if (sandbox_start(&f) == -1 || receive_setup(&f) == -1 || enter_sandbox(&f) == -1 ||
	    watch_all(&f) == -1) {
		log_error("%s", f.text);
		return CHILD_EXIT_CONFIG;
	}
	prepare();
	log_info("serving: %s", sandbox_in_force());
	setup_ready();
	loop_run();
	_exit(EXIT_SUCCESS); /* sessions end with their sockets */
}
