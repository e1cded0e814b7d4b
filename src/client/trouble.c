#include "client/trouble.h"

#include <stdarg.h>
#include <stdio.h>

int
trouble_set(struct trouble *t, int status, const char *fmt, ...)
{
	va_list ap;

	t->status = status;
	va_start(ap, fmt);
	(void)vsnprintf(t->text, sizeof t->text, fmt, ap); /* cut to fit */
	va_end(ap);
	return -1;
}
