/* The channels between our processes: what is written is what is read, and nothing else is. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "ipc/auth_maildrop.h"
#include "ipc/channel.h"
#include "ipc/login_auth.h"
#include "ipc/pam_check.h"
#include "ipc/setup.h"

static struct ipc_bytes
bytes(const char *s)
{
	return (struct ipc_bytes){ (const uint8_t *)s, strlen(s) };
}

#define assert_bytes(b, text)                                         \
	do {                                                          \
		assert_int_equal((b).len, strlen(text));              \
		if ((b).len > 0)                                      \
			assert_memory_equal((b).data, text, (b).len); \
	} while (0)

static struct la_start
sample(void)
{
	return (struct la_start){ .id = 0x0102030405060708,
		.kind = LA_PASS,
		.secure = true,
		.lang = 2,
		.utf8 = true,
		.address = "192.0.2.1",
		.tls = "TLSv1.3 X",
		.user = bytes("joe"),
		.secret = bytes(" pass word "),
		.has_data = true,
		.data = bytes("d"),
		.exporter = bytes("e"),
		.unique = bytes(""),
		.early = bytes("STAT\r\n") };
}

static void
start_comes_back_whole(void **state)
{
	struct la_start in = sample(), out;
	uint8_t mem[1024];
	struct ipc_writer w;
	struct ipc_reader r;

	(void)state;
	ipc_writer_init(&w, mem, sizeof mem);
	la_start_encode(&w, &in);
	assert_false(w.failed);
	assert_int_equal(mem[0], LA_START);
	ipc_reader_init(&r, mem + 1, w.len - 1);
	assert_true(la_start_decode(&r, &out));
	assert_true(
	    out.id == in.id && out.kind == LA_PASS && out.secure && !out.loopback && out.utf8);
	assert_int_equal(out.lang, 2);
	assert_string_equal(out.address, "192.0.2.1");
	assert_string_equal(out.tls, "TLSv1.3 X");
	assert_bytes(out.user, "joe");
	assert_bytes(out.secret, " pass word ");
	assert_bytes(out.data, "d");
	assert_bytes(out.exporter, "e");
	assert_bytes(out.unique, "");
	assert_bytes(out.early, "STAT\r\n");
}

/* Cut anywhere, or with an octet too many, it is refused; and it never reads beyond its end
 * (the copy is of exact size, for the address sanitizer's eyes). */
static void
start_cut_anywhere_is_refused(void **state)
{
	struct la_start in = sample(), out;
	uint8_t mem[1024];
	struct ipc_writer w;

	(void)state;
	ipc_writer_init(&w, mem, sizeof mem);
	la_start_encode(&w, &in);
	for (size_t len = 0; len < w.len - 1; len++) {
		uint8_t *exact = malloc(len + 1);
		struct ipc_reader r;

		assert_non_null(exact);
		memcpy(exact, mem + 1, len);
		ipc_reader_init(&r, exact, len);
		assert_false(la_start_decode(&r, &out));
		free(exact);
	}
	mem[w.len] = 0;
	{
		struct ipc_reader r;

		ipc_reader_init(&r, mem + 1, w.len);
		assert_false(la_start_decode(&r, &out));
	}
}

/* A field whose length claims more than its ceiling or the packet is refused. */
static void
start_with_any_octet_changed_stays_inside(void **state)
{
	struct la_start in = sample(), out;
	uint8_t mem[1024];
	struct ipc_writer w;

	(void)state;
	ipc_writer_init(&w, mem, sizeof mem);
	la_start_encode(&w, &in);
	for (size_t at = 1; at < w.len; at++) {
		for (int v = 0; v < 256; v += 15) {
			uint8_t *copy = malloc(w.len - 1);
			struct ipc_reader r;

			assert_non_null(copy);
			memcpy(copy, mem + 1, w.len - 1);
			copy[at - 1] = (uint8_t)v;
			ipc_reader_init(&r, copy, w.len - 1);
			if (la_start_decode(&r, &out)) {
				assert_true(out.user.len <= LA_USER_MAX);
				assert_true(out.kind >= LA_PASS && out.kind <= LA_SASL);
				assert_true(strlen(out.address) < sizeof out.address);
			}
			free(copy);
		}
	}
}

static void
writer_that_is_full_fails_and_stays_so(void **state)
{
	uint8_t mem[8];
	struct ipc_writer w;

	(void)state;
	ipc_writer_init(&w, mem, sizeof mem);
	ipc_put_u64(&w, 1);
	assert_false(w.failed);
	ipc_put_u8(&w, 1);
	assert_true(w.failed);
	ipc_put_bytes(&w, "", 0);
	assert_true(w.failed);
	assert_int_equal(w.len, 8);
}

