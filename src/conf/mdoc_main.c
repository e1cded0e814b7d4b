/* Run by the build: the settings part of restanted.conf(5) on standard output. */
#include "conf/settings.h"

int
main(void)
{
	settings_write_mdoc(stdout);
	return ferror(stdout) != 0;
}
