#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "maildrop/process.h"

enum { LOCK_RETRY_MS = 50 };

static void
unlink_connection(struct process *p, struct connection *c)
{
	struct list *l = &p->lists[c->waiting];

	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		l->first = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	else
		l->last = c->prev;
	c->prev = c->next = NULL;
	c->waiting = WAIT_NOTHING;
}

static void
link_connection(struct process *p, struct connection *c, enum waiting what)
{
	struct list *l = &p->lists[what];

	assert(c->waiting == WAIT_NOTHING);
	c->waiting = what;
	c->since = clock_ms();
	c->next = NULL;
	c->prev = l->last;
	if (l->last != NULL)
		l->last->next = c;
	else
		l->first = c;
	l->last = c;
}

int
wait_start(struct process *p, struct connection *c)
{
	struct epoll_event ev = { .events = EPOLLOUT | EPOLLONESHOT, .data.ptr = c };
	int r;

	(void)pthread_mutex_lock(&p->mutex);
	p->connections++;
	/* writable at once: the thread that gets it opens the maildrop, and c is its from here on */
	r = epoll_ctl(p->epoll, EPOLL_CTL_ADD, c->fd, &ev);
	if (r == 0)
		link_connection(p, c, WAIT_TURN);
	(void)pthread_mutex_unlock(&p->mutex);
	return r;
}

void
wait_begin(struct process *p, struct connection *c, enum waiting what, uint32_t events)
{
	struct epoll_event ev = { .events = events | EPOLLONESHOT, .data.ptr = c };

	(void)pthread_mutex_lock(&p->mutex);
	link_connection(p, c, what);
	/* armed under the mutex: whoever wakes finds it in its list, and from here on it is theirs */
	if (what != WAIT_LOCK && epoll_ctl(p->epoll, EPOLL_CTL_MOD, c->fd, &ev) == -1)
		abort(); /* cannot fail for a descriptor that is in the set */
	(void)pthread_mutex_unlock(&p->mutex);
	if (what == WAIT_LOCK)
		(void)!write(
		    p->wake, &(uint64_t){ 1 }, sizeof(uint64_t)); /* full: it wakes anyway */
}

void
wait_end(struct process *p, struct connection *c)
{
	unlink_connection(p, c);
}

struct connection *
wait_any(struct process *p)
{
	struct connection *c = NULL;

	(void)pthread_mutex_lock(&p->mutex);
	for (enum waiting what = WAIT_NOTHING; what < WAITS && c == NULL; what++)
		c = p->lists[what].first;
	if (c != NULL)
		unlink_connection(p, c);
	(void)pthread_mutex_unlock(&p->mutex);
	return c;
}

static void
cut(struct connection *c)
{
	c->cut = true;
	if (c->session.end == SESSION_RUNS)
		c->session.end = c->waiting == WAIT_COMMAND ? SESSION_IDLE : SESSION_STALLED;
	/* the owner-to-be is woken by this, and sees why; a connection is never freed by anybody
	 * but its owner */
	(void)shutdown(c->fd, SHUT_RDWR);
}

static uint64_t
limit_ms(const struct process *p, enum waiting what)
{
	return 1000 *
	       (uint64_t)(what == WAIT_COMMAND ? p->setup.idle_timeout : p->setup.write_timeout);
}

int
wait_expire(struct process *p)
{
	uint64_t now = clock_ms(), next = UINT64_MAX;
	struct connection *c, *after;

	(void)pthread_mutex_lock(&p->mutex);
	for (enum waiting what = WAIT_COMMAND; what <= WAIT_READER; what++) {
		/* the list is in the order of its deadlines: look at its head only */
		for (c = p->lists[what].first; c != NULL; c = c->next) {
			uint64_t due = c->since + limit_ms(p, what);

			if (c->cut)
				continue;
			if (due > now) {
				next = due < next ? due : next;
				break;
			}
			cut(c);
		}
	}
	for (c = p->lists[WAIT_LOCK].first; c != NULL; c = after) {
		struct epoll_event ev = { .events = EPOLLOUT | EPOLLONESHOT, .data.ptr = c };
		uint64_t due = c->since + LOCK_RETRY_MS;

		after = c->next;
		if (due > now) {
			next = due < next ? due : next;
			break;
		}
		unlink_connection(p, c);
		link_connection(p, c, WAIT_TURN); /* writable at once: somebody tries again */
		if (epoll_ctl(p->epoll, EPOLL_CTL_MOD, c->fd, &ev) == -1)
			abort();
	}
	(void)pthread_mutex_unlock(&p->mutex);
	return next == UINT64_MAX ? -1 : (int)(next - now);
}
