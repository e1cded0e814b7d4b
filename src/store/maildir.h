/*
 * maildir - one Maildir as its parts see it.  Private to src/store.
 */
#ifndef STORE_MAILDIR_H
#define STORE_MAILDIR_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/fault.h"
#include "store/store.h"

/* How often messages are looked for that do not stay under the name that they were seen with. */
enum { MAILDIR_LOOKS = 5 };

enum {
	IN_CUR = 1, /* else in new */
	SIZE_KNOWN = 2,
	MEASURED = 4, /* it was read: the next two are true, of the file that stamp knows */
	WIRE_FORM = 8,
	EIGHT_BIT = 16,
	GONE = 32, /* not found again */
	UNREADABLE = 64, /* to be left out */
};

/* Names of all messages stand in one run of memory, since there may be millions. */
struct entry {
	uint64_t seconds;
	uint64_t size; /* octets on the wire */
	uint64_t size7; /* the same of what a client without UTF8 gets */
	uint32_t name; /* offset in names */
	uint32_t micros;
	uint16_t base; /* octets of the base name */
	uint16_t flags;
	uint32_t stamp; /* of the file that was measured */
};

struct listing {
	char *names;
	size_t names_len, names_cap;
	struct entry *entries;
	uint32_t count, cap;
	uint32_t skipped; /* entries that are no messages */
	char why[160]; /* the first of them */
};

struct drop {
	int dir; /* the Maildir, locked; -1: there is none */
	int lock; /* the lock file, where the folder itself cannot be locked; else -1 */
	struct listing list;
};

static inline const char *
entry_name(const struct listing *l, const struct entry *e)
{
	return l->names + e->name;
}

/* Folder of an entry, "new" or "cur". */
const char *entry_folder(const struct entry *e);

/* Orders by arrival, then by base name; equal only for the same base name. */
int entry_compare(const struct listing *la, const struct entry *a, const struct listing *lb,
    const struct entry *b);

/* The entry of a base name in a sorted listing, or NULL. */
struct entry *listing_find(struct listing *l, const char *base, size_t len);

/* Reads new/ and cur/ of dir into a sorted listing, again when they change meanwhile. */
int listing_scan(int dir, struct listing *ret, struct fault *f);
void listing_free(struct listing *l);
/* Notes one that is left out. */
void listing_skip(struct listing *l, const char *name, const char *why);

/* Finds the present names of messages that were renamed; the rest is GONE. */
int maildir_relocate(struct drop *d, struct fault *f);

/* Opens what an entry stands for, if it is a regular file: descriptor or -1 with errno (ELOOP for
 * a link, EINVAL for other things that are no file). */
int maildir_open_entry(const struct drop *d, const struct entry *e, struct stat *ret);

/* Gives every entry its size; those that cannot be read are left out. */
int maildir_sizes(struct drop *d, struct fault *f);
/* Whether what is known of the size can be so of this file; else it is to be measured. */
bool maildir_size_fits(const struct entry *e, int fd, const struct stat *st);
/* Reads one open message and notes what it measures; -1 with errno.  buf has MEASURE_ROOM octets.
 */
enum { MEASURE_ROOM = 256 * 1024 };
int maildir_measure(struct entry *e, int fd, const struct stat *st, uint8_t *buf);

/* Sizes that dovecot-uidlist knows, for entries without one. */
void uidlist_sizes(int dir, struct listing *l);

/* Takes the lock of d->dir.  FAULT_IN_USE: another session has it. */
int maildir_lock(struct drop *d, struct fault *f);

int maildir_remove(struct drop *d, const uint8_t *marked, uint32_t *ret_removed, struct fault *f);
int maildir_message_open(struct drop *d, uint32_t i, struct message **ret, struct fault *f);

int maildir_deliver_begin(int root, const char *path, struct delivery **ret, struct fault *f);
int maildir_deliver_write(struct delivery *d, const void *p, size_t len, struct fault *f);
void maildir_deliver_name(struct delivery *d, char *name);
int maildir_deliver_commit(struct delivery **d, struct fault *f);
int maildir_delivered(int root, const char *path, const char *name, struct fault *f);
void maildir_deliver_abort(struct delivery **d);

/* open(2) below a folder, never leaving it, never through a link when links is false. */
int open_below(int dir, const char *path, int flags, bool links);

/* The kind of a fault of the maildrop as a whole: fault_kind_of_errno(), but never FAULT_GONE, which
 * is for messages. */
enum fault_kind maildir_fault_kind(int err);

#endif
