/*
 * poller - descriptors that are waited for, and who is told.
 *
 * The one place that knows epoll for the processes with an event loop.  One thread.
 */
#ifndef BASE_POLLER_H
#define BASE_POLLER_H

#include <stdbool.h>
#include <stdint.h>

struct source { /* the first member of, or embedded in, whatever has a descriptor */
	void (*ready)(struct source *s, uint32_t events);
	int fd; /* -1: none */
	uint32_t events; /* asked for (EPOLLIN...); hang-ups are always told */
	bool muted; /* see source_mute() */
};

int poller_open(void); /* descriptor, or -1 with errno */

int source_add(int poller, struct source *s, uint32_t events);
void source_want(int poller, struct source *s, uint32_t events); /* changes what is asked for */
/* Nothing is told any more, and source_want() does nothing, until the descriptor is closed: a
 * hang-up would be told again and again while what came before it still has to be read. */
void source_mute(int poller, struct source *s);
void source_remove(int poller, struct source *s); /* and closes the descriptor */

/* Waits at most so many milliseconds (-1: for ever), and tells.  A source removed meanwhile is
 * not told; its memory must stay until this returns.  0, or -1 with errno. */
int poller_turn(int poller, int timeout);

#endif
