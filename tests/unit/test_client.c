/* The calling engine against servers of every kind: whole, at every cut, octet by octet. */
#include <pop3/client.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/*
 * A conversation is a text of lines: "<..." is what the server sends (with \r\n where it says so),
 * and everything else a command that is given as soon as all before it is answered, or at once
 * when it begins with "&".  The record is what came out: events and output, in words.
 */
struct talk {
	struct pop3_client *c;
	char record[65536];
	size_t len;
	char sent[16384];
	size_t sent_len;
	bool content; /* the last thing recorded was content: pieces are joined */
};

static void __attribute__((format(printf, 2, 3))) note(struct talk *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->record + t->len, sizeof t->record - t->len, fmt, ap);
	va_end(ap);
	assert_true(n >= 0 && (size_t)n < sizeof t->record - t->len);
	t->len += (size_t)n;
}

static void
note_slice(struct talk *t, struct pop3_slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.data[i] >= 0x20 && s.data[i] < 0x7f && s.data[i] != '\\')
			note(t, "%c", s.data[i]);
		else
			note(t, "\\%02x", s.data[i]);
	}
}

static void
flush(struct talk *t)
{
	const uint8_t *out;
	size_t len;

	while ((out = pop3_client_output(t->c, &len)) != NULL) {
		assert_true(len < sizeof t->sent - t->sent_len);
		memcpy(t->sent + t->sent_len, out, len);
		t->sent_len += len;
		pop3_client_sent(t->c, len);
	}
}

static void
take(struct talk *t, const struct pop3_client_event *ev)
{
	static const char *const names[] = { "greeting", "capa", "stls", "user", "pass", "apop",
		"auth", "stat", "list", "uidl", "retr", "top", "dele", "rset", "noop", "quit" };

	if (ev->type == POP3_CEV_CONTENT) {
		if (!t->content)
			note(t, "content ");
		t->content = true;
		note_slice(t, ev->data);
		return;
	}
	if (t->content)
		note(t, "\n");
	t->content = false;
	switch (ev->type) {
	case POP3_CEV_BEGIN:
		note(t, "begin %s\n", names[ev->command]);
		break;
	case POP3_CEV_ITEM:
		note(t, "item %s ", names[ev->command]);
		if (ev->command != POP3_CMD_CAPA)
			note(t, "%llu ", (unsigned long long)ev->number);
		if (ev->command == POP3_CMD_LIST)
			note(t, "%lld", (long long)ev->value);
		note_slice(t, ev->data);
		note(t, "\n");
		break;
	case POP3_CEV_CHALLENGE:
		note(t, "challenge ");
		note_slice(t, ev->data);
		note(t, "\n");
		break;
	case POP3_CEV_DONE:
		note(t, "done %s %d", names[ev->command], ev->ok);
		if (ev->number != 0)
			note(t, " %lld", (long long)ev->number);
		if (ev->command == POP3_CMD_STAT)
			note(t, " %lld", (long long)ev->value);
		if (ev->code != POP3_CODE_NONE)
			note(t, " code %s", pop3_code_string(ev->code));
		note(t, " ");
		note_slice(t, ev->text);
		note(t, "\n");
		break;
	case POP3_CEV_BROKEN:
		note(t, "broken: %.*s\n", (int)ev->text.len, (const char *)ev->text.data);
		break;
	case POP3_CEV_CONTENT:
		break;
	}
}

/* Feeds what the server sends in pieces: cut 0 whole, SIZE_MAX octet by octet, else one cut. */
static void
feed(struct talk *t, const char *p, size_t len, size_t cut)
{
	size_t start = 0;

	while (start < len) {
		size_t end = cut == 0 || start >= cut ? len : cut;
		uint8_t *piece;
		struct pop3_in in;
		struct pop3_client_event ev;

		if (cut == SIZE_MAX)
			end = start + 1;
		if (end > len)
			end = len;
		piece = malloc(end - start); /* its own memory, so that a look too far is seen */
		assert_non_null(piece);
		memcpy(piece, p + start, end - start);
		in = (struct pop3_in){ piece, end - start };
		while (pop3_client_next(t->c, &in, &ev) == POP3_EVENT) {
			take(t, &ev);
			if (ev.type == POP3_CEV_BROKEN) {
				free(piece);
				return;
			}
			flush(t);
		}
		assert_int_equal(in.len, 0);
		flush(t);
		free(piece);
		start = end;
	}
}

