#include "conf/scan.h"

#include <string.h>

enum token_kind {
	TOKEN_END,
	TOKEN_WORD,
	TOKEN_QUOTED,
	TOKEN_SIGN, /* = { } ( ) , */
	TOKEN_WRONG,
};

struct token {
	enum token_kind kind;
	size_t start, end;
	int line;
	char sign;
	const char *wrong;
};

void
scan_init(struct scan *s, char *text, size_t len)
{
	*s = (struct scan){ .text = text, .end = len, .line = 1 };
}

static char
at(const struct scan *s, size_t pos)
{
	return pos < s->end ? s->text[pos] : '\0';
}

static void
skip_line(struct scan *s)
{
	while (s->pos < s->end && s->text[s->pos] != '\n')
		s->pos++;
}

/* What is left of a line, up to a comment. */
static void
skip_rest(struct scan *s)
{
	for (; s->pos < s->end && s->text[s->pos] != '\n' && s->text[s->pos] != '#'; s->pos++)
		if (s->text[s->pos] == '/' &&
		    (at(s, s->pos + 1) == '/' || at(s, s->pos + 1) == '*'))
			return;
}

/* White space and comments; what is in comments becomes white space, too. */
static void
skip_blanks(struct scan *s)
{
	while (s->pos < s->end) {
		size_t start = s->pos;
		char c = at(s, s->pos), next = at(s, s->pos + 1);

		if (c == '\n') {
			s->line++;
			s->pos++;
		} else if (c == ' ' || c == '\t' || c == '\r') {
			s->pos++;
		} else if (c == '#' || (c == '/' && next == '/')) {
			skip_line(s);
			memset(s->text + start, ' ', s->pos - start);
		} else if (c == '/' && next == '*') {
			int line = s->line;

			for (s->pos += 2; s->pos < s->end; s->pos++) {
				if (at(s, s->pos) == '*' && at(s, s->pos + 1) == '/')
					break;
				if (at(s, s->pos) == '\n')
					s->line++;
			}
			if (s->pos == s->end) {
				s->unclosed = line; /* and kept: a look ahead must not hide it */
				return;
			}
			s->pos += 2;
			for (size_t i = start; i < s->pos; i++)
				if (s->text[i] != '\n')
					s->text[i] = ' ';
		} else {
			return;
		}
	}
}

static int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}

/* Escapes that libConfuse refuses, and those for an octet that would end the text.  They begin
 * at pos, behind the backslash. */
static bool
is_wrong_escape(const struct scan *s, size_t pos)
{
	bool hex = at(s, pos) == 'x', octal = true;
	int v = 0, n = 0;

	for (pos += hex; n < (hex ? 2 : 4) && digit(at(s, pos)) < (hex ? 16 : 10); n++, pos++) {
		octal = octal && digit(at(s, pos)) < 8;
		v = v * (hex ? 16 : 8) + digit(at(s, pos));
	}
	return n > 0 && (v == 0 || v > 255 || (!hex && (n > 3 || !octal)));
}

/* From a quotation mark to the one behind it. */
static void
scan_quoted(struct scan *s, struct token *t)
{
	char mark = at(s, s->pos), c;

	t->kind = TOKEN_QUOTED;
	for (s->pos++; (c = at(s, s->pos)) != mark; s->pos++) {
		if (c == '\\' && mark == '"' && is_wrong_escape(s, s->pos + 1)) {
			t->kind = TOKEN_WRONG;
			t->wrong = "a number behind \\ is none of an octet (\\001 to \\377, \\x01 "
				   "to \\xff)";
		}
		if (c == '\\' && at(s, s->pos + 1) != '\n')
			c = at(s, ++s->pos);
		else if (c == '$' && mark == '"' && at(s, s->pos + 1) == '{')
			while (at(s, s->pos) != '}' && at(s, s->pos) != '\n' && s->pos < s->end)
				s->pos++;
		c = at(s, s->pos);
		if (c == '\0' || c == '\n') {
			t->kind = TOKEN_WRONG;
			t->wrong = "a quotation does not end on its line (\"value\")";
			return;
		}
	}
	s->pos++;
}

static bool
is_in_word(char c)
{
	return c != '\0' && strchr(" #\"'\t\n\r={}()+,*", c) == NULL;
}

static void
scan_word(struct scan *s, struct token *t)
{
	t->kind = TOKEN_WORD;
	if (at(s, s->pos) == '$' && at(s, s->pos + 1) == '{') {
		while (at(s, s->pos) != '}' && at(s, s->pos) != '\n' && s->pos < s->end)
			s->pos++;
		if (at(s, s->pos) == '}') {
			s->pos++;
		} else {
			t->kind = TOKEN_WRONG;
			t->wrong = "the name of a variable does not end on its line (${NAME})";
		}
		return;
	}
	while (is_in_word(at(s, s->pos)))
		s->pos++;
}

static struct token
scan_token(struct scan *s)
{
	struct token t = { .kind = TOKEN_SIGN };
	char c;

	skip_blanks(s);
	t.start = s->pos;
	t.line = s->line;
	c = at(s, s->pos);
	if (c == '\0') {
		t.kind = TOKEN_END;
	} else if (strchr("={}(),", c) != NULL) {
		t.sign = c;
		s->pos++;
	} else if (c == '"' || c == '\'') {
		scan_quoted(s, &t);
	} else if (is_in_word(c)) {
		scan_word(s, &t);
	} else { /* libConfuse takes + for something else, and does not see * */
		s->pos++;
		t.kind = TOKEN_WRONG;
		t.wrong = c == '*' ? "a value with * has no quotation marks (\"*:110\")"
				   : "a value with + has no quotation marks (\"value\")";
	}
	t.end = s->pos;
	return t;
}

