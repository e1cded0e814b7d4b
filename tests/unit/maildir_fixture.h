/*
 * maildir_fixture - a Maildir in a temporary folder, and a file system that fails on demand.
 *
 * Every test gets a folder of its own (maildir_setup, maildir_teardown), with an empty Maildir "m"
 * in it, and ends with as many open descriptors as it began with.  The test binary is linked with
 * --wrap for the system calls below (maildir_wraps in meson.build).
 */
#ifndef MAILDIR_FIXTURE_H
#define MAILDIR_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/fault.h"
#include "store/store.h"

/* What the file system does next; all zero in the beginning of a test. */
struct trouble {
	/* runs before (after false) and after each read of a folder; n counts them from 0 */
	void (*folder_read)(int fd, int n, bool after);
	int folder_reads;
	/* runs before each removal */
	void (*removal)(const char *name);
	int unlink_errno; /* of every removal */
	int fsync_errno, fsync_room; /* after so many */
	int fsyncs; /* asked for */
	int flock_errno;
	int opens_again; /* so many openat2() ask to be tried again */
	long file_system; /* what statfs says, unless 0 */
	int link_errno;
	int write_errno, write_room; /* after so many octets */
	int read_errno; /* of preads */
	uint64_t octets_read; /* by preads */
};
extern struct trouble trouble;

extern int root; /* the temporary folder */
extern char root_path[256];

int maildir_setup(void **state);
int maildir_teardown(void **state);

/* Makes a file of len octets at path below root. */
void put(const char *path, const void *octets, size_t len);
void put_text(const char *path, const char *text);
void rename_file(const char *from, const char *to);
void remove_file(const char *path);
bool exists(const char *path);
/* Every path below the Maildir with its size, times of change and mode, in one number. */
uint64_t picture(void);
/* Whether fd is the folder at path. */
bool is_folder(int fd, const char *path);
/* Makes the last change of a file or folder so many seconds old. */
void set_age(const char *path, int seconds);
/* Ends the test unless it runs as root. */
void only_as_root(void);

/* Opens "m"; fails the test when that does. */
struct drop *must_open(void);
/* Opens "m", which must give this fault. */
void must_not_open(enum fault_kind kind);
/* The number of the message with this unique-id; -1: there is none. */
int find_uid(const struct drop *d, const char *uid);
/* All unique-ids in order, each with a space after it. */
const char *all_uids(const struct drop *d);

#endif
