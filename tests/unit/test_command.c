/* Lines taken off a stream, and taken apart; who is no client of ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pop3/command.h"
#include "pop3/line.h"
#include "pop3/mechanism.h"
#include "pop3/stranger.h"

#define LEN(a) (sizeof(a) / sizeof *(a))
#define S(text) (text), sizeof(text) - 1

static bool
parse(const char *line, size_t len, struct command *c)
{
	struct pop3_slice slice = { (const uint8_t *)line, len };

	return command_parse(&slice, c);
}

/* Holds: P1939-02 P1939-03 P1939-18 P1939-87 Q-C05 Q-M12 */
static void
lines_taken_apart(void **state)
{
	static const struct {
		const char *line;
		size_t len;
		enum command_verb verb;
		bool clean, complete;
		size_t count;
		const char *first, *second;
	} cases[] = {
		{ S("STAT"), VERB_STAT, true, true, 0, NULL, NULL },
		{ S("StAt"), VERB_STAT, true, true, 0, NULL, NULL },
		{ S("stat"), VERB_STAT, true, true, 0, NULL, NULL },
		{ S("STAT "), VERB_STAT, true, true, 0, NULL, NULL },
		{ S("STAT    "), VERB_STAT, true, true, 0, NULL, NULL },
		{ S("STAT x"), VERB_STAT, true, false, 1, "x", NULL },
		{ S("STATS"), VERB_UNKNOWN, true, true, 0, NULL, NULL },
		{ S("STA"), VERB_UNKNOWN, true, true, 0, NULL, NULL },
		{ S(" STAT"), VERB_UNKNOWN, true, true, 1, "STAT", NULL },
		{ S(""), VERB_UNKNOWN, true, true, 0, NULL, NULL },
		{ S(" "), VERB_UNKNOWN, true, true, 0, NULL, NULL },
		{ S("LIST"), VERB_LIST, true, true, 0, NULL, NULL },
		{ S("LIST 1"), VERB_LIST, true, true, 1, "1", NULL },
		{ S("LIST   1  "), VERB_LIST, true, true, 1, "1", NULL },
		{ S("LIST 1 2"), VERB_LIST, true, false, 2, "1", "2" },
		{ S("RETR"), VERB_RETR, true, false, 0, NULL, NULL },
		{ S("RETR "), VERB_RETR, true, false, 0, NULL, NULL },
		{ S("TOP 1"), VERB_TOP, true, false, 1, "1", NULL },
		{ S("TOP 1 2"), VERB_TOP, true, true, 2, "1", "2" },
		{ S("TOP 1 2 3"), VERB_TOP, true, false, 3, "1", "2" },
		{ S("QUIT now"), VERB_QUIT, true, false, 1, "now", NULL },
		{ S("USER   joe"), VERB_USER, true, true, 1, "joe", NULL },
		{ S("USER joe doe"), VERB_USER, true, false, 2, "joe", "doe" },
		{ S("PASS"), VERB_PASS, true, false, 0, NULL, NULL },
		{ S("PASS "), VERB_PASS, true, true, 0, NULL, NULL },
		{ S("PASS a b c"), VERB_PASS, true, true, 3, "a", "b" },
		{ S("AUTH"), VERB_AUTH, true, true, 0, NULL, NULL },
		{ S("AUTH "), VERB_AUTH, true, true, 0, NULL, NULL },
		{ S("AUTH PLAIN ="), VERB_AUTH, true, true, 2, "PLAIN", "=" },
		{ S("XTND XLST Subject"), VERB_FOREIGN, true, true, 2, "XLST", "Subject" },
		{ S("RETR\t1"), VERB_UNKNOWN, false, true, 0, NULL, NULL },
		{ S("RETR 1\t"), VERB_RETR, false, true, 1, "1\t", NULL },
		{ S("RETR 1\r"), VERB_RETR, false, true, 1, "1\r", NULL },
		{ S("STAT\0"), VERB_UNKNOWN, false, true, 0, NULL, NULL },
		{ S("TOP\0 1 1"), VERB_UNKNOWN, false, true, 2, "1", "1" },
		{ S("PASS a\0b"), VERB_PASS, false, true, 1, NULL, NULL },
		{ S("NOOP\x7f"), VERB_UNKNOWN, false, true, 0, NULL, NULL },
		{ S("USER jos\xc3\xa9"), VERB_USER, true, true, 1, "jos\xc3\xa9", NULL },
		{ S("APOP jos\xc3\xa9 x"), VERB_APOP, true, true, 2, "jos\xc3\xa9", "x" },
		{ S("RETR \xd9\xa1"), VERB_RETR, false, true, 1, "\xd9\xa1", NULL },
		{ S("LANG d\xc3\xa9"), VERB_LANG, false, true, 1, NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct command c;
		char *exact = malloc(cases[i].len + 1);
		bool clean;

		memcpy(exact, cases[i].line, cases[i].len);
		exact = realloc(exact, cases[i].len > 0 ? cases[i].len : 1);
		clean = parse(exact, cases[i].len, &c);
		if (c.verb != cases[i].verb || clean != cases[i].clean ||
		    command_is_complete(&c) != cases[i].complete || c.count != cases[i].count)
			fail_msg("\"%s\": verb %d, clean %d, count %zu", cases[i].line, c.verb,
			    clean, c.count);
		if (cases[i].first != NULL) {
			assert_int_equal(c.args[0].len, strlen(cases[i].first));
			assert_memory_equal(c.args[0].data, cases[i].first, c.args[0].len);
		}
		if (cases[i].second != NULL) {
			assert_int_equal(c.args[1].len, strlen(cases[i].second));
			assert_memory_equal(c.args[1].data, cases[i].second, c.args[1].len);
		}
		free(exact);
	}
}

/* Holds: P1939-45 */
static void
a_password_keeps_every_octet(void **state)
{
	static const struct {
		const char *line, *rest;
	} cases[] = { { "PASS secret", "secret" }, { "PASS ", "" }, { "pass  two ", " two " },
		{ "PASS correct horse", "correct horse" }, { "PASS   ", "  " } };
	struct command c;

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		assert_true(parse(cases[i].line, strlen(cases[i].line), &c));
		assert_int_equal(c.rest.len, strlen(cases[i].rest));
		assert_memory_equal(c.rest.data, cases[i].rest, c.rest.len);
	}
}

