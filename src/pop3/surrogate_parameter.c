#include "surrogate_field.h"

#include <strings.h>

#include "lines.h"
#include "surrogate_mime.h"
#include "surrogate_text.h"

enum { FEW = 4 };

/* Parameters in several pieces (RFC 2231) of which one was dropped: then all pieces go. */
struct dropped {
	struct pop3_slice names[FEW];
	size_t count; /* above FEW: everything in pieces goes */
};

static bool
is_dropped(const struct dropped *d, struct pop3_slice name)
{
	for (size_t i = 0; i < d->count && i < FEW; i++)
		if (d->names[i].len == name.len && strncasecmp((const char *)d->names[i].data,
						       (const char *)name.data, name.len) == 0)
			return true;
	return d->count > FEW;
}

static void
find_dropped(struct pop3_slice value, size_t at, struct dropped *d)
{
	struct pop3_slice parameter;
	bool continued;

	while (mime_next(value, &at, &parameter)) {
		struct pop3_slice name = mime_name(parameter, &continued);

		if (!continued || !lines_eight_bit(parameter.data, parameter.len) ||
		    is_dropped(d, name))
			continue;
		if (d->count < FEW)
			d->names[d->count] = name;
		d->count++;
	}
}

bool
field_parameters(struct fold *f, struct pop3_slice value)
{
	struct growing bare = { .max = value.len };
	struct dropped dropped = { .count = 0 };
	struct pop3_slice parameter;
	size_t at = 0;
	bool r = false;

	if (!mime_next(value, &at, &parameter))
		goto out;
	if (lines_eight_bit(parameter.data, parameter.len)) { /* perhaps only in a comment */
		text_take(parameter.data, parameter.len, TEXT_SYNTAX, &bare);
		parameter = (struct pop3_slice){ bare.data, bare.len };
	}
	if (bare.failed)
		f->out->failed = true;
	if (parameter.len == 0 || lines_eight_bit(parameter.data, parameter.len))
		goto out;
	fold_word(f, FOLD_SPACE, parameter.data, parameter.len);
	find_dropped(value, at, &dropped);
	while (mime_next(value, &at, &parameter)) {
		bool continued;
		struct pop3_slice name = mime_name(parameter, &continued);

		if (parameter.len == 0 || lines_eight_bit(parameter.data, parameter.len) ||
		    (continued && is_dropped(&dropped, name)))
			continue;
		fold_mark(f, ';');
		fold_word(f, FOLD_SPACE, parameter.data, parameter.len);
	}
	r = true;
out:
	growing_free(&bare);
	return r;
}
