/*
 * place - where a user's maildrop is: the template filled in, and nothing a client says can lead
 * out of it.  Pure.
 */
#ifndef AUTH_PLACE_H
#define AUTH_PLACE_H

#include <stdbool.h>
#include <stddef.h>

struct fault;

struct place {
	char root[1024]; /* the folder that the maildrop process is shut into; absolute */
	char path[1024]; /* the maildrop, relative to it */
};

/* user fills %u, %n and %d; home %h; mail_root may be "" (then it is found as restanted.conf(5)
 * tells). */
int place_find(const char *pattern, const char *mail_root, const char *user, const char *home,
    struct place *ret, struct fault *f);

#endif
