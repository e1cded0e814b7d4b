/*
 * io - what a step of TLS over a non-blocking socket can come to, at either end.
 */
#ifndef TLS_IO_H
#define TLS_IO_H

enum tls_io {
	TLS_DONE,
	TLS_WANT_READ, /* the socket must become readable first */
	TLS_WANT_WRITE, /* the same for writing */
	TLS_CLOSED, /* the peer has said that it sends no more */
	TLS_FAILED, /* anything else: end the connection */
};

#endif
