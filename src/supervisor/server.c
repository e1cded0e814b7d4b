#include "supervisor/server.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/log.h"
#include "conf/settings.h"
#include "ipc/channel.h"
#include "supervisor/notify.h"

enum {
	RESTART_MS = 1000, /* a child that died young is not started again before */
	STOP_MS = 3000, /* for children to end by themselves */
};

struct child *
server_find(const struct server *s, enum child_role role)
{
	for (struct child *c = s->children; c != NULL; c = c->next)
		if (c->role == role && c->channel != -1 && !c->retired)
			return c;
	return NULL;
}

static uint32_t
count_logins(const struct server *s, bool ready_only)
{
	uint32_t n = 0;

	for (const struct child *c = s->children; c != NULL; c = c->next)
		if (c->role == CHILD_LOGIN && !c->retired && !c->outgoing &&
		    (c->ready || !ready_only))
			n++;
	return n;
}

/* Tells one child to end: a login process when its sessions have, others at once. */
static void
retire_one(struct child *c)
{
	c->retired = true;
	c->outgoing = false;
	if (c->role != CHILD_LOGIN || child_send_type(c, SU_DRAIN, -1) == -1)
		fd_close(&c->channel);
}

static void
retire(struct server *s, enum child_role role)
{
	for (struct child *c = s->children; c != NULL; c = c->next)
		if (c->role == role && !c->retired)
			retire_one(c);
}

static int
start_missing(struct server *s, struct fault *f)
{
	if (s->settings->pam &&
	    (server_find(s, CHILD_PAM) == NULL || server_find(s, CHILD_AUTH) == NULL)) {
		/* the two share a channel: when one is gone, both begin again */
		retire(s, CHILD_AUTH);
		retire(s, CHILD_PAM);
		if (start_pam(s, f) == -1)
			return -1;
	}
	if (server_find(s, CHILD_AUTH) == NULL && start_auth(s, f) == -1)
		return -1;
	while (count_logins(s, false) < login_wanted(s))
		if (start_login(s, f) == -1)
			return -1;
	return 0;
}

int
server_start(struct server *s, struct fault *f)
{
	if (configure_ids(s->settings, &s->ids, f) == -1 ||
	    listeners_open(&s->listeners, s->settings, NULL, f) == -1 || counters_fit(s, f) == -1)
		return -1;
	for (size_t i = 0; i < s->listeners.count; i++)
		log_info("listening on %s%s", s->listeners.items[i].name,
		    s->listeners.items[i].tls ? " (TLS)" : "");
	return start_missing(s, f);
}

/* The new login processes cannot work: the old ones stay. */
static void
reload_undo(struct server *s)
{
	s->reloading = false;
	for (struct child *c = s->children; c != NULL; c = c->next) {
		if (c->role != CHILD_LOGIN || c->retired)
			continue;
		if (c->outgoing)
			c->outgoing = false;
		else
			retire_one(c);
	}
	log_error("reload: connections go on being served with the settings from before");
}

void
server_reload(struct server *s)
{
	struct settings *fresh, *old = s->settings;
	struct listeners listeners;
	struct ids ids;
	struct fault f = { 0 };
	struct child *auth;

	s->reload_again = s->reloading;
	if (s->reloading)
		return; /* once this one is through: what it has read may be old already */
	fresh = settings_read(s->file, stderr);
	if (fresh == NULL) {
		log_error("reload: \"%s\" has errors; nothing was changed", s->file);
		return;
	}
	if (configure_ids(fresh, &ids, &f) == -1 ||
	    listeners_open(&listeners, fresh, &s->listeners, &f) == -1) {
		log_error("reload: %s; nothing was changed", f.text);
		settings_destroy(&fresh);
		return;
	}
	listeners_close(&s->listeners);
	s->listeners = listeners;
	s->settings = fresh;
	s->ids = ids;
	auth = server_find(s, CHILD_AUTH);
	if (auth != NULL && fresh->pam == old->pam) {
		struct auth_setup setup;
		uint8_t mem[8192];
		struct ipc_writer w;

		configure_auth(fresh, &ids, &setup);
		ipc_writer_init(&w, mem, sizeof mem);
		auth_setup_encode(&w, SU_AUTH_RELOAD, &setup);
		if (child_send(auth, &w, -1) == -1 || send_accounts(s, auth) == -1)
			log_error("reload: tell restante-auth: %s", strerror(errno));
	} else {
		retire(s, CHILD_AUTH);
		retire(s, CHILD_PAM);
	}
	settings_destroy(&old);
	s->reloading = true;
	/* the old ones serve on until the new ones say that they do */
	for (struct child *c = s->children; c != NULL; c = c->next)
		c->outgoing = c->role == CHILD_LOGIN && !c->retired;
	if (counters_fit(s, &f) == -1 || start_missing(s, &f) == -1) {
		log_error("reload: %s", f.text);
		reload_undo(s);
		s->restart_at = clock_ms() + RESTART_MS; /* of what is missing all the same */
	}
}

static void
all_ready(struct server *s)
{
	if (count_logins(s, true) < login_wanted(s))
		return;
	if (s->reloading) {
		s->reloading = false;
		for (struct child *c = s->children; c != NULL; c = c->next)
			if (c->outgoing)
				retire_one(c);
		log_info("reload: \"%s\" is in force for new connections", s->file);
	}
	if (!s->announced) {
		s->announced = true;
		log_info("ready");
		notify_send("READY=1");
	}
}

