#include "base/fault.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

int
fault_set(struct fault *f, enum fault_kind kind, const char *fmt, ...)
{
	va_list ap;

	if (f == NULL)
		return -1;
	f->kind = kind;
	va_start(ap, fmt);
	(void)vsnprintf(f->text, sizeof f->text, fmt, ap); /* a cut text is still a text */
	va_end(ap);
	return -1;
}

enum fault_kind
fault_kind_of_errno(int err)
{
	switch (err) {
	case ENOENT:
	case ESTALE:
		return FAULT_GONE;
	case EACCES:
	case EPERM:
	case ENOTDIR:
	case EISDIR:
	case ELOOP:
	case EXDEV:
	case ENAMETOOLONG:
	case EINVAL:
		return FAULT_PERM;
	default:
		return FAULT_TEMP;
	}
}
