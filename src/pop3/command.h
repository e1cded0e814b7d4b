/*
 * command - what there is to say, when it may be said, and with how many arguments.
 */
#ifndef POP3_COMMAND_H
#define POP3_COMMAND_H

#include <pop3/base.h>

enum command_verb {
	VERB_USER,
	VERB_PASS,
	VERB_APOP,
	VERB_AUTH,
	VERB_STLS,
	VERB_UTF8,
	VERB_LANG,
	VERB_CAPA,
	VERB_STAT,
	VERB_LIST,
	VERB_UIDL,
	VERB_RETR,
	VERB_TOP,
	VERB_DELE,
	VERB_RSET,
	VERB_NOOP,
	VERB_QUIT,
	VERB_FOREIGN, /* a command of other times or servers (Q-C09) */
	VERB_HTTP, /* somebody takes us for a web server (Q-C14) */
	VERB_UNKNOWN,
};

#define IN(state) (1u << (state))

enum { COMMAND_ARGS = 2, ARGS_REST = 255 };

struct command {
	enum command_verb verb;
	uint8_t states; /* IN() of every state that allows it */
	uint8_t min_args, max_args; /* max ARGS_REST: the rest of the line is one argument */
	struct pop3_slice rest; /* everything behind the verb and one space */
	struct pop3_slice args[COMMAND_ARGS];
	size_t count; /* of arguments; may be more than COMMAND_ARGS */
};

/* Takes a line without its end apart.  Slices point into line.  True unless a control octet or
 * an octet >= 0x80 stands where none may (only USER, PASS and APOP may have the latter). */
bool command_parse(const uint8_t *line, size_t len, struct command *ret);

#endif
