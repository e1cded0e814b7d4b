#include "client/fetch.h"

#include <pop3/client.h>
#include <stdlib.h>
#include <string.h>

#include "client/arrival.h"
#include "client/link.h"
#include "client/scanlist.h"
#include "client/login.h"
#include "client/report.h"
#include "client/state.h"
#include "client/trouble.h"

enum mark {
	MARK_SKIP, /* known, and stays */
	MARK_FETCH,
	MARK_ARRIVED, /* in this run, or known: may be deleted */
	MARK_FAILED, /* -ERR to RETR, and the like */
	MARK_DELETED, /* +OK to DELE */
};

struct run {
	const struct fetch_options *o;
	const struct report *report;
	struct totals *totals;
	struct target target;
	struct state *state;
	struct link *link;
	struct pop3_client *pop;
	struct scanlist listing;
	struct arrival *arrival; /* of the message that is coming in */
	struct listed *last; /* came in whole, and nothing yet that shows its end to be right */
	bool pipelined; /* more than one command was in flight at some time */
};

static struct state_key
key_of(const struct run *r, const struct listed *m)
{
	return (struct state_key){ scanlist_uid(&r->listing, m), m->nth };
}

/* After a crash: an intent whose file is there has arrived; another came to nothing. */
static int
recover(struct run *r, struct trouble *t)
{
	struct state_found found;
	int64_t cursor = 0;
	bool more, has;

	for (;;) {
		if (state_next(r->state, STATE_INTENT, &cursor, &found, &more, t) == -1)
			return -1;
		if (!more)
			return state_flush(r->state, t);
		if (target_has(found.maildir, found.name, &has, t) == -1 ||
		    state_set(r->state, &found.key, has ? STATE_DONE : STATE_NONE, t) == -1)
			return -1;
	}
}

/* What was deleted and is not listed any more is forgotten; so is what was being deleted. */
static int
forget_gone(struct run *r, enum state_stage stage, struct trouble *t)
{
	struct state_found found;
	int64_t cursor = 0;
	bool more;

	for (;;) {
		if (state_next(r->state, stage, &cursor, &found, &more, t) == -1)
			return -1;
		if (!more)
			return state_flush(r->state, t);
		if (scanlist_find_uid(&r->listing, found.key.uid, found.key.nth) == NULL &&
		    state_set(r->state, &found.key, STATE_NONE, t) == -1)
			return -1;
	}
}

static int
decide(struct run *r, struct listed *m, struct trouble *t)
{
	struct state_record record = { STATE_NONE, UINT64_MAX };
	struct state_key key = key_of(r, m);

	if (m->uid_len == 0) { /* Q-S36 */
		m->mark = r->o->delete ? MARK_FETCH : MARK_FAILED;
		if (m->mark == MARK_FAILED) {
			r->totals->failed++;
			report_message(r->report, m->number, key.uid, m->octets, NULL,
			    "it has no unique-id: only with --delete can it be fetched");
		}
		return 0;
	}
	if (state_get(r->state, &key, &record, t) == -1)
		return -1;
	/* Listed again after it was deleted, or may have been.  Some servers take a unique-id for
	 * another message then, so it has to have the same size to be the same one (Q-S75). */
	if ((record.stage == STATE_DELETING || record.stage == STATE_DELETED) &&
	    (m->octets == UINT64_MAX || m->octets != record.octets))
		record.stage = STATE_NONE;
	if (record.stage == STATE_NONE) {
		m->mark = MARK_FETCH;
		return 0;
	}
	if (record.stage == STATE_DOUBTFUL) {
		m->mark = MARK_FAILED;
		r->totals->failed++;
		report_message(r->report, m->number, key.uid, m->octets, NULL,
		    "what the server sent of it may be a part only; it stays there");
		return 0;
	}
	r->totals->known++;
	m->mark = r->o->delete ? MARK_ARRIVED : MARK_SKIP;
	return 0;
}

static int
plan(struct run *r, struct trouble *t)
{
	if (scanlist_get(r->link, &r->listing, t) == -1)
		return -1;
	r->totals->listed = r->listing.count;
	if (!r->listing.has_uids && !r->o->delete)
		return trouble_set(t, EX_UNAVAILABLE,
		    "the server has no unique-ids, so what is new cannot be told: only with "
		    "--delete");
	if (r->listing.has_uids &&
	    (forget_gone(r, STATE_DELETING, t) == -1 || forget_gone(r, STATE_DELETED, t) == -1))
		return -1;
	for (size_t i = 0; i < r->listing.count; i++)
		if (decide(r, &r->listing.messages[i], t) == -1)
			return -1;
	return 0;
}

