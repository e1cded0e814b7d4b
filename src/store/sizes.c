#include "store/maildir.h"

#include <errno.h>
#include <fcntl.h>
#include <pop3/content.h>
#include <pop3/surrogate.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "store/name.h"

enum { BLOCK = MEASURE_ROOM / 2 };

int
maildir_open_entry(const struct drop *d, const struct entry *e, struct stat *ret)
{
	char path[NAME_MAX + 8];
	int fd;

	(void)snprintf(path, sizeof path, "%s/%s", entry_folder(e), entry_name(&d->list, e));
	fd = open_below(d->dir, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, false);
	if (fd == -1)
		return -1;
	if (fstat(fd, ret) == -1 || !S_ISREG(ret->st_mode)) {
		fd_close(&fd);
		errno = EINVAL;
		return -1;
	}
	return fd;
}

/* Tells whether a file is still what was measured; its owner cannot set back the time of change. */
static uint32_t
stamp_of(const struct stat *st)
{
	const uint64_t parts[] = { (uint64_t)st->st_ino, (uint64_t)st->st_size,
		(uint64_t)st->st_ctim.tv_sec, (uint64_t)st->st_ctim.tv_nsec };
	uint64_t h = 0;

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		h = (h ^ parts[i] ^ (h >> 29)) * UINT64_C(0x9e3779b97f4a7c15);
	return (uint32_t)(h >> 32);
}

bool
maildir_size_fits(const struct entry *e, int fd, const struct stat *st)
{
	uint8_t last;

	if ((e->flags & MEASURED) != 0)
		return e->stamp == stamp_of(st);
	/* A last line without its end gets one on the wire, which some that write ",W=" forget. */
	return name_wire_possible(e->size, (uint64_t)st->st_size) &&
	       (st->st_size == 0 || (pread(fd, &last, 1, st->st_size - 1) == 1 && last == '\n'));
}

static ssize_t
read_at(int fd, uint8_t *buf, uint64_t at, uint64_t end)
{
	ssize_t n;

	do
		n = pread(fd, buf, end - at < BLOCK ? (size_t)(end - at) : BLOCK, (off_t)at);
	while (n == -1 && errno == EINTR);
	return n;
}

/* The same message as a client without UTF8 gets it. */
static int
measure_surrogate(int fd, uint64_t end, uint8_t *buf, uint64_t *ret)
{
	struct pop3_surrogate *s = pop3_surrogate_create();
	struct pop3_measure m;
	uint8_t *out = buf + BLOCK;
	uint64_t at = 0;
	ssize_t n;
	int r = -1;

	if (s == NULL) {
		errno = ENOMEM;
		return -1;
	}
	pop3_measure_init(&m);
	do {
		size_t got;

		n = read_at(fd, buf, at, end);
		if (n == -1)
			goto out;
		if (!pop3_surrogate_feed(s, buf, (size_t)n, n == 0)) {
			errno = ENOMEM;
			goto out;
		}
		while ((got = pop3_surrogate_output(s, out, BLOCK)) > 0)
			pop3_measure(&m, out, got);
		at += (uint64_t)n;
	} while (n > 0);
	pop3_measure_end(&m);
	*ret = m.octets;
	r = 0;
out:
	pop3_surrogate_destroy(&s);
	return r;
}

int
maildir_measure(struct entry *e, int fd, const struct stat *st, uint8_t *buf)
{
	/* to the size that it has now: one that grows all the while has an end as well */
	uint64_t at = 0, end = (uint64_t)st->st_size, size7;
	struct pop3_measure m;
	ssize_t n;

	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL); /* a hint */
	pop3_measure_init(&m);
	while ((n = read_at(fd, buf, at, end)) > 0) {
		pop3_measure(&m, buf, (size_t)n);
		at += (uint64_t)n;
	}
	if (n == -1)
		return -1;
	pop3_measure_end(&m);
	size7 = m.octets;
	if (m.eight_bit && measure_surrogate(fd, end, buf, &size7) == -1)
		return -1;
	e->size = m.octets;
	e->size7 = size7;
	e->stamp = stamp_of(st);
	e->flags = (uint16_t)((e->flags & ~(WIRE_FORM | EIGHT_BIT)) | SIZE_KNOWN | MEASURED |
			      (m.wire ? WIRE_FORM : 0) | (m.eight_bit ? EIGHT_BIT : 0));
	return 0;
}

static int
open_and_measure(struct drop *d, struct entry *e, uint8_t *buf)
{
	struct stat st;
	int fd = maildir_open_entry(d, e, &st), r;

	if (fd == -1)
		return -1;
	r = maildir_measure(e, fd, &st, buf);
	fd_close(&fd);
	return r;
}

/* Measures what has no size yet; what cannot be read is marked. */
static int
measure_unknown(struct drop *d, uint8_t *buf, struct fault *f)
{
	struct listing *l = &d->list;
	int looks = 0;

	for (uint32_t i = 0; i < l->count; i++) {
		struct entry *e = &l->entries[i];

		while ((e->flags & (SIZE_KNOWN | GONE | UNREADABLE)) == 0 &&
		       open_and_measure(d, e, buf) == -1) {
			if (errno == ENOMEM || errno == EMFILE || errno == ENFILE)
				return fault_set(
				    f, FAULT_TEMP, "measure a message: %s", strerror(errno));
			if (errno != ENOENT) {
				listing_skip(l, entry_name(l, e), strerror(errno));
				e->flags |= UNREADABLE;
			} else if (looks++ == MAILDIR_LOOKS) {
				e->flags |= GONE;
			} else if (maildir_relocate(d, f) == -1) {
				/* renamed since the scan, most likely: finds all that were */
				return -1;
			}
		}
	}
	return 0;
}

int
maildir_sizes(struct drop *d, struct fault *f)
{
	struct listing *l = &d->list;
	uint32_t unknown = 0, kept = 0;
	uint8_t *buf;
	int r;

	for (uint32_t i = 0; i < l->count; i++)
		unknown += (l->entries[i].flags & SIZE_KNOWN) == 0;
	if (unknown == 0)
		return 0;
	uidlist_sizes(d->dir, l);
	buf = malloc(MEASURE_ROOM);
	if (buf == NULL)
		return fault_set(f, FAULT_TEMP, "out of memory");
	r = measure_unknown(d, buf, f);
	free(buf);
	if (r == -1)
		return -1;
	for (uint32_t i = 0; i < l->count; i++)
		if ((l->entries[i].flags & (UNREADABLE | GONE)) == 0)
			l->entries[kept++] = l->entries[i];
	l->count = kept;
	return 0;
}
