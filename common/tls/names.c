/* Which hosts a certificate is for (RFC 6125). A wildcard stands for one label, the first. */
#include "common/base/mem.h"
#include "common/tls/internal.h"
#include <ctype.h>
#include <openssl/x509v3.h>
#include <string.h>

enum { NAMES_MOST = 1000, NAME_MAX_LEN = 253 };

static void add(struct tls_pair *pair, const ASN1_STRING *string)
{
    const char *text = (const char *)ASN1_STRING_get0_data(string);
    int len = ASN1_STRING_length(string);
    if (len <= 0 || len > NAME_MAX_LEN || memchr(text, '\0', (size_t)len) != NULL)
        return;
    char *name = mem_strndup(text, (size_t)len);
    for (char *at = name; *at != '\0'; at++)
        *at = (char)tolower((unsigned char)*at);
    pair->names = mem_realloc(pair->names, (pair->n_names + 1) * sizeof(char *));
    pair->names[pair->n_names++] = name;
}

void tls_names_read(struct tls_pair *pair)
{
    GENERAL_NAMES *list = X509_get_ext_d2i(pair->certificate, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(list) && pair->n_names < NAMES_MOST; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(list, i);
        if (name->type == GEN_DNS)
            add(pair, name->d.dNSName);
    }
    GENERAL_NAMES_free(list);
    if (pair->n_names > 0)
        return;
    const X509_NAME *subject = X509_get_subject_name(pair->certificate);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (at >= 0)
        add(pair, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
}

int tls_names_fit(const struct tls_pair *pair, const char *name)
{
    const char *rest = strchr(name, '.');
    int fit = 0;
    for (size_t i = 0; i < pair->n_names && fit < 2; i++) {
        const char *own = pair->names[i];
        if (strcasecmp(own, name) == 0)
            fit = 2;
        else if (own[0] == '*' && own[1] == '.' && rest != NULL && rest > name &&
                 strcasecmp(own + 1, rest) == 0)
            fit = 1;
    }
    return fit;
}
