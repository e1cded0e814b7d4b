/* What a client without UTF8 gets for a message whose headers need it (RFC 6858). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pop3/surrogate.h>

static size_t
transform(const char *in, size_t len, size_t first, size_t step, size_t room, char *out,
    bool *ret_changed)
{
	struct pop3_surrogate *s = pop3_surrogate_create();
	size_t n = 0, at = 0, piece = first, got;

	assert_non_null(s);
	do {
		size_t have = piece < len - at ? piece : len - at;
		uint8_t *exact = malloc(have + 1);

		memcpy(exact, in + at, have);
		at += have;
		assert_true(pop3_surrogate_feed(s, exact, have, at == len));
		while ((got = pop3_surrogate_output(s, (uint8_t *)out + n, room)) > 0)
			n += got;
		free(exact);
		piece = step;
	} while (at < len);
	*ret_changed = pop3_surrogate_changed(s);
	pop3_surrogate_destroy(&s);
	out[n] = '\0';
	return n;
}

static void
check(const char *in, const char *want)
{
	size_t len = strlen(in);
	char *out = malloc(8 * len + 4096);
	bool changed;

	for (size_t first = 1; first <= len + 1; first++) {
		transform(in, len, first, len + 1, 1 + first % 7, out, &changed);
		assert_string_equal(out, want);
		assert_int_equal(changed, strcmp(in, want) != 0);
	}
	transform(in, len, 1, 1, 4096, out, &changed);
	assert_string_equal(out, want);
	free(out);
}

/* Holds: P6856-03 P6856-04 P6858-01 */
static void
addresses_that_cannot_exist(void **state)
{
	(void)state;
	check("From: Jos\xc3\xa9 <jos\xc3\xa9@example.org>\n\nx\n",
	    "From: =?utf-8?q?Jos=C3=A9?= <invalid@internationalized-address.invalid>\n\nx\n");
	/* only the name needs it: the address stays */
	check("To: \"M\xc3\xbcller, A.\" <m@example.org>, b@example.org\r\n\r\n",
	    "To: =?utf-8?q?M=C3=BCller=2C_A=2E?= <m@example.org>, b@example.org\r\n\r\n");
	check("Cc: jos\xc3\xa9@example.org\n\n", "Cc: =?utf-8?q?jos=C3=A9=40example=2Eorg?=\n "
						 "<invalid@internationalized-address.invalid>\n\n");
	check("To: Fr\xc3\xa9res: a@x.org, \xc3\xa9@x.org;\n\n",
	    "To: =?utf-8?q?Fr=C3=A9res?=: a@x.org, =?utf-8?q?=C3=A9=40x=2Eorg?=\n "
	    "<invalid@internationalized-address.invalid>;\n\n");
	check("Return-Path: <jos\xc3\xa9@x.org>\n\n",
	    "Return-Path: <invalid@internationalized-address.invalid>\n\n");
	/* a comment is no part of the address */
	check("From: a@x.org (\xc3\xa9)\n\n", "From: <a@x.org>\n\n");
}

/* Holds: P6858-03 */
static void
subject_encoded(void **state)
{
	(void)state;
	check("Subject: Gr\xc3\xbc\xc3\x9f"
	      "e aus K\xc3\xb6ln\n\n",
	    "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= aus =?utf-8?q?K=C3=B6ln?=\n\n");
	check("Subject: \xe4\xf6 \xfc\n\n", "Subject: =?unknown-8bit?q?=E4=F6_=FC?=\n\n");
	check("Subject: plain\n folded\n\nb\xc3\xb6"
	      "dy\n",
	    "Subject: plain\n folded\n\nb\xc3\xb6"
	    "dy\n");
}

/* Holds: P6858-03 M5322-01 */
static void
long_subject_in_short_words(void **state)
{
	char in[1024] = "Subject: ", out[8192];
	bool changed;

	(void)state;
	for (int i = 0; i < 200; i++)
		strcat(in, "\xe2\x82\xac");
	strcat(in, "\r\n\r\n");
	transform(in, strlen(in), 1024, 1, 4096, out, &changed);
	for (char *line = out, *end; *line != '\0'; line = end + 2) {
		end = strstr(line, "\r\n");
		assert_non_null(end);
		assert_true(end - line <= 76);
		/* a character of three octets is nine letters: none is cut */
		for (char *word = strstr(line, "=?utf-8?q?"); word != NULL && word < end;
		     word = NULL) {
			char *stop = strstr(word + 10, "?=");

			assert_non_null(stop);
			assert_true(stop + 2 - word <= 75);
			assert_int_equal((stop - word - 10) % 9, 0);
		}
	}
}

