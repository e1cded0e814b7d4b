#include "client/scanlist.h"

#include <pop3/client.h>
#include <stdlib.h>
#include <string.h>

#include "client/link.h"
#include "client/trouble.h"

static int
add(struct scanlist *l, const struct pop3_client_event *ev, struct trouble *t)
{
	struct listed *m;

	if (l->count == SCANLIST_MAX || !buf_append(&l->uids, ev->data.data, ev->data.len))
		return trouble_set(t, EX_PROTOCOL, "the server lists too many messages");
	if (l->count == l->cap) {
		size_t cap = l->cap == 0 ? 64 : l->cap * 2;
		struct listed *p = reallocarray(l->messages, cap, sizeof *p);

		if (p == NULL)
			return trouble_set(t, EX_OSERR, "out of memory");
		l->messages = p;
		l->cap = cap;
	}
	m = &l->messages[l->count++];
	*m = (struct listed){
		.number = ev->number,
		.octets = UINT64_MAX,
		.uid = (uint32_t)(l->uids.len - ev->data.len),
		.uid_len = (uint16_t)ev->data.len,
	};
	return 0;
}

static int
by_number(const void *a, const void *b)
{
	const struct listed *x = a, *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

/* Sorts; of messages with the same number the one named first stays. */
static void
sort_numbers(struct scanlist *l)
{
	size_t n = 0;
	bool sorted = true;

	for (size_t i = 1; i < l->count; i++)
		sorted = sorted && l->messages[i - 1].number < l->messages[i].number;
	if (sorted)
		return;
	qsort(l->messages, l->count, sizeof *l->messages, by_number);
	for (size_t i = 0; i < l->count; i++)
		if (n == 0 || l->messages[n - 1].number != l->messages[i].number)
			l->messages[n++] = l->messages[i];
	l->count = n;
}

struct listed *
scanlist_find(struct scanlist *l, uint64_t number)
{
	const struct listed key = { .number = number };

	return l->count == 0 ? NULL
			     : bsearch(&key, l->messages, l->count, sizeof *l->messages, by_number);
}

struct pop3_slice
scanlist_uid(const struct scanlist *l, const struct listed *m)
{
	return (struct pop3_slice){ buf_at(&l->uids) + m->uid, m->uid_len };
}

static int
compare(struct pop3_slice a, struct pop3_slice b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int r = len == 0 ? 0 : memcmp(a.data, b.data, len);

	return r != 0 ? r : a.len < b.len ? -1 : a.len > b.len;
}

static int
by_uid(const void *a, const void *b, void *arg)
{
	const struct scanlist *l = arg;
	uint32_t i = *(const uint32_t *)a, k = *(const uint32_t *)b;
	int r = compare(scanlist_uid(l, &l->messages[i]), scanlist_uid(l, &l->messages[k]));

	return r != 0 ? r : i < k ? -1 : i > k;
}

/* Which messages share a unique-id, and their order. */
static int
sort_uids(struct scanlist *l, struct trouble *t)
{
	struct listed *last = NULL;

	if (l->count == 0)
		return 0;
	l->by_uid = calloc(l->count, sizeof *l->by_uid);
	if (l->by_uid == NULL)
		return trouble_set(t, EX_OSERR, "out of memory");
	for (size_t i = 0; i < l->count; i++)
		l->by_uid[i] = (uint32_t)i;
	qsort_r(l->by_uid, l->count, sizeof *l->by_uid, by_uid, l);
	for (size_t i = 0; i < l->count; i++) {
		struct listed *m = &l->messages[l->by_uid[i]];

		if (last != NULL && compare(scanlist_uid(l, last), scanlist_uid(l, m)) == 0) {
			m->nth = last->nth + 1;
			m->twin = last->twin = true;
		}
		last = m;
	}
	for (size_t i = l->count; i-- > 1;) { /* the first of more than two knows it, too */
		struct listed *m = &l->messages[l->by_uid[i]];

		if (m->nth > 0)
			l->messages[l->by_uid[i - 1]].twin = true;
	}
	return 0;
}

struct listed *
scanlist_find_uid(struct scanlist *l, struct pop3_slice uid, uint32_t nth)
{
	size_t low = 0, high = l->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		struct listed *m = &l->messages[l->by_uid[mid]];
		int r = compare(scanlist_uid(l, m), uid);

		if (r == 0)
			r = m->nth < nth ? -1 : m->nth > nth;
		if (r == 0)
			return m;
		if (r < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

/* LIST: sizes of messages that are known, or, when fresh, the messages themselves. */
static int
get_sizes(struct link *l, struct scanlist *ret, bool fresh, struct trouble *t)
{
	struct pop3_client_event ev;

	if (!pop3_client_list(link_pop(l)))
		return trouble_set(t, EX_SOFTWARE, "LIST was not possible");
	do {
		struct listed *m;

		if (link_next(l, &ev, t) == -1)
			return -1;
		if (ev.type != POP3_CEV_ITEM)
			continue;
		if (fresh) {
			if (add(ret, &ev, t) == -1)
				return -1;
			ret->messages[ret->count - 1].octets = ev.value;
		} else if ((m = scanlist_find(ret, ev.number)) != NULL) {
			m->octets = ev.value;
		}
	} while (ev.type != POP3_CEV_DONE);
	if (!ev.ok && fresh)
		return trouble_set(t, EX_TEMPFAIL, "the server lists nothing: %.*s",
		    (int)(ev.text.len > 300 ? 300 : ev.text.len), (const char *)ev.text.data);
	if (fresh)
		sort_numbers(ret);
	return 0;
}

static int
get_uids(struct link *l, struct scanlist *ret, struct trouble *t)
{
	struct pop3_client_event ev;

	if (!pop3_client_uidl(link_pop(l)))
		return trouble_set(t, EX_SOFTWARE, "UIDL was not possible");
	do {
		if (link_next(l, &ev, t) == -1)
			return -1;
		if (ev.type == POP3_CEV_ITEM && add(ret, &ev, t) == -1)
			return -1;
	} while (ev.type != POP3_CEV_DONE);
	ret->has_uids = ev.ok;
	/* announced, and yet refused: it may come back, so nobody should act on its absence */
	if (!ev.ok && pop3_client_capa(link_pop(l))->uidl)
		return trouble_set(t, EX_TEMPFAIL, "the server has no unique-ids just now: %.*s",
		    (int)(ev.text.len > 300 ? 300 : ev.text.len), (const char *)ev.text.data);
	sort_numbers(ret);
	return 0;
}

int
scanlist_get(struct link *l, struct scanlist *ret, struct trouble *t)
{
	struct pop3_client_event ev;

	*ret = (struct scanlist){ 0 };
	buf_init(&ret->uids, SCANLIST_UIDS);
	if (!pop3_client_stat(link_pop(l)))
		return trouble_set(t, EX_SOFTWARE, "STAT was not possible");
	if (link_done(l, &ev, t) == -1)
		return -1;
	if (!ev.ok) /* Q-S27 */
		return trouble_set(t, EX_TEMPFAIL, "the server refuses the session: %.*s",
		    (int)(ev.text.len > 300 ? 300 : ev.text.len), (const char *)ev.text.data);
	if (ev.number == 0) {
		ret->has_uids = true; /* of no message */
		return 0;
	}
	if (get_uids(l, ret, t) == -1 || get_sizes(l, ret, !ret->has_uids, t) == -1)
		return -1;
	return sort_uids(ret, t);
}

void
scanlist_free(struct scanlist *l)
{
	free(l->messages);
	free(l->by_uid);
	buf_finish(&l->uids);
	*l = (struct scanlist){ 0 };
}
