/* The serving engine: the same events and replies however its input is cut up, what it counts,
 * what it forgets, and what happens when memory is out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pop3/server.h>

#define LEN(a) (sizeof(a) / sizeof *(a))
#define S(text) (text), sizeof(text) - 1

/* Linked with --wrap: the allocation with this number fails; 0: none does. */
static unsigned allocations, failing;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);

void *
__wrap_malloc(size_t n)
{
	return ++allocations == failing ? NULL : __real_malloc(n);
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return ++allocations == failing ? NULL : __real_calloc(n, size);
}

static const struct pop3_server_config config = {
	.implementation = "Restante-0", .sasl_max = 1024, .utf8 = true, .lang = POP3_LANG_DE
};
static const struct pop3_server_now now = { .plaintext = true,
	.stls = true,
	.sasl = "SCRAM-SHA-256 CRAM-MD5 PLAIN LOGIN",
	.apop = "<1896.697170952@dbc.mtview.ca.us>",
	.expire = -1,
	.login_delay = -1 };

static const char *const event_names[] = {
	[POP3_EV_PASS] = "PASS",
	[POP3_EV_APOP] = "APOP",
	[POP3_EV_AUTH] = "AUTH",
	[POP3_EV_AUTH_RESPONSE] = "AUTH_RESPONSE",
	[POP3_EV_AUTH_CANCEL] = "AUTH_CANCEL",
	[POP3_EV_STLS] = "STLS",
	[POP3_EV_STAT] = "STAT",
	[POP3_EV_LIST] = "LIST",
	[POP3_EV_UIDL] = "UIDL",
	[POP3_EV_RETR] = "RETR",
	[POP3_EV_TOP] = "TOP",
	[POP3_EV_DELE] = "DELE",
	[POP3_EV_RSET] = "RSET",
	[POP3_EV_QUIT] = "QUIT",
	[POP3_EV_ABUSE] = "ABUSE",
};

static void
log_slice(FILE *f, const char *name, const struct pop3_slice *s)
{
	if (s->data == NULL)
		return;
	fprintf(f, " %s=", name);
	for (size_t i = 0; i < s->len && i < 64; i++)
		fprintf(f, s->data[i] > 0x20 && s->data[i] < 0x7f ? "%c" : "<%02x>", s->data[i]);
	if (s->len > 64)
		fprintf(f, "...%zu", s->len);
}

static void
log_event(FILE *f, const struct pop3_event *ev)
{
	fprintf(f, "(%s", event_names[ev->type]);
	log_slice(f, "user", &ev->user);
	log_slice(f, "secret", &ev->secret);
	log_slice(f, "mech", &ev->mech);
	if (ev->has_initial)
		fprintf(f, " initial");
	log_slice(f, "data", &ev->data);
	if (ev->type == POP3_EV_APOP)
		fprintf(f, " digest=%02x..%02x", ev->digest[0], ev->digest[15]);
	if (ev->number > 0)
		fprintf(f, ev->number == UINT64_MAX ? " none" : " %llu",
		    (unsigned long long)ev->number);
	if (ev->lines > 0)
		fprintf(f, " lines=%llu", (unsigned long long)ev->lines);
	fprintf(f, ")\n");
}

static void
log_out(FILE *f, struct pop3_out *out)
{
	fwrite(out->data, 1, out->len, f);
	out->len = 0;
}

/* What a caller would answer: no password is right, "again" gets another challenge, "fails" is a
 * command that failed, everything else is fine. */
static void
answer(struct pop3_server *s, const struct pop3_event *ev, struct pop3_out *out)
{
	static const uint8_t hello[] = { 'h', 'e', 'l', 'l', 'o' };

	switch (ev->type) {
	case POP3_EV_AUTH:
		if (ev->has_initial)
			pop3_server_login_failed(s, out, POP3_CODE_AUTH, POP3_TEXT_LOGIN_FAILED);
		else
			assert_true(pop3_server_challenge(s, out, NULL, 0));
		break;
	case POP3_EV_AUTH_RESPONSE:
		if (ev->data.len == 5 && memcmp(ev->data.data, "again", 5) == 0) {
			assert_true(pop3_server_challenge(s, out, hello, sizeof hello));
			break;
		}
		pop3_server_login_failed(s, out, POP3_CODE_AUTH, POP3_TEXT_LOGIN_FAILED);
		break;
	case POP3_EV_PASS:
	case POP3_EV_APOP:
		pop3_server_login_failed(s, out, POP3_CODE_AUTH, POP3_TEXT_LOGIN_FAILED);
		break;
	case POP3_EV_RETR:
	case POP3_EV_DELE:
		if (ev->number == 404) {
			pop3_reply_err(out, POP3_CODE_NONE, "no such message");
			pop3_server_count_bad(s);
			break;
		}
		pop3_reply_ok(out, "done");
		break;
	case POP3_EV_STAT:
	case POP3_EV_LIST:
	case POP3_EV_UIDL:
	case POP3_EV_TOP:
	case POP3_EV_RSET:
		pop3_reply_ok(out, "done");
		break;
	case POP3_EV_AUTH_CANCEL:
	case POP3_EV_STLS:
	case POP3_EV_QUIT:
	case POP3_EV_ABUSE:
		break;
	}
}

/* Plays a stream in pieces of the lengths first, step, step...; what came out of it, events in
 * their place between the replies.  The caller frees it. */
