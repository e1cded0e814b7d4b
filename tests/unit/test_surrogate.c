/* Header fields as a client without UTF8 gets them (RFC 6858, section 2). */
#include "surrogate_check.h"

#define E_ACUTE "\xc3\xa9"
#define U_UMLAUT "\xc3\xbc"
#define EUROS "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"

/* The dummy address's wording is free, its domain is not.
 * Holds: P6856-03 P6856-04 P6856-18 P6858-01 */
static void
addresses_that_cannot_exist(void **state)
{
	(void)state;
	check("From: Jos" E_ACUTE " <jos" E_ACUTE "@example.org>\n\nx\n",
	    "From: =?utf-8?q?Jos=C3=A9?= " NOBODY "\n\nx\n");
	/* every field that RFC 6858 names, by whatever case */
	check("bcc: <" E_ACUTE "@x>\nCC: <" E_ACUTE "@x>\n\n",
	    "bcc: =?utf-8?q?=C3=A9=40x?= " NOBODY "\nCC: =?utf-8?q?=C3=A9=40x?= " NOBODY "\n\n");
	check("Reply-To: a\nResent-Bcc: " E_ACUTE "\nResent-Cc: " E_ACUTE "\nResent-From: " E_ACUTE
	      "\nResent-Sender: " E_ACUTE "\nResent-To: " E_ACUTE "\nSender: " E_ACUTE
	      "\nReply-To : " E_ACUTE "\n\n",
	    "Reply-To: a\nResent-Bcc: =?utf-8?q?=C3=A9?= " NOBODY
	    "\nResent-Cc: =?utf-8?q?=C3=A9?= " NOBODY "\nResent-From: =?utf-8?q?=C3=A9?= " NOBODY
	    "\nResent-Sender: =?utf-8?q?=C3=A9?= " NOBODY "\nResent-To: =?utf-8?q?=C3=A9?= " NOBODY
	    "\nSender: =?utf-8?q?=C3=A9?= " NOBODY "\nReply-To: =?utf-8?q?=C3=A9?= " NOBODY "\n\n");
	/* the name says what the address cannot, if there is no other */
	check("Cc: jos" E_ACUTE "@example.org\n\n",
	    "Cc: =?utf-8?q?jos=C3=A9=40example=2Eorg?=\n " NOBODY "\n\n");
	/* a name of ASCII can stay, an address in ASCII has to: it is somebody's */
	check("To: \"Fred, F.\" <fr" E_ACUTE "d@x.org>\n\n", "To: \"Fred, F.\" " NOBODY "\n\n");
	check("To: \"M" U_UMLAUT "ller, A.\" <m@example.org>, b@example.org\r\n\r\n",
	    "To: =?utf-8?q?M=C3=BCller=2C_A=2E?= <m@example.org>, b@example.org\r\n\r\n");
	check("To: \"a \\\"" U_UMLAUT "\\\" b\" <m@x>\n\n",
	    "To: =?utf-8?q?a_=22=C3=BC=22_b?= <m@x>\n\n");
	check("From: <@a,@b:" E_ACUTE "@x.org>\n\n",
	    "From: =?utf-8?q?=40a=2C=40b=3A=C3=A9=40x=2Eorg?=\n " NOBODY "\n\n");
	/* what is ASCII keeps its form, folded where it was */
	check("To: a@x,\n\t\"b  c\"\n <b@x>, " E_ACUTE " <c@x>\n\n",
	    "To: a@x, \"b  c\"\n <b@x>, =?utf-8?q?=C3=A9?= <c@x>\n\n");
}

