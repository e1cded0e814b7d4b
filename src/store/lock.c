#include "store/maildir.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"

static int
taken(struct fault *f)
{
	return fault_set(f, FAULT_IN_USE, "locked by another session");
}

/* File systems that other machines use as well, and that lock a folder for this machine alone,
 * which flock() does not tell.  (Ceph, GFS2 and OCFS2 lock folders for all.) */
static bool
locks_folders_here_only(const struct statfs *fs)
{
	switch ((uint32_t)fs->f_type) {
	case NFS_SUPER_MAGIC:
	case SMB_SUPER_MAGIC:
	case CIFS_SUPER_MAGIC:
	case SMB2_SUPER_MAGIC:
	case AFS_SUPER_MAGIC:
	case AFS_FS_MAGIC:
	case CODA_SUPER_MAGIC:
	case V9FS_MAGIC:
	case FUSE_SUPER_MAGIC: /* GlusterFS, sshfs */
		return true;
	default:
		return false;
	}
}

/*
 * The folder itself is locked: that needs no file, so it works on a disk that is full or read
 * only, and the kernel undoes it however we end.  Where that cannot be, or would not be seen by
 * other machines (NFS), it is an OFD lock on a file in the folder.  Which of the two it is depends
 * on the file system alone, so two sessions never use different ones.
 */
int
maildir_lock(struct drop *d, struct fault *f)
{
	struct statfs fs;
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (fstatfs(d->dir, &fs) == -1)
		return fault_set(f, FAULT_TEMP, "lock: %s", strerror(errno));
	if (!locks_folders_here_only(&fs)) {
		if (flock(d->dir, LOCK_EX | LOCK_NB) == 0)
			return 0;
		if (errno == EWOULDBLOCK)
			return taken(f);
		if (errno != EBADF && errno != ENOLCK && errno != EOPNOTSUPP && errno != EINVAL)
			return fault_set(f, FAULT_TEMP, "lock: %s", strerror(errno));
	}
	d->lock = openat(
	    d->dir, "restante.lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (d->lock == -1)
		return fault_set(f, maildir_fault_kind(errno), "lock file \"restante.lock\": %s",
		    strerror(errno));
	if (fcntl(d->lock, F_OFD_SETLK, &whole) == 0)
		return 0;
	if (errno == EAGAIN || errno == EACCES)
		return taken(f);
	return fault_set(f, FAULT_TEMP, "lock file \"restante.lock\": %s", strerror(errno));
}