static char *
play(enum pop3_state state, const char *stream, size_t len, size_t first, size_t step, size_t room)
{
	struct pop3_server *s = pop3_server_create(&config, &now, state);
	size_t at = 0, piece = first, log_len;
	uint8_t *mem = __real_malloc(room);
	struct pop3_out out = { mem, 0, room };
	char *log = NULL;
	FILE *f = open_memstream(&log, &log_len);

	assert_non_null(s);
	while (at < len) {
		size_t have = piece < len - at ? piece : len - at;
		uint8_t *exact = __real_malloc(have > 0 ? have : 1);
		struct pop3_in in = { exact, have };
		struct pop3_event ev;
		enum pop3_result r;

		memcpy(exact, stream + at, have);
		while ((r = pop3_server_next(s, &in, &out, &ev)) != POP3_NEED_INPUT) {
			if (r == POP3_NEED_ROOM) {
				assert_true(out.len > 0);
				log_out(f, &out);
				continue;
			}
			log_out(f, &out);
			log_event(f, &ev);
			answer(s, &ev, &out);
		}
		log_out(f, &out);
		free(exact);
		at += have;
		piece = step;
	}
	if (pop3_server_has_partial(s))
		fprintf(f, "(partial)");
	pop3_server_destroy(&s);
	assert_null(s);
	pop3_server_destroy(&s);
	fclose(f);
	free(mem);
	return log;
}

static void
check(enum pop3_state state, const char *in, size_t len, const char *want)
{
	size_t far = len > 400 ? 400 : len + 1;

	for (size_t cut = 0; cut <= far; cut++) {
		char *got = play(state, in, len, cut, len, POP3_OUT_MIN);

		if (strcmp(got, want) != 0)
			fail_msg("cut at %zu:\n%s\nnot\n%s", cut, got, want);
		free(got);
	}
	for (size_t step = 1; step <= far; step += step < 8 ? 1 : 13) {
		char *got = play(state, in, len, step, step, POP3_OUT_MIN + step);

		if (strcmp(got, want) != 0)
			fail_msg("in steps of %zu:\n%s\nnot\n%s", step, got, want);
		free(got);
	}
}

/* Holds: P1939-40 P1939-41 P1939-43 P1939-44 P1939-45 P1939-46 P2449-20 P2449-21 Q-C07 */
static void
user_and_pass(void **state)
{
	(void)state;
	check(POP3_AUTHORIZATION,
	    S("USER joe\r\nPASS  two words \r\nPASS again\r\nUSER a\r\nUSER b\r\nPASS \r\nUSER "
	      "c\r\n"
	      "CAPA x\r\nPASS x\r\nUSER\r\nUSER d\r\nPASS\r\nPASS x\r\n"),
	    "+OK send the password\r\n"
	    "(PASS user=joe secret=<20>two<20>words<20>)\n"
	    "-ERR [AUTH] login failed\r\n"
	    "-ERR USER first\r\n"
	    "+OK send the password\r\n"
	    "+OK send the password\r\n"
	    "(PASS user=b secret=)\n"
	    "-ERR [AUTH] login failed\r\n"
	    "+OK send the password\r\n"
	    "-ERR bad arguments\r\n"
	    "-ERR USER first\r\n"
	    "-ERR bad arguments\r\n"
	    "+OK send the password\r\n"
	    "-ERR bad arguments\r\n"
	    "-ERR USER first\r\n");
}

/* Holds: P6856-10 Q-C12 P1939-18 */
static void
names_and_passwords_are_utf8(void **state)
{
	(void)state;
	check(POP3_AUTHORIZATION,
	    S("USER jos\xc3\xa9\r\nPASS \xc3\xa9\r\nUSER jos\xe9\r\nPASS x\r\nUSER joe\r\n"
	      "PASS \xe9t\xe9\r\nPASS x\r\nUSER joe\r\nPASS a\0b\r\nPASS x\r\n"),
	    "+OK send the password\r\n"
	    "(PASS user=jos<c3><a9> secret=<c3><a9>)\n"
	    "-ERR [AUTH] login failed\r\n"
	    "-ERR bad arguments\r\n"
	    "-ERR USER first\r\n"
	    "+OK send the password\r\n"
	    "-ERR [AUTH] login failed\r\n"
	    "-ERR USER first\r\n"
	    "+OK send the password\r\n"
	    "-ERR bad arguments\r\n"
	    "-ERR USER first\r\n");
}

/* Holds: P1939-51 P1939-50 */
static void
apop(void **state)
{
	(void)state;
	check(POP3_AUTHORIZATION,
	    S("APOP mrose c4c9334bac560ecc979e58001b3e22fb\r\nAPOP mrose C4\r\nAPOP mrose\r\n"
	      "APOP mrose C4C9334BAC560ECC979E58001B3E22FB\r\n"),
	    "(APOP user=mrose digest=c4..fb)\n"
	    "-ERR [AUTH] login failed\r\n"
	    "-ERR bad arguments\r\n"
	    "-ERR bad arguments\r\n"
	    "(APOP user=mrose digest=c4..fb)\n"
	    "-ERR [AUTH] login failed\r\n");
}