static void
string_with_a_nul_inside_fails(void **state)
{
	uint8_t mem[64];
	char out[8];
	struct ipc_writer w;
	struct ipc_reader r;

	(void)state;
	ipc_writer_init(&w, mem, sizeof mem);
	ipc_put_bytes(&w, "a\0b", 3);
	ipc_reader_init(&r, mem, w.len);
	ipc_get_string(&r, out, sizeof out);
	assert_true(r.failed);
	assert_string_equal(out, "");
	/* exactly as long as it may be, and one longer */
	ipc_writer_init(&w, mem, sizeof mem);
	ipc_put_string(&w, "1234567");
	ipc_put_string(&w, "12345678");
	ipc_reader_init(&r, mem, w.len);
	ipc_get_string(&r, out, sizeof out);
	assert_string_equal(out, "1234567");
	assert_false(r.failed);
	ipc_get_string(&r, out, sizeof out);
	assert_true(r.failed);
}

static void
replies_and_reports_come_back(void **state)
{
	struct la_reply reply = { .id = 7, .failure = LA_FAIL_DELAY, .data = bytes("ch") }, back;
	struct am_handoff h = { .id = 9,
		.lang = 1,
		.utf8 = true,
		.login_delay = 60,
		.expire = -1,
		.user = "joe",
		.path = "example.org/joe/Maildir",
		.address = "::1",
		.tls = "",
		.mech = "PASS",
		.early = bytes("QUIT\r\n") },
			  h2;
	uint64_t id;
	uint8_t mem[4096];
	struct ipc_writer w;
	struct ipc_reader r;

	(void)state;
	for (int type = LA_CONTINUE; type <= LA_DONE; type++) {
		ipc_writer_init(&w, mem, sizeof mem);
		la_reply_encode(&w, (enum login_auth_type)type, &reply);
		ipc_reader_init(&r, mem + 1, w.len - 1);
		assert_true(la_reply_decode(&r, (enum login_auth_type)type, &back));
		assert_int_equal(back.id, 7);
		if (type == LA_FAILED)
			assert_int_equal(back.failure, LA_FAIL_DELAY);
		if (type == LA_CONTINUE)
			assert_bytes(back.data, "ch");
	}
	ipc_writer_init(&w, mem, sizeof mem);
	am_handoff_encode(&w, &h);
	ipc_reader_init(&r, mem + 1, w.len - 1);
	assert_true(am_handoff_decode(&r, &h2));
	assert_string_equal(h2.path, h.path);
	assert_int_equal(h2.expire, -1);
	assert_bytes(h2.early, "QUIT\r\n");
	ipc_writer_init(&w, mem, sizeof mem);
	am_report_encode(&w, AM_ENDED, 9);
	ipc_reader_init(&r, mem + 1, w.len - 1);
	assert_true(am_report_decode(&r, &id));
	assert_int_equal(id, 9);
}

static void
setups_come_back(void **state)
{
	static struct auth_setup a, a2;
	static struct login_setup l, l2;
	static struct maildrop_setup m, m2;
	static uint8_t mem[8192];
	struct ipc_writer w;
	struct ipc_reader r;

	(void)state;
	a = (struct auth_setup){ .have_accounts = true,
		.accounts = "/etc/x",
		.mail_uid = 5000,
		.expire = -1,
		.can_switch = true,
		.maildrop = "/var/vmail/%d/%n" };
	ipc_writer_init(&w, mem, sizeof mem);
	auth_setup_encode(&w, SU_AUTH, &a);
	ipc_reader_init(&r, mem + 1, w.len - 1);
	assert_true(auth_setup_decode(&r, &a2));
	assert_memory_equal(&a, &a2, sizeof a);
	l = (struct login_setup){ .hostname = "h",
		.login_timeout = 3,
		.counter_row = 2,
		.run_gid = 9,
		.counter_key = { 1, 2, 3 } };
	ipc_writer_init(&w, mem, sizeof mem);
	login_setup_encode(&w, &l);
	ipc_reader_init(&r, mem + 1, w.len - 1);
	assert_true(login_setup_decode(&r, &l2));
	assert_memory_equal(&l, &l2, sizeof l);
	m = (struct maildrop_setup){ .uid = 1, .root = "/r", .user = "joe", .max_threads = 8 };
	ipc_writer_init(&w, mem, sizeof mem);
	maildrop_setup_encode(&w, &m);
	ipc_reader_init(&r, mem + 1, w.len - 1);
	assert_true(maildrop_setup_decode(&r, &m2));
	assert_memory_equal(&m, &m2, sizeof m);
}

static void
pam_messages_come_back(void **state)
{
	struct pc_check c = { .id = 1, .user = "joe", .address = "::1", .secret = bytes("x y") },
			c2;
	struct pc_result p = { .id = 1,
		.verdict = PC_OK,
		.uid = 1000,
		.gid = 100,
		.user = "joe",
		.home = "/home/joe" },
			 p2;
	uint8_t mem[4096];
	struct ipc_writer w;
	struct ipc_reader r;

	(void)state;
	ipc_writer_init(&w, mem, sizeof mem);
	pc_check_encode(&w, &c);
	ipc_reader_init(&r, mem + 1, w.len - 1);
	assert_true(pc_check_decode(&r, &c2));
	assert_bytes(c2.secret, "x y");
	ipc_writer_init(&w, mem, sizeof mem);
	pc_result_encode(&w, &p);
	ipc_reader_init(&r, mem + 1, w.len - 1);
	assert_true(pc_result_decode(&r, &p2));
	assert_string_equal(p2.home, "/home/joe");
	mem[9] = 99; /* a verdict that there is not */
	ipc_reader_init(&r, mem + 1, w.len - 1);
	assert_false(pc_result_decode(&r, &p2));
}

