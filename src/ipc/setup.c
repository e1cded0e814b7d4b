#include "ipc/setup.h"

#include <errno.h>
#include <poll.h>

#include "ipc/channel.h"

/*
 * Each struct is walked by one function that both writes and reads it, so that the two can never
 * disagree about the order of the fields.
 */
struct wire {
	struct ipc_writer *w; /* writing, or NULL: */
	struct ipc_reader *r; /* reading */
};

static void
wire_u8(struct wire *x, uint8_t *v)
{
	if (x->w != NULL)
		ipc_put_u8(x->w, *v);
	else
		*v = ipc_get_u8(x->r);
}

static void
wire_bool(struct wire *x, bool *v)
{
	if (x->w != NULL)
		ipc_put_u8(x->w, *v);
	else
		*v = ipc_get_bool(x->r);
}

static void
wire_u32(struct wire *x, uint32_t *v)
{
	if (x->w != NULL)
		ipc_put_u32(x->w, *v);
	else
		*v = ipc_get_u32(x->r);
}

static void
wire_i32(struct wire *x, int32_t *v)
{
	if (x->w != NULL)
		ipc_put_u32(x->w, (uint32_t)*v);
	else
		*v = (int32_t)ipc_get_u32(x->r);
}

static void
wire_u64(struct wire *x, uint64_t *v)
{
	if (x->w != NULL)
		ipc_put_u64(x->w, *v);
	else
		*v = ipc_get_u64(x->r);
}

static void
wire_string(struct wire *x, char *v, size_t room)
{
	if (x->w != NULL)
		ipc_put_string(x->w, v);
	else
		ipc_get_string(x->r, v, room);
}
#define WIRE_STRING(x, v) wire_string(x, v, sizeof(v))

static void
wire_bytes(struct wire *x, struct ipc_bytes *v)
{
	if (x->w != NULL)
		ipc_put_bytes(x->w, v->data, v->len);
	else
		*v = ipc_get_bytes(x->r, CHANNEL_MAX);
}

static void
walk_log(struct wire *x, struct log_setup *m)
{
	wire_u8(x, &m->target);
	wire_u8(x, &m->level);
}

static void
walk_login(struct wire *x, struct login_setup *m)
{
	walk_log(x, &m->log);
	WIRE_STRING(x, m->hostname);
	WIRE_STRING(x, m->greeting);
	wire_bool(x, &m->apop);
	wire_bool(x, &m->utf8);
	wire_bool(x, &m->implementation);
	wire_u8(x, &m->lang);
	wire_u8(x, &m->plaintext);
	WIRE_STRING(x, m->mechanisms);
	wire_i32(x, &m->expire);
	wire_bool(x, &m->expire_user);
	wire_u32(x, &m->login_delay);
	wire_bool(x, &m->login_delay_user);
	wire_u32(x, &m->login_timeout);
	wire_u32(x, &m->idle_timeout);
	wire_u32(x, &m->write_timeout);
	wire_u32(x, &m->max_connections);
	wire_u32(x, &m->max_per_address);
	wire_u32(x, &m->max_failures);
	wire_u32(x, &m->counter_rows);
	wire_u32(x, &m->counter_row);
	for (size_t i = 0; i < sizeof m->counter_key; i++)
		wire_u8(x, &m->counter_key[i]);
	wire_u32(x, &m->run_uid);
	wire_u32(x, &m->run_gid);
}

static void
walk_certificate(struct wire *x, struct certificate_setup *m)
{
	WIRE_STRING(x, m->name);
	wire_bytes(x, &m->chain);
	wire_bytes(x, &m->key);
}

static void
walk_listener(struct wire *x, struct listener_setup *m)
{
	WIRE_STRING(x, m->name);
	wire_bool(x, &m->tls);
}

static void
walk_peer(struct wire *x, struct peer_setup *m)
{
	wire_u8(x, &m->role);
	wire_u64(x, &m->id);
}

static void
walk_auth(struct wire *x, struct auth_setup *m)
{
	walk_log(x, &m->log);
	wire_bool(x, &m->have_accounts);
	wire_bool(x, &m->pam);
	WIRE_STRING(x, m->accounts);
	WIRE_STRING(x, m->default_scheme);
	WIRE_STRING(x, m->hostname);
	wire_bool(x, &m->apop);
	wire_bool(x, &m->cram);
	wire_u8(x, &m->plaintext);
	WIRE_STRING(x, m->mechanisms);
	WIRE_STRING(x, m->maildrop);
	WIRE_STRING(x, m->mail_root);
	wire_u32(x, &m->mail_uid);
	wire_u32(x, &m->mail_gid);
	wire_u32(x, &m->first_valid_uid);
	wire_u32(x, &m->login_delay);
	wire_i32(x, &m->expire);
	wire_u32(x, &m->failure_delay);
	wire_u32(x, &m->max_sessions_per_user);
	wire_u32(x, &m->run_uid);
	wire_u32(x, &m->run_gid);
	wire_bool(x, &m->can_switch);
}