/* Holds: P5034-06 P5034-07 P5034-08 P5034-10 P5034-11 P5034-13 P5034-14 P5034-17 P5034-24 Q-C08 */
static void
auth(void **state)
{
	(void)state;
	check(POP3_AUTHORIZATION,
	    S("AUTH PLAIN dGVzdAB0ZXN0AHRlc3Q=\r\nauth plain\r\nAGpvZQBw\r\nAUTH PLAIN\r\n*\r\n"
	      "AUTH PLAIN =\r\nAUTH PLAIN\r\n\r\nAUTH SCRAM-SHA-256\r\nYWdhaW4=\r\nYWdhaW4=\r\n"
	      "bm8=\r\nAUTH PLAIN\r\nQUIT\r\nAUTH PLAIN\r\nNOOPNOOP?\r\nAUTH PLAIN A\r\n"
	      "AUTH LOGIN am9l\r\nAUTH CRAM-MD5 Zm9v\r\nAUTH NOSUCH\r\nAUTH PL*IN\r\n"
	      "AUTH PLAIN a b\r\n"),
	    "(AUTH mech=PLAIN initial data=test<00>test<00>test)\n"
	    "-ERR [AUTH] login failed\r\n"
	    "(AUTH mech=PLAIN)\n"
	    "+ \r\n"
	    "(AUTH_RESPONSE data=<00>joe<00>p)\n"
	    "-ERR [AUTH] login failed\r\n"
	    "(AUTH mech=PLAIN)\n"
	    "+ \r\n"
	    "-ERR cancelled\r\n"
	    "(AUTH_CANCEL)\n"
	    "(AUTH mech=PLAIN initial)\n"
	    "-ERR [AUTH] login failed\r\n"
	    "(AUTH mech=PLAIN)\n"
	    "+ \r\n"
	    "(AUTH_RESPONSE)\n"
	    "-ERR [AUTH] login failed\r\n"
	    "(AUTH mech=SCRAM-SHA-256)\n"
	    "+ \r\n"
	    "(AUTH_RESPONSE data=again)\n"
	    "+ aGVsbG8=\r\n"
	    "(AUTH_RESPONSE data=again)\n"
	    "+ aGVsbG8=\r\n"
	    "(AUTH_RESPONSE data=no)\n"
	    "-ERR [AUTH] login failed\r\n"
	    "(AUTH mech=PLAIN)\n"
	    "+ \r\n"
	    "(AUTH_RESPONSE data=AB<13>)\n" /* QUIT is base64 */
	    "-ERR [AUTH] login failed\r\n"
	    "(AUTH mech=PLAIN)\n"
	    "+ \r\n"
	    "-ERR not base64\r\n"
	    "(AUTH_CANCEL)\n"
	    "-ERR not base64\r\n"
	    "-ERR bad arguments\r\n"
	    "-ERR bad arguments\r\n"
	    "-ERR no such mechanism\r\n"
	    "-ERR bad arguments\r\n"
	    "-ERR bad arguments\r\n");
}

/* Holds: P5034-15 P1939-17 */
static void
long_responses(void **state)
{
	char in[5000], *p = in;

	(void)state;
	/* 1024 octets with the line end are the most: 1020 letters fit, 1024 do not */
	p += snprintf(p, 100, "AUTH PLAIN\r\n");
	memset(p, 'A', 1020);
	p += 1020;
	p += snprintf(p, 100, "\r\nAUTH PLAIN\r\n");
	memset(p, 'A', 1024);
	p += 1024;
	p += snprintf(p, 100, "\r\nAUTH PLAIN ");
	memset(p, 'A', 1008);
	p += 1008;
	p += snprintf(p, 100, "\r\nAUTH PLAIN ");
	memset(p, 'A', 1012);
	p += 1012;
	p += snprintf(p, 100, "\r\nQUIT\r\n");
	check(POP3_AUTHORIZATION, in, (size_t)(p - in),
	    "(AUTH mech=PLAIN)\n"
	    "+ \r\n"
	    "(AUTH_RESPONSE data=<00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00>"
	    "<00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00>"
	    "<00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00>"
	    "<00><00><00><00><00><00>...765)\n"
	    "-ERR [AUTH] login failed\r\n"
	    "(AUTH mech=PLAIN)\n"
	    "+ \r\n"
	    "-ERR line too long\r\n"
	    "(AUTH_CANCEL)\n"
	    "(AUTH mech=PLAIN initial data=<00><00><00><00><00><00><00><00><00><00><00><00><00>"
	    "<00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00>"
	    "<00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00>"
	    "<00><00><00><00><00><00><00><00><00>...756)\n"
	    "-ERR [AUTH] login failed\r\n"
	    "-ERR line too long\r\n"
	    "+OK bye\r\n"
	    "(QUIT)\n");
}

/* Holds: P1939-14 P1939-62 P1939-69 P1939-71 P1939-72 P1939-73 P1939-76 P1939-77 P1939-86 P1939-87 */
static void
transaction(void **state)
{
	(void)state;
	check(POP3_TRANSACTION,
	    S("STAT\r\nLIST\nLIST 1\r\nUIDL\r\nuidl 18446744073709551615\r\nRETR 0\r\nRETR -1\r\n"
	      "RETR 99999999999999999999\r\nTOP 1 0\r\nTOP 2 9223372036854775808\r\n"
	      "TOP 2 99999999\r\nTOP 1 x\r\nTOP 1\r\nDELE 2 \r\nDELE 2x\r\nRSET\r\nNOOP\r\n"
	      "USER joe\r\nPASS x\r\nAUTH "
	      "PLAIN\r\nSTLS\r\nUTF8\r\nRSET\r\nRETR\r\nQUIT\r\nSTAT\r\n"),
	    "(STAT)\n+OK done\r\n"
	    "(LIST)\n+OK done\r\n"
	    "(LIST 1)\n+OK done\r\n"
	    "(UIDL)\n+OK done\r\n"
	    "(UIDL none)\n+OK done\r\n"
	    "(RETR none)\n+OK done\r\n"
	    "-ERR bad arguments\r\n"
	    "(RETR none)\n+OK done\r\n"
	    "(TOP 1)\n+OK done\r\n"
	    "(TOP 2 lines=9223372036854775807)\n+OK done\r\n"
	    "(TOP 2 lines=99999999)\n+OK done\r\n"
	    "-ERR bad arguments\r\n"
	    "-ERR bad arguments\r\n"
	    "(DELE 2)\n+OK done\r\n"
	    "-ERR bad arguments\r\n"
	    "(RSET)\n+OK done\r\n"
	    "+OK done\r\n"
	    "-ERR not now\r\n-ERR not now\r\n-ERR not now\r\n-ERR not now\r\n-ERR not now\r\n"
	    "(RSET)\n+OK done\r\n"
	    "-ERR bad arguments\r\n"
	    "(QUIT)\n");
}

