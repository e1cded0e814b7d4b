/*
 * trouble - what went wrong in the client, and the exit status that it stands for (sysexits.h).
 */
#ifndef CLIENT_TROUBLE_H
#define CLIENT_TROUBLE_H

#include <sysexits.h>

struct trouble {
	int status; /* EX_... */
	char text[512]; /* for people; may hold octets of the server's until it is printed */
};

/* Sets *t and returns -1. */
int trouble_set(struct trouble *t, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
