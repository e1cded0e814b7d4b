/* The serving end of SASL exchanges, against our calling end and against clients made by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pop3/codec.h>

#include "auth/scheme.h"
#include "sasl/client.h"
#include "sasl/server.h"
#include "scram.h"

static struct sasl_server *server;

static const uint8_t exporter[32] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17,
	18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31 };
static const uint8_t unique[12] = "unique12345";

enum binding { NONE, EXPORTER, UNIQUE };

/* The account "user" has "pencil", in the clear; of others nothing that can be known. */
static bool
lookup(void *arg, const char *mechanism, const char *user, struct sasl_secret *ret)
{
	const char *name = arg, *secret = strcmp(user, name) == 0 ? "pencil" : "\001\002\003";
	struct scram_keys k = { .sha256 = strncmp(mechanism, "SCRAM-SHA-256", 13) == 0,
		.iterations = 4096,
		.salt = "W22ZaJ0SNY7soEsUEjb6gQ==" };

	*ret = (struct sasl_secret){ .iterations = k.iterations };
	(void)snprintf(ret->password, sizeof ret->password, "%s", secret);
	if (!scheme_scram_derive((const uint8_t *)secret, strlen(secret), &k))
		return false;
	memcpy(ret->salt, k.salt, sizeof ret->salt);
	memcpy(ret->stored, k.stored, sizeof ret->stored);
	memcpy(ret->server, k.server, sizeof ret->server);
	return true;
}

static struct sasl_exchange *
begin(const char *mechanism, enum binding b, bool plus_offered)
{
	struct sasl_options o = { .mechanism = mechanism,
		.hostname = "mail.example.org",
		.exporter = b == EXPORTER ? exporter : NULL,
		.exporter_len = b == EXPORTER ? sizeof exporter : 0,
		.unique = b == UNIQUE ? unique : NULL,
		.unique_len = b == UNIQUE ? sizeof unique : 0,
		.plus_offered = plus_offered };
	struct sasl_exchange *x = sasl_exchange_create(server, &o);

	assert_non_null(x);
	sasl_exchange_lookup(x, lookup, (void *)(uintptr_t) "user");
	return x;
}

/* A step whose input ends where its memory ends, for the address sanitizer's eyes; the answer as
 * text. */
static enum sasl_result
step(struct sasl_exchange *x, const void *in, size_t len, char *answer, size_t room)
{
	uint8_t *exact = malloc(len > 0 ? len : 1);
	const uint8_t *out;
	enum sasl_result r;
	size_t n;

	assert_non_null(exact);
	memcpy(exact, in, len);
	r = sasl_exchange_step(x, exact, len, &out, &n);
	free(exact);
	assert_true(n < room);
	if (n > 0)
		memcpy(answer, out, n);
	answer[n] = '\0';
	return r;
}

static enum sasl_result
say(struct sasl_exchange *x, const char *text, char answer[512])
{
	return step(x, text, strlen(text), answer, 512);
}

/* Our calling end against our serving end; whether both were content. */
static bool
both_ends(const char *mechanism, enum binding client, enum binding at_server, const char *user,
    const char *secret)
{
	struct sasl_caller_options o = { .mechanism = mechanism,
		.user = user,
		.secret = secret,
		.exporter = client == EXPORTER ? exporter : NULL,
		.exporter_len = client == EXPORTER ? sizeof exporter : 0,
		.unique = client == UNIQUE ? unique : NULL,
		.unique_len = client == UNIQUE ? sizeof unique : 0 };
	struct sasl_exchange *x = begin(mechanism, at_server, at_server != NONE);
	struct sasl_caller *c = sasl_caller_create(&o);
	enum sasl_result r = SASL_CONTINUE;
	const uint8_t *challenge = NULL, *answer = NULL;
	size_t challenge_len = 0, answer_len = 0;
	bool ok = true, server_first;

	assert_non_null(c);
	server_first = !sasl_caller_is_first(c);
	if (server_first)
		r = sasl_exchange_step(x, NULL, 0, &challenge, &challenge_len);
	while (ok && r == SASL_CONTINUE) {
		ok = sasl_caller_step(c, challenge, challenge_len, &answer, &answer_len);
		if (ok)
			r = sasl_exchange_step(x, answer, answer_len, &challenge, &challenge_len);
	}
	if (ok && r == SASL_SUCCESS && challenge_len > 0) { /* the server proves itself, too */
		ok = sasl_caller_step(c, challenge, challenge_len, &answer, &answer_len) &&
		     answer_len == 0 &&
		     sasl_exchange_step(x, answer, 0, &challenge, &challenge_len) == SASL_SUCCESS;
	}
	ok = ok && r == SASL_SUCCESS && sasl_caller_complete(c);
	if (ok)
		assert_string_equal(sasl_exchange_user(x), user);
	sasl_caller_destroy(&c);
	sasl_exchange_destroy(&x);
	assert_null(x);
	return ok;
}

