/*
 * listeners - the sockets that clients connect to.
 *
 * Runs in: supervisor, which opens them (ports below 1024 need root) and hands them to each login
 * process; it never accepts and reads nothing from them.
 */
#ifndef SUPERVISOR_LISTENERS_H
#define SUPERVISOR_LISTENERS_H

#include <stdbool.h>
#include <stddef.h>

struct fault;
struct settings;

struct listener {
	char name[128]; /* "0.0.0.0:110": numeric, as bound */
	char asked[128]; /* the same as asked for: port 0 is still 0 */
	bool tls; /* implicit TLS */
	int fd;
};

struct listeners {
	struct listener *items;
	size_t count;
};

/*
 * Opens every address of the settings; a socket that old already has (same name, same kind) is
 * taken over from there instead of being opened anew.  On failure ret is empty and old is whole.
 */
int listeners_open(
    struct listeners *ret, const struct settings *s, struct listeners *old, struct fault *f);
void listeners_close(struct listeners *l);

#endif
