/*
 * options - the command line of restante.
 */
#ifndef CLIENT_OPTIONS_H
#define CLIENT_OPTIONS_H

#include <pop3/url.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/report.h"
#include "client/secret.h"

enum action { ACTION_FETCH, ACTION_LIST, ACTION_SHOW, ACTION_HELP, ACTION_VERSION };

struct options {
	enum action action;
	struct pop3_url url;
	const char *maildir; /* fetch */
	uint64_t number; /* show */
	bool delete, plaintext, lockstep;
	const char *ca_file, *state; /* NULL: not given */
	struct secret_source secret;
	unsigned seconds;
	struct report report;
};

extern const char options_help[];

/* 0, or -1 with EX_USAGE. */
int options_parse(int argc, char **argv, struct options *ret, struct trouble *t);

#endif
