/* Delivery into a Maildir: tmp/, synced, then linked into new/, which is synced as well. */
#include "store/maildir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pop3/content.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"

enum {
	STALE = 36 * 3600, /* seconds after which a file in tmp/ is nobody's any more */
	SWEEP_MAX = 1000, /* how many of them one delivery looks at */
	NAME_ROOM = 256,
};

struct delivery {
	int tmp, new; /* folders of the Maildir */
	int fd; /* the file in tmp/ */
	char unique[NAME_ROOM - 48]; /* its name there; new/'s begins with it */
	struct pop3_measure measure;
	uint64_t stored;
	bool measured; /* measure is at its end */
	bool failed; /* a write did: there is nothing to deliver */
};

/* Makes the folder path/name, if it is not there, and its name durable. */
static int
make_folder(int dir, const char *name)
{
	int fd;

	if (mkdirat(dir, name, 0700) == -1)
		return errno == EEXIST ? 0 : -1;
	fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1 || fsync(fd) == -1) {
		fd_close(&fd);
		return -1;
	}
	fd_close(&fd);
	return 0;
}

/* Makes every folder of a relative path, like mkdir -p, never through a link out of root. */
static int
make_path(int root, const char *path)
{
	char part[1024];
	size_t len = strlen(path);

	if (len >= sizeof part) {
		errno = ENAMETOOLONG;
		return -1;
	}
	for (size_t i = 1; i <= len; i++) {
		char *slash;
		int parent, r;

		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		slash = strrchr(part, '/');
		if (slash != NULL)
			*slash = '\0';
		parent = open_below(root, slash == NULL ? "." : part, O_RDONLY | O_DIRECTORY, true);
		if (parent == -1)
			return -1;
		r = make_folder(parent, slash == NULL ? part : slash + 1);
		fd_close(&parent);
		if (r == -1)
			return -1;
	}
	return 0;
}