/* Holds: P6858-01 */
static void
groups(void **state)
{
	(void)state;
	check("To: Fr" E_ACUTE "res: a@x.org, " E_ACUTE "@x.org;, b@x\n\n",
	    "To: =?utf-8?q?Fr=C3=A9res?=: a@x.org, =?utf-8?q?=C3=A9=40x=2Eorg?=\n " NOBODY
	    ";, b@x\n\n");
	check(
	    "To: undisclosed: ;, " E_ACUTE ":;\n\n", "To: undisclosed:;, =?utf-8?q?=C3=A9?=:;\n\n");
	/* a literal's colons begin none */
	check("To: a@[IPv6:::1], " E_ACUTE " <b@[1.2.3.4]>\n\n",
	    "To: a@[IPv6:::1], =?utf-8?q?=C3=A9?= <b@[1.2.3.4]>\n\n");
}

/* A path has no display-name (RFC 5322, 3.6.7).
 * Holds: P6858-01 */
static void
return_path_without_a_name(void **state)
{
	(void)state;
	check("Return-Path: <jos" E_ACUTE "@x.org>\n\n", "Return-Path: " NOBODY "\n\n");
	check("Return-Path: <a@x.org> (" E_ACUTE ")\n\n", "Return-Path: <a@x.org>\n\n");
}

/* A comment was where names stood before 1982, and where they still do. */
static void
comments(void **state)
{
	(void)state;
	check("From: a@x.org (Jos" E_ACUTE ")\n\n", "From: =?utf-8?q?Jos=C3=A9?= <a@x.org>\n\n");
	check("From: A B <a@x.org> (\\)" E_ACUTE " (in))\n\n", "From: A B <a@x.org>\n\n");
	check("From: (x)" E_ACUTE "(y)z <a(" E_ACUTE ")@x.org>\n\n",
	    "From: =?utf-8?q?=C3=A9_z?= <a@x.org>\n\n");
	check("From: (" E_ACUTE "(n\n ested))\n <a@x>\n\n",
	    "From: =?utf-8?q?=C3=A9=28n_ested=29?= <a@x>\n\n");
}

/* What no parser agrees on never gives an address that was not there.
 * Holds: P6856-03 P6858-01 */
static void
malformed_addresses(void **state)
{
	(void)state;
	check("From: foo bar (" E_ACUTE ")\n\n", "From: =?utf-8?q?foo_bar?= " NOBODY "\n\n");
	check("From: \"" E_ACUTE " <a@x>, b@x\n\n",
	    "From: =?utf-8?q?=22=C3=A9_=3Ca=40x=3E=2C_b=40x?=\n " NOBODY "\n\n");
	check("From: " E_ACUTE " <a@x, b@x\n\n",
	    "From: =?utf-8?q?=C3=A9_=3Ca=40x=2C_b=40x?=\n " NOBODY "\n\n");
	check("From: " E_ACUTE " <<a@x>>\n\n",
	    "From: =?utf-8?q?=C3=A9_=3C=3Ca=40x=3E=3E?=\n " NOBODY "\n\n");
	check("From: " E_ACUTE " <a@x> <b@x>\n\n",
	    "From: =?utf-8?q?=C3=A9_=3Ca=40x=3E_=3Cb=40x=3E?=\n " NOBODY "\n\n");
	check("From: " E_ACUTE " <a@[x>, b@x\n\n",
	    "From: =?utf-8?q?=C3=A9_=3Ca=40=5Bx=3E=2C_b=40x?=\n " NOBODY "\n\n");
	check("From: " E_ACUTE " <a@[(]>\n\n", "From: =?utf-8?q?=C3=A9?= " NOBODY "\n\n");
	check("From: ((" E_ACUTE ") <a@x>\n\n",
	    "From: =?utf-8?q?=28=28=C3=A9=29_=3Ca=40x=3E?=\n " NOBODY "\n\n");
	check("From: " E_ACUTE " <>\n\n", "From: =?utf-8?q?=C3=A9?= " NOBODY "\n\n");
	check("From: \"" E_ACUTE "\\\n\n", "From: =?utf-8?q?=22=C3=A9=5C?= " NOBODY "\n\n");
	check("From: \"\" <" E_ACUTE ">\n\n", "From: \"\" " NOBODY "\n\n");
	check("To: <a@x><, " E_ACUTE " <b@x>\n\n",
	    "To: =?utf-8?q?=3Ca=40x=3E=3C?= " NOBODY ",\n =?utf-8?q?=C3=A9?= <b@x>\n\n");
	check("To: a@x>, " E_ACUTE " <b@x>\n\n",
	    "To: =?utf-8?q?a=40x=3E?= " NOBODY ",\n =?utf-8?q?=C3=A9?= <b@x>\n\n");
	check("To: " E_ACUTE " <b@x>, a@[x\n\n",
	    "To: =?utf-8?q?=C3=A9?= <b@x>, =?utf-8?q?a=40=5Bx?=\n " NOBODY "\n\n");
	check("To: ,," E_ACUTE ",,\n\n", "To:,, =?utf-8?q?=C3=A9?= " NOBODY ",,\n\n");
	check("To: \xff\xfe <a@x>\n\n", "To: =?unknown-8bit?q?=FF=FE?= <a@x>\n\n");
}

