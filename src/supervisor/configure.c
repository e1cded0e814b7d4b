#include "supervisor/configure.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <pop3/codec.h>
#include <pop3/text.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/log.h"
#include "conf/settings.h"

static bool
number(const char *text, uint32_t *ret)
{
	uint64_t v;

	if (!pop3_number((const uint8_t *)text, strlen(text), UINT32_MAX - 1, &v, NULL))
		return false;
	*ret = (uint32_t)v;
	return true;
}

/* A name from the user database, or a number that need not be in it. */
static int
find_user(const char *key, const char *text, uint32_t *ret_uid, uint32_t *ret_gid, struct fault *f)
{
	const struct passwd *pw;

	if (number(text, ret_uid)) {
		*ret_gid = *ret_uid;
		return 0;
	}
	errno = 0;
	pw = getpwnam(text);
	if (pw == NULL)
		return fault_set(f, FAULT_PERM, "%s: user \"%s\": %s", key, text,
		    errno == 0 ? "there is no such user (make it, or name another one or a number)"
			       : strerror(errno));
	*ret_uid = pw->pw_uid;
	*ret_gid = pw->pw_gid;
	return 0;
}

static int
find_group(const char *key, const char *text, uint32_t *ret_gid, struct fault *f)
{
	const struct group *gr;

	if (number(text, ret_gid))
		return 0;
	errno = 0;
	gr = getgrnam(text);
	if (gr == NULL)
		return fault_set(f, FAULT_PERM, "%s: group \"%s\": %s", key, text,
		    errno == 0 ? "there is no such group" : strerror(errno));
	*ret_gid = gr->gr_gid;
	return 0;
}

static int
not_root(const char *key, uint32_t uid, struct fault *f)
{
	return uid != 0 ? 0 : fault_set(f, FAULT_PERM, "%s: must not be root", key);
}

int
configure_ids(const struct settings *s, struct ids *ret, struct fault *f)
{
	*ret =
	    (struct ids){ .root = geteuid() == 0, .mail_uid = UINT32_MAX, .mail_gid = UINT32_MAX };
	if (!ret->root)
		return 0; /* everything runs as who we are */
	if (find_user("login-user", s->login_user, &ret->login_uid, &ret->login_gid, f) == -1 ||
	    not_root("login-user", ret->login_uid, f) == -1 ||
	    find_user("auth-user", s->auth_user, &ret->auth_uid, &ret->auth_gid, f) == -1 ||
	    not_root("auth-user", ret->auth_uid, f) == -1)
		return -1;
	if (ret->login_uid == ret->auth_uid)
		return fault_set(f, FAULT_PERM,
		    "login-user and auth-user must differ: "
		    "one of them sees passwords, the other one talks to anybody");
	if (s->mail_user != NULL &&
	    (find_user("mail-user", s->mail_user, &ret->mail_uid, &ret->mail_gid, f) == -1 ||
		not_root("mail-user", ret->mail_uid, f) == -1))
		return -1;
	if (s->mail_group != NULL &&
	    find_group("mail-group", s->mail_group, &ret->mail_gid, f) == -1)
		return -1;
	return 0;
}

#define COPY(to, from) ((void)snprintf(to, sizeof(to), "%s", (from) == NULL ? "" : (from)))

static void
join(const struct settings_list *l, char *out, size_t room)
{
	size_t n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < l->count && n < room; i++)
		n += (size_t)snprintf(out + n, room - n, "%s%s", i > 0 ? " " : "", l->items[i]);
}

static uint8_t
language(const struct settings *s)
{
	int lang = pop3_lang_find(s->language, strlen(s->language));

	return (uint8_t)(lang < 0 ? POP3_LANG_EN : lang);
}