/* Removes what deliveries that never ended left in tmp/. */
static void
sweep(int tmp_fd)
{
	int fd = open_below(tmp_fd, ".", O_RDONLY | O_DIRECTORY, false);
	DIR *tmp = fd == -1 ? NULL : fdopendir(fd);
	const struct dirent *de;
	time_t now = time(NULL);

	if (tmp == NULL) {
		fd_close(&fd);
		return;
	}
	for (int i = 0; i < SWEEP_MAX && (de = readdir(tmp)) != NULL; i++) {
		struct stat st;

		if (de->d_name[0] != '.' &&
		    fstatat(fd, de->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
		    st.st_mtime < now - STALE)
			(void)unlinkat(fd, de->d_name, 0); /* the next sweep may have more luck */
	}
	(void)closedir(tmp);
}

/* A name that nobody else makes: time, process, count, and the host's name with the two octets
 * that a Maildir name cannot have written in octal. */
static void
make_unique(char *out, size_t room)
{
	static atomic_uint count;
	char host[64] = "localhost", safe[160];
	struct timespec ts;
	size_t n = 0;

	(void)gethostname(host, sizeof host - 1);
	for (const char *p = host; *p != '\0' && n + 5 < sizeof safe; p++) {
		if (*p == '/' || *p == ':' || *p == ',')
			n += (size_t)snprintf(
			    safe + n, sizeof safe - n, "\\%03o", (unsigned char)*p);
		else if (*p > 0x20 && *p < 0x7f)
			safe[n++] = *p;
	}
	safe[n] = '\0';
	(void)clock_gettime(CLOCK_REALTIME, &ts);
	(void)snprintf(out, room, "%lld.M%06ldP%ldQ%u.%s", (long long)ts.tv_sec, ts.tv_nsec / 1000,
	    (long)getpid(), atomic_fetch_add(&count, 1), safe);
}

int
maildir_deliver_begin(int root, const char *path, struct delivery **ret, struct fault *f)
{
	static const char *const parts[] = { "tmp", "new", "cur" };
	struct delivery *d = calloc(1, sizeof *d);
	int dir = -1;

	if (d == NULL)
		return fault_set(f, FAULT_TEMP, "out of memory");
	d->tmp = d->new = d->fd = -1;
	dir = open_below(root, path, O_RDONLY | O_DIRECTORY, true);
	if (dir == -1 && errno == ENOENT && make_path(root, path) == 0)
		dir = open_below(root, path, O_RDONLY | O_DIRECTORY, true);
	if (dir == -1)
		goto fail;
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (make_folder(dir, parts[i]) == -1)
			goto fail;
	d->tmp = open_below(dir, "tmp", O_RDONLY | O_DIRECTORY, false);
	if (d->tmp == -1)
		goto fail;
	d->new = open_below(dir, "new", O_RDONLY | O_DIRECTORY, false);
	if (d->new == -1)
		goto fail;
	sweep(d->tmp);
	for (int try = 0; d->fd == -1 && try < 5; try++) {
		make_unique(d->unique, sizeof d->unique);
		d->fd = openat(
		    d->tmp, d->unique, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (d->fd == -1 && errno != EEXIST)
			break;
	}
	if (d->fd == -1)
		goto fail;
	fd_close(&dir);
	pop3_measure_init(&d->measure);
	*ret = d;
	return 0;
fail:
	fault_set(f, maildir_fault_kind(errno), "deliver into \"%s\": %s", path, strerror(errno));
	fd_close(&dir);
	maildir_deliver_abort(&d);
	return -1;
}

int
maildir_deliver_write(struct delivery *d, const void *p, size_t len, struct fault *f)
{
	if (d->failed || fd_write_all(d->fd, p, len) == -1) {
		d->failed = true;
		return fault_set(f, maildir_fault_kind(errno), "write \"tmp/%s\": %s", d->unique,
		    strerror(errno));
	}
	pop3_measure(&d->measure, p, len);
	d->stored += len;
	return 0;
}

void
maildir_deliver_name(struct delivery *d, char *name)
{
	if (!d->measured)
		pop3_measure_end(&d->measure);
	d->measured = true;
	/* sizes in the name: whoever serves this Maildir need not read the file to know them */
	(void)snprintf(name, NAME_ROOM, "%s,S=%llu,W=%llu", d->unique,
	    (unsigned long long)d->stored, (unsigned long long)d->measure.octets);
}

/* Gives the file in tmp/ its name in new/, which nobody has: 0 or -1 with errno. */
static int
publish(struct delivery *d, const char *name)
{
	if (linkat(d->tmp, d->unique, d->new, name, 0) == 0)
		return 0;
	if (errno != EPERM && errno != EOPNOTSUPP && errno != EMLINK)
		return -1;
	/* a file system without hard links */
	return renameat2(d->tmp, d->unique, d->new, name, RENAME_NOREPLACE);
}

int
maildir_deliver_commit(struct delivery **dp, struct fault *f)
{
	struct delivery *d = *dp;
	char name[NAME_ROOM];
	int r = 0;

	maildir_deliver_name(d, name);
	if (d->failed)
		r = fault_set(f, FAULT_TEMP, "deliver \"new/%s\": it was not written whole", name);
	else if (fsync(d->fd) == -1 || publish(d, name) == -1 ||
		 fsync(d->new) == -1) /* the name must survive too, not only the octets */
		r = fault_set(f, maildir_fault_kind(errno), "deliver \"new/%s\": %s", name,
		    strerror(errno)); /* may have arrived all the same: "delivered" tells */
	maildir_deliver_abort(dp); /* tmp/'s name has done its work */
	return r;
}

void
maildir_deliver_abort(struct delivery **dp)
{
	struct delivery *d = *dp;

	if (d == NULL)
		return;
	if (d->fd != -1)
		(void)unlinkat(d->tmp, d->unique, 0); /* what stays is swept after 36 hours */
	fd_close(&d->fd);
	fd_close(&d->new);
	fd_close(&d->tmp);
	free(d);
	*dp = NULL;
}

/* Whoever hears that it is there may delete the original: no power cut may take it away then,
 * though the process that let it appear was killed before it had seen to that. */
static int
sync_folders(int dir, struct fault *f)
{
	static const char *const folders[] = { "new", "cur" };

	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		int fd = open_below(dir, folders[i], O_RDONLY | O_DIRECTORY, false);

		if (fd == -1 || fsync(fd) == -1) {
			fault_set(f, maildir_fault_kind(errno), "sync \"%s\": %s", folders[i],
			    strerror(errno));
			fd_close(&fd);
			return -1;
		}
		fd_close(&fd);
	}
	return 0;
}

int
maildir_delivered(int root, const char *path, const char *name, struct fault *f)
{
	int dir = open_below(root, path, O_RDONLY | O_DIRECTORY, true);
	struct listing l;
	int r;

	if (dir == -1)
		return errno == ENOENT ? 0
				       : fault_set(f, maildir_fault_kind(errno), "open \"%s\": %s",
					     path, strerror(errno));
	r = listing_scan(dir, &l, f);
	if (r == 0) {
		r = listing_find(&l, name, strlen(name)) != NULL;
		listing_free(&l);
	}
	if (r == 1 && sync_folders(dir, f) == -1)
		r = -1;
	fd_close(&dir);
	return r;
}
