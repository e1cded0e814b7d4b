#include "store/maildir.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/fd.h"

static int
taken(struct fault *f)
{
	return fault_set(f, FAULT_IN_USE, "locked by another session");
}

/*
 * The folder itself is locked: that needs no file, so it works on a disk that is full or read
 * only, and the kernel undoes it however we end.  File systems that cannot lock a folder (NFS)
 * get an OFD lock on a file in it.  Which of the two it is depends on the file system alone, so
 * two sessions never use different ones.
 */
int
maildir_lock(struct drop *d, struct fault *f)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (flock(d->dir, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno == EWOULDBLOCK)
		return taken(f);
	if (errno != EBADF && errno != ENOLCK && errno != EOPNOTSUPP && errno != EINVAL)
		return fault_set(f, FAULT_TEMP, "lock: %s", strerror(errno));
	d->lock = openat(
	    d->dir, "restante.lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (d->lock == -1)
		return fault_set(f, fault_kind_of_errno(errno), "lock file \"restante.lock\": %s",
		    strerror(errno));
	if (fcntl(d->lock, F_OFD_SETLK, &whole) == 0)
		return 0;
	if (errno == EAGAIN || errno == EACCES)
		return taken(f);
	return fault_set(f, FAULT_TEMP, "lock file \"restante.lock\": %s", strerror(errno));
}
