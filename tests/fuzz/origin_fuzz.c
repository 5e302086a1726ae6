/* The Origin of a handshake: whatever it is, only hosts below the one that was named get in. */
#include "comet/wire/origin.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char head[] = "https://", tail[] = ".example.com";
    const size_t head_len = sizeof head - 1, tail_len = sizeof tail - 1;
    char *origin = malloc(size + 1), err[512];
    size_t len = size;

    check(origin != NULL);
    memcpy(origin, data, size);
    origin[size] = '\0';
    if (origin_is_allowed("https://*.example.com", origin, size)) {
        if (len > 4 && memcmp(origin + len - 4, ":443", 4) == 0)
            len -= 4;
        check(len > head_len + tail_len);
        check(strncasecmp(origin, head, head_len) == 0);
        check(strncasecmp(origin + len - tail_len, tail, tail_len) == 0);
        for (size_t i = head_len; i < len; i++)
            check(origin[i] != '\0' && strchr("@/?#\\: \t%", origin[i]) == NULL);
    }
    check(!origin_is_allowed("null, https://a", origin, size) || strcasecmp(origin, "null") == 0 ||
          strncasecmp(origin, "https://a", 9) == 0);
    (void)origin_check_list(origin, err, sizeof err); /* the same, as a list */
    (void)origin_is_allowed(origin, "https://a.b", 11);
    free(origin);
    return 0;
}
