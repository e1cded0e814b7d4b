/* Messages between stored form and wire, against a naive reference, at every cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pop3/content.h>

static const char *const samples[] = {
	"",
	"\n",
	"\r\n",
	"\r",
	".",
	"..",
	".\n",
	".\r\n",
	"\n.\n",
	"\r.\r",
	"a",
	"a\n",
	"a\r\nb\rc\nd",
	"From: a@example.org\nSubject: dots\n\nfirst\n.hidden\n.\n..two\nlast\n",
	"Subject: x\r\n\r\n",
	"no separator\nat all",
	"H: 1\n\nbody without end",
	"\r\r\n\n\r",
	"A: b\r\n\r\none\r\ntwo\r\n.three\r\n",
	"h\r\rbody\r.\r",
	"x\n\n\n\n",
};
#define SAMPLES (sizeof samples / sizeof *samples)

/* The reference: octet by octet into out; TOP when lines >= 0. */
static size_t
reference(const uint8_t *in, size_t len, int64_t lines, char *out, uint64_t *ret_octets)
{
	size_t n = 0, stuffed = 0;
	bool bol = true, header = true, done = lines == -2, empty = true;

	for (size_t i = 0; i < len && !done; i++) {
		if (in[i] == '\r' || in[i] == '\n') {
			out[n++] = '\r';
			out[n++] = '\n';
			if (in[i] == '\r' && i + 1 < len && in[i + 1] == '\n')
				i++;
			if (lines >= 0 && !header && --lines == 0)
				done = true;
			if (lines >= 0 && header && empty) {
				header = false;
				done = lines == 0;
			}
			bol = empty = true;
			continue;
		}
		if (bol && in[i] == '.') {
			out[n++] = '.';
			stuffed++;
		}
		out[n++] = (char)in[i];
		bol = empty = false;
	}
	if (!bol) {
		out[n++] = '\r';
		out[n++] = '\n';
	}
	*ret_octets = n - stuffed;
	if (lines >= 0 && header) {
		out[n++] = '\r';
		out[n++] = '\n';
	}
	memcpy(out + n, ".\r\n", 3);
	return n + 3;
}

/* Encodes in pieces: cut at every multiple of step after first, with room of so much at a time. */
static size_t
encode(
    const uint8_t *in, size_t len, int64_t lines, size_t first, size_t step, size_t room, char *out)
{
	struct pop3_stuff st;
	size_t n = 0, at = 0, piece = first;
	bool more = true;

	if (lines >= 0)
		pop3_stuff_init_top(&st, (uint64_t)lines);
	else
		pop3_stuff_init(&st);
	while (at < len && more) {
		size_t have = piece < len - at ? piece : len - at;
		uint8_t *exact = malloc(have + 1), *small = malloc(room);

		memcpy(exact, in + at, have);
		for (size_t used = 0; used < have && more;) {
			struct pop3_out o = { small, 0, room };
			size_t took;

			more = pop3_stuff(&st, exact + used, have - used, &took, &o);
			assert_true(took > 0 || o.len > 0 || !more);
			memcpy(out + n, small, o.len);
			n += o.len;
			used += took;
		}
		free(exact);
		free(small);
		at += have;
		piece = step;
	}
	{
		uint8_t tail[16];
		struct pop3_out o = { tail, 0, sizeof tail };

		pop3_stuff_end(&st, &o);
		memcpy(out + n, tail, o.len);
		n += o.len;
	}
	return n;
}

static void
check(const uint8_t *in, size_t len, int64_t lines)
{
	char *want = malloc(3 * len + 64), *got = malloc(3 * len + 64);
	uint64_t octets;
	size_t n = reference(in, len, lines, want, &octets);

	for (size_t first = 1; first <= len + 1; first++) {
		size_t m = encode(in, len, lines, first, len + 1, 4 + first % 9, got);

		assert_int_equal(m, n);
		assert_memory_equal(got, want, n);
	}
	assert_int_equal(encode(in, len, lines, 1, 1, 4, got), n);
	assert_memory_equal(got, want, n);
	assert_int_equal(encode(in, len, lines, len + 1, 1, 3 * len + 64, got), n);
	assert_memory_equal(got, want, n);
	if (lines < 0) {
		for (size_t cut = 0; cut <= len; cut++) {
			struct pop3_measure m;

			pop3_measure_init(&m);
			pop3_measure(&m, in, cut);
			pop3_measure(&m, in + cut, len - cut);
			pop3_measure_end(&m);
			assert_int_equal(m.octets, octets);
		}
	}
	free(want);
	free(got);
}

