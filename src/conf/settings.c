#include "conf/settings.h"

#include <assert.h>
#include <confuse.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "conf/schema.h"
#include "conf/value.h"

enum { FILE_MAX = 1024 * 1024, ERRORS_MAX = 64, KEYS_MAX = 64, TEXT_MAX = 768 };

struct error {
	int line;
	bool syntax; /* found by libConfuse: it stays when the rest is read again */
	char text[TEXT_MAX];
};

static struct reading { /* libConfuse's callbacks carry no pointer of ours */
	struct error errors[ERRORS_MAX];
	size_t count;
	struct settings *settings;
	int lines[KEYS_MAX]; /* where a key was set; 0: nowhere */
	int section_line;
} * now;

static void __attribute__((format(printf, 3, 4))) note(int line, bool syntax, const char *fmt, ...)
{
	struct error *e;
	va_list ap;

	if (now->count == ERRORS_MAX)
		return;
	e = &now->errors[now->count++];
	e->line = line;
	e->syntax = syntax;
	va_start(ap, fmt);
	(void)vsnprintf(e->text, sizeof e->text, fmt, ap);
	va_end(ap);
}

static const struct key *
find_key(const char *name)
{
	for (size_t i = 0; i < schema_count; i++)
		if (strcmp(schema[i].name, name) == 0)
			return &schema[i];
	abort(); /* names come from the table itself */
}

static bool
is_certificate_key(const struct key *k)
{
	return k->offset == offsetof(struct settings, certificates);
}

static struct settings_certificate *
add_certificate(struct settings *s, const char *name)
{
	struct settings_certificate *p =
	    reallocarray(s->certificates, s->certificates_count + 1, sizeof *p);

	if (p == NULL)
		return NULL;
	s->certificates = p;
	p += s->certificates_count++;
	*p = (struct settings_certificate){ .name = name == NULL ? NULL : strdup(name) };
	return p;
}

static void
repeated(const char *name, int line, int first)
{
	note(line, false, "%s: is set a second time (line %d had it; say it once)", name, first);
}

/* libConfuse has read a setting, or one more value of a list. */
static int
take_setting(cfg_t *cfg, cfg_opt_t *opt)
{
	const struct key *k = find_key(opt->name);
	size_t index = (size_t)(k - schema);
	const char *text = cfg_opt_getnstr(opt, 0);
	char wrong[TEXT_MAX - 64];

	if (k->type == KEY_LIST) {
		if (now->lines[index] == 0)
			now->lines[index] = cfg->line;
		return 0; /* take_lists() has the whole of it */
	}
	if (now->lines[index] != 0) {
		repeated(k->name, cfg->line, now->lines[index]);
		return 0;
	}
	now->lines[index] = cfg->line;
	if (is_certificate_key(k)) { /* kept by libConfuse until the file is through */
		if (!value_readable(text, wrong, sizeof wrong))
			note(cfg->line, false, "%s: %s", k->name, wrong);
	} else if (!value_set(now->settings, k, &text, 1, wrong, sizeof wrong)) {
		note(cfg->line, false, "%s: %s", k->name, wrong);
	}
	return 0;
}

static int
take_section_setting(cfg_t *cfg, cfg_opt_t *opt)
{
	char wrong[TEXT_MAX - 64];

	if (!value_readable(cfg_opt_getnstr(opt, 0), wrong, sizeof wrong))
		note(cfg->line, false, "tls-name: %s: %s", opt->name, wrong);
	return 0;
}

static void
unknown(cfg_t *cfg, const char *name)
{
	const char *words[KEYS_MAX + 1], *near;
	size_t n = 0;
	bool section = strcmp(cfg_name(cfg), "root") != 0;

	if (section) {
		words[n++] = section_keys[0];
		words[n++] = section_keys[1];
	} else {
		for (size_t i = 0; i < schema_count; i++)
			words[n++] = schema[i].name;
		words[n++] = "tls-name";
	}
	near = suggest(name, words, n);
	if (near != NULL)
		note(cfg->line, true, "%s: there is no such setting (did you mean \"%s\"?)", name,
		    near);
	else
		note(cfg->line, true, "%s: there is no such setting (restanted.conf(5) lists them)",
		    name);
}

