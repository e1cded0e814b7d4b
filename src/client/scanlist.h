/*
 * scanlist - what the server says is there: numbers, octets, unique-ids.
 *
 * Numbers are the listed ones, gaps and all (Q-S40).  A message that a listing gives twice stands
 * in it once.  Memory is bounded by SCANLIST_MAX messages and SCANLIST_UIDS octets of unique-ids;
 * a server that lists more is not served.
 */
#ifndef CLIENT_SCANLIST_H
#define CLIENT_SCANLIST_H

#include <pop3/base.h>
#include <stdbool.h>

#include "base/buf.h"

struct link;
struct trouble;

enum {
	SCANLIST_MAX = 1 << 22,
	SCANLIST_UIDS = 1 << 28,
};

struct listed {
	uint64_t number;
	uint64_t octets; /* UINT64_MAX: not said */
	uint32_t uid; /* offset in uids */
	uint16_t uid_len; /* 0: none */
	uint16_t mark; /* the caller's; 0 at first */
	uint32_t nth; /* among those of this unique-id, from 0 on */
	bool twin; /* there are others of this unique-id */
};

struct scanlist {
	struct listed *messages; /* by number */
	size_t count, cap;
	struct buf uids;
	bool has_uids; /* UIDL was answered */
	uint32_t *by_uid; /* places in messages, by unique-id and then number */
};

/* STAT, UIDL and LIST. */
int scanlist_get(struct link *l, struct scanlist *ret, struct trouble *t);
void scanlist_free(struct scanlist *l);

struct pop3_slice scanlist_uid(const struct scanlist *l, const struct listed *m);

/* The message of that number, or NULL. */
struct listed *scanlist_find(struct scanlist *l, uint64_t number);
/* The message of that unique-id and place, or NULL. */
struct listed *scanlist_find_uid(struct scanlist *l, struct pop3_slice uid, uint32_t nth);

#endif
