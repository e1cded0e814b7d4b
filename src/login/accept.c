#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "login/login.h"

enum { BURST = 64, COMPLAIN_MS = 10000 };

void
counters_change(uint32_t slot, int by)
{
	uint16_t *mine = &login.counters[(size_t)login.setup.counter_row * COUNTER_SLOTS + slot];

	*mine = (uint16_t)(*mine + by);
}

uint32_t
counters_sum(uint32_t slot)
{
	uint32_t sum = 0;

	for (uint32_t row = 0; row < login.setup.counter_rows; row++)
		sum += __atomic_load_n(
		    &login.counters[(size_t)row * COUNTER_SLOTS + slot], __ATOMIC_RELAXED);
	return sum;
}

/* Says why not, if the client can be told without TLS, and closes. */
static void
turn_away(int *fd, bool tls, const struct address *a)
{
	uint8_t mem[POP3_REPLY_MAX];
	struct pop3_out out = { mem, 0, sizeof mem };

	log_debug("client from %s: too many connections", a->text);
	if (!tls) {
		pop3_reply_err(&out, POP3_CODE_SYS_TEMP,
		    pop3_text(POP3_LANG_EN, POP3_TEXT_TOO_MANY_CONNECTIONS));
		(void)send(*fd, out.data, out.len, MSG_NOSIGNAL | MSG_DONTWAIT); /* a courtesy */
	}
	fd_close(fd);
}

/* No descriptors are left: give up the spare one to take the connection and close it, or the
 * queue would wake us up again and again with nothing to be done. */
static void
shed(int listener)
{
	static uint64_t complained;
	uint64_t now = clock_ms();
	int fd;

	if (now - complained > COMPLAIN_MS || complained == 0) {
		log_error("no descriptors are left: connections are closed unserved");
		complained = now;
	}
	fd_close(&login.spare);
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	fd_close(&fd);
	login.spare = fcntl(login.supervisor.fd, F_DUPFD_CLOEXEC, 3);
}

void
listener_ready(struct source *s, uint32_t events)
{
	struct listener *l = (struct listener *)s;

	(void)events;
	for (int i = 0; i < BURST; i++) {
		struct sockaddr_storage ss;
		socklen_t len = sizeof ss;
		struct address a;
		int fd = accept4(s->fd, (struct sockaddr *)&ss, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd == -1 &&
		    (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
			shed(s->fd);
			return;
		}
		if (fd == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (fd == -1)
			continue; /* the client was gone before we came (ECONNABORTED and the like) */
		address_from(&ss, login.setup.counter_key, &a);
		if (login.clients >= login.setup.max_connections ||
		    counters_sum(a.slot) >= login.setup.max_per_address)
			turn_away(&fd, l->tls, &a);
		else
			client_create(fd, &a, l->tls);
	}
}
