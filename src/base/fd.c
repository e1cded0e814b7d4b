#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void
fd_close(int *fd)
{
	int saved = errno;

	if (*fd != -1)
		(void)close(*fd); /* nothing sensible is left to do; EINTR closes on Linux */
	*fd = -1;
	errno = saved;
}

int
fd_set_nonblock(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags == -1 ? -1 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

int
fd_set_cloexec(int fd, int on)
{
	return fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0);
}

int
fd_write_all(int fd, const void *buf, size_t len)
{
	const char *p = buf;

	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Frees what may have been a key or a list of passwords. */
static void
forget(char *p, size_t len)
{
	int saved = errno;

	if (p != NULL)
		explicit_bzero(p, len);
	free(p);
	errno = saved;
}

char *
fd_read_all(int fd, size_t max, size_t *ret_len)
{
	size_t cap = 4096, len = 0;
	char *p = malloc(cap + 1);

	while (p != NULL) {
		ssize_t n = read(fd, p + len, cap - len);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			break;
		if (n == 0) {
			p[len] = '\0';
			*ret_len = len;
			return p;
		}
		len += (size_t)n;
		if (len > max) {
			errno = EFBIG;
			break;
		}
		if (len == cap) {
			char *q = malloc(cap * 2 + 1); /* realloc would leave a copy behind */

			if (q == NULL)
				break;
			memcpy(q, p, len);
			forget(p, len);
			p = q;
			cap *= 2;
		}
	}
	forget(p, len);
	return NULL;
}
