#include "maildir_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"

struct trouble trouble;
int root = -1;
char root_path[256];
static int descriptors;
static uint64_t sum;

/* The system calls, in front of the real ones, by the names that they have with large files. */
ssize_t __real_getdents64(int fd, void *buf, size_t len);
ssize_t __wrap_getdents64(int fd, void *buf, size_t len);
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_flock(int fd, int operation);
int __wrap_flock(int fd, int operation);
long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
int __real_fstatfs64(int fd, struct statfs *ret);
int __wrap_fstatfs64(int fd, struct statfs *ret);
int __real_unlinkat(int dir, const char *name, int flags);
int __wrap_unlinkat(int dir, const char *name, int flags);
int __real_linkat(int from_dir, const char *from, int to_dir, const char *to, int flags);
int __wrap_linkat(int from_dir, const char *from, int to_dir, const char *to, int flags);
ssize_t __real_pread64(int fd, void *buf, size_t len, off_t at);
ssize_t __wrap_pread64(int fd, void *buf, size_t len, off_t at);
int __real_fd_write_all(int fd, const void *buf, size_t len);
int __wrap_fd_write_all(int fd, const void *buf, size_t len);

static int
failure(int err)
{
	errno = err;
	return -1;
}

ssize_t
__wrap_getdents64(int fd, void *buf, size_t len)
{
	int n = trouble.folder_reads++;
	ssize_t r;

	if (trouble.folder_read != NULL)
		trouble.folder_read(fd, n, false);
	r = __real_getdents64(fd, buf, len);
	if (trouble.folder_read != NULL)
		trouble.folder_read(fd, n, true);
	return r;
}

/* The C library of Debian 12 has no openat2(). */
long
__wrap_syscall(long number, ...)
{
	long args[4];
	va_list ap;

	va_start(ap, number);
	for (int i = 0; i < 4; i++)
		args[i] = va_arg(ap, long);
	va_end(ap);
	if (trouble.opens_again > 0) {
		trouble.opens_again--;
		return failure(EAGAIN);
	}
	return __real_syscall(number, args[0], args[1], args[2], args[3]);
}

int
__wrap_fsync(int fd)
{
	if (trouble.fsyncs++ >= trouble.fsync_room && trouble.fsync_errno != 0)
		return failure(trouble.fsync_errno);
	return __real_fsync(fd);
}

int
__wrap_flock(int fd, int operation)
{
	return trouble.flock_errno != 0 ? failure(trouble.flock_errno)
					: __real_flock(fd, operation);
}

int
__wrap_fstatfs64(int fd, struct statfs *ret)
{
	int r = __real_fstatfs64(fd, ret);

	if (r == 0 && trouble.file_system != 0)
		ret->f_type = trouble.file_system;
	return r;
}

int
__wrap_unlinkat(int dir, const char *name, int flags)
{
	if (trouble.removal != NULL)
		trouble.removal(name);
	return trouble.unlink_errno != 0 ? failure(trouble.unlink_errno)
					 : __real_unlinkat(dir, name, flags);
}

int
__wrap_linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
	return trouble.link_errno != 0 ? failure(trouble.link_errno)
				       : __real_linkat(from_dir, from, to_dir, to, flags);
}

ssize_t
__wrap_pread64(int fd, void *buf, size_t len, off_t at)
{
	ssize_t n;

	if (trouble.read_errno != 0)
		return failure(trouble.read_errno);
	n = __real_pread64(fd, buf, len, at);
	trouble.octets_read += n > 0 ? (uint64_t)n : 0;
	return n;
}

int
__wrap_fd_write_all(int fd, const void *buf, size_t len)
{
	size_t room = (size_t)trouble.write_room;

	if (trouble.write_errno == 0)
		return __real_fd_write_all(fd, buf, len);
	if (len <= room) {
		trouble.write_room -= (int)len;
		return __real_fd_write_all(fd, buf, len);
	}
	trouble.write_room = 0;
	(void)__real_fd_write_all(fd, buf, room); /* as much as there is room for */
	return failure(trouble.write_errno);
}

static int
count_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	(void)closedir(d);
	return n;
}

