#include "client/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/fd.h"
#include "client/trouble.h"

/* The first line that comes from fd, without its end.  -1: none, too long, or errno. */
static int
first_line(int fd, char *out, size_t room)
{
	size_t n = 0, len = 0;

	while (n < room - 1) {
		ssize_t r = read(fd, out + n, room - 1 - n);

		if (r == -1 && errno == EINTR)
			continue;
		if (r == -1)
			return -1;
		n += (size_t)r;
		while (len < n && out[len] != '\n')
			len++;
		if (len < n || r == 0)
			break;
	}
	if (len == room - 1) {
		errno = EMSGSIZE;
		return -1;
	}
	if (len > 0 && out[len - 1] == '\r')
		len--;
	explicit_bzero(out + len, room - len);
	if (len == 0 || strlen(out) != len) {
		errno = EINVAL;
		return -1;
	}
	return 0;
}

static int
from_command(const char *command, char *out, struct trouble *t)
{
	FILE *p = popen(command, "re");
	int r, status;

	if (p == NULL)
		return trouble_set(t, EX_OSERR, "password command: %s", strerror(errno));
	r = first_line(fileno(p), out, SECRET_MAX);
	status = pclose(p);
	/* one that writes on, and dies of it, has said what was asked for */
	if (status == -1 || !((WIFEXITED(status) && WEXITSTATUS(status) == 0) ||
				(r == 0 && WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE)))
		return trouble_set(t, EX_CONFIG, "password command: it failed");
	if (r == -1)
		return trouble_set(t, EX_CONFIG, "password command: it gave no password");
	return 0;
}

static int
from_file(const char *file, char *out, struct trouble *t)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY), r = -1;
	struct stat st;

	if (fd == -1 || fstat(fd, &st) == -1)
		trouble_set(t, EX_NOINPUT, "password file \"%s\": %s", file, strerror(errno));
	else if ((st.st_mode & 077) != 0)
		trouble_set(t, EX_CONFIG,
		    "password file \"%s\": others than its owner have rights to it", file);
	else if (first_line(fd, out, SECRET_MAX) == -1)
		trouble_set(t, EX_CONFIG, "password file \"%s\": no password in it", file);
	else
		r = 0;
	fd_close(&fd);
	return r;
}

static int
from_terminal(const char *question, bool echo, char *out, size_t room, struct trouble *t)
{
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY), r = -1;
	struct termios before, silent;

	if (fd == -1)
		return trouble_set(t, EX_USAGE, "there is no terminal to ask on");
	if (tcgetattr(fd, &before) == -1) {
		fd_close(&fd);
		return trouble_set(t, EX_OSERR, "terminal: %s", strerror(errno));
	}
	silent = before;
	if (!echo)
		silent.c_lflag &= ~(tcflag_t)ECHO;
	if (tcsetattr(fd, TCSAFLUSH, &silent) == -1 ||
	    fd_write_all(fd, question, strlen(question)) == -1)
		trouble_set(t, EX_OSERR, "terminal: %s", strerror(errno));
	else if (first_line(fd, out, room) == -1)
		trouble_set(t, EX_USAGE, "nothing was entered");
	else
		r = 0;
	(void)tcsetattr(fd, TCSAFLUSH, &before); /* nothing helps when it cannot be put back */
	if (!echo)
		(void)fd_write_all(fd, "\n", 1); /* likewise */
	fd_close(&fd);
	return r;
}

int
secret_get(const struct secret_source *from, const char *who, char *out, struct trouble *t)
{
	char question[600];
	int r;

	if (from->command != NULL) {
		r = from_command(from->command, out, t);
	} else if (from->file != NULL) {
		r = from_file(from->file, out, t);
	} else {
		(void)snprintf(question, sizeof question, "Password of %s: ", who);
		r = from_terminal(question, false, out, SECRET_MAX, t);
	}
	if (r == -1)
		explicit_bzero(out, SECRET_MAX);
	return r;
}

int
secret_ask_name(const char *question, char *out, size_t room, struct trouble *t)
{
	return from_terminal(question, true, out, room, t);
}
