/* Shared by the tests of surrogates: one message through, whole, at every cut, octet by octet. */
#ifndef SURROGATE_CHECK_H
#define SURROGATE_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pop3/surrogate.h>

#define NOBODY "<invalid@internationalized.invalid>"

/* Appends to a string in room octets of memory. */
static inline void
append(char *to, size_t room, const char *text)
{
	size_t have = strlen(to), len = strlen(text);

	assert_true(have + len < room);
	memcpy(to + have, text, len + 1);
}

/* In pieces: first octets, then step octets each time, taken out by room octets at once.  Returns
 * memory, with a NUL behind the *ret_len octets of output. */
static inline char *
transform(const char *in, size_t len, size_t first, size_t step, size_t room, size_t *ret_len,
    bool *ret_changed)
{
	struct pop3_surrogate *s = pop3_surrogate_create();
	size_t n = 0, at = 0, piece = first, got, cap = len + 4096;
	char *out = malloc(cap);

	assert_non_null(s);
	assert_non_null(out);
	do {
		size_t have = piece < len - at ? piece : len - at;
		uint8_t *exact = malloc(have + (have == 0)), *part = malloc(room);

		assert_non_null(exact);
		assert_non_null(part);
		memcpy(exact, in + at, have);
		at += have;
		assert_true(pop3_surrogate_feed(s, exact, have, at == len));
		free(exact);
		while ((got = pop3_surrogate_output(s, part, room)) > 0) {
			if (n + got + 1 > cap)
				out = realloc(out, cap = 2 * (n + got + 1));
			assert_non_null(out);
			memcpy(out + n, part, got);
			n += got;
		}
		free(part);
		piece = step;
	} while (at < len);
	*ret_changed = pop3_surrogate_changed(s);
	pop3_surrogate_destroy(&s);
	assert_null(s);
	out[n] = '\0';
	*ret_len = n;
	return out;
}

/* A surrogate needs none: what a client gets has no header left that holds an octet >= 0x80, also
 * where parts begin elsewhere because of what was dropped. */
static inline void
check_final(const char *out, size_t len)
{
	bool changed;
	size_t n;
	char *again = transform(out, len, len + 1, 1, len + 4096, &n, &changed);

	assert_int_equal(n, len);
	assert_memory_equal(again, out, n);
	assert_false(changed);
	free(again);
}

/* Any cut gives what the whole gives; returns that. */
static inline char *
transform_any_cut(const char *in, size_t len, size_t *ret_len, bool *ret_changed)
{
	char *whole = transform(in, len, len + 1, len + 1, len + 4096, ret_len, ret_changed);

	for (size_t first = 0; first <= len; first++) {
		bool changed;
		size_t n;
		char *out = transform(in, len, first, len + 1, 1 + first % 7, &n, &changed);

		assert_int_equal(n, *ret_len);
		assert_memory_equal(out, whole, n);
		assert_int_equal(changed, *ret_changed);
		free(out);
		out = transform(in, len, first % 5, 1 + first % 3, 4096, &n, &changed);
		assert_int_equal(n, *ret_len);
		assert_memory_equal(out, whole, n);
		free(out);
	}
	check_final(whole, *ret_len);
	return whole;
}

static inline void
check_octets(const char *in, size_t len, const char *want, size_t want_len)
{
	bool changed;
	size_t n;
	char *out = transform_any_cut(in, len, &n, &changed);

	if (n != want_len || memcmp(out, want, n) != 0)
		print_error("in:\n%s\nout:\n%s\n", in, out);
	assert_int_equal(n, want_len);
	assert_memory_equal(out, want, n);
	assert_int_equal(changed, n != len || memcmp(in, out, len) != 0);
	free(out);
}

static inline void
check(const char *in, const char *want)
{
	check_octets(in, strlen(in), want, strlen(want));
}

/* What RFC 2047 and 5322 ask of every line of a header: without octets >= 0x80, encoded-words of
 * 75 and their lines of 76 octets at most, nothing but white space on none. */
static inline void
check_header_lines(const char *p, size_t len)
{
	for (const char *end = p + len, *line = p, *stop; line < end; line = stop) {
		size_t n = 0, spaces = 0;

		while (line + n < end && line[n] != '\r' && line[n] != '\n') {
			assert_true((uint8_t)line[n] < 0x80);
			spaces += line[n] == ' ' || line[n] == '\t';
			n++;
		}
		for (stop = line + n; stop < end && (*stop == '\r' || *stop == '\n'); stop++)
			;
		assert_true(n == 0 || spaces < n);
		for (size_t i = 0; i + 10 < n; i++) {
			if (memcmp(line + i, "=?utf-8?", 8) != 0 &&
			    memcmp(line + i, "=?unkno", 7) != 0)
				continue;
			assert_true(n <= 76);
			for (size_t k = i + 2; k < n && line[k] != ' '; k++)
				assert_true(k - i < 75);
		}
	}
}

#endif
