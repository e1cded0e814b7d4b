#include "client/state.h"

#include <errno.h>
#include <fcntl.h>
#include <pop3/client.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "client/trouble.h"

enum {
	BUSY_MS = 30000,
	PENDING_MAX = 128,
};

enum statement {
	ST_BEGIN,
	ST_COMMIT,
	ST_ROLLBACK,
	ST_GET,
	ST_INTEND,
	ST_SET,
	ST_FORGET,
	ST_NEXT,
	ST_LOCKSTEP,
	ST_SET_LOCKSTEP,
	STATEMENTS,
};

static const char *const texts[STATEMENTS] = {
	[ST_BEGIN] = "BEGIN IMMEDIATE",
	[ST_COMMIT] = "COMMIT",
	[ST_ROLLBACK] = "ROLLBACK",
	[ST_GET] = "SELECT stage, octets FROM message WHERE account = ?1 AND uid = ?2 AND nth = ?3",
	[ST_INTEND] = ("INSERT INTO message (account, uid, nth, stage, octets, maildir, name, at) "
		       "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, unixepoch()) "
		       "ON CONFLICT (account, uid, nth) DO UPDATE SET stage = ?4, octets = ?5, "
		       "maildir = ?6, name = ?7, at = unixepoch()"),
	[ST_SET] = "UPDATE message SET stage = ?4 WHERE account = ?1 AND uid = ?2 AND nth = ?3",
	[ST_FORGET] = "DELETE FROM message WHERE account = ?1 AND uid = ?2 AND nth = ?3",
	[ST_NEXT] = ("SELECT id, uid, nth, maildir, name FROM message "
		     "WHERE account = ?1 AND stage = ?2 AND stage <> 2 AND id > ?3 "
		     "ORDER BY id LIMIT 1"),
	[ST_LOCKSTEP] = "SELECT lockstep FROM account WHERE id = ?1",
	[ST_SET_LOCKSTEP] = "UPDATE account SET lockstep = 1 WHERE id = ?1",
};

/* user_version says which of these a database has.  Most messages are DONE (2), and nobody walks
 * over them: the index leaves them out. */