/* The message is here whole: note where it will be, and let it appear. */
static int
settle(struct run *r, struct listed *m, struct trouble *t)
{
	struct state_key key = key_of(r, m);
	uint64_t octets = r->arrival == NULL ? 0 : arrival_octets(r->arrival);
	char name[256];

	if (octets == 0) { /* Q-S60 */
		arrival_abort(&r->arrival);
		m->mark = MARK_FAILED;
		r->totals->failed++;
		report_message(r->report, m->number, key.uid, 0, NULL, "the server sent nothing");
		return 0;
	}
	if (arrival_end(r->arrival, name, t) == -1)
		return -1;
	if (m->uid_len > 0 &&
	    state_intend(r->state, &key, m->octets, r->target.path, name, t) == -1)
		return -1;
	if (arrival_commit(&r->arrival, t) == -1)
		return -1;
	if (m->uid_len > 0 && state_set(r->state, &key, STATE_DONE, t) == -1)
		return -1;
	m->mark = MARK_ARRIVED;
	r->last = m;
	r->totals->delivered++;
	r->totals->octets += octets;
	report_message(r->report, m->number, key.uid, octets, name, NULL);
	return 0;
}

/* An event of RETR of m. */
static int
take(struct run *r, struct listed *m, const struct pop3_client_event *ev, struct trouble *t)
{
	char why[600];

	switch (ev->type) {
	case POP3_CEV_BEGIN:
		r->last = NULL;
		return arrival_begin(&r->target, &r->arrival, t);
	case POP3_CEV_CONTENT:
		return arrival_write(r->arrival, ev->data.data, ev->data.len, t);
	case POP3_CEV_DONE:
		if (ev->ok)
			return settle(r, m, t);
		r->last = NULL;
		m->mark = MARK_FAILED;
		r->totals->failed++;
		report_message(r->report, m->number, scanlist_uid(&r->listing, m), 0, NULL,
		    report_harmless(ev->text, why, sizeof why));
		return 0;
	default:
		return trouble_set(t, EX_SOFTWARE, "an event that cannot be");
	}
}

/* The next message with that mark from *at on, or NULL. */
static struct listed *
next_marked(struct run *r, size_t *at, enum mark mark)
{
	while (*at < r->listing.count)
		if (r->listing.messages[(*at)++].mark == mark)
			return &r->listing.messages[*at - 1];
	return NULL;
}

/* Gives a command for every message with a mark, as many at a time as may be, and takes what
 * comes.  Whoever takes changes the mark of a message that is over. */
static int
for_marked(struct run *r, enum mark mark, bool (*give)(struct pop3_client *c, uint64_t number),
    int (*taker)(
	struct run *r, struct listed *m, const struct pop3_client_event *ev, struct trouble *t),
    struct trouble *t)
{
	struct pop3_client_event ev;
	struct listed *m;
	size_t at = 0;

	for (;;) {
		while (pop3_client_room(r->pop) > 0 && (m = next_marked(r, &at, mark)) != NULL) {
			if (!give(r->pop, m->number))
				return trouble_set(t, EX_OSERR, "out of memory");
			if (pop3_client_outstanding(r->pop) > 1)
				r->pipelined = true;
		}
		if (pop3_client_outstanding(r->pop) == 0)
			return 0;
		if (link_next(r->link, &ev, t) == -1)
			return -1;
		m = scanlist_find(&r->listing, ev.number);
		if (m == NULL)
			return trouble_set(t, EX_SOFTWARE, "an answer to no message");
		if (taker(r, m, &ev, t) == -1)
			return -1;
	}
}

/* Whether others of its unique-id are not safe: then which is which may be mixed up (Q-S38). */
static bool
twins_safe(struct run *r, const struct listed *m)
{
	const struct listed *twin;

	if (!m->twin || m->uid_len == 0)
		return true;
	for (uint32_t nth = 0;
	     (twin = scanlist_find_uid(&r->listing, scanlist_uid(&r->listing, m), nth)) != NULL;
	     nth++)
		if (twin->mark != MARK_ARRIVED)
			return false;
	return true;
}

static int
take_dele(struct run *r, struct listed *m, const struct pop3_client_event *ev, struct trouble *t)
{
	struct state_key key = key_of(r, m);
	char why[600];

	r->last = NULL;
	if (ev->ok) {
		m->mark = MARK_DELETED;
		return 0;
	}
	m->mark = MARK_FAILED;
	r->totals->failed++;
	report_message(
	    r->report, m->number, key.uid, 0, NULL, report_harmless(ev->text, why, sizeof why));
	return m->uid_len == 0 ? 0 : state_set(r->state, &key, STATE_DONE, t);
}

