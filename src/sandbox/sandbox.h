/*
 * sandbox - giving up rights, for good.
 *
 * The one place that knows Landlock, seccomp, capabilities and chroot (Linux).  Call order in a
 * child: everything that needs rights; sandbox_become(); sandbox_landlock(); sandbox_seccomp();
 * then the first octet from a client.  A kernel without Landlock or seccomp is no error: what is
 * in force is in the text that the log gets.
 */
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct fault;

enum sandbox_role { SANDBOX_LOGIN, SANDBOX_AUTH, SANDBOX_MAILDROP };

/* Not dumpable, no core, no new privileges, and death when the parent dies. */
int sandbox_start(struct fault *f);

/* chroot into a folder that was removed the moment it was entered: nothing is in it, nothing can
 * be.  Needs root. */
int sandbox_empty_root(struct fault *f);

/*
 * Becomes uid and gid with no other groups (or those of name, unless NULL or ""), without
 * capabilities, and checks that there is no way back.  Nothing to do when we are no root and uid
 * and gid are ours already.
 */
int sandbox_become(uid_t uid, gid_t gid, const char *name, struct fault *f);

/*
 * Landlock: from now on files can be reached only below the folder root (-1: no file at all),
 * for reading, making, renaming and removing, never for executing; no TCP bind or connect; no
 * signals and no abstract sockets beyond ourselves where the kernel can.
 */
int sandbox_landlock(int root, struct fault *f);

/* seccomp: only the system calls that the role needs; others fail with EPERM, and those that
 * nothing of ours ever makes (execve, ptrace, socket...) as well, so that a test can see it. */
int sandbox_seccomp(enum sandbox_role role, struct fault *f);

/* "uid 997, chroot, landlock 7, seccomp": what the calls above have put in force. */
const char *sandbox_in_force(void);

#endif
