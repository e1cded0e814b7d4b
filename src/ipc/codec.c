#include "ipc/codec.h"

#include <string.h>

void
ipc_writer_init(struct ipc_writer *w, void *mem, size_t cap)
{
	*w = (struct ipc_writer){ .data = mem, .cap = cap };
}

static uint8_t *
room(struct ipc_writer *w, size_t len)
{
	uint8_t *p = w->data + w->len;

	if (w->failed || w->cap - w->len < len) {
		w->failed = true;
		return NULL;
	}
	w->len += len;
	return p;
}

void
ipc_put_u8(struct ipc_writer *w, uint8_t v)
{
	uint8_t *p = room(w, 1);

	if (p != NULL)
		p[0] = v;
}

static void
put_number(struct ipc_writer *w, uint64_t v, size_t octets)
{
	uint8_t *p = room(w, octets);

	for (size_t i = 0; p != NULL && i < octets; i++)
		p[i] = (uint8_t)(v >> (8 * (octets - 1 - i)));
}

void
ipc_put_u32(struct ipc_writer *w, uint32_t v)
{
	put_number(w, v, 4);
}

void
ipc_put_u64(struct ipc_writer *w, uint64_t v)
{
	put_number(w, v, 8);
}

void
ipc_put_bytes(struct ipc_writer *w, const void *p, size_t len)
{
	uint8_t *to;

	if (len > UINT32_MAX) {
		w->failed = true;
		return;
	}
	ipc_put_u32(w, (uint32_t)len);
	to = room(w, len);
	if (to != NULL && len > 0)
		memcpy(to, p, len);
}

void
ipc_put_string(struct ipc_writer *w, const char *s)
{
	ipc_put_bytes(w, s == NULL ? "" : s, s == NULL ? 0 : strlen(s));
}

void
ipc_reader_init(struct ipc_reader *r, const void *p, size_t len)
{
	*r = (struct ipc_reader){ .data = p, .len = len };
}

static const uint8_t *
take(struct ipc_reader *r, size_t len)
{
	const uint8_t *p = r->data;

	if (r->failed || r->len < len) {
		r->failed = true;
		return NULL;
	}
	r->data += len;
	r->len -= len;
	return p;
}

static uint64_t
get_number(struct ipc_reader *r, size_t octets)
{
	const uint8_t *p = take(r, octets);
	uint64_t v = 0;

	for (size_t i = 0; p != NULL && i < octets; i++)
		v = v << 8 | p[i];
	return v;
}

uint8_t
ipc_get_u8(struct ipc_reader *r)
{
	return (uint8_t)get_number(r, 1);
}

uint32_t
ipc_get_u32(struct ipc_reader *r)
{
	return (uint32_t)get_number(r, 4);
}

uint64_t
ipc_get_u64(struct ipc_reader *r)
{
	return get_number(r, 8);
}

bool
ipc_get_bool(struct ipc_reader *r)
{
	uint8_t v = ipc_get_u8(r);

	if (v > 1)
		r->failed = true;
	return v == 1;
}

struct ipc_bytes
ipc_get_bytes(struct ipc_reader *r, size_t max)
{
	size_t len = ipc_get_u32(r);
	const uint8_t *p;

	if (len > max)
		r->failed = true;
	p = take(r, len);
	return p == NULL ? (struct ipc_bytes){ 0 } : (struct ipc_bytes){ p, len };
}

void
ipc_get_string(struct ipc_reader *r, char *out, size_t cap)
{
	struct ipc_bytes b = ipc_get_bytes(r, cap - 1);

	if (b.len > 0 && memchr(b.data, '\0', b.len) != NULL) {
		r->failed = true;
		b.len = 0;
	}
	if (b.len > 0)
		memcpy(out, b.data, b.len);
	out[b.len] = '\0';
}

bool
ipc_reader_done(const struct ipc_reader *r)
{
	return !r->failed && r->len == 0;
}