static bool
command(struct talk *t, const char *text)
{
	static const uint8_t initial[] = "\0user\0secret";
	unsigned long long n;
	char arg[600];

	if (sscanf(text, "USER %599s", arg) == 1)
		return pop3_client_user(t->c, arg);
	if (sscanf(text, "PASS %599s", arg) == 1)
		return pop3_client_pass(t->c, arg);
	if (strcmp(text, "AUTH PLAIN") == 0)
		return pop3_client_auth(t->c, "PLAIN", initial, sizeof initial - 1, false);
	if (strcmp(text, "AUTH PLAIN twice") == 0)
		return pop3_client_auth(t->c, "PLAIN", initial, sizeof initial - 1, true);
	if (strcmp(text, "AUTH EMPTY") == 0)
		return pop3_client_auth(t->c, "EXTERNAL", initial, 0, false);
	if (strcmp(text, "AUTH CRAM-MD5") == 0)
		return pop3_client_auth(t->c, "CRAM-MD5", NULL, 0, false);
	if (sscanf(text, "respond %599s", arg) == 1)
		return pop3_client_respond(t->c, (const uint8_t *)arg, strlen(arg));
	if (strcmp(text, "cancel") == 0)
		return pop3_client_auth_cancel(t->c);
	if (strcmp(text, "tls") == 0) {
		pop3_client_tls_started(t->c);
		return true;
	}
	if (sscanf(text, "RETR %llu", &n) == 1)
		return pop3_client_retr(t->c, n);
	if (sscanf(text, "TOP %llu", &n) == 1)
		return pop3_client_top(t->c, n, 0);
	if (sscanf(text, "DELE %llu", &n) == 1)
		return pop3_client_dele(t->c, n);
	return strcmp(text, "CAPA") == 0   ? pop3_client_capa_ask(t->c)
	       : strcmp(text, "STLS") == 0 ? pop3_client_stls(t->c)
	       : strcmp(text, "STAT") == 0 ? pop3_client_stat(t->c)
	       : strcmp(text, "LIST") == 0 ? pop3_client_list(t->c)
	       : strcmp(text, "UIDL") == 0 ? pop3_client_uidl(t->c)
	       : strcmp(text, "RSET") == 0 ? pop3_client_rset(t->c)
	       : strcmp(text, "NOOP") == 0 ? pop3_client_noop(t->c)
					   : pop3_client_quit(t->c);
}

struct step {
	const char *say; /* commands, one a line; NULL: none */
	const char *hear; /* what the server then sends; "EOF" closes */
};

/* Runs the steps; the cut is in the hear of every step. */
static void
run(struct talk *t, const struct pop3_client_config *config, const struct step *steps, size_t count,
    size_t cut)
{
	memset(t, 0, sizeof *t);
	t->c = pop3_client_create(config);
	assert_non_null(t->c);
	for (size_t i = 0; i < count; i++) {
		const char *say = steps[i].say;

		while (say != NULL && *say != '\0') {
			char line[700];
			size_t len = strcspn(say, "\n");

			assert_true(len < sizeof line);
			memcpy(line, say, len);
			line[len] = '\0';
			if (!command(t, line))
				note(t, "refused %s\n", line);
			say += len + (say[len] == '\n');
		}
		flush(t);
		if (steps[i].hear != NULL && strcmp(steps[i].hear, "EOF") == 0) {
			struct pop3_in in = { NULL, 0 };
			struct pop3_client_event ev;

			pop3_client_eof(t->c);
			if (pop3_client_next(t->c, &in, &ev) == POP3_EVENT)
				take(t, &ev);
		} else if (steps[i].hear != NULL) {
			feed(t, steps[i].hear, strlen(steps[i].hear), cut);
		}
	}
	if (t->content)
		note(t, "\n");
	note(t, "sent ");
	note_slice(t, (struct pop3_slice){ (const uint8_t *)t->sent, t->sent_len });
	note(t, "\n");
	pop3_client_destroy(&t->c);
}