/* Holds: P6858-02 P6858-04 */
static void
parameters_and_other_fields_dropped(void **state)
{
	(void)state;
	check("Content-Type: text/plain; name=\"\xc3\xa9;x\"; charset=utf-8\nX-A: \xc3\xa9\n "
	      "b\nX-B: c\n\n",
	    "Content-Type: text/plain; charset=utf-8\nX-B: c\n\n");
	check("Content-Disposition: attachment; filename=\xc3\xa9.txt\n\n",
	    "Content-Disposition: attachment\n\n");
	check("no field \xc3\xa9\nA: b\n\n", "A: b\n\n");
}

/* Holds: P6856-17 */
static void
headers_of_parts(void **state)
{
	(void)state;
	check("Content-Type: multipart/mixed;\n "
	      "boundary=\"b=1\"\n\npre\xc3\xa9\n--b=1\nContent-Type: "
	      "message/rfc822\n\nSubject: \xc3\xa9\n\n\xc3\xa9\n--b=1\nX: \xc3\xa9\n\nY: "
	      "\xc3\xa9\n--b=1--\nZ: "
	      "\xc3\xa9\n",
	    "Content-Type: multipart/mixed;\n "
	    "boundary=\"b=1\"\n\npre\xc3\xa9\n--b=1\nContent-Type: "
	    "message/rfc822\n\nSubject: =?utf-8?q?=C3=A9?=\n\n\xc3\xa9\n--b=1\n\nY: "
	    "\xc3\xa9\n--b=1--\nZ: "
	    "\xc3\xa9\n");
	/* an encoded message is no header to us */
	check("Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nX: \xc3\xa9\n",
	    "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nX: \xc3\xa9\n");
}

static void
ascii_headers_pass_as_they_are(void **state)
{
	(void)state;
	check("A: b\r\rx", "A: b\r\rx");
	check("A: b\r\n c\r\n\r\n\xc3\xa9\r\n.\r\n", "A: b\r\n c\r\n\r\n\xc3\xa9\r\n.\r\n");
	check("\n\xc3\xa9", "\n\xc3\xa9");
	check("", "");
}

static void
no_octet_gets_through(void **state)
{
	static const char letters[] = "\"\"(())<<>>,;:\\ \t\n\n\xc3\xa9\xff=?a@.-";
	unsigned seed = 6858;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		char in[128] = "From: ", out[8192];
		size_t len = 6 + (size_t)rand_r(&seed) % 60, n;
		bool changed;

		if (round % 3 == 1)
			memcpy(in, "Subject: ", 9), len += 9;
		if (round % 3 == 2)
			memcpy(in, "Content-Type: a/b; c=", 21), len += 21;
		for (size_t i = strlen(in); i < len; i++)
			in[i] = letters[(size_t)rand_r(&seed) % (sizeof letters - 1)];
		in[len] = '\0';
		/* one header: an empty line would end it */
		for (char *p = in; (p = strstr(p, "\n\n")) != NULL;)
			p[1] = ' ';
		strcat(in, "\n");
		n = transform(in, strlen(in), 128, 1, 4096, out, &changed);
		for (size_t i = 0; i < n; i++)
			assert_true((uint8_t)out[i] < 0x80);
	}
}

static void
floods_stay_bounded(void **state)
{
	size_t len = 300000;
	char *in = malloc(len + 1), *out = malloc(len + 4096);
	bool changed;
	size_t n;

	(void)state;
	memset(in, 'a', len);
	memcpy(in, "X-A: ", 5);
	memcpy(in + len - 3, "\n\nb", 3);
	n = transform(in, len, 1000, 4096, 4096, out, &changed);
	assert_int_equal(n, len);
	assert_false(changed);
	in[len - 100] = (char)0xe9; /* late: that octet alone is left out */
	n = transform(in, len, 1000, 4096, 4096, out, &changed);
	assert_int_equal(n, len - 1);
	assert_true(changed);
	in[100] = (char)0xe9; /* early: all of the field goes */
	n = transform(in, len, 1000, 4096, 4096, out, &changed);
	assert_true(n < 10);
	free(in);
	free(out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_that_cannot_exist),
		cmocka_unit_test(subject_encoded),
		cmocka_unit_test(long_subject_in_short_words),
		cmocka_unit_test(parameters_and_other_fields_dropped),
		cmocka_unit_test(headers_of_parts),
		cmocka_unit_test(ascii_headers_pass_as_they_are),
		cmocka_unit_test(no_octet_gets_through),
		cmocka_unit_test(floods_stay_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