/* Holds: P1939-13 P1939-17 P1939-18 P1939-19 P1939-28 Q-C13 Q-C15 */
static void
bad_lines(void **state)
{
	char in[2000], *p = in;

	(void)state;
	check(POP3_TRANSACTION,
	    S("BLURB\r\n\r\nSTAT\r\r\nNOOP\nST\0AT\r\nRETR\t1\r\nNOOP\rNOOP\r\nNOOP \r\n NOOP\r\n"
	      "NOOP\r\nQUIT"),
	    "-ERR unknown command\r\n"
	    "-ERR unknown command\r\n"
	    "-ERR bad arguments\r\n"
	    "+OK done\r\n"
	    "-ERR bad arguments\r\n"
	    "-ERR bad arguments\r\n"
	    "-ERR bad arguments\r\n"
	    "+OK done\r\n"
	    "-ERR unknown command\r\n"
	    "+OK done\r\n"
	    "(partial)");
	memset(p, 'N', 300);
	p += 300;
	p += snprintf(p, 100, " DELE 1\rDELE 2 ");
	*p++ = '\0';
	p += snprintf(p, 100, "\r\nRETR ");
	memset(p, '0', 247); /* 5 + 247 + 1 + 2 = 255 */
	p += 247;
	p += snprintf(p, 100, "1\r\nRETR ");
	memset(p, '0', 248);
	p += 248;
	p += snprintf(p, 100, "1\r\nNOOP\r\n");
	memset(p, 'x', 300);
	p += 300;
	check(POP3_TRANSACTION, in, (size_t)(p - in),
	    "-ERR line too long\r\n"
	    "(RETR 1)\n+OK done\r\n"
	    "-ERR line too long\r\n"
	    "+OK done\r\n"
	    "(partial)");
}

/* Holds: P1939-20 Q-C09 Q-C13 Q-C34 */
static void
too_many_bad_commands(void **state)
{
	(void)state;
	check(POP3_TRANSACTION,
	    S("x\nx\nx\nx\nx\nx\nx\nx\nx\nNOOP\nx\nx\nx\nx\nx\nx\nx\nx\nx\nx\nNOOP\n"),
	    "-ERR unknown command\r\n-ERR unknown command\r\n-ERR unknown command\r\n"
	    "-ERR unknown command\r\n-ERR unknown command\r\n-ERR unknown command\r\n"
	    "-ERR unknown command\r\n-ERR unknown command\r\n-ERR unknown command\r\n"
	    "+OK done\r\n"
	    "-ERR unknown command\r\n-ERR unknown command\r\n-ERR unknown command\r\n"
	    "-ERR unknown command\r\n-ERR unknown command\r\n-ERR unknown command\r\n"
	    "-ERR unknown command\r\n-ERR unknown command\r\n-ERR unknown command\r\n"
	    "-ERR too many bad commands\r\n"
	    "(ABUSE)\n");
	/* three commands of other servers are free, and more are not */
	check(POP3_TRANSACTION,
	    S("LAST\nXTND XLST\nXSENDER 1\nx\nx\nx\nx\nx\nx\nx\nx\nLAST\nMSG 1\n"),
	    "-ERR unknown command\r\n-ERR unknown command\r\n-ERR unknown command\r\n"
	    "-ERR unknown command\r\n-ERR unknown command\r\n-ERR unknown command\r\n"
	    "-ERR unknown command\r\n-ERR unknown command\r\n-ERR unknown command\r\n"
	    "-ERR unknown command\r\n-ERR unknown command\r\n-ERR unknown command\r\n"
	    "-ERR too many bad commands\r\n"
	    "(ABUSE)\n");
	/* an exchange that is begun and spoilt, over and over; one that is cancelled is not bad */
	check(POP3_AUTHORIZATION,
	    S("AUTH PLAIN\n!\nAUTH PLAIN\n!\nAUTH PLAIN\n!\nAUTH PLAIN\n!\n"
	      "AUTH PLAIN\n!\nAUTH PLAIN\n*\nAUTH PLAIN\n!\nAUTH PLAIN\n!\n"
	      "x\nx\nx\nx\n"),
	    "(AUTH mech=PLAIN)\n+ \r\n-ERR not base64\r\n(AUTH_CANCEL)\n"
	    "(AUTH mech=PLAIN)\n+ \r\n-ERR not base64\r\n(AUTH_CANCEL)\n"
	    "(AUTH mech=PLAIN)\n+ \r\n-ERR not base64\r\n(AUTH_CANCEL)\n"
	    "(AUTH mech=PLAIN)\n+ \r\n-ERR not base64\r\n(AUTH_CANCEL)\n"
	    "(AUTH mech=PLAIN)\n+ \r\n-ERR not base64\r\n(AUTH_CANCEL)\n"
	    "(AUTH mech=PLAIN)\n+ \r\n-ERR cancelled\r\n(AUTH_CANCEL)\n"
	    "(AUTH mech=PLAIN)\n+ \r\n-ERR not base64\r\n(AUTH_CANCEL)\n"
	    "(AUTH mech=PLAIN)\n+ \r\n-ERR not base64\r\n(AUTH_CANCEL)\n"
	    "-ERR unknown command\r\n-ERR unknown command\r\n-ERR too many bad commands\r\n"
	    "(ABUSE)\n");
	/* by the caller's count, and a command that works starts it anew */
	check(POP3_TRANSACTION,
	    S("RETR 404\nRETR 404\nRETR 1\nRETR 404\nRETR 404\nRETR 404\nRETR 404\nRETR 404\n"
	      "RETR 404\nRETR 404\nRETR 404\nRETR 404\nRETR 404\nNOOP\n"),
	    "(RETR 404)\n-ERR no such message\r\n(RETR 404)\n-ERR no such message\r\n"
	    "(RETR 1)\n+OK done\r\n"
	    "(RETR 404)\n-ERR no such message\r\n(RETR 404)\n-ERR no such message\r\n"
	    "(RETR 404)\n-ERR no such message\r\n(RETR 404)\n-ERR no such message\r\n"
	    "(RETR 404)\n-ERR no such message\r\n(RETR 404)\n-ERR no such message\r\n"
	    "(RETR 404)\n-ERR no such message\r\n(RETR 404)\n-ERR no such message\r\n"
	    "(RETR 404)\n-ERR no such message\r\n(RETR 404)\n-ERR no such message\r\n"
	    "-ERR too many bad commands\r\n"
	    "(ABUSE)\n");
}