static void
check(const struct pop3_client_config *config, const struct step *steps, size_t count,
    const char *want)
{
	static struct talk t;
	size_t longest = 0;

	for (size_t i = 0; i < count; i++)
		if (steps[i].hear != NULL && strlen(steps[i].hear) > longest)
			longest = strlen(steps[i].hear);
	for (size_t cut = 0; cut <= longest + 1; cut++) {
		run(&t, config, steps, count, cut > longest ? SIZE_MAX : cut);
		assert_string_equal(t.record, want);
	}
}

#define CHECK(config, steps, want) check((config), (steps), sizeof(steps) / sizeof *(steps), (want))

static const struct pop3_client_config tls = { .tls = true };
static const struct pop3_client_config clear = { .tls = false };

#define HELLO                                            \
	{ NULL, "+OK hi\r\n" }, { "USER u", "+OK\r\n" }, \
	{                                                \
		"PASS p", "+OK in\r\n"                   \
	}
#define HELLO_RECORD "done greeting 1 hi\ndone user 1 \ndone pass 1 in\n"
#define HELLO_SENT "sent USER u\\0d\\0aPASS p\\0d\\0a"

/* Holds: P1939-31 P1939-61 P1939-64 P2449-06 P2449-25 Q-S54 Q-S63 */
static void
a_whole_session(void **state)
{
	static const struct step steps[] = {
		HELLO,
		{ "CAPA", "+OK list\r\nTOP\r\nuidl\r\nX-New thing\r\n..dot\r\n.\r\n" },
		{ "STAT", "+OK 2 320 and more\r\n" },
		{ "UIDL", "+OK\r\n1 abc\r\n3 d e\xff\r\n.\r\n" },
		{ "LIST", "+OK\r\n1 120 words\r\n3 200\r\n.\r\n" },
		{ "RETR 1", "+OK\r\nA: b\r\n\r\n..\r\n...x\r\n.y\r\n\r\n.\r\n" },
		{ "RETR 3", "-ERR [SYS/TEMP] no\r\n" },
		{ "DELE 1", "+OK\r\n" },
		{ "QUIT", "+OK bye\r\nmore" },
	};

	(void)state;
	CHECK(&tls, steps,
	    HELLO_RECORD "begin capa\nitem capa TOP\nitem capa uidl\nitem capa X-New thing\n"
			 "item capa .dot\ndone capa 1 \ndone stat 1 2 320 2 320 and more\n"
			 "begin uidl\nitem uidl 1 abc\nitem uidl 3 d e\\ff\ndone uidl 1 \n"
			 "begin list\nitem list 1 120\nitem list 3 200\ndone list 1 \n"
			 "begin retr\ncontent A: b\\0d\\0a\\0d\\0a.\\0d\\0a..x\\0d\\0ay\\0d\\0a"
			 "\\0d\\0a\ndone retr 1 1 \n"
			 "done retr 0 3 code [SYS/TEMP]  no\ndone dele 1 1 \ndone quit 1 bye\n" HELLO_SENT
			 "CAPA\\0d\\0aSTAT\\0d\\0aUIDL\\0d\\0aLIST\\0d\\0aRETR 1\\0d\\0a"
			 "RETR 3\\0d\\0aDELE 1\\0d\\0aQUIT\\0d\\0a\n");
}

/* Holds: Q-S30 Q-S31 Q-S32 Q-S33 Q-S36 Q-S37 Q-S41 */
static void
listings_of_all_kinds(void **state)
{
	static const struct step steps[] = {
		HELLO,
		{ "UIDL", "+OK\r\n\r\n+OK 1  a\r\n 2\t b\r\n3\r\n4 \r\nx y\r\n0 z\r\n-1 z\r\n"
			  "5 \x01\r\n18446744073709551615 m\r\n18446744073709551616 n\r\n.\r\n" },
		{ "LIST", "+OK\r\n1   5\t6\r\n2 x\r\n3\r\n4 99999999999999999999\r\n.\r\n" },
		{ "STAT", "+OK\r\n" },
		{ "STAT", "+OK many 5\r\n" },
	};

	(void)state;
	CHECK(&tls, steps,
	    HELLO_RECORD
	    "begin uidl\nitem uidl 1 a\nitem uidl 2 b\nitem uidl 3 \nitem uidl 4 \nitem uidl 5 \n"
	    "item uidl 18446744073709551615 m\ndone uidl 1 \n"
	    "begin list\nitem list 1 5\nitem list 2 -1\nitem list 3 -1\nitem list 4 -1\n"
	    "done list 1 \ndone stat 1 -1 -1 \ndone stat 1 -1 5 many 5\n" HELLO_SENT
	    "UIDL\\0d\\0aLIST\\0d\\0aSTAT\\0d\\0aSTAT\\0d\\0a\n");
}

