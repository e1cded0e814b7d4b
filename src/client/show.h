/*
 * show - looking at a maildrop without changing it: what is there, and one message of it.
 */
#ifndef CLIENT_SHOW_H
#define CLIENT_SHOW_H

#include <stdint.h>

struct credentials;
struct link_options;
struct totals;
struct trouble;

/* One line or JSON object on stdout for every message. */
int show_list(const struct link_options *o, const struct credentials *c, struct totals *totals,
    struct trouble *t);

/* The message on stdout, with LF; on a terminal without the control characters that drive it. */
int show_message(const struct link_options *o, const struct credentials *c, uint64_t number,
    struct totals *totals, struct trouble *t);

#endif