/* Holds: P6858-03 */
static void
subject_encoded(void **state)
{
	(void)state;
	check("Subject: Gr" U_UMLAUT "\xc3\x9f"
	      "e aus K\xc3\xb6ln\n\n",
	    "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= aus =?utf-8?q?K=C3=B6ln?=\n\n");
	check("Subject:" E_ACUTE " \t" E_ACUTE "\r\n  b \r\n\r\n",
	    "Subject: =?utf-8?q?=C3=A9_=09=C3=A9?=  b\r\n\r\n");
	/* not UTF-8, or not quite: a lone octet, overlong, a surrogate, above U+10FFFF */
	check("Subject: \xe4\xf6 \xfc\n\n", "Subject: =?unknown-8bit?q?=E4=F6_=FC?=\n\n");
	check("Subject: \xc0\xaf\n\n", "Subject: =?unknown-8bit?q?=C0=AF?=\n\n");
	check("Subject: \xed\xa0\x80\n\n", "Subject: =?unknown-8bit?q?=ED=A0=80?=\n\n");
	check("Subject: \xf4\x90\x80\x80\n\n", "Subject: =?unknown-8bit?q?=F4=90=80=80?=\n\n");
	/* what is far from ASCII is shorter in base64 */
	check("Subject: \xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe6\x97\xa5\n\n",
	    "Subject: =?utf-8?b?5pel5pys6Kqe5pel?=\n\n");
	/* the space next to an encoded-word that was there before is not lost */
	check("Subject: =?utf-8?q?a?= " E_ACUTE "  =?utf-8?q?b?= c\n\n",
	    "Subject: =?utf-8?q?a?= =?utf-8?q?_=C3=A9__?=  =?utf-8?q?b?= c\n\n");
	check("Subject: plain\n folded\n\nb\xc3\xb6"
	      "dy\n",
	    "Subject: plain\n folded\n\nb\xc3\xb6"
	    "dy\n");
}

/* Holds: P6858-02 P6858-04 */
static void
parameters_and_other_fields_dropped(void **state)
{
	(void)state;
	check("Content-Type: text/plain; name=\"" E_ACUTE ";x\"; charset=utf-8\nX-A: " E_ACUTE "\n "
	      "b\nX-B: c\n\n",
	    "Content-Type: text/plain; charset=utf-8\nX-B: c\n\n");
	check("Content-Disposition: attachment; filename=" E_ACUTE ".txt\n\n",
	    "Content-Disposition: attachment\n\n");
	check("Content-Type: text/plain (" E_ACUTE "); a=\"b\\\";c\"; (d;e) f=g;;\n\n",
	    "Content-Type: text/plain; a=\"b\\\";c\"; (d;e) f=g\n\n");
	/* of a value in pieces, none is left without the others */
	check("Content-Disposition: inline; f*0=a; g*0=b; F*1=\"" E_ACUTE "\"; f=c; f*2*=d\n\n",
	    "Content-Disposition: inline; g*0=b; f=c\n\n");
	/* nor if there are more of them than are remembered */
	check("Content-Type: a/b; c*1=" E_ACUTE "; d*1=" E_ACUTE "; e*1=" E_ACUTE "; f*1=" E_ACUTE
	      "; g*1=" E_ACUTE "; g*0=h; i=j\n\n",
	    "Content-Type: a/b; i=j\n\n");
	check("Content-Type: text/plain; a=\"" E_ACUTE "; b=c\n\n", "Content-Type: text/plain\n\n");
	check("Content-Type: t" E_ACUTE "xt/plain; a=b\nY: z\n\n", "Y: z\n\n");
	check("no field " E_ACUTE "\nA: b\nn" E_ACUTE ": x\n: " E_ACUTE "\na b: " E_ACUTE "\n\n",
	    "A: b\n\n");
	check("Delivered-To: " E_ACUTE "@x\nReceived: from x\n by y (" E_ACUTE ")\n\n", "\n");
	check(" " E_ACUTE "\n" E_ACUTE "\n\n" E_ACUTE, "\n" E_ACUTE);
}

