#include "command.h"

#include <string.h>
#include <strings.h>

#define A IN(POP3_AUTHORIZATION)
#define T IN(POP3_TRANSACTION)

static const struct {
	char name[8];
	uint8_t verb, states, min_args, max_args;
} verbs[] = {
	{ "USER", VERB_USER, A, 1, 1 },
	{ "PASS", VERB_PASS, A, 0, ARGS_REST },
	{ "APOP", VERB_APOP, A, 2, 2 },
	{ "AUTH", VERB_AUTH, A, 0, 2 },
	{ "STLS", VERB_STLS, A, 0, 0 },
	{ "UTF8", VERB_UTF8, A, 0, 0 },
	{ "LANG", VERB_LANG, A | T, 0, 1 },
	{ "CAPA", VERB_CAPA, A | T, 0, 0 },
	{ "STAT", VERB_STAT, T, 0, 0 },
	{ "LIST", VERB_LIST, T, 0, 1 },
	{ "UIDL", VERB_UIDL, T, 0, 1 },
	{ "RETR", VERB_RETR, T, 1, 1 },
	{ "TOP", VERB_TOP, T, 2, 2 },
	{ "DELE", VERB_DELE, T, 1, 1 },
	{ "RSET", VERB_RSET, T, 0, 0 },
	{ "NOOP", VERB_NOOP, T, 0, 0 },
	{ "QUIT", VERB_QUIT, A | T, 0, 0 },
	{ "LAST", VERB_FOREIGN, 0, 0, ARGS_REST },
	{ "XTND", VERB_FOREIGN, 0, 0, ARGS_REST },
	{ "XSENDER", VERB_FOREIGN, 0, 0, ARGS_REST },
	{ "MSG", VERB_FOREIGN, 0, 0, ARGS_REST },
	{ "RPOP", VERB_FOREIGN, 0, 0, ARGS_REST },
	{ "XCLIENT", VERB_FOREIGN, 0, 0, ARGS_REST },
	{ "GET", VERB_HTTP, 0, 0, ARGS_REST },
	{ "POST", VERB_HTTP, 0, 0, ARGS_REST },
	{ "HEAD", VERB_HTTP, 0, 0, ARGS_REST },
	{ "PUT", VERB_HTTP, 0, 0, ARGS_REST },
	{ "OPTIONS", VERB_HTTP, 0, 0, ARGS_REST },
	{ "CONNECT", VERB_HTTP, 0, 0, ARGS_REST },
};

static void
find_verb(const uint8_t *line, size_t len, struct command *ret)
{
	ret->verb = VERB_UNKNOWN;
	ret->states = A | T;
	ret->min_args = 0;
	ret->max_args = ARGS_REST;
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
		if (strnlen(verbs[i].name, sizeof verbs[i].name) != len ||
		    strncasecmp(verbs[i].name, (const char *)line, len) != 0)
			continue;
		ret->verb = verbs[i].verb;
		ret->states = verbs[i].states;
		ret->min_args = verbs[i].min_args;
		ret->max_args = verbs[i].max_args;
		return;
	}
}

static bool
octets_allowed(const uint8_t *p, size_t len, bool eight_bit)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] < 0x20 || p[i] == 0x7f || (p[i] >= 0x80 && !eight_bit))
			return false;
	return true;
}

bool
command_parse(const uint8_t *line, size_t len, struct command *ret)
{
	const uint8_t *space = memchr(line, ' ', len);
	size_t verb = space == NULL ? len : (size_t)(space - line), i;

	*ret = (struct command){ 0 };
	find_verb(line, verb, ret);
	if (space != NULL)
		ret->rest = (struct pop3_slice){ space + 1, len - verb - 1 };
	for (i = 0; i < ret->rest.len;) {
		size_t start;

		if (ret->rest.data[i] == ' ') {
			i++;
			continue;
		}
		for (start = i; i < ret->rest.len && ret->rest.data[i] != ' '; i++)
			;
		if (ret->count < COMMAND_ARGS)
			ret->args[ret->count] =
			    (struct pop3_slice){ ret->rest.data + start, i - start };
		ret->count++;
	}
	return octets_allowed(
	    line, len, ret->verb == VERB_USER || ret->verb == VERB_PASS || ret->verb == VERB_APOP);
}
