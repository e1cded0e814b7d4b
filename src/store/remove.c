#include "store/maildir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

static bool
is_marked(const uint8_t *marked, uint32_t i)
{
	return (marked[i / 8] & (1u << (i % 8))) != 0;
}

struct removal {
	struct drop *drop;
	struct fault *fault; /* of the first that could not be removed */
	bool failed;
	int folders[2]; /* new, cur; -1: not there */
	bool touched[2]; /* to be synced */
};

static void
fail(struct removal *r, const char *folder, const char *name, const char *what)
{
	if (!r->failed)
		fault_set(r->fault, maildir_fault_kind(errno), "%s \"%s/%s\": %s", what, folder,
		    name, strerror(errno));
	r->failed = true;
}

/* Removes all marked ones; returns how many are not there under the names that we know. */
static uint32_t
remove_marked(struct removal *r, const uint8_t *marked)
{
	struct listing *l = &r->drop->list;
	uint32_t missing = 0;

	for (uint32_t i = 0; i < l->count; i++) {
		struct entry *e = &l->entries[i];
		int cur = (e->flags & IN_CUR) != 0;

		if (!is_marked(marked, i) || (e->flags & GONE) != 0)
			continue;
		if (r->folders[cur] == -1) {
			missing++;
		} else if (unlinkat(r->folders[cur], entry_name(l, e), 0) == 0) {
			e->flags |= GONE;
			r->touched[cur] = true;
		} else if (errno == ENOENT) {
			missing++;
		} else {
			fail(r, entry_folder(e), entry_name(l, e), "remove");
		}
	}
	return missing;
}

/* By descriptor from here on: what is put in place of a folder meanwhile is none of our business. */
static int
open_folders(struct removal *r)
{
	static const char *const folders[2] = { "new", "cur" };

	for (int i = 0; i < 2; i++) {
		r->folders[i] = open_below(r->drop->dir, folders[i], O_RDONLY | O_DIRECTORY, false);
		if (r->folders[i] == -1 && errno != ENOENT) {
			fail(r, folders[i], "", "open");
			return -1;
		}
	}
	return 0;
}

int
maildir_remove(struct drop *d, const uint8_t *marked, uint32_t *ret_removed, struct fault *f)
{
	struct removal r = { .drop = d, .fault = f, .folders = { -1, -1 } };
	struct listing *l = &d->list;
	uint32_t missing = 0, asked = 0, removed = 0;

	for (uint32_t i = 0; i < l->count; i++) {
		asked += is_marked(marked, i);
		/* gone already: by whom, and whether for good, nobody knows */
		if (is_marked(marked, i) && (l->entries[i].flags & GONE) != 0)
			r.touched[0] = r.touched[1] = true;
	}
	*ret_removed = 0;
	if (asked == 0)
		return 0;
	if (open_folders(&r) == -1)
		goto out;
	for (int looks = 0; (missing = remove_marked(&r, marked)) > 0; looks++) {
		struct fault scan;

		r.touched[0] = r.touched[1] = true;
		/* renamed by an IMAP server since, or gone: one look for all of them */
		if (looks == MAILDIR_LOOKS) {
			fault_set(&scan, FAULT_TEMP, "remove: messages do not stop moving");
		} else if (maildir_relocate(d, &scan) == 0) {
			continue;
		}
		if (!r.failed && f != NULL)
			*f = scan;
		r.failed = true;
		break;
	}
	for (int i = 0; i < 2; i++)
		if (r.touched[i] && r.folders[i] != -1 && fsync(r.folders[i]) == -1)
			fail(&r, i == 0 ? "new" : "cur", "", "sync");
	for (uint32_t i = 0; i < l->count; i++)
		removed += is_marked(marked, i) && (l->entries[i].flags & GONE) != 0;
	*ret_removed = removed;
out:
	fd_close(&r.folders[0]);
	fd_close(&r.folders[1]);
	return r.failed ? -1 : 0;
}
