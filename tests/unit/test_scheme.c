/* Stored passwords: every notation that is understood, with hashes made by other tools. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "auth/scheme.h"

/* "correct horse", by doveadm pw and by crypt(3) */
static const char *const stored[] = {
	"{PLAIN}correct horse",
	"{CLEAR}correct horse",
	"{cleartext}correct horse",
	"{PLAIN.B64}Y29ycmVjdCBob3JzZQ==",
	"{PLAIN.hex}636f727265637420686f727365",
	"{CRYPT}$2y$05$w7DPqkWL98tn8Pv1/2iXG.N7Zr5FD8UhLeGN8cEHMdBAAqSUb137S",
	"{CRYPT}abhfCpXqd4GrI",
	"{DES-CRYPT}abhfCpXqd4GrI",
	"{MD5-CRYPT}$1$B1puJjD9$WTqwa9V7KBHQL/rsXDC0g.",
	"{MD5}$1$KRfFl3ad$EN0CrBIl8N7HLjneb6P.S.",
	"$1$KRfFl3ad$EN0CrBIl8N7HLjneb6P.S.",
	"{SHA256-CRYPT}$5$9k23LDv6GTV2tn4z$A3BEfkKBoK8PyySKfTmRxNBSnrbw72OsF1LeO/eT44A",
	"{SHA512-CRYPT}$6$.rpES42aFnRShUlG$"
	"4oyM88HtJ2KKQfnomVSgGxYXTGNp6WRjafEtuHMmM0O0lKkz4nPOrCKXX7"
	"4OY7WpK5/aUi6xum9t5wknhQbxf/",
	"{SHA512-CRYPT.B64}"
	"JDYkcW1DOTZySlBMWnQ3NmNCNCQ0RGN3bC42c3ovQXdWbS9lMzVGaHNHRzhhYjhPZDNIcVJId"
	"WdPVUVySmF5cjRDZUhselA0M0FYTTN5RExOcWFJa1NvTFJvdXJmYzZOdy9wTkNCU0RYMA==",
	"{BLF-CRYPT}$2y$05$kwb2bgxRwmzPmgTIEcdkNeonZOcPtvkYXw7mw7D/t8iYEjbY8fsKu",
	"{YESCRYPT}$y$j75$k2XAnEHBqQ1Ct2aMXFKNa/$E9XAySfP6N2THWdzNKesSVmhpcmhNusa8y5TMfT668.",
	"{CRYPT}$gy$j75$k2XAnEHBqQ1Ct2aMXFKNa/$RN3TUGpE/R08bZbHu0pPGSmmmB6msfmolN.ykDKU/W9",
	"{SHA}L55TUjtiq8FBorTWAZ0jy6g129A=",
	"{SHA1}L55TUjtiq8FBorTWAZ0jy6g129A=",
	"{SHA256}QQTTb42iwlQ0n4WDZ5Pr4CngyVcGOjTJHC6SAxh7VjE=",
	"{SHA256.HEX}4104d36f8da2c254349f85836793ebe029e0c957063a34c91c2e9203187b5631",
	"{SHA256}4104D36F8DA2C254349F85836793EBE029E0C957063A34C91C2E9203187B5631",
	"{SHA256.b64}QQTTb42iwlQ0n4WDZ5Pr4CngyVcGOjTJHC6SAxh7VjE=",
	"{SHA512}VraY3v7bWkNbY0r+MyC7rz/"
	"c2SC2xQOkRvx7endrKY1HnRumqLYXgI6wv1ec6aldZoNHvKtxSQhayTyyeZU"
	"Zew==",
	"{SSHA}kuO4bL9WX7m60HURlsZZ5OjIucFTM1LK",
	"{SSHA.HEX}1c60fb29323a0d2fe3d5e54f76c4bdd2c1f238071bde70eb",
	"{SSHA256}hAyfi9h1xL2WrhTbVgP83lO9ZlOJgLfydPR4uVzkH2sF7ZmX",
	"{SSHA512}Hy3qFIyjUkFd4YmhKtUlNuGnFzy+zHPkeIF7zvbd489qGB+hVzfAkpl0ctiuxzymjAM7IWU+"
	"TY2FLBtv4D"
	"fTFfOesrE=",
	"{SMD5}6M+wGhzVcMvPZXDRkR6zD2sRTHM=",
	"{LDAP-MD5}PLTnMmMfR+brlh80VUt83g==",
	"{PLAIN-MD5}3cb4e732631f47e6eb961f34554b7cde",
	"{ARGON2I}$argon2i$v=19$m=32768,t=3,p=1$H7mSyR1bK7ctNFiqbQbKAw$aihzdk/"
	"w+IS7yP2oh7EeqO1SkvoIa"
	"4AVnOfak7cv1RY",
	"{PBKDF2}$1$8RNbW3NDX3joxZyw$5000$08782710d28fe68ebee6b9b24ffe62f0df805fd2",
	"{SCRAM-SHA-1}4096,vXSm8s/Q1rfLlMLeygWHnA==,N/FuVyDPN/Ww0VMFBQNYfKpi/88=,"
	"nCe57qbGsR1CkK9LgZEulu4In2I=",
	"{SCRAM-SHA-256}4096,akvOvU6EROIOsr2VDza3Tg==,YGGlyHTkIrwNBI9Xu92CMUOTjZ1CSnKR0zaGA60oTZ8=,"
	"QKN7F4YcXe/Yz74aOLw3xRa0HFsWrRRYEUsrPhQBzVo=",
};

