/*
 * Packets to auth.  Many clients may log in at once, and the channel holds some hundred packets:
 * who comes then waits.  Nor is a cancellation ever lost, or auth would keep a connection whose
 * client is gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/fd.h"
#include "base/log.h"
#include "ipc/channel.h"
#include "login/login.h"

enum { WAITING_MAX = 8 * 1024 * 1024, /* octets */ CANCEL_MAX = 16 };

struct parcel {
	struct parcel *next;
	int fd; /* our own copy; -1: none */
	size_t len;
	uint8_t packet[];
};

static struct {
	struct parcel *first, *last;
	size_t octets;
} waiting;

struct parcel *
parcel_create(const uint8_t *packet, size_t len, int fd)
{
	struct parcel *p = malloc(sizeof *p + len);

	if (p == NULL)
		return NULL;
	*p = (struct parcel){ .fd = -1, .len = len };
	memcpy(p->packet, packet, len);
	if (fd != -1 && (p->fd = fcntl(fd, F_DUPFD_CLOEXEC, 4)) == -1)
		parcel_destroy(&p);
	return p;
}

void
parcel_destroy(struct parcel **pp)
{
	struct parcel *p = *pp;

	if (p == NULL)
		return;
	fd_close(&p->fd);
	explicit_bzero(p->packet, p->len);
	free(p);
	*pp = NULL;
}

enum sent { SENT, NO_ROOM, NOT_SENT };

static enum sent
try_now(const uint8_t *packet, size_t len, int fd)
{
	if (channel_send(login.auth.fd, packet, len, &fd, fd == -1 ? 0 : 1) == 0)
		return SENT;
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		return NO_ROOM;
	log_error("restante-auth takes nothing: %s", strerror(errno));
	return NOT_SENT;
}

static bool
is_full(size_t len)
{
	return len > CANCEL_MAX && waiting.octets + len > WAITING_MAX;
}

static void
append(struct parcel *p)
{
	if (waiting.first == NULL)
		waiting.first = p;
	else
		waiting.last->next = p;
	waiting.last = p;
	waiting.octets += p->len;
	source_want(login.epoll, &login.auth, EPOLLIN | EPOLLOUT);
}

bool
to_auth(const uint8_t *packet, size_t len, int fd)
{
	enum sent sent = NO_ROOM;
	struct parcel *p;

	if (login.auth.fd == -1)
		return false;
	if (waiting.first == NULL)
		sent = try_now(packet, len, fd);
	if (sent != NO_ROOM)
		return sent == SENT;
	p = is_full(len) ? NULL : parcel_create(packet, len, fd);
	if (p == NULL) {
		log_error("restante-auth does not keep up");
		return false;
	}
	append(p);
	return true;
}

bool
to_auth_parcel(struct parcel **pp)
{
	struct parcel *p = *pp;
	bool sent = to_auth(p->packet, p->len, p->fd);

	parcel_destroy(pp);
	return sent;
}

void
to_auth_ready(void)
{
	while (waiting.first != NULL) {
		struct parcel *p = waiting.first;
		enum sent sent = try_now(p->packet, p->len, p->fd);

		if (sent == NO_ROOM)
			return;
		if (sent == NOT_SENT) /* a channel that lost something cannot be gone on with */
			break;
		waiting.first = p->next;
		waiting.octets -= p->len;
		parcel_destroy(&p);
	}
	if (waiting.first == NULL) {
		source_want(login.epoll, &login.auth, EPOLLIN);
		return;
	}
	auth_gone();
	setup_want_auth();
}

void
to_auth_forget(void)
{
	while (waiting.first != NULL) {
		struct parcel *p = waiting.first;

		waiting.first = p->next;
		parcel_destroy(&p);
	}
	waiting.octets = 0;
}
