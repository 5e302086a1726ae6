#include "common/auth/key_file.h"
#include "common/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

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
    char text[KEY_FILE_MAX + 64]; /* with blanks around the key */
    size_t begin, n;
    int failed = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t len = fd >= 0 ? read(fd, text, sizeof(text)) : -1;

    if (len < 0) {
        failed = -errno;
        snprintf(err, errlen, "%s: %s", path, uv_strerror(failed));
    } else if (len == sizeof(text) || !one_word(text, (size_t)len, &begin, &n)) {
        failed = -EINVAL;
        snprintf(err, errlen, "%s: want one key of at most %d bytes, on one line, without blanks",
                 path, KEY_FILE_MAX);
    } else {
        *key = mem_strndup(text + begin, n);
    }
    if (fd >= 0)
        close(fd);
    explicit_bzero(text, sizeof(text));
    return failed;
}
