/*
 * Plays tests/transcripts/ against libpop3, with a maildrop in memory: each segment whole, cut in
 * two at every place, and octet by octet.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <err.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <pop3/content.h>
#include <pop3/server.h>
#include <pop3/surrogate.h>

#include "transcript.h"

struct world { /* what outlives a session */
	const struct transcript *t;
	struct pop3_server_config config;
	const char *path;
	bool removed[TRANSCRIPT_MESSAGES];
};

struct session {
	struct world *w;
	struct pop3_server *pop;
	struct pop3_server_now now;
	char *sasl; /* memory of now.sasl */
	struct octets got; /* what was sent to the client */
	size_t seen; /* of it, by the steps so far */
	bool handshake, closed;
	unsigned open[TRANSCRIPT_MESSAGES], count;
	bool marked[TRANSCRIPT_MESSAGES];
	char mech[24];
	unsigned round; /* of the exchange */
	char user[64];
};

static const struct {
	const char *name, *password;
} accounts[] = {
	{ "joe", "correct horse" },
	{ "tim", "tanstaaftanstaaf" },
	{ "test", "test" },
	{ "user", "pencil" },
	{ "mrose", "tanstaaf" },
	{ "spaces", "  a  b " },
	{ "jos\xc3\xa9", "gr\xc3\xbcn" },
};

static bool
is(const struct pop3_slice *s, const char *text)
{
	return s->len == strlen(text) && (s->len == 0 || memcmp(s->data, text, s->len) == 0);
}

static bool
right(const struct pop3_slice *user, const struct pop3_slice *secret)
{
	for (size_t i = 0; i < sizeof accounts / sizeof *accounts; i++)
		if (is(user, accounts[i].name) && is(secret, accounts[i].password))
			return true;
	return false;
}

/* Exchanges that were published, word for word: what the client has to say, and the answer to it.
 * The empty answer is success. */
static const struct {
	const char *mech;
	unsigned round;
	const char *response, *challenge;
} exchanges[] = {
	{ "CRAM-MD5", 0, NULL, "<1896.697170952@postoffice.reston.mci.net>" },
	{ "CRAM-MD5", 1, "tim b913a602c7eda7a495b4e6e7334d3890", "" },
	{ "SCRAM-SHA-256", 1, "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
	    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,"
	    "i=4096" },
	{ "SCRAM-SHA-256", 2,
	    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
	    "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
	    "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=" },
	{ "SCRAM-SHA-256", 3, "", "" },
	{ "LOGIN", 0, NULL, "Username:" },
};

static void
open_maildrop(struct session *s)
{
	s->count = 0;
	for (unsigned i = 0; i < s->w->t->count; i++)
		if (!s->w->removed[i])
			s->open[s->count++] = i;
}

static void
now_for(struct session *s, bool tls, bool logged_in)
{
	const struct transcript *t = s->w->t;
	bool plaintext = tls || t->plaintext;

	s->now = (struct pop3_server_now){
		.tls = tls,
		.stls = t->tls_offered && !tls,
		.plaintext = plaintext,
		.sasl = pop3_mechanisms_usable(t->sasl, tls, plaintext, s->sasl),
		.apop = t->apop,
		.expire = logged_in && t->expire_user ? -1 : t->expire,
		.login_delay = logged_in && t->login_delay_user ? 0 : t->login_delay,
	};
}

static void
begin(struct session *s, struct world *w)
{
	const struct transcript *t = w->t;
	uint8_t mem[POP3_REPLY_MAX];
	struct pop3_out out = { mem, 0, sizeof mem };

	*s = (struct session){ .w = w };
	s->sasl = malloc(strlen(t->sasl) + 1);
	now_for(s, t->tls_active, !t->authorization);
	s->pop = pop3_server_create(
	    &w->config, &s->now, t->authorization ? POP3_AUTHORIZATION : POP3_TRANSACTION);
	assert_non_null(s->pop);
	if (t->authorization) {
		pop3_server_greet(s->pop, &out);
		octets_add(&s->got, mem, out.len);
	}
	open_maildrop(s);
}

static void
end(struct session *s)
{
	pop3_server_destroy(&s->pop);
	free(s->sasl);
	free(s->got.data);
}

