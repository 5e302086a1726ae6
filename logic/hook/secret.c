#include "logic/hook/secret.h"
#include "common/base/file.h"
#include "common/base/mem.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Is SECRET of bytes that a header may have, without spaces? */
static bool is_fit(const char *secret, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)secret[i] <= 0x20 || (unsigned char)secret[i] >= 0x7f)
            return false;
    }
    return len > 0;
}

static char *make_header(const char *text, size_t len)
{
    static const char name[] = "Authorization: Bearer ";

    while (len > 0 && is_blank(text[len - 1]))
        len--;
    for (; len > 0 && is_blank(*text); len--)
        text++;
    if (!is_fit(text, len))
        return NULL;
    char *header = mem_alloc(sizeof name + len + 2);
    memcpy(header, name, sizeof name - 1);
    memcpy(header + sizeof name - 1, text, len);
    memcpy(header + sizeof name - 1 + len, "\r\n", 3);
    return header;
}

char *hook_secret_read(const char *path, char *err, size_t errlen)
{
    char *text;
    ssize_t len = file_read(path, HOOK_SECRET_MAX, &text);
    char *header = len < 0 ? NULL : make_header(text, (size_t)len);

    if (len < 0 && len != -EFBIG)
        (void)snprintf(err, errlen, "auth.secret_file: cannot read %s: %s", path,
                       strerrordesc_np((int)-len));
    else if (header == NULL)
        (void)snprintf(err, errlen,
                       "auth.secret_file: %s has no secret of 1 to %d printable ASCII characters "
                       "without spaces",
                       path, HOOK_SECRET_MAX);
    mem_wiped_free(text, len > 0 ? (size_t)len : 0);
    return header;
}
