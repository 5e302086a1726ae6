/* OpenSSL's errors, in words that say what to look at. What has no words here keeps OpenSSL's. */
#include "common/tls/internal.h"
#include <openssl/err.h>
#include <openssl/sslerr.h>
#include <openssl/x509v3.h>
#include <stdio.h>

static const struct {
    int reason;
    const char *text;
} words[] = {
    {SSL_R_HTTP_REQUEST, "the peer speaks plain HTTP, not TLS"},
    {SSL_R_HTTPS_PROXY_REQUEST, "the peer speaks plain HTTP, as to a proxy, not TLS"},
    {SSL_R_WRONG_VERSION_NUMBER, "the peer does not speak TLS"},
    {SSL_R_UNSUPPORTED_PROTOCOL, "the peer offers only versions of TLS that are too old"},
    {SSL_R_VERSION_TOO_LOW, "the peer offers only versions of TLS that are too old"},
    {SSL_R_NO_SHARED_CIPHER, "the peer offers no cipher that is accepted here"},
    {SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM,
     "the peer accepts no signature of our certificate's key"},
    {SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, "the peer showed no certificate, which is demanded"},
    {SSL_R_NO_APPLICATION_PROTOCOL, "the peer offers no protocol (ALPN) that is spoken here"},
    {SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC, "a record was damaged or forged on its way"},
    {SSL_R_CERTIFICATE_VERIFY_FAILED, "the peer's certificate is not believed"},
};

static const char *reason_text(unsigned long code)
{
    int reason = ERR_GET_REASON(code);
    if (ERR_GET_LIB(code) != ERR_LIB_SSL)
        return ERR_reason_error_string(code);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (words[i].reason == reason)
            return words[i].text;
    }
    return ERR_reason_error_string(code);
}

void tls_error_text(char *out, size_t len)
{
    unsigned long code = ERR_peek_last_error();
    const char *text = code != 0 ? reason_text(code) : NULL;
    snprintf(out, len, "%s", text != NULL ? text : "an error without a name");
    ERR_clear_error();
}

/* Why the peer's certificate was refused; NULL: it was not. */
static const char *distrust(const SSL *ssl)
{
    long result = SSL_get_verify_result(ssl);
    switch (result) {
    case X509_V_OK:
        return NULL;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        return "unknown CA: see tls.ca";
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        return "self-signed certificate, which is not in tls.ca";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return "it is for another name than the one we connected to";
    default:
        return X509_verify_cert_error_string(result);
    }
}

void tls_connection_error_text(const SSL *ssl, char *out, size_t len)
{
    unsigned long code = ERR_peek_last_error();
    int reason = ERR_GET_REASON(code);
    bool of_ssl = ERR_GET_LIB(code) == ERR_LIB_SSL;
    if (of_ssl && reason == SSL_R_CERTIFICATE_VERIFY_FAILED && distrust(ssl) != NULL) {
        snprintf(out, len, "the peer's certificate is not believed: %s", distrust(ssl));
        ERR_clear_error();
        return;
    }
    if (of_ssl && reason >= SSL_AD_REASON_OFFSET) {
        int alert = reason - SSL_AD_REASON_OFFSET;
        snprintf(out, len, "the peer refuses: %s",
                 alert == SSL_AD_CERTIFICATE_REQUIRED /* of TLS 1.3, OpenSSL 3.0 has no words */
                     ? "certificate required"
                     : SSL_alert_desc_string_long(alert));
        ERR_clear_error();
        return;
    }
    tls_error_text(out, len);
}
