#include "conf/schema.h"

#include <string.h>

#include "conf/settings.h"

#define AT(field) offsetof(struct settings, field)

/* clang-format off */
const struct key schema[] = {
	{ "listen", KEY_LIST, AT(listen), "{\"*:110\"}", 0, 0, NULL, "Network",
	  "Addresses and ports for clients that begin in the clear and may go on to TLS by STLS. "
	  "An address is a host name or number, an IPv6 number in brackets, or * for all of both families. "
	  "An empty list, {}, listens nowhere." },
	{ "listen-tls", KEY_LIST, AT(listen_tls), NULL, 0, 0, NULL, NULL,
	  "Addresses and ports where TLS begins at once (RFC 8314). Default: *:995 when there is a certificate." },
	{ "hostname", KEY_HOST, AT(hostname), NULL, 0, 0, NULL, NULL,
	  "The name of this server for greetings and challenges. Default: the system's host name." },
	{ "greeting", KEY_GREETING, AT(greeting), NULL, 0, 0, NULL, NULL,
	  "What a client is greeted with, behind \"+OK POP3\"." },
	{ "certificate", KEY_CERTIFICATE, AT(certificates), NULL, 0, 0, NULL, "TLS",
	  "PEM file with the certificate and its chain. Without one there is no TLS." },
	{ "certificate-key", KEY_CERTIFICATE, AT(certificates), NULL, 0, 0, NULL, NULL,
	  "PEM file with its private key. Default: the certificate's file, which then holds both." },
	{ "plaintext-passwords", KEY_PLAINTEXT, AT(plaintext), "never", 0, 0, "never loopback always", "Logging in",
	  "Where passwords may be sent without TLS: nowhere, on connections from this machine, or everywhere." },
	{ "mechanisms", KEY_LIST, AT(mechanisms),
	  "{\"PLAIN\", \"LOGIN\"}",
	  0, 0, "SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN CRAM-MD5", NULL,
	  "SASL mechanisms, the best first. Add the SCRAM ones where every account has its password in the clear or "
	  "as SCRAM keys: a client prefers them, and takes a refusal for a wrong password. CRAM-MD5 is there for old "
	  "clients, and needs passwords in the clear." },
	{ "apop", KEY_BOOL, AT(apop), "false", 0, 0, NULL, NULL,
	  "Offer APOP to accounts whose password is kept in the clear. It rests on MD5 and protects little." },
	{ "accounts", KEY_FILE, AT(accounts), NULL, 0, 0, NULL, NULL,
	  "File of accounts, in the format of Dovecot's passwd-file. Read again when it changes." },
	{ "default-scheme", KEY_SCHEME, AT(default_scheme), "CRYPT", 0, 0,
	  "CRYPT PLAIN CLEAR CLEARTEXT DES-CRYPT MD5-CRYPT MD5 SHA256-CRYPT SHA512-CRYPT BLF-CRYPT YESCRYPT "
	  "ARGON2 ARGON2I ARGON2ID PBKDF2 SHA SHA1 SHA256 SHA512 SSHA SSHA256 SSHA512 SMD5 LDAP-MD5 PLAIN-MD5 "
	  "SCRAM-SHA-1 SCRAM-SHA-256", NULL,
	  "Scheme of passwords in that file that name none; restante-accounts(5) lists them." },
	{ "pam", KEY_BOOL, AT(pam), "false", 0, 0, NULL, NULL,
	  "Let system users log in, checked by PAM; each is served under their own uid. Needs root." },
	{ "pam-service", KEY_SERVICE, AT(pam_service), "restante", 0, 0, NULL, NULL,
	  "The PAM service, a file in /etc/pam.d." },
	{ "failure-delay", KEY_SECS, AT(failure_delay), "2", 0, 60, NULL, NULL,
	  "How long the answer to a failed login is held back; twice as long for each further one from the same "
	  "address (IPv6: the same /64), up to 16 seconds." },
	{ "max-failures", KEY_INT, AT(max_failures), "3", 1, 100, NULL, NULL,
	  "Failed logins after which a connection is closed." },
	{ "login-delay", KEY_SECS, AT(login_delay), "0", 0, 86400, NULL, NULL,
	  "Least time between two logins of a user (LOGIN-DELAY, RFC 2449); 0 is none." },
	{ "login-delay-differs", KEY_BOOL, AT(login_delay_user), "false", 0, 0, NULL, NULL,
	  "Accounts have login_delay values of their own, none longer than login-delay." },
	{ "maildrop", KEY_TEMPLATE, AT(maildrop), "\"%h/Maildir\"", 0, 0, NULL, "Mail",
	  "Where a user's Maildir is: %u is the user name, %n and %d its parts before and behind the @, "
	  "%h the home folder, %% a percent sign." },
	{ "mail-root", KEY_FOLDER, AT(mail_root), NULL, 0, 0, NULL, NULL,
	  "The folder that maildrop processes are shut into. Default: what maildrop has before its first %, "
	  "or else the user's home." },
	{ "mail-user", KEY_USER, AT(mail_user), NULL, 0, 0, NULL, NULL,
	  "Owner (name or number) of the mail of accounts that name no uid." },
	{ "mail-group", KEY_USER, AT(mail_group), NULL, 0, 0, NULL, NULL,
	  "Group of the same. Default: that of mail-user." },
	{ "first-valid-uid", KEY_INT, AT(first_valid_uid), "500", 1, 4294967294U, NULL, NULL,
	  "Nobody is served under a uid below this one." },
	{ "expire", KEY_DAYS, AT(expire), "never", 0, 3650, NULL, NULL,
	  "Days that a message is kept (EXPIRE, RFC 2449), or never. Older ones are removed when a session of "
	  "their owner ends with QUIT; with 0 those that the session retrieved are." },
	{ "expire-differs", KEY_BOOL, AT(expire_user), "false", 0, 0, NULL, NULL,
	  "Accounts have expire values of their own, none shorter than expire." },
	{ "utf8", KEY_BOOL, AT(utf8), "true", 0, 0, NULL, NULL,
	  "Offer UTF8 (RFC 6856)." },
	{ "utf8-headers", KEY_SECOND, AT(utf8_refuse), "surrogate", 0, 0, "surrogate refuse", NULL,
	  "What a client that has not asked for UTF8 gets for a message with octets above 127 in its headers: "
	  "a surrogate without them (RFC 6858), or an error." },
	{ "language", KEY_WORD, AT(language), "en", 0, 0, "en i-default de", NULL,
	  "The language that LANG * selects." },
	{ "show-implementation", KEY_BOOL, AT(implementation), "true", 0, 0, NULL, NULL,
	  "Tell the version to clients that have logged in (IMPLEMENTATION)." },
	{ "idle-timeout", KEY_SECS, AT(idle_timeout), "600", 600, 86400, NULL, "Limits",
	  "A session without a command for so long is closed; nothing is removed. RFC 1939 asks for at least "
	  "ten minutes." },
	{ "login-timeout", KEY_SECS, AT(login_timeout), "600", 10, 3600, NULL, NULL,
	  "The same before login." },
	{ "write-timeout", KEY_SECS, AT(write_timeout), "300", 10, 86400, NULL, NULL,
	  "A client that takes nothing of what is sent to it for so long is cut off." },
	{ "linger", KEY_SECS, AT(linger), "60", 0, 86400, NULL, NULL,
	  "How long a maildrop process without sessions waits for the next one." },
	{ "lock-wait", KEY_INT, AT(lock_wait), "2000", 0, 60000, NULL, NULL,
	  "Milliseconds that a login waits for a maildrop that another session has locked." },
	{ "login-processes", KEY_INT, AT(login_processes), "0", 0, 64, NULL, NULL,
	  "Processes that talk to clients before login and carry TLS; 0 is one a CPU." },
	{ "max-connections", KEY_INT, AT(max_connections), "20000", 1, 4000000, NULL, NULL,
	  "Connections of each of those processes." },
	{ "max-connections-per-address", KEY_INT, AT(max_connections_per_address), "50", 1, 65535, NULL, NULL,
	  "Connections from one address (IPv6: one /64) that have not logged in or use TLS." },
	{ "max-sessions-per-user", KEY_INT, AT(max_sessions_per_user), "10", 1, 65535, NULL, NULL,
	  "Sessions of a user, those waiting for the lock included." },
	{ "max-maildrop-threads", KEY_INT, AT(max_maildrop_threads), "64", 2, 1024, NULL, NULL,
	  "Threads of a maildrop process: so many sessions may wait for storage at once." },
	{ "login-user", KEY_USER, AT(login_user), "restante-login", 0, 0, NULL, "Processes",
	  "Who the processes before login run as (name or number), when started by root." },
	{ "auth-user", KEY_USER, AT(auth_user), "restante-auth", 0, 0, NULL, NULL,
	  "Who the process that checks passwords runs as." },
	{ "log", KEY_WORD, AT(log), "stderr", 0, 0, "stderr syslog journal", "Log",
	  "Where the log goes: to standard error, to syslogd as facility mail, or to standard error with the priorities "
	  "that systemd's journal reads." },
	{ "log-level", KEY_WORD, AT(log_level), "info", 0, 0, "error warning info debug", NULL,
	  "How much of it; each has those in front of it, too." },
};
/* clang-format on */

const size_t schema_count = sizeof schema / sizeof *schema;

const struct key *
schema_find(const char *name, size_t len)
{
	for (size_t i = 0; i < schema_count; i++)
		if (strlen(schema[i].name) == len && strncmp(schema[i].name, name, len) == 0)
			return &schema[i];
	return NULL;
}

bool
schema_is_text(const struct key *k)
{
	switch (k->type) {
	case KEY_HOST:
	case KEY_GREETING:
	case KEY_SCHEME:
	case KEY_SERVICE:
	case KEY_USER:
	case KEY_FOLDER:
	case KEY_TEMPLATE:
	case KEY_FILE:
	case KEY_WORD:
		return true;
	default:
		return false;
	}
}
