/*
 * transcript - reads a file of tests/transcripts/; README.md there has the format.
 */
#ifndef TRANSCRIPT_H
#define TRANSCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct octets {
	uint8_t *data;
	size_t len, cap;
};

enum step_kind {
	STEP_SEND, /* text: one segment */
	STEP_EXPECT, /* text: one line without its end */
	STEP_SKIP,
	STEP_TLS,
	STEP_CLOSED,
	STEP_HANG_UP,
	STEP_AGAIN,
};

struct step {
	enum step_kind kind;
	unsigned line; /* of the file */
	struct octets text;
};

enum { TRANSCRIPT_STEPS = 1000, TRANSCRIPT_MESSAGES = 9 };

struct transcript {
	bool authorization, tls_offered, tls_active, plaintext, utf8, in_use, read_only;
	bool for_library;
	bool expire_user, login_delay_user;
	int32_t expire, login_delay;
	int lang;
	char *sasl, *apop;
	struct octets messages[TRANSCRIPT_MESSAGES];
	const char *uids[TRANSCRIPT_MESSAGES];
	unsigned count;
	struct step steps[TRANSCRIPT_STEPS];
	unsigned length;
};

/* Ends the program with a message when the file is not one. */
struct transcript *transcript_read(const char *path);
void transcript_free(struct transcript *t);

void octets_add(struct octets *o, const void *p, size_t len);

#endif
