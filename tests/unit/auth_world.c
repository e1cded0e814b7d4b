#include "auth_world.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"

struct world world;
uint8_t packet[CHANNEL_MAX];
int came_fd = -1;

struct ipc_bytes
bytes(const char *s)
{
	return (struct ipc_bytes){ (const uint8_t *)s, strlen(s) };
}

void
send_writer(int ch, const struct ipc_writer *w, int fd)
{
	assert_false(w->failed);
	assert_int_equal(channel_send(ch, w->data, w->len, &fd, fd == -1 ? 0 : 1), 0);
}

/* The length of the next message, 0 for the end. */
size_t
receive(int ch)
{
	struct pollfd p = { .fd = ch, .events = POLLIN };
	int fds[CHANNEL_FDS];
	ssize_t n;

	fd_close(&came_fd);
	assert_int_equal(poll(&p, 1, 60000), 1);
	n = channel_recv(ch, packet, sizeof packet, fds);
	if (n == -1 && errno == ECONNRESET)
		n = 0;
	assert_true(n >= 0);
	came_fd = fds[0];
	return (size_t)n;
}

void
send_accounts(const char *text)
{
	int fd = memfd_create("accounts", MFD_CLOEXEC);
	uint8_t type = SU_ACCOUNTS;

	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(channel_send(world.supervisor, &type, 1, &fd, 1), 0);
	fd_close(&fd);
}

/* Gives auth the other end of a new channel. */
int
introduce(uint8_t role, uint64_t id)
{
	struct peer_setup m = { .role = role, .id = id };
	uint8_t mem[64];
	struct ipc_writer w;
	int pair[2];

	assert_int_equal(channel_pair(pair), 0);
	ipc_writer_init(&w, mem, sizeof mem);
	peer_setup_encode(&w, SU_PEER, &m);
	send_writer(world.supervisor, &w, pair[1]);
	fd_close(&pair[1]);
	return pair[0];
}

struct auth_setup
usual(void)
{
	return (struct auth_setup){ .log = { .target = 0, .level = 2 },
		.have_accounts = true,
		.accounts = "/nonexistent",
		.default_scheme = "PLAIN",
		.hostname = "mail.example.org",
		.apop = true,
		.plaintext = 2,
		.mechanisms = "SCRAM-SHA-256-PLUS SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN",
		.maildrop = "/var/vmail/%u",
		.mail_uid = UINT32_MAX,
		.mail_gid = UINT32_MAX,
		.expire = -1,
		.max_sessions_per_user = 3 };
}

static void
child(int channel, int log, rlim_t descriptors)
{
	struct rlimit r = { descriptors, descriptors };
	char *argv[] = { (char *)(uintptr_t)world.program, NULL };

	if (descriptors > 0 && setrlimit(RLIMIT_NOFILE, &r) == -1)
		_exit(1);
	if (dup2(log, STDERR_FILENO) == -1 || dup2(channel, 10) == -1 ||
	    dup2(10, CHILD_CHANNEL) == -1 || close(10) == -1)
		_exit(1);
	(void)execv(world.program, argv);
	_exit(1);
}

void
start(const struct auth_setup *setup, const char *accounts, rlim_t descriptors)
{
	static uint8_t mem[8192];
	int pair[2], log[2];
	uint8_t type = SU_START;
	struct ipc_writer w;

	assert_int_equal(channel_pair(pair), 0);
	assert_int_equal(pipe(log), 0);
	world = (struct world){
		.program = world.program, .supervisor = pair[0], .pam = -1, .log = log[0]
	};
	world.pid = fork();
	if (world.pid == 0)
		child(pair[1], log[1], descriptors);
	fd_close(&pair[1]);
	fd_close(&log[1]);
	ipc_writer_init(&w, mem, sizeof mem);
	auth_setup_encode(&w, SU_AUTH, setup);
	send_writer(world.supervisor, &w, -1);
	if (setup->have_accounts)
		send_accounts(accounts);
	if (setup->pam)
		world.pam = introduce(PEER_PAM, 0);
	world.login = introduce(PEER_LOGIN, 1);
	assert_int_equal(channel_send(world.supervisor, &type, 1, NULL, 0), 0);
	assert_int_equal(receive(world.supervisor), 1);
	assert_int_equal(packet[0], SU_READY);
}

/* Reads some more of the log; false: it is at its end. */
bool
read_log(void)
{
	ssize_t n =
	    read(world.log, world.said + world.said_len, sizeof world.said - 1 - world.said_len);

	if (n <= 0)
		return false;
	world.said_len += (size_t)n;
	world.said[world.said_len] = '\0';
	return true;
}

void
await_log(const char *text)
{
	while (strstr(world.said, text) == NULL)
		assert_true(read_log());
}