static const char schema[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE IF NOT EXISTS account ("
    " id INTEGER PRIMARY KEY, user TEXT NOT NULL, host TEXT NOT NULL, port INTEGER NOT NULL,"
    " lockstep INTEGER NOT NULL DEFAULT 0, UNIQUE (user, host, port));"
    "CREATE TABLE IF NOT EXISTS message ("
    " id INTEGER PRIMARY KEY, account INTEGER NOT NULL REFERENCES account (id),"
    " uid BLOB NOT NULL, nth INTEGER NOT NULL, stage INTEGER NOT NULL,"
    " octets INTEGER NOT NULL, maildir TEXT NOT NULL, name TEXT NOT NULL, at INTEGER NOT NULL,"
    " UNIQUE (account, uid, nth));"
    "CREATE INDEX IF NOT EXISTS unsettled ON message (account, stage, id) WHERE stage <> 2;"
    "PRAGMA user_version = 1;"
    "COMMIT;";

struct pending {
	enum state_stage stage;
	uint32_t nth;
	uint16_t len;
	uint8_t uid[POP3_CLIENT_UID_MAX];
};

struct state {
	sqlite3 *db;
	sqlite3_stmt *statements[STATEMENTS];
	int lock;
	int64_t account;
	/* Not yet in the database, whose lock is held for no longer than a transaction of one go
	 * takes: other accounts are in it as well. */
	struct pending pending[PENDING_MAX];
	size_t count;
	/* what state_next() has found */
	uint8_t uid[POP3_CLIENT_UID_MAX];
	char maildir[4096], name[256];
};

static int
failed(const struct state *s, struct trouble *t)
{
	int code = sqlite3_errcode(s->db);

	return trouble_set(t, code == SQLITE_BUSY || code == SQLITE_FULL ? EX_TEMPFAIL : EX_IOERR,
	    "state: %s", sqlite3_errmsg(s->db));
}

/* Runs a statement without results. */
static int
run(struct state *s, enum statement which, struct trouble *t)
{
	int r = sqlite3_step(s->statements[which]);

	(void)sqlite3_reset(s->statements[which]); /* says again what step has said */
	return r == SQLITE_DONE ? 0 : failed(s, t);
}

static int
bind_key(struct state *s, enum statement which, const struct state_key *key, struct trouble *t)
{
	sqlite3_stmt *st = s->statements[which];

	if (sqlite3_bind_int64(st, 1, s->account) != SQLITE_OK ||
	    sqlite3_bind_blob(st, 2, key->uid.data, (int)key->uid.len, SQLITE_TRANSIENT) !=
		SQLITE_OK ||
	    sqlite3_bind_int64(st, 3, key->nth) != SQLITE_OK)
		return failed(s, t);
	return 0;
}

/* In the transaction that is open. */
static int
apply(struct state *s, const struct pending *p, struct trouble *t)
{
	const struct state_key key = { { p->uid, p->len }, p->nth };
	enum statement which = p->stage == STATE_NONE ? ST_FORGET : ST_SET;

	if (bind_key(s, which, &key, t) == -1)
		return -1;
	if (which == ST_SET &&
	    sqlite3_bind_int(s->statements[which], 4, (int)p->stage) != SQLITE_OK)
		return failed(s, t);
	return run(s, which, t);
}

/* Everything that is pending, and then the statement last, unless it is STATEMENTS; or nothing. */
static int
commit(struct state *s, enum statement last, struct trouble *t)
{
	struct trouble ignored;

	if (run(s, ST_BEGIN, t) == -1)
		return -1;
	for (size_t i = 0; i < s->count; i++)
		if (apply(s, &s->pending[i], t) == -1)
			goto fail;
	if ((last != STATEMENTS && run(s, last, t) == -1) || run(s, ST_COMMIT, t) == -1)
		goto fail;
	s->count = 0;
	return 0;
fail:
	if (!sqlite3_get_autocommit(s->db))
		(void)run(s, ST_ROLLBACK, &ignored); /* the trouble is told already */
	return -1;
}

int
state_flush(struct state *s, struct trouble *t)
{
	return s->count == 0 ? 0 : commit(s, STATEMENTS, t);
}

/* Makes the folders that path stands in, for its owner only. */
static int
make_folders(const char *path, struct trouble *t)
{
	char part[4096];
	size_t len = strlen(path);

	if (len >= sizeof part)
		return trouble_set(t, EX_USAGE, "state: the path is too long");
	memcpy(part, path, len + 1);
	for (size_t i = 1; i < len; i++) {
		if (part[i] != '/')
			continue;
		part[i] = '\0';
		if (mkdir(part, 0700) == -1 && errno != EEXIST)
			return trouble_set(
			    t, EX_IOERR, "state: make \"%s\": %s", part, strerror(errno));
		part[i] = '/';
	}
	return 0;
}

static int
prepare(struct state *s, struct trouble *t)
{
	for (int i = 0; i < STATEMENTS; i++)
		if (sqlite3_prepare_v3(s->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT,
			&s->statements[i], NULL) != SQLITE_OK)
			return failed(s, t);
	return 0;
}

static int
check_version(struct state *s, struct trouble *t)
{
	sqlite3_stmt *st = NULL;
	int version = -1;

	if (sqlite3_prepare_v2(s->db, "PRAGMA user_version", -1, &st, NULL) != SQLITE_OK)
		return failed(s, t);
	if (sqlite3_step(st) == SQLITE_ROW)
		version = sqlite3_column_int(st, 0);
	(void)sqlite3_finalize(st); /* nothing new is in it */
	if (version == -1)
		return failed(s, t);
	if (version > 1)
		return trouble_set(t, EX_CONFIG, "state: made by a newer version of this program");
	if (version == 0 && sqlite3_exec(s->db, schema, NULL, NULL, NULL) != SQLITE_OK)
		return failed(s, t);
	return 0;
}

/* The account's number, which it gets when it has none. */
static int
find_account(struct state *s, const char *user, const char *host, uint16_t port, struct trouble *t)
{
	static const char *const how[] = {
		"INSERT OR IGNORE INTO account (user, host, port) VALUES (?1, ?2, ?3)",
		"SELECT id FROM account WHERE user = ?1 AND host = ?2 AND port = ?3",
	};

	for (size_t i = 0; i < sizeof how / sizeof *how; i++) {
		sqlite3_stmt *st = NULL;
		int r;

		if (sqlite3_prepare_v2(s->db, how[i], -1, &st, NULL) != SQLITE_OK)
			return failed(s, t);
		(void)sqlite3_bind_text(st, 1, user, -1, SQLITE_STATIC); /* NULL finds nothing */
		(void)sqlite3_bind_text(st, 2, host, -1, SQLITE_STATIC); /* likewise */
		(void)sqlite3_bind_int(st, 3, port); /* likewise */
		r = sqlite3_step(st);
		if (r == SQLITE_ROW)
			s->account = sqlite3_column_int64(st, 0);
		else if (r != SQLITE_DONE)
			failed(s, t);
		(void)sqlite3_finalize(st); /* says again what step has said */
		if (r != SQLITE_ROW && r != SQLITE_DONE)
			return -1;
	}
	return s->account > 0 ? 0 : trouble_set(t, EX_IOERR, "state: the account got no number");
}

/* One octet of the lock file for each account. */
static int
lock_account(struct state *s, const char *path, struct trouble *t)
{
	char name[4200];
	struct flock l = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = s->account, .l_len = 1
	};

	(void)snprintf(name, sizeof name, "%s.lock", path);
	s->lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->lock == -1)
		return trouble_set(t, EX_IOERR, "state: open \"%s\": %s", name, strerror(errno));
	if (fcntl(s->lock, F_OFD_SETLK, &l) == 0)
		return 0;
	if (errno == EAGAIN || errno == EACCES)
		return trouble_set(t, EX_TEMPFAIL, "this account is being fetched by another run");
	return trouble_set(t, EX_IOERR, "state: lock \"%s\": %s", name, strerror(errno));
}

