/* restante: fetches mail from POP3 servers, and looks at what is there. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/fault.h"
#include "client/fetch.h"
#include "client/link.h"
#include "client/login.h"
#include "client/options.h"
#include "client/show.h"
#include "client/trouble.h"
#include "tls/client.h"

/* $XDG_STATE_HOME/restante/state.db, as the base directory specification has it. */
static int
default_state(char *out, size_t room, struct trouble *t)
{
	const char *folder = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	int n;

	if (folder != NULL && folder[0] == '/')
		n = snprintf(out, room, "%s/restante/state.db", folder);
	else if (home != NULL && home[0] == '/')
		n = snprintf(out, room, "%s/.local/state/restante/state.db", home);
	else
		return trouble_set(t, EX_USAGE, "HOME is not set: --state has to say where");
	return n > 0 && (size_t)n < room ? 0 : trouble_set(t, EX_USAGE, "HOME is too long");
}

static int
get_credentials(struct options *o, char *secret, struct trouble *t)
{
	char who[600];

	/* P2384-05 */
	if (o->url.user[0] == '\0' &&
	    secret_ask_name("User name: ", o->url.user, sizeof o->url.user, t) == -1)
		return -1;
	(void)snprintf(who, sizeof who, "%s at %s", o->url.user, o->url.host);
	return secret_get(&o->secret, who, secret, t);
}

static int
act(struct options *o, struct totals *totals, struct trouble *t)
{
	char state[4096], secret[SECRET_MAX];
	const struct credentials credentials = { o->url.user, secret };
	struct link_options link = {
		.url = &o->url,
		.report = &o->report,
		.seconds = o->seconds,
		.plaintext = o->plaintext,
		.lockstep = o->lockstep,
	};
	struct fetch_options fetching = {
		.link = &link,
		.credentials = &credentials,
		.state = o->state != NULL ? o->state : state,
		.maildir = o->maildir,
		.delete = o->delete,
	};
	struct fault f;
	int r = -1;

	if (o->state == NULL && o->action == ACTION_FETCH &&
	    default_state(state, sizeof state, t) == -1)
		return -1;
	link.tls = tls_client_create(o->ca_file, &f);
	if (link.tls == NULL)
		return trouble_set(t, EX_NOINPUT, "%s", f.text);
	if (get_credentials(o, secret, t) == -1)
		goto out;
	switch (o->action) {
	case ACTION_FETCH:
		r = fetch(&fetching, totals, t);
		break;
	case ACTION_LIST:
		r = show_list(&link, &credentials, totals, t);
		break;
	default:
		r = show_message(&link, &credentials, o->number, totals, t);
		break;
	}
out:
	explicit_bzero(secret, sizeof secret);
	tls_client_destroy(&link.tls);
	return r;
}

int
main(int argc, char **argv)
{
	const struct rlimit no_core = { 0, 0 };
	struct totals totals = { 0 };
	struct trouble t = { 0 };
	struct options o = { 0 };

	(void)signal(SIGPIPE, SIG_IGN); /* cannot fail; writes tell it */
	(void)setrlimit(
	    RLIMIT_CORE, &no_core); /* there is a password in it; less is never refused */
	if (options_parse(argc, argv, &o, &t) == -1) {
		(void)fprintf(stderr, "restante: %s\n", t.text);
		return t.status;
	}
	if (o.action == ACTION_HELP)
		(void)fputs(options_help, stdout);
	else if (o.action == ACTION_VERSION)
		(void)puts("restante " RESTANTE_VERSION);
	else if (act(&o, &totals, &t) == 0)
		t = (struct trouble){ 0 };
	if (o.action != ACTION_HELP && o.action != ACTION_VERSION &&
	    (o.action != ACTION_SHOW || t.status != 0))
		report_result(&o.report, &totals, &t);
	if (report_flush() == -1) {
		(void)fputs("restante: standard output took not everything\n", stderr);
		if (t.status == 0)
			t.status = EX_IOERR;
	}
	return t.status;
}
