/* The small ones: descriptors, faults, the clock, and the poller. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/poller.h"

static int
file_with(const char *text, size_t len)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_int_not_equal(fd, -1);
	assert_int_equal(fd_write_all(fd, text, len), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static void
test_close_leaves_nothing_behind(void **state)
{
	int fd = file_with("", 0), was = fd;

	(void)state;
	errno = ENOSPC;
	fd_close(&fd);
	assert_int_equal(fd, -1);
	assert_int_equal(fcntl(was, F_GETFD), -1);
	errno = ENOSPC;
	fd_close(&fd);
	assert_int_equal(errno, ENOSPC); /* an error path may close before it tells why */
}

static void
test_flags(void **state)
{
	int fd = file_with("", 0);

	(void)state;
	assert_int_equal(fd_set_nonblock(fd), 0);
	assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
	assert_true((fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR);
	assert_int_equal(fd_set_cloexec(fd, 0), 0);
	assert_int_equal(fcntl(fd, F_GETFD), 0);
	assert_int_equal(fd_set_cloexec(fd, 1), 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	fd_close(&fd);
	assert_int_equal(fd_set_nonblock(fd), -1);
}

static void
test_read_all_of_every_size(void **state)
{
	static const size_t sizes[] = { 0, 1, 4095, 4096, 4097, 8192, 8193, 100000 };
	char *text = malloc(100000);

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < 100000; i++)
		text[i] = (char)('a' + i % 23);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		int fd = file_with(text, sizes[i]);
		size_t len = 7;
		char *all = fd_read_all(fd, sizes[i], &len);

		assert_non_null(all);
		assert_int_equal(len, sizes[i]);
		assert_memory_equal(all, text, len);
		assert_int_equal(all[len], '\0');
		free(all);
		if (sizes[i] > 0) { /* one octet more than is allowed */
			assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
			errno = 0;
			assert_null(fd_read_all(fd, sizes[i] - 1, &len));
			assert_int_equal(errno, EFBIG);
		}
		fd_close(&fd);
	}
	free(text);
}

static void
test_read_all_of_no_file(void **state)
{
	int fd = open("/", O_RDONLY | O_CLOEXEC);
	size_t len;

	(void)state;
	assert_null(fd_read_all(fd, 100, &len));
	assert_int_equal(errno, EISDIR);
	fd_close(&fd);
	assert_null(fd_read_all(fd, 100, &len));
	assert_int_equal(errno, EBADF);
}

static void
test_write_all_tells_of_failure(void **state)
{
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	(void)state;
	assert_int_equal(fd_write_all(fd, "x", 1), -1);
	assert_int_equal(errno, ENOSPC);
	fd_close(&fd);
}

static void
test_fault_is_cut_and_keeps_its_kind(void **state)
{
	char large[2000];
	struct fault f = { 0 };

	(void)state;
	memset(large, 'x', sizeof large - 1);
	large[sizeof large - 1] = '\0';
	assert_int_equal(fault_set(&f, FAULT_PERM, "open \"%s\": %s", large, "no"), -1);
	assert_int_equal(f.kind, FAULT_PERM);
	assert_int_equal(strlen(f.text), sizeof f.text - 1);
	assert_int_equal(fault_set(&f, FAULT_AUTH, "%d", 5), -1);
	assert_string_equal(f.text, "5");
	assert_int_equal(fault_set(NULL, FAULT_TEMP, "nobody listens"), -1);
}