/* The message as this session may see it (RFC 6856, 2.1); the caller frees it. */
static struct octets
form_of(const struct session *s, unsigned number)
{
	const struct octets *m = &s->w->t->messages[s->open[number - 1]];
	struct pop3_surrogate *surrogate;
	struct octets form = { 0 };
	uint8_t mem[100];
	size_t n;

	if (pop3_server_is_utf8(s->pop)) {
		octets_add(&form, m->data, m->len);
		return form;
	}
	surrogate = pop3_surrogate_create();
	assert_non_null(surrogate);
	assert_true(pop3_surrogate_feed(surrogate, m->data, m->len, true));
	while ((n = pop3_surrogate_output(surrogate, mem, sizeof mem)) > 0)
		octets_add(&form, mem, n);
	pop3_surrogate_destroy(&surrogate);
	return form;
}

static void
size_of(const struct session *s, unsigned number, uint64_t *ret)
{
	struct octets m = form_of(s, number);
	struct pop3_measure measure;

	pop3_measure_init(&measure);
	if (m.len > 0)
		pop3_measure(&measure, m.data, m.len);
	pop3_measure_end(&measure);
	free(m.data);
	*ret = measure.octets;
}

static unsigned
totals(const struct session *s, uint64_t *ret_octets)
{
	unsigned n = 0;

	*ret_octets = 0;
	for (unsigned i = 1; i <= s->count; i++) {
		uint64_t size;

		if (s->marked[i - 1])
			continue;
		size_of(s, i, &size);
		*ret_octets += size;
		n++;
	}
	return n;
}

static void
say_totals(struct session *s, struct pop3_out *out)
{
	uint64_t octets;
	unsigned n = totals(s, &octets);

	pop3_reply_okf(out, "%u messages (%llu octets)", n, (unsigned long long)octets);
}

/* What a process that has the maildrop does when it takes over. */
static void
log_in(struct session *s, struct pop3_out *out)
{
	enum pop3_lang lang = pop3_server_lang(s->pop);
	bool utf8 = pop3_server_is_utf8(s->pop);

	if (s->w->t->in_use) {
		pop3_server_login_failed(s->pop, out, POP3_CODE_IN_USE, POP3_TEXT_IN_USE);
		return;
	}
	pop3_server_destroy(&s->pop);
	now_for(s, s->now.tls, true);
	s->pop = pop3_server_create(&s->w->config, &s->now, POP3_TRANSACTION);
	assert_non_null(s->pop);
	pop3_server_resume(s->pop, lang, utf8);
	say_totals(s, out);
}

static void
log_in_if(struct session *s, bool good, struct pop3_out *out)
{
	if (good)
		log_in(s, out);
	else
		pop3_server_login_failed(s->pop, out, POP3_CODE_AUTH, POP3_TEXT_LOGIN_FAILED);
}

/* [authzid] NUL authcid NUL passwd */
static bool
plain_is_right(const struct pop3_slice *m)
{
	const uint8_t *a = m->len == 0 ? NULL : memchr(m->data, 0, m->len), *b, *stop;
	struct pop3_slice user, secret;

	if (a == NULL)
		return false;
	stop = m->data + m->len;
	b = memchr(a + 1, 0, (size_t)(stop - a - 1));
	if (b == NULL)
		return false;
	user = (struct pop3_slice){ a + 1, (size_t)(b - a - 1) };
	secret = (struct pop3_slice){ b + 1, (size_t)(stop - b - 1) };
	return right(&user, &secret);
}