static void __attribute__((format(printf, 2, 0)))
syntax_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	char text[TEXT_MAX];

	if (strstr(fmt, "no such option") != NULL) {
		unknown(cfg, va_arg(ap, const char *));
		return;
	}
	(void)vsnprintf(text, sizeof text, fmt, ap);
	note(cfg->line, true, "syntax: %s (key = value, key = {\"value\", \"value\"})", text);
}

/* Everything is a string to libConfuse; what it must be is the schema's business. */
static cfg_t *
make_parser(cfg_opt_t *opts, cfg_opt_t *section)
{
	size_t n = 0;
	cfg_t *cfg;

	section[0] = (cfg_opt_t)CFG_STR(section_keys[0], NULL, CFGF_NODEFAULT);
	section[1] = (cfg_opt_t)CFG_STR(section_keys[1], NULL, CFGF_NODEFAULT);
	section[2] = (cfg_opt_t)CFG_END();
	for (size_t i = 0; i < schema_count; i++) {
		if (schema[i].type == KEY_LIST)
			opts[n++] = (cfg_opt_t)CFG_STR_LIST(schema[i].name, NULL, CFGF_NODEFAULT);
		else
			opts[n++] = (cfg_opt_t)CFG_STR(schema[i].name, NULL, CFGF_NODEFAULT);
	}
	opts[n++] = (cfg_opt_t)CFG_SEC("tls-name", section, CFGF_MULTI | CFGF_TITLE);
	opts[n] = (cfg_opt_t)CFG_END();
	cfg = cfg_init(opts, CFGF_NONE);
	if (cfg == NULL)
		return NULL;
	(void)cfg_set_error_function(cfg, syntax_error);
	for (size_t i = 0; i < schema_count; i++)
		(void)cfg_set_validate_func(cfg, schema[i].name, take_setting);
	(void)cfg_set_validate_func(cfg, "tls-name|certificate", take_section_setting);
	(void)cfg_set_validate_func(cfg, "tls-name|certificate-key", take_section_setting);
	return cfg;
}

static void
take_certificates(cfg_t *cfg, struct settings *s)
{
	const char *chain = cfg_getstr(cfg, "certificate"),
		   *key = cfg_getstr(cfg, "certificate-key");
	struct settings_certificate *c;

	if (chain != NULL && (c = add_certificate(s, NULL)) != NULL) {
		c->certificate = strdup(chain);
		c->key = strdup(key != NULL ? key : chain);
	} else if (key != NULL) {
		note(now->lines[find_key("certificate-key") - schema], false,
		    "certificate-key: there is no certificate for it (set \"certificate\", too)");
	}
	for (unsigned i = 0; i < cfg_size(cfg, "tls-name"); i++) {
		cfg_t *sec = cfg_getnsec(cfg, "tls-name", i);
		const char *own = cfg_getstr(sec, "certificate"),
			   *own_key = cfg_getstr(sec, "certificate-key");

		if (own == NULL) {
			note(sec->line, false,
			    "tls-name: \"%s\" has no certificate (certificate = \"file\")",
			    cfg_title(sec));
			continue;
		}
		c = add_certificate(s, cfg_title(sec));
		if (c == NULL)
			continue;
		c->certificate = strdup(own);
		c->key = strdup(own_key != NULL ? own_key : own);
	}
}

static void
take_lists(cfg_t *cfg, struct settings *s)
{
	for (size_t i = 0; i < schema_count; i++) {
		const char *texts[64];
		char wrong[TEXT_MAX - 64];
		size_t n = 0;

		/* an empty list calls nobody back: it is known by having been modified */
		if (schema[i].type != KEY_LIST ||
		    (cfg_getopt(cfg, schema[i].name)->flags & CFGF_MODIFIED) == 0)
			continue;
		for (unsigned k = 0; k < cfg_size(cfg, schema[i].name) && n < 64; k++)
			texts[n++] = cfg_getnstr(cfg, schema[i].name, k);
		if (now->lines[i] == 0)
			now->lines[i] = -1;
		if (!value_set(s, &schema[i], texts, n, wrong, sizeof wrong))
			note(now->lines[i], false, "%s: %s", schema[i].name, wrong);
	}
}

