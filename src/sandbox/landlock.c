#include "sandbox/sandbox.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fd.h"
#include "sandbox/force.h"

/*
 * The kernel's interface (landlock(7)), written down here because the headers of a distribution
 * are older than the kernels it runs on.  What a kernel does not know yet is masked out by its
 * ABI number.
 */
struct ruleset { /* struct landlock_ruleset_attr as of ABI 6 */
	uint64_t fs, net, scoped;
};
struct beneath { /* struct landlock_path_beneath_attr */
	uint64_t allowed;
	int32_t fd;
} __attribute__((packed));

enum { CREATE_VERSION = 1, RULE_PATH_BENEATH = 1 };

#define FS_WRITE_FILE (1ULL << 1)
#define FS_READ_FILE (1ULL << 2)
#define FS_READ_DIR (1ULL << 3)
#define FS_REMOVE_FILE (1ULL << 5)
#define FS_MAKE_DIR (1ULL << 7)
#define FS_MAKE_REG (1ULL << 8)
#define FS_REFER (1ULL << 13)
#define FS_TRUNCATE (1ULL << 14)

/* Every right that an ABI knows, so that all that is not granted is refused. */
static const struct {
	uint64_t fs, net, scoped;
} known[] = {
	{ 0, 0, 0 }, { (1ULL << 13) - 1, 0, 0 }, /* 1 */
	{ (1ULL << 14) - 1, 0, 0 }, /* 2: refer */
	{ (1ULL << 15) - 1, 0, 0 }, /* 3: truncate */
	{ (1ULL << 15) - 1, 3, 0 }, /* 4: TCP bind, connect */
	{ (1ULL << 16) - 1, 3, 0 }, /* 5: ioctl on devices */
	{ (1ULL << 16) - 1, 3, 3 }, /* 6: abstract sockets, signals */
};
enum { KNOWN = sizeof known / sizeof *known };

int
sandbox_landlock(int root, struct fault *f)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_VERSION);
	long at = abi < KNOWN ? abi : KNOWN - 1;
	struct ruleset rules;
	struct beneath rule = { .fd = root };
	char text[32];
	int fd = -1, r = -1;

	if (abi < 1) {
		force_add("no landlock in this kernel");
		return 0;
	}
	rules = (struct ruleset){ known[at].fs, known[at].net, known[at].scoped };
	fd = (int)syscall(SYS_landlock_create_ruleset, &rules,
	    at >= 6 ? sizeof rules : (at >= 4 ? 2 : 1) * sizeof(uint64_t), 0);
	if (fd == -1) {
		fault_set(f, FAULT_PERM, "landlock: %s", strerror(errno));
		goto out;
	}
	rule.allowed = (FS_WRITE_FILE | FS_READ_FILE | FS_READ_DIR | FS_REMOVE_FILE | FS_MAKE_DIR |
			   FS_MAKE_REG | FS_REFER | FS_TRUNCATE) &
		       rules.fs;
	if (root != -1 && syscall(SYS_landlock_add_rule, fd, RULE_PATH_BENEATH, &rule, 0) == -1) {
		fault_set(f, FAULT_PERM, "landlock: allow the mail root: %s", strerror(errno));
		goto out;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ||
	    syscall(SYS_landlock_restrict_self, fd, 0) == -1) {
		fault_set(f, FAULT_PERM, "landlock: %s", strerror(errno));
		goto out;
	}
	(void)snprintf(text, sizeof text, "landlock %ld", abi);
	force_add(text);
	r = 0;
out:
	fd_close(&fd);
	return r;
}
