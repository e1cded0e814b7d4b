#include "conf/parse.h"

#include <assert.h>
#include <confuse.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "conf/scan.h"
#include "conf/schema.h"
#include "conf/settings.h"
#include "conf/value.h"

enum { WRONG_MAX = PARSE_TEXT_MAX - 64, TLS_NAMES = 2 };

/* Keys of a tls-name section: both are keys of the file, too. */
static const char *const section_keys[TLS_NAMES] = { "certificate", "certificate-key" };
static const char section_name[] = "tls-name";
static const char section_form[] = "tls-name \"name\" { certificate = \"file\" }";

static struct feed { /* what libConfuse has before it: its callbacks carry no pointer of ours */
	struct parse *p;
	int line; /* of the first line of the statement */
	bool told; /* of an error */
	size_t taken; /* values of a list */
	struct settings_certificate *certificate; /* where certificates go */
} * now;

void
parse_note(struct parse *p, int line, const char *fmt, ...)
{
	struct parse_error *e;
	char text[PARSE_TEXT_MAX];
	size_t n = 0;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap); /* a cut text is still a text */
	va_end(ap);
	if (p->errors_count == PARSE_ERRORS_MAX) {
		p->more_errors = true;
		return;
	}
	e = &p->errors[p->errors_count];
	*e = (struct parse_error){ .line = line, .order = p->errors_count };
	/* what stands in the file must not drive the terminal that the error goes to */
	for (const unsigned char *c = (const unsigned char *)text;
	     *c != '\0' && n + 5 < sizeof e->text; c++)
		n += (size_t)snprintf(
		    e->text + n, sizeof e->text - n, *c < 0x20 || *c > 0x7e ? "\\x%02x" : "%c", *c);
	for (size_t i = 0; i < p->errors_count; i++)
		if (p->errors[i].line == line && strcmp(p->errors[i].text, e->text) == 0)
			return;
	p->errors_count++;
}

int
parse_line(const struct parse *p, const char *name)
{
	const struct key *k = schema_find(name, strlen(name));

	assert(k != NULL);
	return p->lines[k - schema];
}

bool
parse_is_wrong(const struct parse *p, const char *name)
{
	const struct key *k = schema_find(name, strlen(name));

	assert(k != NULL);
	return p->wrong[k - schema];
}

/* A text of our own for a certificate's file. */
static void
take_certificate(const struct key *k, const char *text, int line)
{
	struct settings_certificate *c = now->certificate;
	char **at = strcmp(k->name, section_keys[0]) == 0 ? &c->certificate : &c->key;
	char *copy = strdup(text);

	if (copy == NULL) {
		parse_note(now->p, line, "%s: does not fit (out of memory)", k->name);
		return;
	}
	free(*at);
	*at = copy;
}

/* libConfuse has read a setting, or one more value of a list. */
static int
take_value(cfg_t *cfg, cfg_opt_t *opt)
{
	const struct key *k = schema_find(opt->name, strlen(opt->name));
	size_t count = cfg_opt_size(opt);
	int line = now->line + cfg->line - 1;
	char wrong[WRONG_MAX];
	const char *text;

	if (count == now->taken)
		return 0; /* it calls once more at the end of a list */
	now->taken = count;
	text = cfg_opt_getnstr(opt, (unsigned)count - 1);
	if (!value_set(now->p->settings, k, text, wrong, sizeof wrong))
		parse_note(now->p, line, "%s: %s", k->name, wrong);
	else if (k->type == KEY_CERTIFICATE)
		take_certificate(k, text, line);
	return 0;
}

static void __attribute__((format(printf, 2, 0)))
syntax_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	char text[WRONG_MAX];

	(void)vsnprintf(text, sizeof text, fmt, ap);
	parse_note(now->p, now->line + cfg->line - 1,
	    "syntax: %s (key = value, key = {\"value\", \"value\"})", text);
	now->told = true;
}

/* Everything is a string to libConfuse; what it must be is the schema's business. */
static cfg_opt_t
option(const struct key *k)
{
	cfg_opt_t list = CFG_STR_LIST(k->name, NULL, CFGF_NODEFAULT);
	cfg_opt_t one = CFG_STR(k->name, NULL, CFGF_NODEFAULT);

	return k->type == KEY_LIST ? list : one;
}

static cfg_t *
make_parser(cfg_opt_t *opts)
{
	cfg_t *cfg = cfg_init(opts, CFGF_NONE);

	if (cfg == NULL)
		return NULL;
	(void)cfg_set_error_function(cfg, syntax_error);
	for (; opts->name != NULL; opts++)
		if (opts->type == CFGT_STR)
			(void)cfg_set_validate_func(cfg, opts->name, take_value);
	return cfg;
}

