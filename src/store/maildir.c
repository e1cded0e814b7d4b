#include "store/maildir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "store/name.h"

static void
maildir_close(struct drop *d)
{
	if (d == NULL)
		return;
	listing_free(&d->list);
	fd_close(&d->lock);
	fd_close(&d->dir);
	free(d);
}

static int
maildir_open(int root, const char *path, struct drop **ret, struct fault *f)
{
	struct drop *d = calloc(1, sizeof *d);

	if (d == NULL)
		return fault_set(f, FAULT_TEMP, "out of memory");
	d->lock = -1;
	d->dir = open_below(root, path, O_RDONLY | O_DIRECTORY, true);
	if (d->dir == -1 && errno == ENOENT) {
		*ret = d; /* no mail has ever come */
		return 0;
	}
	if (d->dir == -1) {
		enum fault_kind kind = maildir_fault_kind(errno);

		fault_set(f, kind, "open maildrop \"%s\": %s", path, strerror(errno));
		goto fail;
	}
	if (maildir_lock(d, f) == -1 || listing_scan(d->dir, &d->list, f) == -1 ||
	    maildir_sizes(d, f) == -1)
		goto fail;
	*ret = d;
	return 0;
fail:
	maildir_close(d);
	return -1;
}

static uint32_t
maildir_count(const struct drop *d)
{
	return d->list.count;
}

static uint32_t
maildir_skipped(const struct drop *d, const char **ret_why)
{
	*ret_why = d->list.why;
	return d->list.skipped;
}

static uint64_t
maildir_size(const struct drop *d, uint32_t i, bool utf8)
{
	return utf8 ? d->list.entries[i].size : d->list.entries[i].size7;
}

static void
maildir_uid(const struct drop *d, uint32_t i, char *uid)
{
	const struct entry *e = &d->list.entries[i];
	struct listing list = d->list; /* only looked at */

	name_uid(entry_name(&d->list, e), e->base, uid);
	/* A digest, and somebody has named a file like it: the digest of that, then, and so on. */
	while (e->base != strlen(uid) || memcmp(entry_name(&d->list, e), uid, e->base) != 0) {
		if (listing_find(&list, uid, strlen(uid)) == NULL)
			break;
		name_digest(uid, strlen(uid), uid);
	}
}

static int64_t
maildir_arrived(const struct drop *d, uint32_t i)
{
	const struct entry *e = &d->list.entries[i];
	char path[NAME_MAX + 8];
	int64_t named = e->seconds > INT64_MAX ? INT64_MAX : (int64_t)e->seconds;
	struct stat st;

	(void)snprintf(path, sizeof path, "%s/%s", entry_folder(e), entry_name(&d->list, e));
	if (fstatat(d->dir, path, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return INT64_MAX; /* not known: nothing is too old that cannot be asked */
	return st.st_mtime > named ? st.st_mtime : named;
}

const struct store_ops store_maildir = {
	.name = "maildir",
	.open = maildir_open,
	.close = maildir_close,
	.count = maildir_count,
	.skipped = maildir_skipped,
	.size = maildir_size,
	.uid = maildir_uid,
	.arrived = maildir_arrived,
	.message_open = maildir_message_open,
	.remove = maildir_remove,
	.deliver_begin = maildir_deliver_begin,
	.deliver_write = maildir_deliver_write,
	.deliver_name = maildir_deliver_name,
	.deliver_commit = maildir_deliver_commit,
	.deliver_abort = maildir_deliver_abort,
	.delivered = maildir_delivered,
};