static bool
verify(const char *text, const char *secret)
{
	char copy[512];
	struct scheme s;

	(void)snprintf(copy, sizeof copy, "%s", text);
	scheme_parse(copy, "CRYPT", &s);
	return scheme_verify(&s, (const uint8_t *)secret, strlen(secret));
}

static void
every_scheme_knows_its_password_and_no_other(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof stored / sizeof *stored; i++) {
		if (!verify(stored[i], "correct horse"))
			fail_msg("right password refused: %s", stored[i]);
		/* DES looks at eight octets */
		if (verify(stored[i], "correkt horse") || verify(stored[i], "c") ||
		    verify(stored[i], ""))
			fail_msg("wrong password taken: %s", stored[i]);
	}
}

/* What is stored is never taken for what it is a hash or an encoding of, nor are locked ones. */
static void
nothing_malformed_lets_anybody_in(void **state)
{
	static const char *const broken[] = { "", "!", "*", "x", "*0", "{}", "{", "{PLAIN",
		"{NONE}x", "{CRYPT}", "{CRYPT}*", "{CRYPT}!", "{CRYPT}*0", "{MD5-CRYPT}$1$",
		"{SHA}", "{SHA}!!", "{SHA256}AAAA", "{SSHA}AAAA", "{SMD5}", "{PLAIN-MD5}3cb4",
		"{ARGON2ID}", "{ARGON2ID}$argon2id$", "{ARGON2}$2y$05$w7DPqkWL98tn8Pv1", "{PBKDF2}",
		"{PBKDF2}$1$$$", "{PBKDF2}$1$salt$0$08782710d28fe68ebee6b9b24ffe62f0df805fd2",
		"{PBKDF2}$1$salt$-1$08782710d28fe68ebee6b9b24ffe62f0df805fd2", "{SCRAM-SHA-256}",
		"{SCRAM-SHA-256},,,", "{SCRAM-SHA-256}0,AAAA,AAAA,AAAA",
		"{SCRAM-SHA-1}4096,AAAA,AAAA,AAAA", "{PLAIN.b64}!", "{PLAIN.hex}6",
		"{PLAIN.b64}AGFi", "{PLAIN.rot13}x",
		"{AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA}x" };

	(void)state;
	for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
		const char *close = strchr(broken[i], '}');

		if (verify(broken[i], broken[i]) || verify(broken[i], "x") ||
		    verify(broken[i], "*0") || verify(broken[i], "*1") || verify(broken[i], "a") ||
		    (close != NULL && close[1] != '\0' && verify(broken[i], close + 1)))
			fail_msg("somebody got in by %s", broken[i]);
	}
	assert_false(verify("{PLAIN.B64}Y29ycmVjdCBob3JzZQ==", "Y29ycmVjdCBob3JzZQ=="));
	assert_false(
	    verify("$1$KRfFl3ad$EN0CrBIl8N7HLjneb6P.S.", "$1$KRfFl3ad$EN0CrBIl8N7HLjneb6P.S."));
}

static void
secret_with_a_nul_is_no_shorter_secret(void **state)
{
	char text[] = "{CRYPT}abhfCpXqd4GrI", plain[] = "{PLAIN}ab";
	struct scheme s;

	(void)state;
	scheme_parse(text, "PLAIN", &s);
	assert_false(scheme_verify(&s, (const uint8_t *)"correct horse\0x", 15));
	scheme_parse(plain, "PLAIN", &s);
	assert_false(scheme_verify(&s, (const uint8_t *)"ab\0", 3));
	assert_true(scheme_verify(&s, (const uint8_t *)"ab", 2));
}

static void
bare_ones_have_the_default(void **state)
{
	char text[] = "s3cret";
	struct scheme s;

	(void)state;
	scheme_parse(text, "PLAIN", &s);
	assert_int_equal(s.kind, SCHEME_PLAIN);
	assert_true(scheme_verify(&s, (const uint8_t *)"s3cret", 6));
	scheme_parse(text, "NO-SUCH", &s);
	assert_int_equal(s.kind, SCHEME_BROKEN);
	assert_false(scheme_verify(&s, (const uint8_t *)"s3cret", 6));
}

