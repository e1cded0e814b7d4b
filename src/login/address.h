/*
 * address - where a client comes from: for the log, for limits, for exemptions.
 */
#ifndef LOGIN_ADDRESS_H
#define LOGIN_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "ipc/login_auth.h"

struct address {
	char text[LA_ADDRESS_MAX];
	bool loopback;
	uint32_t slot; /* of the shared counters: its network's, IPv6 by /64 */
};

void address_from(const struct sockaddr_storage *ss, const uint8_t key[16], struct address *ret);

#endif
