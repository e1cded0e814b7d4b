#include "auth/accounts.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <pop3/codec.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/fd.h"
#include "base/log.h"

enum { FILE_MAX = 512 * 1024 * 1024, FIELDS = 7 };

struct entry {
	struct account account;
	UT_hash_handle hh;
};

struct accounts {
	atomic_uint refs;
	char *text; /* the file; accounts point into it */
	size_t len;
	struct entry *table;
	size_t hashed;
	struct scheme decoy;
	uint64_t decoy_cost;
	struct scram_habit habits[2]; /* SHA-1, SHA-256; iterations 0: nobody has keys */
	bool plain;
};

/* uthash's table is keyed by names that the administrator has chosen, not the client. */

static bool
number(const char *text, uint32_t *ret)
{
	uint64_t v;

	if (*text == '\0')
		return true;
	if (!pop3_number((const uint8_t *)text, strlen(text), UINT32_MAX - 1, &v, NULL))
		return false;
	*ret = (uint32_t)v;
	return true;
}

/* "key=value", as userdb_key or key. */
static char *
extra_value(char *word, const char *key)
{
	if (strncmp(word, "userdb_", 7) == 0)
		word += 7;
	return strncmp(word, key, strlen(key)) == 0 && word[strlen(key)] == '='
		   ? word + strlen(key) + 1
		   : NULL;
}

/* "maildir:~/Maildir:INDEX=MEMORY" is "%h/Maildir" here. */
static char *
mail_template(char *v)
{
	if (strncmp(v, "maildir:", 8) == 0)
		v += 8;
	v[strcspn(v, ":")] = '\0';
	if (v[0] == '~' && v[1] == '/') { /* one octet more; the "=" or ":" before it is ours */
		v[0] = 'h';
		*--v = '%';
	}
	return v;
}

static bool
parse_extra(char *text, struct account *a)
{
	char *save = NULL;

	for (char *w = strtok_r(text, " \t", &save); w != NULL; w = strtok_r(NULL, " \t", &save)) {
		char *v;
		uint64_t n;

		if ((v = extra_value(w, "uid")) != NULL) {
			if (!number(v, &a->uid))
				return false;
		} else if ((v = extra_value(w, "gid")) != NULL) {
			if (!number(v, &a->gid))
				return false;
		} else if ((v = extra_value(w, "home")) != NULL) {
			a->home = v;
		} else if ((v = extra_value(w, "mail")) != NULL) {
			a->mail = mail_template(v);
		} else if ((v = extra_value(w, "login_delay")) != NULL) {
			if (!pop3_number((const uint8_t *)v, strlen(v), 86400, &n, NULL))
				return false;
			a->login_delay = (int64_t)n;
		} else if ((v = extra_value(w, "expire")) != NULL) {
			if (strcmp(v, "never") == 0)
				n = EXPIRE_NEVER;
			else if (!pop3_number((const uint8_t *)v, strlen(v), 3650, &n, NULL))
				return false;
			a->expire = (int64_t)n;
		} else if (strcmp(w, "nologin") == 0 || strncmp(w, "nologin=", 8) == 0) {
			a->nologin = strcmp(w, "nologin=n") != 0;
		}
	}
	return true;
}

/* What an account adds to what is told of those who are not there. */
static void
learn(struct accounts *t, const struct scheme *s)
{
	uint64_t cost = scheme_cost(s);
	struct scram_keys k;
	uint8_t salt[96];

	if (cost > t->decoy_cost) {
		t->decoy = *s;
		t->decoy_cost = cost;
	}
	t->plain |= s->kind == SCHEME_PLAIN;
	for (int i = 0; i < 2; i++) {
		struct scram_habit *h = &t->habits[i];

		if (h->iterations == 0 && scheme_scram_stored(s, i == 1, &k) &&
		    pop3_base64_decode((const uint8_t *)k.salt, strlen(k.salt), salt, &h->salt))
			h->iterations = k.iterations;
	}
}

