/*
 * The lock of a Maildir: one session at a time, whatever ends it, on file systems of every kind.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "maildir_fixture.h"

static const struct store_ops *const store = &store_maildir;

/* Holds: P1939-33 */
static void
a_maildrop_is_open_once(void **state)
{
	struct drop *d = must_open(), *other;
	struct fault f;

	(void)state;
	must_not_open(FAULT_IN_USE);
	must_not_open(FAULT_IN_USE);
	assert_int_equal(symlinkat("m", root, "alias"), 0);
	assert_int_equal(store->open(root, "alias", &other, &f), -1); /* the folder, not its name */
	assert_int_equal(f.kind, FAULT_IN_USE);
	store->close(d);
	d = must_open();
	store->close(d);
}

/* A process that has the maildrop open until told to end. */
static pid_t
other_process(int pipes[4])
{
	struct drop *d;
	struct fault f;
	pid_t pid;
	char c;

	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	assert_int_equal(pipe2(pipes + 2, O_CLOEXEC), 0);
	pid = fork();
	assert_int_not_equal(pid, -1);
	if (pid == 0) {
		if (store->open(root, "m", &d, &f) == -1 || write(pipes[1], "x", 1) != 1)
			_exit(1);
		_exit(read(pipes[2], &c, 1) == -1 ? 1 : 0);
	}
	assert_int_equal(read(pipes[0], &c, 1), 1);
	return pid;
}

static void
check_other_process(void)
{
	int pipes[4], status;
	pid_t pid = other_process(pipes);
	struct drop *d;

	must_not_open(FAULT_IN_USE);
	assert_int_equal(kill(pid, SIGKILL), 0); /* whatever ends it frees the lock */
	assert_int_equal(waitpid(pid, &status, 0), pid);
	d = must_open();
	store->close(d);
	for (int i = 0; i < 4; i++)
		(void)close(pipes[i]);
}

/* Holds: P1939-33 P1939-93 */
static void
another_process_holds_the_lock_until_it_ends(void **state)
{
	(void)state;
	check_other_process();
	assert_false(exists("m/restante.lock"));
}

/* Holds: P1939-35 */
static void
a_failed_opening_leaves_no_lock(void **state)
{
	struct drop *d;

	(void)state;
	assert_int_equal(unlinkat(root, "m/cur", AT_REMOVEDIR), 0);
	put_text("m/cur", "a file\n");
	must_not_open(FAULT_PERM);
	remove_file("m/cur");
	d = must_open();
	store->close(d);
}

/* Holds: P1939-33 */
static void
where_folders_cannot_be_locked_a_file_is(void **state)
{
	static const int refusals[] = { EBADF, ENOLCK, EOPNOTSUPP, EINVAL };

	(void)state;
	for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
		struct drop *d;

		trouble.flock_errno = refusals[i];
		d = must_open();
		assert_true(exists("m/restante.lock"));
		must_not_open(FAULT_IN_USE);
		store->close(d);
		check_other_process();
		remove_file("m/restante.lock");
	}
	trouble.flock_errno = EIO;
	must_not_open(FAULT_TEMP);
	assert_false(exists("m/restante.lock"));
}

/* Holds: P1939-33 */
static void
where_folders_are_locked_for_one_machine_a_file_is(void **state)
{
	static const long systems[] = { NFS_SUPER_MAGIC, CIFS_SUPER_MAGIC, SMB2_SUPER_MAGIC,
		SMB_SUPER_MAGIC, FUSE_SUPER_MAGIC, AFS_SUPER_MAGIC, AFS_FS_MAGIC, CODA_SUPER_MAGIC,
		V9FS_MAGIC };

	(void)state;
	for (size_t i = 0; i < sizeof systems / sizeof *systems; i++) {
		trouble.file_system = systems[i];
		check_other_process();
		assert_true(exists("m/restante.lock"));
		remove_file("m/restante.lock");
	}
	trouble.file_system = EXT4_SUPER_MAGIC;
	check_other_process();
	assert_false(exists("m/restante.lock"));
}

static void
a_lock_file_that_is_a_link_is_not_followed(void **state)
{
	(void)state;
	trouble.file_system = NFS_SUPER_MAGIC;
	assert_int_equal(symlinkat("../elsewhere", root, "m/restante.lock"), 0);
	must_not_open(FAULT_PERM);
	assert_false(exists("elsewhere"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, maildir_setup, maildir_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_maildrop_is_open_once),
		TEST(another_process_holds_the_lock_until_it_ends),
		TEST(a_failed_opening_leaves_no_lock),
		TEST(where_folders_cannot_be_locked_a_file_is),
		TEST(where_folders_are_locked_for_one_machine_a_file_is),
		TEST(a_lock_file_that_is_a_link_is_not_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