/* A bare LF begins no line where others end by CRLF.  Holds: Q-S50 Q-M09 */
static void
bare_lf_ends_nothing(void **state)
{
	static const struct step steps[] = {
		HELLO,
		{ "RETR 1", "+OK\r\na\n.\nb\n.\r\n-ERR c\r\n.\rx\r\n.\n\r\n.\r\n" },
		{ "NOOP", "+OK\r\n" },
	};

	(void)state;
	CHECK(&tls, steps,
	    HELLO_RECORD "begin retr\ncontent a\\0a.\\0ab\\0a.\\0d\\0a-ERR c\\0d\\0a\\0dx\\0d\\0a"
			 "\\0a\\0d\\0a\ndone retr 1 1 \ndone noop 1 \n" HELLO_SENT
			 "RETR 1\\0d\\0aNOOP\\0d\\0a\n");
}

/* A server that knows LF only; one CRLF in it, and LF ends nothing any more.  Holds: Q-S50 */
static void
bare_lf_throughout(void **state)
{
	static const struct step steps[] = {
		{ NULL, "+OK hi\n" },
		{ "USER u", "+OK\n" },
		{ "PASS p", "+OK in\n" },
		{ "LIST", "+OK\n1 2\n.\n" },
		{ "RETR 1", "+OK\na\n\n..b\n.c\n.\n" },
		{ "RETR 2", "+OK\n.\n" },
		{ "RETR 3", "+OK\na\r\n.\nb\r\n.\r\n" },
		{ "NOOP", "+OK\n" },
	};

	(void)state;
	CHECK(&tls, steps,
	    HELLO_RECORD "begin list\nitem list 1 2\ndone list 1 \n"
			 "begin retr\ncontent a\\0a\\0a.b\\0ac\\0a\ndone retr 1 1 \n"
			 "begin retr\ndone retr 1 2 \n"
			 "begin retr\ncontent a\\0d\\0a\\0ab\\0d\\0a\ndone retr 1 3 \n"
			 "done noop 1 \n" HELLO_SENT
			 "LIST\\0d\\0aRETR 1\\0d\\0aRETR 2\\0d\\0aRETR 3\\0d\\0aNOOP\\0d\\0a\n");
}

/* Holds: P2449-22 P2449-25 Q-S82 */
static void
pipelining(void **state)
{
	static const struct step steps[] = {
		HELLO,
		{ "STAT\nSTAT", "+OK 1 1\r\n" },
		{ "CAPA", "+OK\r\nPIPELINING\r\n.\r\n" },
		{ "RETR 1\nRETR 2\nDELE 7\nQUIT\nNOOP",
		    "+OK\r\na\r\n.\r\n-ERR gone\r\n+OK\r\n+OK bye\r\n" },
	};

	(void)state;
	CHECK(&tls, steps,
	    HELLO_RECORD "refused STAT\ndone stat 1 1 1 1 1\nbegin capa\nitem capa PIPELINING\n"
			 "done capa 1 \nrefused NOOP\nbegin retr\ncontent a\\0d\\0a\n"
			 "done retr 1 1 \ndone retr 0 2 gone\ndone dele 1 7 \n"
			 "done quit 1 bye\n" HELLO_SENT
			 "STAT\\0d\\0aCAPA\\0d\\0aRETR 1\\0d\\0aRETR 2\\0d\\0aDELE 7\\0d\\0aQUIT"
			 "\\0d\\0a\n");
}

