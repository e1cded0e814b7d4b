/*
 * name - the grammar of a Maildir file name, for who scans and who delivers.
 *
 *	base [ ":2," flags ]	base = seconds "." unique "." host [ ",S=" octets ] [ ",W=" octets ]
 *
 * Nothing of it can be relied on: anybody may put any name there.
 */
#ifndef STORE_NAME_H
#define STORE_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct name {
	uint64_t seconds; /* the number that leads the name; 0 without one */
	uint32_t micros; /* of "M<number>" in the second word; 0 without one */
	size_t base; /* octets of the base name */
	bool has_wire; /* ",W=" is there, and can be so, also beside ",S=" */
	uint64_t wire;
};

/* text has at most 255 octets and a NUL. */
void name_parse(const char *text, struct name *ret);

/* Whether a message of so many stored octets can have so many on the wire. */
bool name_wire_possible(uint64_t wire, uint64_t stored);

/* No message has more octets on the wire: what says so is a slip, or wants sums to overflow. */
#define NAME_WIRE_MAX ((uint64_t)1 << 48)

/* The unique-id of a base name: itself if RFC 1939 allows it, else its SHA-256 in hex.  uid has
 * room for STORE_UID_MAX + 1. */
void name_uid(const char *text, size_t base, char *uid);
/* SHA-256 in hex: 64 octets and a NUL.  text and uid may be the same memory. */
void name_digest(const char *text, size_t len, char *uid);

#endif
