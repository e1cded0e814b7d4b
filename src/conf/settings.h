/*
 * settings - restanted.conf, parsed and checked.
 *
 * One table (schema.c) is the single source of names, types, defaults, limits, checks and the
 * manual page restanted.conf(5).  Runs in: supervisor only; the file is the administrator's.
 */
#ifndef CONF_SETTINGS_H
#define CONF_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum plaintext { /* passwords in clear without TLS (RFC 8314, 4.1) */
	PLAINTEXT_NEVER,
	PLAINTEXT_LOOPBACK,
	PLAINTEXT_ALWAYS,
};

struct settings_list { /* of strings, in the order of the file */
	char **items;
	size_t count;
};

struct settings_certificate {
	char *name; /* SNI name; NULL: the default one */
	char *certificate, *key;
};

struct settings {
	/* network */
	struct settings_list listen; /* "host:port", "[v6]:port", "*:port": both families */
	struct settings_list listen_tls;
	char *hostname;
	char *greeting; /* or NULL */
	/* TLS */
	struct settings_certificate *certificates; /* the default one first, if there is one */
	size_t certificates_count;
	/* logging in */
	enum plaintext plaintext; /* "plaintext-passwords" */
	struct settings_list mechanisms;
	bool apop;
	char *accounts; /* passwd-file, or NULL */
	char *default_scheme;
	bool pam;
	char *pam_service;
	uint32_t failure_delay, max_failures;
	uint32_t login_delay;
	bool login_delay_user;
	/* mail */
	char *maildrop; /* template */
	char *mail_root; /* or NULL */
	char *mail_user, *mail_group; /* names or numbers, or NULL */
	uint32_t first_valid_uid;
	int32_t expire; /* days; -1: never */
	bool expire_user;
	bool utf8;
	bool utf8_refuse; /* utf8-headers = refuse, instead of surrogate */
	char *language; /* tag: what LANG * selects */
	bool implementation;
	/* limits */
	uint32_t idle_timeout, login_timeout, write_timeout, linger, lock_wait;
	uint32_t login_processes; /* 0: one a CPU */
	uint32_t max_connections, max_connections_per_address, max_sessions_per_user;
	uint32_t max_maildrop_threads;
	/* processes */
	char *login_user, *auth_user; /* names or numbers */
	/* log */
	char *log; /* stderr, syslog, journal */
	char *log_level;
};

/*
 * Reads the file.  Every error goes to err as "file:line: key: what is wrong (what is expected)",
 * not only the first; NULL if there was one.  Caller frees with settings_destroy().
 */
struct settings *settings_read(const char *file, FILE *err);
void settings_destroy(struct settings **s);

/* The settings table as mdoc, for the manual page; and the settings in force, as a file that
 * settings_read() would read. */
void settings_write_mdoc(FILE *out);
void settings_write(const struct settings *s, FILE *out);

#endif