/* Holds: P2595-06 P2595-11 Q-S07 Q-M03 */
static void
stls_forgets(void **state)
{
	static const struct step steps[] = {
		{ NULL, "+OK hi <1@h>\r\n" },
		{ "CAPA", "+OK\r\nSTLS\r\nPIPELINING\r\nUSER\r\n.\r\n" },
		{ "STLS\nCAPA", "+OK\r\n" },
		{ "CAPA\ntls\nSTLS\nCAPA\nNOOP", "-ERR\r\n" },
	};
	static struct talk t;
	struct pop3_slice stamp;

	(void)state;
	CHECK(&clear, steps,
	    "done greeting 1 hi <1@h>\nbegin capa\nitem capa STLS\nitem capa PIPELINING\n"
	    "item capa USER\ndone capa 1 \nrefused CAPA\ndone stls 1 \nrefused CAPA\n"
	    "refused STLS\nrefused NOOP\ndone capa 0 \n"
	    "sent CAPA\\0d\\0aSTLS\\0d\\0aCAPA\\0d\\0a\n");
	memset(&t, 0, sizeof t);
	t.c = pop3_client_create(&clear);
	feed(&t, "+OK <1@h>\r\n", 11, 0);
	assert_true(pop3_client_timestamp(t.c, &stamp));
	assert_true(pop3_client_capa_ask(t.c));
	flush(&t);
	feed(&t, "+OK\r\nUSER\r\nSASL PLAIN login\r\nEXPIRE NEVER\r\n.\r\n", 46, 0);
	assert_true(pop3_client_capa(t.c)->user);
	assert_string_equal(pop3_client_capa(t.c)->mechs, "PLAIN LOGIN");
	assert_int_equal(pop3_client_capa(t.c)->expire, -1);
	assert_true(pop3_client_stls(t.c));
	flush(&t);
	feed(&t, "+OK\r\n", 5, 0);
	pop3_client_tls_started(t.c);
	assert_false(pop3_client_timestamp(t.c, &stamp));
	assert_false(pop3_client_capa(t.c)->known);
	assert_false(pop3_client_capa(t.c)->user);
	assert_string_equal(pop3_client_capa(t.c)->mechs, "");
	pop3_client_destroy(&t.c);
}

/* Octets behind the answer to STLS, in the same piece or a later one.  Holds: P2595-07 Q-M04 */
static void
stls_injection(void **state)
{
	static const struct step steps[] = {
		{ NULL, "+OK hi\r\n" },
		{ "STLS", "+OK go\r\n+OK you are in\r\n" },
	};
	static struct talk t;

	(void)state;
	for (size_t cut = 0; cut <= strlen(steps[1].hear); cut++) {
		run(&t, &clear, steps, 2, cut);
		assert_non_null(strstr(t.record, "broken: octets in clear"));
	}
}

/* Holds: P5034-11 P5034-12 P5034-16 P1734-02 Q-S20 */
static void
auth_exchanges(void **state)
{
	static const struct step in_line[] = {
		{ NULL, "+OK hi\r\n" },
		{ "CAPA", "+OK\r\nSASL PLAIN\r\n.\r\n" },
		{ "AUTH PLAIN", "-ERR [AUTH] no\r\n" },
		{ "AUTH EMPTY", "-ERR\r\n" },
		{ "AUTH PLAIN twice", "+\r\n" },
		{ NULL, "-ERR [auth] no\r\n" },
		{ "AUTH PLAIN twice", "+ \r\n" },
		{ NULL, "+OK\r\n" },
	};
	static const struct step two_step[] = {
		{ NULL, "+OK hi\r\n" },
		{ "AUTH PLAIN", "+ go on\r\n" },
		{ NULL, "+OK\r\n" },
	};
	static const struct step challenges[] = {
		{ NULL, "+OK hi\r\n" },
		{ "AUTH CRAM-MD5", "+ PDFAaD4=\r\n" },
		{ "respond abc", "+ dj0x\r\n" },
		{ "respond x", "+OK\r\n" },
	};

	(void)state;
	CHECK(&tls, in_line,
	    "done greeting 1 hi\nbegin capa\nitem capa SASL PLAIN\ndone capa 1 \n"
	    "done auth 0 code [AUTH]  no\ndone auth 0 \ndone auth 0 code [AUTH]  no\ndone auth 1 \n"
	    "sent CAPA\\0d\\0aAUTH PLAIN AHVzZXIAc2VjcmV0\\0d\\0aAUTH EXTERNAL =\\0d\\0a"
	    "AUTH PLAIN\\0d\\0aAHVzZXIAc2VjcmV0\\0d\\0aAUTH "
	    "PLAIN\\0d\\0aAHVzZXIAc2VjcmV0\\0d\\0a\n");
	CHECK(&tls, two_step,
	    "done greeting 1 hi\ndone auth 1 \nsent AUTH PLAIN\\0d\\0aAHVzZXIAc2VjcmV0\\0d\\0a\n");
	CHECK(&tls, challenges,
	    "done greeting 1 hi\nchallenge <1@h>\nchallenge v=1\ndone auth 1 \n"
	    "sent AUTH CRAM-MD5\\0d\\0aYWJj\\0d\\0aeA==\\0d\\0a\n");
}

