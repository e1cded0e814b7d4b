#include "certificate.h"

#include <assert.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

static void
take(BIO *bio, struct pem *ret)
{
	int n = BIO_read(bio, ret->text, sizeof ret->text);

	assert(n > 0 && (size_t)n < sizeof ret->text);
	ret->len = (size_t)n;
	BIO_free(bio);
}

void
certificate_make(
    const char *name, const char *passphrase, struct pem *ret_chain, struct pem *ret_key)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	X509_NAME *subject = X509_get_subject_name(x);
	BIO *bio = BIO_new(BIO_s_mem());
	X509_EXTENSION *alternative;
	char text[300];

	(void)snprintf(text, sizeof text, "DNS:%s", name);
	alternative = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, text);
	assert(key != NULL && alternative != NULL &&
	       X509_NAME_add_entry_by_txt(
		   subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1, -1, 0) == 1 &&
	       X509_set_version(x, X509_VERSION_3) == 1 &&
	       ASN1_INTEGER_set(X509_get_serialNumber(x), 1) == 1 &&
	       X509_gmtime_adj(X509_getm_notBefore(x), -3600) != NULL &&
	       X509_gmtime_adj(X509_getm_notAfter(x), 86400) != NULL &&
	       X509_set_issuer_name(x, subject) == 1 && X509_set_pubkey(x, key) == 1 &&
	       X509_add_ext(x, alternative, -1) == 1 && X509_sign(x, key, EVP_sha256()) > 0);
	assert(PEM_write_bio_X509(bio, x) == 1);
	take(bio, ret_chain);
	bio = BIO_new(BIO_s_mem());
	assert(
	    PEM_write_bio_PKCS8PrivateKey(bio, key, passphrase == NULL ? NULL : EVP_aes_256_cbc(),
		passphrase, passphrase == NULL ? 0 : (int)strlen(passphrase), NULL, NULL) == 1);
	take(bio, ret_key);
	X509_EXTENSION_free(alternative);
	X509_free(x);
	EVP_PKEY_free(key);
}
