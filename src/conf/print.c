/* The settings as a file, and the table as a part of the manual. */
#include "conf/settings.h"

#include <string.h>

#include "conf/schema.h"

static void
write_text(FILE *out, const char *text)
{
	(void)fputc('"', out);
	for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
		if (*p < 0x20 || *p == 0x7f)
			(void)fprintf(out, "\\x%02x", *p);
		else if (*p == '"' || *p == '\\' || *p == '$')
			(void)fprintf(out, "\\%c", *p);
		else
			(void)fputc(*p, out);
	}
	(void)fputc('"', out);
}

/* The n-th of space-separated words. */
static void
write_word(FILE *out, const char *words, int n)
{
	for (; n > 0; n--)
		words += strcspn(words, " ") + 1;
	(void)fprintf(out, "%.*s", (int)strcspn(words, " "), words);
}

static void
write_value(FILE *out, const struct settings *s, const struct key *k)
{
	const char *at = (const char *)s + k->offset;
	const struct settings_list *l = (const void *)at;
	int32_t days;

	switch (k->type) {
	case KEY_LIST:
		(void)fputc('{', out);
		for (size_t i = 0; i < l->count; i++) {
			(void)fputs(i > 0 ? ", " : "", out);
			write_text(out, l->items[i]);
		}
		(void)fputc('}', out);
		break;
	case KEY_BOOL:
		(void)fputs(*(const bool *)at ? "true" : "false", out);
		break;
	case KEY_INT:
	case KEY_SECS:
		(void)fprintf(out, "%u", *(const uint32_t *)(const void *)at);
		break;
	case KEY_DAYS:
		memcpy(&days, at, sizeof days);
		if (days < 0)
			(void)fputs("never", out);
		else
			(void)fprintf(out, "%d", days);
		break;
	case KEY_PLAINTEXT:
		write_word(out, k->words, (int)*(const enum plaintext *)(const void *)at);
		break;
	case KEY_SECOND:
		write_word(out, k->words, *(const bool *)at);
		break;
	default:
		write_text(out, *(const char *const *)(const void *)at);
	}
}

static bool
is_unset(const struct settings *s, const struct key *k)
{
	const void *at = (const char *)s + k->offset;

	return k->type == KEY_CERTIFICATE ||
	       (schema_is_text(k) && *(const char *const *)at == NULL);
}

void
settings_write(const struct settings *s, FILE *out)
{
	for (size_t i = 0; i < schema_count; i++) {
		if (is_unset(s, &schema[i]))
			continue;
		(void)fprintf(out, "%s = ", schema[i].name);
		write_value(out, s, &schema[i]);
		(void)fputc('\n', out);
	}
	for (size_t i = 0; i < s->certificates_count; i++) {
		const struct settings_certificate *c = &s->certificates[i];

		if (c->name != NULL) {
			(void)fputs("tls-name ", out);
			write_text(out, c->name);
			(void)fputs(" {\n", out);
		}
		(void)fputs("certificate = ", out);
		write_text(out, c->certificate);
		(void)fputs("\ncertificate-key = ", out);
		write_text(out, c->key);
		(void)fputs(c->name != NULL ? "\n}\n" : "\n", out);
	}
}

/* mdoc takes a word at the start of a line for a macro if it looks like one; none of ours does.
 * Sentences begin lines of their own. */
static void
write_sentences(FILE *out, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '\\')
			(void)fputs("\\e", out);
		else if (*text == ' ' && (text[-1] == '.' || text[-1] == ';'))
			(void)fputc('\n', out);
		else
			(void)fputc(*text, out);
	}
	(void)fputc('\n', out);
}

static const char *
type_text(const struct key *k)
{
	switch (k->type) {
	case KEY_LIST:
		return "list";
	case KEY_BOOL:
		return "true | false";
	case KEY_INT:
		return "number";
	case KEY_SECS:
		return "time";
	case KEY_DAYS:
		return "never | days";
	case KEY_HOST:
	case KEY_USER:
	case KEY_SERVICE:
		return "name";
	case KEY_SCHEME:
		return "scheme";
	case KEY_FILE:
	case KEY_CERTIFICATE:
		return "file";
	case KEY_FOLDER:
		return "folder";
	case KEY_TEMPLATE:
		return "path";
	default:
		return "text";
	}
}

void
settings_write_mdoc(FILE *out)
{
	for (size_t i = 0; i < schema_count; i++) {
		const struct key *k = &schema[i];

		if (k->group != NULL) {
			if (i > 0)
				(void)fputs(".El\n", out);
			(void)fprintf(out, ".Ss %s\n.Bl -tag -width Ds\n", k->group);
		}
		(void)fprintf(out, ".It Ic %s No = Ar ", k->name);
		if (k->words != NULL && k->type != KEY_LIST && k->type != KEY_SCHEME) {
			for (const char *p = k->words; *p != '\0'; p++)
				(void)fputs(*p == ' ' ? " | " : (char[]){ *p, '\0' }, out);
		} else {
			(void)fputs(type_text(k), out);
		}
		(void)fputc('\n', out);
		write_sentences(out, k->note);
		if (k->max > 0)
			(void)fprintf(out, "From %u to %u%s.\n", k->min, k->max,
			    k->type == KEY_SECS ? " seconds" : "");
		if (k->fallback != NULL) {
			(void)fputs("Default:\n.Li ", out);
			for (const char *p = k->fallback; *p != '\0'; p++)
				(void)fputs(*p == '"' ? "\\(dq" : (char[]){ *p, '\0' }, out);
			(void)fputs(" .\n", out);
		}
	}
	(void)fputs(".El\n", out);
}