static int
count_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		if (fcntl(fd, F_GETFD) != -1)
			n++;
	return n;
}

static void
channel_carries_packets_and_descriptors(void **state)
{
	int pair[2], fds[CHANNEL_FDS], before = count_fds(), null;
	char buf[64];

	(void)state;
	assert_int_equal(channel_pair(pair), 0);
	assert_int_equal(channel_recv(pair[1], buf, sizeof buf, fds), -1);
	assert_int_equal(errno, EAGAIN);
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(channel_send(pair[0], "one", 3, &null, 1), 0);
	assert_int_equal(channel_send(pair[0], "two", 3, NULL, 0), 0);
	assert_int_equal(channel_recv(pair[1], buf, sizeof buf, fds), 3);
	assert_memory_equal(buf, "one", 3);
	assert_int_not_equal(fds[0], -1);
	assert_int_equal(fds[1], -1);
	assert_true((fcntl(fds[0], F_GETFD) & FD_CLOEXEC) != 0);
	fd_close(&fds[0]);
	assert_int_equal(channel_recv(pair[1], buf, sizeof buf, fds), 3);
	assert_memory_equal(buf, "two", 3);
	assert_int_equal(fds[0], -1);
	/* too long for the reader: refused, and the descriptor does not stay */
	assert_int_equal(channel_send(pair[0], "0123456789", 10, &null, 1), 0);
	assert_int_equal(channel_recv(pair[1], buf, 4, fds), -1);
	assert_int_equal(errno, EMSGSIZE);
	fd_close(&pair[0]);
	assert_int_equal(channel_recv(pair[1], buf, sizeof buf, fds), 0);
	assert_int_equal(channel_send(pair[1], "x", 1, NULL, 0), -1);
	assert_int_equal(errno, EPIPE);
	fd_close(&pair[1]);
	fd_close(&null);
	assert_int_equal(count_fds(), before);
}

/* A peer that sends more descriptors than there is room for fills nobody's table. */
static void
surplus_descriptors_are_closed(void **state)
{
	union {
		char space[CMSG_SPACE(sizeof(int) * 20)];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov = { .iov_base = (char[]){ "x" }, .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control };
	int pair[2], fds[CHANNEL_FDS], before = count_fds();
	char buf[8];

	(void)state;
	assert_int_equal(channel_pair(pair), 0);
	for (size_t n = 3; n <= 20; n += 17) {
		struct cmsghdr *c;

		msg.msg_controllen = CMSG_SPACE(sizeof(int) * n);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * n);
		for (size_t i = 0; i < n; i++)
			memcpy(CMSG_DATA(c) + i * sizeof(int), &(int){ 0 }, sizeof(int));
		assert_int_equal(sendmsg(pair[0], &msg, 0), 1);
		if (channel_recv(pair[1], buf, sizeof buf, fds) > 0)
			for (int i = 0; i < CHANNEL_FDS; i++)
				fd_close(&fds[i]);
		assert_int_equal(count_fds(), before + 2);
	}
	fd_close(&pair[0]);
	fd_close(&pair[1]);
}

static void
longest_packet_passes(void **state)
{
	uint8_t *p = calloc(1, CHANNEL_MAX + 1);
	int pair[2], fds[CHANNEL_FDS];

	(void)state;
	assert_non_null(p);
	assert_int_equal(channel_pair(pair), 0);
	assert_int_equal(channel_send(pair[0], p, CHANNEL_MAX, NULL, 0), 0);
	assert_int_equal(channel_recv(pair[1], p, CHANNEL_MAX, fds), CHANNEL_MAX);
	assert_int_equal(channel_send(pair[0], p, CHANNEL_MAX + 1, NULL, 0), -1);
	assert_int_equal(errno, EMSGSIZE);
	fd_close(&pair[0]);
	fd_close(&pair[1]);
	free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(start_comes_back_whole),
		cmocka_unit_test(start_cut_anywhere_is_refused),
		cmocka_unit_test(start_with_any_octet_changed_stays_inside),
		cmocka_unit_test(writer_that_is_full_fails_and_stays_so),
		cmocka_unit_test(string_with_a_nul_inside_fails),
		cmocka_unit_test(replies_and_reports_come_back),
		cmocka_unit_test(setups_come_back),
		cmocka_unit_test(pam_messages_come_back),
		cmocka_unit_test(channel_carries_packets_and_descriptors),
		cmocka_unit_test(surplus_descriptors_are_closed),
		cmocka_unit_test(longest_packet_passes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
