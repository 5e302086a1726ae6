/* X-Forwarded-For of a WebSocket handshake, from its end: it always comes to its beginning. */
#include "common/net/forwarded.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size > 0 ? size : 1);
    size_t len = size, before = size + 1;
    struct ip ip;

    if (text == NULL)
        abort();
    memcpy(text, data, size);
    for (int got = 1; got != 0; before = len) {
        got = forwarded_last(text, &len, &ip);
        if (len > size || (got != 0 && len >= before && before != 0))
            abort();
        if (got == 0 && len != 0)
            abort();
        if (len == 0 && before == 0)
            break;
    }
    free(text);
    return 0;
}
