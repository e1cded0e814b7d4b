#include "store/maildir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "store/name.h"

enum {
	TRIES = 5, /* scans of folders that do not stop changing */
	OPEN_TRIES = 16, /* a rename somewhere can make the kernel unsure of a ".." */
	DENTS = 64 * 1024,
	NAMES_MAX = 1u << 31, /* octets of names: some 20 million messages */
};

static const char *const folders[2] = { "new", "cur" };

int
open_below(int dir, const char *path, int flags, bool links)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
		.resolve =
		    RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | (links ? 0 : RESOLVE_NO_SYMLINKS),
	};

	for (int i = 1;; i++) {
		int fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof how);

		if (fd != -1 || i == OPEN_TRIES || (errno != EAGAIN && errno != EINTR))
			return fd;
	}
}

enum fault_kind
maildir_fault_kind(int err)
{
	enum fault_kind kind = fault_kind_of_errno(err);

	return kind == FAULT_GONE ? FAULT_TEMP : kind;
}

const char *
entry_folder(const struct entry *e)
{
	return folders[(e->flags & IN_CUR) != 0];
}

int
entry_compare(const struct listing *la, const struct entry *a, const struct listing *lb,
    const struct entry *b)
{
	size_t len = a->base < b->base ? a->base : b->base;
	int r;

	if (a->seconds != b->seconds)
		return a->seconds < b->seconds ? -1 : 1;
	if (a->micros != b->micros)
		return a->micros < b->micros ? -1 : 1;
	r = memcmp(entry_name(la, a), entry_name(lb, b), len);
	return r != 0 ? r : (int)a->base - (int)b->base;
}

static int
compare_sorting(const void *a, const void *b, void *list)
{
	const struct entry *ea = a, *eb = b;
	int r = entry_compare(list, ea, list, eb);

	/* the same message twice was renamed while we looked: what was seen later is right */
	return r != 0 ? r : (ea->name > eb->name) - (ea->name < eb->name);
}

