/*
 * Each sandboxed role, tried from inside for what it must not do.  Every attempt runs in a child
 * that enters the sandbox as the real process does; its exit status says what happened.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fault.h"
#include "sandbox/sandbox.h"

static char folder[] = "/tmp/restante-sandbox-test-XXXXXX";
static pid_t tester;

/* An attempt: true when it was refused. */
static bool
open_passwd(void)
{
	return open("/etc/passwd", O_RDONLY | O_CLOEXEC) == -1;
}

static bool
make_file(void)
{
	return open("/tmp/restante-sandbox-escape", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) == -1;
}

static bool
make_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0) == -1 && socket(AF_UNIX, SOCK_STREAM, 0) == -1 &&
	       socket(AF_NETLINK, SOCK_RAW, 0) == -1;
}

static bool
run_program(void)
{
	char *argv[] = { (char[]){ "true" }, NULL };

	(void)execv("/bin/true", argv);
	return true;
}

static bool
make_process(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid == -1;
}

static bool
signal_somebody(void)
{
	return kill(tester, SIGCONT) == -1;
}

static bool
trace_somebody(void)
{
	return ptrace(PTRACE_ATTACH, tester, NULL, NULL) == -1;
}

static bool
map_code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	       MAP_FAILED;
}

static bool
become_root(void)
{
	return setuid(0) == -1 || getuid() != 0;
}

static bool
leave_root(void)
{
	return chroot("/") == -1 && syscall(SYS_unshare, 0x10000000) == -1 &&
	       syscall(SYS_mount, "none", "/tmp", "tmpfs", 0, NULL) == -1;
}

static void *
nothing(void *arg)
{
	return arg;
}

/* Returns true when a thread could NOT be made. */
static bool
make_thread(void)
{
	pthread_t t;

	if (pthread_create(&t, NULL, nothing, NULL) != 0)
		return true;
	(void)pthread_join(t, NULL);
	return false;
}

static bool
use_mail(void)
{
	int dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = openat(dir, "new", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	return dir == -1 || fd == -1 || write(fd, "x", 1) != 1 || fsync(fd) == -1 ||
	       unlinkat(dir, "new", 0) == -1;
}

static bool
run_mail(void)
{
	int dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char *argv[] = { (char[]){ "x" }, NULL };

	(void)syscall(SYS_execveat, dir, "program", argv, NULL, 0);
	return true;
}

enum { REFUSED = 10, DONE = 11, NO_SANDBOX = 12 };

static int
enter(enum sandbox_role role)
{
	struct fault f;
	int root = role == SANDBOX_MAILDROP ? open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;

	if (sandbox_start(&f) == -1)
		return -1;
	if (geteuid() == 0) {
		if (role == SANDBOX_LOGIN && sandbox_empty_root(&f) == -1)
			return -1;
		if (sandbox_become(61999, 61999, NULL, &f) == -1)
			return -1;
	}
	return sandbox_landlock(root, &f) == -1 || sandbox_seccomp(role, &f) == -1 ? -1 : 0;
}

static int
try(enum sandbox_role role, bool (*attempt)(void))
{
	int status = 0;
	pid_t pid = fork();

	assert_int_not_equal(pid, -1);
	if (pid == 0) {
		if (enter(role) == -1)
			_exit(NO_SANDBOX);
		_exit(attempt() ? REFUSED : DONE);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static const enum sandbox_role roles[] = { SANDBOX_LOGIN, SANDBOX_AUTH, SANDBOX_MAILDROP };

static void
nothing_forbidden_is_done(void **state)
{
	static bool (*const attempts[])(void) = { open_passwd, make_file, make_socket, run_program,
		make_process, signal_somebody, trace_somebody, map_code, become_root, leave_root };

	(void)state;
	for (size_t r = 0; r < sizeof roles / sizeof *roles; r++)
		for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++)
			assert_int_equal(try(roles[r], attempts[i]), REFUSED);
}

/* A test that everything is refused would also pass in a broken process: the same attempts, each
 * without a sandbox, are done. */
static void
without_a_sandbox_they_would_be(void **state)
{
	(void)state;
	assert_false(open_passwd());
	assert_false(make_socket());
	assert_false(make_process());
	assert_false(signal_somebody());
	assert_false(map_code());
}

static void
mail_can_be_used_by_maildrop_alone(void **state)
{
	(void)state;
	assert_int_equal(try(SANDBOX_MAILDROP, use_mail), DONE);
	assert_int_equal(try(SANDBOX_LOGIN, use_mail), REFUSED);
	assert_int_equal(try(SANDBOX_AUTH, use_mail), REFUSED);
	assert_int_equal(try(SANDBOX_MAILDROP, run_mail), REFUSED);
}

static void
threads_for_those_who_need_them(void **state)
{
	(void)state;
	assert_int_equal(try(SANDBOX_AUTH, make_thread), DONE);
	assert_int_equal(try(SANDBOX_MAILDROP, make_thread), DONE);
	assert_int_equal(try(SANDBOX_LOGIN, make_thread), REFUSED);
}

static int
setup(void **state)
{
	char path[128];
	int fd;

	(void)state;
	tester = getpid();
	if (mkdtemp(folder) == NULL || chmod(folder, 0777) == -1)
		return -1;
	(void)snprintf(path, sizeof path, "%s/program", folder);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	if (fd == -1 || write(fd, "#!/bin/true\n", 12) != 12 || close(fd) == -1)
		return -1;
	return 0;
}

static int
teardown(void **state)
{
	char path[128];

	(void)state;
	(void)snprintf(path, sizeof path, "%s/program", folder);
	return unlink(path) == -1 || rmdir(folder) == -1 ? -1 : 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_sandbox_they_would_be),
		cmocka_unit_test(nothing_forbidden_is_done),
		cmocka_unit_test(mail_can_be_used_by_maildrop_alone),
		cmocka_unit_test(threads_for_those_who_need_them),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