/* Holds: P5802-16 P5802-17 */
static void
scram_keys_are_those_of_the_rfcs(void **state)
{
	struct scram_keys k = {
		.sha256 = true, .iterations = 4096, .salt = "W22ZaJ0SNY7soEsUEjb6gQ=="
	};

	(void)state;
	assert_true(scheme_scram_derive((const uint8_t *)"pencil", 6, &k));
	/* RFC 7677, section 3 */
	assert_string_equal(k.stored, "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=");
	assert_string_equal(k.server, "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=");
	/* RFC 5802, section 5 */
	k = (struct scram_keys){ .iterations = 4096, .salt = "QSXCR+Q6sek8bf92" };
	assert_true(scheme_scram_derive((const uint8_t *)"pencil", 6, &k));
	assert_string_equal(k.stored, "6dlGYMOdZcOPutkcNY8U2g7vK9Y=");
	assert_string_equal(k.server, "D+CSWLOshSulAsxiupA+qs2/fTE=");
}

static void
scram_keys_are_for_their_own_digest(void **state)
{
	char text[] = "{SCRAM-SHA-256}8192,akvOvU6EROIOsr2VDza3Tg==,"
		      "YGGlyHTkIrwNBI9Xu92CMUOTjZ1CSnKR0zaGA60oTZ8=,"
		      "QKN7F4YcXe/Yz74aOLw3xRa0HFsWrRRYEUsrPhQBzVo=";
	char other[] = "{PLAIN}4096,a,b,c";
	struct scram_keys k;
	struct scheme s;

	(void)state;
	scheme_parse(text, "PLAIN", &s);
	assert_false(scheme_scram_stored(&s, false, &k));
	assert_true(scheme_scram_stored(&s, true, &k));
	assert_int_equal(k.iterations, 8192);
	assert_string_equal(k.salt, "akvOvU6EROIOsr2VDza3Tg==");
	scheme_parse(other, "PLAIN", &s);
	assert_false(scheme_scram_stored(&s, true, &k));
}

static uint64_t
cost(const char *text)
{
	char copy[512];
	struct scheme s;

	(void)snprintf(copy, sizeof copy, "%s", text);
	scheme_parse(copy, "CRYPT", &s);
	return scheme_cost(&s);
}

static void
costs_have_an_order(void **state)
{
	static const char *const rising[] = {
		"{CRYPT}!",
		"{PLAIN}x",
		"{SHA}L55TUjtiq8FBorTWAZ0jy6g129A=",
		"{CRYPT}abhfCpXqd4GrI",
		"{MD5-CRYPT}$1$B1puJjD9$WTqwa9V7KBHQL/rsXDC0g.",
		"{BLF-CRYPT}$2y$05$kwb2bgxRwmzPmgTIEcdkNeonZOcPtvkYXw7mw7D/t8iYEjbY8fsKu",
		"{SHA512-CRYPT}$6$.rpES42aFnRShUlG$"
		"4oyM88HtJ2KKQfnomVSgGxYXTGNp6WRjafEtuHMmM0O0lKkz4nPO",
		"{SHA512-CRYPT}$6$rounds=40000$.rpES42aFnRShUlG$"
		"4oyM88HtJ2KKQfnomVSgGxYXTGNp6WRjafEtuHM",
		"{BLF-CRYPT}$2y$12$kwb2bgxRwmzPmgTIEcdkNeonZOcPtvkYXw7mw7D/t8iYEjbY8fsKu",
		"{ARGON2ID}$argon2id$v=19$m=262144,t=3,p=1$ERgVmRvh9u5xNwkxGRhniQ$"
		"YrukKIzbWwF1RHRxOuPeR",
	};

	(void)state;
	for (size_t i = 1; i < sizeof rising / sizeof *rising; i++)
		if (cost(rising[i - 1]) >= cost(rising[i]))
			fail_msg("not dearer than the one before: %s", rising[i]);
	assert_int_equal(cost("{CRYPT}!"), 0);
	assert_int_equal(cost("{CRYPT}*"), 0);
	assert_int_equal(cost("{NO-SUCH}x"), 0);
	assert_int_equal(cost("{SCRAM-SHA-256}0,,,"), 0);
	assert_int_equal(cost("{ARGON2}x"), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_scheme_knows_its_password_and_no_other),
		cmocka_unit_test(nothing_malformed_lets_anybody_in),
		cmocka_unit_test(secret_with_a_nul_is_no_shorter_secret),
		cmocka_unit_test(bare_ones_have_the_default),
		cmocka_unit_test(scram_keys_are_those_of_the_rfcs),
		cmocka_unit_test(scram_keys_are_for_their_own_digest),
		cmocka_unit_test(costs_have_an_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
