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

/* Opens an entry under whatever name it has now; -1 with f set. */
static int
open_entry(struct drop *d, struct entry *e, struct stat *st, struct fault *f)
{
	for (int looks = 0; (e->flags & GONE) == 0; looks++) {
		int fd = maildir_open_entry(d, e, st);

		if (fd != -1)
			return fd;
		if (errno != ENOENT)
			return fault_set(f, maildir_fault_kind(errno), "open \"%s/%s\": %s",
			    entry_folder(e), entry_name(&d->list, e), strerror(errno));
		if (looks == MAILDIR_LOOKS)
			break;
		if (maildir_relocate(d, f) == -1)
			return -1;
	}
	return fault_set(f, FAULT_GONE, "\"%s\" is there no more", entry_name(&d->list, e));
}

/* Measures a message whose size cannot be what we thought. */
static int
correct_size(struct entry *e, int fd, const struct stat *st, struct fault *f)
{
	uint8_t *buf = malloc(MEASURE_ROOM);
	int r;

	if (buf == NULL)
		return fault_set(f, FAULT_TEMP, "out of memory");
	r = maildir_measure(e, fd, st, buf);
	if (r == -1)
		fault_set(f, FAULT_TEMP, "measure a message: %s", strerror(errno));
	free(buf);
	return r;
}

int
maildir_message_open(struct drop *d, uint32_t i, struct message **ret, struct fault *f)
{
	struct entry *e = &d->list.entries[i];
	struct message *m = NULL;
	struct stat st;
	int fd = open_entry(d, e, &st, f), r = -1;

	if (fd == -1)
		return -1;
	if (!maildir_size_fits(e, fd, &st) && correct_size(e, fd, &st, f) == -1)
		goto out;
	m = calloc(1, sizeof *m);
	if (m == NULL) {
		fault_set(f, FAULT_TEMP, "out of memory");
		goto out;
	}
	m->info.fd = fd;
	fd = -1;
	m->info.stored = (uint64_t)st.st_size;
	m->info.wire = (e->flags & MEASURED) != 0 && (e->flags & WIRE_FORM) != 0;
	m->info.eight_bit = (e->flags & MEASURED) == 0 || (e->flags & EIGHT_BIT) != 0;
	*ret = m;
	r = 0;
out:
	fd_close(&fd);
	return r;
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