static void
test_fault_kinds(void **state)
{
	static const struct {
		int err;
		enum fault_kind kind;
	} cases[] = { { ENOENT, FAULT_GONE }, { ESTALE, FAULT_GONE }, { EACCES, FAULT_PERM },
		{ EPERM, FAULT_PERM }, { ENOTDIR, FAULT_PERM }, { ELOOP, FAULT_PERM },
		{ ENOSPC, FAULT_TEMP }, { EDQUOT, FAULT_TEMP }, { EIO, FAULT_TEMP },
		{ EMFILE, FAULT_TEMP }, { ENOMEM, FAULT_TEMP }, { EROFS, FAULT_TEMP },
		{ 0, FAULT_TEMP } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(fault_kind_of_errno(cases[i].err), cases[i].kind);
}

static void
test_clock_never_goes_back(void **state)
{
	uint64_t before = clock_ms();

	(void)state;
	assert_true(before > 0);
	for (int i = 0; i < 1000; i++) {
		uint64_t t = clock_ms();

		assert_true(t >= before);
		before = t;
	}
}

struct end {
	struct source source; /* first: the poller hands it back */
	int told;
	uint32_t events;
	int poller;
	struct end *victim;
};

static void
on_ready(struct source *s, uint32_t events)
{
	struct end *e = (struct end *)(void *)s;

	e->told++;
	e->events |= events;
	if (e->victim != NULL)
		source_remove(e->poller, &e->victim->source);
}

static void
test_poller_tells(void **state)
{
	int poller = poller_open(), pair[2];
	struct end e = { .source = { .ready = on_ready }, .poller = poller };

	(void)state;
	assert_int_equal(pipe2(pair, O_CLOEXEC | O_NONBLOCK), 0);
	e.source.fd = pair[0];
	assert_int_equal(source_add(poller, &e.source, EPOLLIN), 0);
	assert_int_equal(poller_turn(poller, 0), 0);
	assert_int_equal(e.told, 0);
	assert_int_equal(fd_write_all(pair[1], "x", 1), 0);
	source_want(poller, &e.source, 0); /* nobody wants to know */
	assert_int_equal(poller_turn(poller, 0), 0);
	assert_int_equal(e.told, 0);
	source_want(poller, &e.source, EPOLLIN);
	assert_int_equal(poller_turn(poller, 0), 0);
	assert_int_equal(e.told, 1);
	assert_true((e.events & EPOLLIN) != 0);
	source_want(poller, &e.source, 0);
	fd_close(&pair[1]);
	assert_int_equal(poller_turn(poller, 0), 0); /* hang-ups are always told */
	assert_int_equal(e.told, 2);
	assert_true((e.events & EPOLLHUP) != 0);
	source_remove(poller, &e.source);
	assert_int_equal(e.source.fd, -1);
	assert_int_equal(fcntl(pair[0], F_GETFD), -1);
	source_remove(poller, &e.source);
	source_want(poller, &e.source, EPOLLIN);
	fd_close(&poller);
	assert_int_equal(poller_turn(poller, 0), -1);
}

/* Both are ready in one turn; whichever comes first removes the other one. */
static void
test_poller_does_not_tell_the_removed(void **state)
{
	int poller = poller_open(), a[2], b[2];
	struct end x = { .source = { .ready = on_ready }, .poller = poller };
	struct end y = { .source = { .ready = on_ready }, .poller = poller, .victim = &x };

	(void)state;
	x.victim = &y;
	assert_int_equal(pipe2(a, O_CLOEXEC), 0);
	assert_int_equal(pipe2(b, O_CLOEXEC), 0);
	x.source.fd = a[0];
	y.source.fd = b[0];
	assert_int_equal(source_add(poller, &x.source, EPOLLIN), 0);
	assert_int_equal(source_add(poller, &y.source, EPOLLIN), 0);
	assert_int_equal(fd_write_all(a[1], "x", 1), 0);
	assert_int_equal(fd_write_all(b[1], "x", 1), 0);
	assert_int_equal(poller_turn(poller, 0), 0);
	assert_int_equal(x.told + y.told, 1);
	source_remove(poller, &x.source);
	source_remove(poller, &y.source);
	fd_close(&a[1]);
	fd_close(&b[1]);
	fd_close(&poller);
}

static void
on_ready_mute(struct source *s, uint32_t events)
{
	struct end *e = (struct end *)(void *)s;

	(void)events;
	e->told++;
	source_mute(e->poller, &e->victim->source);
}

/* Also not in the turn that mutes it; and it can be removed, and used again, as any other. */
static void
test_poller_does_not_tell_the_muted(void **state)
{
	int poller = poller_open(), a[2], b[2];
	struct end x = { .source = { .ready = on_ready_mute }, .poller = poller };
	struct end y = { .source = { .ready = on_ready_mute }, .poller = poller, .victim = &x };

	(void)state;
	x.victim = &y;
	assert_int_equal(pipe2(a, O_CLOEXEC), 0);
	assert_int_equal(pipe2(b, O_CLOEXEC), 0);
	x.source.fd = a[0];
	y.source.fd = b[0];
	assert_int_equal(source_add(poller, &x.source, EPOLLIN), 0);
	assert_int_equal(source_add(poller, &y.source, EPOLLIN), 0);
	assert_int_equal(fd_write_all(a[1], "x", 1), 0);
	assert_int_equal(fd_write_all(b[1], "x", 1), 0);
	assert_int_equal(poller_turn(poller, 0), 0);
	assert_int_equal(x.told + y.told, 1);
	assert_int_equal(poller_turn(poller, 0), 0);
	assert_int_equal(x.told + y.told, 2);
	source_want(poller, x.source.muted ? &x.source : &y.source, EPOLLOUT);
	source_remove(poller, &x.source);
	source_remove(poller, &y.source);
	fd_close(&a[1]);
	fd_close(&b[1]);
	assert_int_equal(pipe2(a, O_CLOEXEC), 0);
	y.source = (struct source){ .ready = on_ready, .fd = a[0], .muted = true };
	y.victim = NULL;
	y.told = 0;
	assert_int_equal(source_add(poller, &y.source, EPOLLIN), 0);
	assert_int_equal(fd_write_all(a[1], "x", 1), 0);
	assert_int_equal(poller_turn(poller, 0), 0);
	assert_int_equal(y.told, 1);
	source_remove(poller, &y.source);
	fd_close(&a[1]);
	fd_close(&poller);
}

/* A descriptor that another process holds open, too, is out of the set all the same. */
static void
test_poller_forgets_what_is_open_elsewhere(void **state)
{
	int poller = poller_open(), pair[2], copy;
	struct end e = { .source = { .ready = on_ready }, .poller = poller };

	(void)state;
	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	copy = fcntl(pair[0], F_DUPFD_CLOEXEC, 0);
	e.source.fd = pair[0];
	assert_int_equal(source_add(poller, &e.source, EPOLLIN), 0);
	assert_int_equal(fd_write_all(pair[1], "x", 1), 0);
	source_remove(poller, &e.source);
	e.source.fd = copy; /* if it were still there, this would be told */
	assert_int_equal(poller_turn(poller, 0), 0);
	assert_int_equal(e.told, 0);
	fd_close(&copy);
	fd_close(&pair[1]);
	fd_close(&poller);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_close_leaves_nothing_behind),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_read_all_of_every_size),
		cmocka_unit_test(test_read_all_of_no_file),
		cmocka_unit_test(test_write_all_tells_of_failure),
		cmocka_unit_test(test_fault_is_cut_and_keeps_its_kind),
		cmocka_unit_test(test_fault_kinds),
		cmocka_unit_test(test_clock_never_goes_back),
		cmocka_unit_test(test_poller_tells),
		cmocka_unit_test(test_poller_does_not_tell_the_removed),
		cmocka_unit_test(test_poller_does_not_tell_the_muted),
		cmocka_unit_test(test_poller_forgets_what_is_open_elsewhere),
	};

	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
