/* Where maildrops are: nothing that a client says may lead out of the mail root. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "auth/place.h"
#include "base/fault.h"

static const struct good {
	const char *pattern, *mail_root, *user, *home, *root, *path;
} goods[] = {
	{ "/var/vmail/%d/%n", "", "joe@example.org", "", "/var/vmail", "example.org/joe" },
	{ "/var/vmail/%d/%n/", "", "joe@example.org", "", "/var/vmail", "example.org/joe/" },
	{ "/var/vmail/%u", "", "joe@example.org", "", "/var/vmail", "joe@example.org" },
	{ "/var/vmail/%n", "", "joe", "", "/var/vmail", "joe" },
	{ "/var/vmail/v-%n/m", "/var", "joe", "", "/var", "vmail/v-joe/m" },
	{ "/var/vmail/v-%n/m", "", "joe", "", "/var/vmail", "v-joe/m" },
	{ "%h/Maildir", "", "joe", "/home/joe", "/home/joe", "Maildir" },
	{ "%h/Maildir", "/home", "joe", "/home/joe", "/home", "joe/Maildir" },
	{ "%h", "", "joe", "/home/joe", "/home/joe", "." },
	{ "%h/", "", "joe", "/home/joe/", "/home/joe", "." },
	{ "/%d/%n", "/", "joe@x", "", "/", "x/joe" },
	{ "/m/100%%/%n", "", "joe", "", "/m", "100%/joe" },
	{ "/m/%n", "", "j\303\266e", "", "/m", "j\303\266e" },
	{ "/m/%n", "", "a..b", "", "/m", "a..b" },
	{ "/m/%n", "/m/", "joe", "", "/m", "joe" },
};

static void
templates_are_filled_in(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof goods / sizeof *goods; i++) {
		const struct good *g = &goods[i];
		struct fault f = { 0 };
		struct place p;

		if (place_find(g->pattern, g->mail_root, g->user, g->home, &p, &f) != 0)
			fail_msg("%s for %s: %s", g->pattern, g->user, f.text);
		assert_string_equal(p.root, g->root);
		assert_string_equal(p.path, g->path);
	}
}

static const char long_name[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
				"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
				"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
				"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

static const struct bad {
	const char *pattern, *mail_root, *user, *home;
} bads[] = {
	/* what a client may say */
	{ "/m/%u", "", "../root", "" },
	{ "/m/%u", "", "..", "" },
	{ "/m/%u", "", ".", "" },
	{ "/m/%u", "", ".hidden", "" },
	{ "/m/%u", "", "a/b", "" },
	{ "/m/%u", "", "a/../../b", "" },
	{ "/m/%u", "", "a\nb", "" },
	{ "/m/%u", "", "a\177b", "" },
	{ "/m/%u", "", "", "" },
	{ "/m/%d/%n", "", "joe", "" }, /* no domain */
	{ "/m/%d/%n", "", "joe@", "" },
	{ "/m/%d/%n", "", "@example.org", "" },
	{ "/m/%d/%n", "", "joe@..", "" },
	{ "/m/%d/%n", "", "joe@../..", "" },
	{ "/m/%d/%n", "", "..@example.org", "" },
	{ "/m/%n", "", long_name, "" },
	/* what an administrator may get wrong */
	{ "%h/Maildir", "", "joe", "" },
	{ "%h/Maildir", "", "joe", "relative" },
	{ "%h/Maildir", "/var/vmail", "joe", "/home/joe" },
	{ "%h/Maildir", "/home/jo", "joe", "/home/joe" }, /* a prefix is not a folder */
	{ "%h/Maildir", "/home", "joe", "/home/../etc" },
	{ "%h/Maildir", "/home", "joe", "/home/joe/.." },
	{ "/m/../etc/%n", "", "joe", "" },
	{ "/m/%x", "", "joe", "" },
	{ "/m/%n%", "", "joe", "" },
	{ "m/%n", "", "joe", "/home/joe" },
	{ "/%n", "", "joe", "" }, /* the root itself is meant only where it is said */
	{ "", "", "joe", "/home/joe" },
};

static void
nothing_leads_out(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bads / sizeof *bads; i++) {
		const struct bad *b = &bads[i];
		struct fault f = { 0 };
		struct place p;

		if (place_find(b->pattern, b->mail_root, b->user, b->home, &p, &f) == 0)
			fail_msg("\"%s\" for \"%s\" (%s): \"%s\" \"%s\"", b->pattern, b->user,
			    b->home, p.root, p.path);
		assert_int_equal(f.kind, FAULT_PERM);
		assert_true(f.text[0] != '\0');
	}
}

static void
too_long_is_refused_and_the_longest_is_not(void **state)
{
	char pattern[1100];
	struct fault f = { 0 };
	struct place p;

	(void)state;
	for (size_t len = 1000; len < 1050; len++) {
		memset(pattern, 'a', sizeof pattern);
		pattern[0] = '/';
		memcpy(pattern + 1, "m/", 2);
		memcpy(pattern + len - 3, "/%n", 4);
		/* "%n" becomes one octet: the whole has len - 1 */
		if (len - 1 < 1024)
			assert_int_equal(place_find(pattern, "/m", "j", "", &p, &f), 0);
		else
			assert_int_equal(place_find(pattern, "/m", "j", "", &p, &f), -1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(templates_are_filled_in),
		cmocka_unit_test(nothing_leads_out),
		cmocka_unit_test(too_long_is_refused_and_the_longest_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
