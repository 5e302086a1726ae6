/* jwt_sign.h - makes signed tokens, and what attackers make of them. */
#ifndef IMC_TESTS_UNIT_LIB_JWT_SIGN_H
#define IMC_TESTS_UNIT_LIB_JWT_SIGN_H

#include "common/base/mem.h"

#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static inline void jwt_put_text(char *out, const char *text)
{
    memcpy(out + strlen(out), text, strlen(text) + 1);
}

/* Appends LEN bytes in base64url to the text OUT. */
static inline void jwt_put_base64url(char *out, const void *bytes, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const uint8_t *in = bytes;
    char *at = out + strlen(out);

    for (size_t i = 0; i < len; i += 3) {
        size_t left = len - i < 3 ? len - i : 3;
        uint32_t word = (uint32_t)in[i] << 16 | (left > 1 ? (uint32_t)in[i + 1] << 8 : 0) |
                        (left > 2 ? in[i + 2] : 0);
        for (size_t k = 0; k <= left; k++)
            *at++ = digits[word >> (18 - 6 * k) & 63];
    }
    *at = '\0';
}

/* "HEADER.PAYLOAD" of two JSON texts. */
static inline void jwt_put_unsigned(char *out, const char *header, const char *payload)
{
    out[0] = '\0';
    jwt_put_base64url(out, header, strlen(header));
    jwt_put_text(out, ".");
    jwt_put_base64url(out, payload, strlen(payload));
}

static inline void jwt_put_signature(char *out, const void *signature, size_t len)
{
    jwt_put_text(out, ".");
    jwt_put_base64url(out, signature, len);
}

static inline void jwt_sign_hmac(char *out, const EVP_MD *md, const void *secret, size_t len)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned int mac_len;

    HMAC(md, secret, (int)len, (const unsigned char *)out, strlen(out), mac, &mac_len);
    jwt_put_signature(out, mac, mac_len);
}

/* Signs as OpenSSL does: of EC that is DER. SALT of PSS; 0: no PSS. Returns the length. */
static inline size_t jwt_sign_evp(const char *text, EVP_PKEY *pkey, const EVP_MD *md, int salt,
                                  uint8_t *signature, size_t room)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *of_key;

    EVP_DigestSignInit(ctx, &of_key, md, NULL, pkey);
    if (salt != 0) {
        EVP_PKEY_CTX_set_rsa_padding(of_key, RSA_PKCS1_PSS_PADDING);
        EVP_PKEY_CTX_set_rsa_pss_saltlen(of_key, salt);
    }
    if (EVP_DigestSign(ctx, signature, &room, (const unsigned char *)text, strlen(text)) != 1)
        room = 0;
    EVP_MD_CTX_free(ctx);
    return room;
}

static inline void jwt_sign_key(char *out, EVP_PKEY *pkey, const EVP_MD *md, int salt)
{
    uint8_t signature[1024];
    size_t len = jwt_sign_evp(out, pkey, md, salt, signature, sizeof signature);

    jwt_put_signature(out, signature, len);
}

/* ES256: two numbers of 32 bytes. */
static inline void jwt_sign_es256(char *out, EVP_PKEY *pkey)
{
    uint8_t der[128], pair[64];
    const uint8_t *at = der;
    size_t len = jwt_sign_evp(out, pkey, EVP_sha256(), 0, der, sizeof der);
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &at, (long)len);

    BN_bn2binpad(ECDSA_SIG_get0_r(sig), pair, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(sig), pair + 32, 32);
    ECDSA_SIG_free(sig);
    jwt_put_signature(out, pair, sizeof pair);
}

/* The public key in PEM, into OUT as text. Returns the length. */
static inline size_t jwt_put_pem(EVP_PKEY *pkey, char *out, size_t room)
{
    BIO *bio = BIO_new(BIO_s_mem());

    PEM_write_bio_PUBKEY(bio, pkey);
    int len = BIO_read(bio, out, (int)room - 1);
    out[len] = '\0';
    BIO_free(bio);
    return (size_t)len;
}

#endif
