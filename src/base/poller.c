#include "base/poller.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "base/fd.h"

enum { EVENTS = 256 };

int
poller_open(void)
{
	return epoll_create1(EPOLL_CLOEXEC);
}

int
source_add(int poller, struct source *s, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = s };

	s->events = events;
	s->muted = false;
	return epoll_ctl(poller, EPOLL_CTL_ADD, s->fd, &ev);
}

void
source_want(int poller, struct source *s, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = s };

	if (s->fd == -1 || s->muted || s->events == events)
		return;
	s->events = events;
	if (epoll_ctl(poller, EPOLL_CTL_MOD, s->fd, &ev) == -1)
		abort(); /* cannot fail for a descriptor that is in the set */
}

void
source_mute(int poller, struct source *s)
{
	if (s->fd == -1 || s->muted)
		return;
	(void)epoll_ctl(poller, EPOLL_CTL_DEL, s->fd, NULL);
	s->muted = true;
}

void
source_remove(int poller, struct source *s)
{
	if (s->fd == -1)
		return;
	/* out of the set explicitly: another process may hold the same socket open */
	(void)epoll_ctl(poller, EPOLL_CTL_DEL, s->fd, NULL);
	fd_close(&s->fd);
	s->events = 0;
}

int
poller_turn(int poller, int timeout)
{
	struct epoll_event ev[EVENTS];
	int n = epoll_wait(poller, ev, EVENTS, timeout);

	if (n == -1)
		return errno == EINTR ? 0 : -1;
	for (int i = 0; i < n; i++) {
		struct source *s = ev[i].data.ptr;

		if (s->fd != -1 && !s->muted)
			s->ready(s, ev[i].events);
	}
	return 0;
}