static void
want_maildrop(struct server *s, struct child *auth, struct ipc_reader *r)
{
	struct want_maildrop want;
	struct fault f = { 0 };

	if (!want_maildrop_decode(r, &want)) {
		log_error("restante-auth talks nonsense; ended");
		fd_close(&auth->channel);
		return;
	}
	if (start_maildrop(s, &want, &f) == -1) {
		struct peer_setup none = { .role = PEER_MAILDROP, .id = want.id };
		uint8_t mem[32];
		struct ipc_writer w;

		log_error("%s", f.text);
		ipc_writer_init(&w, mem, sizeof mem);
		peer_setup_encode(&w, SU_NO_MAILDROP, &none);
		if (child_send(auth, &w, -1) == -1)
			log_error("tell restante-auth: %s", strerror(errno));
	}
}

void
server_child_speaks(struct server *s, struct child *c)
{
	uint8_t packet[4096];
	int fds[CHANNEL_FDS];
	ssize_t n = channel_recv(c->channel, packet, sizeof packet, fds);
	struct ipc_reader r;

	for (int i = 0; i < CHANNEL_FDS; i++)
		fd_close(&fds[i]); /* nobody has descriptors to give to us */
	if (n == -1 && errno == EAGAIN)
		return;
	if (n <= 0) {
		fd_close(&c->channel); /* its process has ended, or is about to */
		return;
	}
	ipc_reader_init(&r, packet + 1, (size_t)n - 1);
	if (packet[0] == SU_READY && n == 1) {
		c->ready = true;
		all_ready(s);
	} else if (packet[0] == SU_WANT_ACCOUNTS && n == 1 && c->role == CHILD_AUTH) {
		(void)send_accounts(s, c); /* auth keeps what it has, and asks again */
	} else if (packet[0] == SU_WANT_AUTH && n == 1 && c->role == CHILD_LOGIN) {
		introduce_login(s, c);
	} else if (packet[0] == SU_WANT_MAILDROP && c->role == CHILD_AUTH) {
		want_maildrop(s, c, &r);
	} else {
		log_error("%s: message %u makes no sense; ended", c->who, packet[0]);
		fd_close(&c->channel);
	}
}

static void
log_end(const struct child *c, int status)
{
	const char *after = c->role == CHILD_MAILDROP ? "" : "; starting another";

	if (WIFSIGNALED(status))
		log_error("%s (pid %ld) was ended by signal %d%s%s", c->who, (long)c->pid,
		    WTERMSIG(status), WCOREDUMP(status) ? ", core dumped" : "", after);
	else if (WEXITSTATUS(status) != 0 || c->role != CHILD_MAILDROP)
		log_error("%s (pid %ld) exited with status %d%s", c->who, (long)c->pid,
		    WEXITSTATUS(status), after);
	else
		log_debug("%s (pid %ld) ended", c->who, (long)c->pid);
}

void
server_child_ended(struct server *s, pid_t pid, int status)
{
	struct child **at, *c;
	uint64_t now = clock_ms();

	for (at = &s->children; *at != NULL && (*at)->pid != pid; at = &(*at)->next)
		;
	c = *at;
	if (c == NULL)
		return; /* one whose start failed half-way */
	*at = c->next;
	if (c->role == CHILD_MAILDROP)
		s->maildrops--;
	if (!c->retired)
		log_end(c, status);
	if (!c->retired && !c->ready && WIFEXITED(status) &&
	    WEXITSTATUS(status) == CHILD_EXIT_CONFIG && c->role != CHILD_MAILDROP) {
		log_error("%s cannot work with these settings", c->who);
		if (!s->announced)
			s->fatal = true;
		else if (s->reloading && c->role == CHILD_LOGIN)
			reload_undo(s);
		else
			s->restart_at = now + RESTART_MS;
	} else if (!c->retired && c->role != CHILD_MAILDROP) {
		/* at once if it had served; later if it dies as soon as it starts */
		s->restart_at = now - c->started < RESTART_MS ? now + RESTART_MS : now;
	}
	child_destroy(&c);
}

void
server_revive(struct server *s)
{
	struct fault f = { 0 };

	if (s->reload_again && !s->reloading)
		server_reload(s);
	if (s->restart_at == 0 || s->restart_at > clock_ms())
		return;
	s->restart_at = 0;
	if (start_missing(s, &f) == -1) {
		log_error("%s", f.text);
		if (s->reloading)
			reload_undo(s);
		s->restart_at = clock_ms() + RESTART_MS;
	}
}

void
server_stop(struct server *s)
{
	uint64_t until = clock_ms() + STOP_MS;
	struct child *c;

	notify_send("STOPPING=1");
	for (c = s->children; c != NULL; c = c->next) {
		c->retired = true;
		fd_close(&c->channel); /* the end of file is the order to end */
	}
	while (s->children != NULL) {
		int status;
		pid_t pid = waitpid(-1, &status, WNOHANG);

		if (pid > 0) {
			server_child_ended(s, pid, status);
			continue;
		}
		if (pid == -1 && errno != EINTR)
			break;
		if (clock_ms() >= until) {
			for (c = s->children; c != NULL; c = c->next)
				(void)kill(c->pid, SIGKILL); /* it may just have ended */
			until = clock_ms() + STOP_MS;
		}
		(void)poll(NULL, 0, 10);
	}
}

void
server_finish(struct server *s)
{
	while (s->children != NULL) {
		struct child *c = s->children;

		s->children = c->next;
		child_destroy(&c);
	}
	listeners_close(&s->listeners);
	counters_close(s);
	fd_close(&s->syslog);
	settings_destroy(&s->settings);
}
