/*
 * penalty - failed logins make an address wait, longer each time (Q-M11).  IPv6 counts by /64.
 *
 * Pure but for its table, whose size is bounded: when it is full the oldest is forgotten.  One
 * thread.  Times are clock_ms().
 */
#ifndef AUTH_PENALTY_H
#define AUTH_PENALTY_H

#include <stdint.h>

struct penalties;

struct penalties *penalties_create(uint32_t base_seconds);
void penalties_destroy(struct penalties **p);
void penalties_set_base(struct penalties *p, uint32_t base_seconds);

/*
 * Asks for an attempt of the address to be looked at.  Returns now if it may be, and then the next
 * one has to wait as long as if this one failed (so that many at once are no faster than one after
 * another); else when to ask again.
 */
uint64_t penalty_ask(struct penalties *p, const char *address, uint64_t now);
/* It failed: returns when that may be said. */
uint64_t penalty_failed(struct penalties *p, const char *address, uint64_t now);
void penalty_cleared(struct penalties *p, const char *address);

#endif
