/*
 * log - one line an event, to stderr, syslog or the journal.
 *
 * Programs log; libraries return.  log_open() once, before threads; log_line() from any thread:
 * one line is one write.  Octets outside printable ASCII come out as \xNN, so that nothing from a
 * client can forge a line or drive a terminal.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stddef.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

enum log_target {
	LOG_TO_STDERR, /* "restante-login: text" */
	LOG_TO_JOURNAL, /* stderr with <priority> in front, as sd-daemon(3) has it */
	LOG_TO_SYSLOG, /* RFC 3164 datagrams over fd; falls back to stderr while that fails */
};

/*
 * program must outlive the log; fd is a connected datagram socket for LOG_TO_SYSLOG (taken
 * over by the log), else -1.  Lines below level are dropped.
 */
void log_open(const char *program, enum log_target target, enum log_level level, int fd);

void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* Whether a line of that level would be written. */
int log_wants(enum log_level level);

#endif
