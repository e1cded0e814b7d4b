/*
 * settings_file - a folder with a file of settings and what it names, for tests.
 */
#ifndef SETTINGS_FILE_H
#define SETTINGS_FILE_H

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "conf/settings.h"

enum { TEXT_MAX = 16384 };

static char folder[] = "/tmp/restante-settings-XXXXXX";
static char conf[64];

static inline void
write_file(const char *name, const char *text, size_t len)
{
	char path[128];
	int fd;

	(void)snprintf(path, sizeof path, "%s/%s", folder, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_int_not_equal(fd, -1);
	assert_int_equal(fd_write_all(fd, text, len), 0);
	fd_close(&fd);
}

/* Every $ of text stands for the folder of this test. */
static inline void
expand(const char *text, char *out, size_t room)
{
	size_t n = 0;

	out[0] = '\0';
	for (; *text != '\0'; text++)
		n += (size_t)snprintf(out + n, room - n, "%.*s",
		    *text == '$' ? (int)sizeof folder : 1, *text == '$' ? folder : text);
	assert_true(n < room);
}

/* Reads text[0..len) as a file.  *ret_errors is one error a line, without the file's name; the
 * caller frees both. */
static inline struct settings *
read_octets(const char *text, size_t len, char **ret_errors)
{
	char *told = NULL, *out;
	size_t told_len = 0, prefix = strlen(conf);
	struct settings *s;
	FILE *err = open_memstream(&told, &told_len);

	assert_non_null(err);
	write_file("conf", text, len);
	s = settings_read(conf, err);
	assert_int_equal(fclose(err), 0);
	assert_true(
	    (s == NULL) == (told_len > 0)); /* no failure without a word, nor the other way */
	*ret_errors = out = calloc(1, told_len + 1);
	assert_non_null(out);
	for (char *p = told, *end; *p != '\0'; p = end + 1) {
		end = strchr(p, '\n');
		assert_non_null(end);
		assert_int_equal(strncmp(p, conf, prefix), 0);
		p += prefix;
		assert_true(*p == ':');
		for (char *c = ++p; c <= end; c++)
			*out++ = *c;
		for (char *c = p; c < end; c++)
			assert_true(*c >= ' ' && *c <= '~');
	}
	free(told);
	return s;
}

static inline struct settings *
good(const char *text)
{
	char expanded[TEXT_MAX], *errors;
	struct settings *s;

	expand(text, expanded, sizeof expanded);
	s = read_octets(expanded, strlen(expanded), &errors);
	assert_string_equal(errors, "");
	free(errors);
	return s;
}

static inline int
make_folder(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	(void)snprintf(conf, sizeof conf, "%s/conf", folder);
	write_file("accounts", "joe:{PLAIN}x\n", 13);
	write_file("cert", "x", 1);
	write_file("other", "x", 1);
	write_file("key", "x", 1);
	write_file("closed", "x", 1);
	return 0;
}

static inline int
remove_folder(void **state)
{
	static const char *const names[] = { "accounts", "cert", "other", "key", "closed", "conf" };
	char path[128];

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		(void)snprintf(path, sizeof path, "%s/%s", folder, names[i]);
		(void)unlink(path);
	}
	return rmdir(folder);
}

#endif
