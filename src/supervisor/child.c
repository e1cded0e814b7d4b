#include "supervisor/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/fd.h"
#include "ipc/channel.h"
#include "ipc/codec.h"
#include "ipc/setup.h"

static const char *const programs[] = {
	[CHILD_AUTH] = "restante-auth",
	[CHILD_PAM] = "restante-pam",
	[CHILD_LOGIN] = "restante-login",
	[CHILD_MAILDROP] = "restante-maildrop",
};

/* What a child keeps of our environment: its time zone, and what sanitizers are told. */
static const char *const kept[] = { "TZ", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS",
	"LSAN_OPTIONS" };

enum { SEND_WAIT_MS = 5000 };

const char *
child_program(enum child_role role)
{
	return programs[role];
}

static _Noreturn void
become(const char *path, const char *program, int channel)
{
	char name[64], settings[5][256];
	char *argv[2] = { name, NULL }, *env[6] = { NULL };
	size_t n = 0;
	sigset_t none;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)snprintf(name, sizeof name, "%s", program);
	for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
		const char *value = getenv(kept[i]);

		if (value == NULL || strlen(value) > 200)
			continue;
		(void)snprintf(settings[n], sizeof settings[n], "%s=%s", kept[i], value);
		env[n] = settings[n];
		n++;
	}
	/* the channel may stand on any number, also on one that is about to be replaced */
	if (null == -1 || (channel = fcntl(channel, F_DUPFD, 10)) == -1 ||
	    (null = fcntl(null, F_DUPFD, 10)) == -1 || dup2(null, 0) == -1 || dup2(null, 1) == -1 ||
	    dup2(channel, CHILD_CHANNEL) == -1)
		_exit(126);
	(void)close_range(CHILD_CHANNEL + 1, ~0u, 0);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	(void)execve(path, argv, env);
	(void)fprintf(stderr, "restanted: run %s: %s\n", path, strerror(errno));
	_exit(127);
}

struct child *
child_start(enum child_role role, const char *dir, struct fault *f)
{
	struct child *c = calloc(1, sizeof *c);
	char path[1200];
	int pair[2] = { -1, -1 };
	struct child *r = NULL;

	if (c == NULL || channel_pair(pair) == -1) {
		fault_set(f, FAULT_TEMP, "start %s: %s", programs[role], strerror(errno));
		goto out;
	}
	(void)snprintf(path, sizeof path, "%s/%s", dir, programs[role]);
	(void)snprintf(c->who, sizeof c->who, "%s", programs[role]);
	c->role = role;
	c->channel = -1;
	c->started = clock_ms();
	c->pid = fork();
	if (c->pid == 0)
		become(path, programs[role], pair[1]);
	if (c->pid == -1) {
		fault_set(f, FAULT_TEMP, "start %s: fork: %s", programs[role], strerror(errno));
		goto out;
	}
	c->channel = pair[0];
	pair[0] = -1;
	r = c;
	c = NULL;
out:
	fd_close(&pair[0]);
	fd_close(&pair[1]);
	free(c);
	return r;
}

void
child_destroy(struct child **c)
{
	if (*c == NULL)
		return;
	fd_close(&(*c)->channel);
	free(*c);
	*c = NULL;
}

static int
send_waiting(struct child *c, const void *p, size_t len, int fd)
{
	uint64_t until = clock_ms() + SEND_WAIT_MS;

	while (channel_send(c->channel, p, len, &fd, fd == -1 ? 0 : 1) == -1) {
		struct pollfd wait = { .fd = c->channel, .events = POLLOUT };
		uint64_t now = clock_ms();

		if (errno != EAGAIN || now >= until)
			return -1;
		(void)poll(&wait, 1, (int)(until - now));
		if ((wait.revents & (POLLHUP | POLLERR)) != 0) {
			errno = EPIPE;
			return -1;
		}
	}
	return 0;
}

int
child_send(struct child *c, const struct ipc_writer *w, int fd)
{
	if (c->channel == -1 || w->failed) {
		errno = w->failed ? EMSGSIZE : EPIPE;
		return -1;
	}
	return send_waiting(c, w->data, w->len, fd);
}

int
child_send_type(struct child *c, uint8_t type, int fd)
{
	struct ipc_writer w = { .data = &type, .len = 1, .cap = 1 };

	return child_send(c, &w, fd);
}
