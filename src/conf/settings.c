#include "conf/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "conf/parse.h"
#include "conf/schema.h"
#include "conf/value.h"

enum { FILE_MAX = 1024 * 1024 };

/* Sets k to what the table has for it, which is written as in a file: text, or {"a", "b"}. */
static void
set_default(struct settings *s, const struct key *k)
{
	const char *text = k->fallback;
	bool quoted = strchr(text, '"') != NULL, ok;
	char one[64], wrong[PARSE_TEXT_MAX];
	size_t len;

	do {
		if (quoted)
			text = strchr(text, '"') + 1;
		len = strcspn(text, quoted ? "\"" : "");
		(void)snprintf(one, sizeof one, "%.*s", (int)len, text);
		ok = value_set(s, k, one, wrong, sizeof wrong);
		text += len + quoted;
	} while (ok && quoted && strchr(text, '"') != NULL);
	if (!ok)
		abort(); /* the table contradicts itself, or memory is out before anything runs */
}

static void
fill_defaults(struct parse *p)
{
	struct settings *s = p->settings;
	char host[256] = "";

	for (size_t i = 0; i < schema_count; i++)
		if (schema[i].fallback != NULL && p->lines[i] == 0)
			set_default(s, &schema[i]);
	if (s->hostname == NULL) {
		(void)gethostname(host, sizeof host - 1);
		s->hostname = strdup(value_is_host(host) ? host : "localhost");
		if (s->hostname == NULL)
			parse_note(p, 0, "hostname: does not fit (out of memory)");
	}
	if (parse_line(p, "listen-tls") == 0 && s->certificates_count > 0 &&
	    !value_list_add(&s->listen_tls, "*:995"))
		parse_note(p, 0, "listen-tls: does not fit (out of memory)");
}

/* What no setting by itself shows. */
static void
check_whole(struct parse *p)
{
	const struct settings *s = p->settings;
	int certificate = parse_line(p, "certificate"), key = parse_line(p, "certificate-key"),
	    listen = parse_line(p, "listen"), tls = parse_line(p, "listen-tls");

	if (parse_line(p, "accounts") == 0 && !s->pam)
		parse_note(
		    p, 0, "accounts: nobody could log in (set \"accounts\", or \"pam = true\")");
	if (key != 0 && certificate == 0)
		parse_note(p, key,
		    "certificate-key: there is no certificate for it (set \"certificate\", too)");
	if (s->listen_tls.count > 0 && s->certificates_count == 0 && certificate == 0 &&
	    p->sections_count == 0)
		parse_note(
		    p, tls, "listen-tls: there is no certificate for it (set \"certificate\")");
	if (s->listen.count == 0 && s->listen_tls.count == 0 && !parse_is_wrong(p, "listen") &&
	    !parse_is_wrong(p, "listen-tls"))
		parse_note(p, listen != 0 ? listen : tls,
		    "listen: there is nothing to listen on (at least one address)");
	if (s->pam && geteuid() != 0)
		parse_note(p, parse_line(p, "pam"),
		    "pam: only root can check system users' passwords (run as root, or \"pam = "
		    "false\")");
}

static int
by_line(const void *a, const void *b)
{
	const struct parse_error *ea = a, *eb = b;

	if (ea->line != eb->line)
		return ea->line < eb->line ? -1 : 1;
	return ea->order < eb->order ? -1 : 1;
}

static void
tell(struct parse *p, const char *file, FILE *err)
{
	qsort(p->errors, p->errors_count, sizeof *p->errors, by_line);
	for (size_t i = 0; i < p->errors_count; i++) {
		if (p->errors[i].line > 0)
			(void)fprintf(
			    err, "%s:%d: %s\n", file, p->errors[i].line, p->errors[i].text);
		else
			(void)fprintf(err, "%s: %s\n", file, p->errors[i].text);
	}
	if (p->more_errors)
		(void)fprintf(err, "%s: there are more errors (these are the first %d)\n", file,
		    PARSE_ERRORS_MAX);
}

struct settings *
settings_read(const char *file, FILE *err)
{
	/* O_NONBLOCK: a fifo must not stop us */
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct parse *p = calloc(1, sizeof *p);
	struct settings *s = NULL;
	char *text = NULL;
	size_t len = 0;

	if (fd != -1)
		text = fd_read_all(fd, FILE_MAX, &len);
	if (text == NULL || p == NULL || (p->settings = calloc(1, sizeof *p->settings)) == NULL) {
		(void)fprintf(
		    err, "%s: %s (a file of settings: restanted.conf(5))\n", file, strerror(errno));
		goto out;
	}
	if (memchr(text, '\0', len) != NULL) {
		(void)fprintf(err, "%s: it has NUL octets (a text file of settings)\n", file);
		goto out;
	}
	parse_text(p, text, len);
	fill_defaults(p);
	check_whole(p);
	tell(p, file, err);
	if (p->errors_count == 0) {
		s = p->settings;
		p->settings = NULL;
	}
out:
	if (p != NULL) {
		settings_destroy(&p->settings);
		parse_finish(p);
	}
	fd_close(&fd);
	free(text);
	free(p);
	return s;
}

static void
free_list(struct settings_list *l)
{
	for (size_t i = 0; i < l->count; i++)
		free(l->items[i]);
	free(l->items);
}

void
settings_destroy(struct settings **sp)
{
	struct settings *s = *sp;

	if (s == NULL)
		return;
	for (size_t i = 0; i < schema_count; i++) {
		const struct key *k = &schema[i];

		if (k->type == KEY_LIST)
			free_list((struct settings_list *)(void *)((char *)s + k->offset));
		else if (schema_is_text(k))
			free(*(char **)(void *)((char *)s + k->offset));
	}
	for (size_t i = 0; i < s->certificates_count; i++) {
		free(s->certificates[i].name);
		free(s->certificates[i].certificate);
		free(s->certificates[i].key);
	}
	free(s->certificates);
	free(s);
	*sp = NULL;
}