/* One line, which is cut into pieces.  NULL, or what is wrong with it. */
static const char *
parse_line(struct accounts *t, char *line, const char *fallback)
{
	char *field[FIELDS + 1], *p = line;
	struct entry *e, *there;
	size_t n = 0;

	for (; n < FIELDS; n++) {
		char *colon = strchr(p, ':');

		field[n] = p;
		if (colon == NULL) {
			n++;
			break;
		}
		*colon = '\0';
		p = colon + 1;
	}
	if (n < 2)
		return "no password (user:password:uid:gid:gecos:home:shell:extra)";
	e = calloc(1, sizeof *e);
	if (e == NULL)
		return "out of memory";
	e->account = (struct account){ .user = field[0],
		.uid = UINT32_MAX,
		.gid = UINT32_MAX,
		.home = n > 5 ? field[5] : "",
		.login_delay = -1,
		.expire = -1 };
	scheme_parse(field[1], fallback, &e->account.password);
	HASH_FIND(hh, t->table, field[0], strlen(field[0]), there);
	if (there != NULL) {
		free(e);
		return "the user is there already (the first one counts)";
	}
	if ((n > 2 && !number(field[2], &e->account.uid)) ||
	    (n > 3 && !number(field[3], &e->account.gid)) ||
	    (n == FIELDS && p != field[FIELDS - 1] && !parse_extra(p, &e->account))) {
		free(e);
		return "a number is none (uid, gid, login_delay, expire)";
	}
	HASH_ADD_KEYPTR(hh, t->table, e->account.user, strlen(e->account.user), e);
	t->hashed += e->account.password.kind == SCHEME_DIGEST || e->account.password.kind == SCHEME_SLOW;
	learn(t, &e->account.password);
	return e->account.password.kind == SCHEME_BROKEN ? "the password's scheme is not known"
							 : NULL;
}

struct accounts *
accounts_read(int fd, const char *path, const char *fallback)
{
	struct accounts *t = calloc(1, sizeof *t);
	int line = 0;

	if (t == NULL)
		return NULL;
	t->refs = 1;
	t->decoy = (struct scheme){ .kind = SCHEME_PLAIN, .name = "PLAIN", .text = "" };
	t->text = fd_read_all(fd, FILE_MAX, &t->len);
	if (t->text == NULL) {
		free(t);
		return NULL;
	}
	for (char *p = t->text, *end = t->text + t->len; p < end;) {
		char *lf = memchr(p, '\n', (size_t)(end - p));
		const char *wrong = NULL;
		size_t len;

		line++;
		if (lf == NULL)
			lf = end;
		*lf = '\0';
		len = (size_t)(lf - p);
		if (len > 0 && p[len - 1] == '\r')
			p[--len] = '\0';
		if (strlen(p) != len)
			wrong = "a NUL octet";
		else if (*p != '\0' && *p != '#' && *p != ':')
			wrong = parse_line(t, p, fallback);
		if (wrong != NULL)
			log_warning("%s:%d: %s", path, line, wrong);
		p = lf + 1;
	}
	return t;
}

struct accounts *
accounts_ref(struct accounts *a)
{
	if (a != NULL)
		atomic_fetch_add(&a->refs, 1);
	return a;
}

void
accounts_unref(struct accounts **ap)
{
	struct accounts *a = *ap;
	struct entry *e, *next;

	*ap = NULL;
	if (a == NULL || atomic_fetch_sub(&a->refs, 1) > 1)
		return;
	HASH_ITER (hh, a->table, e, next) {
		HASH_DEL(a->table, e);
		free(e);
	}
	OPENSSL_cleanse(a->text, a->len);
	free(a->text);
	free(a);
}

const struct account *
accounts_find(const struct accounts *a, const uint8_t *user, size_t len)
{
	struct entry *e = NULL;

	if (a != NULL && len > 0)
		HASH_FIND(hh, a->table, user, len, e);
	return e == NULL ? NULL : &e->account;
}

void
accounts_scram_habit(const struct accounts *a, bool sha256, struct scram_habit *ret)
{
	*ret = (struct scram_habit){ .iterations = 4096, .salt = 16 };
	if (a == NULL)
		return;
	if (a->habits[sha256].iterations != 0)
		*ret = a->habits[sha256];
	else if (a->habits[!sha256].iterations != 0)
		*ret = a->habits[!sha256];
	if (ret->salt > 32)
		ret->salt = 32;
	ret->plain = a->plain;
}

size_t
accounts_hashed(const struct accounts *a)
{
	return a->hashed;
}

size_t
accounts_count(const struct accounts *a)
{
	return a == NULL ? 0 : HASH_COUNT(a->table);
}

const struct scheme *
accounts_scheme(const struct accounts *a, const struct account *account)
{
	return account != NULL && scheme_cost(&account->password) > 0 ? &account->password
								      : &a->decoy;
}