/* Holds: Q-C14 PPX-12 */
static void
strangers_get_no_word(void **state)
{
	char in[600];
	size_t n = (size_t)snprintf(in, sizeof in, "GET /");

	(void)state;
	check(POP3_AUTHORIZATION, S("GET / HTTP/1.1\r\nHost: x\r\n\r\nUSER joe\r\n"), "(ABUSE)\n");
	check(POP3_AUTHORIZATION, S("POST / HTTP/1.1\r\n\r\nQUIT\r\n"), "(ABUSE)\n");
	check(POP3_AUTHORIZATION, S("\x16\x03\x01\x02\x00\x01\r\nQUIT\r\n"), "(ABUSE)\n");
	memset(in + n, 'x', 500); /* longer than any line may be, and no end of it */
	check(POP3_AUTHORIZATION, in, n + 500, "(ABUSE)\n");
	/* nor is it the first thing where the front of a long line is gone */
	memset(in, 'x', 300);
	n = 300 + (size_t)snprintf(in + 300, 100, "\x16GET / HTTP/1.1\r\nQUIT\r\n");
	check(POP3_AUTHORIZATION, in, n, "-ERR line too long\r\n+OK bye\r\n(QUIT)\n");
	/* where it is not the first thing, it is as bad as anything else */
	check(POP3_AUTHORIZATION,
	    S("NOOP\r\nGET / HTTP/1.0\r\nUS\x16"
	      "ER\r\n\x16\r\nQUIT\r\n"),
	    "-ERR not now\r\n-ERR unknown command\r\n-ERR bad arguments\r\n-ERR bad arguments\r\n"
	    "+OK bye\r\n(QUIT)\n");
	check(POP3_AUTHORIZATION,
	    S("US\x16"
	      "ER\r\nQUIT\r\n"),
	    "-ERR bad arguments\r\n+OK bye\r\n(QUIT)\n");
	check(POP3_AUTHORIZATION, S("PROXY TCP4 192.0.2.10 198.51.100.5 56324 995\r\nQUIT\r\n"),
	    "-ERR unknown command\r\n+OK bye\r\n(QUIT)\n");
	check(POP3_AUTHORIZATION, S("\r\n\r\n\0\r\nQUIT\n\x21\x11"),
	    "-ERR unknown command\r\n-ERR unknown command\r\n-ERR bad arguments\r\n"
	    "+OK bye\r\n(QUIT)\n");
}

/* Holds: P2449-03 P2449-08 P2449-11 P2449-13 P2595-08 P3206-06 P5034-01 P5034-02 P6856-01 */
static void
capa(void **state)
{
	(void)state;
	check(POP3_AUTHORIZATION, S("CAPA\r\nUTF8\r\nSTLS\r\nCAPA\r\n"),
	    "+OK done\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\nLANG\r\n"
	    "UTF8 USER\r\nEXPIRE NEVER\r\nSASL SCRAM-SHA-256 CRAM-MD5 PLAIN LOGIN\r\nUSER\r\n"
	    "STLS\r\n.\r\n"
	    "+OK UTF-8 mode\r\n"
	    "-ERR no TLS to start\r\n"
	    "+OK done\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\nLANG\r\n"
	    "UTF8 USER\r\nEXPIRE NEVER\r\nSASL SCRAM-SHA-256 CRAM-MD5 PLAIN LOGIN\r\nUSER\r\n"
	    ".\r\n");
	check(POP3_TRANSACTION, S("CAPA\r\n"),
	    "+OK done\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\nLANG\r\n"
	    "UTF8 USER\r\nEXPIRE NEVER\r\nSASL SCRAM-SHA-256 CRAM-MD5 PLAIN LOGIN\r\nUSER\r\n"
	    "IMPLEMENTATION Restante-0\r\n.\r\n");
}

/* Holds: P6856-13 P6856-14 P6856-15 P6856-16 */
static void
lang(void **state)
{
	(void)state;
	check(POP3_TRANSACTION,
	    S("LANG\r\nLANG de\r\nNOOP\r\nLANG tlh\r\nLANG en-GB\r\nLANG *\r\n"),
	    "+OK done\r\nen English\r\ni-default English\r\nde Deutsch\r\n.\r\n"
	    "+OK de Sprache gewechselt\r\n"
	    "+OK erledigt\r\n"
	    "-ERR Sprache unbekannt\r\n"
	    "+OK en language changed\r\n"
	    "+OK de Sprache gewechselt\r\n");
}

/* One command and what is said to it; the event, or -1. */
static int
say(struct pop3_server *s, const char *line, char *reply, size_t size)
{
	uint8_t mem[2 * POP3_OUT_MIN];
	struct pop3_out out = { mem, 0, sizeof mem };
	struct pop3_in in = { (const uint8_t *)line, strlen(line) };
	struct pop3_event ev;
	int r = pop3_server_next(s, &in, &out, &ev) == POP3_EVENT ? (int)ev.type : -1;

	snprintf(reply, size, "%.*s", (int)out.len, (const char *)mem);
	return r;
}