/* Ends it; what it has logged is in world.said. */
void
stop(void)
{
	int status;

	fd_close(&world.supervisor);
	while (read_log())
		;
	assert_int_equal(waitpid(world.pid, &status, 0), world.pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail_msg("ended with %x:\n%s", (unsigned)status, world.said);
	fd_close(&world.login);
	fd_close(&world.pam);
	fd_close(&world.log);
	fd_close(&came_fd);
}

void
say_start_on(int ch, struct la_start m)
{
	static uint8_t mem[CHANNEL_MAX];
	struct ipc_writer w;
	int pair[2];

	if (m.address[0] == '\0')
		memcpy(m.address, "192.0.2.1", 10);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	ipc_writer_init(&w, mem, sizeof mem);
	la_start_encode(&w, &m);
	send_writer(ch, &w, pair[1]);
	fd_close(&pair[0]);
	fd_close(&pair[1]);
}

void
say_start(struct la_start m)
{
	say_start_on(world.login, m);
}

void
say_pass(uint64_t id, const char *user, const char *secret)
{
	say_start((struct la_start){
	    .id = id, .kind = LA_PASS, .user = bytes(user), .secret = bytes(secret) });
}

void
say_sasl(uint64_t id, const char *mechanism, const char *initial)
{
	say_start((struct la_start){ .id = id,
	    .kind = LA_SASL,
	    .user = bytes(mechanism),
	    .has_data = initial != NULL,
	    .data = bytes(initial == NULL ? "" : initial) });
}

void
say_step(uint64_t id, struct ipc_bytes data)
{
	struct la_step m = { .id = id, .data = data, .early = bytes("STAT\r\n") };
	uint8_t mem[2048];
	struct ipc_writer w;

	ipc_writer_init(&w, mem, sizeof mem);
	la_step_encode(&w, &m);
	send_writer(world.login, &w, -1);
}

void
say_cancel(uint64_t id)
{
	uint8_t mem[16];
	struct ipc_writer w;

	ipc_writer_init(&w, mem, sizeof mem);
	la_cancel_encode(&w, id);
	send_writer(world.login, &w, -1);
}

struct la_reply
expect_reply(enum login_auth_type type, uint64_t id)
{
	size_t n = receive(world.login);
	struct ipc_reader r;
	struct la_reply m;

	assert_true(n > 0);
	assert_int_equal(packet[0], type);
	ipc_reader_init(&r, packet + 1, n - 1);
	assert_true(la_reply_decode(&r, type, &m));
	assert_int_equal(m.id, id);
	return m;
}

void
expect_failed(uint64_t id, enum la_failure why)
{
	assert_int_equal(expect_reply(LA_FAILED, id).failure, why);
}

void
expect_challenge(uint64_t id, char out[512])
{
	struct la_reply m = expect_reply(LA_CONTINUE, id);

	assert_true(m.data.len < 512);
	if (m.data.len > 0)
		memcpy(out, m.data.data, m.data.len);
	out[m.data.len] = '\0';
}

struct want_maildrop
expect_want(void)
{
	size_t n = receive(world.supervisor);
	struct want_maildrop m;
	struct ipc_reader r;

	assert_true(n > 0);
	assert_int_equal(packet[0], SU_WANT_MAILDROP);
	ipc_reader_init(&r, packet + 1, n - 1);
	assert_true(want_maildrop_decode(&r, &m));
	return m;
}

struct am_handoff
expect_handoff(int maildrop)
{
	size_t n = receive(maildrop);
	struct am_handoff m;
	struct ipc_reader r;

	assert_true(n > 0);
	assert_int_equal(packet[0], AM_HANDOFF);
	assert_int_not_equal(came_fd, -1);
	ipc_reader_init(&r, packet + 1, n - 1);
	assert_true(am_handoff_decode(&r, &m));
	return m;
}

void
report(int maildrop, enum auth_maildrop_type type, uint64_t id)
{
	uint8_t mem[16];
	struct ipc_writer w;

	ipc_writer_init(&w, mem, sizeof mem);
	am_report_encode(&w, type, id);
	send_writer(maildrop, &w, -1);
}

void
reload(const struct auth_setup *setup)
{
	static uint8_t mem[8192];
	struct ipc_writer w;
	int other;

	ipc_writer_init(&w, mem, sizeof mem);
	auth_setup_encode(&w, SU_AUTH_RELOAD, setup);
	send_writer(world.supervisor, &w, -1);
	other = introduce(PEER_LOGIN, 2); /* read after that, and so is what it says */
	say_start_on(other, (struct la_start){ .id = 1, .kind = LA_SASL, .user = bytes("NONE") });
	assert_true(receive(other) > 0);
	fd_close(&other);
}
