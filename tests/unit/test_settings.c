/* restanted.conf: what is read is what was meant. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "conf/schema.h"
#include "conf/settings.h"
#include "settings_file.h"

static void
test_defaults(void **state)
{
	static const char *const mechanisms[] = { "PLAIN", "LOGIN" };
	struct settings *s = good("accounts = \"$/accounts\"\n");

	(void)state;
	assert_int_equal(s->listen.count, 1);
	assert_string_equal(s->listen.items[0], "*:110");
	assert_int_equal(s->listen_tls.count, 0);
	assert_true(strlen(s->hostname) > 0);
	assert_null(s->greeting);
	assert_int_equal(s->certificates_count, 0);
	assert_int_equal(s->plaintext, PLAINTEXT_NEVER);
	assert_int_equal(s->mechanisms.count, 2);
	for (size_t i = 0; i < 2; i++)
		assert_string_equal(s->mechanisms.items[i], mechanisms[i]);
	assert_false(s->apop || s->pam || s->login_delay_user || s->expire_user || s->utf8_refuse);
	assert_true(s->utf8 && s->implementation);
	assert_string_equal(s->default_scheme, "CRYPT");
	assert_string_equal(s->pam_service, "restante");
	assert_string_equal(s->maildrop, "%h/Maildir");
	assert_null(s->mail_root);
	assert_null(s->mail_user);
	assert_null(s->mail_group);
	assert_int_equal(s->first_valid_uid, 500);
	assert_int_equal(s->expire, -1);
	assert_string_equal(s->language, "en");
	assert_int_equal(s->failure_delay, 2);
	assert_int_equal(s->max_failures, 3);
	assert_int_equal(s->login_delay, 0);
	assert_int_equal(s->idle_timeout, 600);
	assert_int_equal(s->login_timeout, 600);
	assert_int_equal(s->write_timeout, 300);
	assert_int_equal(s->linger, 60);
	assert_int_equal(s->lock_wait, 2000);
	assert_int_equal(s->login_processes, 0);
	assert_int_equal(s->max_connections, 20000);
	assert_int_equal(s->max_connections_per_address, 50);
	assert_int_equal(s->max_sessions_per_user, 10);
	assert_int_equal(s->max_maildrop_threads, 64);
	assert_string_equal(s->login_user, "restante-login");
	assert_string_equal(s->auth_user, "restante-auth");
	assert_string_equal(s->log, "stderr");
	assert_string_equal(s->log_level, "info");
	settings_destroy(&s);
	assert_null(s);
}

static const char everything[] = "# all of it, isn't it\n"
				 "listen = {\"127.0.0.1:110\", # \"one\n"
				 "\t\"[::1]:110\", /* it's { */\n"
				 "\t'localhost:1110'}\n"
				 "listen-tls = \"*:995\"\n"
				 "hostname = pop.example.org\n"
				 "greeting = \"at your \\\"service\\\"\" // \"\n"
				 "certificate = \"$/cert\"\n"
				 "plaintext-passwords = loopback\n"
				 "mechanisms = {plain, CRAM-MD5}\n"
				 "apop = yes\n"
				 "accounts=\"$/accounts\"default-scheme=ssha256.hex\n"
				 "pam-service = pop3\r\n"
				 "failure-delay = 0\n"
				 "max-failures = 100\n"
				 "login-delay = 5m\n"
				 "login-delay-differs = on\n"
				 "maildrop = \"/var/mail/%d/%n%%/%u\"\n"
				 "mail-root = \"/var/mail\"\n"
				 "mail-user = vmail mail-group = \"5000\"\n"
				 "first-valid-uid = 4294967294\n"
				 "expire = 30\n"
				 "expire-differs = TRUE\n"
				 "utf8 = false\n"
				 "utf8-headers = refuse\n"
				 "language = DE\n"
				 "show-implementation = no\n"
				 "idle-timeout =\n"
				 "\t1h\n"
				 "login-timeout = 10s\n"
				 "write-timeout = 1d\n"
				 "linger = 0\n"
				 "lock-wait = 60000\n"
				 "login-processes = 64\n"
				 "max-connections = 4000000\n"
				 "max-connections-per-address = 1\n"
				 "max-sessions-per-user = 2\n"
				 "max-maildrop-threads = 1024\n"
				 "login-user = \"1001\"\n"
				 "auth-user = someone\n"
				 "log = SYSLOG\n"
				 "log-level = Debug\n"
				 "tls-name \"mail.example.org\" {\n"
				 "\tcertificate = \"$/other\" # its own\n"
				 "\tcertificate-key = \"$/key\"\n"
				 "}\n"
				 "tls-name \"*.example.com\" { certificate = \"$/cert\" }";

