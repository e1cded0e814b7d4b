/* The serving end of TLS against a client of the library's own, over a pair of sockets. */
#include <errno.h>
#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fault.h"
#include "certificate.h"
#include "tls/server.h"

/* Both ends.  What goes between them may pass through the test, some octets at a time. */
struct talk {
	struct tls_server *server;
	struct tls_stream *stream;
	SSL_CTX *ctx;
	SSL *client;
	int at_server[2], at_client[2]; /* [0] is theirs, [1] the test's */
};

static struct pem chain, key, other_chain, other_key;

static void
add(struct tls_server *t, const char *name, const char *certificate)
{
	struct pem c, k;
	struct fault f = { 0 };

	certificate_make(certificate, NULL, &c, &k);
	assert_int_equal(tls_server_add(t, name, c.text, c.len, k.text, k.len, &f), 0);
}

static void
talk_start(struct talk *t, struct tls_server *server)
{
	struct fault f = { 0 };

	*t = (struct talk){ .server = server };
	if (server == NULL) {
		t->server = tls_server_create(&f);
		assert_int_equal(
		    tls_server_add(t->server, "", chain.text, chain.len, key.text, key.len, &f), 0);
	}
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, t->at_server), 0);
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, t->at_client), 0);
	t->stream = tls_stream_create(t->server, t->at_server[0]);
	assert_non_null(t->stream);
	t->ctx = SSL_CTX_new(TLS_client_method());
	t->client = SSL_new(t->ctx);
	assert_int_equal(SSL_set_fd(t->client, t->at_client[0]), 1);
	SSL_set_connect_state(t->client);
}

static void
talk_end(struct talk *t)
{
	SSL_free(t->client);
	SSL_CTX_free(t->ctx);
	tls_stream_destroy(&t->stream);
	assert_null(t->stream);
	tls_stream_destroy(&t->stream);
	tls_server_destroy(&t->server);
	assert_null(t->server);
	tls_server_destroy(&t->server);
	for (int i = 0; i < 2; i++) {
		(void)close(t->at_server[i]);
		(void)close(t->at_client[i]);
	}
}

/* Carries at most so many octets each way. */
static void
carry(struct talk *t, size_t most)
{
	uint8_t mem[65536];
	ssize_t n = recv(t->at_server[1], mem, most, 0);

	if (n > 0)
		assert_int_equal(send(t->at_client[1], mem, (size_t)n, MSG_NOSIGNAL), n);
	n = recv(t->at_client[1], mem, most, 0);
	if (n > 0)
		assert_int_equal(send(t->at_server[1], mem, (size_t)n, MSG_NOSIGNAL), n);
}

/* Until both are through with it, or one has failed: the server's word. */
static enum tls_io
shake(struct talk *t, size_t most)
{
	enum tls_io io = TLS_WANT_READ;
	int r = 0;

	for (int i = 0; i < 100000; i++) {
		if (r != 1)
			r = SSL_do_handshake(t->client);
		carry(t, most);
		if (io == TLS_WANT_READ || io == TLS_WANT_WRITE)
			io = tls_stream_handshake(t->stream);
		carry(t, most);
		if (io == TLS_FAILED || (io == TLS_DONE && r == 1))
			return io;
		if (r != 1 && SSL_get_error(t->client, r) != SSL_ERROR_WANT_READ)
			return TLS_FAILED;
	}
	return TLS_WANT_READ;
}

/* What the server reads next of text that the client says. */
static void
check_hears(struct talk *t, const char *text)
{
	char got[100];
	size_t n = 0, more;

	assert_int_equal(SSL_write(t->client, text, (int)strlen(text)), (int)strlen(text));
	while (n < strlen(text)) {
		carry(t, sizeof got);
		if (tls_stream_read(t->stream, got + n, sizeof got - n, &more) == TLS_DONE)
			n += more;
	}
	assert_int_equal(n, strlen(text));
	assert_memory_equal(got, text, n);
}

