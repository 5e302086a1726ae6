/* The path of a request: one that is taken has, decoded, no control character, and nowhere a
 * segment of dots; and no more segments than before. */
#include "common/http/path.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds)
{
    if (!holds)
        abort();
}

/* As a proxy that decodes first would split it. */
static void check_dots(char *path)
{
    for (char *at = path; *at != '\0'; at++) {
        if (*at == '\\')
            *at = '/';
    }
    for (char *rest = path, *segment; (segment = strsep(&rest, "/")) != NULL;)
        check(strcmp(segment, ".") != 0 && strcmp(segment, "..") != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *path = malloc(size + 1), *out = malloc(size + 1);

    check(path != NULL && out != NULL);
    memcpy(path, data, size);
    path[size] = '\0';
    size_t len = strlen(path);
    if (http_path_refusal(path, false) == NULL) {
        check(strchr(path, '%') == NULL);
        check(http_path_refusal(path, true) == NULL);
    }
    if (http_path_refusal(path, true) == NULL) {
        size_t n = http_segment_decode(path, len, out);
        check(n <= len && strlen(out) == n);
        for (size_t i = 0; i < n; i++)
            check((unsigned char)out[i] >= 0x20 && out[i] != 0x7f);
        check_dots(out);
    }
    free(path);
    free(out);
    return 0;
}
