/* What a server says to people, and the lines it says it in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pop3/codec.h>
#include <pop3/text.h>

/* Holds: P2449-41 P2449-42 P1939-06 P6856-15 Q-C02 */
static void
every_text_in_every_language(void **state)
{
	(void)state;
	for (int lang = 0; lang < POP3_LANGS; lang++) {
		for (int t = 0; t < POP3_TEXTS; t++) {
			const char *s = pop3_text((enum pop3_lang)lang, (enum pop3_text)t);
			uint8_t mem[POP3_REPLY_MAX];
			struct pop3_out out = { mem, 0, sizeof mem };

			assert_non_null(s);
			assert_true(strlen(s) > 0 && strlen(s) < 400);
			assert_true(pop3_utf8_valid((const uint8_t *)s, strlen(s)));
			assert_null(strpbrk(s, "[<"));
			for (const char *p = s; *p != '\0'; p++)
				assert_true((uint8_t)*p >= 0x20 && *p != 0x7f);
			pop3_reply_err(&out, POP3_CODE_LOGIN_DELAY, s);
			assert_in_range(out.len, 5, POP3_REPLY_MAX);
		}
		assert_true(strlen(pop3_lang_tag((enum pop3_lang)lang)) > 0);
		assert_true(strlen(pop3_lang_name((enum pop3_lang)lang)) > 0);
	}
	/* a translation translates */
	assert_string_not_equal(
	    pop3_text(POP3_LANG_DE, POP3_TEXT_BYE), pop3_text(POP3_LANG_EN, POP3_TEXT_BYE));
	/* RFC 2277, 4.5: i-default is understood by those who know English */
	assert_string_equal(
	    pop3_text(POP3_LANG_I_DEFAULT, POP3_TEXT_BYE), pop3_text(POP3_LANG_EN, POP3_TEXT_BYE));
}

/* Holds: P6856-14 */
static void
languages_found(void **state)
{
	static const struct {
		const char *range;
		int want;
	} cases[] = {
		{ "en", POP3_LANG_EN },
		{ "EN", POP3_LANG_EN },
		{ "en-GB", POP3_LANG_EN },
		{ "de", POP3_LANG_DE },
		{ "De-aT", POP3_LANG_DE },
		{ "de-Latn-DE-1996", POP3_LANG_DE },
		{ "de-x-a", POP3_LANG_DE },
		{ "i-default", POP3_LANG_I_DEFAULT },
		{ "I-Default", POP3_LANG_I_DEFAULT },
		{ "tlh", -1 },
		{ "d", -1 },
		{ "deu", -1 },
		{ "i", -1 },
		{ "i-klingon", -1 },
		{ "-", -1 },
		{ "-de", -1 },
		{ "de*", -1 },
		{ "", -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(
		    pop3_lang_find(cases[i].range, strlen(cases[i].range)), cases[i].want);
	assert_int_equal(pop3_lang_find("de\0x", 4), -1);
}

static void
check(const struct pop3_out *out, const char *want)
{
	assert_int_equal(out->len, strlen(want));
	assert_memory_equal(out->data, want, out->len);
}

/* Holds: P1939-07 P3206-01 P2449-40 */
static void
codes_and_lines(void **state)
{
	static const struct {
		enum pop3_code code;
		const char *want;
	} cases[] = {
		{ POP3_CODE_NONE, "-ERR x\r\n" },
		{ POP3_CODE_AUTH, "-ERR [AUTH] x\r\n" },
		{ POP3_CODE_IN_USE, "-ERR [IN-USE] x\r\n" },
		{ POP3_CODE_LOGIN_DELAY, "-ERR [LOGIN-DELAY] x\r\n" },
		{ POP3_CODE_SYS_TEMP, "-ERR [SYS/TEMP] x\r\n" },
		{ POP3_CODE_SYS_PERM, "-ERR [SYS/PERM] x\r\n" },
		{ POP3_CODE_UTF8, "-ERR [UTF8] x\r\n" },
	};
	uint8_t mem[POP3_REPLY_MAX];
	struct pop3_out out = { mem, 0, sizeof mem };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		out.len = 0;
		pop3_reply_err(&out, cases[i].code, "x");
		check(&out, cases[i].want);
	}
	out.len = 0;
	pop3_reply_ok(&out, "done");
	pop3_reply_end(&out);
	check(&out, "+OK done\r\n.\r\n");
	out.len = 0;
	pop3_reply_okf(&out, "%u %s", 2u, "84");
	check(&out, "+OK 2 84\r\n");
}

/* Holds: P1939-06 */
static void
a_reply_line_is_never_too_long(void **state)
{
	char text[700];
	uint8_t mem[POP3_REPLY_MAX];

	(void)state;
	for (size_t len = 480; len < sizeof text; len++) {
		struct pop3_out out = { mem, 0, sizeof mem };

		memset(text, 'x', len);
		text[len] = '\0';
		pop3_reply_ok(&out, text);
		assert_int_equal(out.len, len + 6 <= 512 ? len + 6 : 512);
		assert_memory_equal(mem + out.len - 2, "\r\n", 2);
		out.len = 0;
		pop3_reply_err(&out, POP3_CODE_LOGIN_DELAY, text);
		assert_int_equal(out.len, len + 21 <= 512 ? len + 21 : 512);
		out.len = 0;
		pop3_reply_okf(&out, "%s", text);
		assert_in_range(out.len, len < 506 ? len + 6 : 512, 512);
	}
	/* cut between characters, wherever they fall */
	for (size_t shift = 0; shift < 4; shift++) {
		struct pop3_out out = { mem, 0, sizeof mem };

		memset(text, 'x', shift);
		for (size_t i = shift; i + 4 < sizeof text; i += 4)
			memcpy(text + i, "\xf0\x9f\x93\xae", 5);
		pop3_reply_ok(&out, text);
		assert_in_range(out.len, 509, 512);
		assert_true(pop3_utf8_valid(mem, out.len));
		assert_memory_equal(mem + out.len - 2, "\r\n", 2);
	}
}

/* Holds: P1939-37 P1939-80 */
static void
listing_lines(void **state)
{
	char uid[80];
	uint8_t mem[96];
	struct pop3_out out = { mem, 0, sizeof mem };

	(void)state;
	pop3_reply_number(&out, 1, 0);
	check(&out, "1 0\r\n");
	out.len = 0;
	pop3_reply_number(&out, UINT64_MAX, UINT64_MAX);
	check(&out, "18446744073709551615 18446744073709551615\r\n");
	out.len = 0;
	pop3_reply_uid(&out, 2, "0000000265f1a2b3");
	check(&out, "2 0000000265f1a2b3\r\n");
	/* the longest there can be fits the room that was asked for */
	memset(uid, 'u', 79);
	uid[79] = '\0';
	out.len = 0;
	pop3_reply_uid(&out, UINT64_MAX, uid);
	assert_int_equal(out.len, 20 + 1 + 70 + 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_text_in_every_language),
		cmocka_unit_test(languages_found),
		cmocka_unit_test(codes_and_lines),
		cmocka_unit_test(a_reply_line_is_never_too_long),
		cmocka_unit_test(listing_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