/* Holds: P2595-03 P2595-05 P2595-08 P2595-10 P2595-12 Q-M03 Q-M04 */
static void
stls_forgets(void **state)
{
	struct pop3_server_now before = { .stls = true,
		.sasl = "SCRAM-SHA-256",
		.expire = -1,
		.login_delay = -1,
		.plaintext = true };
	struct pop3_server_now after = {
		.tls = true, .plaintext = true, .sasl = "PLAIN", .expire = -1, .login_delay = -1
	};
	struct pop3_server *s = pop3_server_create(&config, &before, POP3_AUTHORIZATION);
	char reply[4096];

	(void)state;
	assert_int_equal(say(s, "LANG de\r\n", reply, sizeof reply), -1);
	for (int i = 0; i < 9; i++)
		assert_int_equal(say(s, "x\r\n", reply, sizeof reply), -1);
	assert_int_equal(say(s, "USER joe\r\n", reply, sizeof reply), -1);
	assert_string_equal(reply, "+OK das Passwort bitte\r\n");
	assert_int_equal(say(s, "STLS\r\n", reply, sizeof reply), POP3_EV_STLS);
	assert_string_equal(reply, "+OK TLS beginnt\r\n");
	/* in the clear, nothing more is read: the octets stay where the caller sees them */
	assert_int_equal(say(s, "QUIT\r\n", reply, sizeof reply), -1);
	assert_string_equal(reply, "");
	assert_false(pop3_server_has_partial(s));
	pop3_server_set_now(s, &after);
	assert_int_equal(pop3_server_state(s), POP3_AUTHORIZATION);
	assert_int_equal(pop3_server_lang(s), POP3_LANG_EN);
	assert_int_equal(say(s, "PASS x\r\n", reply, sizeof reply), -1);
	assert_string_equal(reply, "-ERR USER first\r\n");
	assert_int_equal(say(s, "CAPA\r\n", reply, sizeof reply), -1);
	assert_non_null(strstr(reply, "\r\nSASL PLAIN\r\nUSER\r\n.\r\n"));
	assert_int_equal(say(s, "STLS\r\n", reply, sizeof reply), -1);
	assert_string_equal(reply, "-ERR no TLS to start\r\n");
	pop3_server_destroy(&s);
	/* what comes first is looked at anew, and commands of other servers are free again */
	s = pop3_server_create(&config, &before, POP3_AUTHORIZATION);
	for (int i = 0; i < 3; i++)
		assert_int_equal(say(s, "LAST\r\n", reply, sizeof reply), -1);
	assert_int_equal(say(s, "STLS\r\n", reply, sizeof reply), POP3_EV_STLS);
	pop3_server_set_now(s, &after);
	assert_int_equal(
	    say(s, "LAST\r\nx\r\nx\r\nx\r\nx\r\nx\r\nx\r\nx\r\nx\r\nx\r\n", reply, sizeof reply),
	    -1);
	pop3_server_destroy(&s);
	s = pop3_server_create(&config, &before, POP3_AUTHORIZATION);
	assert_int_equal(say(s, "STLS\r\n", reply, sizeof reply), POP3_EV_STLS);
	pop3_server_set_now(s, &after);
	assert_int_equal(say(s, "\x16\x03\x01", reply, sizeof reply), POP3_EV_ABUSE);
	assert_string_equal(reply, "");
	pop3_server_destroy(&s);
}

/* The caller may end an exchange while the client is expected to say something. */
static void
an_exchange_ends_between_lines(void **state)
{
	struct pop3_server *s = pop3_server_create(&config, &now, POP3_AUTHORIZATION);
	uint8_t mem[POP3_OUT_MIN];
	struct pop3_out out = { mem, 0, sizeof mem };
	char reply[4096];

	(void)state;
	assert_int_equal(say(s, "AUTH PLAIN\r\n", reply, sizeof reply), POP3_EV_AUTH);
	assert_true(pop3_server_challenge(s, &out, NULL, 0));
	pop3_server_login_failed(s, &out, POP3_CODE_SYS_TEMP, POP3_TEXT_TRY_LATER);
	assert_int_equal(say(s, "USER joe\r\n", reply, sizeof reply), -1);
	assert_string_equal(reply, "+OK send the password\r\n");
	pop3_server_destroy(&s);
}

/* Holds: P8314-05 P2595-13 P5034-21 Q-C06 P7628-02 */
static void
no_plaintext_no_hint(void **state)
{
	static const char *const refused[] = { "USER joe\r\n", "USER nobody\r\n", "PASS right\r\n",
		"PASS wrong\r\n", "PASS \xff\r\n", "AUTH PLAIN\r\n",
		"AUTH PLAIN AGpvZQByaWdodA==\r\n", "AUTH PLAIN ???\r\n", "AUTH LOGIN\r\n",
		"auth login am9l\r\n", "AUTH XOAUTH2 AAAA\r\n" };
	struct pop3_server_now in_clear = {
		.stls = true, .sasl = "SCRAM-SHA-256", .expire = -1, .login_delay = -1
	};
	char reply[4096];

	(void)state;
	for (size_t i = 0; i < LEN(refused); i++) {
		struct pop3_server *s = pop3_server_create(&config, &in_clear, POP3_AUTHORIZATION);

		assert_int_equal(say(s, refused[i], reply, sizeof reply), -1);
		assert_string_equal(reply, "-ERR [AUTH] plaintext passwords need TLS\r\n");
		assert_int_equal(say(s, "CAPA\r\n", reply, sizeof reply), -1);
		assert_null(strstr(reply, "\r\nUSER\r\n"));
		assert_non_null(strstr(reply, "\r\nSASL SCRAM-SHA-256\r\nSTLS\r\n"));
		assert_int_equal(
		    say(s, "AUTH SCRAM-SHA-256\r\n", reply, sizeof reply), POP3_EV_AUTH);
		pop3_server_destroy(&s);
	}
}