static void
check_everything(const struct settings *s)
{
	char path[128];

	assert_int_equal(s->listen.count, 3);
	assert_string_equal(s->listen.items[1], "[::1]:110");
	assert_string_equal(s->listen.items[2], "localhost:1110");
	assert_int_equal(s->listen_tls.count, 1);
	assert_string_equal(s->listen_tls.items[0], "*:995");
	assert_string_equal(s->hostname, "pop.example.org");
	assert_string_equal(s->greeting, "at your \"service\"");
	assert_int_equal(s->plaintext, PLAINTEXT_LOOPBACK);
	assert_int_equal(s->mechanisms.count, 2);
	assert_string_equal(s->mechanisms.items[0], "PLAIN");
	assert_string_equal(s->mechanisms.items[1], "CRAM-MD5");
	assert_true(s->apop && s->login_delay_user && s->expire_user && s->utf8_refuse);
	assert_false(s->utf8 || s->implementation || s->pam);
	assert_string_equal(s->default_scheme, "ssha256.hex");
	assert_string_equal(s->pam_service, "pop3");
	assert_int_equal(s->failure_delay, 0);
	assert_int_equal(s->max_failures, 100);
	assert_int_equal(s->login_delay, 300);
	assert_string_equal(s->maildrop, "/var/mail/%d/%n%%/%u");
	assert_string_equal(s->mail_root, "/var/mail");
	assert_string_equal(s->mail_user, "vmail");
	assert_string_equal(s->mail_group, "5000");
	assert_int_equal(s->first_valid_uid, 4294967294U);
	assert_int_equal(s->expire, 30);
	assert_string_equal(s->language, "de");
	assert_int_equal(s->idle_timeout, 3600);
	assert_int_equal(s->login_timeout, 10);
	assert_int_equal(s->write_timeout, 86400);
	assert_int_equal(s->linger, 0);
	assert_int_equal(s->lock_wait, 60000);
	assert_int_equal(s->login_processes, 64);
	assert_int_equal(s->max_connections, 4000000);
	assert_int_equal(s->max_connections_per_address, 1);
	assert_int_equal(s->max_sessions_per_user, 2);
	assert_int_equal(s->max_maildrop_threads, 1024);
	assert_string_equal(s->login_user, "1001");
	assert_string_equal(s->auth_user, "someone");
	assert_string_equal(s->log, "syslog");
	assert_string_equal(s->log_level, "debug");
	assert_int_equal(s->certificates_count, 3);
	assert_null(s->certificates[0].name);
	expand("$/cert", path, sizeof path);
	assert_string_equal(s->certificates[0].certificate, path);
	assert_string_equal(s->certificates[0].key, path); /* the same file holds both */
	assert_string_equal(s->certificates[2].name, "*.example.com");
	assert_string_equal(s->certificates[2].certificate, path);
	assert_string_equal(s->certificates[1].name, "mail.example.org");
	expand("$/other", path, sizeof path);
	assert_string_equal(s->certificates[1].certificate, path);
	expand("$/key", path, sizeof path);
	assert_string_equal(s->certificates[1].key, path);
}

static void
test_every_setting(void **state)
{
	struct settings *s = good(everything);

	(void)state;
	check_everything(s);
	settings_destroy(&s);
}

static struct settings *
write_and_read(const struct settings *s)
{
	char *text = NULL, *errors;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	struct settings *again;

	assert_non_null(out);
	settings_write(s, out);
	assert_int_equal(fclose(out), 0);
	again = read_octets(text, len, &errors);
	assert_string_equal(errors, "");
	free(errors);
	free(text);
	return again;
}

static void
test_what_is_written_can_be_read(void **state)
{
	struct settings *s = good(everything), *again = write_and_read(s);

	(void)state;
	check_everything(again);
	settings_destroy(&again);
	settings_destroy(&s);
}

static void
test_odd_octets_survive(void **state)
{
	/* not through expand(), to which $ means something else */
	static const char odd[] = "/m/\\\"'\x01\x7f\t\xc3\xa4${A}/#//* {";
	char text[TEXT_MAX], *errors;
	struct settings *s, *again;

	(void)state;
	(void)snprintf(text, sizeof text,
	    "accounts = '%s/accounts'\nmaildrop = "
	    "'/m/\\\\\"\\'\x01\x7f\t\xc3\xa4${A}/#//* {'\n",
	    folder);
	s = read_octets(text, strlen(text), &errors);
	assert_string_equal(errors, "");
	assert_string_equal(s->maildrop, odd);
	again = write_and_read(s);
	assert_string_equal(again->maildrop, odd);
	settings_destroy(&again);
	settings_destroy(&s);
	free(errors);
}

static void
test_environment(void **state)
{
	char text[TEXT_MAX], *errors;
	struct settings *s;

	(void)state;
	assert_int_equal(setenv("RESTANTE_TEST", folder, 1), 0);
	(void)snprintf(text, sizeof text,
	    "accounts = \"${RESTANTE_TEST}/accounts\"\n"
	    "maildrop = \"${RESTANTE_NO:-/a\"b}/%%u\" hostname=${RESTANTE_NO:-h}\n"
	    "greeting = '${RESTANTE_TEST}'\n");
	s = read_octets(text, strlen(text), &errors);
	assert_string_equal(errors, "");
	assert_string_equal(s->maildrop, "/a\"b/%u");
	assert_string_equal(s->hostname, "h");
	assert_string_equal(s->greeting, "${RESTANTE_TEST}");
	settings_destroy(&s);
	free(errors);
}