static void
check_says(struct talk *t, const char *text)
{
	char got[100];
	size_t n;

	assert_int_equal(tls_stream_write(t->stream, text, strlen(text), &n), TLS_DONE);
	assert_int_equal(n, strlen(text));
	for (int r = -1; r <= 0;) {
		carry(t, 65536);
		r = SSL_read(t->client, got, sizeof got);
		if (r > 0)
			assert_int_equal(r, n);
	}
	assert_memory_equal(got, text, n);
}

static void
any_cut(void **state)
{
	static const size_t cuts[] = { 1, 2, 3, 5, 7, 64, 1000, 65536 };

	(void)state;
	for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
		struct talk t;
		char text[100];

		talk_start(&t, NULL);
		assert_int_equal(shake(&t, cuts[i]), TLS_DONE);
		tls_stream_describe(t.stream, text, sizeof text);
		assert_string_equal(text, "TLSv1.3 TLS_AES_256_GCM_SHA384");
		check_hears(&t, "USER joe\r\n");
		check_says(&t, "+OK\r\n");
		talk_end(&t);
	}
}

/* Holds: P8996-01 P8314-03 */
static void
versions(void **state)
{
	static const struct {
		int version;
		enum tls_io io;
	} cases[] = { { TLS1_VERSION, TLS_FAILED }, { TLS1_1_VERSION, TLS_FAILED },
		{ TLS1_2_VERSION, TLS_DONE }, { TLS1_3_VERSION, TLS_DONE } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct talk t;

		talk_start(&t, NULL);
		SSL_set_security_level(t.client, 0);
		assert_int_equal(SSL_set_min_proto_version(t.client, cases[i].version), 1);
		assert_int_equal(SSL_set_max_proto_version(t.client, cases[i].version), 1);
		assert_int_equal(shake(&t, 65536), cases[i].io);
		if (cases[i].io == TLS_DONE)
			assert_int_equal(SSL_version(t.client), cases[i].version);
		else
			assert_non_null(strstr(tls_error(), "unsupported protocol"));
		talk_end(&t);
	}
}

