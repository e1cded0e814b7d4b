/*
 * store - maildrops as a POP3 session sees them, whatever they are kept in.
 *
 * Runs in: maildrop (as the owner of the mail), client and LMTP (delivery only).  File names and
 * contents are hostile: the owner may have a shell, and the world sends mail.  Functions may
 * block on storage.  A struct drop is used by one thread at a time; different ones by different
 * threads at once.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct fault;
struct drop; /* one maildrop, locked, as it was when it was opened (P1939-38) */
struct message; /* one open message */
struct delivery; /* one message on its way in */

enum { STORE_UID_MAX = 70 };

struct store_ops {
	const char *name; /* "maildir" */

	/*
	 * Opens the maildrop at path below the folder root (a relative path, checked by the
	 * caller for form; the kernel keeps it below root), locks it and takes the snapshot.
	 * A maildrop that does not exist is empty and is not made.  Entries that are no messages
	 * (folders, fifos, links, unreadable names) are left out and counted, never followed.
	 * FAULT_IN_USE: another session has it.  Others: FAULT_TEMP, FAULT_PERM.
	 */
	int (*open)(int root, const char *path, struct drop **ret, struct fault *f);

	/* Unlocks and frees.  Removes nothing. */
	void (*close)(struct drop *d);

	uint32_t (*count)(const struct drop *d);
	/* Entries left out, for the log: how many, and the first fault's text ("" if none). */
	uint32_t (*skipped)(const struct drop *d, const char **ret_why);

	/* Message i of 0..count-1.  Octets as P1939-65 to 68 count them, in the form that is sent:
	 * of the surrogate unless utf8, where it is known to need one.  What a file name says is
	 * believed until message_open sees that it cannot be so, and corrects it. */
	uint64_t (*size)(const struct drop *d, uint32_t i, bool utf8);
	/* Writes the unique-id with a NUL into uid[STORE_UID_MAX + 1]; distinct within the drop. */
	void (*uid)(const struct drop *d, uint32_t i, char *uid);
	/* When it arrived, seconds since 1970: the later of the name's word and the file's. */
	int64_t (*arrived)(const struct drop *d, uint32_t i);

	/* Opens message i for reading.  FAULT_GONE: it vanished. */
	int (*message_open)(struct drop *d, uint32_t i, struct message **ret, struct fault *f);

	/*
	 * UPDATE: removes every i for which marked[i / 8] has bit i % 8, durably: when this
	 * returns 0, no power cut brings one back.  One that is gone already counts as removed.
	 * -1: some are still there; the fault names the first.  *ret_removed: how many are gone.
	 */
	int (*remove)(
	    struct drop *d, const uint8_t *marked, uint32_t *ret_removed, struct fault *f);

	/*
	 * Delivery.  begin makes the maildrop if it is not there.  write appends (stored form is
	 * the caller's choice).  name, after the last write, tells the base name that commit will
	 * give it, which nothing else will ever have (with a NUL; room for 256): who must know
	 * after a crash whether the message arrived notes it first.  commit makes the message
	 * appear, durably; abort forgets it.  commit and abort free.
	 */
	int (*deliver_begin)(int root, const char *path, struct delivery **ret, struct fault *f);
	int (*deliver_write)(struct delivery *d, const void *p, size_t len, struct fault *f);
	void (*deliver_name)(struct delivery *d, char *name);
	int (*deliver_commit)(struct delivery **d, struct fault *f);
	/* Whether a message of that base name is in the maildrop at path: 1 (and then durably),
	 * 0, or -1. */
	int (*delivered)(int root, const char *path, const char *name, struct fault *f);
	void (*deliver_abort)(struct delivery **d);
};

/*
 * One open message; stored form.  The common part of every store's struct message.
 */
struct message_info {
	int fd; /* regular file, or -1 if the store has no file */
	uint64_t stored; /* octets of stored form, from 0 */
	bool wire; /* known to be in wire form: CRLF throughout, nothing to stuff, ended */
	bool eight_bit; /* may hold octets >= 0x80 (true when not known) */
};
const struct message_info *message_info(const struct message *m);

/*
 * Reads at an offset: octets read, 0 at the end, -1 on an error, and an end before m's stored
 * octets is an error too (the file shrank): whoever gets -1 must not write a final dot.
 */
ssize_t message_read(struct message *m, uint64_t offset, void *buf, size_t len, struct fault *f);
void message_close(struct message **m);

extern const struct store_ops store_maildir;

#endif
