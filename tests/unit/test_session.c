/*
 * A session in TRANSACTION and UPDATE against a maildrop in memory: with every size of output
 * memory, at every cut of the input, and with every failure of the store.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "maildrop/session.h"

static const char *const messages[] = {
	"From: a@example.org\nSubject: dots\n\nfirst\n.hidden\n.\n..two\nlast\n",
	"Subject: x\r\n\r\n",
	("Subject: Gr\xc3\xbc\xc3\x9f"
	 "e\n\nbody\n"),
};
static const uint64_t sizes[] = { 70, 14, 0 };
enum { MESSAGES = 3 };

static struct {
	uint32_t removed_mask;
	bool open_fails, remove_fails;
	uint64_t read_fails_at; /* offset; UINT64_MAX: never */
	uint32_t opens, closes;
	uint64_t correction; /* opening message 2 adds so much to its size */
	bool corrected;
	uint64_t read; /* octets */
	uint64_t longer; /* octets behind the text of the third message: "x", a line end */
} store;

struct drop {
	int unused;
};
struct message {
	struct message_info info;
	const char *text;
};

static struct drop the_drop;

const struct message_info *
message_info(const struct message *m)
{
	return &m->info;
}

ssize_t
message_read(struct message *m, uint64_t offset, void *buf, size_t len, struct fault *f)
{
	size_t n = (size_t)(m->info.stored - offset);

	if (offset >= store.read_fails_at ||
	    (offset < store.read_fails_at && n == 0 && store.read_fails_at <= m->info.stored))
		return fault_set(f, FAULT_TEMP, "read: failed");
	if (n > len)
		n = len;
	store.read += n;
	if (offset + n > strlen(m->text)) { /* "x" behind the text */
		if (offset >= strlen(m->text)) {
			memset(buf, 'x', n);
			if (n > 0 && offset + n == m->info.stored)
				((uint8_t *)buf)[n - 1] = '\n';
			return (ssize_t)n;
		}
		n = strlen(m->text) - (size_t)offset;
	}
	if (n > store.read_fails_at - offset)
		n = (size_t)(store.read_fails_at - offset);
	memcpy(buf, m->text + offset, n);
	return (ssize_t)n;
}

void
message_close(struct message **m)
{
	if (*m != NULL)
		store.closes++;
	free(*m);
	*m = NULL;
}

static void
fake_close(struct drop *d)
{
	(void)d;
}

static uint32_t
fake_count(const struct drop *d)
{
	(void)d;
	return MESSAGES;
}

static uint64_t
fake_size(const struct drop *d, uint32_t i, bool utf8)
{
	(void)d;
	if (i == 1 && store.corrected)
		return sizes[i] + store.correction;
	return i == 2 ? (utf8 ? 26u : 43u) : sizes[i];
}

static void
fake_uid(const struct drop *d, uint32_t i, char *uid)
{
	(void)d;
	(void)snprintf(uid, STORE_UID_MAX + 1, "uid%u", i + 1);
}

static int64_t
fake_arrived(const struct drop *d, uint32_t i)
{
	(void)d;
	return i == 0 ? 0 : INT64_MAX;
}

static int
fake_message_open(struct drop *d, uint32_t i, struct message **ret, struct fault *f)
{
	(void)d;
	if (i == 1)
		store.corrected = true;
	if (store.open_fails)
		return fault_set(f, FAULT_TEMP, "open: failed");
	*ret = calloc(1, sizeof **ret);
	assert_non_null(*ret);
	(*ret)->text = messages[i];
	(*ret)->info = (struct message_info){
		.fd = -1,
		.stored = strlen(messages[i]) + (i == 2 ? store.longer : 0),
		.eight_bit = true,
	};
	store.opens++;
	return 0;
}

