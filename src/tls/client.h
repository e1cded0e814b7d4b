/*
 * client - the calling end of TLS: a verified stream over a non-blocking socket.
 *
 * Runs in: client.  What a peer sends is hostile; the library under it is OpenSSL, and nothing
 * else of ours includes its TLS headers on this side.  One thread at a time per object; one
 * struct tls_client may serve the streams of several threads once it is set up.
 */
#ifndef TLS_CLIENT_H
#define TLS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tls/io.h"

struct fault;
struct tls_client;
struct tls_peer;

/*
 * TLS 1.2 and later (P8996-01), ALPN "pop3".  Certificates are judged by the authorities in the
 * file ca_file (PEM), or by the system's when it is NULL.  There is no way to judge by none.
 */
struct tls_client *tls_client_create(const char *ca_file, struct fault *f);
void tls_client_destroy(struct tls_client **t);

/*
 * host is what the user asked for (an A-label, Q-M08), or an address when literal.  Its
 * certificate has to name it: a DNS-ID, with a "*" only as its whole first label, or the address;
 * the subject's common name counts for nothing (RFC 7817, section 3).  fd stays the caller's and
 * must outlive the peer.
 */
struct tls_peer *tls_peer_create(
    struct tls_client *t, int fd, const char *host, bool literal, struct fault *f);
void tls_peer_destroy(struct tls_peer **p);

/* TLS_DONE: the peer is who it should be. */
enum tls_io tls_peer_handshake(struct tls_peer *p);
enum tls_io tls_peer_read(struct tls_peer *p, void *buf, size_t len, size_t *ret_len);
/* After WANT_*, call again with the same octets first (they may have moved). */
enum tls_io tls_peer_write(struct tls_peer *p, const void *octets, size_t len, size_t *ret_len);
/* Says close_notify, and waits for no answer (P8314-07). */
void tls_peer_shutdown(struct tls_peer *p);

/* Why the last call on p failed: a text without control characters, valid until the next call. */
const char *tls_peer_error(struct tls_peer *p);

/* Whether that was because the certificate is not good, or not this host's. */
bool tls_peer_distrusted(const struct tls_peer *p);

/* "TLSv1.3 TLS_AES_256_GCM_SHA384". */
void tls_peer_describe(const struct tls_peer *p, char *out, size_t room);

/* Channel bindings, as the serving side gives them.  Returns the octets, 0 for none. */
size_t tls_peer_exporter(struct tls_peer *p, uint8_t out[32]);
size_t tls_peer_unique(struct tls_peer *p, uint8_t *out, size_t room);

#endif
