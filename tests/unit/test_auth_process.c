/* What restante-auth's peers may say to it, and what is made of one that has been taken over. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "auth_world.h"
#include "base/fd.h"
#include "ipc/pam_check.h"
#include "scram.h"

static const char accounts[] = "joe:{PLAIN}secret\n"
			       "ann:{PLAIN}secret::::::login_delay=60 expire=7\n"
			       "IX:{PLAIN}a\n"
			       "I\302\255X:{PLAIN}b\n"
			       "crypt:{CRYPT}$1$KRfFl3ad$EN0CrBIl8N7HLjneb6P.S.\n"
			       "gone:{PLAIN}secret::::::nologin\n";

/* Holds: P1939-33 P2449-21 P1939-43 P3206-03 */
static void
a_right_password_gets_the_connection_to_its_maildrop(void **state)
{
	struct auth_setup setup = usual();
	struct want_maildrop want;
	struct am_handoff h;
	int maildrop;

	(void)state;
	start(&setup, accounts, 0);
	say_pass(1, "joe", "wrong");
	expect_failed(1, LA_FAIL_AUTH);
	say_pass(2, "hunter2", "secret"); /* a password, typed as a name */
	expect_failed(2, LA_FAIL_AUTH);
	say_pass(3, "gone", "secret");
	expect_failed(3, LA_FAIL_AUTH);
	say_start((struct la_start){ .id = 4,
	    .kind = LA_PASS,
	    .lang = 1,
	    .utf8 = true,
	    .tls = "TLSv1.3",
	    .user = bytes("joe"),
	    .secret = bytes("secret"),
	    .early = bytes("LIST\r\n") });
	want = expect_want();
	assert_string_equal(want.root, "/var/vmail");
	assert_int_equal(want.uid, geteuid());
	maildrop = introduce(PEER_MAILDROP, want.id);
	h = expect_handoff(maildrop);
	assert_string_equal(h.user, "joe");
	assert_string_equal(h.path, "joe");
	assert_string_equal(h.mech, "PASS");
	assert_string_equal(h.address, "192.0.2.1");
	assert_string_equal(h.tls, "TLSv1.3");
	assert_true(h.utf8 && h.lang == 1 && h.expire == -1);
	assert_int_equal(h.early.len, 6);
	(void)expect_reply(LA_DONE, 4);
	stop();
	assert_non_null(strstr(
	    world.said, "192.0.2.1, no TLS, by PASS: wrong user name or password (user \"joe\")"));
	assert_null(strstr(world.said, "hunter2"));
	assert_null(strstr(world.said, "secret"));
	fd_close(&maildrop);
}

/* Holds: P5034-16 P5802-17 */
static void
scram_ends_with_an_empty_answer(void **state)
{
	static const struct {
		const char *name, *secret;
		bool right;
	} all[] = { { "joe", "secret", true }, { "joe", "wrong", false },
		{ "nobody", "secret", false }, { "crypt", "correct horse", false },
		{ "gone", "secret", false },
		/* what is proved is what is logged in to: "I(soft hyphen)X" is IX */
		{ "I\302\255X", "a", true }, { "I\302\255X", "b", false } };
	struct auth_setup setup = usual();
	char first[256], answer[512], final[SCRAM_FINAL_MAX];
	int maildrop = -1;

	(void)state;
	start(&setup, accounts, 0);
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		(void)snprintf(first, sizeof first, "n,,n=%s,r=abc", all[i].name);
		say_sasl(i, "SCRAM-SHA-256", first);
		expect_challenge(i, answer);
		scram_final("n,,", NULL, 0, first + 3, answer, all[i].secret, final);
		say_step(i, bytes(final));
		if (!all[i].right) {
			expect_failed(i, LA_FAIL_AUTH);
			continue;
		}
		expect_challenge(i, answer);
		assert_true(strncmp(answer, "v=", 2) == 0);
		say_step(i, bytes(""));
		if (maildrop == -1)
			maildrop = introduce(PEER_MAILDROP, expect_want().id);
		{
			struct am_handoff h = expect_handoff(maildrop);

			assert_string_equal(h.mech, "SCRAM-SHA-256");
			assert_string_equal(h.user, i == 0 ? "joe" : "IX");
			assert_int_equal(h.early.len, 6); /* the last one counts */
		}
		(void)expect_reply(LA_DONE, i);
	}
	/* a client that goes on after the end of the exchange */
	say_sasl(100, "SCRAM-SHA-256", "n,,n=joe,r=abc");
	expect_challenge(100, answer);
	scram_final("n,,", NULL, 0, "n=joe,r=abc", answer, "secret", final);
	say_step(100, bytes(final));
	expect_challenge(100, answer);
	say_step(100, bytes("more"));
	expect_failed(100, LA_FAIL_AUTH);
	fd_close(&maildrop);
	stop();
}

