#include "ipc/channel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"

int
channel_pair(int fds[2])
{
	/* twice the longest packet, so that one is never refused for want of room alone */
	int size = 2 * CHANNEL_MAX;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == -1)
		return -1;
	for (int i = 0; i < 2; i++) {
		/* capped by net.core.wmem_max for who is not root: then a long packet may need a
		 * quiet moment, which is no error */
		if (setsockopt(fds[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) == -1)
			(void)setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	}
	return 0;
}

int
channel_send(int ch, const void *packet, size_t len, const int *fds, size_t nfds)
{
	union {
		char space[CMSG_SPACE(sizeof(int) * CHANNEL_FDS)];
		struct cmsghdr align;
	} control;
	struct iovec iov = { .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (len == 0 || len > CHANNEL_MAX || nfds > CHANNEL_FDS) {
		errno = EMSGSIZE;
		return -1;
	}
	memcpy(&iov.iov_base, &packet, sizeof packet); /* sendmsg only reads; iovec has no const */
	if (nfds > 0) {
		struct cmsghdr *c;

		memset(&control, 0, sizeof control);
		msg.msg_control = control.space;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * nfds);
	}
	do
		n = sendmsg(ch, &msg, MSG_NOSIGNAL);
	while (n == -1 && errno == EINTR);
	return n == -1 ? -1 : 0;
}

/* Puts the descriptors that came along into fds, and closes those that have no place there. */
static void
take_fds(struct msghdr *msg, int fds[CHANNEL_FDS])
{
	size_t n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		size_t count;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof fd);
			if (n < CHANNEL_FDS)
				fds[n++] = fd;
			else
				fd_close(&fd);
		}
	}
}

ssize_t
channel_recv(int ch, void *buf, size_t len, int fds[CHANNEL_FDS])
{
	union {
		/* room for more than we take: what fits nowhere would be dropped unseen, but what
		 * we can see we can close */
		char space[CMSG_SPACE(sizeof(int) * 8)];
		struct cmsghdr align;
	} control;
	struct iovec iov = { .iov_base = buf, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	for (size_t i = 0; i < CHANNEL_FDS; i++)
		fds[i] = -1;
	memset(&control, 0, sizeof control);
	msg.msg_control = control.space;
	msg.msg_controllen = sizeof control.space;
	do
		n = recvmsg(ch, &msg, MSG_CMSG_CLOEXEC);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return -1;
	take_fds(&msg, fds);
	if ((msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
		for (size_t i = 0; i < CHANNEL_FDS; i++)
			fd_close(&fds[i]);
		errno = EMSGSIZE;
		return -1;
	}
	return n;
}
