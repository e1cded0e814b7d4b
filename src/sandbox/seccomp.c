#include "sandbox/sandbox.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fault.h"
#include "sandbox/force.h"

/* What any of our processes does once it serves: talk on descriptors that it has, use memory,
 * wait, end. */
static const int always[] = {
	SCMP_SYS(read),
	SCMP_SYS(readv),
	SCMP_SYS(write),
	SCMP_SYS(writev),
	SCMP_SYS(close),
	SCMP_SYS(recvmsg),
	SCMP_SYS(recvfrom),
	SCMP_SYS(sendmsg),
	SCMP_SYS(sendto),
	SCMP_SYS(shutdown),
	SCMP_SYS(getsockopt),
	SCMP_SYS(setsockopt),
	SCMP_SYS(getsockname),
	SCMP_SYS(getpeername),
	SCMP_SYS(fcntl),
	SCMP_SYS(dup),
	SCMP_SYS(lseek),
	SCMP_SYS(fstat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_create1),
	SCMP_SYS(eventfd2),
	SCMP_SYS(timerfd_create),
	SCMP_SYS(timerfd_settime),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	SCMP_SYS(brk),
	SCMP_SYS(mlock),
	SCMP_SYS(munlock),
	SCMP_SYS(futex),
	SCMP_SYS(sched_yield),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(membarrier),
	SCMP_SYS(rseq),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(time),
	SCMP_SYS(getrandom),
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(getuid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getegid),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
};

static const int login_too[] = { SCMP_SYS(accept4) };

/* The mail: Landlock says where. */
static const int maildrop_too[] = {
	SCMP_SYS(openat),
	SCMP_SYS(openat2),
	SCMP_SYS(getdents64),
	SCMP_SYS(statx),
	SCMP_SYS(fstatfs),
	SCMP_SYS(pread64),
	SCMP_SYS(preadv),
	SCMP_SYS(sendfile),
	SCMP_SYS(fadvise64),
	SCMP_SYS(readahead),
	SCMP_SYS(unlinkat),
	SCMP_SYS(fsync),
	SCMP_SYS(fdatasync),
	SCMP_SYS(flock),
	SCMP_SYS(ftruncate),
	SCMP_SYS(mkdirat),
	SCMP_SYS(linkat),
	SCMP_SYS(renameat),
	SCMP_SYS(renameat2),
};

static int
allow(scmp_filter_ctx c, const int *calls, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		r = seccomp_rule_add(c, SCMP_ACT_ALLOW, calls[i], 0);
	return r;
}
#define ALLOW(c, calls) allow(c, calls, sizeof(calls) / sizeof *(calls))

/* Calls that are harmless or not by their arguments. */
static int
allow_some(scmp_filter_ctx c, bool threads, bool pairs)
{
	int r;

	/* memory yes, code no: nothing is loaded any more */
	if ((r = seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
		 SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0))) != 0 ||
	    (r = seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
		 SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0))) != 0 ||
	    /* abort() in ourselves, no signal to anybody else */
	    (r = seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
		 SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()))) != 0)
		return r;
	if (threads) {
		if ((r = seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
			 SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD))) != 0 ||
		    /* its flags are out of a filter's sight: the C library goes back to clone */
		    (r = seccomp_rule_add(c, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0)) != 0)
			return r;
	}
	if (pairs)
		r = seccomp_rule_add(
		    c, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 1, SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
	return r;
}

int
sandbox_seccomp(enum sandbox_role role, struct fault *f)
{
	scmp_filter_ctx c;
	int r = -ENOMEM;

	if (prctl(PR_GET_SECCOMP) == -1 && errno == EINVAL) {
		force_add("no seccomp in this kernel");
		return 0;
	}
	c = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	if (c == NULL ||
	    /* all threads, also one that a library may have started */
	    (r = seccomp_attr_set(c, SCMP_FLTATR_CTL_TSYNC, 1)) != 0 ||
	    (r = ALLOW(c, always)) != 0 ||
	    (r = allow_some(c, role != SANDBOX_LOGIN, role == SANDBOX_LOGIN)) != 0)
		goto out;
	if (role == SANDBOX_LOGIN)
		r = ALLOW(c, login_too);
	else if (role == SANDBOX_MAILDROP)
		r = ALLOW(c, maildrop_too);
	if (r == 0)
		r = seccomp_load(c);
out:
	if (c != NULL)
		seccomp_release(c);
	if (r != 0)
		return fault_set(f, FAULT_PERM, "seccomp: %s", strerror(-r));
	force_add("seccomp");
	return 0;
}
