/*
 * process - everything that the threads of a maildrop process share, and the connections it serves.
 *
 * Leader/followers: threads wait on one epoll descriptor; each connection is armed for one event,
 * and whoever gets it owns the connection until it is armed again.  Storage may block the owner,
 * a socket never does.  The main thread owns no connection: it takes handoffs from auth, keeps the
 * time, and touches a connection only to shut its socket down, which wakes an owner up.
 */
#ifndef MAILDROP_PROCESS_H
#define MAILDROP_PROCESS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "ipc/auth_maildrop.h"
#include "ipc/setup.h"
#include "maildrop/session.h"

enum {
	OUT_OCTETS = 64 * 1024, /* of replies, in one send */
	IN_OCTETS = 16 * 1024, /* of commands, in one receive */
	BACKLOG_MAX = 64 * 1024, /* commands kept while the client is not reading */
	STEP_OCTETS = 1024 * 1024, /* sent before others get their turn, or: */
	STEP_MS = 100, /* this long worked, which is looked at between commands */
};

/* What a connection is waiting for, which is also the list that it stands in. */
enum waiting {
	WAIT_NOTHING, /* a thread owns it */
	WAIT_TURN, /* a thread is about to open its maildrop */
	WAIT_LOCK, /* another session has the maildrop */
	WAIT_COMMAND, /* idle */
	WAIT_READER, /* the client takes nothing */
	WAITS,
};

struct connection {
	struct session session;
	bool closing; /* close when everything is sent */
	bool cut; /* the main thread has shut the socket down, and said why in session.end */
	bool eof; /* nothing more will come from the client */
	int fd;
	uint64_t id;
	uint64_t since; /* clock_ms() when it began to wait */
	uint64_t handed; /* clock_ms() of the handoff */
	uint64_t active; /* clock_ms() of the last command run, or octet sent */
	enum waiting waiting;
	struct buf in; /* commands not run yet */
	struct buf out; /* replies not sent yet */
	uint64_t octets_in, octets_out;
	struct am_handoff *handoff; /* until the maildrop is open, or refused */
	char *who; /* user, address, TLS, mechanism: for the log */
	struct pop3_server_now now;
	struct connection *prev, *next; /* in its list */
};

struct list {
	struct connection *first, *last;
};

struct process {
	struct maildrop_setup setup;
	struct session_options options;
	char mechanisms[4][256]; /* usable without/with TLS (bit 0), plaintext (bit 1) */
	const char *sasl[4];
	int root; /* the mail root */
	int epoll;
	int auth; /* channel */
	atomic_bool auth_gone; /* channel stays open: a thread may be about to use it */
	int wake; /* eventfd: the main thread has a new first deadline */
	pthread_mutex_t mutex; /* guards what follows */
	struct list lists[WAITS];
	uint32_t connections;
	uint32_t threads, idle_threads;
	uint64_t empty_since; /* clock_ms() since there is no connection */
	bool stopping;
};

/* One thread's memory. */
struct worker {
	struct process *p;
	uint8_t out[OUT_OCTETS];
	uint8_t in[IN_OCTETS];
	uint8_t block[SESSION_BLOCK];
};

/* serve.c: what the owner of a connection does until it must wait. */
void serve_step(struct worker *w, struct connection *c);

/* waiting.c: lists and arming; but for wait_end(), every call takes the mutex. */
int wait_start(struct process *p, struct connection *c); /* a new one; 0, or -1 with errno */
void wait_begin(struct process *p, struct connection *c, enum waiting what, uint32_t events);
void wait_end(struct process *p, struct connection *c); /* c is the caller's who holds the mutex */
struct connection *wait_any(struct process *p); /* ended; NULL: none is waiting */
/* Shuts down what has waited too long, wakes what waits for a lock; milliseconds until the next
 * one is due, or -1. */
int wait_expire(struct process *p);

/* connection.c */
void connection_start(struct process *p, struct am_handoff *h, int fd);
void connection_report(struct process *p, enum auth_maildrop_type type, uint64_t id);
void connection_destroy(struct process *p, struct connection *c);

/* pool.c: threads.  0 or -1. */
int pool_start(struct process *p);

#endif