/* Takes all lines off a stream cut into pieces of the given lengths; a report of what came, which
 * the caller frees. */
static char *
take_all(const char *stream, size_t len, size_t first, size_t step, size_t max, size_t auth_max)
{
	struct line l = { 0 };
	size_t at = 0, piece = first, log_len;
	char *log = NULL;
	FILE *f = open_memstream(&log, &log_len);

	while (at < len) {
		size_t have = piece < len - at ? piece : len - at;
		uint8_t *exact = malloc(have > 0 ? have : 1);
		struct pop3_in in = { exact, have };
		struct pop3_slice s = { NULL, 0 };
		enum line_result r;

		memcpy(exact, stream + at, have);
		while ((r = line_take(&l, &in, max, auth_max, &s)) != LINE_MORE) {
			fprintf(f, "%d:", r);
			for (size_t i = 0; r == LINE_TAKEN && i < s.len; i++)
				fprintf(f, s.data[i] > 0x20 && s.data[i] < 0x7f ? "%c" : "<%02x>",
				    s.data[i]);
			fputc('\n', f);
		}
		assert_int_equal(in.len, 0);
		free(exact);
		at += have;
		piece = step;
	}
	if (line_is_partial(&l))
		fprintf(f, "partial");
	line_forget(&l);
	fclose(f);
	return log;
}

/* Holds: P1939-11 P1939-17 P1939-18 P1939-19 P1939-28 P2449-01 */
static void
lines_at_any_cut(void **state)
{
	static const struct {
		const char *in;
		size_t len;
		const char *want;
	} cases[] = {
		{ S(""), "" },
		{ S("A\r\nB\nC"), "1:A\n1:B\npartial" },
		{ S("\r\n\n\r\r\n"), "1:\n1:\n1:<0d>\n" },
		{ S("A\rB\r\n"), "1:A<0d>B\n" },
		{ S("A\0B\r\n"), "1:A<00>B\n" },
		{ S("12345678\r\n12345678\n"), "1:12345678\n1:12345678\n" }, /* 10 is the most */
		{ S("123456789\r\nB\r\n"), "2:\n1:B\n" },
		{ S("123456789\nB\r\n"), "1:123456789\n1:B\n" },
		{ S("1234567890\nB\r\n"), "2:\n1:B\n" },
		{ S("a very long line DELE 1\rDELE 2\0DELE 3\r\nNOOP\r\n"), "2:\n1:NOOP\n" },
		{ S("a very long line without an end"), "partial" },
		{ S("AUTH 7890123456789\r\nB\r\n"), "1:AUTH<20>7890123456789\n1:B\n" }, /* 20 */
		{ S("auth 78901234567890\r\nB\r\n"), "2:\n1:B\n" },
		{ S("AUTHX7890123456789\r\nB\r\n"), "2:\n1:B\n" },
		{ S("X\r\nAUTH 789012345\r\n"), "1:X\n1:AUTH<20>789012345\n" },
	};
	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		for (size_t cut = 0; cut <= cases[i].len; cut++)
			for (size_t step = 1; step <= cases[i].len + 1; step++) {
				char *got = take_all(cases[i].in, cases[i].len, cut, step, 10, 20);

				if (strcmp(got, cases[i].want) != 0)
					fail_msg(
					    "case %zu, cut %zu, step %zu: %s", i, cut, step, got);
				free(got);
			}
	}
}

