#include "common/auth/key_file.h"
#include "common/base/file.h"
#include "common/base/mem.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <uv.h>

enum { BLANKS_MOST = 63 }; /* around the key */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The LEN bytes of TEXT hold one word that may stand in a header. *BEGIN and *N are where it is. */
static bool one_word(const char *text, size_t len, size_t *begin, size_t *n)
{
    size_t at = 0;

    while (at < len && is_blank(text[at]))
        at++;
    *begin = at;
    while (at < len && text[at] > ' ' && text[at] < 0x7f)
        at++;
    *n = at - *begin;
    while (at < len && is_blank(text[at]))
        at++;
    return at == len && *n > 0 && *n <= KEY_FILE_MAX;
}

int key_file_read(const char *path, char **key, char *err, size_t errlen)
{
    size_t begin, n;
    char *text;
    ssize_t len = file_read(path, KEY_FILE_MAX + BLANKS_MOST, &text);
    int failed = 0;

    if (len < 0 && len != -EFBIG) {
        failed = (int)len;
        snprintf(err, errlen, "%s: %s", path, uv_strerror(failed));
    } else if (len < 0 || !one_word(text, (size_t)len, &begin, &n)) {
        failed = -EINVAL;
        snprintf(err, errlen, "%s: want one key of at most %d bytes, on one line, without blanks",
                 path, KEY_FILE_MAX);
    } else {
        *key = mem_strndup(text + begin, n);
    }
    mem_wiped_free(text, len > 0 ? (size_t)len : 0);
    return failed;
}