/* Holds: P5802-17 P9266-02 P5034-16 */
static void
our_two_ends_understand_each_other(void **state)
{
	static const struct {
		const char *mechanism;
		enum binding binding;
	} all[] = { { "SCRAM-SHA-1", NONE }, { "SCRAM-SHA-256", NONE },
		{ "SCRAM-SHA-1-PLUS", EXPORTER }, { "SCRAM-SHA-256-PLUS", EXPORTER },
		{ "SCRAM-SHA-1-PLUS", UNIQUE }, { "SCRAM-SHA-256-PLUS", UNIQUE },
		{ "CRAM-MD5", NONE } };

	(void)state;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		const char *m = all[i].mechanism;

		if (!both_ends(m, all[i].binding, all[i].binding, "user", "pencil"))
			fail_msg("%s: the right password was refused", m);
		if (both_ends(m, all[i].binding, all[i].binding, "user", "pencil "))
			fail_msg("%s: a wrong password was taken", m);
		if (both_ends(m, all[i].binding, all[i].binding, "nobody", "pencil"))
			fail_msg("%s: somebody unknown got in", m);
	}
}

/* Somebody in between has another channel to each end.  Holds: P5802-07 */
static void
another_channel_is_found_out(void **state)
{
	(void)state;
	assert_false(both_ends("SCRAM-SHA-256-PLUS", EXPORTER, UNIQUE, "user", "pencil"));
	assert_false(both_ends("SCRAM-SHA-256-PLUS", UNIQUE, EXPORTER, "user", "pencil"));
	assert_false(both_ends("SCRAM-SHA-256-PLUS", EXPORTER, NONE, "user", "pencil"));
}

/* Holds: P5802-01 P5802-06 P5802-10 P5802-08 */
static void
client_made_by_hand_gets_in(void **state)
{
	static const struct {
		const char *mechanism, *gs2;
		enum binding binding;
		bool plus_offered;
	} all[] = { { "SCRAM-SHA-256", "n,,", NONE, false },
		{ "SCRAM-SHA-256", "n,,", EXPORTER, true },
		{ "SCRAM-SHA-256", "y,,", NONE, false }, /* it could bind, we do not say we can */
		{ "SCRAM-SHA-256", "y,,", EXPORTER, false }, /* nor announce it where we could */
		{ "SCRAM-SHA-256", "n,a=user,", NONE, false },
		{ "SCRAM-SHA-256-PLUS", "p=tls-exporter,,", EXPORTER, true },
		{ "SCRAM-SHA-256-PLUS", "p=tls-unique,,", UNIQUE, true } };
	char first[512], answer[512], final[SCRAM_FINAL_MAX], seen[512] = "";

	(void)state;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		struct sasl_exchange *x =
		    begin(all[i].mechanism, all[i].binding, all[i].plus_offered);
		bool bound = all[i].gs2[0] == 'p';

		(void)snprintf(first, sizeof first, "%sn=user,r=rOprNGfwEbeRWgbNEkqO", all[i].gs2);
		assert_int_equal(say(x, first, answer), SASL_CONTINUE);
		assert_true(strncmp(answer, "r=rOprNGfwEbeRWgbNEkqO", 22) == 0);
		assert_true(strcspn(answer, ",") >= 22 + 16); /* its own part is long enough */
		assert_string_not_equal(answer, seen);
		(void)snprintf(seen, sizeof seen, "%s", answer);
		scram_final(all[i].gs2, all[i].binding == EXPORTER ? exporter : unique,
		    !bound			 ? 0
		    : all[i].binding == EXPORTER ? sizeof exporter
						 : sizeof unique,
		    strstr(first, "n=user"), answer, "pencil", final);
		if (say(x, final, answer) != SASL_SUCCESS)
			fail_msg("%s %s: refused", all[i].mechanism, all[i].gs2);
		assert_true(strncmp(answer, "v=", 2) == 0);
		assert_string_equal(sasl_exchange_user(x), "user");
		sasl_exchange_destroy(&x);
	}
}