static void
test_tls_port_goes_with_the_certificate(void **state)
{
	struct settings *s = good("accounts = \"$/accounts\" certificate = \"$/cert\"\n");

	(void)state;
	assert_int_equal(s->listen_tls.count, 1);
	assert_string_equal(s->listen_tls.items[0], "*:995");
	settings_destroy(&s);
	s = good("accounts = \"$/accounts\" certificate = \"$/cert\" listen-tls = {}\n");
	assert_int_equal(s->listen_tls.count, 0);
	settings_destroy(&s);
	s = good("accounts = \"$/accounts\" tls-name a { certificate = \"$/cert\" } listen = {}\n");
	assert_int_equal(s->listen_tls.count, 1);
	assert_int_equal(s->listen.count, 0);
	settings_destroy(&s);
}

static void
test_long_lists_are_whole(void **state)
{
	char text[TEXT_MAX] = "accounts = \"$/accounts\" listen = {";
	size_t n = strlen(text);
	struct settings *s;

	(void)state;
	for (int i = 1; i <= 300; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, "\"a:%d\",\n", i);
	(void)snprintf(text + n, sizeof text - n, "}\n");
	s = good(text);
	assert_int_equal(s->listen.count, 300);
	assert_string_equal(s->listen.items[299], "a:300");
	settings_destroy(&s);
}

/* Whatever becomes of a good file: it is read, or every complaint is a line of its own. */
static void
test_mutations(void **state)
{
	static const char letters[] = "\"'{}=,#/*+\\\n\r\t ()$x0\xff\x01-";
	static const char *const words[] = { "tls-name ", "\"\\x", "${", "/*", "*/", "listen={",
		"}}", "\\4", "certificate=" };
	char whole[TEXT_MAX], text[TEXT_MAX];
	unsigned seed = 7, readable = 0;

	(void)state;
	expand(everything, whole, sizeof whole);
	for (int round = 0; round < 3000; round++) {
		size_t len = strlen(whole);
		char *errors;
		struct settings *s;

		memcpy(text, whole, len + 1);
		for (int change = round % 4; change >= 0; change--) {
			size_t where, n;

			seed = seed * 1103515245U + 12345U;
			where = (seed >> 8) % len;
			switch (seed % 5) {
			case 0:
				text[where] = letters[(seed >> 20) % (sizeof letters - 1)];
				break;
			case 1: /* something drops out */
				n = (seed >> 20) % 40;
				n = n < len - where ? n : len - where - 1;
				memmove(text + where, text + where + n, len - where - n);
				len -= n;
				break;
			case 2: /* the rest is missing */
				len = where + 1;
				break;
			default: /* something gets in */
				n = strlen(words[(seed >> 20) % 9]);
				memmove(text + where + n, text + where, len - where);
				memcpy(text + where, words[(seed >> 20) % 9], n);
				len += n;
			}
		}
		s = read_octets(text, len, &errors);
		readable += s != NULL;
		settings_destroy(&s);
		free(errors);
	}
	assert_true(readable > 10); /* some changes are in comments */
}

static void
test_suggestions(void **state)
{
	static const char *const words[] = { "alpha", "beta", "idle-timeout" };

	(void)state;
	assert_string_equal(suggest("alpa", words, 3), "alpha");
	assert_string_equal(suggest("alphaa", words, 3), "alpha");
	assert_string_equal(suggest("betz", words, 3), "beta");
	assert_string_equal(suggest("idel-timeout", words, 3), "idle-timeout");
	assert_string_equal(suggest("BETA", words, 3), "beta");
	assert_null(suggest("gamma", words, 3));
	assert_null(suggest("", words, 3));
	assert_null(suggest("a-word-that-is-longer-than-any-setting-there-is", words, 3));
}

/* The table itself: what the manual says must be what the code does. */
static void
test_table(void **state)
{
	char *text = NULL;
	size_t len = 0, items = 0;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	assert_non_null(out);
	settings_write_mdoc(out);
	assert_int_equal(fclose(out), 0);
	for (char *p = text; (p = strstr(p, "\n.It Ic ")) != NULL; p++)
		items++;
	assert_int_equal(items, schema_count);
	assert_non_null(schema[0].group);
	for (size_t i = 0; i < schema_count; i++) {
		const struct key *k = &schema[i];

		assert_ptr_equal(schema_find(k->name, strlen(k->name)), k); /* no name twice */
		assert_true(k->min <= k->max);
		assert_int_equal(
		    k->max > 0, k->type == KEY_INT || k->type == KEY_SECS || k->type == KEY_DAYS);
		assert_true(k->note[strlen(k->note) - 1] == '.');
	}
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_every_setting),
		cmocka_unit_test(test_what_is_written_can_be_read),
		cmocka_unit_test(test_odd_octets_survive),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_tls_port_goes_with_the_certificate),
		cmocka_unit_test(test_long_lists_are_whole),
		cmocka_unit_test(test_mutations),
		cmocka_unit_test(test_suggestions),
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests_name("settings", tests, make_folder, remove_folder);
}
