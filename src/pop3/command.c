#include "command.h"

#include <string.h>

#define A IN(POP3_AUTHORIZATION)
#define T IN(POP3_TRANSACTION)

enum { VERB_MAX = 8 };

static const struct verb {
	char name[VERB_MAX]; /* the rest is NUL: names compare as one word of the machine */
	uint8_t verb, states, min_args, max_args;
} verbs[] = {
	/* the order is that of how often they come */
	{ "RETR", VERB_RETR, T, 1, 1 },
	{ "DELE", VERB_DELE, T, 1, 1 },
	{ "TOP", VERB_TOP, T, 2, 2 },
	{ "UIDL", VERB_UIDL, T, 0, 1 },
	{ "LIST", VERB_LIST, T, 0, 1 },
	{ "STAT", VERB_STAT, T, 0, 0 },
	{ "USER", VERB_USER, A, 1, 1 },
	{ "PASS", VERB_PASS, A, 1, ARGS_REST },
	{ "QUIT", VERB_QUIT, A | T, 0, 0 },
	{ "CAPA", VERB_CAPA, A | T, 0, 0 },
	{ "AUTH", VERB_AUTH, A, 0, 2 },
	{ "STLS", VERB_STLS, A, 0, 0 },
	{ "NOOP", VERB_NOOP, T, 0, 0 },
	{ "RSET", VERB_RSET, T, 0, 0 },
	{ "APOP", VERB_APOP, A, 2, 2 },
	{ "UTF8", VERB_UTF8, A, 0, 0 },
	{ "LANG", VERB_LANG, A | T, 0, 1 },
	{ "LAST", VERB_FOREIGN, A | T, 0, ARGS_REST },
	{ "XTND", VERB_FOREIGN, A | T, 0, ARGS_REST },
	{ "XSENDER", VERB_FOREIGN, A | T, 0, ARGS_REST },
	{ "MSG", VERB_FOREIGN, A | T, 0, ARGS_REST },
	{ "RPOP", VERB_FOREIGN, A | T, 0, ARGS_REST },
	{ "XCLIENT", VERB_FOREIGN, A | T, 0, ARGS_REST },
	{ "XOIP", VERB_FOREIGN, A | T, 0, ARGS_REST },
};

static const struct verb unknown = { "", VERB_UNKNOWN, A | T, 0, ARGS_REST };

static const struct verb *
find_verb(const uint8_t *word, size_t len)
{
	char name[VERB_MAX] = { 0 };

	if (len == 0 || len >= VERB_MAX)
		return &unknown;
	for (size_t i = 0; i < len; i++) {
		uint8_t c = word[i];

		if (c == '\0')
			return &unknown;
		name[i] = (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
	}
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (memcmp(verbs[i].name, name, VERB_MAX) == 0)
			return &verbs[i];
	return &unknown;
}

static bool
octets_allowed(const struct pop3_slice *line, bool eight_bit)
{
	for (size_t i = 0; i < line->len; i++) {
		uint8_t c = line->data[i];

		if (c < 0x20 || c == 0x7f || (c >= 0x80 && !eight_bit))
			return false;
	}
	return true;
}

static void
split_arguments(struct command *c)
{
	const struct pop3_slice *rest = &c->rest;

	for (size_t i = 0; i < rest->len;) {
		size_t start;

		if (rest->data[i] == ' ') {
			i++;
			continue;
		}
		for (start = i; i < rest->len && rest->data[i] != ' '; i++)
			;
		if (c->count < COMMAND_ARGS)
			c->args[c->count] = (struct pop3_slice){ rest->data + start, i - start };
		c->count++;
	}
}

bool
command_parse(const struct pop3_slice *line, struct command *ret)
{
	const uint8_t *space = line->len == 0 ? NULL : memchr(line->data, ' ', line->len);
	size_t word = space == NULL ? line->len : (size_t)(space - line->data);
	const struct verb *v = find_verb(line->data, word);

	*ret = (struct command){
		.verb = (enum command_verb)v->verb,
		.states = v->states,
		.min_args = v->min_args,
		.max_args = v->max_args,
		.has_rest = space != NULL,
	};
	if (space != NULL) {
		ret->rest = (struct pop3_slice){ space + 1, line->len - word - 1 };
		split_arguments(ret);
	}
	return octets_allowed(
	    line, v->verb == VERB_USER || v->verb == VERB_PASS || v->verb == VERB_APOP);
}

bool
command_is_complete(const struct command *c)
{
	if (c->max_args == ARGS_REST)
		return c->min_args == 0 || c->has_rest; /* "PASS " has one, and it is empty */
	return c->count >= c->min_args && c->count <= c->max_args;
}
