/* The event loop, and deadlines. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "login/login.h"

void
timing_set(struct client *c, enum timing t)
{
	if (c->timing != TIMING_NONE) {
		if (c->prev != NULL)
			c->prev->next = c->next;
		else
			login.lists[c->timing].first = c->next;
		if (c->next != NULL)
			c->next->prev = c->prev;
		else
			login.lists[c->timing].last = c->prev;
	}
	c->timing = t;
	c->prev = c->next = NULL;
	if (t == TIMING_NONE)
		return;
	c->since = clock_ms();
	c->prev = login.lists[t].last;
	if (c->prev != NULL)
		c->prev->next = c;
	else
		login.lists[t].first = c;
	login.lists[t].last = c;
}

/* Ends whoever is over time; returns the milliseconds until the next one is. */
static int
expire(void)
{
	uint64_t now = clock_ms(), next = UINT64_MAX;

	for (enum timing t = TIMING_LOGIN; t < TIMINGS; t++) {
		uint64_t limit = 1000 * (uint64_t)(t == TIMING_LOGIN ? login.setup.login_timeout
								     : login.setup.write_timeout);
		struct client *c;

		while ((c = login.lists[t].first) != NULL && c->since + limit <= now) {
			log_debug("client from %s: %s", c->address.text,
			    t == TIMING_LOGIN ? "no login in time" : "took no data for too long");
			client_end(c); /* without a word (P1939-24) */
		}
		if (c != NULL && c->since + limit < next)
			next = c->since + limit;
	}
	return next == UINT64_MAX ? -1 : (int)(next - now);
}

static void
bury(void)
{
	while (login.dead != NULL) {
		struct client *c = login.dead;

		login.dead = c->next;
		free(c);
	}
}

void
loop_run(void)
{
	while (!login.ended && !(login.draining && login.clients == 0)) {
		if (poller_turn(login.epoll, expire()) == -1) {
			log_error("wait for events: %s", strerror(errno));
			return;
		}
		bury();
	}
}
