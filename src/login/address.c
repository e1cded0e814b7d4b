#include "login/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "ipc/setup.h"

static uint64_t
rotate(uint64_t v, int n)
{
	return v << n | v >> (64 - n);
}

static void
sip_rounds(uint64_t v[4], int n)
{
	while (n-- > 0) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] = rotate(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[2] = rotate(v[2], 32);
	}
}

/* SipHash-2-4 of one word: keyed, so that nobody can choose addresses that share a counter. */
static uint64_t
keyed_hash(const uint8_t key[16], uint64_t word)
{
	uint64_t k[2], v[4], last = 8ULL << 56;

	memcpy(k, key, sizeof k);
	v[0] = k[0] ^ 0x736f6d6570736575;
	v[1] = k[1] ^ 0x646f72616e646f6d;
	v[2] = k[0] ^ 0x6c7967656e657261;
	v[3] = k[1] ^ 0x7465646279746573;
	v[3] ^= word;
	sip_rounds(v, 2);
	v[0] ^= word;
	v[3] ^= last;
	sip_rounds(v, 2);
	v[0] ^= last;
	v[2] ^= 0xff;
	sip_rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void
address_from(const struct sockaddr_storage *ss, const uint8_t key[16], struct address *ret)
{
	uint64_t network = 0;

	*ret = (struct address){ .text = "unknown" };
	if (ss->ss_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, ss, sizeof in);
		network = in.sin_addr.s_addr;
		ret->loopback = (ntohl(in.sin_addr.s_addr) >> 24) == 127;
		(void)inet_ntop(AF_INET, &in.sin_addr, ret->text, sizeof ret->text);
	} else if (ss->ss_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, ss, sizeof in6);
		if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr)) { /* or all of IPv4 were one network */
			struct sockaddr_storage mapped = { 0 };
			struct sockaddr_in in = { .sin_family = AF_INET };

			memcpy(&in.sin_addr, &in6.sin6_addr.s6_addr[12], sizeof in.sin_addr);
			memcpy(&mapped, &in, sizeof in);
			address_from(&mapped, key, ret);
			return;
		}
		memcpy(&network, &in6.sin6_addr, sizeof network);
		ret->loopback = IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr);
		(void)inet_ntop(AF_INET6, &in6.sin6_addr, ret->text, sizeof ret->text);
	}
	ret->slot = (uint32_t)(keyed_hash(key, network) % COUNTER_SLOTS);
}
