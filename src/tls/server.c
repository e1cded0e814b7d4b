#include "tls/server.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/fault.h"

static const unsigned char alpn[] = "\x04pop3";

struct named {
	char name[256];
	SSL_CTX *ctx;
};

struct tls_server {
	struct named *list; /* the first is for who names none of them */
	size_t count;
};

struct tls_stream {
	SSL *ssl;
};

const char *
tls_error(void)
{
	static char text[160];
	unsigned long e = ERR_peek_last_error();

	if (e == 0)
		return errno != 0 ? strerror(errno) : "the peer closed";
	ERR_error_string_n(e, text, sizeof text);
	ERR_clear_error();
	return text;
}

static int
choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
    unsigned in_len, void *arg)
{
	unsigned char *chosen;

	(void)ssl;
	(void)arg;
	/* a client that speaks something else is told so, before it speaks it here (RFC 7301, 3.2) */
	if (SSL_select_next_proto(&chosen, out_len, alpn, sizeof alpn - 1, in, in_len) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

static bool
wildcard_matches(const char *pattern, const char *name)
{
	const char *dot = strchr(name, '.');

	return pattern[0] == '*' && pattern[1] == '.' && dot != NULL && dot != name &&
	       strcasecmp(pattern + 1, dot) == 0;
}

static int
choose_certificate(SSL *ssl, int *alert, void *arg)
{
	const struct tls_server *t = arg;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	(void)alert;
	const struct named *found = NULL;

	for (size_t i = 0; name != NULL && i < t->count; i++) {
		if (strcasecmp(t->list[i].name, name) == 0) {
			found = &t->list[i]; /* the name itself goes before any wildcard */
			break;
		}
		if (found == NULL && wildcard_matches(t->list[i].name, name))
			found = &t->list[i];
	}
	if (found != NULL)
		(void)SSL_set_SSL_CTX(ssl, found->ctx);
	return SSL_TLSEXT_ERR_OK; /* an unknown name gets the first certificate, and may judge it */
}

struct tls_server *
tls_server_create(struct fault *f)
{
	struct tls_server *t = calloc(1, sizeof *t);

	if (t == NULL)
		fault_set(f, FAULT_TEMP, "out of memory");
	return t;
}

void
tls_server_destroy(struct tls_server **tp)
{
	struct tls_server *t = *tp;

	if (t == NULL)
		return;
	for (size_t i = 0; i < t->count; i++)
		SSL_CTX_free(t->list[i].ctx);
	free(t->list);
	free(t);
	*tp = NULL;
}

/* Nobody is there who could be asked, and the library would ask the terminal. */
static int
no_passphrase(char *buf, int room, int writing, void *arg)
{
	(void)buf;
	(void)room;
	(void)writing;
	(void)arg;
	return -1;
}

static int
use_chain(SSL_CTX *ctx, const uint8_t *pem, size_t len)
{
	BIO *bio = BIO_new_mem_buf(pem, (int)len);
	X509 *cert = bio == NULL ? NULL : PEM_read_bio_X509_AUX(bio, NULL, no_passphrase, NULL);
	int ok = cert != NULL && SSL_CTX_use_certificate(ctx, cert) == 1;

	X509_free(cert);
	while (ok && (cert = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL)) != NULL) {
		ok = SSL_CTX_add0_chain_cert(ctx, cert) == 1;
		if (!ok)
			X509_free(cert);
	}
	if (ok)
		ERR_clear_error(); /* the end of the PEM is told as an error */
	BIO_free(bio);
	return ok;
}

static int
use_key(SSL_CTX *ctx, const uint8_t *pem, size_t len)
{
	BIO *bio = BIO_new_mem_buf(pem, (int)len);
	EVP_PKEY *key =
	    bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	int ok = key != NULL && SSL_CTX_use_PrivateKey(ctx, key) == 1;

	EVP_PKEY_free(key);
	BIO_free(bio);
	return ok;
}

int
tls_server_add(struct tls_server *t, const char *name, const uint8_t *chain, size_t chain_len,
    const uint8_t *key, size_t key_len, struct fault *f)
{
	struct named *p = reallocarray(t->list, t->count + 1, sizeof *p);
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	const char *what = "set up TLS";

	if (p != NULL)
		t->list = p;
	if (p == NULL || ctx == NULL || chain_len > INT_MAX || key_len > INT_MAX)
		goto fail;
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1)
		goto fail;
	(void)SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
					   SSL_OP_CIPHER_SERVER_PREFERENCE |
					   SSL_OP_PRIORITIZE_CHACHA | SSL_OP_IGNORE_UNEXPECTED_EOF |
					   SSL_OP_CLEANSE_PLAINTEXT /* passwords */);
	(void)SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
					SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	(void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	if (SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"restante", 8) != 1)
		goto fail;
	SSL_CTX_set_alpn_select_cb(ctx, choose_alpn, NULL);
	(void)SSL_CTX_set_tlsext_servername_callback(ctx, choose_certificate);
	(void)SSL_CTX_set_tlsext_servername_arg(ctx, t);
	what = "certificate";
	if (!use_chain(ctx, chain, chain_len))
		goto fail;
	what = "certificate-key";
	if (!use_key(ctx, key, key_len))
		goto fail;
	what = "certificate-key: it is another certificate's";
	if (SSL_CTX_check_private_key(ctx) != 1)
		goto fail;
	p = &t->list[t->count++];
	(void)snprintf(p->name, sizeof p->name, "%s", name);
	p->ctx = ctx;
	return 0;
