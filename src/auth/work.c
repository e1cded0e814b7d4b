/*
 * Workers: password hashes are slow on purpose, and must not keep those waiting whose check is
 * cheap.  So there are two lanes, each with its own bounded queue and threads.
 */
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <pop3/codec.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "auth/auth.h"
#include "base/log.h"

enum { LANES = 2, QUEUE_MAX = 1024, THREADS_MAX = 16, STACK = 512 * 1024 };

static struct lane {
	pthread_cond_t wake;
	struct job *first, *last;
	uint32_t length;
} lanes[LANES] = { { .wake = PTHREAD_COND_INITIALIZER }, { .wake = PTHREAD_COND_INITIALIZER } };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct job *finished; /* in any order */

void
job_destroy(struct job *j)
{
	if (j == NULL)
		return;
	accounts_unref(&j->accounts);
	if (j->data != NULL)
		explicit_bzero(j->data, j->len);
	free(j->data);
	if (j->out != NULL)
		explicit_bzero(j->out, j->out_len);
	free(j->out);
	explicit_bzero(j, sizeof *j);
	free(j);
}

/* A password in the clear, prepared as what clients give is (P6856-09); else what is stored. */
static const char *
secret_of(const struct scheme *s, char mem[LA_SECRET_MAX + 1])
{
	return s->kind == SCHEME_PLAIN && sasl_prepare((const uint8_t *)s->text, strlen(s->text),
					      mem, LA_SECRET_MAX + 1)
		   ? mem
		   : s->text;
}

/* MD5 of the timestamp and the secret (RFC 1939, section 7). */
static bool
verify_apop(const struct job *j, const struct scheme *s)
{
	uint8_t got[EVP_MAX_MD_SIZE];
	char mem[LA_SECRET_MAX + 1];
	const char *secret = secret_of(s, mem);
	unsigned n = 0;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_md5(), NULL) == 1 &&
		  EVP_DigestUpdate(ctx, j->timestamp, strlen(j->timestamp)) == 1 &&
		  EVP_DigestUpdate(ctx, secret, strlen(secret)) == 1 &&
		  EVP_DigestFinal_ex(ctx, got, &n) == 1 && n == sizeof j->digest &&
		  CRYPTO_memcmp(got, j->digest, sizeof j->digest) == 0;

	EVP_MD_CTX_free(ctx);
	explicit_bzero(mem, sizeof mem);
	return ok && s->kind == SCHEME_PLAIN;
}

static void
do_password(struct job *j)
{
	const struct account *a =
	    accounts_find(j->accounts, (const uint8_t *)j->user, strlen(j->user));
	/* nobody of that name: the same work for nothing (P1939-43) */
	const struct scheme *stored = accounts_scheme(j->accounts, a);
	struct scheme s = *stored;
	char mem[LA_SECRET_MAX + 1];
	bool right;

	if (j->apop) {
		right = verify_apop(j, &s);
	} else {
		s.text = secret_of(&s, mem);
		right = scheme_verify(&s, j->data, j->len);
		explicit_bzero(mem, sizeof mem);
	}

	j->right = right && a != NULL && stored == &a->password && !a->nologin;
}

/* A secret that nobody knows, with a salt that is the same for a name and digest each time. */
static bool
fake_secret(
    const char *user, unsigned size, const struct scram_habit *habit, struct sasl_secret *ret)
{
	uint8_t mac[EVP_MAX_MD_SIZE];
	char text[LA_USER_MAX + 8];
	unsigned n;

	(void)snprintf(text, sizeof text, "%u %s", size, user);
	if (HMAC(EVP_sha256(), auth.fake_key, sizeof auth.fake_key, (const uint8_t *)text,
		strlen(text), mac, &n) == NULL)
		return false;
	ret->salt[pop3_base64_encode(mac, habit->salt, (uint8_t *)ret->salt)] = '\0';
	ret->iterations = habit->iterations;
	/* what is proved against must not be derivable: fresh octets each time */
	if (RAND_bytes(mac, sizeof mac) != 1)
		return false;
	ret->stored[pop3_base64_encode(mac, size, (uint8_t *)ret->stored)] = '\0';
	ret->server[pop3_base64_encode(mac + 32, size, (uint8_t *)ret->server)] = '\0';
	for (size_t i = 0; i < 32; i++)
		(void)snprintf(ret->password + 2 * i, 3, "%02x", mac[i]);
	return true;
}

/* SCRAM's keys of an account with a password in the clear, or work that takes as long. */
static bool
derive(const struct scheme *s, bool sha256, struct sasl_secret *io)
{
	struct scram_keys k = { .sha256 = sha256, .iterations = io->iterations };
	char mem[LA_SECRET_MAX + 1];
	const char *secret = s == NULL ? io->password : secret_of(s, mem);
	bool fine;

	memcpy(k.salt, io->salt, sizeof k.salt);
	fine = scheme_scram_derive((const uint8_t *)secret, strlen(secret), &k);
	if (s != NULL) {
		memcpy(io->stored, k.stored, sizeof io->stored);
		memcpy(io->server, k.server, sizeof io->server);
	}
	explicit_bzero(mem, sizeof mem);
	explicit_bzero(&k, sizeof k);
	return fine;
}

