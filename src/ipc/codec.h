/*
 * codec - message bodies, field by field.
 *
 * The first error sticks: write or read a whole message, then ask once.  A reader never copies:
 * slices point into the packet.  Numbers are big-endian; octets and strings have a 32-bit length.
 */
#ifndef IPC_CODEC_H
#define IPC_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ipc_writer {
	uint8_t *data;
	size_t len, cap;
	bool failed; /* it did not fit */
};

void ipc_writer_init(struct ipc_writer *w, void *mem, size_t cap);
void ipc_put_u8(struct ipc_writer *w, uint8_t v);
void ipc_put_u32(struct ipc_writer *w, uint32_t v);
void ipc_put_u64(struct ipc_writer *w, uint64_t v);
void ipc_put_bytes(struct ipc_writer *w, const void *p, size_t len);
void ipc_put_string(struct ipc_writer *w, const char *s); /* NULL is written as "" */

struct ipc_bytes {
	const uint8_t *data;
	size_t len;
};

struct ipc_reader {
	const uint8_t *data;
	size_t len;
	bool failed; /* too short, too long, or not what it should be */
};

void ipc_reader_init(struct ipc_reader *r, const void *p, size_t len);
uint8_t ipc_get_u8(struct ipc_reader *r);
uint32_t ipc_get_u32(struct ipc_reader *r);
uint64_t ipc_get_u64(struct ipc_reader *r);
bool ipc_get_bool(struct ipc_reader *r); /* anything but 0 and 1 fails */
/* At most max octets, else it fails (and gives none). */
struct ipc_bytes ipc_get_bytes(struct ipc_reader *r, size_t max);
/* Into out[cap], with a NUL; a NUL inside, or too long, fails (and gives ""). */
void ipc_get_string(struct ipc_reader *r, char *out, size_t cap);
/* Everything was read, and nothing failed. */
bool ipc_reader_done(const struct ipc_reader *r);

#endif