/* How a field ends is how its surrogate ends, and a dropped one does not run into the next. */
static void
line_ends(void **state)
{
	(void)state;
	check("Subject: " E_ACUTE "\rA: b\r\rx", "Subject: =?utf-8?q?=C3=A9?=\rA: b\r\rx");
	check("Subject: " E_ACUTE, "Subject: =?utf-8?q?=C3=A9?=");
	check("A: b\r\nX: " E_ACUTE, "A: b\r\n");
	/* CR, a field that goes, LF: that was two line ends, and is no CRLF now */
	check("A: b\rX: " E_ACUTE "\n\nbody", "A: b\r\n\nbody");
	check("A: b\rX: " E_ACUTE "\r\r\nbody", "A: b\r\r\nbody");
	check("A: b\rX: " E_ACUTE "\rX: " E_ACUTE "\r\n\nbody", "A: b\r\n\nbody");
	check("A: b\r\nX: " E_ACUTE "\n\nbody", "A: b\r\n\nbody");
	check_octets("S: \0\n\n\0\xc3", 8, "S: \0\n\n\0\xc3", 8);
	check_octets("Subject: \0 \xc3\n", 13, "Subject: \0 =?unknown-8bit?q?=C3?=\n", 34);
}

static int
hex_digit(char c)
{
	return c <= '9' ? c - '0' : c - 'A' + 10;
}

/* Undoes encoded-words as a client would (RFC 2047, 6.2); lines are unfolded first. */
static size_t
decode(const char *in, char *out)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t n = 0, spaces = 0;
	bool after_word = false;

	while (*in != '\0') {
		if (*in == '\n' || *in == '\r') {
			in++;
			continue;
		}
		if (*in == ' ' || *in == '\t') {
			out[n++] = *in++;
			spaces++;
			continue;
		}
		if (strncmp(in, "=?", 2) != 0) {
			out[n++] = *in++;
			spaces = 0;
			after_word = false;
			continue;
		}
		if (after_word)
			n -= spaces;
		spaces = 0;
		after_word = true;
		in = strchr(in + 2, '?') + 3;
		if (in[-2] == 'q') {
			for (; *in != '?'; in++) {
				if (*in == '=') {
					out[n++] = (char)(hex_digit(in[1]) * 16 + hex_digit(in[2]));
					in += 2;
				} else {
					out[n++] = *in;
					if (*in == '_')
						out[n - 1] = ' ';
				}
			}
		} else {
			for (; *in != '?'; in += 4) {
				uint32_t v = 0;
				int octets = 3;

				for (int i = 0; i < 4; i++) {
					v <<= 6;
					if (in[i] == '=')
						octets = i < 3 ? 1 : octets == 3 ? 2 : octets;
					else
						v |= (uint32_t)(strchr(digits, in[i]) - digits);
				}
				for (int i = 0; i < octets; i++)
					out[n++] = (char)(v >> (16 - 8 * i));
			}
		}
		in += 2;
	}
	out[n] = '\0';
	return n;
}

