/* Which lines of a message are header, and which are body, as a client may see it (P6856-17). */
#include "surrogate_check.h"

#define E_ACUTE "\xc3\xa9"
#define MULTIPART "Content-Type: multipart/mixed; boundary="
/* what stands for DROPPED in a header is nothing; in a body it stays */
#define DROPPED "X: " E_ACUTE "\n"

/* Holds: P6856-17 P6858-02 P6858-03 P6858-04 M5322-02 */
static void
headers_of_parts(void **state)
{
	(void)state;
	check("Content-Type: multipart/mixed;\n boundary=\"b=1\"\n\npre" E_ACUTE
	      "\n--b=1\nContent-Type: message/rfc822\n\nSubject: " E_ACUTE "\n\n" E_ACUTE
	      "\n--b=1\n" DROPPED "\nY: " E_ACUTE "\n--b=1--\nZ: " E_ACUTE "\n",
	    "Content-Type: multipart/mixed;\n boundary=\"b=1\"\n\npre" E_ACUTE
	    "\n--b=1\nContent-Type: message/rfc822\n\nSubject: =?utf-8?q?=C3=A9?=\n\n" E_ACUTE
	    "\n--b=1\n\nY: " E_ACUTE "\n--b=1--\nZ: " E_ACUTE "\n");
	/* ends of lines in any mixture */
	check(MULTIPART "b\r\r" DROPPED "--b\rX: " E_ACUTE "\r\nA: b\r\r\n" DROPPED
			"--b--\r" DROPPED,
	    MULTIPART "b\r\r" DROPPED "--b\rA: b\r\r\n" DROPPED "--b--\r" DROPPED);
	check(MULTIPART "b\r\n\r\n--b\r\nX: " E_ACUTE "\r\n\r\nX: " E_ACUTE "\r\n--b--\r\n",
	    MULTIPART "b\r\n\r\n--b\r\n\r\nX: " E_ACUTE "\r\n--b--\r\n");
	/* a header that a boundary ends, and one that the message ends */
	check(MULTIPART "b\n" DROPPED "--b\n" DROPPED "\n" DROPPED, MULTIPART "b\n--b\n\n" DROPPED);
	check(MULTIPART "b\n\n--b\nSubject: " E_ACUTE "\n--b\nA: b\n--b--\n",
	    MULTIPART "b\n\n--b\nSubject: =?utf-8?q?=C3=A9?=\n--b\nA: b\n--b--\n");
	/* behind the last part comes an epilogue, whatever is in it */
	check(MULTIPART "b\n\n--b--\n--b\n" DROPPED, MULTIPART "b\n\n--b--\n--b\n" DROPPED);
	check(MULTIPART "b\n\n--b\nA: b\n" DROPPED "--b\n" DROPPED "--b",
	    MULTIPART "b\n\n--b\nA: b\n--b\n--b");
	check(MULTIPART "b\n\n--b\n" DROPPED "--c\nD: e\n\n" DROPPED,
	    MULTIPART "b\n\n--b\n--c\nD: e\n\n" DROPPED);
}

/* Holds: P6856-17 */
static void
embedded_messages(void **state)
{
	static const char *const types[] = { "message/rfc822", "MESSAGE/Global; a=b",
		"message / external-body", "message/rfc822 x" };

	(void)state;
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		char in[256], want[256];

		(void)snprintf(in, sizeof in,
		    "Content-Type: %s\n\n" DROPPED "Content-Type: message/rfc822\n\n" DROPPED
		    "\n" DROPPED,
		    types[i]);
		(void)snprintf(want, sizeof want,
		    "Content-Type: %s\n\nContent-Type: message/rfc822\n\n\n" DROPPED, types[i]);
		check(in, want);
	}
	/* not every client cares for an encoding that may not be there: a header all the same */
	check("Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n" DROPPED,
	    "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n");
	/* in a digest, parts are messages if nothing else is said */
	check("Content-Type: multipart/digest; boundary=d\n\n--d\n\n" DROPPED "\n" DROPPED
	      "--d\nContent-Type: text/plain\n\n" DROPPED,
	    "Content-Type: multipart/digest; boundary=d\n\n--d\n\n\n" DROPPED
	    "--d\nContent-Type: text/plain\n\n" DROPPED);
	/* these are bodies, of whatever form */
	check("Content-Type: message/delivery-status\n\n" DROPPED,
	    "Content-Type: message/delivery-status\n\n" DROPPED);
	check("Content-Type: text/rfc822-headers\n\n" DROPPED,
	    "Content-Type: text/rfc822-headers\n\n" DROPPED);
	check("Content-Type: multipart/mixed\n\n--\n" DROPPED,
	    "Content-Type: multipart/mixed\n\n--\n" DROPPED);
}

