/*
 * restanted - the supervisor: reads the settings, opens the sockets, starts and restarts the
 * processes that do the work, and reads no octet from a client.
 *
 * Start-up order: options, settings, log, sockets, children (auth and pam first, so that no login
 * process is without them), then signals and channels until the end.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/log.h"
#include "conf/settings.h"
#include "supervisor/notify.h"
#include "supervisor/server.h"

static const char usage[] =
    "usage: restanted [-tpV] [-c file] [-x folder]\n"
    "  -c file    settings (" RESTANTE_SYSCONFDIR "/restante/restanted.conf)\n"
    "  -t         check the settings, say every error, and exit\n"
    "  -p         print the settings in force, and exit\n"
    "  -x folder  where restante-login and the others are (" RESTANTE_LIBEXECDIR ")\n"
    "  -V         print the version, and exit\n";

static int
open_syslog(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd != -1 && connect(fd, (struct sockaddr *)&to, sizeof to) == -1)
		fd_close(&fd);
	return fd;
}

static void
start_log(struct server *s)
{
	struct log_setup log;

	configure_log(s->settings, &log);
	if (log.target == LOG_TO_SYSLOG) {
		s->syslog = open_syslog();
		if (s->syslog == -1)
			(void)fprintf(stderr, "restanted: /dev/log: %s; logging here instead\n",
			    strerror(errno));
	}
	log_open("restanted", log.target, log.level, s->syslog);
}

/* As many descriptors as we may have: each connection is one, and children inherit the limit. */
static void
raise_descriptors(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &r); /* the limit before will do */
	}
}

static void
reap(struct server *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		server_child_ended(s, pid, status);
}

/* Returns true when it is time to end. */
static bool
take_signals(struct server *s, int fd)
{
	struct signalfd_siginfo info;
	bool end = false;

	while (read(fd, &info, sizeof info) == (ssize_t)sizeof info) {
		if (info.ssi_signo == SIGCHLD)
			reap(s);
		else if (info.ssi_signo == SIGHUP)
			server_reload(s);
		else
			end = true;
	}
	return end;
}

/* One turn: waits for signals, children's words, or the time to start one again. */
static bool
turn(struct server *s, int signals)
{
	struct pollfd *p;
	size_t n = 1, i = 1;
	int wait = -1;
	bool end = false;

	for (const struct child *c = s->children; c != NULL; c = c->next)
		n++;
	p = calloc(n, sizeof *p);
	if (p == NULL) {
		log_error("out of memory");
		return false;
	}
	p[0] = (struct pollfd){ .fd = signals, .events = POLLIN };
	for (const struct child *c = s->children; c != NULL; c = c->next)
		p[i++] = (struct pollfd){ .fd = c->channel, .events = POLLIN };
	if (s->restart_at != 0) {
		uint64_t now = clock_ms();

		wait = s->restart_at <= now ? 0 : (int)(s->restart_at - now);
	}
	if (poll(p, n, wait) == -1 && errno != EINTR)
		log_error("poll: %s", strerror(errno));
	/* children first: what one said before its end counts; the list only grows at its head */
	i = 1;
	for (struct child *c = s->children, *next; c != NULL && i < n; c = next, i++) {
		next = c->next;
		if (p[i].revents != 0)
			server_child_speaks(s, c);
	}
	if (p[0].revents != 0)
		end = take_signals(s, signals);
	free(p);
	server_revive(s);
	return !end && !s->fatal;
}

static int
serve(struct server *s)
{
	struct fault f = { 0 };
	sigset_t set;
	int signals;

	(void)signal(SIGPIPE, SIG_IGN);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	(void)sigaddset(&set, SIGHUP);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals == -1) {
		log_error("signalfd: %s", strerror(errno));
		return EX_OSERR;
	}
	raise_descriptors();
	if (server_start(s, &f) == -1) {
		log_error("%s", f.text);
		s->fatal = true;
	} else {
		while (turn(s, signals))
			;
		log_info("ending");
	}
	server_stop(s);
	fd_close(&signals);
	return s->fatal ? EX_CONFIG : EX_OK;
}

int
main(int argc, char **argv)
{
	struct server s = { .file = RESTANTE_SYSCONFDIR "/restante/restanted.conf",
		.libexec = RESTANTE_LIBEXECDIR,
		.syslog = -1,
		.counters = -1 };
	bool check = false, print = false;
	int opt, r;

	while ((opt = getopt(argc, argv, "c:tpx:V")) != -1) {
		switch (opt) {
		case 'c':
			s.file = optarg;
			break;
		case 't':
			check = true;
			break;
		case 'p':
			print = true;
			break;
		case 'x':
			s.libexec = optarg;
			break;
		case 'V':
			(void)printf("restanted %s\n", RESTANTE_VERSION);
			return EX_OK;
		default:
			(void)fputs(usage, stderr);
			return EX_USAGE;
		}
	}
	if (optind != argc) {
		(void)fputs(usage, stderr);
		return EX_USAGE;
	}
	s.settings = settings_read(s.file, stderr);
	if (s.settings == NULL)
		return EX_CONFIG;
	if (print)
		settings_write(s.settings, stdout);
	if (check)
		(void)printf("%s: no errors\n", s.file);
	if (print || check) {
		settings_destroy(&s.settings);
		return EX_OK;
	}
	start_log(&s);
	r = serve(&s);
	server_finish(&s);
	return r;
}
