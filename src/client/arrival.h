/*
 * arrival - messages on their way from the wire into a Maildir.
 *
 * Lines are stored with LF; a CR that ends no line stays.  The file name is known before it
 * appears, for whoever has to find out after a crash.
 */
#ifndef CLIENT_ARRIVAL_H
#define CLIENT_ARRIVAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct trouble;

struct target {
	char path[4096]; /* absolute: what the state remembers */
	const char *name; /* the last part of path */
	int root; /* the folder that it stands in */
};

/* path need not be there yet; the folder that it stands in does.  Something that is there and is
 * neither a Maildir nor empty is refused. */
int target_open(struct target *g, const char *path, struct trouble *t);
void target_close(struct target *g);

/* Whether a message of that name has arrived in a Maildir that was a target once: durably, when
 * it has. */
int target_has(const char *path, const char *name, bool *ret, struct trouble *t);

struct arrival;

int arrival_begin(const struct target *g, struct arrival **ret, struct trouble *t);
int arrival_write(struct arrival *a, const uint8_t *octets, size_t len, struct trouble *t);
/* After the last octet: the base name it will have, in memory for 256. */
int arrival_end(struct arrival *a, char *name, struct trouble *t);
uint64_t arrival_octets(const struct arrival *a); /* as they came */
/* It appears, durably.  Frees. */
int arrival_commit(struct arrival **a, struct trouble *t);
void arrival_abort(struct arrival **a);

#endif
