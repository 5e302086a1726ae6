/* OpenSSL's EVP verifies; here is only what JWS adds to that: how long a signature is, that the one
 * of ES256 is two numbers and no DER, and which parameters RSA-PSS has (RFC 7518, sections 3.2 to
 * 3.5; RFC 8037, section 3.1). */
#include "logic/jwt/signature.h"

#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>

enum { ES256_HALF = 32, ES256_DER_MAX = 2 * (ES256_HALF + 3) + 2, ED25519_SIGNATURE = 64 };

static bool hmac_fits(const struct jwt_signed *what, const struct jwt_key *key)
{
    const EVP_MD *md = what->algorithm == JWT_HS256   ? EVP_sha256()
                       : what->algorithm == JWT_HS384 ? EVP_sha384()
                                                      : EVP_sha512();
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned int len = (unsigned int)EVP_MD_get_size(md);

    if (key->secret_len < len || what->signature_len != len)
        return false;
    if (HMAC(md, key->secret, (int)key->secret_len, what->data, what->len, mac, &len) == NULL)
        return false;
    bool same = CRYPTO_memcmp(mac, what->signature, len) == 0;
    OPENSSL_cleanse(mac, sizeof mac);
    return same;
}

static bool set_pss(EVP_PKEY_CTX *ctx)
{
    return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) > 0 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) > 0;
}

static bool evp_fits(const struct jwt_signed *what, EVP_PKEY *pkey, const EVP_MD *md,
                     const uint8_t *signature, size_t len)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *of_key = NULL;
    bool fits = ctx != NULL && EVP_DigestVerifyInit(ctx, &of_key, md, NULL, pkey) == 1;

    if (fits && what->algorithm == JWT_PS256)
        fits = set_pss(of_key);
    if (fits)
        fits = EVP_DigestVerify(ctx, signature, len, what->data, what->len) == 1;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return fits;
}

static bool rsa_fits(const struct jwt_signed *what, const struct jwt_key *key)
{
    return what->signature_len == (size_t)EVP_PKEY_get_size(key->pkey) &&
           evp_fits(what, key->pkey, EVP_sha256(), what->signature, what->signature_len);
}

/* Writes the two numbers of SIGNATURE in DER. Returns how many bytes; 0: one of them is zero, which
 * some verifiers took for a signature of everything (CVE-2022-21449). */
static size_t es256_der(const uint8_t *signature, uint8_t der[ES256_DER_MAX])
{
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(signature, ES256_HALF, NULL);
    BIGNUM *s = BN_bin2bn(signature + ES256_HALF, ES256_HALF, NULL);
    int len = 0;

    if (sig != NULL && r != NULL && s != NULL && !BN_is_zero(r) && !BN_is_zero(s) &&
        ECDSA_SIG_set0(sig, r, s) == 1) {
        r = s = NULL; /* they are sig's now */
        len = i2d_ECDSA_SIG(sig, &der);
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(sig);
    return len > 0 ? (size_t)len : 0;
}

static bool es256_fits(const struct jwt_signed *what, const struct jwt_key *key)
{
    uint8_t der[ES256_DER_MAX];

    if (what->signature_len != (size_t)2 * ES256_HALF)
        return false;
    size_t len = es256_der(what->signature, der);
    return len > 0 && evp_fits(what, key->pkey, EVP_sha256(), der, len);
}

bool jwt_signature_fits(const struct jwt_signed *what, const struct jwt_key *key)
{
    if (key->family != jwt_algorithm_family(what->algorithm))
        return false;
    switch (key->family) {
    case JWT_HMAC:
        return hmac_fits(what, key);
    case JWT_RSA:
        return rsa_fits(what, key);
    case JWT_EC:
        return es256_fits(what, key);
    case JWT_ED25519:
        return what->signature_len == ED25519_SIGNATURE &&
               evp_fits(what, key->pkey, NULL, what->signature, what->signature_len);
    case JWT_FAMILIES:
        break;
    }
    return false;
}
