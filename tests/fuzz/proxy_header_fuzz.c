/* PROXY headers: whole or in pieces, the same comes out, and never more than there is. */
#include "comet/wire/proxy_header.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds)
{
    if (!holds)
        abort();
}

/* Reads a copy of exactly LEN bytes, so that reading beyond them is noticed. */
static long parse(const uint8_t *data, size_t len, struct proxy_header *out)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);

    check(copy != NULL);
    memcpy(copy, data, len);
    long taken = proxy_header_parse(copy, len, out);
    free(copy);
    return taken;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct proxy_header whole = {0}, piece;
    size_t len = size < PROXY_HEADER_MAX + 64 ? size : PROXY_HEADER_MAX + 64;
    long taken = parse(data, len, &whole);

    check(taken <= (long)len && taken <= PROXY_HEADER_MAX);
    check(taken != 0 || len < PROXY_HEADER_MAX);
    for (size_t n = 0; n < len; n++) {
        piece = (struct proxy_header){0};
        long got = parse(data, n, &piece);
        if (taken > 0)
            check(got == ((long)n < taken ? 0 : taken));
        else if (taken == 0)
            check(got == 0);
        else
            check(got == 0 || got == taken);
        if (got > 0)
            check(piece.known == whole.known &&
                  memcmp(&piece.client, &whole.client, sizeof piece.client) == 0);
    }
    return 0;
}