/* A reader sees the words that were written, however they were encoded and folded.
 * Holds: P6858-03 M5322-01 */
static void
subjects_read_the_same(void **state)
{
	static const char *const words[] = { "a", "Subject", E_ACUTE, "K\xc3\xb6ln",
		"\xe6\x97\xa5\xe6\x9c\xac", "\xf0\x9f\x93\xa8", "(x)", "=?utf-8?q?z?=",
		"averyveryveryveryveryveryveryveryveryveryveryveryverylongwordindeedaveryverylong1",
		(EUROS EUROS EUROS) };
	unsigned seed = 2047;

	(void)state;
	for (int round = 0; round < 3000; round++) {
		char in[4096] = "Subject:", shown[4096] = "", seen[8192];
		int count = 1 + rand_r(&seed) % 24;
		bool changed, was_encoded = false;
		size_t n;
		char *out;

		for (int i = 0; i < count; i++) {
			size_t k = (size_t)rand_r(&seed) % (sizeof words / sizeof *words);
			bool encoded = strncmp(words[k], "=?", 2) == 0;

			/* between two words that were encoded before, no space is seen */
			if (!(encoded && was_encoded))
				append(shown, sizeof shown, " ");
			append(in, sizeof in, rand_r(&seed) % 8 == 0 ? "\r\n " : " ");
			append(in, sizeof in, words[k]);
			append(shown, sizeof shown, encoded ? "z" : words[k]);
			was_encoded = encoded;
		}
		append(in, sizeof in, "\r\n\r\n");
		out = transform(in, strlen(in), 9, 4096, 4096, &n, &changed);
		if (changed)
			check_header_lines(out, n);
		assert_true(decode(out + 8, seen) < sizeof seen);
		assert_string_equal(seen, shown);
		free(out);
	}
}

/* Holds: P6858-03 M5322-01 */
static void
no_character_is_cut(void **state)
{
	(void)state;
	for (int shift = 0; shift < 12; shift++) {
		char in[2048] = "Subject: ", out_word[256];
		bool changed;
		size_t n;
		char *out;

		append(in, sizeof in, &"abcdefghijkl"[12 - shift]);
		for (int i = 0; i < 60; i++)
			append(in, sizeof in, shift % 2 ? "\xf0\x9f\x93\xa8" : "ab\xe2\x82\xac");
		append(in, sizeof in, "\n\n");
		out = transform(in, strlen(in), 2048, 1, 4096, &n, &changed);
		check_header_lines(out, n);
		for (char *word = strstr(out, "=?"); word != NULL; word = strstr(word + 2, " =?")) {
			char *end;

			word += *word == ' ';
			end = strstr(word + 10, "?=");
			assert_non_null(end);
			*end = '\0';
			assert_true(strlen(word) + 3 < sizeof out_word);
			memcpy(out_word, word, strlen(word) + 1);
			append(out_word, sizeof out_word, "?=");
			*end = '?';
			n = decode(out_word, out_word + 128);
			/* each word is whole characters: it begins with none's middle */
			assert_true(n > 0 && ((uint8_t)out_word[128] & 0xc0) != 0x80);
			/* and ends with the last octet of one */
			assert_true((uint8_t)out_word[128 + n - 1] == 0xa8 ||
				    (uint8_t)out_word[128 + n - 1] == 0xac ||
				    (uint8_t)out_word[128 + n - 1] < 0x80);
		}
		free(out);
	}
}

static void
ascii_headers_pass_as_they_are(void **state)
{
	(void)state;
	check("A: b\r\rx", "A: b\r\rx");
	check("A: b\r\n c\r\n\r\n" E_ACUTE "\r\n.\r\n", "A: b\r\n c\r\n\r\n" E_ACUTE "\r\n.\r\n");
	check("From: \"unbalanced (<,;:\n\t\n \n\nx", "From: \"unbalanced (<,;:\n\t\n \n\nx");
	check(" a\n\tb\nC: d\n e\n\n", " a\n\tb\nC: d\n e\n\n");
	check("\n" E_ACUTE, "\n" E_ACUTE);
	check("", "");
}

