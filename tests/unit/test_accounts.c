/* The account file: Dovecot's passwd-file format, with its mistakes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "auth/accounts.h"
#include "base/fd.h"
#include "base/log.h"

static int log_pair[2];

static struct accounts *
read_text(const char *text, size_t len)
{
	int fd = memfd_create("accounts", MFD_CLOEXEC);
	struct accounts *a;

	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, text, len), len);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	a = accounts_read(fd, "passwd", "CRYPT");
	fd_close(&fd);
	assert_non_null(a);
	return a;
}

static const struct account *
find(const struct accounts *a, const char *user)
{
	return accounts_find(a, (const uint8_t *)user, strlen(user));
}

/* What has been logged since the last time. */
static const char *
logged(void)
{
	static char text[65536];
	size_t n = 0;
	ssize_t got;

	while ((got = recv(log_pair[0], text + n, sizeof text - 1 - n, MSG_DONTWAIT)) > 0)
		n += (size_t)got;
	text[n] = '\0';
	return text;
}

static const char file[] =
    "# users\n"
    "\n"
    ":::\n"
    "joe@example.org:{PLAIN}pw:5000:5001:Joe:/home/joe:/bin/sh\n"
    "bare:{PLAIN}pw\r\n"
    "empty:{PLAIN}pw::::::\n"
    "full:{PLAIN}pw:1:2::/h:: userdb_mail=maildir:~/Maildir:INDEX=MEMORY "
    "userdb_uid=7 userdb_gid=8 userdb_home=/x nodelay=y nologin login_delay=60 "
    "expire=30 a=b:c\n"
    "tilde:{PLAIN}pw:1:2::/h::mail=~/m\n"
    "abs:{PLAIN}pw:1:2::/h::userdb_mail=/srv/m/%n nologin=n\n"
    "last:{PLAIN}pw:9";

/* Holds: P1939-32 */
static void
fields_are_taken_apart(void **state)
{
	struct accounts *a = read_text(file, sizeof file - 1);
	const struct account *u;

	(void)state;
	assert_int_equal(accounts_count(a), 7);
	u = find(a, "joe@example.org");
	assert_non_null(u);
	assert_int_equal(u->uid, 5000);
	assert_int_equal(u->gid, 5001);
	assert_string_equal(u->home, "/home/joe");
	assert_null(u->mail);
	assert_false(u->nologin);
	assert_int_equal(u->login_delay, -1);
	u = find(a, "bare");
	assert_non_null(u);
	assert_string_equal(u->password.text, "pw"); /* the CR was of the line's end */
	assert_int_equal(u->uid, UINT32_MAX);
	assert_string_equal(u->home, "");
	u = find(a, "empty");
	assert_non_null(u);
	assert_int_equal(u->uid, UINT32_MAX);
	u = find(a, "full");
	assert_non_null(u);
	assert_int_equal(u->uid, 7);
	assert_int_equal(u->gid, 8);
	assert_string_equal(u->home, "/x");
	assert_string_equal(u->mail, "%h/Maildir");
	assert_true(u->nologin);
	assert_int_equal(u->login_delay, 60);
	assert_int_equal(u->expire, 30);
	assert_string_equal(find(a, "tilde")->mail, "%h/m");
	assert_string_equal(find(a, "abs")->mail, "/srv/m/%n");
	assert_false(find(a, "abs")->nologin);
	assert_int_equal(find(a, "last")->uid, 9);
	assert_null(find(a, ""));
	assert_null(find(a, "JOE@example.org"));
	assert_null(accounts_find(a, (const uint8_t *)"joe@example.orgx", 14));
	accounts_unref(&a);
	assert_null(a);
	assert_string_equal(logged(), "");
}

/* A line that is wrong costs its own account, and is named. */
static void
mistakes_cost_their_line_alone(void **state)
{
	static const char text[] = "good:{PLAIN}a\n"
				   "nopassword\n"
				   "uid:{PLAIN}a:x\n"
				   "minus:{PLAIN}a:-1\n"
				   "big:{PLAIN}a:4294967295\n"
				   "delay:{PLAIN}a::::::login_delay=soon\n"
				   "good:{PLAIN}other\n"
				   "scheme:{ROT13}a\n"
				   "n\0ul:{PLAIN}a\n"
				   "nulend:{PLAIN}a\0\n"
				   "after:{PLAIN}a\n";
	struct accounts *a = read_text(text, sizeof text - 1);
	const char *log = logged();
	char line[32];

	(void)state;
	assert_int_equal(accounts_count(a), 3); /* good, scheme (of no use), after */
	assert_string_equal(find(a, "good")->password.text, "a"); /* the first one counts */
	assert_int_equal(find(a, "scheme")->password.kind, SCHEME_BROKEN);
	assert_non_null(find(a, "after"));
	for (int i = 2; i <= 10; i++) {
		(void)snprintf(line, sizeof line, "passwd:%d: ", i);
		assert_non_null(strstr(log, line));
	}
	assert_null(strstr(log, "passwd:1: "));
	assert_null(strstr(log, "passwd:11: "));
	assert_null(strstr(log, "other")); /* never a password */
	accounts_unref(&a);
}

