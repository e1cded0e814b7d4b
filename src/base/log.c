#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_OCTETS = 2048 };

static struct {
	const char *program;
	enum log_target target;
	enum log_level level;
	int fd;
} state = { "restante", LOG_TO_STDERR, LOG_LEVEL_INFO, -1 };

static const int priority[] = {
	[LOG_LEVEL_ERROR] = 3,
	[LOG_LEVEL_WARNING] = 4,
	[LOG_LEVEL_INFO] = 6,
	[LOG_LEVEL_DEBUG] = 7,
};

void
log_open(const char *program, enum log_target target, enum log_level level, int fd)
{
	state.program = program;
	state.target = target;
	state.level = level;
	state.fd = fd;
	/* behind the sandbox the file of the time zone cannot be read any more */
	tzset();
}

int
log_wants(enum log_level level)
{
	return level <= state.level;
}

/* Copies text, made harmless, into out[0..room); returns the length.  Quotes stay: our own
 * formats have them. */
static size_t
escape(const char *text, char *out, size_t room)
{
	static const char hex[] = "0123456789abcdef";
	size_t n = 0;

	for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
		if (*p >= 0x20 && *p <= 0x7e) {
			if (n + 1 > room)
				break;
			out[n++] = (char)*p;
		} else {
			if (n + 4 > room)
				break;
			out[n++] = '\\';
			out[n++] = 'x';
			out[n++] = hex[*p >> 4];
			out[n++] = hex[*p & 15];
		}
	}
	return n;
}

static bool
send_syslog(int pri, const char *text, size_t len)
{
	char head[128], line[LINE_MAX_OCTETS + sizeof head];
	time_t now = time(NULL);
	struct tm tm;
	int n;

	if (state.fd == -1 || localtime_r(&now, &tm) == NULL)
		return false;
	/* facility 2: mail (RFC 3164, 4.1.1) */
	n = snprintf(head, sizeof head, "<%d>", (2 << 3) | pri);
	n += (int)strftime(head + n, sizeof head - (size_t)n, "%b %e %H:%M:%S ", &tm);
	n +=
	    snprintf(head + n, sizeof head - (size_t)n, "%s[%ld]: ", state.program, (long)getpid());
	if (n < 0 || (size_t)n >= sizeof head)
		return false;
	memcpy(line, head, (size_t)n);
	memcpy(line + n, text, len);
	return send(state.fd, line, (size_t)n + len, MSG_NOSIGNAL | MSG_DONTWAIT) != -1;
}

void
log_line(enum log_level level, const char *fmt, ...)
{
	char text[LINE_MAX_OCTETS], safe[LINE_MAX_OCTETS], line[LINE_MAX_OCTETS + 128];
	int saved = errno, n;
	size_t len;
	va_list ap;

	if (!log_wants(level))
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	len = escape(text, safe, sizeof safe);
	if (state.target != LOG_TO_SYSLOG || !send_syslog(priority[level], safe, len)) {
		if (state.target == LOG_TO_JOURNAL)
			n = snprintf(line, sizeof line, "<%d>%s: %.*s\n", priority[level],
			    state.program, (int)len, safe);
		else
			n = snprintf(
			    line, sizeof line, "%s: %.*s\n", state.program, (int)len, safe);
		if (n >= (int)sizeof line)
			n = (int)sizeof line - 1;
		if (n > 0 && write(STDERR_FILENO, line, (size_t)n) == -1)
			errno = saved; /* nowhere is left to say so */
	}
	explicit_bzero(text, sizeof text);
	errno = saved;
}
