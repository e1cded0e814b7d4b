/*
 * Sizes from dovecot-uidlist (version 3), the cache of the IMAP server beside us: read with
 * tolerance, never written, never believed more than a file name is.
 */
#include "store/maildir.h"

#include <fcntl.h>
#include <pop3/codec.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "store/name.h"

enum { UIDLIST_MAX = 64 * 1024 * 1024 };

struct known {
	const char *base; /* into the file's octets */
	size_t len;
	uint64_t wire;
};

static int
compare(const void *a, const void *b)
{
	const struct known *ka = a, *kb = b;
	size_t len = ka->len < kb->len ? ka->len : kb->len;
	int r = memcmp(ka->base, kb->base, len);

	return r != 0 ? r : (ka->len > kb->len) - (ka->len < kb->len);
}

/* "uid SP *(ext SP) : filename": the W of a line, and its base name. */
static bool
parse_line(const char *line, size_t len, struct known *ret)
{
	const char *end = line + len, *p = memchr(line, ' ', len), *colon;
	bool found = false;

	while (p != NULL && p + 1 < end && p[1] != ':') {
		const char *word = p + 1, *next = memchr(word, ' ', (size_t)(end - word));
		size_t n = (size_t)((next == NULL ? end : next) - word);

		if (n > 1 && word[0] == 'W')
			found = pop3_number(
			    (const uint8_t *)word + 1, n - 1, INT64_MAX, &ret->wire, NULL);
		p = next;
	}
	if (!found || p == NULL || p + 1 >= end)
		return false;
	ret->base = p + 2;
	ret->len = (size_t)(end - ret->base);
	colon = memchr(ret->base, ':', ret->len);
	if (colon != NULL)
		ret->len = (size_t)(colon - ret->base);
	return ret->len > 0;
}

static size_t
parse(const char *text, size_t len, struct known **ret)
{
	const char *p = memchr(text, '\n', len), *end = text + len;
	struct known *list = NULL;
	size_t n = 0, cap = 0;

	if (len < 2 || text[0] != '3' || text[1] != ' ' || p == NULL)
		return 0;
	for (p++; p < end;) {
		const char *lf = memchr(p, '\n', (size_t)(end - p));
		struct known k;

		if (lf == NULL)
			break; /* a line that is being written */
		if (parse_line(p, (size_t)(lf - p), &k)) {
			if (n == cap) {
				size_t more = cap == 0 ? 256 : cap * 2;
				struct known *q = reallocarray(list, more, sizeof *q);

				if (q == NULL)
					break; /* what is missing is read from the files */
				list = q;
				cap = more;
			}
			list[n++] = k;
		}
		p = lf + 1;
	}
	if (n > 1)
		qsort(list, n, sizeof *list, compare);
	*ret = list;
	return n;
}

void
uidlist_sizes(int dir, struct listing *l)
{
	int fd = open_below(dir, "dovecot-uidlist", O_RDONLY | O_NONBLOCK | O_NOCTTY, false);
	struct known *list = NULL;
	struct stat st;
	char *text = NULL;
	size_t len = 0, n = 0;

	if (fd != -1 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		text = fd_read_all(fd, UIDLIST_MAX, &len);
	fd_close(&fd);
	if (text != NULL)
		n = parse(text, len, &list);
	for (uint32_t i = 0; n > 0 && i < l->count; i++) {
		struct entry *e = &l->entries[i];
		struct known key = { .base = entry_name(l, e), .len = e->base };
		const struct known *k;

		if ((e->flags & SIZE_KNOWN) != 0)
			continue;
		k = bsearch(&key, list, n, sizeof *list, compare);
		if (k != NULL) {
			e->size = e->size7 = k->wire;
			e->flags |= SIZE_KNOWN;
		}
	}
	free(list);
	free(text);
}
