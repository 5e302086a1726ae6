/* The body of goim's operation 9: whatever it is, frames lie within it, back to back, or it is
 * refused with words. */
#include "comet/goim/raw_frames.h"
#include "common/protocol/frame.h"
#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct raw_frame frames[RAW_FRAMES_MAX];
    char why[RAW_FRAMES_WHY] = "";
    int n = raw_frames_take(data, size, frames, why);
    size_t at = 0;

    if (n < 0) {
        assert(n == -1 && why[0] != '\0' && memchr(why, '\0', sizeof why) != NULL);
        return 0;
    }
    assert(n >= 1 && n <= RAW_FRAMES_MAX);
    for (int i = 0; i < n; i++) {
        assert(frames[i].body == data + at + FRAME_HEADER);
        at += FRAME_HEADER + (size_t)frames[i].len;
    }
    assert(at == size);
    return 0;
}
