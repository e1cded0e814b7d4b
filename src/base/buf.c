#include "base/buf.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void
buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max };
}

void
buf_init_secret(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max, .secret = true };
}

void
buf_finish(struct buf *b)
{
	if (b->secret) {
		buf_wipe(b);
		return;
	}
	free(b->data);
	buf_init(b, b->max);
}

void
buf_wipe(struct buf *b)
{
	bool secret = b->secret;

	if (b->data != NULL)
		explicit_bzero(b->data, b->cap);
	free(b->data);
	*b = (struct buf){ .max = b->max, .secret = secret };
}

uint8_t *
buf_room(struct buf *b, size_t len)
{
	if (len > b->max - b->len)
		return NULL;
	if (b->data != NULL && b->cap - b->off - b->len < len && b->off > 0) {
		memmove(b->data, b->data + b->off, b->len);
		b->off = 0;
	}
	if (b->cap - b->off - b->len < len) {
		size_t cap = b->cap == 0 ? 256 : b->cap;
		uint8_t *p;

		while (cap < b->len + len && cap <= b->max / 2)
			cap *= 2;
		if (cap < b->len + len || cap > b->max)
			cap = b->max;
		/* not realloc: the old copy may hold a secret, and would stay behind */
		p = malloc(cap);
		if (p == NULL)
			return NULL;
		if (b->data != NULL) {
			memcpy(p, b->data + b->off, b->len);
			explicit_bzero(b->data, b->cap);
			free(b->data);
		}
		b->data = p;
		b->cap = cap;
		b->off = 0;
	}
	return b->data + b->off + b->len;
}

void
buf_added(struct buf *b, size_t len)
{
	assert(len <= b->cap - b->off - b->len);
	b->len += len;
}

bool
buf_append(struct buf *b, const void *p, size_t len)
{
	uint8_t *room;

	if (len == 0)
		return true;
	room = buf_room(b, len);
	if (room == NULL)
		return false;
	memcpy(room, p, len);
	buf_added(b, len);
	return true;
}

void
buf_consume(struct buf *b, size_t len)
{
	assert(len <= b->len);
	b->off += len;
	b->len -= len;
	if (b->len == 0)
		buf_finish(b);
}
