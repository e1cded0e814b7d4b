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

enum { BLOCK = 128 * 1024 };

int
maildir_open_entry(int dir, const char *folder, const char *name, uint64_t *ret_stored)
{
	char path[NAME_MAX + 8];
	struct stat st;
	int fd;

	(void)snprintf(path, sizeof path, "%s/%s", folder, name);
	fd = open_below(dir, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, false);
	if (fd == -1)
		return -1;
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode)) {
		fd_close(&fd);
		errno = EINVAL;
		return -1;
	}
	*ret_stored = (uint64_t)st.st_size;
	return fd;
}

/* The same message as a client without UTF8 gets it. */
static int
measure_surrogate(int fd, uint8_t *buf, uint64_t *ret)
{
	struct pop3_surrogate *s = pop3_surrogate_create();
	struct pop3_measure m;
	uint8_t *out = malloc(BLOCK);
	off_t at = 0;
	ssize_t n;
	int r = -1;

	if (s == NULL || out == NULL)
		goto out;
	pop3_measure_init(&m);
	do {
		size_t got;

		n = pread(fd, buf, BLOCK, at);
		if (n == -1 || !pop3_surrogate_feed(s, buf, (size_t)n, n == 0))
			goto out;
		while ((got = pop3_surrogate_output(s, out, BLOCK)) > 0)
			pop3_measure(&m, out, got);
		at += n;
	} while (n > 0);
	pop3_measure_end(&m);
	*ret = m.octets;
	r = 0;
out:
	pop3_surrogate_destroy(&s);
	free(out);
	return r;
}

int
maildir_measure(struct drop *d, struct entry *e)
{
	struct pop3_measure m;
	uint8_t *buf = malloc(BLOCK);
	uint64_t stored;
	ssize_t n;
	int fd = -1, r = -1;

	if (buf == NULL)
		goto out;
	fd = maildir_open_entry(d->dir, entry_folder(e), entry_name(&d->list, e), &stored);
	if (fd == -1)
		goto out;
	pop3_measure_init(&m);
	while ((n = read(fd, buf, BLOCK)) > 0)
		pop3_measure(&m, buf, (size_t)n);
	if (n == -1)
		goto out;
	pop3_measure_end(&m);
	e->size = e->size7 = m.octets;
	if (m.eight_bit && measure_surrogate(fd, buf, &e->size7) == -1)
		goto out;
	e->flags |= SIZE_KNOWN | MEASURED;
	if (m.wire)
		e->flags |= WIRE_FORM;
	if (m.eight_bit)
		e->flags |= EIGHT_BIT;
	r = 0;
out:
	fd_close(&fd);
	free(buf);
	return r;
}

int
maildir_sizes(struct drop *d, struct fault *f)
{
	struct listing *l = &d->list;
	uint32_t unknown = 0, kept = 0;
	bool relocated = false;

	for (uint32_t i = 0; i < l->count; i++)
		unknown += (l->entries[i].flags & SIZE_KNOWN) == 0;
	if (unknown == 0)
		return 0;
	uidlist_sizes(d->dir, l);
	for (uint32_t i = 0; i < l->count; i++) {
		struct entry *e = &l->entries[i];

		if ((e->flags & (SIZE_KNOWN | GONE)) != 0 || maildir_measure(d, e) == 0)
			continue;
		if (errno == ENOENT && !relocated) {
			/* renamed since the scan, most likely: find all that were, once */
			relocated = true;
			if (maildir_relocate(d, f) == -1)
				return -1;
			i--;
			continue;
		}
		if (errno == ENOMEM || errno == EMFILE || errno == ENFILE)
			return fault_set(f, FAULT_TEMP, "measure a message: %s", strerror(errno));
		if (errno == ENOENT) {
			e->flags |= GONE;
			continue;
		}
		listing_skip(l, entry_name(l, e), strerror(errno));
		e->flags |= UNREADABLE;
	}
	for (uint32_t i = 0; i < l->count; i++)
		if ((l->entries[i].flags & (UNREADABLE | GONE)) == 0)
			l->entries[kept++] = l->entries[i];
	l->count = kept;
	return 0;
}
