/*
 * mechanism - names of SASL mechanisms, and where one may be used.  Private to src/pop3.
 *
 * Lists are upper case, space-separated, in order of preference; NULL is the empty one.
 */
#ifndef POP3_MECHANISM_H
#define POP3_MECHANISM_H

#include <pop3/base.h>

/* 1-20 letters, digits, "-" and "_" (P5034-06). */
bool mechanism_is_name(const struct pop3_slice *m);

/* The name as the list spells it; len 0: it is not there. */
struct pop3_slice mechanism_find(const char *list, const struct pop3_slice *m);

/* Whether it shows a password, or what is as good as one, to whoever listens here. */
bool mechanism_is_exposed(const struct pop3_slice *m, bool tls, bool plaintext);

/* The server speaks first: no initial response (P5034-13). */
bool mechanism_is_server_first(const struct pop3_slice *m);

/* The next name; len 0: there is none.  *at starts with the list. */
struct pop3_slice mechanism_next(const char **at);

#endif
