/*
 * fd - file descriptors: closing, flags, whole writes.  Thread-safe.
 */
#ifndef BASE_FD_H
#define BASE_FD_H

#include <stddef.h>

/* Closes *fd unless it is -1, and leaves -1 behind.  errno is kept. */
void fd_close(int *fd);

/* 0 or -1 with errno. */
int fd_set_nonblock(int fd);
int fd_set_cloexec(int fd, int on);

/* Writes all of buf to a blocking descriptor, over EINTR and short writes: 0 or -1 with errno. */
int fd_write_all(int fd, const void *buf, size_t len);

/*
 * Reads a whole regular file of at most max octets into memory of its own, with a NUL behind it
 * that *ret_len does not count.  NULL with errno (EFBIG when it is larger).  Caller frees.
 */
char *fd_read_all(int fd, size_t max, size_t *ret_len);

#endif
