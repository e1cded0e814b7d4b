/*
 * child - one process of ours: started, talked to, and known by what it does.
 *
 * Runs in: supervisor.  A child is a fresh image (fork and exec), so each has an address-space
 * layout of its own, and gets nothing but descriptors 0, 1 (null), 2 (the log) and CHILD_CHANNEL.
 */
#ifndef SUPERVISOR_CHILD_H
#define SUPERVISOR_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct fault;
struct ipc_writer;

enum child_role { CHILD_AUTH, CHILD_PAM, CHILD_LOGIN, CHILD_MAILDROP };

struct child {
	enum child_role role;
	pid_t pid;
	int channel; /* -1: closed */
	bool ready; /* SU_READY came */
	bool retired; /* told to end: its end is no news */
	bool outgoing; /* login: serves until those of a reload are ready */
	uint32_t row; /* login: its row of the shared counters */
	uint64_t started; /* clock_ms() */
	char who[64]; /* for the log: "restante-maildrop for uid 1000" */
	struct child *next;
};

const char *child_program(enum child_role role);

/*
 * Starts a program of the folder dir, whose descriptor 2 is ours.  NULL with the fault set.  The
 * caller frees with child_destroy(), which closes the channel and leaves the process alone.
 */
struct child *child_start(enum child_role role, const char *dir, struct fault *f);
void child_destroy(struct child **c);

/*
 * Sends what a writer holds, with a descriptor unless that is -1, and waits a few seconds for a
 * child that is just starting to read.  0, or -1 with errno (EMSGSIZE when the writer failed).
 */
int child_send(struct child *c, const struct ipc_writer *w, int fd);
int child_send_type(struct child *c, uint8_t type, int fd);

#endif
