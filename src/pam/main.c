/*
 * restante-pam - checks system users' passwords by PAM, for restante-auth.
 *
 * It stays root, since pam_unix lets nobody else ask about others, and so it is small: it reads
 * checks from auth, makes a child for each (PAM modules are not thread-safe and may leave anything
 * behind), and passes the verdict on.  It opens no socket and sees no client.
 *
 * Start-up order: no cores, settings and the channel to auth from the supervisor; then the first
 * check.
 */
#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <security/pam_appl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "ipc/channel.h"
#include "ipc/pam_check.h"
#include "ipc/setup.h"

enum { CHILDREN_MAX = 64, LIMIT_MS = 30000, PACKET_MAX = 4096 };

static struct check {
	pid_t pid; /* 0: free */
	uint64_t id;
	uint64_t until;
} checks[CHILDREN_MAX];

static struct pam_setup setup;
static int auth = -1;

static bool
answer(const struct pc_result *m)
{
	uint8_t mem[PACKET_MAX];
	struct ipc_writer w;

	ipc_writer_init(&w, mem, sizeof mem);
	pc_result_encode(&w, m);
	if (!w.failed && channel_send(auth, w.data, w.len, NULL, 0) == 0)
		return true;
	log_error("restante-auth takes nothing: %s", strerror(errno));
	return false;
}

/* Answers the question for the password, and no other. */
static int
converse(int n, const struct pam_message **msg, struct pam_response **ret, void *arg)
{
	struct pam_response *r;

	if (n < 1 || n > PAM_MAX_NUM_MSG || (r = calloc((size_t)n, sizeof *r)) == NULL)
		return PAM_CONV_ERR;
	for (int i = 0; i < n; i++) {
		if (msg[i]->msg_style == PAM_PROMPT_ECHO_OFF)
			r[i].resp = strdup(arg);
		else if (msg[i]->msg_style == PAM_PROMPT_ECHO_ON) {
			free(r); /* whatever else it wants to know, nobody is there to tell */
			return PAM_CONV_ERR;
		}
	}
	*ret = r;
	return PAM_SUCCESS;
}

static enum pc_verdict
ask_pam(const struct pc_check *c, char *secret, struct pc_result *ret)
{
	struct pam_conv conv = { .conv = converse, .appdata_ptr = secret };
	pam_handle_t *pam = NULL;
	const struct passwd *pw;
	const void *name = NULL;
	int r = pam_start(setup.service, c->user, &conv, &pam);

	if (r == PAM_SUCCESS)
		r = pam_set_item(pam, PAM_RHOST, c->address);
	if (r == PAM_SUCCESS)
		r = pam_set_item(pam, PAM_TTY, "pop3");
	if (r == PAM_SUCCESS)
		r = pam_authenticate(pam, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
	if (r == PAM_SUCCESS)
		r = pam_acct_mgmt(pam, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
	if (r == PAM_SUCCESS)
		r = pam_get_item(pam, PAM_USER, &name);
	pw = r == PAM_SUCCESS && name != NULL ? getpwnam(name) : NULL;
	if (pw != NULL) {
		ret->uid = pw->pw_uid;
		ret->gid = pw->pw_gid;
		(void)snprintf(ret->user, sizeof ret->user, "%s", (const char *)name);
		(void)snprintf(ret->home, sizeof ret->home, "%s", pw->pw_dir);
	}
	if (pam != NULL)
		(void)pam_end(pam, r);
	switch (r) {
	case PAM_SUCCESS:
		return pw != NULL ? PC_OK : PC_TEMP;
	case PAM_AUTHINFO_UNAVAIL:
	case PAM_ABORT:
	case PAM_BUF_ERR:
	case PAM_OPEN_ERR:
	case PAM_SERVICE_ERR:
	case PAM_SYSTEM_ERR:
		return PC_TEMP;
	default:
		return PC_DENIED;
	}
}

/* Root has no mail here, and his password is not to be guessed by way of us. */
static bool
is_root(const char *user)
{
	const struct passwd *pw = getpwnam(user);

	return pw != NULL && (pw->pw_uid == 0 || pw->pw_gid == 0);
}

static _Noreturn void
check_in_child(const struct pc_check *c, pid_t parent)
{
	struct pc_result m = { .id = c->id };
	char secret[1040];
	sigset_t none;
	size_t len = c->secret.len < sizeof secret ? c->secret.len : sizeof secret - 1;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGCHLD, SIG_DFL);
	/* a module that hangs does not outlive us, nor keep the supervisor's channel open */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	(void)close(CHILD_CHANNEL);
	if (len > 0)
		memcpy(secret, c->secret.data, len);
	secret[len] = '\0';
	m.verdict = memchr(secret, '\0', len) != NULL || is_root(c->user) ? PC_DENIED
									  : ask_pam(c, secret, &m);
	_exit(answer(&m) ? 0 : 1); /* 1: whoever reaps this says that it failed */
}

static bool
take_check(void)
{
	static uint8_t packet[PACKET_MAX];
	int fds[CHANNEL_FDS];
	ssize_t n = channel_recv(auth, packet, sizeof packet, fds);
	struct check *slot = NULL;
	pid_t self = getpid();
	struct ipc_reader r;
	struct pc_check c;

	fd_close(&fds[0]);
	fd_close(&fds[1]);
	if (n == -1 && errno == EAGAIN)
		return true;
	if (n <= 0)
		return false;
	ipc_reader_init(&r, packet + 1, (size_t)n - 1);
	if (packet[0] != PC_CHECK || !pc_check_decode(&r, &c)) {
		log_error("restante-auth makes no sense");
		return false;
	}
	for (size_t i = 0; i < CHILDREN_MAX && slot == NULL; i++)
		if (checks[i].pid == 0)
			slot = &checks[i];
	if (slot != NULL && (slot->pid = fork()) == 0)
		check_in_child(&c, self);
	explicit_bzero(packet, sizeof packet);
	if (slot == NULL || slot->pid == -1) {
		log_error("no further PAM check: %s",
		    slot == NULL ? "too many at once" : strerror(errno));
		if (slot != NULL)
			slot->pid = 0;
		(void)answer(&(struct pc_result){ .id = c.id, .verdict = PC_TEMP });
		return true;
	}
	slot->id = c.id;
	slot->until = clock_ms() + LIMIT_MS;
	return true;
}

static void
reap(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (size_t i = 0; i < CHILDREN_MAX; i++) {
			if (checks[i].pid != pid)
				continue;
			checks[i].pid = 0;
			if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
				log_error("a PAM check ended by %s %d",
				    WIFSIGNALED(status) ? "signal" : "status",
				    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
				(void)answer(
				    &(struct pc_result){ .id = checks[i].id, .verdict = PC_TEMP });
			}
		}
	}
}

