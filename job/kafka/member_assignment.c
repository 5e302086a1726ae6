/* version, then topics: a name and partitions each; what follows is the assignor's own. All numbers
 * are big-endian. */
#include "job/kafka/member_assignment.h"

#include <stdint.h>
#include <string.h>

struct reading {
    const unsigned char *at;
    size_t left;
    bool bad;
};

/* Of BYTES bytes; 0 if so many are not left. */
static uint32_t number(struct reading *in, size_t bytes)
{
    uint32_t value = 0;

    if (in->left < bytes) {
        in->bad = true;
        return 0;
    }
    for (size_t i = 0; i < bytes; i++)
        value = value << 8 | in->at[i];
    in->at += bytes;
    in->left -= bytes;
    return value;
}

/* Is the name that comes next TOPIC? */
static bool is_name(struct reading *in, const char *topic)
{
    size_t len = number(in, 2);

    if (in->bad || in->left < len) {
        in->bad = true;
        return false;
    }
    bool same = len == strlen(topic) && memcmp(in->at, topic, len) == 0;
    in->at += len;
    in->left -= len;
    return same;
}

bool member_assignment_read(const void *data, size_t len, const char *topic, bool *owned, size_t n)
{
    struct reading in = {.at = data, .left = len};

    if (len == 0)
        return true;
    (void)number(&in, 2);
    for (uint32_t topics = number(&in, 4); topics > 0 && !in.bad; topics--) {
        bool ours = is_name(&in, topic);
        for (uint32_t left = number(&in, 4); left > 0 && !in.bad; left--) {
            uint32_t id = number(&in, 4);
            if (ours && !in.bad && id < n)
                owned[id] = true;
        }
    }
    return !in.bad;
}
