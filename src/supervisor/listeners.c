#include "supervisor/listeners.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fault.h"
#include "base/fd.h"
#include "conf/settings.h"

/* "host:port", "[v6]:port" or "*:port" into its two parts; conf has checked the form. */
static bool
split(const char *text, char *host, size_t host_room, const char **ret_port)
{
	const char *colon = strrchr(text, ':');
	size_t len;

	if (colon == NULL)
		return false;
	len = (size_t)(colon - text);
	if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	if (len >= host_room)
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	*ret_port = colon + 1;
	return true;
}

static bool
take_over(struct listener *l, struct listeners *old)
{
	for (size_t i = 0; old != NULL && i < old->count; i++) {
		if (old->items[i].fd != -1 && old->items[i].tls == l->tls &&
		    strcmp(old->items[i].asked, l->asked) == 0) {
			*l = old->items[i];
			return true;
		}
	}
	return false;
}

/* The name as the kernel has it: a port 0 has become one that is free. */
static void
name_as_bound(struct listener *l)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof ss;
	char number[64], port[32];

	if (getsockname(l->fd, (struct sockaddr *)&ss, &len) == 0 &&
	    getnameinfo((struct sockaddr *)&ss, len, number, sizeof number, port, sizeof port,
		NI_NUMERICHOST | NI_NUMERICSERV) == 0)
		(void)snprintf(l->name, sizeof l->name, strchr(number, ':') ? "[%s]:%s" : "%s:%s",
		    number, port);
}

static int
open_one(struct listener *l, const struct addrinfo *a, struct fault *f)
{
	int on = 1;

	l->fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, a->ai_protocol);
	if (l->fd == -1 || setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == -1 ||
	    (a->ai_family == AF_INET6 &&
		setsockopt(l->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == -1) ||
	    bind(l->fd, a->ai_addr, a->ai_addrlen) == -1 || listen(l->fd, SOMAXCONN) == -1) {
		int err = errno;

		fd_close(&l->fd);
		errno = err;
		return fault_set(f, FAULT_PERM, "listen on %s: %s%s", l->name, strerror(err),
		    err == EACCES ? " (ports below 1024 need root)" : "");
	}
	name_as_bound(l);
	return 0;
}

static struct listener *
add(struct listeners *l)
{
	struct listener *p = realloc(l->items, (l->count + 1) * sizeof *p);

	if (p == NULL)
		return NULL;
	l->items = p;
	p += l->count++;
	*p = (struct listener){ .fd = -1 };
	return p;
}

static int
open_address(
    struct listeners *ret, const char *text, bool tls, struct listeners *old, struct fault *f)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE }, *list, *a;
	char host[256], number[64], port[32];
	const char *service;
	bool any, one = false;
	int err;

	if (!split(text, host, sizeof host, &service))
		return fault_set(f, FAULT_PERM, "listen on \"%s\": not host:port", text);
	any = strcmp(host, "*") == 0;
	err = getaddrinfo(any ? NULL : host, service, &hints, &list);
	if (err != 0)
		return fault_set(f, FAULT_PERM, "listen on \"%s\": %s", text, gai_strerror(err));
	for (a = list; a != NULL; a = a->ai_next) {
		struct listener *l = add(ret);

		if (l == NULL || getnameinfo(a->ai_addr, a->ai_addrlen, number, sizeof number, port,
				     sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
			freeaddrinfo(list);
			return fault_set(f, FAULT_TEMP, "listen on \"%s\": out of memory", text);
		}
		l->tls = tls;
		(void)snprintf(l->asked, sizeof l->asked, strchr(number, ':') ? "[%s]:%s" : "%s:%s",
		    number, port);
		memcpy(l->name, l->asked, sizeof l->name);
		if (take_over(l, old) || open_one(l, a, f) == 0) {
			one = true;
			continue;
		}
		ret->count--;
		/* "*" means whatever the machine has: one family of the two will do */
		if (!any || (errno != EAFNOSUPPORT && errno != EADDRNOTAVAIL)) {
			freeaddrinfo(list);
			return -1;
		}
	}
	freeaddrinfo(list);
	return one ? 0 : -1;
}

/* Forgets the sockets that were taken over, so that closing one list leaves the other alone. */
static void
disown(struct listeners *l, const struct listeners *owner)
{
	for (size_t i = 0; l != NULL && i < l->count; i++)
		for (size_t k = 0; k < owner->count; k++)
			if (l->items[i].fd == owner->items[k].fd)
				l->items[i].fd = -1;
}

int
listeners_open(
    struct listeners *ret, const struct settings *s, struct listeners *old, struct fault *f)
{
	*ret = (struct listeners){ 0 };
	for (size_t i = 0; i < s->listen.count; i++)
		if (open_address(ret, s->listen.items[i], false, old, f) == -1)
			goto fail;
	for (size_t i = 0; i < s->listen_tls.count; i++)
		if (open_address(ret, s->listen_tls.items[i], true, old, f) == -1)
			goto fail;
	if (old != NULL)
		disown(old, ret);
	return 0;
fail:
	if (old != NULL)
		disown(ret, old);
	listeners_close(ret);
	return -1;
}

void
listeners_close(struct listeners *l)
{
	for (size_t i = 0; i < l->count; i++)
		fd_close(&l->items[i].fd);
	free(l->items);
	*l = (struct listeners){ 0 };
}