/* Holds: P5802-15 */
static void
scram_does_not_tell_who_is_there(void **state)
{
	static const char *const names[] = { "joe", "crypt", "nobody", "gone" };
	struct auth_setup setup = usual();
	static const char *const mechanisms[] = { "SCRAM-SHA-256", "SCRAM-SHA-1" };
	char first[64], answer[512], salts[8][512];
	uint64_t id = 0;

	(void)state;
	start(&setup, accounts, 0);
	for (size_t i = 0; i < 16; i++) {
		size_t n = i % 8;
		const char *salt;

		(void)snprintf(first, sizeof first, "n,,n=%s,r=abc", names[n / 2]);
		say_sasl(++id, mechanisms[n % 2], first);
		expect_challenge(id, answer);
		salt = strstr(answer, ",s=");
		assert_non_null(salt);
		assert_int_equal(strlen(salt), strlen(",s=AAAAAAAAAAAAAAAAAAAAAA==,i=4096"));
		assert_non_null(strstr(salt, ",i=4096"));
		if (i >= 8)
			assert_string_equal(salt, salts[n]); /* as stable as a true one */
		(void)snprintf(salts[n], sizeof salts[n], "%s", salt);
		for (size_t k = 0; k < n; k++) /* and each name and digest has its own */
			assert_string_not_equal(salts[n], salts[k]);
		say_cancel(id);
	}
	stop();
}

/* Holds: P5034-13 P5034-17 P5034-06 */
static void
mechanisms_are_those_that_are_set(void **state)
{
	struct auth_setup setup = usual();
	char answer[512];

	(void)state;
	start(&setup, accounts, 0);
	say_sasl(1, "", NULL); /* an empty name is in no list, and the search for it ends */
	expect_failed(1, LA_FAIL_AUTH);
	say_sasl(2, "CRAM-MD5", NULL); /* the library has it, the administrator has not */
	expect_failed(2, LA_FAIL_AUTH);
	say_sasl(3, "ANONYMOUS", "x");
	expect_failed(3, LA_FAIL_AUTH);
	say_sasl(4, "SCRAM-SHA", "n,,n=joe,r=abc");
	expect_failed(4, LA_FAIL_AUTH);
	say_sasl(5, "PLAIN LOGIN", NULL); /* not two of them */
	expect_failed(5, LA_FAIL_AUTH);
	say_sasl(6, "LOGIN", "joe");
	expect_failed(6, LA_FAIL_AUTH);
	say_sasl(7, "LOGIN", NULL);
	expect_challenge(7, answer);
	assert_string_equal(answer, "Username:");
	say_step(7, bytes("joe"));
	expect_challenge(7, answer);
	assert_string_equal(answer, "Password:");
	say_step(7, bytes("wrong"));
	expect_failed(7, LA_FAIL_AUTH);
	say_sasl(8, "PLAIN", NULL);
	expect_challenge(8, answer);
	say_step(8, (struct ipc_bytes){ (const uint8_t *)"\0joe\0secret\0", 12 }); /* P4616-01 */
	expect_failed(8, LA_FAIL_AUTH);
	say_sasl(9, "PLAIN", NULL);
	expect_challenge(9, answer);
	say_step(9, (struct ipc_bytes){ (const uint8_t *)"ann\0joe\0secret", 14 });
	expect_failed(9, LA_FAIL_AUTH);
	say_sasl(10, "PLAIN", NULL);
	expect_challenge(10, answer);
	say_step(10, (struct ipc_bytes){ (const uint8_t *)"joe\0joe\0secret", 14 });
	(void)expect_want();
	stop();
}