/* Holds: P2449-30 P2449-31 P2449-34 P2449-35 */
static void
limits_announced(void **state)
{
	const struct pop3_server_config c = { .expire_user = true, .login_delay_user = true };
	struct pop3_server_now n = { .expire = 30, .login_delay = 60 };
	struct pop3_server *s = pop3_server_create(&c, &n, POP3_AUTHORIZATION);
	char reply[4096];

	(void)state;
	(void)say(s, "CAPA\r\n", reply, sizeof reply);
	assert_non_null(strstr(reply, "\r\nEXPIRE 30 USER\r\nLOGIN-DELAY 60 USER\r\n.\r\n"));
	assert_null(strstr(reply, "SASL"));
	assert_null(strstr(reply, "UTF8"));
	(void)say(s, "UTF8\r\n", reply, sizeof reply);
	assert_string_equal(reply, "-ERR unknown command\r\n");
	pop3_server_destroy(&s);
	n.expire = -1;
	n.login_delay = 0;
	s = pop3_server_create(&c, &n, POP3_TRANSACTION);
	(void)say(s, "CAPA\r\n", reply, sizeof reply);
	assert_non_null(strstr(reply, "\r\nEXPIRE NEVER\r\nLOGIN-DELAY 0\r\n.\r\n"));
	pop3_server_destroy(&s);
}

/* Holds: P1939-30 P1939-48 P1939-49 P1939-06 Q-C03 */
static void
greeting(void **state)
{
	struct pop3_server_config c = config;
	struct pop3_server_now n = now;
	uint8_t mem[POP3_REPLY_MAX];
	struct pop3_out out = { mem, 0, sizeof mem };
	struct pop3_server *s = pop3_server_create(&c, &n, POP3_AUTHORIZATION);
	static const char with[] = "+OK POP3 Restante ready <1896.697170952@dbc.mtview.ca.us>\r\n";

	(void)state;
	pop3_server_greet(s, &out);
	assert_int_equal(out.len, sizeof with - 1);
	assert_memory_equal(mem, with, out.len);
	out.len = 0;
	n.apop = NULL;
	c.greeting = "example.org";
	pop3_server_set_now(s, &n);
	pop3_server_greet(s, &out);
	assert_int_equal(out.len, strlen("+OK POP3 example.org\r\n"));
	assert_null(memchr(mem, '<', out.len));
	pop3_server_destroy(&s);
}

/* Holds: P1734-01 Q-C01 */
static void
auth_lists_mechanisms(void **state)
{
	(void)state;
	check(POP3_AUTHORIZATION, S("AUTH\r\nAUTH \r\n"),
	    "+OK done\r\nSCRAM-SHA-256\r\nCRAM-MD5\r\nPLAIN\r\nLOGIN\r\n.\r\n"
	    "+OK done\r\nSCRAM-SHA-256\r\nCRAM-MD5\r\nPLAIN\r\nLOGIN\r\n.\r\n");
}

/* A list that no line holds is cut between names; one that no reply holds is cut, too. */
static void
too_many_mechanisms(void **state)
{
	struct pop3_server_now n = now;
	char list[9000], reply[POP3_OUT_MIN + 1], *line;
	size_t len = 0;
	struct pop3_server *s;

	(void)state;
	for (int i = 0; len + 30 < sizeof list; i++)
		len += (size_t)snprintf(list + len, 30, "%sMECHANISM-%d", i == 0 ? "" : " ", i);
	n.sasl = list;
	s = pop3_server_create(&config, &n, POP3_AUTHORIZATION);
	(void)say(s, "CAPA\r\n", reply, sizeof reply);
	line = strstr(reply, "\r\nSASL MECHANISM-0 ");
	assert_non_null(line);
	assert_in_range(strcspn(line + 2, "\r"), 480, 510);
	assert_non_null(strstr(line, "\r\n.\r\n"));
	len = strcspn(line + 2, "\r") - 5;
	assert_memory_equal(line + 7, list, len);
	assert_int_equal(list[len], ' ');
	(void)say(s, "AUTH\r\n", reply, sizeof reply);
	assert_memory_equal(reply, "+OK done\r\nMECHANISM-0\r\n", 23);
	pop3_server_destroy(&s);
}

/* Every allocation of a session fails once: it says so, and goes on. */
static void
memory_runs_out(void **state)
{
	static const char *const lines[] = { "USER joe\r\n", "AUTH PLAIN AGpvZQBw\r\n" };
	char reply[4096];

	(void)state;
	failing = allocations + 1;
	assert_null(pop3_server_create(&config, &now, POP3_AUTHORIZATION));
	for (size_t i = 0; i < LEN(lines); i++) {
		struct pop3_server *s = pop3_server_create(&config, &now, POP3_AUTHORIZATION);

		failing = allocations + 1;
		assert_int_equal(say(s, lines[i], reply, sizeof reply), -1);
		assert_true(allocations >= failing);
		assert_string_equal(reply, "-ERR [SYS/TEMP] try again later\r\n");
		assert_int_equal(say(s, "PASS x\r\n", reply, sizeof reply), -1);
		assert_string_equal(reply, "-ERR USER first\r\n");
		/* a line in two pieces needs a buffer */
		failing = allocations + 1;
		assert_int_equal(say(s, "US", reply, sizeof reply), -1);
		assert_string_equal(reply, "");
		assert_true(pop3_server_has_partial(s));
		assert_int_equal(say(s, "ER joe\r\n", reply, sizeof reply), -1);
		assert_string_equal(reply, "-ERR [SYS/TEMP] try again later\r\n");
		assert_int_equal(say(s, "AUTH PLAIN\r\n", reply, sizeof reply), POP3_EV_AUTH);
		{
			uint8_t mem[8];
			struct pop3_out out = { mem, 0, 3 };

			assert_false(pop3_server_challenge(s, &out, NULL, 0));
			out.cap = 4;
			assert_true(pop3_server_challenge(s, &out, NULL, 0));
		}
		failing = allocations + 1;
		assert_int_equal(say(s, "AGpvZQBw\r\n", reply, sizeof reply), POP3_EV_AUTH_CANCEL);
		assert_string_equal(reply, "-ERR [SYS/TEMP] try again later\r\n");
		assert_int_equal(say(s, "USER joe\r\n", reply, sizeof reply), -1);
		assert_string_equal(reply, "+OK send the password\r\n");
		pop3_server_destroy(&s);
	}
	failing = 0;
}

