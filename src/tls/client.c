#include "tls/client.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"

static const unsigned char alpn[] = "\x04pop3";

struct tls_client {
	SSL_CTX *ctx;
};

struct tls_peer {
	SSL *ssl;
	char error[256];
};

/* The oldest error of this thread in words; s if there is none. */
static void
error_text(char *out, size_t room, const char *s)
{
	unsigned long e = ERR_peek_error();
	const char *reason = e == 0 ? NULL : ERR_reason_error_string(e);

	(void)snprintf(out, room, "%s", reason != NULL ? reason : s);
	ERR_clear_error();
}

struct tls_client *
tls_client_create(const char *ca_file, struct fault *f)
{
	struct tls_client *t = calloc(1, sizeof *t);
	char why[128];

	if (t == NULL) {
		fault_set(f, FAULT_TEMP, "out of memory");
		return NULL;
	}
	ERR_clear_error();
	t->ctx = SSL_CTX_new(TLS_client_method());
	if (t->ctx == NULL || SSL_CTX_set_min_proto_version(t->ctx, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_alpn_protos(t->ctx, alpn, sizeof alpn - 1) != 0) {
		error_text(why, sizeof why, "out of memory");
		fault_set(f, FAULT_TEMP, "set up TLS: %s", why);
		goto fail;
	}
	(void)SSL_CTX_set_options(t->ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	(void)SSL_CTX_set_mode(t->ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
					   SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	(void)SSL_CTX_set_session_cache_mode(t->ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_verify(t->ctx, SSL_VERIFY_PEER, NULL);
	if (ca_file != NULL ? SSL_CTX_load_verify_file(t->ctx, ca_file) != 1
			    : SSL_CTX_set_default_verify_paths(t->ctx) != 1) {
		error_text(why, sizeof why, "no certificate in it");
		fault_set(f, FAULT_PERM, "certificate authorities%s%s: %s",
		    ca_file != NULL ? " in " : "", ca_file != NULL ? ca_file : "", why);
		goto fail;
	}
	return t;
fail:
	tls_client_destroy(&t);
	return NULL;
}

void
tls_client_destroy(struct tls_client **tp)
{
	if (*tp == NULL)
		return;
	SSL_CTX_free((*tp)->ctx);
	free(*tp);
	*tp = NULL;
}

/* Whom the certificate has to name. */
static bool
expect(SSL *ssl, const char *host, bool literal)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
	char name[256]; /* OpenSSL's macro would cast const away */

	X509_VERIFY_PARAM_set_hostflags(
	    param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	if (literal)
		return X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1;
	return (size_t)snprintf(name, sizeof name, "%s", host) < sizeof name &&
	       X509_VERIFY_PARAM_set1_host(param, host, strlen(host)) == 1 &&
	       SSL_set_tlsext_host_name(ssl, name) == 1;
}

struct tls_peer *
tls_peer_create(struct tls_client *t, int fd, const char *host, bool literal, struct fault *f)
{
	struct tls_peer *p = calloc(1, sizeof *p);
	char name[256];
	size_t len;

	/* "host." is the same host, and no certificate says it so */
	len = (size_t)snprintf(name, sizeof name, "%s", host);
	if (p == NULL || len == 0 || len >= sizeof name)
		goto fail;
	if (name[len - 1] == '.')
		name[len - 1] = '\0';
	ERR_clear_error();
	p->ssl = SSL_new(t->ctx);
	if (p->ssl == NULL || SSL_set_fd(p->ssl, fd) != 1 || !expect(p->ssl, name, literal))
		goto fail;
	SSL_set_connect_state(p->ssl);
	return p;
fail:
	ERR_clear_error();
	fault_set(f, FAULT_TEMP, "set up TLS for \"%s\"", host);
	tls_peer_destroy(&p);
	return NULL;
}

void
tls_peer_destroy(struct tls_peer **pp)
{
	if (*pp == NULL)
		return;
	SSL_free((*pp)->ssl);
	free(*pp);
	*pp = NULL;
}

static enum tls_io
result(struct tls_peer *p, int r)
{
	int err = errno;

	switch (SSL_get_error(p->ssl, r)) {
	case SSL_ERROR_NONE:
		return TLS_DONE;
	case SSL_ERROR_WANT_READ:
		return TLS_WANT_READ;
	case SSL_ERROR_WANT_WRITE:
		return TLS_WANT_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		return TLS_CLOSED;
	default:
		if (tls_peer_distrusted(p))
			(void)snprintf(p->error, sizeof p->error, "certificate: %s",
			    X509_verify_cert_error_string(SSL_get_verify_result(p->ssl)));
		else
			error_text(p->error, sizeof p->error,
			    err != 0 ? strerror(err) : "the connection was closed");
		ERR_clear_error();
		return TLS_FAILED;
	}
}

enum tls_io
tls_peer_handshake(struct tls_peer *p)
{
	enum tls_io io;

	ERR_clear_error();
	errno = 0;
	io = result(p, SSL_do_handshake(p->ssl));
	/* the library has refused already; said twice because everything hangs on it */
	if (io == TLS_DONE && SSL_get_verify_result(p->ssl) != X509_V_OK)
		return TLS_FAILED;
	return io;
}

enum tls_io
tls_peer_read(struct tls_peer *p, void *buf, size_t len, size_t *ret_len)
{
	ERR_clear_error();
	errno = 0;
	*ret_len = 0;
	return result(p, SSL_read_ex(p->ssl, buf, len, ret_len));
}

enum tls_io
tls_peer_write(struct tls_peer *p, const void *octets, size_t len, size_t *ret_len)
{
	ERR_clear_error();
	errno = 0;
	*ret_len = 0;
	return result(p, SSL_write_ex(p->ssl, octets, len, ret_len));
}

void
tls_peer_shutdown(struct tls_peer *p)
{
	if (SSL_is_init_finished(p->ssl))
		(void)SSL_shutdown(p->ssl); /* one way: nobody waits for the answer */
	ERR_clear_error();
}

const char *
tls_peer_error(struct tls_peer *p)
{
	return p->error[0] != '\0' ? p->error : "unknown error";
}

bool
tls_peer_distrusted(const struct tls_peer *p)
{
	return SSL_get_verify_result(p->ssl) != X509_V_OK;
}

void
tls_peer_describe(const struct tls_peer *p, char *out, size_t room)
{
	(void)snprintf(out, room, "%s %s", SSL_get_version(p->ssl), SSL_get_cipher_name(p->ssl));
}

size_t
tls_peer_exporter(struct tls_peer *p, uint8_t out[32])
{
	static const char label[] = "EXPORTER-Channel-Binding";

	if (SSL_version(p->ssl) < TLS1_3_VERSION && SSL_get_extms_support(p->ssl) != 1)
		return 0; /* RFC 9266, section 4.2 */
	return SSL_export_keying_material(
		   p->ssl, out, 32, label, sizeof label - 1, (const unsigned char *)"", 0, 1) == 1
		   ? 32
		   : 0;
}

size_t
tls_peer_unique(struct tls_peer *p, uint8_t *out, size_t room)
{
	if (SSL_version(p->ssl) != TLS1_2_VERSION || SSL_get_extms_support(p->ssl) != 1)
		return 0;
	/* the first Finished: ours, but for a resumed session (RFC 5929, section 3.1) */
	return SSL_session_reused(p->ssl) ? SSL_get_peer_finished(p->ssl, out, room)
					  : SSL_get_finished(p->ssl, out, room);
}
