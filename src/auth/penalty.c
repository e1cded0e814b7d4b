#include "auth/penalty.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum { TABLE_MAX = 65536, DELAY_MAX = 16000, FORGET_MS = 5 * 60 * 1000 };

struct penalty {
	char network[48];
	uint64_t until; /* nothing of the network is looked at before */
	uint64_t last; /* the last failure */
	uint32_t delay; /* milliseconds */
	UT_hash_handle hh; /* uthash keeps the order of insertion: the oldest is first */
};

struct penalties {
	struct penalty *table;
	uint32_t base;
};

struct penalties *
penalties_create(uint32_t base_seconds)
{
	struct penalties *p = calloc(1, sizeof *p);

	if (p != NULL)
		penalties_set_base(p, base_seconds);
	return p;
}

void
penalties_set_base(struct penalties *p, uint32_t base_seconds)
{
	p->base = base_seconds * 1000;
}

void
penalties_destroy(struct penalties **pp)
{
	struct penalty *e, *next;

	if (*pp == NULL)
		return;
	HASH_ITER (hh, (*pp)->table, e, next) {
		HASH_DEL((*pp)->table, e);
		free(e);
	}
	free(*pp);
	*pp = NULL;
}

/* The address itself, or the /64 of an IPv6 one. */
static void
network_of(const char *address, char *out, size_t room)
{
	struct in6_addr a;

	if (inet_pton(AF_INET6, address, &a) == 1 && !IN6_IS_ADDR_V4MAPPED(&a)) {
		memset(a.s6_addr + 8, 0, 8);
		if (inet_ntop(AF_INET6, &a, out, (socklen_t)room) != NULL)
			return;
	}
	(void)snprintf(out, room, "%s", address);
}

static struct penalty *
find(struct penalties *p, const char *address, char network[48])
{
	struct penalty *e;

	network_of(address, network, 48);
	HASH_FIND_STR(p->table, network, e);
	return e;
}

static void
forget(struct penalties *p, struct penalty *e)
{
	HASH_DEL(p->table, e);
	free(e);
}

uint64_t
penalty_ask(struct penalties *p, const char *address, uint64_t now)
{
	char network[48];
	struct penalty *e = find(p, address, network);

	if (e == NULL || p->base == 0)
		return now;
	if (now - e->last > FORGET_MS) {
		forget(p, e);
		return now;
	}
	if (e->until > now)
		return e->until;
	e->until = now + e->delay;
	return now;
}

uint64_t
penalty_failed(struct penalties *p, const char *address, uint64_t now)
{
	char network[48];
	struct penalty *e;

	if (p->base == 0)
		return now;
	e = find(p, address, network);
	if (e == NULL) {
		if (HASH_COUNT(p->table) >= TABLE_MAX)
			forget(p, p->table);
		e = calloc(1, sizeof *e);
		if (e == NULL)
			return now + DELAY_MAX;
		memcpy(e->network, network, sizeof e->network);
		HASH_ADD_STR(p->table, network, e);
	}
	e->delay = e->delay == 0 || now - e->last > FORGET_MS ? p->base : e->delay * 2;
	if (e->delay > DELAY_MAX)
		e->delay = DELAY_MAX;
	e->last = now;
	e->until = now + e->delay;
	return e->until;
}

void
penalty_cleared(struct penalties *p, const char *address)
{
	char network[48];
	struct penalty *e = find(p, address, network);

	if (e != NULL)
		forget(p, e);
}
