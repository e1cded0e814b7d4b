/*
 * auth_world - restante-auth as a process, with the test as supervisor, login, maildrop and pam.
 *
 * One at a time.  Whatever does not come as expected fails the test.
 */
#ifndef TESTS_AUTH_WORLD_H
#define TESTS_AUTH_WORLD_H

#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "ipc/auth_maildrop.h"
#include "ipc/channel.h"
#include "ipc/login_auth.h"
#include "ipc/setup.h"

extern struct world {
	const char *program; /* to be set by main() */
	pid_t pid;
	int supervisor, login, pam, log;
	char said[65536]; /* by the log so far */
	size_t said_len;
} world;

extern uint8_t packet[CHANNEL_MAX]; /* the message that came last */
extern int came_fd; /* and what came along; -1: nothing */

struct ipc_bytes bytes(const char *s);
void send_writer(int ch, const struct ipc_writer *w, int fd);

/* The length of the next message, which is in packet, with its descriptor in came_fd; 0 at the end. */
size_t receive(int ch);

/* As the supervisor. */
void send_accounts(const char *text);
int introduce(uint8_t role, uint64_t id);

/* Settings, to be changed by a test; start() waits until auth is ready. */
struct auth_setup usual(void);
void start(const struct auth_setup *setup, const char *accounts, rlim_t descriptors);
bool read_log(void); /* some more into world.said; false: it is at its end */
void await_log(const char *text);

/* Ends it; what it has logged is in world.said. */
void stop(void);

/* Returns when the new settings are in force. */
void reload(const struct auth_setup *setup);

/* As login. */
void say_start_on(int ch, struct la_start m);
void say_start(struct la_start m);
void say_pass(uint64_t id, const char *user, const char *secret);
void say_sasl(uint64_t id, const char *mechanism, const char *initial);
void say_step(uint64_t id, struct ipc_bytes data);
void say_cancel(uint64_t id);
struct la_reply expect_reply(enum login_auth_type type, uint64_t id);
void expect_failed(uint64_t id, enum la_failure why);
void expect_challenge(uint64_t id, char out[512]);

/* As the supervisor again, and as maildrop. */
struct want_maildrop expect_want(void);
struct am_handoff expect_handoff(int maildrop);
void report(int maildrop, enum auth_maildrop_type type, uint64_t id);

#endif