static int
fake_remove(struct drop *d, const uint8_t *marked, uint32_t *ret_removed, struct fault *f)
{
	(void)d;
	*ret_removed = 0;
	if (store.remove_fails)
		return fault_set(f, FAULT_TEMP, "remove: failed");
	for (uint32_t i = 0; i < MESSAGES; i++) {
		if (marked[i / 8] & (1u << (i % 8))) {
			store.removed_mask |= 1u << i;
			(*ret_removed)++;
		}
	}
	return 0;
}

static const struct store_ops fake = { .name = "memory",
	.close = fake_close,
	.count = fake_count,
	.size = fake_size,
	.uid = fake_uid,
	.arrived = fake_arrived,
	.message_open = fake_message_open,
	.remove = fake_remove };

static const struct session_options options = { .store = &fake, .pop3 = { .utf8 = true } };

/* Plays input in pieces of step octets, into output memory of room; returns how it ended. */
static enum session_end
play(const char *input, size_t step, size_t room, int32_t expire, char *out, size_t out_max)
{
	const struct pop3_server_now now = {
		.plaintext = true, .expire = expire, .login_delay = -1
	};
	static uint8_t block[SESSION_BLOCK];
	size_t len = strlen(input), n = 0;
	uint8_t *mem = malloc(room);
	enum session_end end;
	struct session s;

	assert_int_equal(
	    session_begin(&s, &options, &the_drop, &now, POP3_LANG_EN, false, expire), 0);
	for (size_t at = 0; at < len && s.end == SESSION_RUNS;) {
		size_t have = step < len - at ? step : len - at;
		uint8_t *exact = malloc(have);
		struct pop3_in in = { exact, have };
		enum pop3_result r;

		memcpy(exact, input + at, have);
		at += have;
		do {
			struct pop3_out o = { mem, 0, room };

			r = session_run(&s, &in, &o, block);
			assert_true(r != POP3_NEED_ROOM || o.len > 0);
			assert_true(n + o.len < out_max);
			memcpy(out + n, mem, o.len);
			n += o.len;
		} while (r == POP3_NEED_ROOM && s.end == SESSION_RUNS);
		free(exact);
	}
	out[n] = '\0';
	end = s.end;
	session_finish(&s);
	free(mem);
	return end;
}

static int
fresh(void **state)
{
	(void)state;
	memset(&store, 0, sizeof store);
	store.read_fails_at = UINT64_MAX;
	return 0;
}

static const char script[] =
    "STAT\r\nLIST\r\nUIDL\r\nLIST 2\r\nUIDL 2\r\nRETR 1\r\nTOP 1 1\r\nRETR 3\r\nDELE 2\r\n"
    "LIST\r\nUIDL 2\r\nRSET\r\nDELE 1\r\nDELE 1\r\nDELE 9\r\nQUIT\r\n";
static const char reply[] =
    "+OK 3 127\r\n"
    "+OK 3 messages (127 octets)\r\n1 70\r\n2 14\r\n3 43\r\n.\r\n"
    "+OK 3 messages (127 octets)\r\n1 uid1\r\n2 uid2\r\n3 uid3\r\n.\r\n"
    "+OK 2 14\r\n+OK 2 uid2\r\n"
    "+OK 70 octets\r\nFrom: a@example.org\r\nSubject: "
    "dots\r\n\r\nfirst\r\n..hidden\r\n..\r\n...two\r\nlast\r\n.\r\n"
    "+OK done\r\nFrom: a@example.org\r\nSubject: dots\r\n\r\nfirst\r\n.\r\n"
    "+OK 46 octets\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\nbody\r\n.\r\n"
    "+OK marked deleted\r\n"
    "+OK 2 messages (113 octets)\r\n1 70\r\n3 43\r\n.\r\n"
    "-ERR no such message\r\n"
    "+OK 3 messages (127 octets)\r\n"
    "+OK marked deleted\r\n-ERR no such message\r\n-ERR no such message\r\n"
    "+OK bye\r\n";

