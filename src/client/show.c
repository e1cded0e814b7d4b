#include "client/show.h"

#include <inttypes.h>
#include <pop3/client.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/link.h"
#include "client/scanlist.h"
#include "client/login.h"
#include "client/report.h"
#include "client/trouble.h"

/* Nothing is to be deleted: whether the server likes QUIT or not changes nothing. */
static void
leave(struct link **l)
{
	struct pop3_client_event ev;
	struct trouble ignored;

	if (*l != NULL && pop3_client_quit(link_pop(*l)))
		(void)link_done(*l, &ev, &ignored);
	link_close(l);
}

int
show_list(const struct link_options *o, const struct credentials *c, struct totals *totals,
    struct trouble *t)
{
	struct scanlist listing = { 0 };
	struct link *l = NULL;
	int r = login(o, c, &l, t);

	if (r == 0)
		r = scanlist_get(l, &listing, t);
	for (size_t i = 0; r == 0 && i < listing.count; i++) {
		const struct listed *m = &listing.messages[i];

		totals->listed++;
		report_entry(o->report, m->number, m->octets, scanlist_uid(&listing, m));
	}
	scanlist_free(&listing);
	leave(&l);
	return r;
}

/* Lines end by LF; anything else below SP, but for HT, is shown as "?" when safe. */
static void
print_content(struct pop3_slice s, bool safe, bool *cr)
{
	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = s.data[i];

		if (*cr && c != '\n')
			(void)putchar(safe ? '?' : '\r'); /* errors are told by report_flush() */
		*cr = c == '\r';
		if (*cr)
			continue;
		if (safe &&
		    ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f || (c >= 0x80 && c < 0xa0)))
			c = '?';
		(void)putchar(c); /* likewise */
	}
}

int
show_message(const struct link_options *o, const struct credentials *c, uint64_t number,
    struct totals *totals, struct trouble *t)
{
	bool safe = isatty(STDOUT_FILENO), cr = false;
	struct pop3_client_event ev;
	struct link *l = NULL;
	int r = login(o, c, &l, t);

	if (r == 0 && !pop3_client_retr(link_pop(l), number))
		r = trouble_set(t, EX_SOFTWARE, "RETR was not possible");
	while (r == 0) {
		r = link_next(l, &ev, t);
		if (r == -1 || ev.type == POP3_CEV_DONE)
			break;
		if (ev.type == POP3_CEV_CONTENT) {
			print_content(ev.data, safe, &cr);
			totals->octets += ev.data.len;
		}
	}
	if (r == 0 && !ev.ok)
		r = trouble_set(t, EX_UNAVAILABLE, "message %" PRIu64 ": %.*s", number,
		    (int)(ev.text.len > 300 ? 300 : ev.text.len), (const char *)ev.text.data);
	leave(&l);
	return r;
}