static void
protocols(void **state)
{
	static const struct {
		const char *offers;
		enum tls_io io;
		bool chosen;
	} cases[] = {
		{ "", TLS_DONE, false },
		{ "\4pop3", TLS_DONE, true },
		{ "\4imap\4pop3\2h2", TLS_DONE, true },
		{ "\2h2\10http/1.1", TLS_FAILED, false },
		{ "\4POP3", TLS_FAILED, false },
		{ "\5pop3s", TLS_FAILED, false },
		{ "\3pop", TLS_FAILED, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct talk t;
		const unsigned char *got;
		unsigned len;

		talk_start(&t, NULL);
		if (*cases[i].offers != '\0')
			assert_int_equal(
			    SSL_set_alpn_protos(t.client, (const unsigned char *)cases[i].offers,
				(unsigned)strlen(cases[i].offers)),
			    0);
		assert_int_equal(shake(&t, 65536), cases[i].io);
		SSL_get0_alpn_selected(t.client, &got, &len);
		assert_int_equal(len, cases[i].chosen ? 4 : 0);
		if (cases[i].chosen)
			assert_memory_equal(got, "pop3", 4);
		talk_end(&t);
	}
}

static void
certificate_by_name(void **state)
{
	static const struct {
		const char *asks, *gets;
	} cases[] = {
		{ NULL, "first" },
		{ "unknown.example.net", "first" },
		{ "*.example.org", "wild" }, /* no host is called that, and it does no harm */
		{ "pop.example.org", "wild" },
		{ "POP.EXAMPLE.ORG", "wild" },
		{ "mail.example.org", "exact" }, /* though the wildcard stands before it */
		{ "Mail.Example.Org", "exact" },
		{ "a.b.example.org", "first" },
		{ "example.org", "first" },
		{ ".example.org", "first" },
		{ "mail.example.org.evil.net", "first" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct fault f = { 0 };
		struct tls_server *server = tls_server_create(&f);
		struct talk t;
		char name[100], asks[100]; /* OpenSSL's macro would cast const away */
		X509 *x;

		add(server, "", "first");
		add(server, "*.example.org", "wild");
		add(server, "mail.example.org", "exact");
		talk_start(&t, server);
		if (cases[i].asks != NULL) {
			(void)snprintf(asks, sizeof asks, "%s", cases[i].asks);
			assert_int_equal(SSL_set_tlsext_host_name(t.client, asks), 1);
		}
		assert_int_equal(shake(&t, 65536), TLS_DONE);
		x = SSL_get1_peer_certificate(t.client);
		assert_true(X509_NAME_get_text_by_NID(
				X509_get_subject_name(x), NID_commonName, name, sizeof name) > 0);
		assert_string_equal(name, cases[i].gets);
		X509_free(x);
		talk_end(&t);
	}
}

/* Holds: P9266-01 P5929-01 P7677-01 */
static void
channel_bindings(void **state)
{
	static const struct {
		int version;
		bool master_secret; /* extended (RFC 7627) */
		size_t exporter, unique;
	} cases[] = { { TLS1_3_VERSION, true, 32, 0 }, { TLS1_2_VERSION, true, 32, 12 },
		{ TLS1_2_VERSION, false, 0, 0 } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		static const char label[] = "EXPORTER-Channel-Binding";
		uint8_t ours[64], theirs[64];
		struct talk t;

		talk_start(&t, NULL);
		assert_int_equal(SSL_set_max_proto_version(t.client, cases[i].version), 1);
		if (!cases[i].master_secret)
			(void)SSL_set_options(t.client, SSL_OP_NO_EXTENDED_MASTER_SECRET);
		assert_int_equal(shake(&t, 65536), TLS_DONE);
		assert_int_equal(tls_stream_exporter(t.stream, ours), cases[i].exporter);
		if (cases[i].exporter > 0) {
			assert_int_equal(SSL_export_keying_material(t.client, theirs, 32, label,
					     sizeof label - 1, NULL, 0, 1),
			    1);
			assert_memory_equal(ours, theirs, 32);
		}
		assert_int_equal(tls_stream_unique(t.stream, ours, sizeof ours), cases[i].unique);
		if (cases[i].unique > 0) {
			assert_int_equal(
			    SSL_get_finished(t.client, theirs, sizeof theirs), cases[i].unique);
			assert_memory_equal(ours, theirs, cases[i].unique);
		}
		talk_end(&t);
	}
}

/* Holds: P8314-07 */
static void
ends(void **state)
{
	struct talk t;
	char got[10];
	size_t n;

	(void)state;
	/* the client says that it will say no more: it can still be answered */
	talk_start(&t, NULL);
	assert_int_equal(shake(&t, 65536), TLS_DONE);
	assert_int_equal(tls_stream_read(t.stream, got, sizeof got, &n), TLS_WANT_READ);
	assert_int_equal(SSL_shutdown(t.client), 0);
	carry(&t, 65536);
	assert_int_equal(tls_stream_read(t.stream, got, sizeof got, &n), TLS_CLOSED);
	check_says(&t, "+OK bye\r\n");
	tls_stream_shutdown(t.stream);
	carry(&t, 65536);
	assert_int_equal(SSL_read(t.client, got, sizeof got), 0);
	assert_int_equal(SSL_get_error(t.client, 0), SSL_ERROR_ZERO_RETURN);
	talk_end(&t);
	/* it is gone without a word */
	talk_start(&t, NULL);
	assert_int_equal(shake(&t, 65536), TLS_DONE);
	assert_int_equal(shutdown(t.at_server[1], SHUT_RDWR), 0);
	assert_int_equal(tls_stream_read(t.stream, got, sizeof got, &n), TLS_CLOSED);
	talk_end(&t);
	/* it speaks something else */
	talk_start(&t, NULL);
	assert_int_equal(send(t.at_server[1], "CAPA\r\nCAPA\r\n", 12, 0), 12);
	assert_int_equal(tls_stream_handshake(t.stream), TLS_FAILED);
	tls_stream_shutdown(t.stream); /* there is nothing to end */
	talk_end(&t);
}

static void
no_renegotiation(void **state)
{
	struct talk t;
	char got[10];
	size_t n;

	(void)state;
	talk_start(&t, NULL);
	assert_int_equal(SSL_set_max_proto_version(t.client, TLS1_2_VERSION), 1);
	assert_int_equal(shake(&t, 65536), TLS_DONE);
	assert_int_equal(SSL_renegotiate(t.client), 1);
	(void)SSL_do_handshake(t.client);
	carry(&t, 65536);
	assert_int_equal(tls_stream_read(t.stream, got, sizeof got, &n), TLS_WANT_READ);
	carry(&t, 65536);
	assert_int_not_equal(SSL_do_handshake(t.client), 1);
	talk_end(&t);
}

/* A socket that is full: the same octets again, from wherever they are by then. */
static void
moved_octets(void **state)
{
	enum { MUCH = 1 << 20 };
	uint8_t *text = malloc(MUCH), *got = malloc(MUCH);
	size_t sent = 0, received = 0, stops = 0;
	uint8_t *before = NULL;
	struct talk t;

	(void)state;
	assert_true(text != NULL && got != NULL);
	for (size_t i = 0; i < MUCH; i++)
		text[i] = (uint8_t)(i * 7 + i / 256);
	talk_start(&t, NULL);
	assert_int_equal(shake(&t, 65536), TLS_DONE);
	while (received < MUCH) {
		size_t left = MUCH - sent, n = 0;
		uint8_t *copy = malloc(left + 1);
		enum tls_io io;
		int r;

		assert_non_null(copy);
		memcpy(copy, text + sent, left);
		io = left == 0 ? TLS_WANT_WRITE : tls_stream_write(t.stream, copy, left, &n);
		free(before);
		before = copy; /* so the next one is somewhere else */
		assert_true(io == TLS_DONE || io == TLS_WANT_WRITE);
		sent += n;
		if (io == TLS_DONE)
			continue;
		stops++;
		carry(&t, 65536);
		while ((r = SSL_read(t.client, got + received, (int)(MUCH - received))) > 0)
			received += (size_t)r;
	}
	assert_true(stops > 1);
	assert_memory_equal(got, text, MUCH);
	free(before);
	free(text);
	free(got);
	talk_end(&t);
}

static void
what_cannot_be_used(void **state)
{
	struct pem secret_chain, secret_key;
	const struct {
		const struct pem *chain, *key;
		size_t chain_len, key_len;
		const char *says;
	} cases[] = {
		{ &chain, &other_key, chain.len, other_key.len, "certificate-key" },
		{ &chain, &secret_key, chain.len, SIZE_MAX, "certificate-key" },
		{ &chain, &chain, chain.len, chain.len, "certificate-key" },
		{ &key, &key, key.len, key.len, "certificate" },
		{ &chain, &key, chain.len / 2, key.len, "certificate" },
		{ &chain, &key, chain.len, key.len / 2, "certificate-key" },
		{ &chain, &key, 0, key.len, "certificate" },
		{ &chain, &key, chain.len, 0, "certificate-key" },
	};

	(void)state;
	certificate_make("x", "secret", &secret_chain, &secret_key);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct fault f = { 0 };
		struct tls_server *t = tls_server_create(&f);
		size_t key_len = cases[i].key_len == SIZE_MAX ? secret_key.len : cases[i].key_len;

		assert_int_equal(tls_server_add(t, "", cases[i].chain->text, cases[i].chain_len,
				     cases[i].key->text, key_len, &f),
		    -1);
		assert_non_null(strstr(f.text, cases[i].says));
		assert_null(tls_stream_create(t, 0)); /* there is no certificate */
		/* and the next one is as good as ever */
		assert_int_equal(
		    tls_server_add(t, "", chain.text, chain.len, key.text, key.len, &f), 0);
		tls_server_destroy(&t);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_cut),
		cmocka_unit_test(versions),
		cmocka_unit_test(protocols),
		cmocka_unit_test(certificate_by_name),
		cmocka_unit_test(channel_bindings),
		cmocka_unit_test(ends),
		cmocka_unit_test(no_renegotiation),
		cmocka_unit_test(moved_octets),
		cmocka_unit_test(what_cannot_be_used),
	};

	certificate_make("localhost", NULL, &chain, &key);
	certificate_make("localhost", NULL, &other_chain, &other_key);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
