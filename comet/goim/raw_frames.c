#include "comet/goim/raw_frames.h"
#include "common/protocol/frame.h"
#include "common/protocol/ops.h"

#include <errno.h>
#include <stdio.h>

static int wrong(char *why, size_t at, const char *what)
{
    (void)snprintf(why, RAW_FRAMES_WHY, "proto.body: %s at byte %zu of the frames of operation 9",
                   what, at);
    return -1;
}

int raw_frames_take(const uint8_t *body, size_t len, struct raw_frame *frames, char *why)
{
    size_t at = 0;
    int n = 0;

    while (at < len) {
        struct frame frame;
        long taken = frame_parse(body + at, len - at, len, &frame);
        if (taken == 0 || taken == -EMSGSIZE)
            return wrong(why, at, "a frame that is not whole");
        if (taken < 0)
            return wrong(why, at, "a header or packet length that is wrong");
        if (frame.op == OP_RAW)
            return wrong(why, at, "frames within frames");
        if (n == RAW_FRAMES_MAX)
            return wrong(why, at, "more than 1024 frames");
        frames[n++] = (struct raw_frame){frame.op, frame.body, frame.body_len};
        at += (size_t)taken;
    }
    return n > 0 ? n : wrong(why, 0, "no frame");
}