/* However long the words, the white space and what stands behind them.
 * Holds: M5322-01 */
static void
lines_of_any_length(void **state)
{
	(void)state;
	for (int pad = 0; pad < 160; pad++) {
		static const struct {
			const char *before, *pad, *after;
		} forms[] = { { "To: g: ", "x", E_ACUTE " <a@x>;,b@x\n\n" },
			{ "Subject: a", " ", E_ACUTE "\n\n" },
			{ "Subject: " E_ACUTE, " ", "b\n\n" },
			{ "To: \"", "x", "\" <" E_ACUTE ">;;;,,,\n\n" } };

		for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
			char in[512] = "", *out;
			bool changed;
			size_t n;

			append(in, sizeof in, forms[i].before);
			for (int k = 0; k < pad; k++)
				append(in, sizeof in, forms[i].pad);
			append(in, sizeof in, forms[i].after);
			out = transform(in, strlen(in), 512, 1, 512, &n, &changed);
			check_header_lines(out, n);
			free(out);
		}
	}
}

/* Every address in angle brackets (of no quoted-string or comment) was there before, but for
 * white space, or is nobody's. */
static void
check_addresses(const char *in, const char *out)
{
	char had[512], address[512];
	bool quoted = false;
	int comments = 0;
	size_t n = 0;

	for (const char *p = in; *p != '\0'; p++)
		if (strchr(" \t\r\n", *p) == NULL)
			had[n++] = *p;
	had[n] = '\0';
	for (const char *p = out; *p != '\0'; p++) {
		if (*p == '\\' && (quoted || comments > 0) && p[1] != '\0')
			p++;
		else if (*p == '"' && comments == 0)
			quoted = !quoted;
		else if (!quoted && *p == '(')
			comments++;
		else if (!quoted && *p == ')' && comments > 0)
			comments--;
		else if (!quoted && comments == 0 && *p == '<' &&
			 strncmp(p, NOBODY, sizeof NOBODY - 1) != 0) {
			n = 0;
			for (const char *q = p + 1; *q != '\0' && *q != '>'; q++)
				if (strchr(" \t\r\n", *q) == NULL && n + 1 < sizeof address)
					address[n++] = *q;
			address[n] = '\0';
			if (strstr(had, address) == NULL && strchr(in, '(') == NULL)
				fail_msg("%s -> %s: <%s>", in, out, address);
		}
	}
}

/* Holds: P6856-03 */
static void
hostile_fields(void **state)
{
	static const char letters[] = "\"\"(())<<>>,;:\\ \t\n\r\xc3\xa9\xff=?*a@.-[]'%01";
	static const char *const names[] = { "From: ", "Subject: ", "Content-Type: multipart/a; b=",
		"Return-Path: ", "To: x, ", "Content-Disposition: a; b*0=" };
	unsigned seed = 6858;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		char in[160], *out;
		size_t len, n, want = (size_t)rand_r(&seed) % 90;
		bool changed;

		in[0] = '\0';
		append(in, sizeof in, names[round % 6]);
		len = strlen(in);
		for (size_t i = 0; i < want; i++) {
			in[len++] = letters[(size_t)rand_r(&seed) % (sizeof letters - 1)];
			if (in[len - 1] == '\n' || in[len - 1] == '\r')
				in[len++] = ' '; /* one field, however folded */
		}
		in[len++] = '\n';
		in[len] = '\0';
		if (round % 16 == 0)
			out = transform_any_cut(in, len, &n, &changed);
		else
			out = transform(in, len, 160, 1, 4096, &n, &changed);
		for (size_t i = 0; i < n; i++)
			assert_true((uint8_t)out[i] < 0x80);
		if (round % 6 == 0 && changed)
			check_addresses(in, out);
		free(out);
	}
}