/* One step of an exchange; has: the client has said something. */
static void
exchange(struct session *s, bool has, const struct pop3_slice *data, struct pop3_out *out)
{
	if (has && strcmp(s->mech, "PLAIN") == 0) {
		log_in_if(s, plain_is_right(data), out);
		return;
	}
	if (has && strcmp(s->mech, "LOGIN") == 0) {
		struct pop3_slice user = { (const uint8_t *)s->user, strlen(s->user) };

		if (s->round++ == 1) {
			snprintf(s->user, sizeof s->user, "%.*s", (int)data->len,
			    data->len > 0 ? (const char *)data->data : "");
			assert_true(
			    pop3_server_challenge(s->pop, out, (const uint8_t *)"Password:", 9));
			return;
		}
		log_in_if(s, right(&user, data), out);
		return;
	}
	if (has && s->round == 0)
		s->round = 1;
	for (size_t i = 0; i < sizeof exchanges / sizeof *exchanges; i++) {
		const char *next = exchanges[i].challenge;

		if (strcmp(exchanges[i].mech, s->mech) != 0 || exchanges[i].round != s->round ||
		    (has && !is(data, exchanges[i].response)))
			continue;
		s->round++;
		if (*next == '\0')
			log_in(s, out);
		else
			assert_true(pop3_server_challenge(
			    s->pop, out, (const uint8_t *)next, strlen(next)));
		return;
	}
	if (!has && s->round == 0) { /* client-first, but it waits to be asked */
		s->round = 1;
		assert_true(pop3_server_challenge(s->pop, out, NULL, 0));
		return;
	}
	log_in_if(s, false, out);
}

static void
apop(struct session *s, const struct pop3_event *ev, struct pop3_out *out)
{
	static const uint8_t want[16] = { 0xc4, 0xc9, 0x33, 0x4b, 0xac, 0x56, 0x0e, 0xcc, 0x97,
		0x9e, 0x58, 0x00, 0x1b, 0x3e, 0x22, 0xfb };

	log_in_if(s, is(&ev->user, "mrose") && memcmp(ev->digest, want, sizeof want) == 0, out);
}

/* Number of an open message that is not marked; 0: -ERR was said. */
static unsigned
find(struct session *s, const struct pop3_event *ev, struct pop3_out *out)
{
	if (ev->number <= s->count && !s->marked[ev->number - 1])
		return (unsigned)ev->number;
	pop3_reply_err(
	    out, POP3_CODE_NONE, pop3_text(pop3_server_lang(s->pop), POP3_TEXT_NO_SUCH_MESSAGE));
	return 0;
}

static void
listing(struct session *s, const struct pop3_event *ev, struct pop3_out *out)
{
	unsigned n = ev->number == 0 ? 0 : find(s, ev, out);
	uint64_t size;

	if (ev->number != 0) {
		if (n == 0)
			return;
		size_of(s, n, &size);
		if (ev->type == POP3_EV_LIST)
			pop3_reply_okf(out, "%u %llu", n, (unsigned long long)size);
		else
			pop3_reply_okf(out, "%u %s", n, s->w->t->uids[s->open[n - 1]]);
		return;
	}
	say_totals(s, out);
	for (unsigned i = 1; i <= s->count; i++) {
		if (s->marked[i - 1])
			continue;
		size_of(s, i, &size);
		if (ev->type == POP3_EV_LIST)
			pop3_reply_number(out, i, size);
		else
			pop3_reply_uid(out, i, s->w->t->uids[s->open[i - 1]]);
	}
	pop3_reply_end(out);
}

static void
message(struct session *s, const struct pop3_event *ev, struct pop3_out *out)
{
	unsigned n = find(s, ev, out);
	struct octets m;
	struct pop3_stuff st;
	size_t used, at = 0;
	bool more = true;

	if (n == 0)
		return;
	pop3_reply_ok(out, "message follows");
	m = form_of(s, n);
	if (ev->type == POP3_EV_TOP)
		pop3_stuff_init_top(&st, ev->lines);
	else
		pop3_stuff_init(&st);
	while (more && at < m.len) {
		more = pop3_stuff(&st, m.data + at, m.len - at, &used, out);
		at += used;
		octets_add(&s->got, out->data, out->len);
		out->len = 0;
	}
	pop3_stuff_end(&st, out);
	free(m.data);
}

static void
update(struct session *s, struct pop3_out *out)
{
	bool any = false;

	for (unsigned i = 0; i < s->count; i++) {
		any |= s->marked[i];
		if (s->marked[i] && !s->w->t->read_only)
			s->w->removed[s->open[i]] = true;
	}
	if (any && s->w->t->read_only)
		pop3_reply_err(out, POP3_CODE_SYS_TEMP,
		    pop3_text(pop3_server_lang(s->pop), POP3_TEXT_NOT_REMOVED));
	else
		pop3_reply_ok(out, "bye");
	s->closed = true;
}