/* Ends checks that hang; returns how long until the next one would be over time. */
static int
expire(void)
{
	uint64_t now = clock_ms(), next = UINT64_MAX;

	for (size_t i = 0; i < CHILDREN_MAX; i++) {
		if (checks[i].pid == 0)
			continue;
		if (checks[i].until <= now)
			(void)kill(checks[i].pid, SIGKILL); /* reaped as any other */
		else if (checks[i].until < next)
			next = checks[i].until;
	}
	return next == UINT64_MAX ? -1 : (int)(next - now);
}

static int
receive_setup(void)
{
	static uint8_t packet[PACKET_MAX];
	int fds[CHANNEL_FDS], n, syslog = -1;
	bool have = false;

	while ((n = setup_receive(packet, sizeof packet, fds)) > 0 && packet[0] != SU_START) {
		struct peer_setup peer;
		struct ipc_reader r;

		ipc_reader_init(&r, packet + 1, (size_t)n - 1);
		if (packet[0] == SU_LOG) {
			syslog = fds[0];
		} else if (packet[0] == SU_PAM && pam_setup_decode(&r, &setup)) {
			have = true;
			log_open("restante-pam", setup.log.target, setup.log.level, syslog);
		} else if (packet[0] == SU_PEER && peer_setup_decode(&r, &peer) &&
			   peer.role == PEER_AUTH) {
			auth = fds[0];
		} else {
			return -1;
		}
	}
	return n > 0 && have && auth != -1 ? 0 : -1;
}

int
main(void)
{
	struct rlimit none = { 0, 0 };
	sigset_t set;
	int signals;

	log_open("restante-pam", LOG_TO_STDERR, LOG_LEVEL_INFO, -1);
	(void)signal(SIGPIPE, SIG_IGN);
	/* no new privileges is not for us: modules may have helpers with some */
	if (prctl(PR_SET_DUMPABLE, 0) == -1 || setrlimit(RLIMIT_CORE, &none) == -1 ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 || receive_setup() == -1)
		return CHILD_EXIT_CONFIG;
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals == -1)
		return EXIT_FAILURE;
	log_info("serving: root, a process for each check");
	setup_ready();
	for (;;) {
		struct pollfd p[3] = {
			{ .fd = CHILD_CHANNEL, .events = POLLIN },
			{ .fd = auth, .events = POLLIN },
			{ .fd = signals, .events = POLLIN },
		};
		struct signalfd_siginfo info;

		if (poll(p, 3, expire()) == -1 && errno != EINTR)
			return EXIT_FAILURE;
		if (p[2].revents != 0) {
			while (read(signals, &info, sizeof info) > 0)
				;
			reap();
		}
		if (p[0].revents != 0 || (p[1].revents != 0 && !take_check()))
			return EXIT_SUCCESS; /* the supervisor or auth is gone */
	}
}