/* Holds: P1939-50 P1939-51 */
static void
apop_needs_a_password_in_the_clear(void **state)
{
	/* RFC 1939, section 7 */
	static const uint8_t digest[] = { 0xc4, 0xc9, 0x33, 0x4b, 0xac, 0x56, 0x0e, 0xcc, 0x97,
		0x9e, 0x58, 0x00, 0x1b, 0x3e, 0x22, 0xfb };
	struct la_start m = { .kind = LA_APOP,
		.secret = { digest, sizeof digest },
		.has_data = true,
		.data = bytes("<1896.697170952@dbc.mtview.ca.us>") };
	struct auth_setup setup = usual();

	(void)state;
	start(
	    &setup, "mrose:{PLAIN}tanstaaf\nsha:{SHA}x\nlocked:{PLAIN}tanstaaf::::::nologin\n", 0);
	m.id = 1;
	m.user = bytes("sha");
	say_start(m);
	expect_failed(1, LA_FAIL_AUTH);
	m.id = 2;
	m.user = bytes("nobody");
	say_start(m);
	expect_failed(2, LA_FAIL_AUTH);
	m.id = 3;
	m.user = bytes("locked");
	say_start(m);
	expect_failed(3, LA_FAIL_AUTH);
	m.id = 4;
	m.user = bytes("mrose");
	m.data = bytes("<1896.697170952@dbc.mtview.ca.ut>");
	say_start(m);
	expect_failed(4, LA_FAIL_AUTH);
	m.id = 5;
	m.data = bytes("<1896.697170952@dbc.mtview.ca.us>");
	say_start(m);
	(void)expect_want();
	stop();
}

/* Whatever login lets through.  Holds: P8314-05 P2595-13 P5034-21 */
static void
passwords_in_the_clear_need_tls(void **state)
{
	struct auth_setup setup = usual();

	(void)state;
	for (uint8_t plaintext = 0; plaintext < 2; plaintext++) {
		setup.plaintext = plaintext;
		start(&setup, accounts, 0);
		say_pass(1, "joe", "secret");
		expect_failed(1, LA_FAIL_NEED_TLS);
		say_pass(2, "joe", "wrong");
		expect_failed(2, LA_FAIL_NEED_TLS);
		say_sasl(3, "PLAIN", NULL);
		expect_failed(3, LA_FAIL_NEED_TLS);
		say_sasl(4, "LOGIN", NULL);
		expect_failed(4, LA_FAIL_NEED_TLS);
		say_start((struct la_start){ .id = 5,
		    .kind = LA_PASS,
		    .loopback = true,
		    .user = bytes("joe"),
		    .secret = bytes("wrong") });
		expect_failed(5, plaintext == 1 ? LA_FAIL_AUTH : LA_FAIL_NEED_TLS);
		say_start((struct la_start){ .id = 6,
		    .kind = LA_PASS,
		    .secure = true,
		    .user = bytes("joe"),
		    .secret = bytes("secret") });
		(void)expect_want();
		stop();
	}
}

/* Holds: P2449-34 P2449-46 P3206-05 */
static void
users_have_their_delay_and_their_sessions(void **state)
{
	struct auth_setup setup = usual();
	struct am_handoff h;
	uint64_t ids[3];
	int maildrop;

	(void)state;
	start(&setup, accounts, 0);
	say_pass(1, "joe", "secret");
	maildrop = introduce(PEER_MAILDROP, expect_want().id);
	ids[0] = expect_handoff(maildrop).id;
	(void)expect_reply(LA_DONE, 1);
	for (uint64_t id = 2; id < 4; id++) {
		say_pass(id, "joe", "secret");
		ids[id - 1] = expect_handoff(maildrop).id;
		(void)expect_reply(LA_DONE, id);
	}
	assert_true(ids[0] != ids[1] && ids[1] != ids[2]);
	say_pass(4, "joe", "wrong"); /* only who knows the password learns of the sessions */
	expect_failed(4, LA_FAIL_AUTH);
	say_pass(5, "joe", "secret");
	expect_failed(5, LA_FAIL_IN_USE);
	report(maildrop, AM_ENDED, ids[1]);
	report(maildrop, AM_ENDED, ids[1]); /* once is enough */
	report(maildrop, AM_ENDED, 12345);
	report(maildrop, AM_IDLE, 0); /* it is not */
	say_pass(6, "joe", "secret");
	ids[1] = expect_handoff(maildrop).id;
	(void)expect_reply(LA_DONE, 6);
	/* a delay of the account's own, where there is none in general; it counts from the +OK */
	for (uint64_t id = 7; id < 9; id++) {
		say_pass(id, "ann", "secret");
		h = expect_handoff(maildrop);
		assert_int_equal(h.login_delay, 60);
		assert_int_equal(h.expire, 7);
		(void)expect_reply(LA_DONE, id);
		if (id == 8)
			report(maildrop, AM_OPENED, h.id);
		report(maildrop, AM_ENDED, h.id);
	}
	for (int i = 0; i < 3; i++)
		report(maildrop, AM_ENDED, ids[i]);
	report(maildrop, AM_IDLE, 0);
	assert_int_equal(receive(maildrop), 0); /* now it is, and may end */
	say_pass(9, "ann", "secret");
	expect_failed(9, LA_FAIL_DELAY);
	say_pass(10, "joe", "secret"); /* needs a new one */
	(void)expect_want();
	fd_close(&maildrop);
	stop();
}