static void
handle(struct session *s, const struct pop3_event *ev, struct pop3_out *out)
{
	uint64_t octets;
	unsigned n;

	switch (ev->type) {
	case POP3_EV_PASS:
		log_in_if(s, right(&ev->user, &ev->secret), out);
		break;
	case POP3_EV_APOP:
		apop(s, ev, out);
		break;
	case POP3_EV_AUTH:
		snprintf(s->mech, sizeof s->mech, "%.*s", (int)ev->mech.len,
		    (const char *)ev->mech.data);
		s->round = 0;
		exchange(s, ev->has_initial, &ev->data, out);
		break;
	case POP3_EV_AUTH_RESPONSE:
		exchange(s, true, &ev->data, out);
		break;
	case POP3_EV_AUTH_CANCEL:
		break;
	case POP3_EV_STLS:
		s->handshake = true;
		break;
	case POP3_EV_STAT:
		n = totals(s, &octets);
		pop3_reply_okf(out, "%u %llu", n, (unsigned long long)octets);
		break;
	case POP3_EV_LIST:
	case POP3_EV_UIDL:
		listing(s, ev, out);
		break;
	case POP3_EV_RETR:
	case POP3_EV_TOP:
		message(s, ev, out);
		break;
	case POP3_EV_DELE:
		n = find(s, ev, out);
		if (n > 0) {
			s->marked[n - 1] = true;
			pop3_reply_ok(out, "marked");
		}
		break;
	case POP3_EV_RSET:
		memset(s->marked, 0, sizeof s->marked);
		say_totals(s, out);
		break;
	case POP3_EV_QUIT:
		if (pop3_server_state(s->pop) == POP3_UPDATE)
			update(s, out);
		s->closed = true;
		break;
	case POP3_EV_ABUSE:
		s->closed = true;
		break;
	}
}

static void
receive(struct session *s, const uint8_t *p, size_t len)
{
	uint8_t *exact = malloc(len > 0 ? len : 1), mem[POP3_OUT_MIN + 7];
	struct pop3_in in = { exact, len };
	struct pop3_out out = { mem, 0, sizeof mem };
	struct pop3_event ev;
	enum pop3_result r;

	memcpy(exact, p, len);
	while (!s->closed && !s->handshake &&
	       (r = pop3_server_next(s->pop, &in, &out, &ev)) != POP3_NEED_INPUT) {
		octets_add(&s->got, mem, out.len);
		out.len = 0;
		if (r == POP3_EVENT)
			handle(s, &ev, &out);
	}
	octets_add(&s->got, mem, out.len);
	if (s->handshake && in.len > 0)
		s->closed = true; /* octets in the clear behind STLS: an attack */
	free(exact);
}

/* Whether the next line of what was sent is the wanted one; it is seen then. */
static bool
next_line_is(struct session *s, const struct octets *want)
{
	const uint8_t *line, *lf;
	size_t len;
	bool free_text;

	if (s->seen == s->got.len)
		return false;
	line = s->got.data + s->seen;
	lf = memchr(line, '\n', s->got.len - s->seen);
	if (lf == NULL || lf == line || lf[-1] != '\r')
		return false;
	len = (size_t)(lf - line) - 1;
	free_text = want->len > 0 &&
		    ((want->len == 3 && memcmp(want->data, "+OK", 3) == 0) ||
			(want->len == 4 && memcmp(want->data, "-ERR", 4) == 0) ||
			(want->len > 7 && memcmp(want->data, "-ERR [", 6) == 0 &&
			    memchr(want->data, ']', want->len) == want->data + want->len - 1));
	if (free_text) {
		bool code = want->data[want->len - 1] == ']';

		if (len < want->len + 2 || memcmp(line, want->data, want->len) != 0 ||
		    line[want->len] != ' ' || (!code && line[want->len + 1] == '['))
			return false;
	} else if (len != want->len || (len > 0 && memcmp(line, want->data, len) != 0)) {
		return false;
	}
	s->seen += len + 2;
	return true;
}

