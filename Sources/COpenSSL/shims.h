/* OpenSSL as Swift sees it. Swift imports functions but neither function-like macros, nor variadic
   functions, nor typed stacks; each shim below stands for one of those and does nothing else. Only
   what both OpenSSL 3.0 and 3.5 have is used. */
#ifndef MESHNODE_COPENSSL_SHIMS_H
#define MESHNODE_COPENSSL_SHIMS_H

#include <stdint.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

/* Macros over SSL_CTX_ctrl. */

static inline int meshnode_ctx_only_tls13(SSL_CTX *ctx) {
    return SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1
        && SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) == 1;
}

static inline int meshnode_ctx_set_groups(SSL_CTX *ctx, const char *list) {
    return (int)SSL_CTX_set1_groups_list(ctx, (char *)list);
}

static inline void meshnode_ctx_set_mode(SSL_CTX *ctx, long mode) { SSL_CTX_set_mode(ctx, mode); }

static inline void meshnode_ctx_set_options(SSL_CTX *ctx) {
    uint64_t options = SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_COMPRESSION;
#ifdef SSL_OP_NO_RX_CERTIFICATE_COMPRESSION
    options |= SSL_OP_NO_RX_CERTIFICATE_COMPRESSION | SSL_OP_NO_TX_CERTIFICATE_COMPRESSION;
#endif
    SSL_CTX_set_options(ctx, options);
}

static inline void meshnode_ctx_disable_session_cache(SSL_CTX *ctx) {
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
}

static inline void meshnode_ctx_set_max_cert_list(SSL_CTX *ctx, long bytes) { SSL_CTX_set_max_cert_list(ctx, bytes); }

static inline int meshnode_ctx_add_chain_cert(SSL_CTX *ctx, X509 *certificate) {
    return (int)SSL_CTX_add1_chain_cert(ctx, certificate);
}

static inline SSL *meshnode_store_ctx_ssl(X509_STORE_CTX *ctx) {
    return (SSL *)X509_STORE_CTX_get_ex_data(ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
}

/* Error codes: lib and reason are macros or inline functions, depending on the version. */

static inline int meshnode_err_lib(unsigned long code) { return ERR_GET_LIB(code); }
static inline int meshnode_err_reason(unsigned long code) { return ERR_GET_REASON(code); }

/* BIOs. */

static inline long meshnode_bio_mem_data(BIO *bio, char **data) { return BIO_get_mem_data(bio, data); }

static inline unsigned long meshnode_name_flags(void) { return XN_FLAG_ONELINE; }

/* Typed stacks. */

static inline int meshnode_x509_count(const STACK_OF(X509) *stack) { return sk_X509_num(stack); }
static inline X509 *meshnode_x509_at(const STACK_OF(X509) *stack, int index) { return sk_X509_value(stack, index); }
static inline STACK_OF(X509) *meshnode_x509_stack_new(void) { return sk_X509_new_null(); }
static inline int meshnode_x509_stack_push(STACK_OF(X509) *stack, X509 *certificate) {
    return sk_X509_push(stack, certificate) > 0;
}
/* Frees the stack and gives up one reference to each certificate in it. */
static inline void meshnode_x509_stack_free(STACK_OF(X509) *stack) { sk_X509_pop_free(stack, X509_free); }

static inline int meshnode_general_name_count(const GENERAL_NAMES *names) { return sk_GENERAL_NAME_num(names); }

/* The bytes of the name at `index` if it is a URI; NULL if it is of another type. */
static inline const unsigned char *meshnode_general_name_uri(const GENERAL_NAMES *names, int index, int *length) {
    const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, index);
    if (name == NULL || name->type != GEN_URI) return NULL;
    *length = ASN1_STRING_length(name->d.uniformResourceIdentifier);
    return ASN1_STRING_get0_data(name->d.uniformResourceIdentifier);
}

/* The GENERAL_NAMES of one URI; NULL if there is no memory. */
static inline GENERAL_NAMES *meshnode_general_names_of_uri(const unsigned char *uri, int length) {
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_IA5STRING *text = ASN1_IA5STRING_new();
    if (names == NULL || name == NULL || text == NULL || ASN1_STRING_set(text, uri, length) != 1
        || sk_GENERAL_NAME_push(names, name) <= 0) {
        ASN1_IA5STRING_free(text);
        GENERAL_NAME_free(name);
        sk_GENERAL_NAME_free(names);
        return NULL;
    }
    GENERAL_NAME_set0_value(name, GEN_URI, text);
    return names;
}

/* Adds `extension` to a request; the request copies it. */
static inline int meshnode_req_add_extension(X509_REQ *request, X509_EXTENSION *extension) {
    STACK_OF(X509_EXTENSION) *extensions = sk_X509_EXTENSION_new_null();
    if (extensions == NULL) return 0;
    int added = sk_X509_EXTENSION_push(extensions, extension) > 0 && X509_REQ_add_extensions(request, extensions);
    sk_X509_EXTENSION_free(extensions);
    return added;
}

/* Variadic. */

static inline EVP_PKEY *meshnode_p256_generate(void) { return EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256"); }

#endif
