#include "ipc/auth_maildrop.h"

void
am_handoff_encode(struct ipc_writer *w, const struct am_handoff *m)
{
	ipc_put_u8(w, AM_HANDOFF);
	ipc_put_u64(w, m->id);
	ipc_put_u8(w, m->lang);
	ipc_put_u8(w, m->utf8);
	ipc_put_u32(w, m->login_delay);
	ipc_put_u32(w, (uint32_t)m->expire);
	ipc_put_string(w, m->user);
	ipc_put_string(w, m->path);
	ipc_put_string(w, m->address);
	ipc_put_string(w, m->tls);
	ipc_put_string(w, m->mech);
	ipc_put_bytes(w, m->early.data, m->early.len);
}

bool
am_handoff_decode(struct ipc_reader *r, struct am_handoff *ret)
{
	ret->id = ipc_get_u64(r);
	ret->lang = ipc_get_u8(r);
	ret->utf8 = ipc_get_bool(r);
	ret->login_delay = ipc_get_u32(r);
	ret->expire = (int32_t)ipc_get_u32(r);
	ipc_get_string(r, ret->user, sizeof ret->user);
	ipc_get_string(r, ret->path, sizeof ret->path);
	ipc_get_string(r, ret->address, sizeof ret->address);
	ipc_get_string(r, ret->tls, sizeof ret->tls);
	ipc_get_string(r, ret->mech, sizeof ret->mech);
	ret->early = ipc_get_bytes(r, LA_EARLY_MAX);
	return ipc_reader_done(r);
}

void
am_report_encode(struct ipc_writer *w, enum auth_maildrop_type type, uint64_t id)
{
	ipc_put_u8(w, (uint8_t)type);
	ipc_put_u64(w, id);
}

bool
am_report_decode(struct ipc_reader *r, uint64_t *ret_id)
{
	uint64_t id = ipc_get_u64(r);

	if (!ipc_reader_done(r))
		return false;
	*ret_id = id;
	return true;
}
