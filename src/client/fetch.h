/*
 * fetch - what one run does for one account: every message that is not known arrives in the
 * Maildir once, and (with --delete) is deleted on the server when that is safe.
 *
 * Whatever is killed when, a message is neither lost nor delivered twice; state.h says how.  It
 * holds for messages with a unique-id.
 */
#ifndef CLIENT_FETCH_H
#define CLIENT_FETCH_H

#include <stdbool.h>

struct credentials;
struct link_options;
struct report;
struct totals;
struct trouble;

struct fetch_options {
	const struct link_options *link;
	const struct credentials *credentials;
	const char *state; /* path of the database */
	const char *maildir;
	bool delete;
};

/* 0, or -1: even then something may have arrived, and totals says what. */
int fetch(const struct fetch_options *o, struct totals *totals, struct trouble *t);

#endif
