/*
 * channel - messages with descriptors between our processes, over SOCK_SEQPACKET socket pairs.
 *
 * One message is one packet: a type octet, then a body written field by field (codec.h), and up
 * to CHANNEL_FDS descriptors.  The peer is not trusted: sizes are bounded, surplus descriptors
 * are closed, and a packet that was cut is an error.  Sending and receiving on one channel from
 * several threads is safe: a packet is one system call.
 */
#ifndef IPC_CHANNEL_H
#define IPC_CHANNEL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	CHANNEL_MAX =
	    160 * 1024, /* longest packet: a 64 KiB token in base64, and what goes with it */
	CHANNEL_FDS = 2,
};

/* Both ends close-on-exec and non-blocking, with buffers that hold a longest packet.  0 or -1
 * with errno. */
int channel_pair(int fds[2]);

/*
 * Sends one packet.  The descriptors stay the caller's.  0, or -1 with errno: EAGAIN (the peer
 * is not keeping up), EPIPE/ECONNRESET (it is gone), EMSGSIZE.
 */
int channel_send(int ch, const void *packet, size_t len, const int *fds, size_t nfds);

/*
 * Receives one packet into buf.  Returns its length, 0 when the peer has closed, or -1 with errno:
 * EAGAIN; EMSGSIZE when packet or descriptors did not fit (everything was closed).  fds has room
 * for CHANNEL_FDS; unused ones are -1; the rest are the caller's now, close-on-exec.
 */
ssize_t channel_recv(int ch, void *buf, size_t len, int fds[CHANNEL_FDS]);

#endif
