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
	bool touched[2]; /* new, cur: to be synced */
	uint32_t removed; /* gone, by us or by others */
	uint32_t missing; /* not under the name that we knew */
	bool failed;
};

static void
fail(struct removal *r, struct fault *f, const char *folder, const char *name, const char *what)
{
	if (!r->failed)
		fault_set(f, FAULT_TEMP, "%s \"%s/%s\": %s", what, folder, name, strerror(errno));
	r->failed = true;
}

static void
remove_one(struct drop *d, struct entry *e, struct removal *r, bool last, struct fault *f)
{
	const char *folder = entry_folder(e), *name = entry_name(&d->list, e);
	char path[NAME_MAX + 8];

	(void)snprintf(path, sizeof path, "%s/%s", folder, name);
	if (unlinkat(d->dir, path, 0) == 0) {
		e->flags |= GONE;
		r->touched[(e->flags & IN_CUR) != 0] = true;
		r->removed++;
	} else if (errno == ENOENT && !last) {
		r->missing++;
	} else if (errno == ENOENT) {
		e->flags |= GONE;
		r->removed++;
	} else {
		fail(r, f, folder, name, "remove");
	}
}

static void
sync_folder(struct drop *d, const char *folder, struct removal *r, struct fault *f)
{
	int fd = open_below(d->dir, folder, O_RDONLY | O_DIRECTORY, false);

	if (fd == -1 || fsync(fd) == -1)
		fail(r, f, folder, "", "sync");
	fd_close(&fd);
}

int
maildir_remove(struct drop *d, const uint8_t *marked, uint32_t *ret_removed, struct fault *f)
{
	struct listing *l = &d->list;
	struct removal r = { 0 };
	uint32_t i;

	for (i = 0; i < l->count; i++) {
		if (!is_marked(marked, i))
			continue;
		if ((l->entries[i].flags & GONE) != 0)
			r.removed++;
		else
			remove_one(d, &l->entries[i], &r, false, f);
	}
	if (r.missing > 0) {
		/* renamed by an IMAP server since, or gone: one look for all of them */
		struct fault scan;

		if (maildir_relocate(d, &scan) == -1) {
			if (!r.failed && f != NULL)
				*f = scan;
			r.failed = true;
		} else {
			for (i = 0; i < l->count; i++) {
				if (!is_marked(marked, i))
					continue;
				/* those removed above are GONE from the list, too: count once */
				if ((l->entries[i].flags & GONE) == 0)
					remove_one(d, &l->entries[i], &r, true, f);
			}
			r.removed = 0;
			for (i = 0; i < l->count; i++)
				if (is_marked(marked, i) && (l->entries[i].flags & GONE) != 0)
					r.removed++;
		}
	}
	if (r.touched[0])
		sync_folder(d, "new", &r, f);
	if (r.touched[1])
		sync_folder(d, "cur", &r, f);
	*ret_removed = r.removed;
	return r.failed ? -1 : 0;
}
