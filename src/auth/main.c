/*
 * restante-auth - whose maildrop a connection gets.
 *
 * Start-up order: no cores, settings and channels from the supervisor; uid and gid, Landlock (no
 * file at all), seccomp, worker threads; then the first word from login.
 */
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/auth.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/log.h"
#include "ipc/channel.h"
#include "sandbox/sandbox.h"

enum { LOOK_MS = 1000 };

struct auth auth = { .poller = -1,
	.supervisor = { .fd = CHILD_CHANNEL },
	.pam = { .fd = -1 },
	.work = { .fd = -1 },
	.timed_due = UINT64_MAX };

static uint8_t packet[8192];
static int early_logins[64]; /* channels that came before there was a poller */
static size_t early_logins_count;
static int syslog_fd = -1;

bool
tell_supervisor(const struct ipc_writer *w)
{
	if (!w->failed && channel_send(CHILD_CHANNEL, w->data, w->len, NULL, 0) == 0)
		return true;
	log_error("the supervisor takes nothing: %s", w->failed ? "too long" : strerror(errno));
	return false;
}

static void
take_accounts(int fd)
{
	struct accounts *fresh;
	struct stat st;

	auth.asked = false;
	if (fd == -1 || fstat(fd, &st) == -1) {
		log_error("accounts: \"%s\" could not be opened; those from before stay",
		    auth.setup.accounts);
		return;
	}
	fresh = S_ISREG(st.st_mode)
		    ? accounts_read(fd, auth.setup.accounts, auth.setup.default_scheme)
		    : NULL;
	if (fresh == NULL) {
		log_error("accounts: read \"%s\": %s; those from before stay", auth.setup.accounts,
		    S_ISREG(st.st_mode) ? strerror(errno) : "not a regular file");
		return;
	}
	auth.seen.mtime = st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
	auth.seen.size = st.st_size;
	auth.seen.inode = (int64_t)st.st_ino;
	accounts_unref(&auth.accounts);
	auth.accounts = fresh;
	log_info("accounts: %zu in \"%s\"", accounts_count(fresh), auth.setup.accounts);
	if (accounts_hashed(fresh) > 0 &&
	    (auth.setup.apop || auth.setup.cram || strstr(auth.setup.mechanisms, "SCRAM") != NULL))
		log_warning(
		    "accounts: %zu have password hashes, which SCRAM, CRAM-MD5 and APOP cannot "
		    "use: "
		    "clients that prefer those are refused (\"mechanisms\" in restanted.conf)",
		    accounts_hashed(fresh));
}

void
accounts_look(void)
{
	uint64_t now = clock_ms();
	uint8_t type = SU_WANT_ACCOUNTS;
	struct ipc_writer w = { .data = &type, .len = 1, .cap = 1 };
	struct stat st;

	if (!auth.setup.have_accounts || auth.asked || now - auth.checked < LOOK_MS)
		return;
	auth.checked = now;
	/* stat(2) needs no right to the file itself; where it is not allowed, only a reload tells */
	if (stat(auth.setup.accounts, &st) == -1 ||
	    (auth.seen.mtime == st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec &&
		auth.seen.size == st.st_size && auth.seen.inode == (int64_t)st.st_ino))
		return;
	auth.asked = tell_supervisor(&w);
}

static void
take_peer(uint8_t role, uint64_t id, int fd)
{
	switch (role) {
	case PEER_LOGIN:
		if (auth.poller != -1)
			login_peer_add(fd);
		else if (early_logins_count < sizeof early_logins / sizeof *early_logins)
			early_logins[early_logins_count++] = fd;
		else
			fd_close(&fd);
		return;
	case PEER_PAM:
		if (auth.pam.fd != -1)
			pam_gone();
		auth.pam = (struct source){ .ready = pam_ready, .fd = fd };
		if (auth.poller != -1 && source_add(auth.poller, &auth.pam, EPOLLIN) == -1) {
			log_error("watch restante-pam: %s", strerror(errno));
			source_remove(auth.poller, &auth.pam);
		}
		return;
	case PEER_MAILDROP:
		maildrop_arrived(id, fd);
		return;
	default:
		log_error("a peer that makes no sense");
		fd_close(&fd);
	}
}

/* One message of the supervisor's, at the start or later.  False: it makes no sense. */
static bool
take_message(size_t len, int *fd)
{
	struct auth_setup setup;
	struct peer_setup peer;
	struct ipc_reader r;

	ipc_reader_init(&r, packet + 1, len - 1);
	switch (packet[0]) {
	case SU_AUTH:
	case SU_AUTH_RELOAD:
		if (!auth_setup_decode(&r, &setup))
			return false;
		auth.setup = setup;
		log_open("restante-auth", setup.log.target, setup.log.level, syslog_fd);
		if (auth.penalties != NULL)
			penalties_set_base(auth.penalties, setup.failure_delay);
		return true;
	case SU_ACCOUNTS:
		take_accounts(*fd);
		return true;
	case SU_PEER:
		if (!peer_setup_decode(&r, &peer) || *fd == -1)
			return false;
		take_peer(peer.role, peer.id, *fd);
		*fd = -1;
		return true;
	case SU_NO_MAILDROP:
		if (!peer_setup_decode(&r, &peer))
			return false;
		maildrop_refused(peer.id);
		return true;
	default:
		return false;
	}
}