/* Holds: P5802-02 P5802-03 P5802-04 P5802-08 P4422-01 */
static void
first_words_that_are_refused(void **state)
{
	static const struct {
		const char *mechanism, *first;
		enum binding binding;
		bool plus_offered;
	} all[] = {
		{ "SCRAM-SHA-256", "x,,n=user,r=abc", NONE, false },
		{ "SCRAM-SHA-256", "n=user,r=abc", NONE, false },
		{ "SCRAM-SHA-256", ",,n=user,r=abc", NONE, false },
		{ "SCRAM-SHA-256", "n,n=user,r=abc", NONE, false },
		{ "SCRAM-SHA-256", "n,,r=abc,n=user", NONE, false },
		{ "SCRAM-SHA-256", "n,,n=user", NONE, false },
		{ "SCRAM-SHA-256", "n,,n=user,r=", NONE, false },
		{ "SCRAM-SHA-256", "n,,n=,r=abc", NONE, false },
		{ "SCRAM-SHA-256", "n,,N=user,r=abc", NONE, false },
		{ "SCRAM-SHA-256", "n,,m=ext,n=user,r=abc", NONE, false },
		{ "SCRAM-SHA-256", "n,,n=us=er,r=abc", NONE, false },
		{ "SCRAM-SHA-256", "n,,n=us=2Ser,r=abc", NONE, false },
		{ "SCRAM-SHA-256", "n,,n=user=,r=abc", NONE, false },
		{ "SCRAM-SHA-256", "n,,n=user=2,r=abc", NONE, false },
		{ "SCRAM-SHA-256", "n", NONE, false },
		{ "SCRAM-SHA-256", "n,", NONE, false },
		{ "SCRAM-SHA-256", "n,,", NONE, false },
		/* the flag has to fit the mechanism and what we offer */
		{ "SCRAM-SHA-256", "y,,n=user,r=abc", EXPORTER, true },
		{ "SCRAM-SHA-1", "y,,n=user,r=abc", EXPORTER, true },
		{ "SCRAM-SHA-256", "p=tls-exporter,,n=user,r=abc", EXPORTER, true },
		{ "SCRAM-SHA-256", "p=tls-exporter,,n=user,r=abc", NONE, false },
		{ "SCRAM-SHA-256-PLUS", "n,,n=user,r=abc", EXPORTER, true },
		{ "SCRAM-SHA-256-PLUS", "y,,n=user,r=abc", EXPORTER, true },
		{ "SCRAM-SHA-256-PLUS", "p=tls-unique,,n=user,r=abc", EXPORTER, true },
		{ "SCRAM-SHA-256-PLUS", "p=tls-server-end-point,,n=user,r=abc", EXPORTER, true },
		{ "SCRAM-SHA-256-PLUS", "p=none,,n=user,r=abc", EXPORTER, true },
		{ "SCRAM-SHA-256-PLUS", "p=,,n=user,r=abc", EXPORTER, true },
		{ "SCRAM-SHA-256-PLUS", "p=tls-exporter,,n=user,r=abc", NONE, true },
	};
	char answer[512];

	(void)state;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		struct sasl_exchange *x =
		    begin(all[i].mechanism, all[i].binding, all[i].plus_offered);

		if (say(x, all[i].first, answer) != SASL_FAILED)
			fail_msg("%s \"%s\" was not refused: %s", all[i].mechanism, all[i].first,
			    answer);
		sasl_exchange_destroy(&x);
	}
}

/* An empty first word is an empty initial response: the next one is still the first, and a "y" in
 * it is still seen.  Holds: P5802-08 */
static void
empty_word_first_hides_no_downgrade(void **state)
{
	struct sasl_exchange *x = begin("SCRAM-SHA-256", EXPORTER, true);
	char answer[512];

	(void)state;
	assert_int_equal(say(x, "", answer), SASL_CONTINUE);
	assert_string_equal(answer, "");
	assert_int_equal(say(x, "y,,n=user,r=abc", answer), SASL_FAILED);
	sasl_exchange_destroy(&x);
}

/* Names arrive with "," and "=" written otherwise.  Holds: P5802-03 */
static void
escaped_names_are_what_they_stand_for(void **state)
{
	struct sasl_exchange *x = begin("SCRAM-SHA-256", NONE, false);
	char answer[512], final[SCRAM_FINAL_MAX];

	(void)state;
	sasl_exchange_lookup(x, lookup, (void *)(uintptr_t) "a,b=c");
	assert_int_equal(say(x, "n,,n=a=2Cb=3Dc,r=abc", answer), SASL_CONTINUE);
	assert_string_equal(sasl_exchange_user(x), "a,b=c");
	scram_final("n,,", NULL, 0, "n=a=2Cb=3Dc,r=abc", answer, "pencil", final);
	assert_int_equal(say(x, final, answer), SASL_SUCCESS);
	sasl_exchange_destroy(&x);
}