/* Holds: P1939-60 P1939-62 P1939-63 P1939-69 P1939-71 P1939-73 P1939-74 P1939-80 P1939-92 Q-M07 */
static void
same_replies_at_every_cut_and_size(void **state)
{
	char out[8192];

	for (size_t step = 1; step <= sizeof script; step++) {
		(void)fresh(state);
		assert_int_equal(
		    play(script, step, SESSION_OUT_MIN + step % 7, -1, out, sizeof out),
		    SESSION_QUIT);
		assert_string_equal(out, reply);
		assert_int_equal(store.removed_mask, 1);
		assert_int_equal(store.opens, store.closes);
	}
	for (size_t room = SESSION_OUT_MIN; room < SESSION_OUT_MIN + 600; room++) {
		(void)fresh(state);
		assert_int_equal(
		    play(script, sizeof script, room, -1, out, sizeof out), SESSION_QUIT);
		assert_string_equal(out, reply);
	}
}

/* D1 of the field: a message that cannot be read to its end never gets its final dot. */
static void
read_errors_at_every_offset(void **state)
{
	char out[8192];

	for (uint64_t at = 0; at <= strlen(messages[1]); at++) {
		enum session_end end;

		(void)fresh(state);
		store.read_fails_at = at;
		end =
		    play("RETR 2\r\nDELE 1\r\nQUIT\r\n", 64, SESSION_OUT_MIN, -1, out, sizeof out);
		/* found before the +OK, since it is looked through for octets above 127 first */
		assert_true(end == SESSION_QUIT || end == SESSION_READ_ERROR);
		assert_null(strstr(out, "\r\n.\r\n"));
		assert_int_equal(store.opens, store.closes);
	}
}

static void
message_that_cannot_be_opened(void **state)
{
	char out[8192];

	(void)state;
	store.open_fails = true;
	assert_int_equal(play("RETR 1\r\nSTAT\r\nRETR 1\r\nRETR 1\r\nSTAT\r\n", 64, SESSION_OUT_MIN,
			     -1, out, sizeof out),
	    SESSION_READ_ERROR); /* Q-C34: asked for three times */
	assert_string_equal(out, "-ERR [SYS/TEMP] the message cannot be read now\r\n+OK 3 127\r\n"
				 "-ERR [SYS/TEMP] the message cannot be read now\r\n-ERR "
				 "[SYS/TEMP] the message cannot be read now\r\n");
}

/* Holds: P1939-68 */
static void
sizes_that_opening_corrects(void **state)
{
	char out[8192];

	for (int i = 0; i < 2; i++) {
		(void)fresh(state);
		store.correction = i == 0 ? 1000 : (uint64_t)-4;
		(void)play(
		    "STAT\r\nTOP 2 0\r\nSTAT\r\nLIST 2\r\nDELE 2\r\nSTAT\r\nRSET\r\nSTAT\r\n", 64,
		    SESSION_OUT_MIN, -1, out, sizeof out);
		assert_ptr_equal(strstr(out, "+OK 3 127\r\n"), out);
		assert_non_null(strstr(
		    out, i == 0 ? "+OK 3 1127\r\n+OK 2 1014\r\n" : "+OK 3 123\r\n+OK 2 10\r\n"));
		assert_non_null(strstr(out, "+OK 2 113\r\n"));
		assert_non_null(strstr(out,
		    i == 0 ? "(1127 octets)\r\n+OK 3 1127\r\n" : "(123 octets)\r\n+OK 3 123\r\n"));
	}
}

/* Holds: P1939-91 */
static void
removal_that_fails(void **state)
{
	char out[8192];

	(void)state;
	store.remove_fails = true;
	assert_int_equal(play("DELE 1\r\nQUIT\r\n", 64, SESSION_OUT_MIN, -1, out, sizeof out),
	    SESSION_NOT_REMOVED);
	assert_string_equal(
	    out, "+OK marked deleted\r\n-ERR [SYS/TEMP] some deleted messages not removed\r\n");
}