/* Holds: P1939-08 P1939-09 P1939-11 P1939-65 P1939-66 P1939-67 P1939-68 P1939-70 Q-C24 */
static void
whole_messages_at_every_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < SAMPLES; i++)
		check((const uint8_t *)samples[i], strlen(samples[i]), -1);
	check((const uint8_t *)"a\0b\n\0.\n", 7, -1);
}

/* Holds: P1939-74 P1939-75 P1939-77 P1939-78 P1939-79 */
static void
top_at_every_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < SAMPLES; i++)
		for (int64_t lines = 0; lines < 6; lines++)
			check((const uint8_t *)samples[i], strlen(samples[i]), lines);
	for (size_t i = 0; i < SAMPLES; i++)
		check((const uint8_t *)samples[i], strlen(samples[i]), INT64_MAX);
}

/* Holds: P1939-68 */
static void
random_messages(void **state)
{
	static const char letters[] = "\r\n.a\n.\r\nbc\x80";
	unsigned seed = 20061;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		uint8_t in[40];
		size_t len = (size_t)rand_r(&seed) % sizeof in;

		for (size_t i = 0; i < len; i++)
			in[i] = (uint8_t)letters[(size_t)rand_r(&seed) % (sizeof letters - 1)];
		check(in, len, -1);
		check(in, len, rand_r(&seed) % 4);
	}
}

static struct pop3_measure
measured(const char *in, size_t cut)
{
	struct pop3_measure m;
	size_t len = strlen(in);

	if (cut > len)
		cut = len;
	pop3_measure_init(&m);
	pop3_measure(&m, (const uint8_t *)in, cut);
	pop3_measure(&m, (const uint8_t *)in + cut, len - cut);
	pop3_measure_end(&m);
	return m;
}

/* The reference for measuring: octet by octet, one rule at a time. */
static struct pop3_measure
measured_naively(const uint8_t *in, size_t len)
{
	struct pop3_measure m = { .wire = true };
	bool header = true;
	size_t line = 0; /* octets of the line so far */

	for (size_t i = 0; i < len; i++) {
		size_t end = 0;

		if (in[i] >= 0x80)
			m.eight_bit = true;
		if (in[i] == '\n')
			end = 1;
		else if (in[i] == '\r')
			end = i + 1 < len && in[i + 1] == '\n' ? 2 : 1;
		if (end != 2 && end != 0)
			m.wire = false;
		if (line == 0 && in[i] == '.')
			m.wire = false;
		m.octets += end == 0 ? 1 : 2;
		m.header += header ? (end == 0 ? 1 : end) : 0;
		if (end != 0 && line == 0)
			header = false;
		line = end == 0 ? line + 1 : 0;
		i += end == 2;
	}
	if (line > 0) {
		m.octets += 2;
		m.wire = false;
	}
	return m;
}

static void
assert_same_measure(const struct pop3_measure *got, const struct pop3_measure *want)
{
	assert_int_equal(got->octets, want->octets);
	assert_int_equal(got->header, want->header);
	assert_int_equal(got->wire, want->wire);
	assert_int_equal(got->eight_bit, want->eight_bit);
}

/* Long enough for every stride of the counting, with one of each flaw now and then.
 * Holds: P1939-65 P1939-67 P1939-68 P1939-70 */
static void
measuring_by_block(void **state)
{
	unsigned seed = 1939;

	(void)state;
	for (int round = 0; round < 400; round++) {
		uint8_t in[1200], out[2500];
		size_t len = (size_t)rand_r(&seed) % sizeof in, n = 0;
		int flaw = rand_r(&seed) % 6, width = 1 + rand_r(&seed) % 90;
		struct pop3_measure want;
		struct pop3_stuff st;
		struct pop3_out o = { out, 0, sizeof out };
		size_t used;

		while (n < len) { /* wire form, in which one octet is then spoilt, or none */
			bool end = rand_r(&seed) % width == 0 && n + 2 <= len;

			if (end)
				in[n++] = '\r';
			in[n++] = end ? '\n' : 'x';
		}
		if (len > 0 && flaw < 5) {
			size_t where = (size_t)rand_r(&seed) % len;

			while (flaw == 2 && where > 0 && in[where - 1] != '\n')
				where--; /* a dot is one at the beginning of a line only */
			in[where] = (uint8_t) "\r\n.\x80"[flaw];
		}
		want = measured_naively(in, len);
		for (size_t cut = 0; cut <= len; cut += 1 + cut % 7) {
			struct pop3_measure m;

			pop3_measure_init(&m);
			pop3_measure(&m, in, cut);
			pop3_measure(&m, in + cut, len - cut);
			pop3_measure_end(&m);
			assert_same_measure(&m, &want);
		}
		pop3_stuff_init(&st);
		assert_true(pop3_stuff(&st, in, len, &used, &o));
		assert_int_equal(used, len);
		pop3_stuff_end(&st, &o);
		if (want.wire) { /* can be sent as it is: that is what this is for */
			assert_int_equal(o.len, len + 3);
			assert_memory_equal(out, in, len);
		}
	}
}

