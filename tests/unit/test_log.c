/* One event is one line, whatever is in it, and goes where it is wanted. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/log.h"

static int to, saved; /* where standard error goes meanwhile, and where it went */

static void
capture(void)
{
	to = memfd_create("log", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	assert_true(to != -1 && saved != -1);
	assert_int_not_equal(dup2(to, STDERR_FILENO), -1);
	assert_int_not_equal(fcntl(STDERR_FILENO, F_SETFL, O_APPEND), -1);
}

/* What was written; caller frees. */
static char *
captured(void)
{
	size_t len;
	char *text;

	assert_int_not_equal(dup2(saved, STDERR_FILENO), -1);
	fd_close(&saved);
	assert_int_equal(lseek(to, 0, SEEK_SET), 0);
	text = fd_read_all(to, 10000000, &len);
	fd_close(&to);
	assert_non_null(text);
	return text;
}

#define assert_captured(expected)                   \
	do {                                        \
		char *got = captured();             \
		assert_string_equal(got, expected); \
		free(got);                          \
	} while (0)

static void
test_plain_line(void **state)
{
	(void)state;
	capture();
	log_open("prog", LOG_TO_STDERR, LOG_LEVEL_INFO, -1);
	log_info("user \"%s\": %d octets", "joe", 5);
	assert_captured("prog: user \"joe\": 5 octets\n");
}

static void
test_levels(void **state)
{
	(void)state;
	for (int level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++) {
		static const char *const expected[] = { "prog: e\n", "prog: e\nprog: w\n",
			"prog: e\nprog: w\nprog: i\n", "prog: e\nprog: w\nprog: i\nprog: d\n" };

		capture();
		log_open("prog", LOG_TO_STDERR, (enum log_level)level, -1);
		log_error("e");
		log_warning("w");
		log_info("i");
		log_debug("d");
		for (int of = LOG_LEVEL_ERROR; of <= LOG_LEVEL_DEBUG; of++)
			assert_int_equal(log_wants((enum log_level)of), of <= level);
		assert_captured(expected[level]);
	}
}

static void
test_journal_has_priorities(void **state)
{
	(void)state;
	capture();
	log_open("prog", LOG_TO_JOURNAL, LOG_LEVEL_DEBUG, -1);
	log_error("e");
	log_warning("w");
	log_info("i");
	log_debug("d");
	assert_captured("<3>prog: e\n<4>prog: w\n<6>prog: i\n<7>prog: d\n");
}

static void
test_nothing_forges_a_line(void **state)
{
	(void)state;
	capture();
	log_open("prog", LOG_TO_STDERR, LOG_LEVEL_INFO, -1);
	log_info("%s", "a\r\nprog: forged\t\033[2J\x7f\x80\xff\x01z ~");
	assert_captured("prog: a\\x0d\\x0aprog: forged\\x09\\x1b[2J\\x7f\\x80\\xff\\x01z ~\n");
}

static void
test_long_line_is_cut_between_octets(void **state)
{
	char text[5000];
	char *got;

	(void)state;
	for (size_t len = 500; len < sizeof text - 1; len += 501) {
		size_t plain = len % 4;

		memset(text, 'x', plain);
		memset(text + plain, '\n', len - plain); /* four octets for each */
		text[len] = '\0';
		capture();
		log_open("prog", LOG_TO_STDERR, LOG_LEVEL_INFO, -1);
		log_info("%s", text);
		got = captured();
		assert_in_range(
		    strlen(got), 1, 2048 + strlen("prog: \n")); /* a pipe takes it in one piece */
		assert_int_equal(strchr(got, '\n') - got, (ptrdiff_t)strlen(got) - 1);
		assert_int_equal(strncmp(got + strlen("prog: ") + plain, "\\x0a", 4), 0);
		assert_int_equal((strlen(got) - strlen("prog: \n")) % 4, plain);
		free(got);
	}
}

static void
test_errno_is_kept(void **state)
{
	(void)state;
	capture();
	log_open("prog", LOG_TO_STDERR, LOG_LEVEL_INFO, -1);
	errno = ENOSPC;
	log_info("x");
	assert_int_equal(errno, ENOSPC);
	errno = ENOSPC;
	log_debug("not wanted");
	assert_int_equal(errno, ENOSPC);
	assert_captured("prog: x\n");
}

static void
test_syslog(void **state)
{
	char line[4096];
	int pair[2];
	ssize_t n;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), 0);
	capture();
	log_open("prog", LOG_TO_SYSLOG, LOG_LEVEL_INFO, pair[0]);
	log_error("disk \"%s\"", "a\nb");
	n = recv(pair[1], line, sizeof line - 1, MSG_DONTWAIT);
	assert_true(n > 0);
	line[n] = '\0';
	assert_int_equal(strncmp(line, "<19>", 4), 0); /* facility mail, severity error */
	/* "Nov  4 10:11:12 " */
	assert_true(line[7] == ' ' && line[10] == ' ' && line[13] == ':' && line[16] == ':');
	assert_int_equal(strncmp(line + 20, "prog[", 5), 0);
	assert_string_equal(strstr(line, "]: "), "]: disk \"a\\x0ab\"");
	assert_captured(""); /* nothing twice */

	fd_close(&pair[1]); /* while nobody listens it goes to standard error */
	capture();
	log_warning("still told");
	assert_captured("prog: still told\n");
	fd_close(&pair[0]);
	log_open("prog", LOG_TO_STDERR, LOG_LEVEL_INFO, -1);
}

enum { THREADS = 4, LINES = 300 };

static void *
many_lines(void *arg)
{
	for (int i = 0; i < LINES; i++)
		log_info("thread %d says line %d and some more words", *(int *)arg, i);
	return NULL;
}

static void
test_threads_do_not_mix_lines(void **state)
{
	int count[THREADS] = { 0 }, number[THREADS];
	pthread_t threads[THREADS];
	char *got;

	(void)state;
	capture();
	log_open("prog", LOG_TO_STDERR, LOG_LEVEL_INFO, -1);
	for (int i = 0; i < THREADS; i++) {
		number[i] = i;
		assert_int_equal(pthread_create(&threads[i], NULL, many_lines, &number[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	got = captured();
	for (char *p = got, *end; *p != '\0'; p = end + 1) {
		char expected[100];
		int t;

		end = strchr(p, '\n');
		assert_non_null(end);
		*end = '\0';
		assert_int_equal(sscanf(p, "prog: thread %d", &t), 1);
		assert_in_range(t, 0, THREADS - 1);
		(void)snprintf(expected, sizeof expected,
		    "prog: thread %d says line %d and some more words", t, count[t]++);
		assert_string_equal(p, expected);
	}
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(count[i], LINES);
	free(got);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain_line),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_journal_has_priorities),
		cmocka_unit_test(test_nothing_forges_a_line),
		cmocka_unit_test(test_long_line_is_cut_between_octets),
		cmocka_unit_test(test_errno_is_kept),
		cmocka_unit_test(test_syslog),
		cmocka_unit_test(test_threads_do_not_mix_lines),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