/* Holds: P2449-33 P1939-92 P1939-96 */
static void
what_expires(void **state)
{
	char out[8192];

	(void)fresh(state);
	(void)play("RETR 2\r\nTOP 1 0\r\nQUIT\r\n", 64, SESSION_OUT_MIN, 0, out, sizeof out);
	assert_int_equal(store.removed_mask, 2); /* retrieved, and by RETR */
	(void)fresh(state);
	(void)play("RETR 2\r\n", 64, SESSION_OUT_MIN, 0, out, sizeof out);
	assert_int_equal(store.removed_mask, 0); /* no QUIT */
	(void)fresh(state);
	(void)play("QUIT\r\n", 64, SESSION_OUT_MIN, 30, out, sizeof out);
	assert_int_equal(store.removed_mask, 1); /* the old one */
	(void)fresh(state);
	(void)play("RETR 1\r\nQUIT\r\n", 64, SESSION_OUT_MIN, -1, out, sizeof out);
	assert_int_equal(store.removed_mask, 0);
}

/* A client that leaves by RSET what it has read leaves it.  Holds: P1939-73 P2449-33 */
static void
reset_is_no_expiry(void **state)
{
	char out[8192];

	(void)state;
	assert_int_equal(
	    play("RETR 1\r\nRSET\r\nQUIT\r\n", 64, SESSION_OUT_MIN, 0, out, sizeof out),
	    SESSION_QUIT);
	assert_int_equal(store.removed_mask, 0);
	assert_int_equal(
	    play("RETR 1\r\nRSET\r\nRETR 2\r\nQUIT\r\n", 64, SESSION_OUT_MIN, 0, out, sizeof out),
	    SESSION_QUIT);
	assert_int_equal(store.removed_mask, 2);
}

static void
begin(struct session *s, const struct session_options *with, bool utf8)
{
	const struct pop3_server_now now = { .plaintext = true, .expire = -1, .login_delay = -1 };

	assert_int_equal(session_begin(s, with, &the_drop, &now, POP3_LANG_EN, utf8, -1), 0);
}

/* What is sent in one piece ends by all of the end, or by nothing of it.  Holds: Q-C22 */
static void
final_dot_comes_with_the_line_end_before_it(void **state)
{
	static const char *const commands[] = { "RETR 3\r\n", "RETR 3\r\n", "TOP 3 9\r\n",
		"TOP 3 9\r\n" };
	static uint8_t block[SESSION_BLOCK], mem[SESSION_OUT_MIN + 1200];

	(void)state;
	for (size_t k = 0; k < sizeof commands / sizeof *commands; k++) {
		/* the room that is left when the reply begins: from just enough to all of it */
		for (size_t taken = 0; taken < 1200; taken++) {
			struct pop3_in in = { (const uint8_t *)commands[k], strlen(commands[k]) };
			struct pop3_out o = { mem, 1200 - taken, sizeof mem };
			enum pop3_result r;
			struct session s;
			bool ended = false;

			begin(&s, &options, k % 2 == 0);
			store.longer = SESSION_OUT_MIN + 500;
			do {
				r = session_run(&s, &in, &o, block);
				assert_false(ended && o.len > 0);
				if (o.len >= 3 && memcmp(mem + o.len - 3, ".\r\n", 3) == 0) {
					ended = true;
					assert_true(o.len >= 5);
					assert_memory_equal(mem + o.len - 5, "\r\n", 2);
				}
				o.len = 0;
			} while (r == POP3_NEED_ROOM);
			assert_true(ended);
			session_finish(&s);
		}
	}
}