int
state_open(const char *path, const char *user, const char *host, uint16_t port, struct state **ret,
    struct trouble *t)
{
	struct state *s = calloc(1, sizeof *s);
	mode_t mask;
	int r;

	if (s == NULL)
		return trouble_set(t, EX_OSERR, "out of memory");
	s->lock = -1;
	if (make_folders(path, t) == -1)
		goto fail;
	mask = umask(077); /* who wrote to whom is nobody else's business */
	r = sqlite3_open_v2(
	    path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_EXRESCODE, NULL);
	(void)umask(mask); /* cannot fail */
	if (r != SQLITE_OK) {
		trouble_set(t, EX_IOERR, "state: open \"%s\": %s", path,
		    s->db == NULL ? "out of memory" : sqlite3_errmsg(s->db));
		goto fail;
	}
	(void)sqlite3_busy_timeout(s->db, BUSY_MS); /* cannot fail */
	/* FULL: a transaction is on the disk when COMMIT returns */
	if (sqlite3_exec(s->db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL", NULL, NULL,
		NULL) != SQLITE_OK) {
		failed(s, t);
		goto fail;
	}
	if (check_version(s, t) == -1 || find_account(s, user, host, port, t) == -1 ||
	    lock_account(s, path, t) == -1 || prepare(s, t) == -1)
		goto fail;
	*ret = s;
	return 0;
fail:
	state_close(&s);
	return -1;
}

void
state_close(struct state **sp)
{
	struct state *s = *sp;

	if (s == NULL)
		return;
	for (int i = 0; i < STATEMENTS; i++)
		(void)sqlite3_finalize(s->statements[i]); /* says again what step has said */
	(void)sqlite3_close(s->db); /* rolls back, and all statements are gone */
	fd_close(&s->lock);
	free(s);
	*sp = NULL;
}

int
state_get(struct state *s, const struct state_key *key, struct state_record *ret, struct trouble *t)
{
	sqlite3_stmt *st = s->statements[ST_GET];
	int r;

	if (bind_key(s, ST_GET, key, t) == -1)
		return -1;
	*ret = (struct state_record){ STATE_NONE, UINT64_MAX };
	r = sqlite3_step(st);
	if (r == SQLITE_ROW) {
		ret->stage = (enum state_stage)sqlite3_column_int(st, 0);
		ret->octets = (uint64_t)sqlite3_column_int64(st, 1);
	}
	(void)sqlite3_reset(st); /* says again what step has said */
	return r == SQLITE_ROW || r == SQLITE_DONE ? 0 : failed(s, t);
}