/*
 * Makes blanks of comments, whose lines libConfuse miscounts, and finds lists that are set twice,
 * which it does not tell from one that goes on.
 */
static void
prepare(char *text)
{
	const char *seen[KEYS_MAX] = { NULL };
	int seen_at[KEYS_MAX], line = 1, quoted_at = 0, depth = 0;
	char quote = '\0', before = '\n';

	for (char *p = text; *p != '\0'; before = *p, p++) {
		if (*p == '\n')
			line++;
		if (quote != '\0') {
			if (*p == '\\' && p[1] != '\0')
				p++;
			else if (*p == quote)
				quote = '\0';
			continue;
		}
		if (*p == '"' || *p == '\'') {
			quote = *p;
			quoted_at = line;
		} else if (strchr(" \t\n={},", before) != NULL &&
			   (*p == '#' || (p[0] == '/' && p[1] == '/'))) {
			for (; p[1] != '\0' && p[1] != '\n'; p++)
				*p = ' ';
			*p = ' ';
		} else if (*p == '{') {
			depth++;
		} else if (*p == '}' && depth > 0) {
			depth--;
		} else if (depth == 0 && strchr(" \t\n", before) != NULL) {
			size_t len = strspn(p, "abcdefghijklmnopqrstuvwxyz0123456789-");

			for (size_t i = 0; i < schema_count; i++) {
				if (schema[i].type != KEY_LIST || strlen(schema[i].name) != len ||
				    strncmp(schema[i].name, p, len) != 0 ||
				    p[len + strspn(p + len, " \t")] != '=')
					continue;
				if (seen[i] != NULL)
					repeated(schema[i].name, line, seen_at[i]);
				seen[i] = schema[i].name;
				seen_at[i] = line;
			}
		}
	}
	if (quote != '\0') /* libConfuse would take the end of the file for the end of it */
		note(quoted_at, false, "syntax: a quotation is never closed (key = \"value\")");
}

/* Makes blanks of a line (from 1) of the text, so that the rest can be read. */
static void
blank(char *text, int line)
{
	for (; line > 1 && *text != '\0'; text++)
		if (*text == '\n')
			line--;
	for (; *text != '\0' && *text != '\n'; text++)
		*text = ' ';
}

static void
fill_defaults(struct settings *s)
{
	char wrong[64], host[256] = "localhost";

	for (size_t i = 0; i < schema_count; i++) {
		const struct key *k = &schema[i];
		const char *fallback = k->fallback;
		char text[64];
		const char *one[8] = { text };
		size_t n = 1;

		if (fallback == NULL || now->lines[i] != 0)
			continue;
		if (k->type == KEY_LIST) { /* {"a", "b"} */
			static char copies[8][64];

			n = 0;
			for (const char *p = strchr(fallback, '"'); p != NULL && n < 8;) {
				size_t len = strcspn(p + 1, "\"");

				(void)snprintf(
				    copies[n], sizeof copies[n], "%.*s", (int)len, p + 1);
				one[n] = copies[n];
				n++;
				p = strchr(p + len + 2, '"');
			}
		} else {
			(void)snprintf(text, sizeof text, "%.*s",
			    (int)strcspn(fallback + (*fallback == '"'), "\""),
			    fallback + (*fallback == '"'));
		}
		if (!value_set(s, k, one, n, wrong, sizeof wrong))
			abort(); /* the table contradicts itself: a test reads it */
	}
	if (s->hostname == NULL) {
		(void)gethostname(host, sizeof host - 1);
		s->hostname = strdup(host);
	}
	if (now->lines[find_key("listen-tls") - schema] == 0 && s->certificates_count > 0)
		(void)value_list_add(&s->listen_tls, "*:995");
}