/* Gives one statement to libConfuse.  False: it was told that it is wrong. */
static bool
feed(cfg_t *cfg, const char *text, size_t len, const char *tail, int line)
{
	char *copy = NULL;
	int r = CFG_PARSE_ERROR;

	now->line = line;
	now->taken = 0;
	now->told = false;
	if (asprintf(&copy, "%.*s%s", (int)len, text, tail) != -1) {
		r = cfg_parse_buf(cfg, copy);
		free(copy);
	}
	if (r != CFG_SUCCESS && !now->told)
		parse_note(now->p, line, "syntax: it cannot be read (key = value)");
	return r == CFG_SUCCESS;
}

static void
unknown(struct parse *p, const struct statement *st, const char *name, bool in_section)
{
	const char *words[PARSE_KEYS_MAX + 1], *near;
	size_t n = 0;

	if (in_section)
		for (; n < TLS_NAMES; n++)
			words[n] = section_keys[n];
	else {
		for (; n < schema_count; n++)
			words[n] = schema[n].name;
		words[n++] = section_name;
	}
	near = suggest(name, words, n);
	if (near != NULL)
		parse_note(
		    p, st->line, "%s: there is no such setting (did you mean \"%s\"?)", name, near);
	else if (in_section)
		parse_note(p, st->line, "%s: there is no such setting in a section (%s or %s)",
		    name, section_keys[0], section_keys[1]);
	else
		parse_note(p, st->line,
		    "%s: there is no such setting (restanted.conf(5) lists them)", name);
}

static void
wrong_statement(struct parse *p, const char *text, const struct statement *st)
{
	if (st->name_len == 0)
		parse_note(p, st->wrong_line, "syntax: %s", st->wrong);
	else
		parse_note(p, st->wrong_line, "%.*s: %s",
		    (int)(st->name_len < 64 ? st->name_len : 64), text + st->start, st->wrong);
}

/* A setting of the file (in_section: of a section), whose line goes into lines[]. */
static void
setting(struct parse *p, cfg_t *cfg, const char *text, const struct statement *st, int *lines,
    bool in_section)
{
	const struct key *k = schema_find(text + st->start, st->name_len);
	char name[64];
	size_t errors;
	int *line;

	(void)snprintf(name, sizeof name, "%.*s",
	    (int)(st->name_len < sizeof name ? st->name_len : sizeof name - 1), text + st->start);
	if (st->kind == STATEMENT_WRONG && !st->sets) { /* whatever it is, it is no setting */
		wrong_statement(p, text, st);
		return;
	}
	if (k == NULL || (in_section && k->type != KEY_CERTIFICATE)) {
		unknown(p, st, name, in_section);
		return;
	}
	line = &lines[k - schema];
	if (*line != 0) {
		parse_note(p, st->line, "%s: is set a second time (line %d had it; say it once)",
		    name, *line);
		return;
	}
	*line = st->line;
	errors = p->errors_count;
	if (st->kind == STATEMENT_WRONG)
		wrong_statement(p, text, st);
	else if (st->kind == STATEMENT_SECTION)
		parse_note(p, st->line, "%s: is no section (%s = value)", name, name);
	else if (st->kind == STATEMENT_LIST && k->type != KEY_LIST)
		parse_note(p, st->line, "%s: takes one value, not a list (%s = value)", name, name);
	else
		(void)feed(cfg, text + st->start, st->end - st->start, "", st->line);
	p->wrong[k - schema] |= p->errors_count > errors;
}

/* The title of a section, which is checked; NULL: it was told that it is wrong. */
static char *
section_title(struct parse *p, const char *text, const struct statement *st)
{
	cfg_opt_t none[] = { CFG_END() };
	cfg_opt_t opts[] = { CFG_SEC(section_name, none, CFGF_MULTI | CFGF_TITLE), CFG_END() };
	cfg_t *cfg = make_parser(opts);
	struct parse_section *sections;
	char *title = NULL;
	const char *host;

	if (cfg == NULL)
		goto out;
	if (!feed(cfg, text + st->start, st->end - st->start, "{}", st->line))
		goto out;
	title = strdup(cfg_title(cfg_getnsec(cfg, section_name, 0)));
	sections = reallocarray(p->sections, p->sections_count + 1, sizeof *sections);
	if (sections != NULL)
		p->sections = sections;
	if (title == NULL || sections == NULL || p->sections_count == PARSE_SECTIONS_MAX) {
		parse_note(p, st->line, "%s: there is no room for it (%d sections)", section_name,
		    PARSE_SECTIONS_MAX);
		free(title);
		title = NULL;
		goto out;
	}
	host = strncmp(title, "*.", 2) == 0 ? title + 2 : title;
	if (!value_is_host(host))
		parse_note(p, st->line, "%s: \"%.200s\" is no host name (%s)", section_name, title,
		    section_form);
	for (size_t i = 0; i < p->sections_count; i++)
		if (strcasecmp(p->sections[i].name, title) == 0) {
			parse_note(p, st->line,
			    "%s: \"%.200s\" is there a second time (line %d had it; say it once)",
			    section_name, title, p->sections[i].line);
			break;
		}
	sections[p->sections_count++] = (struct parse_section){ title, st->line };
out:
	(void)cfg_free(cfg);
	return title;
}