/* Holds: P5034-18 */
static void
nobody_acts_for_somebody_else(void **state)
{
	struct sasl_exchange *x = begin("SCRAM-SHA-256", NONE, false);
	char answer[512], final[SCRAM_FINAL_MAX];

	(void)state;
	if (say(x, "n,a=admin,n=user,r=abc", answer) == SASL_CONTINUE) {
		scram_final("n,a=admin,", NULL, 0, "n=user,r=abc", answer, "pencil", final);
		assert_int_equal(say(x, final, answer), SASL_FAILED);
	}
	sasl_exchange_destroy(&x);
}

/* The last word, with any one octet changed, left out or put in twice, is refused.
 * Holds: P5802-06 P5802-07 */
static void
last_word_changed_anywhere_is_refused(void **state)
{
	char answer[512], final[SCRAM_FINAL_MAX], changed[SCRAM_FINAL_MAX];
	size_t len = 512;

	(void)state;
	for (size_t at = 0; at < len; at++) {
		for (int how = 0; how < 3; how++) {
			struct sasl_exchange *x = begin("SCRAM-SHA-256", NONE, false);
			size_t n;

			assert_int_equal(say(x, "n,,n=user,r=abc", answer), SASL_CONTINUE);
			scram_final("n,,", NULL, 0, "n=user,r=abc", answer, "pencil", final);
			len = n = strlen(final);
			memcpy(changed, final, len + 1);
			if (how == 0) {
				/* the last letter's lowest bits belong to no octet */
				changed[at] ^= at + 2 == len ? 4 : 1;
			} else if (how == 1) {
				memmove(changed + at, final + at + 1, len - at);
				n--;
			} else {
				memmove(changed + at + 1, final + at, len - at + 1);
				n++;
			}
			if (strcmp(changed, final) == 0) { /* two of the same, side by side */
				sasl_exchange_destroy(&x);
				continue;
			}
			if (step(x, changed, n, answer, sizeof answer) == SASL_SUCCESS)
				fail_msg("taken: %s\nfor:   %s", changed, final);
			sasl_exchange_destroy(&x);
		}
	}
}

static void
octets_of_any_kind_are_refused_without_harm(void **state)
{
	static const char *const mechanisms[] = { "SCRAM-SHA-1", "SCRAM-SHA-256",
		"SCRAM-SHA-256-PLUS", "CRAM-MD5" };
	static const char likely[] = "nyp=,,,ar=user tls-exporter\0\377\n0123456789abcdef";
	uint8_t noise[600];
	char answer[1024];
	unsigned seed = 7;

	(void)state;
	for (int round = 0; round < 4000; round++) {
		struct sasl_exchange *x = begin(mechanisms[round % 4], EXPORTER, true);
		size_t len = (size_t)round % sizeof noise;
		enum sasl_result r = SASL_CONTINUE;

		for (size_t i = 0; i < len; i++) {
			seed = seed * 1103515245 + 12345;
			noise[i] = (uint8_t)likely[(seed >> 16) % sizeof likely];
		}
		if (round % 4 == 3)
			r = step(x, "", 0, answer, sizeof answer);
		for (int i = 0; i < 3 && r == SASL_CONTINUE; i++)
			r = step(x, noise, len, answer, sizeof answer);
		assert_int_not_equal(r, SASL_SUCCESS);
		sasl_exchange_destroy(&x);
	}
}

/* After the server's last word comes nothing but an empty answer.  Holds: P5034-16 */
static void
nothing_follows_success(void **state)
{
	char answer[512], final[SCRAM_FINAL_MAX];

	(void)state;
	for (int more = 0; more < 2; more++) {
		struct sasl_exchange *x = begin("SCRAM-SHA-256", NONE, false);

		assert_int_equal(say(x, "n,,n=user,r=abc", answer), SASL_CONTINUE);
		scram_final("n,,", NULL, 0, "n=user,r=abc", answer, "pencil", final);
		assert_int_equal(say(x, final, answer), SASL_SUCCESS);
		assert_int_equal(
		    say(x, more ? "x" : "", answer), more ? SASL_FAILED : SASL_SUCCESS);
		sasl_exchange_destroy(&x);
	}
}

