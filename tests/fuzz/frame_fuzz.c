/* Both parsers stay within the buffer, agree with every prefix of it, and what they took is what
 * frame_header() writes. */
#include "common/protocol/frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds)
{
    if (!holds)
        abort();
}

static void check_taken(const uint8_t *data, size_t size, long taken, const struct frame *frame)
{
    check(taken >= FRAME_HEADER && (size_t)taken <= size);
    check(frame->body >= data + FRAME_HEADER && frame->body + frame->body_len == data + taken);
}

static void check_server(const uint8_t *data, size_t size, size_t max_body)
{
    struct frame frame;
    long taken = frame_parse(data, size, max_body, &frame);
    check(taken >= 0 || taken == -EBADMSG || taken == -EMSGSIZE);
    if (size < FRAME_HEADER)
        check(taken == 0);
    if (taken > 0) {
        uint8_t header[FRAME_HEADER];
        check_taken(data, size, taken, &frame);
        check(frame.body_len <= max_body);
        frame_header(header, frame.version, frame.op, frame.seq, frame.body_len);
        check(memcmp(header, data, FRAME_HEADER) == 0);
    }
    /* Fewer bytes: the same refusal as soon as the header is there, or more is wanted. */
    for (size_t len = 0; len < size && len < 64; len++) {
        struct frame other;
        long result = frame_parse(data, len, max_body, &other);
        if (len < FRAME_HEADER)
            check(result == 0);
        else if (taken > 0)
            check(result == ((long)len < taken ? 0 : taken));
        else
            check(result == taken);
    }
}

static void check_client(const uint8_t *data, size_t size, size_t max_packet)
{
    struct frame frame;
    long taken = frame_parse_reply(data, size, max_packet, &frame);
    check(taken >= 0 || taken == -EBADMSG || taken == -EMSGSIZE);
    if (taken > 0) {
        check_taken(data, size, taken, &frame);
        check((size_t)taken <= max_packet);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    size_t limit = (size_t)1 << data[0] % 20;
    /* A block of its own, so that ASan sees a read beyond it. */
    uint8_t *copy = malloc(size - 1);
    if (size > 1)
        memcpy(copy, data + 1, size - 1);
    check_server(copy, size - 1, limit);
    check_client(copy, size - 1, limit);
    free(copy);
    return 0;
}
