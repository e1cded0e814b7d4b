#include "surrogate_mime.h"

#include <string.h>
#include <strings.h>

#include "surrogate_text.h"

bool
mime_next(struct pop3_slice value, size_t *at, struct pop3_slice *ret)
{
	struct text_scan t = { 0 };
	size_t i = *at;

	if (i >= value.len)
		return false;
	while (i < value.len && !(text_scan(&t, value.data[i]) && value.data[i] == ';'))
		i++;
	*ret = text_trim(value.data + *at, i - *at);
	*at = i + 1;
	return true;
}

struct pop3_slice
mime_name(struct pop3_slice parameter, bool *ret_continued)
{
	const uint8_t *p = parameter.data, *end = p + parameter.len, *name;
	struct text_scan t = { 0 };

	while (p < end && (*p == '(' || t.comment > 0 || text_is_space(*p)))
		(void)text_scan(&t, *p++);
	for (name = p; p < end && *p != '=' && *p != '*' && !text_is_space(*p);)
		p++;
	*ret_continued = end - p > 1 && p[0] == '*' && p[1] >= '0' && p[1] <= '9';
	return (struct pop3_slice){ name, (size_t)(p - name) };
}

static int
hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		return (c | 0x20) - 'a' + 10;
	return -1;
}

static void
boundary_add(struct mime *m, uint8_t c)
{
	if (m->boundary_len < BOUNDARY_MAX)
		m->boundary[m->boundary_len] = c;
	if (m->boundary_len <= BOUNDARY_MAX)
		m->boundary_len++;
}

/* What stands behind the "=": a quoted-string, or all until white space or a semicolon, for many
 * put there what RFC 2045 wants quoted. */
static void
boundary_value(struct mime *m, struct pop3_slice v, bool percent)
{
	bool quoted = v.len > 0 && v.data[0] == '"';

	for (size_t i = quoted; i < v.len; i++) {
		uint8_t c = v.data[i];

		if (quoted ? c == '"' : c == ';' || text_is_space(c))
			break;
		if (quoted && c == '\\' && i + 1 < v.len)
			c = v.data[++i];
		if (c == '\r' || c == '\n')
			continue;
		if (percent && c == '%' && i + 2 < v.len && hex_value(v.data[i + 1]) >= 0 &&
		    hex_value(v.data[i + 2]) >= 0) {
			c = (uint8_t)(hex_value(v.data[i + 1]) << 4 | hex_value(v.data[i + 2]));
			i += 2;
		}
		boundary_add(m, c);
	}
}

/* No boundary ends in a space (RFC 2046, 5.1.1). */
static void
boundary_trim(struct mime *m)
{
	while (m->boundary_len > 0 && m->boundary_len <= BOUNDARY_MAX &&
	       m->boundary[m->boundary_len - 1] == ' ')
		m->boundary_len--;
}

/* The value behind the "=" of a parameter, or nothing; *ret_percent: "*=" (RFC 2231). */
static struct pop3_slice
value_of(struct pop3_slice parameter, size_t from, bool *ret_percent)
{
	const uint8_t *p = parameter.data + from, *end = parameter.data + parameter.len;
	const uint8_t *equals = p < end ? memchr(p, '=', (size_t)(end - p)) : NULL;

	*ret_percent = false;
	if (equals == NULL)
		return (struct pop3_slice){ end, 0 };
	while (p < equals && text_is_space(equals[-1]))
		equals--;
	*ret_percent = equals > p && equals[-1] == '*';
	equals = memchr(equals, '=', (size_t)(end - equals));
	return text_trim(equals + 1, (size_t)(end - equals - 1));
}

static bool
is_boundary(struct pop3_slice name)
{
	return name.len == 8 && strncasecmp((const char *)name.data, "boundary", 8) == 0;
}

/* boundary=..., or what RFC 2231 makes of it: boundary*0*=us-ascii'en'a%20; boundary*1=b. */
static void
find_boundary(struct pop3_slice value, struct mime *m)
{
	struct pop3_slice parameter, v;
	size_t at = 0;

	while (mime_next(value, &at, &parameter)) {
		bool continued, percent, first;
		struct pop3_slice name = mime_name(parameter, &continued);
		size_t from = (size_t)(name.data - parameter.data) + name.len;

		if (!is_boundary(name))
			continue;
		v = value_of(parameter, from, &percent);
		if (from == parameter.len || parameter.data[from] != '*') {
			m->boundary_len = 0;
			boundary_value(m, v, false);
			return;
		}
		first = m->boundary_len == 0;
		if (percent && first) {
			for (int quotes = 0; v.len > 0 && quotes < 2; v.data++, v.len--)
				quotes += v.data[0] == '\'';
		}
		boundary_value(m, v, percent);
		if (!continued)
			return;
	}
}

/* The same with no regard to quotes and comments, which not every client understands. */
static void
find_boundary_anywhere(struct pop3_slice value, struct mime *m)
{
	for (size_t i = 0; i + 9 <= value.len && m->boundary_len == 0; i++) {
		struct pop3_slice rest = { value.data + i, value.len - i };
		size_t n = 8;
		bool percent;

		if (!is_boundary((struct pop3_slice){ rest.data, 8 }))
			continue;
		while (n < rest.len && text_is_space(rest.data[n]))
			n++;
		if (n < rest.len && rest.data[n] == '=')
			boundary_value(m, value_of(rest, n, &percent), false);
		boundary_trim(m);
		i += n - 1;
	}
}

void
mime_parse(struct pop3_slice value, struct mime *ret)
{
	struct growing type = { .max = 64 };
	struct pop3_slice first;
	size_t at = 0, n = 0;
	char text[65];

	*ret = (struct mime){ .kind = MIME_LEAF };
	value = text_trim(value.data, value.len);
	if (!mime_next(value, &at, &first))
		return;
	/* so much of the type as can matter; "multipart / mixed" is one, too, and "a/b c" is "a/b" */
	text_take(first.data, first.len, TEXT_SYNTAX, &type);
	for (size_t i = 0; i < type.len; i++) {
		if (type.data[i] != ' ')
			text[n++] = (char)type.data[i];
		else if (n > 0 && text[n - 1] != '/' &&
			 (i + 1 == type.len || type.data[i + 1] != '/'))
			break;
	}
	text[n] = '\0';
	growing_free(&type);
	if (strncasecmp(text, "multipart/", 10) == 0) {
		find_boundary(value, ret);
		boundary_trim(ret);
		if (ret->boundary_len == 0)
			find_boundary_anywhere(value, ret);
		if (ret->boundary_len > 0)
			ret->kind = strcasecmp(text, "multipart/digest") == 0 ? MIME_DIGEST
									      : MIME_MULTIPART;
	} else if (strcasecmp(text, "message/rfc822") == 0 ||
		   strcasecmp(text, "message/global") == 0 ||
		   strcasecmp(text, "message/news") == 0 ||
		   strcasecmp(text, "message/external-body") == 0) {
		ret->kind = MIME_MESSAGE;
	}
}

bool
mime_same(const struct mime *a, const struct mime *b)
{
	size_t len = a->boundary_len < BOUNDARY_MAX ? a->boundary_len : BOUNDARY_MAX;

	return a->kind == b->kind && a->boundary_len == b->boundary_len &&
	       memcmp(a->boundary, b->boundary, len) == 0;
}