/* What runs as one user's uid has no say over another's sessions. */
static void
a_maildrop_process_tells_of_its_own_sessions(void **state)
{
	struct auth_setup setup = usual();
	int joes, other;
	uint64_t id;

	(void)state;
	setup.max_sessions_per_user = 1;
	start(
	    &setup, "joe:{PLAIN}secret\nbad:{PLAIN}secret::::::userdb_mail=maildir:/srv/x/m\n", 0);
	say_pass(1, "joe", "secret");
	joes = introduce(PEER_MAILDROP, expect_want().id);
	id = expect_handoff(joes).id;
	(void)expect_reply(LA_DONE, 1);
	say_pass(2, "bad", "secret");
	{
		struct want_maildrop want = expect_want();

		assert_string_equal(want.root, "/srv/x");
		other = introduce(PEER_MAILDROP, want.id);
	}
	(void)expect_handoff(other);
	(void)expect_reply(LA_DONE, 2);
	report(other, AM_ENDED, id);
	await_log("has not got");
	say_pass(3, "joe", "secret");
	expect_failed(3, LA_FAIL_IN_USE);
	fd_close(&joes);
	fd_close(&other);
	stop();
}

static void
maildrop_processes_that_do_not_come(void **state)
{
	struct auth_setup setup = usual();
	struct peer_setup none = { .role = PEER_MAILDROP };
	struct am_handoff h;
	uint8_t mem[64];
	struct ipc_writer w;
	int maildrop;

	(void)state;
	start(&setup, accounts, 0);
	say_pass(1, "joe", "secret");
	none.id = expect_want().id;
	ipc_writer_init(&w, mem, sizeof mem);
	peer_setup_encode(&w, SU_NO_MAILDROP, &none);
	send_writer(world.supervisor, &w, -1);
	expect_failed(1, LA_FAIL_TEMP);
	/* one client goes while it is started; the other one is served */
	say_pass(2, "joe", "secret");
	none.id = expect_want().id;
	say_pass(3, "ann", "secret");
	say_cancel(2);
	say_pass(4, "joe", "wrong"); /* all of that has been read when this is answered */
	expect_failed(4, LA_FAIL_AUTH);
	maildrop = introduce(PEER_MAILDROP, none.id);
	h = expect_handoff(maildrop);
	assert_string_equal(h.user, "ann");
	(void)expect_reply(LA_DONE, 3);
	/* one that crashes takes its sessions with it, and is replaced */
	fd_close(&maildrop);
	say_pass(5, "joe", "wrong");
	expect_failed(5, LA_FAIL_AUTH);
	say_pass(6, "ann", "secret");
	maildrop = introduce(PEER_MAILDROP, expect_want().id);
	(void)expect_handoff(maildrop);
	(void)expect_reply(LA_DONE, 6);
	/* and one that talks nonsense is left alone */
	assert_int_equal(channel_send(maildrop, "\377", 1, NULL, 0), 0);
	assert_int_equal(receive(maildrop), 0);
	fd_close(&maildrop);
	stop();
}

/* A login that has been taken over harms nobody but itself. */
static void
one_login_does_not_stop_another(void **state)
{
	struct auth_setup setup = usual();
	int bad, null = -1;
	struct la_start m = {
		.id = 1, .kind = LA_PASS, .user = bytes("joe"), .secret = bytes("x")
	};
	struct ipc_writer w;
	uint8_t mem[1024];

	(void)state;
	start(&setup, accounts, 0);
	for (int how = 0; how < 6; how++) {
		bad = introduce(PEER_LOGIN, 2);
		ipc_writer_init(&w, mem, sizeof mem);
		if (how == 0) {
			ipc_put_u8(&w, 200); /* no such type */
		} else if (how == 1) {
			la_start_encode(&w, &m); /* without a connection */
		} else if (how == 2) {
			la_start_encode(&w, &m);
			w.len--;
		} else if (how == 3) {
			ipc_put_u8(&w, LA_DONE); /* ours to say */
			ipc_put_u64(&w, 1);
		} else if (how == 4) {
			say_start_on(bad,
			    (struct la_start){ .id = 1, .kind = LA_SASL, .user = bytes("LOGIN") });
			assert_true(receive(bad) > 0);
			la_start_encode(&w, &m); /* the id is taken */
			null = dup(STDERR_FILENO);
		} else {
			ipc_put_u8(&w, LA_CANCEL);
		}
		send_writer(bad, &w, null);
		fd_close(&null);
		assert_int_equal(receive(bad), 0);
		fd_close(&bad);
		say_pass(10, "joe", "wrong");
		expect_failed(10, LA_FAIL_AUTH);
	}
	/* out of turn: that conversation ends, and the channel stays */
	say_step(77, bytes("x"));
	say_cancel(78);
	say_pass(11, "joe", "secret");
	(void)expect_want();
	say_step(11, bytes("x"));
	say_step(11, bytes("x"));
	say_pass(12, "joe", "wrong");
	expect_failed(12, LA_FAIL_AUTH);
	stop();
}