static void
octets_of_any_kind_are_read_without_harm(void **state)
{
	char text[512];
	unsigned seed = 1;

	(void)state;
	log_open("test", LOG_TO_SYSLOG, LOG_LEVEL_ERROR, log_pair[1]);
	for (int round = 0; round < 2000; round++) {
		struct accounts *a;
		size_t n;

		for (n = 0; n < sizeof text; n++) {
			static const char likely[] = ":::\n\n{}.=%~ \0aPLAINCRYPT$1,userdb_mail";

			seed = seed * 1103515245 + 12345;
			text[n] = likely[(seed >> 16) % sizeof likely];
		}
		a = read_text(text, sizeof text);
		accounts_unref(&a);
	}
	log_open("test", LOG_TO_SYSLOG, LOG_LEVEL_WARNING, log_pair[1]);
}

static struct accounts *
accounts_of(const char *text)
{
	return read_text(text, strlen(text));
}

/* Holds: P1939-43 */
static void
who_is_not_there_costs_as_much_as_the_dearest(void **state)
{
	struct accounts *a =
	    accounts_of("locked:{CRYPT}*\n"
			"plain:{PLAIN}x\n"
			"keys:{SCRAM-SHA-256}0,,,\n"
			"blf:$2y$05$kwb2bgxRwmzPmgTIEcdkNeonZOcPtvkYXw7mw7D/t8iYEjbY8fsKu\n"
			"md5:$1$KRfFl3ad$EN0CrBIl8N7HLjneb6P.S.\n");
	const struct account *blf = find(a, "blf");

	(void)state;
	assert_string_equal(accounts_scheme(a, NULL)->text, blf->password.text);
	/* locked, or never right: no faster than the others */
	assert_string_equal(accounts_scheme(a, find(a, "locked"))->text, blf->password.text);
	assert_string_equal(accounts_scheme(a, find(a, "keys"))->text, blf->password.text);
	assert_ptr_equal(accounts_scheme(a, find(a, "md5")), &find(a, "md5")->password);
	accounts_unref(&a);
	a = accounts_of("");
	assert_int_equal(accounts_scheme(a, NULL)->kind, SCHEME_PLAIN);
	accounts_unref(&a);
	(void)logged();
}

/* Holds: P5802-15 P5802-11 */
static void
scram_looks_the_same_for_all(void **state)
{
	struct accounts *a = accounts_of(
	    "bad:{SCRAM-SHA-256}1,,,\n"
	    "keys:{SCRAM-SHA-256}8192,akvOvU6EROIO,YGGlyHTkIrwNBI9Xu92CMUOTjZ1CSnKR0zaGA60oTZ8=,"
	    "QKN7F4YcXe/Yz74aOLw3xRa0HFsWrRRYEUsrPhQBzVo=\n");
	struct scram_habit h;

	(void)state;
	accounts_scram_habit(a, true, &h);
	assert_int_equal(h.iterations, 8192);
	assert_int_equal(h.salt, 9);
	assert_false(h.plain);
	accounts_scram_habit(a, false, &h); /* nobody has SHA-1's: as SHA-256's */
	assert_int_equal(h.iterations, 8192);
	accounts_unref(&a);
	a = accounts_of("plain:{PLAIN}x\n");
	accounts_scram_habit(a, true, &h);
	assert_int_equal(h.iterations, 4096);
	assert_int_equal(h.salt, 16);
	assert_true(h.plain);
	accounts_unref(&a);
	accounts_scram_habit(NULL, true, &h);
	assert_int_equal(h.iterations, 4096);
	(void)logged();
}

static void
a_table_lives_as_long_as_somebody_uses_it(void **state)
{
	struct accounts *a = accounts_of("joe:{PLAIN}x\n"), *b = accounts_ref(a);

	(void)state;
	accounts_unref(&a);
	assert_null(a);
	assert_non_null(find(b, "joe"));
	accounts_unref(&b);
	accounts_unref(&b);
	assert_null(accounts_ref(NULL));
	assert_int_equal(accounts_count(NULL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_are_taken_apart),
		cmocka_unit_test(mistakes_cost_their_line_alone),
		cmocka_unit_test(octets_of_any_kind_are_read_without_harm),
		cmocka_unit_test(who_is_not_there_costs_as_much_as_the_dearest),
		cmocka_unit_test(scram_looks_the_same_for_all),
		cmocka_unit_test(a_table_lives_as_long_as_somebody_uses_it),
	};

	/* the log goes where it can be looked at */
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, log_pair) == -1)
		return 1;
	log_open("test", LOG_TO_SYSLOG, LOG_LEVEL_WARNING, log_pair[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
