/*
 * report - what the client tells: people on stderr, programs on stdout as one JSON object a line.
 *
 * Whatever a server said goes through here: control characters, which could drive a terminal,
 * come out as \xNN.
 */
#ifndef CLIENT_REPORT_H
#define CLIENT_REPORT_H

#include <pop3/base.h>
#include <stdbool.h>

struct trouble;

struct report {
	bool quiet; /* errors only */
	bool verbose; /* the dialogue too */
	bool json;
};

/* In memory of the caller's, with a NUL, cut to fit; returns out. */
const char *report_harmless(struct pop3_slice text, char *out, size_t room);

/* One line to stderr, unless quiet. */
void report_say(const struct report *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same whether quiet or not. */
void report_warn(const struct report *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* The dialogue, if verbose: lines of ours without secrets, and the server's. */
void report_sent(const struct report *r, const uint8_t *octets, size_t len);
void report_heard(const struct report *r, struct pop3_slice line);

/* {"type":"message",...}; file NULL: not delivered, and why says why. */
void report_message(const struct report *r, uint64_t number, struct pop3_slice uid, uint64_t octets,
    const char *file, const char *why);
/* {"type":"entry",...} of a list; without JSON a line on stdout. */
void report_entry(const struct report *r, uint64_t number, uint64_t octets, struct pop3_slice uid);

struct totals {
	uint64_t listed, delivered, known, deleted, failed, octets;
};
/* {"type":"result",...}: the last line of every run. */
void report_result(const struct report *r, const struct totals *t, const struct trouble *why);

/* 0, or -1 when stdout could not take everything. */
int report_flush(void);

#endif