/* Each conversation holds a connection: that those run out ends none that is there. */
static void
conversations_are_bounded(void **state)
{
	struct auth_setup setup = usual();
	unsigned waiting = 0, refused = 0;

	(void)state;
	start(&setup, accounts, 100);
	for (uint64_t id = 0; id < 200; id++) {
		size_t n;

		say_sasl(id, "LOGIN", NULL);
		n = receive(world.login);
		assert_true(n > 0);
		waiting += packet[0] == LA_CONTINUE;
		refused += packet[0] == LA_FAILED;
	}
	assert_int_equal(waiting + refused, 200);
	assert_true(waiting >= 40 && waiting < 90);
	for (uint64_t id = 0; id < waiting; id++)
		say_cancel(id);
	say_pass(1000, "joe", "secret");
	(void)expect_want();
	stop();
}

/* Holds: Q-M11 */
static void
a_failed_address_waits_and_another_does_not(void **state)
{
	struct auth_setup setup = usual();
	struct la_start other = {
		.id = 3, .kind = LA_PASS, .user = bytes("ann"), .secret = bytes("secret")
	};
	int maildrop;

	(void)state;
	setup.failure_delay = 16; /* longer than all of this takes */
	start(&setup, accounts, 0);
	say_pass(1, "joe", "wrong");
	await_log("login failed");
	say_pass(2, "joe", "secret"); /* is not even looked at */
	memcpy(other.address, "192.0.2.2", 10);
	say_start(other);
	maildrop = introduce(PEER_MAILDROP, expect_want().id);
	assert_string_equal(expect_handoff(maildrop).user, "ann");
	(void)expect_reply(LA_DONE, 3);
	fd_close(&maildrop);
	stop();
	assert_null(strstr(strstr(world.said, "login failed") + 1, "login failed"));
}

static void
what_had_to_wait_gets_its_turn(void **state)
{
	struct auth_setup setup = usual();

	(void)state;
	setup.failure_delay = 1;
	start(&setup, accounts, 0);
	say_pass(1, "joe", "wrong");
	await_log("login failed");
	say_pass(2, "joe", "secret");
	say_pass(3, "joe", "secret");
	say_cancel(3);
	expect_failed(1, LA_FAIL_AUTH);
	(void)expect_want();
	stop();
}

static void
take_check(struct pc_check *ret)
{
	size_t n = receive(world.pam);
	struct ipc_reader r;

	assert_true(n > 0);
	assert_int_equal(packet[0], PC_CHECK);
	ipc_reader_init(&r, packet + 1, n - 1);
	assert_true(pc_check_decode(&r, ret));
}

static void
say_result(uint64_t id, enum pc_verdict verdict)
{
	struct pc_result m = { .id = id,
		.verdict = verdict,
		.uid = 1234,
		.gid = 1234,
		.user = "sys",
		.home = "/home/sys" };
	uint8_t mem[2048];
	struct ipc_writer w;

	ipc_writer_init(&w, mem, sizeof mem);
	pc_result_encode(&w, &m);
	send_writer(world.pam, &w, -1);
}

static void
a_reload_changes_what_is_logged(void **state)
{
	struct auth_setup setup = usual();

	(void)state;
	setup.log.level = 0; /* errors alone */
	start(&setup, accounts, 0);
	say_pass(1, "joe", "wrong");
	expect_failed(1, LA_FAIL_AUTH);
	setup.log.level = 2;
	reload(&setup);
	say_pass(2, "ann", "wrong");
	expect_failed(2, LA_FAIL_AUTH);
	stop();
	assert_null(strstr(world.said, "joe"));
	assert_non_null(strstr(world.said, "user \"ann\""));
}

