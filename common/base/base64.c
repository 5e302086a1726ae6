#include "common/base/base64.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>

size_t base64_encode(const void *data, size_t len, char *out)
{
    return (size_t)EVP_EncodeBlock((unsigned char *)out, data, (int)len);
}

/* EVP_DecodeBlock() would skip blanks, and takes padding for zeros. */
ssize_t base64_decode(const char *text, size_t len, void *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t plain = strspn(text, digits), padding = len - plain;

    if (len % 4 != 0 || padding > 2 || strspn(text + plain, "=") != padding)
        return -EBADMSG;
    if (len == 0)
        return 0;
    int n = EVP_DecodeBlock(out, (const unsigned char *)text, (int)len);
    return n < 0 ? -EBADMSG : n - (ssize_t)padding;
}
