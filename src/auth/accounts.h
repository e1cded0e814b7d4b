/*
 * accounts - the account file, in the format of Dovecot's passwd-file:
 *
 *	user:password:uid:gid:gecos:home:shell:extra fields
 *
 * A table is read once and never changed; a new file makes a new table, and the old one lives as
 * long as somebody uses it.  Taking and giving back is for any thread.
 */
#ifndef AUTH_ACCOUNTS_H
#define AUTH_ACCOUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/scheme.h"

enum { EXPIRE_NEVER = 1000000 };

struct account {
	const char *user;
	struct scheme password;
	uint32_t uid, gid; /* UINT32_MAX: not said */
	const char *home; /* "" if not said */
	const char
	    *mail; /* template of its own, or NULL; of "maildir:~/x:OPTION=y" "%h/x" is kept */
	int64_t login_delay; /* seconds; -1: not said */
	int64_t expire; /* days; -1: not said */
	bool nologin;
};

struct accounts;

/* Reads an open file (closes nothing).  Lines that cannot be used are logged as path:line and
 * left out.  NULL with errno: it could not be read at all. */
struct accounts *accounts_read(int fd, const char *path, const char *fallback);
struct accounts *accounts_ref(struct accounts *a);
void accounts_unref(struct accounts **a);

/* The account of that name, exactly; NULL: there is none. */
const struct account *accounts_find(const struct accounts *a, const uint8_t *user, size_t len);
size_t accounts_count(const struct accounts *a);
/* Those whose password is kept as a hash: good for nothing that does not send the password. */
size_t accounts_hashed(const struct accounts *a);

/*
 * How SCRAM looks to users of this file: those who are not there, and those without keys, are shown
 * the same (P5802-15).
 */
struct scram_habit {
	unsigned iterations;
	size_t salt; /* octets, at most 32 */
	bool plain; /* some have a password in the clear, so that keys are derived at a login */
};
void accounts_scram_habit(const struct accounts *a, bool sha256, struct scram_habit *ret);

/* What a password given for an account is to be checked against: its own, or, for one that is not
 * there (NULL) or whose own no password can match, one that costs as much as any in the file. */
const struct scheme *accounts_scheme(const struct accounts *a, const struct account *account);

#endif