static void
what_a_message_measures(void **state)
{
	static const struct {
		const char *in;
		bool wire, eight_bit;
		uint64_t header;
	} cases[] = {
		{ "A: b\r\n\r\nx\r\n", true, false, 8 },
		{ "A: b\n\nx\n", false, false, 6 },
		{ "A: b\r\n\r\n.x\r\n", false, false, 8 },
		{ "A: b\r\n\r\nx", false, false, 8 },
		{ "A: b\r\n\r\nx\r", false, false, 8 },
		{ "A: b\r\n\r\nx\ry\r\n", false, false, 8 },
		{ "A: \xc3\xa4\r\n\r\n", true, true, 9 },
		{ "A: b\r\rx", false, false, 6 },
		{ "A: b", false, false, 4 },
		{ "", true, false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		for (size_t cut = 0; cut <= strlen(cases[i].in); cut++) {
			struct pop3_measure m = measured(cases[i].in, cut);

			assert_int_equal(m.wire, cases[i].wire);
			assert_int_equal(m.eight_bit, cases[i].eight_bit);
			assert_int_equal(m.header, cases[i].header);
		}
	}
}

struct undot_case {
	const char *in, *out;
	size_t used;
};
static const struct undot_case undot_cases[] = {
	{ ".\r\n+OK", "", 3 },
	{ "..a\r\n.\r\n", ".a\r\n", 8 },
	{ ".\rx\r\n.\r\n", "\rx\r\n", 8 }, /* not the end after all */
	{ "a\n.\r\n.\r\n", "a\n.\r\n", 8 }, /* a bare LF begins no line */
	{ "a\r\r\n.\r\nb", "a\r\r\n", 7 },
	{ ".a\r\n.\n\r\n.\r\n", "a\r\n\n\r\n", 11 },
	{ "no end", "no end", 6 },
};

static void
check_undot(const struct undot_case *c, size_t cut, size_t step)
{
	enum pop3_undot st = POP3_UNDOT_BOL;
	uint8_t out[64], *exact;
	size_t len = strlen(c->in), used = 0, n = 0;

	while (used < len && st != POP3_UNDOT_END) {
		size_t have = used < cut ? cut - used : step, got, took;

		if (have > len - used)
			have = len - used;
		exact = malloc(have + 1);
		assert_non_null(exact);
		took = pop3_undot(&st, (const uint8_t *)c->in + used, have, exact, &got);
		memcpy(out + n, exact, got);
		free(exact);
		n += got;
		used += took;
		assert_true(took == have || st == POP3_UNDOT_END);
	}
	assert_int_equal(used, c->used);
	assert_int_equal(n, strlen(c->out));
	assert_memory_equal(out, c->out, n);
}

/* Holds: P1939-10 P1939-11 M5321-02 */
static void
undot_any_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof undot_cases / sizeof *undot_cases; i++) {
		for (size_t cut = 0; cut <= strlen(undot_cases[i].in); cut++)
			check_undot(&undot_cases[i], cut, 64);
		check_undot(&undot_cases[i], 0, 1);
	}
}

/* What is stuffed comes back undotted, with CRLF for every line end. */
static void
undot_undoes_stuffing(void **state)
{
	(void)state;
	for (size_t i = 0; i < SAMPLES; i++) {
		char wire[256], back[256];
		size_t n = encode(
		    (const uint8_t *)samples[i], strlen(samples[i]), -1, 256, 256, 256, wire);
		size_t got;
		enum pop3_undot st = POP3_UNDOT_BOL;
		struct pop3_measure m = measured(samples[i], 0);

		assert_int_equal(pop3_undot(&st, (uint8_t *)wire, n, (uint8_t *)back, &got), n);
		assert_int_equal(st, POP3_UNDOT_END);
		assert_int_equal(got, m.octets);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_messages_at_every_cut),
		cmocka_unit_test(top_at_every_cut),
		cmocka_unit_test(random_messages),
		cmocka_unit_test(measuring_by_block),
		cmocka_unit_test(what_a_message_measures),
		cmocka_unit_test(undot_any_cut),
		cmocka_unit_test(undot_undoes_stuffing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
