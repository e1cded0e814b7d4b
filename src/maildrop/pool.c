#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/log.h"
#include "maildrop/process.h"

enum {
	THREADS_KEPT = 2, /* that wait for ever */
	THREAD_IDLE_MS = 10000, /* for those above */
	THREAD_STACK = 256 * 1024,
};

static void *worker_main(void *arg);

/* One more thread; the mutex is held. */
static int
add_thread(struct process *p)
{
	struct worker *w = malloc(sizeof *w);
	pthread_attr_t attr;
	pthread_t t;
	int r;

	if (w == NULL)
		return -1;
	w->p = p;
	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	(void)pthread_attr_setstacksize(&attr, THREAD_STACK);
	r = pthread_create(&t, &attr, worker_main, w);
	(void)pthread_attr_destroy(&attr);
	if (r != 0) {
		free(w);
		errno = r;
		return -1;
	}
	p->threads++;
	p->idle_threads++;
	return 0;
}

/* Takes an event out of the set; NULL: there is nothing to do for this thread any more. */
static struct connection *
follow(struct process *p)
{
	for (;;) {
		struct epoll_event ev;
		int n = epoll_wait(p->epoll, &ev, 1, THREAD_IDLE_MS);
		bool leave;

		if (n == -1 && errno != EINTR)
			return NULL;
		(void)pthread_mutex_lock(&p->mutex);
		/* never the last one that waits: those at work may be blocked for long */
		leave = p->stopping || (n == 0 && p->threads > THREADS_KEPT && p->idle_threads > 1);
		if (n == 1 && !p->stopping) {
			p->idle_threads--;
			wait_end(p, ev.data.ptr);
			/* somebody must go on waiting while we work, and may block, on this one */
			if (p->idle_threads == 0 && p->threads < p->setup.max_threads &&
			    add_thread(p) == -1)
				log_warning("no further thread: %s", strerror(errno));
			(void)pthread_mutex_unlock(&p->mutex);
			return ev.data.ptr;
		}
		if (leave) {
			p->idle_threads--;
			p->threads--;
		}
		(void)pthread_mutex_unlock(&p->mutex);
		if (leave)
			return NULL;
	}
}

static void *
worker_main(void *arg)
{
	struct worker *w = arg;
	struct process *p = w->p;
	struct connection *c;

	while ((c = follow(p)) != NULL) {
		serve_step(w, c);
		(void)pthread_mutex_lock(&p->mutex);
		p->idle_threads++;
		(void)pthread_mutex_unlock(&p->mutex);
	}
	free(w);
	return NULL;
}

int
pool_start(struct process *p)
{
	int r = 0;

	(void)pthread_mutex_lock(&p->mutex);
	for (int i = 0; i < THREADS_KEPT && r == 0; i++)
		r = add_thread(p);
	(void)pthread_mutex_unlock(&p->mutex);
	return r;
}
