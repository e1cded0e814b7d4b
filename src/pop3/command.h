/*
 * command - what there is to say, when it may be said, and with how many arguments.  Private to
 * src/pop3.
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
	VERB_UNKNOWN,
};

#define IN(state) (1u << (state))

enum { COMMAND_ARGS = 2, ARGS_REST = 255 };

struct command {
	enum command_verb verb;
	uint8_t states; /* IN() of every state that allows it */
	uint8_t min_args, max_args; /* max ARGS_REST: the rest of the line is one argument */
	bool has_rest; /* a space follows the verb */
	struct pop3_slice rest; /* everything behind the verb and one space */
	struct pop3_slice args[COMMAND_ARGS];
	size_t count; /* of arguments; may be more than COMMAND_ARGS */
};

/* Takes a line without its end apart.  Slices point into line.  True unless a control octet or
 * an octet >= 0x80 stands where none may (only USER, PASS and APOP may have the latter). */
bool command_parse(const struct pop3_slice *line, struct command *ret);

/* Whether the number of arguments is right. */
bool command_is_complete(const struct command *c);

#endif