static bool
is_sign(const struct token *t, char sign)
{
	return t->kind == TOKEN_SIGN && t->sign == sign;
}

static bool
is_text(const struct token *t)
{
	return t->kind == TOKEN_WORD || t->kind == TOKEN_QUOTED;
}

static bool
is_token(const struct scan *s, const struct token *t, const char *text)
{
	return t->kind == TOKEN_WORD && t->end - t->start == strlen(text) &&
	       strncmp(s->text + t->start, text, strlen(text)) == 0;
}

static void
is_wrong(struct statement *st, int line, const char *wrong)
{
	if (st->kind == STATEMENT_WRONG)
		return; /* the first one has led to the others */
	st->kind = STATEMENT_WRONG;
	st->wrong = wrong;
	st->wrong_line = line;
}

/* Whether a name with its = stands here: something before it was left open. */
static bool
begins_setting(struct scan s)
{
	struct token name = scan_token(&s), sign = scan_token(&s);

	return name.kind == TOKEN_WORD && is_sign(&sign, '=');
}

/* Behind the brace that opens a list. */
static void
scan_list(struct scan *s, struct statement *st, int opened)
{
	bool comma = false, first = true;

	st->kind = STATEMENT_LIST;
	for (;;) {
		struct token t = { 0 };

		if (!begins_setting(*s))
			t = scan_token(s);
		if (t.kind == TOKEN_END) {
			is_wrong(st, opened, "a list is never closed (key = {\"a\", \"b\"})");
			return;
		}
		if (is_sign(&t, '}'))
			return;
		if (t.kind == TOKEN_WRONG)
			is_wrong(st, t.line, t.wrong);
		else if (!is_text(&t) && (!is_sign(&t, ',') || comma || first))
			is_wrong(st, t.line,
			    "a list has something else than values (key = {\"a\", \"b\"})");
		else if (is_text(&t) && !comma && !first)
			is_wrong(st, t.line,
			    "two values have no comma between them (key = {\"a\", \"b\"})");
		comma = is_sign(&t, ',');
		first = false;
	}
}

static void
scan_value(struct scan *s, struct statement *st, int line)
{
	struct scan before = *s;
	struct token t;

	st->kind = STATEMENT_VALUE;
	skip_blanks(&before);
	if (before.line > line && begins_setting(before)) {
		is_wrong(st, line, "there is no value behind = (key = value)");
		return;
	}
	t = scan_token(s);
	if (is_sign(&t, '{')) {
		scan_list(s, st, t.line);
	} else if (t.kind == TOKEN_WRONG) {
		is_wrong(st, t.line, t.wrong);
		skip_rest(s);
	} else if (!is_text(&t)) {
		is_wrong(st, line, "there is no value behind = (key = value)");
		if (t.line > line)
			*s = before;
		else
			skip_rest(s);
	} else if (at(s, s->pos) == '*' || at(s, s->pos) == '+') {
		is_wrong(st, t.line, "a value with * or + has no quotation marks (\"value\")");
		skip_rest(s);
	}
}

/* Behind the brace that opens a section. */
static void
scan_section(struct scan *s, struct statement *st, const char *name, int opened)
{
	int depth = 1;

	st->kind = STATEMENT_SECTION;
	st->body = *s;
	while (depth > 0) {
		struct scan before;
		struct token t;

		skip_blanks(s);
		before = *s;
		t = scan_token(s);
		st->body.end = t.start;
		if (t.kind == TOKEN_END || is_token(s, &t, name)) {
			*s = before; /* sections have none in them: it begins another one */
			is_wrong(st, opened, "a section is never closed (name \"title\" { ... })");
			return;
		}
		depth += is_sign(&t, '{') - is_sign(&t, '}');
	}
}

/* Behind a name that has no = behind it, but this. */
static void
scan_other(struct scan *s, struct statement *st, const struct token *next)
{
	struct scan name_end = *s;
	struct token t = *next;
	char name[32] = "";

	name_end.pos = st->end;
	name_end.line = st->line;
	if (st->name_len < sizeof name)
		memcpy(name, s->text + st->start, st->name_len);
	if (t.line == st->line && is_text(&t))
		t = scan_token(s);
	if (is_sign(&t, '{')) {
		st->end = t.start;
		scan_section(s, st, name, t.line);
		return;
	}
	if (strcmp(name, "include") == 0 && is_sign(next, '('))
		is_wrong(st, st->line, "other files are not read in (all settings in this one)");
	else if (t.kind == TOKEN_WRONG && t.line == st->line)
		is_wrong(st, t.line, t.wrong);
	else
		is_wrong(st, st->line,
		    "there is no = behind it (key = value; a value with spaces "
		    "has quotation marks)");
	*s = name_end; /* the lines below have nothing to do with it */
	skip_rest(s);
}

bool
scan_next(struct scan *s, struct statement *ret)
{
	struct token t = scan_token(s), next;

	*ret = (struct statement){ .start = t.start, .end = t.end, .line = t.line };
	if (s->unclosed != 0) {
		is_wrong(ret, s->unclosed, "a comment is never closed (/* comment */)");
		s->unclosed = 0;
		return true;
	}
	if (t.kind == TOKEN_END)
		return false;
	if (t.kind != TOKEN_WORD) {
		is_wrong(ret, t.line,
		    t.wrong != NULL ? t.wrong : "there is no name of a setting (key = value)");
		skip_rest(s);
		return true;
	}
	ret->name_len = t.end - t.start;
	next = scan_token(s);
	if (!is_sign(&next, '=')) {
		scan_other(s, ret, &next);
		return true;
	}
	ret->sets = true;
	scan_value(s, ret, next.line);
	ret->end = s->pos;
	return true;
}
