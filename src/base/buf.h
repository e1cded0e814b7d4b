/*
 * buf - a growing run of octets whose ceiling is fixed at birth.
 *
 * Not thread-safe.  The memory belongs to the buf; pointers into it end at the next append.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
	uint8_t *data; /* NULL while nothing was ever kept */
	size_t off; /* octets at the front that are used up */
	size_t len; /* octets behind off that are not */
	size_t cap;
	size_t max; /* never more than this */
	bool secret; /* memory is overwritten before it is given back */
};

void buf_init(struct buf *b, size_t max);
void buf_init_secret(struct buf *b, size_t max); /* for what may hold passwords */
void buf_finish(struct buf *b); /* frees; b can be used again, empty */
void buf_wipe(struct buf *b); /* the same, and overwrites what was there first */

/* False, and nothing appended, when it would pass the ceiling or memory is out. */
bool buf_append(struct buf *b, const void *p, size_t len);

/* Room for len octets (> 0) at the end, to be filled and then told with buf_added(); NULL as above. */
uint8_t *buf_room(struct buf *b, size_t len);
void buf_added(struct buf *b, size_t len);

/* Uses up len octets (<= b->len); an empty buf gives its memory back. */
void buf_consume(struct buf *b, size_t len);

static inline const uint8_t *
buf_at(const struct buf *b)
{
	return b->data + b->off;
}

#endif