/* Holds: P6856-03 */
static void
floods_stay_bounded(void **state)
{
	size_t len = 300000, n;
	char *in = malloc(len + 1), *out;
	bool changed;

	(void)state;
	assert_non_null(in);
	memset(in, 'a', len);
	memcpy(in, "X-A: ", 5);
	for (size_t i = 1000; i < len; i += 1000)
		memcpy(in + i, "\n ", 2);
	memcpy(in + len - 3, "\n\nb", 3);
	in[len] = '\0';
	out = transform(in, len, 1000, 4096, 4096, &n, &changed);
	assert_int_equal(n, len);
	assert_memory_equal(in, out, n);
	assert_false(changed);
	free(out);
	in[len - 100] = (char)0xe9; /* late: that octet alone is not shown */
	out = transform(in, len, 1000, 4096, 4096, &n, &changed);
	assert_int_equal(n, len);
	assert_true(changed);
	assert_int_equal(out[len - 100], '?');
	in[len - 100] = '?';
	assert_memory_equal(in, out, n);
	free(out);
	in[100] = (char)0xe9; /* early: all of the field goes, with each of its lines */
	out = transform(in, len, 1000, 4096, 4096, &n, &changed);
	assert_int_equal(n, 2);
	assert_string_equal(out, "\nb");
	free(out);
	/* the last size that is looked at, and one more, cut where it matters */
	for (size_t size = 65536; size <= 65538; size++) {
		size_t ends[] = { size - 2, size - 1, 1, size };

		memset(in, 'a', size);
		memcpy(in, "X-A: ", 5);
		in[size - 1] = '\n';
		in[size - 2] = (char)0xe9;
		for (int i = 0; i < 4; i++) {
			out = transform(in, size, ends[i], 1, 4096, &n, &changed);
			assert_int_equal(n, size <= 65537 ? 0 : size);
			free(out);
		}
	}
	free(in);
}

/* Fields that grow when they are encoded do so by a known factor only. */
static void
output_in_proportion(void **state)
{
	static const struct {
		const char *name, *unit;
	} cases[] = { { "To: ", "\xe9," }, { "To: ", E_ACUTE ";" }, { "To: ", "(" E_ACUTE ")" },
		{ "To: ", ",," }, { "Subject: ", "\xe9 a " }, { "Subject: ", "\xe9\x09" },
		{ "To: ", "((((" }, { "To: ", "<" }, { "To: ", "\xe9:" },
		{ "Content-Type: a/b", ";c*1=\xe9;" },
		{ "Content-Type: multipart/b", ";boundary=\"\"" },
		{ "Content-Type: multipart/b", " boundary boundary=" } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		size_t len = strlen(cases[i].name), unit = strlen(cases[i].unit), n;
		char *in = malloc(65536), *out;
		bool changed;

		assert_non_null(in);
		memcpy(in, cases[i].name, len);
		while (len + unit + 4 < 65536) {
			memcpy(in + len, cases[i].unit, unit);
			len += unit;
		}
		memcpy(in + len, "\xe9\n\n", 3);
		out = transform(in, len + 3, 65536, 1, 65536, &n, &changed);
		assert_true(n < 32 * (len + 3));
		check_header_lines(out, n);
		free(out);
		free(in);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_that_cannot_exist),
		cmocka_unit_test(groups),
		cmocka_unit_test(return_path_without_a_name),
		cmocka_unit_test(comments),
		cmocka_unit_test(malformed_addresses),
		cmocka_unit_test(subject_encoded),
		cmocka_unit_test(parameters_and_other_fields_dropped),
		cmocka_unit_test(line_ends),
		cmocka_unit_test(subjects_read_the_same),
		cmocka_unit_test(no_character_is_cut),
		cmocka_unit_test(ascii_headers_pass_as_they_are),
		cmocka_unit_test(lines_of_any_length),
		cmocka_unit_test(hostile_fields),
		cmocka_unit_test(floods_stay_bounded),
		cmocka_unit_test(output_in_proportion),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
