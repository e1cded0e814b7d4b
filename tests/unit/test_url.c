/* POP URLs: what is one, what is none, and what stands in it. */
#include <pop3/url.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct good {
	const char *text, *user, *host, *mech;
	enum pop3_url_auth auth;
	bool tls, literal;
	uint16_t port;
} goods[] = {
	{ "pop://rg@mailsrv.example.org", "rg", "mailsrv.example.org", "", POP3_URL_ANY, false,
	    false, 110 },
	{ "pop://rg;AUTH=+APOP@mail.example.com:8110", "rg", "mail.example.com", "", POP3_URL_APOP,
	    false, false, 8110 },
	{ "pop://baz;AUTH=SCRAM-MD5@foo.bar", "baz", "foo.bar", "SCRAM-MD5", POP3_URL_SASL, false,
	    false, 110 },
	{ "POP://a;auth=plain@H", "a", "h", "PLAIN", POP3_URL_SASL, false, false, 110 },
	{ "pop://a;AUTH=*@h/", "a", "h", "", POP3_URL_ANY, false, false, 110 },
	{ "pops://a%40example.org@h", "a@example.org", "h", "", POP3_URL_ANY, true, false, 995 },
	{ "pops://%c3%a4%3B%25@h:1", "\xc3\xa4;%", "h", "", POP3_URL_ANY, true, false, 1 },
	{ "pop://a@[::1]:11000", "a", "::1", "", POP3_URL_ANY, false, true, 11000 },
	{ "pop://a@127.0.0.1", "a", "127.0.0.1", "", POP3_URL_ANY, false, true, 110 },
	{ "pop://h.example", "", "h.example", "", POP3_URL_ANY, false, false, 110 },
	{ "pop://;AUTH=EXTERNAL@h", "", "h", "EXTERNAL", POP3_URL_SASL, false, false, 110 },
	{ "pop://a$-_.+!*'(),&=~@h", "a$-_.+!*'(),&=~", "h", "", POP3_URL_ANY, false, false, 110 },
};

/* Holds: P2384-01 P2384-03 P2384-06 P2384-08 */
static void
url_says_what_it_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof goods / sizeof *goods; i++) {
		const struct good *g = &goods[i];
		struct pop3_url u;

		memset(&u, 0xff, sizeof u);
		assert_null(pop3_url_parse(g->text, &u));
		assert_string_equal(u.user, g->user);
		assert_string_equal(u.host, g->host);
		assert_string_equal(u.mech, g->mech);
		assert_int_equal(u.auth, g->auth);
		assert_int_equal(u.tls, g->tls);
		assert_int_equal(u.literal, g->literal);
		assert_int_equal(u.port, g->port);
	}
}

static const char *const bads[] = {
	"",
	"h.example",
	"http://a@h",
	"pop:",
	"pop:/a@h",
	"pop://",
	"pop:///",
	"pop://a@",
	"pop://@h",
	"pop://a:secret@h",
	"pop://a:@h",
	"pop://a@b@h",
	"pop://a b@h",
	"pop://a/b@h",
	"pop://a;b@h",
	"pop://a;AUTH=@h",
	"pop://a;AUTH=+foo@h",
	"pop://a;AUTH=PL AIN@h",
	"pop://a;AUTH=THIS-NAME-IS-TOO-LONG@h",
	"pop://a%@h",
	"pop://a%4@h",
	"pop://a%4g@h",
	"pop://a%00@h",
	"pop://a%0d%0aDELE@h",
	"pop://a%7f@h",
	"pop://a%ff@h",
	"pop://a%c0%af@h",
	"pop://\xc3\xa4@h",
	"pop://a@h:",
	"pop://a@h:0",
	"pop://a@h:65536",
	"pop://a@h:+1",
	"pop://a@h:1x",
	"pop://a@h/INBOX",
	"pop://a@h//",
	"pop://a@h?x",
	"pop://a@.h",
	"pop://a@h..i",
	"pop://a@-oProxyCommand",
	("pop://a@b\xc3\xbc"
	 "cher.example"),
	"pop://a@[::1",
	"pop://a@[]",
	"pop://a@[::1%25eth0]",
	"pop://a@[::1]x",
};

/* Holds: P2384-01 P2384-02 P2384-06 */
static void
url_is_none(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bads / sizeof *bads; i++) {
		struct pop3_url u = { .port = 7 };

		if (pop3_url_parse(bads[i], &u) == NULL)
			fail_msg("taken for a POP URL: %s", bads[i]);
		assert_int_equal(u.port, 7);
	}
}

static void
url_of_any_length(void **state)
{
	static char text[4096];
	struct pop3_url u;

	(void)state;
	for (size_t len = 0; len < 400; len++) { /* user names fit up to 255, hosts up to 253 */
		memcpy(text, "pop://", 6);
		memset(text + 6, 'u', len);
		memcpy(text + 6 + len, "@h", 3);
		assert_int_equal(pop3_url_parse(text, &u) == NULL, len >= 1 && len <= 255);
		memcpy(text, "pop://u@", 8);
		memset(text + 8, 'h', len);
		text[8 + len] = '\0';
		assert_int_equal(pop3_url_parse(text, &u) == NULL, len >= 1 && len <= 253);
		memcpy(text, "pop://u@[", 9);
		memset(text + 9, ':', len);
		memcpy(text + 9 + len, "]", 2);
		assert_int_equal(pop3_url_parse(text, &u) == NULL, len >= 1 && len <= 46);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(url_says_what_it_says),
		cmocka_unit_test(url_is_none),
		cmocka_unit_test(url_of_any_length),
	};

	return cmocka_run_group_tests_name("url", tests, NULL, NULL);
}
