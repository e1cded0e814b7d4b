#include "ipc/pam_check.h"

#include "ipc/login_auth.h"

void
pc_check_encode(struct ipc_writer *w, const struct pc_check *m)
{
	ipc_put_u8(w, PC_CHECK);
	ipc_put_u64(w, m->id);
	ipc_put_string(w, m->user);
	ipc_put_string(w, m->address);
	ipc_put_bytes(w, m->secret.data, m->secret.len);
}

bool
pc_check_decode(struct ipc_reader *r, struct pc_check *ret)
{
	ret->id = ipc_get_u64(r);
	ipc_get_string(r, ret->user, sizeof ret->user);
	ipc_get_string(r, ret->address, sizeof ret->address);
	ret->secret = ipc_get_bytes(r, LA_SECRET_MAX);
	return ipc_reader_done(r);
}

void
pc_result_encode(struct ipc_writer *w, const struct pc_result *m)
{
	ipc_put_u8(w, PC_RESULT);
	ipc_put_u64(w, m->id);
	ipc_put_u8(w, (uint8_t)m->verdict);
	ipc_put_u32(w, m->uid);
	ipc_put_u32(w, m->gid);
	ipc_put_string(w, m->user);
	ipc_put_string(w, m->home);
}

bool
pc_result_decode(struct ipc_reader *r, struct pc_result *ret)
{
	uint8_t verdict;

	ret->id = ipc_get_u64(r);
	verdict = ipc_get_u8(r);
	ret->verdict = (enum pc_verdict)verdict;
	ret->uid = ipc_get_u32(r);
	ret->gid = ipc_get_u32(r);
	ipc_get_string(r, ret->user, sizeof ret->user);
	ipc_get_string(r, ret->home, sizeof ret->home);
	return ipc_reader_done(r) && verdict >= PC_OK && verdict <= PC_TEMP;
}