/* Commands that come whole cost no allocation. */
static void
commands_do_not_allocate(void **state)
{
	static const char stream[] =
	    "STAT\r\nLIST\r\nUIDL 1\r\nRETR 1\r\nTOP 1 0\r\nDELE 1\r\nRSET\r\n"
	    "NOOP\r\nCAPA\r\nLANG de\r\nx\r\nQUIT\r\n";
	uint8_t mem[4 * POP3_OUT_MIN];
	struct pop3_out out = { mem, 0, sizeof mem };
	struct pop3_in in = { (const uint8_t *)stream, sizeof stream - 1 };
	struct pop3_server *s = pop3_server_create(&config, &now, POP3_TRANSACTION);
	struct pop3_event ev;
	unsigned before = allocations, events = 0;

	(void)state;
	while (pop3_server_next(s, &in, &out, &ev) == POP3_EVENT)
		events++;
	assert_int_equal(events, 8);
	assert_int_equal(allocations, before);
	pop3_server_destroy(&s);
}

/* Sense and nonsense in any order, always the same for the same seed: no cut changes a thing. */
static void
nonsense_at_any_cut(void **state)
{
	static const struct {
		const char *p;
		size_t len;
	} parts[] = { { S("USER joe") }, { S("PASS  x ") }, { S("AUTH PLAIN") },
		{ S("AUTH PLAIN =") }, { S("auth LOGIN") }, { S("AGpvZQBw") }, { S("YWdhaW4=") },
		{ S("*") }, { S("CAPA") }, { S("LANG de") }, { S("UTF8") }, { S("APOP mrose ") },
		{ S("c4c9334bac560ecc979e58001b3e22fb") }, { S("RETR 1") }, { S("RETR 404") },
		{ S("TOP 1 9") }, { S("DELE 0") }, { S("NOOP") }, { S("LAST") }, { S("GET / ") },
		{ S("\x16") }, { S("\0") }, { S("\r") }, { S("\r\n") }, { S("\r\n") },
		{ S("\r\n") }, { S("\r\n") }, { S("\n") }, { S("\n") }, { S(" ") }, { S("\t") },
		{ S("\xc3\xa9") }, { S("\xff") }, { S("STLS") }, { S("QUIT") },
		{ S("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx") } };
	uint32_t seed = 1;

	(void)state;
	for (unsigned round = 0; round < 3000; round++) {
		enum pop3_state in_state = round % 2 == 0 ? POP3_AUTHORIZATION : POP3_TRANSACTION;
		char in[4000], *whole;
		size_t len = 0;

		for (unsigned i = 0; i < 30; i++) {
			size_t k;

			seed = seed * 1664525 + 1013904223;
			k = (seed >> 16) % LEN(parts);
			memcpy(in + len, parts[k].p, parts[k].len);
			len += parts[k].len;
		}
		whole = play(in_state, in, len, len, len, 2 * POP3_OUT_MIN);
		for (size_t step = 1; step <= 40; step += 3) {
			char *got = play(in_state, in, len, step * 7, step, POP3_OUT_MIN + step);

			if (strcmp(got, whole) != 0)
				fail_msg("round %u, in steps of %zu:\n%s\nnot\n%s", round, step,
				    got, whole);
			free(got);
		}
		free(whole);
	}
}

/* Room for a reply is asked for before a command is taken. */
static void
no_room_no_command(void **state)
{
	uint8_t mem[POP3_OUT_MIN];
	struct pop3_out out = { mem, 1, sizeof mem };
	struct pop3_in in = { (const uint8_t *)"NOOP\r\nNOOP\r\n", 12 };
	struct pop3_server *s = pop3_server_create(&config, &now, POP3_TRANSACTION);
	struct pop3_event ev;

	(void)state;
	assert_int_equal(pop3_server_next(s, &in, &out, &ev), POP3_NEED_ROOM);
	assert_int_equal(in.len, 12);
	out.len = 0;
	assert_int_equal(pop3_server_next(s, &in, &out, &ev), POP3_NEED_ROOM);
	assert_int_equal(in.len, 6);
	assert_int_equal(out.len, 10);
	pop3_server_destroy(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(user_and_pass),
		cmocka_unit_test(names_and_passwords_are_utf8),
		cmocka_unit_test(apop),
		cmocka_unit_test(auth),
		cmocka_unit_test(long_responses),
		cmocka_unit_test(transaction),
		cmocka_unit_test(bad_lines),
		cmocka_unit_test(too_many_bad_commands),
		cmocka_unit_test(strangers_get_no_word),
		cmocka_unit_test(capa),
		cmocka_unit_test(lang),
		cmocka_unit_test(stls_forgets),
		cmocka_unit_test(an_exchange_ends_between_lines),
		cmocka_unit_test(no_plaintext_no_hint),
		cmocka_unit_test(limits_announced),
		cmocka_unit_test(greeting),
		cmocka_unit_test(auth_lists_mechanisms),
		cmocka_unit_test(too_many_mechanisms),
		cmocka_unit_test(memory_runs_out),
		cmocka_unit_test(commands_do_not_allocate),
		cmocka_unit_test(nonsense_at_any_cut),
		cmocka_unit_test(no_room_no_command),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