int
state_intend(struct state *s, const struct state_key *key, uint64_t octets, const char *maildir,
    const char *name, struct trouble *t)
{
	sqlite3_stmt *st = s->statements[ST_INTEND];

	if (bind_key(s, ST_INTEND, key, t) == -1)
		return -1;
	if (sqlite3_bind_int(st, 4, STATE_INTENT) != SQLITE_OK ||
	    sqlite3_bind_int64(st, 5, (int64_t)octets) != SQLITE_OK ||
	    sqlite3_bind_text(st, 6, maildir, -1, SQLITE_TRANSIENT) != SQLITE_OK ||
	    sqlite3_bind_text(st, 7, name, -1, SQLITE_TRANSIENT) != SQLITE_OK)
		return failed(s, t);
	return commit(s, ST_INTEND, t);
}

int
state_set(struct state *s, const struct state_key *key, enum state_stage stage, struct trouble *t)
{
	struct pending *p;

	if (s->count == PENDING_MAX && state_flush(s, t) == -1)
		return -1;
	if (key->uid.len > sizeof p->uid)
		return trouble_set(t, EX_SOFTWARE, "state: the unique-id is too long");
	p = &s->pending[s->count++];
	p->stage = stage;
	p->nth = key->nth;
	p->len = (uint16_t)key->uid.len;
	memcpy(p->uid, key->uid.data, key->uid.len);
	return 0;
}

/* Copies the row that ST_NEXT stands on. */
static int
copy_found(struct state *s, int64_t *cursor, struct state_found *ret, struct trouble *t)
{
	sqlite3_stmt *st = s->statements[ST_NEXT];
	const void *uid = sqlite3_column_blob(st, 1);
	size_t len = (size_t)sqlite3_column_bytes(st, 1);
	const unsigned char *maildir = sqlite3_column_text(st, 3),
			    *name = sqlite3_column_text(st, 4);
	int n, m;

	if (uid == NULL || maildir == NULL || name == NULL || len > sizeof s->uid)
		return trouble_set(t, EX_IOERR, "state: a record that cannot be");
	memcpy(s->uid, uid, len);
	n = snprintf(s->maildir, sizeof s->maildir, "%s", (const char *)maildir);
	m = snprintf(s->name, sizeof s->name, "%s", (const char *)name);
	if (n < 0 || (size_t)n >= sizeof s->maildir || m < 0 || (size_t)m >= sizeof s->name)
		return trouble_set(t, EX_IOERR, "state: a record that cannot be");
	*cursor = sqlite3_column_int64(st, 0);
	*ret = (struct state_found){ { { s->uid, len }, (uint32_t)sqlite3_column_int64(st, 2) },
		s->maildir, s->name };
	return 0;
}

int
state_next(struct state *s, enum state_stage stage, int64_t *cursor, struct state_found *ret,
    bool *ret_found, struct trouble *t)
{
	sqlite3_stmt *st = s->statements[ST_NEXT];
	int r = -1;

	if (sqlite3_bind_int64(st, 1, s->account) != SQLITE_OK ||
	    sqlite3_bind_int(st, 2, (int)stage) != SQLITE_OK ||
	    sqlite3_bind_int64(st, 3, *cursor) != SQLITE_OK)
		return failed(s, t);
	switch (sqlite3_step(st)) {
	case SQLITE_ROW:
		*ret_found = true;
		r = copy_found(s, cursor, ret, t);
		break;
	case SQLITE_DONE:
		*ret_found = false;
		r = 0;
		break;
	default:
		failed(s, t);
		break;
	}
	(void)sqlite3_reset(st); /* says again what step has said */
	return r;
}

int
state_lockstep(struct state *s, bool *ret, struct trouble *t)
{
	sqlite3_stmt *st = s->statements[ST_LOCKSTEP];
	int r;

	(void)sqlite3_bind_int64(st, 1, s->account); /* NULL finds nothing, which is told below */
	r = sqlite3_step(st);
	if (r == SQLITE_ROW)
		*ret = sqlite3_column_int(st, 0) != 0;
	(void)sqlite3_reset(st); /* says again what step has said */
	return r == SQLITE_ROW ? 0 : failed(s, t);
}

int
state_set_lockstep(struct state *s, struct trouble *t)
{
	if (sqlite3_bind_int64(s->statements[ST_SET_LOCKSTEP], 1, s->account) != SQLITE_OK)
		return failed(s, t);
	return commit(s, ST_SET_LOCKSTEP, t);
}