static void
skip_line(struct session *s)
{
	const uint8_t *lf = s->seen == s->got.len
				? NULL
				: memchr(s->got.data + s->seen, '\n', s->got.len - s->seen);

	s->seen = lf == NULL ? s->got.len : (size_t)(lf - s->got.data) + 1;
}

static void
complain(const struct session *s, const struct step *step, const char *what, const char *how)
{
	fail_msg("%s:%u (%s): %s; what came is \"%.*s\"", s->w->path, step->line, how, what,
	    (int)(s->got.len - s->seen), s->got.len > 0 ? (char *)s->got.data + s->seen : "");
}

/* In pieces of so many octets: first, then step. */
static void
play(struct world *w, size_t first, size_t step_len)
{
	const struct transcript *t = w->t;
	struct session s;
	char how[64];

	snprintf(how, sizeof how, "in pieces of %zu, then %zu", first, step_len);
	memset(w->removed, 0, sizeof w->removed);
	begin(&s, w);
	for (unsigned i = 0; i < t->length; i++) {
		const struct step *step = &t->steps[i];

		if (step->kind != STEP_EXPECT && step->kind != STEP_SKIP && s.seen != s.got.len)
			complain(&s, step, "more was sent", how);
		switch (step->kind) {
		case STEP_SEND:
			if (s.closed)
				complain(&s, step, "closed", how);
			for (size_t at = 0, n = first; at < step->text.len; at += n, n = step_len) {
				if (n > step->text.len - at)
					n = step->text.len - at;
				receive(&s, step->text.data + at, n);
			}
			break;
		case STEP_EXPECT:
			if (!next_line_is(&s, &step->text))
				complain(&s, step, "not the line that was expected", how);
			break;
		case STEP_SKIP:
			step = &t->steps[++i];
			while (!next_line_is(&s, &step->text)) {
				if (s.seen == s.got.len)
					complain(&s, step, "no line is the expected one", how);
				skip_line(&s);
			}
			break;
		case STEP_TLS:
			if (!s.handshake || s.closed)
				complain(&s, step, "no handshake", how);
			s.handshake = false;
			now_for(&s, true, false);
			pop3_server_set_now(s.pop, &s.now);
			break;
		case STEP_CLOSED:
			if (!s.closed)
				complain(&s, step, "not closed", how);
			break;
		case STEP_HANG_UP:
			s.closed = true;
			break;
		case STEP_AGAIN:
			end(&s);
			begin(&s, w);
			break;
		}
	}
	if (s.seen != s.got.len)
		complain(&s, &t->steps[t->length - 1], "more was sent", how);
	end(&s);
}

static void
transcript(void **state)
{
	struct world w = { .path = *state };
	struct transcript *t = transcript_read(w.path);
	size_t longest = 0;

	if (!t->for_library) {
		transcript_free(t);
		skip();
	}
	w.t = t;
	w.config = (struct pop3_server_config){ .implementation = "Restante",
		.expire_user = t->expire_user,
		.login_delay_user = t->login_delay_user,
		.lang = (enum pop3_lang)t->lang,
		.utf8 = t->utf8 };
	for (unsigned i = 0; i < t->length; i++)
		if (t->steps[i].kind == STEP_SEND && t->steps[i].text.len > longest)
			longest = t->steps[i].text.len;
	play(&w, longest + 1, longest + 1);
	play(&w, 1, 1);
	for (size_t cut = 1; cut <= longest && cut <= 600; cut++)
		play(&w, cut, longest);
	transcript_free(t);
}

int
main(int argc, char **argv)
{
	struct CMUnitTest *tests;
	glob_t found;
	int r;

	if (argc != 2 || chdir(argv[1]) == -1)
		err(1, "usage: %s folder", argv[0]);
	if (glob("*.txt", 0, NULL, &found) != 0)
		errx(1, "no transcripts");
	tests = calloc(found.gl_pathc, sizeof *tests);
	for (size_t i = 0; i < found.gl_pathc; i++)
		tests[i] = (struct CMUnitTest){ .name = found.gl_pathv[i],
			.test_func = transcript,
			.initial_state = found.gl_pathv[i] };
	r = _cmocka_run_group_tests("transcripts", tests, found.gl_pathc, NULL, NULL);
	free(tests);
	globfree(&found);
	return r;
}
