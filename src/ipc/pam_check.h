/*
 * pam_check - auth asks restante-pam whether a system user's password is right, and who he is.
 *
 * restante-pam runs as root and forks a child for each check, since PAM modules are not
 * thread-safe and may leave anything behind.  Answers come in any order.
 */
#ifndef IPC_PAM_CHECK_H
#define IPC_PAM_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "ipc/codec.h"

enum pam_check_type { PC_CHECK = 1, PC_RESULT };

enum pc_verdict {
	PC_OK = 1,
	PC_DENIED, /* wrong password, unknown or expired user */
	PC_TEMP, /* could not be checked now */
};

enum { PC_HOME_MAX = 1024 };

struct pc_check {
	uint64_t id;
	char user[256];
	char address[64]; /* PAM_RHOST */
	struct ipc_bytes secret;
};

struct pc_result {
	uint64_t id;
	enum pc_verdict verdict;
	uint32_t uid, gid; /* PC_OK */
	char user[256]; /* as PAM has it in the end */
	char home[PC_HOME_MAX];
};

void pc_check_encode(struct ipc_writer *w, const struct pc_check *m);
bool pc_check_decode(struct ipc_reader *r, struct pc_check *ret);
void pc_result_encode(struct ipc_writer *w, const struct pc_result *m);
bool pc_result_decode(struct ipc_reader *r, struct pc_result *ret);

#endif
