#include "store/maildir.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

struct message {
	struct message_info info;
};

const struct message_info *
message_info(const struct message *m)
{
	return &m->info;
}

int
maildir_message_open(struct drop *d, uint32_t i, struct message **ret, struct fault *f)
{
	struct entry *e = &d->list.entries[i];
	struct message *m;
	uint64_t stored;
	int fd;

	fd = (e->flags & GONE) != 0
		 ? -1
		 : maildir_open_entry(d->dir, entry_folder(e), entry_name(&d->list, e), &stored);
	if (fd == -1 && (e->flags & GONE) == 0 && errno == ENOENT) {
		if (maildir_relocate(d, f) == -1)
			return -1;
		if ((e->flags & GONE) == 0)
			fd = maildir_open_entry(
			    d->dir, entry_folder(e), entry_name(&d->list, e), &stored);
	}
	if ((e->flags & GONE) != 0)
		return fault_set(f, FAULT_GONE, "\"%s\" is there no more", entry_name(&d->list, e));
	if (fd == -1)
		return fault_set(f, fault_kind_of_errno(errno), "open \"%s/%s\": %s",
		    entry_folder(e), entry_name(&d->list, e), strerror(errno));
	m = calloc(1, sizeof *m);
	if (m == NULL) {
		fd_close(&fd);
		return fault_set(f, FAULT_TEMP, "out of memory");
	}
	m->info.fd = fd;
	m->info.stored = stored;
	m->info.wire = (e->flags & MEASURED) != 0 && (e->flags & WIRE_FORM) != 0;
	m->info.eight_bit = (e->flags & MEASURED) == 0 || (e->flags & EIGHT_BIT) != 0;
	*ret = m;
	return 0;
}

ssize_t
message_read(struct message *m, uint64_t offset, void *buf, size_t len, struct fault *f)
{
	ssize_t n;

	if (offset >= m->info.stored)
		return 0;
	/* what was appended since is not part of the message that was announced */
	if (len > m->info.stored - offset)
		len = (size_t)(m->info.stored - offset);
	do
		n = pread(m->info.fd, buf, len, (off_t)offset);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return fault_set(
		    f, FAULT_TEMP, "read at %llu: %s", (unsigned long long)offset, strerror(errno));
	if (n == 0)
		return fault_set(f, FAULT_TEMP, "ends at %llu, had %llu octets: it was cut",
		    (unsigned long long)offset, (unsigned long long)m->info.stored);
	return n;
}

void
message_close(struct message **m)
{
	if (*m == NULL)
		return;
	fd_close(&(*m)->info.fd);
	free(*m);
	*m = NULL;
}
