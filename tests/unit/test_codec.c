/* Numbers, base64, hex, UTF-8, unique-ids, timestamps: what is taken, and what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pop3/codec.h>

#define LEN(a) (sizeof(a) / sizeof *(a))

/* A copy that ends where its memory ends, so that one octet too many is found out. */
static uint8_t *
exact(const char *s, size_t len)
{
	uint8_t *p = malloc(len > 0 ? len : 1);

	assert_non_null(p);
	memcpy(p, s, len);
	return p;
}

/* Holds: P1939-86 P1939-77 */
static void
numbers(void **state)
{
	static const struct {
		const char *in;
		uint64_t max;
		bool ok, overflow;
		uint64_t value;
	} cases[] = {
		{ "0", UINT64_MAX, true, false, 0 },
		{ "1", UINT64_MAX, true, false, 1 },
		{ "007", UINT64_MAX, true, false, 7 },
		{ "99999999", UINT64_MAX, true, false, 99999999 },
		{ "2147483647", INT64_MAX, true, false, 2147483647 },
		{ "9223372036854775807", INT64_MAX, true, false, INT64_MAX },
		{ "9223372036854775808", INT64_MAX, false, true, 0 },
		{ "18446744073709551615", UINT64_MAX, true, false, UINT64_MAX },
		{ "18446744073709551616", UINT64_MAX, false, true, 0 },
		{ "18446744073709551625", UINT64_MAX, false, true, 0 },
		{ "100000000000000000000000000000000000001", UINT64_MAX, false, true, 0 },
		{ "00000000000000000000000000000000000000001", UINT64_MAX, true, false, 1 },
		{ "11", 10, false, true, 0 },
		{ "", UINT64_MAX, false, false, 0 },
		{ "+1", UINT64_MAX, false, false, 0 },
		{ "-1", UINT64_MAX, false, false, 0 },
		{ " 1", UINT64_MAX, false, false, 0 },
		{ "1 ", UINT64_MAX, false, false, 0 },
		{ "1x", UINT64_MAX, false, false, 0 },
		{ "0x1", UINT64_MAX, false, false, 0 },
		{ "1.0", UINT64_MAX, false, false, 0 },
		{ "1e3", UINT64_MAX, false, false, 0 },
		{ "\xd9\xa1", UINT64_MAX, false, false, 0 },
		{ "99999999999999999999x", UINT64_MAX, false, false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		size_t len = strlen(cases[i].in);
		uint8_t *in = exact(cases[i].in, len);
		uint64_t v = 42;
		bool overflow = !cases[i].overflow;

		/* junk behind a number that is too long is junk, not a number that is too long */
		assert_int_equal(pop3_number(in, len, cases[i].max, &v, &overflow), cases[i].ok);
		assert_int_equal(overflow, cases[i].overflow);
		assert_true(v == (cases[i].ok ? cases[i].value : 42));
		assert_int_equal(pop3_number(in, len, cases[i].max, &v, NULL), cases[i].ok);
		free(in);
	}
}

static void
numbers_written_are_read_again(void **state)
{
	static const uint64_t values[] = { 0, 1, 9, 10, 99, 100, 4294967295, 4294967296, 9999999999,
		UINT64_MAX / 10, UINT64_MAX - 1, UINT64_MAX };

	(void)state;
	for (size_t i = 0; i < LEN(values); i++) {
		uint8_t text[20];
		size_t len = pop3_number_write(values[i], text);
		uint64_t v;

		assert_in_range(len, 1, 20);
		assert_true(text[0] != '0' || len == 1);
		assert_true(pop3_number(text, len, UINT64_MAX, &v, NULL));
		assert_true(v == values[i]);
	}
}

/* Holds: P5034-14 */
static void
base64_is_strict(void **state)
{
	static const struct {
		const char *in, *out;
		size_t len; /* of out */
	} good[] = {
		{ "", "", 0 },
		{ "Zg==", "f", 1 },
		{ "Zm8=", "fo", 2 },
		{ "Zm9v", "foo", 3 },
		{ "Zm9vYg==", "foob", 4 },
		{ "Zm9vYmE=", "fooba", 5 },
		{ "Zm9vYmFy", "foobar", 6 },
		{ "AAAA", "\0\0\0", 3 },
		{ "////", "\xff\xff\xff", 3 },
		{ "+/+/", "\xfb\xff\xbf", 3 },
		{ "dGVzdAB0ZXN0AHRlc3Q=", "test\0test\0test", 14 },
	};
	static const char *const bad[] = { "A", "AA", "AAA", "=",
		"==", "===", "====", "A===", "AA=A", "=AAA", "A=AA", "AAA=BBB=", "AAA=BBB",
		"AA==AAAA", "AA A", "AAA ", " AAA", "AAAA=", "AAAA====", "Zm9v\n", "Zm9v\r\n",
		"Zm-v", "Zm_v", "Zm9\xff", "Zh==", "Zm9=", "Zm9vYh==", "*", "AA*=", "AA.." };

	(void)state;
	for (size_t i = 0; i < LEN(good); i++) {
		size_t len = strlen(good[i].in), n = 999;
		uint8_t *in = exact(good[i].in, len), *out = malloc(len / 4 * 3 + 1), back[64];

		assert_true(pop3_base64_decode(in, len, out, &n));
		assert_int_equal(n, good[i].len);
		assert_memory_equal(out, good[i].out, n);
		/* onto itself */
		assert_true(pop3_base64_decode(in, len, in, &n));
		assert_memory_equal(in, good[i].out, n);
		assert_int_equal(pop3_base64_encode(out, n, back), len);
		assert_memory_equal(back, good[i].in, len);
		free(in);
		free(out);
	}
	for (size_t i = 0; i < LEN(bad); i++) {
		size_t len = strlen(bad[i]), n;
		uint8_t *in = exact(bad[i], len), *out = malloc(len / 4 * 3 + 1);

		if (pop3_base64_decode(in, len, out, &n))
			fail_msg("taken as base64: \"%s\"", bad[i]);
		free(in);
		free(out);
	}
	/* a NUL is no end */
	assert_false(
	    pop3_base64_decode((const uint8_t *)"AAA\0AAAA", 8, (uint8_t[8]){ 0 }, &(size_t){ 0 }));
}

static void
base64_there_and_back(void **state)
{
	uint8_t in[257], text[344 + 4], out[261];

	(void)state;
	for (size_t len = 0; len <= sizeof in; len++) {
		size_t n, m;

		for (size_t i = 0; i < len; i++)
			in[i] = (uint8_t)(i * 167 + len * 31);
		n = pop3_base64_encode(in, len, text);
		assert_int_equal(n, (len + 2) / 3 * 4);
		assert_true(pop3_base64_decode(text, n, out, &m));
		assert_int_equal(m, len);
		assert_memory_equal(in, out, len);
	}
}

/* Holds: P1939-50 Q-C11 */
static void
hex_of_either_case(void **state)
{
	static const uint8_t want[16] = { 0xc4, 0xc9, 0x33, 0x4b, 0xac, 0x56, 0x0e, 0xcc, 0x97,
		0x9e, 0x58, 0x00, 0x1b, 0x3e, 0x22, 0xfb };
	static const char *const bad[] = { "", "c4c9334bac560ecc979e58001b3e22f",
		"c4c9334bac560ecc979e58001b3e22fb0", "c4c9334bac560ecc979e58001b3e22fg",
		" 4c9334bac560ecc979e58001b3e22fb", "0xc9334bac560ecc979e58001b3e22fb",
		"c4c9334bac560ecc979e58001b3e22f " };
	uint8_t out[16];

	(void)state;
	assert_true(
	    pop3_hex_decode16((const uint8_t *)"c4c9334bac560ecc979e58001b3e22fb", 32, out));
	assert_memory_equal(out, want, 16);
	memset(out, 0, sizeof out);
	assert_true(
	    pop3_hex_decode16((const uint8_t *)"C4C9334BAC560ECC979E58001b3E22FB", 32, out));
	assert_memory_equal(out, want, 16);
	for (size_t i = 0; i < LEN(bad); i++) {
		uint8_t *in = exact(bad[i], strlen(bad[i]));

		assert_false(pop3_hex_decode16(in, strlen(bad[i]), out));
		free(in);
	}
}

/* Holds: P6856-10 */
static void
utf8_well_formed(void **state)
{
	static const char *const good[] = { "", "a", "\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80",
		"\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80",
		"\xf4\x8f\xbf\xbf", "Jos\xc3\xa9", "\xe4\xb8\xad\xe6\x96\x87x" };
	static const char *const bad[] = { "\x80", "\xbf", "\xc3", "\xc3(", "a\xc3", "\xe4\xb8",
		"\xe4\xb8z", "\xf0\x90\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xe0\x9f\xbf",
		"\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf", /* overlong */
		"\xed\xa0\x80", "\xed\xbf\xbf", /* surrogates */
		"\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf8\x88\x80\x80\x80", "\xfe", "\xff",
		"\xc3\xa9\xa9", "Jos\xe9" };

	(void)state;
	for (size_t i = 0; i < LEN(good); i++) {
		uint8_t *in = exact(good[i], strlen(good[i]));

		assert_true(pop3_utf8_valid(in, strlen(good[i])));
		free(in);
	}
	for (size_t i = 0; i < LEN(bad); i++) {
		uint8_t *in = exact(bad[i], strlen(bad[i]));

		if (pop3_utf8_valid(in, strlen(bad[i])))
			fail_msg("taken as UTF-8: number %zu", i);
		free(in);
	}
}

/* Every value, encoded by the book, against what the standard says of it. */
static void
utf8_every_value(void **state)
{
	(void)state;
	for (uint32_t c = 0x80; c <= 0x10ffff; c += c < 0x11000 ? 1 : 61) {
		uint8_t in[4];
		size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

		in[0] = (uint8_t)((0xf00u >> n) | (c >> 6 * (n - 1)));
		for (size_t i = 1; i < n; i++)
			in[i] = (uint8_t)(0x80 | (c >> 6 * (n - 1 - i) & 0x3f));
		assert_int_equal(pop3_utf8_valid(in, n), c < 0xd800 || c > 0xdfff);
		assert_false(pop3_utf8_valid(in, n - 1));
	}
}

/* Holds: P1939-81 */
static void
unique_ids(void **state)
{
	char longest[72];

	(void)state;
	memset(longest, '~', sizeof longest);
	assert_true(pop3_uid_valid((const uint8_t *)longest, 70));
	assert_false(pop3_uid_valid((const uint8_t *)longest, 71));
	assert_false(pop3_uid_valid((const uint8_t *)longest, 0));
	assert_true(pop3_uid_valid((const uint8_t *)"!", 1));
	for (unsigned c = 0; c < 256; c++) {
		uint8_t in[3] = { 'a', (uint8_t)c, 'b' };

		assert_int_equal(pop3_uid_valid(in, 3), c >= 0x21 && c <= 0x7e);
	}
}

/* Holds: P1939-53 Q-S01 Q-S03 Q-M10 */
static void
timestamps(void **state)
{
	static const struct {
		const char *line, *want; /* NULL: there is none */
	} cases[] = {
		{ "+OK POP3 server ready <1896.697170952@dbc.mtview.ca.us>",
		    "<1896.697170952@dbc.mtview.ca.us>" },
		{ "+OK<1.2@h>", "<1.2@h>" },
		{ "+OK <1.2@h> at the front", "<1.2@h>" },
		{ "+OK a < b, <1.2@h>", "<1.2@h>" },
		{ "+OK <not one> <1.2@h>", "<1.2@h>" },
		{ "+OK <<1.2@h>>", "<1.2@h>" },
		{ "+OK <1@[192.0.2.1]>", "<1@[192.0.2.1]>" },
		{ "+OK <1@[IPv6:2001:db8::1]>", "<1@[IPv6:2001:db8::1]>" },
		{ "+OK <a!#$%&'*+-/=?^_`{|}~b@h>", "<a!#$%&'*+-/=?^_`{|}~b@h>" },
		{ "+OK ready", NULL },
		{ "+OK <1.2@h", NULL },
		{ "+OK 1.2@h>", NULL },
		{ "+OK <1.2>", NULL },
		{ "+OK <@h>", NULL },
		{ "+OK <1@>", NULL },
		{ "+OK <1@a@b>", NULL },
		{ "+OK <1 2@h>", NULL },
		{ "+OK <1\t2@h>", NULL },
		{ "+OK <1@h\x80>", NULL },
		{ "+OK <\xc3\xa9@h>", NULL },
		{ "+OK <1\x01@h>", NULL },
		{ "+OK <.1@h>", NULL },
		{ "+OK <1.@h>", NULL },
		{ "+OK <1..2@h>", NULL },
		{ "+OK <1@h.>", NULL },
		{ "+OK <1@.h>", NULL },
		{ "+OK <1@[h>", NULL },
		{ "+OK <1@h]>", NULL },
		{ "+OK <1@[]>", NULL },
		{ "+OK <>", NULL },
		{ "+OK <", NULL },
		{ "", NULL },
	};
	struct pop3_slice found;

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		size_t len = strlen(cases[i].line);
		uint8_t *line = exact(cases[i].line, len);
		bool r = pop3_timestamp_find(line, len, &found);

		if (r != (cases[i].want != NULL))
			fail_msg("%s: \"%s\"", r ? "found" : "not found", cases[i].line);
		if (r) {
			assert_int_equal(found.len, strlen(cases[i].want));
			assert_memory_equal(found.data, cases[i].want, found.len);
		}
		free(line);
	}
	assert_false(pop3_timestamp_find((const uint8_t *)"<1\0@h>", 6, &found));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),
		cmocka_unit_test(numbers_written_are_read_again),
		cmocka_unit_test(base64_is_strict),
		cmocka_unit_test(base64_there_and_back),
		cmocka_unit_test(hex_of_either_case),
		cmocka_unit_test(utf8_well_formed),
		cmocka_unit_test(utf8_every_value),
		cmocka_unit_test(unique_ids),
		cmocka_unit_test(timestamps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