void
configure_log(const struct settings *s, struct log_setup *ret)
{
	static const char *const levels[] = {
		[LOG_LEVEL_ERROR] = "error",
		[LOG_LEVEL_WARNING] = "warning",
		[LOG_LEVEL_INFO] = "info",
		[LOG_LEVEL_DEBUG] = "debug",
	};

	ret->target = LOG_TO_STDERR;
	if (strcmp(s->log, "syslog") == 0)
		ret->target = LOG_TO_SYSLOG;
	else if (strcmp(s->log, "journal") == 0)
		ret->target = LOG_TO_JOURNAL;
	ret->level = LOG_LEVEL_INFO;
	for (uint8_t i = 0; i < sizeof levels / sizeof *levels; i++)
		if (strcmp(s->log_level, levels[i]) == 0)
			ret->level = i;
}

void
configure_login(const struct settings *s, const struct ids *ids, struct login_setup *ret)
{
	*ret = (struct login_setup){
		.apop = s->apop,
		.utf8 = s->utf8,
		.implementation = s->implementation,
		.lang = language(s),
		.plaintext = (uint8_t)s->plaintext,
		.expire = s->expire,
		.expire_user = s->expire_user,
		.login_delay = s->login_delay,
		.login_delay_user = s->login_delay_user,
		.login_timeout = s->login_timeout,
		.idle_timeout = s->idle_timeout,
		.write_timeout = s->write_timeout,
		.max_connections = s->max_connections,
		.max_per_address = s->max_connections_per_address,
		.max_failures = s->max_failures,
		.run_uid = ids->login_uid,
		.run_gid = ids->login_gid,
	};
	configure_log(s, &ret->log);
	COPY(ret->hostname, s->hostname);
	COPY(ret->greeting, s->greeting);
	join(&s->mechanisms, ret->mechanisms, sizeof ret->mechanisms);
}

void
configure_auth(const struct settings *s, const struct ids *ids, struct auth_setup *ret)
{
	*ret = (struct auth_setup){
		.have_accounts = s->accounts != NULL,
		.pam = s->pam,
		.apop = s->apop,
		.plaintext = (uint8_t)s->plaintext,
		.mail_uid = ids->mail_uid,
		.mail_gid = ids->mail_gid,
		.first_valid_uid = s->first_valid_uid,
		.login_delay = s->login_delay,
		.expire = s->expire,
		.failure_delay = s->failure_delay,
		.max_sessions_per_user = s->max_sessions_per_user,
		.run_uid = ids->auth_uid,
		.run_gid = ids->auth_gid,
		.can_switch = ids->root,
	};
	configure_log(s, &ret->log);
	COPY(ret->accounts, s->accounts);
	COPY(ret->default_scheme, s->default_scheme);
	COPY(ret->hostname, s->hostname);
	COPY(ret->maildrop, s->maildrop);
	COPY(ret->mail_root, s->mail_root);
	join(&s->mechanisms, ret->mechanisms, sizeof ret->mechanisms);
	for (size_t i = 0; i < s->mechanisms.count; i++)
		if (strcmp(s->mechanisms.items[i], "CRAM-MD5") == 0)
			ret->cram = true;
}

void
configure_pam(const struct settings *s, struct pam_setup *ret)
{
	configure_log(s, &ret->log);
	COPY(ret->service, s->pam_service);
}

void
configure_maildrop(
    const struct settings *s, const struct want_maildrop *want, struct maildrop_setup *ret)
{
	*ret = (struct maildrop_setup){
		.uid = want->uid,
		.gid = want->gid,
		.utf8 = s->utf8,
		.refuse_utf8 = s->utf8_refuse,
		.implementation = s->implementation,
		.lang = language(s),
		.plaintext = (uint8_t)s->plaintext,
		.login_delay_on = s->login_delay > 0,
		.idle_timeout = s->idle_timeout,
		.write_timeout = s->write_timeout,
		.linger = s->linger,
		.lock_wait = s->lock_wait,
		.max_sessions = s->max_connections,
		.max_threads = s->max_maildrop_threads,
	};
	configure_log(s, &ret->log);
	COPY(ret->user, want->user);
	COPY(ret->root, want->root);
	join(&s->mechanisms, ret->mechanisms, sizeof ret->mechanisms);
}
