/* The shared counters of connections per address: see login_setup in ipc/setup.h. */
#include "supervisor/server.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fd.h"

enum { ROW_OCTETS = COUNTER_SLOTS * sizeof(uint16_t) };

int
counters_fit(struct server *s, struct fault *f)
{
	uint32_t rows = 4 * login_wanted(s) + 4;
	void *p;

	if (rows <= s->counter_rows)
		return 0;
	counters_close(s);
	s->counters = memfd_create("restante-counters", MFD_CLOEXEC);
	if (s->counters == -1 || ftruncate(s->counters, (off_t)rows * ROW_OCTETS) == -1)
		return fault_set(f, FAULT_TEMP, "shared counters: %s", strerror(errno));
	p = mmap(
	    NULL, (size_t)rows * ROW_OCTETS, PROT_READ | PROT_WRITE, MAP_SHARED, s->counters, 0);
	if (p == MAP_FAILED)
		return fault_set(f, FAULT_TEMP, "shared counters: %s", strerror(errno));
	s->counter_memory = p;
	s->counter_rows = rows;
	if (getrandom(s->counter_key, sizeof s->counter_key, 0) != sizeof s->counter_key)
		return fault_set(f, FAULT_TEMP, "shared counters: no random key");
	return 0;
}

int
counters_take_row(struct server *s)
{
	for (uint32_t row = 0; row < s->counter_rows; row++) {
		bool taken = false;

		for (const struct child *c = s->children; c != NULL; c = c->next)
			if (c->role == CHILD_LOGIN && c->row == row)
				taken = true;
		if (taken)
			continue;
		/* what its last owner counted ended with it */
		memset(s->counter_memory + (size_t)row * COUNTER_SLOTS, 0, ROW_OCTETS);
		return (int)row;
	}
	return -1;
}

void
counters_close(struct server *s)
{
	if (s->counter_memory != NULL)
		(void)munmap(s->counter_memory, (size_t)s->counter_rows * ROW_OCTETS);
	s->counter_memory = NULL;
	s->counter_rows = 0;
	fd_close(&s->counters);
}
