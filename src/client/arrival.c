#include "client/arrival.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fd.h"
#include "client/trouble.h"
#include "store/store.h"

struct arrival {
	struct delivery *delivery;
	uint64_t octets;
	bool cr; /* a CR is held back, until it is known whether it ends a line */
};

static const struct store_ops *const store = &store_maildir;

static int
fault_told(const struct fault *f, struct trouble *t)
{
	return trouble_set(t, f->kind == FAULT_TEMP ? EX_TEMPFAIL : EX_CANTCREAT, "%s", f->text);
}

/* Whether a Maildir may be made here: it is one, it is empty, or it is not there. */
static int
check_folder(const char *path, struct trouble *t)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir;
	const struct dirent *de;
	struct stat st;
	bool ours = true;

	if (fd == -1 && errno == ENOENT)
		return 0;
	if (fd == -1)
		return trouble_set(t, EX_CANTCREAT, "\"%s\": %s", path, strerror(errno));
	if (fstatat(fd, "new", &st, 0) == 0 && S_ISDIR(st.st_mode)) {
		fd_close(&fd);
		return 0;
	}
	dir = fdopendir(fd);
	if (dir == NULL) {
		fd_close(&fd);
		return trouble_set(t, EX_OSERR, "\"%s\": %s", path, strerror(errno));
	}
	/* who was stopped while making one has not made all of its folders */
	while (ours && (de = readdir(dir)) != NULL)
		ours = strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0 ||
		       strcmp(de->d_name, "tmp") == 0 || strcmp(de->d_name, "new") == 0;
	(void)closedir(dir); /* it was only read */
	return ours ? 0 : trouble_set(t, EX_CANTCREAT, "\"%s\" is no Maildir and not empty", path);
}

/* Opens the folder that g->path stands in. */
static int
open_root(struct target *g, struct trouble *t)
{
	char *slash = strrchr(g->path, '/');
	char folder[sizeof g->path];

	if (slash == NULL || slash[1] == '\0')
		return trouble_set(t, EX_CANTCREAT, "\"%s\" cannot be a Maildir", g->path);
	(void)snprintf(folder, sizeof folder, "%.*s/", (int)(slash - g->path), g->path);
	g->name = slash + 1;
	g->root = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (g->root == -1)
		return trouble_set(t, errno == ENOENT ? EX_CANTCREAT : EX_OSERR, "\"%s\": %s",
		    folder, strerror(errno));
	return 0;
}

int
target_open(struct target *g, const char *path, struct trouble *t)
{
	char *real = realpath(path, NULL), *slash;
	char folder[PATH_MAX];
	int n;

	g->root = -1;
	if (real == NULL && errno == ENOENT) {
		n = snprintf(folder, sizeof folder, "%s", path);
		if (n < 0 || (size_t)n >= sizeof folder)
			return trouble_set(t, EX_USAGE, "the path of the Maildir is too long");
		for (; n > 1 && folder[n - 1] == '/'; n--)
			folder[n - 1] = '\0';
		slash = strrchr(folder, '/');
		path = slash == NULL ? folder : slash + 1;
		if (slash == folder)
			real = strdup("");
		else if (slash == NULL)
			real = realpath(".", NULL);
		else {
			*slash = '\0';
			real = realpath(folder, NULL);
		}
		if (real == NULL)
			return trouble_set(t, EX_CANTCREAT, "\"%s\": %s",
			    slash == NULL ? "." : folder, strerror(errno));
		n = snprintf(
		    g->path, sizeof g->path, "%s/%s", strcmp(real, "/") == 0 ? "" : real, path);
	} else if (real == NULL) {
		return trouble_set(t, EX_CANTCREAT, "\"%s\": %s", path, strerror(errno));
	} else {
		n = snprintf(g->path, sizeof g->path, "%s", real);
	}
	free(real);
	if (n < 0 || (size_t)n >= sizeof g->path)
		return trouble_set(t, EX_USAGE, "the path of the Maildir is too long");
	return check_folder(g->path, t) == -1 ? -1 : open_root(g, t);
}

void
target_close(struct target *g)
{
	fd_close(&g->root);
}

int
target_has(const char *path, const char *name, bool *ret, struct trouble *t)
{
	struct target g = { .root = -1 };
	struct fault f;
	int r = -1, has;

	*ret = false;
	(void)snprintf(g.path, sizeof g.path, "%s", path); /* as long as it came from one */
	if (access(g.path, F_OK) == -1 && errno == ENOENT)
		return 0; /* nothing can be in it */
	if (open_root(&g, t) == -1)
		goto out;
	has = store->delivered(g.root, g.name, name, &f);
	if (has == -1) {
		fault_told(&f, t);
		goto out;
	}
	*ret = has == 1;
	r = 0;
out:
	target_close(&g);
	return r;
}

int
arrival_begin(const struct target *g, struct arrival **ret, struct trouble *t)
{
	struct arrival *a = calloc(1, sizeof *a);
	struct fault f;

	if (a == NULL)
		return trouble_set(t, EX_OSERR, "out of memory");
	if (store->deliver_begin(g->root, g->name, &a->delivery, &f) == -1) {
		free(a);
		return fault_told(&f, t);
	}
	*ret = a;
	return 0;
}

static int
put(struct arrival *a, const void *p, size_t len, struct trouble *t)
{
	struct fault f;

	if (len == 0 || store->deliver_write(a->delivery, p, len, &f) == 0)
		return 0;
	return fault_told(&f, t);
}

int
arrival_write(struct arrival *a, const uint8_t *octets, size_t len, struct trouble *t)
{
	static const uint8_t cr = '\r';
	uint8_t block[16384];
	size_t n = 0;

	a->octets += len;
	if (a->cr && len > 0) {
		a->cr = false;
		if (octets[0] != '\n' && put(a, &cr, 1, t) == -1)
			return -1;
	}
	while (len > 0) {
		const uint8_t *p = memchr(octets, '\r', len);
		size_t run = p == NULL ? len : (size_t)(p - octets);

		/* a CR before LF is left out; one at the end waits; any other is copied */
		if (run == 0) {
			a->cr = len == 1;
			run = len > 1 && octets[1] != '\n';
			if (run == 0) {
				octets++;
				len--;
				continue;
			}
		}
		if (run > sizeof block - n) {
			if (put(a, block, n, t) == -1)
				return -1;
			n = 0;
		}
		if (run > sizeof block)
			run = sizeof block;
		memcpy(block + n, octets, run);
		n += run;
		octets += run;
		len -= run;
	}
	return put(a, block, n, t);
}

int
arrival_end(struct arrival *a, char *name, struct trouble *t)
{
	if (a->cr && put(a, "\r", 1, t) == -1)
		return -1;
	a->cr = false;
	store->deliver_name(a->delivery, name);
	return 0;
}

uint64_t
arrival_octets(const struct arrival *a)
{
	return a->octets;
}

int
arrival_commit(struct arrival **ap, struct trouble *t)
{
	struct arrival *a = *ap;
	struct fault f;
	int r = store->deliver_commit(&a->delivery, &f);

	free(a);
	*ap = NULL;
	return r == 0 ? 0 : fault_told(&f, t);
}

void
arrival_abort(struct arrival **ap)
{
	if (*ap == NULL)
		return;
	store->deliver_abort(&(*ap)->delivery);
	free(*ap);
	*ap = NULL;
}