static void
check_whole(const struct settings *s)
{
	int tls = now->lines[find_key("listen-tls") - schema];

	if (s->accounts == NULL && !s->pam && now->lines[find_key("accounts") - schema] == 0)
		note(0, false,
		    "accounts: nobody could log in (set \"accounts\", or \"pam = true\")");
	if (s->listen_tls.count > 0 && s->certificates_count == 0 &&
	    now->lines[find_key("certificate") - schema] == 0)
		note(
		    tls, false, "listen-tls: there is no certificate for it (set \"certificate\")");
	if (s->listen.count == 0 && s->listen_tls.count == 0)
		note(now->lines[find_key("listen") - schema], false,
		    "listen: there is nothing to listen on (at least one address)");
	if (s->pam && geteuid() != 0)
		note(now->lines[find_key("pam") - schema], false,
		    "pam: only root can check system users' passwords (run as root, or \"pam = "
		    "false\")");
}

static int
by_line(const void *a, const void *b)
{
	const struct error *ea = a, *eb = b;

	return ea->line != eb->line ? (ea->line > eb->line) - (ea->line < eb->line)
				    : (ea > eb) - (ea < eb);
}

/* Reads the text again and again, each time without the line that it could not go beyond, so
 * that every error is told and not only the first. */
static void
parse(char *text)
{
	cfg_opt_t opts[KEYS_MAX], section[3];
	int last = 0;

	assert(schema_count + 2 <= KEYS_MAX);
	for (;;) {
		cfg_t *cfg = make_parser(opts, section);
		size_t kept = 0, before;
		int r;

		if (cfg == NULL)
			return;
		for (size_t i = 0; i < now->count; i++) /* the others will be found again */
			if (now->errors[i].syntax)
				now->errors[kept++] = now->errors[i];
		now->count = kept;
		prepare(text); /* finds again what the last turn's list had */
		before = now->count;
		memset(now->lines, 0, sizeof now->lines);
		settings_destroy(&now->settings);
		now->settings = calloc(1, sizeof *now->settings);
		if (now->settings == NULL)
			abort();
		r = cfg_parse_buf(cfg, text);
		if (r == CFG_SUCCESS) {
			take_lists(cfg, now->settings);
			take_certificates(cfg, now->settings);
		}
		(void)cfg_free(cfg);
		if (r == CFG_SUCCESS || now->count >= ERRORS_MAX - 1)
			return;
		for (kept = before; kept < now->count && !now->errors[kept].syntax; kept++)
			;
		if (kept == now->count || now->errors[kept].line == last) {
			now->count = kept < now->count ? kept : now->count;
			note(0, true, "syntax: the file cannot be read (key = value)");
			return;
		}
		last = now->errors[kept].line;
		blank(text, last);
	}
}

struct settings *
settings_read(const char *file, FILE *err)
{
	struct reading *r = calloc(1, sizeof *r);
	struct settings *s = NULL;
	char *text = NULL;
	size_t len = 0;
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd != -1)
		text = fd_read_all(fd, FILE_MAX, &len);
	if (r == NULL || text == NULL) {
		(void)fprintf(
		    err, "%s: %s (a file of settings: restanted.conf(5))\n", file, strerror(errno));
		goto out;
	}
	if (memchr(text, '\0', len) != NULL) {
		(void)fprintf(err, "%s: it has NUL octets (a text file of settings)\n", file);
		goto out;
	}
	now = r;
	parse(text);
	if (r->settings != NULL) {
		fill_defaults(r->settings);
		check_whole(r->settings);
	}
	qsort(r->errors, r->count, sizeof *r->errors, by_line);
	for (size_t i = 0; i < r->count; i++) {
		if (r->errors[i].line > 0)
			(void)fprintf(
			    err, "%s:%d: %s\n", file, r->errors[i].line, r->errors[i].text);
		else
			(void)fprintf(err, "%s: %s\n", file, r->errors[i].text);
	}
	if (r->count == 0)
		s = r->settings;
	else
		settings_destroy(&r->settings);
out:
	now = NULL;
	fd_close(&fd);
	free(text);
	free(r);
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
		else if (!is_certificate_key(k) &&
			 (k->type == KEY_STRING || k->type == KEY_FILE || k->type == KEY_TEMPLATE ||
			     (k->type == KEY_WORD &&
				 k->offset != offsetof(struct settings, utf8_refuse))))
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