static void
a_whole_line_is_not_copied(void **state)
{
	static const uint8_t text[] = "STAT\r\nPAR";
	struct line l = { 0 };
	struct pop3_in in = { text, sizeof text - 1 };
	struct pop3_slice s;

	(void)state;
	assert_int_equal(line_take(&l, &in, 255, 255, &s), LINE_TAKEN);
	assert_ptr_equal(s.data, text);
	assert_null(l.data);
	assert_int_equal(line_take(&l, &in, 255, 255, &s), LINE_MORE);
	assert_non_null(l.data);
	assert_true(l.cap <= 64);
	line_forget(&l);
	assert_null(l.data);
}

/* Holds: Q-C14 */
static void
strangers(void **state)
{
	static const struct {
		const char *head;
		bool is;
	} cases[] = { { "GET / HT", true }, { "POST / H", true }, { "HEAD / H", true },
		{ "OPTIONS ", true }, { "CONNECT ", true }, { "PUT /x H", true },
		{ "\x16\x03\x01", true }, { "\x16", true }, { "GET", false }, { "GETX", false },
		{ "OPTIONS", false }, { "USER x", false }, { "", false }, { "QUIT\r\nGE", false },
		{ "TOP 1 1", false } };

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++)
		assert_int_equal(
		    stranger_speaks((const uint8_t *)cases[i].head, strlen(cases[i].head)),
		    cases[i].is);
}

/* Holds: P5034-06 P5034-13 P5034-21 P7628-02 P5802-10 P4616-04 */
static void
mechanisms(void **state)
{
	static const char all[] =
	    "SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN XOAUTH2 OAUTHBEARER";
	struct pop3_slice m = { (const uint8_t *)"scram-sha-256", 13 };
	char out[sizeof all];

	(void)state;
	assert_string_equal(pop3_mechanisms_usable(all, true, true, out), all);
	assert_string_equal(pop3_mechanisms_usable(all, false, false, out), "SCRAM-SHA-256");
	assert_string_equal(
	    pop3_mechanisms_usable(all, false, true, out), "SCRAM-SHA-256 PLAIN LOGIN");
	assert_null(pop3_mechanisms_usable("PLAIN", false, false, out));
	assert_null(pop3_mechanisms_usable("", true, true, out));
	assert_string_equal(pop3_mechanisms_usable("  PLAIN ", true, true, out), "PLAIN");
	m = mechanism_find(all, &m);
	assert_int_equal(m.len, 13); /* not the -PLUS before it */
	assert_memory_equal(m.data, "SCRAM-SHA-256 ", 14);
	m = (struct pop3_slice){ (const uint8_t *)"PLAI", 4 };
	assert_int_equal(mechanism_find(all, &m).len, 0);
	assert_int_equal(mechanism_find(NULL, &m).len, 0);
	m = (struct pop3_slice){ (const uint8_t *)"ABCDEFGHIJ-123456_89X", 20 };
	assert_true(mechanism_is_name(&m));
	m.len = 21;
	assert_false(mechanism_is_name(&m));
	m.len = 0;
	assert_false(mechanism_is_name(&m));
	m = (struct pop3_slice){ (const uint8_t *)"PL*IN", 5 };
	assert_false(mechanism_is_name(&m));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_taken_apart),
		cmocka_unit_test(a_password_keeps_every_octet),
		cmocka_unit_test(lines_at_any_cut),
		cmocka_unit_test(a_whole_line_is_not_copied),
		cmocka_unit_test(strangers),
		cmocka_unit_test(mechanisms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