int
maildir_setup(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)state;
	trouble = (struct trouble){ 0 };
	descriptors = count_descriptors();
	(void)snprintf(
	    root_path, sizeof root_path, "%s/restante-maildir-XXXXXX", tmp == NULL ? "/tmp" : tmp);
	if (mkdtemp(root_path) == NULL || chmod(root_path, 0755) == -1)
		return -1;
	root = open(root_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root == -1 || mkdirat(root, "m", 0755) == -1 || mkdirat(root, "m/new", 0755) == -1 ||
	    mkdirat(root, "m/cur", 0755) == -1 || mkdirat(root, "m/tmp", 0755) == -1)
		return -1;
	return 0;
}

static int
remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

int
maildir_teardown(void **state)
{
	(void)state;
	trouble = (struct trouble){ 0 };
	fd_close(&root);
	if (count_descriptors() != descriptors) {
		print_error("descriptors are left open\n");
		return -1;
	}
	return nftw(root_path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

void
put(const char *path, const void *octets, size_t len)
{
	int fd = openat(root, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_int_not_equal(fd, -1);
	assert_int_equal(__real_fd_write_all(fd, octets, len), 0);
	assert_int_equal(close(fd), 0);
}

void
put_text(const char *path, const char *text)
{
	put(path, text, strlen(text));
}

void
rename_file(const char *from, const char *to)
{
	assert_int_equal(renameat(root, from, root, to), 0);
}

void
remove_file(const char *path)
{
	assert_int_equal(__real_unlinkat(root, path, 0), 0);
}

bool
exists(const char *path)
{
	struct stat st;

	return fstatat(root, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static int
add_to_picture(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	uint64_t h = (uint64_t)flag;

	(void)ftw;
	for (const char *p = path; *p != '\0'; p++)
		h = h * 31 + (unsigned char)*p;
	h = h * 31 + (uint64_t)st->st_size;
	h = h * 31 + (uint64_t)st->st_mode;
	h = h * 31 + (uint64_t)st->st_ctim.tv_sec;
	h = h * 31 + (uint64_t)st->st_ctim.tv_nsec;
	sum += h * h;
	return 0;
}

uint64_t
picture(void)
{
	sum = 0;
	assert_int_equal(nftw(root_path, add_to_picture, 16, FTW_PHYS), 0);
	return sum;
}

bool
is_folder(int fd, const char *path)
{
	struct stat a, b;

	assert_int_equal(fstat(fd, &a), 0);
	assert_int_equal(fstatat(root, path, &b, 0), 0);
	return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

void
set_age(const char *path, int seconds)
{
	struct timespec times[2];

	assert_int_equal(clock_gettime(CLOCK_REALTIME, &times[0]), 0);
	times[0].tv_sec -= seconds;
	times[0].tv_nsec = 1;
	times[1] = times[0];
	assert_int_equal(utimensat(root, path, times, 0), 0);
}

void
only_as_root(void)
{
	if (geteuid() != 0)
		skip();
}

struct drop *
must_open(void)
{
	struct drop *d = NULL;
	struct fault f = { 0 };

	if (store_maildir.open(root, "m", &d, &f) == -1)
		fail_msg("open: %s", f.text);
	assert_non_null(d);
	return d;
}

void
must_not_open(enum fault_kind kind)
{
	struct drop *d = NULL;
	struct fault f = { 0 };

	assert_int_equal(store_maildir.open(root, "m", &d, &f), -1);
	assert_int_equal(f.kind, kind);
	assert_string_not_equal(f.text, "");
	assert_null(d);
}

int
find_uid(const struct drop *d, const char *uid)
{
	char text[STORE_UID_MAX + 1];

	for (uint32_t i = 0; i < store_maildir.count(d); i++) {
		store_maildir.uid(d, i, text);
		if (strcmp(text, uid) == 0)
			return (int)i;
	}
	return -1;
}

const char *
all_uids(const struct drop *d)
{
	static char text[4096];
	size_t n = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i < store_maildir.count(d); i++) {
		store_maildir.uid(d, i, text + n);
		n += strlen(text + n);
		assert_true(n + STORE_UID_MAX + 2 < sizeof text);
		text[n++] = ' ';
		text[n] = '\0';
	}
	return text;
}