/* Holds: P5034-14 */
static void
auth_cancelled(void **state)
{
	static const struct step bad_base64[] = {
		{ NULL, "+OK hi\r\n" },
		{ "AUTH CRAM-MD5", "+ a\r\n" },
		{ NULL, "-ERR cancelled\r\n" },
		{ "AUTH CRAM-MD5", "+ YWJj\r\n" },
		{ "cancel", "+OK welcome\r\n" },
	};
	static const struct step too_early[] = {
		{ NULL, "+OK hi\r\n" },
		{ "AUTH PLAIN", "+OK welcome\r\n" },
	};

	(void)state;
	CHECK(&tls, bad_base64,
	    "done greeting 1 hi\ndone auth 0 cancelled\nchallenge abc\n"
	    "broken: the server accepted a login that did not take place\n"
	    "sent AUTH CRAM-MD5\\0d\\0a*\\0d\\0aAUTH CRAM-MD5\\0d\\0a*\\0d\\0a\n");
	CHECK(&tls, too_early,
	    "done greeting 1 hi\nbroken: the server accepted a login that did not take place\n"
	    "sent AUTH PLAIN\\0d\\0a\n");
}

/* No password in clear without permission.  Holds: P2595-13 P8314-11 P4616-04 */
static void
passwords_need_tls(void **state)
{
	static const struct pop3_client_config permitted = { .plaintext = true };
	static const struct step steps[] = {
		{ NULL, "+OK hi\r\n" },
		{ "USER u\nPASS p\nAUTH PLAIN", NULL },
	};

	(void)state;
	CHECK(&clear, steps,
	    "done greeting 1 hi\nrefused USER u\nrefused PASS p\nrefused AUTH PLAIN\nsent \n");
	CHECK(&permitted, steps,
	    "done greeting 1 hi\nrefused PASS p\nrefused AUTH PLAIN\nsent USER u\\0d\\0a\n");
}

static void
arguments_inject_nothing(void **state)
{
	static struct talk t;
	char longest[400];

	(void)state;
	memset(&t, 0, sizeof t);
	t.c = pop3_client_create(&tls);
	assert_false(pop3_client_capa_ask(t.c)); /* no command before the greeting: P1939-31 */
	feed(&t, "+OK\r\n", 5, 0);
	assert_false(pop3_client_user(t.c, "a\r\nDELE 1"));
	assert_false(pop3_client_user(t.c, "a\nb"));
	assert_false(pop3_client_user(t.c, "a\rb"));
	assert_false(pop3_client_auth(t.c, "PLAIN\r\nQUIT", NULL, 0, false));
	assert_false(pop3_client_retr(t.c, 1)); /* not in this state */
	memset(longest, 'x', sizeof longest);
	longest[249] = '\0'; /* "USER " and CRLF make 256 */
	assert_false(pop3_client_user(t.c, longest));
	longest[248] = '\0';
	assert_true(pop3_client_user(t.c, longest));
	flush(&t);
	assert_int_equal(t.sent_len, 255);
	pop3_client_destroy(&t.c);
}