static void
walk_pam(struct wire *x, struct pam_setup *m)
{
	walk_log(x, &m->log);
	WIRE_STRING(x, m->service);
}

static void
walk_want(struct wire *x, struct want_maildrop *m)
{
	wire_u64(x, &m->id);
	wire_u32(x, &m->uid);
	wire_u32(x, &m->gid);
	WIRE_STRING(x, m->user);
	WIRE_STRING(x, m->root);
}

static void
walk_maildrop(struct wire *x, struct maildrop_setup *m)
{
	walk_log(x, &m->log);
	wire_u32(x, &m->uid);
	wire_u32(x, &m->gid);
	WIRE_STRING(x, m->user);
	WIRE_STRING(x, m->root);
	wire_bool(x, &m->utf8);
	wire_bool(x, &m->implementation);
	wire_bool(x, &m->refuse_utf8);
	wire_u8(x, &m->lang);
	WIRE_STRING(x, m->mechanisms);
	wire_u8(x, &m->plaintext);
	wire_bool(x, &m->login_delay_on);
	wire_u32(x, &m->idle_timeout);
	wire_u32(x, &m->write_timeout);
	wire_u32(x, &m->linger);
	wire_u32(x, &m->lock_wait);
	wire_u32(x, &m->max_sessions);
	wire_u32(x, &m->max_threads);
}

/* The pair of public functions around a walk. */
#define ENCODE(kind, type_octet)    \
	struct wire x = { .w = w }; \
	struct kind copy = *m;      \
                                    \
	ipc_put_u8(w, (uint8_t)(type_octet))

#define DECODE(walk)                \
	struct wire x = { .r = r }; \
                                    \
	walk(&x, ret);              \
	return ipc_reader_done(r)

void
login_setup_encode(struct ipc_writer *w, const struct login_setup *m)
{
	ENCODE(login_setup, SU_LOGIN);
	walk_login(&x, &copy);
}

bool
login_setup_decode(struct ipc_reader *r, struct login_setup *ret)
{
	DECODE(walk_login);
}

void
certificate_setup_encode(struct ipc_writer *w, const struct certificate_setup *m)
{
	ENCODE(certificate_setup, SU_CERTIFICATE);
	walk_certificate(&x, &copy);
}

bool
certificate_setup_decode(struct ipc_reader *r, struct certificate_setup *ret)
{
	DECODE(walk_certificate);
}

void
listener_setup_encode(struct ipc_writer *w, const struct listener_setup *m)
{
	ENCODE(listener_setup, SU_LISTENER);
	walk_listener(&x, &copy);
}

bool
listener_setup_decode(struct ipc_reader *r, struct listener_setup *ret)
{
	DECODE(walk_listener);
}

void
peer_setup_encode(struct ipc_writer *w, enum setup_type type, const struct peer_setup *m)
{
	ENCODE(peer_setup, type);
	walk_peer(&x, &copy);
}

bool
peer_setup_decode(struct ipc_reader *r, struct peer_setup *ret)
{
	DECODE(walk_peer);
}

void
auth_setup_encode(struct ipc_writer *w, enum setup_type type, const struct auth_setup *m)
{
	ENCODE(auth_setup, type);
	walk_auth(&x, &copy);
}

bool
auth_setup_decode(struct ipc_reader *r, struct auth_setup *ret)
{
	DECODE(walk_auth);
}

void
pam_setup_encode(struct ipc_writer *w, const struct pam_setup *m)
{
	ENCODE(pam_setup, SU_PAM);
	walk_pam(&x, &copy);
}

bool
pam_setup_decode(struct ipc_reader *r, struct pam_setup *ret)
{
	DECODE(walk_pam);
}

void
want_maildrop_encode(struct ipc_writer *w, const struct want_maildrop *m)
{
	ENCODE(want_maildrop, SU_WANT_MAILDROP);
	walk_want(&x, &copy);
}

bool
want_maildrop_decode(struct ipc_reader *r, struct want_maildrop *ret)
{
	DECODE(walk_want);
}

void
maildrop_setup_encode(struct ipc_writer *w, const struct maildrop_setup *m)
{
	ENCODE(maildrop_setup, SU_MAILDROP);
	walk_maildrop(&x, &copy);
}

bool
maildrop_setup_decode(struct ipc_reader *r, struct maildrop_setup *ret)
{
	DECODE(walk_maildrop);
}

int
setup_receive(void *packet, size_t room, int fds[2])
{
	for (;;) {
		struct pollfd p = { .fd = CHILD_CHANNEL, .events = POLLIN };
		ssize_t n;

		if (poll(&p, 1, -1) == -1 && errno != EINTR)
			return -1;
		n = channel_recv(CHILD_CHANNEL, packet, room, fds);
		if (n == -1 && errno == EAGAIN)
			continue;
		return n > 0 ? (int)n : -1;
	}
}

static void
say(uint8_t type)
{
	(void)channel_send(CHILD_CHANNEL, &type, sizeof type, NULL, 0);
}

void
setup_ready(void)
{
	say(SU_READY);
}

void
setup_want_auth(void)
{
	say(SU_WANT_AUTH);
}