struct entry *
listing_find(struct listing *l, const char *base, size_t len)
{
	char text[NAME_MAX + 1];
	struct listing want = { .names = text };
	struct entry key;
	struct name n;
	uint32_t low = 0, high = l->count;

	if (len > NAME_MAX)
		return NULL;
	memcpy(text, base, len);
	text[len] = '\0';
	name_parse(text, &n);
	if (n.base != len)
		return NULL;
	key = (struct entry){ .seconds = n.seconds, .micros = n.micros, .base = (uint16_t)n.base };
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		int c = entry_compare(&want, &key, l, &l->entries[mid]);

		if (c == 0)
			return &l->entries[mid];
		if (c < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

void
listing_free(struct listing *l)
{
	free(l->names);
	free(l->entries);
	*l = (struct listing){ 0 };
}

void
listing_skip(struct listing *l, const char *name, const char *why)
{
	if (l->skipped++ == 0)
		(void)snprintf(l->why, sizeof l->why, "\"%.80s\": %s", name, why);
}

static int
add(struct listing *l, const char *text, uint16_t flags)
{
	size_t len = strlen(text) + 1;
	struct name n;
	struct entry *e;

	if (l->count == l->cap) {
		uint32_t cap = l->cap == 0 ? 64 : l->cap * 2;
		struct entry *p = cap < l->cap ? NULL : reallocarray(l->entries, cap, sizeof *p);

		if (p == NULL)
			return -1;
		l->entries = p;
		l->cap = cap;
	}
	if (l->names_cap - l->names_len < len) {
		size_t cap = l->names_cap == 0 ? 4096 : l->names_cap * 2;
		char *p = cap > NAMES_MAX ? NULL : realloc(l->names, cap);

		if (p == NULL)
			return -1;
		l->names = p;
		l->names_cap = cap;
	}
	name_parse(text, &n);
	memcpy(l->names + l->names_len, text, len);
	e = &l->entries[l->count++];
	*e = (struct entry){ .seconds = n.seconds,
		.micros = n.micros,
		.name = (uint32_t)l->names_len,
		.base = (uint16_t)n.base,
		.flags = flags };
	if (n.has_wire) {
		e->size = e->size7 = n.wire;
		e->flags |= SIZE_KNOWN;
	}
	l->names_len += len;
	return 0;
}

/* Whether a folder entry is a regular file; notes what is not. */
static bool
is_message(struct listing *l, int fd, const struct dirent64 *de)
{
	struct stat st;

	if (de->d_type == DT_REG)
		return true;
	if (de->d_type == DT_UNKNOWN) {
		if (fstatat(fd, de->d_name, &st, AT_SYMLINK_NOFOLLOW) == -1) {
			if (errno != ENOENT)
				listing_skip(l, de->d_name, strerror(errno));
			return false;
		}
		if (S_ISREG(st.st_mode))
			return true;
	}
	listing_skip(l, de->d_name, "not a regular file");
	return false;
}

static int
read_folder(int fd, struct listing *l, uint16_t flags, char *buf)
{
	ssize_t n;

	while ((n = getdents64(fd, buf, DENTS)) > 0 || (n == -1 && errno == EINTR)) {
		for (ssize_t at = 0; at < n;) {
			const struct dirent64 *de =
			    (const struct dirent64 *)(const void *)(buf + at);

			at += de->d_reclen;
			if (de->d_name[0] == '.')
				continue;
			if (strlen(de->d_name) > NAME_MAX) {
				/* cut, it could be another's */
				listing_skip(l, de->d_name, "name too long");
				continue;
			}
			if (is_message(l, fd, de) && add(l, de->d_name, flags) == -1) {
				errno = ENOMEM;
				return -1;
			}
		}
	}
	return n == 0 ? 0 : -1;
}

/*
 * Whether a folder cannot have changed between two looks at it, the first not before start.  Its
 * time is that of a coarse clock: a change in the same tick as the one before leaves no trace, so
 * the last change must be older than that.  Some file systems count whole seconds.
 */
static bool
is_settled(const struct stat *before, const struct stat *after, const struct timespec *start)
{
	struct timespec m = after->st_mtim;

	if (m.tv_sec != before->st_mtim.tv_sec || m.tv_nsec != before->st_mtim.tv_nsec)
		return false;
	return m.tv_sec < start->tv_sec ||
	       (m.tv_sec == start->tv_sec && m.tv_nsec != 0 && m.tv_nsec < start->tv_nsec);
}

/* One pass over both folders; *ret_changed says that one of them may have changed meanwhile. */
static int
scan_once(int dir, struct listing *l, char *buf, bool *ret_changed, struct fault *f)
{
	struct stat before[2], after;
	struct timespec start;
	int fds[2] = { -1, -1 }, r = -1;

	(void)clock_gettime(CLOCK_REALTIME_COARSE, &start); /* cannot fail; the clock of files */
	*ret_changed = false;
	for (int i = 0; i < 2; i++) {
		fds[i] = open_below(dir, folders[i], O_RDONLY | O_DIRECTORY, false);
		if (fds[i] == -1 && errno == ENOENT)
			continue;
		if (fds[i] == -1 || fstat(fds[i], &before[i]) == -1 ||
		    read_folder(fds[i], l, i == 0 ? 0 : IN_CUR, buf) == -1) {
			fault_set(f, maildir_fault_kind(errno), "read folder \"%s\": %s",
			    folders[i], strerror(errno));
			goto out;
		}
	}
	for (int i = 0; i < 2; i++)
		if (fds[i] != -1 &&
		    (fstat(fds[i], &after) == -1 || !is_settled(&before[i], &after, &start)))
			*ret_changed = true;
	r = 0;
out:
	fd_close(&fds[0]);
	fd_close(&fds[1]);
	return r;
}

int
listing_scan(int dir, struct listing *ret, struct fault *f)
{
	char *buf = malloc(DENTS);
	bool changed = true;
	uint32_t first = 0, kept = 0;

	if (buf == NULL)
		return fault_set(f, FAULT_TEMP, "out of memory");
	*ret = (struct listing){ 0 };
	/* A rename while a folder is read can hide its message, or show it twice: look again.
	 * Folders that never rest give all that was seen in any pass: a message too many is found
	 * to be gone later, one too few would be lost for this session. */
	for (int i = 0; i < TRIES && changed; i++) {
		first = ret->count;
		ret->skipped = 0;
		if (scan_once(dir, ret, buf, &changed, f) == -1) {
			free(buf);
			listing_free(ret);
			return -1;
		}
	}
	free(buf);
	if (!changed && first > 0) {
		ret->count -= first;
		memmove(ret->entries, ret->entries + first, ret->count * sizeof *ret->entries);
	}
	if (ret->count > 1)
		qsort_r(ret->entries, ret->count, sizeof *ret->entries, compare_sorting, ret);
	for (uint32_t i = 0; i < ret->count; i++) {
		if (i + 1 < ret->count &&
		    entry_compare(ret, &ret->entries[i], ret, &ret->entries[i + 1]) == 0)
			continue; /* the next one is the same message */
		ret->entries[kept++] = ret->entries[i];
	}
	ret->count = kept;
	return 0;
}

/* Copies a name into fresh memory that has room for it. */
static uint32_t
keep_name(char *names, size_t *len, const char *text)
{
	uint32_t at = (uint32_t)*len;
	size_t n = strlen(text) + 1;

	memcpy(names + at, text, n);
	*len += n;
	return at;
}

int
maildir_relocate(struct drop *d, struct fault *f)
{
	struct listing now, *old = &d->list;
	size_t len = 0;
	char *names;
	uint32_t k = 0;

	if (listing_scan(d->dir, &now, f) == -1)
		return -1;
	names = malloc(old->names_len + now.names_len + 1);
	if (names == NULL) {
		listing_free(&now);
		return fault_set(f, FAULT_TEMP, "out of memory");
	}
	for (uint32_t i = 0; i < old->count; i++) { /* both are sorted: one walk */
		struct entry *e = &old->entries[i];
		int c = 1;

		while (k < now.count && (c = entry_compare(&now, &now.entries[k], old, e)) < 0)
			k++;
		if (k < now.count && c == 0) {
			const struct entry *found = &now.entries[k];

			e->flags =
			    (uint16_t)((e->flags & ~(IN_CUR | GONE)) | (found->flags & IN_CUR));
			e->name = keep_name(names, &len, entry_name(&now, found));
		} else {
			e->flags |= GONE;
			e->name = keep_name(names, &len, entry_name(old, e));
		}
	}
	free(old->names);
	old->names = names;
	old->names_len = old->names_cap = len;
	listing_free(&now);
	return 0;
}