/* Holds: P1939-95 Q-S51 Q-S52 Q-S62 */
static void
broken_streams(void **state)
{
	static const struct {
		struct step steps[6];
		const char *why;
	} cases[] = {
		{ { { NULL, "EOF" } },
		    "broken: the server closed the connection before its greeting" },
		{ { { NULL, "SSH-2.0-x\r\n" } }, "broken: what the server says is no answer" },
		{ { { NULL, "+OK hi\r\n-ERR timeout\r\n" } }, "broken: the server spoke without" },
		{ { { NULL, "+OK hi\r\n" }, { NULL, "EOF" } },
		    "broken: the server closed the connection\n" },
		{ { HELLO, { "RETR 1", "+OK\r\na\r\nb" }, { NULL, "EOF" } },
		    "broken: the server closed the connection in the middle of a message" },
		{ { HELLO, { "RETR 1", "+OK\r\na\r\n." }, { NULL, "EOF" } },
		    "broken: the server closed the connection in the middle of a message" },
		{ { HELLO, { "RETR 1", "+OK\r\na\r\n.\r" }, { NULL, "EOF" } },
		    "broken: the server closed the connection in the middle of a message" },
		{ { HELLO, { "RETR 1", "+OK\r\na\r\n.\r\nrest of it\r\n" } },
		    "broken: the server spoke" },
		{ { HELLO, { "QUIT", "EOF" } },
		    "broken: the server closed the connection before it" },
		{ { HELLO, { "STAT", "OK 1 2\r\n" } },
		    "broken: what the server says is no answer" },
		{ { HELLO, { "STAT", "+ 1 2\r\n" } }, "broken: what the server says is no answer" },
	};
	static struct talk t;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		for (size_t cut = 0; cut < 40; cut++) {
			run(&t, &tls, cases[i].steps, 6, cut == 39 ? SIZE_MAX : cut);
			if (strstr(t.record, cases[i].why) == NULL)
				fail_msg("case %zu, cut %zu: %s", i, cut, t.record);
		}
	}
}

/* Lines have a ceiling, content has none. */
static void
lines_have_a_ceiling(void **state)
{
	static char line[200000];
	static struct talk t;
	struct pop3_client_event ev;
	struct pop3_in in;
	uint64_t got = 0;

	(void)state;
	memset(line, 'x', sizeof line);
	memset(&t, 0, sizeof t);
	t.c = pop3_client_create(&tls);
	in = (struct pop3_in){ (const uint8_t *)line, sizeof line };
	memcpy(line, "+OK", 3);
	assert_int_equal(pop3_client_next(t.c, &in, &ev), POP3_EVENT);
	assert_int_equal(ev.type, POP3_CEV_BROKEN);
	pop3_client_destroy(&t.c);

	memset(&t, 0, sizeof t); /* Holds: Q-S53 */
	t.c = pop3_client_create(&tls);
	feed(&t, "+OK\r\n", 5, 0);
	assert_true(pop3_client_user(t.c, "u"));
	flush(&t);
	feed(&t, "+OK\r\n", 5, 0);
	assert_true(pop3_client_pass(t.c, "p"));
	flush(&t);
	feed(&t, "+OK\r\n", 5, 0);
	assert_true(pop3_client_retr(t.c, 1));
	flush(&t);
	feed(&t, "+OK\r\n", 5, 0);
	memset(line, 'x', sizeof line);
	for (int i = 0; i < 20; i++) {
		in = (struct pop3_in){ (const uint8_t *)line, sizeof line };
		while (pop3_client_next(t.c, &in, &ev) == POP3_EVENT) {
			assert_int_equal(ev.type, POP3_CEV_CONTENT);
			got += ev.data.len;
		}
	}
	assert_int_equal(got, 20 * sizeof line);
	pop3_client_destroy(&t.c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_session),
		cmocka_unit_test(listings_of_all_kinds),
		cmocka_unit_test(bare_lf_ends_nothing),
		cmocka_unit_test(bare_lf_throughout),
		cmocka_unit_test(pipelining),
		cmocka_unit_test(stls_forgets),
		cmocka_unit_test(stls_injection),
		cmocka_unit_test(auth_exchanges),
		cmocka_unit_test(auth_cancelled),
		cmocka_unit_test(passwords_need_tls),
		cmocka_unit_test(arguments_inject_nothing),
		cmocka_unit_test(broken_streams),
		cmocka_unit_test(lines_have_a_ceiling),
	};

	return cmocka_run_group_tests_name("client", tests, NULL, NULL);
}
