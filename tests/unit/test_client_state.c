/* What the client remembers, and what is left of it when it is killed between any two steps. */
#include "client/state.h"

#include <pop3/client.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/arrival.h"
#include "client/trouble.h"

static char folder[64], path[128];

static int
set_up(void **state)
{
	(void)state;
	(void)snprintf(folder, sizeof folder, "/tmp/restante-state-XXXXXX");
	if (mkdtemp(folder) == NULL)
		return -1;
	(void)snprintf(path, sizeof path, "%s/a/b/state.db", folder);
	return 0;
}

static int
tear_down(void **state)
{
	char command[128];

	(void)state;
	(void)snprintf(command, sizeof command, "rm -r '%s'", folder);
	return system(command) == 0 ? 0 : -1;
}

static struct state *
open_state(const char *user)
{
	struct state *s = NULL;
	struct trouble t;

	if (state_open(path, user, "h", 110, &s, &t) == -1)
		fail_msg("%s", t.text);
	return s;
}

static struct state_key
key(const char *uid, uint32_t nth)
{
	return (struct state_key){ { (const uint8_t *)uid, strlen(uid) }, nth };
}

static enum state_stage
stage_of(struct state *s, const char *uid, uint32_t nth)
{
	struct state_key k = key(uid, nth);
	struct state_record r;
	struct trouble t;

	assert_int_equal(state_get(s, &k, &r, &t), 0);
	return r.stage;
}

static void
intend(struct state *s, const char *uid, uint32_t nth, const char *name)
{
	struct state_key k = key(uid, nth);
	struct trouble t;

	if (state_intend(s, &k, 7, "/m", name, &t) == -1)
		fail_msg("%s", t.text);
}

static void
set(struct state *s, const char *uid, enum state_stage stage)
{
	struct state_key k = key(uid, 0);
	struct trouble t;

	if (state_set(s, &k, stage, &t) == -1)
		fail_msg("%s", t.text);
}

static void
flush(struct state *s)
{
	struct trouble t;

	if (state_flush(s, &t) == -1)
		fail_msg("%s", t.text);
}

static void
stages_in_their_order(void **state)
{
	struct state *s = open_state("u");
	struct state_key k = key("a", 0);
	struct state_record r;
	struct trouble t;

	(void)state;
	assert_int_equal(stage_of(s, "a", 0), STATE_NONE);
	intend(s, "a", 0, "1.x");
	assert_int_equal(stage_of(s, "a", 0), STATE_INTENT);
	assert_int_equal(stage_of(s, "a", 1), STATE_NONE); /* another of the same unique-id */
	set(s, "a", STATE_DONE);
	intend(s, "b", 0, "2.x"); /* carries it along */
	assert_int_equal(stage_of(s, "a", 0), STATE_DONE);
	set(s, "a", STATE_DELETING);
	flush(s);
	assert_int_equal(state_get(s, &k, &r, &t), 0);
	assert_int_equal(r.stage, STATE_DELETING);
	assert_int_equal(r.octets, 7);
	set(s, "a", STATE_NONE);
	flush(s);
	assert_int_equal(stage_of(s, "a", 0), STATE_NONE);
	state_close(&s);
	assert_null(s);
}

