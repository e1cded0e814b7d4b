/*
 * killer - kills the program that it is preloaded into when it is about to change something on the
 * disk for the KILL_AT-th time.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int count;

static void
count_down(void)
{
	const char *at = getenv("KILL_AT");

	if (at != NULL && ++count == (int)strtol(at, NULL, 10))
		(void)kill(getpid(), SIGKILL);
}

#define WRAP(type, name, params, args) \
	type name params \
	{ \
		void *p = dlsym(RTLD_NEXT, #name); \
		type(*real) params; \
\
		memcpy(&real, &p, sizeof real); \
		count_down(); \
		return real args; \
	}

WRAP(int, linkat, (int a, const char *b, int c, const char *d, int e), (a, b, c, d, e))
WRAP(int, unlinkat, (int a, const char *b, int c), (a, b, c))
WRAP(int, renameat, (int a, const char *b, int c, const char *d), (a, b, c, d))
WRAP(int, mkdirat, (int a, const char *b, mode_t c), (a, b, c))
WRAP(int, fsync, (int a), (a))
WRAP(int, fdatasync, (int a), (a))
WRAP(ssize_t, pwrite64, (int a, const void *b, size_t c, off_t d), (a, b, c, d))
