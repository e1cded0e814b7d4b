#include "client/options.h"

#include <getopt.h>
#include <pop3/codec.h>
#include <string.h>

#include "client/trouble.h"

const char options_help[] =
    "usage: restante fetch [options] URL MAILDIR\n"
    "       restante list [options] URL\n"
    "       restante show [options] URL NUMBER\n"
    "\n"
    "URL is pop://user@host or pops://user@host (TLS from the start), with :port behind it if\n"
    "need be; an @ in the user name is written as %40.\n"
    "\n"
    "  --delete                 delete on the server what has arrived safely\n"
    "  --keep                   leave everything there (the default)\n"
    "  --password-command CMD   ask this shell command for the password\n"
    "  --password-file FILE     read it from this file; else the terminal is asked\n"
    "  --ca-file FILE           trust these certificate authorities instead of the system's\n"
    "  --plaintext              go on without TLS if the server has none\n"
    "  --no-pipelining          one command at a time\n"
    "  --state FILE             where to remember what has arrived\n"
    "  --timeout SECONDS        give up after so long without a sign of life (180)\n"
    "  --json                   one JSON object a line on standard output\n"
    "  -q, --quiet              errors only\n"
    "  -v, --verbose            the dialogue with the server, without secrets\n"
    "  --help, --version\n";

enum {
	OPT_DELETE = 256,
	OPT_KEEP,
	OPT_COMMAND,
	OPT_FILE,
	OPT_CA,
	OPT_PLAINTEXT,
	OPT_LOCKSTEP,
	OPT_STATE,
	OPT_TIMEOUT,
	OPT_JSON,
	OPT_HELP,
	OPT_VERSION,
};

static const struct option long_options[] = {
	{ "delete", no_argument, NULL, OPT_DELETE },
	{ "keep", no_argument, NULL, OPT_KEEP },
	{ "password-command", required_argument, NULL, OPT_COMMAND },
	{ "password-file", required_argument, NULL, OPT_FILE },
	{ "ca-file", required_argument, NULL, OPT_CA },
	{ "plaintext", no_argument, NULL, OPT_PLAINTEXT },
	{ "no-pipelining", no_argument, NULL, OPT_LOCKSTEP },
	{ "state", required_argument, NULL, OPT_STATE },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "quiet", no_argument, NULL, 'q' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 },
};

static const struct {
	const char *name;
	enum action action;
	int args; /* behind the options */
} actions[] = {
	{ "fetch", ACTION_FETCH, 2 },
	{ "list", ACTION_LIST, 1 },
	{ "show", ACTION_SHOW, 2 },
};

static int
number(const char *text, uint64_t max, uint64_t *ret, const char *what, struct trouble *t)
{
	if (pop3_number((const uint8_t *)text, strlen(text), max, ret, NULL) && *ret > 0)
		return 0;
	return trouble_set(
	    t, EX_USAGE, "%s: \"%s\" is no number that is possible here", what, text);
}

static int
take(struct options *o, int opt, struct trouble *t)
{
	uint64_t v;

	switch (opt) {
	case OPT_DELETE:
		o->delete = true;
		return 0;
	case OPT_KEEP:
		o->delete = false;
		return 0;
	case OPT_COMMAND:
		o->secret.command = optarg;
		return 0;
	case OPT_FILE:
		o->secret.file = optarg;
		return 0;
	case OPT_CA:
		o->ca_file = optarg;
		return 0;
	case OPT_PLAINTEXT:
		o->plaintext = true;
		return 0;
	case OPT_LOCKSTEP:
		o->lockstep = true;
		return 0;
	case OPT_STATE:
		o->state = optarg;
		return 0;
	case OPT_TIMEOUT:
		if (number(optarg, 86400, &v, "--timeout", t) == -1)
			return -1;
		o->seconds = (unsigned)v;
		return 0;
	case OPT_JSON:
		o->report.json = true;
		return 0;
	case 'q':
		o->report.quiet = true;
		return 0;
	case 'v':
		o->report.verbose = true;
		return 0;
	case OPT_HELP:
		o->action = ACTION_HELP;
		return 0;
	case OPT_VERSION:
		o->action = ACTION_VERSION;
		return 0;
	default:
		return trouble_set(t, EX_USAGE, "restante --help tells what there is");
	}
}

int
options_parse(int argc, char **argv, struct options *ret, struct trouble *t)
{
	struct options o = { .action = ACTION_FETCH, .seconds = 180 };
	enum action action = ACTION_FETCH;
	const char *why;
	int opt, args = -1;

	while ((opt = getopt_long(argc, argv, "qv", long_options, NULL)) != -1) {
		if (take(&o, opt, t) == -1)
			return -1;
		if (o.action == ACTION_HELP || o.action == ACTION_VERSION) {
			*ret = o;
			return 0;
		}
	}
	argv += optind;
	argc -= optind;
	for (size_t i = 0; argc > 0 && i < sizeof actions / sizeof *actions; i++) {
		if (strcmp(argv[0], actions[i].name) == 0) {
			action = actions[i].action;
			args = actions[i].args;
		}
	}
	if (args == -1)
		return trouble_set(t, EX_USAGE, "restante fetch, list or show; --help tells more");
	if (argc - 1 != args)
		return trouble_set(t, EX_USAGE, "restante %s: %s; --help tells more", argv[0],
		    argc - 1 < args ? "something is missing" : "too many arguments");
	o.action = action;
	why = pop3_url_parse(argv[1], &o.url);
	if (why != NULL)
		return trouble_set(t, EX_USAGE, "URL: %s", why);
	if (action == ACTION_FETCH)
		o.maildir = argv[2];
	if (action == ACTION_SHOW && number(argv[2], INT64_MAX, &o.number, "message", t) == -1)
		return -1;
	if (o.secret.command != NULL && o.secret.file != NULL)
		return trouble_set(
		    t, EX_USAGE, "--password-command and --password-file exclude each other");
	if (action != ACTION_FETCH && o.delete)
		return trouble_set(t, EX_USAGE, "--delete belongs to fetch");
	*ret = o;
	return 0;
}
