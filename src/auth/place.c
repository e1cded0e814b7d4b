#include "auth/place.h"

#include <stdio.h>
#include <string.h>

#include "base/fault.h"

/* One component of a path that came from a client: no slash, no "." or "..", no control octet. */
static bool
is_component(const char *text, size_t len)
{
	if (len == 0 || len > 200 || text[0] == '.')
		return false;
	for (size_t i = 0; i < len; i++)
		if (text[i] == '/' || (unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return false;
	return true;
}

static bool
put(char *out, size_t room, size_t *n, const char *text, size_t len)
{
	if (room - *n <= len)
		return false;
	memcpy(out + *n, text, len);
	*n += len;
	out[*n] = '\0';
	return true;
}

/* What stands for %letter; NULL: nothing can. */
static const char *
value(char letter, const char *user, const char *home, size_t *ret_len)
{
	const char *at = strchr(user, '@'), *text = user;
	size_t len = strlen(user);

	switch (letter) {
	case 'u':
		break;
	case 'n':
		len = at == NULL ? len : (size_t)(at - user);
		break;
	case 'd':
		if (at == NULL)
			return NULL;
		text = at + 1;
		len = strlen(text);
		break;
	case 'h':
		*ret_len = strlen(home);
		return home[0] == '/' ? home : NULL;
	case '%':
		*ret_len = 1;
		return "%";
	default:
		return NULL;
	}
	*ret_len = len;
	return is_component(text, len) ? text : NULL;
}

static bool
is_inside(const char *path, const char *root, size_t len)
{
	return strncmp(path, root, len) == 0 && (len == 1 || path[len] == '/' || path[len] == '\0');
}

/* A home or a template may not lead out again, either. */
static bool
goes_up(const char *path)
{
	for (const char *p = path; (p = strstr(p, "..")) != NULL; p += 2)
		if ((p == path || p[-1] == '/') && (p[2] == '/' || p[2] == '\0'))
			return true;
	return false;
}

/* Length of the folders before the first %, without the final slash; 0: there are none but "/". */
static size_t
literal_root(const char *pattern)
{
	size_t len = strcspn(pattern, "%");

	while (len > 0 && pattern[len - 1] != '/')
		len--;
	while (len > 0 && pattern[len - 1] == '/')
		len--;
	return len;
}

int
place_find(const char *pattern, const char *mail_root, const char *user, const char *home,
    struct place *ret, struct fault *f)
{
	char whole[1024] = "";
	const char *root = mail_root;
	size_t n = 0, len;

	for (const char *p = pattern; *p != '\0'; p++) {
		const char *text = p;

		len = 1;
		if (*p == '%') {
			text = value(p[1], user, home, &len);
			if (text == NULL)
				return fault_set(f, FAULT_PERM,
				    "maildrop \"%s\": nothing can stand for %.2s", pattern, p);
			p++;
		}
		if (!put(whole, sizeof whole, &n, text, len))
			return fault_set(
			    f, FAULT_PERM, "maildrop \"%s\": the path is too long", pattern);
	}
	len = strlen(root);
	if (len == 0) {
		root = pattern;
		len = literal_root(pattern);
	}
	if (len == 0) {
		root = home;
		len = strlen(home);
	}
	while (len > 1 && root[len - 1] == '/')
		len--;
	if (len == 0 || root[0] != '/' || len >= sizeof ret->root || !is_inside(whole, root, len) ||
	    goes_up(whole))
		return fault_set(f, FAULT_PERM,
		    "maildrop \"%s\" is not below the mail root \"%.*s\"", whole, (int)len, root);
	(void)snprintf(ret->root, sizeof ret->root, "%.*s", (int)len, root);
	n = len;
	while (whole[n] == '/')
		n++;
	(void)snprintf(ret->path, sizeof ret->path, "%s", whole[n] == '\0' ? "." : whole + n);
	return 0;
}