/* Every way to write a boundary that some client reads.
 * Holds: P6856-17 */
static void
boundaries_found(void **state)
{
	static const struct {
		const char *parameter, *line;
	} cases[] = {
		{ "boundary=b", "--b" },
		{ "boundary=b", "--b \t" },
		{ "boundary=b", "--b goes on " E_ACUTE },
		{ "BOUNDARY = \"b c\"", "--b c" },
		{ "boundary=\"b \"", "--b" },
		{ "boundary=\"b\\\"\\c\"", "--b\"c" },
		{ "boundary=\"b\r\n c\"", "--b c" },
		{ "boundary=\"unclosed", "--unclosed" },
		{ "boundary=----=_Part_(1)_2", "------=_Part_(1)_2" },
		{ "boundary=b c", "--b" },
		{ "(boundary=x) boundary=b", "--b" },
		{ "name=\"a;boundary=x\"; boundary=b", "--b" },
		{ "boundary=b; boundary=c", "--b" },
		{ "name=(a; boundary=b", "--b" },
		{ "name=\"a; boundary=b", "--b" },
		{ "boundary*0=b; boundary*1=\"c\"", "--bc" },
		{ "boundary*=us-ascii'en'%62%2C%zz", "--b,%zz" },
		{ "boundary*0*=''b%20; boundary*1=c", "--b c" },
		{ "boundary*0*=''b; boundary*1*=%63'd", "--bc'd" },
		{ "boundary=--", "----" },
		{ "boundary=-", "---" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char in[512], want[512];

		(void)snprintf(in, sizeof in,
		    "Content-Type: multipart/mixed; %s\r\n\r\n%s\r\n" DROPPED "\n" DROPPED,
		    cases[i].parameter, cases[i].line);
		(void)snprintf(want, sizeof want,
		    "Content-Type: multipart/mixed; %s\r\n\r\n%s\r\n\n" DROPPED, cases[i].parameter,
		    cases[i].line);
		check(in, want);
	}
	/* one that cannot be shown still says where parts begin */
	check("Content-Type: multipart/mixed; boundary=" E_ACUTE "\n\n--" E_ACUTE "\n" DROPPED "\n",
	    "Content-Type: multipart/mixed\n\n--" E_ACUTE "\n\n");
	/* whichever of two fields a client believes */
	check("Content-Type: text/plain\n" MULTIPART "b\n\n--b\n" DROPPED "\n",
	    "Content-Type: text/plain\n" MULTIPART "b\n\n--b\n\n");
	check(MULTIPART "b\nContent-Type: text/plain\n\n--b\n" DROPPED "\n",
	    MULTIPART "b\nContent-Type: text/plain\n\n--b\n\n");
	check(MULTIPART "b\n" MULTIPART "\"b \"\n\n--b\n" DROPPED "\n",
	    MULTIPART "b\n" MULTIPART "\"b \"\n\n--b\n\n");
	check(MULTIPART "b\n" MULTIPART "c\n\n--c\n" DROPPED "\n",
	    MULTIPART "b\n" MULTIPART "c\n\n--c\nX: ?\?\n\n");
	check("Content-Type: message/rfc822\n" MULTIPART "c\n\n" DROPPED "\n",
	    "Content-Type: message/rfc822\n" MULTIPART "c\n\nX: ?\?\n\n");
	/* the one that is left when the other is dropped; the default when both are */
	check("Content-Type: multipart/" E_ACUTE "; boundary=b\n" MULTIPART "c\n\n--c\n" DROPPED
	      "\n",
	    MULTIPART "c\n\n--c\n\n");
	check(MULTIPART E_ACUTE "; boundary=c\n\n--c\n" DROPPED "\n",
	    "Content-Type: multipart/mixed; boundary=c\n\n--c\n\n");
	check("Content-Type: multipart/digest; boundary=b\n\n--b\nContent-Type: text/" E_ACUTE
	      "\n\n" DROPPED "\n",
	    "Content-Type: multipart/digest; boundary=b\n\n--b\n\n\n");
	check("Content-Type: message/rfc822\nContent-Type: text/plain\n\n" DROPPED "\n",
	    "Content-Type: message/rfc822\nContent-Type: text/plain\n\n\n");
}

/* Where some clients have long begun with the body, and others have not.
 * Holds: P6856-03 */
static void
malformed_headers(void **state)
{
	(void)state;
	check(
	    MULTIPART "b\n--b\n" DROPPED "A: b\n\n" DROPPED, MULTIPART "b\n--b\nA: b\n\n" DROPPED);
	check(MULTIPART "b\nno field\n" DROPPED "--b\n" DROPPED "\n" DROPPED,
	    MULTIPART "b\nno field\n--b\n\n" DROPPED);
	check(MULTIPART "b\nA : b\n\n--b\n" DROPPED "\n", MULTIPART "b\nA : b\n\n--b\n\n");
	check(MULTIPART "b\n--c\nA: b\n\n--b\n" DROPPED "\n", MULTIPART "b\n--c\nA: b\n\n--b\n\n");
	/* a line that goes on is a boundary to some */
	check(MULTIPART "b\n\n--b\nContent-Type: message/rfc822\n--b-- : c\n" DROPPED "\n" DROPPED
			"\n" DROPPED "--b--x\n" DROPPED "\n" DROPPED "--b\n" DROPPED,
	    MULTIPART "b\n\n--b\nContent-Type: message/rfc822\n--b-- : c\n\n\n" DROPPED
		      "--b--x\n\n" DROPPED "--b\n");
	check(MULTIPART "b\n\n--b\n" MULTIPART "c\n\n--bx\n" DROPPED "\n--c\n" DROPPED,
	    MULTIPART "b\n\n--b\n" MULTIPART "c\n\n--bx\n\n--c\n");
	check("Content-Type: multipart/digest; boundary=b\n\n--b\nContent-Type: a/b\n--b "
	      "\tx\n\n" DROPPED,
	    "Content-Type: multipart/digest; boundary=b\n\n--b\nContent-Type: a/b\n--b \tx\n\n");
	check(MULTIPART "b\n--b: " E_ACUTE "\n\n--b: " E_ACUTE "\n\n" E_ACUTE "\n",
	    MULTIPART "b\n--b: ?\?\n\n--b: " E_ACUTE "\n\n" E_ACUTE "\n");
	check(MULTIPART "b\n\n--b\n--b--\n" DROPPED "\n" DROPPED,
	    MULTIPART "b\n\n--b\n--b--\n\n" DROPPED);
	check(MULTIPART "b\n\n--b\n" DROPPED "--b--\n" DROPPED, MULTIPART "b\n\n--b\n--b--\n");
	check(MULTIPART "b\n" MULTIPART "c\n--x\n" MULTIPART "d\n\n--d\n\n" DROPPED,
	    MULTIPART "b\n" MULTIPART "c\n--x\n" MULTIPART "d\n\n--d\n\nX: ?\?\n");
	check(MULTIPART "b\n--b: x\n\n--b--\n--b\n" DROPPED,
	    MULTIPART "b\n--b: x\n\n--b--\n--b\n" DROPPED);
	check(MULTIPART "bc\n" MULTIPART "b\n\n--b\n" DROPPED,
	    MULTIPART "bc\n" MULTIPART "b\n\n--b\nX: ?\?\n");
	{
		char in[600], want[600];

		(void)snprintf(in, sizeof in,
		    MULTIPART "b\n\n--b\n" MULTIPART "c\n\n--b%300sx\n\n--c\n" DROPPED, "");
		(void)snprintf(want, sizeof want,
		    MULTIPART "b\n\n--b\n" MULTIPART "c\n\n--b%300sx\n\n--c\n", "");
		check(in, want); /* it goes on, but late */
	}
	check(MULTIPART "b\n\n--b\n\n--b--\n" DROPPED, MULTIPART "b\n\n--b\n\n--b--\n" DROPPED);
	check(
	    MULTIPART "b\n\n--b\nA:b\n--b--\n" DROPPED, MULTIPART "b\n\n--b\nA:b\n--b--\n" DROPPED);
	check(MULTIPART "b\n-\n" DROPPED "\n" DROPPED, MULTIPART "b\n-\n\n" DROPPED);
}

static void
boundaries_that_are_none(void **state)
{
	(void)state;
	check(MULTIPART "b\n\n --b\nX-b\n-b\n-\n--\n--B\n--ab\n" DROPPED,
	    MULTIPART "b\n\n --b\nX-b\n-b\n-\n--\n--B\n--ab\n" DROPPED);
	check(MULTIPART "bbb\n\n--bb\n" DROPPED "--bb", MULTIPART "bbb\n\n--bb\n" DROPPED "--bb");
	check("Content-Type: multipart/a; boundary*0*=''b; boundary*1*=%63'd\n\n--b\n" DROPPED,
	    "Content-Type: multipart/a; boundary*0*=''b; boundary*1*=%63'd\n\n--b\n" DROPPED);
	check("A: b\n\n--b\n" DROPPED, "A: b\n\n--b\n" DROPPED);
	check(MULTIPART "\"\"\n\n--\n" DROPPED, MULTIPART "\"\"\n\n--\n" DROPPED);
}

/* The longest that fits is meant: one boundary may begin with another.
 * Holds: P6856-17 */
static void
boundaries_in_each_other(void **state)
{
	(void)state;
	check(MULTIPART "b\n\n--b\n" MULTIPART "b2\n\n--b2\n" DROPPED "\n" DROPPED
			"--b2--\n" DROPPED "--b\n" DROPPED "\n" DROPPED "--b2\n" DROPPED
			"\n" DROPPED,
	    /* the last b2 is closed: all that is left to it is to begin with b */
	    MULTIPART "b\n\n--b\n" MULTIPART "b2\n\n--b2\n\n" DROPPED "--b2--\n" DROPPED
		      "--b\n\n" DROPPED "--b2\n\n" DROPPED);
	check(MULTIPART "b2\n\n--b2\n" MULTIPART "b\n\n--b\n" DROPPED "\n" DROPPED "--b2\n" DROPPED
			"\n--b\n" DROPPED,
	    MULTIPART "b2\n\n--b2\n" MULTIPART "b\n\n--b\n\n" DROPPED "--b2\n\n--b\n" DROPPED);
	/* the same twice: the inner one */
	check(MULTIPART "b\n\n--b\n" MULTIPART "b\n\n--b--\n" DROPPED "--b\n" DROPPED "\n",
	    MULTIPART "b\n\n--b\n" MULTIPART "b\n\n--b--\n" DROPPED "--b\n\n");
	/* an outer one ends all that is in it */
	check(MULTIPART "a\n\n--a\n" MULTIPART "b\n\n--b\n" MULTIPART "c\n\n--c\n" DROPPED
			"--a--\n--c\n" DROPPED "--b\n" DROPPED,
	    MULTIPART "a\n\n--a\n" MULTIPART "b\n\n--b\n" MULTIPART "c\n\n--c\n--a--\n--c\n" DROPPED
		      "--b\n" DROPPED);
}

/* Beyond the ceilings no octet >= 0x80 is shown: what is a header there is not known.
 * Holds: P6856-03 */
static void
ceilings(void **state)
{
	char *in = malloc(65536), *want = malloc(65536), *boundary = malloc(300);

	(void)state;
	assert_non_null(in);
	assert_non_null(want);
	assert_non_null(boundary);
	in[0] = want[0] = '\0';
	for (int depth = 0; depth < 34; depth++) {
		char part[128];

		(void)snprintf(part, sizeof part, MULTIPART "b%d.\n\n--b%d.\n", depth, depth);
		append(in, 65536, part);
		append(want, 65536, part);
	}
	/* the 33rd and 34th boundaries are unknown, the 32nd (b31) is known */
	append(in, 65536,
	    DROPPED "-" E_ACUTE "-b31.\n" E_ACUTE "\n--b31.\n" DROPPED "\n" DROPPED
		    "--b0.--\n" DROPPED);
	append(want, 65536, "X: ?\?\n-?\?-b31.\n?\?\n--b31.\n\n" DROPPED "--b0.--\n" DROPPED);
	{
		bool changed;
		size_t n;
		char *out = transform(in, strlen(in), 1, 3, 4096, &n, &changed);

		assert_string_equal(out, want);
		free(out);
		out = transform(in, strlen(in), 65536, 1, 4096, &n, &changed);
		assert_string_equal(out, want);
		free(out);
	}
	for (int len = 249; len <= 252; len++) {
		memset(boundary, 'x', (size_t)len);
		boundary[len] = '\0';
		(void)snprintf(in, 65536,
		    MULTIPART "%s\n\n" E_ACUTE "\n--%s\n" DROPPED "\n" E_ACUTE "\n", boundary,
		    boundary);
		if (len <= 250)
			(void)snprintf(want, 65536,
			    MULTIPART "%s\n\n" E_ACUTE "\n--%s\n\n" E_ACUTE "\n", boundary,
			    boundary);
		else
			(void)snprintf(want, 65536, MULTIPART "%s\n\n?\?\n--%s\nX: ?\?\n\n?\?\n",
			    boundary, boundary);
		check(in, want);
	}
	free(in);
	free(want);
	free(boundary);
}

/* A message made at random, together with what has to come of it. */
struct made {
	char in[16384], want[16384];
	unsigned seed;
};

static void
both(struct made *m, const char *text)
{
	append(m->in, sizeof m->in, text);
	append(m->want, sizeof m->want, text);
}

static int
pick(struct made *m, int below)
{
	return rand_r(&m->seed) % below;
}

static const char *
eol(struct made *m)
{
	static const char *const ends[] = { "\n", "\r\n", "\n" };

	return ends[pick(m, 3)];
}

static void
make_fields(struct made *m)
{
	for (int i = pick(m, 4); i > 0; i--) {
		const char *end = eol(m);

		switch (pick(m, 4)) {
		case 0:
			append(m->in, sizeof m->in, "X-" E_ACUTE ": folded");
			append(m->in, sizeof m->in, end);
			append(m->in, sizeof m->in, "\tb");
			append(m->in, sizeof m->in, end);
			break;
		case 1:
			append(m->in, sizeof m->in, "Subject: " E_ACUTE);
			append(m->want, sizeof m->want, "Subject: =?utf-8?q?=C3=A9?=");
			both(m, end);
			break;
		case 2:
			append(m->in, sizeof m->in, "To: a@b, <" E_ACUTE ">");
			append(m->want, sizeof m->want, "To: a@b, =?utf-8?q?=C3=A9?= " NOBODY);
			both(m, end);
			break;
		default:
			both(m, "A: b;");
			both(m, end);
			both(m, "  c");
			both(m, end);
		}
	}
}

static void
make_body(struct made *m)
{
	static const char *const lines[] = { "", "X: " E_ACUTE, "--", "-- " E_ACUTE, "-",
		"Content-Type: multipart/mixed; boundary=x", "--x", E_ACUTE, " --b1", "." };

	for (int i = pick(m, 5); i > 0; i--) {
		both(m, lines[pick(m, 10)]);
		both(m, eol(m));
	}
}

/* A header and its body; without an end of its own, a boundary or the end of all follows. */
static void
make_part(struct made *m, int depth, bool digest)
{
	char text[128];
	int kind = depth > 5 ? 0 : pick(m, 4);
	static unsigned names;

	make_fields(m);
	if (kind == 1) { /* embedded message */
		both(m, "Content-Type: message/rfc822");
		both(m, eol(m));
		make_fields(m);
		both(m, eol(m));
		make_part(m, depth + 1, false);
	} else if (kind >= 2) {
		bool inner_digest = pick(m, 4) == 0;
		unsigned name = names++ % 100;

		(void)snprintf(text, sizeof text,
		    "Content-Type: multipart/%s;\n boundary=\"=_%u=\"",
		    inner_digest ? "digest" : "mixed", name);
		both(m, text);
		both(m, eol(m));
		make_fields(m);
		both(m, eol(m));
		make_body(m);
		for (int i = pick(m, 3); i >= 0; i--) {
			(void)snprintf(text, sizeof text, "--=_%u=", name);
			both(m, text);
			both(m, eol(m));
			make_part(m, depth + 1, inner_digest);
		}
		if (pick(m, 4) > 0) {
			(void)snprintf(text, sizeof text, "--=_%u=--", name);
			both(m, text);
			both(m, eol(m));
			make_body(m);
		}
	} else if (digest) {
		both(m, eol(m));
		make_fields(m);
		both(m, eol(m));
		make_body(m);
	} else {
		both(m, eol(m));
		make_body(m);
	}
}

/* Holds: P6856-03 P6856-17 P6858-01 P6858-03 P6858-04 */
static void
random_messages(void **state)
{
	struct made *m = malloc(sizeof *m);

	(void)state;
	assert_non_null(m);
	m->seed = 6856;
	for (int round = 0; round < 600; round++) {
		size_t len, n;
		bool changed;
		char *out;

		m->in[0] = m->want[0] = '\0';
		make_part(m, 0, false);
		len = strlen(m->in);
		if (len < 300)
			out = transform_any_cut(m->in, len, &n, &changed);
		else
			out = transform(m->in, len, len / 3, 1 + len / 2 % 9, 100, &n, &changed);
		if (strcmp(out, m->want) != 0)
			print_error("in:\n%s\nwant:\n%s\n", m->in, m->want);
		assert_string_equal(out, m->want);
		assert_int_equal(changed, strcmp(m->in, m->want) != 0);
		free(out);
	}
	free(m);
}

/* Large and repetitive: each would take for ever if lines were looked at more than once. */
static void
no_input_is_expensive(void **state)
{
	static const char *const lines[] = { "--",
		"--bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\n", "\r", "--b", "-",
		"--b\nContent-Type: multipart/mixed; boundary=b\n\n",
		"--b\nContent-Type: message/rfc822\n\n", E_ACUTE };
	const size_t len = 1024 * 1024;
	char *in = malloc(len + 64), *out;

	(void)state;
	assert_non_null(in);
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		size_t n = 0, unit = strlen(lines[i]), got;
		bool changed;

		for (int level = 0; level < 30; level++)
			n += (size_t)snprintf(
			    in + n, len - n, MULTIPART "b%d\n\n--b%d\n", level, level);
		n += (size_t)snprintf(in + n, len - n, MULTIPART "b\n\n");
		while (n + unit < len) {
			memcpy(in + n, lines[i], unit);
			n += unit;
		}
		out = transform(in, n, 1000, 65536, 65536, &got, &changed);
		assert_int_equal(got, n);
		assert_memory_equal(out, in, n);
		free(out);
	}
	free(in);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_of_parts),
		cmocka_unit_test(embedded_messages),
		cmocka_unit_test(boundaries_found),
		cmocka_unit_test(malformed_headers),
		cmocka_unit_test(boundaries_that_are_none),
		cmocka_unit_test(boundaries_in_each_other),
		cmocka_unit_test(ceilings),
		cmocka_unit_test(random_messages),
		cmocka_unit_test(no_input_is_expensive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
