/*
 * server - the serving end of TLS: certificates by name, and streams over non-blocking sockets.
 *
 * Runs in: login.  What a peer sends is hostile; the library under it is OpenSSL, and nothing else
 * of ours includes its TLS headers on this side.  One thread at a time per object.
 */
#ifndef TLS_SERVER_H
#define TLS_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "tls/io.h"

struct fault;
struct tls_server;
struct tls_stream;

/* TLS 1.2 and later (P8996-01), ALPN "pop3" (a client that offers others only is refused). */
struct tls_server *tls_server_create(struct fault *f);
void tls_server_destroy(struct tls_server **t);

/* A certificate chain and its key in PEM; name is what SNI must say ("" is for everybody else, and
 * the first one is that, too).  "*.example.org" names one label. */
int tls_server_add(struct tls_server *t, const char *name, const uint8_t *chain, size_t chain_len,
    const uint8_t *key, size_t key_len, struct fault *f);

/* fd stays the caller's and must outlive the stream.  NULL: out of memory. */
struct tls_stream *tls_stream_create(struct tls_server *t, int fd);
void tls_stream_destroy(struct tls_stream **s);

enum tls_io tls_stream_handshake(struct tls_stream *s);
enum tls_io tls_stream_read(struct tls_stream *s, void *buf, size_t len, size_t *ret_len);
/* After WANT_*, call again with the same octets first (they may have moved). */
enum tls_io tls_stream_write(struct tls_stream *s, const void *p, size_t len, size_t *ret_len);
/* Says close_notify, and waits for no answer (P8314-07). */
void tls_stream_shutdown(struct tls_stream *s);

/* "TLSv1.3 TLS_AES_256_GCM_SHA384" (P8314-08). */
void tls_stream_describe(const struct tls_stream *s, char *out, size_t room);

/* Channel bindings: tls-exporter (RFC 9266), and tls-unique (RFC 5929) where it is safe: TLS 1.2
 * with extended master secret (P7677-01).  Returns the octets, 0 for none. */
size_t tls_stream_exporter(struct tls_stream *s, uint8_t out[32]);
size_t tls_stream_unique(struct tls_stream *s, uint8_t *out, size_t room);

/* Why the last call failed, for the log. */
const char *tls_error(void);

#endif