static int
receive_setup(struct fault *f)
{
	int fds[CHANNEL_FDS], n;
	bool fine = true;

	while (
	    fine && (n = setup_receive(packet, sizeof packet, fds)) > 0 && packet[0] != SU_START) {
		if (packet[0] == SU_LOG) {
			syslog_fd = fds[0];
			fds[0] = -1;
		} else {
			fine = take_message((size_t)n, &fds[0]);
		}
		fd_close(&fds[0]);
		fd_close(&fds[1]);
	}
	if (!fine || n <= 0)
		return fault_set(f, FAULT_PERM, "the supervisor is gone, or makes no sense");
	return 0;
}

static void
supervisor_ready(struct source *s, uint32_t events)
{
	int fds[CHANNEL_FDS];
	ssize_t n = channel_recv(s->fd, packet, sizeof packet, fds);

	(void)events;
	if (n == -1 && errno == EAGAIN)
		return;
	if (n <= 0) {
		auth.ended = true;
		return;
	}
	if (!take_message((size_t)n, &fds[0]))
		log_error("message %u of the supervisor makes no sense", packet[0]);
	fd_close(&fds[0]);
	fd_close(&fds[1]);
}

/* Each holds a connection: when descriptors run out, channels could not be read any more. */
static uint32_t
most_conversations(void)
{
	enum { OURS = 256, AT_MOST = 65536 }; /* channels, and connections on their way */
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == -1 || r.rlim_cur > AT_MOST + OURS)
		return AT_MOST;
	return r.rlim_cur > 2 * OURS ? (uint32_t)r.rlim_cur - OURS : (uint32_t)r.rlim_cur / 2;
}

static int
prepare(struct fault *f)
{
	/* everything that a library does once, before there are no files any more */
	auth.penalties = penalties_create(auth.setup.failure_delay);
	auth.sasl = sasl_server_create();
	auth.poller = poller_open();
	auth.supervisor.ready = supervisor_ready;
	if (auth.penalties == NULL || auth.sasl == NULL || auth.poller == -1 ||
	    OPENSSL_init_crypto(OPENSSL_INIT_ADD_ALL_DIGESTS | OPENSSL_INIT_NO_LOAD_CONFIG, NULL) !=
		1 ||
	    RAND_bytes(auth.fake_key, sizeof auth.fake_key) != 1 ||
	    RAND_bytes((unsigned char *)&auth.next_session, 4) != 1 ||
	    source_add(auth.poller, &auth.supervisor, EPOLLIN) == -1 ||
	    (auth.pam.fd != -1 && source_add(auth.poller, &auth.pam, EPOLLIN) == -1))
		return fault_set(f, FAULT_TEMP, "prepare: %s", strerror(errno));
	auth.conversations_max = most_conversations();
	auth.next_session <<= 16; /* session ids of two runs are not the same in a log */
	return 0;
}

static int
enter_sandbox(struct fault *f)
{
	if (auth.setup.run_uid != 0 &&
	    sandbox_become(auth.setup.run_uid, auth.setup.run_gid, NULL, f) == -1)
		return -1;
	return sandbox_landlock(-1, f) == -1 || sandbox_seccomp(SANDBOX_AUTH, f) == -1 ? -1 : 0;
}

static void
bury(void)
{
	while (auth.dead_logins != NULL) {
		struct login_peer *p = auth.dead_logins;

		auth.dead_logins = p->next;
		free(p);
	}
	while (auth.dead_maildrops != NULL) {
		struct maildrop_peer *m = auth.dead_maildrops;

		auth.dead_maildrops = m->hh.next;
		free(m);
	}
}

int
main(void)
{
	struct fault f = { 0 };

	log_open("restante-auth", LOG_TO_STDERR, LOG_LEVEL_INFO, -1);
	(void)signal(SIGPIPE, SIG_IGN);
	if (sandbox_start(&f) == -1 || receive_setup(&f) == -1 || prepare(&f) == -1 ||
	    enter_sandbox(&f) == -1)
		goto fail;
	if (work_start() == -1) {
		fault_set(&f, FAULT_TEMP, "threads: %s", strerror(errno));
		goto fail;
	}
	for (size_t i = 0; i < early_logins_count; i++)
		login_peer_add(early_logins[i]);
	log_info("serving: %s", sandbox_in_force());
	setup_ready();
	while (!auth.ended) {
		if (poller_turn(auth.poller, conversations_expire()) == -1) {
			log_error("wait for events: %s", strerror(errno));
			break;
		}
		bury();
	}
	_exit(EXIT_SUCCESS); /* workers may be at it still */
fail:
	log_error("%s", f.text);
	return CHILD_EXIT_CONFIG;
}