/* Killed: what was flushed or intended is there, and of the rest nothing that would hurt. */
static void
killed_between_steps(void **state)
{
	struct state *s;

	(void)state;
	for (int steps = 0; steps <= 6; steps++) {
		static const enum state_stage want[][2] = {
			{ STATE_NONE, STATE_NONE },
			{ STATE_INTENT, STATE_NONE },
			{ STATE_INTENT, STATE_NONE }, /* DONE was not flushed: the file tells */
			{ STATE_DONE, STATE_INTENT },
			{ STATE_DONE, STATE_INTENT },
			{ STATE_DELETING, STATE_INTENT },
			{ STATE_DELETED, STATE_INTENT },
		};
		int status;
		pid_t pid = fork();
		char a[16], b[16];

		(void)snprintf(a, sizeof a, "a%d", steps);
		(void)snprintf(b, sizeof b, "b%d", steps);
		if (pid == 0) {
			s = open_state("u");
			if (steps >= 1)
				intend(s, a, 0, "1.x");
			if (steps >= 2)
				set(s, a, STATE_DONE);
			if (steps >= 3)
				intend(s, b, 0, "2.x");
			if (steps >= 4)
				set(s, a, STATE_DELETING);
			if (steps >= 5)
				flush(s);
			if (steps >= 6) {
				set(s, a, STATE_DELETED);
				flush(s);
			}
			(void)kill(getpid(), SIGKILL);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		s = open_state("u"); /* the lock went with the process */
		assert_int_equal(stage_of(s, a, 0), want[steps][0]);
		assert_int_equal(stage_of(s, b, 0), want[steps][1]);
		state_close(&s);
	}
}

static void
one_run_an_account(void **state)
{
	struct state *s = open_state("u"), *other = open_state("v"), *again = NULL;
	struct trouble t;

	(void)state;
	assert_int_equal(state_open(path, "u", "h", 110, &again, &t), -1);
	assert_int_equal(t.status, EX_TEMPFAIL);
	assert_null(again);
	assert_int_equal(state_open(path, "u", "h", 995, &again, &t), 0);
	intend(s, "a", 0, "1.x");
	assert_int_equal(stage_of(other, "a", 0), STATE_NONE);
	assert_int_equal(stage_of(again, "a", 0), STATE_NONE);
	state_close(&again);
	state_close(&other);
	state_close(&s);
}

/* Changing what is found while walking skips nothing. */
static void
walking_over_a_stage(void **state)
{
	struct state *s = open_state("u");
	struct state_found found;
	struct trouble t;
	int64_t cursor = 0;
	bool more = true;
	int n = 0;

	(void)state;
	for (int i = 0; i < 300; i++) {
		char uid[16], name[32];

		(void)snprintf(uid, sizeof uid, "%d", i);
		(void)snprintf(name, sizeof name, "%d.name", i);
		intend(s, uid, 0, name);
		if (i % 3 == 0)
			set(s, uid, STATE_DONE);
	}
	flush(s);
	while (more) {
		char name[32];

		assert_int_equal(state_next(s, STATE_INTENT, &cursor, &found, &more, &t), 0);
		if (!more)
			break;
		(void)snprintf(name, sizeof name, "%.*s.name", (int)found.key.uid.len,
		    (const char *)found.key.uid.data);
		assert_string_equal(found.name, name);
		assert_string_equal(found.maildir, "/m");
		assert_int_equal(
		    state_set(s, &found.key, n % 2 == 0 ? STATE_NONE : STATE_DONE, &t), 0);
		n++;
	}
	assert_int_equal(n, 200);
	flush(s);
	cursor = 0;
	assert_int_equal(state_next(s, STATE_INTENT, &cursor, &found, &more, &t), 0);
	assert_false(more);
	state_close(&s);
}

static void
octets_of_any_kind(void **state)
{
	static uint8_t uid[POP3_CLIENT_UID_MAX + 1];
	struct state *s = open_state("u'\";--");
	struct state_key k = { { uid, POP3_CLIENT_UID_MAX }, 0 };
	struct state_record r;
	struct trouble t;

	(void)state;
	for (size_t i = 0; i < sizeof uid; i++)
		uid[i] = (uint8_t)(0x80 + i);
	assert_int_equal(state_intend(s, &k, UINT64_MAX, "/m'", "n\"", &t), 0);
	assert_int_equal(state_set(s, &k, STATE_DELETED, &t), 0);
	flush(s);
	assert_int_equal(state_get(s, &k, &r, &t), 0);
	assert_int_equal(r.stage, STATE_DELETED);
	assert_true(r.octets == UINT64_MAX);
	k.uid.len++;
	assert_int_equal(state_set(s, &k, STATE_DONE, &t), -1);
	state_close(&s);
}

static void
lockstep_is_remembered(void **state)
{
	struct state *s = open_state("u");
	struct trouble t;
	bool lockstep = true;

	(void)state;
	assert_int_equal(state_lockstep(s, &lockstep, &t), 0);
	assert_false(lockstep);
	assert_int_equal(state_set_lockstep(s, &t), 0);
	state_close(&s);
	s = open_state("u");
	assert_int_equal(state_lockstep(s, &lockstep, &t), 0);
	assert_true(lockstep);
	state_close(&s);
}

static const struct line_end {
	const char *wire, *stored;
} line_ends[] = {
	{ "a\r\nb\r\n", "a\nb\n" },
	{ "a\rb\r\r\n\r\r\r\n\r", "a\rb\r\n\r\r\n\r" },
	{ "\n\r\n\n\r\r\n", "\n\n\n\r\n" },
	{ "\r", "\r" },
	{ "\r\r", "\r\r" },
};

/* What arrives, at every cut, is the same. */
static void
lines_end_by_lf(void **state)
{
	char maildir[128], file[4400], name[256], got[64];
	struct target g;
	struct trouble t;

	(void)state;
	(void)snprintf(maildir, sizeof maildir, "%s/Maildir/", folder);
	if (target_open(&g, maildir, &t) == -1)
		fail_msg("%s", t.text);
	for (size_t i = 0; i < sizeof line_ends / sizeof *line_ends; i++) {
		const uint8_t *wire = (const uint8_t *)line_ends[i].wire;
		size_t len = strlen(line_ends[i].wire);

		for (size_t cut = 0; cut <= len; cut++) {
			struct arrival *a = NULL;
			FILE *f;
			size_t n;
			bool has;

			assert_int_equal(arrival_begin(&g, &a, &t), 0);
			assert_int_equal(arrival_write(a, wire, cut, &t), 0);
			assert_int_equal(arrival_write(a, wire + cut, len - cut, &t), 0);
			assert_int_equal(arrival_octets(a), len);
			assert_int_equal(arrival_end(a, name, &t), 0);
			assert_int_equal(target_has(g.path, name, &has, &t), 0);
			assert_false(has);
			assert_int_equal(arrival_commit(&a, &t), 0);
			assert_null(a);
			assert_int_equal(target_has(g.path, name, &has, &t), 0);
			assert_true(has);
			(void)snprintf(file, sizeof file, "%s/new/%s", g.path, name);
			f = fopen(file, "r");
			assert_non_null(f);
			n = fread(got, 1, sizeof got, f);
			assert_int_equal(fclose(f), 0);
			assert_int_equal(n, strlen(line_ends[i].stored));
			assert_memory_equal(got, line_ends[i].stored, n);
		}
	}
	target_close(&g);
}

/* The path a Maildir is remembered by is the same from wherever it is named. */
static void
targets_have_one_path(void **state)
{
	char want[128];
	struct target g;
	struct trouble t;
	static const char *const names[] = { "x", "x/", "./x", "x///", "../%s/x" };

	(void)state;
	(void)snprintf(want, sizeof want, "%s/x", folder);
	assert_int_equal(chdir(folder), 0);
	for (int there = 0; there < 2; there++) {
		for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
			char name[128];

			if (i == 4)
				(void)snprintf(name, sizeof name, "../%s/x", folder + 5);
			else
				(void)snprintf(name, sizeof name, "%s", names[i]);
			if (target_open(&g, name, &t) == -1)
				fail_msg("%s: %s", name, t.text);
			assert_string_equal(g.path, want);
			assert_string_equal(g.name, "x");
			target_close(&g);
		}
		if (there == 0) {
			struct arrival *a = NULL;

			assert_int_equal(target_open(&g, "x", &t), 0);
			assert_int_equal(arrival_begin(&g, &a, &t), 0);
			arrival_abort(&a);
			assert_null(a);
			target_close(&g);
		}
	}
	assert_int_equal(target_open(&g, "no/such/folder", &t), -1);
	assert_int_equal(t.status, EX_CANTCREAT);
	assert_int_equal(target_open(&g, "/", &t), -1);
	assert_int_equal(chdir("/"), 0);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(stages_in_their_order),
		TEST(killed_between_steps),
		TEST(one_run_an_account),
		TEST(walking_over_a_stage),
		TEST(octets_of_any_kind),
		TEST(lockstep_is_remembered),
		TEST(lines_end_by_lf),
		TEST(targets_have_one_path),
	};

	return cmocka_run_group_tests_name("client_state", tests, NULL, NULL);
}
