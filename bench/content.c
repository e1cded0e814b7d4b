/*
 * content - how fast messages are measured, stuffed and undone: one JSON line each.
 *
 * The input is made here, the same each time: a header and lines of 76 octets (base64), or of
 * mixed length (text), with LF or CRLF, in blocks of 128 KiB, as the server reads them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <pop3/content.h>
#include <pop3/surrogate.h>

enum { MAIL = 4 * 1024 * 1024, BLOCK = 128 * 1024 };

static uint8_t mail[MAIL], wire[BLOCK + BLOCK / 2];

static double
now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Lines of 76 octets, or (mixed) of 0 to 75, some beginning with a dot. */
static void
make_mail(bool mixed, const char *eol)
{
	/* a multipart, so that the surrogate has to look at each line */
	static const char header[] =
	    "From: a@example.org\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\n";
	size_t n = sizeof header - 1, at, column = 0, width = 76;
	uint32_t r = 1;

	memcpy(mail, header, n);
	for (at = n; at < MAIL - 2; at++) {
		r = r * 1664525u + 1013904223u;
		if (column++ < width) {
			mail[at] = (uint8_t)('A' + (r >> 24) % 58);
			continue;
		}
		if (eol[1] != '\0')
			mail[at++] = '\r';
		mail[at] = '\n';
		column = 0;
		if (mixed) {
			width = (r >> 20) % 76;
			if ((r >> 16) % 64 == 0 && at + 1 < MAIL - 2) {
				mail[++at] = '.';
				column = 1;
			}
		}
	}
	memset(mail + at, '\n', MAIL - at);
}

static void
run_measure(void)
{
	struct pop3_measure m;

	pop3_measure_init(&m);
	for (size_t at = 0; at < MAIL; at += BLOCK)
		pop3_measure(&m, mail + at, BLOCK);
	pop3_measure_end(&m);
}

static void
run_stuff(void)
{
	struct pop3_stuff st;

	pop3_stuff_init(&st);
	for (size_t at = 0; at < MAIL; at += BLOCK) {
		for (size_t used = 0; used < BLOCK;) {
			struct pop3_out out = { .data = wire, .cap = sizeof wire };
			size_t took;

			(void)pop3_stuff(&st, mail + at + used, BLOCK - used, &took, &out);
			used += took;
		}
	}
}

static void
run_undot(void)
{
	enum pop3_undot st = POP3_UNDOT_BOL;

	for (size_t at = 0; at < MAIL; at += BLOCK) {
		size_t got;

		(void)pop3_undot(&st, mail + at, BLOCK, wire, &got);
		if (st == POP3_UNDOT_END)
			st = POP3_UNDOT_BOL;
	}
}

static void
run_surrogate(void)
{
	struct pop3_surrogate *s = pop3_surrogate_create();

	if (s == NULL)
		exit(1);
	for (size_t at = 0; at < MAIL; at += BLOCK) {
		if (!pop3_surrogate_feed(s, mail + at, BLOCK, at + BLOCK == MAIL))
			exit(1);
		while (pop3_surrogate_output(s, wire, sizeof wire) > 0)
			continue;
	}
	pop3_surrogate_destroy(&s);
}

static void
report(const char *what, const char *input, const char *eol, void (*run)(void), double seconds)
{
	double start = now(), spent;
	unsigned long rounds = 0;

	do {
		run();
		rounds++;
		spent = now() - start;
	} while (spent < seconds);
	(void)printf(
	    "{\"bench\":\"%s\",\"input\":\"%s\",\"eol\":\"%s\",\"octets_per_second\":%.0f}\n", what,
	    input, eol, (double)rounds * MAIL / spent);
	(void)fflush(stdout);
}

int
main(void)
{
	static const char *const eols[] = { "\n", "\r\n" }, *const names[] = { "LF", "CRLF" };
	const double seconds = 1; /* for each line of output */

	for (int mixed = 0; mixed < 2; mixed++) {
		for (int i = 0; i < 2; i++) {
			const char *input = mixed ? "text" : "base64";

			make_mail(mixed, eols[i]);
			report("measure", input, names[i], run_measure, seconds);
			report("stuff", input, names[i], run_stuff, seconds);
			report("undot", input, names[i], run_undot, seconds);
			report("surrogate", input, names[i], run_surrogate, seconds);
		}
	}
	return 0;
}
