/*
 * secret - the password, from where the user said: a command, a file, or the terminal.
 *
 * Never from argv or the environment, which others can read.
 */
#ifndef CLIENT_SECRET_H
#define CLIENT_SECRET_H

#include <stddef.h>

struct trouble;

enum { SECRET_MAX = 1024 };

struct secret_source {
	const char *command; /* for sh -c; the first line of its output; NULL: not this */
	const char *file; /* its first line; must not be readable by others; NULL: not this */
};

/* Writes it with a NUL into out[SECRET_MAX]; who is whose it is, for the question.  0, or -1 (and
 * out is wiped). */
int secret_get(const struct secret_source *from, const char *who, char *out, struct trouble *t);

/* Asks on the terminal for something that may be seen: 0 or -1. */
int secret_ask_name(const char *question, char *out, size_t room, struct trouble *t);

#endif
