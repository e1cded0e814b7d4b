#include "ipc/login_auth.h"

void
la_start_encode(struct ipc_writer *w, const struct la_start *m)
{
	ipc_put_u8(w, LA_START);
	ipc_put_u64(w, m->id);
	ipc_put_u8(w, (uint8_t)m->kind);
	ipc_put_u8(w, m->secure);
	ipc_put_u8(w, m->loopback);
	ipc_put_u8(w, m->lang);
	ipc_put_u8(w, m->utf8);
	ipc_put_string(w, m->address);
	ipc_put_string(w, m->tls);
	ipc_put_bytes(w, m->user.data, m->user.len);
	ipc_put_bytes(w, m->secret.data, m->secret.len);
	ipc_put_u8(w, m->has_data);
	ipc_put_bytes(w, m->data.data, m->data.len);
	ipc_put_bytes(w, m->exporter.data, m->exporter.len);
	ipc_put_bytes(w, m->unique.data, m->unique.len);
	ipc_put_bytes(w, m->early.data, m->early.len);
}

bool
la_start_decode(struct ipc_reader *r, struct la_start *ret)
{
	struct la_start m = { .id = ipc_get_u64(r) };
	uint8_t kind = ipc_get_u8(r);

	m.kind = (enum la_kind)kind;
	m.secure = ipc_get_bool(r);
	m.loopback = ipc_get_bool(r);
	m.lang = ipc_get_u8(r);
	m.utf8 = ipc_get_bool(r);
	ipc_get_string(r, m.address, sizeof m.address);
	ipc_get_string(r, m.tls, sizeof m.tls);
	m.user = ipc_get_bytes(r, LA_USER_MAX);
	m.secret = ipc_get_bytes(r, LA_SECRET_MAX);
	m.has_data = ipc_get_bool(r);
	m.data = ipc_get_bytes(r, LA_DATA_MAX);
	m.exporter = ipc_get_bytes(r, LA_BINDING_MAX);
	m.unique = ipc_get_bytes(r, LA_BINDING_MAX);
	m.early = ipc_get_bytes(r, LA_EARLY_MAX);
	if (kind < LA_PASS || kind > LA_SASL || !ipc_reader_done(r))
		return false;
	*ret = m;
	return true;
}

void
la_step_encode(struct ipc_writer *w, const struct la_step *m)
{
	ipc_put_u8(w, LA_STEP);
	ipc_put_u64(w, m->id);
	ipc_put_bytes(w, m->data.data, m->data.len);
	ipc_put_bytes(w, m->early.data, m->early.len);
}

bool
la_step_decode(struct ipc_reader *r, struct la_step *ret)
{
	struct la_step m = { .id = ipc_get_u64(r) };

	m.data = ipc_get_bytes(r, LA_DATA_MAX);
	m.early = ipc_get_bytes(r, LA_EARLY_MAX);
	if (!ipc_reader_done(r))
		return false;
	*ret = m;
	return true;
}

void
la_cancel_encode(struct ipc_writer *w, uint64_t id)
{
	ipc_put_u8(w, LA_CANCEL);
	ipc_put_u64(w, id);
}

bool
la_cancel_decode(struct ipc_reader *r, uint64_t *ret_id)
{
	uint64_t id = ipc_get_u64(r);

	if (!ipc_reader_done(r))
		return false;
	*ret_id = id;
	return true;
}

void
la_reply_encode(struct ipc_writer *w, enum login_auth_type type, const struct la_reply *m)
{
	ipc_put_u8(w, (uint8_t)type);
	ipc_put_u64(w, m->id);
	if (type == LA_CONTINUE)
		ipc_put_bytes(w, m->data.data, m->data.len);
	else if (type == LA_FAILED)
		ipc_put_u8(w, (uint8_t)m->failure);
}

bool
la_reply_decode(struct ipc_reader *r, enum login_auth_type type, struct la_reply *ret)
{
	struct la_reply m = { .id = ipc_get_u64(r) };

	if (type == LA_CONTINUE) {
		m.data = ipc_get_bytes(r, LA_DATA_MAX);
	} else if (type == LA_FAILED) {
		uint8_t failure = ipc_get_u8(r);

		if (failure < LA_FAIL_AUTH || failure > LA_FAIL_PERM)
			return false;
		m.failure = (enum la_failure)failure;
	} else if (type != LA_DONE) {
		return false;
	}
	if (!ipc_reader_done(r))
		return false;
	*ret = m;
	return true;
}
