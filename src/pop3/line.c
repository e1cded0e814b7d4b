#include "line.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { LINE_CAP_MIN = 64 };

void
line_forget(struct line *l)
{
	if (l->data != NULL)
		explicit_bzero(l->data, l->cap);
	free(l->data);
	l->data = NULL;
	l->len = l->cap = 0;
	l->given = false;
}

bool
line_is_partial(const struct line *l)
{
	return l->lost != 0 || (l->data != NULL && !l->given);
}

size_t
line_head(const struct line *l, const struct pop3_in *in, uint8_t *out, size_t n)
{
	size_t held = l->given ? 0 : l->len, more;

	if (l->lost != 0)
		return 0;
	if (held > n)
		held = n;
	more = in->len < n - held ? in->len : n - held;
	if (held > 0)
		memcpy(out, l->data, held);
	if (more > 0)
		memcpy(out + held, in->data, more);
	return held + more;
}

/* A client that puts a long response on the AUTH line breaks P5034-12.  But why send it home, when
 * the same octets would be welcome one line later? */
static bool
is_auth(const struct line *l, const struct pop3_in *in)
{
	uint8_t head[5];

	return line_head(l, in, head, sizeof head) == sizeof head &&
	       strncasecmp((const char *)head, "AUTH ", sizeof head) == 0;
}

static bool
append(struct line *l, const uint8_t *p, size_t len)
{
	if (len > l->cap - l->len) {
		size_t cap = l->cap == 0 ? LINE_CAP_MIN : l->cap;
		uint8_t *q;

		while (cap < l->len + len)
			cap *= 2;
		q = malloc(cap); /* realloc() would leave a copy behind */
		if (q == NULL)
			return false;
		if (l->data != NULL) {
			memcpy(q, l->data, l->len);
			explicit_bzero(l->data, l->cap);
			free(l->data);
		}
		l->data = q;
		l->cap = (uint32_t)cap;
	}
	memcpy(l->data + l->len, p, len);
	l->len += (uint32_t)len;
	return true;
}

enum line_result
line_take(struct line *l, struct pop3_in *in, size_t max, size_t auth_max, struct pop3_slice *ret)
{
	enum line_result r = LINE_MORE;
	const uint8_t *lf, *start;
	size_t used, len;

	if (l->given)
		line_forget(l);
	if (in->len == 0)
		return LINE_MORE;
	start = in->data;
	lf = memchr(start, '\n', in->len);
	used = lf == NULL ? in->len : (size_t)(lf - start) + 1;
	len = l->len + used;
	if (l->lost == 0 && len > max && (len > auth_max || !is_auth(l, in)))
		l->lost = LINE_TOO_LONG;
	if (l->lost == 0 && (lf == NULL || l->data != NULL)) {
		if (!append(l, start, used))
			l->lost = LINE_NO_MEMORY;
		start = l->data;
	}
	in->data += used;
	in->len -= used;
	if (l->lost != 0)
		line_forget(l);
	if (lf == NULL)
		return LINE_MORE;
	if (l->lost != 0) {
		r = (enum line_result)l->lost;
		l->lost = 0;
		return r;
	}
	l->given = l->data != NULL;
	len--;
	if (len > 0 && start[len - 1] == '\r')
		len--;
	*ret = (struct pop3_slice){ start, len };
	return LINE_TAKEN;
}

uint8_t *
line_scratch(struct line *l, size_t len)
{
	size_t cap = len > LINE_CAP_MIN ? len : LINE_CAP_MIN;

	if (l->data != NULL && l->given && l->cap >= len)
		return l->data;
	line_forget(l);
	l->data = malloc(cap);
	if (l->data == NULL)
		return NULL;
	l->cap = (uint32_t)cap;
	l->given = true;
	return l->data;
}
