/* restanted.conf: every error is told, where it is, and with what was expected. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "conf/settings.h"
#include "settings_file.h"

static void
bad(const char *text, const char *expected)
{
	char expanded[TEXT_MAX], expanded_errors[TEXT_MAX], *errors;

	expand(text, expanded, sizeof expanded);
	expand(expected, expanded_errors, sizeof expanded_errors);
	assert_null(read_octets(expanded, strlen(expanded), &errors));
	assert_string_equal(errors, expanded_errors);
	free(errors);
}

/* One error in line 2 of a file that is good otherwise. */
static void
bad_line(const char *line, const char *expected)
{
	char text[TEXT_MAX / 2], errors[TEXT_MAX / 2];

	(void)snprintf(
	    text, sizeof text, "accounts = \"$/accounts\"\n%s\nmax-maildrop-threads = 9\n", line);
	(void)snprintf(errors, sizeof errors, "2: %s\n", expected);
	bad(text, errors);
}

static void
test_values(void **state)
{
	static const char *const cases[][2] = {
		{ "idle-timeout = 30", "idle-timeout: \"30\" is too small (seconds, or a time like "
				       "10m or 1h, from 600 "
				       "to 86400; RFC 1939: at least ten minutes)" },
		{ "idle-timeout = 9m", "idle-timeout: \"9m\" is too small (seconds, or a time like "
				       "10m or 1h, from 600 "
				       "to 86400; RFC 1939: at least ten minutes)" },
		{ "linger = 1w",
		    "linger: \"1w\" is not a time (seconds, or a time like 10m or 1h, from 0 to "
		    "86400)" },
		{ "linger = 4294967295d", "linger: \"4294967295d\" is too large (seconds, or a "
					  "time like 10m or 1h, from 0 "
					  "to 86400)" },
		{ "linger = d", "linger: \"d\" is not a time (seconds, or a time like 10m or 1h, "
				"from 0 to 86400)" },
		{ "max-failures = 0", "max-failures: \"0\" is too small (a number from 1 to 100)" },
		{ "max-failures = 101",
		    "max-failures: \"101\" is too large (a number from 1 to 100)" },
		{ "max-failures = 99999999999999999999999999",
		    "max-failures: \"99999999999999999999999999\" is too large (a number from 1 to "
		    "100)" },
		{ "max-failures = 4294967299",
		    "max-failures: \"4294967299\" is too large (a number from 1 to 100)" },
		{ "max-failures = -1",
		    "max-failures: \"-1\" is not a number (a number from 1 to 100)" },
		{ "max-failures = ' 3'",
		    "max-failures: \" 3\" is not a number (a number from 1 to 100)" },
		{ "max-failures = 0x3",
		    "max-failures: \"0x3\" is not a number (a number from 1 to 100)" },
		{ "max-failures = 3m",
		    "max-failures: \"3m\" is not a number (a number from 1 to 100)" },
		{ "max-failures = \"\"",
		    "max-failures: \"\" is not a number (a number from 1 to 100)" },
		{ "first-valid-uid = 0",
		    "first-valid-uid: \"0\" is too small (a number from 1 to 4294967294)" },
		{ "expire = 3651", "expire: \"3651\" is too large (\"never\", or 0 to 3650)" },
		{ "expire = soon",
		    "expire: \"soon\" is not a number of days (\"never\", or 0 to 3650)" },
		{ "apop = maybe", "apop: \"maybe\" is neither yes nor no (true or false)" },
		{ "log = journald",
		    "log: \"journald\" is not known (one of: stderr syslog journal; did you mean "
		    "\"journal\"?)" },
		{ "log = printer",
		    "log: \"printer\" is not known (one of: stderr syslog journal)" },
		{ "log = \"\"", "log: \"\" is not known (one of: stderr syslog journal)" },
		{ "utf8-headers = surrogates", "utf8-headers: \"surrogates\" is not known (one of: "
					       "surrogate refuse; did you mean "
					       "\"surrogate\"?)" },
		{ "plaintext-passwords = yes",
		    "plaintext-passwords: \"yes\" is not known (one of: never loopback always)" },
		{ "mechanisms = {PLAIN, XOAUTH2}",
		    "mechanisms: \"XOAUTH2\" is not known (one of: SCRAM-SHA-256-PLUS "
		    "SCRAM-SHA-1-PLUS "
		    "SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN CRAM-MD5)" },
		{ "mechanisms = scram-sha256",
		    "mechanisms: \"scram-sha256\" is not known (one of: SCRAM-SHA-256-PLUS "
		    "SCRAM-SHA-1-PLUS SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN CRAM-MD5; did you mean "
		    "\"SCRAM-SHA-256\"?)" },
		{ "mechanisms = {LOGIN, login}",
		    "mechanisms: \"LOGIN\" is in the list twice (say it once)" },
		{ "listen = localhost",
		    "listen: \"localhost\" is no address to listen on (\"host:port\", \"[IPv6 "
		    "number]:port\" or \"*:port\")" },
		{ "listen = \"::1:110\"",
		    "listen: \"::1:110\" is no address to listen on (\"host:port\", \"[IPv6 "
		    "number]:port\" or \"*:port\")" },
		{ "listen = \"a:65536\"",
		    "listen: \"a:65536\" is no address to listen on (\"host:port\", \"[IPv6 "
		    "number]:port\" or \"*:port\")" },
		{ "listen = \"a b:1\"",
		    "listen: \"a b:1\" is no address to listen on (\"host:port\", \"[IPv6 "
		    "number]:port\" or \"*:port\")" },
		{ "listen = {}", "listen: there is nothing to listen on (at least one address)" },
		{ "maildrop = Maildir",
		    "maildrop: \"Maildir\" does not begin at the root (/... or %h/...)" },
		{ "maildrop = \"/m/%x\"", "maildrop: \"/m/%x\" has a % with something else behind "
					  "it (%u, %n, %d, %h or %%)" },
		{ "maildrop = \"/m/%\"", "maildrop: \"/m/%\" has a % with something else behind it "
					 "(%u, %n, %d, %h or %%)" },
		{ "mail-root = mail",
		    "mail-root: \"mail\" does not begin at the root (a path that begins with /)" },
		{ "mail-user = \"\"", "mail-user: \"\" is no user or group (a name or a number)" },
		{ "login-user = \"a b\"",
		    "login-user: \"a b\" is no user or group (a name or a number)" },
		{ "hostname = \"\"",
		    "hostname: \"\" is no host name (a name of letters, digits, - and .)" },
		{ "hostname = \"a>b\"",
		    "hostname: \"a>b\" is no host name (a name of letters, digits, - and .)" },
		{ "greeting = \"a\\r\\nb\"",
		    "greeting: \"a\\x0d\\x0ab\" cannot stand in a greeting (less than 200 ASCII "
		    "characters, none of < > [ ])" },
		{ "greeting = \"[SYS/TEMP]\"",
		    "greeting: \"[SYS/TEMP]\" cannot stand in a greeting (less than 200 ASCII "
		    "characters, none of < > [ ])" },
		{ "pam-service = \"../passwd\"", "pam-service: \"../passwd\" is no PAM service "
						 "(the name of a file in /etc/pam.d)" },
		{ "default-scheme = ssha256.oct", "default-scheme: \"ssha256.oct\" is written in "
						  "an unknown way (nothing, .b64 or .hex "
						  "behind the scheme)" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		bad_line(cases[i][0], cases[i][1]);
}

static void
test_files(void **state)
{
	char text[2 * TEXT_MAX / 8], expected[TEXT_MAX / 8];

	(void)state;
	bad_line("certificate = \"$/none\"",
	    "certificate: \"$/none\" No such file or directory (a file that can be read)");
	bad_line(
	    "certificate = \"$\"", "certificate: \"$\" is not a file (a file that can be read)");
	bad_line("certificate = \"$/cert\" certificate-key = \"$/cert/key\"",
	    "certificate-key: \"$/cert/key\" Not a directory (a file that can be read)");
	bad_line("certificate = \"\"",
	    "certificate: \"\" No such file or directory (a file that can be read)");
	bad("accounts = \"$/none\"",
	    "1: accounts: \"$/none\" No such file or directory (a file that can be read)\n");
	if (geteuid() != 0)
		bad_line("certificate = \"$/closed\"",
		    "certificate: \"$/closed\" Permission denied (a file that can be read)");
	(void)snprintf(text, sizeof text, "certificate = \"/%01100d\"", 0);
	(void)snprintf(expected, sizeof expected,
	    "certificate: \"/%0199d\" is too long (a file that can be read)", 0);
	bad_line(text, expected);
	(void)snprintf(text, sizeof text, "maildrop = \"/%01100d\"", 0);
	(void)snprintf(expected, sizeof expected,
	    "maildrop: \"/%0199d\" is too long (a path of less than 1024 octets)", 0);
	bad_line(text, expected);
}

static void
test_names(void **state)
{
	static const char *const cases[][2] = {
		{ "idle-timout = 600",
		    "idle-timout: there is no such setting (did you mean \"idle-timeout\"?)" },
		{ "Idle-Timeout = 600",
		    "Idle-Timeout: there is no such setting (did you mean \"idle-timeout\"?)" },
		{ "idletimeout = \"maybe\"",
		    "idletimeout: there is no such setting (did you mean \"idle-timeout\"?)" },
		{ "tlsname \"x\" { certificate = \"$/cert\" }",
		    "tlsname: there is no such setting (did you mean \"tls-name\"?)" },
		{ "xyzzy = 1", "xyzzy: there is no such setting (restanted.conf(5) lists them)" },
		{ "log-levels = {a, b}",
		    "log-levels: there is no such setting (did you mean \"log-level\"?)" },
		{ "tls-name \"x\" { certificat = \"$/cert\" }",
		    "certificat: there is no such setting (did you mean \"certificate\"?)" },
		{ "tls-name \"x\" { certificate = \"$/cert\" apop = true }",
		    "apop: there is no such setting in a section (certificate or "
		    "certificate-key)" },
		{ "accounts = \"$/accounts\"",
		    "accounts: is set a second time (line 1 had it; say it once)" },
		{ "max-failures = {3}",
		    "max-failures: takes one value, not a list (max-failures = value)" },
		{ "log { }", "log: is no section (log = value)" },
		{ "tls-name = x",
		    "tls-name: is a section (tls-name \"name\" { certificate = \"file\" })" },
		{ "tls-name { certificate = \"$/cert\" }",
		    "syntax: missing title for section 'tls-name' (key = value, key = {\"value\", "
		    "\"value\"})" },
		{ "tls-name \"x\" { }",
		    "tls-name: \"x\" has no certificate (certificate = \"file\")" },
		{ "tls-name \"x\" { certificate-key = \"$/key\" }",
		    "tls-name: \"x\" has no certificate (certificate = \"file\")" },
		{ "tls-name \"x\" { certificate = \"$/none\" }",
		    "certificate: \"$/none\" No such file or directory (a file that can be read)" },
		{ "tls-name \"x\" { certificate = \"$/cert\" certificate = \"$/cert\" }",
		    "certificate: is set a second time (line 2 had it; say it once)" },
		{ "tls-name \"a b\" { certificate = \"$/cert\" }",
		    "tls-name: \"a b\" is no host name (tls-name \"name\" { certificate = \"file\" "
		    "})" },
		{ "tls-name \"a\" {certificate = \"$/cert\"} tls-name \"A\" {certificate = "
		  "\"$/cert\"}",
		    "tls-name: \"A\" is there a second time (line 2 had it; say it once)" },
		{ "certificate-key = \"$/key\"",
		    "certificate-key: there is no certificate for it (set \"certificate\", too)" },
		{ "listen-tls = \"*:995\"",
		    "listen-tls: there is no certificate for it (set \"certificate\")" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		bad_line(cases[i][0], cases[i][1]);
	bad("", " accounts: nobody could log in (set \"accounts\", or \"pam = true\")\n");
}

static void
test_syntax(void **state)
{
	static const char *const cases[][2] = {
		{ "log",
		    "log: there is no = behind it (key = value; a value with spaces has quotation "
		    "marks)" },
		{ "greeting = My server", "server: there is no = behind it (key = value; a value "
					  "with spaces has quotation "
					  "marks)" },
		{ "log =", "log: there is no value behind = (key = value)" },
		{ "log = = stderr", "log: there is no value behind = (key = value)" },
		{ "log = }", "log: there is no value behind = (key = value)" },
		{ "log = \"stderr", "log: a quotation does not end on its line (\"value\")" },
		{ "log = 'stderr", "log: a quotation does not end on its line (\"value\")" },
		{ "log = \"stderr\\", "log: a quotation does not end on its line (\"value\")" },
		{ "log = \"\\400\"",
		    "log: a number behind \\ is none of an octet (\\001 to \\377, \\x01 to "
		    "\\xff)" },
		{ "log = \"\\0\"",
		    "log: a number behind \\ is none of an octet (\\001 to \\377, \\x01 to "
		    "\\xff)" },
		{ "log = \"\\x00\"",
		    "log: a number behind \\ is none of an octet (\\001 to \\377, \\x01 "
		    "to \\xff)" },
		{ "log = \"\\8\"",
		    "log: a number behind \\ is none of an octet (\\001 to \\377, \\x01 to "
		    "\\xff)" },
		{ "log = \"\\0011\"",
		    "log: a number behind \\ is none of an octet (\\001 to \\377, \\x01 "
		    "to \\xff)" },
		{ "listen = *:110", "listen: a value with * has no quotation marks (\"*:110\")" },
		{ "log = a*b", "log: a value with * or + has no quotation marks (\"value\")" },
		{ "log += stderr", "log: a value with + has no quotation marks (\"value\")" },
		{ "listen = {", "listen: a list is never closed (key = {\"a\", \"b\"})" },
		{ "listen = {\"a:1\" \"b:1\"}",
		    "listen: two values have no comma between them (key = {\"a\", \"b\"})" },
		{ "listen = {,}",
		    "listen: a list has something else than values (key = {\"a\", \"b\"})" },
		{ "listen = {\"a:1\",,}",
		    "listen: a list has something else than values (key = {\"a\", \"b\"})" },
		{ "listen = {{\"a:1\"}",
		    "listen: a list has something else than values (key = {\"a\", \"b\"})" },
		{ "\"log\" = stderr", "syntax: there is no name of a setting (key = value)" },
		{ "}", "syntax: there is no name of a setting (key = value)" },
		{ "= stderr", "syntax: there is no name of a setting (key = value)" },
		{ "include(\"more.conf\")",
		    "include: other files are not read in (all settings in this one)" },
		{ "include = \"more.conf\"",
		    "include: there is no such setting (restanted.conf(5) lists them)" },
		{ "\xff\xfe\x01 = 1",
		    "\\xff\\xfe\\x01: there is no such setting (restanted.conf(5) lists them)" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		bad_line(cases[i][0], cases[i][1]);
	bad("accounts = \"$/accounts\"\n/* log =\n",
	    "2: syntax: a comment is never closed (/* comment "
	    "*/)\n");
	bad("accounts = \"$/accounts\"\nlog /* it\nlog = 5\n",
	    "2: log: there is no = behind it (key = value; a value with spaces has quotation "
	    "marks)\n"
	    "2: syntax: a comment is never closed (/* comment */)\n");
	bad("accounts = \"$/accounts\"\nlog = * /* two\nlines */ apop = 5\nlog-level /* # */ = 1\n",
	    "2: log: a value with * has no quotation marks (\"*:110\")\n"
	    "3: apop: \"5\" is neither yes nor no (true or false)\n"
	    "4: log-level: \"1\" is not known (one of: error warning info debug)\n");
	bad("accounts = \"$/accounts\"\ntls-name \"x\" { certificate = \"$/cert\"\n/* it\n",
	    "2: tls-name: a section is never closed (name \"title\" { ... })\n"
	    "3: syntax: a comment is never closed (/* comment */)\n");
	bad("accounts = \"$/accounts\"\ntls-name \"x\" {\ncertificate = \"$/cert\"\n",
	    "2: tls-name: a section is never closed (name \"title\" { ... })\n");
}

static void
test_every_error_with_its_line(void **state)
{
	(void)state;
	bad("# don't count on it\n"
	    "apop = maybe # \"\n"
	    "/* more\n"
	    "   than one line, isn't it */ idle-timout = 5\n"
	    "\n"
	    "listen = {\"*:110\", # one\n"
	    "\t\"wrong\",\n"
	    "\t\"also wrong\"}\n"
	    "greeting = \"unfinished\n"
	    "expire = soon\n"
	    "tls-name \"x\" {\n"
	    "\tcertificate = \"$/none\"\n"
	    "\tcertificat = x\n"
	    "\tcertificate-key = \"$/key\"\n"
	    "tls-name \"y\" { certificate = \"$/cert\" }\n"
	    "mechanisms = {\"PLAIN\",\n"
	    "apop = true\n"
	    "log = stdout\n"
	    "accounts = \"$/accounts\"\n",
	    "2: apop: \"maybe\" is neither yes nor no (true or false)\n"
	    "4: idle-timout: there is no such setting (did you mean \"idle-timeout\"?)\n"
	    "7: listen: \"wrong\" is no address to listen on (\"host:port\", \"[IPv6 "
	    "number]:port\" or "
	    "\"*:port\")\n"
	    "8: listen: \"also wrong\" is no address to listen on (\"host:port\", \"[IPv6 "
	    "number]:port\" or \"*:port\")\n"
	    "9: greeting: a quotation does not end on its line (\"value\")\n"
	    "10: expire: \"soon\" is not a number of days (\"never\", or 0 to 3650)\n"
	    "11: tls-name: a section is never closed (name \"title\" { ... })\n"
	    "12: certificate: \"$/none\" No such file or directory (a file that can be read)\n"
	    "13: certificat: there is no such setting (did you mean \"certificate\"?)\n"
	    "16: mechanisms: a list is never closed (key = {\"a\", \"b\"})\n"
	    "17: apop: is set a second time (line 2 had it; say it once)\n"
	    "18: log: \"stdout\" is not known (one of: stderr syslog journal)\n");
}

static void
test_more_errors_than_anybody_reads(void **state)
{
	char text[TEXT_MAX] = "", *errors, *p;
	size_t n = 0, lines = 0;

	(void)state;
	for (int i = 0; i < 200; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, "xyzzy%d = 1\n", i);
	assert_null(read_octets(text, n, &errors));
	for (p = errors; (p = strchr(p, '\n')) != NULL; p++)
		lines++;
	assert_int_equal(lines, 65);
	assert_non_null(strstr(errors, "\n64: xyzzy63: "));
	assert_non_null(strstr(errors, "\n there are more errors (these are the first 64)\n"));
	free(errors);
}

/* libConfuse keeps in mind where it was when it stopped: the next file must not suffer. */
static void
test_a_good_file_after_each_bad_one(void **state)
{
	static const char *const texts[] = { "log = \"x", "log = 'x", "/* ", "log = \"\\400\"",
		"listen = {", "tls-name x {", "log = \"${A", "log = ${", "tls-name \"\\400\" {}",
		"tls-name 'x {}" };

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		char *errors;
		struct settings *s;

		assert_null(read_octets(texts[i], strlen(texts[i]), &errors));
		free(errors);
		s = good("accounts = \"$/accounts\" apop = true\n");
		assert_true(s->apop);
		settings_destroy(&s);
	}
}

static void
test_files_that_are_none(void **state)
{
	static const char nul[] = "apop = true\n\0log = stderr\n";
	char *big = malloc(1100000), *errors, *told = NULL, path[128];
	size_t len = 0;
	FILE *err;

	(void)state;
	assert_null(read_octets(nul, sizeof nul - 1, &errors));
	assert_string_equal(errors, " it has NUL octets (a text file of settings)\n");
	free(errors);
	assert_non_null(big);
	memset(big, '#', 1100000);
	assert_null(read_octets(big, 1100000, &errors));
	assert_string_equal(errors, " File too large (a file of settings: restanted.conf(5))\n");
	free(errors);
	memset(big, 'x', 1000000);
	assert_null(read_octets(big, 1000000, &errors)); /* one word */
	assert_true(strlen(errors) < 1000);
	free(errors);
	for (size_t i = 0; i < 1000000; i++)
		big[i] = "tls-name a{"[i % 11];
	assert_null(read_octets(big, 1000000, &errors));
	free(errors);
	free(big);

	err = open_memstream(&told, &len);
	assert_non_null(err);
	assert_null(settings_read("/nowhere/restanted.conf", err));
	assert_null(settings_read(folder, err));
	assert_int_equal(fclose(err), 0);
	(void)snprintf(path, sizeof path,
	    "/nowhere/restanted.conf: No such file or directory (a file of settings: "
	    "restanted.conf(5))\n");
	assert_int_equal(strncmp(told, path, strlen(path)), 0);
	assert_non_null(strstr(told, ": Is a directory (a file of settings: restanted.conf(5))\n"));
	free(told);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_syntax),
		cmocka_unit_test(test_every_error_with_its_line),
		cmocka_unit_test(test_more_errors_than_anybody_reads),
		cmocka_unit_test(test_a_good_file_after_each_bad_one),
		cmocka_unit_test(test_files_that_are_none),
	};

	return cmocka_run_group_tests_name("settings_errors", tests, make_folder, remove_folder);
}