fail:
	fault_set(f, FAULT_PERM, "TLS%s%s: %s: %s", *name != '\0' ? " for " : "", name, what,
	    tls_error());
	SSL_CTX_free(ctx);
	return -1;
}

struct tls_stream *
tls_stream_create(struct tls_server *t, int fd)
{
	struct tls_stream *s = calloc(1, sizeof *s);

	if (s == NULL || t->count == 0)
		goto fail;
	s->ssl = SSL_new(t->list[0].ctx);
	if (s->ssl == NULL || SSL_set_fd(s->ssl, fd) != 1)
		goto fail;
	SSL_set_accept_state(s->ssl);
	return s;
fail:
	tls_stream_destroy(&s);
	return NULL;
}

void
tls_stream_destroy(struct tls_stream **sp)
{
	if (*sp == NULL)
		return;
	SSL_free((*sp)->ssl);
	free(*sp);
	*sp = NULL;
}

static enum tls_io
result(struct tls_stream *s, int r)
{
	switch (SSL_get_error(s->ssl, r)) {
	case SSL_ERROR_NONE:
		return TLS_DONE;
	case SSL_ERROR_WANT_READ:
		return TLS_WANT_READ;
	case SSL_ERROR_WANT_WRITE:
		return TLS_WANT_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		return TLS_CLOSED;
	default:
		return TLS_FAILED;
	}
}

enum tls_io
tls_stream_handshake(struct tls_stream *s)
{
	ERR_clear_error();
	errno = 0;
	return result(s, SSL_do_handshake(s->ssl));
}

enum tls_io
tls_stream_read(struct tls_stream *s, void *buf, size_t len, size_t *ret_len)
{
	ERR_clear_error();
	errno = 0;
	*ret_len = 0;
	return result(s, SSL_read_ex(s->ssl, buf, len, ret_len));
}

enum tls_io
tls_stream_write(struct tls_stream *s, const void *p, size_t len, size_t *ret_len)
{
	ERR_clear_error();
	errno = 0;
	*ret_len = 0;
	return result(s, SSL_write_ex(s->ssl, p, len, ret_len));
}

void
tls_stream_shutdown(struct tls_stream *s)
{
	if (SSL_is_init_finished(s->ssl))
		(void)SSL_shutdown(s->ssl); /* one way: who answers does, who does not does not */
	ERR_clear_error();
}

void
tls_stream_describe(const struct tls_stream *s, char *out, size_t room)
{
	(void)snprintf(out, room, "%s %s", SSL_get_version(s->ssl), SSL_get_cipher_name(s->ssl));
}

size_t
tls_stream_exporter(struct tls_stream *s, uint8_t out[32])
{
	static const char label[] = "EXPORTER-Channel-Binding";

	if (SSL_version(s->ssl) < TLS1_3_VERSION && SSL_get_extms_support(s->ssl) != 1)
		return 0; /* P9266-01 */
	return SSL_export_keying_material(
		   s->ssl, out, 32, label, sizeof label - 1, (const unsigned char *)"", 0, 1) == 1
		   ? 32
		   : 0;
}

size_t
tls_stream_unique(struct tls_stream *s, uint8_t *out, size_t room)
{
	if (SSL_version(s->ssl) != TLS1_2_VERSION || SSL_get_extms_support(s->ssl) != 1)
		return 0;
	/* the first Finished: the client's, but for a resumed session (RFC 5929, 3.1) */
	return SSL_session_reused(s->ssl) ? SSL_get_finished(s->ssl, out, room)
					  : SSL_get_peer_finished(s->ssl, out, room);
}