/* Takes what *c has over as the certificate for name (NULL: the first one, for everybody). */
static void
add_certificate(struct parse *p, struct settings_certificate *c, const char *name)
{
	struct settings *s = p->settings;
	struct settings_certificate *list =
	    reallocarray(s->certificates, s->certificates_count + 1, sizeof *list);
	size_t at = name == NULL ? 0 : s->certificates_count;

	if (list != NULL)
		s->certificates = list;
	if (name != NULL)
		c->name = strdup(name);
	if (c->key == NULL)
		c->key = strdup(c->certificate);
	if (list == NULL || c->key == NULL || (name != NULL && c->name == NULL)) {
		parse_note(p, 0, "certificate: does not fit (out of memory)");
		return;
	}
	memmove(list + at + 1, list + at, (s->certificates_count - at) * sizeof *list);
	list[at] = *c;
	s->certificates_count++;
	*c = (struct settings_certificate){ 0 };
}

static void
forget_certificate(struct settings_certificate *c)
{
	free(c->name);
	free(c->certificate);
	free(c->key);
}

static void
section(struct parse *p, const char *text, const struct statement *st)
{
	cfg_opt_t opts[TLS_NAMES + 1] = { CFG_END() };
	struct settings_certificate own = { 0 }, *outer = now->certificate;
	const char *name = section_title(p, text, st);
	int lines[PARSE_KEYS_MAX] = { 0 };
	struct scan body = st->body;
	struct statement inner;
	size_t errors;
	cfg_t *cfg;

	for (size_t i = 0; i < TLS_NAMES; i++)
		opts[i] = option(schema_find(section_keys[i], strlen(section_keys[i])));
	opts[TLS_NAMES] = (cfg_opt_t)CFG_END();
	cfg = make_parser(opts);
	if (cfg == NULL) {
		parse_note(p, st->line, "%s: does not fit (out of memory)", section_name);
		return;
	}
	now->certificate = &own;
	errors = p->errors_count;
	while (!p->more_errors && scan_next(&body, &inner)) {
		if (inner.name_len == 0)
			wrong_statement(p, text, &inner);
		else
			setting(p, cfg, text, &inner, lines, true);
	}
	now->certificate = outer;
	if (own.certificate == NULL && p->errors_count == errors) /* nothing else says why */
		parse_note(p, st->line,
		    "%s: \"%.200s\" has no certificate (certificate = "
		    "\"file\")",
		    section_name, name != NULL ? name : "");
	else if (own.certificate != NULL && name != NULL)
		add_certificate(p, &own, name);
	forget_certificate(&own);
	(void)cfg_free(cfg);
}

static bool
is_section(const char *text, const struct statement *st)
{
	return st->name_len == strlen(section_name) &&
	       strncmp(text + st->start, section_name, st->name_len) == 0;
}

void
parse_text(struct parse *p, char *text, size_t len)
{
	cfg_opt_t opts[PARSE_KEYS_MAX];
	struct settings_certificate first = { 0 };
	struct feed f = { .p = p, .certificate = &first };
	struct statement st;
	struct scan scan;
	cfg_t *cfg;

	assert(schema_count < PARSE_KEYS_MAX);
	for (size_t i = 0; i < schema_count; i++)
		opts[i] = option(&schema[i]);
	opts[schema_count] = (cfg_opt_t)CFG_END();
	cfg = make_parser(opts);
	if (cfg == NULL) {
		parse_note(p, 0, "settings: do not fit (out of memory)");
		return;
	}
	now = &f;
	scan_init(&scan, text, len);
	while (!p->more_errors && scan_next(&scan, &st)) {
		if (is_section(text, &st) && st.body.text != NULL) {
			if (st.kind == STATEMENT_WRONG)
				wrong_statement(p, text, &st);
			section(p, text, &st);
		} else if (is_section(text, &st)) {
			parse_note(p, st.line, "%s: is a section (%s)", section_name, section_form);
		} else if (st.name_len == 0) {
			wrong_statement(p, text, &st);
		} else {
			setting(p, cfg, text, &st, p->lines, false);
		}
	}
	if (first.certificate != NULL)
		add_certificate(p, &first, NULL);
	forget_certificate(&first);
	now = NULL;
	(void)cfg_free(cfg);
}

void
parse_finish(struct parse *p)
{
	for (size_t i = 0; i < p->sections_count; i++)
		free(p->sections[i].name);
	free(p->sections);
}
