/*
 * fault - what went wrong, in two voices.
 *
 * The kind alone decides what a client may read; the text is for the log only.  A function that
 * takes a struct fault sets it exactly when it returns a failure.
 */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

enum fault_kind {
	FAULT_NONE,
	FAULT_AUTH, /* credentials: [AUTH] (RFC 3206) */
	FAULT_IN_USE, /* maildrop locked: [IN-USE] (RFC 2449, 8.1.2) */
	FAULT_LOGIN_DELAY, /* logged in too recently: [LOGIN-DELAY] (RFC 2449, 8.1.1) */
	FAULT_TEMP, /* may pass by itself: [SYS/TEMP] (RFC 3206) */
	FAULT_PERM, /* needs an administrator: [SYS/PERM] */
	FAULT_GONE, /* this message is there no more */
};

struct fault {
	enum fault_kind kind;
	char text[512]; /* cut to fit; no final full stop */
};

/* Sets *f (may be NULL) and returns -1, so that "return fault_set(...)" reads well. */
int fault_set(struct fault *f, enum fault_kind kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The kind that an errno of a file operation stands for: ENOSPC, EMFILE, EIO... are FAULT_TEMP;
 * EACCES, EPERM, ENOTDIR, ELOOP... are FAULT_PERM; ENOENT is FAULT_GONE. */
enum fault_kind fault_kind_of_errno(int err);

#endif
