#include "sandbox/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <fcntl.h>

#include "base/fault.h"
#include "base/fd.h"
#include "sandbox/force.h"

static int
failed(struct fault *f, const char *what)
{
	return fault_set(f, FAULT_PERM, "%s: %s", what, strerror(errno));
}

int
sandbox_start(struct fault *f)
{
	struct rlimit none = { 0, 0 };

	/* Not dumpable: no core with secrets in it, and no ptrace by a process of the same uid. */
	if (prctl(PR_SET_DUMPABLE, 0) == -1 || setrlimit(RLIMIT_CORE, &none) == -1)
		return failed(f, "forbid core dumps");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		return failed(f, "forbid new privileges");
	/* Cleared by a change of uid, so sandbox_become() asks again. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1)
		return failed(f, "ask to end with the parent");
	return 0;
}

int
sandbox_empty_root(struct fault *f)
{
	char path[] = "/tmp/restante-empty-XXXXXX";
	int fd = -1, r = -1;

	if (mkdtemp(path) == NULL)
		return failed(f, "make an empty folder in /tmp");
	fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1 || rmdir(path) == -1) {
		failed(f, "enter an empty folder in /tmp");
		goto out;
	}
	/* Nothing can be made in a folder that was removed: it stays empty, whoever we are. */
	if (fchdir(fd) == -1 || chroot(".") == -1 || chdir("/") == -1) {
		failed(f, "chroot");
		goto out;
	}
	force_add("empty root");
	r = 0;
out:
	fd_close(&fd);
	return r;
}

static int
drop_capabilities(struct fault *f)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2];

	memset(none, 0, sizeof none);
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
		(void)prctl(PR_CAPBSET_DROP, cap); /* EPERM: we never had it to drop */
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capset, &head, none) == -1)
		return failed(f, "drop capabilities");
	return 0;
}

int
sandbox_become(uid_t uid, gid_t gid, const char *name, struct fault *f)
{
	char text[64];
	bool root = geteuid() == 0;

	if (!root && (uid != geteuid() || gid != getegid()))
		return fault_set(f, FAULT_PERM, "become uid %lu, gid %lu: only root can",
		    (unsigned long)uid, (unsigned long)gid);
	if (root && uid != 0) {
		if (name != NULL && *name != '\0') {
			if (initgroups(name, gid) == -1)
				return failed(f, "set groups");
		} else if (setgroups(0, NULL) == -1) {
			return failed(f, "drop groups");
		}
		if (setresgid(gid, gid, gid) == -1 || setresuid(uid, uid, uid) == -1)
			return failed(f, "set uid and gid");
		if (setuid(0) != -1 || seteuid(0) != -1)
			return fault_set(
			    f, FAULT_PERM, "uid %lu could become root again", (unsigned long)uid);
	}
	if (uid != 0 && drop_capabilities(f) == -1)
		return -1;
	/* the change of uid has undone these two */
	if (prctl(PR_SET_DUMPABLE, 0) == -1 || prctl(PR_SET_PDEATHSIG, SIGKILL) == -1)
		return failed(f, "forbid core dumps");
	(void)snprintf(text, sizeof text, "uid %lu", (unsigned long)uid);
	force_add(text);
	return 0;
}