/* Holds: P2195-01 P2195-02 */
static void
cram_md5_is_that_of_the_rfc(void **state)
{
	char challenge[512], other[512], answer[512], response[600], digest[33];
	uint8_t mac[EVP_MAX_MD_SIZE];
	struct pop3_slice ts;
	unsigned n;

	(void)state;
	for (int i = 0; i < 6; i++) {
		struct sasl_exchange *x = begin("CRAM-MD5", NONE, false);

		assert_int_equal(say(x, "", challenge), SASL_CONTINUE);
		assert_string_not_equal(challenge, other);
		memcpy(other, challenge, sizeof other);
		assert_true(pop3_timestamp_find((uint8_t *)challenge, strlen(challenge), &ts));
		assert_int_equal(ts.len, strlen(challenge));
		assert_non_null(
		    HMAC(EVP_md5(), "pencil", 6, (uint8_t *)challenge, strlen(challenge), mac, &n));
		for (unsigned k = 0; k < 16; k++)
			(void)snprintf(digest + 2 * k, 3, "%02x", mac[k]);
		if (i == 1)
			digest[31] ^= 1;
		(void)snprintf(response, sizeof response, "%s %s%s", i == 4 ? "nobody" : "user",
		    digest, i == 5 ? "0" : "");
		if (i == 2)
			response[4] = '\t';
		if (i == 3)
			response[4] = '\0';
		assert_int_equal(
		    step(x, response, i == 3 ? 37 : strlen(response), answer, sizeof answer),
		    i == 0 ? SASL_SUCCESS : SASL_FAILED);
		sasl_exchange_destroy(&x);
	}
}

/* Holds: P6856-09 P6856-10 P4616-03 P5034-18 P4013-01 P4013-02 */
static void
names_and_secrets_are_prepared(void **state)
{
	static const struct {
		const char *in, *out; /* NULL: refused */
	} all[] = {
		{ "joe", "joe" },
		{ " a b ", " a b " },
		{ "~!@#$%^&*()", "~!@#$%^&*()" },
		{ "I\302\255X", "IX" }, /* RFC 4013, section 3: a soft hyphen is nothing */
		{ "\302\252", "a" },
		{ "\342\205\250", "IX" },
		{ "USER", "USER" },
		{ "\302\240x", " x" }, /* another space is a space */
		{ "o\314\210", "\303\266" }, /* composed */
		{ "\303\266", "\303\266" },
		{ "\a", NULL },
		{ "a\tb", NULL },
		{ "a\177", NULL },
		{ "", NULL },
		{ "\302\200", NULL }, /* a control character beyond ASCII */
		{ "\330\2471", NULL }, /* RFC 4013, section 3: bidirectional check */
		{ "\302\255", NULL }, /* nothing is left */
		{ "\356\200\200", NULL }, /* private use */
		{ "\300\257", NULL },
		{ "\355\240\200", NULL },
		{ "\364\220\200\200", NULL },
		{ "a\303", NULL },
		{ "\200", NULL },
		{ "\377", NULL },
		{ "caf\351", NULL },
	};
	char out[64];

	(void)state;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		size_t len = strlen(all[i].in);
		uint8_t *exact = malloc(len > 0 ? len : 1);
		bool fine;

		assert_non_null(exact);
		memcpy(exact, all[i].in, len);
		fine = sasl_prepare(exact, len, out, sizeof out);
		free(exact);
		if (fine != (all[i].out != NULL))
			fail_msg("case %zu: %s", i, fine ? out : "refused");
		if (fine)
			assert_string_equal(out, all[i].out);
	}
	assert_false(sasl_prepare((const uint8_t *)"a\0b", 3, out, sizeof out));
	assert_true(sasl_prepare((const uint8_t *)"abc", 3, out, 4));
	assert_false(sasl_prepare((const uint8_t *)"abcd", 4, out, 4));
	/* one that grows: U+FDFA stands for 18 characters */
	assert_true(sasl_prepare((const uint8_t *)"\357\267\272", 3, out, 34));
	assert_false(sasl_prepare((const uint8_t *)"\357\267\272", 3, out, 33));
}

static int
set_up(void **state)
{
	(void)state;
	server = sasl_server_create();
	return server == NULL ? -1 : 0;
}

static int
tear_down(void **state)
{
	(void)state;
	sasl_server_destroy(&server);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(our_two_ends_understand_each_other),
		cmocka_unit_test(another_channel_is_found_out),
		cmocka_unit_test(client_made_by_hand_gets_in),
		cmocka_unit_test(first_words_that_are_refused),
		cmocka_unit_test(empty_word_first_hides_no_downgrade),
		cmocka_unit_test(escaped_names_are_what_they_stand_for),
		cmocka_unit_test(nobody_acts_for_somebody_else),
		cmocka_unit_test(last_word_changed_anywhere_is_refused),
		cmocka_unit_test(octets_of_any_kind_are_refused_without_harm),
		cmocka_unit_test(nothing_follows_success),
		cmocka_unit_test(cram_md5_is_that_of_the_rfc),
		cmocka_unit_test(names_and_secrets_are_prepared),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