/*
 * What an exchange needs of a user; called by sasl_exchange_step() in a worker.  The name is
 * prepared first: the account that is proved has to be the one that is then logged in to.
 */
static bool
lookup(void *arg, const char *mechanism, const char *given, struct sasl_secret *ret)
{
	const struct accounts *t = *(struct accounts **)arg;
	bool sha256 = strncmp(mechanism, "SCRAM-SHA-256", 13) == 0;
	char user[LA_USER_MAX + 1] = "", mem[LA_SECRET_MAX + 1];
	const struct account *a = NULL;
	const struct scheme *s;
	struct scram_habit habit;
	struct scram_keys k;

	if (sasl_prepare((const uint8_t *)given, strlen(given), user, sizeof user))
		a = accounts_find(t, (const uint8_t *)user, strlen(user));
	s = a != NULL && !a->nologin ? &a->password : NULL;
	accounts_scram_habit(t, sha256, &habit);
	if (!fake_secret(user, sha256 ? 32 : 20, &habit, ret))
		return false;
	if (strcmp(mechanism, "CRAM-MD5") == 0) {
		if (s != NULL && s->kind == SCHEME_PLAIN)
			(void)snprintf(
			    ret->password, sizeof ret->password, "%s", secret_of(s, mem));
		explicit_bzero(mem, sizeof mem);
		return true;
	}
	if (s != NULL && s->kind == SCHEME_PLAIN)
		return derive(s, sha256, ret);
	if (habit.plain && !derive(NULL, sha256, ret)) /* the same time for everybody */
		return false;
	if (s != NULL && scheme_scram_stored(s, sha256, &k)) {
		memcpy(ret->salt, k.salt, sizeof ret->salt);
		memcpy(ret->stored, k.stored, sizeof ret->stored);
		memcpy(ret->server, k.server, sizeof ret->server);
		ret->iterations = k.iterations;
		explicit_bzero(&k, sizeof k);
	}
	return true;
}

static void
do_sasl(struct job *j)
{
	const uint8_t *out;
	const char *user;
	size_t len;

	sasl_exchange_lookup(j->exchange, lookup, &j->accounts);
	j->result = sasl_exchange_step(j->exchange, j->data, j->len, &out, &len);
	user = sasl_exchange_user(j->exchange);
	(void)snprintf(j->user, sizeof j->user, "%s", user == NULL ? "" : user);
	if (j->result != SASL_FAILED && len > 0) {
		j->out = malloc(len);
		if (j->out == NULL)
			j->result = SASL_FAILED;
		else
			memcpy(j->out, out, len);
		j->out_len = len;
	}
}

static void *
worker(void *arg)
{
	struct lane *l = arg;

	for (;;) {
		struct job *j;

		(void)pthread_mutex_lock(&mutex);
		while (l->first == NULL)
			(void)pthread_cond_wait(&l->wake, &mutex);
		j = l->first;
		l->first = j->next;
		if (l->first == NULL)
			l->last = NULL;
		l->length--;
		(void)pthread_mutex_unlock(&mutex);
		if (j->kind == JOB_PASSWORD)
			do_password(j);
		else
			do_sasl(j);
		(void)pthread_mutex_lock(&mutex);
		j->next = finished;
		finished = j;
		(void)pthread_mutex_unlock(&mutex);
		(void)!write(
		    auth.work.fd, &(uint64_t){ 1 }, sizeof(uint64_t)); /* full: it wakes anyway */
	}
	return NULL;
}

bool
work_add(struct job *j, bool slow)
{
	struct lane *l = &lanes[slow];
	bool full;

	j->next = NULL;
	(void)pthread_mutex_lock(&mutex);
	full = l->length >= QUEUE_MAX;
	if (!full) {
		if (l->last != NULL)
			l->last->next = j;
		else
			l->first = j;
		l->last = j;
		l->length++;
		(void)pthread_cond_signal(&l->wake);
	}
	(void)pthread_mutex_unlock(&mutex);
	return !full;
}

void
work_ready(struct source *s, uint32_t events)
{
	uint64_t count;
	struct job *j;

	(void)events;
	(void)!read(s->fd, &count, sizeof count); /* how many does not matter */
	(void)pthread_mutex_lock(&mutex);
	j = finished;
	finished = NULL;
	(void)pthread_mutex_unlock(&mutex);
	while (j != NULL) {
		struct job *next = j->next;

		check_finished(j);
		j = next;
	}
}

static int
start_threads(struct lane *l, long n, const pthread_attr_t *attr)
{
	for (long i = 0; i < n; i++) {
		pthread_t t;
		int r = pthread_create(&t, attr, worker, l);

		if (r != 0) {
			errno = r;
			return -1;
		}
	}
	return 0;
}

int
work_start(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	pthread_attr_t attr;
	int r;

	auth.work =
	    (struct source){ .ready = work_ready, .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
	if (auth.work.fd == -1 || source_add(auth.poller, &auth.work, EPOLLIN) == -1)
		return -1;
	if (cpus < 1)
		cpus = 1;
	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	(void)pthread_attr_setstacksize(&attr, STACK);
	r = start_threads(&lanes[0], 1, &attr) == -1 ||
		    start_threads(&lanes[1], cpus < THREADS_MAX ? cpus : THREADS_MAX, &attr) == -1
		? -1
		: 0;
	(void)pthread_attr_destroy(&attr);
	return r;
}
