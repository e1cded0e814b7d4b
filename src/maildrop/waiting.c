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

void
wait_begin(struct process *p, struct connection *c, enum waiting what, uint32_t events)
{
	struct epoll_event ev = { .events = events | EPOLLONESHOT, .data.ptr = c };
	struct list *l = &p->lists[what];

	(void)pthread_mutex_lock(&p->mutex);
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
	/* armed under the mutex: whoever wakes finds it in its list, and from here on it is theirs */
	if (what != WAIT_LOCK && epoll_ctl(p->epoll, EPOLL_CTL_MOD, c->fd, &ev) == -1)
		abort(); /* cannot fail for a descriptor that is in the set */
	(void)pthread_mutex_unlock(&p->mutex);
	if (what == WAIT_LOCK)
		(void)!write(
		    p->wake, &(uint64_t){ 1 }, sizeof(uint64_t)); /* full: it wakes anyway */
}

bool
wait_end(struct process *p, struct connection *c)
{
	bool cut;

	(void)pthread_mutex_lock(&p->mutex);
	if (c->waiting != WAIT_NOTHING)
		unlink_connection(p, c);
	cut = c->cut;
	(void)pthread_mutex_unlock(&p->mutex);
	return !cut;
}

static void
cut(struct connection *c)
{
	c->cut = true;
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
		unlink_connection(p, c); /* a socket is writable at once: somebody tries again */
		if (epoll_ctl(p->epoll, EPOLL_CTL_MOD, c->fd, &ev) == -1)
			abort();
	}
	(void)pthread_mutex_unlock(&p->mutex);
	return next == UINT64_MAX ? -1 : (int)(next - now);
}