static void
system_users_are_asked_of_pam(void **state)
{
	struct auth_setup setup = usual();
	struct want_maildrop want;
	struct pc_check c;
	char answer[512];

	(void)state;
	setup.pam = true;
	setup.can_switch = true;
	setup.first_valid_uid = 1000;
	setup.have_accounts = false; /* SASL PLAIN without an initial response works all the same */
	(void)snprintf(setup.maildrop, sizeof setup.maildrop, "%%h/Maildir");
	start(&setup, "", 0);
	say_pass(1, "sys", "wrong");
	take_check(&c);
	assert_string_equal(c.user, "sys");
	assert_string_equal(c.address, "192.0.2.1");
	assert_int_equal(c.secret.len, 5);
	say_result(c.id, PC_DENIED);
	expect_failed(1, LA_FAIL_AUTH);
	say_pass(2, "sys", "wrong");
	take_check(&c);
	say_result(c.id, PC_TEMP);
	expect_failed(2, LA_FAIL_TEMP);
	say_sasl(3, "PLAIN", NULL);
	expect_challenge(3, answer);
	say_step(3, (struct ipc_bytes){ (const uint8_t *)"\0sys\0secret", 11 });
	take_check(&c);
	say_result(c.id + 1000, PC_OK); /* of nobody */
	say_result(c.id, PC_OK);
	want = expect_want();
	assert_int_equal(want.uid, 1234);
	assert_string_equal(want.user, "sys");
	assert_string_equal(want.root, "/home/sys");
	say_result(c.id, PC_OK); /* late, once more */
	/* the uid has to be one that may have mail */
	say_pass(4, "sys", "secret");
	take_check(&c);
	setup.first_valid_uid = 2000;
	reload(&setup);
	say_result(c.id, PC_OK);
	expect_failed(4, LA_FAIL_PERM);
	/* without pam nobody waits for ever */
	say_pass(5, "sys", "secret");
	take_check(&c);
	fd_close(&world.pam);
	expect_failed(5, LA_FAIL_TEMP);
	stop();
}

static void
accounts_that_cannot_be_read_change_nothing(void **state)
{
	struct auth_setup setup = usual();
	uint8_t type = SU_ACCOUNTS;
	int pair[2];

	(void)state;
	start(&setup, accounts, 0);
	assert_int_equal(channel_send(world.supervisor, &type, 1, NULL, 0), 0);
	assert_int_equal(pipe(pair), 0); /* no file */
	assert_int_equal(channel_send(world.supervisor, &type, 1, &pair[0], 1), 0);
	fd_close(&pair[0]);
	fd_close(&pair[1]);
	say_sasl(1, "LOGIN", NULL);
	(void)expect_reply(LA_CONTINUE, 1);
	say_pass(2, "joe", "secret");
	(void)expect_want();
	send_accounts("new:{PLAIN}secret\n");
	say_cancel(2);
	stop();
	assert_non_null(strstr(world.said, "accounts: 6 in \"/nonexistent\""));
	assert_non_null(strstr(world.said, "those from before stay"));
	assert_non_null(strstr(world.said, "not a regular file"));
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_right_password_gets_the_connection_to_its_maildrop),
		cmocka_unit_test(scram_ends_with_an_empty_answer),
		cmocka_unit_test(scram_does_not_tell_who_is_there),
		cmocka_unit_test(mechanisms_are_those_that_are_set),
		cmocka_unit_test(apop_needs_a_password_in_the_clear),
		cmocka_unit_test(passwords_in_the_clear_need_tls),
		cmocka_unit_test(users_have_their_delay_and_their_sessions),
		cmocka_unit_test(a_maildrop_process_tells_of_its_own_sessions),
		cmocka_unit_test(maildrop_processes_that_do_not_come),
		cmocka_unit_test(one_login_does_not_stop_another),
		cmocka_unit_test(conversations_are_bounded),
		cmocka_unit_test(a_failed_address_waits_and_another_does_not),
		cmocka_unit_test(what_had_to_wait_gets_its_turn),
		cmocka_unit_test(a_reload_changes_what_is_logged),
		cmocka_unit_test(system_users_are_asked_of_pam),
		cmocka_unit_test(accounts_that_cannot_be_read_change_nothing),
	};

	if (argc != 2)
		return 2;
	world.program = argv[1];
	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