static void
top_reads_no_more_than_the_top(void **state)
{
	static uint8_t block[SESSION_BLOCK], mem[2 * SESSION_OUT_MIN];
	struct pop3_in in = { (const uint8_t *)"TOP 3 0\r\n", 9 };
	struct pop3_out o = { mem, 0, sizeof mem };
	struct session s;

	(void)state;
	store.longer = 1u << 30;
	begin(&s, &options, false);
	assert_int_equal(session_run(&s, &in, &o, block), POP3_NEED_INPUT);
	assert_memory_equal(mem + o.len - 7, "\r\n\r\n.\r\n", 7);
	assert_true(store.read <= SESSION_BLOCK);
	session_finish(&s);
}

/* Commands that are much work and few octets do not keep their thread for ever.  Holds: P6856-18 */
static void
work_is_done_in_portions(void **state)
{
	static const struct session_options refusing = { .store = &fake, .refuse_utf8 = true };
	static uint8_t block[SESSION_BLOCK], mem[SESSION_OUT_MIN + 4096];
	char commands[8 * 16 + 1] = "";
	struct pop3_in in = { (const uint8_t *)commands, sizeof commands - 1 };
	enum pop3_result r;
	struct session s;
	uint32_t replies = 0;

	(void)state;
	for (size_t i = 0; i < 16; i++)
		memcpy(commands + 8 * i, "RETR 3\r\n", 8);
	store.longer = 1u << 21;
	begin(&s, &refusing, false);
	do {
		struct pop3_out o = { mem, 0, sizeof mem };

		store.read = 0;
		r = session_run(&s, &in, &o, block);
		/* where the limit is passed, the command is finished */
		assert_true(store.read < SESSION_WORK + 2 * (store.longer + SESSION_BLOCK));
		for (size_t i = 0; i + 7 <= o.len; i++)
			if (memcmp(mem + i, "[UTF8] ", 7) == 0)
				replies++;
	} while (r == POP3_NEED_ROOM);
	assert_int_equal(replies, 16);
	assert_int_equal(s.retrieved, 0);
	assert_int_equal(s.end, SESSION_RUNS);
	session_finish(&s);
}

/* A message that did not get through was not retrieved; and the log has the reason. */
static void
retrieved_is_what_was_sent_whole(void **state)
{
	static uint8_t block[SESSION_BLOCK], mem[SESSION_OUT_MIN];
	struct pop3_in in = { (const uint8_t *)"RETR 2\r\nRETR 3\r\n", 16 };
	struct session s;

	(void)state;
	store.longer = 1u << 20;
	begin(&s, &options, false);
	for (int i = 0; i < 10; i++) {
		struct pop3_out o = { mem, 0, sizeof mem };

		assert_int_equal(session_run(&s, &in, &o, block), POP3_NEED_ROOM);
		assert_int_equal(s.retrieved, 1);
	}
	store.read_fails_at = 1u << 18;
	while (s.end == SESSION_RUNS) {
		struct pop3_out o = { mem, 0, sizeof mem };

		(void)session_run(&s, &in, &o, block);
	}
	assert_int_equal(s.end, SESSION_READ_ERROR);
	assert_int_equal(s.retrieved, 1);
	assert_string_equal(s.why, "read: failed");
	session_finish(&s);
	assert_int_equal(store.opens, store.closes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(same_replies_at_every_cut_and_size, fresh),
		cmocka_unit_test_setup(read_errors_at_every_offset, fresh),
		cmocka_unit_test_setup(message_that_cannot_be_opened, fresh),
		cmocka_unit_test_setup(sizes_that_opening_corrects, fresh),
		cmocka_unit_test_setup(removal_that_fails, fresh),
		cmocka_unit_test_setup(what_expires, fresh),
		cmocka_unit_test_setup(reset_is_no_expiry, fresh),
		cmocka_unit_test_setup(final_dot_comes_with_the_line_end_before_it, fresh),
		cmocka_unit_test_setup(top_reads_no_more_than_the_top, fresh),
		cmocka_unit_test_setup(work_is_done_in_portions, fresh),
		cmocka_unit_test_setup(retrieved_is_what_was_sent_whole, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
