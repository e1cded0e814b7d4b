#include "sandbox/force.h"

#include <stdio.h>
#include <string.h>

#include "sandbox/sandbox.h"

static char text[160];

void
force_add(const char *what)
{
	size_t len = strlen(text);

	(void)snprintf(text + len, sizeof text - len, "%s%s", len > 0 ? ", " : "", what);
}

const char *
sandbox_in_force(void)
{
	return *text != '\0' ? text : "nothing";
}