/* Marks what is safe as being deleted, durably, before the first DELE. */
static int
delete_all(struct run *r, struct trouble *t)
{
	for (size_t i = 0; i < r->listing.count; i++) {
		struct listed *m = &r->listing.messages[i];
		struct state_key key = key_of(r, m);

		if (m->mark == MARK_ARRIVED && !twins_safe(r, m))
			m->mark = MARK_SKIP;
		if (m->mark == MARK_ARRIVED && m->uid_len > 0 &&
		    state_set(r->state, &key, STATE_DELETING, t) == -1)
			return -1;
	}
	if (state_flush(r->state, t) == -1)
		return -1;
	return for_marked(r, MARK_ARRIVED, pop3_client_dele, take_dele, t);
}

/* QUIT: only its +OK says that the deletions are real (P1939-95). */
static int
quit(struct run *r, struct trouble *t)
{
	struct pop3_client_event ev;

	if (!pop3_client_quit(r->pop))
		return trouble_set(t, EX_OSERR, "out of memory");
	if (link_done(r->link, &ev, t) == -1)
		return -1;
	if (!ev.ok)
		return trouble_set(t, EX_TEMPFAIL, "the server has not deleted everything: %.*s",
		    (int)(ev.text.len > 300 ? 300 : ev.text.len), (const char *)ev.text.data);
	for (size_t i = 0; i < r->listing.count; i++) {
		struct listed *m = &r->listing.messages[i];
		struct state_key key = key_of(r, m);

		if (m->mark != MARK_DELETED)
			continue;
		r->totals->deleted++;
		if (m->uid_len > 0 && state_set(r->state, &key, STATE_DELETED, t) == -1)
			return -1;
	}
	return state_flush(r->state, t);
}

static int
session(struct run *r, struct trouble *t)
{
	struct link_options link = *r->o->link;

	if (state_lockstep(r->state, &link.lockstep, t) == -1)
		return -1;
	link.lockstep = link.lockstep || r->o->link->lockstep;
	if (login(&link, r->o->credentials, &r->link, t) == -1)
		return -1;
	r->pop = link_pop(r->link);
	if (plan(r, t) == -1 || for_marked(r, MARK_FETCH, pop3_client_retr, take, t) == -1 ||
	    state_flush(r->state, t) == -1)
		return -1;
	if (r->o->delete &&delete_all(r, t) == -1)
		return -1;
	if (quit(r, t) == -1)
		return -1;
	if (r->totals->failed > 0)
		return trouble_set(
		    t, EX_TEMPFAIL, "%s: not every message could be had", r->o->link->url->host);
	return 0;
}

/* What was taken for the end of the last message may not have been it. */
static int
doubt_last(struct run *r, struct trouble *t)
{
	struct state_key key;

	if (r->last == NULL || r->last->uid_len == 0)
		return 0;
	key = key_of(r, r->last);
	r->last = NULL;
	return state_set(r->state, &key, STATE_DOUBTFUL, t);
}

static void
end_session(struct run *r)
{
	r->last = NULL;
	arrival_abort(&r->arrival);
	scanlist_free(&r->listing);
	link_close(&r->link);
}

int
fetch(const struct fetch_options *o, struct totals *totals, struct trouble *t)
{
	struct run r = { .o = o, .report = o->link->report, .totals = totals, .target.root = -1 };
	const struct pop3_url *u = o->link->url;
	struct trouble ignored;
	int result = -1;

	if (target_open(&r.target, o->maildir, t) == -1 ||
	    state_open(o->state, o->credentials->user, u->host, u->port, &r.state, t) == -1 ||
	    recover(&r, t) == -1)
		goto out;
	result = session(&r, t);
	if (result == -1 && t->status == EX_PROTOCOL && doubt_last(&r, t) == -1)
		goto out;
	if (result == -1 && t->status == EX_PROTOCOL && r.pipelined) { /* Q-S80 */
		report_say(r.report, "%s: %s; once more, one command at a time", u->host, t->text);
		end_session(&r);
		r.pipelined = false;
		if (state_set_lockstep(r.state, t) == -1 || recover(&r, t) == -1)
			goto out;
		totals->known = totals->failed = 0;
		result = session(&r, t);
		if (result == -1 && t->status == EX_PROTOCOL && doubt_last(&r, t) == -1)
			goto out;
	}
	/* what has arrived is worth noting, whatever else went wrong; the intents tell it as well */
	if (result == -1 && r.state != NULL)
		(void)state_flush(r.state, &ignored);
out:
	end_session(&r);
	state_close(&r.state);
	target_close(&r.target);
	return result;
}
