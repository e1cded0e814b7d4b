/*
 * server - the supervisor's whole state, and the ways it changes: start, a child's end, a child's
 * wish, reload, shutdown.
 *
 * Runs in: supervisor, one thread, as root if the server was started as root.  Reads nothing that
 * a client sent; what children say is checked as if somebody else had taken them over.
 */
#ifndef SUPERVISOR_SERVER_H
#define SUPERVISOR_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "supervisor/child.h"
#include "supervisor/configure.h"
#include "supervisor/listeners.h"

struct fault;
struct settings;

struct server {
	const char *file; /* restanted.conf */
	const char *libexec; /* where the programs are */
	struct settings *settings;
	struct ids ids;
	struct listeners listeners;
	struct child *children; /* in no order */
	size_t maildrops; /* how many of them are maildrop processes */
	int syslog; /* connected socket, or -1 */
	int counters; /* memfd of rows of COUNTER_SLOTS counters */
	uint16_t *counter_memory;
	uint32_t counter_rows;
	uint8_t counter_key[16];
	bool reloading; /* new login processes start; the old ones serve until then */
	bool reload_again; /* another one was asked for meanwhile */
	bool announced; /* READY=1 was said */
	uint64_t restart_at; /* clock_ms() when what is missing is started again; 0: nothing is */
	bool fatal; /* a child cannot work with its settings: give up */
};

/* Opens sockets, starts auth, pam and login processes.  -1 with the fault set: nothing runs. */
int server_start(struct server *s, struct fault *f);

/* Reads the settings anew and replaces the login processes; any error changes nothing. */
void server_reload(struct server *s);

/* Something came on a child's channel, or its end. */
void server_child_speaks(struct server *s, struct child *c);

/* The process pid ended with a status of waitpid(2). */
void server_child_ended(struct server *s, pid_t pid, int status);

/* Starts what is missing, when its time has come. */
void server_revive(struct server *s);

/* Tells all children to end; what then is left after a moment is killed. */
void server_stop(struct server *s);
void server_finish(struct server *s);

/* Login processes' counters: a row that no living one has, zeroed, or -1 (counters.c). */
/* Makes a table with rows for all login processes that are wanted, and for some that still end;
 * those of before keep counting in theirs. */
int counters_fit(struct server *s, struct fault *f);
int counters_take_row(struct server *s);
void counters_close(struct server *s);

/* The children, one by one (start.c). */
int start_auth(struct server *s, struct fault *f);
int start_pam(struct server *s, struct fault *f);
int start_login(struct server *s, struct fault *f);
int start_maildrop(struct server *s, const struct want_maildrop *want, struct fault *f);
/* A channel between a login process and auth, if auth is there; else the next auth brings one. */
void introduce_login(struct server *s, struct child *login);
int send_accounts(struct server *s, struct child *auth);
uint32_t login_wanted(const struct server *s);

/* A living child of that role that was not told to end, or NULL. */
struct child *server_find(const struct server *s, enum child_role role);

#endif
