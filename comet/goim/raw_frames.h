/* raw_frames.h - takes apart the body of goim's operation 9: frames, back to back, which goim's job
 * has packed. Pure; any thread.
 *
 * Each session gets them in its own wire form. So operation and body are kept; version and sequence
 * are those of every push. */
#ifndef IMC_COMET_GOIM_RAW_FRAMES_H
#define IMC_COMET_GOIM_RAW_FRAMES_H

#include <stddef.h>
#include <stdint.h>

/* Most frames in a body. goim's job packs 20 messages to a room by default. */
enum { RAW_FRAMES_MAX = 1024, RAW_FRAMES_WHY = 160 };

struct raw_frame {
    int32_t op;
    const uint8_t *body; /* borrowed */
    uint32_t len;
};

/* Fills FRAMES, of which there is room for RAW_FRAMES_MAX. Returns how many there are, at least 1;
 * or -1, and WHY (RAW_FRAMES_WHY bytes) says what is wrong at which byte. */
int raw_frames_take(const uint8_t *body, size_t len, struct raw_frame *frames, char *why);

#endif
