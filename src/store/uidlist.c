/*
 * Sizes from dovecot-uidlist (version 3), the cache of the IMAP server beside us: read with
 * tolerance, never written, never believed more than a file name is.
 */
#include "store/maildir.h"

#include <fcntl.h>
#include <pop3/codec.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "store/name.h"

enum {
	UIDLIST_MAX = 64 * 1024 * 1024, /* octets; what is missing is read from the files */
	LINE_ROOM = 2048, /* longer lines are corrupt, or of no use to us */
};

static bool
number(const char *p, size_t len, uint64_t *ret)
{
	return pop3_number((const uint8_t *)p, len, NAME_WIRE_MAX, ret, NULL);
}

/* "uid SP *(ext SP) : filename": gives the size of the entry that a line is about. */
static void
take_line(struct listing *l, const char *line, size_t len)
{
	const char *end = line + len, *p = memchr(line, ' ', len), *base, *colon;
	bool has_wire = false, has_stored = false;
	uint64_t uid, wire = 0, stored = 0;
	struct entry *e;

	if (p == NULL || !number(line, (size_t)(p - line), &uid))
		return;
	while (p != NULL && p + 1 < end && p[1] != ':') {
		const char *word = p + 1, *next = memchr(word, ' ', (size_t)(end - word));
		size_t n = (size_t)((next == NULL ? end : next) - word);

		if (n > 1 && word[0] == 'W')
			has_wire = number(word + 1, n - 1, &wire);
		else if (n > 1 && word[0] == 'S')
			has_stored = number(word + 1, n - 1, &stored);
		p = next;
	}
	if (!has_wire || p == NULL || p + 2 >= end ||
	    (has_stored && !name_wire_possible(wire, stored)))
		return;
	base = p + 2;
	colon = memchr(base, ':', (size_t)(end - base));
	e = listing_find(l, base, (size_t)((colon == NULL ? end : colon) - base));
	if (e == NULL || (e->flags & SIZE_KNOWN) != 0)
		return;
	e->size = e->size7 = wire;
	e->flags |= SIZE_KNOWN;
}

void
uidlist_sizes(int dir, struct listing *l)
{
	int fd = open_below(dir, "dovecot-uidlist", O_RDONLY | O_NONBLOCK | O_NOCTTY, false);
	char line[LINE_ROOM];
	size_t total = 0;
	bool whole = true; /* the last read was to the end of its line */
	struct stat st;
	FILE *file = NULL;

	if (fd != -1 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		file = fdopen(fd, "r");
	if (file == NULL) {
		fd_close(&fd);
		return;
	}
	if (fgets(line, sizeof line, file) != NULL && strncmp(line, "3 ", 2) == 0 &&
	    strchr(line, '\n') != NULL) {
		while (total < UIDLIST_MAX && fgets(line, sizeof line, file) != NULL) {
			size_t len = strlen(line); /* a NUL: a line without an end */
			bool ended = len > 0 && line[len - 1] == '\n';

			/* one without an end is being written, or too long */
			if (whole && ended)
				take_line(l, line, len - 1);
			whole = ended;
			total += ended ? len : sizeof line;
		}
	}
	(void)fclose(file); /* only read from */
}
